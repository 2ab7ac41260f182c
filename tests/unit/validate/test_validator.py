"""What the suites keep out, what they count, and that they never pass what they did not look at."""

import gc
import json
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconcile.core.errors import CheckFailed
from reconcile.core.money import Currencies
from reconcile.core.records import Entry, Place, Side, Transaction
from reconcile.validate import validator as expectations
from reconcile.validate.rules import Failure, Validation, Weight, rules
from reconcile.validate.validator import Validator, preload

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
    preload()
    return Validator(CURRENCIES)


@pytest.mark.parametrize(("rule", "changes", "field", "value", "reason"), BROKEN_TRANSACTIONS)
def test_a_transaction_that_must_not_be_used(
    validator: Validator, rule: str, changes: dict[str, Any], field: str, value: str, reason: str
) -> None:
    bad = replace(TRANSACTION, **changes)
    sound, (found,) = validator.transactions([TRANSACTION, bad, TRANSACTION])
    assert sound == [TRANSACTION, TRANSACTION]
    assert (found.side, found.source, found.app_id) == (Side.KSPAY, "kspay", "ap_1")
    assert (found.field, found.value, found.place) == (field, value, bad.place)
    assert reason in found.reason
    assert found.record_id == (bad.transaction_id or None)
    assert found.currency == (bad.currency if bad.currency in CURRENCIES.digits else None)
    assert found.dated_at == bad.created_at
    raw = json.loads(found.raw, parse_float=Decimal)
    assert Decimal(raw["amount"]) == bad.amount
    assert raw["reference"] == "ORD-1"


@pytest.mark.parametrize(("rule", "changes", "field", "value", "reason"), BROKEN_ENTRIES)
def test_an_entry_that_must_not_be_used(
    validator: Validator, rule: str, changes: dict[str, Any], field: str, value: str, reason: str
) -> None:
    bad = replace(ENTRY, **changes)
    sound, (found,) = validator.entries([bad, ENTRY])
    assert sound == [ENTRY]
    assert (found.side, found.source, found.app_id) == (Side.LEDGER, "tally", "ap_1")
    assert (found.field, found.value, found.place) == (field, value, ENTRY.place)
    assert reason in found.reason
    assert found.record_id == (bad.ledger_id or None)
    assert (found.dated_on, found.dated_at) == (date(2026, 8, 1), None)


@pytest.mark.parametrize(
    ("suite", "cases"), [("transactions", BROKEN_TRANSACTIONS), ("entries", BROKEN_ENTRIES)]
)
def test_every_quarantining_expectation_is_broken_by_a_case_above(suite: str, cases: list[Any]) -> None:
    quarantining = {rule.name for rule in rules(suite) if rule.weight is Weight.QUARANTINES}
    assert {case[0] for case in cases} == quarantining


def test_an_odd_creation_time_is_counted_and_used() -> None:
    odd = replace(TRANSACTION, created_at=datetime(1970, 1, 1, tzinfo=UTC))
    fresh = Validator(CURRENCIES)
    assert fresh.transactions([odd]) == ([odd], [])
    (found,) = [suite for suite in fresh.summary() if suite["suite"] == "transactions"]
    assert found["failures"] == ({"expectation": "created_since_2000", "weight": "warns", "count": 1},)


@pytest.mark.parametrize("suite", ["transactions", "entries"])
def test_every_expectation_says_why(suite: str) -> None:
    found = rules(suite)
    assert len({rule.name for rule in found}) == len(found)
    assert all(rule.why.endswith(".") and len(rule.why) > 30 for rule in found)


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
def test_what_may_be_used_passes_unaltered(validator: Validator, changes: dict[str, Any]) -> None:
    record = replace(TRANSACTION, **changes)
    sound, rejected = validator.transactions([record])
    assert rejected == []
    assert sound[0] is record


def test_a_negative_entry_books_a_refund(validator: Validator) -> None:
    refund = replace(ENTRY, amount=Decimal("-12.50"))
    assert validator.entries([refund]) == ([refund], [])


def test_a_record_with_several_faults_is_one_rejection(validator: Validator) -> None:
    bad = replace(TRANSACTION, transaction_id="", amount=Decimal("-1.234"))
    _, (found,) = validator.transactions([bad])
    assert found.field == "id;amount;amount"
    assert found.value == ";-1.234;-1.234"
    assert found.reason.count(";") == 2


def test_the_order_of_records_stays(validator: Validator) -> None:
    batch = [
        replace(ENTRY, ledger_id=f"L{number}", amount=Decimal(number) / 1000) for number in range(1, 2001)
    ]
    sound, rejected = validator.entries(batch)
    assert sound == [record for record in batch if record.amount * 100 % 1 == 0]
    assert [one.record_id for one in rejected] == [
        record.ledger_id for record in batch if record.amount * 100 % 1 != 0
    ]


def test_the_summary_adds_up_over_batches() -> None:
    validator = Validator(CURRENCIES)
    assert validator.transactions([]) == ([], [])
    nothing = {"evaluated": 0, "successful": 0, "records": 0, "quarantined": 0, "failures": ()}
    assert validator.summary() == [{"suite": "transactions", **nothing}, {"suite": "entries", **nothing}]
    other = replace(TRANSACTION, transaction_id="pay_1")
    validator.transactions([TRANSACTION, other])
    validator.transactions([TRANSACTION, replace(other, amount=Decimal(-1))])
    transactions, entries = validator.summary()
    assert transactions == {
        "suite": "transactions",
        "evaluated": 6,
        "successful": 4,
        "records": 4,
        "quarantined": 1,
        "failures": (
            {"expectation": "amount_not_negative", "weight": "quarantines", "count": 1},
            {"expectation": "id_has_prefix", "weight": "warns", "count": 2},
        ),
    }
    assert entries == {"suite": "entries", **nothing}
    json.dumps(validator.summary())


