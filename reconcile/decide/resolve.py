"""Takes back what people decided in a spreadsheet: all rows of a file, or none.

Every row is judged first. One that cannot be taken is refused with its reason, and then nothing of
the file is taken; else what is new goes to the audit trail, in one transaction. The matching reads
the newest decision of every discrepancy from there (the view `decisions_in_force`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from reconcile.core.errors import InputRefused
from reconcile.core.records import Side
from reconcile.core.wording import LONGEST
from reconcile.db.sql_files import read_sql
from reconcile.decide import audit_trail as trail
from reconcile.decide.audit_trail import Decision, Source
from reconcile.decide.manual_match import Joined, Joins, Wish
from reconcile.decide.sheet import MATCH, WORDS, Row, Sheet
from reconcile.settings import Settings

_ALLOWED = "accept, write_off, ignore, match:<ids with ; between>, or reopen"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be taken."""

    row: int
    discrepancy_id: str
    reason: str

    def line(self, file: str) -> str:
        """For a person: where, and why."""
        whose = f", {_short(self.discrepancy_id)}" if self.discrepancy_id else ""
        return _printable(f"{file}, row {self.row}{whose}: {self.reason}")


class RowsRefused(InputRefused):
    """Some rows of a file cannot be taken, so nothing of it was."""

    def __init__(self, file: str, refusals: Sequence[Refusal]) -> None:
        rows = f"{len(refusals)} row{'s' if len(refusals) > 1 else ''}"
        super().__init__(
            f"{file}: {rows} refused, so nothing of it was taken: correct or empty the resolution and note there, "
            "and give it again"
        )
        self.lines = tuple(refusal.line(file) for refusal in refusals)


@dataclass(frozen=True, slots=True)
class Change:
    """One record that a file adds, as a person is shown it."""

    discrepancy_id: str
    type: str
    decision: str  # `note` where it is nothing else
    covers: str
    replaces: str  # the decision in force that it takes the place of, and whose that was; "" if none


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file brought, in rows."""

    file: str
    by: str
    decisions: int
    notes: int  # without a decision
    unchanged: int  # that repeat what is in force
    changes: tuple[Change, ...]

    def replaced(self) -> list[str]:
        """The decisions in force that it took the place of, each in a few words."""
        return [f"{one.replaces} of {one.discrepancy_id}" for one in self.changes if one.replaces]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A row whose words were understood."""

    row: Row
    word: str | None
    ids: tuple[str, ...]  # of a match, in order and without repeats

    @property
    def content(self) -> tuple[object, ...]:
        """What two rows of one discrepancy must share to be one."""
        return self.word, frozenset(self.ids), self.row.facts, self.row.note


def taken_before(engine: Engine, sheet: Sheet) -> datetime | None:
    """When a file of these very bytes was taken in; None if never."""
    with engine.connect() as connection:
        at: datetime | None = connection.scalar(
            text("select max(taken_at) from decision_files where sha256 = :sha256"),
            {"sha256": sheet.sha256},
        )
    return at


def take_in(engine: Engine, settings: Settings, sheet: Sheet, by: str, *, dry_run: bool = False) -> Taken:
    """Judge the rows of a file and add what is new, as decided by `by`; with `dry_run` nothing is written.

    Raises RowsRefused if any row cannot be taken, InputRefused if the file changes meanwhile.
    """
    rows = [row for row in sheet.rows() if row is not None]
    with engine.connect() as connection:
        trail.take_turns(connection)
        judged = _Judge(connection, settings, by).judge(rows)
        if judged.refusals:
            raise RowsRefused(str(sheet.path), sorted(judged.refusals, key=lambda refusal: refusal.row))
        source = Source(by, sheet.name, sheet.sha256)
        trail.append(connection, judged.decisions, source)
        trail.note_file(connection, source)
        if dry_run:
            connection.rollback()
        else:
            connection.commit()
    decided = sum(one.decision is not None for one in judged.decisions)
    return Taken(
        file=sheet.name,
        by=by,
        decisions=decided,
        notes=len(judged.decisions) - decided,
        unchanged=judged.unchanged,
        changes=tuple(judged.changes),
    )


