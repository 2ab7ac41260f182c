"""What a row of a decision file asks for, by what is written in it."""

from dataclasses import dataclass
from datetime import date

from reconcile.core.records import bare_word
from reconcile.decide.manual_match import MatchedRecord
from reconcile.decide.result import short
from reconcile.decide.sheet import MATCH, PERSON, WORDS, Row
from reconcile.ledger.dates import DateStyle

NOBODY = "-"
"""What takes an assignee or a due day away; an empty cell says nothing of it."""

_ALLOWED = "accept, write_off, ignore, match, match:<ids with ; between>, or reopen"
_LONGEST_NAME = 100
_WORD_OF = {bare_word(word): word for word in WORDS}


@dataclass(frozen=True, slots=True)
class RowRequest:
    """A row with a valid resolution, a new note or a new assignment."""

    row: Row
    word: str | None
    ids: tuple[str, ...]
    """Those that a match names, in order and without repeats; none: its suggested counterpart."""
    records: tuple[MatchedRecord, ...] | None = None
    """All records of a match, of both sides, once they are found."""

    @property
    def content(self) -> tuple[object, ...]:
        """Two rows of one discrepancy with equal content count as one."""
        row = self.row
        return self.word, frozenset(self.ids), row.facts, row.note, row.assignee, row.due


def read_request(row: Row, *, is_known: bool, named_by_row: bool) -> RowRequest:
    """What a row asks for. Raises ValueError with the reason if it cannot be used.

    `is_known` says whether its discrepancy is in the database, `named_by_row` whether the row must say who decided.
    """
    if row.broken is not None:
        raise ValueError(row.broken)
    word, colon, rest = row.resolution.partition(":")
    word = _WORD_OF.get(bare_word(word), word)
    ids = tuple(dict.fromkeys(record_id.strip() for record_id in rest.split(";") if record_id.strip()))
    if row.resolution and (word not in WORDS or (colon and word != MATCH)):
        raise ValueError(f"{short(row.resolution)!r} is not a decision: write {_ALLOWED}")
    if colon and not ids:
        raise ValueError("match: names no record: write the ids of the other side after it, with ; between")
    if not is_known and row.discrepancy_id:
        raise ValueError("is not known in this database: copy the row from a report of this database")
    if not is_known:
        raise ValueError("has no discrepancy_id: copy the row from a report again")
    if row.due and row.due != NOBODY and not _is_day(row.due):
        raise ValueError(
            f"due {short(row.due)!r} {_why_no_day(row.due)}: write the year first, as 2026-08-31"
        )
    if named_by_row and not row.by:
        raise ValueError(f"says something new, and its column {PERSON} names nobody")
    if len(row.assignee) > _LONGEST_NAME:
        raise ValueError(f"the assignee has more than {_LONGEST_NAME} characters: write a name")
    return RowRequest(row, word or None, ids)


def as_stored(written: str) -> str:
    """What an assignee or a due day is stored as: nothing where a person took it away."""
    return "" if written == NOBODY else written


def _is_day(written: str) -> bool:
    try:
        return date.fromisoformat(written).isoformat() == written
    except ValueError:
        return False


def _why_no_day(written: str) -> str:
    """Of a day whose numbers have two orders, both days: it is one, only not known which."""
    try:
        DateStyle().read(written)
    except ValueError as error:
        reason = str(error).partition(": ")[0]
        if reason.startswith("may be ") and " or " in reason:
            return reason
    return "is not a day"
