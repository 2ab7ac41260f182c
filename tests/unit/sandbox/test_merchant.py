"""The made-up merchant: the same from the same seed, and wrong exactly where it says so."""

import csv
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reconcile.core.discrepancies import TYPES
from reconcile.core.money import Currencies, decimals, parse_amount
from reconcile.core.records import Period
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.orders import LEDGER_COLUMNS
from reconcile.sandbox.shop import Record
from tests.oracle import reconcile
from tests.oracle.matching import ALL_RULES, E, Policy, T

FIRST_DAY = date(2026, 3, 20)
# Written out again from the user documentation, so that a slip in the sandbox's own words shows.
KSPAY_FAMILIES = {
    "paid": "success succeeded completed paid captured settled",
    "pending": "pending created initiated processing authorized",
    "failed": "failed failure declined error rejected",
    "cancelled": "cancelled canceled expired abandoned",
    "refunded": "refunded partially_refunded",
}
LEDGER_FAMILIES = {
    "paid": "paid settled received posted success completed closed",
    "unpaid": "open unpaid due draft pending overdue",
    "cancelled": "void voided cancelled canceled written_off",
    "refunded": "refunded partially_refunded",
}
CURRENCIES = Currencies().digits


@pytest.fixture(scope="module")
def year_third() -> Merchant:
    return Merchant.made_up(7, FIRST_DAY, 120)


def family(word: str, families: dict[str, str]) -> str:
    return next((name for name, words in families.items() if word.lower() in words.split()), "unknown")


def usable(amount: str | None, currency: str) -> bool:
    """Whether it is an amount of this currency; in the ledger it may be negative."""
    try:
        value = parse_amount(amount or "")
    except ValueError:
        return False
    return currency in CURRENCIES and decimals(value) <= CURRENCIES[currency]


def as_transaction(record: Record, codes: dict[str, str]) -> T | None:
    currency = record["currencyCode"] or codes.get(record["currencyId"], "")
    created = record["createdAt"]
    if not (record["id"] and created and created.endswith("Z")):
        return None
    if not usable(record["amount"], currency) or record["amount"].startswith("-"):
        return None
    if Decimal(record["amount"]) < 0:
        return None
    return T(
        id=record["id"],
        app="ap",
        reference=record["referenceNumber"],
        currency=currency,
        amount=Decimal(record["amount"]),
        family=family(record["status"] or "", KSPAY_FAMILIES),
        created_at=datetime.fromisoformat(created),
        provider_order_id=record["providerOrderId"],
        provider_txn_id=record["providerTxnId"],
        word=record["status"] or "",
    )


def as_entry(row: dict[str, str]) -> E | None:
    try:
        day = date.fromisoformat(row["date"])
    except ValueError:
        return None
    if not (row["ledger_id"] and usable(row["amount"], row["currency"])):
        return None
    return E(
        source="default",
        id=row["ledger_id"],
        app="ap",
        reference=row["reference"] or None,
        currency=row["currency"],
        amount=Decimal(row["amount"]),
        family=family(row["status"] or "paid", LEDGER_FAMILIES),
        day=day,
        transaction_id=row["transaction_id"] or None,
        provider_order_id=row["provider_order_id"] or None,
        provider_txn_id=row["provider_txn_id"] or None,
    )


Found = tuple[str, tuple[str, ...], tuple[str, ...]]


def must_report(merchant: Merchant, rules: tuple[str, ...]) -> Counter[Found]:
    """What the rules, as the oracle reads them, make of the merchant's records."""
    found: Counter[Found] = Counter()
    codes = {currency["id"]: currency["code"] for currency in merchant.currencies}
    transactions = []
    for record in merchant.transactions:
        transaction = as_transaction(record, codes)
        if transaction:
            transactions.append(transaction)
        else:
            found["INVALID_RECORD", (record["id"],) if record["id"] else (), ()] += 1
    distinct = {tuple(row.values()): row for row in merchant.ledger}.values()
    times = Counter(row["ledger_id"] for row in distinct)
    entries = []
    for row in distinct:
        entry = as_entry(row)
        if entry and times[entry.id] == 1:
            entries.append(entry)
        elif row["ledger_id"]:
            found["INVALID_RECORD", (), (row["ledger_id"],)] = 1  # known by its id, however many rows
        else:
            found["INVALID_RECORD", (), ()] += 1
    policy = Policy(timezone=merchant.shop.timezone.key, rules=rules)
    outcome = reconcile(transactions, entries, policy, Period(merchant.first_day, merchant.last_day))
    for wrong in outcome.discrepancies:
        found[wrong.type, wrong.transactions, tuple(entry for _, entry in wrong.entries)] += 1
    return found


