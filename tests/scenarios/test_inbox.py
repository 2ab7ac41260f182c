"""What lies in the inbox: archives of several ledgers, and what a kill left there after it was taken in."""

import csv
import io
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Event

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from tests.support.desk import PERSON
from tests.support.driver import Command, MakeCommand, Report, Shop, planted

LONG_AGO = (1_700_000_000, 1_700_000_000)


def days(shop: Shop) -> tuple[str, ...]:
    return "--from", str(shop[0].first_day), "--to", str(shop[0].last_day)


def drop(path: Path, content: bytes) -> Path:
    """Put a file into the inbox that nobody still writes."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    os.utime(path, LONG_AGO)
    return path


def archive(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, content in files.items():
            packed.writestr(f"{name}.csv", content)
    return out.getvalue()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_archive_of_several_ledgers(calm_shop: Shop, make_command: MakeCommand) -> None:
    merchant = calm_shop[0]
    command = make_command(calm_shop[1])
    inbox = command.folder / "inbox"
    merchant.write_ledger(command.folder / "whole.csv")
    header, *lines = (command.folder / "whole.csv").read_text("utf-8").splitlines()
    parts = {f"part{number}": "\n".join([header, *lines[number::3]]) for number in range(3)}
    drop(inbox / "refused.zip", archive(**parts, broken="nothing,of,use\n1,2,3\n"))
    (command.folder / "first.csv").write_text(parts["part0"], "utf-8")
    command.good("run", *days(calm_shop), "--ledger", "first.csv", RECONCILE_INBOX=str(inbox))
    assert names(inbox / "refused") == ["refused.zip", "refused.zip.reason.txt"]
    reason = (inbox / "refused" / "refused.zip.reason.txt").read_text("utf-8")
    assert reason.startswith("refused.zip/broken.csv, row 1: the header lacks the columns")
    # All were looked at before the first was taken in.
    assert command.latest().document()["inbox"]["imported"] == []

    drop(inbox / "empty.zip", archive())
    drop(inbox / "parts.zip", archive(**parts))
    command.good("run", *days(calm_shop), RECONCILE_INBOX=str(inbox))
    assert names(inbox / "done") == ["parts.zip"]
    assert "empty.zip" in names(inbox / "refused")
    report = command.latest()
    imported = report.document()["inbox"]["imported"]
    assert [one["file"] for one in imported] == [f"parts.zip/part{number}.csv" for number in range(3)]
    assert sum(one["records"] for one in imported) == len(lines)
    assert report.findings() == planted(merchant.planted)


def test_what_is_passed_over_is_said(calm_shop: Shop, make_command: MakeCommand) -> None:
    command = make_command(calm_shop[1])
    inbox = command.folder / "inbox"
    calm_shop[0].write_ledger(command.folder / "ledger.csv")
    drop(inbox / "whole.csv", (command.folder / "ledger.csv").read_bytes())
    drop(inbox / ".hidden", b"")
    (inbox / "done").mkdir()
    (inbox / "link.csv").symlink_to(command.folder / "ledger.csv")
    fresh = drop(inbox / "april.csv", (command.folder / "ledger.csv").read_bytes())
    # Of the future, so that it is fresh however long the run takes to look.
    os.utime(fresh, (time.time() + 5, time.time() + 5))
    said = command.good("run", *days(calm_shop), RECONCILE_INBOX=str(inbox)).out
    warnings = command.latest().document()["warnings"]
    assert [line for line in warnings if line.startswith("inbox: ")] == [
        "inbox: april.csv: was changed less than 10 seconds ago; the next run takes it in",
        "inbox: link.csv: is a link, and so not taken in; put the file itself there",
    ]
    assert all(f"warning: {line}" in said for line in warnings)
    assert names(inbox) == [".hidden", "april.csv", "done", "link.csv"]


def test_an_archive_with_a_ledger_that_blocks_says_what_was_taken_in(
    calm_shop: Shop, make_command: MakeCommand
) -> None:
    command = make_command(calm_shop[1])
    inbox = command.folder / "inbox"
    head = "ledger_id,amount,date,currency\n"
    good = head + "G1,1.00,2026-04-01,INR\n"
    bad = head + "".join(f"B{number},much,2026-04-01,INR\n" for number in range(200))
    drop(inbox / "mixed.zip", archive(a_good=good, b_bad=bad))
    command.good("run", *days(calm_shop), RECONCILE_INBOX=str(inbox))  # with what was taken in
    reason = (inbox / "refused" / "mixed.zip.reason.txt").read_text("utf-8")
    assert "200 of 200 records cannot be used" in reason
    assert reason.endswith("; taken in before it: mixed.zip/a_good.csv\n")


def killed_while_it_commits(engine: Engine, command: Command, table: str, run: tuple[str, ...]) -> None:
    """Kill the run while the server commits what it took in: that is kept, and the file was not moved yet.

    The server takes its time over a commit that adds to the table, and does not notice meanwhile who has gone.
    """
    with engine.begin() as connection:
        connection.execute(
            text(
                "create function linger() returns trigger language plpgsql as"
                " $$ begin perform pg_sleep(3); return null; end $$"
            )
        )
        connection.execute(
            text(
                f"create constraint trigger linger after insert on reconcile.{table}"
                " deferrable initially deferred for each row execute function linger()"
            )
        )
    commits = (
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    )
    with command.start(*run) as running:
        wait_until(lambda: scalar(engine, commits) == 1 or running.process.poll() is not None)
        assert running.process.poll() is None
        running.process.kill()
        running.ended()
    wait_until(lambda: scalar(engine, commits) == 0)
    with engine.begin() as connection:
        connection.execute(text("drop function linger cascade"))


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if done():
            return
        Event().wait(0.01)
    raise TimeoutError


def scalar(engine: Engine, statement: str) -> object:
    with engine.connect() as connection:
        return connection.scalar(text(statement))


def test_killed_between_taking_a_file_in_and_moving_it(
    small_shop: Shop, make_command: MakeCommand, make_database: Callable[[], str]
) -> None:
    url = make_database()
    engine = create_engine(url, poolclass=NullPool)
    command = make_command(small_shop[1], RECONCILE_DATABASE_URL=url)
    inbox = command.folder / "inbox"
    run = ("run", *days(small_shop))
    small_shop[0].write_ledger(command.folder / "ledger.csv")
    lines = (command.folder / "ledger.csv").read_text("utf-8").splitlines()
    (command.folder / "few.csv").write_text("\n".join(lines[:20]), "utf-8")
    command.good(*run, "--ledger", "few.csv")
    command.settings["RECONCILE_INBOX"] = str(inbox)

    path = drop(inbox / "ledger.csv", (command.folder / "ledger.csv").read_bytes())
    killed_while_it_commits(engine, command, "imports", run)
    assert path.exists()
    assert scalar(engine, "select count(*) from reconcile.imports") == 2
    entries = scalar(engine, "select count(*) from reconcile.entries")
    command.good(*run)
    assert not path.exists()
    assert names(inbox / "done") == ["ledger.csv"]
    report = command.latest()
    (imported,) = report.document()["inbox"]["imported"]
    assert (imported["import_id"], imported["added"], imported["changed"]) == (2, 0, 0)
    assert scalar(engine, "select count(*) from reconcile.imports") == 2
    assert scalar(engine, "select count(*) from reconcile.entries") == entries
    assert scalar(engine, "select count(*) from reconcile.entry_versions") == 0
    assert report.findings() == planted(small_shop[0].planted)

    path = drop(inbox / PERSON / "monday.csv", decided(report))
    killed_while_it_commits(engine, command, "decision_files", run)
    assert path.exists()
    assert scalar(engine, "select count(*) from reconcile.decisions") == 1
    command.good(*run)
    assert not path.exists()
    assert names(inbox / "done") == ["ledger.csv", "monday.csv"]
    assert scalar(engine, "select count(*) from reconcile.decisions") == 1
    document = command.latest().document()
    assert document["inbox"]["decided"] == []
    assert any("monday.csv: is the file that was taken in on" in warning for warning in document["warnings"])
    assert len(command.latest().rows("resolved")) == 1


def decided(report: Report) -> bytes:
    """The discrepancies with one decision among them."""
    rows = report.rows("discrepancies")
    rows[0]["resolution"] = "ignore"
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")
