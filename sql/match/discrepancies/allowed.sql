-- Grain: one row a match with a record dated in the period, whose amounts differ and agree all the same.
-- Purpose: What explains the difference: the expected fee that the ledger has taken off, the tolerance, or both.
-- Amounts are those of the match: sums; a booking counts as its positive entry. Where neither a fee nor a tolerance is
-- set, there is no such match, and no table is looked at. Nearly all matches are one and one; only others are summed.
-- A match with a record outside `not_agreeing` is of equal amounts. The others are looked up by arrays of numbers.
-- Reads: bookings, entries, not_agreeing, pairings, policy, tolerance, usable_transaction
-- Makes: allowed_difference, possible_allowance

create temp view possible_allowance as
select
    exists (select from tolerance where fixed > 0 or percent > 0)
    or exists (
        select from policy where tolerance_fixed > 0 or tolerance_percent > 0 or fees is not null
    ) as is_possible;

create temp table allowed_difference on commit drop as
with of_period as (
    select distinct match_no
    from not_agreeing
    where match_no is not null and (select is_possible from possible_allowance)
),

several as (
    select distinct match_no
    from pairings
    where not (stands_for_transaction and stands_for_entry)
),

first_pair as (
    select
        pairings.transaction_no,
        pairings.entry_no,
        pairings.match_no,
        several.match_no is not null as is_of_several
    from pairings
    left join several on several.match_no = pairings.match_no
    where pairings.transaction_no = any(array(select match_no from of_period))
),

several_pair as (
    select distinct pairings.transaction_no, pairings.entry_no, pairings.match_no
    from first_pair
    inner join pairings on pairings.entry_no = first_pair.entry_no
    where
        first_pair.is_of_several
        and pairings.entry_no = any(array(select entry_no from first_pair where is_of_several))
),

several_transaction as (
    select distinct match_no, transaction_no
    from several_pair
),

several_entry as (
    select distinct match_no, entry_no
    from several_pair
),

several_kspay as (
    select
        match_no,
        min(currency) as lowest,
        max(currency) as highest,
        sum(amount) as amount,
        sum(fee) as fee,
        tolerance_of(max(tolerance_fixed), max(tolerance_percent), sum(amount)) as tolerance
    from several_transaction
    inner join usable_transaction on usable_transaction.number = several_transaction.transaction_no
    where usable_transaction.number = any(array(select transaction_no from several_pair))
    group by match_no
),

several_ledger as (
    select
        match_no,
        min(currency) as lowest,
        max(currency) as highest,
        sum(amount) as amount
    from several_entry
    inner join entries on entries.number = several_entry.entry_no
    where
        several_entry.entry_no not in (select entry_no from bookings)
        and entries.number = any(array(select entry_no from several_pair))
    group by match_no
),

compared as (
    select
        first_pair.match_no,
        kspay.currency,
        kspay.amount as kspay_amount,
        kspay.fee,
        tolerance_of(kspay.tolerance_fixed, kspay.tolerance_percent, kspay.amount) as tolerance,
        held.amount as ledger_amount
    from first_pair
    inner join usable_transaction as kspay on kspay.number = first_pair.transaction_no
    inner join entries as held on held.number = first_pair.entry_no
    where
        not first_pair.is_of_several and kspay.amount <> held.amount and kspay.currency = held.currency
        and kspay.number = any(array(select transaction_no from first_pair))
        and held.number = any(array(select entry_no from first_pair))
    union all
    select
        match_no,
        kspay.lowest,
        kspay.amount,
        kspay.fee,
        kspay.tolerance,
        booked.amount
    from several_kspay as kspay
    inner join several_ledger as booked using (match_no)
    where
        kspay.amount <> booked.amount
        and least(kspay.lowest, booked.lowest) = greatest(kspay.highest, booked.highest)
)

select
    match_no,
    currency,
    kspay_amount - ledger_amount as difference,
    fee_taken(kspay_amount, fee, ledger_amount, tolerance) as fee
from compared
where amount_apart(kspay_amount, fee, ledger_amount) <= tolerance;

analyze allowed_difference;
