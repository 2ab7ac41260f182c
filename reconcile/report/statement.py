"""The close statement of a month: what was open at its start, what changed, and what is open at its end.

Opening + new + reopened + changed + cleared + what people decided = closing, in number and amount, for every app and
currency. Items that are no longer open count with a minus. The lines are computed from the movements that each run
wrote, from the opening run to the closing run. Two checks must hold: the lines add up, and the open items after every
run are those that the run itself reported. Otherwise no statement is written.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from reconcile.core.errors import CheckFailed, UsageError
from reconcile.core.money import exact_sum
from reconcile.core.people import same_person
from reconcile.db.sql_files import read_sql
from reconcile.report.close_trail import newest
from reconcile.report.frames import Total, frame_of, totals

DECIDED = ("accept", "write_off", "ignore", "match")
"""The lines of what people decided, each named as their decision."""

LINES = ("opening", "new", "reopened", "changed", "cleared", *DECIDED, "closing")

_NOTHING = Total(0, Decimal(0))


class Item(NamedTuple):
    """An open discrepancy as it is after a run."""

    type: str
    facts: str
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Movement:
    """How one discrepancy changed the open items of a currency in one run; or what it is at the opening or closing."""

    line: str
    discrepancy_id: str
    type: str
    app_id: str
    currency: str
    count: int  # change in the number of open items: 1, 0 or -1
    amount: Decimal  # change in the amount at stake
    run_id: str
    as_of: date
    decision: str | None = None
    by: str | None = None
    side: str = ""  # of the record that it is about
    record: str = ""
    note: str = ""  # the newest when the closing run ended
    people: Sequence[str] = ()  # all who took the decision, one by one


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the statement."""

    app_id: str
    currency: str
    line: str
    items: int  # how many discrepancies (opening, closing) or movements it sums up
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Position:
    """The run whose open items are those of the opening or the closing of one app."""

    app_id: str
    run: int
    run_id: str
    as_of: date
    open: Sequence[Mapping[str, Any]]  # as in its run.json
    decisions: int = 0  # how many there were when it ended


@dataclass(frozen=True, slots=True)
class Statement:
    """The close of one month."""

    month: str
    last: date
    opening: Mapping[str, Position]  # by app; an app without an earlier run has none
    closing: Mapping[str, Position]
    lines: Sequence[Line]
    movements: Sequence[Movement]
    ends: Sequence[Movement] = ()  # the open items of opening and closing

    @property
    def items(self) -> list[Movement]:
        """What stands behind the lines, in their order."""
        return in_order((*self.ends, *self.movements))

    @property
    def preparers(self) -> dict[str, int]:
        """Who took or confirmed the decisions behind the lines, and how many; each person in one spelling."""
        found: dict[str, int] = {}
        named = (name for movement in self.movements if movement.line in DECIDED for name in movement.people)
        for name in sorted(named):
            known = next((other for other in found if same_person(name, other)), name)
            found[known] = found.get(known, 0) + 1
        return found


def in_order(items: Iterable[Movement]) -> list[Movement]:
    """By app, currency and line; those of a line as they come."""
    return sorted(
        items,
        key=lambda movement: (
            movement.app_id,
            not movement.currency,
            movement.currency,
            LINES.index(movement.line),
        ),
    )


def month_days(month: str, what: str = "--period") -> tuple[date, date]:
    """The first and the last day of `2026-08`. Raises UsageError for anything else."""
    if not re.fullmatch("[1-9][0-9]{3}-(0[1-9]|1[0-2])", month):
        raise UsageError(f"{what} {month!r} is not a month; write it as 2026-08")
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def no_run(month: str, timezone: ZoneInfo) -> str:
    """What is wrong with a month that has no run, and what to do."""
    first, last = month_days(month)
    today = datetime.now(timezone).date()  # a run of a day to come is refused
    if first > today:
        return f"that month has not begun: today is {today} in {timezone.key}"
    return (
        f"no finished run is as of a day of that month: run it with reconcile run --from {first} --to "
        f"{min(last, today)}; reconcile runs lists all runs"
    )


def statement_of(connection: Connection, month: str, timezone: ZoneInfo) -> Statement:
    """Work out the statement of a month, on a connection that sees one state of the database.

    Raises UsageError if no run is as of a day of the month, and CheckFailed if the statement does not add up.
    """
    first, last = month_days(month)
    closing = positions(connection, last)
    if not any(first <= position.as_of for position in closing.values()):
        raise UsageError(f"--period {month}: {no_run(month, timezone)}")
    return between(connection, month, openings(connection, month), closing)


def openings(connection: Connection, month: str) -> dict[str, Position]:
    """By app, the run whose open items a month begins with.

    A closed month stays as it was closed: the next one begins with that, and not with what ran since.
    """
    before = month_days(month)[0] - timedelta(days=1)
    earlier = newest(connection, f"{before:%Y-%m}")
    closed = {} if earlier is None else closing_of(connection, earlier.content["closing"])
    return dict(sorted((positions(connection, before) | closed).items()))


