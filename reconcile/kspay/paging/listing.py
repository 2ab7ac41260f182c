"""One answer of Fetch All Transactions: its shape, its rows, and how rows are distinguished."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec

from reconcile.core.records import TEXT_FAULTS, Place, RawRow
from reconcile.kspay.errors import ProtocolError
from reconcile.kspay.http.json_decoder import SECRET_FIELD
from reconcile.kspay.paging.windows import Window

_LISTS = ("transactions", "data", "items", "rows", "docs", "records", "list", "results")
_TOTALS = ("total", "totalCount", "totalItems", "totalRecords")
_OF_TROUBLE = re.compile(
    r"error|warning|message|notice|issue|problem|violation|detail|alert|link", re.IGNORECASE
)
"""An empty list with such a name does not mean that there are no transactions."""

_LARGEST_TOTAL = 2**31 - 1  # an int of the database; a larger total is wrong anyway
_FLAT = frozenset({str, int, bool, float, Decimal, type(None)})
_USUAL_TIMES = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)+", re.ASCII)
_sorted = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one answer, without those that an earlier page of the window held with the same content.

    `number` is the `page` that was asked for, from 1. The other fields are for a progress display: `window_number` of
    `windows`; `rows_so_far` of all windows, this page included; and which `reading` of the window it is, from 1. Most
    pages of a further reading bring nothing new: there, `rows_of_reading`, this page included, of about
    `rows_expected` are read.
    """

    rows: list[RawRow]
    window: Window
    number: int
    window_number: int
    windows: int
    rows_so_far: int
    reading: int = 1
    rows_of_reading: int = 0
    rows_expected: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: what its rows are known by, the fingerprint of each, and the total that it reports, if any.

    `read` gives the rows as they came, without their secret. Of an answer that has the bytes of an earlier one, it
    has to decode them first.
    """

    keys: list[int]
    marks: list[int]
    total: int | None
    read: Callable[[], list[RawRow]]

    @property
    def rows(self) -> list[RawRow]:
        """The rows, each with its place."""
        return self.read()


def read_answer(call: str, result: Any) -> Answer:
    """The rows of an answer, each with its place. Raises ProtocolError for an unknown shape.

    Known are a bare list (observed), and an object that holds the list and perhaps a total (assumed). A row that is no
    object is kept as `{"": value}`, so that it can be quarantined.
    """
    rows, total = _list_and_total(call, result)
    if not _stripped_together(rows):
        rows = [_values(call, row) for row in rows]
    places = map(Place, [call] * len(rows), range(1, len(rows) + 1))
    raw = list(map(RawRow, places, rows))
    marks = list(map(fingerprint, raw))
    return Answer(keys_of(raw, marks), marks, total, lambda: raw)


def text_of(values: Mapping[str, Any], name: str) -> str | None:
    """A field of an object, None where it is no text or a blank one."""
    value = values.get(name)
    return value if isinstance(value, str) and value.strip() else None


def row_id(row: RawRow) -> str | None:
    """KS Pay's id of the row, None where it has none that is text."""
    return text_of(row.values, "id")


def instant(row: RawRow, name: str) -> datetime | None:
    """A time of the row, aware, in UTC; None where there is none that can be read."""
    value = row.values.get(name)
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is UTC:
            return at
        return None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # no time, or one that in UTC is before the first year or after the last


@dataclass(frozen=True, slots=True)
class Times:
    """`createdAt` and `updatedAt` of rows, as text in KS Pay's usual form: in the order of the texts, times rise."""

    created: list[str]
    updated: list[str]

    def bounds(self) -> tuple[datetime, datetime, datetime, datetime] | None:
        """First and last `createdAt`, first and last `updatedAt`. Only these four texts are parsed.

        None where one of them is no time after all, such as the 30th of February.
        """
        try:
            first, last, updated, last_updated = (
                datetime.fromisoformat(pick(column))
                for column in (self.created, self.updated)
                for pick in (min, max)
            )
        except ValueError:
            return None
        return first, last, updated, last_updated


def times_of(rows: list[RawRow]) -> Times | None:
    """The times of one row or more; None where any has not KS Pay's usual form."""
    created, updated = ([row.values.get(name) for row in rows] for name in ("createdAt", "updatedAt"))
    try:
        usual = _USUAL_TIMES.fullmatch("".join([*created, *updated]))  # type: ignore[list-item]
    except TypeError:
        return None
    return Times(created, updated) if usual else None  # type: ignore[arg-type]


