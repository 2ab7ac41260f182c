-- Grain: one version of an entry, the oldest first; the last row is what it says now (`replaced_in` null).
-- Purpose: `changed_in` is the load that changed it, if that is known.
-- Reads: entries, entry_versions, known_entry
-- Makes: none

select
    number, coalesce(nullif(loaded_in, 0), changed_in) as changed_in, replaced_in, replaced_at, reference, currency,
    amount, status, dated_on, dated_at, transaction_id, provider_order_id, provider_txn_id, description, withdrawn,
    null as family, null::date as business_on
from entry_versions
where app_id = :app_id and source = :source and ledger_id = :record_id
union all
select
    held.number,
    coalesce(nullif(held.loaded_in, 0), held.changed_in),
    null,
    null,
    held.reference,
    held.currency,
    held.amount,
    held.status,
    held.dated_on, held.dated_at, held.transaction_id, held.provider_order_id, held.provider_txn_id,
    held.description, held.withdrawn, known_entry.family, known_entry.business_on
from entries as held
left join known_entry using (number)
where held.app_id = :app_id and held.source = :source and held.ledger_id = :record_id
order by replaced_in nulls last, replaced_at
