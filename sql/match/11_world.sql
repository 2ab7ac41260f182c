-- Grain: one row a transaction (`txn`), one an entry (`entry`), all that is known and usable, and one
-- a quarantined record (`unusable`). The one place where a status gets its family and a record its
-- business date. Reads `policy` (one row: the settings that matching depends on), `status_family` and
-- `tolerance`, which match.py fills. `t` and `e` number the records in the order of their ids by code
-- points: the last tie-breaks of a match. `ref_key` and `tx_key` are the keys that passes compare.

create temp table txn on commit drop as
select
    row_number() over (order by held.app_id collate "C", held.transaction_id collate "C") as t,
    held.*,
    case when crowded_key.key is null then held.reference end as ref_key,
    coalesce(status_family.family, 'unknown') as family,
    (held.created_at at time zone policy.timezone)::date as business_on,
    coalesce(tolerance.fixed, policy.tolerance_fixed) as tolerance_fixed,
    coalesce(tolerance.percent, policy.tolerance_percent) as tolerance_percent
from transactions as held
cross join policy
left join status_family on status_family.side = 'kspay' and status_family.status = lower(btrim(held.status))
left join tolerance on tolerance.currency = held.currency
left join crowded_key
    on crowded_key.app_id = held.app_id and crowded_key.kind = 'reference' and crowded_key.key = held.reference
where
    held.app_id = any(policy.app_ids)
    and not exists (
        select from quarantine
        where
            quarantine.app_id = held.app_id and quarantine.side = 'kspay'
            and quarantine.record_id = held.transaction_id
    );

create temp table entry on commit drop as
select
    row_number() over (
        order by held.app_id collate "C", held.source collate "C", held.ledger_id collate "C"
    ) as e,
    held.*,
    case when crowded_reference.key is null then held.reference end as ref_key,
    case when crowded_name.key is null then held.transaction_id end as tx_key,
    coalesce(status_family.family, 'unknown') as family,
    coalesce(held.dated_on, (held.dated_at at time zone policy.timezone)::date) as business_on
from entries as held
cross join policy
left join status_family on status_family.side = 'ledger' and status_family.status = lower(btrim(held.status))
left join crowded_key as crowded_reference
    on
        crowded_reference.app_id = held.app_id and crowded_reference.kind = 'reference'
        and crowded_reference.key = held.reference
left join crowded_key as crowded_name
    on
        crowded_name.app_id = held.app_id and crowded_name.kind = 'transaction_id'
        and crowded_name.key = held.transaction_id
where
    held.app_id = any(policy.app_ids)
    and not exists (
        select from quarantine
        where
            quarantine.app_id = held.app_id and quarantine.side = 'ledger'
            and quarantine.source = held.source and quarantine.record_id = held.ledger_id
    );

create temp table unusable on commit drop as
select
    row_number() over (
        order by
            held.app_id collate "C", held.side, held.source collate "C", held.record_id collate "C", held.content
    ) as q,
    held.*,
    coalesce(held.record_id, held.content) as known_by,
    coalesce(held.dated_on, (held.dated_at at time zone policy.timezone)::date) as business_on
from quarantine as held
cross join policy
where held.app_id = any(policy.app_ids);

create unique index on txn (t);
create unique index on entry (e);

analyze txn;
analyze entry;
