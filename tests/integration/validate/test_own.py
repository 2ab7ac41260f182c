"""[[expect]]: one that cannot be evaluated is refused before a record is read, in one line and by its name."""

import datetime as dt
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, text

from reconcile.core.errors import UsageError
from reconcile.core.records import Entry, Transaction
from reconcile.db.sql_files import run_file
from reconcile.load.staging_tables import StagingTables
from reconcile.settings import Expect, Settings
from reconcile.validate.validator import Validator
from tests.integration.validate.test_validator import ENTRY, TRANSACTION, judged

NOBODY = 'col("currency") == "XXX"'
QUANTILES = {"quantiles": [Decimal("0.5")], "value_ranges": [[0, 5]]}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("ExpectNothing", {}, "Great Expectations has no expectation ExpectNothing"),
    ("expect_nothing_at_all", {}, "Great Expectations has no expectation expect_nothing_at_all"),
    ("ColumnMapExpectation", {"column": "amount"}, "has no expectation ColumnMapExpectation"),
    ("ExpectTableRowCountToEqual", {"value": 3}, "is about no column"),
    ("UnexpectedRowsExpectation", {"unexpected_rows_query": "x"}, "is about no column"),
    ("ExpectColumnValuesToNotBeNull", {}, "column: field required"),
    ("ExpectColumnValuesToNotBeNull", {"column": 7}, "column must be the name of a column"),
    ("ExpectColumnValuesToNotBeNull", {"column": ["amount"]}, "column must be the name of a column"),
    ("ExpectMulticolumnSumToEqual", {"column_list": "amount", "sum_total": 1}, "column_list must be a list"),
    ("ExpectMulticolumnSumToEqual", {"column_list": ["a"], "sum_total": 1}, "entries have no column 'a'"),
    ("ExpectMulticolumnValuesToBeUnique", {"column": "amount", "column_list": ["amount"]}, "not found"),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "severity": "info"}, "severity is nothing that"),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "catch_exceptions": False}, "catch_exceptions is"),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "mostly": Decimal(2)}, "mostly: "),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "mostly": 0}, "mostly is a share"),
    ("ExpectColumnValuesToBeInSet", {"column": "amount", "value_set": "INR"}, "value_set: value is not a valid list"),
    ("ExpectColumnValuesToBeInSet", {"column": "amount", "value_set": ["INR"]}, "operator does not exist"),
    ("ExpectColumnValuesToBeInSet", {"column": "amount", "value_set": [10**29 + 1]}, "more digits than"),
    ("ExpectColumnMaxToBeBetween", {"column": "amount", "max_value": 10**400}, "more digits than"),
    ("ExpectColumnMaxToBeBetween", {"column": "currency", "max_value": 5}, "not supported between instances of"),
    ("ExpectColumnSumToBeBetween", {"column": "currency", "max_value": 5}, "function sum(text) does not exist"),
    ("ExpectColumnValuesToBeBetween", {"column": "amount"}, "min_value and max_value cannot both be None"),
    ("ExpectColumnValuesToBeBetween", {"column": "amount", "max_value": "x"}, "max_value: 'x' is not a number"),
    ("ExpectColumnValuesToBeBetween", {"column": "amount", "max_value": Decimal("nan")}, "max_value: 'NaN' is not"),
    ("ExpectColumnValuesToBeBetween", {"column": "amount", "max_value": True}, "max_value: 'True' is not a number"),
    ("ExpectColumnValuesToBeBetween", {"column": "amount", "min_value": 6, "max_value": 5}, "cannot be greater"),
    ("ExpectColumnValuesToBeBetween", {"column": "currency", "max_value": 5}, "column of type TEXT"),
    ("ExpectColumnValuesToBeBetween", {"column": "date", "max_value": 5}, "operator does not exist: date"),
    ("ExpectColumnValuesToMatchRegex", {"column": "reference", "regex": "(("}, "invalid regular expression"),
    ("ExpectColumnValuesToMatchRegex", {"column": "amount", "regex": "5"}, "operator does not exist: numeric"),
    ("ExpectColumnValuesToBeJsonParseable", {"column": "description"}, "No provider found for"),
    ("ExpectColumnPairValuesToBeEqual", {"column_A": "amount", "column_B": "date"}, "operator does not exist"),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "row_condition": 7}, "is not supported for"),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "row_condition": "1 = 1"}, "is not a comparison such as"),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "row_condition": 'col("amnt") < 0'}, "no column 'amnt'"),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "row_condition": f'col("amount") < {10**29 + 1}'}, "digits"),
    ("ExpectColumnValuesToNotBeNull", {"column": "amount", "row_condition": 'col("amount") < "x"'}, "does not exist"),
    (
        "ExpectColumnValuesToNotBeNull",
        {"column": "amount", "row_condition": {"type": "nullity", "column": {"name": "amnt"}, "is_null": True}},
        "entries have no column 'amnt'",
    ),
]  # fmt: skip
NAMES_NO_RECORD: list[tuple[str, dict[str, Any]]] = [
    ("ExpectColumnMaxToBeBetween", {"column": "amount", "max_value": 5}),
    ("ExpectColumnValuesToBeOfType", {"column": "amount", "type_": "TEXT"}),
    ("ExpectColumnValuesToBeInTypeList", {"column": "amount", "type_list": ["TEXT"]}),
    ("ExpectColumnDistinctValuesToBeInSet", {"column": "currency", "value_set": ["EUR"]}),
]
SOUND: list[tuple[str, dict[str, Any]]] = [
    *NAMES_NO_RECORD,
    ("ExpectColumnValuesToBeBetween", {"column": "amount", "max_value": 10**29 + 1, "min_value": Decimal("0.1")}),
    ("ExpectColumnValuesToBeBetween", {"column": "date", "min_value": dt.date(2026, 1, 1)}),
    ("ExpectColumnValuesToBeInSet", {"column": "amount", "value_set": [1, Decimal("2.5")]}),
    ("ExpectColumnPairValuesToBeEqual", {"column_A": "provider_order_id", "column_B": "provider_txn_id"}),
    ("ExpectCompoundColumnsToBeUnique", {"column_list": ["amount", "reference"]}),
    ("ExpectColumnDistinctValuesToContainSet", {"column": "currency", "value_set": ["EUR"]}),
    ("ExpectColumnMostCommonValueToBeInSet", {"column": "currency", "value_set": ["EUR"]}),
    ("ExpectColumnQuantileValuesToBeBetween", {"column": "amount", "quantile_ranges": QUANTILES}),
    # Of no record at all there is no greatest amount: that is no fault of the expectation.
    ("ExpectColumnMaxToBeBetween", {"column": "amount", "max_value": 5, "row_condition": NOBODY}),
    ("ExpectColumnMedianToBeBetween", {"column": "amount", "max_value": 5, "row_condition": NOBODY}),
    ("ExpectColumnStdevToBeBetween", {"column": "amount", "max_value": 5, "row_condition": NOBODY}),
    ("ExpectColumnValuesToNotBeNull", {"column": "reference", "row_condition": 'col("amount").notnull()'}),
]  # fmt: skip


