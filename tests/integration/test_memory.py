"""What is remembered from night to night: ids, first sight, age, clearance, and what is carried forward."""

from dataclasses import replace
from datetime import date

from reconcile.core.records import Period
from tests.support.desk import Desk, Row
from tests.support.worlds import entry, tx

JULY = Period(date(2026, 7, 1), date(2026, 7, 31))
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
TO_THE_15TH = Period(date(2026, 8, 1), date(2026, 8, 15))
SECOND_HALF = Period(date(2026, 8, 16), date(2026, 8, 31))
SEPTEMBER = Period(date(2026, 9, 1), date(2026, 9, 30))


def cleared(desk: Desk) -> tuple[str, ...]:
    assert desk.matched is not None
    return desk.matched.cleared


def new(desk: Desk) -> int:
    assert desk.matched is not None
    return desk.matched.new


def seen(row: Row) -> tuple[str, str, date, int]:
    return row["discrepancy_id"], row["type"], row["first_seen"], row["age_days"]


def test_a_discrepancy_from_first_sight_to_clearance_and_back(desk: Desk) -> None:
    app = desk.apps[0]
    (timing,) = desk.night([tx(1, day=15, app=app)], [], TO_THE_15TH)
    one = timing["discrepancy_id"]
    assert seen(timing) == (one, "TIMING_DIFFERENCE", date(2026, 8, 15), 0)
    assert new(desk) == 1
    (missing,) = desk.night(period=SECOND_HALF)  # carried: its day is covered
    assert seen(missing) == (one, "MISSING_IN_LEDGER", date(2026, 8, 15), 16)
    assert missing["facts"] == timing["facts"]  # missing and timing are one
    assert (new(desk), cleared(desk)) == (0, ())
    assert desk.night([], [entry(1, app=app)], SEPTEMBER) == [desk.one("DATE_MISMATCH")]
    assert (new(desk), cleared(desk)) == (1, (one,))
    desk.night([], [entry(1, "elsewhere", app=app)], SEPTEMBER)
    assert seen(desk.one("MISSING_IN_LEDGER")) == (one, "MISSING_IN_LEDGER", date(2026, 8, 15), 46)
    assert new(desk) == 1  # the entry
    assert desk.matched is not None
    assert desk.matched.reopened == 1  # it again


def test_a_run_as_of_an_earlier_day_knows_all_and_clears_nothing_by_date(desk: Desk) -> None:
    app = desk.apps[0]
    (stale,) = desk.night([tx(1, family="pending", day=14, app=app)], [], AUGUST)
    assert seen(stale)[1:] == ("STALE_PENDING", date(2026, 8, 31), 17)
    assert desk.night(period=Period(date(2026, 8, 1), date(2026, 8, 14))) == []  # a fresh one by that day
    assert cleared(desk) == ()
    (again,) = desk.night(period=TO_THE_15TH)
    assert desk.night(period=AUGUST) == [stale | {"first_seen": date(2026, 8, 15)}]
    assert seen(again) == (stale["discrepancy_id"], "STALE_PENDING", date(2026, 8, 15), 1)
    assert new(desk) == 0


def test_a_pending_payment_that_is_paid_is_cleared_even_as_of_an_earlier_day(desk: Desk) -> None:
    app = desk.apps[0]
    (stale,) = desk.night([tx(1, family="pending", app=app)], [], AUGUST)
    assert desk.night([tx(1, app=app)], [entry(1, app=app)], TO_THE_15TH) == []
    assert cleared(desk) == ()  # counted against a run as of that day or an earlier one, and there is none
    assert desk.night(period=AUGUST) == []
    assert cleared(desk) == (stale["discrepancy_id"],)


