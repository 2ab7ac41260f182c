"""Loads records: COPY into staging tables, then one transaction that takes them in once all are validated.

A fetch or an import becomes visible as a whole or not at all; the same input again changes no row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from reconcile.core.money import Currencies
from reconcile.core.records import Entry, Period, Place, RawRow, Rejection, Side, Transaction
from reconcile.core.rejections import raw_json
from reconcile.db import planner
from reconcile.db.copy import copy_lines, copy_rows
from reconcile.db.sql_files import read_sql, run_file
from reconcile.normalise import entries_bulk, transactions_bulk
from reconcile.validate.refusals import refusal
from reconcile.validate.rules import Batch, BatchCheck, Broken
from reconcile.validate.validator import BATCH, Validator

_TRANSACTION = (
    "app_id", "transaction_id", "reference", "comparable", "currency", "amount", "status", "created_at", "updated_at",
    "provider_order_id", "provider_txn_id", "payment_type", "provider_name", "provider_status",
)  # fmt: skip
_ENTRY = (
    "app_id", "source", "ledger_id", "reference", "comparable", "currency", "amount", "status", "dated_on",
    "dated_at", "transaction_id", "provider_order_id", "provider_txn_id", "description",
)  # fmt: skip
_REJECTION = (
    "side", "app_id", "source", "record_id", "field", "value", "reason", "raw", "currency", "amount", "dated_on",
    "dated_at", "typed",
)  # fmt: skip
_IN_BULK = {
    Side.KSPAY: ("staged_transactions", transactions_bulk.COLUMNS),
    Side.LEDGER: ("staged_entries", entries_bulk.COLUMNS),
}
_JUDGED = {
    Side.KSPAY: ("transactions", "staged_transactions", "staged_transactions"),
    Side.LEDGER: ("entries", "staged_entries", "staged_entries"),
}
"""By side, the suite, the file of its view in sql/validate, and the table."""

_AT_ONCE = 50_000
"""Records that are refused together; more take too much memory."""

_MANY = 10_000
"""A load of more records than this refreshes the statistics of their table. Without them the planner takes a million
new rows for a few hundred, and matching looks up each duplicate by a whole index; the server's own autovacuum comes
too late for the matching that follows at once."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load did, in records: read = usable + repeats + quarantined."""

    read: int
    usable: int
    repeats: int
    quarantined: int
    added: int
    changed: int
    withdrawn: int
    """Entries that a snapshot lacked."""
    import_id: int | None
    """Of a ledger; the same file again that changes nothing is the import of before."""
    lacking: tuple[str, ...] = ()
    """Ids of entries that an earlier file of these days had, and this one lacks."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import of a ledger would count: read = usable + repeats + quarantined, as in `Loaded`."""

    read: int
    usable: int
    repeats: int
    quarantined: int
    refused: int
    """Rows that go to quarantine; those that are broken alike it holds once."""
    entries: Sequence[Row[Any]]
    """The first entries, as sql/load/preview_entries.sql gives them."""
    rejections: Sequence[Row[Any]]
    """The first of the refused rows, with their reasons."""


