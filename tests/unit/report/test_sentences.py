"""The sentence of every type, to the letter: the values of both sides, and why the records are matched."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from reconcile.core.discrepancies import TYPES
from reconcile.core.money import Currencies
from reconcile.report.sentences import _SENTENCES, sentence

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
    "given_back": None,
    "first_fetched": None,
    "others": None,
    "other_key": None,
    "transactions": 1,
    "entries": 1,
    "fee": None,
    "suggested_fee": None,
    "suggested_by": None,
}
NO_KSPAY = {"transaction_id": None, "kspay_date": None, "kspay_amount": None, "reference": None, "rule": None}
NO_LEDGER = {"ledger_date": None, "ledger_amount": None, "ledger_reference": None, "rule": None}
LESS = {"ledger_amount": Decimal("1246.50"), "difference": Decimal("3.50")}
BROKEN = {"rule": None, "broken_side": "ledger", "broken_reason": "amount is not a number"}
REPEATED = {"other_id": "tx_2", "other_date": date(2026, 8, 1), "other_matched_with": None}
GIVEN_BACK = {"given_back": Decimal(100), "ledger_refunded": Decimal(100)}
LATER = {"ledger_date": date(2026, 8, 8)}


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        (
            "AMOUNT_MISMATCH",
            LESS | {"rule": "reference_differs"},
            "KS Pay shows 1,250.00 INR on 3 Aug 2026, but the ledger books 1,246.50 INR, 3.50 INR too little "
            "(matched because both have reference ORD-17; same date).",
        ),
        (
            "AMOUNT_MISMATCH",
            {"ledger_amount": Decimal("101250"), "difference": Decimal(-100000), "rule": "provider_id"}
            | {"shared_order_id": "order_9", "ledger_date": date(2026, 8, 2)},
            "KS Pay shows 1,250.00 INR on 3 Aug 2026, but the ledger books 1,01,250.00 INR, 1,00,000.00 INR too much "
            "(matched because both have the payment provider's order id order_9; dates 1 day apart).",
        ),
        (
            "AMOUNT_MISMATCH",
            LESS | {"fee": Decimal("2.5"), "rule": "reference_differs"},
            "KS Pay shows 1,250.00 INR on 3 Aug 2026, but the ledger books 1,246.50 INR, 3.50 INR too little: fee 2.50 "
            "expected, 3.50 kept (matched because both have reference ORD-17; same date).",
        ),
        (
            "DATE_MISMATCH",
            LESS | LATER | {"fee": Decimal("3.50")},
            "KS Pay has the date 3 Aug 2026, but the ledger has 8 Aug 2026: 5 days apart, at most 3 allowed (matched "
            "because both have reference ORD-17; same amount less the fee of 3.50 INR).",
        ),
        (
            "MISSING_IN_LEDGER",
            NO_LEDGER | {"suggested_counterpart": "L1", "suggested_fee": Decimal("3.5")},
            "KS Pay received 1,250.00 INR on 3 Aug 2026 with reference ORD-17, but the ledger has no entry for it; L1 "
            "may be it: same amount less the fee of 3.50 INR, close date.",
        ),
        (
            "CURRENCY_MISMATCH",
            {"ledger_currency": "USD", "difference": None, "rule": "reference_differs"}
            | {"named_transaction": "tx_1", "ledger_reference": None},
            "KS Pay shows 1,250.00 INR on 3 Aug 2026, but the ledger books 1,250.00 USD: the currencies differ "
            "(matched because the entry names transaction tx_1; same date).",
        ),
        (
            "STATUS_MISMATCH",
            {"kspay_status": "failed", "rule": "transaction_id", "named_transaction": "tx_1"},
            'KS Pay says "failed" for 1,250.00 INR, but the ledger says "settled" '
            "(matched because the entry names transaction tx_1; same amount; same date).",
        ),
        (
            "STATUS_MISMATCH",
            LESS | {"kspay_status": "failed", "ledger_status": None, "rule": "manual"},
            'KS Pay says "failed" for 1,250.00 INR, but the ledger gives no status, which counts as paid '
            "(matched by a person; amounts differ by 3.50 INR; same date).",
        ),
        (
            "REFUND_MISMATCH",
            GIVEN_BACK | {"kspay_refunded": Decimal(0)},
            'KS Pay says "success" for 1,250.00 INR, but the ledger books a refund of 100.00 INR '
            "(matched because both have reference ORD-17; same amount before refunds; same date).",
        ),
        (
            "REFUND_MISMATCH",
            GIVEN_BACK | {"kspay_status": "refunded", "kspay_refunded": Decimal(1250)},
            "KS Pay gave back 1,250.00 INR, but the ledger books a refund of 100.00 INR, 1,150.00 INR too little "
            "(matched because both have reference ORD-17; same amount before refunds; same date).",
        ),
        (
            "REFUND_MISMATCH",
            GIVEN_BACK
            | {"kspay_status": "partially_refunded", "kspay_refunded": None}
            | {"given_back": Decimal(1250), "ledger_refunded": Decimal(1250)},
            'KS Pay says "partially_refunded", so only a part of 1,250.00 INR was given back, but the ledger books a '
            "refund of 1,250.00 INR, which is all of it (matched because both have reference ORD-17; same amount "
            "before refunds; same date).",
        ),
        (
            "DATE_MISMATCH",
            LATER | {"rule": "reference_normalised", "ledger_reference": "ord 17"},
            "KS Pay has the date 3 Aug 2026, but the ledger has 8 Aug 2026: 5 days apart, at most 3 allowed "
            "(matched because ORD-17 and ord 17 are the same reference, written differently; same amount).",
        ),
        (
            "UNKNOWN_STATUS",
            {"kspay_status": "in limbo", "rule": "reference_split"},
            'KS Pay says "in limbo" for 1,250.00 INR, and the ledger says "settled" for 1,250.00 INR (matched because '
            "the records with reference ORD-17 add up; same amount; same date): one of these statuses is not known; "
            "add it to [status] in reconcile.toml.",
        ),
        (
            "UNKNOWN_STATUS",
            NO_KSPAY | {"ledger_status": "suspense"},
            'The ledger says "suspense" for 1,250.00 INR: this status is not known; add it to [status] in '
            "reconcile.toml.",
        ),
        (
            "UNKNOWN_STATUS",
            NO_LEDGER | {"kspay_status": ""},
            "KS Pay gives no status for 1,250.00 INR: a payment without a status cannot be compared.",
        ),
        (
            "STALE_PENDING",
            {"ledger_status": "open"},
            '1,250.00 INR has been pending at KS Pay since 3 Aug 2026, and the ledger says "open" '
            "(matched because both have reference ORD-17; same amount; same date).",
        ),
        ("STALE_PENDING", NO_LEDGER, "1,250.00 INR has been pending at KS Pay since 3 Aug 2026."),
        (
            "MISSING_IN_LEDGER",
            NO_LEDGER | {"suggested_counterpart": "V-9"},
            "KS Pay received 1,250.00 INR on 3 Aug 2026 with reference ORD-17, but the ledger has no entry for it; "
            "V-9 may be it: same amount, close date.",
        ),
        (
            "MISSING_IN_LEDGER",
            {"rule": "manual"},
            "KS Pay received 1,250.00 INR on 3 Aug 2026, and the ledger books 1,250.00 INR on 3 Aug 2026 "
            "(matched by a person; same amount; same date).",
        ),
        (
            "MISSING_IN_KSPAY",
            NO_KSPAY | {"named_transaction": "tx_lost"},
            "The ledger books 1,250.00 INR on 3 Aug 2026 for transaction tx_lost, but KS Pay has no transaction for "
            "it.",
        ),
        (
            "MISSING_IN_KSPAY",
            NO_KSPAY | {"ledger_amount": Decimal(-500)},
            "The ledger books a refund of 500.00 INR on 3 Aug 2026 with reference ORD-17, but KS Pay has no "
            "transaction for it.",
        ),
        (
            "MISSING_IN_KSPAY",
            NO_KSPAY | {"ledger_amount": Decimal(-500), "first_fetched": date(2026, 8, 1)},
            "The ledger books a refund of 500.00 INR on 3 Aug 2026 with reference ORD-17, but KS Pay has no "
            "transaction for it: its payment may lie before 1 Aug 2026, the first day ever fetched.",
        ),
        (
            "AMOUNT_MISMATCH",
            {"ledger_amount": Decimal(-1250), "difference": Decimal(2500), "rule": "reference_differs"}
            | {"given_back": Decimal(1250)},
            "KS Pay shows 1,250.00 INR on 3 Aug 2026, but the entry matched with it is a refund of "
            "1,250.00 INR, not a payment (matched because both have reference ORD-17; same date).",
        ),
        (
            "STATUS_MISMATCH",
            GIVEN_BACK | {"kspay_status": "cancelled", "rule": "reference"},
            'KS Pay says "cancelled" for 1,250.00 INR, but the ledger says "settled" and books a refund of 100.00 INR '
            "(matched because both have reference ORD-17; same amount before refunds; same date).",
        ),
        (
            "MISSING_IN_KSPAY",
            NO_KSPAY | {"ledger_date": date(2026, 6, 3), "first_fetched": date(2026, 8, 1)},
            "The ledger books 1,250.00 INR on 3 Jun 2026 with reference ORD-17, but KS Pay has no transaction for it: "
            "its payment lies before 1 Aug 2026, the first day ever fetched.",
        ),
        (
            "MISSING_IN_KSPAY",
            NO_KSPAY | {"first_fetched": date(2026, 8, 1)},
            "The ledger books 1,250.00 INR on 3 Aug 2026 with reference ORD-17, but KS Pay has no transaction for it.",
        ),
        (
            # Its payment is there, so it does not lie before the first day.
            "MISSING_IN_KSPAY",
            NO_KSPAY
            | {"ledger_amount": Decimal(-500), "first_fetched": date(2026, 8, 1), "others": 1}
            | {"other_key": "ORD-17", "other_by_name": False, "other_id": "tx_2", "other_matched_with": "L1"},
            "The ledger books a refund of 500.00 INR on 3 Aug 2026 with reference ORD-17, but KS Pay has no "
            "transaction for it; the one transaction of reference ORD-17, tx_2, is matched with L1.",
        ),
        (
            "MISSING_IN_LEDGER",
            NO_LEDGER | {"others": 3, "other_key": "tx_1", "other_by_name": True},
            "KS Pay received 1,250.00 INR on 3 Aug 2026 with reference ORD-17, but the ledger has no entry for it; "
            "the 3 entries that name it are matched otherwise.",
        ),
        (
            "TIMING_DIFFERENCE",
            NO_LEDGER
            | {"others": 1, "other_key": "ORD-17", "other_by_name": False, "other_id": "L1"}
            | {"other_matched_with": "tx_2"},
            "KS Pay received 1,250.00 INR on 3 Aug 2026 with reference ORD-17, but the ledger has no entry for it yet; "
            "the one entry of reference ORD-17, L1, is matched with tx_2; it may follow in the next days.",
        ),
        (
            "TIMING_DIFFERENCE",
            NO_LEDGER,
            "KS Pay received 1,250.00 INR on 3 Aug 2026 with reference ORD-17, but the ledger has no entry for it yet; "
            "it may follow in the next days.",
        ),
        (
            "TIMING_DIFFERENCE",
            NO_KSPAY | {"ledger_reference": None},
            "The ledger books 1,250.00 INR on 3 Aug 2026, but KS Pay has no transaction for it yet; it may follow in "
            "the next days.",
        ),
        (
            "DUPLICATE_IN_KSPAY",
            NO_LEDGER | REPEATED | {"other_matched_with": "L-9"},
            "KS Pay received 1,250.00 INR on 3 Aug 2026 with reference ORD-17; this repeats transaction tx_2 of 1 Aug "
            "2026 (matched with L-9): the customer may have paid twice.",
        ),
        (
            "DUPLICATE_IN_KSPAY",
            NO_LEDGER | REPEATED | {"severity": "info"},
            "KS Pay received 1,250.00 INR on 3 Aug 2026 with reference ORD-17; this repeats transaction tx_2 of 1 Aug "
            "2026 (not matched); it was refunded.",
        ),
        (
            "DUPLICATE_IN_LEDGER",
            NO_KSPAY | REPEATED | {"other_id": "L-16", "other_matched_with": "tx_1 and tx_2"},
            "The ledger books 1,250.00 INR on 3 Aug 2026 with reference ORD-17; this repeats entry L-16 of 1 Aug 2026 "
            "(matched with tx_1 and tx_2): it may be booked twice.",
        ),
        (
            "INVALID_RECORD",
            BROKEN | {"broken_field": "amount", "broken_value": "12 \n x"},
            'A record of the ledger cannot be used: amount is not a number (amount: "12 x"; see quarantine.csv).',
        ),
        (
            "INVALID_RECORD",
            BROKEN | {"broken_field": "amount", "broken_value": "7" * 41},
            "A record of the ledger cannot be used: amount is not a number "
            f'(amount: "{"7" * 40}…"; see quarantine.csv).',
        ),
        (
            "INVALID_RECORD",
            BROKEN
            | {
                "broken_field": "ledger_id",
                "broken_value": "V-7",
                "broken_reason": "rows 1524 and 1525 differ but have the same ledger_id; give each its own",
            },
            "A record of the ledger cannot be used: rows differ but have the same ledger_id; give each its own "
            '(ledger_id: "V-7"; see quarantine.csv).',
        ),
        (
            "INVALID_RECORD",
            BROKEN
            | {
                "broken_field": "ledger_id",
                "broken_value": "V-7",
                "broken_reason": "row 12 has the same ledger_id and cannot be read; correct it",
            },
            "A record of the ledger cannot be used: another row has the same ledger_id and cannot be read; correct it "
            '(ledger_id: "V-7"; see quarantine.csv).',
        ),
        (
            "INVALID_RECORD",
            BROKEN | {"broken_field": "date", "broken_value": " "},
            "A record of the ledger cannot be used: amount is not a number (date: nothing; see quarantine.csv).",
        ),
    ],
)
def test_the_sentence(kind: str, changes: dict[str, Any], expected: str) -> None:
    assert sentence(MATCH | changes | {"type": kind}, Currencies(), 3) == expected


@pytest.mark.parametrize(
    ("rule", "changes", "why"),
    [
        ("amount_date", {}, "as an accepted suggestion: only amount and date agree"),
        (
            "provider_id",
            {"shared_txn_id": "pay_3"},
            "because both have the payment provider's transaction id pay_3",
        ),
        ("provider_id", {}, "because both have the same id of the payment provider"),
        ("reference", {"ledger_reference": "ORD-17;ORD-18"}, "by a common reference"),
        (
            "reference_split",
            {"ledger_reference": None, "named_transaction": "tx_1"},
            "because the entries for transaction tx_1 add up",
        ),
    ],
)
def test_why_records_are_matched(rule: str, changes: dict[str, Any], why: str) -> None:
    row = MATCH | LATER | changes | {"type": "DATE_MISMATCH", "rule": rule}
    assert f" (matched {why}; same amount)." in sentence(row, Currencies(), 3)


def test_every_type_has_a_sentence() -> None:
    assert _SENTENCES.keys() == TYPES.keys()


@pytest.mark.parametrize("turn", "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_a_value_does_not_turn_the_words_behind_it(turn: str) -> None:
    row = MATCH | NO_LEDGER | {"reference": f"{turn}ORD-17", "ledger_reference": None}
    plain = MATCH | NO_LEDGER | {"ledger_reference": None}
    told, same = (sentence({**one, "type": "MISSING_IN_LEDGER"}, Currencies(), 3) for one in (row, plain))
    assert "ORD-17" in told
    assert told == same
