"""Calendars for the two dates of Prefect's forms, and rules that compare them: a step of `deploy.py`.

Prefect makes the schema of a form from the parameters of its flow one by one, so it has no place for what concerns two
of them. Its server keeps and obeys such rules all the same: what the page, `prefect deployment run` or a program asks
for is refused before there is a run. So they are added to the deployments that stand. Without them, a run says the same
and fails. What concerns today no schema can say.
"""

from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import FlowFilter, FlowFilterName

from flows.form import TOGETHER
from reconcile.core.errors import UsageError

_FLOWS = {
    "reconcile-period": "flows/reconcile_period.py:reconcile_period",
    "backfill": "flows/backfill.py:backfill",
}
"""Each with its entry point: a flow of another project may have such a name, too."""
_FIRST, _LAST = "from_date", "to_date"
_PLACES = (2, 3, 5, 6, 8, 9)
"""Those of the digits of a day in which two can differ, as in 2026-08-31."""


def add_rules(client: SyncPrefectClient) -> str:
    """Give the deployments that stand their calendars and rules; says which. Raises UsageError if there are none."""
    of_name = client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=[*_FLOWS])))
    deployments = [deployment for deployment in of_name if deployment.entrypoint in _FLOWS.values()]
    for deployment in deployments:
        schema = with_dates(deployment.parameter_openapi_schema or {})
        client.update_deployment(deployment.id, DeploymentUpdate(parameter_openapi_schema=schema))
    if not deployments:
        raise UsageError(
            f"{', '.join(_FLOWS)}: no deployment of these flows stands: is prefect.yaml as it was?"
        )
    names = ", ".join(sorted(deployment.name for deployment in deployments))
    return f"the forms of {names} have calendars, and compare their dates"


def with_dates(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a form, with calendars for its two dates and with rules that compare them."""
    fields = dict(schema["properties"])
    for name in (_FIRST, _LAST):
        # A field that is left alone holds its default, and the page refuses an empty text as a date.
        fields[name] = {key: value for key, value in fields[name].items() if key != "default"} | {
            "format": "date"
        }
    days = {"properties": {name: {"pattern": "^20..-..-..$"} for name in (_FIRST, _LAST)}}
    both = {"allOf": [_given(_FIRST), _given(_LAST), days, _first_is_later()]}
    rules: dict[str, Any] = {"if": both, "then": _expected(_LAST, f"{_FIRST} or a later day")}
    if _FIRST not in schema.get("required", []):
        for name, other in ((_FIRST, _LAST), (_LAST, _FIRST)):
            alone = {"allOf": [_given(name), {"not": _given(other)}]}
            rules = {"if": alone, "then": _expected(name, TOGETHER), "else": rules}
    return {**schema, "properties": fields, **rules}


def _given(name: str) -> dict[str, Any]:
    # Not with `required`: Prefect ignores it where it checks the parameters that a deployment has of itself.
    return {"not": {"properties": {name: {"maxLength": 0}}}}


def _expected(name: str, says: str) -> dict[str, Any]:
    """What refuses the field: "'…' was expected". No other rule lets a message have words of ours."""
    return {"properties": {name: {"const": says}}}


def _first_is_later() -> dict[str, Any]:
    """Whether the first of two days is later than the last, digit by digit: no rule compares two fields."""
    later: dict[str, Any] = {"not": {}}
    for place in reversed(_PLACES):
        higher = [_digits(place, str(digit), f"0-{digit - 1}") for digit in range(1, 10)]
        same = [_digits(place, str(digit), str(digit)) for digit in range(10)]
        later = {"anyOf": [*higher, {"allOf": [{"anyOf": same}, later]}]}
    return later


def _digits(place: int, of_first: str, of_last: str) -> dict[str, Any]:
    both = ((_FIRST, of_first), (_LAST, of_last))
    return {"properties": {name: {"pattern": f"^.{{{place}}}[{digits}]"} for name, digits in both}}
