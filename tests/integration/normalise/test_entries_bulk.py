"""Rows of a ledger that are typed in bulk and that an expectation refuses: quarantined as all others."""

import json
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, text

from reconcile.load.import_ledger import import_ledger
from reconcile.validate.validator import Validator
from tests.support.ledgers import context_of, open_ledger
from tests.unit.normalise.test_parity import CURRENCIES, PROFILE, Writing, small_blocks, written

__all__ = ["small_blocks"]  # a fixture of this module too


def test_usual_rows_that_an_expectation_refuses_are_quarantined_as_all_others(
    tmp_path: Path, fresh_engine: Engine
) -> None:
    """Validated by what they have in common, and still each with its own place and reason."""
    rows = [
        (f"L{number}", "", amount, "2026-08-01", currency, "", "", "", "")
        for number, (amount, currency) in enumerate(
            [("1.50", "INR"), ("1.5", "JPY"), ("2", "JPY"), ("3.25", "DOUBLOON"), ("", "INR"), ("4", "KWD")]
            * 20
        )
    ]
    path = tmp_path / "ledger.csv"
    path.write_bytes(written(rows, Writing(",", "none", "\n", "utf-8")))
    validator = Validator(CURRENCIES)
    ledger = open_ledger(path, profile=PROFILE)
    done = import_ledger(context_of(fresh_engine, validator), ledger, PROFILE)
    assert (done.records, done.entries, done.quarantined) == (120, 60, 60)
    with fresh_engine.connect() as connection:
        held = connection.execute(
            text("select row_number, reason, raw from quarantine order by row_number limit 3")
        ).all()
        kept = connection.scalar(text("select count(*) from entries where currency in ('INR', 'JPY', 'KWD')"))
    assert [(row.row_number, row.reason) for row in held] == [
        (3, "amount has more decimals than its currency"),
        (5, "currency is neither an ISO 4217 code nor one of [currencies] in reconcile.toml"),
        (6, "amount is missing"),
    ]
    assert '"amount":"1.5"' in held[0].raw
    assert kept == 60
    (suite,) = [one for one in validator.summary() if one["suite"] == "entries"]
    # The rows without an amount could not be typed, so they are not validated.
    assert (suite["records"], suite["quarantined"]) == (100, 40)
    # Those of a record, and two of the file.
    assert suite["evaluated"] == len(validator.rules["entries"]) + 2


def test_what_an_expectation_refuses_is_shown_as_it_was_written(tmp_path: Path, fresh_engine: Engine) -> None:
    path = tmp_path / "memo.csv"
    path.write_text(
        "ledger_id,amount,date,currency,memo\n"
        'M1,"₹ 1,23,456.789",2026-08-10,inr,hello\n'
        "M2,5,2026-08-10, doubloon ,\n"
        ",7.00,2026-08-10,INR,no id\n" + "".join(f"G{n},1,2026-08-10,INR,\n" for n in range(4)),
        "utf-8",
    )
    ledger = open_ledger(path, profile=PROFILE)
    profile, validator = replace(PROFILE, name="memo"), Validator(CURRENCIES)
    import_ledger(context_of(fresh_engine, validator), ledger, profile)
    with fresh_engine.connect() as connection:
        held = connection.execute(
            text("select field, value, raw from quarantine where source = 'memo' order by row_number")
        ).all()
    day = {"date": "2026-08-10"}
    assert [(row.field, row.value, json.loads(row.raw)) for row in held] == [
        (
            "amount",
            "₹ 1,23,456.789",
            day | {"ledger_id": "M1", "amount": "₹ 1,23,456.789", "currency": "inr", "memo": "hello"},
        ),
        (
            "currency",
            " doubloon ",
            day | {"ledger_id": "M2", "amount": "5", "currency": " doubloon ", "memo": ""},
        ),
        ("ledger_id", "", day | {"ledger_id": "", "amount": "7.00", "currency": "INR", "memo": "no id"}),
    ]
