"""The sentence of a discrepancy, for a person who sees one row of a spreadsheet and nothing else."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconcile.core.money import Currencies
from reconcile.core.wording import day, days, spoken


def sentence(row: Mapping[str, Any], currencies: Currencies, date_tolerance_days: int) -> str:
    """What is wrong in this row of `sql/report/discrepancies.sql`, with both numbers and what to look at."""
    told = _Row(row, currencies, date_tolerance_days)
    if row["rule"] is not None and row["type"] in _UNMATCHED:
        return f"{told.took}, the ledger books {told.ledger} on {day(row['ledger_date'])}{told.matched}."
    return _SENTENCES[row["type"]](told)


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

    @property
    def other(self) -> str:
        """What a duplicate repeats: `L-16 of 1 Aug 2026, matched with tx_1,`."""
        mates = self["other_matched_with"]
        state = f"matched with {mates}" if mates else "unmatched"
        return f"{self['other_id']} of {day(self['other_date'])}, {state},"

    @property
    def matched(self) -> str:
        """` (rule: the key; what else agrees or differs)`, of a match; nothing of an unmatched record."""
        rule = self["rule"]
        if rule is None:
            return ""
        besides = [part for part in (self._amounts(), self._dates()) if part]
        return f" ({'; '.join([f'{rule}: {self._key(rule)}', *besides])})"

    def _key(self, rule: str) -> str:
        named, reference = self["named_transaction"], self["reference"]
        by_name = f"the entry names {self['transaction_id']}"
        by_reference = f"both have reference {reference}"
        one_reference = reference is not None and reference == self["ledger_reference"]
        match rule:
            case "manual":
                return "a person joined them"
            case "amount_date":
                return "an accepted suggestion, nothing but amount and date"
            case "provider_id" if self["shared_order_id"]:
                return f"both have the provider's order id {self['shared_order_id']}"
            case "provider_id" if self["shared_txn_id"]:
                return f"both have the provider's transaction id {self['shared_txn_id']}"
            case "provider_id":
                return "both have one id of the payment provider"
            case "reference_normalised":
                return f"references {reference} and {self['ledger_reference']} are one, written differently"
            case "transaction_id":
                return by_name
            case "reference":
                return by_reference if one_reference else "they share a reference"
            case "reference_split":
                many = "all that is left on one side together"
                return f"{by_reference}, {many}" if one_reference else f"{by_name}, {many}"
        if named is not None and named == self["transaction_id"]:
            return by_name
        return by_reference if one_reference else "they share a reference"

    def _amounts(self) -> str:
        difference = self["difference"]
        if self["type"] in ("AMOUNT_MISMATCH", "CURRENCY_MISMATCH") or difference is None:
            return ""
        if not difference:
            return "equal amounts"
        return f"amounts {spoken(abs(difference), self['kspay_currency'], self.currencies)} apart"

    def _dates(self) -> str:
        if self["type"] == "DATE_MISMATCH" or self["kspay_date"] is None or self["ledger_date"] is None:
            return ""
        apart = abs((self["kspay_date"] - self["ledger_date"]).days)
        return "same day" if not apart else f"{days(apart)} apart"


def _under(row: _Row, name: str) -> str:
    return f" under reference {row[name]}" if row[name] else ""


def _suggestion(row: _Row) -> str:
    other = row["suggested_counterpart"]
    return f"; {other}, of equal amount and near in date, may be it" if other else ""


def _missing_in_ledger(row: _Row) -> str:
    return (
        f"{row.took}{_under(row, 'reference')}; no ledger entry is left that belongs to it{_suggestion(row)}."
    )


def _missing_in_kspay(row: _Row) -> str:
    named = row["named_transaction"]
    under = f" for {named}" if named else _under(row, "ledger_reference")
    return f"{row.books}{under}; no KS Pay transaction is left that belongs to it{_suggestion(row)}."


def _amount(row: _Row) -> str:
    difference = row["difference"]
    by = _bare(abs(difference), row)
    than = "less" if difference > 0 else "more"
    return f"{row.took}, the ledger books {_bare(row['ledger_amount'], row)}: {by} {than}{row.matched}."


def _bare(amount: Decimal, row: _Row) -> str:
    """An amount in the currency that the sentence has named."""
    return spoken(amount, row["kspay_currency"], row.currencies).partition(" ")[0]


def _currency(row: _Row) -> str:
    return f"{row.took}, but the ledger books {row.ledger}: the currencies differ{row.matched}."


def _status(row: _Row) -> str:
    return f"KS Pay says {row.kspay_status} for {row.kspay}, but the ledger says {row.ledger_status}{row.matched}."


def _duplicate_in_kspay(row: _Row) -> str:
    end = "; it was given back" if row["severity"] == "info" else ": the customer may have been charged twice"
    return f"{row.took} under reference {row['reference']}, which {row.other} pays as well{end}."


def _duplicate_in_ledger(row: _Row) -> str:
    named = row["named_transaction"]
    under = f" for {named}" if named else _under(row, "ledger_reference")
    return f"{row.books}{under}, and {row.other} books the same payment: it may be booked twice."


def _date(row: _Row) -> str:
    apart = abs((row["kspay_date"] - row["ledger_date"]).days)
    allowed = f"{row.tolerance_days} {'is' if row.tolerance_days == 1 else 'are'} allowed"
    return (
        f"KS Pay dates it {day(row['kspay_date'])}, the ledger {day(row['ledger_date'])}: "
        f"{days(apart)} apart, {allowed}{row.matched}."
    )


def _stale(row: _Row) -> str:
    ledger = f", and the ledger says {row.ledger_status}" if row["ledger_date"] is not None else ""
    return f"{row.kspay} is pending at KS Pay since {day(row['kspay_date'])}{ledger}{row.matched}."


def _unknown(row: _Row) -> str:
    parts = []
    if row["kspay_date"] is not None:
        parts.append(f"KS Pay says {row.kspay_status} for {row.kspay}")
    if row["ledger_date"] is not None:
        parts.append(f"the ledger says {row.ledger_status} for {row.ledger}")
    said = ", ".join(parts)
    mend = "add it to [status] in reconcile.toml"
    return f"{said[0].upper()}{said[1:]}: a status that is not known{row.matched}; {mend}."


def _timing(row: _Row) -> str:
    if row["kspay_date"] is not None:
        soon = "the ledger may book it within the next days"
        return f"{row.took}{_under(row, 'reference')}; {soon}{_suggestion(row)}."
    soon = "KS Pay may show it within the next days"
    return f"{row.books}{_under(row, 'ledger_reference')}; {soon}{_suggestion(row)}."


def _invalid(row: _Row) -> str:
    side = "KS Pay" if row["broken_side"] == "kspay" else "the ledger"
    return f"A record of {side} cannot be used ({row['broken_field']}): {row['broken_reason']}."


# These are of matches only where a person has joined what was unmatched.
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
    "DUPLICATE_IN_KSPAY": _duplicate_in_kspay,
    "DUPLICATE_IN_LEDGER": _duplicate_in_ledger,
    "DATE_MISMATCH": _date,
    "STALE_PENDING": _stale,
    "UNKNOWN_STATUS": _unknown,
    "TIMING_DIFFERENCE": _timing,
    "INVALID_RECORD": _invalid,
}
