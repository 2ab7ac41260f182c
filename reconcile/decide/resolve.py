"""Stores the decisions that people wrote into a spreadsheet: all rows of a file, or none.

Every row is checked first. If any row is refused, nothing of the file is stored. Otherwise the new decisions and notes
go to the audit trail, in one transaction. The matching reads the newest decision of every discrepancy from there (the
view `decisions_in_force`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from reconcile.core.errors import InputRefused
from reconcile.core.people import same_person
from reconcile.core.records import Side, bare_word
from reconcile.core.wording import MAX_CELL_LENGTH, one_line
from reconcile.db.sql_files import read_sql
from reconcile.decide import audit_trail
from reconcile.decide.audit_trail import Decision, DecisionSource
from reconcile.decide.manual_match import ManualMatches, MatchedRecord, MatchRequest
from reconcile.decide.sheet import ACCEPT, ASSIGNMENT, MATCH, PERSON, WORDS, Row, Sheet
from reconcile.match.engine import suggested
from reconcile.match.policy import state_policy
from reconcile.settings import Settings

_ALLOWED = "accept, write_off, ignore, match, match:<ids with ; between>, or reopen"
_NO_SUGGESTION = (
    "match without ids takes the suggested counterpart, and this row has none now: write match: and the ids of the "
    "other side, with ; between"
)


_NOBODY = "-"
"""What takes an assignee or a due day away; an empty cell says nothing of it."""

_LONGEST_NAME = 100


_WORD_OF = {bare_word(word): word for word in WORDS}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be used, and why."""

    row: int
    discrepancy_id: str
    reason: str

    def line(self, file: str) -> str:
        """One line for people: file, row, discrepancy and reason."""
        whose = f", {_short(self.discrepancy_id)}" if self.discrepancy_id else ""
        return one_line(f"{file}, row {self.row}{whose}: {self.reason}")


class RowsRefused(InputRefused):
    """Some rows of a file cannot be used, so nothing of it was stored."""

    def __init__(self, file: str, refusals: Sequence[Refusal]) -> None:
        rows = f"{len(refusals)} row{'s' if len(refusals) > 1 else ''}"
        super().__init__(
            f"{file}: {rows} refused, so nothing of the file was stored: correct or empty resolution, note "
            "and due in these rows, then resolve the file again"
        )
        self.refusals = tuple(refusals)
        self.lines = tuple(refusal.line(file) for refusal in refusals)


@dataclass(frozen=True, slots=True)
class Change:
    """One decision or note that a file adds, as shown to people."""

    discrepancy_id: str
    type: str
    decision: str  # `note` or `assignment` if it is only that
    covers: str
    standing: (
        str  # `proposed` while it waits for another person, `confirmed` if it repeats another's; else ""
    )
    replaces: str
    """The decision in force until now, and by whom; of a proposal, what it would replace; empty if none."""


@dataclass(frozen=True, slots=True)
class ResolveResult:
    """What was stored from a file; numbers count rows."""

    file: str
    by: str
    decisions: int
    notes: int  # or assignments, without a decision
    unchanged: int  # rows that repeat what is in force
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]  # of rows that were taken and may be meant otherwise

    def replaced(self) -> list[str]:
        """The decisions that were in force before and are replaced, each in a few words."""
        return [
            f"{one.replaces} of {one.discrepancy_id}"
            for one in self.changes
            if one.replaces and one.standing != "proposed"
        ]


@dataclass(frozen=True, slots=True)
class _Request:
    """A row with a valid resolution, a new note or a new assignment."""

    row: Row
    word: str | None
    ids: tuple[str, ...]  # of a match, in order and without repeats; none: its suggested counterpart

    @property
    def content(self) -> tuple[object, ...]:
        """Two rows of one discrepancy with equal content count as one."""
        row = self.row
        return self.word, frozenset(self.ids), row.facts, row.note, row.assignee, row.due


def taken_before(engine: Engine, sheet: Sheet, by: str) -> datetime | None:
    """When a file with the same bytes was stored for this person; None if never."""
    with engine.connect() as connection:
        taken = connection.execute(
            text("select by_name, taken_at from decision_files where sha256 = :sha256"),
            {"sha256": sheet.sha256},
        ).all()
    return max((row.taken_at for row in taken if same_person(row.by_name, by)), default=None)


