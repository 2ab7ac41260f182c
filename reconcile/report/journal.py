"""What people decided, as journal lines to book: CSV, Tally XML and Zoho Books CSV.

Two lines a booking: one on the ledger's own account, which brings the entry to what was decided, and one against it.
The line on the own account also says how the entry stands afterwards, so that the CSV file can be read back as a
ledger: a payment that the ledger lacked is a new entry, another entry is stated anew. Debits equal credits, by
currency. Each decision is exported once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sqlalchemy import Connection, Engine, text

from reconcile.core.dialect import Dialect
from reconcile.core.errors import CheckFailed, InputRefused, UsageError
from reconcile.core.journal import JOURNAL_COLUMNS, Accounts
from reconcile.core.money import exact_sum
from reconcile.core.records import Family, Side
from reconcile.db import runs
from reconcile.db.sql_files import read_sql
from reconcile.decide.audit_trail import os_user
from reconcile.ledger.profile import TOML
from reconcile.report import close_trail
from reconcile.report.csv_cells import amount_cell, shown, text_cell
from reconcile.report.csv_files import read_csv, write_csv
from reconcile.report.statement import Position, closing_of, month_days, openings, positions, runs_between
from reconcile.report.statement_files import write_whole
from reconcile.report.verify import changed_files, stored_report
from reconcile.settings import Settings

_AMOUNTS = ("debit", "credit", "amount")
_GONE = "written_off"
"""The status of an entry that books nothing any more."""

ZOHO = ("Journal Date", "Reference Number", "Notes", "Currency", "Account", "Description", "Debit", "Credit")

Line = dict[str, str]
"""A journal line by column, each value as text."""


@dataclass(frozen=True, slots=True)
class Left:
    """A decision that is not in the journal, and why."""

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
    left: Sequence[Left]
    before: int  # decisions of the month that were exported before
    closed: bool
    files: Sequence[Path]


@dataclass(frozen=True, slots=True)
class _Booking:
    """By how much the ledger's account changes, and how an entry stands afterwards."""

    currency: str
    amount: Decimal
    entry: Mapping[str, str]


class _NotBookedError(Exception):
    """Why a decision is in no journal."""


def export_journal(
    engine: Engine, settings: Settings, month: str, source: str, out: Path, *, again: bool = False
) -> Exported:
    """Write what was decided in a month and was not exported before; with `again` also what was.

    Raises UsageError where no account is named for a decision, InputRefused if a file of the closing run was changed.
    """
    month_days(month, "adjustments")
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
        made, left = _new_lines(engine, connection, settings, accounts, month, source, closed)
        held: dict[str, list[Line]] = {}
        for row in connection.execute(
            text(read_sql("report/journal/exported")), {"month": month, "source": source}
        ):
            held.setdefault(row.journal, []).extend(row.lines)
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
            _keep(connection, month, source, name, made)
        new = {} if name is None else {name: [line for lines in made.values() for line in lines]}
        wanted = {**(held if again else {}), **new}
        totals = _totals([line for lines in wanted.values() for line in lines])
        files = write_whole(out, lambda aside: _write(aside, wanted, settings.dialect)) if wanted else []
        connection.commit()
    decisions = len({line["decision_id"] for lines in wanted.values() for line in lines})
    before = len({line["decision_id"] for lines in held.values() for line in lines})
    return Exported(month, source, name, decisions, totals, left, before, closed is not None, files)