class _Judge:
    """Judges the rows of one file against what is known and in force now."""

    def __init__(self, connection: Connection, settings: Settings, by: str) -> None:
        self._connection = connection
        self._settings = settings
        self._by = by
        self._known: Mapping[str, Any] = {}
        # What was decided and noted, by discrepancy, the oldest first.
        self._said: dict[str, list[Any]] = defaultdict(list)
        self.refusals: list[Refusal] = []
        self.decisions: list[Decision] = []
        self.changes: list[Change] = []
        self.unchanged = 0

    def judge(self, rows: Sequence[Row]) -> "_Judge":
        ids = sorted({row.discrepancy_id for row in rows})
        found = self._connection.execute(text(read_sql("decide/discrepancies")), {"ids": ids})
        self._known = {one.discrepancy_id: one for one in found}
        for said in self._connection.execute(text(read_sql("decide/trail")), {"ids": ids}):
            self._said[said.discrepancy_id].append(said)
        asked = self._once([one for row in rows if (one := self._understood(row)) is not None])
        joined = self._joined(asked)
        for one in asked:
            if one.word != MATCH:
                self._decide(one, None)
            elif one.row.discrepancy_id in joined:
                self._decide(one, joined[one.row.discrepancy_id])
        return self

    def _refuse(self, row: Row, reason: str) -> None:
        self.refusals.append(Refusal(row.number, row.discrepancy_id, reason))

    def _understood(self, row: Row) -> _Asked | None:
        known = self._known.get(row.discrepancy_id)
        if row.broken is not None:
            self._refuse(row, row.broken)
            return None
        if not row.resolution and known is not None and not self._is_new(row.note, known):
            return None  # the note came with the report, and nobody touched the row
        word, colon, rest = row.resolution.partition(":")
        word = word.strip().lower()
        ids = tuple(dict.fromkeys(one.strip() for one in rest.split(";") if one.strip()))
        if row.resolution and (word not in WORDS or (word == MATCH) != bool(colon)):
            self._refuse(row, f"{_short(row.resolution)!r} is no decision: write {_ALLOWED}")
        elif word == MATCH and not ids:
            self._refuse(row, "match: names no record: write the ids of the other side behind it, ; between")
        elif known is None and row.discrepancy_id:
            self._refuse(row, "is not known here: take the row from a report of this database")
        elif known is None:
            self._refuse(row, "has no discrepancy_id: take the row from a report again")
        else:
            return _Asked(row, word or None, ids)
        return None

    def _once(self, asked: Iterable[_Asked]) -> list[_Asked]:
        """One row a discrepancy: a second that says the same is no change, and one that does not is refused."""
        rows: dict[str, list[_Asked]] = defaultdict(list)
        for one in asked:
            rows[one.row.discrepancy_id].append(one)
        once = []
        for same in rows.values():
            if len({one.content for one in same}) == 1:
                once.append(same[0])
                self.unchanged += len(same) - 1
                continue
            numbers = ", ".join(str(one.row.number) for one in same)
            for one in same:
                self._refuse(one.row, f"stands in rows {numbers} with different words: keep one of them")
        return once

    def _joined(self, asked: Sequence[_Asked]) -> dict[str, tuple[Joined, ...]]:
        """The records that each `match:` row joins, by discrepancy; rows without a sound match are refused."""
        rows = {one.row.discrepancy_id: one.row for one in asked if one.word == MATCH}
        wishes = [self._wish(one) for one in asked if one.word == MATCH]
        if not wishes:
            return {}
        joins = Joins(self._connection, self._settings, wishes)
        joined: dict[str, tuple[Joined, ...]] = {}
        for wish in wishes:
            try:
                joined[wish.discrepancy_id] = joins.joined(wish)
            except ValueError as error:
                self._refuse(rows[wish.discrepancy_id], str(error))
        takers: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
        for wish in wishes:
            for record in joined.get(wish.discrepancy_id, ()):
                takers[wish.app_id, *record.key].append(wish.discrepancy_id)
        standing = joins.standing(besides=[one.row.discrepancy_id for one in asked if one.word is not None])
        for key, ids in takers.items():
            for one in ids:
                if one in joined and (len(ids) > 1 or key in standing):
                    self._refuse(rows[one], _taken_twice(key[-1], standing.get(key), [rows[i] for i in ids]))
                    del joined[one]
        return joined

    def _wish(self, asked: _Asked) -> Wish:
        known = self._known[asked.row.discrepancy_id]
        return Wish(known.discrepancy_id, known.app_id, known.side, known.source, known.record_id, asked.ids)

    def _decide(self, asked: _Asked, joined: tuple[Joined, ...] | None) -> None:
        row, word, known = asked.row, asked.word, self._known[asked.row.discrepancy_id]
        said = self._said[known.discrepancy_id]
        note = row.note if self._is_new(row.note, known) else None
        repeats = word is None or _repeats(word, row.facts, joined, known)
        if repeats and note is None:
            self.unchanged += 1
        elif obstacle := _obstacle(word, row.facts, known) or (
            note is None and self._outdated(asked, joined)
        ):
            self._refuse(row, obstacle)
        else:
            decision = None if repeats else word
            records = [record.as_stored() for record in joined] if joined and not repeats else None
            if note is None:
                note = _others_note(row.note, said, self._by)
            elif repeats and _is_resolved(known) and _newest_decision(said).by_name != self._by:
                note = f"{self._by}: {note}"  # it is shown beside the name of who decided
            self.decisions.append(
                Decision(known.discrepancy_id, known.app_id, known.type, known.facts, decision, records, note)
            )
            covers = _covers(known, joined if decision == MATCH else None)
            if note:
                covers += f", note: {_printable(note)}"
            replaces = ""
            if decision is not None and _is_in_force(known):
                replaces = f"{known.decision} by {_who_and_when(_newest_decision(said))}"
            self.changes.append(
                Change(known.discrepancy_id, known.type, decision or "note", covers, replaces)
            )

    def _is_new(self, written: str, known: Any) -> bool:
        """Whether a note says something new. One that was ever noted there came with a report, which may have cut it,
        and must not take the place of a newer one."""
        return bool(written) and not any(self._is_same(written, held) for held in known.notes or ())

    def _is_same(self, written: str, held: str) -> bool:
        cut = held if len(held) <= LONGEST else f"{held[: LONGEST - 1]}…"
        return written in (held, cut) or f"{self._by}: {written}" == held

    def _outdated(self, asked: _Asked, joined: tuple[Joined, ...] | None) -> str | None:
        """Why a decision without a new note comes from an older sheet, and would undo what was said since."""
        row, known = asked.row, self._known[asked.row.discrepancy_id]
        said = self._said[known.discrepancy_id]
        if row.note:
            # The note came with a report, or was given before: what was said after it, the row does not know.
            at = max(
                number for number, one in enumerate(said) if one.note and self._is_same(row.note, one.note)
            )
            since = said[at + 1 :]
            if all(one.note is None for one in since):
                return None
            newest = _newest_decision(since)
            done = "decided" if newest is not None else "noted"
            return f"was {done} since, by {_who_and_when(newest or since[-1])}: decide in the newest report"
        newest = _newest_decision(said)
        if not _is_in_force(known) or newest.by_name == self._by:
            return None
        # Nothing in such a row tells whether it is the old sheet again or a change of mind; a reason does.
        same = [one for one in said if one.decision is not None and _is_as_asked(one, asked, joined)]
        if not same:
            return None
        return (
            f"was decided since, by {_who_and_when(newest)}, after the {asked.word} by {_who_and_when(same[-1])}: "
            "decide in the newest report, and say why in the note"
        )