def resolve_sheet(
    engine: Engine,
    settings: Settings,
    sheet: Sheet,
    by: str,
    *,
    dry_run: bool = False,
    named_by_row: bool = False,
) -> ResolveResult:
    """Check the rows of a file and store what is new, as decided by `by`. With `dry_run` nothing is stored.

    With `named_by_row` only the column `by` says who decided, so each row that says something new must name the person.

    Raises RowsRefused if any row cannot be used, InputRefused if the file changes meanwhile.
    """
    rows = [row for row in sheet.rows() if row is not None]
    with engine.connect() as connection:
        audit_trail.lock(connection)
        checker = _RowChecker(
            connection, settings, by, of_resolved=sheet.is_resolved, named_by_row=named_by_row
        )
        checked = checker.check(rows)
        if checked.refusals:
            raise RowsRefused(str(sheet.path), sorted(checked.refusals, key=lambda refusal: refusal.row))
        source = DecisionSource(by, sheet.name, sheet.sha256)
        audit_trail.append(connection, checked.decisions, source)
        audit_trail.add_file(connection, source)
        if dry_run:
            connection.rollback()
        else:
            connection.commit()
    decided = sum(one.decision is not None for one in checked.decisions)
    return ResolveResult(
        file=sheet.name,
        by=by,
        decisions=decided,
        notes=len(checked.decisions) - decided,
        unchanged=checked.unchanged,
        changes=tuple(checked.changes),
        warnings=tuple(checked.warnings),
    )


