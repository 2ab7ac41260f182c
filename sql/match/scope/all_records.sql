-- Grain: `scope_…`: one row a record, pairing, finding or booking of the apps.
-- Purpose: All records are matched again: the first time, after settings changed, and where most records are new.
-- `scope_transaction` and `scope_entry` are the records to match. A key that too many records of one side carry does
-- not count. There are few such keys, so records are first counted by a hash of the key, about 32 keys of each
-- side and kind together, and exactly only where such a bucket holds enough of them.
-- Reads: bookings, crowded_keys, entries, findings, pairings, policy, side_key, transactions, usable_entry,
-- usable_transaction
-- Makes: crowded_keys, full_bucket, scope_booking, scope_entry, scope_finding, scope_pairing, scope_transaction

create temp view scope_transaction as select * from usable_transaction;

create temp view scope_entry as select * from usable_entry;

delete from crowded_keys using policy
where crowded_keys.app_id = any(policy.app_ids);

create temp table full_bucket on commit drop as
with mask as (
    select
        (1 << greatest(10, ceil(log(2, greatest(max(number), 1) / 32.0))::integer)) - 1 as bits
    from (
        select max(number) as number from transactions
        union all
        select max(number) from entries
    ) as counted
)

select
    hashtext(key) & (select bits from mask) as bucket,
    (select bits from mask) as bits
from side_key
where key is not null and kind <> 'reference'
group by bucket
having count(*) > (select most_records_of_a_key from policy);

analyze full_bucket;

insert into crowded_keys
select
    app_id,
    kind,
    key
from side_key
inner join policy on side_key.app_id = any(policy.app_ids)
where
    key is not null and kind <> 'reference'
    and hashtext(key) & (select min(bits) from full_bucket) in (select bucket from full_bucket)
group by side, app_id, kind, key
having count(*) > (select most_records_of_a_key from policy)
on conflict do nothing;

insert into crowded_keys
select
    app_id,
    'reference',
    reference
from (
    select 'kspay' as side, app_id, comparable, reference from transactions
    union all
    select 'ledger', app_id, comparable, reference from entries where not withdrawn
) as carried
where (app_id, comparable) in (select app_id, key from crowded_keys where kind = 'comparable')
group by side, app_id, reference
having count(*) > (select most_records_of_a_key from policy)
on conflict do nothing;

create temp view scope_pairing as
select *
from pairings
where app_id = any((select app_ids from policy)::text[]);

create temp view scope_finding as
select *
from findings
where app_id = any((select app_ids from policy)::text[]);

create temp view scope_booking as
select *
from bookings
where app_id = any((select app_ids from policy)::text[]);
