"""Matches the group of one record once more, and watches: which pairs were possible in which pass, and what won.

It runs the passes of a run (`reconcile.match.passes`) and watches them, so what it says cannot differ from what was
done. Nothing of it stays: the caller rolls back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from reconcile.core.money import exact_sum
from reconcile.core.records import Side
from reconcile.core.wording import days as spoken_days
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import RULES, find_groups, run_step
from reconcile.match.passes import PASS_PHASES, Watcher, run_passes

_SPLITS = ("reference_split", "reference_differs")
"""The rules that add up what is left of a key."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A pair that a pass held for possible, and its place among them."""

    phase: int
    rule: str
    transaction_rank: int
    entry_rank: int
    pair_rank: int
    criteria: Mapping[str, Any]
    """What the pairs of a pass are ranked by, in this order, as `match/pairing/rank` states it."""


@dataclass(slots=True)
class Replay:
    """What became of a group. Transactions are known by their rank, entries and bookings by theirs."""

    transactions: Mapping[int, Any]
    entries: Sequence[Any]
    units: Mapping[int, Any]
    keys: Mapping[tuple[int, int], list[tuple[str, str]]]
    seen: Sequence[Seen]
    sums: Sequence[Any]
    passes: Sequence[tuple[int, str]] = field(default_factory=list)

    def pairs(self) -> dict[tuple[int, int], str]:
        """The rule by the stored numbers of a transaction and an entry, for all that are in one match."""
        return {
            (txn.number, entry.number): txn.rule
            for txn in self.transactions.values()
            for entry in self.entries
            if txn.match_rank is not None and txn.match_rank == entry.match_rank
        }

    def mates(self, side: str, own_rank: int) -> list[int]:
        """The ranks of the records on the other side that the record of this rank was matched with."""
        own, others = (
            (self.transactions, self.units) if side == Side.KSPAY else (self.units, self.transactions)
        )
        match_rank = own[own_rank].match_rank
        return [
            rank for rank, row in others.items() if match_rank is not None and row.match_rank == match_rank
        ]


def replay(connection: Connection, side: str, number: int) -> Replay:
    """Match the group of one usable record, known by its stored number, as a run would by today's settings.

    The policy must have been stated (`reconcile.match.policy.state_policy`) and `scope/by_hand` run. Leaves
    nothing but temporary tables, which end with the transaction.
    """
    run_step(connection, "explain/crowded_aside")
    for step in ("group_tables", "changed_records", "former_keys"):
        run_step(connection, f"scope/{step}")
    run_step(connection, "explain/lone_group")
    connection.execute(
        text("insert into frontier (side, number) values (:side, :number)"), {"side": side, "number": number}
    )
    find_groups(connection)
    run_step(connection, "explain/no_simple")
    for step in ("records", "bookings", "pass_tables"):
        run_step(connection, f"prepare/{step}")
    watcher = _KeepsPairs(connection)
    run_passes(connection, RULES, watcher)
    return _read(connection, [(phase, rule) for phase in PASS_PHASES for rule in RULES], watcher.has_pairs)


