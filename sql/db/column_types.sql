-- Grain: one row a column of a table.
-- Purpose: The types of the columns, which COPY in binary form must know.
-- Reads: none
-- Makes: none

select
    cast(attname as text) as name,
    format_type(atttypid, null) as type
from pg_attribute
where attrelid = cast(:table as regclass) and attnum > 0 and not attisdropped