def _newest_decision(said: Sequence[Any]) -> Any:
    return next((one for one in reversed(said) if one.decision is not None), None)


def _who_and_when(said: Any) -> str:
    return _printable(f"{said.by_name} on {said.decided_at:%Y-%m-%d}")


def _is_as_asked(said: Any, asked: _Asked, joined: tuple[Joined, ...] | None) -> bool:
    if said.decision != asked.word:
        return False
    if asked.word == MATCH:
        return {Joined(**record) for record in said.records} == set(joined or ())
    return bool(said.facts == asked.row.facts)


def _others_note(written: str, said: Sequence[Any], by: str) -> str | None:
    """What is noted with a decision that brings no note of its own: the newest note must not pass for its reason.

    None lets the newest note stand, which is one's own. Another person's bears the name, and none is shown where the
    row has none.
    """
    newest = next((one for one in reversed(said) if one.note is not None), None)
    if newest is None or not newest.note or newest.by_name == by:
        return None
    names = tuple(f"{one.by_name}: " for one in said)
    if written and newest.note.startswith(names):
        return str(newest.note)  # it bears a name already
    return f"{newest.by_name}: {newest.note}" if written else ""


def _repeats(word: str, facts: str, joined: tuple[Joined, ...] | None, known: Any) -> bool:
    """Whether this decision is in force already; what is not decided cannot be taken back again.

    One whose facts have moved on since is in force no more, so that repeating it is no way to renew it.
    """
    if word == MATCH:
        # It rests on the facts of its records, which `joined` holds as they are now.
        return known.decision == MATCH and set(joined or ()) == {
            Joined(**record) for record in known.decided_records
        }
    if facts != known.facts:
        return False
    if word == "reopen":
        return not _is_resolved(known)
    return (known.decision, known.decided_facts) == (word, facts)


