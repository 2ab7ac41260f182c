"""Expectation classes of our own, registered with Great Expectations as its documentation says: by being defined.

Each asks one question of a row, in SQL, where the rows are. Amounts are compared exactly: none becomes a binary float.
Importing this module imports Great Expectations.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from great_expectations.compatibility.pydantic import root_validator, validator
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core import ExpectColumnValuesToBeBetween
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
)
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from sqlalchemy import ColumnElement, Numeric, and_, case, cast, func, literal, literal_column, not_

from reconcile.core.money import MAX_DECIMALS


class _DecimalsFitCurrency(ColumnPairMapMetricProvider):
    """Whether an amount (column A) has at most the decimals of its currency (column B)."""

    condition_metric_name = "column_pair_values.decimals_fit_currency"
    condition_domain_keys = (
        "batch_id", "table", "column_A", "column_B", "row_condition", "condition_parser", "ignore_row_if",
    )  # fmt: skip
    condition_value_keys = ("digits",)

    @column_pair_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls, column_A: Any, column_B: Any, digits: Mapping[str, int], **_: object
    ) -> ColumnElement[bool]:
        by_digits: dict[int, list[str]] = {}
        for code, count in sorted(digits.items()):
            by_digits.setdefault(count, []).append(code)
        allowed = case(
            *((column_B.in_(codes), count) for count, codes in sorted(by_digits.items())), else_=MAX_DECIMALS
        )
        return func.scale(func.trim_scale(column_A)) <= allowed


def _sentence(text: str) -> list[RenderedStringTemplateContent]:
    """How an expectation of ours reads on Great Expectations' pages; else it would be a call with all arguments."""
    return [
        RenderedStringTemplateContent(
            content_block_type="string_template", string_template={"template": text, "params": {}}
        )
    ]


class ExpectAmountsToFitTheirCurrency(ColumnPairMapExpectation):
    """Expect amounts (column A) to have at most the decimals that their currency (column B) has.

    `digits` are those of each currency. A currency that is not among them is another expectation's business.
    """

    digits: dict[str, int]
    ignore_row_if: Literal["either_value_is_missing"] = "either_value_is_missing"

    map_metric = "column_pair_values.decimals_fit_currency"
    domain_keys = (
        "batch_id", "table", "column_A", "column_B", "row_condition", "condition_parser", "ignore_row_if",
    )  # fmt: skip
    success_keys = ("digits", "mostly")
    args_keys = ("column_A", "column_B", "digits")

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(cls, **_: object) -> list[RenderedStringTemplateContent]:
        return _sentence("amounts must have at most the decimals that their currency has.")


class _AmountBetween(ColumnMapMetricProvider):
    """Whether an amount lies between two bounds, which are texts."""

    condition_metric_name = "column_values.amount_between"
    condition_value_keys = ("min_value", "max_value", "strict_min", "strict_max")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        column: Any,
        min_value: str | None,
        max_value: str | None,
        strict_min: bool,
        strict_max: bool,
        **_: object,
    ) -> ColumnElement[bool]:
        within = []
        if min_value is not None:
            least = cast(literal(min_value), Numeric)
            within.append(column > least if strict_min else column >= least)
        if max_value is not None:
            most = cast(literal(max_value), Numeric)
            within.append(column < most if strict_max else column <= most)
        return and_(*within)


class ExpectAmountsToBeBetween(ExpectColumnValuesToBeBetween):
    """Expect amounts to lie between two bounds, which are decimals written as texts.

    The class of Great Expectations keeps a bound as a binary float, which has 15 to 17 digits.
    """

    min_value: str | None = None
    max_value: str | None = None

    map_metric = "column_values.amount_between"

    @validator("min_value", "max_value")
    def _is_a_number(cls, text: str | None) -> str | None:
        try:
            number = Decimal(text or 0)
        except InvalidOperation:
            raise ValueError(f"{text!r} is not a number") from None
        if not number.is_finite():
            raise ValueError(f"{text!r} is not a number that an amount can be compared with")
        return text

    @root_validator(skip_on_failure=True)
    def _in_order(cls, values: dict[str, Any]) -> dict[str, Any]:
        least, most = values["min_value"], values["max_value"]
        if None not in (least, most) and Decimal(least) > Decimal(most):
            raise ValueError("min_value cannot be greater than max_value")
        return values


class _StatusKnown(ColumnMapMetricProvider):
    """Whether a status is one of the words; case, blanks, hyphens and underscores do not count."""

    condition_metric_name = "column_values.status_known"
    condition_value_keys = ("words",)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: Any, words: Sequence[str], **_: object) -> ColumnElement[bool]:
        written = func.lower(column)
        # Nearly every status is a word as it stands.
        unknown = and_(
            written.not_in(words),
            # Written out, since Great Expectations cannot render a blank of this kind as a parameter.
            func.translate(written, literal_column(r"E' -_\t\u00a0'"), literal_column("''")).not_in(words),
            func.btrim(column).not_in(words),
        )
        return not_(unknown)


class ExpectStatusesToBeKnown(ColumnMapExpectation):
    """Expect statuses to be among the words that have a family."""

    words: list[str]

    map_metric = "column_values.status_known"
    success_keys = ("words", "mostly")
    args_keys = ("column", "words")

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(cls, **_: object) -> list[RenderedStringTemplateContent]:
        return _sentence("values must be statuses that have a family.")


OURS: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (ExpectAmountsToBeBetween, ExpectAmountsToFitTheirCurrency, ExpectStatusesToBeKnown)
}
"""By the name that a suite uses."""