def _new_lines(
    engine: Engine,
    connection: Connection,
    settings: Settings,
    accounts: Accounts,
    month: str,
    source: str,
    closed: close_trail.Close | None,
) -> tuple[dict[tuple[int, str], list[Line]], list[Left]]:
    """By decision and discrepancy the lines to book; and the decisions that are in no journal."""
    last = month_days(month)[1]
    closing = (
        positions(connection, last) if closed is None else closing_of(connection, closed.content["closing"])
    )
    if not closing or not any(one.as_of.isoformat()[:7] == month for one in closing.values()):
        raise UsageError(
            f"{month}: no finished run is as of a day of that month; reconcile runs lists all runs"
        )
    opening = openings(connection, month)
    made: dict[tuple[int, str], list[Line]] = {}
    left: list[Left] = []
    for app_id, position in closing.items():
        decided = _decided(connection, opening.get(app_id), position)
        rows = _resolved(engine, position) if decided else {}
        for one in decided:
            row = rows.get(one.discrepancy_id)
            if row is None:
                continue  # the data came right since, so there is nothing to book
            try:
                lines = _lines(connection, settings, accounts, row, one, source, last.isoformat())
            except _NotBookedError as why:
                left.append(Left(one.decision_id, one.discrepancy_id, row["type"], str(why)))
                continue
            made[one.decision_id, one.discrepancy_id] = lines
    return made, left


