-- Grain: one row a version of a closed month.
-- Purpose: Adds to the audit trail. The table's trigger sets number, time, database user and hashes.
-- Reads: none
-- Makes: closes

insert into closes (month, version, content, by_name, os_user)
values (:month, :version, cast(:content as jsonb), :by_name, :os_user)
