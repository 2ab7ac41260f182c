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
    next_step: str  # what a person does about it, in five words
    severity_of_refunded: Severity | None = None  # of a refunded transaction; None: the same severity
    next_step_of_refunded: str = ""  # what is done about it then

    def to_do(self, severity: str) -> str:
        """What a person does about one of this severity, in five words."""
        is_refunded = (
            self.severity_of_refunded not in (None, self.severity) and severity == self.severity_of_refunded
        )
        return self.next_step_of_refunded if is_refunded else self.next_step


TYPES: Mapping[str, DiscrepancyType] = MappingProxyType(
    {
        "MISSING_IN_LEDGER": DiscrepancyType(
            Severity.HIGH,
            Aspect.PRESENCE,
            "KS Pay has a paid or refunded transaction, and the ledger has no entry for it.",
            "Book it in the ledger.",
        ),
        "MISSING_IN_KSPAY": DiscrepancyType(
            Severity.HIGH,
            Aspect.PRESENCE,
            "The ledger has a paid or refunded entry, and KS Pay has no transaction for it.",
            "Find the payment behind it.",
        ),
        "AMOUNT_MISMATCH": DiscrepancyType(
            Severity.HIGH,
            Aspect.AMOUNT,
            "Transaction and entry are matched, but their amounts differ by more than the tolerance.",
            "Find fee, discount or mistake.",
        ),
        "CURRENCY_MISMATCH": DiscrepancyType(
            Severity.HIGH,
            Aspect.AMOUNT,
            "Transaction and entry are matched, but their currencies differ.",
            "Find which currency is right.",
        ),
        "STATUS_MISMATCH": DiscrepancyType(
            Severity.HIGH,
            Aspect.STATUS,
            "Transaction and entry are matched, but their statuses contradict each other.",
            "Find which status is right.",
        ),
        "REFUND_MISMATCH": DiscrepancyType(
            Severity.HIGH,
            Aspect.STATUS,
            "Transaction and entry are matched, but the refunds that they tell of differ.",
            "Book refunds as they were.",
        ),
        "DUPLICATE_IN_KSPAY": DiscrepancyType(
            Severity.HIGH,
            Aspect.PRESENCE,
            "An unmatched transaction repeats another one: same reference, currency and amount, a few days apart.",
            "Give the second payment back.",
            severity_of_refunded=Severity.INFO,
            next_step_of_refunded="Nothing: it was given back.",
        ),
        "DUPLICATE_IN_LEDGER": DiscrepancyType(
            Severity.MEDIUM,
            Aspect.PRESENCE,
            "An unmatched entry repeats another one: same reference, currency, amount and sign, a few days apart.",
            "Cancel the second ledger entry.",
        ),
        "DATE_MISMATCH": DiscrepancyType(
            Severity.LOW,
            Aspect.DATE,
            "Transaction and entry are matched, but their dates are further apart than the tolerance.",
            "Correct the date, or accept.",
        ),
        "STALE_PENDING": DiscrepancyType(
            Severity.MEDIUM,
            Aspect.PRESENCE,
            "A transaction has been pending at KS Pay for longer than the allowed hours.",
            "Ask KS Pay about it.",
        ),
        "UNKNOWN_STATUS": DiscrepancyType(
            Severity.MEDIUM,
            Aspect.STATUS,
            "A record has a status that is not known: it is not in the list of statuses.",
            "Name its family in settings.",
        ),
        "TIMING_DIFFERENCE": DiscrepancyType(
            Severity.INFO,
            Aspect.PRESENCE,
            "A record of the last days of the period has no counterpart yet; it may still come.",
            "Wait for the other side.",
        ),
        "INVALID_RECORD": DiscrepancyType(
            Severity.HIGH,
            Aspect.VALIDITY,
            "A record cannot be used, so it was not compared; quarantine.csv says why.",
            "Correct it and import again.",
        ),
    }
)
"""By name, in the order of reports within one severity."""

GLANCE: Mapping[str, str] = MappingProxyType(
    {
        "at_risk": "Money may be lost.",
        "to_check": "Somebody has to look.",
        "timing": "May still come right by itself.",
        "in_quarantine": "Cannot be used; at risk too.",
    }
)
"""The parts of what is open, in the order in which people look at them, with what each means."""


def parts_of(type_name: str, severity: str) -> tuple[str, ...]:
    """The parts of `GLANCE` in which an open discrepancy is counted: one by type and severity, and its quarantine.

    What is information only, and no matter of days, is in none: there is nothing to do. An older run tells no type,
    which is "" then.
    """
    if severity == Severity.INFO:
        return ("timing",) if type_name in ("TIMING_DIFFERENCE", "") else ()
    part = "at_risk" if severity == Severity.HIGH else "to_check"
    return (part, "in_quarantine") if type_name == "INVALID_RECORD" else (part,)


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
