-- Grain: one row, the import.
-- Purpose: Notes how many records an import read, took in and changed, once all of it is done.
-- Reads: this_import
-- Makes: imports

update imports set
    records = :records,
    entries = :usable,
    repeats = :repeats,
    quarantined = :quarantined,
    added = :added,
    changed = :changed,
    withdrawn = :withdrawn,
    allowed = :allowed,
    passed_over = :passed_over
from this_import
where this_import.is_new and imports.import_id = this_import.import_id
