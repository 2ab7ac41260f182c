"""The `detail` sentence of a discrepancy, for a person who sees one row of a spreadsheet and nothing else."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconcile.core.discrepancies import TYPES, Aspect
from reconcile.core.money import Currencies
from reconcile.core.wording import amount_text, day, days

_SHOWN = 40
"""Letters that a sentence shows of a value that cannot be used."""

_TURNS = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
"""Invisible characters that turn the direction of what follows. The columns of a value keep its own."""


def sentence(row: Mapping[str, Any], currencies: Currencies, date_tolerance_days: int) -> str:
    """One sentence that says what is wrong, with the values of both sides, and why the records are matched; and one of
    a decision that waits for another person.

    `row` is a row of `sql/report/discrepancies.sql` or `resolved.sql`.
    """
    told = _what(row, currencies, date_tolerance_days)
    if row.get("proposed_decision") is not None:
        told += f" {row['proposed_by']} proposes {row['proposed_decision']}: another person must confirm it."
    return told.translate(_TURNS)  # one in a reference would write the amounts and words behind it backwards


def _what(row: Mapping[str, Any], currencies: Currencies, date_tolerance_days: int) -> str:
    record = _Record(row, currencies, date_tolerance_days)
    if row["rule"] is not None and row["type"] in _UNMATCHED:
        return f"{record.received}, and the ledger books {record.ledger} on {day(row['ledger_date'])}{record.match}."
    return _SENTENCES[row["type"]](record)


class _Record:
    """A row, with the phrases that several sentences use."""

    def __init__(self, row: Mapping[str, Any], currencies: Currencies, tolerance_days: int) -> None:
        self.row = row
        self.currencies = currencies
        self.tolerance_days = tolerance_days

    def __getitem__(self, name: str) -> Any:
        return self.row[name]

    def amount(self, amount: Decimal, currency: str | None) -> str:
        return amount_text(amount, currency, self.currencies)

    @property
    def kspay(self) -> str:
        return self.amount(self["kspay_amount"], self["kspay_currency"])

    @property
    def ledger(self) -> str:
        return self.amount(self["ledger_amount"], self["ledger_currency"])

    @property
    def kspay_status(self) -> str:
        return f'KS Pay says "{self["kspay_status"]}"' if self["kspay_status"] else "KS Pay gives no status"

    @property
    def ledger_status(self) -> str:
        refund = f" and books a refund of {self.given_back}" if self.is_booked_with_a_refund else ""
        if self["ledger_status"]:
            return f'the ledger says "{self["ledger_status"]}"{refund}'
        return f"the ledger gives no status, which counts as paid{',' if refund else ''}{refund}"

    @property
    def received(self) -> str:
        return f"KS Pay received {self.kspay} on {day(self['kspay_date'])}"

    @property
    def shows(self) -> str:
        """Like `received`, where no money need have come: the transaction may have failed."""
        return f"KS Pay shows {self.kspay} on {day(self['kspay_date'])}"

    @property
    def books(self) -> str:
        amount, currency = self["ledger_amount"], self["ledger_currency"]
        what = self.ledger if amount >= 0 else f"a refund of {self.amount(-amount, currency)}"
        return f"The ledger books {what} on {day(self['ledger_date'])}"

    @property
    def is_booked_with_a_refund(self) -> bool:
        """Whether the ledger books a refund beside a payment."""
        return bool(self["given_back"]) and self["ledger_amount"] > 0

    @property
    def given_back(self) -> str:
        return self.amount(self["given_back"], self["ledger_currency"])

    @property
    def kspay_reference(self) -> str:
        return _with_reference(self["reference"])

    @property
    def ledger_reference(self) -> str:
        named = self["named_transaction"]
        return f" for transaction {named}" if named else _with_reference(self["ledger_reference"])

    @property
    def suggestion(self) -> str:
        other = self["suggested_counterpart"]
        if not other:
            return ""
        if why := _SUGGESTED_BY.get(self["suggested_by"]):
            return f"; {other} may be it: {why}"
        fee = self["suggested_fee"]
        less = (
            f" less the fee of {self.amount(fee, self['kspay_currency'] or self['ledger_currency'])}"
            if fee
            else ""
        )
        return f"; {other} may be it: same amount{less}, close date"

    @property
    def before_all_fetched(self) -> str:
        """Of a refund: that its payment lies before the first day ever fetched, or may do so."""
        first = self["first_fetched"]
        if first is None or self["others"] or (self["ledger_amount"] > 0 and self["ledger_date"] >= first):
            return ""
        lies = "lies" if self["ledger_amount"] > 0 else "may lie"
        return f": its payment {lies} before {day(first)}, the first day ever fetched"

    @property
    def other(self) -> str:
        """What a duplicate repeats: `L-16 of 1 Aug 2026 (matched with tx_1)`."""
        partners = self["other_matched_with"]
        state = f"matched with {partners}" if partners else "not matched"
        return f"{self['other_id']} of {day(self['other_date'])} ({state})"

    @property
    def elsewhere(self) -> str:
        """Of a record without a counterpart: that the other side has one by its reference or name, which is matched
        otherwise."""
        count, key = self["others"], self["other_key"]
        if not count:
            return ""
        of_kspay = self["kspay_date"] is not None
        if count > 1:
            what = "entries" if of_kspay else "transactions"
            which = "that name it" if self["other_by_name"] else f"of reference {key}"
            return f"; the {count} {what} {which} are matched otherwise"
        if not self["other_by_name"]:
            which = (
                f"the one {'entry' if of_kspay else 'transaction'} of reference {key}, {self['other_id']},"
            )
        elif of_kspay:
            which = f"the entry that names it, {self['other_id']},"
        else:
            which = f"transaction {key}"
        return f"; {which} is matched with {self['other_matched_with']}"

    @property
    def match(self) -> str:
        """` (matched because …; what else agrees or differs)`; nothing for an unmatched record."""
        if self["rule"] is None:
            return ""
        parts = (self._why_matched(self["rule"]), self._amounts(), self._dates())
        return f" (matched {'; '.join(part for part in parts if part)})"

    def _why_matched(self, rule: str) -> str:
        reference, other_reference = self["reference"], self["ledger_reference"]
        same_reference = reference is not None and reference == other_reference
        by_name = f"because the entry names transaction {self['transaction_id']}"
        by_reference = (
            f"because both have reference {reference}" if same_reference else "by a common reference"
        )
        match rule:
            case "manual":
                return "by a person"
            case "amount_date":
                return "as an accepted suggestion: only amount and date agree"
            case "provider_id" if self["shared_order_id"]:
                return f"because both have the payment provider's order id {self['shared_order_id']}"
            case "provider_id" if self["shared_txn_id"]:
                return f"because both have the payment provider's transaction id {self['shared_txn_id']}"
            case "provider_id":
                return "because both have the same id of the payment provider"
            case "reference_normalised":
                return (
                    f"because {reference} and {other_reference} are the same reference, written differently"
                )
            case "transaction_id":
                return by_name
            case "reference":
                return by_reference
            case "reference_split" if same_reference:
                return f"because the records with reference {reference} add up"
            case "reference_split":
                return f"because the entries for transaction {self['transaction_id']} add up"
        named = self["named_transaction"]
        return by_name if named is not None and named == self["transaction_id"] else by_reference

    def _amounts(self) -> str:
        difference = self["difference"]
        if TYPES[self["type"]].aspect is Aspect.AMOUNT or difference is None:
            return ""
        if not difference and self["given_back"]:
            return "same amount before refunds"
        if not difference:
            return "same amount"
        if difference == self["fee"]:
            return f"same amount less the fee of {self.amount(difference, self['kspay_currency'])}"
        return f"amounts differ by {self.amount(abs(difference), self['kspay_currency'])}"

    def _dates(self) -> str:
        if self["type"] == "DATE_MISMATCH" or self["kspay_date"] is None or self["ledger_date"] is None:
            return ""
        apart = abs((self["kspay_date"] - self["ledger_date"]).days)
        return f"dates {days(apart)} apart" if apart else "same date"


def _with_reference(reference: str | None) -> str:
    return f" with reference {reference}" if reference else ""


def _missing_in_ledger(record: _Record) -> str:
    return (
        f"{record.received}{record.kspay_reference}, but the ledger has no entry for it"
        f"{record.elsewhere}{record.suggestion}."
    )


def _missing_in_kspay(record: _Record) -> str:
    return (
        f"{record.books}{record.ledger_reference}, but KS Pay has no transaction for it"
        f"{record.elsewhere}{record.before_all_fetched}{record.suggestion}."
    )


def _amount(record: _Record) -> str:
    difference, booked = record["difference"], record["ledger_amount"]
    if booked < 0:
        refund = record.amount(-booked, record["ledger_currency"])
        return f"{record.shows}, but the entry matched with it is a refund of {refund}, not a payment{record.match}."
    gap = record.amount(abs(difference), record["kspay_currency"])
    direction = "too little" if difference > 0 else "too much"
    fee = ""
    if record["fee"] and difference > 0:
        expected, kept = (
            record.amount(amount, record["kspay_currency"]).rpartition(" ")[0]
            for amount in (record["fee"], difference)
        )
        fee = f": fee {expected} expected, {kept} kept"
    return f"{record.shows}, but the ledger books {record.ledger}, {gap} {direction}{fee}{record.match}."


def _currency(record: _Record) -> str:
    return f"{record.shows}, but the ledger books {record.ledger}: the currencies differ{record.match}."


def _status(record: _Record) -> str:
    return f"{record.kspay_status} for {record.kspay}, but {record.ledger_status}{record.match}."


def _refund(record: _Record) -> str:
    kspay, ledger = record["kspay_refunded"], record["ledger_refunded"]
    books = f"the ledger books a refund of {record.given_back}"
    if kspay is None:
        return (
            f"{record.kspay_status}, so only a part of {record.kspay} was given back, but {books}, "
            f"which is all of it{record.match}."
        )
    if not kspay:
        return f"{record.kspay_status} for {record.kspay}, but {books}{record.match}."
    gap = record.amount(abs(kspay - ledger), record["kspay_currency"])
    direction = "too little" if kspay > ledger else "too much"
    return (
        f"KS Pay gave back {record.amount(kspay, record['kspay_currency'])}, but {books}, "
        f"{gap} {direction}{record.match}."
    )


def _duplicate_in_kspay(record: _Record) -> str:
    end = "; it was refunded" if record["severity"] == "info" else ": the customer may have paid twice"
    return f"{record.received}{record.kspay_reference}; this repeats transaction {record.other}{end}."


def _duplicate_in_ledger(record: _Record) -> str:
    return (
        f"{record.books}{record.ledger_reference}; this repeats entry {record.other}: it may be booked twice."
    )


def _date(record: _Record) -> str:
    apart = abs((record["kspay_date"] - record["ledger_date"]).days)
    return (
        f"KS Pay has the date {day(record['kspay_date'])}, but the ledger has {day(record['ledger_date'])}: "
        f"{days(apart)} apart, at most {record.tolerance_days} allowed{record.match}."
    )


def _stale(record: _Record) -> str:
    ledger = f", and {record.ledger_status}" if record["ledger_date"] is not None else ""
    return (
        f"{record.kspay} has been pending at KS Pay since {day(record['kspay_date'])}{ledger}{record.match}."
    )


def _unknown(record: _Record) -> str:
    parts = []
    if record["kspay_date"] is not None:
        parts.append(f"{record.kspay_status} for {record.kspay}")
    if record["ledger_date"] is not None:
        parts.append(f"{record.ledger_status} for {record.ledger}")
    statuses = ", and ".join(parts)
    if record["kspay_date"] is not None and not record["kspay_status"]:
        problem = "a payment without a status cannot be compared"
    else:
        which = "this status is" if len(parts) == 1 else "one of these statuses is"
        problem = f"{which} not known; add it to [status] in reconcile.toml"
    return f"{statuses[0].upper()}{statuses[1:]}{record.match}: {problem}."


def _timing(record: _Record) -> str:
    if record["kspay_date"] is not None:
        what = f"{record.received}{record.kspay_reference}, but the ledger has no entry for it yet"
    else:
        what = f"{record.books}{record.ledger_reference}, but KS Pay has no transaction for it yet"
    return f"{what}{record.elsewhere}; it may follow in the next days{record.suggestion}."


_ROWS = re.compile(r"\brow(s \d+ and)? \d+\b", re.ASCII)
"""How a reason of sql/load/same_ids names other rows. Only quarantine.csv shows it."""


def _invalid(record: _Record) -> str:
    side = "KS Pay" if record["broken_side"] == "kspay" else "the ledger"
    # What the record says, and never its file and row: they may differ where the data are the same.
    value = " ".join(record["broken_value"].split())
    shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    said = f'{record["broken_field"]}: "{shown}"' if value else f"{record['broken_field']}: nothing"
    reason = _ROWS.sub(lambda named: "rows" if named[1] else "another row", record["broken_reason"])
    return f"A record of {side} cannot be used: {reason} ({said}; see quarantine.csv)."


_SUGGESTED_BY = {
    "description": "the entry's description names the payment",
    "similar": "the references differ by one letter, and the amounts agree",
    "tolerance": "amounts within the tolerance, close date",
    "digits": "two digits of the amount are swapped, close date",
    "hundredfold": "one amount is 100 times the other, close date",
    "batch": "these payments of one day add up to it",
}
"""By the kind of a suggestion (sql/match/suggestions); one of amount_date has none."""

# A match has one of these types only where a person matched what the rules left unmatched.
_UNMATCHED = frozenset(
    (
        "MISSING_IN_LEDGER",
        "MISSING_IN_KSPAY",
        "TIMING_DIFFERENCE",
        "DUPLICATE_IN_KSPAY",
        "DUPLICATE_IN_LEDGER",
    )
)

_SENTENCES = {
    "MISSING_IN_LEDGER": _missing_in_ledger,
    "MISSING_IN_KSPAY": _missing_in_kspay,
    "AMOUNT_MISMATCH": _amount,
    "CURRENCY_MISMATCH": _currency,
    "STATUS_MISMATCH": _status,
    "REFUND_MISMATCH": _refund,
    "DUPLICATE_IN_KSPAY": _duplicate_in_kspay,
    "DUPLICATE_IN_LEDGER": _duplicate_in_ledger,
    "DATE_MISMATCH": _date,
    "STALE_PENDING": _stale,
    "UNKNOWN_STATUS": _unknown,
    "TIMING_DIFFERENCE": _timing,
    "INVALID_RECORD": _invalid,
}
