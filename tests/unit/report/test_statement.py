"""What is said of a month that has no run."""

from datetime import UTC, datetime, timedelta

from reconcile.report.statement import month_days, no_run


def test_the_command_for_a_month_without_a_run_is_one_that_works() -> None:
    assert "run it with reconcile run --from 2026-02-01 --to 2026-02-28; " in no_run("2026-02")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    present = f"{yesterday:%Y-%m}"
    assert f"--from {yesterday:%Y-%m}-01 --to {yesterday}; " in no_run(present)
    later = month_days(present)[1] + timedelta(days=32)
    assert no_run(f"{later:%Y-%m}") == "no day of that month is over yet; reconcile runs lists all runs"