def test_a_stage_that_is_run_again_is_counted_once() -> None:
    validator = Validator(CURRENCIES)
    validator.transactions([TRANSACTION])
    validator.entries([ENTRY])
    validator.restart("transactions")
    validator.transactions([TRANSACTION, TRANSACTION])
    assert [(suite["suite"], suite["records"]) for suite in validator.summary()] == [
        ("transactions", 2),
        ("entries", 1),
    ]


def test_validations_add_up_in_any_order() -> None:
    failure = Failure
    one = Validation("entries", 3, 2, 10, 1, (failure("currency_known", Weight.QUARANTINES, 1),))
    two = Validation(
        "entries",
        3,
        1,
        5,
        2,
        (failure("a", Weight.WARNS, 4), failure("currency_known", Weight.QUARANTINES, 2)),
    )
    none = Validation("entries", 0, 0, 0, 0, ())
    assert one + two == two + one
    assert one + none == one == none + one
    assert (one + two).successful == 1
    assert [found.count for found in (one + two).failures] == [4, 3]


@pytest.fixture
def outcome(validator: Validator) -> Callable[[dict[str, list[Any]]], list[Any]]:
    """What Great Expectations itself says of a frame, whatever it holds."""
    return lambda columns: list(validator._run("entries", rules("entries"), columns))


SOUND: dict[str, list[Any]] = {
    "id_letters": [1, 1],
    "currency_decimals": [2, 2],
    "decimals_too_many": [-2, -2],
}


def test_a_sound_outcome_is_a_success(outcome: Callable[[dict[str, list[Any]]], list[Any]]) -> None:
    assert expectations._broken_rules(rules("entries"), outcome(SOUND), 2) == ([], {})


@pytest.mark.parametrize(
    "change",
    [
        {"id_letters": None},
        {"currency_decimals": [None, 2]},
        {"decimals_too_many": ["x", "y"]},
    ],
    ids=["found no column", "passed over a null", "compared nothing"],
)
def test_an_expectation_that_was_not_evaluated_is_no_success(
    outcome: Callable[[dict[str, list[Any]]], list[Any]], change: dict[str, list[Any] | None]
) -> None:
    columns = {name: values for name, values in {**SOUND, **change}.items() if values is not None}
    results = outcome(columns)
    with pytest.raises(CheckFailed, match=r"was not evaluated|without naming"):
        expectations._broken_rules(rules("entries"), results, 2)


def test_a_missing_expectation_or_an_empty_suite_is_no_success(
    outcome: Callable[[dict[str, list[Any]]], list[Any]],
) -> None:
    results = outcome(SOUND)
    with pytest.raises(CheckFailed, match="was not evaluated"):
        expectations._broken_rules(rules("entries"), results[1:], 2)
    with pytest.raises(CheckFailed, match="without expectations"):
        expectations._broken_rules((), results, 2)
    with pytest.raises(CheckFailed, match="on all 3 records"):
        expectations._broken_rules(rules("entries"), results, 3)


def test_two_validators_do_not_mix() -> None:
    plain, extended = Validator(Currencies()), Validator(CURRENCIES)
    tether = replace(ENTRY, currency="USDT")
    assert len(plain.entries([tether])[1]) == 1
    assert len(extended.entries([tether])[1]) == 0
    assert [found.summary()[1]["quarantined"] for found in (plain, extended)] == [1, 0]


def test_threads_may_share_a_validator() -> None:
    validator = Validator(CURRENCIES)
    bad = replace(ENTRY, currency="?")
    outcomes: list[int] = []

    def work() -> None:
        outcomes.extend(len(validator.entries([ENTRY, bad])[1]) for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [1] * 9
    assert validator.summary()[1]["records"] == 18


def test_memory_stays_flat_over_batches(validator: Validator) -> None:
    batch = [replace(ENTRY, currency="?")] * 1_000

    def held() -> int:
        for _ in range(3):
            validator.entries(batch)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = held()
        grown = held() - before
    finally:
        tracemalloc.stop()
    assert grown < 300_000, "3,000 failures of a run are not kept"


QUIET = """
import sys
from pathlib import Path

calls = []

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen"):
        calls.append((event, str(args)))

sys.addaudithook(watch)
from datetime import date
from decimal import Decimal
from reconcile.validate.validator import Validator, preload
assert "great_expectations" not in sys.modules, "imported before it was asked for"
from reconcile.core.money import Currencies
from reconcile.core.records import Entry, Place
preload()
validator = Validator(Currencies())
entry = Entry("ap", "default", "L1", None, "INR", Decimal(1), "", date(2026, 8, 1), None, None, None, None, None,
    Place("a.csv", 2))
assert validator.entries([entry]) == ([entry], [])
print(calls)
"""


def test_it_calls_nobody_writes_nothing_and_prints_nothing(tmp_path: Path) -> None:
    home, work, temporary = (tmp_path / name for name in ("home", "work", "temporary"))
    for folder in (home, work, temporary):
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", QUIET],
        cwd=work,
        env={
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[]"
    assert [path for folder in (home, work, temporary) for path in folder.rglob("*")] == []


def test_a_command_that_ends_during_the_import_ends_quietly(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from reconcile.validate.validator import preload; preload().join(0.5)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
