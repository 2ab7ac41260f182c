"""The merchant's own expectations: [[expect]] of reconcile.toml as rules. Great Expectations says which are wrong."""

import re
from collections.abc import Iterable, Mapping

from reconcile.core.errors import UsageError
from reconcile.ledger.profile import TOML
from reconcile.settings import Expect
from reconcile.validate.great_expectations import GreatExpectations, exactly
from reconcile.validate.rules import Rule, Weight
from reconcile.validate.suites import COLUMNS, names

_CONDITION = re.compile(r'col\("\w+"\)(?:\.notnull\(\)| *(?:[<>]=?|[=!]=) *(?:"[^"]*"|-?\d+(?:\.\d+)?))')
"""A condition as a text: `col("amount") < 0`. Anything else Great Expectations would pass on as bare SQL."""


def own_rules(expects: Iterable[Expect], library: GreatExpectations) -> Mapping[str, tuple[Rule, ...]]:
    """By suite, a rule for each [[expect]]; raises UsageError with its name for a wrong one."""
    found: dict[str, tuple[Rule, ...]] = {}
    taken = names()
    for one in expects:
        where = f"{TOML}: [[expect]] {one.name}"
        if one.name in taken:
            raise UsageError(f"{where}: an expectation has this name already; give it another")
        try:
            rule = _rule(one, library)
        except ValueError as error:
            raise UsageError(f"{where}: {_one_line(error)}") from None
        found[one.on] = (*found.get(one.on, ()), rule)
    return found


def _rule(one: Expect, library: GreatExpectations) -> Rule:
    kind = library.expectation_class(one.expectation)  # imports the library
    from great_expectations.expectations.expectation import (
        ColumnAggregateExpectation,
        ColumnMapExpectation,
        ColumnPairMapExpectation,
        MulticolumnMapExpectation,
    )

    of_records = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
    if not issubclass(kind, (*of_records, ColumnAggregateExpectation)):
        raise ValueError(f"{one.expectation} is about no column")  # noqa: TRY004 - a wrong setting
    weight = Weight(one.weight)
    if weight is Weight.QUARANTINES and not issubclass(kind, of_records):
        raise ValueError(
            f"{one.expectation} is about a whole column and names no record: give it the weight warns or blocks"
        )
    arguments = {name: exactly(value) for name, value in one.arguments.items()}
    condition = arguments.get("row_condition")
    if isinstance(condition, str):
        if not _CONDITION.fullmatch(condition):
            raise ValueError(
                f'row_condition: {condition!r} is not a comparison such as col("amount") < 0; write several as a table'
            )
        arguments["condition_parser"] = "great_expectations"
    elif isinstance(condition, dict) and "pass_through" in str(condition):
        raise ValueError("row_condition: pass_through is not taken")
    fields = COLUMNS[one.on]
    rule = Rule(one.name, weight, one.expectation, arguments, one.why, own=True)
    for column in rule.columns:
        if column not in fields:
            raise ValueError(f"{one.on} have no column {column!r}; they have {', '.join(fields)}")
    made = library.expectation(rule)
    if "mostly" in arguments and not 0 < made.mostly <= 1:
        raise ValueError("mostly is a share, above 0 and at most 1")
    return Rule(
        one.name,
        weight,
        one.expectation,
        arguments,
        one.why,
        field=";".join(fields[column] for column in rule.columns),
        reason=f"breaks {one.name}: {one.why}",
        own=True,
    )


def _one_line(error: ValueError) -> str:
    """What Great Expectations says, without its frame: `value_set: field required`."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return " ".join(str(error).split())
    said = []
    for one in errors():
        place = ".".join(str(part) for part in one["loc"] if part != "__root__")
        said.append(f"{place}: {one['msg']}" if place else one["msg"])
    return "; ".join(said)
