"""Brings records and runs into a database as a fetch, an import and a run do, by the statements of sql/load."""

from collections.abc import Sequence
from datetime import datetime

from oracle import E, T
from sqlalchemy import Connection, text

from reconcile.load import number_load
from reconcile.records import Period, comparable
from reconcile.store import copy_rows, run_file


def arrive(
    connection: Connection,
    transactions: Sequence[T],
    entries: Sequence[E],
    apps: Sequence[str],
    said_at: datetime,
) -> None:
    """Load what one night brought, of all these apps; `said_at` is the transactions' `updatedAt`."""
    for side, source, statements in (
        ("kspay", "kspay", "load/20_transactions"),
        ("ledger", "default", "load/21_entries"),
    ):
        connection.execute(text("discard temp"))
        run_file(connection, "load/10_staging")
        if side == "kspay":
            _stage_transactions(connection, transactions, said_at)
        else:
            _stage_entries(connection, entries)
        connection.execute(
            text(
                "insert into staged_scope (app_id, side, source) select app, :side, :source"
                " from unnest(cast(:apps as text[])) as app"
            ),
            {"apps": list(apps), "side": side, "source": source},
        )
        number_load(connection)
        run_file(connection, statements)
        run_file(connection, "load/30_quarantine")


def _stage_transactions(connection: Connection, transactions: Sequence[T], said_at: datetime) -> None:
    copy_rows(
        connection,
        "staged_transactions",
        (
            "app_id", "transaction_id", "reference", "comparable", "currency", "amount", "status",
            "created_at", "updated_at", "provider_order_id", "provider_txn_id", "file", "row_number",
        ),
        (
            (t.app, t.id, t.reference, comparable(t.reference), t.currency, t.amount, t.family, t.created_at, said_at,
             t.provider_order_id, t.provider_txn_id, "", 1)
            for t in transactions
        ),
    )  # fmt: skip


def _stage_entries(connection: Connection, entries: Sequence[E]) -> None:
    copy_rows(
        connection,
        "staged_entries",
        (
            "app_id", "source", "ledger_id", "reference", "comparable", "currency", "amount", "status",
            "dated_on", "transaction_id", "provider_order_id", "provider_txn_id", "file", "row_number",
        ),
        (
            (e.app, e.source, e.id, e.reference, comparable(e.reference), e.currency, e.amount, e.family, e.day,
             e.transaction_id, e.provider_order_id, e.provider_txn_id, "", 1)
            for e in entries
        ),
    )  # fmt: skip


def record_run(connection: Connection, run_id: str, apps: Sequence[str], period: Period, state: str) -> None:
    """Add a row to the run table."""
    connection.execute(
        text(
            "insert into runs (run_id, command, apps, period_first, period_last, state, finished_at)"
            " values (:id, 'run', :apps, :first, :last, :state, case :state when 'finished' then now() end)"
        ),
        {"id": run_id, "apps": list(apps), "first": period.first, "last": period.last, "state": state},
    )