def between(
    connection: Connection, month: str, opening: Mapping[str, Position], closing: Mapping[str, Position]
) -> Statement:
    """What leads from the open items of some runs to those of others, by app. Raises CheckFailed if nothing does."""
    lines: list[Line] = []
    movements: list[Movement] = []
    ends: list[Movement] = []
    for app_id, position in closing.items():
        before, of_app, final = _movements(connection, opening.get(app_id), position)
        lines += _lines(app_id, of_app, opening.get(app_id), position)
        movements += _with_records(connection, of_app, position)
        ends += _with_records(
            connection,
            [*_ends("opening", before, opening.get(app_id)), *_ends("closing", final, position)],
            position,
        )
    return Statement(month, month_days(month)[1], opening, closing, lines, movements, ends)


def positions(connection: Connection, day: date) -> dict[str, Position]:
    """By app, the run whose open items are those of a day."""
    rows = connection.execute(text(read_sql("report/statement/position")), {"day": day})
    found = {
        row.app_id: Position(row.app_id, row.run, row.run_id, row.as_of, row.open, row.decisions or 0)
        for row in rows
    }
    return dict(sorted(found.items()))


def closing_of(connection: Connection, stored: Mapping[str, Any]) -> dict[str, Position]:
    """The positions that a closed version names."""
    rows = connection.execute(
        text(read_sql("report/statement/runs")), {"runs": [position["run"] for position in stored.values()]}
    )
    said = {row.number: row.open for row in rows}
    return {
        app_id: Position(
            app_id,
            position["run"],
            position["run_id"],
            date.fromisoformat(position["as_of"]),
            said[position["run"]],
            position["decisions"],
        )
        for app_id, position in sorted(stored.items())
    }


def _ends(line: str, items: Mapping[str, Item], position: Position | None) -> list[Movement]:
    if position is None:
        return []
    return [
        Movement(
            line,
            key,
            item.type,
            position.app_id,
            item.currency,
            1,
            item.amount,
            position.run_id,
            position.as_of,
        )
        for key, item in sorted(items.items())
    ]


def _with_records(connection: Connection, items: Sequence[Movement], closing: Position) -> list[Movement]:
    """The items with the record of each and its newest note."""
    asked = {"ids": sorted({item.discrepancy_id for item in items}), "head": closing.decisions}
    rows = connection.execute(text(read_sql("report/statement/records")), asked)
    records = {row.discrepancy_id: row for row in rows}
    return [
        replace(item, side=row.side, record=row.record_id, note=row.note or "")
        for item in items
        for row in [records[item.discrepancy_id]]
    ]


def leading_runs(
    connection: Connection, opening: Position | None, closing: Position
) -> tuple[list[int], list[int]]:
    """The runs that lead to the closing, and those that lead to the opening."""
    return _chain(connection, closing), _chain(connection, opening)


def out_of_order(opening: Mapping[str, Position], closing: Mapping[str, Position]) -> dict[str, str]:
    """By app, in words: the opening run was made after the closing run, whose open items lack what it found.

    A statement between the two would call that cleared.
    """
    return {
        app_id: f"run {opening[app_id].run_id}, with which the month begins, was made after run {position.run_id}, "
        "with which it ends, and what it found is not in that one"
        for app_id, position in closing.items()
        if app_id in opening and opening[app_id].run > position.run
    }


def _chain(connection: Connection, position: Position | None) -> list[int]:
    """The run of a position and the runs before it, back to the first."""
    if position is None:
        return []
    rows = connection.execute(
        text("select run, base from run_bases where app_id = :app_id"), {"app_id": position.app_id}
    )
    bases = dict(rows.tuples().all())
    chain, run = [], position.run
    while run is not None:
        chain.append(run)
        run = bases[run]
    return chain


def _items(connection: Connection, position: Position | None, chain: list[int]) -> dict[str, Item | None]:
    """All discrepancies that were open in any of these runs; None for those that no longer are."""
    if position is None:
        return {}
    rows = connection.execute(
        text(read_sql("report/statement/items")), {"app_id": position.app_id, "runs": chain}
    )
    found = {
        row.discrepancy_id: None
        if row.amount is None
        else Item(row.type, row.facts, row.currency, row.amount)
        for row in rows
    }
    _prove(position.app_id, position.run_id, position.open, found.values())
    return found


def _prove(app_id: str, run_id: str, said: Sequence[Mapping[str, Any]], items: Iterable[Item | None]) -> None:
    """Check that number and amount of the open items are those that the run reported. Raises CheckFailed otherwise."""
    found = totals(
        frame_of(((item.currency, item.amount) for item in items if item is not None), "currency", "amount"),
        "currency",
    )
    its = _said(app_id, said)
    for currency in sorted(found.keys() | its.keys()):
        there = found.get(currency, _NOTHING)
        count, amount = its.get(currency, _NOTHING)
        if there != (count, amount):
            raise _unproven(
                f"after run {run_id} there are {there.number} open items of {there.amount:f} {currency}, "
                f"but the run reported {count} of {amount:f}"
            )


