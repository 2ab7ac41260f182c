-- Grain: one row a column of a view, in their order.
-- Purpose: What Great Expectations asks about each view before anything else.
-- Reads: none
-- Makes: none

select
    attname,
    format_type(atttypid, null) as type_name
from pg_attribute
where attrelid = cast(:view as regclass) and attnum > 0
order by attnum
