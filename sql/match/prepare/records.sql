-- Grain: one row a transaction (`txn`), one an entry (`entry`) that is not simple: what the passes work on.
-- Purpose: `transaction_rank` and `entry_rank` number them in the order of their ids by code points, the last tie-break
-- of a match; `number` is the stored one. The `…_key` columns are the keys that the passes compare, null where a key is
-- carried by too many; `decision_id` is the decision of a person that joins the record. An array of numbers is looked
-- up by index, in their order, however many they are: quicker than any join of so few records with whole tables.
-- Reads: by_hand, crowded_keys, left_entry, left_transaction, scope_entry, scope_transaction
-- Makes: entry, txn

create temp table txn on commit drop as
select
    row_number() over (order by held.app_id collate "C", held.transaction_id collate "C") as transaction_rank,
    held.*,
    case when reference_crowd.key is null then held.reference end as ref_key,
    case when comparable_crowd.key is null then held.comparable end as comparable_key,
    case when order_crowd.key is null then held.provider_order_id end as order_key,
    case when txn_crowd.key is null then held.provider_txn_id end as txn_key,
    by_hand.decision_id
from scope_transaction as held
left join by_hand on by_hand.side = 'kspay' and by_hand.number = held.number
left join crowded_keys as reference_crowd
    on
        reference_crowd.app_id = held.app_id and reference_crowd.kind = 'reference'
        and reference_crowd.key = held.reference
left join crowded_keys as comparable_crowd
    on
        comparable_crowd.app_id = held.app_id and comparable_crowd.kind = 'comparable'
        and comparable_crowd.key = held.comparable
left join crowded_keys as order_crowd
    on
        order_crowd.app_id = held.app_id and order_crowd.kind = 'provider_order_id'
        and order_crowd.key = held.provider_order_id
left join crowded_keys as txn_crowd
    on
        txn_crowd.app_id = held.app_id and txn_crowd.kind = 'provider_txn_id'
        and txn_crowd.key = held.provider_txn_id
where held.number = any(array(select number from left_transaction));

create temp table entry on commit drop as
select
    row_number() over (
        order by held.app_id collate "C", held.source collate "C", held.ledger_id collate "C"
    ) as entry_rank,
    held.*,
    case when reference_crowd.key is null then held.reference end as ref_key,
    case when comparable_crowd.key is null then held.comparable end as comparable_key,
    case when name_crowd.key is null then held.transaction_id end as tx_key,
    case when order_crowd.key is null then held.provider_order_id end as order_key,
    case when txn_crowd.key is null then held.provider_txn_id end as txn_key,
    by_hand.decision_id
from scope_entry as held
left join by_hand on by_hand.side = 'ledger' and by_hand.number = held.number
left join crowded_keys as reference_crowd
    on
        reference_crowd.app_id = held.app_id and reference_crowd.kind = 'reference'
        and reference_crowd.key = held.reference
left join crowded_keys as comparable_crowd
    on
        comparable_crowd.app_id = held.app_id and comparable_crowd.kind = 'comparable'
        and comparable_crowd.key = held.comparable
left join crowded_keys as name_crowd
    on
        name_crowd.app_id = held.app_id and name_crowd.kind = 'transaction_id'
        and name_crowd.key = held.transaction_id
left join crowded_keys as order_crowd
    on
        order_crowd.app_id = held.app_id and order_crowd.kind = 'provider_order_id'
        and order_crowd.key = held.provider_order_id
left join crowded_keys as txn_crowd
    on
        txn_crowd.app_id = held.app_id and txn_crowd.kind = 'provider_txn_id'
        and txn_crowd.key = held.provider_txn_id
where held.number = any(array(select number from left_entry));

create unique index on txn (transaction_rank);
create unique index on entry (entry_rank);

-- Only what the passes compare: looking at every column takes as long as making the tables.
analyze txn (transaction_rank, number, app_id, transaction_id, ref_key, comparable_key, order_key, txn_key, family);
analyze entry (entry_rank, number, app_id, tx_key, ref_key, comparable_key, order_key, txn_key, family);
