"""The sentence of every type, to the letter: both numbers, the rule, the key, and what else agrees or differs."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from reconcile.core.money import Currencies
from reconcile.report.sentences import sentence

MATCH: dict[str, Any] = {
    "severity": "high",
    "transaction_id": "tx_1",
    "reference": "ORD-17",
    "ledger_reference": "ORD-17",
    "named_transaction": None,
    "shared_order_id": None,
    "shared_txn_id": None,
    "kspay_currency": "INR",
    "ledger_currency": "INR",
    "kspay_amount": Decimal("1250.00"),
    "ledger_amount": Decimal("1250.00"),
    "difference": Decimal(0),
    "kspay_status": "success",
    "ledger_status": "settled",
    "kspay_date": date(2026, 8, 3),
    "ledger_date": date(2026, 8, 3),
    "rule": "reference",
    "suggested_counterpart": None,
}
NO_KSPAY = {"transaction_id": None, "kspay_date": None, "kspay_amount": None, "reference": None, "rule": None}
NO_LEDGER = {"ledger_date": None, "ledger_amount": None, "ledger_reference": None, "rule": None}
LESS = {"ledger_amount": Decimal("1246.50"), "difference": Decimal("3.50")}
REPEATED = {"other_id": "tx_2", "other_date": date(2026, 8, 1), "other_matched_with": None}
LATER = {"ledger_date": date(2026, 8, 8)}


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        (
            "AMOUNT_MISMATCH",
            LESS | {"rule": "reference_differs"},
            "KS Pay took 1,250.00 INR on 3 Aug 2026, the ledger books 1,246.50: 3.50 less "
            "(reference_differs: both have reference ORD-17; same day).",
        ),
        (
            "AMOUNT_MISMATCH",
            {"ledger_amount": Decimal("101250"), "difference": Decimal(-100000), "rule": "provider_id"}
            | {"shared_order_id": "order_9", "ledger_date": date(2026, 8, 2)},
            "KS Pay took 1,250.00 INR on 3 Aug 2026, the ledger books 1,01,250.00: 1,00,000.00 more "
            "(provider_id: both have the provider's order id order_9; 1 day apart).",
        ),
        (
            "CURRENCY_MISMATCH",
            {"ledger_currency": "USD", "difference": None, "rule": "reference_differs"}
            | {"named_transaction": "tx_1", "ledger_reference": None},
            "KS Pay took 1,250.00 INR on 3 Aug 2026, but the ledger books 1,250.00 USD: the currencies differ "
            "(reference_differs: the entry names tx_1; same day).",
        ),
        (
            "STATUS_MISMATCH",
            {"kspay_status": "failed", "rule": "transaction_id", "named_transaction": "tx_1"},
            'KS Pay says "failed" for 1,250.00 INR, but the ledger says "settled" '
            "(transaction_id: the entry names tx_1; equal amounts; same day).",
        ),
        (
            "STATUS_MISMATCH",
            LESS | {"kspay_status": "failed", "ledger_status": None, "rule": "manual"},
            'KS Pay says "failed" for 1,250.00 INR, but the ledger says paid (it gives no status) '
            "(manual: a person joined them; amounts 3.50 INR apart; same day).",
        ),
        (
            "DATE_MISMATCH",
            LATER | {"rule": "reference_normalised", "ledger_reference": "ord 17"},
            "KS Pay dates it 3 Aug 2026, the ledger 8 Aug 2026: 5 days apart, 3 are allowed "
            "(reference_normalised: references ORD-17 and ord 17 are one, written differently; equal amounts).",
        ),
        (
            "UNKNOWN_STATUS",
            {"kspay_status": "in limbo", "rule": "reference_split"},
            'KS Pay says "in limbo" for 1,250.00 INR, the ledger says "settled" for 1,250.00 INR: a status that is '
            "not known (reference_split: both have reference ORD-17, all that is left on one side together; equal "
            "amounts; same day); add it to [status] in reconcile.toml.",
        ),
        (
            "UNKNOWN_STATUS",
            NO_KSPAY | {"ledger_status": "suspense"},
            'The ledger says "suspense" for 1,250.00 INR: a status that is not known; add it to [status] in '
            "reconcile.toml.",
        ),
        (
            "STALE_PENDING",
            {"ledger_status": "open"},
            '1,250.00 INR is pending at KS Pay since 3 Aug 2026, and the ledger says "open" '
            "(reference: both have reference ORD-17; equal amounts; same day).",
        ),
        ("STALE_PENDING", NO_LEDGER, "1,250.00 INR is pending at KS Pay since 3 Aug 2026."),
        (
            "MISSING_IN_LEDGER",
            NO_LEDGER | {"suggested_counterpart": "V-9"},
            "KS Pay took 1,250.00 INR on 3 Aug 2026 under reference ORD-17; no ledger entry is left that belongs to "
            "it; V-9, of equal amount and near in date, may be it.",
        ),
        (
            "MISSING_IN_LEDGER",
            {"rule": "manual"},
            "KS Pay took 1,250.00 INR on 3 Aug 2026, the ledger books 1,250.00 INR on 3 Aug 2026 "
            "(manual: a person joined them; equal amounts; same day).",
        ),
        (
            "MISSING_IN_KSPAY",
            NO_KSPAY | {"named_transaction": "tx_lost"},
            "The ledger books 1,250.00 INR on 3 Aug 2026 for tx_lost; no KS Pay transaction is left that belongs to "
            "it.",
        ),
        (
            "TIMING_DIFFERENCE",
            NO_LEDGER,
            "KS Pay took 1,250.00 INR on 3 Aug 2026 under reference ORD-17; the ledger may book it within the next "
            "days.",
        ),
        (
            "TIMING_DIFFERENCE",
            NO_KSPAY | {"ledger_reference": None},
            "The ledger books 1,250.00 INR on 3 Aug 2026; KS Pay may show it within the next days.",
        ),
        (
            "DUPLICATE_IN_KSPAY",
            NO_LEDGER | REPEATED | {"other_matched_with": "L-9"},
            "KS Pay took 1,250.00 INR on 3 Aug 2026 under reference ORD-17, which tx_2 of 1 Aug 2026, matched with "
            "L-9, pays as well: the customer may have been charged twice.",
        ),
        (
            "DUPLICATE_IN_KSPAY",
            NO_LEDGER | REPEATED | {"severity": "info"},
            "KS Pay took 1,250.00 INR on 3 Aug 2026 under reference ORD-17, which tx_2 of 1 Aug 2026, unmatched, "
            "pays as well; it was given back.",
        ),
        (
            "DUPLICATE_IN_LEDGER",
            NO_KSPAY | REPEATED | {"other_id": "L-16", "other_matched_with": "tx_1 and tx_2"},
            "The ledger books 1,250.00 INR on 3 Aug 2026 under reference ORD-17, and L-16 of 1 Aug 2026, matched "
            "with tx_1 and tx_2, books the same payment: it may be booked twice.",
        ),
        (
            "INVALID_RECORD",
            {
                "rule": None,
                "broken_side": "ledger",
                "broken_field": "amount",
                "broken_reason": "is not a number",
            },
            "A record of the ledger cannot be used (amount): is not a number.",
        ),
    ],
)
def test_the_sentence(kind: str, said: dict[str, Any], expected: str) -> None:
    assert sentence(MATCH | said | {"type": kind}, Currencies(), 3) == expected


@pytest.mark.parametrize(
    ("rule", "said", "key"),
    [
        ("amount_date", {}, "an accepted suggestion, nothing but amount and date"),
        ("provider_id", {"shared_txn_id": "pay_3"}, "both have the provider's transaction id pay_3"),
        ("provider_id", {}, "both have one id of the payment provider"),
        ("reference", {"ledger_reference": "ORD-17;ORD-18"}, "they share a reference"),
        (
            "reference_split",
            {"ledger_reference": None, "named_transaction": "tx_1"},
            "the entry names tx_1, all that is left on one side together",
        ),
    ],
)
def test_the_key_of_a_rule(rule: str, said: dict[str, Any], key: str) -> None:
    row = MATCH | LATER | said | {"type": "DATE_MISMATCH", "rule": rule}
    assert f"({rule}: {key}; equal amounts)." in sentence(row, Currencies(), 3)
