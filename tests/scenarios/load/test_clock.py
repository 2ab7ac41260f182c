"""The clock of this machine is wrong: KS Pay's `Date` tells."""

from datetime import UTC, datetime, timedelta

import pytest

from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.support.driver import MakeCommand, keys


@pytest.fixture
def merchant() -> Merchant:
    """Nine days that end yesterday."""
    return Merchant.made_up(3, datetime.now(UTC).date() - timedelta(days=9), 9)


@pytest.mark.parametrize("asked", ["nightly", "by hand"])
def test_a_clock_days_ahead_is_no_reason_to_miss_anything(
    make_command: MakeCommand, merchant: Merchant, asked: str
) -> None:
    """A server two days behind is what a clock two days ahead sees."""
    command = make_command(RECONCILE_TIMEZONE="UTC", RECONCILE_LEDGER="ledger.csv")
    merchant.write_ledger(command.folder / "ledger.csv")
    first, last = str(merchant.first_day), str(merchant.first_day + timedelta(days=8))
    words = () if asked == "nightly" else ("--from", first, "--to", last)
    with serve(merchant, behaviour=Behaviour(clock_ahead=-2 * 86400.0)) as sandbox:
        command.settings |= keys(sandbox)
        outcome = command("run", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert "the clock of this machine is wrong" in outcome.complaint
    assert (
        f"By that clock {last} {'is not over yet' if asked == 'nightly' else 'lies in the future'}: set the clock"
        in (outcome.complaint)
    )
    assert not (command.folder / "reports" / "latest").exists()
    with serve(merchant) as sandbox:
        command.settings |= keys(sandbox)
        command.good("run", *words)
        undisturbed = make_command(sandbox, RECONCILE_TIMEZONE="UTC", RECONCILE_LEDGER="ledger.csv")
        merchant.write_ledger(undisturbed.folder / "ledger.csv")
        undisturbed.good("run", *words)
    assert command.latest().document()["fetched"][0]["clock_minutes"] == 0
    assert command.latest().same() == undisturbed.latest().same()


def test_a_clock_that_is_hours_off_is_a_warning(make_command: MakeCommand, merchant: Merchant) -> None:
    command = make_command(RECONCILE_TIMEZONE="UTC", RECONCILE_LEDGER="ledger.csv")
    merchant.write_ledger(command.folder / "ledger.csv")
    days = ("--from", str(merchant.first_day), "--to", str(merchant.first_day + timedelta(days=6)))
    with serve(merchant, behaviour=Behaviour(clock_ahead=-7200.0)) as sandbox:
        command.settings |= keys(sandbox)
        command.good("run", *days)
    ahead = command.latest()
    assert [line for line in ahead.document()["warnings"] if "is 120 minutes ahead of KS Pay's" in line]
    with serve(merchant, behaviour=Behaviour(clock_ahead=7200.0)) as sandbox:
        command.settings |= keys(sandbox)
        command.good("run", *days)
    assert [
        line for line in command.latest().document()["warnings"] if "is 120 minutes behind KS Pay's" in line
    ]
    assert (command.latest().run_id != ahead.run_id, command.latest().same()) == (True, ahead.same())
