-- Grain: one row a decision or note, in their order, with the texts that its hash is made of.
-- Purpose: Lets the hashes be worked out again in Python.
-- Reads: decisions
-- Makes: none

select
    decision_id, discrepancy_id, app_id, type, facts, decision, records::text as records, note, by_name, os_user,
    db_user, decided_at, file, file_sha256, assignee, due, proposed, confirms, previous_hash, hash
from decisions
order by decision_id
