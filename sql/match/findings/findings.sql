-- Grain: one row a finding: one aspect of one match or unmatched record that is wrong, or will be on some as-of day.
-- Purpose: A finding is kept at the match's lowest transaction. discrepancies/found decides what a run reports of it,
-- and as which type.
-- Reads: entry, match, policy, taken_txn, taken_unit, txn, unit, unit_entry, unit_key
-- Makes: finding

create temp table finding on commit drop as
with free_transactions as (
    select txn.*
    from txn
    where not exists (select from taken_txn where taken_txn.transaction_rank = txn.transaction_rank)
),

free_units as (
    select unit.*
    from unit
    where not exists (select from taken_unit where taken_unit.entry_rank = unit.entry_rank)
),

-- Charged again: an unmatched payment of a reference that has another payment of its amount and currency, matched
-- within the duplicate days either way, or unmatched and earlier by no more than those days.
charged_again as (
    select distinct free.transaction_rank
    from free_transactions as free
    cross join policy
    inner join
        txn as other
        on other.app_id = free.app_id
            and other.ref_key = free.ref_key
            and other.transaction_rank <> free.transaction_rank
            and other.currency = free.currency
            and abs(other.amount - free.amount)
            <= tolerance_of(free.tolerance_fixed, free.tolerance_percent, free.amount)
    left join taken_txn on taken_txn.transaction_rank = other.transaction_rank
    where
        free.family in ('paid', 'refunded') and other.family in ('paid', 'refunded')
        and case
            when
                taken_txn.transaction_rank is not null
                then abs(other.business_on - free.business_on) <= policy.duplicate_days
            else
                (other.created_at, other.transaction_rank) < (free.created_at, free.transaction_rank)
                and free.business_on - other.business_on <= policy.duplicate_days
        end
),

-- An entry is known by its own reference and named transaction, a matched one by those of its
-- transactions as well. One of a booking is known by the keys of all its entries, and has its own amount and date: so a
-- second refund repeats the first.
entry_key as (
    select entry_rank, app_id, kind, key from unit_key where kind in ('transaction_id', 'reference')
    union all
    select taken_unit.entry_rank, txn.app_id, 'reference', txn.ref_key
    from taken_unit
    inner join taken_txn using (match_rank)
    inner join txn using (transaction_rank)
    where txn.ref_key is not null
    union all
    select taken_unit.entry_rank, txn.app_id, 'transaction_id', txn.transaction_id
    from taken_unit
    inner join taken_txn using (match_rank)
    inner join txn using (transaction_rank)
),

-- Found by their keys first, and only then compared: the planner would begin with the currency alone, all with all.
sharing as materialized (
    select
        own.entry_rank,
        others.entry_rank as other_unit_rank,
        other.entry_rank as other_rank,
        other.currency,
        other.amount,
        other.business_on
    from free_units as free
    inner join entry_key as own on own.entry_rank = free.entry_rank
    inner join entry_key as others
        on others.app_id = own.app_id
            and others.kind = own.kind
            and others.key = own.key
            and others.entry_rank <> own.entry_rank
    inner join unit_entry on unit_entry.unit_rank = others.entry_rank
    inner join entry as other on other.entry_rank = unit_entry.entry_rank
    where free.family in ('paid', 'refunded') and other.family in ('paid', 'refunded')
),

booked_again as (
    select distinct free.entry_rank
    from sharing as other
    cross join policy
    inner join free_units as free
        on free.entry_rank = other.entry_rank
            and free.currency = other.currency
            and (free.amount < 0) = (other.amount < 0)
            and abs(other.amount - free.amount)
            <= tolerance_of(free.tolerance_fixed, free.tolerance_percent, abs(free.amount))
    left join taken_unit on taken_unit.entry_rank = other.other_unit_rank
    where
        case
            when
                taken_unit.entry_rank is not null
                then abs(other.business_on - free.business_on) <= policy.duplicate_days
            else
                (other.business_on, other.other_rank) < (free.business_on, free.entry_rank)
                and free.business_on - other.business_on <= policy.duplicate_days
        end
),

wrong_match as (
    select
        match_rank,
        'amount' as aspect,
        'AMOUNT_MISMATCH' as kind,
        null::timestamptz as pending_since
    from match
    where same_currency and amount_apart(kspay_amount, fee, ledger_amount) > tolerance
    union all
    select match_rank, 'amount', 'CURRENCY_MISMATCH', null
    from match
    where not same_currency
    union all
    select
        match_rank,
        'status',
        case
            when any_unknown then 'UNKNOWN_STATUS'
            when refunds_differ then 'REFUND_MISMATCH'
            else 'STATUS_MISMATCH'
        end,
        null
    from match
    where any_unknown or refunds_differ or families_disagree
    union all
    select match_rank, 'date', 'DATE_MISMATCH', null
    from match
    cross join policy
    where abs(kspay_on - ledger_on) > policy.date_tolerance_days
    union all
    select taken_txn.match_rank, 'presence', 'STALE_PENDING', min(txn.created_at)
    from match
    inner join taken_txn using (match_rank)
    inner join txn using (transaction_rank)
    where match.waiting and txn.family = 'pending'
    group by taken_txn.match_rank
)

select
    txn.app_id,
    'kspay' as side,
    txn.number,
    wrong_match.aspect,
    wrong_match.kind,
    txn.number as match_no,
    wrong_match.pending_since
from wrong_match
inner join txn on txn.transaction_rank = wrong_match.match_rank
union all
select
    app_id,
    'kspay',
    number,
    case when family = 'unknown' then 'status' else 'presence' end,
    case
        when family = 'unknown' then 'UNKNOWN_STATUS'
        when family = 'pending' then 'STALE_PENDING'
        when transaction_rank in (select transaction_rank from charged_again) then 'DUPLICATE_IN_KSPAY'
        else 'MISSING_IN_LEDGER'
    end,
    null,
    case when family = 'pending' then created_at end
from free_transactions
where family in ('paid', 'refunded', 'pending', 'unknown')
union all
select
    app_id,
    'ledger',
    number,
    case when family = 'unknown' then 'status' else 'presence' end,
    case
        when family = 'unknown' then 'UNKNOWN_STATUS'
        when entry_rank in (select entry_rank from booked_again) then 'DUPLICATE_IN_LEDGER'
        else 'MISSING_IN_KSPAY'
    end,
    null,
    null
from free_units
where money_moved(family);
