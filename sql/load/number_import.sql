-- Grain: one row, the import.
-- Purpose: Gives an import its number. If the same file is imported again and changes nothing, that is the earlier
-- import, whatever its name. If a later import touched one of its entries, it is an import of its own.
-- Reads: compared, imports, loaded, loads, staged_scope, this_import, this_load
-- Makes: imports, loads, this_import

update this_import set
    import_id = same.import_id,
    is_new = false
from (
    select imports.import_id
    from imports
    inner join this_import as this on this.sha256 = imports.sha256
    where
        imports.source = (select min(source) from staged_scope)
        and imports.withdrawn_at is null
        and (select added + changed + withdrawn = 0 from loaded)
        and (
            (select max(held_since) from compared)
            > (select max(load_id) from loads where loads.import_id = imports.import_id)
        ) is not true
    order by imports.import_id desc
    limit 1
) as same;

with scope as (
    -- One row an app, each with the same source and file.
    select source, file
    from staged_scope
    order by app_id
    limit 1
),

made as (
    insert into imports (source, file, sha256, records, entries, repeats, quarantined, added, changed, snapshot)
    select scope.source, scope.file, sha256, 0, 0, 0, 0, 0, 0, snapshot_timezone is not null
    from this_import
    cross join scope
    where import_id is null
    returning import_id
)

update this_import set import_id = made.import_id, is_new = true
from made;

update loads set
    import_id = this_import.import_id,
    confirmed = coalesce(
        (
            select range_agg(int8range(held_number, held_number + 1))
            from compared
            where compared.load_id = loads.load_id and not (moved or reworded)
        ),
        '{}'
    )
from this_import
cross join this_load
where this_import.is_new and this_load.load_id = loads.load_id;
