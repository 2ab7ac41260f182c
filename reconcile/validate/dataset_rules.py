"""Expectations on whole datasets: a batch before it counts, the days and currencies of a period, the results of a run.

`reconcile.validate.validator` validates records one by one; here stands what cannot be seen in any one of them. Each
rule is one column of a frame with one row a subject (a file, a day, a currency, a run): 0 where it holds.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import median_low

from sqlalchemy import Connection, text

from reconcile.core.errors import UsageError
from reconcile.core.money import Currencies
from reconcile.core.records import Period
from reconcile.db.sql_files import read_sql, sql_names
from reconcile.validate.rules import Batch, Rule, Weight
from reconcile.validate.validator import Validator

FEW = 100
"""Records; of fewer no share says anything."""

DAYS_BEFORE = 28
"""So many days before a day say what is usual: four of each day of the week."""

THOUSANDS = 1000
TIMES = 5

_SUITE_OF = {"kspay": "transactions", "ledger": "entries"}


def _rule(name: str, weight: Weight, reason: str, why: str) -> Rule:
    # The column carries the rule's name, and counts what is wrong.
    return Rule(
        name=name,
        weight=weight,
        column=name,
        field="",
        reason=reason,
        why=why,
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"max_value": 0},
    )


_MOSTLY_USABLE = _rule(
    "mostly_usable",
    Weight.BLOCKS,
    "more than half of the records cannot be used",
    "Where most records are broken the file or the answer is, and the rest of it is not to be trusted either.",
)
_DAYS = (
    _rule(
        "day_not_empty",
        Weight.WARNS,
        "no record, where the days before had thousands",
        "A day without any record is far more often a lost export than a day without trade.",
    ),
    _rule(
        "volume_usual",
        Weight.WARNS,
        f"more than {TIMES} times as many or as few records as usual",
        "A part of a day, or a day imported twice under other ids, shows in its number of records first.",
    ),
)
_CURRENCIES = (
    _rule(
        "currency_seen_before",
        Weight.WARNS,
        "was never seen before",
        "A new currency is a new market, or a column that was read wrongly.",
    ),
)
_SNAPSHOT = _rule(
    "snapshot_keeps_most",
    Weight.BLOCKS,
    "lacks more than half of the entries of the days that it spans",
    "A snapshot withdraws what it lacks, and one that lacks most is rather a file that was cut off.",
)
_RESULTS = (
    _rule(
        "something_matches",
        Weight.WARNS,
        "hardly any record of the two books matches",
        "Two books of one merchant have most in common; where nothing matches, one of them is another's.",
    ),
    _rule(
        "discrepancy_ids_unique",
        Weight.BLOCKS,
        "one discrepancy id stands at two discrepancies",
        "Decisions come back by the id: it must lead to one discrepancy, and no other.",
    ),
)


def _rules() -> dict[str, dict[str, tuple[Rule, ...]]]:
    """The rules of each suite, by what they validate: `batch`, `day`, `currency` or `run`."""
    checks = tuple(
        _rule(
            name.rpartition("/")[2],
            Weight.BLOCKS,
            "records break this check",
            "Every record has one outcome and every total is conserved: sql/match/checks/ says how.",
        )
        for name in sql_names("match/checks")
    )
    sides = {"day": _DAYS, "currency": _CURRENCIES}
    return {
        "transactions": {"batch": (_MOSTLY_USABLE,), **sides},
        "entries": {"batch": (_MOSTLY_USABLE, _SNAPSHOT), **sides},
        "results": {"run": (*checks, *_RESULTS)},
    }


RULES = _rules()

OVERRIDABLE = (_MOSTLY_USABLE.name, _SNAPSHOT.name)
"""The expectations that block an input. A wrong result of ours nobody can allow."""


def check_allowed(names: Sequence[str]) -> frozenset[str]:
    """The names given with --allow; raises UsageError for one that blocks nothing."""
    for name in names:
        if name not in OVERRIDABLE:
            raise UsageError(
                f"--allow {name}: no expectation of this name blocks; {', '.join(OVERRIDABLE)} do"
            )
    return frozenset(names)


def validate_batch(validator: Validator, suite: str, subject: str, batch: Batch) -> tuple[str, ...]:
    """BatchCheck a batch before it counts; the names of what would have blocked it and was allowed.

    Raises InputRefused if it must not be used.
    """
    facts = {_MOSTLY_USABLE.name: _most(batch.unusable, batch.records)}
    if suite == "entries":
        facts[_SNAPSHOT.name] = _most(batch.withdrawn, batch.in_force)
    said = {
        _MOSTLY_USABLE.name: f"{batch.unusable:,} of {batch.records:,} records cannot be used, more than half",
        _SNAPSHOT.name: (
            f"the snapshot lacks {batch.withdrawn:,} of the {batch.in_force:,} entries that were there for "
            "the days that it spans, more than half"
        ),
    }
    return validator.validate_subjects(suite, "batch", RULES[suite]["batch"], [(subject, facts, said)])


def validate_period(connection: Connection, validator: Validator, period: Period, known: Currencies) -> None:
    """BatchCheck the days and currencies of a period, over what the database holds; these only warn.

    Needs the views of sql/match/policy. Raises UsageError for a currency that is not known (any more).
    """
    counts: dict[tuple[str, str], dict[date, int]] = defaultdict(dict)
    asked = {"first": period.first - timedelta(days=DAYS_BEFORE), "last": period.last}
    for row in connection.execute(text(read_sql("validate/records_by_day")), asked):
        counts[row.side, row.app_id][row.day] = row.records
    currencies = connection.execute(text(read_sql("validate/currencies")), {"last": period.last}).all()
    for row in currencies:
        if row.currency not in known.digits:
            raise known.unknown(row.currency)
    for side, suite in _SUITE_OF.items():
        days = [
            subject
            for (of, app_id), found in sorted(counts.items())
            if of == side
            for subject in _days(app_id, found, period)
        ]
        validator.validate_subjects(suite, "day", RULES[suite]["day"], days)
        of_side = [row for row in currencies if row.side == side]
        older = {row.app_id for row in of_side if row.first_day < period.first}
        validator.validate_subjects(
            suite,
            "currency",
            RULES[suite]["currency"],
            [
                (
                    f"{row.app_id} {row.currency}",
                    {"currency_seen_before": int(row.app_id in older and row.first_day >= period.first)},
                    {"currency_seen_before": f"was never seen before {row.first_day}"},
                )
                for row in of_side
            ],
        )


def _days(
    app_id: str, found: Mapping[date, int], period: Period
) -> list[tuple[str, dict[str, int], dict[str, str]]]:
    began = min(found)
    subjects = []
    for number in range((period.last - period.first).days + 1):
        day = period.first + timedelta(days=number)
        before = [
            found.get(earlier, 0)
            for back in range(1, DAYS_BEFORE + 1)
            if (earlier := day - timedelta(days=back)) >= began
        ]
        usual = median_low(before) if len(before) >= 7 else 0
        here = found.get(day, 0)
        off = usual >= FEW and here > 0 and (here > TIMES * usual or here * TIMES < usual)
        says = f"{here:,} records, where {usual:,} are usual"
        subjects.append(
            (
                f"{app_id} {day}",
                {"day_not_empty": int(here == 0 and usual >= THOUSANDS), "volume_usual": int(off)},
                {"day_not_empty": says, "volume_usual": says},
            )
        )
    return subjects


def validate_results(
    connection: Connection, validator: Validator, run_id: str, checks: Sequence[str]
) -> None:
    """BatchCheck what a matching found, in its transaction; `checks` are those of sql/match/checks that ran and passed.

    A check that did not run has no column, and an expectation without its column is a fault.
    """
    facts = dict.fromkeys(checks, 0)
    row = connection.execute(text(read_sql("validate/results"))).one()
    smaller = min(row.transactions, row.entries)
    facts["something_matches"] = int(smaller >= FEW and row.matched * 10 < smaller)
    facts["discrepancy_ids_unique"] = row.discrepancies - row.discrepancy_ids
    says = f"{row.matched:,} transactions match, of {row.transactions:,} transactions and {row.entries:,} entries paid"
    subject = (run_id, facts, {"something_matches": says})
    validator.validate_subjects("results", "run", RULES["results"]["run"], [subject])


def _most(part: int, whole: int) -> int:
    """The part, where it is more than half of at least 100; else 0."""
    return part if whole >= FEW and part * 2 > whole else 0
