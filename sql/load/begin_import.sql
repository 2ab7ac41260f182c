-- Grain: one row, the import.
-- Purpose: Names the file of an import, the time zone that cuts its days, and the one that a snapshot was made in (null
-- if it is none).
-- Reads: none
-- Makes: this_import

insert into this_import (sha256, snapshot_timezone, timezone)
values (:sha256, :snapshot_timezone, :timezone)
