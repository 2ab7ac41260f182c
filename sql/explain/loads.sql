-- Grain: one load: the import, or the run that fetched (only one at a time works on an app, so its time tells), and
-- the run that matched what it brought. Of the withdrawal of an import `file` says so, and there is no import.
select
    loads.load_id,
    loads.side,
    coalesce(imports.file, loads.file) as file,
    loads.loaded_at,
    loads.matched_by,
    loads.import_id,
    run.run_id
from loads
left join imports using (import_id)
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
