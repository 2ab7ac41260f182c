-- Grain: one load: the import, or the run that fetched, and the run that matched what it brought.
select
    loads.load_id,
    loads.side,
    loads.source,
    loads.file,
    loads.loaded_at,
    loads.matched_by,
    import.import_id,
    run.run_id
from loads
left join lateral (
    select import_id
    from imports
    where
        loads.side = 'ledger' and imports.source = loads.source and imports.file = loads.file
        and imports.imported_at >= loads.loaded_at
    order by import_id
    limit 1
) as import on true
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
