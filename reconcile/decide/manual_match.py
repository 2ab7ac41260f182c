"""Manual matches: the records that a person's `match` matches, those of its discrepancy and those it names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from reconcile.core.records import Side, possible_ids, with_source
from reconcile.db.sql_files import read_sql


@dataclass(frozen=True, slots=True, order=True)
class MatchedRecord:
    """One record of a manual match, with its facts; if they change, the match is no longer in force."""

    side: str
    source: str  # kspay, or the ledger's source
    record_id: str
    facts: str

    @property
    def key(self) -> tuple[str, str, str]:
        """The identity of the record within its app."""
        return self.side, self.source, self.record_id

    def as_stored(self) -> dict[str, str]:
        """The record as the audit trail stores it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class MatchRequest:
    """A `match` row: the record of its discrepancy, and the ids that it names or that are suggested."""

    discrepancy_id: str
    app_id: str
    side: str  # of the discrepancy's record
    source: str
    record_id: str
    ids: tuple[str, ...]


_Key = tuple[str, str]  # app id, record id
_Booking = tuple[MatchedRecord, ...]  # an entry with the refund entries that belong to it, or alone
_WHAT = {Side.KSPAY: "a transaction", Side.LEDGER: "a ledger entry"}


class ManualMatches:
    """The records of both sides that the requests name, as they are now.

    The policy must have been stated for their apps (`reconcile.match.policy.state_policy`).
    """

    def __init__(self, connection: Connection, requests: Sequence[MatchRequest]) -> None:
        self._connection = connection
        self._app_ids = sorted({request.app_id for request in requests})
        self._in_force = connection.execute(
            text(read_sql("decide/matches_in_force")), {"app_ids": self._app_ids}
        ).all()
        self._currencies: dict[tuple[str, str, str, str], str] = {}
        held = [record for match in self._in_force for record in match.records]
        own = [request.record_id for request in requests] + [record["record_id"] for record in held]
        named = [
            form for request in requests for record_id in request.ids for form in possible_ids(record_id)
        ]
        self._transactions = self._read_transactions([*own, *named])
        self._entries = self._read_entries([*own, *named])
        self._elsewhere = self._read("records_anywhere", {"ids": named})

    def records_of(self, request: MatchRequest) -> tuple[MatchedRecord, ...]:
        """All records of the match, of both sides, sorted. Raises ValueError with the reason if it is not possible."""
        if request.side == Side.KSPAY:
            of_match = self._transactions.get((request.app_id, request.record_id), ())
            own: list[tuple[MatchedRecord, ...]] = [(record,) for record in of_match]
        else:
            own = [self._entries_named(request.app_id, request.record_id).get(request.source, ())]
        if not own or not own[0]:
            raise ValueError(
                "the record of this discrepancy cannot be used now, so it cannot be matched: correct it first"
            )
        of_other_side = self._entry if request.side == Side.KSPAY else self._transaction
        other = list(dict.fromkeys(of_other_side(request, record_id) for record_id in request.ids))
        if len(own) > 1 and len(other) > 1:
            raise ValueError(
                f"would match {len(own)} transactions with {len(other)} entries: one side of a match must have only "
                "one record; split it"
            )
        for side in (own, other):
            currencies = {
                self._currencies[request.app_id, *record.key] for records in side for record in records
            }
            if len(currencies) > 1:
                raise ValueError(
                    f"would add up {' and '.join(sorted(currencies))}: all records on one side of a match must have "
                    "the same currency; split it"
                )
        return tuple(sorted({record for records in (*own, *other) for record in records}))

    def records_in_force(self, except_of: Iterable[str]) -> dict[tuple[str, str, str, str], str]:
        """By app and record, the discrepancy whose manual match in force has it; not those of `except_of`.

        A match is no longer in force once any of its records has changed.
        """
        passed = set(except_of)
        held: dict[tuple[str, str, str, str], str] = {}
        for match in self._in_force:
            records = [MatchedRecord(**record) for record in match.records]
            if match.discrepancy_id not in passed and all(
                record in self._current(match.app_id, record) for record in records
            ):
                held |= {(match.app_id, *record.key): match.discrepancy_id for record in records}
        return held

    def _current(self, app_id: str, record: MatchedRecord) -> Iterable[MatchedRecord]:
        if record.side == Side.KSPAY:
            return self._transactions.get((app_id, record.record_id), ())
        return self._entries_named(app_id, record.record_id).get(record.source, ())

    def _transaction(self, request: MatchRequest, named: str) -> tuple[MatchedRecord, ...]:
        # The other records of its present match are not taken: that match is undone.
        found = [
            held for held in self._transactions.get((request.app_id, named), ()) if held.record_id == named
        ]
        if not found:
            raise ValueError(self._unknown(request, named, Side.KSPAY))
        return tuple(found)

    def _entry(self, request: MatchRequest, named: str) -> _Booking:
        # An id may itself have a colon, so `a:b` may be the id a:b, or id b of source a.
        found = {
            (source, named): booking for source, booking in self._entries_named(request.app_id, named).items()
        }
        for source, ledger_id in with_source(named):
            if source in (held := self._entries_named(request.app_id, ledger_id)):
                found[source, ledger_id] = held[source]
        if not found:
            raise ValueError(self._unknown(request, named, Side.LEDGER))
        if len(set(found.values())) > 1:
            written = " or ".join(f"{source}:{ledger_id}" for source, ledger_id in sorted(found))
            raise ValueError(f"several entries have the ledger id {named}: write {written}")
        return next(iter(found.values()))

    def _entries_named(self, app_id: str, ledger_id: str) -> Mapping[str, _Booking]:
        return self._entries.get((app_id, ledger_id), {})

    def _unknown(self, request: MatchRequest, named: str, side: Side) -> str:
        what = _WHAT[side]
        forms = with_source(named)
        # If several apps have the id, the record of this app explains most.
        for found in sorted(self._elsewhere, key=lambda found: found.app_id != request.app_id):
            if found.record_id != named and (found.source, found.record_id) not in forms:
                continue
            if found.app_id != request.app_id:
                return f"{named} belongs to app {found.app_id}, but this discrepancy to {request.app_id}"
            if found.side != side:
                return (
                    f"{named} is {_WHAT[Side(found.side)]}, and so is this discrepancy's record: name {what}"
                )
            if found.in_quarantine:
                return f"{named} is in quarantine and cannot be matched: correct it at its source first"
        return f"{named} is not known as {what} of app {request.app_id}: correct the id"

    def _read_transactions(self, ids: Sequence[str]) -> Mapping[_Key, tuple[MatchedRecord, ...]]:
        found: dict[_Key, tuple[MatchedRecord, ...]] = defaultdict(tuple)
        for row in self._read("transactions", {"app_ids": self._app_ids, "ids": ids}):
            member = MatchedRecord(Side.KSPAY, "kspay", row.transaction_id, row.facts)
            self._currencies[row.app_id, *member.key] = row.currency
            found[row.app_id, row.named] += (member,)
        return found

    def _read_entries(self, ids: Sequence[str]) -> Mapping[_Key, Mapping[str, _Booking]]:
        found: dict[_Key, dict[str, _Booking]] = defaultdict(lambda: defaultdict(tuple))
        for row in self._read("entries", {"app_ids": self._app_ids, "ids": ids}):
            member = MatchedRecord(Side.LEDGER, row.source, row.ledger_id, row.facts)
            self._currencies[row.app_id, *member.key] = row.currency
            found[row.app_id, row.named][row.named_source] += (member,)
        return found

    def _read(self, name: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        return self._connection.execute(text(read_sql(f"decide/{name}")), parameters).all()
