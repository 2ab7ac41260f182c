"""Stage 4, match: runs `sql/group` and `sql/match` in order, set-based, in one transaction, and checks the result.

`sql/group` says which groups of records are matched anew. Of `sql/match`, the files up to 16 lay out their
world; those from 20 to 79 are the rules, one a file, in their order; those from 80 on remember the matches
and say what is wrong, and the last counts what became of every record. `sql/check` must then return no rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Date, bindparam, text

from reconcile.core.errors import CheckFailed
from reconcile.core.progress import Progress
from reconcile.core.records import Period, comparable
from reconcile.db.sql_files import read_sql, run_file, sql_names
from reconcile.settings import Settings

_SHOWN = 5  # so many of the records that fail a check are named in the error
_MANY = 50_000  # records; where more are looked up, whole tables are joined
_RULES = 2
"""Raise it with every change of what the rules or their order match: the next run then matches everything anew."""
_KINDS = {"comparable": "normalised reference"}
_ONCE = "match/75_amount_date"  # the only rule that does not run in both phases
_OUTCOME = "match/92_outcome"


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
    *,
    anew: bool = False,
) -> Matched:
    """Match what arrived or changed and write matches and discrepancies, without committing.

    With `anew`, and where settings or rules changed, everything is matched. The temporary tables of the matching
    stay for the report until the transaction ends. Raises CheckFailed, naming the records, if a check of
    the result finds any.
    """
    state_policy(connection, settings, apps)
    _state_asked(connection, settings, run_id, apps, period)
    connection.execute(text("set local work_mem = '64MB'"))
    # Nearly all that is analysed here lives for this matching only, and its columns are keys and numbers that hardly
    # repeat: a smaller sample says as much.
    connection.execute(text("set local default_statistics_target = 30"))
    # Where whole tables are gone through, other processes of the server share the work: the one that writes the
    # result has enough to do, and handing it over costs less than the planner takes it to.
    connection.execute(text("set local parallel_leader_participation = off"))
    connection.execute(text("set local parallel_tuple_cost = 0.01"))
    anew = _everything_differs(connection, apps) or anew or _mostly_new(connection, apps)
    _look_up(connection, not anew)
    run_file(connection, "group/10_by_hand")
    if anew:
        progress("match", "all groups", 0)
        run_file(connection, "group/20_anew")
    else:
        progress("match", "groups that changed", 0)
        run_file(connection, "group/30_changed")
        while connection.execute(text("select exists (select from frontier)")).scalar_one():
            run_file(connection, "group/31_spread")
        run_file(connection, "group/32_scope")
    _look_up(connection, False)
    files = sql_names("match")
    passes = [name for name in files if 20 <= _number(name) < 80 and name != _ONCE]
    for name in files:
        if _number(name) < 20:
            run_file(connection, name)
    for phase in (1, 2):
        for number, name in enumerate(passes):
            progress("match", f"phase {phase} of 2: {_label(name)}", (phase - 1 + number / len(passes)) / 2)
            _run_pass(connection, name, phase)
    if settings.accept_suggestions:
        run_file(connection, _ONCE)
    run_file(connection, "match/80_match")
    run_file(connection, "match/81_finding")
    _look_up(connection, not anew)
    run_file(connection, "match/82_remember")
    _look_up(connection, not anew and not _long_period(connection))
    if not settings.accept_suggestions:
        run_file(connection, _ONCE)
    progress("match", "discrepancies", 1)
    for name in files:
        if _number(name) > 82:
            if name == _OUTCOME:
                progress("match", "outcomes", 1)
            run_file(connection, name)
    progress("match", "proof", 1)
    checks = tuple(_check(connection, name) for name in sql_names("check"))
    return _numbers(connection, checks)


def state_policy(connection: Connection, settings: Settings, apps: tuple[str, ...]) -> None:
    """State the settings as temporary tables, and what is known as views: `usable_transaction`, `known_transaction` …

    They are gone when the transaction ends.
    """
    run_file(connection, "policy/10_tables")
    connection.execute(
        text(read_sql("policy/20_policy")),
        {
            "app_ids": list(apps),
            "timezone": settings.timezone.key,
            "date_tolerance_days": settings.date_tolerance_days,
            "duplicate_days": settings.duplicate_days,
            "tolerance_fixed": settings.tolerances.default.fixed,
            "tolerance_percent": settings.tolerances.default.percent,
            "accept_suggestions": settings.accept_suggestions,
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
    run_file(connection, "policy/30_known")


def _state_asked(
    connection: Connection, settings: Settings, run_id: str, apps: tuple[str, ...], period: Period
) -> None:
    end_of_period = datetime.combine(period.last + timedelta(days=1), time(), settings.timezone).astimezone(
        UTC
    )
    connection.execute(
        text(read_sql("policy/21_asked")),
        {
            "run_id": run_id,
            "app_ids": list(apps),
            "first": period.first,
            "last": period.last,
            "grace_days": settings.grace_days,
            "stale_before": end_of_period - timedelta(hours=settings.stale_pending_hours),
        },
    )
    connection.execute(text("analyze asked"))
    connection.execute(
        text(read_sql("policy/31_period")).bindparams(
            bindparam("first", period.first, Date, literal_execute=True),
            bindparam("last", period.last, Date, literal_execute=True),
        )
    )


def _everything_differs(connection: Connection, apps: tuple[str, ...]) -> bool:
    """Whether some app was never matched, or by other settings or rules; then these are noted."""
    stated = connection.execute(
        text(
            "select encode(sha256(convert_to(jsonb_build_array(cast(:rules as integer), to_jsonb(policy) - 'app_ids',"
            ' (select jsonb_agg(to_jsonb(f) order by f.side, f.status collate "C") from status_family f),'
            ' (select jsonb_agg(to_jsonb(t) order by t.currency collate "C") from tolerance t))::text,'
            " 'UTF8')), 'hex') from policy"
        ),
        {"rules": _RULES},
    ).scalar_one()
    noted = connection.execute(
        text(
            "insert into matched_policies (app_id, policy)"
            " select app_id, :policy from unnest(cast(:apps as text[])) as app_id"
            " on conflict (app_id) do update set policy = excluded.policy"
            " where matched_policies.policy <> excluded.policy"
        ),
        {"policy": stated, "apps": list(apps)},
    )
    return noted.rowcount > 0


def _mostly_new(connection: Connection, apps: tuple[str, ...]) -> bool:
    """Whether so much changed that whole tables are quicker to match than the groups of it."""
    changed, known = connection.execute(
        text(
            "select coalesce(sum(records), 0), (select coalesce(max(number), 0) from transactions)"
            " + (select coalesce(max(number), 0) from entries)"
            " from loads where app_id = any(cast(:apps as text[])) and matched_by is null"
        ),
        {"apps": list(apps)},
    ).one()
    return bool(changed > max(_MANY, known / 20))


def _long_period(connection: Connection) -> bool:
    return bool(
        connection.execute(
            text(
                "select count(*) >= :many from (select from transactions"
                " where created_at between (select period_first from asked) and (select period_last from asked)"
                " limit :many) as period_rows"
            ),
            {"many": _MANY},
        ).scalar_one()
    )


def _look_up(connection: Connection, few: bool) -> None:
    # A few records are looked up in big tables by index, row by row. Otherwise never: the planner takes the
    # columns of a key for independent, expects one row where there are a million, and would join them
    # row by row, measured 300 times slower. Nor are whole tables sorted to be joined. What is looked up again and
    # again is in memory: by its usual price of a page the planner reads a million rows for ten thousand.
    for join in ("nestloop", "mergejoin"):
        connection.execute(text(f"set local enable_{join} = {'on' if few else 'off'}"))
    connection.execute(text(f"set local random_page_cost to {'1.1' if few else 'default'}"))


def _fill(connection: Connection, statement: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(text(statement), rows)


def _run_pass(connection: Connection, name: str, phase: int) -> None:
    connection.execute(
        text("update pass set phase = :phase, rule = :rule"), {"phase": phase, "rule": _label(name)}
    )
    run_file(connection, name)
    # A rule says which pairs are possible, and the best are taken; or it takes what it finds by itself.
    if connection.execute(text("select to_regclass('pg_temp.possible_pair')")).scalar_one() is None:
        return
    run_file(connection, "pairing/10_rank")
    while run_file(connection, "pairing/20_take"):
        run_file(connection, "pairing/30_discard")
    connection.execute(text("drop table candidate"))
    connection.execute(text("drop view possible_pair"))


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


def _number(name: str) -> int:
    return int(name.split("/")[1].partition("_")[0])


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
            "select app_id, kind, key from crowded_keys inner join policy on app_id = any(app_ids)"
            ' order by app_id collate "C", kind, key collate "C"'
        )
    ).all()
    written = {(row.app_id, comparable(row.key)) for row in crowded if row.kind == "reference"}
    return Matched(
        matches=counts(
            "select rule, sum(matches)::bigint from ("
            " select rule, matches from tally union all select rule, 1 from beside"
            ') as counted group by rule having sum(matches) > 0 order by rule collate "C"'
        ),
        discrepancies=counts(
            "select type, count(*) from reported where status <> 'resolved' group by type"
            " order by min(array_position(array['high', 'medium', 'low', 'info'], severity)), type collate \"C\""
        ),
        new=connection.execute(text("select count(*) from news")).scalar_one(),
        cleared=tuple(row[0] for row in cleared),
        open_above_info=connection.execute(
            text("select count(*) from reported where severity <> 'info' and status <> 'resolved'")
        ).scalar_one(),
        checks=checks,
        warnings=tuple(
            f"{_KINDS.get(row.kind, row.kind)} {row.key!r} of app {row.app_id} stands on more than 500 records of"
            " one side: too many to be a key, so nothing was matched by it"
            for row in crowded
            if row.kind != "comparable" or (row.app_id, row.key) not in written
        ),
    )
