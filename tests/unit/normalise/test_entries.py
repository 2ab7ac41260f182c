"""From raw rows to typed records: what is read, what is refused, and in which words."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.money import Currencies
from reconcile.core.records import TEXT_FAULTS, Entry, Place, RawRow, Rejection, Side, Transaction
from reconcile.core.rejections import MAX_RAW, MAX_VALUE
from reconcile.ledger.file import BROKEN
from reconcile.normalise.entries import EntryNormaliser
from reconcile.normalise.fields import MAX_KEY, MAX_TEXT
from reconcile.normalise.transactions import TransactionNormaliser

CURRENCIES = Currencies()
PLACE = Place("GET /transaction 2024-08-26..2024-08-26 page 1", 7)

WIRE: dict[str, Any] = {
    "id": "tx_aNNJ7BJbt",
    "providerOrderId": "4AM954523V5514225",
    "currencyId": "c_wQOPe0WCeW",
    "appId": "ap_mPFz05qW2",
    "referenceNumber": "yo3pEaqOfMXbhGJx",
    "paymentMethodId": "pm_mbS72zjCr",
    "amount": "11",
    "currencyCode": "USD",
    "origin": "http://localhost:3030",
    "paymentType": "PAYPAL",
    "providerName": "PAYPAL",
    "providerTxnId": None,
    "signature": "secret-signature",
    "status": "PENDING",
    "providerStatus": "CREATED",
    "createdAt": "2024-08-26T05:24:17.425Z",
    "updatedAt": "2024-09-05T10:00:08.700Z",
}

LEDGER = {
    "ledger_id": "L1",
    "amount": "1250.00",
    "date": "2026-08-01",
    "currency": "INR",
    "reference": "ORD-1",
    "status": "Paid",
    "transaction_id": "tx_1",
    "provider_order_id": "order_1",
    "provider_txn_id": "pay_1",
    "description": "two shirts",
}


def read_transaction(changes: Mapping[str, Any], *without: str) -> Transaction | Rejection:
    values = {name: value for name, value in {**WIRE, **changes}.items() if name not in without}
    codes = {"c_wQOPe0WCeW": "USD", "c_inr": " inr "}
    (found,) = TransactionNormaliser("ap_mPFz05qW2", CURRENCIES, codes).typed([RawRow(PLACE, values)])
    return found


def read_entry(
    changes: Mapping[str, str], *without: str, default_currency: str | None = None
) -> Entry | Rejection:
    values = {name: value for name, value in {**LEDGER, **changes}.items() if name not in without}
    app_ids = ("ap_1", "ap_2") if "app_id" in changes else ("ap_1",)
    normaliser = EntryNormaliser(app_ids, "tally", default_currency, CURRENCIES)
    (found,) = normaliser.typed([RawRow(Place("August.csv", 5), values)])
    return found


def transaction(changes: Mapping[str, Any], *without: str) -> Transaction:
    found = read_transaction(changes, *without)
    assert isinstance(found, Transaction), found
    return found


def entry(changes: Mapping[str, str], *without: str, default_currency: str | None = None) -> Entry:
    found = read_entry(changes, *without, default_currency=default_currency)
    assert isinstance(found, Entry), found
    return found


def rejected(found: Transaction | Entry | Rejection) -> Rejection:
    assert isinstance(found, Rejection), found
    return found


def test_the_guides_transaction() -> None:
    assert transaction({}) == Transaction(
        app_id="ap_mPFz05qW2",
        transaction_id="tx_aNNJ7BJbt",
        reference="yo3pEaqOfMXbhGJx",
        currency="USD",
        amount=Decimal(11),
        status="PENDING",
        created_at=datetime(2024, 8, 26, 5, 24, 17, 425000, UTC),
        updated_at=datetime(2024, 9, 5, 10, 0, 8, 700000, UTC),
        provider_order_id="4AM954523V5514225",
        provider_txn_id=None,
        payment_type="PAYPAL",
        provider_name="PAYPAL",
        provider_status="CREATED",
        place=PLACE,
    )


def test_a_ledgers_entry() -> None:
    assert entry({}) == Entry(
        app_id="ap_1",
        source="tally",
        ledger_id="L1",
        reference="ORD-1",
        currency="INR",
        amount=Decimal("1250.00"),
        status="Paid",
        dated_on=date(2026, 8, 1),
        dated_at=None,
        transaction_id="tx_1",
        provider_order_id="order_1",
        provider_txn_id="pay_1",
        description="two shirts",
        place=Place("August.csv", 5),
    )


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        ({"amount": Decimal("345.67")}, "amount", Decimal("345.67")),
        ({"amount": 11}, "amount", Decimal(11)),
        ({"amount": "12345678901234567.89"}, "amount", Decimal("12345678901234567.89")),
        ({"amount": Decimal("1E+3")}, "amount", Decimal(1000)),
        ({"amount": "-5"}, "amount", Decimal(-5)),  # typed; the suite refuses it
        ({"amount": "1.23456"}, "amount", Decimal("1.23456")),  # likewise
        ({"currencyCode": " usd "}, "currency", "USD"),
        ({"currencyCode": None}, "currency", "USD"),
        ({"currencyCode": "", "currencyId": "c_inr"}, "currency", "INR"),
        ({"currencyCode": "doge"}, "currency", "DOGE"),  # likewise
        ({"id": None}, "transaction_id", ""),  # likewise
        ({"referenceNumber": 12345678901234567890}, "reference", "12345678901234567890"),
        ({"referenceNumber": 10**400}, "reference", "1" + "0" * 400),
        ({"referenceNumber": Decimal("12.50")}, "reference", "12.50"),
        ({"referenceNumber": " ORD 1 "}, "reference", " ORD 1 "),
        ({"referenceNumber": " \t"}, "reference", None),
        ({"referenceNumber": "заказ-№1"}, "reference", "заказ-№1"),
        ({"status": None}, "status", ""),
        ({"status": " Success "}, "status", "Success"),
        ({"appId": None}, "app_id", "ap_mPFz05qW2"),
        ({"createdAt": "2024-08-26T10:54:17+05:30"}, "created_at", datetime(2024, 8, 26, 5, 24, 17, tzinfo=UTC)),
        ({"createdAt": "2024-08-26 05:24:17Z"}, "created_at", datetime(2024, 8, 26, 5, 24, 17, tzinfo=UTC)),
        ({"createdAt": "2024-08-26T05:24Z"}, "created_at", datetime(2024, 8, 26, 5, 24, tzinfo=UTC)),
        (
            {"createdAt": "2024-08-26T05:24:17.123456999Z"},
            "created_at",
            datetime(2024, 8, 26, 5, 24, 17, 123456, UTC),
        ),
        ({"updatedAt": None}, "updated_at", None),
        ({"updatedAt": ""}, "updated_at", None),
        ({"updatedAt": "  "}, "updated_at", None),
    ],
)  # fmt: skip
def test_a_transactions_field_is_read(changes: dict[str, Any], attribute: str, value: object) -> None:
    found = getattr(transaction(changes), attribute)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "name", ["referenceNumber", "updatedAt", "providerOrderId", "status", "appId", "currencyId"]
)
def test_a_field_that_may_be_missing(name: str) -> None:
    transaction({}, name)


DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"id": 17}, "id", "id is not a text"),
        ({"id": "x" * (MAX_KEY + 1)}, "id", "has 501 characters, but at most 500 are allowed"),
        ({"id": "x" * 2**20}, "id", "characters, but at most 500"),
        ({"referenceNumber": "a\0b"}, "referenceNumber", "holds a character that cannot be stored"),
        ({"referenceNumber": "a\ud800"}, "referenceNumber", "holds a character that cannot be stored"),
        ({"referenceNumber": True}, "referenceNumber", "is not a text"),
        ({"referenceNumber": 1.5}, "referenceNumber", "is not a text"),
        ({"referenceNumber": 10**5000}, "referenceNumber", "characters, but at most 500"),
        ({"status": 200}, "status", "is not a text"),
        ({"providerStatus": {"a": 1}}, "providerStatus", "is not a text"),
        ({"appId": "ap_other"}, "appId", "names another app than the requested ap_mPFz05qW2"),
        ({"amount": None}, "amount", "amount is missing"),
        ({"amount": ""}, "amount", "is not a number"),
        ({"amount": True}, "amount", "neither a text nor a number"),
        ({"amount": 1.5}, "amount", "neither a text nor a number"),
        ({"amount": ["1"]}, "amount", "neither a text nor a number"),
        ({"amount": DEEP}, "amount", "neither a text nor a number"),
        ({"amount": Decimal("NaN")}, "amount", "is not a number"),
        ({"amount": Decimal("sNaN")}, "amount", "is not a number"),
        ({"amount": Decimal("1e999999")}, "amount", "has more than 30 digits"),
        ({"amount": 10**5000}, "amount", "has more than 30 digits"),
        ({"amount": "1,250.00"}, "amount", "is not a number"),
        ({"amount": "1_0"}, "amount", "is not a number"),
        ({"currencyCode": None, "currencyId": None}, "currencyCode", "is missing, and so is currencyId"),
        ({"currencyCode": None, "currencyId": "c_x"}, "currencyId", "is not among the currencies"),
        ({"currencyCode": 356}, "currencyCode", "is not a text"),
        ({"createdAt": None}, "createdAt", "createdAt is missing"),
        ({"createdAt": ""}, "createdAt", "is not an ISO 8601 date"),
        ({"createdAt": "2024-08-26T05:24:17"}, "createdAt", "must be a time with its time zone"),
        ({"createdAt": "2024-08-26"}, "createdAt", "must be a time with its time zone"),
        ({"createdAt": 1724649857425}, "createdAt", "is not a text: it must be a time"),
        ({"createdAt": "2024-02-30T00:00:00Z"}, "createdAt", "is not a day or time that exists"),
        ({"createdAt": "2024-08-26T25:00:00Z"}, "createdAt", "is not a day or time that exists"),
        ({"createdAt": "2024-08-26T05:24:17+99:00"}, "createdAt", "is not a day or time that exists"),
        ({"createdAt": "0001-01-01T00:00:00+14:00"}, "createdAt", "between the years 1900 and 2100"),
        ({"createdAt": "9999-12-31T23:59:59-14:00"}, "createdAt", "between the years 1900 and 2100"),
        ({"updatedAt": "yesterday"}, "updatedAt", "is not an ISO 8601 date"),
        ({"updatedAt": False}, "updatedAt", "is not a text: it must be a time"),
    ],
)  # fmt: skip
def test_a_transaction_that_cannot_be_typed(changes: dict[str, Any], field: str, reason: str) -> None:
    found = rejected(read_transaction(changes))
    assert (found.side, found.source, found.app_id) == (Side.KSPAY, "kspay", "ap_mPFz05qW2")
    assert (found.field, found.place) == (field, PLACE)
    assert reason in found.reason
    assert ";" not in found.reason
    assert len(found.value) <= MAX_VALUE
    for text in (found.value, found.reason, found.raw):
        text.encode()
        assert "\0" not in text
    assert "signature" not in found.raw
    if "id" not in changes:
        assert found.record_id == "tx_aNNJ7BJbt"
    if "currency" not in field:
        assert found.currency == "USD"
    if field != "createdAt":
        assert found.dated_at == datetime(2024, 8, 26, 5, 24, 17, 425000, UTC)


def test_all_problems_of_a_record_are_told_at_once() -> None:
    found = rejected(read_transaction({"amount": "lots", "currencyCode": 7, "createdAt": "soon"}))
    assert found.field == "currencyCode;amount;createdAt"
    assert found.value == "7;lots;soon"
    assert found.reason.count(";") == 2
    assert (found.currency, found.dated_at) == (None, None)


def test_a_rejections_currency_is_one_that_can_be_reported() -> None:
    assert rejected(read_transaction({"amount": "x", "currencyCode": "rupees"})).currency is None


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({"createdAt": None}, "1250.5"),
        ({"createdAt": None, "amount": "12.345"}, None),  # more decimals than its currency has
        ({"createdAt": None, "amount": "-5"}, None),
        ({"createdAt": None, "currencyCode": "XYZ"}, None),
        ({"createdAt": None, TEXT_FAULTS: (("amount", "NaN", "is no number"),)}, None),
        ({"amount": "much"}, None),
    ],
)
def test_a_transactions_amount_is_kept_where_it_is_sure(changes: dict[str, Any], amount: str | None) -> None:
    found = rejected(read_transaction({"amount": "1250.50"} | changes))
    assert found.amount == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({"date": "soon"}, "499.5"),
        ({"date": "soon", "amount": "(499.50)"}, "-499.5"),
        ({"date": "soon", "amount": "499.505"}, None),
        ({"date": "soon", "currency": "XYZ"}, None),
        ({"date": "soon", "currency": ""}, None),
        ({"amount": "much"}, None),
    ],
)
def test_an_entrys_amount_is_kept_where_it_is_sure(changes: dict[str, str], amount: str | None) -> None:
    found = rejected(read_entry({"amount": "499.50", "currency": "INR"} | changes))
    assert found.amount == (None if amount is None else Decimal(amount))


def test_an_empty_object_is_a_rejection() -> None:
    (found,) = TransactionNormaliser("ap", CURRENCIES, {}).typed([RawRow(PLACE, {})])
    assert rejected(found).field == "currencyCode;amount;createdAt"
    assert rejected(found).record_id is None


def test_raw_is_the_record_with_its_digits_and_without_its_secret() -> None:
    found = rejected(
        read_transaction({"amount": Decimal("1.10"), "createdAt": "?", "z": [Decimal("2.50"), 2**70]})
    )
    record = json.loads(found.raw, parse_float=Decimal)
    assert str(record["amount"]) == "1.10"
    assert record["z"] == [Decimal("2.50"), 2**70]
    assert list(record) == sorted(record)
    assert "secret-signature" not in found.raw


def test_two_long_records_that_differ_late_stay_two() -> None:
    raws = {rejected(read_transaction({"id": "x" * 2**20 + end})).raw for end in "ab"}
    assert len(raws) == 2
    assert all(len(raw) < MAX_RAW + 200 for raw in raws)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1250", "1250"),
        (" 1250.5 ", "1250.5"),
        ("-3.50", "-3.5"),
        ("1,250.00", "1250"),
        ("1,250,000", "1250000"),
        ("1,23,456.78", "123456.78"),
        ("12,34,56,789.00", "123456789"),
        ("1,00,000", "100000"),
        ("-1,250.00", "-1250"),
        ("123456789012345678901234.56", "123456789012345678901234.56"),
        ("1250,00", "1250"),
        ("1.250,00", "1250"),
        ("1 250.00", "1250"),
        ("₹1250", "1250"),
        ("(1250)", "-1250"),
        ("1250-", "-1250"),
    ],
)
def test_amounts_as_ledgers_write_them(text: str, value: str) -> None:
    assert entry({"amount": text}).amount == Decimal(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "amount is missing"),
        ("  ", "amount is missing"),
        ("1,250", "may use its comma for thousands or for decimals: write 1250.00"),
        ("1,2,3", "write it with a decimal point"),
        ("12,50,00.00", "write it with a decimal point"),
        ("1,250.00,5", "write it with a decimal point"),
        ("1.25E+05", "is in scientific notation"),
        ("#REF!", "is not a number"),
        ("١٢٥", "is not a number"),
        ("1250.00\n", None),
        ("12\n50", "is not a number"),
    ],
)
def test_amounts_that_would_need_a_guess(text: str, reason: str | None) -> None:
    if reason is None:
        assert entry({"amount": text}).amount == 1250
    else:
        found = rejected(read_entry({"amount": text}))
        assert (found.field, found.record_id, found.currency) == ("amount", "L1", "INR")
        assert found.dated_on == date(2026, 8, 1)
        assert reason in found.reason


@pytest.mark.parametrize(
    ("text", "on", "at"),
    [
        (" 2026-08-01 ", date(2026, 8, 1), None),
        ("2026/08/01", date(2026, 8, 1), None),
        ("20260801", date(2026, 8, 1), None),
        ("2026-8-1", date(2026, 8, 1), None),
        ("1 Aug 2026", date(2026, 8, 1), None),
        ("2026-08-01T23:30", date(2026, 8, 1), None),
        ("2026-08-01 23:30:00.5", date(2026, 8, 1), None),
        ("2026-08-01T23:30:00Z", None, datetime(2026, 8, 1, 23, 30, tzinfo=UTC)),
        ("2026-08-02T01:00:00+05:30", None, datetime(2026, 8, 1, 19, 30, tzinfo=UTC)),
        ("2026-08-02 01:00:00 +0530", None, datetime(2026, 8, 1, 19, 30, tzinfo=UTC)),
        ("2024-02-29", date(2024, 2, 29), None),
    ],
)
def test_dates_as_ledgers_write_them(text: str, on: date | None, at: datetime | None) -> None:
    found = entry({"date": text})
    assert (found.dated_on, found.dated_at) == (on, at)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "date is missing"),
        ("03/04/2026", "write it as YYYY-MM-DD"),
        ("01-08-2026", "write it as YYYY-MM-DD"),
        ("2026-W31-6", "write it as YYYY-MM-DD"),
        ("46235", "write it as YYYY-MM-DD"),
        ("２０２６-08-01", "write it as YYYY-MM-DD"),
        ("2026-02-30", "is not a day or time that exists"),
        ("2026-13-01", "is not a day or time that exists"),
        ("2026-08-01T24:30", "is not a day or time that exists"),
        ("1899-12-31", "between the years 1900 and 2100"),
        ("0026-08-01", "between the years 1900 and 2100"),
        ("2101-01-01", "between the years 1900 and 2100"),
    ],
)
def test_dates_that_would_need_a_guess(text: str, reason: str) -> None:
    found = rejected(read_entry({"date": text}))
    assert (found.field, found.value) == ("date", text)
    assert reason in found.reason
    assert (found.dated_on, found.dated_at) == (None, None)


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        ({"ledger_id": " L1 "}, "ledger_id", "L1"),
        ({"ledger_id": "  "}, "ledger_id", ""),  # the suite refuses it
        ({"currency": " inr"}, "currency", "INR"),
        ({"currency": "Doubloon"}, "currency", "DOUBLOON"),  # likewise
        ({"currency": "₹"}, "currency", "INR"),
        ({"status": " "}, "status", ""),
        ({"reference": " a b "}, "reference", "a b"),
        ({"reference": ""}, "reference", None),
        ({"transaction_id": " tx_1 "}, "transaction_id", "tx_1"),
        ({"app_id": "ap_2"}, "app_id", "ap_2"),
        ({"description": "two\nlines"}, "description", "two\nlines"),
        ({"amount": "-5"}, "amount", Decimal(-5)),
    ],
)
def test_an_entrys_field_is_read(changes: dict[str, str], attribute: str, value: object) -> None:
    assert getattr(entry(changes), attribute) == value


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"currency": " "}, "currency", "is missing: write its ISO 4217 code"),
        ({"app_id": "ap_9"}, "app_id", "names an app that is not in the settings"),
        ({"app_id": ""}, "app_id", "is missing: there are several apps, so each row must name its own"),
        ({"app_id": "  "}, "app_id", "is missing: there are several apps, so each row must name its own"),
        ({"ledger_id": "a\nb"}, "ledger_id", "holds a line break"),
        ({"reference": "a\tb"}, "reference", "holds a line break or a tab"),
        ({"reference": "caf\udce9"}, "reference", "holds a character that cannot be stored"),
        ({"reference": "x" * 501}, "reference", "has 501 characters"),
        ({"description": "x" * (MAX_TEXT + 1)}, "description", "has 10001 characters"),
        ({"status": "a\0"}, "status", "holds a character that cannot be stored"),
    ],
)
def test_an_entry_that_cannot_be_typed(changes: dict[str, str], field: str, reason: str) -> None:
    found = rejected(read_entry(changes, default_currency="USD"))
    assert (found.side, found.source, found.app_id, found.field) == (Side.LEDGER, "tally", "ap_1", field)
    assert reason in found.reason
    found.raw.encode()


def test_a_row_that_is_no_record_is_known_by_its_text() -> None:
    rows = [RawRow(Place("a.csv", 3), {BROKEN: "has 2 cells, but the header has 4", "line": "L1,5"})]
    (found,) = EntryNormaliser(("ap_1",), "default", None, CURRENCIES).typed(rows)
    found = rejected(found)
    assert (found.field, found.value, found.record_id) == ("row", "L1,5", None)
    assert found.reason == "row has 2 cells, but the header has 4"
    assert json.loads(found.raw) == {"line": "L1,5"}


@pytest.mark.parametrize(("default", "currency"), [("INR", "INR"), (None, None)])
def test_a_ledger_without_a_currency_column(default: str | None, currency: str | None) -> None:
    found = read_entry({}, "currency", default_currency=default)
    if currency is None:
        assert "currency is missing" in rejected(found).reason
    else:
        assert isinstance(found, Entry)
        assert found.currency == currency


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["2024-08-26T05:24:17Z", "INR", "12.50", "c_inr", "ap_mPFz05qW2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(WIRE)), json_values), max_size=4))
def test_whatever_kspay_sends_one_value_comes_out(records: list[dict[str, Any]]) -> None:
    rows = [RawRow(Place("page", number), record) for number, record in enumerate(records, start=1)]
    found = list(TransactionNormaliser("ap_mPFz05qW2", CURRENCIES, {"c_inr": "INR"}).typed(rows))
    assert [one.place.row for one in found] == list(range(1, len(records) + 1))
    for one in found:
        if isinstance(one, Rejection):
            assert one.reason
            assert one.field
            one.raw.encode()
            assert "\0" not in one.raw + one.value + (one.record_id or "")


@given(
    st.lists(
        st.dictionaries(st.sampled_from(sorted(LEDGER)), st.text(st.characters(), max_size=30)), max_size=4
    )
)
def test_whatever_a_ledger_holds_one_value_comes_out(records: list[dict[str, str]]) -> None:
    rows = [RawRow(Place("a.csv", number), record) for number, record in enumerate(records, start=2)]
    found = list(EntryNormaliser(("ap_1",), "default", "INR", CURRENCIES).typed(rows))
    assert [one.place.row for one in found] == list(range(2, len(records) + 2))


@given(
    st.decimals(min_value=-(10**15), max_value=10**15, places=2),
    st.sampled_from(["western", "indian", "plain"]),
)
def test_amounts_survive_every_grouping(value: Decimal, style: str) -> None:
    text = f"{value:.2f}" if style == "plain" else f"{value:,.2f}"
    if style == "indian":
        sign, _, digits = text.replace(",", "").rpartition("-")
        whole, _, fraction = digits.partition(".")
        head, tail = whole[:-3], whole[-3:]
        pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
        text = ("-" if "-" in text else "") + ",".join([*pairs, tail]) + "." + fraction
        assert sign == ""
    assert entry({"amount": text}).amount == value


@given(
    st.datetimes(datetime(1901, 1, 1), datetime(2099, 12, 30)),  # noqa: DTZ001 - the zone is drawn apart
    st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_survives_every_zone(naive: datetime, minutes: int) -> None:
    instant = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    found = transaction({"createdAt": instant.isoformat()})
    assert found.created_at == instant
    assert found.created_at.tzinfo is UTC
    assert entry({"date": instant.isoformat()}).dated_at == instant


def test_what_its_text_spoils_is_named_once_and_first() -> None:
    faults = (
        ("amount", "NaN", "is NaN or infinite, which JSON does not allow"),
        ("origin", r"\xe9", "holds bytes that are not UTF-8"),
    )
    found = rejected(
        read_transaction({"amount": "NaN", "origin": r"\xe9", "createdAt": "soon", TEXT_FAULTS: faults})
    )
    assert found.field == "amount;origin;createdAt"
    assert found.value == r"NaN;\xe9;soon"
    assert found.reason.startswith(
        "amount is NaN or infinite, which JSON does not allow;origin holds bytes that are not UTF-8;createdAt "
    )
    assert found.record_id == "tx_aNNJ7BJbt"
    assert json.loads(found.raw)["origin"] == r"\xe9"
    assert TEXT_FAULTS not in json.loads(found.raw)


def test_an_id_that_cannot_be_read_is_none() -> None:
    found = rejected(
        read_transaction(
            {"id": r"tx_\xff", TEXT_FAULTS: (("id", r"tx_\xff", "holds bytes that are not UTF-8"),)}
        )
    )
    assert (found.record_id, found.field, found.value) == (None, "id", r"tx_\xff")