class _RowChecker:
    """Checks the rows of one file against the discrepancies and decisions in the database."""

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        by: str,
        *,
        of_resolved: bool = False,
        named_by_row: bool = False,
    ) -> None:
        self._named_by_row = named_by_row
        self._of_resolved = (
            of_resolved  # then the decisions in force stand in the file, and nobody wrote them there
        )
        self._connection = connection
        self._settings = settings
        self._by = by
        self._discrepancies: Mapping[str, Any] = {}
        # The decisions and notes of each discrepancy, the oldest first.
        self._history: dict[str, list[Any]] = defaultdict(list)
        self.refusals: list[Refusal] = []
        self.decisions: list[Decision] = []
        self.changes: list[Change] = []
        self.warnings: list[str] = []
        self.unchanged = 0
        self._suggested: Mapping[str, str] = {}

    def check(self, rows: Sequence[Row]) -> "_RowChecker":
        ids = sorted({row.discrepancy_id for row in rows})
        found = self._connection.execute(text(read_sql("decide/discrepancies")), {"ids": ids})
        self._discrepancies = {one.discrepancy_id: one for one in found}
        for made in self._connection.execute(text(read_sql("decide/history")), {"ids": ids}):
            self._history[made.discrepancy_id].append(made)
        asked = self._without_repeats([one for row in rows if (one := self._parse(row)) is not None])
        self._look_up(asked)
        asked, joined = self._match_records(asked)
        for one in asked:
            if one.word != MATCH:
                self._decide(one, None)
            elif one.row.discrepancy_id in joined:
                self._decide(one, joined[one.row.discrepancy_id])
        return self

    def _refuse(self, row: Row, reason: str) -> None:
        self.refusals.append(Refusal(row.number, row.discrepancy_id, reason))

    def _parse(self, row: Row) -> _Request | None:
        known = self._discrepancies.get(row.discrepancy_id)
        if row.broken is not None:
            self._refuse(row, row.broken)
            return None
        if not row.resolution and known is not None and not self._says_more(row, known):
            return None  # note and assignment came with the report; nobody changed the row
        word, colon, rest = row.resolution.partition(":")
        word = _WORD_OF.get(bare_word(word), word)
        ids = tuple(dict.fromkeys(one.strip() for one in rest.split(";") if one.strip()))
        if row.resolution and (word not in WORDS or (colon and word != MATCH)):
            self._refuse(row, f"{_short(row.resolution)!r} is not a decision: write {_ALLOWED}")
        elif colon and not ids:
            self._refuse(
                row, "match: names no record: write the ids of the other side after it, with ; between"
            )
        elif known is None and row.discrepancy_id:
            self._refuse(row, "is not known in this database: copy the row from a report of this database")
        elif known is None:
            self._refuse(row, "has no discrepancy_id: copy the row from a report again")
        elif row.due and row.due != _NOBODY and not _is_day(row.due):
            self._refuse(row, f"due {_short(row.due)!r} is not a day: write it as 2026-08-31")
        elif self._named_by_row and not row.by:
            self._refuse(row, f"says something new, and its column {PERSON} names nobody")
        elif len(row.assignee) > _LONGEST_NAME:
            self._refuse(row, f"the assignee has more than {_LONGEST_NAME} characters: write a name")
        else:
            return _Request(row, word or None, ids)
        return None

    def _without_repeats(self, asked: Iterable[_Request]) -> list[_Request]:
        """One row for each discrepancy. A second row with the same content is no change; others are refused."""
        rows: dict[str, list[_Request]] = defaultdict(list)
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
                self._refuse(one.row, f"is in rows {numbers} with different content: keep one of them")
        return once

    def _look_up(self, asked: Sequence[_Request]) -> None:
        """State the policy for what is matched, and find the suggestions that the rows ask for or pass by."""
        if any(one.word == MATCH for one in asked) or self._accepts_missing(asked):
            apps = sorted({self._discrepancies[one.row.discrepancy_id].app_id for one in asked})
            state_policy(self._connection, self._settings, apps)
        if any(one.word == MATCH and not one.ids for one in asked) or self._accepts_missing(asked):
            self._suggested = suggested(self._connection, [one.row.discrepancy_id for one in asked])

    def _accepts_missing(self, asked: Sequence[_Request]) -> bool:
        return any(
            one.word == ACCEPT and self._discrepancies[one.row.discrepancy_id].aspect == "presence"
            for one in asked
        )

    def _match_records(
        self, asked: list[_Request]
    ) -> tuple[list[_Request], Mapping[str, tuple[MatchedRecord, ...]]]:
        """The rows, and by discrepancy the records that its `match` row matches.

        Rows without a valid match are refused. A `match` without ids gets those of its suggested counterpart. Where
        its record is matched so already, by an earlier decision or by a row of this file, it becomes a mere note.
        """
        bare = {one.row.discrepancy_id for one in asked if one.word == MATCH and not one.ids}
        asked = [self._with_suggestion(one) for one in asked]
        rows = {one.row.discrepancy_id: one.row for one in asked if one.word == MATCH}
        requests = {one.row.discrepancy_id: self._match_request(one) for one in asked if one.word == MATCH}
        if not requests:
            return asked, {}
        matches = ManualMatches(self._connection, list(requests.values()))
        deciding = {one.row.discrepancy_id for one in asked if one.word is not None}
        settled = matches.records_in_force(except_of=deciding - bare)
        joined: dict[str, tuple[MatchedRecord, ...]] = {}
        done: set[str] = set()  # their match is in force, or another row of the file asks for it
        for one, request in requests.items():
            if not request.ids:
                if (request.app_id, request.side, request.source, request.record_id) in settled:
                    done.add(one)
                else:
                    self._refuse(rows[one], _NO_SUGGESTION)
                continue
            try:
                joined[one] = matches.records_of(request)
            except ValueError as error:
                self._refuse(rows[one], str(error))
        asked_for: set[tuple[str, tuple[MatchedRecord, ...]]] = set()
        # Both records of a suggestion have a row. Of two `match` without ids, the transaction's row keeps the match.
        for one in sorted(joined, key=lambda one: (one in bare, requests[one].side != Side.KSPAY)):
            app_id = requests[one].app_id
            by = {settled.get((app_id, *record.key)) for record in joined[one]}
            if one in bare and ((len(by) == 1 and None not in by) or (app_id, joined[one]) in asked_for):
                done.add(one)
                del joined[one]
            else:
                asked_for.add((app_id, joined[one]))
        takers: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
        for one in requests:
            for record in joined.get(one, ()):
                takers[requests[one].app_id, *record.key].append(one)
        in_force = matches.records_in_force(except_of=deciding - done)
        for key, ids in takers.items():
            for one in ids:
                if one in joined and (len(ids) > 1 or key in in_force):
                    self._refuse(rows[one], _taken_twice(key[-1], in_force.get(key), [rows[i] for i in ids]))
                    del joined[one]
        return [
            replace(one, word=None, ids=()) if one.row.discrepancy_id in done else one for one in asked
        ], joined

    def _with_suggestion(self, asked: _Request) -> _Request:
        counterpart = self._suggested.get(asked.row.discrepancy_id)
        if asked.word != MATCH or asked.ids or counterpart is None:
            return asked
        # A suggested batch is several transactions; the id of an entry may hold anything.
        of_entry = self._discrepancies[asked.row.discrepancy_id].side == Side.LEDGER
        return replace(asked, ids=tuple(counterpart.split(";")) if of_entry else (counterpart,))

    def _match_request(self, asked: _Request) -> MatchRequest:
        known = self._discrepancies[asked.row.discrepancy_id]
        return MatchRequest(
            known.discrepancy_id, known.app_id, known.side, known.source, known.record_id, asked.ids
        )

    def _decide(self, asked: _Request, joined: tuple[MatchedRecord, ...] | None) -> None:
        row, word, known = asked.row, asked.word, self._discrepancies[asked.row.discrepancy_id]
        history = self._history[known.discrepancy_id]
        note = row.note if self._is_new(row.note, known) else None
        assigned = self._assignment(row, known, history, with_note=note is not None)
        repeats = word is None or _repeats(word, row.facts, joined, known)
        waits = _proposal(history, row, joined)
        confirms = self._confirms(word, history, repeats=repeats, waits=waits)
        if confirms is not None:
            repeats = False
        elif waits is not None and word == waits.decision and waits.by_name != self._by:
            self._refuse(
                row,
                f"{word} was proposed by {_who_and_when(waits)}: {self._by!r} is the same person, and another one must "
                "confirm it",
            )
            return
        elif waits is not None and word == waits.decision:
            repeats = True
            self.warnings.append(
                f"row {row.number}, {known.discrepancy_id}: {word} was proposed by {_who_and_when(waits)}: "
                "another person must confirm it"
            )
        elif (
            word == "reopen" and _newest_decision(history) is not None and _newest_decision(history).proposed
        ):
            repeats = False  # takes the proposal back
        if repeats and note is None and not assigned:
            self.unchanged += 1
        elif obstacle := _why_not(word, row.facts, known) or (
            None if repeats or note is not None or confirms is not None else self._outdated(asked, joined)
        ):
            self._refuse(row, obstacle)
        else:
            decision = None if repeats else word
            records = [record.as_stored() for record in joined] if joined and not repeats else None
            if note is None:
                note = (
                    None if repeats or confirms is not None else _note_of_another(row.note, history, self._by)
                )
            elif (
                (repeats or confirms is not None)
                and _is_resolved(known)
                and _newest_decision(history).by_name != self._by
            ):
                note = f"{self._by}: {note}"  # the report shows the note beside the name of the person who decided
            proposed = decision is not None and confirms is None and self._needs_another(word, known)
            self.decisions.append(
                Decision(
                    known.discrepancy_id,
                    known.app_id,
                    known.type,
                    known.facts,
                    decision,
                    records,
                    note,
                    proposed=proposed,
                    confirms=confirms,
                    **assigned,
                )
            )
            covers = _covers(known, joined if decision == MATCH else None)
            if note:
                covers += f", note: {one_line(note)}"
            for name, value in assigned.items():
                covers += f", {name}: {one_line(value) or _NOBODY}"
            if decision == ACCEPT and known.discrepancy_id in self._suggested:
                self.warnings.append(
                    f"row {row.number}, {known.discrepancy_id}: is accepted, but "
                    f"{one_line(self._suggested[known.discrepancy_id])} may belong to it: "
                    "write match if they belong together"
                )
            replaces = ""
            # A confirmation puts a proposal in force; without one it repeats the decision that is in force.
            repeated = confirms is not None and waits is None
            if decision is not None and not repeated and _is_in_force(known):
                replaces = one_line(f"{known.decision} by {known.decided_by} on {known.decided_at:%Y-%m-%d}")
            what = decision or ("assignment" if note is None else "note")
            standing = "proposed" if proposed else "confirmed" if confirms is not None else ""
            self.changes.append(Change(known.discrepancy_id, known.type, what, covers, standing, replaces))

    def _confirms(self, word: str | None, history: Sequence[Any], *, repeats: bool, waits: Any) -> int | None:
        """The decision of another person that a row confirms."""
        if word in (None, "reopen") or self._of_resolved:
            return None
        newest = waits if waits is not None else _newest_decision(history) if repeats else None
        if newest is None or newest.decision != word:
            return None
        first: int = newest.confirms or newest.decision_id
        took = [one.by_name for one in history if first in (one.decision_id, one.confirms)]
        return None if any(same_person(self._by, name) for name in took) else first

    def _needs_another(self, word: str | None, known: Any) -> bool:
        """Whether a decision counts only when another person takes it too."""
        most = self._settings.four_eyes.get(known.currency)
        return word != "reopen" and most is not None and (known.amount or 0) > most

    def _says_more(self, row: Row, known: Any) -> bool:
        """Whether a row has a note, an assignee or a due day that the report did not have."""
        return self._is_new(row.note, known) or any(
            (written := getattr(row, name)) and _bare(written) != getattr(known, name) for name in ASSIGNMENT
        )

    def _assignment(self, row: Row, known: Any, history: Sequence[Any], *, with_note: bool) -> dict[str, str]:
        """The new assignee and due day of a row, as they are stored.

        A value that somebody replaced since comes from an older sheet, unless a new note says that it is meant.
        """
        assigned: dict[str, str] = {}
        for name in ASSIGNMENT:
            written = getattr(row, name)
            value, was = _bare(written), getattr(known, name)
            if not written or value == was:
                continue
            older = [one for one in history if getattr(one, name) == value]
            if older and value and not with_note:
                newest = next(one for one in reversed(history) if getattr(one, name) is not None)
                self.warnings.append(
                    f"row {row.number}, {known.discrepancy_id}: {name} {_short(value)} stays replaced by "
                    f"{_short(was) or 'none'}, by {_who_and_when(newest)}: to take it back, say why in the note"
                )
            else:
                assigned[name] = value
        return assigned

    def _is_new(self, written: str, known: Any) -> bool:
        """Whether a note is new. A note that was made before came with a report (which may have cut it) and must not
        replace a newer one."""
        return bool(written) and not any(self._is_same(written, held) for held in known.notes or ())

    def _is_same(self, written: str, held: str) -> bool:
        cut = held if len(held) <= MAX_CELL_LENGTH else f"{held[: MAX_CELL_LENGTH - 1]}…"
        return written in (held, cut) or f"{self._by}: {written}" == held

    def _outdated(self, asked: _Request, joined: tuple[MatchedRecord, ...] | None) -> str | None:
        """Why a decision without a new note comes from an older sheet, and would undo a later decision."""
        row, known = asked.row, self._discrepancies[asked.row.discrepancy_id]
        history = self._history[known.discrepancy_id]
        if row.note:
            # The note came with a report, or was given before. The row's author has not seen what came after it.
            at = max(
                number for number, one in enumerate(history) if one.note and self._is_same(row.note, one.note)
            )
            since = history[at + 1 :]
            if all(one.note is None for one in since):
                return None
            newest = _newest_decision(since)
            done = "decided" if newest is not None else "noted"
            return f"was {done} since, by {_who_and_when(newest or since[-1])}: decide in the newest report"
        newest = _newest_decision(history)
        if not _is_in_force(known) or newest.by_name == self._by:
            return None
        # Such a row may be the old sheet again or a change of mind. A reason in the note makes it clear.
        same = [one for one in history if one.decision is not None and _is_as_asked(one, asked, joined)]
        if not same:
            return None
        return (
            f"was decided since, by {_who_and_when(newest)}, after the {asked.word} by {_who_and_when(same[-1])}: "
            "decide in the newest report, and say why in the note"
        )


