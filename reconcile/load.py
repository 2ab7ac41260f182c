"""Loads judged records into Postgres: COPY into staging tables, then one transaction that takes them in.

A fetch or an import becomes visible as a whole or not at all; the same input again changes no row.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy import Connection, Engine, text

from reconcile.records import Entry, Period, Rejection, Side, Transaction
from reconcile.store import copy_rows, run_file

_TRANSACTION = (
    "app_id", "transaction_id", "reference", "comparable", "currency", "amount", "status", "created_at", "updated_at",
    "provider_order_id", "provider_txn_id", "payment_type", "provider_name", "provider_status",
)  # fmt: skip
_ENTRY = (
    "app_id", "source", "ledger_id", "reference", "comparable", "currency", "amount", "status", "dated_on",
    "dated_at", "transaction_id", "provider_order_id", "provider_txn_id", "description",
)  # fmt: skip
_REJECTION = (
    "side", "app_id", "source", "record_id", "field", "value", "reason", "raw", "currency", "dated_on", "dated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load did, in records: read = usable + repeats + quarantined."""

    read: int
    usable: int
    repeats: int
    quarantined: int
    added: int
    changed: int


class Loading:
    """Staging tables on one connection, filled batch by batch and taken in at the end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read = 0
        run_file(connection, "load/10_staging")
        connection.commit()

    def stage(
        self,
        records: Sequence[Transaction] | Sequence[Entry],
        rejections: Sequence[Rejection],
        days: Period | None = None,
    ) -> None:
        """Add one batch; `days` are the UTC days asked for, of a fetch. Others see nothing of it yet."""
        transactions = [record for record in records if isinstance(record, Transaction)]
        entries = [record for record in records if isinstance(record, Entry)]
        asked = {"fetched_first": days and days.first, "fetched_last": days and days.last}
        for table, columns, batch, more in (
            ("staged_transactions", _TRANSACTION, transactions, {}),
            ("staged_entries", _ENTRY, entries, {}),
            ("staged_rejections", _REJECTION, rejections, asked),
        ):
            if batch:
                names = (*columns, "file", "row_number", *more)
                rows = _rows(batch, columns, tuple(more.values()))
                self._read += copy_rows(self._connection, table, names, rows)
        self._connection.commit()

    def take_in_transactions(self, app_id: str, ranges: Iterable[Period]) -> Loaded:
        """Move what was staged into `transactions` and `quarantine`; `ranges` are the UTC days asked for."""
        scope = {"app_id": app_id, "side": Side.KSPAY, "source": "kspay", "file": None}
        scopes: list[dict[str, object]] = [
            {**scope, "first": days.first, "last": days.last} for days in ranges
        ]
        return self._take_in("load/20_transactions", scopes)

    def take_in_entries(self, app_ids: Iterable[str], source: str, file: str) -> Loaded:
        """Move what was staged into `entries` and `quarantine`."""
        scope = {"side": Side.LEDGER, "source": source, "file": file, "first": None, "last": None}
        return self._take_in("load/21_entries", [{**scope, "app_id": app_id} for app_id in app_ids])

    def _take_in(self, statements: str, scopes: list[dict[str, object]]) -> Loaded:
        connection = self._connection
        # Two loads of one source take turns: their rows would otherwise be locked in crossing orders.
        key = f"reconcile load {scopes[0]['side']} {scopes[0]['source']}"
        connection.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
        connection.execute(
            text(
                "insert into staged_scope (app_id, side, source, file, fetched_first, fetched_last)"
                " values (:app_id, :side, :source, :file, :first, :last)"
            ),
            scopes,
        )
        number_load(connection)
        run_file(connection, statements)
        run_file(connection, "load/30_quarantine")
        row = connection.execute(
            text("select usable, added, changed, (select count(*) from rejected) as quarantined from loaded")
        ).one()
        connection.commit()
        return Loaded(
            read=self._read,
            usable=row.usable,
            repeats=self._read - row.usable - row.quarantined,
            quarantined=row.quarantined,
            added=row.added,
            changed=row.changed,
        )


def number_load(connection: Connection) -> None:
    """Give this load its number for each app of its scope: what it changes will carry it."""
    connection.execute(
        text(
            "with numbered as (insert into loads (app_id, side, source, file)"
            " select distinct app_id, side, source, file from staged_scope returning app_id, load_id)"
            " insert into this_load select * from numbered"
        )
    )


def _rows(
    records: Sequence[Transaction | Entry | Rejection], columns: Sequence[str], more: tuple[object, ...]
) -> Iterator[tuple[object, ...]]:
    values = attrgetter(*columns, "place.file", "place.row")
    for record in records:
        yield values(record) + more


@contextmanager
def loading(engine: Engine) -> Iterator[Loading]:
    """A connection with staging tables, gone with all that was staged when the block ends."""
    with engine.connect() as connection:
        yield Loading(connection)
