-- Grain: one row a version of a closed month, in the order in which they were closed.
-- Purpose: What was closed, with the texts that its hash is made of.
-- Reads: closes
-- Makes: none

select
    close_id,
    month,
    version,
    content,
    content::text as written,
    by_name,
    os_user,
    db_user,
    closed_at,
    previous_hash,
    hash
from closes
order by close_id
