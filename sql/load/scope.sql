-- Grain: one row an app and file of an import, or an app and range of days of a fetch.
-- Purpose: Says what was read, so that what it no longer holds can leave the quarantine.
-- Reads: none
-- Makes: staged_scope

insert into staged_scope (app_id, side, source, file, fetched_first, fetched_last)
values (:app_id, :side, :source, :file, :first, :last)
