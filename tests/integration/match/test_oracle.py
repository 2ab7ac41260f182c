"""The engine in SQL against the oracle in plain Python, on random worlds where everything collides."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import zip_longest
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import match
from reconcile.report.matched_csv import state_digits
from reconcile.settings import Settings
from tests.oracle import D, E, Elsewhere, M, Outcome, Repeated, T, reconcile
from tests.oracle import match as match_all
from tests.support.arrivals import arrive, record_run
from tests.support.worlds import REFUNDED_WORDS, World, entry, tx, worlds


@pytest.fixture(scope="module")
def connection(fresh_engine: Engine) -> Iterator[Connection]:
    with fresh_engine.connect() as connection:
        yield connection


def settings_of(world: World) -> Settings:
    """The settings that say what the world's policy says."""
    policy = world.policy
    return Settings(
        timezone=ZoneInfo(policy.timezone),
        tolerances=policy.tolerance,
        date_tolerance_days=policy.date_tolerance_days,
        duplicate_days=policy.duplicate_days,
        grace_days=policy.grace_days,
        stale_pending_hours=policy.stale_pending_hours,
        accept_suggestions=policy.accept_suggestions,
        fees=policy.fees,
    )


def run_engine(connection: Connection, world: World, nights: Sequence[World] = ()) -> Outcome:
    """The world in the database, matched; the caller rolls back.

    `nights` are what arrived before, possibly saying something else, each matched in its turn.
    """
    apps = tuple(sorted({"ap_1", "ap_2"} | {one.app for each in (*nights, world) for one in each.records}))
    for day in world.covered:
        record_run(connection, str(day), apps, Period(day, day), "finished")
    for number, night in enumerate((*nights, world)):
        said_at = datetime(2026, 9, 1 + number, tzinfo=UTC)
        arrive(connection, night.transactions, night.entries, apps, said_at, night.broken)
        connection.execute(text("discard temp"))
        run_id = f"night {number}"
        record_run(connection, run_id, apps, night.period, "running")
        match(connection, settings_of(night), run_id, apps, night.period, silent)
    return _read(connection)


def _read(connection: Connection) -> Outcome:
    found = Outcome()
    pairs = connection.execute(
        text(
            "select p.match_no, p.rule, p.app_id, t.transaction_id, e.source, e.ledger_id from pairings p"
            " inner join transactions t on t.number = p.transaction_no inner join entries e on e.number = p.entry_no"
            " where p.match_no in (select match_no from pairings where transaction_no in"
            " (select number from period_transaction)"
            " or entry_no in (select number from period_entry))"
        )
    ).all()
    fees = dict(connection.execute(text("select match_no, fee from result_allowed")).tuples().all())
    for match_no in {row.match_no for row in pairs}:
        rows = [row for row in pairs if row.match_no == match_no]
        found.matches.add(
            M(
                rows[0].rule,
                frozenset(row.transaction_id for row in rows),
                frozenset((row.source, row.ledger_id) for row in rows),
                rows[0].app_id,
                fees.get(match_no),
            )
        )
    reported = connection.execute(
        text(
            "select row.discrepancy_id, row.type, row.severity, reported.aspect, row.app_id, row.difference,"
            ' (select array_agg(transaction_id order by transaction_id collate "C") from involved'
            " inner join shown_transaction using (number) where found_no = reported.found_no"
            " and involved.side = 'kspay')"
            " as transactions,"
            " (select array_agg(array[source, ledger_id]) from involved"
            " inner join shown_entry using (number) where found_no = reported.found_no"
            " and involved.side = 'ledger') as entries,"
            " row.kspay_refunded, row.ledger_refunded, row.other_date,"
            " row.other_key, row.other_by_name, row.others,"
            " (select array_remove(array[source, record_id], null) from other_record"
            " where found_no = reported.found_no and not is_mate) as other,"
            " (select array_agg(array_remove(array[source, record_id], null)) from other_record"
            " where found_no = reported.found_no and is_mate) as mates"
            " from reported_row as row inner join reported using (discrepancy_id)"
        )
    )
    for row in reported:
        mates = frozenset(map(tuple, row.mates or ()))
        found.discrepancies.add(
            D(
                row.type,
                row.severity,
                row.app_id,
                tuple(row.transactions or ()),
                tuple(sorted((source, ledger_id) for source, ledger_id in row.entries or ())),
                row.aspect,
                row.difference,
                Repeated(tuple(row.other), row.other_date, mates) if row.other and not row.others else None,
                row.kspay_refunded,
                row.ledger_refunded,
                Elsewhere(row.other_key, row.other_by_name, row.others, tuple(row.other), mates)
                if row.others
                else None,
            )
        )
    for row in connection.execute(
        text(
            "select t.app_id, t.transaction_id, array_agg(array[e.source, e.ledger_id]) as entries from suggestion"
            " inner join transactions t on t.number = suggestion.transaction_no"
            " left join bookings on bookings.app_id = t.app_id and lead_no = suggestion.entry_no"
            " inner join entries e on e.number in (suggestion.entry_no, bookings.entry_no)"
            " cross join policy where not accept_suggestions and suggestion.kind is null"
            " group by t.app_id, t.transaction_id"
        )
    ):
        found.suggestions.add(
            M(
                "amount_date",
                frozenset({row.transaction_id}),
                frozenset((source, ledger_id) for source, ledger_id in row.entries),
                row.app_id,
            )
        )
    for row in connection.execute(
        text("select scope, side, currency, outcome, records, amount from summary")
    ):
        found.summary[row.scope, row.side, row.currency, row.outcome] = (row.records, row.amount)
    for row in connection.execute(text("select currency, line, records, amount from result_bridge")):
        found.bridge[row.currency, row.line] = (row.records, row.amount)
    return found


