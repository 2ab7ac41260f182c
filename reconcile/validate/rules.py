"""What a record must hold to be used, each rule once and with its reason; and what a suite of rules said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

SHOWN_SUBJECTS = 10
"""So many files, days or currencies that break one expectation are named."""


class Weight(StrEnum):
    """What a broken expectation does."""

    BLOCKS = "blocks"  # nothing of the batch is used, unless a person allows it by name
    QUARANTINES = "quarantines"  # the record is kept out, and shown
    WARNS = "warns"  # it is counted, and shown


class Rule(msgspec.Struct, frozen=True):
    """One expectation of a suite."""

    name: str
    weight: Weight
    column: str
    """Of the frame that is validated: an attribute of the record, or a helper column."""
    field: str
    """The field at fault as its source names it."""
    reason: str
    """What is wrong with a record that breaks it, after the field's name."""
    why: str
    expectation: str
    """The class in `great_expectations.expectations`."""
    arguments: Mapping[str, Any]


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many records broke one expectation."""

    expectation: str
    weight: Weight
    count: int
    says: tuple[str, ...] = ()
    """Of a whole (a file, a day, a currency): which, and what is wrong with it."""
    allowed: bool = False
    """Whether a person allowed by name what would have blocked."""


class Validation(msgspec.Struct, frozen=True):
    """What a suite said of the batches of a run."""

    suite: str
    evaluated: int
    """Expectations that were evaluated; 0 where there was no record to evaluate them on."""
    successful: int
    """Those of them that no record broke."""
    records: int
    quarantined: int
    failures: tuple[Failure, ...]

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


def rules(suite: str) -> tuple[Rule, ...]:
    """The suite `transactions` or `entries`."""
    kspay = suite == "transactions"
    common = (
        Rule(
            name="id_present",
            weight=Weight.QUARANTINES,
            column="id_letters",
            field="id" if kspay else "ledger_id",
            reason="is missing",
            why="A record without an id can be neither updated nor matched twice over safely.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"min_value": 1},
        ),
        Rule(
            name="currency_known",
            weight=Weight.QUARANTINES,
            column="currency_decimals",
            field="currencyCode" if kspay else "currency",
            reason="is neither an ISO 4217 code nor one of [currencies] in reconcile.toml",
            why="Without its currency's minor unit an amount can be neither compared nor written.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"min_value": 0},
        ),
        Rule(
            name="amount_fits_currency",
            weight=Weight.QUARANTINES,
            column="decimals_too_many",
            field="amount",
            reason="has more decimals than its currency",
            why="There is no tenth of a paisa: such an amount is computed or read wrongly; it is not rounded.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"max_value": 0},
        ),
    )
    if not kspay:
        return common  # an entry's amount may have any sign: a negative one books a refund
    return (
        *common,
        Rule(
            name="amount_not_negative",
            weight=Weight.QUARANTINES,
            column="below_zero",
            field="amount",
            reason="is negative",
            why="KS Pay shows a refund by its status, never by a negative amount.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"max_value": 0},
        ),
        Rule(
            name="created_since_2000",
            weight=Weight.WARNS,
            column="created_year",
            field="createdAt",
            reason="is before the year 2000",
            why="A payment older than KS Pay itself carries a default, such as 1970-01-01, for its time.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"min_value": 2000},
        ),
        Rule(
            name="id_has_prefix",
            weight=Weight.WARNS,
            column="id_foreign",
            field="id",
            reason="does not begin with tx_",
            why="KS Pay's ids begin so; other ones are usable, but a change that people should hear of.",
            expectation="ExpectColumnValuesToBeBetween",
            arguments={"max_value": 0},
        ),
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
