-- Grain: one row a record that a person joined.
-- Purpose: What a person joined comes before all rules. It holds until one of its records changes.
-- Reads: entry, txn, unit, unit_entry
-- Makes: taken_txn, taken_unit

insert into taken_txn
select transaction_rank, min(transaction_rank) over (partition by decision_id), 'manual'
from txn
where decision_id is not null;

insert into taken_unit
with joined as (
    select
        decision_id,
        min(transaction_rank) as match_rank
    from txn
    where decision_id is not null
    group by decision_id
)

select distinct on (unit.entry_rank) unit.entry_rank, joined.match_rank, 'manual'
from unit
inner join unit_entry on unit_entry.unit_rank = unit.entry_rank
inner join entry on entry.entry_rank = unit_entry.entry_rank
inner join joined on joined.decision_id = entry.decision_id;