class StagingTables:
    """Temporary tables on one connection, filled batch by batch and taken in at the end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read = 0
        run_file(connection, "load/staging_tables")
        connection.commit()

    def add(
        self,
        records: Sequence[Transaction | Entry],
        rejections: Sequence[Rejection],
        days: Period | None = None,
        came: Sequence[RawRow] = (),
    ) -> None:
        """Add one batch; `days` are the UTC days asked for, of a fetch. Others see nothing of it yet.

        `came` are the rows that the records were, one for each.
        """
        fetched = {"fetched_first": days and days.first, "fetched_last": days and days.last}
        kspay = bool(records) and isinstance(records[0], Transaction)
        self._copy(
            "staged_transactions" if kspay else "staged_entries",
            _TRANSACTION if kspay else _ENTRY,
            records,
            fetched if kspay else {},
            map(as_it_came, came) if came else repeat(None, len(records)),
        )
        self._copy(
            "staged_rejections",
            _REJECTION,
            rejections,
            fetched,
        )
        self._read += len(records) + len(rejections)
        self._connection.commit()

    def _copy(
        self,
        table: str,
        columns: Sequence[str],
        records: Sequence[Transaction | Entry | Rejection],
        more: Mapping[str, object],
        came: Iterable[str | None] | None = None,
    ) -> None:
        if not records:
            return
        rows = map(attrgetter(*columns, "place.file", "place.row"), records)
        names, extra = (*columns, "file", "row_number", *more), tuple(more.values())
        if came is None:
            copy_rows(self._connection, table, names, (row + extra for row in rows))
        else:
            whole = ((*row, *extra, written) for row, written in zip(rows, came, strict=True))
            copy_rows(self._connection, table, (*names, "came"), whole)

    def add_lines(self, side: Side, lines: bytes, count: int) -> None:
        """Add so many records that were typed in bulk: lines of COPY's text format already."""
        copy_lines(self._connection, *_IN_BULK[side], lines)
        self._read += count
        self._connection.commit()

    def judge(
        self, validator: Validator, side: Side, currencies: Currencies, subject: str
    ) -> tuple[str, ...]:
        """Ask the suite of this side about all that was staged, and move what it refuses to the rejections.

        `subject` is the file or the app that the records are of. Gives the names of what would have blocked and was
        allowed. Raises as `Validator.judging`; then nothing of it is used.
        """
        connection = self._connection
        suite, view, table = _JUDGED[side]
        run_file(connection, f"validate/{view}")
        connection.commit()
        with validator.judging(connection, suite, f"judged_{suite}", subject) as judging:
            failures = judging.count()
            judging.refuse(failures)
            refused = 0
            most = judging.most
            # A list of many rows takes much memory: then they are asked about a part of the table at a time.
            for condition in self._parts(table, judging.size, most) if most else ():
                connection.exec_driver_sql(read_sql(f"validate/{view}") + condition)
                connection.commit()
                broken = judging.name(most)
                refused += len(broken)
                self._refuse(side, currencies, broken)
            judging.note(failures, refused)
        return tuple(failure.expectation for failure in failures if failure.allowed)

    def _parts(self, table: str, size: int, most: int) -> Iterator[str]:
        """Conditions on the view that cut a table of `size` rows into parts; none where few rows are broken."""
        if most <= _AT_ONCE:
            yield ""
            return
        pages = self._connection.scalar(text("select pg_relation_size(:name) / 8192"), {"name": table})
        step = max(1, pages * _AT_ONCE // size)
        for first in range(0, pages, step):
            yield f"where staged.ctid >= '({first},0)'::tid and staged.ctid < '({first + step},0)'::tid"

    def _refuse(self, side: Side, currencies: Currencies, broken: Broken) -> None:
        """Move the records at these places to the rejections."""
        connection = self._connection
        kind = Transaction if side is Side.KSPAY else Entry
        statement = text(
            read_sql("load/refuse_transactions" if side is Side.KSPAY else "load/refuse_entries")
        )
        places = sorted(broken)
        for start in range(0, len(places), BATCH):
            by_days: dict[Period | None, list[Rejection]] = {}
            for row in (
                connection.execute(statement, {"places": places[start : start + BATCH]}).mappings().all()
            ):
                values = dict(row)
                place, came = values.pop("place"), values.pop("came")
                first, last = values.pop("fetched_first", None), values.pop("fetched_last", None)
                values["place"] = Place(values.pop("file"), values.pop("row_number"))
                record = kind(**values)
                days = Period(first, last) if first is not None else None
                by_days.setdefault(days, []).append(refusal(record, broken[place], currencies, came))
            for days, rejections in by_days.items():
                self._read -= len(rejections)
                self.add([], rejections, days)

    def take_in_transactions(
        self, app_id: str, ranges: Iterable[Period], check: BatchCheck | None = None
    ) -> Loaded:
        """Move what was staged into `transactions` and `quarantine`; `ranges` are the UTC days asked for."""
        scope = {"app_id": app_id, "side": Side.KSPAY, "source": "kspay", "file": None}
        scopes: list[dict[str, object]] = [
            {**scope, "first": days.first, "last": days.last} for days in ranges
        ]
        statements = [
            "load/contested_transactions",
            "load/take_in_transactions",
            "load/rejected",
            "load/take_in_quarantine",
        ]
        return self._take_in(statements, scopes, check)

    def take_in_entries(
        self,
        app_ids: Iterable[str],
        source: str,
        file: str,
        *,
        sha256: str,
        snapshot_timezone: str | None = None,
        timezone: str | None = None,
        passed_over: int = 0,
        check: BatchCheck | None = None,
    ) -> Loaded:
        """Move what was staged into `entries` and `quarantine`, and record the import.

        With a time zone it is a snapshot: the whole ledger of the days that it spans there, by source and app. With
        `timezone`, `Loaded.lacking` names what the file lacks. `passed_over` counts its rows that are no records.
        """
        scope = {"side": Side.LEDGER, "source": source, "file": file, "first": None, "last": None}
        self._connection.execute(
            text(read_sql("load/begin_import")),
            {"sha256": sha256, "snapshot_timezone": snapshot_timezone, "timezone": timezone},
        )
        statements = [
            "load/repeated_ids",
            "load/same_ids",
            "load/take_in_entries",
            "load/number_import",
            "load/rejected",
            "load/take_in_quarantine",
        ]
        scopes: list[dict[str, object]] = [{**scope, "app_id": app_id} for app_id in app_ids]
        return self._take_in(statements, scopes, check, passed_over)

    def preview_entries(self, sheets: Sequence[str], most: int, check: BatchCheck) -> Preview:
        """What `take_in_entries` would make of what was staged, by the same statements; nothing is taken in.

        `sheets` are the files of the rows in their order; at most `most` rows of each kind are shown.
        """
        connection = self._connection
        for statement in ("load/repeated_ids", "load/same_ids", "load/rejected"):
            planner.run_planned(connection, statement)
        counts = connection.execute(text(read_sql("load/preview"))).one()
        shown = {"sheets": list(sheets), "most": most}
        entries = connection.execute(text(read_sql("load/preview_entries")), shown).all()
        rejections = connection.execute(text(read_sql("load/preview_rejections")), shown).all()
        connection.rollback()
        check(Batch(self._read, counts.quarantined, 0, 0))
        return Preview(
            read=self._read,
            usable=counts.usable,
            repeats=self._read - counts.usable - counts.quarantined,
            quarantined=counts.quarantined,
            refused=counts.refused,
            entries=entries,
            rejections=rejections,
        )

    def _take_in(
        self,
        statements: Sequence[str],
        scopes: list[dict[str, object]],
        check: BatchCheck | None,
        passed_over: int = 0,
    ) -> Loaded:
        connection = self._connection
        take_turns(connection, str(scopes[0]["side"]), str(scopes[0]["source"]))
        connection.execute(text(read_sql("load/scope")), scopes)
        number_load(connection)
        for statement in statements:
            planner.run_planned(connection, statement)
        row = connection.execute(text(read_sql("load/loaded"))).one()
        allowed: tuple[str, ...] = ()
        if check is not None:
            # Of a load that is refused nothing is committed.
            allowed = check(Batch(self._read, row.quarantined, row.in_force, row.withdrawn))
        lacking: tuple[str, ...] = ()
        if row.import_id is not None:
            lacking = tuple(
                connection.scalars(text('select ledger_id from lacking order by ledger_id collate "C"'))
            )
        loaded = Loaded(
            read=self._read,
            usable=row.usable,
            repeats=self._read - row.usable - row.quarantined,
            quarantined=row.quarantined,
            added=row.added,
            changed=row.changed,
            withdrawn=row.withdrawn,
            lacking=lacking,
            import_id=row.import_id,
        )
        if loaded.import_id is not None:
            names = ("usable", "repeats", "quarantined", "added", "changed", "withdrawn")
            connection.execute(
                text(read_sql("load/import_counts")),
                {
                    "records": loaded.read,
                    "allowed": list(allowed),
                    "passed_over": passed_over,
                    **{name: getattr(loaded, name) for name in names},
                },
            )
        connection.commit()
        if loaded.added + loaded.changed > _MANY:
            table = "transactions" if scopes[0]["side"] is Side.KSPAY else "entries"
            planner.use(connection, planner.BIG_LOAD)
            connection.execute(text(f"analyze {table}"))
            connection.commit()
        return loaded


def take_turns(connection: Connection, side: str, source: str) -> None:
    """Let loads of one source follow one another, until the transaction ends: their rows would otherwise be
    locked in crossing orders."""
    key = {"key": f"reconcile load {side} {source}"}
    connection.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), key)


def number_load(connection: Connection) -> None:
    """Give this load its number for each app of its scope: what it changes will carry it."""
    run_file(connection, "load/number_load")


def as_it_came(row: RawRow) -> str:
    """A row as the quarantine shows it."""
    values = row.values
    return raw_json(
        {name: value for name, value in values.items() if name != "signature"}
        if "signature" in values
        else values
    )


@contextmanager
def staging_tables(engine: Engine) -> Iterator[StagingTables]:
    """A connection with staging tables, gone with all that was staged when the block ends."""
    with engine.connect() as connection:
        yield StagingTables(connection)
