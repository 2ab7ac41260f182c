"""What `reconcile explain` works out agrees with what the engine did, on random worlds where everything collides."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from reconcile.core.records import Side
from reconcile.match.engine import run_step
from reconcile.match.policy import state_policy
from reconcile.match.replay import RecordView, replay
from tests.integration.match.test_oracle import long, run_engine, settings_of
from tests.support.worlds import World, worlds


@pytest.fixture(scope="module")
def connection(fresh_engine: Engine) -> Iterator[Connection]:
    with fresh_engine.connect() as connection:
        yield connection


def stored(connection: Connection, side: str, number: int) -> dict[tuple[int, int], str]:
    """The pairs of the match that a record stands in, by the rules of groups; suggestions are beyond them."""
    rows = connection.execute(
        text(
            "select p.transaction_no, p.entry_no, p.rule from pairings p where p.rule <> 'amount_date'"
            " and p.match_no in (select match_no from pairings"
            " where case :side when 'kspay' then transaction_no else entry_no end = :number)"
        ),
        {"side": side, "number": number},
    )
    return {(row.transaction_no, row.entry_no): row.rule for row in rows}


@long(8)
@given(st.data(), worlds())
def test_the_replay_of_any_record_ends_as_the_run_did(
    connection: Connection, data: st.DataObject, world: World
) -> None:
    try:
        run_engine(connection, world)
        records = connection.execute(
            text(
                "select 'kspay' as side, app_id, number, transaction_id as name from transactions"
                " union all select 'ledger', app_id, number, source || ':' || ledger_id from entries order by 1, 2, 4"
            )
        ).all()
        if not records:
            return
        one = data.draw(st.sampled_from(records))
        wanted = stored(connection, one.side, one.number)
        connection.execute(text("discard temp"))
        state_policy(connection, settings_of(world), (one.app_id,))
        run_step(connection, "scope/by_hand")
        again = replay(connection, one.side, one.number)
        found = {
            pair: rule for pair, rule in again.pairs().items() if pair[one.side == Side.LEDGER] == one.number
        }
        # A match of several is stored as a star: not every pair of it, but each record of it.
        assert wanted.items() <= again.pairs().items()
        assert bool(wanted) == bool(found)
        # The columns of a pair, in their order, are what it was ranked by: `why` names the first that differs.
        for one_pass in again.passes:
            ranked = [
                list(seen.criteria.values()) for seen in again.seen if (seen.phase, seen.rule) == one_pass
            ]
            assert ranked == sorted(ranked)
        view = RecordView(again, Side(one.side), one.number)
        passes = view.passes()
        assert [step["rule"] for step in passes if step["taken_with"]] == sorted(set(found.values()))
        candidates = view.candidates()
        assert {c["record"] for c in candidates if c["matched"]} >= set(passes[-1]["taken_with"])
        assert all(c["why"] for c in candidates)
    finally:
        connection.rollback()
