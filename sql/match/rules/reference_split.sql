-- Grain: one row a key and currency: the one record that all that is left on the other side adds up to.
-- Purpose: All that is left of a group on one side adds up, within the tolerance, to one record on the other side. Many
-- entries to one transaction (`way` 1) come before many transactions to one entry (`way` 2). Where several records fit
-- the sum, the usual order decides. pairing/take_splits decides which splits win.
-- Reads: split_txn, split_txn_sum, split_unit, split_unit_sum
-- Makes: possible_split

create or replace temp view possible_split as
with fitting as (
    select
        step,
        app_id,
        key,
        currency,
        1 as way,
        transaction_rank as one,
        exists(
            select from unnest(units.families) as entry_family where not families_agree(split_txn.family, entry_family)
        ) as family_disagrees,
        amount_apart(split_txn.amount, split_txn.fee, units.amount) as amount_apart,
        abs(split_txn.business_on - units.first_on) as days_apart
    from split_txn
    inner join split_unit_sum as units using (step, app_id, key, currency)
    where
        units.records > 1
        and amount_apart(split_txn.amount, split_txn.fee, units.amount)
        <= tolerance_of(tolerance_fixed, tolerance_percent, split_txn.amount)
    union all
    select
        step,
        app_id,
        key,
        currency,
        2,
        entry_rank,
        exists(
            select from unnest(txns.families) as kspay_family where not families_agree(kspay_family, split_unit.family)
        ),
        amount_apart(txns.amount, txns.fee, split_unit.amount),
        abs(txns.first_on - split_unit.business_on)
    from split_unit
    inner join split_txn_sum as txns using (step, app_id, key, currency)
    where txns.records > 1 and amount_apart(txns.amount, txns.fee, split_unit.amount) <= txns.tolerance
)

select distinct on (step, app_id, key, currency)
    step,
    app_id,
    key,
    currency,
    way,
    one
from fitting
order by step, app_id, key, currency, way, family_disagrees, amount_apart, days_apart, one;
