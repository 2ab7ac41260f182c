-- Grain: one row a decision, note or assignment.
-- Purpose: Adds to the audit trail. The table's trigger sets number, time, database user and hashes.
-- Reads: none
-- Makes: decisions

insert into decisions (
    discrepancy_id, app_id, type, facts, decision, records, note, by_name, os_user, file, file_sha256,
    assignee, due, proposed, confirms
)
values (
    :discrepancy_id, :app_id, :type, :facts, :decision, cast(:records as jsonb), :note, :by_name, :os_user,
    :file, :file_sha256, :assignee, :due, :proposed, :confirms
)
