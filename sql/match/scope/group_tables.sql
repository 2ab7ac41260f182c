-- Grain: each table: one row a record, key or load.
-- Purpose: Only the groups of what arrived or changed are matched again. `scope_transaction_no` and `scope_entry_no`
-- become the numbers of their records: first what changed itself (changed_records), then, round after round, what
-- shares a key with it (spread).
-- Reads: loads, pairings, policy
-- Makes: fresh_key, fresh_load, frontier, joined_before, joined_pairing, key_record, scope_entry_no,
-- scope_transaction_no, seen_key

create temp table scope_transaction_no (number bigint primary key) on commit drop;

create temp table scope_entry_no (number bigint primary key) on commit drop;

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

-- Only those of the apps that are matched: what stands in another app is not worked out again.
create temp view joined_pairing as
select
    pairings.transaction_no,
    pairings.entry_no,
    pairings.rule
from pairings
inner join policy on pairings.app_id = any(policy.app_ids)
where pairings.rule in ('manual', 'amount_date');

create temp table joined_before on commit drop as
select 'kspay' as side, transaction_no as number
from joined_pairing
where rule = 'manual'
union
select 'ledger', entry_no
from joined_pairing
where rule = 'manual';

analyze fresh_load;
