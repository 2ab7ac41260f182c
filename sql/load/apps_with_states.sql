-- Grain: one row an app.
-- Purpose: Every app that a run or a load ever was about.
-- Reads: loads, runs
-- Makes: none

select app_id from loads
union
select unnest(apps) from runs