Line = tuple[str, str, str]


def listed(connection: Connection) -> list[Line]:
    """Rule, transactions and ledger ids of each line of matched.csv."""
    state_digits(connection, Settings().currencies)
    rows = connection.execute(text(read_sql("report/matched"))).all()
    return sorted((row.rule, row.transaction_ids, row.ledger_ids) for row in rows)


def shared_ids(connection: Connection) -> set[tuple[str, str]]:
    """App and ledger id, where several sources have the id."""
    several = (
        "select app_id, ledger_id from entries group by app_id, ledger_id having count(distinct source) > 1"
    )
    return set(connection.execute(text(several)).tuples().all())


def line(match: M, shared: set[tuple[str, str]]) -> Line:
    """What the line of a match says of it."""
    ids = (f"{source}:{one}" if (match.app, one) in shared else one for source, one in match.entries)
    return match.rule, ";".join(sorted(match.transactions)), ";".join(sorted(ids))


def without_totals(outcome: Outcome) -> dict[tuple[str, str, str, str], object]:
    return {key: value for key, value in outcome.summary.items() if key[3] not in ("total", "quarantined")}


def agree(connection: Connection, world: World, nights: Sequence[World] = ()) -> None:
    expected = reconcile(world.transactions, world.entries, world.policy, world.period, set(world.covered))
    try:
        found = run_engine(connection, world, nights)
        lines, shared = listed(connection), shared_ids(connection)
        suggested = match_all(world.transactions, world.entries, world.policy).suggestions
    finally:
        connection.rollback()
    assert found.matches == expected.matches
    assert lines == sorted(line(match, shared) for match in expected.matches)
    assert found.suggestions == suggested
    # The oracle knows no quarantine: what is in it does not exist for matching.
    assert {d for d in found.discrepancies if d.type != "INVALID_RECORD"} == expected.discrepancies
    assert without_totals(found) == without_totals(expected)
    bridge = {key: value for key, value in found.bridge.items() if key[1] != "quarantined"}
    assert bridge == expected.bridge


@st.composite
def nights_before(draw: st.DrawFn, world: World) -> list[World]:
    """Up to three nights on which parts of a world arrived, some of it saying something else at first.

    Some was in quarantine then, some had settings of its own. What a night knew that the world does not is
    in quarantine at its end.
    """
    nights = []
    for _ in range(draw(st.integers(1, 3))):
        other = draw(worlds(most=9))
        came = draw(_some_of(world, other))
        if draw(st.integers(0, 3)) == 0:
            came = replace(came, policy=other.policy, period=other.period)
        nights.append(came)
    return nights


@st.composite
def _some_of(draw: st.DrawFn, world: World, other: World) -> World:
    """Some records of a world, some of them with what another's say, and some that cannot be used."""
    transactions: list[T] = []
    entries: list[E] = []
    broken: list[T | E] = []
    for t in world.transactions:
        if draw(st.booleans()):
            if other.transactions and draw(st.integers(0, 3)) == 0:
                t = replace(draw(st.sampled_from(other.transactions)), id=t.id, app=t.app)
            elif t.family == "refunded":
                t = replace(t, word=draw(st.sampled_from(REFUNDED_WORDS)))
            (broken if draw(st.integers(0, 5)) == 0 else transactions).append(t)
    for e in world.entries:
        if draw(st.booleans()):
            if other.entries and draw(st.integers(0, 3)) == 0:
                e = replace(draw(st.sampled_from(other.entries)), id=e.id, app=e.app, source=e.source)
            (broken if draw(st.integers(0, 5)) == 0 else entries).append(e)
    return replace(world, transactions=tuple(transactions), entries=tuple(entries), broken=tuple(broken))


