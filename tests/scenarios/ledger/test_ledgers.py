"""Ledgers as a scheduled run gets them: a folder, a query, a file that blocks, records that leave quarantine."""

import csv
import json
import os
import sqlite3
import threading

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.support.driver import Command, MakeCommand, Report, Shop, planted
from tests.support.prefect_server import until


@pytest.fixture(scope="module")
def calm_run(calm: Command, calm_shop: Shop) -> Report:
    """What a run of the whole ledger gives where nothing happens meanwhile."""
    calm.good("run", *days(calm_shop), "--ledger", "ledger.csv")
    return calm.latest()


def days(shop: Shop) -> tuple[str, ...]:
    return "--from", str(shop[0].first_day), "--to", str(shop[0].last_day)


def test_a_folder_is_taken_in_whole(calm_shop: Shop, make_command: MakeCommand) -> None:
    command = make_command(calm_shop[1])
    calm_shop[0].write_ledger(command.folder / "ledger.csv")
    header, *lines = (command.folder / "ledger.csv").read_text("utf-8").splitlines()
    folder = command.folder / "exports"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.csv").write_text("\n".join([header, *lines[number::3]]), "utf-8")
    command.good("run", *days(calm_shop), RECONCILE_LEDGER="exports")
    report = command.latest()
    assert report.findings() == planted(calm_shop[0].planted)
    imported = report.document()["imported"]
    assert (imported["file"], imported["records"], len(imported["files"])) == ("3 files", len(lines), 3)


