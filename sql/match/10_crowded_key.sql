-- Grain: one row a key that is none. A reference or a named transaction that more than 500 records of
-- one side carry (N/A, CASH) says nothing about which records belong together: no pass compares it,
-- and run.json warns of it.

create temp table crowded_key on commit drop as
with carried as (
    select app_id, 'reference' as kind, reference as key, count(*) as records
    from transactions
    where reference is not null
    group by app_id, reference
    union all
    select app_id, 'reference', reference, count(*)
    from entries
    where reference is not null
    group by app_id, reference
    union all
    select app_id, 'transaction_id', transaction_id, count(*)
    from entries
    where transaction_id is not null
    group by app_id, transaction_id
)

select
    carried.app_id,
    kind,
    key,
    max(records) as records
from carried
inner join policy on carried.app_id = any(policy.app_ids)
where records > 500
group by carried.app_id, kind, key;
