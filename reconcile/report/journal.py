"""What people decided, as journal lines to book: CSV, Tally XML and Zoho Books CSV.

Two lines a booking: one on the ledger's own account, which brings the entry to what was decided, and one against it.
The line on the own account also says how the entry stands afterwards, so that the CSV file can be read back as a
ledger: a payment that the ledger lacked is a new entry, any other entry is stated as it is then. Debits equal credits,
by currency. Each decision is exported once. What replaces an exported one has a reversing line for each of its lines.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from reconcile.core.errors import CheckFailed, DiskFull, InputRefused, UsageError
from reconcile.core.journal import BOOKED, JOURNAL_COLUMNS, Accounts
from reconcile.core.money import exact_sum
from reconcile.core.records import possible_ids, with_source
from reconcile.db import runs
from reconcile.db.sql_files import read_sql
from reconcile.decide.audit_trail import os_user
from reconcile.ledger.profile import TOML
from reconcile.match.policy import fees_json
from reconcile.report import close_trail
from reconcile.report.csv_cells import shown
from reconcile.report.csv_files import read_csv
from reconcile.report.journal_bookings import (
    GONE,
    NEW,
    Booking,
    Entry,
    NotBookedError,
    NothingToBookError,
    Payment,
    bookings,
    stated_entry,
)
from reconcile.report.journal_files import TALLY_CURRENCY, Line, write_journals
from reconcile.report.statement import (
    Position,
    closing_of,
    leading_runs,
    month_days,
    no_run,
    openings,
    positions,
)
from reconcile.report.statement_files import write_whole
from reconcile.report.verify import changed_files, stored_report
from reconcile.settings import Settings

_NEW_ID = "J-"
"""Begins the id of an entry that a journal makes; the number of the decision follows."""

_REVERSAL = "reversal of decision "
"""Begins the narration of lines that take back what another decision booked."""

_AFTER_STATUS = ("AMOUNT_MISMATCH", "CURRENCY_MISMATCH")


@dataclass(frozen=True, slots=True)
class Left:
    """A decision that is in no file of the journal, or not in one of them, and why."""

    decision_id: int
    discrepancy_id: str
    type: str
    why: str


@dataclass(frozen=True, slots=True)
class Exported:
    """What one export gave."""

    month: str
    source: str
    journal: str | None  # None: there was nothing new
    decisions: int
    totals: Mapping[str, str]  # by currency: what is debited, and so credited
    left: Sequence[Left]  # in no file
    not_in_tally: Sequence[Left]  # in the other files
    before: int  # decisions of the month that were exported before
    closed: bool
    files: Sequence[Path]


@dataclass(frozen=True, slots=True)
class _Export:
    """What is the same for all decisions of one export."""

    connection: Connection
    settings: Settings
    accounts: Accounts
    month: str
    source: str
    """The ledger that the journal is for."""
    day: date
    """The last of the month, on which everything is booked."""


def export_journal(
    engine: Engine, settings: Settings, month: str, source: str, out: Path, *, again: bool = False
) -> Exported:
    """Write what was decided in a month and was not exported before; with `again` also what was.

    Raises UsageError where no account is named for a decision, InputRefused if a file of the closing run was changed.
    """
    last = month_days(month, "adjustments")[1]
    accounts = settings.journal
    if accounts is None:
        raise UsageError(
            f"{TOML} has no [journal]: it names the accounts to book on, see docs/month-close.md"
        )
    with (
        close_trail.alone(engine),
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        closed = close_trail.newest(connection, month)
        export = _Export(connection, settings, accounts, month, source, last)
        made, left = _new_lines(engine, export, closed)
        name = None
        if made:
            count = connection.scalar(
                text("select count(distinct journal) from journal_exports where month = :month"),
                {"month": month},
            )
            name = f"{month}-{(count or 0) + 1}"
            for lines in made.values():
                for line in lines:
                    line["journal"] = name
            _keep(export, name, made)
        exported = connection.execute(
            text(read_sql("report/journal/exported")), {"month": month, "source": source}
        ).all()
        asked = [row for row in exported if again or row.journal == name]
        wanted: dict[str, list[Line]] = {}
        for row in asked:
            wanted.setdefault(row.journal, []).extend(row.lines)
        totals = _totals([line for lines in wanted.values() for line in lines])
        connection.commit()  # first, so that no file is about what is not kept
    files = []
    if wanted:
        try:
            files = write_whole(out, lambda aside: write_journals(aside, wanted, settings.dialect))
        except (DiskFull, UsageError) as error:
            raise type(error)(f"{error}; nothing is lost: write it again with --again") from None
    decisions = len({row.decision_id for row in asked})
    before = len({row.decision_id for row in exported if row.journal != name})
    return Exported(
        month, source, name, decisions, totals, left, _not_in_tally(asked), before, closed is not None, files
    )


def _new_lines(
    engine: Engine, export: _Export, closed: close_trail.Close | None
) -> tuple[dict[tuple[int, str], list[Line]], list[Left]]:
    """By decision and discrepancy the lines to book; and the decisions that are in no journal."""
    connection, month = export.connection, export.month
    closing = (
        positions(connection, export.day)
        if closed is None
        else closing_of(connection, closed.content["closing"])
    )
    if not closing or not any(position.as_of.isoformat()[:7] == month for position in closing.values()):
        raise UsageError(f"{month}: {no_run(month, export.settings.timezone)}")
    opening = openings(connection, month)
    made: dict[tuple[int, str], list[Line]] = {}
    left: list[Left] = []
    for app_id, position in closing.items():
        decided = _decided(connection, opening.get(app_id), position)
        rows = _resolved(engine, position) if decided else {}
        # What came right since has no row, and there is nothing to book. Of one entry the status is looked at first:
        # by how much its amount changes the books depends on it.
        with_rows = [
            (decision, rows[decision.discrepancy_id])
            for decision in decided
            if decision.discrepancy_id in rows and decision.decision in BOOKED
        ]
        with_rows.sort(key=lambda pair: pair[1]["type"] in _AFTER_STATUS)
        folded: dict[str, Entry] = {}
        of_app = []
        settled = set()
        for decision, row in with_rows:
            try:
                lines = _lines(export, row, decision, folded)
            except NotBookedError as why:
                if not (isinstance(why, NothingToBookError) and _still_booked(decision)):
                    left.append(Left(decision.decision_id, decision.discrepancy_id, row["type"], str(why)))
                    settled.add(decision.discrepancy_id)
                continue
            settled.add(decision.discrepancy_id)
            made[decision.decision_id, decision.discrepancy_id] = lines
            of_app += lines
        for decision in decided:
            if decision.discrepancy_id in settled or decision.earlier_source not in (None, export.source):
                continue
            try:
                if lines := _taken_back(export, decision):
                    made[decision.decision_id, decision.discrepancy_id] = lines
                    of_app += lines
            except NotBookedError as why:
                left.append(Left(decision.decision_id, decision.discrepancy_id, decision.type, str(why)))
        for line in of_app:  # each line on an entry says how it stands after all of them
            if line["amount"] and line["ledger_id"] in folded:
                line.update(stated_entry(export.settings, folded[line["ledger_id"]]))
    return dict(sorted(made.items())), sorted(
        left, key=lambda decision: (decision.decision_id, decision.discrepancy_id)
    )


def _decided(connection: Connection, opening: Position | None, closing: Position) -> Sequence[Any]:
    chain, before = leading_runs(connection, opening, closing)
    asked = {
        "app_id": closing.app_id,
        "runs": chain,
        "before": before,
        "news": sorted({*chain} - {*before}),
        "head": closing.decisions,
        "opened": opening.decisions if opening else 0,
    }
    return connection.execute(text(read_sql("report/journal/decided")), asked).all()


def _resolved(engine: Engine, position: Position) -> dict[str, Line]:
    """resolved.csv of a run, by discrepancy; each cell as a spreadsheet shows it."""
    name = "resolved.csv"
    stored, folder = stored_report(runs.one(engine, position.run_id))
    for changed, says in changed_files(stored, folder, [name]).items():
        raise InputRefused(f"{folder / changed} {says}: put that file of the closing run back")
    columns, *rows = read_csv(folder / name)
    cells = (dict(zip(columns, map(shown, row), strict=True)) for row in rows)
    return {row["discrepancy_id"]: row for row in cells}


def _lines(export: _Export, row: Line, made: Any, folded: dict[str, Entry]) -> list[Line]:
    """The lines of one decision. Notes in `folded` how the entries stand after it, by their ids."""
    replaced = _still_booked(made)
    if replaced and made.earlier_source != export.source:
        raise NotBookedError(
            f"it replaces a decision of journal {made.earlier_journal}, of --profile {made.earlier_source}"
        )
    _check_not_read_back(export.connection, made, replaced)
    entries = _entries(export, row)
    _check_read_back(export, row, entries)
    entries = [folded.get(entry.ledger_id, entry) for entry in entries]
    paid = _payment(export, row)
    lines: list[Line] = []
    after = {}
    # A payment that the ledger lacks stays one entry, whichever decision books it.
    earlier_id = replaced[0]["ledger_id"] if replaced else ""
    new_id = earlier_id if earlier_id.startswith(_NEW_ID) else f"{_NEW_ID}{made.decision_id}"
    for booking in bookings(export.settings, row, new_id, entries, paid):
        if booking.after is not None:
            after[booking.after.ledger_id] = booking.after
        if booking.amount:
            lines += _both_lines(export, row, made, booking)
    folded |= after
    if not lines:
        raise NothingToBookError("no money moved in all")
    # Behind the others, so that they are further lines of the last entry when the journal is read back.
    return [*lines, *(_reversed(line, made, export.day, lines[-1]["ledger_id"]) for line in replaced)]


def _both_lines(export: _Export, row: Line, made: Any, booking: Booking) -> list[Line]:
    """The line of a booking on the ledger's own account, and the one against it.

    Raises NothingToBookError where such a decision is not booked, UsageError where no account is named for it.
    """
    try:
        other = export.accounts.other(made.decision, row["type"], booking.currency)
        if other is None:
            raise NothingToBookError("[journal] says that it is not booked")
        own = export.accounts.own(booking.currency)
    except KeyError as error:
        raise UsageError(f"{TOML}: {error.args[0]}, for decision {made.decision_id}") from None
    size = export.settings.currencies.format(booking.amount.copy_abs(), booking.currency)
    shared = {
        **dict.fromkeys(JOURNAL_COLUMNS, ""),
        "date": export.day.isoformat(),
        "reference": row["reference"] or row["ledger_reference"] or row["transaction_id"] or row["ledger_id"],
        "narration": _narration(row, made),
        "decision_id": str(made.decision_id),
        "currency": booking.currency,
        "app_id": row["app_id"],
    }
    more, less = ("debit", "credit") if booking.amount > 0 else ("credit", "debit")
    return [
        {**shared, "account": own, more: size, **booking.entry},
        {**shared, "account": other, less: size, "ledger_id": booking.entry["ledger_id"]},
    ]


def _still_booked(made: Any) -> list[Line]:
    """What the newest export of the discrepancy books; nothing if that only took something back."""
    return [line for line in made.earlier_lines or () if not line["narration"].startswith(_REVERSAL)]


def _reversed(line: Line, made: Any, day: date, ledger_id: str) -> Line:
    """The line that takes back an exported one. It says nothing about an entry."""
    return {
        **dict.fromkeys(JOURNAL_COLUMNS, ""),
        **{name: line[name] for name in ("account", "reference", "currency", "app_id")},
        "date": day.isoformat(),
        "debit": line["credit"],
        "credit": line["debit"],
        "narration": f"{_REVERSAL}{line['decision_id']}, {line['narration']}",
        "decision_id": str(made.decision_id),
        "ledger_id": ledger_id,
    }


def _taken_back(export: _Export, made: Any) -> list[Line]:
    """The lines that take back an exported decision in whose place nothing is booked. Each entry is stated as it stands
    without it; a payment that the ledger lacked has none then."""
    replaced = _still_booked(made)
    _check_not_read_back(export.connection, made, replaced)
    lines = []
    for line in replaced:
        back = _reversed(line, made, export.day, line["ledger_id"])
        if line["amount"]:
            there = _standing(export.connection, line["app_id"], export.source, [line["ledger_id"]])
            without = {"entry_date": line["entry_date"], "status": GONE, "amount": line["amount"]}
            back |= stated_entry(export.settings, there[line["ledger_id"]]) if there else without
        lines.append(back)
    return lines


def _standing(connection: Connection, app_id: str, source: str, ids: Sequence[str]) -> dict[str, Entry]:
    """By id, the entries of a ledger as they stand."""
    found = connection.execute(
        text(read_sql("report/journal/entries")), {"app_id": app_id, "ids": sorted(ids)}
    )
    entries = [Entry(**held) for held in found.mappings()]
    return {entry.ledger_id: entry for entry in entries if entry.source == source}


def _check_not_read_back(connection: Connection, made: Any, replaced: Sequence[Line]) -> None:
    """Raises NotBookedError where an entry is as the replaced decision states it: the ledger has read that journal, so
    taking it back changes the ledger once more."""
    stated = [line for line in replaced if line["amount"]]
    if not stated:
        return
    there = _standing(
        connection, stated[0]["app_id"], made.earlier_source, [line["ledger_id"] for line in stated]
    )
    for line in stated:
        entry = there.get(line["ledger_id"])
        if entry is not None and (entry.currency, entry.amount, entry.status) == (
            line["currency"],
            Decimal(line["amount"]),
            line["status"],
        ):
            raise NotBookedError(
                f"it replaces a decision of journal {made.earlier_journal}, which was read back: book it by hand"
            )


def _entries(export: _Export, row: Line) -> list[Entry]:
    """The entries of a row of resolved.csv. Raises NotBookedError unless all are known and of the ledger asked for."""
    if row["ledger_id"].endswith("…"):  # the cell is cut
        of_match = export.connection.execute(
            text(read_sql("report/journal/entries_of_match")), {"discrepancy_id": row["discrepancy_id"]}
        )
        named = [Entry(**entry) for entry in of_match.mappings()]
        if exact_sum(entry.amount for entry in named if entry.amount > 0) != Decimal(
            row["ledger_amount"] or 0
        ):
            raise NotBookedError("it has more entries than resolved.csv names: book it by hand")
    else:
        ids = [*filter(None, row["ledger_id"].split(";"))]
        found = export.connection.execute(
            text(read_sql("report/journal/entries")),
            {
                "app_id": row["app_id"],
                "ids": sorted({form for written in ids for form in possible_ids(written)}),
            },
        )
        by_key = {
            (entry.source, entry.ledger_id): entry for entry in (Entry(**held) for held in found.mappings())
        }
        named = [_named(by_key, written) for written in ids]
    if others := sorted({entry.source for entry in named} - {export.source}):
        raise NotBookedError(f"it is about the ledger {', '.join(others)}: see --profile")
    return named


def _named(by_key: Mapping[tuple[str, str], Entry], written: str) -> Entry:
    """The one entry that is written so: `a:b` may be the id a:b, or id b of source a."""
    with_its_source = with_source(written)
    keys = [key for key in by_key if key[1] == written or key in with_its_source]
    if not keys:
        raise NotBookedError("its entry is gone")
    if len(keys) > 1:
        possible = " or ".join(f"{source}:{ledger_id}" for source, ledger_id in keys)
        raise NotBookedError(f"its entry {written} may be {possible}: book it by hand")
    return by_key[keys[0]]


def _check_read_back(export: _Export, row: Line, entries: Sequence[Entry]) -> None:
    """Raises NotBookedError where a journal states other values for an entry than it has now: this journal would undo
    them."""
    rows = export.connection.execute(
        text(read_sql("report/journal/stated")),
        {
            "app_id": row["app_id"],
            "source": export.source,
            "discrepancy_id": row["discrepancy_id"],
            "ids": [entry.ledger_id for entry in entries],
        },
    )
    stated = {held.ledger_id: held for held in rows}
    for entry in entries:
        held = stated.get(entry.ledger_id)
        if held is not None and (held.currency, held.amount, held.status) != (
            entry.currency,
            entry.amount,
            entry.status,
        ):
            what = f"journal {held.journal} changes its entry {entry.ledger_id} too"
            raise NotBookedError(f"{what}: read that back first, or book it by hand")


def _payment(export: _Export, row: Line) -> Payment:
    ids = [*filter(None, row["transaction_id"].split(";"))]
    asked = {
        "app_id": row["app_id"],
        "ids": ids,
        "source": export.source,
        "fees": fees_json(export.settings),
        "timezone": export.settings.timezone.key,
    }
    found = export.connection.execute(text(read_sql("report/journal/payments")), asked).all()
    if export.settings.fees and len(found) < len(ids):
        raise NotBookedError("its fee is not known, since resolved.csv does not name all its transactions")
    fees = [payment.fee for payment in found if payment.fee is not None]
    is_net = False
    if row["type"] in NEW and len(found) == 1 and fees:
        is_net = bool(export.connection.scalar(text(read_sql("report/journal/books_net")), asked))
    reference = found[0].reference if len(found) == 1 else None
    return Payment(reference or "", exact_sum(fees) if fees else None, is_net)


def _narration(row: Line, made: Any) -> str:
    note = f": {' '.join(row['note'].split())}" if row["note"] else ""
    return f"{made.decision} of {row['type']} {row['discrepancy_id']} by {made.by_name}{note}"


def _keep(export: _Export, name: str, made: Mapping[tuple[int, str], list[Line]]) -> None:
    export.connection.execute(
        text(read_sql("report/journal/keep")),
        [
            {
                "decision_id": decision_id,
                "journal": name,
                "month": export.month,
                "source": export.source,
                "discrepancy_id": discrepancy_id,
                "lines": json.dumps(lines),
                "os_user": os_user(),
            }
            for (decision_id, discrepancy_id), lines in made.items()
        ],
    )


def _not_in_tally(exported: Sequence[Any]) -> list[Left]:
    """What of these has lines in the CSV files alone."""
    found = []
    for row in exported:
        others = sorted({line["currency"] for line in row.lines} - {TALLY_CURRENCY})
        if others:
            why = (
                f"it has {TALLY_CURRENCY} only, and the lines in {', '.join(others)} are in the other files: "
                "enter them in Tally by hand"
            )
            found.append(Left(row.decision_id, row.discrepancy_id, row.type, why))
    return found


def _totals(lines: Sequence[Line]) -> dict[str, str]:
    """By currency, what is debited. Raises CheckFailed if as much is not credited."""
    found = {}
    for currency in sorted({line["currency"] for line in lines}):
        of_currency = [line for line in lines if line["currency"] == currency]
        debit, credit = (
            exact_sum(Decimal(line[side]) for line in of_currency if line[side])
            for side in ("debit", "credit")
        )
        if debit != credit:
            raise CheckFailed(f"the journal does not balance: {debit:f} {currency} debit, {credit:f} credit")
        found[currency] = f"{debit:f}"
    return found
