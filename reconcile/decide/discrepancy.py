"""A discrepancy that a row of a decision file names, and what people decided and noted about it until now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reconcile.core.people import same_person
from reconcile.core.records import Side
from reconcile.core.wording import MAX_CELL_LENGTH, one_line
from reconcile.decide.manual_match import MatchedRecord
from reconcile.decide.request import RowRequest, as_stored
from reconcile.decide.result import short
from reconcile.decide.sheet import ASSIGNMENT, MATCH, Row


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A discrepancy as it is now, with its history."""

    now: Any
    """Its row of sql/decide/discrepancies.sql: with its present facts, and the decision that was made last."""
    history: Sequence[Any]
    """Its rows of sql/decide/history.sql, the oldest first."""

    @property
    def newest_decision(self) -> Any:
        """The row of the history with the newest decision, also one that waits for another person; None if none."""
        return _newest_decision(self.history)

    @property
    def is_in_force(self) -> bool:
        """Whether its decision counts: one that was made about other facts does no more."""
        # A match depends on the facts of its records; the facts of its discrepancy change with the match itself.
        now = self.now
        return now.decision == MATCH or (now.decision is not None and now.decided_facts == now.facts)

    @property
    def is_resolved(self) -> bool:
        """Whether a decision in force resolves it."""
        return self.now.decision != "reopen" and self.is_in_force

    @property
    def of_transaction(self) -> bool:
        """Whether it is about a transaction; else it is about a ledger entry."""
        return bool(self.now.side == Side.KSPAY)

    def in_force_in_words(self) -> str:
        """The decision in force, by whom and when."""
        now = self.now
        return one_line(f"{now.decision} by {now.decided_by} on {now.decided_at:%Y-%m-%d}")

    def repeats(self, asked: RowRequest) -> bool:
        """Whether what a row decides is already in force. An open discrepancy needs no `reopen`."""
        now = self.now
        if asked.word == MATCH:
            # A match is in force while the facts of its records stay the same; `records` has their present facts.
            return now.decision == MATCH and _is_match_of(asked, now.decided_records)
        if asked.row.facts != now.facts:
            return False
        if asked.word == "reopen":
            return not self.is_resolved
        return (now.decision, now.decided_facts) == (asked.word, asked.row.facts)

    def proposal(self, asked: RowRequest) -> Any:
        """The decision that waits for another person, if it is about the records or facts of the row; else None."""
        newest = self.newest_decision
        if newest is None or not newest.proposed:
            return None
        same = (
            _is_match_of(asked, newest.records)
            if newest.decision == MATCH
            else newest.facts == asked.row.facts
        )
        return newest if same else None

    def confirmed_by(self, asked: RowRequest, by: str, *, repeats: bool) -> int | None:
        """The decision of another person that a row of `by` confirms; None if it confirms none."""
        newest = self.proposal(asked) or (self.newest_decision if repeats else None)
        if asked.word in (None, "reopen") or newest is None or newest.decision != asked.word:
            return None
        first: int = newest.confirms or newest.decision_id
        took = [change.by_name for change in self.history if first in (change.decision_id, change.confirms)]
        return None if any(same_person(by, name) for name in took) else first

    def says_more(self, row: Row, by: str) -> bool:
        """Whether a row has a note, an assignee or a due day that the report did not have."""
        return self.is_new_note(row.note, by) or any(
            (written := getattr(row, name)) and as_stored(written) != getattr(self.now, name)
            for name in ASSIGNMENT
        )

    def is_new_note(self, written: str, by: str) -> bool:
        """Whether a note is new.

        A note that was made before came with a report (which may have cut it) and must not replace a newer one.
        """
        return bool(written) and not any(_is_same_note(written, held, by) for held in self.now.notes or ())

    def note_beside(self, written: str, by: str) -> str | None:
        """The note to store with a decision without a new note: another person's must not look like its reason.

        None keeps the newest note, if `by` wrote it. Another person's note gets that person's name in front, or is
        emptied if the row has no note.
        """
        newest = next((change for change in reversed(self.history) if change.note is not None), None)
        if newest is None or not newest.note or newest.by_name == by:
            return None
        names = tuple(f"{change.by_name}: " for change in self.history)
        if written and newest.note.startswith(names):
            return str(newest.note)  # it has a name already
        return f"{newest.by_name}: {newest.note}" if written else ""

    def obstacle(self, asked: RowRequest) -> str | None:
        """Why a row cannot decide or note anything about it; None if it can."""
        now, facts = self.now, asked.row.facts
        # A manual match clears its discrepancy, and can still be reopened.
        of_match = asked.word == "reopen" and now.decision == MATCH
        if now.cleared_by is not None and not of_match:
            return f"is cleared: run {now.cleared_by} no longer found it; empty resolution and note"
        if facts == now.facts or (of_match and facts == now.decided_facts):
            return None
        if not facts:
            return "has no facts: copy the row from the newest report again"
        return (
            f"its facts have changed ({short(facts)} in the file, {now.facts} now): check the newest report and "
            "decide there"
        )

    def outdated(self, asked: RowRequest, by: str) -> str | None:
        """Why a decision without a new note comes from an older sheet, and would undo a later decision."""
        note = asked.row.note
        if note:
            # The note came with a report, or was given before. The row's author has not seen what came after it.
            at = max(
                number
                for number, change in enumerate(self.history)
                if change.note and _is_same_note(note, change.note, by)
            )
            since = self.history[at + 1 :]
            if all(change.note is None for change in since):
                return None
            newest = _newest_decision(since)
            done = "decided" if newest is not None else "noted"
            return f"was {done} since, by {who_and_when(newest or since[-1])}: decide in the newest report"
        newest = self.newest_decision
        if not self.is_in_force or newest.by_name == by:
            return None
        # Such a row may be the old sheet again or a change of mind. A reason in the note makes it clear.
        same = [
            change for change in self.history if change.decision is not None and _is_as_asked(change, asked)
        ]
        if not same:
            return None
        return (
            f"was decided since, by {who_and_when(newest)}, after the {asked.word} by {who_and_when(same[-1])}: "
            "decide in the newest report, and say why in the note"
        )


def who_and_when(decided: Any) -> str:
    """Who made a decision or note of a history, and on which day."""
    return one_line(f"{decided.by_name} on {decided.decided_at:%Y-%m-%d}")


def _newest_decision(history: Sequence[Any]) -> Any:
    return next((change for change in reversed(history) if change.decision is not None), None)


def _is_as_asked(decided: Any, asked: RowRequest) -> bool:
    if decided.decision != asked.word:
        return False
    if asked.word == MATCH:
        return _is_match_of(asked, decided.records)
    return bool(decided.facts == asked.row.facts)


def _is_match_of(asked: RowRequest, stored: Sequence[Any]) -> bool:
    return {MatchedRecord(**record) for record in stored} == set(asked.records or ())


def _is_same_note(written: str, held: str, by: str) -> bool:
    cut = held if len(held) <= MAX_CELL_LENGTH else f"{held[: MAX_CELL_LENGTH - 1]}…"
    return written in (held, cut) or f"{by}: {written}" == held
