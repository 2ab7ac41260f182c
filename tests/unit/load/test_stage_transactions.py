"""Pages of KS Pay on their way to the staging tables: plain records by the page are as those read one by one."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.errors import CheckFailed
from reconcile.core.money import Currencies, decimals
from reconcile.core.records import SPOILT, Place, RawRow, Transaction
from reconcile.load.stage_transactions import COLUMNS, Kind, plain_transactions
from reconcile.normalise import entries as normalise
from reconcile.validate.validator import Validator

CURRENCIES = Currencies()
APP = "ap_mPFz05qW2"

WIRE: dict[str, Any] = {
    "id": "tx_aNNJ7BJbt",
    "providerOrderId": "4AM954523V5514225",
    "currencyId": "c_wQOPe0WCeW",
    "appId": APP,
    "referenceNumber": "yo3pEaqOfMX-bhGJx",
    "amount": "11",
    "currencyCode": "usd",
    "paymentType": "PAYPAL",
    "providerName": "PAYPAL",
    "providerTxnId": None,
    "status": "PENDING",
    "providerStatus": "CREATED",
    "createdAt": "2024-08-26T05:24:17.425Z",
    "updatedAt": "2024-09-05T10:00:08.700Z",
}
TEXTS = st.one_of(
    st.none(),
    st.text("aZ09_-.:/", max_size=30),
    st.sampled_from(
        [
            "",
            " ",
            "a b",
            "a b ",
            " a",
            "a\tb",
            "a\nb",
            "a\\b",
            "\\N",
            "é",
            "ß",
            "-./",
            "\x7f",
            "x" * 400,
            "x" * 501,
            7,
        ]
    ),
    st.sampled_from([0, Decimal("1.5"), True, False, [], {"a": "b"}]),
)
AMOUNTS = st.one_of(
    st.decimals(0, 10**6, places=2).map(str),
    st.sampled_from(
        ["0.00", "0", "007.5", "1\n2", "", "1e3", "-1", "NaN", "9" * 16, "1.234", "5.", "\u0661"]
    ),
    st.sampled_from([7, Decimal("1.5"), True, None]),
)
TIMES = st.one_of(
    st.datetimes(datetime(1850, 1, 1), datetime(2150, 1, 1)).map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S.123Z}"),  # noqa: DTZ001
    st.sampled_from(["2026-02-30T00:00:00.000Z", "2026-03-01T00:00:00.000Z" * 2, "2026-03-01T24:00:00.000Z"]),
    st.sampled_from(["", "2026-03-01", "2026-03-01T00:00:00.000+05:30", "2026-03-01T00:00:00.000", 7, None]),
)
RECORDS = st.fixed_dictionaries(
    {
        **dict.fromkeys(normalise._TEXTS, TEXTS),
        "currencyCode": st.sampled_from(["INR", "usd", "JPY", "KWD", "XAU", "", None, "ß", 7]),
        "appId": st.sampled_from([None, APP, APP, "ap_other"]),
        "amount": AMOUNTS,
        "createdAt": TIMES,
        "updatedAt": TIMES,
    },
    optional={SPOILT: st.just((("origin", "x", "holds bytes that are no UTF-8"),))},
)
CHANGES = st.dictionaries(
    st.sampled_from([*normalise._TEXTS, "amount", "createdAt", "updatedAt"]),
    TEXTS | AMOUNTS | TIMES,
    max_size=3,
)


def rows_of(records: list[dict[str, Any]]) -> list[RawRow]:
    return [
        RawRow(Place("GET /transaction page 3", number), values) for number, values in enumerate(records, 1)
    ]


def read_back(line: str) -> Transaction:
    """What Postgres makes of a line of COPY."""
    found: dict[str, Any] = {
        name: None if value == "\\N" else value for name, value in zip(COLUMNS, line.split("\t"), strict=True)
    }
    comparable = found.pop("comparable")
    place = Place(found.pop("file"), int(found.pop("row_number")))
    for name in ("created_at", "updated_at"):
        found[name] = found[name] and datetime.fromisoformat(found[name])
    transaction = Transaction(**{**found, "amount": Decimal(found["amount"])}, place=place)
    assert transaction.comparable == comparable
    return transaction


@given(st.lists(RECORDS | CHANGES.map(lambda changes: WIRE | changes), min_size=1, max_size=3))
def test_records_read_together_are_as_those_read_one_by_one(records: list[dict[str, Any]]) -> None:
    for chosen in ([*records, WIRE], *([one] for one in [*records, WIRE])):
        rows = rows_of(chosen)
        found = plain_transactions(rows, APP, CURRENCIES.digits)
        if found is None:
            continue
        lines = found.lines.decode("ascii").splitlines()
        together = list(map(read_back, lines))
        one_by_one = list(normalise.transactions(rows, app_id=APP, currencies=CURRENCIES, currency_codes={}))
        assert list(map(repr, together)) == list(map(repr, one_by_one))
        kinds: Counter[Kind] = Counter()
        for transaction in together:
            written = -int(transaction.amount.as_tuple().exponent)
            year = f"{transaction.created_at:%Y}"
            kinds[transaction.currency, written, year, transaction.transaction_id[:3]] += 1
            assert decimals(transaction.amount) <= CURRENCIES.digits[transaction.currency]
            assert transaction.amount > 0
            assert transaction.transaction_id
        assert kinds == found.kinds
    assert found is not None, "the last one is plain"


def test_what_the_expectations_refuse_after_all_is_a_fault() -> None:
    validator = Validator(CURRENCIES)
    with pytest.raises(CheckFailed, match="amount_not_negative: 2 transactions"):
        validator.plain_transactions({(1, 2, 0, 0, 2026, 0): 5, (1, 2, 0, 1, 2026, 0): 2})


def test_a_record_is_dated_in_utc() -> None:
    found = plain_transactions(rows_of([WIRE]), APP, CURRENCIES.digits)
    assert found is not None
    (line,) = found.lines.decode().splitlines()
    assert read_back(line).created_at == datetime(2024, 8, 26, 5, 24, 17, 425000, UTC)
