-- Grain: one row a discrepancy: one aspect of one record, where the record of a match is its lowest
-- transaction. All that is wrong anywhere, of whatever day; which of it a run reports is decided in
-- 82_reported. `due` is false for a pending transaction that the as-of day does not yet call stale.

create temp table found on commit drop as
with free_transactions as (
    select txn.*
    from txn
    where not exists (select from taken_txn where taken_txn.t = txn.t)
),

free_units as (
    select unit.*
    from unit
    where not exists (select from taken_unit where taken_unit.e = unit.e)
),

-- Charged again: an unmatched payment of a reference that has another payment, matched within the
-- duplicate days either way, or unmatched and earlier by no more than those days.
charged_again as (
    select distinct free.t
    from free_transactions as free
    cross join policy
    inner join txn as other on other.app_id = free.app_id and other.ref_key = free.ref_key and other.t <> free.t
    left join taken_txn on taken_txn.t = other.t
    where
        free.family in ('paid', 'refunded') and other.family in ('paid', 'refunded')
        and case
            when taken_txn.t is not null then abs(other.business_on - free.business_on) <= policy.duplicate_days
            else
                (other.created_at, other.t) < (free.created_at, free.t)
                and free.business_on - other.business_on <= policy.duplicate_days
        end
),

-- An entry is known by its own reference and named transaction, a matched one by those of its
-- transactions as well.
entry_key as (
    select e, app_id, kind, key from unit_key
    union
    select taken_unit.e, txn.app_id, 'reference', txn.ref_key
    from taken_unit
    inner join taken_txn using (m)
    inner join txn using (t)
    where txn.ref_key is not null
    union
    select taken_unit.e, txn.app_id, 'transaction_id', txn.transaction_id
    from taken_unit
    inner join taken_txn using (m)
    inner join txn using (t)
),

booked_again as (
    select distinct free.e
    from free_units as free
    cross join policy
    inner join entry_key as own on own.e = free.e
    inner join entry_key as others
        on others.app_id = own.app_id and others.kind = own.kind and others.key = own.key and others.e <> own.e
    inner join unit as other on other.e = others.e
    left join taken_unit on taken_unit.e = other.e
    where
        free.family in ('paid', 'refunded') and other.family in ('paid', 'refunded')
        and case
            when taken_unit.e is not null then abs(other.business_on - free.business_on) <= policy.duplicate_days
            else
                (other.business_on, other.e) < (free.business_on, free.e)
                and free.business_on - other.business_on <= policy.duplicate_days
        end
),

wrong_match as (
    select m, 'amount' as aspect, 'AMOUNT_MISMATCH' as type, true as due
    from match
    where same_currency and abs(kspay_amount - ledger_amount) > tolerance
    union all
    select m, 'amount', 'CURRENCY_MISMATCH', true
    from match
    where not same_currency
    union all
    select m, 'status', case when any_unknown then 'UNKNOWN_STATUS' else 'STATUS_MISMATCH' end, true
    from match
    where any_unknown or families_disagree
    union all
    select m, 'date', 'DATE_MISMATCH', true
    from match
    cross join policy
    where abs(kspay_on - ledger_on) > policy.date_tolerance_days
    union all
    select taken_txn.m, 'presence', 'STALE_PENDING', bool_or(txn.created_at < policy.stale_before)
    from match
    inner join taken_txn using (m)
    inner join txn using (t)
    cross join policy
    where match.waiting and txn.family = 'pending'
    group by taken_txn.m
),

unmatched_transaction as (
    select
        t,
        case when family = 'unknown' then 'status' else 'presence' end as aspect,
        case
            when family = 'unknown' then 'UNKNOWN_STATUS'
            when family = 'pending' then 'STALE_PENDING'
            when t in (select t from charged_again) then 'DUPLICATE_IN_KSPAY'
            when business_on > policy.period_last - policy.grace_days and business_on <= policy.period_last
                then 'TIMING_DIFFERENCE'
            else 'MISSING_IN_LEDGER'
        end as type,
        family <> 'pending' or created_at < policy.stale_before as due
    from free_transactions
    cross join policy
    where family in ('paid', 'refunded', 'pending', 'unknown')
),

unmatched_entry as (
    select
        e,
        case when family = 'unknown' then 'status' else 'presence' end as aspect,
        case
            when family = 'unknown' then 'UNKNOWN_STATUS'
            when e in (select e from booked_again) then 'DUPLICATE_IN_LEDGER'
            when business_on > policy.period_last - policy.grace_days and business_on <= policy.period_last
                then 'TIMING_DIFFERENCE'
            else 'MISSING_IN_KSPAY'
        end as type
    from free_units
    cross join policy
    where family in ('paid', 'refunded', 'unknown')
),

gathered as (
    select
        m,
        m as t,
        null::bigint as e,
        null::bigint as q,
        aspect,
        type,
        due
    from wrong_match
    union all
    select null, t, null, null, aspect, type, due
    from unmatched_transaction
    union all
    select null, null, e, null, aspect, type, true
    from unmatched_entry
    union all
    select null, null, null, min(q), 'validity', 'INVALID_RECORD', true
    from unusable
    group by app_id, side, source, known_by
),

identified as (
    select
        gathered.*,
        coalesce(txn.app_id, unit.app_id, unusable.app_id) as app_id,
        case when gathered.t is not null then 'kspay' when gathered.e is not null then 'ledger' else unusable.side end
            as side,
        case when gathered.t is not null then 'kspay' else coalesce(unit.source, unusable.source) end as source,
        coalesce(txn.transaction_id, unit.ledger_id, unusable.known_by) as record_id,
        case
            when type = 'DUPLICATE_IN_KSPAY' and txn.family = 'refunded' then 'info'
            when type = 'TIMING_DIFFERENCE' then 'info'
            when type = 'DATE_MISMATCH' then 'low'
            when type in ('DUPLICATE_IN_LEDGER', 'STALE_PENDING', 'UNKNOWN_STATUS') then 'medium'
            else 'high'
        end as severity
    from gathered
    left join txn on txn.t = gathered.t
    left join unit on unit.e = gathered.e
    left join unusable on unusable.q = gathered.q
)

select
    row_number() over (order by app_id, side, source, record_id, aspect) as d,
    'D-' || letters(jsonb_build_array(app_id, side, source, record_id, aspect), 20) as discrepancy_id,
    identified.*
from identified;

-- Grain: one row a record of a discrepancy: all of its match, of its booking, or of its quarantine.
create temp table involved on commit drop as
select found.d, member.side, member.number
from found
inner join member using (m)
union all
select found.d, 'kspay', found.t
from found
where found.m is null and found.t is not null
union all
select found.d, 'ledger', unit_entry.e
from found
inner join unit_entry on unit_entry.unit = found.e
where found.m is null
union all
select found.d, 'unusable', unusable.q
from found
inner join unusable
    on
        unusable.app_id = found.app_id and unusable.side = found.side and unusable.source = found.source
        and unusable.known_by = found.record_id
where found.q is not null;

analyze found;
analyze involved;
