"""Records that KS Pay should not hold: each is quarantined by name, all others are reconciled."""

from collections.abc import Iterator

import pytest

from reconcile.sandbox.behaviour import BAD_RECORDS, named
from reconcile.sandbox.server import serve
from tests.support.driver import Command, MakeCommand, Shop

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")

FOUND = {
    "missing-fields": ("currencyCode;amount;createdAt", ";;", "amount is missing"),
    "null-fields": ("currencyCode;amount;createdAt", ";;", "amount is missing"),
    "wrong-types": (
        "amount;createdAt;referenceNumber;status",
        '["12"];1700000000;{"a":1};7',
        "amount is neither a text nor a number",
    ),
    "unknown-currency": ("currencyCode", "XBT", "is neither an ISO 4217 code"),
    "nan": ("amount", "NaN", "amount is not a number"),
    "huge": ("amount", "1E+400", "has more than 30 digits before the point"),
    "negative": ("amount", "-250", "amount is negative"),
    "too-many-decimals": ("amount", "499.999", "has more decimals than its currency"),
    "no-zone": (
        "createdAt",
        "2026-04-03T",
        "must be a time with its time zone",
    ),
    "two-versions": ("id", "tx_", "two different records have this id and the same updatedAt"),
    "long-text": ("referenceNumber", "xxx", "has 1000000 characters, but at most 500 are allowed"),
    "nan-literal": ("amount", "NaN", "amount is NaN or infinite, which JSON does not allow"),
    "infinity-literal": ("amount", "-Infinity", "amount is NaN or infinite, which JSON does not allow"),
    "invalid-utf8": ("referenceNumber", r"BAD-\xff\xc3invalid-utf8", "holds bytes that are not UTF-8"),
    "invalid-utf8-unread": ("origin", r"\xe9http", "origin holds bytes that are not UTF-8"),
}
"""Of each kind: the fields at fault, what stands there (its beginning), and words of the reason."""


@pytest.fixture(scope="module")
def run(calm_shop: Shop, make_command: MakeCommand) -> Iterator[Command]:
    merchant, _ = calm_shop
    with serve(merchant, behaviour=named(["bad-records"])) as sandbox:
        command = make_command(sandbox, RECONCILE_PAGE_SIZE="7")
        merchant.write_ledger(command.folder / "ledger.csv")
        command.good("run", *DAYS, "--ledger", "ledger.csv")
        yield command


def test_every_bad_record_is_named_in_the_quarantine(run: Command) -> None:
    rows = run.latest().rows("quarantine")
    assert set(FOUND) == set(BAD_RECORDS)
    for kind, found in FOUND.items():
        field, value, reason = found
        matching = [
            row
            for row in rows
            if (row["field"], row["value"][: len(value)]) == (field, value) and reason in row["reason"]
        ]
        alike = sum(found == other for other in FOUND.values()) + (kind == "two-versions")
        assert len(matching) == alike, (kind, rows)
        for row in matching:
            assert (row["side"], row["source"]) == ("kspay", "kspay")
            assert row["file"].startswith("GET /transaction 2026-")
            assert "signature" not in row["raw"]
    assert len(rows) == len(FOUND) + 1


def test_what_an_expectation_refuses_is_shown_as_it_came(run: Command) -> None:
    shown = {
        row["value"]: row["raw"]
        for row in run.latest().rows("quarantine")
        if row["reason"].startswith(
            ("currencyCode is neither", "amount is negative", "amount has more decimals")
        )
    }
    assert {"-250", "499.999"} < set(shown)
    for value, raw in shown.items():
        assert f'"amount":"{value}"' in raw or f'"currencyCode":"{value}"' in raw
        assert '"currencyId":' in raw, "by the names that KS Pay gives"


def test_the_sentence_of_a_bad_record_says_what_it_says(run: Command) -> None:
    told = [row["detail"] for row in run.latest().rows("discrepancies") if row["type"] == "INVALID_RECORD"]
    assert [
        one for one in told if "amount is negative" in one and '(amount: "-250"; see quarantine.csv)' in one
    ]


def test_the_others_are_reconciled(run: Command, calm_shop: Shop) -> None:
    document = run.latest().document()
    (fetched,) = document["fetched"]
    assert fetched["usable"] == len(calm_shop[0].transactions)
    assert fetched["quarantined"] == document["quarantined"]["kspay"]
    # Two different records of one id are one discrepancy.
    assert document["discrepancies"]["INVALID_RECORD"] == len(FOUND)
    assert not any(name.startswith(("MISSING", "AMOUNT", "DUPLICATE")) for name in document["discrepancies"])
