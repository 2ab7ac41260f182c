"""The sentence of a discrepancy, for a person who sees one row of a spreadsheet and nothing else."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from reconcile.money import Currencies, grouped

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(value: date | None) -> str:
    """`3 Aug 2026`, in no locale but our own, so that the same data gives the same bytes."""
    return "an unknown day" if value is None else f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def spoken(amount: Decimal, currency: str | None, currencies: Currencies) -> str:
    """`1,250.00 INR`: grouped, for reading. Rupees in lakhs and crores, as in `12,34,567.00 INR`."""
    if currency is None or currency not in currencies.digits:
        return (
            f"{amount:f} {currency or ''}".strip()
        )  # several currencies: the parts are in the other columns
    return f"{grouped(currencies.format(amount, currency), currency)} {currency}"


def sentence(row: Mapping[str, Any], currencies: Currencies, date_tolerance_days: int) -> str:
    """What is wrong in this row of `sql/report/discrepancies.sql`, with both numbers and what to look at."""
    return _SENTENCES[row["type"]](_Row(row, currencies, date_tolerance_days))


class _Row:
    def __init__(self, row: Mapping[str, Any], currencies: Currencies, tolerance_days: int) -> None:
        self.row = row
        self.currencies = currencies
        self.tolerance_days = tolerance_days

    def __getitem__(self, name: str) -> Any:
        return self.row[name]

    @property
    def kspay(self) -> str:
        return spoken(self["kspay_amount"], self["kspay_currency"], self.currencies)

    @property
    def ledger(self) -> str:
        return spoken(self["ledger_amount"], self["ledger_currency"], self.currencies)

    @property
    def kspay_status(self) -> str:
        return f'"{self["kspay_status"]}"' if self["kspay_status"] else "no status"

    @property
    def ledger_status(self) -> str:
        return f'"{self["ledger_status"]}"' if self["ledger_status"] else "paid (it gives no status)"

    @property
    def took(self) -> str:
        return f"KS Pay took {self.kspay} on {day(self['kspay_date'])}"

    @property
    def books(self) -> str:
        return f"The ledger books {self.ledger} on {day(self['ledger_date'])}"


def _missing_in_ledger(row: _Row) -> str:
    return f"{row.took}; no ledger entry belongs to it."


def _missing_in_kspay(row: _Row) -> str:
    named = row["named_transaction"]
    return f"{row.books}; no KS Pay transaction belongs to it{f' ({named} is not known)' if named else ''}."


def _amount(row: _Row) -> str:
    difference = row["difference"]
    by = spoken(abs(difference), row["kspay_currency"], row.currencies)
    return f"{row.took}, the ledger books {row.ledger}: {by} {'less' if difference > 0 else 'more'}."


def _currency(row: _Row) -> str:
    return f"{row.took}, but the ledger books {row.ledger}: the currencies differ."


def _status(row: _Row) -> str:
    return f"KS Pay says {row.kspay_status} for {row.kspay}, but the ledger says {row.ledger_status}."


def _duplicate_in_kspay(row: _Row) -> str:
    end = "; it was given back" if row["severity"] == "info" else ": the customer may have been charged twice"
    return f"{row.took} under reference {row['reference']}, which has another payment{end}."


def _duplicate_in_ledger(row: _Row) -> str:
    return f"{row.books}, and another entry books the same payment: it may be booked twice."


def _date(row: _Row) -> str:
    apart = abs((row["kspay_date"] - row["ledger_date"]).days)
    return (
        f"KS Pay dates it {day(row['kspay_date'])}, the ledger {day(row['ledger_date'])}: "
        f"{apart} days apart, {row.tolerance_days} are allowed."
    )


def _stale(row: _Row) -> str:
    return f"{row.kspay} is pending at KS Pay since {day(row['kspay_date'])}."


def _unknown(row: _Row) -> str:
    parts = []
    if row["kspay_date"] is not None:
        parts.append(f"KS Pay says {row.kspay_status} for {row.kspay}")
    if row["ledger_date"] is not None:
        parts.append(f"the ledger says {row.ledger_status} for {row.ledger}")
    said = ", ".join(parts)
    return f"{said[0].upper()}{said[1:]}: a status that is not known; add it to [status] in reconcile.toml."


def _timing(row: _Row) -> str:
    if row["kspay_date"] is not None:
        return f"{row.took}; the ledger may book it within the next days."
    return f"{row.books}; KS Pay may show it within the next days."


def _invalid(row: _Row) -> str:
    side = "KS Pay" if row["broken_side"] == "kspay" else "the ledger"
    return f"A record of {side} cannot be used ({row['broken_field']}): {row['broken_reason']}."


_SENTENCES = {
    "MISSING_IN_LEDGER": _missing_in_ledger,
    "MISSING_IN_KSPAY": _missing_in_kspay,
    "AMOUNT_MISMATCH": _amount,
    "CURRENCY_MISMATCH": _currency,
    "STATUS_MISMATCH": _status,
    "DUPLICATE_IN_KSPAY": _duplicate_in_kspay,
    "DUPLICATE_IN_LEDGER": _duplicate_in_ledger,
    "DATE_MISMATCH": _date,
    "STALE_PENDING": _stale,
    "UNKNOWN_STATUS": _unknown,
    "TIMING_DIFFERENCE": _timing,
    "INVALID_RECORD": _invalid,
}