class _KeepsPairs(Watcher):
    """Keeps, in temporary tables, what each pass looked at."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.has_pairs = False

    def begin(self, _phase: int, rule: str) -> None:
        if rule in _SPLITS:
            run_step(self._connection, "explain/left_of_group")

    def pairs_ranked(self) -> None:
        run_step(self._connection, "explain/watch_pass")
        self.has_pairs = True


def _read(connection: Connection, passes: Sequence[tuple[int, str]], has_pairs: bool) -> Replay:
    def rows(name: str) -> Sequence[Any]:
        return connection.execute(text(read_sql(f"match/explain/{name}"))).all()

    entries = rows("replayed_entries")
    keys: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for row in rows("replayed_keys"):
        keys.setdefault((row.transaction_rank, row.entry_rank), []).append((row.kind, row.key))
    return Replay(
        transactions={row.rank: row for row in rows("replayed_transactions")},
        entries=entries,
        units={row.rank: row for row in entries if row.leads},
        keys=keys,
        seen=[_seen(row._mapping) for row in (rows("seen_pairs") if has_pairs else ())],
        sums=rows("sums"),
        passes=passes,
    )


def _seen(row: Mapping[str, Any]) -> Seen:
    criteria = {name: row[name] for name in row if name not in ("phase", "rule", "pair_rank")}
    return Seen(
        row["phase"], row["rule"], row["transaction_rank"], row["entry_rank"], row["pair_rank"], criteria
    )


def why(replay: Replay, won: Seen, lost: Seen) -> str:
    """In what a pair was better than another of the same pass: the first of the criteria in which they differ."""
    criterion = next(name for name, value in won.criteria.items() if value != lost.criteria[name])
    here, there = lost.criteria[criterion], won.criteria[criterion]
    txn_won, unit_won = replay.transactions[won.transaction_rank], replay.units[won.entry_rank]
    txn_lost, unit_lost = replay.transactions[lost.transaction_rank], replay.units[lost.entry_rank]
    match criterion:
        case "currency_differs":
            return f"currency: {txn_lost.currency} and {unit_lost.currency} differ here, and agree there"
        case "family_disagrees":
            disagree, agree = (
                f"{txn.family} with {unit.family}"
                for txn, unit in ((txn_lost, unit_lost), (txn_won, unit_won))
            )
            return f"family: {disagree} disagrees, {agree} agrees"
        case "amount_apart":
            return f"amount: {here:f} apart here, {there:f} there"
        case "days_apart":
            return f"date: {spoken_days(here)} apart here, {spoken_days(there)} there"
        case "transaction_rank":
            return f"id: alike in all else, and {txn_won.name} comes before {txn_lost.name}"
        case "entry_rank":
            return f"id: alike in all else, and {unit_won.name} comes before {unit_lost.name}"
    raise AssertionError(f"no words for the criterion {criterion}")


class RecordView:
    """A replay as one record saw it."""

    def __init__(self, again: Replay, side: Side, number: int) -> None:
        self.again = again
        self.side = side
        self.own_rank = self._place(number)
        self.mates = again.mates(side, self.own_rank)
        row = again.transactions[self.own_rank] if side == Side.KSPAY else again.units[self.own_rank]
        self.rule: str | None = row.rule
        self.phase: int | None = self._phase_of(self.own_rank, self.mates)

    def _place(self, number: int) -> int:
        if self.side == Side.KSPAY:
            return next(rank for rank, row in self.again.transactions.items() if row.number == number)
        return next(int(row.rank) for row in self.again.entries if row.number == number)

    def _phase_of(self, own: int, mates: Sequence[int]) -> int | None:
        if self.side == Side.KSPAY:
            phase: int = self.again.transactions[own].phase
            return phase if mates else None
        return max((self.again.transactions[rank].phase for rank in mates), default=None)

    def _pair(self, other: int) -> tuple[int, int]:
        return (self.own_rank, other) if self.side == Side.KSPAY else (other, self.own_rank)

    def _other(self, seen: Seen) -> int:
        return seen.entry_rank if self.side == Side.KSPAY else seen.transaction_rank

    def _name(self, other: int) -> str:
        rows: Mapping[int, Any] = self.again.units if self.side == Side.KSPAY else self.again.transactions
        return str(rows[other].name)

    def _own_seen(self) -> list[Seen]:
        at = "transaction_rank" if self.side == Side.KSPAY else "entry_rank"
        return [seen for seen in self.again.seen if getattr(seen, at) == self.own_rank]

    def passes(self) -> list[dict[str, Any]]:
        """The passes in order, until the record was taken."""
        described: list[dict[str, Any]] = []
        if self.rule == "manual":
            return [
                {
                    "phase": None,
                    "rule": "manual",
                    "candidates": 0,
                    "taken_with": [*map(self._name, self.mates)],
                    "sums": [],
                }
            ]
        own_phase = self.again.transactions[self.own_rank].phase if self.side == Side.KSPAY else None
        for phase, rule in self.again.passes:
            if own_phase not in (None, phase):
                continue
            taken = (phase, rule) == (self.phase, self.rule)
            described.append(
                {
                    "phase": phase,
                    "rule": rule,
                    "candidates": sum((seen.phase, seen.rule) == (phase, rule) for seen in self._own_seen()),
                    "taken_with": [*map(self._name, self.mates)] if taken else [],
                    "sums": self._sums(phase, rule),
                }
            )
            if taken:
                break
        return described

    def _sums(self, phase: int, rule: str) -> list[dict[str, Any]]:
        keys = set()
        for (transaction_rank, entry_rank), shared in self.again.keys.items():
            if self.own_rank == (transaction_rank if self.side == Side.KSPAY else entry_rank):
                keys |= {f"the reference {key}" for kind, key in shared if kind == "reference"}
                keys |= {f"the name {key}" for kind, key in shared if kind == "transaction id"}
        return [
            dict(row._mapping)
            for row in self.again.sums
            if (row.phase, row.rule) == (phase, rule) and row.key in keys
        ]

    def candidates(self) -> list[dict[str, Any]]:
        """Every record of the other side that shares a key with it, and what came of the two."""
        others = sorted(
            {
                entry_rank if self.side == Side.KSPAY else transaction_rank
                for transaction_rank, entry_rank in self.again.keys
                if self.own_rank == (transaction_rank if self.side == Side.KSPAY else entry_rank)
            }
            | set(self.mates)
        )
        return [
            {
                "record": self._name(other),
                "shares": self._shared(other),
                "matched": other in self.mates,
                "why": self._came_of(other),
            }
            for other in others
        ]

    def _shared(self, other: int) -> list[dict[str, str]]:
        shared = self.again.keys.get(self._pair(other), [])
        # Where a reference is shared as it is written, its normalised form says nothing more.
        plainly = any(kind == "reference" for kind, _ in shared)
        return [
            {"kind": kind, "key": key}
            for kind, key in shared
            if not (plainly and kind == "normalised reference")
        ]

    def _came_of(self, other: int) -> str:
        if other in self.mates:
            return f"matched with it by {self.rule}{self._added_up()}"
        pair = self._pair(other)
        for seen in self.again.seen:
            if (seen.transaction_rank, seen.entry_rank) == pair:
                return self._lost(seen)
        taken_by = self._of_other(other)
        theirs = self._when(*taken_by) if taken_by else None
        ours = self._when(self.phase, self.rule) if self.rule else None
        if theirs is not None and (ours is None or theirs <= ours):
            assert taken_by
            phase, rule = taken_by
            return (
                f"was matched with {' and '.join(self._mates_of(other))} before, by {rule}{_in_phase(phase)}"
            )
        if ours is not None:
            return f"not considered: this one was matched before, by {self.rule}{_in_phase(self.phase)}"
        return "no rule pairs them: they share no more than this, and they are not the only ones still free that do"

    def _added_up(self) -> str:
        """For a match that a rule added up: the sum of the parts, and its difference to the one record."""
        if self.rule not in _SPLITS or self.rule is None:
            return ""
        own = (self.again.transactions if self.side == Side.KSPAY else self.again.units)[self.own_rank]
        of_match = [
            [row for row in rows.values() if row.match_rank == own.match_rank]
            for rows in (self.again.transactions, self.again.units)
        ]
        (whole, *others), parts = sorted(of_match, key=len)
        if others or len(parts) < 2:
            return ""
        what = "entries" if parts is of_match[1] else "transactions"
        total = exact_sum(part.amount for part in parts)
        missed = exact_sum((total, whole.amount.copy_negate()))
        direction = "less" if missed < 0 else "more"
        apart = f", {missed.copy_abs():f} {direction} than {whole.amount:f}" if missed else ""
        return f": {len(parts)} {what} add up to {total:f}{apart}"

    def _lost(self, lost: Seen) -> str:
        """Why a possible pair was not taken: the pair before it that took one of the two."""
        for won in self.again.seen:
            if (won.phase, won.rule) != (lost.phase, lost.rule) or won.pair_rank >= lost.pair_rank:
                continue
            if not self._taken(won) or (
                won.transaction_rank != lost.transaction_rank and won.entry_rank != lost.entry_rank
            ):
                continue
            reason = why(self.again, won, lost)
            if self._other(won) != self._other(lost):
                return f"lost to {self._name(self._other(won))} in {lost.rule}{_in_phase(lost.phase)}, by {reason}"
            rival = (
                self.again.units[won.entry_rank].name
                if self.side == Side.LEDGER
                else self.again.transactions[won.transaction_rank].name
            )
            return f"went to {rival} in {lost.rule}{_in_phase(lost.phase)}, by {reason}"
        raise AssertionError(f"nothing took {lost}")

    def _taken(self, seen: Seen) -> bool:
        txn, unit = self.again.transactions[seen.transaction_rank], self.again.units[seen.entry_rank]
        return txn.match_rank is not None and txn.match_rank == unit.match_rank and txn.rule == seen.rule

    def _of_other(self, other: int) -> tuple[int, str] | None:
        rows: Mapping[int, Any] = self.again.units if self.side == Side.KSPAY else self.again.transactions
        row = rows[other]
        if row.match_rank is None:
            return None
        return self.again.transactions[row.match_rank].phase, row.rule

    def _mates_of(self, other: int) -> list[str]:
        if self.side == Side.KSPAY:
            return [self.again.transactions[rank].name for rank in self.again.mates(Side.LEDGER, other)]
        return [self.again.units[rank].name for rank in self.again.mates(Side.KSPAY, other)]

    def _when(self, phase: int | None, rule: str | None) -> int:
        if rule == "manual":
            return -1
        return self.again.passes.index((phase or 1, rule or ""))

    def group(self) -> list[dict[str, Any]]:
        """All records that share keys with it, directly or through others, and what became of each."""
        return [
            *(
                {
                    "side": str(Side.KSPAY),
                    "record": row.name,
                    "family": row.family,
                    "currency": row.currency,
                    "amount": row.amount,
                    "business_date": row.business_on,
                    "part_of": None,
                    "rule": row.rule,
                }
                for row in self.again.transactions.values()
            ),
            # Of a booking each entry with what it says itself.
            *(
                {
                    "side": str(Side.LEDGER),
                    "record": row.name,
                    "family": row.own_family,
                    "currency": row.own_currency,
                    "amount": row.own_amount,
                    "business_date": row.own_business_on,
                    "part_of": row.part_of,
                    "rule": row.rule,
                }
                for row in self.again.entries
            ),
        ]


def _in_phase(phase: int | None) -> str:
    return f" (phase {phase})" if phase else ""