def _bare(written: str) -> str:
    """What an assignee or a due day is stored as: nothing where a person took it away."""
    return "" if written == _NOBODY else written


def _is_day(written: str) -> bool:
    try:
        return date.fromisoformat(written).isoformat() == written
    except ValueError:
        return False


def _proposal(history: Sequence[Any], row: Row, joined: tuple[MatchedRecord, ...] | None) -> Any:
    """The decision that waits for another person, if its facts are those of the row; else None."""
    newest = _newest_decision(history)
    if newest is None or not newest.proposed:
        return None
    if newest.decision == MATCH:
        held = {MatchedRecord(**record) for record in newest.records}
        return newest if held == set(joined or ()) else None
    return newest if newest.facts == row.facts else None


def _newest_decision(history: Sequence[Any]) -> Any:
    return next((one for one in reversed(history) if one.decision is not None), None)


def _who_and_when(history: Any) -> str:
    return one_line(f"{history.by_name} on {history.decided_at:%Y-%m-%d}")


def _is_as_asked(history: Any, asked: _Request, joined: tuple[MatchedRecord, ...] | None) -> bool:
    if history.decision != asked.word:
        return False
    if asked.word == MATCH:
        return {MatchedRecord(**record) for record in history.records} == set(joined or ())
    return bool(history.facts == asked.row.facts)


