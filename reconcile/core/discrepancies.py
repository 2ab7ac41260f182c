"""The types of discrepancies and the outcomes of records: names, severities, order and meaning, stated once.

Reports, terminal texts, tests and the docs read them here. SQL decides which type a record gets and sorts by type and
severity; `tests/scenarios/match/test_findings.py` checks that it agrees with this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """How urgent a discrepancy is, the most urgent first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Aspect(StrEnum):
    """What of a record is wrong. A record has at most one discrepancy for each aspect."""

    PRESENCE = "presence"
    AMOUNT = "amount"
    STATUS = "status"
    DATE = "date"
    VALIDITY = "validity"


@dataclass(frozen=True, slots=True)
class DiscrepancyType:
    """One type of discrepancy."""

    severity: Severity
    aspect: Aspect
    when: str  # one sentence: when it is reported
    severity_of_refunded: Severity | None = None  # of a refunded transaction; None: the same severity


TYPES: Mapping[str, DiscrepancyType] = MappingProxyType(
    {
        "MISSING_IN_LEDGER": DiscrepancyType(
            Severity.HIGH,
            Aspect.PRESENCE,
            "KS Pay has a paid or refunded transaction, and the ledger has no entry for it.",
        ),
        "MISSING_IN_KSPAY": DiscrepancyType(
            Severity.HIGH,
            Aspect.PRESENCE,
            "The ledger has a paid or refunded entry, and KS Pay has no transaction for it.",
        ),
        "AMOUNT_MISMATCH": DiscrepancyType(
            Severity.HIGH,
            Aspect.AMOUNT,
            "Transaction and entry are matched, but their amounts differ by more than the tolerance.",
        ),
        "CURRENCY_MISMATCH": DiscrepancyType(
            Severity.HIGH,
            Aspect.AMOUNT,
            "Transaction and entry are matched, but their currencies differ.",
        ),
        "STATUS_MISMATCH": DiscrepancyType(
            Severity.HIGH,
            Aspect.STATUS,
            "Transaction and entry are matched, but their statuses contradict each other.",
        ),
        "REFUND_MISMATCH": DiscrepancyType(
            Severity.HIGH,
            Aspect.STATUS,
            "Transaction and entry are matched, but the refunds that they tell of differ.",
        ),
        "DUPLICATE_IN_KSPAY": DiscrepancyType(
            Severity.HIGH,
            Aspect.PRESENCE,
            "An unmatched transaction repeats another one: same reference, currency and amount, a few days apart.",
            severity_of_refunded=Severity.INFO,
        ),
        "DUPLICATE_IN_LEDGER": DiscrepancyType(
            Severity.MEDIUM,
            Aspect.PRESENCE,
            "An unmatched entry repeats another one: same reference, currency, amount and sign, a few days apart.",
        ),
        "DATE_MISMATCH": DiscrepancyType(
            Severity.LOW,
            Aspect.DATE,
            "Transaction and entry are matched, but their dates are further apart than the tolerance.",
        ),
        "STALE_PENDING": DiscrepancyType(
            Severity.MEDIUM,
            Aspect.PRESENCE,
            "A transaction has been pending at KS Pay for longer than the allowed hours.",
        ),
        "UNKNOWN_STATUS": DiscrepancyType(
            Severity.MEDIUM,
            Aspect.STATUS,
            "A record has a status that is not known: it is not in the list of statuses.",
        ),
        "TIMING_DIFFERENCE": DiscrepancyType(
            Severity.INFO,
            Aspect.PRESENCE,
            "A record of the last days of the period has no counterpart yet; it may still come.",
        ),
        "INVALID_RECORD": DiscrepancyType(
            Severity.HIGH,
            Aspect.VALIDITY,
            "A record cannot be used, so it was not compared; quarantine.csv says why.",
        ),
    }
)
"""By name, in the order of reports within one severity."""

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "matched": "It has a match, and nothing is wrong with it.",
        "matched_with_discrepancy": "It has a match, and something is wrong with it.",
        "unmatched": "It has no match, and it should have one.",
        "timing": "It has no match yet, but it is of the last days of the period; the other side may still follow.",
        "excluded": "It needs no match: it failed, was cancelled, or is not paid yet.",
        "resolved": "A person decided every discrepancy of it.",
        "quarantined": "It cannot be used as it is.",
    }
)
"""What became of a record: by name, in the order of summary.csv, with what it means. Every record has exactly one."""

RECONCILED = ("matched", "resolved")
"""The outcomes that count as reconciled: nothing is wrong, or a person decided all that is."""
