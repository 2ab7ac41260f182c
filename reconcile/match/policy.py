"""States for one transaction what matching depends on, as temporary tables: the settings, and what the run asks for.

So the statements that match need no parameters, and run in psql as they are.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Date, bindparam, text

from reconcile.core.discrepancies import TYPES, Severity
from reconcile.core.fees import folded
from reconcile.core.records import Period
from reconcile.db.sql_files import read_sql, run_file
from reconcile.settings import Settings

MOST_RECORDS_OF_A_KEY = 500
"""Records of one side that may carry the same reference or id. A key that more of them carry joins nothing."""

STATED = ("policy", "known_transaction", "known_entry")
"""The tables and views of `state_policy` that other stages read too: the settings, and the usable records of the
apps."""


def state_policy(connection: Connection, settings: Settings, apps: Sequence[str]) -> None:
    """State the settings as temporary tables, and the usable records of these apps as views.

    The views are `usable_transaction`, `known_transaction`, `usable_entry`, `known_entry` and `unusable`. All of it is
    gone when the transaction ends.
    """
    run_file(connection, "match/policy/tables")
    _execute(
        connection,
        "policy",
        app_ids=list(apps),
        timezone=settings.timezone.key,
        date_tolerance_days=settings.date_tolerance_days,
        duplicate_days=settings.duplicate_days,
        tolerance_fixed=settings.tolerances.default.fixed,
        tolerance_percent=settings.tolerances.default.percent,
        accept_suggestions=settings.accept_suggestions,
        most_records_of_a_key=MOST_RECORDS_OF_A_KEY,
        fees=fees_json(settings),
    )
    _execute(
        connection,
        "status_families",
        sides=[side for side, _ in settings.families],
        statuses=[status for _, status in settings.families],
        families=list(settings.families.values()),
    )
    named = settings.tolerances.named
    _execute(
        connection,
        "tolerances",
        currencies=list(named),
        fixed=[tolerance.fixed for tolerance in named.values()],
        percents=[tolerance.percent for tolerance in named.values()],
    )
    kinds = TYPES.values()
    _execute(
        connection,
        "discrepancy_types",
        types=list(TYPES),
        severities=[kind.severity for kind in kinds],
        severities_of_refunded=[kind.severity_of_refunded or kind.severity for kind in kinds],
        severity_ranks=[[*Severity].index(kind.severity) for kind in kinds],
        type_ranks=list(range(len(kinds))),
    )
    run_file(connection, "match/policy/known_records")


def state_asked(
    connection: Connection, settings: Settings, run_id: str, apps: Sequence[str], period: Period
) -> None:
    """State what a run asks for: its period and as-of day; and the records of the period as views."""
    end_of_period = datetime.combine(period.last + timedelta(days=1), time(), settings.timezone).astimezone(
        UTC
    )
    _execute(
        connection,
        "asked",
        run_id=run_id,
        app_ids=list(apps),
        first=period.first,
        last=period.last,
        grace_days=settings.grace_days,
        stale_before=end_of_period - timedelta(hours=settings.stale_pending_hours),
    )
    connection.execute(text("analyze asked"))
    connection.execute(
        text(read_sql("match/policy/period_records")).bindparams(
            bindparam("first", period.first, Date, literal_execute=True),
            bindparam("last", period.last, Date, literal_execute=True),
        )
    )


def note_policy(connection: Connection, apps: Sequence[str], rules: str) -> bool:
    """Note the policy that the apps are matched by. Returns whether some app was never matched, or was by another
    policy.

    `rules` is a fingerprint of what is matched and found: with another one, everything is matched again.
    """
    noted = connection.execute(
        text(read_sql("match/policy/note_policy")), {"rules": rules, "apps": list(apps)}
    )
    return noted.rowcount > 0


def fees_json(settings: Settings) -> str | None:
    """The fees as the SQL function `expected_fee` reads them; None where there are none."""
    lists: dict[str, list[dict[str, Any]]] = {}
    for fee in sorted(settings.fees, key=lambda fee: fee.first_day, reverse=True):
        lists.setdefault(f"{folded(fee.payment_method or '')} {fee.currency}", []).append(
            {
                "from": fee.first_day.isoformat(),
                "share": f"{fee.share:f}",
                "fixed": f"{fee.fixed_with_tax:f}",
                "digits": settings.currencies.digits[fee.currency],
            }
        )
    return json.dumps(lists) if lists else None


def _execute(connection: Connection, name: str, **parameters: Any) -> None:
    connection.execute(text(read_sql(f"match/policy/{name}")), parameters)
