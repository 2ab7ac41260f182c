"""The bridge of a period: from the KS Pay total to the ledger total of each currency, line by line.

SQL works out the lines (`sql/match/discrepancies/bridge`) and proves that they add up
(`sql/match/checks/bridge_adds_up`). Here is what each line is, in words, and where its rows are found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Line:
    """One line, for people."""

    title: str
    rows: str
    """The filter that shows its rows in the workbook or a CSV file."""
    type: str = ""
    """The discrepancy type that its rows have, if it is one."""


def _of_type(title: str, name: str) -> Line:
    return Line(title, f"Discrepancies: type is {name}; decided ones in resolved.csv", name)


KSPAY_TOTAL, LEDGER_TOTAL = "kspay_total", "ledger_total"
LINES: Mapping[str, Line] = MappingProxyType(
    {
        KSPAY_TOTAL: Line("KS Pay, all transactions", "Summary: KS Pay, total without quarantined"),
        "excluded_in_kspay": Line("Failed, cancelled or pending at KS Pay", "Summary: KS Pay, excluded"),
        "missing_in_ledger": _of_type("Missing in the ledger", "MISSING_IN_LEDGER"),
        "duplicates_in_kspay": _of_type("Paid twice at KS Pay", "DUPLICATE_IN_KSPAY"),
        "timing_in_kspay": Line(
            "Not yet in the ledger", "Discrepancies: type is TIMING_DIFFERENCE, kspay_amount is not empty"
        ),
        "statuses_in_kspay": Line(
            "Stale or of unknown status at KS Pay",
            "Discrepancies: type is STALE_PENDING or UNKNOWN_STATUS, rule is empty",
        ),
        "other_days": Line(
            "Matched over the edge of the period", "Matched: one of the dates is outside the period"
        ),
        "fees": Line("Fees that the ledger has taken off", "Matched: fee is not empty"),
        "tolerated": Line(
            "Differences within the tolerance", "Matched: variance is not 0, and no AMOUNT_MISMATCH"
        ),
        "amounts": _of_type("Amounts that differ", "AMOUNT_MISMATCH"),
        "currencies": _of_type("Currencies that differ", "CURRENCY_MISMATCH"),
        "refunds": Line(
            "Refunds that the ledger books as entries",
            "Your ledger: negative entries that belong to a payment",
        ),
        "missing_in_kspay": _of_type("Missing at KS Pay", "MISSING_IN_KSPAY"),
        "duplicates_in_ledger": _of_type("Booked twice in the ledger", "DUPLICATE_IN_LEDGER"),
        "timing_in_ledger": Line(
            "Not yet at KS Pay", "Discrepancies: type is TIMING_DIFFERENCE, ledger_amount is not empty"
        ),
        "statuses_in_ledger": Line(
            "Of unknown status in the ledger", "Discrepancies: type is UNKNOWN_STATUS, rule is empty"
        ),
        "excluded_in_ledger": Line("Unpaid or cancelled in the ledger", "Summary: Ledger, excluded"),
        "quarantined": Line("In quarantine, counted as 0", "Quarantine: all rows", "INVALID_RECORD"),
        LEDGER_TOTAL: Line("Ledger, all entries", "Summary: Ledger, total without quarantined"),
    }
)
"""By name, in their order."""
