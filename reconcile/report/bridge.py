"""The bridge of a period: from the KS Pay total to the ledger total of each currency, line by line.

SQL works out the lines (`sql/match/discrepancies/bridge`) and proves that they add up
(`sql/match/checks/bridge_adds_up`). Here is what each line is, in words, where its rows are found, and of a row of the
workbook in which lines it counts.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Line:
    """One line, for people."""

    title: str
    rows: str
    """The filter that shows its rows in the workbook or a CSV file."""
    type: str = ""
    """The discrepancy type that its rows have, if it is one."""


COLUMN = "bridge"
"""The column of the workbook's sheets Discrepancies and Matched that names the lines of a row."""


def _alone(title: str, name: str = "") -> Line:
    """Of records without a match."""
    return Line(title, "Discrepancies: column bridge, and resolved.csv", name)


def _matched(title: str, name: str = "") -> Line:
    return Line(title, "Matched: column bridge", name)


KSPAY_TOTAL, LEDGER_TOTAL = "kspay_total", "ledger_total"
LINES: Mapping[str, Line] = MappingProxyType(
    {
        KSPAY_TOTAL: Line("KS Pay, all transactions", "Summary: KS Pay, total without quarantined"),
        "excluded_in_kspay": Line("Failed, cancelled or pending at KS Pay", "Summary: KS Pay, excluded"),
        "missing_in_ledger": _alone("Missing in the ledger", "MISSING_IN_LEDGER"),
        "duplicates_in_kspay": _alone("Paid twice at KS Pay", "DUPLICATE_IN_KSPAY"),
        "timing_in_kspay": _alone("Not yet in the ledger"),
        "statuses_in_kspay": _alone("Stale or of unknown status at KS Pay"),
        "other_days": _matched("Matched over the edge of the period"),
        "fees": _matched("Fees that the ledger has taken off"),
        "tolerated": _matched("Differences within the tolerance"),
        "amounts": _matched("Amounts that differ", "AMOUNT_MISMATCH"),
        "currencies": _matched("Currencies that differ", "CURRENCY_MISMATCH"),
        "refunds": Line(
            "Refunds that the ledger books as entries",
            "Your ledger: negative entries that belong to a payment",
        ),
        "missing_in_kspay": _alone("Missing at KS Pay", "MISSING_IN_KSPAY"),
        "duplicates_in_ledger": _alone("Booked twice in the ledger", "DUPLICATE_IN_LEDGER"),
        "timing_in_ledger": _alone("Not yet at KS Pay"),
        "statuses_in_ledger": _alone("Of unknown status in the ledger"),
        "excluded_in_ledger": Line("Unpaid or cancelled in the ledger", "Summary: Ledger, excluded"),
        "quarantined": Line("In quarantine, counted as 0", "Quarantine: all rows", "INVALID_RECORD"),
        LEDGER_TOTAL: Line("Ledger, all entries", "Summary: Ledger, total without quarantined"),
    }
)
"""By name, in their order."""

_ALONE: Mapping[str, str] = MappingProxyType(
    {
        "MISSING_IN_LEDGER": "missing_in_ledger",
        "MISSING_IN_KSPAY": "missing_in_kspay",
        "DUPLICATE_IN_KSPAY": "duplicates_in_kspay",
        "DUPLICATE_IN_LEDGER": "duplicates_in_ledger",
        "TIMING_DIFFERENCE": "timing_in_",
        "STALE_PENDING": "statuses_in_",
        "UNKNOWN_STATUS": "statuses_in_",
        "INVALID_RECORD": "quarantined",
    }
)
"""The line of a record without a match, by its type; the side is put behind where it ends so."""

MISMATCHES = ("AMOUNT_MISMATCH", "CURRENCY_MISMATCH")
"""The types of a match whose sides differ by more than the tolerance."""


def line_of_record(row: Mapping[str, str], first: str, last: str) -> str:
    """The title of the line in which a row of discrepancies.csv counts; empty of a match, and of other days.

    `first` and `last` are the days of the period, as the file writes them.
    """
    if row["rule"]:
        return ""
    day = row["kspay_date"] or row["ledger_date"]
    name = _ALONE.get(row["type"], "")
    if not name or (day and not first <= day <= last) or not (day or name == "quarantined"):
        return ""
    if name.endswith("_"):
        name += "kspay" if row["transaction_id"] else "ledger"
    return LINES[name].title


def lines_of_match(row: Mapping[str, str], differing: AbstractSet[str], first: str, last: str) -> str:
    """The titles of the lines in which a row of matched.csv counts, with `; ` between.

    `differing` are the transactions, as the row writes them, of the matches whose amounts or currencies differ.
    """
    names = []
    if row["variance"]:
        if row["fee"]:
            names.append("fees")
        if Decimal(row["variance"]) != Decimal(row["fee"] or 0):
            names.append("amounts" if row["transaction_ids"] in differing else "tolerated")
    else:
        names.append("currencies")
    if any(not first <= row[name] <= last for name in ("kspay_date", "ledger_date")):
        names.append("other_days")
    return "; ".join(LINES[name].title for name in names)