@st.composite
def ghosts(draw: st.DrawFn, world: World) -> tuple[World, tuple[T | E, ...]]:
    """A night with records that the world does not know, of its words, and those records."""
    other = draw(worlds(most=6))
    ts = [replace(t, id=f"{t.id}g", reference=draw(_a_reference(world, t))) for t in other.transactions]
    named = draw(st.booleans())
    if ts and named:
        ts[0] = replace(ts[0], id="tx_unknown")  # some entries of every world name it
    es = [
        replace(
            e,
            id=f"{e.id}g",
            reference=draw(_a_reference(world, e)),
            transaction_id=e.transaction_id
            and draw(st.sampled_from((e.transaction_id, ts[0].id if ts else None))),
        )
        for e in other.entries
    ]
    night = replace(world, transactions=(*world.transactions, *ts), entries=(*world.entries, *es))
    return night, (*ts, *es)


def _a_reference(world: World, own: T | E) -> st.SearchStrategy[str | None]:
    records: tuple[T | E, ...] = (own, *world.transactions, *world.entries)
    return st.sampled_from([record.reference for record in records])


def together(several: Sequence[World]) -> World:
    """Worlds as one, under the settings of the first."""
    return several[0].beside(several[1:])


def side_by_side(world: World, histories: Sequence[Sequence[World]]) -> list[World]:
    """The nights of several worlds as nights of one; where a history is shorter, nothing comes to its apps any more."""
    nothing = replace(world, transactions=(), entries=(), broken=())
    return [together(nights) for nights in zip_longest(*histories, fillvalue=nothing)]


def scaled(usual: int) -> int:
    """So many worlds, or as many times more as the profile tries more than hypothesis does by itself."""
    return usual * max(100, settings().max_examples) // 100


def long(usual: int) -> settings:
    """Tries a usual number of worlds, or many more under the profile `full`."""
    return settings(
        max_examples=scaled(usual),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )


@long(15)
@given(st.lists(worlds(), min_size=1, max_size=8))
def test_engine_and_oracle_agree(connection: Connection, several: list[World]) -> None:
    """Each world has apps of its own: nothing in one changes another, and many take hardly longer than one."""
    agree(connection, together(several))


@long(7)
@given(st.data(), st.lists(worlds(most=9), min_size=3, max_size=8))
def test_any_order_of_arrival_ends_in_the_same_state(
    connection: Connection, data: st.DataObject, several: list[World]
) -> None:
    histories = [data.draw(nights_before(world)) for world in several]
    agree(connection, together(several), side_by_side(several[0], histories))


@long(4)
@given(st.data(), st.lists(worlds(most=7), min_size=1, max_size=4))
def test_what_goes_into_quarantine_is_as_if_it_had_never_come(
    connection: Connection, data: st.DataObject, several: list[World]
) -> None:
    nights, left = [], []
    for world in several:
        night, unusable = data.draw(ghosts(world))
        nights.append(night)
        left.append(replace(world, broken=unusable))
    agree(connection, together(left), [together(nights)])


@long(2)
@given(st.data(), worlds(most=7))
def test_a_key_that_hundreds_carry_is_none_and_becomes_one_again(
    connection: Connection, data: st.DataObject, world: World
) -> None:
    """One reference on 499 to 502 records of one side, in some order of arrival, fewer or more of them at the end."""
    crowd = data.draw(st.integers(499, 502))
    later = data.draw(st.integers(499, 502))
    of_ledger = data.draw(st.booleans())

    def crowded(records: int) -> World:
        # Amounts of their own, so that nothing but the reference joins them to the world.
        if of_ledger:
            more = [entry(1000 + n, "R1" if n < records else "X", str(1000 + n)) for n in range(503)]
            return replace(world, entries=(*world.entries, *more))
        rest = [tx(1000 + n, "R1" if n < records else "X", str(1000 + n)) for n in range(503)]
        return replace(world, transactions=(*world.transactions, *rest))

    agree(connection, crowded(later), [crowded(crowd)])
