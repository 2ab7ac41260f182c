-- Grain: one row a finding: one aspect of one match or unmatched record that is wrong, or will be on some
-- as-of day. It stands at the match's lowest transaction. What a run reports of it, and as what type, follows
-- in discrepancies/found.

create temp table finding on commit drop as
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
    select e, app_id, kind, key from unit_key where kind in ('transaction_id', 'reference')
    union all
    select taken_unit.e, txn.app_id, 'reference', txn.ref_key
    from taken_unit
    inner join taken_txn using (m)
    inner join txn using (t)
    where txn.ref_key is not null
    union all
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
    select
        m,
        'amount' as aspect,
        'AMOUNT_MISMATCH' as kind,
        null::timestamptz as pending_since
    from match
    where same_currency and abs(kspay_amount - ledger_amount) > tolerance
    union all
    select m, 'amount', 'CURRENCY_MISMATCH', null
    from match
    where not same_currency
    union all
    select m, 'status', case when any_unknown then 'UNKNOWN_STATUS' else 'STATUS_MISMATCH' end, null
    from match
    where any_unknown or families_disagree
    union all
    select m, 'date', 'DATE_MISMATCH', null
    from match
    cross join policy
    where abs(kspay_on - ledger_on) > policy.date_tolerance_days
    union all
    select taken_txn.m, 'presence', 'STALE_PENDING', min(txn.created_at)
    from match
    inner join taken_txn using (m)
    inner join txn using (t)
    where match.waiting and txn.family = 'pending'
    group by taken_txn.m
)

select
    txn.app_id,
    'kspay' as side,
    txn.number,
    wrong_match.aspect,
    wrong_match.kind,
    txn.number as m,
    wrong_match.pending_since
from wrong_match
inner join txn on txn.t = wrong_match.m
union all
select
    app_id,
    'kspay',
    number,
    case when family = 'unknown' then 'status' else 'presence' end,
    case
        when family = 'unknown' then 'UNKNOWN_STATUS'
        when family = 'pending' then 'STALE_PENDING'
        when t in (select t from charged_again) then 'DUPLICATE_IN_KSPAY'
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
        when e in (select e from booked_again) then 'DUPLICATE_IN_LEDGER'
        else 'MISSING_IN_KSPAY'
    end,
    null,
    null
from free_units
where family in ('paid', 'refunded', 'unknown');
