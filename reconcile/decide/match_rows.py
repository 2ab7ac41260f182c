"""The `match` rows of a decision file: the records that each of them matches, and which rows cannot be used."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from reconcile.decide.discrepancy import Discrepancy
from reconcile.decide.manual_match import ManualMatches, MatchedRecord, MatchRequest
from reconcile.decide.request import RowRequest
from reconcile.decide.result import Refusal
from reconcile.decide.sheet import MATCH, Row

_NO_SUGGESTION = (
    "match without ids takes the suggested counterpart, and this row has none now: write match: and the ids of the "
    "other side, with ; between"
)

_Key = tuple[str, str, str, str]  # app id, side, source, record id


class MatchRows:
    """Finds the records of the `match` rows among the rows of one file.

    A row without a valid match is refused. A `match` without ids gets those of its suggested counterpart. Where its
    record is matched so already, by an earlier decision or by a row of this file, it becomes a mere note.

    The policy must have been stated (`reconcile.match.policy.state_policy`) if there is any `match` row.
    """

    def __init__(
        self,
        connection: Connection,
        asked: Sequence[RowRequest],
        discrepancies: Mapping[str, Discrepancy],
        suggested: Mapping[str, str],
    ) -> None:
        self.refusals: list[Refusal] = []
        self._discrepancies = discrepancies
        self._suggested = suggested
        matching = [request for request in asked if request.word == MATCH]
        # All that follows is by discrepancy: each has one row.
        self._bare = {request.row.discrepancy_id for request in matching if not request.ids}
        self._deciding = {request.row.discrepancy_id for request in asked if request.word is not None}
        self._rows: Mapping[str, Row] = {request.row.discrepancy_id: request.row for request in matching}
        self._requests = {request.row.discrepancy_id: self._match_request(request) for request in matching}
        self._records: dict[str, tuple[MatchedRecord, ...]] = {}
        self._done: set[str] = set()  # their match is in force, or another row of the file asks for it
        self._asked = asked
        if matching:
            matches = ManualMatches(connection, list(self._requests.values()))
            settled = matches.records_in_force(except_of=self._deciding - self._bare)
            self._find_records(matches, settled)
            self._leave_out_what_is_done(settled)
            self._refuse_what_is_taken(matches.records_in_force(except_of=self._deciding - self._done))

    def usable(self) -> list[RowRequest]:
        """The rows that are not refused, in their order. Those of matches have their records."""
        rows = []
        for request in self._asked:
            discrepancy_id = request.row.discrepancy_id
            if discrepancy_id in self._done:
                rows.append(replace(request, word=None, ids=()))
            elif request.word != MATCH:
                rows.append(request)
            elif discrepancy_id in self._records:
                ids, records = self._requests[discrepancy_id].ids, self._records[discrepancy_id]
                rows.append(replace(request, ids=ids, records=records))
        return rows

    def _match_request(self, asked: RowRequest) -> MatchRequest:
        discrepancy = self._discrepancies[asked.row.discrepancy_id]
        now, ids = discrepancy.now, asked.ids
        counterpart = self._suggested.get(now.discrepancy_id)
        if not ids and counterpart is not None:
            # A suggested batch is several transactions; the id of an entry may hold anything.
            ids = (counterpart,) if discrepancy.of_transaction else tuple(counterpart.split(";"))
        return MatchRequest(now.discrepancy_id, now.app_id, now.side, now.source, now.record_id, ids)

    def _find_records(self, matches: ManualMatches, settled: Mapping[_Key, str]) -> None:
        for discrepancy_id, request in self._requests.items():
            if request.ids:
                try:
                    self._records[discrepancy_id] = matches.records_of(request)
                except ValueError as error:
                    self._refuse(discrepancy_id, str(error))
            elif (request.app_id, request.side, request.source, request.record_id) in settled:
                self._done.add(discrepancy_id)
            else:
                self._refuse(discrepancy_id, _NO_SUGGESTION)

    def _leave_out_what_is_done(self, settled: Mapping[_Key, str]) -> None:
        """Both records of a suggestion have a row. Of two `match` without ids, the transaction's keeps the match."""
        asked_for: set[tuple[str, tuple[MatchedRecord, ...]]] = set()
        for discrepancy_id in sorted(
            self._records,
            key=lambda discrepancy_id: (
                discrepancy_id in self._bare,
                not self._discrepancies[discrepancy_id].of_transaction,
            ),
        ):
            app_id, records = self._requests[discrepancy_id].app_id, self._records[discrepancy_id]
            by = {settled.get((app_id, *record.key)) for record in records}
            if discrepancy_id in self._bare and (
                (len(by) == 1 and None not in by) or (app_id, records) in asked_for
            ):
                self._done.add(discrepancy_id)
                del self._records[discrepancy_id]
            else:
                asked_for.add((app_id, records))

    def _refuse_what_is_taken(self, in_force: Mapping[_Key, str]) -> None:
        """No record has two matches: neither of two rows, nor of a row and an earlier decision."""
        takers: dict[_Key, list[str]] = defaultdict(list)
        for discrepancy_id, request in self._requests.items():
            for record in self._records.get(discrepancy_id, ()):
                takers[request.app_id, *record.key].append(discrepancy_id)
        for key, ids in takers.items():
            for discrepancy_id in ids:
                if discrepancy_id in self._records and (len(ids) > 1 or key in in_force):
                    rows = [self._rows[taker] for taker in ids]
                    self._refuse(discrepancy_id, _taken_twice(key[-1], in_force.get(key), rows))
                    del self._records[discrepancy_id]

    def _refuse(self, discrepancy_id: str, reason: str) -> None:
        self.refusals.append(Refusal(self._rows[discrepancy_id].number, discrepancy_id, reason))


def _taken_twice(record_id: str, in_force: str | None, rows: Sequence[Row]) -> str:
    if len(rows) > 1:
        numbers = ", ".join(str(row.number) for row in rows)
        return f"rows {numbers} all match {record_id}: a record has one match; keep one of these rows"
    return f"{record_id} is already in the manual match of {in_force}: reopen that, or name another record"
