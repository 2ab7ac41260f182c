"""What became of the rows of a decision file: those that were refused, and what the others change."""

from collections.abc import Sequence
from dataclasses import dataclass

from reconcile.core.errors import InputRefused
from reconcile.core.wording import one_line

_SHOWN = 40
"""Characters of a value that a sentence shows."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be used, and why."""

    row: int
    discrepancy_id: str
    reason: str

    def line(self, file: str) -> str:
        """One line for people: file, row, discrepancy and reason."""
        whose = f", {short(self.discrepancy_id)}" if self.discrepancy_id else ""
        return one_line(f"{file}, row {self.row}{whose}: {self.reason}")


class RowsRefused(InputRefused):
    """Some rows of a file cannot be used, so nothing of it was stored."""

    def __init__(self, file: str, refusals: Sequence[Refusal]) -> None:
        rows = f"{len(refusals)} row{'s' if len(refusals) > 1 else ''}"
        super().__init__(
            f"{file}: {rows} refused, so nothing of the file was stored: correct or empty resolution, note "
            "and due in these rows, then resolve the file again"
        )
        self.refusals = tuple(refusals)
        self.lines = tuple(refusal.line(file) for refusal in refusals)


@dataclass(frozen=True, slots=True)
class Change:
    """One decision or note that a file adds, as shown to people."""

    discrepancy_id: str
    type: str
    decision: str  # `note` or `assignment` if it is only that
    covers: str
    standing: str
    """`proposed` while it waits for another person, `confirmed` if it repeats another's; else empty."""
    replaces: str
    """The decision in force until now, and by whom; of a proposal, what it would replace; empty if none."""


@dataclass(frozen=True, slots=True)
class ResolveResult:
    """What was stored from a file; numbers count rows."""

    file: str
    by: str
    decisions: int
    notes: int  # or assignments, without a decision
    unchanged: int  # rows that repeat what is in force
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]  # of rows that were taken and may be meant otherwise

    def replaced(self) -> list[str]:
        """The decisions that were in force before and are replaced, each in a few words."""
        return [
            f"{change.replaces} of {change.discrepancy_id}"
            for change in self.changes
            if change.replaces and change.standing != "proposed"
        ]


def short(value: str) -> str:
    """The beginning of a value, on one line, for a sentence."""
    value = one_line(value)
    return value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
