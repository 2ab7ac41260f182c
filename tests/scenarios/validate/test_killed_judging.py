"""A process that is killed while its records are judged: none of them counted, and nothing of them is left."""

import time
from datetime import date

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from tests.support.driver import Command, MakeCommand, Shop

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")
SECONDS = 3

ENDLESS = r"""
[[expect]]
name = "endless"
on = "entries"
expectation = "ExpectColumnValuesToMatchRegex"
column = "description"
regex = '^(.+)(.+)(.+)(.+)\1\2\3\4$'
weight = "warns"
why = "To have the time to kill it."
"""

JUDGING = """
select count(*) from pg_stat_activity
where state = 'active' and query like '%judged_entries%' and pid <> pg_backend_pid()
"""
STAGED = """
select count(*) from pg_class
where relname ~ '^(staged|judged|sample)_' and relnamespace::regnamespace::text <> 'public'
"""


@pytest.fixture
def command(calm_shop: Shop, make_command: MakeCommand) -> Command:
    merchant, sandbox = calm_shop
    command = make_command(sandbox, RECONCILE_EXPECT_SECONDS=str(SECONDS))
    ledger = command.folder / "ledger.csv"
    merchant.write_ledger(ledger)
    header, *lines = ledger.read_text("utf-8").splitlines()
    values = {"ledger_id": "X1", "reference": "X1", "amount": "1.00", "currency": "INR", "status": "paid"}
    values |= {"date": str(date(2026, 4, 2)), "description": "a" * 199 + "b" + "a" * 200}
    lines.append(",".join(values.get(name, "") for name in header.split(",")))
    ledger.write_text("\n".join([header, *lines, ""]), "utf-8")
    return command


def wait_until(engine: Engine, query: str, expected: int, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalar(text(query)) != expected:
            assert time.monotonic() < limit, query
            time.sleep(0.1)


def test_killed_while_judging(command: Command, calm_shop: Shop, make_command: MakeCommand) -> None:
    engine = create_engine(command.settings["RECONCILE_DATABASE_URL"], poolclass=NullPool)
    toml = command.folder / "reconcile.toml"
    toml.write_text(ENDLESS, "utf-8")
    with command.start("run", *DAYS, "--ledger", "ledger.csv") as running:
        wait_until(engine, JUDGING, 1)
        with engine.connect() as connection:
            assert connection.scalar(text(STAGED)), "what is judged is staged"
            for table in ("entries", "transactions", "imports", "quarantine"):
                assert connection.scalar(text(f"select count(*) from {table}")) == 0, table  # noqa: S608
        running.process.kill()
        running.ended()
    assert not (command.folder / "reports" / "latest").exists()
    # The next one waits for nothing that the dead one left in the server, and finds what it would have found.
    toml.unlink()
    command.good("run", *DAYS, "--ledger", "ledger.csv")
    undisturbed = make_command(calm_shop[1])
    (undisturbed.folder / "ledger.csv").write_bytes((command.folder / "ledger.csv").read_bytes())
    undisturbed.good("run", *DAYS, "--ledger", "ledger.csv")
    assert command.latest().same() == undisturbed.latest().same()
    # The server itself notices the death at the latest when the time of a statement is over.
    wait_until(engine, STAGED, 0, 2 * SECONDS)
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from pg_class where relpersistence = 'u'")) == 0
