-- Grain: one row: what of the run's discrepancies is new, cleared (their ids), and open above info.
-- Purpose: The counts of run.json.
-- Reads: cleared, news, reported
-- Makes: none

select
    (select count(*) from news) as new,
    (select coalesce(array_agg(discrepancy_id order by discrepancy_id collate "C"), '{}') from cleared) as cleared,
    (select count(*) from reported where severity <> 'info' and status <> 'resolved') as open_above_info
