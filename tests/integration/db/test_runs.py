"""The run table: which run is the newest, which made up for a missed night, and what failed before it began."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from reconcile.core.errors import Busy
from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.report.csv_files import point_latest, says_of_latest

AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
JULY = Period(date(2026, 7, 1), date(2026, 7, 31))


def finished(engine: Engine, period: Period, out: Path) -> str:
    run_id = runs.start(engine, "run", ("ap_1",), period, out)
    with engine.begin() as connection:
        runs.finish(connection, run_id, {})
    point_latest(out, run_id)
    return run_id


def test_the_newest_run_is_that_of_the_newest_day(fresh_engine: Engine, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(hours=1)
    first = finished(fresh_engine, AUGUST, tmp_path)
    (tmp_path / first).mkdir()
    latest = tmp_path / "latest"
    older = finished(fresh_engine, JULY, tmp_path)
    assert older == "2026-07-01_2026-07-31_1"
    assert says_of_latest(tmp_path / older) == f"{latest} still names {first}, which is as of a later day"
    assert says_of_latest(tmp_path / first) is None
    assert (runs.one(fresh_engine, "latest").run_id, latest.readlink().name) == (first, first)
    second = finished(fresh_engine, AUGUST, tmp_path)
    assert (runs.one(fresh_engine, "latest").run_id, latest.readlink().name) == (second, second)

    # The night of an hour ago was made up for; one that is due in an hour was not, nor was another app's,
    # nor one with more days.
    made_up = [
        runs.made_up_for(fresh_engine, apps, period, due)
        for apps, period, due in (
            (["ap_1"], AUGUST, before),
            (["ap_1"], Period(date(2026, 8, 25), AUGUST.last), before),
            (["ap_1"], AUGUST, before + timedelta(hours=2)),
            (["ap_1", "ap_2"], AUGUST, before),
            (["ap_1"], Period(JULY.last, AUGUST.last), before),
            (["ap_1"], Period(AUGUST.first, date(2026, 9, 1)), before),
        )
    ]
    assert made_up == [second, second, None, None, None, None]


def test_what_fails_before_it_is_a_run_takes_no_number_of_a_report(
    fresh_engine: Engine, tmp_path: Path
) -> None:
    may = Period(date(2026, 5, 1), date(2026, 5, 31))
    for _ in range(2):
        runs.note_failure(fresh_engine, "run", ["ap_1"], may, Busy("another run works on app ap_1"))
    found = [run for run in runs.listed(fresh_engine, 10) if run.period_first == may.first]
    assert {(run.run_id, run.state, run.error, run.folder) for run in found} == {
        (f"2026-05-01_2026-05-31_failed_{n}", "failed", "another run works on app ap_1", None) for n in (1, 2)
    }
    assert finished(fresh_engine, may, tmp_path) == "2026-05-01_2026-05-31_1"