FIRST_PASSES = ("transaction_id", "reference", "reference_differs")


@pytest.mark.parametrize(
    ("seed", "first_day", "days", "timezone", "rules"),
    [
        (7, FIRST_DAY, 40, "Asia/Kolkata", FIRST_PASSES),
        (8, date(2025, 12, 10), 40, "Asia/Kolkata", ALL_RULES),  # a turn of the year
        (9, date(2026, 2, 20), 35, "America/New_York", FIRST_PASSES),  # clocks change within
        (9, date(2026, 2, 10), 27, "America/New_York", ALL_RULES),  # the last day has 23 hours
        (9, date(2026, 10, 1), 32, "America/New_York", FIRST_PASSES),  # the last day has 25 hours
        (10, date(2026, 5, 1), 27, "Pacific/Kiritimati", ALL_RULES),
        (11, date(2026, 5, 1), 1, "Asia/Kolkata", FIRST_PASSES),
    ],
)
def test_exactly_the_planted_is_wrong(
    seed: int, first_day: date, days: int, timezone: str, rules: tuple[str, ...]
) -> None:
    merchant = Merchant.made_up(seed, first_day, days, timezone)
    planted = Counter(
        (p.type, tuple(sorted(p.transaction_ids)), tuple(sorted(p.ledger_ids))) for p in merchant.planted
    )
    assert must_report(merchant, rules) == planted


def test_some_of_every_type_are_planted(year_third: Merchant) -> None:
    counts = Counter(planted.type for planted in year_third.planted)
    assert counts.keys() == TYPES.keys()
    assert all(3 <= count <= 16 for count in counts.values()), counts


@pytest.mark.parametrize("start", range(0, 32, 3))
def test_a_month_has_every_type(start: int) -> None:
    merchant = Merchant.made_up(3, FIRST_DAY + timedelta(days=start), 26)
    assert {planted.type for planted in merchant.planted} == TYPES.keys()


def test_planted_ids_exist_on_their_sides(year_third: Merchant) -> None:
    transactions = {record["id"] for record in year_third.transactions}
    entries = {row["ledger_id"] for row in year_third.ledger}
    for planted in year_third.planted:
        assert transactions.issuperset(planted.transaction_ids)
        assert entries.issuperset(planted.ledger_ids)


def test_about_three_thousand_transactions(year_third: Merchant) -> None:
    assert 2_800 <= len(year_third.transactions) <= 3_200
    assert Counter(record["currencyCode"] for record in year_third.transactions)["INR"] > 2_000


def test_the_same_seed_gives_the_same_bytes(year_third: Merchant, tmp_path: Path) -> None:
    again = Merchant.made_up(7, FIRST_DAY, 120)
    other = Merchant.made_up(8, FIRST_DAY, 120)
    assert again == year_third
    year_third.write_ledger(tmp_path / "one.csv")
    again.write_ledger(tmp_path / "two.csv")
    other.write_ledger(tmp_path / "other.csv")
    one, two, third = ((tmp_path / name).read_bytes() for name in ("one.csv", "two.csv", "other.csv"))
    assert one == two
    assert one != third
    assert not {r["id"] for r in other.transactions} & {r["id"] for r in year_third.transactions if r["id"]}
    assert other.app_id != year_third.app_id
    assert other.secret_key != year_third.secret_key


