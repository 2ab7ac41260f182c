"""What a suite is made of: its expectations, each once with its weight and why it exists; and what a suite said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

SHOWN_SUBJECTS = 10
"""Number of files, days or currencies that are named where they break one expectation."""


class Weight(StrEnum):
    """What a broken expectation does."""

    BLOCKS = "blocks"  # nothing of the batch is used, unless a person allows it by name
    QUARANTINES = "quarantines"  # the record is kept out, and shown
    WARNS = "warns"  # it is counted, and shown


SEVERITIES = {Weight.BLOCKS: "critical", Weight.QUARANTINES: "warning", Weight.WARNS: "info"}
"""The weights in the words of Great Expectations."""


class Rule(msgspec.Struct, frozen=True, eq=False):
    """One expectation of a suite, known by its identity."""

    name: str
    weight: Weight
    expectation: str
    """The class: one of Great Expectations', or one of ours in `reconcile.validate.expectations`."""
    arguments: Mapping[str, Any]
    """As the class takes them: the columns that it looks at, and what they must hold."""
    why: str
    field: str = ""
    """Of a rule of single records: the field at fault, or several joined by ";", as the source names them."""
    reason: str = ""
    """What is wrong with what breaks it, after the field's name."""
    own: bool = False
    """Whether the merchant added it, in [[expect]] of reconcile.toml."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at."""
        found = [
            self.arguments[name] for name in ("column", "column_A", "column_B") if name in self.arguments
        ]
        return (*found, *self.arguments.get("column_list", ()))


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many records broke one expectation."""

    expectation: str
    weight: Weight
    count: int
    says: tuple[str, ...] = ()
    """Of a whole (a file, a day, a currency): which, and what is wrong with it."""
    allowed: bool = False
    """Whether a person allowed by name what would have blocked."""
    why: str = ""
    """Why the expectation exists."""


class Demand(msgspec.Struct, frozen=True):
    """An expectation, as the page tells of it."""

    expectation: str
    weight: Weight
    why: str


class Validation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a suite said of the batches of a run."""

    suite: str
    evaluated: int
    """Expectations that were evaluated; 0 where there was no record to evaluate them on."""
    successful: int
    """Those of them that no record broke."""
    records: int
    quarantined: int
    failures: tuple[Failure, ...]
    demands: tuple["Demand", ...] = ()
    """All that the suite demands, in its order."""

    def __add__(self, other: "Validation") -> "Validation":
        """Both together; they must be of one suite."""
        found: dict[str, Failure] = {}
        for failure in (*self.failures, *other.failures):
            before = found.get(failure.expectation)
            found[failure.expectation] = msgspec.structs.replace(
                failure,
                count=failure.count + (before.count if before else 0),
                says=((before.says if before else ()) + failure.says)[:SHOWN_SUBJECTS],
                allowed=failure.allowed or bool(before and before.allowed),
            )
        evaluated = max(self.evaluated, other.evaluated)
        return Validation(
            suite=self.suite,
            evaluated=evaluated,
            successful=evaluated - len(found),
            records=self.records + other.records,
            quarantined=self.quarantined + other.quarantined,
            failures=tuple(found[name] for name in sorted(found)),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What a load is about to do, for the expectations that validate it as a whole before it counts."""

    records: int
    unusable: int
    in_force: int
    """Entries of the days that a snapshot spans, before it."""
    withdrawn: int


BatchCheck = Callable[[Batch], tuple[str, ...]]
"""Gives the names of what would have blocked and was allowed; raises InputRefused for a load that must not be
used: then nothing of it is kept."""

Broken = Mapping[str, Sequence[Rule]]
"""By place of a staged record, the rules that it breaks and that quarantine it."""
