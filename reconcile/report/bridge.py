"""The bridge of a period: from the KS Pay total to the ledger total of each currency, line by line.

SQL works out the lines (`sql/match/discrepancies/bridge`) and proves that they add up
(`sql/match/checks/bridge_adds_up`). Here is what each line is, in words. Its rows are in bridge.csv.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Line:
    """One line, for people."""

    title: str
    type: str = ""
    """The discrepancy type that its rows have, if it is one."""
    rows: str = "Bridge rows: this line"
    """Where the workbook has its rows."""


KSPAY_TOTAL, LEDGER_TOTAL = "kspay_total", "ledger_total"
LINES: Mapping[str, Line] = MappingProxyType(
    {
        KSPAY_TOTAL: Line("KS Pay, all transactions", rows="Summary: KS Pay, total without quarantined"),
        "excluded_in_kspay": Line("Failed, cancelled or pending at KS Pay"),
        "missing_in_ledger": Line("Missing in the ledger", "MISSING_IN_LEDGER"),
        "duplicates_in_kspay": Line("Paid twice at KS Pay", "DUPLICATE_IN_KSPAY"),
        "timing_in_kspay": Line("Not yet in the ledger"),
        "statuses_in_kspay": Line("Stale or of unknown status at KS Pay"),
        "other_days": Line("Matched over the edge of the period"),
        "fees": Line("Fees that the ledger has taken off"),
        "tolerated": Line("Differences within the tolerance"),
        "amounts": Line("Amounts that differ", "AMOUNT_MISMATCH"),
        "currencies": Line("Currencies that differ", "CURRENCY_MISMATCH"),
        "refunds": Line("Refunds that the ledger books as entries"),
        "missing_in_kspay": Line("Missing at KS Pay", "MISSING_IN_KSPAY"),
        "duplicates_in_ledger": Line("Booked twice in the ledger", "DUPLICATE_IN_LEDGER"),
        "timing_in_ledger": Line("Not yet at KS Pay"),
        "statuses_in_ledger": Line("Of unknown status in the ledger"),
        "excluded_in_ledger": Line("Unpaid or cancelled in the ledger"),
        "quarantined": Line("In quarantine, counted as 0", "INVALID_RECORD", "Quarantine: all rows"),
        LEDGER_TOTAL: Line("Ledger, all entries", rows="Summary: Ledger, total without quarantined"),
    }
)
"""By name, in their order."""
