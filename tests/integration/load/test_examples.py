"""The exports of common programs: each example is read with its profile as the docs say it."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.load.inspect_ledger import describe
from reconcile.settings import Settings
from tests.support.ledgers import open_ledger, read

PAGE = Path(__file__).parents[3] / "docs" / "ledger-files-of-programs.md"
EXAMPLES = Path(__file__).parents[3] / "examples" / "ledgers"

READ = {
    "tally": (
        "tally.csv", 1,
        ("RCT/0001", "ORD-1001", "123456.78 INR", "2026-08-03", "Received"),
        ("RCT/0002", "ORD-1002", "2500.00 INR", "2026-08-04", "Received"),
        ("RCT/0003", "ORD-1003", "-1000.00 INR", "2026-08-13", "Refunded"),
    ),
    "tally_ledger": (
        "tally_ledger.csv", 4,
        ("RCT/0001", "ORD-1001", "123456.78 INR", "2026-08-03", ""),
        ("RCT/0002", "ORD-1002", "2500.00 INR", "2026-08-03", ""),
        ("PMT/0001", "ORD-1003", "-1000.00 INR", "2026-08-13", ""),
    ),
    "zoho": (
        "zoho_books.csv", 0,
        ("PMT-00001", "ORD-1001", "3450.00 INR", "2026-08-03", "paid"),
        ("PMT-00002", "ORD-1002", "49.90 USD", "2026-08-04", "paid"),
        ("PMT-00003", "ORD-1003", "120.50 INR", "2026-08-13", "void"),
    ),
    "quickbooks": (
        "quickbooks.csv", 0,
        ("1001", "ORD-1001", "1250.00 USD", "2026-08-03", ""),
        ("1002", "ORD-1002", "49.90 USD", "2026-08-04", ""),
        ("1003", "ORD-1003", "-20.00 USD", "2026-08-13", ""),
    ),
    "shopify": (
        "shopify.csv", 1,
        ("#1001", "550001", "3450.00 INR", "2026-08-03 04:45:22+00:00", "paid"),
        ("#1002", "550002", "2500.00 INR", "2026-08-04 05:50:00+00:00", "partially_refunded"),
        ("#1003", "550003", "120.50 INR", "2026-08-13 18:25:00+00:00", "paid"),
    ),
    "razorpay": (
        "razorpay.csv", 0,
        ("pay_NX0001", "ORD-1001", "3450.00 INR", "2026-08-03", "captured"),
        ("pay_NX0002", "ORD-1002", "2500.00 INR", "2026-08-04", "captured"),
        ("rfnd_NX0003", "ORD-1002", "-500.00 INR", "2026-08-13", "refunded"),
    ),
    "bank": (
        "bank.csv", 2,
        ("S101", "ORD-2026-1001", "3450.00 INR", "2026-08-03", ""),
        ("S102", "ORD-2026-1002", "2500.00 INR", "2026-08-04", ""),
        ("S103", "ORD-2026-1002", "-500.00 INR", "2026-08-13", ""),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_the_example_is_read_as_the_docs_say(name: str, examples: Settings, database_url: str) -> None:
    file, passed_over, *rows = READ[name]
    profile = examples.profile(name)
    ledger = open_ledger(Path(str(file)), profile=profile)
    assert read(ledger, profile) == rows
    assert (ledger.passed_over, ledger.notes()) == (passed_over, [])
    told = list(describe(replace(examples, database_url=database_url), Path(str(file)), profile))
    assert (
        f"An import makes of it: 3 entries, 0 repeated, 0 in quarantine, {passed_over} passed over." in told
    )


def test_the_docs_show_the_examples_and_their_profiles() -> None:
    page = PAGE.read_text("utf-8")
    profiles = tomllib.loads((EXAMPLES / "reconcile.toml").read_text("utf-8"))["ledger"]
    shown = [tomllib.loads(block)["ledger"] for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    assert {name for one in shown for name in one} == set(READ)
    for one in shown:
        ((name, table),) = one.items()
        assert table == profiles[name]
        assert f"```\n{(EXAMPLES / str(READ[name][0])).read_text('utf-8').rstrip()}\n```" in page


@pytest.mark.parametrize("file", sorted({str(one[0]) for one in READ.values()}))
def test_inspect_proposes_a_profile_for_each(file: str, examples: Settings, database_url: str) -> None:
    Path("reconcile.toml").unlink()
    settings = Settings.read({"KSPAY_APP_ID": "ap_1", "RECONCILE_DATABASE_URL": database_url})
    told = list(describe(settings, Path(file), settings.profile(None)))
    Path("reconcile.toml").write_text("\n".join(told[told.index("[ledger.NAME]") :]), "utf-8")
    profile = Settings.read({"KSPAY_APP_ID": "ap_1"}).profile("NAME")
    found = read(open_ledger(Path(file), profile=profile), profile)
    assert len(found) >= 2, told