def _said(app_id: str, said: Sequence[Mapping[str, Any]]) -> dict[str, Total]:
    """By currency, the open items of an app that a run reported, of all severities."""
    found: dict[str, Total] = {}
    for row in said:
        if row["app_id"] == app_id:
            number, amount = found.get(row["currency"], _NOTHING)
            found[row["currency"]] = Total(number + row["count"], exact_sum((amount, Decimal(row["amount"]))))
    return found


def _unproven(what: str) -> CheckFailed:
    return CheckFailed(
        f"the close statement does not add up, so none is written: {what}; "
        "somebody may have changed the database: reconcile doctor checks more"
    )


def _movements(
    connection: Connection, opening: Position | None, closing: Position
) -> tuple[dict[str, Item], list[Movement], dict[str, Item]]:
    """The open items of the opening, what moved them, and those of the closing."""
    before, after = _chain(connection, opening), _chain(connection, closing)
    known = _items(connection, opening, before)
    final = {key: item for key, item in _items(connection, closing, after).items() if item is not None}
    began = {key: item for key, item in known.items() if item is not None}
    state = dict(began)
    moved: list[Movement] = []
    asked = {"app_id": closing.app_id, "runs": sorted(set(after) - set(before))}
    follows = opening is None or opening.run in after
    of_run = defaultdict(list)
    for row in connection.execute(text(read_sql("report/statement/movements")), asked):
        of_run[row.run].append(row)
    for run in connection.execute(text(read_sql("report/statement/runs")), asked):
        for row in of_run[run.number]:
            item = None if row.amount is None else Item(row.type, row.facts, row.currency, row.amount)
            kind = "reopened" if row.kind == "new" and row.discrepancy_id in known else row.kind
            moved += _moves(state, row.discrepancy_id, item, kind, closing.app_id, row)
            known.setdefault(row.discrepancy_id)
        if follows:
            _prove(closing.app_id, run.run_id, run.open, state.values())
    if not follows:
        # The opening run was made after the closing run and knows more, so some of its items are not in the closing.
        for key in sorted(state.keys() | final.keys()):
            kind = "reopened" if key in final else "cleared"
            moved += _moves(state, key, final.get(key), kind, closing.app_id, closing)
    if state != final:
        raise _unproven(f"the movements do not lead to the open items of run {closing.run_id}")
    return began, moved, final


def _moves(
    state: dict[str, Item], key: str, after: Item | None, kind: str, app_id: str, where: Any
) -> list[Movement]:
    """Change one discrepancy to `after`: one movement, two if its currency changed, none if nothing did."""
    before = state.get(key)
    shown = after or before
    if shown is None or before == after:
        return []
    if after is None:
        del state[key]
    else:
        state[key] = after
    line = "changed" if before and after else where.decision if kind == "resolved" else kind
    changes: dict[str, tuple[int, Decimal]] = {}
    for item, sign in ((before, -1), (after, 1)):
        if item is not None:
            count, amount = changes.get(item.currency, (0, Decimal(0)))
            by = item.amount if sign > 0 else item.amount.copy_negate()  # `-amount` would round to 28 digits
            changes[item.currency] = (count + sign, exact_sum((amount, by)))
    decided = line in (*DECIDED, "reopened")
    return [
        Movement(
            line,
            key,
            shown.type,
            app_id,
            currency,
            count,
            amount,
            where.run_id,
            where.as_of,
            getattr(where, "decision", None) if decided else None,
            getattr(where, "by", None) if decided else None,
            people=(getattr(where, "people", None) or ()) if decided else (),
        )
        for currency, (count, amount) in changes.items()
    ]


def _lines(
    app_id: str, movements: Sequence[Movement], opening: Position | None, closing: Position
) -> list[Line]:
    moved = frame_of(
        ((movement.currency, movement.line, movement.count, movement.amount) for movement in movements),
        "currency", "line", "change", "amount",
    )  # fmt: skip
    amounts = totals(moved, "currency", "line")
    changes = moved.groupby(["currency", "line"], sort=False)["change"].sum()
    ends = {}
    for name, position in (("opening", opening), ("closing", closing)):
        for currency, total in _said(app_id, position.open if position else ()).items():
            ends[currency, name] = total
    lines = []
    for currency in sorted({key[0] for key in (*amounts, *ends)}, key=lambda code: (not code, code)):
        of_currency = []
        for line in LINES:
            key = (currency, line)
            items, amount = ends.get(key) or amounts.get(key, _NOTHING)
            of_currency.append(Line(app_id, currency, line, items, int(changes.get(key, items)), amount))
        *terms, end = of_currency
        count, amount = sum(term.count for term in terms), exact_sum(term.amount for term in terms)
        if (count, amount) != (end.count, end.amount):
            raise _unproven(
                f"the lines of {currency or 'no currency'} add up to {count} items of {amount:f}, but the closing is "
                f"{end.count} of {end.amount:f}"
            )
        lines += of_currency
    return lines