def test_an_entry_booked_back_into_a_covered_period_is_reported(desk: Desk) -> None:
    app = desk.apps[0]
    desk.night([], [], AUGUST)
    late = entry(1, day=3, app=app)
    (row,) = desk.night([], [late, replace(entry(2, "B", app=app), day=date(2026, 6, 3))], SEPTEMBER)
    assert (row["type"], row["ledger_id"], row["age_days"]) == ("MISSING_IN_KSPAY", "L1", 58)
    (row,) = desk.night([tx(1, day=3, amount="90", app=app)], [], SEPTEMBER)  # and still can match
    assert (row["type"], row["transaction_id"], row["ledger_id"]) == ("AMOUNT_MISMATCH", "tx_1", "L1")


def test_a_type_that_changes_keeps_the_id_and_reopens_what_was_decided(desk: Desk) -> None:
    app = desk.apps[0]
    (missing,) = desk.night([tx(2, day=11, app=app)])
    desk.resolve(missing | {"resolution": "accept"})
    assert [row["status"] for row in desk.night()] == ["resolved"]
    (duplicate,) = desk.night([tx(1, day=10, app=app)], [entry(1, app=app)])
    assert duplicate["discrepancy_id"] == missing["discrepancy_id"]
    assert (duplicate["type"], duplicate["status"]) == ("DUPLICATE_IN_KSPAY", "reopened")


def test_what_was_accepted_as_timing_stays_so_when_it_is_missing(desk: Desk) -> None:
    app = desk.apps[0]
    (timing,) = desk.night([tx(1, day=31, app=app)])
    desk.resolve(timing | {"resolution": "accept"})
    (row,) = desk.night(period=SEPTEMBER)
    assert (row["type"], row["status"]) == ("MISSING_IN_LEDGER", "resolved")


def test_what_is_resolved_and_comes_right_is_cleared(desk: Desk) -> None:
    app = desk.apps[0]
    (missing,) = desk.night([tx(1, app=app)])
    desk.resolve(missing | {"resolution": "write_off"})
    desk.night([], [entry(1, app=app)])
    assert (desk.rows, cleared(desk)) == ([], (missing["discrepancy_id"],))


def test_a_reopened_one_is_reopened_until_it_is_decided_again(desk: Desk) -> None:
    app = desk.apps[0]
    (row,) = desk.night([tx(1, app=app)])
    desk.resolve(row | {"resolution": "ignore"})
    (row,) = desk.night()
    desk.resolve(row | {"resolution": "reopen"})
    assert [one["status"] for one in desk.night()] == ["reopened"]
    assert [one["status"] for one in desk.night()] == ["reopened"]
    desk.resolve(desk.rows[0] | {"resolution": "accept"})
    assert [one["status"] for one in desk.night()] == ["resolved"]


def test_a_match_by_hand_of_records_that_moved_apart_reports_both_again(desk: Desk) -> None:
    app = desk.apps[0]
    desk.night([tx(1, "A", app=app)], [entry(1, "B", app=app)])
    ids = {row["discrepancy_id"] for row in desk.rows}
    desk.resolve(desk.one("MISSING_IN_KSPAY") | {"resolution": "match:tx_1"})
    desk.night()
    assert {row["status"] for row in desk.rows} == {"resolved"}
    assert set(cleared(desk)) < ids  # of the other side; the one that was decided is resolved instead
    desk.night([tx(1, "A", family="failed", app=app)])
    assert desk.statuses() == {"MISSING_IN_KSPAY": "reopened"}
    assert desk.one("MISSING_IN_KSPAY")["discrepancy_id"] in ids


def test_a_record_that_changes_and_keeps_its_key_is_counted_once_among_its_carriers(desk: Desk) -> None:
    """A key that hundreds carry, and not more than 500, is a key still after one of them changed."""
    app = desk.apps[0]
    some = [entry(n, "R1", str(1000 + n), app=app) for n in range(260)]
    desk.night([tx(n, "R1", str(1000 + n), app=app) for n in range(260)], some)
    assert len(desk.pairs) == 260
    desk.night([], [replace(some[0], family="refunded")])
    assert len(desk.pairs) == 260
    assert desk.statuses() == {"STATUS_MISMATCH": "open"}
    assert desk.matched is not None
    assert desk.matched.warnings == ()
