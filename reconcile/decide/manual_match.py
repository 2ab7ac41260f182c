"""Which records a person's `match:<ids>` joins: those of its discrepancy, and those that it names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from reconcile.core.records import Side
from reconcile.db.sql_files import read_sql
from reconcile.match.policy import state_policy
from reconcile.settings import Settings


@dataclass(frozen=True, slots=True, order=True)
class Joined:
    """One record of a match, with the facts on which the match rests."""

    side: str
    source: str  # kspay, or the ledger's source
    record_id: str
    facts: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by within its app."""
        return self.side, self.source, self.record_id

    def as_stored(self) -> dict[str, str]:
        """As the audit trail holds it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Wish:
    """A `match:` row: whose discrepancy it decides, and the ids that it names."""

    discrepancy_id: str
    app_id: str
    side: str  # of the discrepancy's record
    source: str
    record_id: str
    ids: tuple[str, ...]


_Key = tuple[str, str]  # app id, record id
_Booking = tuple[Joined, ...]  # an entry with those that belong together with it, or by itself
_WHAT = {Side.KSPAY: "a transaction", Side.LEDGER: "a ledger entry"}


class Joins:
    """The records of both books that some rows name, as the matching knows them now."""

    def __init__(self, connection: Connection, settings: Settings, wishes: Sequence[Wish]) -> None:
        self._connection = connection
        self._app_ids = sorted({wish.app_id for wish in wishes})
        state_policy(connection, settings, tuple(self._app_ids))
        self._in_force = connection.execute(
            text(read_sql("decide/matches_in_force")), {"app_ids": self._app_ids}
        ).all()
        self._currencies: dict[tuple[str, str, str, str], str] = {}
        held = [record for match in self._in_force for record in match.records]
        own = [wish.record_id for wish in wishes] + [record["record_id"] for record in held]
        named = [form for wish in wishes for one in wish.ids for form in _forms(one)]
        self._transactions = self._read_transactions([*own, *named])
        self._entries = self._read_entries([*own, *named])
        self._elsewhere = self._read("records_anywhere", {"ids": named})

    def joined(self, wish: Wish) -> tuple[Joined, ...]:
        """All records that the row joins, of both sides. Raises ValueError saying why there is no such match."""
        if wish.side == Side.KSPAY:
            of_match = self._transactions.get((wish.app_id, wish.record_id), ())
            own: list[tuple[Joined, ...]] = [(one,) for one in of_match]
        else:
            own = [self._held(wish.app_id, wish.record_id).get(wish.source, ())]
        if not own or not own[0]:
            raise ValueError("its own record is not usable now, so it cannot be matched: correct it first")
        of_other_side = self._entry if wish.side == Side.KSPAY else self._transaction
        other = list(dict.fromkeys(of_other_side(wish, one) for one in wish.ids))
        if len(own) > 1 and len(other) > 1:
            raise ValueError(
                f"would join {len(own)} transactions with {len(other)} entries: a match has one record on at "
                "least one side; split it"
            )
        for side in (own, other):
            currencies = {self._currencies[wish.app_id, *one.key] for records in side for one in records}
            if len(currencies) > 1:
                raise ValueError(
                    f"would add up {' and '.join(sorted(currencies))}: what stands on one side of a match has one "
                    "currency; split it"
                )
        return tuple(sorted({record for records in (*own, *other) for record in records}))

    def standing(self, besides: Iterable[str]) -> dict[tuple[str, str, str, str], str]:
        """By app and record: whose match in force holds it, besides those of these discrepancies.

        A match of which any record has changed since does not stand any more.
        """
        passed = set(besides)
        held: dict[tuple[str, str, str, str], str] = {}
        for match in self._in_force:
            records = [Joined(**record) for record in match.records]
            if match.discrepancy_id not in passed and all(
                record in self._now(match.app_id, record) for record in records
            ):
                held |= {(match.app_id, *record.key): match.discrepancy_id for record in records}
        return held

    def _now(self, app_id: str, record: Joined) -> Iterable[Joined]:
        if record.side == Side.KSPAY:
            return self._transactions.get((app_id, record.record_id), ())
        return self._held(app_id, record.record_id).get(record.source, ())

    def _transaction(self, wish: Wish, one: str) -> tuple[Joined, ...]:
        # The others of its present match stay behind: that match is undone.
        found = [held for held in self._transactions.get((wish.app_id, one), ()) if held.record_id == one]
        if not found:
            raise ValueError(self._unknown(wish, one, Side.KSPAY))
        return tuple(found)

    def _entry(self, wish: Wish, one: str) -> _Booking:
        # An id may hold a colon itself, so `a:b` is looked for as written and as b of source a.
        found = {(source, one): booking for source, booking in self._held(wish.app_id, one).items()}
        for source, ledger_id in _with_source(one):
            if source in (held := self._held(wish.app_id, ledger_id)):
                found[source, ledger_id] = held[source]
        if not found:
            raise ValueError(self._unknown(wish, one, Side.LEDGER))
        if len(set(found.values())) > 1:
            written = " or ".join(f"{source}:{ledger_id}" for source, ledger_id in sorted(found))
            raise ValueError(f"the ledger id {one} is that of several entries: write {written}")
        return next(iter(found.values()))

    def _held(self, app_id: str, ledger_id: str) -> Mapping[str, _Booking]:
        return self._entries.get((app_id, ledger_id), {})

    def _unknown(self, wish: Wish, one: str, side: Side) -> str:
        what = _WHAT[side]
        with_source = _with_source(one)
        # Where several apps have the id, this app's record tells most.
        for found in sorted(self._elsewhere, key=lambda found: found.app_id != wish.app_id):
            if found.record_id != one and (found.source, found.record_id) not in with_source:
                continue
            if found.app_id != wish.app_id:
                return f"{one} belongs to app {found.app_id}, this discrepancy to {wish.app_id}"
            if found.side != side:
                return f"{one} is {_WHAT[Side(found.side)]}, and so is this discrepancy's record: name {what}"
            if found.in_quarantine:
                return f"{one} is in quarantine and cannot be matched: correct it at its source first"
        return f"{one} is not known as {what} of app {wish.app_id}: correct the id"

    def _read_transactions(self, ids: Sequence[str]) -> Mapping[_Key, tuple[Joined, ...]]:
        found: dict[_Key, tuple[Joined, ...]] = defaultdict(tuple)
        for row in self._read("transactions", {"app_ids": self._app_ids, "ids": ids}):
            member = Joined(Side.KSPAY, "kspay", row.transaction_id, row.facts)
            self._currencies[row.app_id, *member.key] = row.currency
            found[row.app_id, row.named] += (member,)
        return found

    def _read_entries(self, ids: Sequence[str]) -> Mapping[_Key, Mapping[str, _Booking]]:
        found: dict[_Key, dict[str, _Booking]] = defaultdict(lambda: defaultdict(tuple))
        for row in self._read("entries", {"app_ids": self._app_ids, "ids": ids}):
            member = Joined(Side.LEDGER, row.source, row.ledger_id, row.facts)
            self._currencies[row.app_id, *member.key] = row.currency
            found[row.app_id, row.named][row.named_source] += (member,)
        return found

    def _read(self, name: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        return self._connection.execute(text(read_sql(f"decide/{name}")), parameters).all()


def _with_source(one: str) -> list[tuple[str, str]]:
    """The ways to read an id as `source:id`."""
    return [(one[:at], one[at + 1 :]) for at, letter in enumerate(one) if letter == ":"]


def _forms(one: str) -> set[str]:
    """The ids that may be meant by what a person wrote."""
    return {one, *(ledger_id for _, ledger_id in _with_source(one))}
