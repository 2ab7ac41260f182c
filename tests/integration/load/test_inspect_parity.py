"""`ledger inspect` counts what an import makes of a file; an import says what it passes over and lacks.

That it does so for each bad ledger is tested in test_bad_ledgers.py.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.ledger.profile import Profile, read_profile
from reconcile.load.import_ledger import Imported, import_ledger
from reconcile.load.imports import listed
from reconcile.load.inspect_ledger import describe
from reconcile.settings import Expect, Settings
from reconcile.validate.rules import Weight
from reconcile.validate.validator import Validator
from tests.support.bad_ledgers import HEADER, NAMES, Sheet, cells
from tests.support.bad_ledgers import text as lines
from tests.support.ledgers import context_of, made, open_ledger

SETTINGS = Settings(app_ids=("ap_1",))
MAKES = "An import makes of it: "


@pytest.fixture(scope="module")
def validator() -> Validator:
    """Great Expectations, once."""
    return Validator(SETTINGS.currencies)


def counted(database_url: str, path: Path, profile: Profile) -> str:
    settings = replace(SETTINGS, database_url=database_url)
    said = [line for line in describe(settings, path, profile) if line.startswith(MAKES)]
    assert len(said) == 1
    return said[0]


def imported(
    engine: Engine, validator: Validator, path: Path, profile: Profile, *, snapshot: bool = False
) -> Imported:
    ledger = open_ledger(path, profile=profile)
    return import_ledger(context_of(engine, validator), ledger, profile, snapshot=snapshot)


def test_the_same_id_in_many_ways(
    tmp_path: Path, fresh_engine: Engine, database_url: str, validator: Validator
) -> None:
    row = "L{},{},{},2026-08-01,INR,{}"
    rows = [
        row.format(1, "a", "5", "paid"), row.format(1, "a", "5.00", "PAID"), row.format(1, "a", "5", ""),
        row.format(2, "a", "5", "written off"), row.format(2, "a", "5", "Written-Off"),
        row.format(3, "a", "5", "paid"), row.format(3, "a", "6", "paid"), row.format(3, "a", "6", "paid"),
        row.format(4, "a", "5", "paid"), row.format(4, "a", "x", "paid"), row.format(4, "a", "x", "paid"),
        row.format(5, "a", "5.005", "paid"), row.format(5, "a", "5", "paid"),
        ",a,7,2026-08-01,INR,paid", ",a,7,2026-08-01,INR,paid", "L3,,,,,", "Total,,50,,,",
    ]  # fmt: skip
    path = tmp_path / "same.csv"
    path.write_bytes(lines(*rows))
    profile = Profile("same")
    assert counted(database_url, path, profile) == made(imported(fresh_engine, validator, path, profile))


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Path]:
    """A ledger of three entries, and the same without one."""
    rows = [f"V-TEST-{n},O{n},5,2026-08-0{n},INR,paid" for n in (2, 1, 3)]
    (tmp_path / "first.csv").write_bytes(lines(*rows))
    (tmp_path / "corrected.csv").write_bytes(
        lines(rows[0].replace(",5,", ",6,"), rows[2], "V-TEST-0,O,1,2026-08-01,INR,")
    )
    (tmp_path / "other.csv").write_bytes(lines("X1,X,1,2026-08-01,INR,", "X2,X,1,2026-08-03,INR,"))
    return iter([tmp_path])


def test_a_corrected_file_says_what_it_lacks(
    files: Iterator[Path], fresh_engine: Engine, database_url: str, validator: Validator
) -> None:
    folder, profile = next(files), Profile("lacking")
    assert imported(fresh_engine, validator, folder / "first.csv", profile).warnings == ()
    # Another part of the ledger of these days lacks nothing.
    assert imported(fresh_engine, validator, folder / "other.csv", profile).warnings == ()
    done = imported(fresh_engine, validator, folder / "corrected.csv", profile)
    assert done.warnings == (
        "corrected.csv: lacks 1 entry that an earlier file of these days had: V-TEST-1; "
        "import with --snapshot to withdraw it",
    )
    profile = replace(profile, name="lacking too")
    imported(fresh_engine, validator, folder / "first.csv", profile)
    done = imported(fresh_engine, validator, folder / "corrected.csv", profile, snapshot=True)
    assert (done.withdrawn, done.warnings) == (1, ())


def test_sheets_are_one_import(
    tmp_path: Path, fresh_engine: Engine, database_url: str, validator: Validator
) -> None:
    book = Sheet("Apr", "May").rows(NAMES, cells("L1"), cells("L2"), ("Total", "", 20))
    book.rows(NAMES, cells("L2", amount=7), cells("L3"), cells("", amount=1), sheet=1)
    path = tmp_path / "year.xlsx"
    path.write_bytes(book.bytes())
    profile = read_profile("year", {"sheet": "*"}, Currencies())
    assert (
        counted(database_url, path, profile)
        == "An import makes of it: 2 entries, 0 repeated, 3 in quarantine, 1 passed over."
    )
    done = imported(fresh_engine, validator, path, profile)
    assert made(done) == counted(database_url, path, profile)
    assert done.file == "year.xlsx"
    assert [says for says in done.warnings if "20" in says and "21" in says]
    (record,) = [one for one in listed(fresh_engine, 50) if one.source == "year"]
    assert record.passed_over == 1
    # A row without an id leaves the quarantine when the same file no longer holds it.
    path.write_bytes(Sheet("Apr", "May").rows(NAMES, cells("L1")).rows(NAMES, cells("L9"), sheet=1).bytes())
    imported(fresh_engine, validator, path, profile)
    with fresh_engine.connect() as connection:
        held = connection.scalars(
            text("select file from quarantine where source = 'year' and record_id is null")
        ).all()
    assert held == []


def test_a_total_that_is_no_sum_is_a_warning_with_both_numbers(
    tmp_path: Path, fresh_engine: Engine, database_url: str, validator: Validator
) -> None:
    path = tmp_path / "totals.csv"
    path.write_bytes(lines("L1,O,5,2026-08-01,INR,", "L2,O,6,2026-08-01,INR,", HEADER, "Total,,12,,,"))
    done = imported(fresh_engine, validator, path, Profile("totals"))
    assert (done.entries, done.passed_over) == (2, 2)
    (says,) = done.warnings
    assert "12" in says
    assert "11" in says


def inspected(database_url: str, path: Path, profile: Profile, **more: Any) -> str:
    return "\n".join(describe(replace(SETTINGS, database_url=database_url, **more), path, profile))


def test_what_the_suites_refuse_is_counted_and_what_blocks_is_said(
    tmp_path: Path, fresh_engine: Engine, database_url: str
) -> None:
    def rule(name: str, weight: Weight, most: int) -> Expect:
        arguments = {"column": "amount", "max_value": most}
        return Expect(
            name, "entries", "ExpectColumnValuesToBeBetween", weight, "Dearer is a mistake.", arguments
        )

    rows = [f"L{n},O,{n},2026-08-01,INR," for n in range(1, 6)]
    path = tmp_path / "own.csv"
    path.write_bytes(lines(*rows))
    expects = (rule("cheap", Weight.QUARANTINES, 3),)
    context = replace(
        context_of(fresh_engine, Validator.of(replace(SETTINGS, expects=expects))),
        settings=replace(SETTINGS, expects=expects),
    )
    profile = Profile("own")
    done = import_ledger(context, open_ledger(path, profile=profile), profile)
    assert (done.entries, done.quarantined) == (3, 2)
    told = inspected(database_url, path, profile, expects=expects)
    assert made(done) in told
    assert "row 5: amount" in told

    expects = (rule("limit", Weight.BLOCKS, 4),)
    told = inspected(database_url, path, Profile("blocks"), expects=expects)
    assert (
        "An import is refused: own.csv: 1 of 5 records break it: Dearer is a mistake: correct it, or use it "
        "with --allow limit." in told
    )
    assert (
        "With --allow limit an import makes of it: 5 entries, 0 repeated, 0 in quarantine, 0 passed over."
        in told
    )
    settings = replace(SETTINGS, expects=expects)
    with pytest.raises(InputRefused, match=r"limit: own[.]csv: 1 of 5 records break it: Dearer is a mistake"):
        import_ledger(
            replace(context_of(fresh_engine, Validator.of(settings)), settings=settings),
            open_ledger(path, profile=Profile("blocks")),
            Profile("blocks"),
        )


def test_a_file_most_of_which_cannot_be_used_is_refused_and_inspect_says_so(
    tmp_path: Path, fresh_engine: Engine, database_url: str, validator: Validator
) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(lines(*(f"L{n},O,{'x' if n % 3 else 5},2026-08-01,INR," for n in range(120))))
    with pytest.raises(InputRefused, match="80 of 120 records cannot be used, more than half"):
        imported(fresh_engine, validator, path, Profile("mostly"))
    told = inspected(database_url, path, Profile("mostly"))
    assert (
        "An import is refused: bad.csv: 80 of 120 records cannot be used, more than half: correct it" in told
    )
    assert (
        "With --allow mostly_usable an import makes of it: 40 entries, 0 repeated, 80 in quarantine" in told
    )
    assert "\nAn import makes of it" not in told


def test_counts_of_a_proposal_say_so(tmp_path: Path, database_url: str) -> None:
    path = tmp_path / "bank.csv"
    path.write_bytes(lines("T1,01/04/2026,5 Cr", "T2,15/04/2026,6 Dr", header="Txn No,Date,Amount"))
    told = inspected(database_url, path, Profile("default"))
    assert "2 entries, 0 repeated, 0 in quarantine" in told
    assert (
        "These counts hold with the profile proposed below; without it an import is refused: row 1: the header lacks"
        in told
    )
    columns = {"columns": {"ledger_id": "Txn No"}, "currency": "INR"}
    told = inspected(database_url, path, read_profile("bank", columns, Currencies()))
    assert "An import makes of it: 0 entries, 0 repeated, 2 in quarantine, 0 passed over." in told
    assert "With the profile proposed below: 2 entries, 0 repeated, 0 in quarantine, 0 passed over." in told
    path.write_bytes(lines("T1,1,03/04/2026,INR", header="ledger_id,amount,date,currency"))
    told = inspected(database_url, path, Profile("default"))
    assert "without it an import is refused: date '03/04/2026' in row 2 may be 4 March 2026 or" in told
    path.write_bytes(lines("L1,O,5,2026-08-01,INR,"))
    told = inspected(database_url, path, Profile("default"))
    assert "proposed below" not in told
    told = inspected(database_url, path, Profile("default"), app_ids=("ap_1", "ap_2"))
    assert (
        "An import is refused: row 1: there are several apps, so the file needs a column app_id (one of ap_1, ap_2)."
        in told
    )


def test_a_name_that_toml_quotes(tmp_path: Path, database_url: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(lines("L1,O,5,2026-08-01,INR,"))
    assert '[ledger."my bank"]' in inspected(database_url, path, Profile("my bank"))
