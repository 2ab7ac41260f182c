-- Grain: one row a possible pair of the pass, ranked.
-- Purpose: `criteria` say what makes one pair better than another, in this order: false before true, smaller before
-- larger. Ids by code points come last, so that no two pairs are ever equal. `reconcile explain` reads the order from
-- the columns of `candidate`; test_replay proves that it is this one.
-- Reads: pass, possible_pair, txn, unit
-- Makes: candidate

create temp table candidate on commit drop as
with criteria as (
    select
        (select rule from pass) = 'reference_differs' and txn.currency <> unit.currency as currency_differs,
        not families_agree(txn.family, unit.family) as family_disagrees,
        amount_apart(txn.amount, txn.fee, unit.amount) as amount_apart,
        abs(txn.business_on - unit.business_on) as days_apart,
        pair.transaction_rank,
        pair.entry_rank
    from possible_pair as pair
    inner join txn using (transaction_rank)
    inner join unit using (entry_rank)
)

select
    criteria.*,
    row_number() over (
        order by currency_differs, family_disagrees, amount_apart, days_apart, transaction_rank, entry_rank
    ) as pair_rank
from criteria;

analyze candidate (transaction_rank, entry_rank);
