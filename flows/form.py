"""The fields of Prefect's forms: what each may hold, and examples. Prefect's page and API refuse all else.

A field by itself is all that they can check. What concerns two of them, or today, the run says at once, in the words
of the command. Profiles and apps are those of the settings when `prefect deploy` is run.
"""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import WithJsonSchema

from reconcile.core.errors import ReconcileError, UsageError
from reconcile.core.records import Period
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import may_block


def _of_settings() -> tuple[list[str], list[str], list[str]]:
    """The profiles, the apps, and the expectations that block. None of them where a setting is wrong: the run says
    which."""
    try:
        settings = Settings.read()
        return sorted(settings.profiles), list(settings.app_ids), sorted(may_block(settings))
    except ReconcileError:
        return [], [], []


def _text(*examples: str, pattern: str = "") -> Any:
    found: dict[str, Any] = {"type": "string", "examples": list(examples)}
    return WithJsonSchema(found | ({"pattern": f"^({pattern})?$"} if pattern else {}))


def _one_of(words: list[str]) -> Any:
    return WithJsonSchema({"type": "string", "enum": ["", *words]} if words else {"type": "string"})


def _some_of(words: list[str]) -> Any:
    items = {"type": "string", "enum": words} if words else {"type": "string"}
    return WithJsonSchema({"type": "array", "items": items, "uniqueItems": True})


_MONTH = r"20\d\d-(0[1-9]|1[0-2])"
_PROFILES, _APPS, _BLOCKING = _of_settings()

DayField = Annotated[str, _text("2026-08-01", pattern=f"{_MONTH}-(0[1-9]|[12][0-9]|3[01])")]
MonthField = Annotated[str, _text("2026-08", pattern=_MONTH)]
FileField = Annotated[str, _text("ledgers/august.csv")]
FolderField = Annotated[str, _text("reports")]
NameField = Annotated[str, _text("Asha Rao")]
ProfileField = Annotated[str, _one_of(_PROFILES)]
AppsField = Annotated[list[str] | tuple[str, ...], _some_of(_APPS)]
AllowField = Annotated[list[str] | tuple[str, ...], _some_of(_BLOCKING)]
HoursField = Annotated[float, WithJsonSchema({"type": "number", "minimum": 0, "examples": [8]})]


def day_of(name: str, value: object) -> date | None:
    """A day of a form, None if the field is empty. Raises UsageError for one that no calendar has."""
    if value is None or value == "":
        return None
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise UsageError(f"{name}: {value!r} is no day of the calendar; write it as 2026-08-31") from None


def period_of(from_date: object, to_date: object) -> Period | None:
    """The period of a form, None if both fields are empty."""
    first, last = day_of("from_date", from_date), day_of("to_date", to_date)
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise UsageError("from_date and to_date go together: give both, or neither")
    if first > last:
        raise UsageError(f"from_date {first} is after to_date {last}")
    return Period(first, last)
