"""Two runs at once: the lock of an app, and apps that have nothing to do with each other."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

import pytest

from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.orders import LEDGER_COLUMNS
from reconcile.sandbox.server import Sandbox, serve
from tests.support.driver import Command, MakeCommand, Outcome, Report, Shop, planted
from tests.support.gate import Hold, gate

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")
BOTH = ("run", *DAYS, "--ledger", "both.csv")


@pytest.fixture
def command(calm_shop: Shop, make_command: MakeCommand) -> Command:
    merchant, sandbox = calm_shop
    command = make_command(sandbox, made=True)
    merchant.write_ledger(command.folder / "ledger.csv")
    return command


def test_a_second_run_is_refused_or_waits(calm_shop: Shop, command: Command) -> None:
    merchant, sandbox = calm_shop
    hold = Hold("/transaction?")
    with gate(sandbox, hold) as held:
        through = {"KSPAY_BASE_URL": held.base_url}
        with command.start("run", *DAYS, "--ledger", "ledger.csv", **through) as first:
            assert hold.held.wait(60)
            with command.start("run", *DAYS, "--wait", "--ledger", "ledger.csv") as patient:
                patient.wait_for(f"wait: another run works on app {merchant.app_id}")
                refused = command("run", *DAYS)
                assert (refused.code, refused.out) == (5, "")
                assert merchant.app_id in refused.complaint
                assert "--wait" in refused.complaint
                fetch = command("fetch", *DAYS)
                assert (fetch.code, fetch.out) == (5, "")
                assert "--wait" not in fetch.complaint, "it has no such option"
                assert patient.process.poll() is None
                noted = json.loads(command.good("runs", "--json").out)["runs"]
                assert [run["error"] for run in noted if run["state"] == "failed"] == [
                    refused.complaint.removeprefix("reconcile: ")
                ]
                # What waits reads the ledger as it is when its turn comes.
                merchant.write_ledger(command.folder / "new.csv")
                (command.folder / "new.csv").replace(command.folder / "ledger.csv")
                hold.go.set()
                assert (first.ended().code, patient.ended().code) == (0, 0)
    reports = sorted(path.name for path in (command.folder / "reports").iterdir())
    assert reports == ["2026-04-01_2026-04-05_1", "2026-04-01_2026-04-05_2", "latest"]
    assert command.latest().run_id == reports[1]
    assert command.latest().findings() == planted(merchant.planted)
    assert Report(command.folder / "reports" / reports[0]).same() == command.latest().same()
    assert command.postmasters() == []


def write_apps(command: Command, shops: list[Merchant], at: tuple[Sandbox, Sandbox]) -> None:
    """reconcile.toml with both apps, and both.csv, the ledger of both."""
    tables = [
        f'[[apps]]\nbase_url = "{one.base_url}"\napp_id = "{one.app_id}"\n'
        f'access_key = "{one.access_key}"\nsecret_key = "{one.secret_key}"\n'
        for one in at
    ]
    (command.folder / "reconcile.toml").write_text("\n".join(tables), "utf-8")
    with (command.folder / "both.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*LEDGER_COLUMNS, "app_id"])
        writer.writeheader()
        writer.writerows(row | {"app_id": shop.app_id} for shop in shops for row in shop.ledger)


def test_two_apps_with_the_same_ids(make_command: MakeCommand, database_url: str) -> None:
    """Both merchants write the same ledger ids and references on the same days; no app sees the other's."""
    shops = [Merchant.made_up(seed, date(2026, 2, 1), 28) for seed in (21, 22)]
    with serve(shops[0]) as one, serve(shops[1]) as two:
        command = make_command(RECONCILE_DATABASE_URL=database_url)
        write_apps(command, shops, (one, two))
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


def test_two_machines_share_only_the_database(
    make_command: MakeCommand, make_database: Callable[[], str]
) -> None:
    """Each with a folder of its own, at the same time: the files are those of one machine, one run after another."""
    shops = [Merchant.made_up(seed, date(2026, 2, 1), 10) for seed in (21, 22)]
    days = ("--from", "2026-02-01", "--to", "2026-02-10")
    with serve(shops[0]) as one, serve(shops[1]) as two:
        shared = make_database()
        first, second = (make_command(RECONCILE_DATABASE_URL=shared) for _ in range(2))
        alone = make_command(RECONCILE_DATABASE_URL=make_database())
        for command in (second, alone):
            write_apps(command, shops, (one, two))
        # What they share is divided by app; the files are those of tables that are not.
        assert "transactions: divided, 0 rows moved" in second.good("partition").out
        hold = Hold("/transaction?")
        with gate(one, hold) as held:
            write_apps(first, shops, (held, two))
            with first.start("run", *days, "--app", one.app_id, "--ledger", "both.csv") as running:
                assert hold.held.wait(60)
                # The other imports the same ledger and ends, while this one still fetches.
                second.good("run", *days, "--app", two.app_id, "--ledger", "both.csv")
                hold.go.set()
                assert running.ended().code == 0
        for command, app_id in ((first, one.app_id), (second, two.app_id)):
            alone.good("run", *days, "--app", app_id, "--ledger", "both.csv")
            assert command.latest().same() == alone.latest().same()
            assert len(list((command.folder / "reports").iterdir())) == 2, "its own run, and latest"
        # And of tables that are divided when they hold records already.
        before = alone.latest()
        moved = json.loads(alone.good("partition", "--json").out)["moved"]
        assert moved["transactions"] > 400
        assert moved["entries"] > 400
        alone.good("run", *days, "--app", two.app_id, "--ledger", "both.csv")
        assert (alone.latest().run_id != before.run_id, alone.latest().same()) == (True, before.same())
        assert set(json.loads(alone.good("partition", "--json").out)["moved"].values()) == {0}
    known = [json.loads(command.good("runs", "--json").out)["runs"] for command in (first, second)]
    assert known[0] == known[1]
    assert {(run["state"], *run["apps"]) for run in known[0]} == {("finished", shop.app_id) for shop in shops}


