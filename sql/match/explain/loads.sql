-- Grain: one load: the import, or the run that fetched (found by its time, since only one run at a time works on an
-- app), and the run that matched what it loaded.
-- Purpose: Says where a version of a record is from. `undone_import` is the import that a withdrawal undid.
-- Reads: imports, loads, runs
-- Makes: none

select
    loads.load_id,
    loads.side,
    coalesce(imports.file, loads.file) as file,
    loads.loaded_at,
    loads.matched_by,
    loads.import_id,
    imports.snapshot,
    undone.import_id as undone_import,
    undone.file as undone_file,
    run.run_id
from loads
left join imports using (import_id)
left join imports as undone
    on loads.import_id is null and loads.file = 'the withdrawal of import ' || undone.import_id
left join lateral (
    select run_id
    from runs
    where
        loads.side = 'kspay' and loads.app_id = any(runs.apps) and runs.started_at <= loads.loaded_at
        and coalesce(runs.finished_at, 'infinity') >= loads.loaded_at
    order by number desc
    limit 1
) as run on true
where loads.load_id = any(:load_ids)
