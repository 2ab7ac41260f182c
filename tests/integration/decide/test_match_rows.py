"""What a `match` in a row may match, and what it takes where it names no ids."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reconcile.decide.result import RowsRefused
from tests.support.arrivals import arrive
from tests.support.desk import Desk, new_app
from tests.support.stories import of, refused, story
from tests.support.worlds import entry, tx


@story
def test_a_repeated_match_stands_on_its_records(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B")))
    row = desk.one("MISSING_IN_LEDGER") | {"resolution": "match:L1"}
    assert desk.resolve(row).decisions == 1
    desk.night()
    assert desk.pairs == {("manual", "tx_1", "L1")}
    assert {r["status"] for r in desk.rows} == {"resolved"}
    assert desk.resolve(row).unchanged == 1
    desk.night((), of(desk, entry(1, "B", "90")))
    assert desk.pairs == set()
    assert desk.statuses() == {"MISSING_IN_LEDGER": "reopened", "MISSING_IN_KSPAY": "open"}
    # Both records lie open again, and the entry is another one than the person saw.
    assert desk.resolve(row).decisions == 1
    desk.night()
    assert desk.pairs == {("manual", "tx_1", "L1")}


@story
def test_match_of_one_with_several_either_way(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A"), tx(2, "B", "40"), tx(3, "C", "60")), of(desk, entry(1, "X", "100")))
    desk.resolve(desk.one("MISSING_IN_KSPAY") | {"resolution": "match:tx_3; tx_2"})
    desk.night()
    assert desk.pairs == {("manual", "tx_2", "L1"), ("manual", "tx_3", "L1")}
    assert desk.statuses() == {"MISSING_IN_LEDGER": "open", "MISSING_IN_KSPAY": "resolved"}


@story
def test_match_of_a_booking_joins_its_entries_whichever_is_named(desk: Desk) -> None:
    """A sale and the refund of it are one booking: it is matched as one, by the id of either."""
    desk.night(
        of(desk, tx(1, "A", family="refunded")), of(desk, entry(1, "B"), entry(2, "B", "-100", day=11))
    )
    for named in ("L1", "L2", "L2;L1", f"{'default'}:L2"):
        row = desk.one("MISSING_IN_LEDGER") | {"resolution": f"match:{named}"}
        desk.resolve(row)
        desk.night()
        assert desk.pairs == {("manual", "tx_1", "L1"), ("manual", "tx_1", "L2")}, named
        desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": "reopen"})
        desk.night()
        assert desk.pairs == set()
    row = desk.one("MISSING_IN_KSPAY") | {"resolution": "match:tx_1"}
    desk.resolve(row)
    desk.night()
    assert desk.pairs == {("manual", "tx_1", "L1"), ("manual", "tx_1", "L2")}


@story
def test_a_ledger_id_of_two_sources_must_be_told_apart(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B"), entry(1, "C", source="tally")))
    row = desk.one("MISSING_IN_LEDGER")
    said = refused(desk, row | {"resolution": "match:L1"})
    assert said == "several entries have the ledger id L1: write default:L1 or tally:L1"
    desk.resolve(row | {"resolution": "match:tally:L1"})
    desk.night()
    assert {row["ledger_id"] for row in desk.rows if row["rule"] == "manual"} == {"tally:L1"}


def test_what_a_match_may_not_join_is_said(desk: Desk, fresh_engine: Engine, tmp_path: Path) -> None:
    other = Desk(fresh_engine, tmp_path, None, new_app())
    other.night((), of(other, entry(77, "Z")))
    desk.night(
        of(desk, tx(1, "A"), tx(2, "B", "40"), tx(3, "C", "60")), of(desk, entry(1, "X"), entry(2, "Y"))
    )
    rows = {row["transaction_id"] or row["ledger_id"]: row for row in desk.rows}
    app = desk.apps[0]
    for record, resolution, reason in (
        ("tx_1", "matching", "'matching' is not a decision"),
        ("tx_1", "match:", "names no record"),
        ("tx_1", "match: ; ;", "names no record"),
        ("tx_1", "accept:L1", "'accept:L1' is not a decision"),
        ("tx_1", "match:L9", f"L9 is not known as a ledger entry of app {app}"),
        (
            "tx_1",
            "match:tx_2",
            "tx_2 is a transaction, and so is this discrepancy's record: name a ledger entry",
        ),
        ("L1", "match:L2", "L2 is a ledger entry, and so is this discrepancy's record: name a transaction"),
        ("tx_1", "match:L77", f"L77 belongs to app {other.apps[0]}, but this discrepancy to {app}"),
        ("tx_1", "match:bank:L1", "bank:L1 is not known as a ledger entry"),
    ):
        said = refused(desk, rows[record] | {"resolution": resolution})
        assert reason in said, resolution
    with pytest.raises(RowsRefused) as both:
        desk.resolve(rows["tx_1"] | {"resolution": "match:L1"}, rows["tx_2"] | {"resolution": "match:L1"})
    assert ["all match L1: a record has one match" in line for line in both.value.lines] == [True, True]
    desk.resolve(rows["tx_1"] | {"resolution": "match:L1"})
    said = refused(desk, rows["tx_2"] | {"resolution": "match:L1"})
    assert f"L1 is already in the manual match of {rows['tx_1']['discrepancy_id']}" in said


@story
def test_several_with_several_are_refused(desk: Desk) -> None:
    desk.night(
        of(desk, tx(1, amount="40"), tx(2, amount="60")), of(desk, entry(1, amount="101"), entry(2, "X"))
    )
    desk.night((), of(desk, entry(1, amount="100", day=20)))  # two transactions, one entry, and too far apart
    assert {rule for rule, *_ in desk.pairs} == {"reference_split"}
    said = refused(desk, desk.one("DATE_MISMATCH") | {"resolution": "match:L1;L2"})
    assert "would match 2 transactions with 2 entries" in said
    desk.resolve(desk.one("DATE_MISMATCH") | {"resolution": "match:L2"})
    desk.night()
    assert {pair for pair in desk.pairs if pair[0] == "manual"} == {
        ("manual", "tx_1", "L2"),
        ("manual", "tx_2", "L2"),
    }


@pytest.mark.parametrize("accepts", [False, True])
def test_a_run_of_another_app_leaves_what_was_joined(
    desk: Desk, fresh_engine: Engine, tmp_path: Path, accepts: bool
) -> None:
    desk.settings = replace(desk.settings, accept_suggestions=accepts)
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B")))
    if not accepts:
        desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": "match:L1"})
        desk.night()
    pairs = {("amount_date" if accepts else "manual", "tx_1", "L1")}
    assert desk.pairs == pairs
    other = Desk(fresh_engine, tmp_path, desk.settings, new_app())
    other.night(of(other, tx(1, "A")))
    other.night(of(other, tx(2, "C")))
    desk.night()
    assert desk.pairs == pairs


@story
def test_no_match_adds_up_currencies(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B", "60"), entry(2, "C", "40", currency="USD")))
    row = desk.one("MISSING_IN_LEDGER")
    assert "would add up INR and USD" in refused(desk, row | {"resolution": "match:L1;L2"})
    desk.resolve(row | {"resolution": "match:L2"})
    desk.night()
    assert desk.one("CURRENCY_MISMATCH")["currency"] == "INR;USD"


# A `match` without ids


@story
def test_match_alone_takes_the_suggestion_from_either_row(desk: Desk) -> None:
    for kind, counterpart in (("MISSING_IN_LEDGER", "L1"), ("MISSING_IN_KSPAY", "tx_1")):
        desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B", day=12)))
        row = desk.one(kind)
        assert row["suggested_counterpart"] == counterpart
        assert desk.resolve(row | {"resolution": "Match "}).decisions == 1
        assert desk.resolve(row | {"resolution": "match"}).unchanged == 1
        desk.night()
        assert desk.pairs == {("manual", "tx_1", "L1")}
        assert desk.statuses() == {kind: "resolved"}
        decided = desk.one(kind)
        # The same sheet once more: what it asks for is so.
        assert desk.resolve(row | {"resolution": "match"}).unchanged == 1
        desk.resolve(decided | {"resolution": "reopen"})


@story
def test_match_in_the_rows_of_both_records_is_one_match(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B")))
    rows = [row | {"resolution": "match"} for row in desk.rows]
    taken = desk.resolve(*rows, rows[0] | {"note": ""})
    assert (taken.decisions, taken.unchanged) == (1, 2)
    assert [change.type for change in taken.changes] == ["MISSING_IN_LEDGER"]
    assert desk.resolve(*rows).unchanged == 2
    desk.night()
    assert desk.pairs == {("manual", "tx_1", "L1")}
    assert desk.resolve(*rows).unchanged == 2


@story
def test_match_alone_and_a_ledger_id_of_two_sources(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B"), entry(1, "C", "7", source="tally")))
    row = desk.one("MISSING_IN_LEDGER")
    assert row["suggested_counterpart"] == "default:L1"
    desk.resolve(row | {"resolution": "match"})
    desk.night()
    assert {row["ledger_id"] for row in desk.rows if row["rule"] == "manual"} == {"default:L1"}


@story
def test_match_alone_is_refused_where_nothing_is_suggested_now(desk: Desk) -> None:
    desk.night(
        of(desk, tx(1, "A"), tx(2, "B", "40"), tx(3, "C", "60")),
        of(desk, entry(1, "X"), entry(2, "Y", "40"), entry(3, "C", "61")),
    )
    rows = {row["transaction_id"] or row["ledger_id"]: row | {"resolution": "match"} for row in desk.rows}
    nothing = "match without ids takes the suggested counterpart, and this row has none now"
    assert nothing in refused(desk, rows["tx_3"])  # it is about an amount
    # The counterpart is another one than the person saw.
    desk.night((), of(desk, entry(8, "Z", "7")))
    with desk.engine.connect() as connection:
        arrive(connection, (), of(desk, entry(1, "X", "90")), desk.apps, datetime(2027, 1, 1, tzinfo=UTC))
        connection.commit()
    assert nothing in refused(desk, rows["tx_1"])
    # Somebody matched the counterpart with another record.
    desk.resolve(rows["tx_3"] | {"resolution": "match:L2"}, by="Ravi")
    said = refused(desk, rows["tx_2"])
    assert f"L2 is already in the manual match of {rows['tx_3']['discrepancy_id']}" in said
    desk.night()
    assert nothing in refused(desk, rows["tx_2"])


@story
def test_two_candidates_are_no_suggestion_to_take(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B"), entry(2, "C")))
    said = refused(desk, desk.one("MISSING_IN_LEDGER") | {"resolution": "match"})
    assert said.endswith("this row has none now: write match: and the ids of the other side, with ; between")
