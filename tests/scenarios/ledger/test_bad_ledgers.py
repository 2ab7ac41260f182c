"""Ledgers that cannot be used: refused as a whole, with one line, before anything is touched."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.support.driver import Command, MakeCommand, Outcome

KEYS = {
    "KSPAY_BASE_URL": "https://kspay.invalid/v1",
    "KSPAY_APP_ID": "ap_mPFz05qW2",
    "KSPAY_ACCESS_KEY": "access",
    "KSPAY_SECRET_KEY": "secret",
}
DAYS = ("--from", "2026-08-01", "--to", "2026-08-31")
HEADER = b"ledger_id,amount,currency,date,status\n"
ROW = b"V-1,12.50,INR,2026-08-02,paid\n"


@dataclass(frozen=True)
class Case:
    """A file of this name and content, or None for no file; the exit code; words of the line."""

    content: bytes | None
    code: int
    says: tuple[str, ...]
    name: str = "ledger.csv"


CASES = {
    "missing": Case(None, 2, ()),
    "missing, with a line break in its name": Case(None, 2, (), "led\nger.csv"),
    "a device": Case(None, 2, (), "/dev/null"),
    "empty": Case(b"", 3, ("empty",)),
    "blank lines only": Case(b"\n\n  \n", 3, ("empty",)),
    "a byte order mark only": Case(b"\xef\xbb\xbf", 3, ("empty",)),
    "binary": Case(bytes(range(256)) * 64, 3, ()),
    "zeros": Case(bytes(10_000), 3, ()),
    "a workbook": Case(b"PK\x03\x04" + bytes(500), 3, ("Excel", "CSV"), "ledger.xlsx"),
    "a picture": Case(b"\x89PNG\r\n\x1a\n" + bytes(range(256)), 3, (), "scan.csv"),
    "a PDF": Case(b"%PDF-1.7\n" + bytes(200), 3, ("PDF",), "ledger.pdf"),
    "Parquet": Case(b"PAR1" + bytes(200), 3, ("Parquet",), "ledger.parquet"),
    "a web page": Case(
        b"<!doctype html>\n<html><body>Sign in</body></html>\n", 3, ("is HTML", "XLSX or CSV")
    ),
    "prose": Case(b"Dear colleague,\n\nplease find the ledger attached.\n", 3, ("row 1", "ledger_id")),
    "no header": Case(ROW, 3, ("row 1", "ledger_id")),
    "no ledger_id": Case(HEADER.replace(b"ledger_id", b"id") + ROW, 3, ("row 1", "ledger_id", "found: id")),
    "no amount": Case(HEADER.replace(b"amount", b"Amount (INR)") + ROW, 3, ("amount",)),
    "no date": Case(HEADER.replace(b"date", b"day") + ROW, 3, ("date",)),
    "no currency": Case(HEADER.replace(b"currency,", b"") + ROW.replace(b"INR,", b""), 3, ("currency",)),
    "a column twice": Case(HEADER.replace(b"status", b"amount") + ROW, 3, ("row 1", "repeats", "amount")),
    "a column twice, written otherwise": Case(HEADER.replace(b"status", b" AMOUNT ") + ROW, 3, ("amount",)),
    "a header below blank lines": Case(b"\n\n" + HEADER.replace(b"date", b"day") + ROW, 3, ("row 3", "date")),
}


@pytest.fixture(scope="module")
def outcomes(make_command: MakeCommand) -> dict[str, tuple[Outcome, Command]]:
    """What came of a run with the ledger."""

    def call(name: str) -> tuple[Outcome, Command]:
        case, command = CASES[name], commands[name]
        if case.content is not None:
            (command.folder / case.name).write_bytes(case.content)
        return command("run", *DAYS, "--ledger", case.name, "--json"), command

    commands = {name: make_command(None, embedded=True, **KEYS) for name in CASES}
    with ThreadPoolExecutor(3) as pool:
        return dict(zip(CASES, pool.map(call, CASES), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_refused_with_one_line(outcomes: dict[str, tuple[Outcome, Command]], name: str) -> None:
    case, (outcome, command) = CASES[name], outcomes[name]
    assert (outcome.code, outcome.out) == (case.code, ""), outcome
    for word in (case.name.partition("\n")[0], *case.says):
        assert word in outcome.complaint
    assert not (command.folder / "reports").exists()
    assert not command.home.exists()


@pytest.mark.parametrize(
    "content",
    [
        "hunter2hunter2",
        "-----BEGIN PRIVATE KEY-----\nhunter2+AB/hunter2==\n-----END PRIVATE KEY-----\n",
        "KSPAY_SECRET_KEY=hunter2\nOTHER=hunter2,x\n",
        '[[apps]]\nsecret_key = "hunter2"\n',
        "machine example.com;login asha;password hunter2\n",
        "root:hunter2:0:0:root:/root:/bin/sh\n",
    ],
)
@pytest.mark.parametrize("name", ["keys", "keys.csv"])
def test_nothing_of_a_file_that_is_no_ledger_is_repeated(
    make_command: MakeCommand, content: str, name: str
) -> None:
    """It may hold keys, and Prefect's page may show the error to people who must not know them."""
    command = make_command(None, embedded=True, **KEYS)
    (command.folder / name).write_text(content)
    outcome = command("run", *DAYS, "--ledger", name)
    assert outcome.code == 3
    assert "hunter2" not in outcome.out + outcome.err


def test_an_empty_folder(make_command: MakeCommand) -> None:
    command = make_command(None, embedded=True, **KEYS)
    outcome = command("run", *DAYS, "--ledger", "user")
    assert (outcome.code, outcome.out) == (3, "")
    assert "user: is a folder without any file" in outcome.complaint


def test_an_import_refuses_the_same(make_command: MakeCommand) -> None:
    command = make_command(None, embedded=True, **KEYS)
    (command.folder / "ledger.csv").write_bytes(CASES["no date"].content or b"")
    for name, code in (("nowhere.csv", 2), ("ledger.csv", 3)):
        outcome = command("ledger", "import", name)
        assert (outcome.code, outcome.out) == (code, "")
        assert name in outcome.complaint
    assert not command.home.exists()


def test_keys_are_not_needed_to_import(make_command: MakeCommand) -> None:
    command = make_command(None, embedded=True, KSPAY_APP_ID="ap_mPFz05qW2")
    (command.folder / "august.csv").write_bytes(HEADER + ROW + ROW + b"V-2,oops,INR,2026-08-02,paid\n")
    said = "3 rows of august.csv: 1 new, 0 changed, 0 as they were, 1 repeated, 1 in quarantine"
    assert said in command.good("ledger", "import", "august.csv").out
    assert command.postmasters() == []