def test_a_file_that_is_still_being_written_is_left_for_the_next_run(
    calm_shop: Shop, make_command: MakeCommand
) -> None:
    command = make_command(calm_shop[1])
    calm_shop[0].write_ledger(command.folder / "ledger.csv")
    lines = (command.folder / "ledger.csv").read_text("utf-8").splitlines(keepends=True)
    folder = command.folder / "exports"
    folder.mkdir()
    (folder / "half.csv").write_text("".join(lines[: len(lines) // 2]), "utf-8")
    (folder / "rest.csv.part").write_text("ledger_id,amo", "utf-8")
    growing = folder / "rest.csv"
    growing.write_text(lines[0], "utf-8")
    stopped = threading.Event()

    def grow() -> None:
        rest = lines[len(lines) // 2 :]
        while not stopped.wait(0.005):
            with growing.open("a", encoding="utf-8") as file:
                file.write(rest.pop(0) if len(rest) > 1 else "\n")
        with growing.open("a", encoding="utf-8") as file:
            file.writelines(rest)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        by_hand = command("run", *days(calm_shop), "--ledger", "exports")
        assert by_hand.code == 3
        assert "rest.csv: changed while it was read" in by_hand.complaint
        command.good("run", *days(calm_shop), RECONCILE_LEDGER="exports")
    finally:
        stopped.set()
        writer.join()
    document = command.latest().document()
    (line,) = [line for line in document["warnings"] if "rest.csv" in line]
    assert "changed while it was read" in line
    assert "the next run reads it again" in line
    assert document["imported"]["file"] == "half.csv"

    command.good("run", *days(calm_shop), RECONCILE_LEDGER="exports")
    assert command.latest().findings() == planted(calm_shop[0].planted)


@pytest.mark.parametrize(
    ("held_at", "imported"),
    [
        ("runs", ""),  # it has looked at the file, and not yet read its rows
        ("imports", "ledger.csv"),  # it has read them all
    ],
)
def test_a_file_that_is_replaced_while_it_is_read(
    calm_shop: Shop, calm_run: Report, make_command: MakeCommand, held_at: str, imported: str
) -> None:
    """The old one counts as a whole or not at all, and the next run reads the new one."""
    command = make_command(calm_shop[1])
    whole, path = command.folder / "new.csv", command.folder / "ledger.csv"
    calm_shop[0].write_ledger(whole)
    lines = whole.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]), "utf-8")
    engine = create_engine(command.settings["RECONCILE_DATABASE_URL"], poolclass=NullPool)
    with (
        engine.connect() as connection,
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as looking,
    ):
        connection.execute(text(f"lock table {held_at} in share mode"))
        with command.start("run", *days(calm_shop), "--ledger", "ledger.csv") as running:
            waits = text(
                "select count(*) from pg_locks where not granted and relation = cast(:name as regclass)"
            )
            until(lambda: looking.execute(waits, {"name": held_at}).scalar_one())
            os.replace(whole, path)
            connection.rollback()
            outcome = running.ended()
    if imported:
        assert outcome.code == 0, outcome
        taken_in = command.latest().document()["imported"]
        assert (taken_in["file"], taken_in["records"]) == (imported, len(lines) // 2 - 1)
    else:
        says = "reconcile: ledger.csv: changed while it was read; import it when it is complete"
        assert (outcome.code, outcome.out, outcome.complaint) == (3, "", says)
        assert says.removeprefix("reconcile: ") in command.good("runs", "--json").out
    command.good("run", *days(calm_shop), "--ledger", "ledger.csv")
    assert command.latest().same() == calm_run.same()


def test_a_query_is_the_ledger(calm_shop: Shop, make_command: MakeCommand) -> None:
    command = make_command(calm_shop[1])
    calm_shop[0].write_ledger(command.folder / "ledger.csv")
    with (command.folder / "ledger.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with sqlite3.connect(command.folder / "shop.db") as shop:
        shop.execute(f"create table bookings ({', '.join(f'{name} text' for name in header)})")
        shop.executemany(f"insert into bookings values ({', '.join('?' * len(header))})", rows)  # noqa: S608
    shop.close()
    url = json.dumps(f"sqlite:///{command.folder / 'shop.db'}")
    query = json.dumps("select * from bookings")
    toml = f"[ledger.shop]\nurl = {url}\nquery = {query}\n"
    (command.folder / "reconcile.toml").write_text(toml, "utf-8")
    command.good("run", *days(calm_shop), RECONCILE_LEDGER="shop")
    report = command.latest()
    assert report.findings() == planted(calm_shop[0].planted)
    assert report.document()["imported"]["records"] == len(rows)


def broken(command: Command, every: int) -> None:
    """Spoil the amounts of a share of the ledger's rows."""
    with (command.folder / "ledger.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    column = header.index("amount")
    for number, row in enumerate(rows):
        if number % every:
            row[column] = "n/a"
    with (command.folder / "broken.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_a_mostly_broken_ledger_blocks_a_run_until_it_is_allowed_and_corrected(
    calm_shop: Shop, make_command: MakeCommand
) -> None:
    command = make_command(calm_shop[1])
    calm_shop[0].write_ledger(command.folder / "ledger.csv")
    broken(command, 4)
    refused = command("run", *days(calm_shop), "--ledger", "broken.csv", "--json")
    assert (refused.code, refused.out) == (3, "")
    assert "more than half" in refused.complaint
    assert "--allow mostly_usable" in refused.complaint
    assert list((command.folder / "reports").glob("*")) == []
    assert "failed" in command.good("runs").out

    command.good("run", *days(calm_shop), "--ledger", "broken.csv", "--allow", "mostly_usable")
    allowed = command.latest()
    (line,) = [line for line in allowed.document()["warnings"] if "mostly_usable" in line]
    assert "allowed" in line
    count = allowed.document()["quarantined"]["ledger"]
    assert allowed.document()["discrepancies"]["INVALID_RECORD"] == count
    assert f"{count:,} records in quarantine" in command.good("quarantine").out

    # The corrected file takes every one of them out again.
    command.good("run", *days(calm_shop), "--ledger", "ledger.csv")
    assert command.good("quarantine").out == "nothing is in quarantine\n"
    after = command.latest()
    assert after.findings() == planted(calm_shop[0].planted)
    assert after.document()["cleared"] >= count
    assert "FAIL" not in command.good("doctor").out
