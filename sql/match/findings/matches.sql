-- Grain: one row a match of the passes.
-- Purpose: Amounts are sums, dates the earliest; a booking counts as its positive entry. Where the currencies differ
-- nothing is subtracted. `refunds_differ`: the ledger books refunds, and KS Pay says paid, or refunded and another
-- amount than these, or refunded in part where these are all of it. Where the payment is booked less its fee, a refund
-- of it may be booked less that fee too.
-- Reads: taken_txn, taken_unit, txn, unit
-- Makes: match

analyze taken_txn (transaction_rank, match_rank);
analyze taken_unit (entry_rank, match_rank);

create temp table match on commit drop as
with transactions as (
    select
        match_rank,
        string_agg(distinct currency collate "C", ';') as kspay_currency,
        sum(amount) as kspay_amount,
        sum(fee) as fee,
        tolerance_of(max(tolerance_fixed), max(tolerance_percent), sum(amount)) as tolerance,
        min(business_on) as kspay_on,
        bool_or(family = 'unknown') as any_unknown,
        bool_or(family = 'pending') as any_pending,
        bool_and(family in ('paid', 'refunded')) as all_moved,
        sum(amount) filter (where family = 'refunded') as refunded,
        sum(fee) filter (where family = 'refunded') as fee_of_refunded,
        -- What was given back of those that are refunded in part is not known.
        coalesce(sum(amount) filter (where family = 'refunded' and not refunded_in_part(status)), 0) as surely_refunded,
        tolerance_of(
            max(tolerance_fixed), max(tolerance_percent), sum(amount) filter (where family = 'refunded')
        ) as refund_tolerance
    from taken_txn
    inner join txn using (transaction_rank)
    group by match_rank
),

units as (
    select
        match_rank,
        string_agg(distinct currency collate "C", ';') as ledger_currency,
        sum(amount) as ledger_amount,
        min(business_on) as ledger_on,
        bool_or(family = 'unknown') as any_unknown,
        bool_or(family = 'paid') as any_paid,
        sum(refunded) as refunded
    from taken_unit
    inner join unit using (entry_rank)
    group by match_rank
),

disagreeing as (
    select distinct taken_txn.match_rank
    from taken_txn
    inner join txn using (transaction_rank)
    inner join taken_unit using (match_rank)
    inner join unit using (entry_rank)
    where not families_agree(txn.family, unit.family)
),

-- Booked less the fee.
net as (
    select match_rank, transactions.fee_of_refunded
    from transactions
    inner join units using (match_rank)
    where
        kspay_currency = ledger_currency
        and fee_taken(kspay_amount, fee, ledger_amount, tolerance) is not null
)

select
    transactions.match_rank,
    kspay_currency = ledger_currency as same_currency,
    kspay_amount,
    fee,
    ledger_amount,
    tolerance,
    kspay_on,
    ledger_on,
    transactions.any_unknown or units.any_unknown as any_unknown,
    any_pending and not any_paid as waiting,
    units.refunded > 0
    and all_moved
    and case
        when transactions.refunded is null then true
        when kspay_currency <> ledger_currency then false
        when surely_refunded = transactions.refunded
            then amount_apart(transactions.refunded, net.fee_of_refunded, units.refunded) > refund_tolerance
        else
            transactions.refunded - coalesce(net.fee_of_refunded, 0) - units.refunded <= refund_tolerance
            or units.refunded <= surely_refunded
    end as refunds_differ,
    disagreeing.match_rank is not null as families_disagree
from transactions
inner join units using (match_rank)
left join disagreeing using (match_rank)
left join net using (match_rank);

analyze match (match_rank);
