-- Only the groups of what arrived or changed are matched anew. `scope_t` and `scope_e` become the numbers of
-- their records: here what changed itself, then in 31_spread, round after round, what shares a key with it.

create temp table scope_t (number bigint primary key) on commit drop;

create temp table scope_e (number bigint primary key) on commit drop;

create temp table frontier (side text not null, number bigint not null) on commit drop;

create temp table seen_key (
    app_id text not null,
    kind text not null,
    key text not null,
    primary key (app_id, kind, key)
) on commit drop;

create temp table fresh_key (like seen_key including indexes) on commit drop;

create temp table key_record (like seen_key, side text not null, number bigint not null) on commit drop;

create temp table fresh_load on commit drop as
select load_id, side
from loads
inner join policy on loads.app_id = any(policy.app_ids)
where matched_by is null and records > 0;

create temp table joined_before on commit drop as
select 'kspay' as side, t as number
from pairings
where rule = 'manual'
union
select 'ledger', e
from pairings
where rule = 'manual';

analyze fresh_load;

-- What arrived is few, and nothing that the planner has seen of these columns tells it so.
set local enable_seqscan = off;

insert into frontier
select 'kspay', number
from transactions
where changed_in = any(array(select load_id from fresh_load where side = 'kspay'))
union
select 'ledger', number
from entries
where changed_in = any(array(select load_id from fresh_load where side = 'ledger'))
union
-- What a person joined since, or what no longer stands.
select by_hand.side, by_hand.number
from by_hand
left join joined_before using (side, number)
where joined_before.number is null
union
select joined_before.side, joined_before.number
from joined_before
left join by_hand using (side, number)
where by_hand.number is null
union
-- Suggestions that are accepted are made anew each run, from all that is unmatched.
select findings.side, findings.number
from findings
cross join policy
where findings.app_id = any(policy.app_ids) and findings.aspect = 'presence' and policy.accept_suggestions
union
select 'kspay', pairings.t
from pairings
where pairings.rule = 'amount_date'
union
select 'ledger', pairings.e
from pairings
where pairings.rule = 'amount_date';

set local enable_seqscan = on;

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
cross join lateral (
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
            inner join thinner_key as thin using (app_id, kind, key)
            group by side, app_id, kind, key
            having count(*) > 500
        ) as still
        where still.app_id = crowded.app_id and still.kind = crowded.kind and still.key = crowded.key
    );

analyze frontier;
