"""What the suites keep out of what is staged, what they count, and that they never pass what they did not look at."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import asdict, replace
from sqlalchemy import Engine, inspect, text

from reconcile.core.errors import CheckFailed
from reconcile.core.money import Currencies
from reconcile.core.records import Entry, Place, Side, Transaction
from reconcile.db.sql_files import run_file
from reconcile.load.staging_tables import staging_tables
from reconcile.validate.library import load
from reconcile.validate.rules import Rule, Weight
from reconcile.validate.suites import COLUMNS, rules
from reconcile.validate.validator import Validator

CURRENCIES = Currencies.with_extra({"USDT": 6})

TRANSACTION = Transaction(
    app_id="ap_1",
    transaction_id="tx_1",
    reference="ORD-1",
    currency="INR",
    amount=Decimal("12.50"),
    status="success",
    created_at=datetime(2026, 8, 1, 10, tzinfo=UTC),
    updated_at=None,
    provider_order_id=None,
    provider_txn_id=None,
    payment_type="UPI",
    provider_name=None,
    provider_status=None,
    place=Place("GET /transaction 2026-08-01..2026-08-01 page 1", 1),
)
ENTRY = Entry(
    app_id="ap_1",
    source="tally",
    ledger_id="L1",
    reference="ORD-1",
    currency="INR",
    amount=Decimal("12.50"),
    status="",
    dated_on=date(2026, 8, 1),
    dated_at=None,
    transaction_id=None,
    provider_order_id=None,
    provider_txn_id=None,
    description=None,
    place=Place("August.csv", 2),
)

BROKEN_TRANSACTIONS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("id_present", {"transaction_id": ""}, "id", "", "id is missing"),
    ("currency_known", {"currency": "XAU"}, "currencyCode", "XAU", "is neither an ISO 4217 code nor"),
    ("currency_known", {"currency": "₹"}, "currencyCode", "₹", "is neither an ISO 4217 code nor"),
    ("amount_fits_currency", {"amount": Decimal("1.234")}, "amount", "1.234", "has more decimals than its currency"),
    ("amount_fits_currency", {"amount": Decimal("1E-30")}, "amount", "1E-30", "has more decimals"),
    ("amount_fits_currency", {"amount": Decimal("10000000000000000.001")}, "amount", "10000000000000000.001", "has"),
    ("amount_fits_currency", {"amount": Decimal("0.5"), "currency": "JPY"}, "amount", "0.5", "has more decimals"),
    ("amount_not_negative", {"amount": Decimal("-0.01")}, "amount", "-0.01", "is negative"),
    ("amount_not_negative", {"amount": Decimal(-(10**29))}, "amount", "-" + "1" + "0" * 29, "is negative"),
]  # fmt: skip
BROKEN_ENTRIES: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("id_present", {"ledger_id": ""}, "ledger_id", "", "ledger_id is missing"),
    ("currency_known", {"currency": "RS."}, "currency", "RS.", "is neither an ISO 4217 code nor"),
    ("amount_fits_currency", {"amount": Decimal("-1.234")}, "amount", "-1.234", "has more decimals"),
]


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(CURRENCIES)


def judged(
    engine: Engine, validator: Validator, records: Sequence[Transaction | Entry]
) -> tuple[list[str], list[dict[str, Any]]]:
    """The ids of the records that may be used, in their order, and the rejections by their rows."""
    kspay = isinstance(records[0], Transaction)
    with staging_tables(engine) as tables:
        tables.add(records, [])
        assert tables.judge(validator, Side.KSPAY if kspay else Side.LEDGER, CURRENCIES, "it") == ()
        assert tables._read == len(records)
        staged, name = ("staged_transactions", "transaction_id") if kspay else ("staged_entries", "ledger_id")
        sound = tables._connection.scalars(text(f"select {name} from {staged} order by ctid")).all()  # noqa: S608
        found = tables._connection.execute(text("select * from staged_rejections order by row_number, raw"))
        return list(sound), [dict(row) for row in found.mappings()]


@pytest.mark.parametrize(("rule", "changes", "field", "value", "reason"), BROKEN_TRANSACTIONS)
def test_a_transaction_that_must_not_be_used(
    fresh_engine: Engine,
    validator: Validator,
    rule: str,
    changes: dict[str, Any],
    field: str,
    value: str,
    reason: str,
) -> None:
    bad = replace(TRANSACTION, **changes)
    sound, (found,) = judged(fresh_engine, validator, [TRANSACTION, bad, TRANSACTION])
    assert sound == ["tx_1", "tx_1"]
    assert (found["side"], found["source"], found["app_id"]) == ("kspay", "kspay", "ap_1")
    assert (found["field"], found["value"]) == (field, value)
    assert (found["file"], found["row_number"]) == (bad.place.file, bad.place.row)
    assert reason in found["reason"]
    assert found["record_id"] == (bad.transaction_id or None)
    assert found["currency"] == (bad.currency if bad.currency in CURRENCIES.digits else None)
    assert found["dated_at"] == bad.created_at
    raw = json.loads(found["raw"], parse_float=Decimal)
    assert Decimal(raw["amount"]) == bad.amount
    assert raw["referenceNumber"] == "ORD-1"
    typed = json.loads(found["typed"], parse_float=Decimal)
    assert set(typed) == set(asdict(bad)) - {"place"}


@pytest.mark.parametrize(("rule", "changes", "field", "value", "reason"), BROKEN_ENTRIES)
def test_an_entry_that_must_not_be_used(
    fresh_engine: Engine,
    validator: Validator,
    rule: str,
    changes: dict[str, Any],
    field: str,
    value: str,
    reason: str,
) -> None:
    bad = replace(ENTRY, **changes)
    sound, (found,) = judged(fresh_engine, validator, [bad, ENTRY])
    assert sound == ["L1"]
    assert (found["side"], found["source"], found["app_id"]) == ("ledger", "tally", "ap_1")
    assert (found["field"], found["value"]) == (field, value)
    assert (found["file"], found["row_number"]) == (ENTRY.place.file, ENTRY.place.row)
    assert reason in found["reason"]
    assert found["record_id"] == (bad.ledger_id or None)
    assert (found["dated_on"], found["dated_at"]) == (date(2026, 8, 1), None)
    assert [
        one.name for one in validator.rules["entries"] if one.reason and one.reason in found["reason"]
    ] == [rule]


@pytest.mark.parametrize(
    ("suite", "cases"), [("transactions", BROKEN_TRANSACTIONS), ("entries", BROKEN_ENTRIES)]
)
def test_every_quarantining_expectation_is_broken_by_a_case_above(
    validator: Validator, suite: str, cases: list[Any]
) -> None:
    quarantining = {rule.name for rule in validator.rules[suite] if rule.weight is Weight.QUARANTINES}
    assert {case[0] for case in cases} == quarantining


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Decimal(0)},
        {"amount": Decimal("1.500000"), "currency": "USDT"},
        {"amount": Decimal("12.500")},
        {"amount": Decimal("1E+5"), "currency": "JPY"},
        {"amount": Decimal("9" * 30 + ".99")},
        {"transaction_id": "order_1"},
        {"reference": None, "status": ""},
    ],
)
def test_what_may_be_used_passes_unaltered(
    fresh_engine: Engine, validator: Validator, changes: dict[str, Any]
) -> None:
    record = replace(TRANSACTION, **changes)
    assert judged(fresh_engine, validator, [record]) == ([record.transaction_id], [])


@pytest.mark.parametrize(
    ("changes", "expectation"),
    [
        ({"created_at": datetime(1970, 1, 1, tzinfo=UTC)}, "created_since_2000"),
        ({"transaction_id": "pay_1"}, "id_has_prefix"),
        ({"status": "on its way"}, "status_known"),
        ({"amount": Decimal("1000000000000.01")}, "amount_within_bound"),
    ],
)
def test_what_only_warns_is_counted_and_used(
    fresh_engine: Engine, changes: dict[str, Any], expectation: str
) -> None:
    fresh, odd = Validator(CURRENCIES), replace(TRANSACTION, **changes)
    assert judged(fresh_engine, fresh, [odd, TRANSACTION])[1] == []
    (found,) = [suite for suite in fresh.summary() if suite["suite"] == "transactions"]
    (failure,) = found["failures"]
    assert (failure["expectation"], failure["weight"], failure["count"]) == (expectation, "warns", 1)


@pytest.mark.parametrize("status", ["SUCCESS", "Partially refunded", "partially-refunded", " failed "])
def test_case_blanks_hyphens_and_underscores_of_a_status_do_not_count(
    fresh_engine: Engine, status: str
) -> None:
    fresh = Validator(CURRENCIES)
    judged(fresh_engine, fresh, [replace(TRANSACTION, status=status)])
    assert fresh.summary()[0]["failures"] == ()


def test_a_negative_entry_books_a_refund(fresh_engine: Engine, validator: Validator) -> None:
    assert judged(fresh_engine, validator, [replace(ENTRY, amount=Decimal("-12.50"))]) == (["L1"], [])


def test_a_record_with_several_faults_is_one_rejection(fresh_engine: Engine, validator: Validator) -> None:
    bad = replace(TRANSACTION, transaction_id="", amount=Decimal("-1.234"))
    _, (found,) = judged(fresh_engine, validator, [bad])
    assert found["field"] == "id;amount;amount"
    assert found["value"] == ";-1.234;-1.234"
    assert found["reason"].count(";") == 2


def test_all_that_are_broken_are_named_however_many(
    fresh_engine: Engine, validator: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.load.staging_tables._AT_ONCE", 300)
    batch = [
        replace(ENTRY, ledger_id=f"L{number}", amount=Decimal(number) / 1000) for number in range(1, 2001)
    ]
    sound, rejected = judged(fresh_engine, validator, batch)
    assert sound == [record.ledger_id for record in batch if record.amount * 100 % 1 == 0]
    assert {one["record_id"] for one in rejected} == {
        record.ledger_id for record in batch if record.amount * 100 % 1 != 0
    }


def test_bounds_are_exact_to_the_last_of_thirty_digits(fresh_engine: Engine) -> None:
    """As a binary float 100000.1 is a little more, and a long amount is another one."""
    own = Rule(
        "ceiling",
        Weight.QUARANTINES,
        "ExpectColumnValuesToBeBetween",
        {"column": "amount", "max_value": 100000.1},
        "Dearer things are not sold.",
        "amount",
        "is too much",
        own=True,
    )
    validator = Validator(Currencies.with_extra({"LONG": 18}), own={"entries": (own,)})
    amounts = [
        "100000.1", "100000.100000000000000001", "100000.099999999999999999", "123456789012.123456789012345678",
    ]  # fmt: skip
    batch = [replace(ENTRY, ledger_id=amount, amount=Decimal(amount), currency="LONG") for amount in amounts]
    sound, rejected = judged(fresh_engine, validator, batch)
    assert sound == [amounts[0], amounts[2]]
    assert {one["value"] for one in rejected} == {amounts[1], amounts[3]}


def test_the_summary_adds_up_over_loads(fresh_engine: Engine) -> None:
    validator = Validator(CURRENCIES)
    other = replace(TRANSACTION, transaction_id="pay_1")
    judged(fresh_engine, validator, [TRANSACTION, other])
    judged(fresh_engine, validator, [TRANSACTION, replace(other, amount=Decimal(-1))])
    transactions, entries = validator.summary()
    counts = {name: transactions[name] for name in ("evaluated", "successful", "records", "quarantined")}
    size = len(validator.rules["transactions"])
    assert counts == {"evaluated": size, "successful": size - 2, "records": 4, "quarantined": 1}
    assert [(one["expectation"], one["count"]) for one in transactions["failures"]] == [
        ("amount_not_negative", 1),
        ("id_has_prefix", 2),
    ]
    assert (entries["evaluated"], entries["records"]) == (0, 0)
    json.dumps(validator.summary())
    validator.restart("transactions")
    assert validator.summary()[0]["records"] == 0


@pytest.mark.parametrize("suite", COLUMNS)
def test_every_expectation_says_why_and_looks_at_columns_that_there_are(
    fresh_engine: Engine, validator: Validator, suite: str
) -> None:
    found = validator.rules[suite]
    assert len({rule.name for rule in found}) == len(found)
    assert all(rule.why.endswith(".") and len(rule.why) > 30 for rule in found)
    with staging_tables(fresh_engine) as tables:
        tables.judge(validator, Side.KSPAY if suite == "transactions" else Side.LEDGER, CURRENCIES, "it")
        columns = tables._connection.execute(text(f"select * from judged_{suite}")).keys()  # noqa: S608
    assert list(columns) == ["place", *COLUMNS[suite]]


@pytest.mark.parametrize(
    ("expectation", "arguments"),
    [
        ("ExpectColumnValuesToNotBeNull", {"column": "amnt"}),
        ("ExpectColumnValuesToMatchRegex", {"column": "currency", "regex": "(("}),
        ("ExpectColumnValuesToBeBetween", {"column": "currency", "min_value": 3}),
    ],
)
def test_an_expectation_that_was_not_evaluated_is_no_success(
    fresh_engine: Engine, expectation: str, arguments: dict[str, Any]
) -> None:
    validator = Validator(CURRENCIES)
    wrong = Rule("wrong", Weight.WARNS, expectation, arguments, "To see what happens.")
    validator.rules["entries"] = (*validator.rules["entries"], wrong)
    with pytest.raises(CheckFailed, match="expectation wrong was not evaluated"):
        judged(fresh_engine, validator, [ENTRY])
    assert rules("entries", CURRENCIES, {})[0].name == "id_present"


@pytest.mark.parametrize("view", ["sample_transactions", "sample_entries"])
def test_columns_are_described_as_sqlalchemy_would(fresh_engine: Engine, view: str) -> None:
    load()
    from great_expectations.expectations.metrics.table_metrics import table_column_types

    with fresh_engine.connect() as connection:
        run_file(connection, f"validate/{view}")
        asked = SimpleNamespace(get_connection=lambda: nullcontext(connection))
        found = table_column_types.get_sqlalchemy_column_metadata(asked, view)
        reflected = inspect(connection).get_columns(view)
    assert [(one["name"], repr(one["type"])) for one in found] == [
        (one["name"], repr(one["type"])) for one in reflected
    ]
