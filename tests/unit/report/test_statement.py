"""What is said of a month that has no run."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reconcile.report.statement import month_days, no_run


def test_the_command_for_a_month_without_a_run_is_one_that_works() -> None:
    for zone in map(ZoneInfo, ("Pacific/Kiritimati", "Pacific/Pago_Pago")):  # they never have the same day
        today = datetime.now(zone).date()
        assert f"run it with reconcile run --from {today:%Y-%m}-01 --to {today}; " in no_run(
            f"{today:%Y-%m}", zone
        )
        assert "--from 2026-02-01 --to 2026-02-28; " in no_run("2026-02", zone)
        later = month_days(f"{today:%Y-%m}")[1] + timedelta(days=1)
        assert no_run(f"{later:%Y-%m}", zone) == f"that month has not begun: today is {today} in {zone.key}"
