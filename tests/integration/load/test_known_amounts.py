"""`ledger inspect` notices that a ledger counts in paise, by the amounts of its partners."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from reconcile.core.fees import Fee
from reconcile.core.records import Period, Place, Transaction
from reconcile.db.engine import open_store
from reconcile.ledger.profile import Profile
from reconcile.load.inspect_ledger import describe
from reconcile.load.staging_tables import staging_tables
from reconcile.settings import Settings
from tests.support.bad_ledgers import text as lines

MINOR = 'amounts = "minor"'
AT = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings(database_url: str) -> Settings:
    """The settings of a database that knows four transactions."""
    found = Settings(app_ids=("ap_1",), database_url=database_url)
    paid_by_card = [(str(100 * number), "INR") for number in range(1, 13)]
    known = [
        Transaction(
            app_id="ap_1", transaction_id=f"tx_{number}", reference=f"ORD-{number}", currency=currency,
            amount=Decimal(amount), status="PAID", created_at=AT, updated_at=AT, provider_order_id=None,
            provider_txn_id=None, payment_type="CARD" if number > 4 else None, provider_name=None,
            provider_status=None, place=Place("", number),
        )
        for number, (amount, currency) in enumerate(
            (("1250.00", "INR"), ("99", "INR"), ("10", "INR"), ("500", "JPY"), ("7.5", "KWD"), *paid_by_card)
        )
    ]  # fmt: skip
    with open_store(found) as engine, staging_tables(engine) as tables:
        tables.add(known, [])
        tables.take_in_transactions("ap_1", [Period(AT.date(), AT.date())])
    return found


def said(settings: Settings, folder: Path, *rows: str, minor: bool = False) -> list[str]:
    path = folder / "a.csv"
    path.write_bytes(lines(*rows))
    return [line for line in describe(settings, path, Profile("default", minor=minor)) if MINOR in line]


@pytest.mark.parametrize(
    ("rows", "noticed"),
    [
        (
            (
                "L1,ORD-0,125000,2026-08-01,INR,",
                "L2,ord 1,9900,2026-08-01,INR,",
                "L3,ORD-2,1000,2026-08-01,INR,",
            ),
            True,
        ),
        (("L1,ORD-0,125000,2026-08-01,INR,",), True),
        (
            ("L1,ORD-4,7500,2026-08-01,KWD,", "L2,X,5,2026-08-01,INR,", "L3,ORD-0,125000,2026-08-01,INR,"),
            False,
        ),
        (
            ("L1,ORD-0,1250,2026-08-01,INR,", "L2,ORD-1,99,2026-08-01,INR,", "L3,ORD-2,10,2026-08-01,INR,"),
            False,
        ),
        (
            (
                "L1,ORD-0,125000,2026-08-01,INR,",
                "L2,ORD-1,99,2026-08-01,INR,",
                "L3,ORD-2,1000,2026-08-01,INR,",
            ),
            False,
        ),
        (("L1,ORD-3,500,2026-08-01,JPY,",), False),
        (("L1,ORD-0,125000.50,2026-08-01,INR,", "L2,ORD-1,9900,2026-08-01,INR,"), False),
        (("L1,X,125000,2026-08-01,INR,",), False),
    ],
)
def test_paise_are_noticed_by_the_partners(
    settings: Settings, tmp_path: Path, rows: tuple[str, ...], noticed: bool
) -> None:
    found = said(settings, tmp_path, *rows)
    assert len(found) == 2 * noticed  # the sentence, and the line of the profile
    if noticed:
        assert "ORD-0 has 125000 here and 1250.00 there" in found[0]
        assert said(settings, tmp_path, *rows, minor=True) == [MINOR]


def test_an_agreement_about_fees_is_proposed(settings: Settings, tmp_path: Path) -> None:
    net = [f"L{n},ORD-{n + 4},{n * 100 - n * Decimal('2.36')},2026-08-01,INR," for n in range(1, 13)]

    def proposed(known: Settings, *rows: str) -> list[str]:
        (tmp_path / "net.csv").write_bytes(lines(*rows))
        said = describe(known, tmp_path / "net.csv", Profile("default"))
        return [line for line in said if line.startswith("Fees: ")]

    (found,) = proposed(settings, *net, "L99,ORD-0,99,2026-08-01,INR,")
    assert "2.36 % below KS Pay in 12 of 12 CARD matches in INR" in found
    assert proposed(settings, *net[:9]) == []
    known = (Fee("card", "INR", AT.date(), percent=Decimal(2)),)
    assert proposed(replace(settings, fees=known), *net) == []


def test_inspect_says_what_it_cannot_tell_without_a_database(tmp_path: Path) -> None:
    row = "L1,ORD-0,125000,2026-08-01,INR,"
    down = Settings(app_ids=("ap_1",), database_url="postgresql+psycopg://u:secret@127.0.0.1:1/x")
    (tmp_path / "a.csv").write_bytes(lines(row))
    told = "\n".join(describe(down, tmp_path / "a.csv", Profile("default")))
    assert (
        "what an import makes of it is not counted, and its amounts are not compared with those of KS Pay"
        in told
    )
    assert "An import makes" not in told
    assert "[ledger.NAME]" in told
    assert "secret" not in told