def _is_resolved(known: Any) -> bool:
    return known.decision != "reopen" and _is_in_force(known)


def _is_in_force(known: Any) -> bool:
    # A match rests on the facts of its records; those of its discrepancy change with the match itself.
    return known.decision == MATCH or (known.decision is not None and known.decided_facts == known.facts)


def _obstacle(word: str | None, facts: str, known: Any) -> str | None:
    """Why nothing new can be said about this discrepancy from this row."""
    # A person's match clears its discrepancy, and still can be taken back.
    of_match = word == "reopen" and known.decision == MATCH
    if known.cleared_by is not None and not of_match:
        return f"is cleared: run {known.cleared_by} found it right; empty the resolution and note"
    if facts == known.facts or (of_match and facts == known.decided_facts):
        return None
    if not facts:
        return "has no facts: take the row from the newest report again"
    return (
        f"its facts have moved on ({_short(facts)} in the file, {known.facts} now): look at it in the newest "
        "report and decide there"
    )


def _taken_twice(record_id: str, standing: str | None, rows: Sequence[Row]) -> str:
    if len(rows) > 1:
        numbers = ", ".join(str(row.number) for row in rows)
        return f"rows {numbers} all match {record_id}: a record is matched once; keep one of them"
    return f"{record_id} stands in the match that a person made of {standing}: reopen that, or name another"


def _covers(known: Any, joined: tuple[Joined, ...] | None) -> str:
    if joined is not None:
        transactions = ";".join(record.record_id for record in joined if record.side == Side.KSPAY)
        entries = ";".join(
            f"{record.source}:{record.record_id}" for record in joined if record.side == Side.LEDGER
        )
        return _printable(f"transaction {transactions} with ledger entry {entries}")
    record = (
        f"transaction {known.record_id}"
        if known.side == Side.KSPAY
        else f"ledger entry {known.source}:{known.record_id}"
    )
    return _printable(record)


def _short(value: str) -> str:
    value = _printable(value)
    return value if len(value) <= 40 else value[:40] + "…"


def _printable(value: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
