-- Grain: one row a record that a person's `match:` joins (`decision_id`), if it still holds: none of its records has
-- changed since, and no newer decision took one of them.
-- Purpose: What a person joined comes before all rules.
-- Reads: decisions_in_force, known_entry, known_transaction, policy
-- Makes: by_hand

create temp table by_hand on commit drop as
with joined as (
    select
        decision_id,
        record ->> 'side' as side,
        coalesce(known_transaction.number, known_entry.number) as number,
        coalesce(known_transaction.facts, known_entry.facts) as facts,
        record ->> 'facts' as decided_facts
    from decisions_in_force
    inner join policy on decisions_in_force.app_id = any(policy.app_ids)
    cross join lateral jsonb_array_elements(records) as record
    left join known_transaction
        on
            record ->> 'side' = 'kspay' and known_transaction.app_id = decisions_in_force.app_id
            and known_transaction.transaction_id = record ->> 'record_id'
    left join known_entry
        on
            record ->> 'side' = 'ledger' and known_entry.app_id = decisions_in_force.app_id
            and known_entry.source = record ->> 'source' and known_entry.ledger_id = record ->> 'record_id'
    where decision = 'match'
),

unchanged as (
    select *
    from joined
    where decision_id not in (select decision_id from joined where facts is distinct from decided_facts)
)

select
    decision_id,
    side,
    number
from unchanged
where
    decision_id not in (
        select older.decision_id
        from unchanged as older
        inner join unchanged as newer using (side, number)
        where newer.decision_id > older.decision_id
    );

analyze by_hand;
