"""A backup, and a database that is filled from it: the next run tells the same."""

import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from reconcile.db.backup import _ONLY_NEWER
from reconcile.db.embedded.cluster import find_programs
from tests.support.driver import MakeCommand, Shop

CUT = (
    "reconcile: cut.dump: is cut off or damaged, or of a newer PostgreSQL (pg_restore: error: {}): copy it again, or "
    "take an earlier backup; nothing was restored"
)


@pytest.mark.parametrize("embedded", [False, True], ids=["a server", "embedded"])
def test_what_is_restored_is_what_there_was(
    make_command: MakeCommand,
    small_shop: Shop,
    calm_shop: Shop,
    make_empty_database: Callable[[], str],
    embedded: bool,
) -> None:
    """Records of all kinds with a server; with an embedded database, where pg_dump works the same, a few."""
    merchant, sandbox = calm_shop if embedded else small_shop
    command = make_command(sandbox, made=embedded)
    merchant.write_ledger(command.folder / "ledger.csv")
    days = ("--from", str(merchant.first_day), "--to", str(merchant.last_day))
    command.good("run", *days, "--ledger", "ledger.csv")
    first = command.latest()
    decided = first.rows("discrepancies")[0]["discrepancy_id"]
    sheet = (
        f"discrepancy_id,facts,resolution,note\n{decided},{first.rows('discrepancies')[0]['facts']},accept,\n"
    )
    (command.folder / "decided.csv").write_text(sheet)
    command.good("resolve", "decided.csv", "--by", "Asha")
    doctor = [line for line in command.good("doctor").out.splitlines() if "database:" not in line]

    said = command.good("backup", "books.dump").out
    file = command.folder / "books.dump"
    assert said == f"{file}: {file.stat().st_size:,} bytes\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = command("backup", "books.dump")
    assert (again.code, again.complaint) == (2, "reconcile: books.dump exists: name a new file")

    full = command("backup", "books.dump", "--restore")
    assert full.code == 2
    assert "the database has tables already" in full.complaint
    before = command.good("run", *days, "--json").out and command.latest().same()

    elsewhere = (
        {"RECONCILE_HOME": "second"} if embedded else {"RECONCILE_DATABASE_URL": make_empty_database()}
    )
    command.settings |= elsewhere
    if not embedded:
        check_settings(file)
    # A file that ends in the middle of a table leaves nothing behind.
    (command.folder / "cut.dump").write_bytes(file.read_bytes()[: file.stat().st_size * 9 // 10])
    cut = command("backup", "cut.dump", "--restore")
    assert (cut.code, cut.complaint) == (3, CUT.format("could not read from input file: end of file"))
    command.good("backup", "books.dump", "--restore")
    assert [line for line in command.good("doctor").out.splitlines() if "database:" not in line] == doctor
    command.good("run", *days, "--out", "restored")
    assert command.latest("restored").same() == before
    resolved = command.latest("restored").rows("resolved")
    assert [row["discrepancy_id"] for row in resolved] == [decided]


def check_settings(file: Path) -> None:
    """A restore sets only what servers before 17 know, which are not here."""
    words = [str(find_programs() / "pg_restore"), "--schema=reconcile", "--file=-", str(file)]
    script = subprocess.run(words, capture_output=True, check=True).stdout
    known = {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_encoding"}
    known |= {"standard_conforming_strings", "check_function_bodies", "xmloption", "client_min_messages"}
    known |= {"row_security", "default_tablespace", "default_table_access_method"}
    assert script.count(_ONLY_NEWER) == 1
    rest = script.replace(_ONLY_NEWER, b"").decode()
    assert set(re.findall(r"^SET (\w+) =", rest, re.MULTILINE)) <= known


def test_what_is_no_backup(make_command: MakeCommand, make_empty_database: Callable[[], str]) -> None:
    url = make_empty_database()
    command = make_command(RECONCILE_DATABASE_URL=url)
    (command.folder / "notes.txt").write_text("PG nothing")
    for name, code, says in (
        ("notes.txt", 3, "is no backup"),
        ("nowhere", 2, "cannot be read: No such file"),
    ):
        outcome = command("backup", name, "--restore")
        assert outcome.code == code
        assert says in outcome.complaint
    (command.folder / "cut.dump").write_bytes(b"PGDMP" + os.urandom(500))
    outcome = command("backup", "cut.dump", "--restore")
    assert outcome.code == 3
    assert outcome.complaint.startswith(
        "reconcile: cut.dump: is cut off or damaged, or of a newer PostgreSQL ("
    )
    outcome = command("backup", "none/books.dump")
    assert outcome.code == 2
    assert "cannot be written: No such file" in outcome.complaint
    password = make_url(url).password or ""
    assert password
    assert str(password) not in outcome.err
    with create_engine(url).connect() as connection:
        assert connection.scalar(text("select count(*) from pg_tables where schemaname = 'reconcile'")) == 0


def test_a_full_disk(make_command: MakeCommand) -> None:
    command = make_command()
    if (ended := command.on_disk("full", "backup", "full/books.dump", options="size=8k")) is not None:
        assert (ended.code, ended.out) == (1, "")
        assert ended.complaint.startswith("reconcile: full/books.dump: pg_dump: error: ")
        assert ended.complaint.endswith(": No space left on device: free space and start again")
