-- Grain: one record of the audit trail. Number, time, database user and hashes are set by the table's trigger.
insert into decisions (
    discrepancy_id, app_id, type, facts, decision, records, note, by_name, os_user, file, file_sha256
)
values (
    :discrepancy_id, :app_id, :type, :facts, :decision, cast(:records as jsonb), :note, :by_name, :os_user,
    :file, :file_sha256
)
