"""A night on a long history looks up what it needs: no statement of it has to read all records."""

from datetime import timedelta

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from tests.support.driver import MakeCommand, Shop

BIG = ("transactions", "entries", "pairings")


def test_a_night_reads_no_whole_table(small_shop: Shop, make_command: MakeCommand) -> None:
    """A statement that has an index for what it looks up reads no whole table where that is forbidden."""
    merchant, sandbox = small_shop
    command = make_command(sandbox)
    merchant.write_ledger(command.folder / "ledger.csv")
    last = merchant.last_day
    command.good(
        "run",
        "--from",
        str(merchant.first_day),
        "--to",
        str(last - timedelta(days=2)),
        "--ledger",
        "ledger.csv",
    )
    assert len(command.latest().rows("matched")) > 100
    url = make_url(command.settings["RECONCILE_DATABASE_URL"])
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"alter database {url.database} set enable_seqscan = off"))
        connection.execute(text("select pg_stat_reset()"))
    command.good("run", "--from", str(last - timedelta(days=1)), "--to", str(last))
    assert command.latest().rows("discrepancies")
    with engine.connect() as connection:
        read = dict(
            connection.execute(
                text("select relname, seq_tup_read from pg_stat_user_tables where relname = any(:names)"),
                {"names": list(BIG)},
            )
            .tuples()
            .all()
        )
    assert read == dict.fromkeys(BIG, 0)
