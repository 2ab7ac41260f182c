-- Grain: one row an app of what is loaded.
-- Purpose: Gives a load its number for each app: what it changes will carry the number.
-- Reads: staged_scope
-- Makes: loads, this_load

with numbered as (
    insert into loads (app_id, side, source, file)
    select distinct app_id, side, source, file
    from staged_scope
    returning app_id, load_id
)

insert into this_load (app_id, load_id)
select app_id, load_id
from numbered
