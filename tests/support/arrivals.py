"""Brings records and runs into a database as a fetch, an import and a run do, by the statements of sql/load."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text

from reconcile.core.records import Period, comparable
from reconcile.db.copy import copy_rows
from reconcile.db.sql_files import run_file
from reconcile.load.staging_tables import number_load
from reconcile.report.csv_files import write_small_tables
from reconcile.report.matched_csv import write_matched
from reconcile.settings import Settings
from tests.oracle import E, T


def arrive(
    connection: Connection,
    transactions: Sequence[T],
    entries: Sequence[E],
    apps: Sequence[str],
    said_at: datetime,
    broken: Sequence[T | E] = (),
) -> None:
    """Load what one night brought, of all these apps; `said_at` is the transactions' `updatedAt`.

    Of `broken` records nothing but the id can be used.
    """
    _load(connection, "kspay", "kspay", apps, transactions, (), said_at, broken)
    for source in sorted({record.source for record in (*entries, *broken) if isinstance(record, E)}):
        booked = [record for record in entries if record.source == source]
        _load(connection, "ledger", source, apps, (), booked, said_at, broken)


def _load(
    connection: Connection,
    side: str,
    source: str,
    apps: Sequence[str],
    transactions: Sequence[T],
    entries: Sequence[E],
    said_at: datetime,
    broken: Sequence[T | E],
) -> None:
    connection.execute(text("discard temp"))
    run_file(connection, "load/staging_tables")
    _stage_transactions(connection, transactions, said_at)
    _stage_entries(connection, entries)
    _stage_rejections(connection, side, source, broken)
    connection.execute(
        text(
            "insert into staged_scope (app_id, side, source) select app, :side, :source"
            " from unnest(cast(:apps as text[])) as app"
        ),
        {"apps": list(apps), "side": side, "source": source},
    )
    number_load(connection)
    taking_in = (
        ("contested_transactions", "take_in_transactions")
        if side == "kspay"
        else ("repeated_ids", "same_ids", "take_in_entries")
    )
    for name in (*taking_in, "rejected", "take_in_quarantine"):
        run_file(connection, f"load/{name}")


def _stage_transactions(connection: Connection, transactions: Sequence[T], said_at: datetime) -> None:
    copy_rows(
        connection,
        "staged_transactions",
        (
            "app_id", "transaction_id", "reference", "comparable", "currency", "amount", "status",
            "created_at", "updated_at", "provider_order_id", "provider_txn_id", "payment_type", "file", "row_number",
        ),
        (
            (t.app, t.id, t.reference, comparable(t.reference), t.currency, t.amount, t.status, t.created_at, said_at,
             t.provider_order_id, t.provider_txn_id, t.payment_method, "", 1)
            for t in transactions
        ),
    )  # fmt: skip


def _stage_entries(connection: Connection, entries: Sequence[E]) -> None:
    copy_rows(
        connection,
        "staged_entries",
        (
            "app_id", "source", "ledger_id", "reference", "comparable", "currency", "amount", "status",
            "dated_on", "transaction_id", "provider_order_id", "provider_txn_id", "description", "file", "row_number",
        ),
        (
            (e.app, e.source, e.id, e.reference, comparable(e.reference), e.currency, e.amount, e.status, e.day,
             e.transaction_id, e.provider_order_id, e.provider_txn_id, e.description, "", 1)
            for e in entries
        ),
    )  # fmt: skip


def _stage_rejections(connection: Connection, side: str, source: str, broken: Sequence[T | E]) -> None:
    copy_rows(
        connection,
        "staged_rejections",
        (
            "app_id", "side", "source", "record_id", "file", "row_number", "field", "value", "reason", "raw",
            "currency", "dated_on", "dated_at",
        ),
        (
            (b.app, side, source, b.id, "", 1, "amount", "x", "is no number", repr(b),
             b.currency, None if isinstance(b, T) else b.day, b.created_at if isinstance(b, T) else None)
            for b in broken
            if source == ("kspay" if isinstance(b, T) else b.source)
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


def write_tables(connection: Connection, settings: Settings, folder: Path) -> None:
    """Write the tables of a report into `folder`; `connection` has the results of the matching."""
    write_small_tables(connection, settings, folder)
    write_matched(connection, settings.currencies, folder / "matched.csv", settings.dialect)