FIELDS = (
    "id", "appId", "referenceNumber", "currencyCode", "amount", "status", "createdAt", "updatedAt", "providerOrderId",
    "providerTxnId", "paymentType", "providerName", "providerStatus", "currencyId",
)  # fmt: skip
"""The fields of a transaction that are used."""

_content = itemgetter(*FIELDS)


def fingerprint(row: RawRow) -> int:
    """64 bits, equal within this process for rows that agree in all `FIELDS`.

    A row without an id is known by its content, so all its fields count, in any order.
    """
    try:
        content = _content(row.values)
        if content[0].strip() and TEXT_FAULTS not in row.values:
            return hash(content)
    except (KeyError, TypeError, AttributeError):
        pass  # a field is missing, or holds an object or a list
    values = row.values
    if row_id(row) is not None and TEXT_FAULTS not in values:
        values = {name: values[name] for name in FIELDS if name in values}
    return hash(_sorted.encode(values))


_KEY = (1 << 60) - 1


def keys_of(rows: list[RawRow], marks: list[int]) -> list[int]:
    """The keys by which these rows are known: of their ids, or of their contents (`marks`) where they have none."""
    return [
        (mark if (identity := row_id(row)) is None else hash(identity)) & _KEY
        for row, mark in zip(rows, marks, strict=True)
    ]


def without_secret(call: str, value: Any) -> Any:
    """A record without its `signature`. That is a secret: it is not stored, logged or shown.

    Raises ProtocolError for a record that is nested too deeply.
    """
    try:
        return _stripped(value)
    except RecursionError:
        raise ProtocolError(call, 200, message="a record is nested too deeply") from None


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if key.casefold() != SECRET_FIELD}
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    return value


def _stripped_together(rows: list[Any]) -> bool:
    """Take the secret out of all rows in place, since nobody else holds them; False where a row is unusual.

    A usual row is an object without nested values.
    """
    try:
        if not _FLAT.issuperset(map(type, chain.from_iterable(map(dict.values, rows)))):
            return False
    except TypeError:
        return False
    for name in set(chain.from_iterable(rows)):
        if name.casefold() == SECRET_FIELD:
            for row in rows:
                row.pop(name, None)
    return True


def _values(call: str, row: Any) -> Mapping[str, Any]:
    """Any row as a mapping without its secret."""
    row = without_secret(call, row)
    return row if isinstance(row, dict) else {"": row}


def _list_and_total(call: str, result: Any) -> tuple[list[Any], int | None]:
    if isinstance(result, list):
        return result, None
    if isinstance(result, dict):
        lists = {key: value for key, value in result.items() if isinstance(value, list)}
        others = [key for key, rows in lists.items() if _holds_ids(rows) or not _OF_TROUBLE.search(key)]
        named = [key for key in _LISTS if key in lists] or others
        if len(named) == 1 or (named and named[0] in _LISTS):
            return lists[named[0]], _total(result)
    raise ProtocolError(call, 200, message=f"the answer is no list of transactions but {describe(result)}")


def _holds_ids(rows: list[Any]) -> bool:
    return bool(rows) and isinstance(rows[0], dict) and "id" in rows[0]


def _total(result: Mapping[str, Any]) -> int | None:
    nested = [value for value in result.values() if isinstance(value, dict)]
    for holder in (result, *nested):
        for key in _TOTALS:
            value = holder.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_TOTAL:
                return value
    return None


def describe(value: Any) -> str:
    """The shape of a value, for an error: names, kinds and lengths, none of its contents."""
    if isinstance(value, dict):
        shown = ", ".join(f"{_name(key)}: {_kind(item)}" for key, item in list(value.items())[:8])
        return "an object {" + shown + (", …" if len(value) > 8 else "") + "}"
    if isinstance(value, list) and value:
        return f"a list of {len(value)}, the first of them {describe(value[0])[:200]}"
    return _kind(value)


def _name(key: Any) -> str:
    # A key that does not look like the name of a field may be content, such as an e-mail address or an id.
    text = str(key)
    is_name = len(text) <= 40 and text.isascii() and text.isalpha()
    return text if is_name else f"(a name of {len(text)} characters)"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, dict):
        return f"object of {len(value)} fields"
    return f"list of {len(value)}" if isinstance(value, list) else "number"
