"""The rules that let Prefect compare the two dates of a form, with Prefect's own check."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import build_error_obj, validate

from flows.backfill import backfill
from flows.dates import with_dates
from flows.form import TOGETHER
from flows.reconcile_period import reconcile_period

PERIOD, HISTORY = (
    with_dates(parameter_schema(flow).model_dump_for_openapi()) for flow in (reconcile_period, backfill)
)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
LATER = "from_date or a later day"


def refused(schema: dict[str, Any], first: str | None, last: str | None) -> dict[str, list[str]]:
    """What the page shows at each field; None leaves it alone."""
    asked = {"from_date": first, "to_date": last}
    errors = validate({name: day for name, day in asked.items() if day is not None}, schema)
    return {error["property"]: error["errors"] for error in build_error_obj(errors)["errors"]}


@pytest.mark.parametrize(
    ("schema", "first", "last", "says"),
    [
        (PERIOD, None, None, {}),
        (PERIOD, "2026-08-01", "2026-08-31", {}),
        (PERIOD, "2026-08-01", None, {"from_date": TOGETHER}),
        (PERIOD, None, "2026-08-31", {"to_date": TOGETHER}),
        (PERIOD, "2026-08-31", "2026-08-01", {"to_date": LATER}),
        (HISTORY, "2026-08-01", None, {}),
        (HISTORY, "2026-08-31", "2026-08-01", {"to_date": LATER}),
    ],
)
def test_what_the_page_says(
    schema: dict[str, Any], first: str | None, last: str | None, says: dict[str, str]
) -> None:
    expected = {field: [f"'{text}' was expected"] for field, text in says.items()}
    assert refused(schema, first, last) == expected


def test_no_day_is_compared_with_what_is_none() -> None:
    assert [*refused(PERIOD, "31.8.2026", "2026-08-01")] == ["from_date"]
    assert refused(PERIOD, "2026-02-01", "2026-02-30") == {"to_date": ["'2026-02-30' is not a 'date'"]}


@given(DAYS, st.one_of(DAYS, st.integers(-40, 40)))
def test_any_two_days(first: date, other: date | int) -> None:
    last = other if isinstance(other, date) else first + timedelta(days=other)
    assert bool(refused(HISTORY, str(first), str(last))) == (
        first > last or last.year not in range(2000, 2100)
    )


def test_parameters_that_a_deployment_has_of_itself() -> None:
    """Prefect leaves out every `required` there."""
    assert not validate({"wait": True, "time_limit_hours": 8}, PERIOD, ignore_required=True)
    assert not validate({"time_limit_hours": 8}, HISTORY, ignore_required=True)