def _note_of_another(written: str, history: Sequence[Any], by: str) -> str | None:
    """The note to store with a decision without a new note: another person's note must not look like its reason.

    None keeps the newest note, if `by` wrote it. Another person's note gets that person's name in front, or is emptied
    if the row has no note.
    """
    newest = next((one for one in reversed(history) if one.note is not None), None)
    if newest is None or not newest.note or newest.by_name == by:
        return None
    names = tuple(f"{one.by_name}: " for one in history)
    if written and newest.note.startswith(names):
        return str(newest.note)  # it has a name already
    return f"{newest.by_name}: {newest.note}" if written else ""


def _repeats(word: str, facts: str, joined: tuple[MatchedRecord, ...] | None, known: Any) -> bool:
    """Whether this decision is already in force. An open discrepancy needs no `reopen`.

    A decision is no longer in force once its facts have changed.
    """
    if word == MATCH:
        # A match is in force while the facts of its records stay the same; `joined` has their present facts.
        return known.decision == MATCH and set(joined or ()) == {
            MatchedRecord(**record) for record in known.decided_records
        }
    if facts != known.facts:
        return False
    if word == "reopen":
        return not _is_resolved(known)
    return (known.decision, known.decided_facts) == (word, facts)


def _is_resolved(known: Any) -> bool:
    return known.decision != "reopen" and _is_in_force(known)


