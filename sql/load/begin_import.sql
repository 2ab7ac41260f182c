-- Grain: one row, the import.
-- Purpose: States the file of an import; its days are cut in `timezone`, and those of a snapshot in its own.
-- Reads: none
-- Makes: this_import

insert into this_import (sha256, snapshot_timezone, timezone)
values (:sha256, :snapshot_timezone, :timezone)
