"""The engine in SQL against the oracle in plain Python, on random worlds where everything collides."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from oracle import D, M, Outcome, reconcile
from sqlalchemy import Connection, Engine, text
from worlds import World, worlds

from reconcile.match import match
from reconcile.progress import silent
from reconcile.settings import Settings
from reconcile.store import copy_rows

RULES = ("transaction_id", "reference", "reference_differs")
APPS = ("ap_1", "ap_2")


@pytest.fixture(scope="module")
def connection(fresh_engine: Engine) -> Iterator[Connection]:
    with fresh_engine.connect() as connection:
        yield connection


def run_engine(connection: Connection, world: World) -> tuple[Outcome, Connection]:
    """The world in the database, matched; the caller rolls back."""
    policy = world.policy
    copy_rows(
        connection,
        "transactions",
        (
            "app_id", "transaction_id", "reference", "currency", "amount", "status", "created_at",
            "provider_order_id", "provider_txn_id",
        ),
        (
            (t.app, t.id, t.reference, t.currency, t.amount, t.family, t.created_at, t.provider_order_id,
             t.provider_txn_id)
            for t in world.transactions
        ),
    )  # fmt: skip
    copy_rows(
        connection,
        "entries",
        (
            "app_id", "source", "ledger_id", "reference", "currency", "amount", "status", "dated_on",
            "transaction_id", "provider_order_id", "provider_txn_id",
        ),
        (
            (e.app, e.source, e.id, e.reference, e.currency, e.amount, e.family, e.day, e.transaction_id,
             e.provider_order_id, e.provider_txn_id)
            for e in world.entries
        ),
    )  # fmt: skip
    run_id = _record_runs(connection, world)
    match(
        connection,
        Settings(
            timezone=ZoneInfo(policy.timezone),
            tolerances=policy.tolerance,
            date_tolerance_days=policy.date_tolerance_days,
            duplicate_days=policy.duplicate_days,
            grace_days=policy.grace_days,
            stale_pending_hours=policy.stale_pending_hours,
        ),
        run_id,
        APPS,
        world.period,
        silent,
    )
    return _read(connection), connection


def _record_runs(connection: Connection, world: World) -> str:
    def record(run_id: str, first: date, last: date, state: str) -> None:
        connection.execute(
            text(
                "insert into runs (run_id, command, apps, period_first, period_last, state, finished_at)"
                " values (:id, 'run', :apps, :first, :last, :state, case :state when 'finished' then now() end)"
            ),
            {"id": run_id, "apps": list(APPS), "first": first, "last": last, "state": state},
        )

    for day in world.covered:
        record(str(day), day, day, "finished")
    record("this", world.period.first, world.period.last, "running")
    return "this"


def _read(connection: Connection) -> Outcome:
    found = Outcome()
    rows = connection.execute(
        text(
            "select match.m, rule, match.app_id,"
            " array_agg(member.record_id) filter (where member.side = 'kspay') as transactions,"
            " array_agg(array[member.source, member.record_id]) filter (where member.side = 'ledger') as entries"
            " from match inner join member using (m) where m in (select m from member inner join dated"
            " using (side, number) cross join policy where business_on between period_first and period_last)"
            " group by match.m, rule, match.app_id"
        )
    )
    for row in rows:
        ids = frozenset((source, ledger_id) for source, ledger_id in row.entries)
        found.matches.add(M(row.rule, frozenset(row.transactions), ids, row.app_id))
    rows = connection.execute(
        text(
            "select reported.d, type, severity, aspect, reported.app_id, match.same_currency, kspay_amount,"
            " ledger_amount, txn.amount as t_amount, unit.amount as e_amount,"
            ' array_agg(txns.transaction_id order by txns.transaction_id collate "C")'
            " filter (where txns.t is not null) as transactions,"
            " array_agg(array[entry.source, entry.ledger_id]) filter (where entry.e is not null) as entries"
            " from reported inner join involved using (d)"
            " left join match using (m)"
            " left join txn on txn.t = reported.t left join unit on unit.e = reported.e"
            " left join txn as txns on involved.side = 'kspay' and txns.t = involved.number"
            " left join entry on involved.side = 'ledger' and entry.e = involved.number"
            " group by reported.d, type, severity, aspect, reported.app_id, match.same_currency, kspay_amount,"
            " ledger_amount, txn.amount, unit.amount"
        )
    )
    for row in rows:
        if row.same_currency is None:
            difference: Decimal | None = (row.t_amount or Decimal(0)) - (row.e_amount or Decimal(0))
        else:
            difference = row.kspay_amount - row.ledger_amount if row.same_currency else None
        found.discrepancies.add(
            D(
                row.type,
                row.severity,
                row.app_id,
                tuple(row.transactions or ()),
                tuple(sorted((source, ledger_id) for source, ledger_id in row.entries or ())),
                row.aspect,
                difference,
            )
        )
    for row in connection.execute(
        text("select scope, side, currency, outcome, records, amount from summary")
    ):
        found.summary[row.scope, row.side, row.currency, row.outcome] = (row.records, row.amount)
    return found


def without_totals(outcome: Outcome) -> dict[tuple[str, str, str, str], object]:
    return {key: value for key, value in outcome.summary.items() if key[3] != "total"}


def agree(connection: Connection, world: World) -> None:
    expected = reconcile(world.transactions, world.entries, world.policy, world.period, set(world.covered))
    try:
        found, _ = run_engine(connection, world)
    finally:
        connection.rollback()
    assert found.matches == expected.matches
    assert found.discrepancies == expected.discrepancies
    assert without_totals(found) == without_totals(expected)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
@given(worlds(rules=RULES))
def test_engine_and_oracle_agree(connection: Connection, world: World) -> None:
    agree(connection, world)