def tried(engine: Engine, expectation: str, arguments: dict[str, Any], weight: str = "warns") -> int:
    expect = Expect("mine", "entries", expectation, weight, "Since.", arguments)
    return Validator.of(replace(Settings(), expects=(expect,))).try_own(engine)


@pytest.mark.parametrize(("expectation", "arguments", "says"), REFUSED)
def test_one_that_cannot_be_evaluated_is_refused_by_its_name(
    fresh_engine: Engine, expectation: str, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        tried(fresh_engine, expectation, arguments)
    line = str(refused.value)
    assert line.startswith("reconcile.toml: [[expect]] mine: ")
    assert says in line
    assert "\n" not in line
    assert "psycopg" not in line


@pytest.mark.parametrize(("expectation", "arguments"), NAMES_NO_RECORD)
def test_one_about_a_whole_column_cannot_quarantine(
    fresh_engine: Engine, expectation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="names no record: give it the weight warns or blocks"):
        tried(fresh_engine, expectation, arguments, "quarantines")


@pytest.mark.parametrize(("expectation", "arguments"), SOUND)
def test_one_that_is_sound_is_taken_whatever_it_finds(
    fresh_engine: Engine, expectation: str, arguments: dict[str, Any]
) -> None:
    assert tried(fresh_engine, expectation, arguments) == 1
    # A temporary view goes with its connection, whose process at the server may still be ending.
    stays = text("select count(*) from pg_class where relname like 'sample%' and relpersistence <> 't'")
    with fresh_engine.connect() as connection:
        assert connection.scalar(stays) == 0


def test_the_made_up_records_have_the_columns_and_the_types_of_real_ones(fresh_engine: Engine) -> None:
    columns = text(
        "select attname, format_type(atttypid, null) from pg_attribute "
        "where attrelid = to_regclass(:name) and attnum > 0 order by attnum"
    )
    with fresh_engine.connect() as connection:
        StagingTables(connection)
        for suite in ("transactions", "entries"):
            run_file(connection, f"validate/staged_{suite}")
            run_file(connection, f"validate/sample_{suite}")
            judged, made_up = (
                connection.execute(columns, {"name": f"{name}_{suite}"}).all()
                for name in ("judged", "sample")
            )
            assert len(judged) > 10
            assert [tuple(one) for one in made_up] == [tuple(one) for one in judged]


PAGE = Path(__file__).parents[3] / "docs" / "expectations.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
WHOLE = {
    "on": "entries",
    "expectation": "ExpectColumnValuesToNotBeNull",
    "column": "reference",
    "weight": "warns",
}
BREAKS: dict[str, Transaction | Entry] = {
    "order_number": msgspec.structs.replace(ENTRY, reference="STRAY-1"),
    "ceiling_in_rupees": msgspec.structs.replace(ENTRY, reference="ORD-2026-1", amount=Decimal("500000.01")),
    "payment_allowed": msgspec.structs.replace(TRANSACTION, payment_type="WALLET"),
    "refund_names_its_transaction": msgspec.structs.replace(
        ENTRY, reference="ORD-2026-1", amount=Decimal(-1)
    ),
}


def test_the_examples_of_the_documentation_do_what_it_says(fresh_engine: Engine, tmp_path: Path) -> None:
    *examples, condition = BLOCKS
    more = "".join(f"{name} = {value!r}\n" for name, value in WHOLE.items())
    examples.append(f'[[expect]]\nname = "last"\nwhy = "So."\n{more}{condition}')
    (tmp_path / "reconcile.toml").write_text("\n".join(examples), "utf-8")
    settings = Settings.read({}, tmp_path)
    validator = Validator.of(settings)
    assert validator.try_own(fresh_engine) == len(BREAKS) + 1
    assert [one.name for one in settings.expects] == [*BREAKS, "last"]
    sound = msgspec.structs.replace(ENTRY, reference="ORD-2026-1")
    for name, record in BREAKS.items():
        validator = Validator.of(settings)
        judged(fresh_engine, validator, [record, TRANSACTION if isinstance(record, Transaction) else sound])
        broken = [one["expectation"] for suite in validator.summary() for one in suite["failures"]]
        assert broken == [name]


def test_a_condition_that_no_row_of_a_part_meets_is_no_fault(
    fresh_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.load.staging_tables._AT_ONCE", 100)
    expect = Expect(
        "mine", "entries", "ExpectColumnValuesToNotBeNull", "quarantines", "Since.",
        {"column": "transaction_id", "row_condition": 'col("amount") < 0'},
    )  # fmt: skip
    batch = [
        msgspec.structs.replace(ENTRY, ledger_id=f"L{number}", amount=Decimal(number - 300))
        for number in range(1500)
    ]
    validator = Validator.of(replace(Settings(), expects=(expect,)))
    sound, rejected = judged(fresh_engine, validator, batch)
    assert (len(sound), len(rejected)) == (1200, 300)
