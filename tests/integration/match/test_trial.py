"""`reconcile try`: what differs under other settings, and that nothing at all is written."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, literal_column, select, table, text

from reconcile.cli.trial import try_command
from reconcile.core.errors import UsageError
from reconcile.core.fees import Fee
from reconcile.core.money import Currencies, Tolerances
from reconcile.core.progress import silent
from reconcile.report.trial import Tried, try_settings
from reconcile.settings import Settings
from tests.support.desk import Desk
from tests.support.worlds import entry, tx

APP = "trial"
SETTINGS = Settings(app_ids=(APP,))
TRANSACTIONS = [
    tx(1, "A"),
    tx(2, "B"),
    tx(3, "C", method="CARD"),
    tx(4, "D"),
    tx(5, "E", day=31),
    tx(6, "F", family="pending", day=30),
    tx(7, "G"),
    tx(8, "G", day=20),
]
ENTRIES = [
    entry(1, "A", "99.50"),
    entry(2, "B", day=15),
    entry(3, "C", "97.64"),
    entry(4, "D"),
    entry(7, "G"),
]
AMOUNTS = Tolerances.parse("0.5", Currencies())
CARD = Fee("card", "INR", date.min, percent=Decimal(2), tax=Decimal(18))


def records(made: list[Any]) -> list[Any]:
    return [replace(one, app=APP) for one in made]


@pytest.fixture(scope="module")
def desk(fresh_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(fresh_engine, tmp_path_factory.mktemp("trial"), SETTINGS, APP)
    desk.night(records(TRANSACTIONS), records(ENTRIES))
    accepted = desk.one("DATE_MISMATCH")
    desk.resolve(accepted | {"resolution": "accept"})
    desk.night()
    return desk


def tried(desk: Desk, **other: Any) -> Tried:
    return try_settings(desk.engine, SETTINGS, replace(SETTINGS, **other), silent)


def changes(found: Tried) -> set[tuple[str | None, str | None, str]]:
    """The type before and after, and the transaction."""
    return {
        (
            one["before"] and one["before"]["type"],
            one["after"] and one["after"]["type"],
            shown["transaction_id"],
        )
        for one in found.changed
        for shown in [one["after"] or one["before"]]
    }


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"tolerances": AMOUNTS}, {("AMOUNT_MISMATCH", None, "tx_1")}),
        ({"fees": (CARD,)}, {("AMOUNT_MISMATCH", None, "tx_3")}),
        ({"duplicate_days": 14}, {("MISSING_IN_LEDGER", "DUPLICATE_IN_KSPAY", "tx_8")}),
        ({"grace_days": 0}, {("TIMING_DIFFERENCE", "MISSING_IN_LEDGER", "tx_5")}),
        ({"stale_pending_hours": 48}, {("STALE_PENDING", None, "tx_6")}),
        ({"date_tolerance_days": 5}, set()),  # what a person accepted is open neither before nor after
    ],
)
def test_what_differs(desk: Desk, other: dict[str, Any], expected: set[Any]) -> None:
    found = tried(desk, **other)
    assert changes(found) == expected
    assert len(found.settings) == 1


def test_counts_and_amounts_by_type(desk: Desk) -> None:
    found = tried(desk, tolerances=AMOUNTS, fees=(CARD,))
    assert found.settings == {
        "RECONCILE_AMOUNT_TOLERANCE": {"before": "0", "after": "0.5"},
        "fees: card INR": {"before": "", "after": "2 %, and 18 % tax on it"},
    }
    (amounts,) = [row for row in found.discrepancies if row["type"] == "AMOUNT_MISMATCH"]
    assert amounts["before"] == {"count": 2, "amount": "2.86"}
    assert amounts["after"] == {"count": 0, "amount": "0.00"}
    rules = {row["rule"]: (row["before"], row["after"]) for row in found.matched}
    assert rules == {"reference": (3, 5), "reference_differs": (2, 0)}
    assert "fee" not in str(found.changed[1]["before"]["detail"])


def test_nothing_is_written(desk: Desk) -> None:
    before = everything(desk.engine)
    tried(desk, tolerances=AMOUNTS, fees=(CARD,), timezone=SETTINGS.timezone, date_tolerance_days=0)
    assert everything(desk.engine) == before
    desk.night()
    assert everything(desk.engine) != before  # a run is seen


def everything(engine: Engine) -> dict[str, list[str]]:
    """Of each table all rows, and of each sequence where it stands."""
    with engine.connect() as connection:
        names = connection.scalars(
            text("select tablename from pg_tables where schemaname = current_schema()")
        ).all()
        rows: dict[str, Sequence[str]] = {
            name: connection.scalars(
                select(literal_column("t::text")).select_from(table(name).alias("t"))
            ).all()
            for name in names
        }
        sequences = connection.execute(
            text(
                "select 'sequence ' || sequencename, last_value::text from pg_sequences"
                " where schemaname = current_schema()"
            )
        ).tuples()
        found = {name: sorted(held) for name, held in rows.items()} | {name: [at] for name, at in sequences}
    assert {"runs", "pairings", "findings", "discrepancies", "movements", "sequence runs_number_seq"} <= {
        *found
    }
    return found


def test_the_same_settings_and_no_run_are_refused(desk: Desk) -> None:
    with pytest.raises(UsageError, match="every setting is as it is already"):
        tried(desk)
    with pytest.raises(UsageError, match="is of other apps"):
        try_settings(desk.engine, Settings(app_ids=("ap_9",)), replace(SETTINGS, grace_days=9), silent)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "name at least one setting"),
        (["--amount-tolerance", "1,5"], "--amount-tolerance: '1,5' is not a number"),
        (["--date-tolerance-days", " "], "--date-tolerance-days: is empty"),
        (["--grace-days", "-1"], "--grace-days: '-1' is not a whole number from 0 to 366"),
        (["--fees", "nowhere.toml"], "--fees nowhere.toml: No such file"),
        (["--fees", "bad.toml"], "--fees bad.toml: [[fees]] number 1: currency must be given"),
        (["--fees", "other.toml"], "--fees other.toml: must hold [[fees]], and nothing else"),
    ],
)
def test_bad_words_are_one_line(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.toml").write_text("[[fees]]\npercent = 2\n")
    (tmp_path / "other.toml").write_text("RECONCILE_GRACE_DAYS = 2\n")
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(try_command, words).exception
    assert isinstance(error, UsageError)
    assert says in str(error)
