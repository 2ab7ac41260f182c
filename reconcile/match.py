"""Stage 4, match: runs `sql/match` in order, set-based, inside one transaction, and checks the result.

The files up to 13 lay out the world; those from 20 to 79 are the passes, one rule a file, each run
once in both phases; those from 80 on say what follows. `sql/check` must then return no rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, text

from reconcile.errors import CheckFailed
from reconcile.progress import Progress
from reconcile.records import Period
from reconcile.settings import Settings
from reconcile.store import read_sql, run_file, sql_names

_PREPARE, _PASS = 20, 80  # the first numbers of the passes and of what follows them
_SHOWN = 5  # so many of the records that fail a check are named in the error


@dataclass(frozen=True, slots=True)
class Matched:
    """What the matching of one run found, in numbers; the rows are read by the report stage."""

    matches: Mapping[str, int]  # those with a record in the period, by rule
    discrepancies: Mapping[str, int]  # reported, by type
    new: int
    cleared: tuple[str, ...]  # discrepancy ids
    open_above_info: int
    checks: tuple[str, ...]  # the names of the checks that passed
    warnings: tuple[str, ...]


def match(
    connection: Connection,
    settings: Settings,
    run_id: str,
    apps: tuple[str, ...],
    period: Period,
    progress: Progress,
) -> Matched:
    """Match all that is known of these apps and write matches and discrepancies, without committing.

    The temporary tables of the matching stay for the report until the transaction ends. Raises
    CheckFailed, naming the records, if a check of the result finds any.
    """
    # The planner takes the columns of a record for independent, expects one row where there are a
    # million, and would join them row by row: measured 300 times slower.
    connection.execute(text("set local enable_nestloop = off"))
    connection.execute(text("set local work_mem = '64MB'"))
    _state_policy(connection, settings, run_id, apps, period)
    files = [(int(name.split("/")[1].partition("_")[0]), name) for name in sql_names("match")]
    for number, name in files:
        if number < _PREPARE:
            run_file(connection, name)
    passes = [name for number, name in files if _PREPARE <= number < _PASS]
    for phase in (1, 2):
        for number, name in enumerate(passes):
            progress("match", f"phase {phase} of 2: {_label(name)}", (phase - 1 + number / len(passes)) / 2)
            _run_pass(connection, name, phase)
    progress("match", "discrepancies", 1)
    for number, name in files:
        if number >= _PASS:
            run_file(connection, name)
    checks = tuple(_check(connection, name) for name in sql_names("check"))
    return _numbers(connection, checks)


def _state_policy(
    connection: Connection, settings: Settings, run_id: str, apps: tuple[str, ...], period: Period
) -> None:
    run_file(connection, "policy/10_tables")
    end_of_period = datetime.combine(period.last + timedelta(days=1), time(), settings.timezone).astimezone(
        UTC
    )
    connection.execute(
        text(read_sql("policy/20_state")),
        {
            "run_id": run_id,
            "app_ids": list(apps),
            "first": period.first,
            "last": period.last,
            "timezone": settings.timezone.key,
            "date_tolerance_days": settings.date_tolerance_days,
            "duplicate_days": settings.duplicate_days,
            "grace_days": settings.grace_days,
            "stale_before": end_of_period - timedelta(hours=settings.stale_pending_hours),
            "tolerance_fixed": settings.tolerances.default.fixed,
            "tolerance_percent": settings.tolerances.default.percent,
        },
    )
    _fill(
        connection,
        "insert into status_family (side, status, family) values (:side, :status, :family)",
        [{"side": s, "status": w, "family": f} for (s, w), f in settings.families.items()],
    )
    _fill(
        connection,
        "insert into tolerance (currency, fixed, percent) values (:currency, :fixed, :percent)",
        [
            {"currency": currency, "fixed": tolerance.fixed, "percent": tolerance.percent}
            for currency, tolerance in settings.tolerances.named.items()
        ],
    )


def _fill(connection: Connection, statement: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(text(statement), rows)


def _run_pass(connection: Connection, name: str, phase: int) -> None:
    connection.execute(
        text("update pass set phase = :phase, rule = :rule"), {"phase": phase, "rule": _label(name)}
    )
    run_file(connection, name)
    run_file(connection, "pairing/10_rank")
    while run_file(connection, "pairing/20_take"):
        run_file(connection, "pairing/30_discard")
    connection.execute(text("drop table candidate"))


def _check(connection: Connection, name: str) -> str:
    rows = connection.execute(text(read_sql(name))).all()
    check = _label(name)
    if rows:
        named = "; ".join(f"{row.side} {row.record}: {row.found}" for row in rows[:_SHOWN])
        more = f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        raise CheckFailed(
            f"the check {check} of our own result failed, so nothing is reported: {named}{more}"
        )
    return check


def _label(name: str) -> str:
    """`match/20_transaction_id` is the rule transaction_id."""
    return name.split("/")[1].partition("_")[2]


def _numbers(connection: Connection, checks: tuple[str, ...]) -> Matched:
    def counts(statement: str) -> dict[str, int]:
        return {row[0]: row[1] for row in connection.execute(text(statement))}

    cleared = connection.execute(
        text('select discrepancy_id from cleared order by discrepancy_id collate "C"')
    )
    crowded = connection.execute(
        text(
            'select app_id, kind, key, records from crowded_key order by app_id collate "C", kind, key collate "C"'
        )
    )
    return Matched(
        matches=counts(
            "select rule, count(distinct match.m) from match inner join member using (m)"
            " inner join dated using (side, number) cross join policy"
            " where business_on between period_first and period_last"
            ' group by rule order by rule collate "C"'
        ),
        discrepancies=counts(
            "select type, count(*) from reported group by type"
            " order by min(array_position(array['high', 'medium', 'low', 'info'], severity)), type collate \"C\""
        ),
        new=connection.execute(text("select count(*) from news")).scalar_one(),
        cleared=tuple(row[0] for row in cleared),
        open_above_info=connection.execute(
            text("select count(*) from reported where severity <> 'info'")
        ).scalar_one(),
        checks=checks,
        warnings=tuple(
            f"{row.kind} {row.key!r} of app {row.app_id} stands on {row.records} records of one side: "
            "too many to be a key, so nothing was matched by it"
            for row in crowded
        ),
    )
