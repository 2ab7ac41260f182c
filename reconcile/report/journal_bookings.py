"""How the ledger changes so that it holds what was decided: the bookings of one decision, worked out from its row.

Nothing is read or written here: `reconcile.report.journal` reads the records, and makes lines of the bookings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from reconcile.core.records import Family, Side, bare_word
from reconcile.report.journal_files import Line
from reconcile.settings import Settings

GONE = "written_off"
"""The status of an entry that books nothing any more."""

NEW = ("MISSING_IN_LEDGER", "DUPLICATE_IN_KSPAY", "TIMING_DIFFERENCE")
"""Of a payment without an entry: these book a new one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the ledger, as it stands after the decisions that were looked at before."""

    source: str
    ledger_id: str
    reference: str | None
    currency: str
    amount: Decimal
    status: str
    entry_date: str
    transaction_id: str | None
    provider_order_id: str | None
    provider_txn_id: str | None
    description: str | None
    counts: bool | None = None
    """Whether its amount is booked as received, where a decision on its status says so."""
    decided: bool = False
    """Whether a decision was looked at that changes it."""


@dataclass(frozen=True, slots=True)
class Booking:
    """By how much the ledger's account changes, and how an entry stands afterwards."""

    currency: str
    amount: Decimal
    entry: Mapping[str, str]
    after: Entry | None = None  # the same where it is an entry that the ledger has


class NotBookedError(Exception):
    """Why a decision is in no journal."""


class NothingToBookError(NotBookedError):
    """It changes no account, so that what it replaces is only taken back."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What KS Pay says of the payments of a row."""

    reference: str
    fee: Decimal | None  # what is expected to be kept of them in all
    is_booked_net: bool  # whether the ledger books such payments less their fee


def bookings(
    settings: Settings, row: Line, new_id: str, entries: Sequence[Entry], paid: Payment
) -> list[Booking]:
    """How the ledger changes so that it holds what was decided. Raises NotBookedError where it is not known."""
    kind, first, *others = row["type"], *row["currency"].split(";")
    kspay = Decimal(row["kspay_amount"] or 0)
    families = [
        _family(settings, side, row[name])
        for side, name in ((Side.KSPAY, "kspay_status"), (Side.LEDGER, "ledger_status"))
    ]
    positive = [entry for entry in entries if entry.amount > 0]
    if kind in NEW and not entries:
        if families[0] is not Family.PAID:
            raise NothingToBookError("no money moved in all")
        amount = kspay - paid.fee if paid.fee is not None and paid.is_booked_net else kspay
        written = settings.currencies.format(amount, first)
        return [Booking(first, amount, _new_entry(row, new_id, written, paid))]
    if kind in ("MISSING_IN_KSPAY", "DUPLICATE_IN_LEDGER", "TIMING_DIFFERENCE"):
        if families[1] is not Family.PAID:
            raise NothingToBookError("no money moved in all")
        return [_booking(settings, replace(entry, status=GONE), -entry.amount) for entry in entries]
    if kind == "AMOUNT_MISMATCH" and positive and row["difference"]:
        entry, difference = max(positive, key=lambda held: held.amount), Decimal(row["difference"])
        if paid.fee is not None and abs(difference - paid.fee) < abs(difference):
            difference -= paid.fee  # the ledger books amounts less their fee
        if entry.amount + difference <= 0:
            raise NotBookedError("it takes more than one entry has: book it by hand")
        after = replace(entry, amount=entry.amount + difference)
        return [_booking(settings, after, difference if _counts(settings, entry, entries) else Decimal(0))]
    if kind == "CURRENCY_MISMATCH" and len(entries) == 1 and others and row["kspay_amount"]:
        (entry,) = entries
        if entry.decided:
            raise NotBookedError("another decision changes its entry too: book it by hand")
        if not _counts(settings, entry, entries):
            raise NothingToBookError("no money moved in all")
        now = _booking(settings, replace(entry, amount=kspay, currency=first), kspay)
        return [now, Booking(entry.currency, -entry.amount, {"ledger_id": entry.ledger_id})]
    if kind == "STATUS_MISMATCH" and positive and None not in families:
        status = {Family.PAID: "paid", Family.REFUNDED: "refunded"}.get(families[0] or Family.UNKNOWN, GONE)
        by = (families[0] is Family.PAID) - (families[1] is Family.PAID)
        if not by:
            raise NothingToBookError("no money moved in all")
        return [
            _booking(settings, replace(entry, status=status, counts=by > 0), by * entry.amount)
            for entry in positive
        ]
    if kind == "REFUND_MISMATCH" and row["kspay_refunded"] and positive:
        booked, given = Decimal(row["ledger_refunded"]), Decimal(row["kspay_refunded"])
        refunds = [entry for entry in entries if entry.amount < 0]
        if not given and sum(entry.amount for entry in refunds) == -booked:  # KS Pay gave nothing back
            return [_booking(settings, replace(entry, status=GONE), -entry.amount) for entry in refunds]
        change, entry = booked - given, min(entries, key=lambda held: held.amount)
        if entry.amount < 0 and entry.amount + change < 0:
            return [_booking(settings, replace(entry, amount=entry.amount + change), change)]
        raise NotBookedError("it takes more than one entry has: book it by hand")
    raise NotBookedError(_why_unknown(kind, has_payment=bool(positive)))


def _why_unknown(kind: str, *, has_payment: bool) -> str:
    """Why a decision of this type has no amount to book, and what to do about it."""
    if kind == "DATE_MISMATCH":
        return "it moves no money, so there is nothing to book"
    if kind in ("AMOUNT_MISMATCH", "REFUND_MISMATCH") and not has_payment:
        return "its entry is a refund, and the payment has none: book it by hand"
    if kind == "REFUND_MISMATCH":
        return "KS Pay does not say how much was given back: book it by hand"
    return "no amount to book is known: book it by hand, if anything is to be booked"


def _booking(settings: Settings, after: Entry, change: Decimal) -> Booking:
    return Booking(after.currency, change, stated_entry(settings, after), replace(after, decided=True))


def _counts(settings: Settings, entry: Entry, entries: Sequence[Entry]) -> bool:
    """Whether the amount of an entry is booked as received, and not given back in all."""
    if entry.counts is not None:
        return entry.counts
    family = _family(settings, Side.LEDGER, entry.status) if entry.status else Family.PAID
    return family not in (Family.UNPAID, Family.CANCELLED) and (
        family is not Family.REFUNDED or any(entry.amount < 0 for entry in entries)
    )


def _family(settings: Settings, side: Side, written: str) -> Family | None:
    """The family of a status of the row; None where its records have several."""
    found = {
        settings.families.get((side, bare_word(word.strip())), Family.UNKNOWN) for word in written.split(";")
    }
    return found.pop() if len(found) == 1 else None


def _new_entry(row: Line, new_id: str, amount: str, paid: Payment) -> Line:
    return {
        "ledger_id": new_id,
        "amount": amount,
        "entry_date": row["kspay_date"],
        "status": "paid",
        "entry_reference": paid.reference,
        "transaction_id": row["transaction_id"].partition(";")[0],
    }


def stated_entry(settings: Settings, entry: Entry) -> Line:
    """An entry as it stands after the booking."""
    return {
        "ledger_id": entry.ledger_id,
        "entry_date": entry.entry_date,
        "status": entry.status,
        "entry_reference": entry.reference or "",
        "transaction_id": entry.transaction_id or "",
        "provider_order_id": entry.provider_order_id or "",
        "provider_txn_id": entry.provider_txn_id or "",
        "description": entry.description or "",
        "amount": settings.currencies.format(entry.amount, entry.currency),
    }
