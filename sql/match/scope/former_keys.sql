-- Grain: one row a key.
-- Purpose: The keys that changed records had before, and the keys that count again.
-- Reads: crowded_keys, entry_versions, fresh_key, fresh_load, policy, side_key, transaction_versions
-- Makes: crowded_keys, fresh_key, thinner_key

-- A changed record belonged to the group of its former keys.
insert into fresh_key
select distinct app_id, kind, key
from (
    select app_id, reference, comparable, provider_order_id, provider_txn_id, null as transaction_id
    from transaction_versions
    where replaced_in = any(array(select load_id from fresh_load where side = 'kspay'))
    union all
    select app_id, reference, comparable, provider_order_id, provider_txn_id, transaction_id
    from entry_versions
    where replaced_in = any(array(select load_id from fresh_load where side = 'ledger'))
) as former
cross join
    lateral (
        values
        ('reference', reference),
        ('comparable', comparable),
        ('transaction_id', transaction_id),
        ('provider_order_id', provider_order_id),
        ('provider_txn_id', provider_txn_id)
    ) as carried (kind, key)
where key is not null;

-- A key that was none becomes one again when it has lost enough of its records.
create temp table thinner_key on commit drop as
select app_id, kind, key
from crowded_keys
inner join fresh_key using (app_id, kind, key);

analyze thinner_key;

delete from crowded_keys as crowded using thinner_key
where
    crowded.app_id = thinner_key.app_id and crowded.kind = thinner_key.kind and crowded.key = thinner_key.key
    and not exists (
        select from (
            select app_id, kind, key
            from side_key
            inner join thinner_key using (app_id, kind, key)
            group by side, app_id, kind, key
            having count(*) > (select most_records_of_a_key from policy)
        ) as still
        where still.app_id = crowded.app_id and still.kind = crowded.kind and still.key = crowded.key
    );

analyze frontier;