def _is_in_force(known: Any) -> bool:
    # A match depends on the facts of its records; the facts of its discrepancy change with the match itself.
    return known.decision == MATCH or (known.decision is not None and known.decided_facts == known.facts)


def _why_not(word: str | None, facts: str, known: Any) -> str | None:
    """Why this row cannot decide or note anything about its discrepancy; None if it can."""
    # A manual match clears its discrepancy, and can still be reopened.
    of_match = word == "reopen" and known.decision == MATCH
    if known.cleared_by is not None and not of_match:
        return f"is cleared: run {known.cleared_by} no longer found it; empty resolution and note"
    if facts == known.facts or (of_match and facts == known.decided_facts):
        return None
    if not facts:
        return "has no facts: copy the row from the newest report again"
    return (
        f"its facts have changed ({_short(facts)} in the file, {known.facts} now): check the newest report and decide "
        "there"
    )


def _taken_twice(record_id: str, in_force: str | None, rows: Sequence[Row]) -> str:
    if len(rows) > 1:
        numbers = ", ".join(str(row.number) for row in rows)
        return f"rows {numbers} all match {record_id}: a record has one match; keep one of these rows"
    return f"{record_id} is already in the manual match of {in_force}: reopen that, or name another record"


def _covers(known: Any, joined: tuple[MatchedRecord, ...] | None) -> str:
    if joined is not None:
        transactions = ";".join(record.record_id for record in joined if record.side == Side.KSPAY)
        entries = ";".join(
            f"{record.source}:{record.record_id}" for record in joined if record.side == Side.LEDGER
        )
        return one_line(f"transaction {transactions} with ledger entry {entries}")
    record = (
        f"transaction {known.record_id}"
        if known.side == Side.KSPAY
        else f"ledger entry {known.source}:{known.record_id}"
    )
    return one_line(record)


def _short(value: str) -> str:
    value = one_line(value)
    return value if len(value) <= 40 else value[:40] + "…"
