"""No statement of matching or of the report goes through a whole table, or a whole index, once per row.

What counts is what Postgres read, not how long it took: the rows and index entries that scans gave, by table and by
index, within the transaction of the run, of records that the loader took in.
"""

from datetime import date
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.load import staging_tables
from reconcile.match.engine import match
from reconcile.report.csv_files import write_tables
from reconcile.settings import Settings
from tests.support.arrivals import record_run

APP = "ap_1"
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
RECORDS = 20_000  # a side: more than a load takes for few
TIMES = 60
"""So often a run may read a table or an index; measured: 17 times."""

READ = """
select c.oid::regclass::text as relation, pg_stat_get_xact_tuples_returned(c.oid) as tuples
from pg_class as c
where c.relkind in ('r', 'i') and c.relnamespace = 'reconcile'::regnamespace
order by tuples desc
"""


TRANSACTIONS = """
insert into staged_transactions (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at, file, row_number
)
select
    :app, 'tx_' || i, 'R' || r, 'r' || r, 'INR', 100, 'success', at, at, '', 1
from (
    select
        i,
        case i % 100 when 32 then i - 31 else i end as r,  -- of the same day
        timestamptz '2026-08-01 06:00+00' + i % 31 * interval '1 day' as at
    from generate_series(1, :records) as i
    where i % 100 <> 2
    order by hashint4(i)
) as made
"""
ENTRIES = """
insert into staged_entries (
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, file, row_number
)
select
    :app, 'default', 'L' || i || more, 'R' || i, 'r' || i, 'INR', case i % 100 when 4 then 99 else 100 end, 'paid',
    date '2026-08-01' + i % 31, '', 1
from generate_series(1, :records) as i
cross join (values (''), ('b')) as copies (more)
where i % 100 not in (32, 3) and (more = '' or i % 100 = 5)
order by hashint4(i)
"""


def load_night(engine: Engine) -> None:
    """Of a hundred, one is twice at KS Pay, one twice in the ledger, one is missing on each side, one differs."""
    for statement in (TRANSACTIONS, ENTRIES):
        with staging_tables.staging_tables(engine) as tables:
            tables._connection.execute(text(statement), {"app": APP, "records": RECORDS})
            if statement == TRANSACTIONS:
                tables.take_in_transactions(APP, [AUGUST])
            else:
                tables.take_in_entries([APP], "default", "ledger.csv", sha256="")


def most_read(connection: Connection, folder: Path) -> tuple[str, int]:
    """The table or index of which a run read most, with its tuples."""
    settings = Settings(app_ids=(APP,))
    record_run(connection, "r", (APP,), AUGUST, "running")
    # What other processes of the server read is counted elsewhere.
    connection.execute(text("set local max_parallel_workers_per_gather = 0"))
    found = match(connection, settings, "r", (APP,), AUGUST, silent)
    assert found.discrepancies["DUPLICATE_IN_KSPAY"] == RECORDS // 100
    write_tables(connection, settings, folder)
    row = connection.execute(text(READ)).first()
    assert row is not None
    return row.relation, row.tuples


def test_no_table_is_read_once_per_row(fresh_engine: Engine, tmp_path: Path) -> None:
    load_night(fresh_engine)
    with fresh_engine.connect() as connection:
        relation, tuples = most_read(connection, tmp_path)
        assert tuples <= TIMES * RECORDS, relation


def test_a_table_that_is_read_once_per_duplicate_is_counted(fresh_engine: Engine, tmp_path: Path) -> None:
    load_night(fresh_engine)
    with fresh_engine.connect() as connection:
        # So each duplicate is looked up by going through the whole table.
        for scan in ("indexscan", "indexonlyscan", "bitmapscan"):
            connection.execute(text(f"set local enable_{scan} = off"))
        _, tuples = most_read(connection, tmp_path)
        assert tuples > TIMES * RECORDS
