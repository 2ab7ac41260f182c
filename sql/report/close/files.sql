-- Grain: one row a file of a closed version.
-- Purpose: The bytes as they were closed; of all versions where none is named.
-- Reads: closed_files
-- Makes: none

select
    month,
    version,
    name,
    bytes
from closed_files
where cast(:month as text) is null or (month = :month and version = :version)
order by month, version, name