def test_the_ledger_file_holds_the_rows(year_third: Merchant, tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    year_third.write_ledger(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        assert list(rows) == year_third.ledger
    assert tuple(rows.fieldnames or ()) == LEDGER_COLUMNS


def test_a_moved_window_keeps_the_days() -> None:
    """A day later all payments are still there, and only those under way at the end have changed."""
    before = Merchant.made_up(7, FIRST_DAY, 40)
    after = Merchant.made_up(7, FIRST_DAY + timedelta(days=1), 40)
    first_of_both = after.shop.instant(after.first_day, datetime.min.time())
    # A planted case appears when its day leaves the margin at the end, so compare by day and id.
    old = {r["id"]: r for r in before.transactions if r["createdAt"] and r["id"]}
    new = {r["id"]: r for r in after.transactions if r["createdAt"] and r["id"]}
    kept = {
        key
        for key, record in old.items()
        if datetime.fromisoformat(record["createdAt"]).replace(tzinfo=UTC) >= first_of_both
        # What a planted case of the day that left the window did on later days left with it.
        and f"{before.first_day:%Y-%j}900" not in str(record["referenceNumber"])
    }
    gone = kept - new.keys()
    assert len(gone) <= 2, "only the payments of the first day's late orders may go with it"
    changed = {key for key in kept & new.keys() if old[key] != new[key]}
    assert 0 < len(changed) < 20
    assert all(old[key]["amount"] == new[key]["amount"] for key in changed)
    assert all(old[key]["createdAt"] == new[key]["createdAt"] for key in changed)


def test_payments_around_midnight_lie_on_two_days(year_third: Merchant) -> None:
    zone = ZoneInfo("Asia/Kolkata")
    instants = [datetime.fromisoformat(r["createdAt"]) for r in year_third.transactions if r["createdAt"]]
    aware = [instant for instant in instants if instant.tzinfo]
    assert sum(instant.date() != instant.astimezone(zone).date() for instant in aware) > 200
    clocks = {instant.astimezone(zone).time().isoformat() for instant in aware}
    assert {"00:00:00", "23:59:59.999000"} <= clocks


def test_no_payment_before_the_app_or_outside_the_days(year_third: Merchant) -> None:
    assert year_third.created_on == FIRST_DAY - timedelta(days=2)
    for record in year_third.transactions:
        if record["createdAt"] and record["createdAt"].endswith("Z"):
            created = datetime.fromisoformat(record["createdAt"])
            assert FIRST_DAY <= year_third.shop.business_date(created) <= year_third.last_day
            assert created <= datetime.fromisoformat(record["updatedAt"])


def test_ids_have_the_shape_of_kspay(year_third: Merchant) -> None:
    for record in year_third.transactions:
        for name, prefix in (
            ("id", "tx_"),
            ("currencyId", "c_"),
            ("paymentMethodId", "pm_"),
            ("appId", "ap_"),
        ):
            if record[name] is not None:
                assert re.fullmatch(prefix + "[A-Za-z0-9]+", record[name])
                assert len(record[name]) == 12
        assert isinstance(record["amount"], str | None)


@pytest.mark.parametrize(
    "shape",
    [
        r"00\d+",
        r"\d+E\d+",
        r"[A-Z]{3}\d{1,2}",
        r"=SUM\(\d+\+1\)",
        r"\d{20}",
        r"\d+/\d+",
        r"\+.*",
        r"-.*",
        r"@.*",
        r'.*".*,.*',
        r".*[^\x00-\x7f].*",
    ],
)
def test_references_that_a_spreadsheet_would_mangle(year_third: Merchant, shape: str) -> None:
    references = {row["reference"] for row in year_third.ledger}
    references |= {record["referenceNumber"] or "" for record in year_third.transactions}
    assert any(re.fullmatch(shape, reference) for reference in references)


def test_odd_references_are_among_the_broken_too(year_third: Merchant) -> None:
    wrong = {entry for planted in year_third.planted for entry in planted.ledger_ids}
    odd = [
        row
        for row in year_third.ledger
        if row["ledger_id"] in wrong and row["reference"] and not row["reference"].startswith("ORD-")
    ]
    assert len(odd) > 10


def test_secrets_are_masked(year_third: Merchant) -> None:
    shown = repr(year_third) + repr(year_third.shop)
    assert year_third.access_key not in shown
    assert year_third.secret_key not in shown


def test_no_days_are_no_merchant() -> None:
    with pytest.raises(ValueError, match="at least one day"):
        Merchant.made_up(7, FIRST_DAY, 0)
