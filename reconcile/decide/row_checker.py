"""Checks the rows of a decision file against the discrepancies and decisions in the database."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from sqlalchemy import Connection, text

from reconcile.core.records import Side
from reconcile.core.wording import one_line
from reconcile.db.sql_files import read_sql
from reconcile.decide.audit_trail import Decision
from reconcile.decide.discrepancy import Discrepancy, who_and_when
from reconcile.decide.match_rows import MatchRows
from reconcile.decide.request import NOBODY, RowRequest, as_stored, read_request
from reconcile.decide.result import Change, Refusal, short
from reconcile.decide.sheet import ACCEPT, ASSIGNMENT, MATCH, Row
from reconcile.match.engine import suggested
from reconcile.match.policy import state_policy
from reconcile.settings import Settings

_NAMED = 10
"""Hidden rows that a warning names."""


class RowChecker:
    """Collects what the rows of one file add to the audit trail, and why rows cannot be used.

    `of_resolved`: the decisions in force stand in the file, and nobody wrote them there. `named_by_row`: only the
    column `by` says who decided, so each row that says something new must name the person. `hidden`: the numbers of
    the rows that nobody sees who opens the file.
    """

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        by: str,
        *,
        of_resolved: bool = False,
        named_by_row: bool = False,
        hidden: Set[int] = frozenset(),
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._by = by
        self._of_resolved = of_resolved
        self._named_by_row = named_by_row
        self._discrepancies: Mapping[str, Discrepancy] = {}
        self._suggested: Mapping[str, str] = {}
        self.refusals: list[Refusal] = []
        self.decisions: list[Decision] = []
        self.changes: list[Change] = []
        self.warnings: list[str] = []
        self.unchanged = 0
        self._hidden = hidden
        self._decided_hidden: list[int] = []

    def check(self, rows: Sequence[Row]) -> "RowChecker":
        """Check all rows of the file; returns itself."""
        ids = sorted({row.discrepancy_id for row in rows})
        history: dict[str, list[Any]] = defaultdict(list)
        for made in self._connection.execute(text(read_sql("decide/history")), {"ids": ids}):
            history[made.discrepancy_id].append(made)
        self._discrepancies = {
            now.discrepancy_id: Discrepancy(now, history[now.discrepancy_id])
            for now in self._connection.execute(text(read_sql("decide/discrepancies")), {"ids": ids})
        }
        asked = self._without_repeats([one for row in rows if (one := self._request(row)) is not None])
        self._look_up_suggestions(asked)
        matches = MatchRows(self._connection, asked, self._discrepancies, self._suggested)
        self.refusals += matches.refusals
        for request in matches.usable():
            self._decide(request)
        self._warn_of_hidden()
        return self

    def _refuse(self, row: Row, reason: str) -> None:
        self.refusals.append(Refusal(row.number, row.discrepancy_id, reason))

    def _warn(self, row: Row, says: str) -> None:
        self.warnings.append(f"row {row.number}, {row.discrepancy_id}: {says}")

    def _warn_of_hidden(self) -> None:
        """Say which decisions stand in hidden rows: whoever fills down over a filter decides about these too."""
        found = self._decided_hidden
        if not found:
            return
        rows = ", ".join(map(str, found[:_NAMED])) + (", …" if len(found) > _NAMED else "")
        stand = "1 decision stands in a row" if len(found) == 1 else f"{len(found):,} decisions stand in rows"
        self.warnings.append(
            f"{stand} hidden by a filter, a group or by hand ({rows}); hidden rows count like all others: "
            "reopen takes back what was not meant"
        )

    def _request(self, row: Row) -> RowRequest | None:
        """What a row asks for; None if it is refused, or nothing."""
        held = self._discrepancies.get(row.discrepancy_id)
        untouched = row.broken is None and not row.resolution and held is not None
        if held is not None and untouched and not held.says_more(row, self._by):
            return None  # note and assignment came with the report; nobody changed the row
        try:
            return read_request(row, is_known=held is not None, named_by_row=self._named_by_row)
        except ValueError as error:
            self._refuse(row, str(error))
            return None

    def _without_repeats(self, asked: Iterable[RowRequest]) -> list[RowRequest]:
        """One row for each discrepancy. A second row with the same content is no change; others are refused."""
        rows: dict[str, list[RowRequest]] = defaultdict(list)
        for request in asked:
            rows[request.row.discrepancy_id].append(request)
        once = []
        for same in rows.values():
            if len({request.content for request in same}) == 1:
                once.append(same[0])
                self.unchanged += len(same) - 1
                continue
            numbers = ", ".join(str(request.row.number) for request in same)
            for request in same:
                self._refuse(request.row, f"is in rows {numbers} with different content: keep one of them")
        return once

    def _look_up_suggestions(self, asked: Sequence[RowRequest]) -> None:
        """State the policy for what is matched, and find the suggestions that the rows ask for or pass by."""
        accepts_missing = any(
            request.word == ACCEPT
            and self._discrepancies[request.row.discrepancy_id].now.aspect == "presence"
            for request in asked
        )
        if accepts_missing or any(request.word == MATCH for request in asked):
            apps = sorted({self._discrepancies[request.row.discrepancy_id].now.app_id for request in asked})
            state_policy(self._connection, self._settings, apps)
        if accepts_missing or any(request.word == MATCH and not request.ids for request in asked):
            self._suggested = suggested(self._connection, [request.row.discrepancy_id for request in asked])

    def _decide(self, asked: RowRequest) -> None:
        """Add what is new in a row: a decision, a note, an assignee, a due day, or several of them."""
        row, held = asked.row, self._discrepancies[asked.row.discrepancy_id]
        note = row.note if held.is_new_note(row.note, self._by) else None
        assigned = self._assignment(row, held, with_note=note is not None)
        repeats = asked.word is None or held.repeats(asked)
        confirms = None if self._of_resolved else held.confirmed_by(asked, self._by, repeats=repeats)
        if confirms is not None:
            repeats = False
        elif (waits := held.proposal(asked)) is not None and asked.word == waits.decision:
            proposed = f"{asked.word} was proposed by {who_and_when(waits)}: "
            if waits.by_name != self._by:
                whose = f"{self._by!r} is the same person, and another one must confirm it"
                self._refuse(row, proposed + whose)
                return
            repeats = True
            self._warn(row, f"{proposed}another person must confirm it")
        elif asked.word == "reopen" and held.newest_decision is not None and held.newest_decision.proposed:
            repeats = False  # takes the proposal back
        if repeats and note is None and not assigned:
            self.unchanged += 1
            return
        is_new = not repeats and confirms is None
        obstacle = held.obstacle(asked)
        if obstacle is None and is_new and note is None:
            obstacle = held.outdated(asked, self._by)
        if obstacle is not None:
            self._refuse(row, obstacle)
            return
        if note is None:
            note = held.note_beside(row.note, self._by) if is_new else None
        elif not is_new and held.is_resolved and held.newest_decision.by_name != self._by:
            # The report shows the note beside the name of the person who decided.
            note = f"{self._by}: {note}"
        decision = Decision(
            held.now.discrepancy_id,
            held.now.app_id,
            held.now.type,
            held.now.facts,
            None if repeats else asked.word,
            [record.as_stored() for record in asked.records] if asked.records and not repeats else None,
            note,
            proposed=is_new and self._needs_another(asked.word, held),
            confirms=confirms,
            **assigned,
        )
        self.decisions.append(decision)
        if row.number in self._hidden and decision.decision is not None:
            self._decided_hidden.append(row.number)
        self.changes.append(_change(decision, asked, held))
        if decision.decision == ACCEPT and decision.discrepancy_id in self._suggested:
            counterpart = one_line(self._suggested[decision.discrepancy_id])
            self._warn(
                row,
                f"is accepted, but {counterpart} may belong to it: write match if they belong together",
            )

    def _needs_another(self, word: str | None, held: Discrepancy) -> bool:
        """Whether a decision counts only when another person takes it too."""
        most = self._settings.four_eyes.get(held.now.currency)
        return word != "reopen" and most is not None and (held.now.amount or 0) > most

    def _assignment(self, row: Row, held: Discrepancy, *, with_note: bool) -> dict[str, str]:
        """The new assignee and due day of a row, as they are stored.

        A value that somebody replaced since comes from an older sheet, unless a new note says that it is meant.
        """
        assigned: dict[str, str] = {}
        for name in ASSIGNMENT:
            written = getattr(row, name)
            value, was = as_stored(written), getattr(held.now, name)
            if not written or value == was:
                continue
            older = any(getattr(change, name) == value for change in held.history)
            if older and value and not with_note:
                newest = next(
                    change for change in reversed(held.history) if getattr(change, name) is not None
                )
                self._warn(
                    row,
                    f"{name} {short(value)} stays replaced by {short(was) or 'none'}, by {who_and_when(newest)}: "
                    "to take it back, say why in the note",
                )
            else:
                assigned[name] = value
        return assigned


def _change(decision: Decision, asked: RowRequest, held: Discrepancy) -> Change:
    """What a new record of the audit trail changes, for people."""
    covers = _covers(asked, held, as_match=decision.decision == MATCH)
    if decision.note:
        covers += f", note: {one_line(decision.note)}"
    for name in ASSIGNMENT:
        if (value := getattr(decision, name)) is not None:
            covers += f", {name}: {one_line(value) or NOBODY}"
    # A confirmation puts a proposal in force; without one it repeats the decision that is in force.
    repeated = decision.confirms is not None and held.proposal(asked) is None
    replaces = decision.decision is not None and not repeated and held.is_in_force
    return Change(
        decision.discrepancy_id,
        decision.type,
        decision.decision or ("assignment" if decision.note is None else "note"),
        covers,
        "proposed" if decision.proposed else "confirmed" if decision.confirms is not None else "",
        held.in_force_in_words() if replaces else "",
    )


def _covers(asked: RowRequest, held: Discrepancy, *, as_match: bool) -> str:
    if as_match and asked.records is not None:
        transactions = ";".join(record.record_id for record in asked.records if record.side == Side.KSPAY)
        entries = ";".join(
            f"{record.source}:{record.record_id}" for record in asked.records if record.side == Side.LEDGER
        )
        return one_line(f"transaction {transactions} with ledger entry {entries}")
    now = held.now
    return one_line(
        f"transaction {now.record_id}"
        if held.of_transaction
        else f"ledger entry {now.source}:{now.record_id}"
    )
