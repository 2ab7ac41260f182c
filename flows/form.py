"""The fields of Prefect's forms: titles, what each may hold, and examples. Prefect's page and API refuse all else.

A title ends with the name of the parameter in brackets where it is another word: messages have that name.

What compares two dates is in `dates.py`. What concerns today the run says at once, in the words of the command.
Profiles and apps are those of the settings when they are deployed.
"""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

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


def _title(title: str) -> Any:
    # Prefect takes the name of the parameter for the title of the field, but leaves what is extra.
    return Field(json_schema_extra={"title": title})


def _text(*examples: str, **more: Any) -> Any:
    return WithJsonSchema({"type": "string", "examples": list(examples), **more})


def _like(pattern: str, example: str, kind: str) -> Any:
    """An empty text, or one of this pattern. Else the message is "'a day, as 2026-08-31' was expected", while that of a
    `pattern` shows the pattern."""
    expected = {"const": f"a {kind}, as {example}"}
    return _text(example, **{"if": {"not": {"pattern": f"^({pattern})?$"}}, "then": expected})


def _one_of(words: list[str]) -> Any:
    return WithJsonSchema({"type": "string", "enum": ["", *words]} if words else {"type": "string"})


def _some_of(words: list[str]) -> Any:
    items = {"type": "string", "enum": words} if words else {"type": "string"}
    return WithJsonSchema({"type": "array", "items": items, "uniqueItems": True})


_MONTH = r"20\d\d-(0[1-9]|1[0-2])"
_DAY = rf"{_MONTH}-(0[1-9]|[12][0-9]|3[01])"
_FOLDER = _text("reports")
_PROFILES, _APPS, _BLOCKING = _of_settings()

# Where a day may be left out, the field is a text until `dates.py` makes it a date: the default is an empty text, which
# is none.
StartField = Annotated[str, _text("2026-08-01", format="date"), _title("First day (from_date)")]
FirstDayField = Annotated[str, _like(_DAY, "2026-08-01", "day"), _title("First day (from_date)")]
LastDayField = Annotated[str, _like(_DAY, "2026-08-31", "day"), _title("Last day (to_date)")]
MonthField = Annotated[str, _like(_MONTH, "2026-08", "month"), _title("Month")]
LedgerField = Annotated[str, _text("ledgers/august.csv"), _title("Ledger file (ledger)")]
OutField = Annotated[str, _FOLDER, _title("Folder for the report (out)")]
PagesField = Annotated[str, _FOLDER, _title("Folder for the pages (pages)")]
NameField = Annotated[str, _text("Asha Rao"), _title("Your name (by)")]
ProfileField = Annotated[str, _one_of(_PROFILES), _title("How to read the ledger (profile)")]
AppsField = Annotated[list[str] | tuple[str, ...], _some_of(_APPS), _title("Apps")]
SnapshotField = Annotated[bool, _title("The ledger is complete (snapshot)")]
AllowField = Annotated[
    list[str] | tuple[str, ...], _some_of(_BLOCKING), _title("Expectations that may fail (allow)")
]
StrictField = Annotated[bool, _title("Fail if something is open (strict)")]
WaitField = Annotated[bool, _title("Wait for another run (wait)")]
HoursField = Annotated[
    float,
    WithJsonSchema({"type": "number", "minimum": 0, "examples": [8]}),
    _title("Time limit in hours (time_limit_hours)"),
]

TOGETHER = "from_date and to_date go together: give both, or neither"


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
        raise UsageError(TOGETHER)
    if first > last:
        raise UsageError(f"from_date {first} is after to_date {last}")
    return Period(first, last)
