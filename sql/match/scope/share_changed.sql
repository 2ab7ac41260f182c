-- Grain: one row: how many records arrived or changed since the apps were matched, and how many there are at most.
-- Purpose: Decides whether all is matched or only the groups that changed.
-- Reads: entries, loads, transactions
-- Makes: none

select
    coalesce(sum(records), 0) as changed,
    (select coalesce(max(number), 0) from transactions) + (select coalesce(max(number), 0) from entries) as known
from loads
where app_id = any(cast(:apps as text[])) and matched_by is null