def _decided(connection: Connection, opening: Position | None, closing: Position) -> Sequence[Any]:
    chain, news = runs_between(connection, opening, closing)
    asked = {
        "app_id": closing.app_id,
        "runs": chain,
        "news": news,
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


def _lines(
    connection: Connection,
    settings: Settings,
    accounts: Accounts,
    row: Line,
    made: Any,
    source: str,
    day: str,
) -> list[Line]:
    if made.exported_before:
        raise _NotBookedError(f"it replaces a decision of journal {made.exported_before}: book it by hand")
    ids = [one.rpartition(":")[2] if ":" in one else one for one in filter(None, row["ledger_id"].split(";"))]
    found = connection.execute(
        text(read_sql("report/journal/entries")),
        {"app_id": row["app_id"], "ids": [*ids, *filter(None, row["ledger_id"].split(";"))]},
    ).all()
    entries = [one for one in found if one.source == source]
    if ids and len(entries) < len(ids):
        others = ", ".join(sorted({one.source for one in found} - {source}))
        raise _NotBookedError(
            f"it is about the ledger {others}: see --profile" if others else "its entry is gone"
        )
    lines: list[Line] = []
    for booking in _bookings(settings, row, made, entries):
        try:
            other = accounts.other(made.decision, row["type"], booking.currency)
            if other is None:
                raise _NotBookedError("[journal] says that it is not booked")
            own = accounts.own(booking.currency)
        except KeyError as error:
            raise UsageError(f"{TOML}: {error.args[0]}, for decision {made.decision_id}") from None
        size = settings.currencies.format(booking.amount.copy_abs(), booking.currency)
        told = {
            **dict.fromkeys(JOURNAL_COLUMNS, ""),
            "date": day,
            "reference": row["reference"]
            or row["ledger_reference"]
            or row["transaction_id"]
            or row["ledger_id"],
            "narration": _narration(row, made),
            "decision_id": str(made.decision_id),
            "currency": booking.currency,
        }
        more, less = ("debit", "credit") if booking.amount > 0 else ("credit", "debit")
        lines.append({**told, "account": own, more: size, **booking.entry, "app_id": row["app_id"]})
        lines.append(
            {
                **told,
                "account": other,
                less: size,
                "app_id": row["app_id"],
                "ledger_id": booking.entry["ledger_id"],
            }
        )
    return lines


def _narration(row: Line, made: Any) -> str:
    note = f": {' '.join(row['note'].split())}" if row["note"] else ""
    return f"{made.decision} of {row['type']} {row['discrepancy_id']} by {made.by_name}{note}"


def _bookings(settings: Settings, row: Line, made: Any, entries: Sequence[Any]) -> list[_Booking]:
    """How the ledger changes so that it holds what was decided. Raises _NotBookedError where it is not known."""
    kind, first, *others = row["type"], *row["currency"].split(";")
    kspay = Decimal(row["kspay_amount"] or 0)
    families = [
        _family(settings, side, row[name])
        for side, name in ((Side.KSPAY, "kspay_status"), (Side.LEDGER, "ledger_status"))
    ]
    positive = [one for one in entries if one.amount > 0]
    if kind in ("MISSING_IN_LEDGER", "DUPLICATE_IN_KSPAY", "TIMING_DIFFERENCE") and not entries:
        if families[0] is not Family.PAID:
            raise _NotBookedError("no money moved in all")
        return [_Booking(first, kspay, _new_entry(row, made))]
    if kind in ("MISSING_IN_KSPAY", "DUPLICATE_IN_LEDGER", "TIMING_DIFFERENCE"):
        if families[1] is not Family.PAID:
            raise _NotBookedError("no money moved in all")
        return [_Booking(one.currency, -one.amount, _stated(settings, one, status=_GONE)) for one in entries]
    if kind == "AMOUNT_MISMATCH" and positive and row["difference"]:
        entry, difference = max(positive, key=lambda one: one.amount), Decimal(row["difference"])
        if entry.amount + difference <= 0:
            raise _NotBookedError("it takes more than one entry has")
        return [_Booking(first, difference, _stated(settings, entry, amount=entry.amount + difference))]
    if kind == "CURRENCY_MISMATCH" and len(entries) == 1 and others and row["kspay_amount"]:
        (entry,) = entries
        after = _stated(settings, entry, amount=kspay, currency=first)
        before = {"ledger_id": after["ledger_id"]}
        return [_Booking(first, kspay, after), _Booking(entry.currency, -entry.amount, before)]
    if kind == "STATUS_MISMATCH" and positive and None not in families:
        status = {Family.PAID: "paid", Family.REFUNDED: "refunded"}.get(families[0] or Family.UNKNOWN, _GONE)
        by = (families[0] is Family.PAID) - (families[1] is Family.PAID)
        if not by:
            raise _NotBookedError("no money moved in all")
        return [
            _Booking(one.currency, by * one.amount, _stated(settings, one, status=status)) for one in positive
        ]
    if kind == "REFUND_MISMATCH" and row["kspay_refunded"]:
        change = Decimal(row["ledger_refunded"]) - Decimal(row["kspay_refunded"])
        entry = min(entries, key=lambda one: one.amount)
        if entry.amount < 0 and entry.amount + change < 0:
            return [_Booking(first, change, _stated(settings, entry, amount=entry.amount + change))]
    raise _NotBookedError("no amount to book is known")


def _family(settings: Settings, side: Side, written: str) -> Family | None:
    """The family of a status of the row; None where its records have several."""
    found = {
        settings.families.get(
            (side, "".join(word.replace("-", " ").replace("_", " ").lower().split())), Family.UNKNOWN
        )
        for word in written.split(";")
    }
    return found.pop() if len(found) == 1 else None


def _new_entry(row: Line, made: Any) -> Line:
    return {
        "ledger_id": f"J-{made.decision_id}",
        "amount": row["kspay_amount"],
        "entry_date": row["kspay_date"],
        "status": "paid",
        "entry_reference": row["reference"].partition(";")[0],
        "transaction_id": row["transaction_id"].partition(";")[0],
    }


def _stated(settings: Settings, entry: Any, **changes: Any) -> Line:
    """An entry as it stands after the booking."""
    currency = changes.get("currency", entry.currency)
    amount = settings.currencies.format(changes.get("amount", entry.amount), currency)
    return {
        "ledger_id": entry.ledger_id,
        "entry_date": entry.entry_date,
        "status": changes.get("status", entry.status),
        "entry_reference": entry.reference or "",
        "transaction_id": entry.transaction_id or "",
        "provider_order_id": entry.provider_order_id or "",
        "provider_txn_id": entry.provider_txn_id or "",
        "description": entry.description or "",
        "amount": amount,
    }


def _keep(
    connection: Connection, month: str, source: str, name: str, made: Mapping[tuple[int, str], list[Line]]
) -> None:
    connection.execute(
        text(read_sql("report/journal/keep")),
        [
            {
                "decision_id": decision_id,
                "journal": name,
                "month": month,
                "source": source,
                "discrepancy_id": discrepancy_id,
                "lines": json.dumps(lines),
                "os_user": os_user(),
            }
            for (decision_id, discrepancy_id), lines in made.items()
        ],
    )


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


def _write(folder: Path, journals: Mapping[str, Sequence[Line]], dialect: Dialect) -> list[Path]:
    paths = []
    for name, lines in journals.items():
        paths += [folder / f"journal-{name}{end}" for end in (".csv", "-tally.xml", "-zoho.csv")]
        ours, tally, zoho = paths[-3:]
        write_csv(ours, JOURNAL_COLUMNS, [_cells(line, dialect) for line in lines], dialect)
        write_csv(zoho, ZOHO, [_zoho(line) for line in lines], Dialect.COMMA)  # it is for a program
        tally.write_bytes(tostring(_tally(lines), "utf-8", xml_declaration=True) + b"\n")
    return paths


def _cells(line: Line, dialect: Dialect) -> Line:
    return {
        name: amount_cell(value, dialect)
        if name in _AMOUNTS
        else value
        if name in ("date", "entry_date", "decision_id")
        else text_cell(value)
        for name, value in line.items()
    }


def _zoho(line: Line) -> Line:
    """Zoho Books takes lines of one reference number as one journal, which has one currency."""
    values = (
        line["date"],
        text_cell(_voucher(line)),
        text_cell(line["narration"]),
        text_cell(line["currency"]),
        text_cell(line["account"]),
        text_cell(line["reference"]),
        amount_cell(line["debit"], Dialect.COMMA),
        amount_cell(line["credit"], Dialect.COMMA),
    )
    return dict(zip(ZOHO, values, strict=True))


def _voucher(line: Line) -> str:
    return f"KSR-{line['decision_id']}-{line['currency']}"


def _tally(lines: Sequence[Line]) -> Element:
    """Journal vouchers as Tally imports them: a debit is negative, and `deemed positive`."""
    envelope = Element("ENVELOPE")
    SubElement(SubElement(envelope, "HEADER"), "TALLYREQUEST").text = "Import Data"
    data = SubElement(SubElement(envelope, "BODY"), "IMPORTDATA")
    SubElement(SubElement(data, "REQUESTDESC"), "REPORTNAME").text = "Vouchers"
    request = SubElement(data, "REQUESTDATA")
    for number in dict.fromkeys(map(_voucher, lines)):
        of_voucher = [line for line in lines if _voucher(line) == number]
        message = SubElement(request, "TALLYMESSAGE", {"xmlns:UDF": "TallyUDF"})
        voucher = SubElement(
            message,
            "VOUCHER",
            {"VCHTYPE": "Journal", "ACTION": "Create", "OBJVIEW": "Accounting Voucher View"},
        )
        first = of_voucher[0]
        for tag, value in (
            ("DATE", first["date"].replace("-", "")),
            ("VOUCHERTYPENAME", "Journal"),
            ("VOUCHERNUMBER", number),
            ("REFERENCE", first["reference"]),
            ("NARRATION", f"{first['narration']} ({first['currency']})"),
            ("PERSISTEDVIEW", "Accounting Voucher View"),
        ):
            SubElement(voucher, tag).text = _xml(value)
        for line in of_voucher:
            entry = SubElement(voucher, "ALLLEDGERENTRIES.LIST")
            SubElement(entry, "LEDGERNAME").text = _xml(line["account"])
            SubElement(entry, "ISDEEMEDPOSITIVE").text = "Yes" if line["debit"] else "No"
            SubElement(entry, "AMOUNT").text = f"-{line['debit']}" if line["debit"] else line["credit"]
    indent(envelope)
    return envelope


def _xml(value: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(letter if letter.isprintable() else " " for letter in value)
