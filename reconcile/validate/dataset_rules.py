"""Expectations on whole datasets: a batch before it counts, the days and currencies of a period, the results of a run.

`reconcile.validate.validator` judges single records; this module has what no single record shows. Each subject
(a file, a day, a currency, a run) is one row of a frame; the rules in `reconcile.validate.suites` say what must hold.
Shares are whole or exact decimal percents, never binary floats.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median_low
from typing import Any

from sqlalchemy import Connection, Row, text

from reconcile.core.errors import UsageError
from reconcile.core.money import Currencies
from reconcile.core.records import Period
from reconcile.db import planner
from reconcile.db.sql_files import read_sql
from reconcile.settings import Settings
from reconcile.validate.rules import Batch, Weight
from reconcile.validate.suites import MOSTLY_USABLE, RULES, SNAPSHOT_KEEPS_MOST
from reconcile.validate.validator import Subject, Validator

DAYS_BEFORE = 28
"""Number of days before a day that say what is usual: four of each day of the week."""

_SUITE_OF = {"kspay": "transactions", "ledger": "entries"}


_OVERRIDABLE = (MOSTLY_USABLE.name, SNAPSHOT_KEEPS_MOST.name)
"""Our expectations that block an input. A wrong result of matching cannot be allowed."""


def may_block(settings: Settings) -> tuple[str, ...]:
    """The names of all expectations that may block, and that --allow may name."""
    # One that quarantines blocks where every record breaks it.
    own = [expect.name for expect in settings.expects if expect.weight != Weight.WARNS]
    return (*_OVERRIDABLE, *own)


def check_allowed(names: Sequence[str], settings: Settings) -> frozenset[str]:
    """The names given with --allow; raises UsageError for one that blocks nothing."""
    overridable = may_block(settings)
    for name in names:
        if name not in overridable:
            raise UsageError(
                f"--allow {name}: no expectation of this name blocks; {', '.join(overridable)} do"
            )
    return frozenset(names)


def validate_batch(validator: Validator, suite: str, subject: str, batch: Batch) -> tuple[str, ...]:
    """Validate a batch before it counts; the names of what would have blocked it and was allowed.

    Raises InputRefused if it must not be used.
    """
    facts = {
        "records": batch.records,
        "unusable": batch.unusable,
        "percent_unusable": _percent(batch.unusable, batch.records),
        "in_force": batch.in_force,
        "withdrawn": batch.withdrawn,
        "percent_withdrawn": _percent(batch.withdrawn, batch.in_force),
    }
    said = {
        MOSTLY_USABLE.name: f"{batch.unusable:,} of {batch.records:,} records cannot be used, more than half",
        SNAPSHOT_KEEPS_MOST.name: (
            f"the snapshot lacks {batch.withdrawn:,} of the {batch.in_force:,} entries that were there for "
            "the days that it spans, more than half"
        ),
    }
    return validator.validate_subjects(suite, "batch", RULES[suite]["batch"], [(subject, facts, said)])


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """What the database holds of the days and currencies of a period."""

    records: Mapping[tuple[str, str], Mapping[date, int]]
    """By side and app, how many records a business day has: of the period, and of DAYS_BEFORE days before it."""
    currencies: Sequence[Row[Any]]
    """As sql/validate/currencies.sql gives them."""


def read_period(connection: Connection, period: Period) -> PeriodFacts:
    """What `validate_period` looks at. Needs the policy (`reconcile.match.policy.state_policy`)."""
    records: dict[tuple[str, str], dict[date, int]] = defaultdict(lambda: defaultdict(int))
    first_days: dict[tuple[str, str, str], date] = {}
    asked = {"first": period.first - timedelta(days=DAYS_BEFORE), "last": period.last}
    for row in connection.execute(text(read_sql("validate/records_by_day")), asked):
        records[row.side, row.app_id][row.day] += row.records
        if row.day >= period.first:
            key = row.side, row.app_id, row.currency
            first_days[key] = min(row.day, first_days.get(key, row.day))
    sides, app_ids, currencies = zip(*first_days, strict=True) if first_days else ((), (), ())
    of_period = {
        "sides": list(sides),
        "app_ids": list(app_ids),
        "currencies": list(currencies),
        "first_days": list(first_days.values()),
        "first": period.first,
    }
    with planner.switches_of(connection, "validate/currencies"):
        found = connection.execute(text(read_sql("validate/currencies")), of_period).all()
    return PeriodFacts(records, found)


def validate_period(validator: Validator, period: Period, facts: PeriodFacts, known: Currencies) -> None:
    """Validate the days and currencies of a period; these only warn.

    Raises UsageError for a currency that is not known (any more).
    """
    for row in facts.currencies:
        if row.currency not in known.digits:
            raise known.unknown(row.currency)
    for side, suite in _SUITE_OF.items():
        days = [
            subject
            for (of, app_id), found in sorted(facts.records.items())
            if of == side
            for subject in _days(app_id, found, period)
        ]
        validator.validate_subjects(suite, "day", RULES[suite]["day"], days)
        validator.validate_subjects(
            suite,
            "currency",
            RULES[suite]["currency"],
            [
                (
                    f"{row.app_id} {row.currency}",
                    {
                        "app_id": row.app_id,
                        "currency": row.currency,
                        "first_day": row.first_day,
                        "currency_before": int(row.currency_before),
                        "app_before": int(row.app_before),
                    },
                    {"currency_seen_before": f"was never seen before {row.first_day}"},
                )
                for row in facts.currencies
                if row.side == side
            ],
        )


def check_reported_currencies(connection: Connection, known: Currencies) -> None:
    """Raise UsageError for a currency of the report that is not known (any more). Needs the result views."""
    for currency in connection.scalars(text(read_sql("validate/reported_currencies"))):
        if currency not in known.digits:
            raise known.unknown(currency)


def _days(app_id: str, found: Mapping[date, int], period: Period) -> list[Subject]:
    began = min(found)
    subjects: list[Subject] = []
    for number in range((period.last - period.first).days + 1):
        day = period.first + timedelta(days=number)
        before = [
            found.get(earlier, 0)
            for back in range(1, DAYS_BEFORE + 1)
            if (earlier := day - timedelta(days=back)) >= began
        ]
        usual = median_low(before) if len(before) >= 7 else 0
        here = found.get(day, 0)
        says = f"{here:,} records, where {usual:,} are usual"
        subjects.append(
            (
                f"{app_id} {day}",
                {
                    "app_id": app_id,
                    "day": day,
                    "records": here,
                    "usual": usual,
                    "usual_of_a_day_with_records": usual if here else 0,
                    "percent_of_usual": _percent(here, usual),
                },
                {"day_not_empty": says, "volume_usual": says},
            )
        )
    return subjects


def validate_results(
    connection: Connection, validator: Validator, run_id: str, checks: Sequence[str]
) -> None:
    """Validate what a matching found, in its transaction; `checks` are those of sql/match/checks that ran and passed.

    A check that did not run has no column, and an expectation without its column is a fault.
    """
    facts: dict[str, int | Decimal] = dict.fromkeys(checks, 0)
    row = connection.execute(text(read_sql("validate/results"))).one()
    smaller = min(row.transactions, row.entries)
    facts |= {
        "paid_of_smaller_book": smaller,
        "matched": row.matched,
        "percent_matched": _percent(row.matched, smaller),
        "discrepancies": row.discrepancies,
        "discrepancy_ids": row.discrepancy_ids,
    }
    says = f"{row.matched:,} transactions match, of {row.transactions:,} transactions and {row.entries:,} entries paid"
    subject = (run_id, facts, {"something_matches": says})
    validator.validate_subjects("results", "run", RULES["results"]["run"], [subject])


def _percent(part: int, whole: int) -> Decimal:
    """The share in percent; 0 if `whole` is 0."""
    return Decimal(100 * part) / whole if whole else Decimal(0)
