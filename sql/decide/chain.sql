-- Grain: one record of the audit trail, in order, with the very texts that its hash is made of.
select
    decision_id, discrepancy_id, app_id, type, facts, decision, records::text as records, note, by_name, os_user,
    db_user, decided_at, file, file_sha256, previous_hash, hash
from decisions
order by decision_id
