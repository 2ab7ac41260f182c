-- Grain: one row.
-- Purpose: The first and the last business day that has a record of these apps.
-- Reads: entries, transactions
-- Makes: none

with dated as (
    select business_date(created_at, :zone) as day
    from transactions
    where app_id = any(cast(:apps as text[]))
    union all
    select coalesce(dated_on, business_date(dated_at, :zone))
    from entries
    where app_id = any(cast(:apps as text[])) and not withdrawn
)

select
    min(day) as first_day,
    max(day) as last_day
from dated
