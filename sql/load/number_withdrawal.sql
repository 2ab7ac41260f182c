-- Grain: one row an app of the import.
-- Purpose: Gives the withdrawal of an import a load of its own for each app.
-- Reads: loads
-- Makes: loads, this_load

with numbered as (
    insert into loads (app_id, side, source, file)
    select app_id, side, source, cast(:file as text)
    from loads
    where import_id = :import_id
    returning app_id, load_id
)

insert into this_load (app_id, load_id)
select app_id, load_id
from numbered
