"""The merchant's own expectations: [[expect]] of reconcile.toml as rules. Great Expectations says which are wrong."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from reconcile.core.errors import UsageError
from reconcile.ledger.profile import TOML
from reconcile.settings import Expect
from reconcile.validate.great_expectations import NAMES_NO_RECORD, GreatExpectations, exactly
from reconcile.validate.rules import Rule, Weight
from reconcile.validate.suites import COLUMNS, names

_CONDITION = re.compile(
    r'col\("(?P<column>\w+)"\)(?:\.notnull\(\)| *(?:[<>]=?|[=!]=) *(?:"[^"]*"|(?P<number>-?\d+(?:\.\d+)?)))'
)
"""A condition as a text: `col("amount") < 0`. Anything else Great Expectations would pass on as bare SQL."""

_NOT_GIVEN = (
    "batch_id", "catch_exceptions", "description", "id", "meta", "notes", "rendered_content", "result_format",
    "severity", "windows",
)  # fmt: skip
"""Arguments of every expectation that say nothing about the records, or that `weight` and `why` say."""


def own_rules(expects: Iterable[Expect], library: GreatExpectations) -> Mapping[str, tuple[Rule, ...]]:
    """By suite, a rule for each [[expect]]; raises UsageError with its name for a wrong one."""
    found: dict[str, tuple[Rule, ...]] = {}
    taken = names()
    for expect in expects:
        where = f"{TOML}: [[expect]] {expect.name}"
        if expect.name in taken:
            raise UsageError(f"{where}: an expectation has this name already; give it another")
        try:
            rule = _rule(expect, library)
        except ValueError as error:
            raise UsageError(f"{where}: {_one_line(error)}") from None
        found[expect.on] = (*found.get(expect.on, ()), rule)
    return found


def _rule(expect: Expect, library: GreatExpectations) -> Rule:
    kind = library.expectation_class(expect.expectation)  # imports the library
    from great_expectations.expectations.core import ExpectColumnValuesToBeBetween
    from great_expectations.expectations.expectation import (
        ColumnAggregateExpectation,
        ColumnMapExpectation,
        ColumnPairMapExpectation,
        MulticolumnMapExpectation,
    )

    of_records = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
    if not issubclass(kind, (*of_records, ColumnAggregateExpectation)):
        raise ValueError(f"{expect.expectation} is about no column")  # noqa: TRY004 - a wrong setting
    weight = Weight(expect.weight)
    if weight is Weight.QUARANTINES and not issubclass(kind, of_records):
        raise ValueError(f"{expect.expectation} {NAMES_NO_RECORD}")
    expectation, given = expect.expectation, dict(expect.arguments)
    for name, value in given.items():
        if name in _NOT_GIVEN:
            raise ValueError(f"{name} is nothing that an [[expect]] may say")
        if name in ("column", "column_A", "column_B") and not isinstance(value, str):
            raise ValueError(f"{name} must be the name of a column")
        if name == "column_list" and not isinstance(value, list):
            raise ValueError("column_list must be a list of columns")
    if kind is ExpectColumnValuesToBeBetween and given.get("column") == "amount":
        expectation = "ExpectAmountsToBeBetween"
        given |= {name: _written(given[name]) for name in ("min_value", "max_value") if name in given}
    arguments = {name: exactly(value) for name, value in given.items()}
    condition = arguments.get("row_condition")
    if isinstance(condition, str):
        _check_condition(condition)
        arguments["condition_parser"] = "great_expectations"
    elif isinstance(condition, dict) and "pass_through" in str(condition):
        raise ValueError("row_condition: pass_through is not taken")
    fields = COLUMNS[expect.on]
    rule = Rule(expect.name, weight, expectation, arguments, expect.why, own=True)
    for column in (*rule.columns, *_columns_of(condition)):
        if column not in fields:
            raise ValueError(f"{expect.on} have no column {column!r}; they have {', '.join(fields)}")
    made = library.expectation(rule)
    if "mostly" in arguments and not 0 < made.mostly <= 1:
        raise ValueError("mostly is a share, above 0 and at most 1")
    return msgspec.structs.replace(
        rule,
        field=";".join(fields[column] for column in rule.columns),
        reason=f"breaks {expect.name}: {expect.why}",
    )


def _written(bound: object) -> object:
    """A number as a text, digit for digit; anything else as it is."""
    return f"{bound:f}" if isinstance(bound, Decimal) else str(bound) if type(bound) is int else bound


def _check_condition(condition: str) -> None:
    found = _CONDITION.fullmatch(condition)
    if not found:
        raise ValueError(
            f'row_condition: {condition!r} is not a comparison such as col("amount") < 0; write several as a table'
        )
    if found["number"] is not None:
        exactly(Decimal(found["number"]))


def _columns_of(condition: object) -> Iterator[object]:
    """The columns that a condition names."""
    if isinstance(condition, str) and (found := _CONDITION.fullmatch(condition)):
        yield found["column"]
    elif isinstance(condition, list):
        for part in condition:
            yield from _columns_of(part)
    elif isinstance(condition, dict):
        column = condition.get("column")
        if isinstance(column, dict):
            yield column.get("name")
        yield from _columns_of(condition.get("conditions"))


def _one_line(error: ValueError) -> str:
    """What Great Expectations says, without its frame: `value_set: field required`."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return " ".join(str(error).split())
    said = []
    for fault in errors():
        place = ".".join(str(part) for part in fault["loc"] if part != "__root__")
        said.append(f"{place}: {fault['msg']}" if place else fault["msg"])
    return "; ".join(said)