@pytest.fixture(scope="module")
def two_apps(calm_shop: Shop) -> Iterator[tuple[list[Merchant], tuple[Sandbox, Sandbox]]]:
    """The calm shop and another one of the same days."""
    shops = [calm_shop[0], Merchant.made_up(21, date(2026, 4, 1), 5)]
    with serve(shops[1]) as two:
        yield shops, (calm_shop[1], two)


@pytest.fixture(scope="module")
def undisturbed(
    make_command: MakeCommand, two_apps: tuple[list[Merchant], tuple[Sandbox, Sandbox]]
) -> dict[str, str]:
    """What a run of both gives where neither fails."""
    command = make_command()
    write_apps(command, *two_apps)
    command.good(*BOTH)
    return command.latest().same()


def check_one_did_without_the_other(command: Command, outcome: Outcome, shops: list[Merchant]) -> None:
    """The second app failed: the report of the first stands, and says so."""
    one, two = (shop.app_id for shop in shops)
    assert outcome.code == 4
    assert outcome.complaint.startswith(f"reconcile: app {two} failed: KS Pay, ")
    assert f"the report of {one} stands in reports/" in outcome.complaint
    report = command.latest()
    assert report.document()["apps"] == [one]
    assert any(two in line for line in report.document()["warnings"])
    assert report.findings() == planted(shops[0].planted)
    known = json.loads(command.good("runs", "--json").out)["runs"]
    assert {(run["state"], *run["apps"]) for run in known} == {("finished", one), ("failed", two)}


def test_one_app_that_fails_does_not_stop_the_other(
    make_command: MakeCommand,
    two_apps: tuple[list[Merchant], tuple[Sandbox, Sandbox]],
    undisturbed: dict[str, str],
) -> None:
    """The report of the other stands; what failed is done later, alone or with both: nothing lost, nothing doubled."""
    shops, (one, two) = two_apps
    command = make_command()
    with gate(two, lambda path, body: (503, b"{}")) as broken:
        write_apps(command, shops, (one, broken))
        part = command(*BOTH, RECONCILE_GIVE_UP_SECONDS="0")
        assert "KS Pay, POST /auth/generate-token" in part.complaint
        check_one_did_without_the_other(command, part, shops)
        both = command(*BOTH, "--app", two.app_id, "--json", RECONCILE_GIVE_UP_SECONDS="0")
        assert (both.code, both.out) == (4, "")
    write_apps(command, shops, (one, two))
    command.good(*BOTH, "--app", two.app_id)
    assert command.latest().findings() == planted(shops[1].planted)
    assert command.latest().document()["apps"] == [two.app_id]
    command.good(*BOTH)
    assert command.latest().same() == undisturbed
    unknown = command(*BOTH, "--app", "ap_other")
    assert (unknown.code, "--app ap_other: no such app is set" in unknown.complaint) == (2, True)


def test_one_app_that_is_refused_does_not_stop_the_other(
    make_command: MakeCommand,
    two_apps: tuple[list[Merchant], tuple[Sandbox, Sandbox]],
    undisturbed: dict[str, str],
) -> None:
    """One night its key was taken back, then its tokens, then its rights: each says so, and the last brings all."""
    shops, (one, two) = two_apps
    command = make_command()
    status = 0

    def closed(path: str, body: bytes) -> bytes | tuple[int, bytes]:
        return (status, b"{}") if path.startswith("/transaction?") else body

    with gate(two, closed) as refusing:
        for at, status in ((replace(two, secret_key="wrong"), 400), (refusing, 401), (refusing, 403)):
            write_apps(command, shops, (one, at))
            part = command(*BOTH)
            assert f": status {status}" in part.complaint
            check_one_did_without_the_other(command, part, shops)
    write_apps(command, shops, (one, two))
    command.good(*BOTH)
    assert command.latest().same() == undisturbed
