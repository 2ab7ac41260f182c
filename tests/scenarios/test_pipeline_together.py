"""Two runs at once: the lock of an app, and apps that have nothing to do with each other."""

import csv
from collections import Counter
from datetime import date

import pytest

from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.orders import LEDGER_COLUMNS
from reconcile.sandbox.server import serve
from tests.support.driver import Command, MakeCommand, Shop, planted
from tests.support.gate import Hold, gate

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")


@pytest.fixture
def command(calm_shop: Shop, make_command: MakeCommand) -> Command:
    merchant, sandbox = calm_shop
    command = make_command(sandbox, embedded=True)
    merchant.write_ledger(command.folder / "ledger.csv")
    return command


def test_a_second_run_is_refused_or_waits(calm_shop: Shop, command: Command) -> None:
    merchant, sandbox = calm_shop
    hold = Hold("/transaction?")
    with gate(sandbox, hold) as held:
        through = {"KSPAY_BASE_URL": held.base_url}
        with command.start("run", *DAYS, "--ledger", "ledger.csv", **through) as first:
            assert hold.held.wait(60)
            with command.start("run", *DAYS, "--wait") as patient:
                refused = command("run", *DAYS)
                assert (refused.code, refused.out) == (5, "")
                assert merchant.app_id in refused.complaint
                assert "--wait" in refused.complaint
                fetch = command("fetch", *DAYS)
                assert (fetch.code, fetch.out) == (5, "")
                assert "--wait" not in fetch.complaint, "it has no such option"
                assert patient.process.poll() is None
                hold.go.set()
                assert (first.ended().code, patient.ended().code) == (0, 0)
    reports = sorted(path.name for path in (command.folder / "reports").iterdir())
    assert reports == ["2026-04-01_2026-04-05_1", "2026-04-01_2026-04-05_2", "latest"]
    assert command.latest().run_id == reports[1]
    assert command.latest().findings() == planted(merchant.planted)
    assert command.postmasters() == []


def test_two_apps_with_the_same_ids(make_command: MakeCommand, database_url: str) -> None:
    """Both merchants write the same ledger ids and references on the same days; no app sees the other's."""
    shops = [Merchant.made_up(seed, date(2026, 2, 1), 28) for seed in (21, 22)]
    with serve(shops[0]) as one, serve(shops[1]) as two:
        command = make_command(RECONCILE_DATABASE_URL=database_url)
        tables = [
            f'[[apps]]\nbase_url = "{at.base_url}"\napp_id = "{at.app_id}"\n'
            f'access_key = "{at.access_key}"\nsecret_key = "{at.secret_key}"\n'
            for at in (one, two)
        ]
        (command.folder / "reconcile.toml").write_text("\n".join(tables), "utf-8")
        with (command.folder / "both.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*LEDGER_COLUMNS, "app_id"])
            writer.writeheader()
            writer.writerows(row | {"app_id": shop.app_id} for shop in shops for row in shop.ledger)
        command.good("run", "--from", "2026-02-01", "--to", "2026-02-28", "--ledger", "both.csv")
    report = command.latest()
    expected = Counter(error for shop in shops for error in planted(shop.planted).elements())
    found = report.findings()
    assert (expected - found, found - expected) == (Counter(), Counter())
    assert report.document()["apps"] == [shop.app_id for shop in shops]
    apps = {
        row["transaction_id"]: row["app_id"] for row in report.rows("discrepancies") if row["transaction_id"]
    }
    owner = {record["id"]: shop.app_id for shop in shops for record in shop.transactions}
    assert apps == {transaction: owner[transaction] for transaction in apps}
