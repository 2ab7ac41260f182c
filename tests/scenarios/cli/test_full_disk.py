"""A disk that is full: each command that writes files says so, ends with 1, and leaves nothing half-written.

A limit for the size of files stands in for a small disk, and a small disk is tried where one may be mounted.
"""

import csv
import gzip
from pathlib import Path

import pytest

from tests.support.driver import Command, MakeCommand, Shop

MONTH = "2026-02"
JOURNAL = """
[journal]
account = "KS Pay"
[journal.accept]
default = "Differences"
"""
ROOM = 600
"""Bytes of a file; a line of an error has less."""


@pytest.fixture(scope="module")
def command(small_shop: Shop, make_command: MakeCommand) -> Command:
    """The small shop, reconciled once, with decisions that are not booked yet."""
    merchant, sandbox = small_shop
    command = make_command(sandbox)
    (command.folder / "reconcile.toml").write_text(JOURNAL)
    merchant.write_ledger(command.folder / "ledger.csv")
    days = ("--from", str(merchant.first_day), "--to", str(merchant.last_day))
    command.good("run", *days, "--ledger", "ledger.csv")
    rows = command.latest().rows("discrepancies")
    rows = [one | {"resolution": "accept"} for one in rows if one["type"].startswith("MISSING")]
    with (command.folder / "decided.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    command.good("resolve", "decided.csv", "--by", "Asha Rao")
    command.good("run", *days)
    return command


def left(command: Command) -> set[str]:
    """All files below the working folder."""
    return {str(path.relative_to(command.folder)) for path in command.folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize(
    ("words", "what", "advice"),
    [
        (("report", "--period", MONTH, "--out", "full"), "--out full", ""),
        (
            ("adjustments", MONTH, "--out", "full"),
            "--out full",
            "; nothing is lost: write it again with --again",
        ),
        (("metrics", "--textfile", "full/m.prom"), "--textfile full/m.prom", ""),
        (("sandbox", "--port", "0", "--ledger", "full/l.csv"), "full/l.csv", ""),
        (("validate", "--suites", "full"), "full/transactions.json", ""),
    ],
)
def test_a_full_disk(command: Command, words: tuple[str, ...], what: str, advice: str) -> None:
    (command.folder / "full").mkdir(exist_ok=True)
    before = left(command)
    outcome = command.limited(ROOM, *words)
    says = f"reconcile: {what}: File too large: free space and start again{advice}"
    assert (outcome.code, outcome.out, outcome.complaint) == (1, "", says)
    assert left(command) == before
    words = (*words, "--again") if words[0] == "adjustments" else words
    if (ended := command.on_disk("full", *words, options="size=4k")) is not None:
        assert (ended.code, ended.out) == (1, "")
        assert ended.complaint == says.replace("File too large", "No space left on device")
    if words[0] != "sandbox":
        command.good(*words)
        assert left(command) > before


def test_the_pages_of_great_expectations(command: Command) -> None:
    outcome = command.limited(4096, "validate", "--data-docs", "pages")
    assert (outcome.code, outcome.out) == (1, "")
    says = "reconcile: pages: File too large: free space and start again"
    assert outcome.err.splitlines()[-1] == says


def test_a_closed_month(command: Command) -> None:
    """No version without its files, and no files of a version in part."""
    close = ("close", MONTH, "--by", "Ravi Iyer")
    before = left(command)
    assert command.limited(ROOM, *close).code == 1
    if (ended := command.on_disk("full", *close, "--out", "full", options="size=32k")) is not None:
        assert (ended.code, ended.out) == (1, "closed\n")
        says = "reconcile: --out full: No space left on device: free space and start again"
        assert ended.complaint == says
    assert left(command) == before
    assert "2026-02" not in command.good("close", "--list").out
    command.good(*close, "--out", "kept")
    before = left(command)
    outcome = command.limited(ROOM, "report", "--period", MONTH)
    says = "reconcile: --out reports: File too large: free space and start again"
    assert (outcome.code, outcome.out, outcome.complaint) == (1, "", says)
    assert left(command) == before


def test_init_can_be_repeated(make_command: MakeCommand) -> None:
    command = make_command(embedded=True)
    outcome = command.limited(ROOM, "init")
    says = "reconcile: reconcile.toml: File too large: free space and start again"
    assert (outcome.code, outcome.out, outcome.complaint) == (1, "", says)
    assert left(command) == set()
    command.good("init")


def test_the_home_of_the_database(make_command: MakeCommand) -> None:
    command = make_command(embedded=True)
    outcome = command.on_disk(".reconcile", "runs", options="size=64k")
    if outcome is not None:
        assert outcome.code == 1
        assert "No space left on device: free space and start again" in outcome.complaint


def test_what_has_no_room_to_be_unpacked(command: Command, tmp_path: Path) -> None:
    (command.folder / "books.csv.gz").write_bytes(gzip.compress((command.folder / "ledger.csv").read_bytes()))
    outcome = command.limited(ROOM, "ledger", "inspect", "books.csv.gz", TMPDIR=str(tmp_path))
    says = f"reconcile: books.csv.gz: cannot be unpacked into {tmp_path}: File too large: free space and start again"
    assert (outcome.code, outcome.out, outcome.complaint) == (1, "", says)
    assert list(tmp_path.iterdir()) == []
