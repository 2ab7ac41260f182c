"""What people decide, row by row: what is in force, what has changed since, and what a `match:` may match."""

import csv
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from reconcile.context import Context
from reconcile.core.errors import CheckFailed
from reconcile.core.money import Currencies
from reconcile.core.progress import silent
from reconcile.db.locks import match_locks
from reconcile.decide.audit_trail import verify
from reconcile.decide.result import RowsRefused
from reconcile.doctor import totals
from reconcile.inbox import read_inbox
from reconcile.ledger.profile import Profile
from reconcile.match.explain import explain
from reconcile.match.policy import state_policy
from reconcile.report.columns import DISCREPANCIES
from reconcile.report.explain_text import explain_lines
from reconcile.report.sentences import sentence
from reconcile.validate.validator import Validator
from tests.support.arrivals import arrive
from tests.support.desk import PERSON, Desk, Row, Story, side_by_side
from tests.support.worlds import entry, tx

_apps = count(1)


@pytest.fixture
def desk(fresh_engine: Engine, tmp_path: Path) -> Desk:
    """A desk of an app of its own, so that the tests share one database and no record."""
    return Desk(fresh_engine, tmp_path, None, f"ap_{next(_apps)}")


_STORIES: dict[str, Story] = {}


def story(told: Story) -> Callable[[dict[str, Future[None]]], None]:
    """A test at a desk of its own, whose nights are those of all such tests."""
    _STORIES[told.__name__] = told

    def test(played: dict[str, Future[None]]) -> None:
        played[told.__name__].result()

    test.__name__, test.__doc__ = told.__name__, told.__doc__
    return test


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, fresh_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[None]]:
    """All stories that were asked for, played side by side."""
    asked = {item.name for item in request.session.items}
    stories = {name: told for name, told in _STORIES.items() if name in asked}
    return side_by_side(fresh_engine, tmp_path_factory.mktemp("stories"), stories)


def refused(desk: Desk, row: Row, by: str = "Asha Rao") -> str:
    """Why the row is refused."""
    with pytest.raises(RowsRefused) as error:
        desk.resolve(row, by=by)
    (line,) = error.value.lines
    return line.partition(": ")[2]


def of(desk: Desk, *records: Any) -> list[Any]:
    """The same records, of the desk's app."""
    return [replace(record, app=desk.apps[0]) for record in records]


@story
def test_a_decision_repeated_is_no_change_and_one_that_has_moved_on_is_refused(desk: Desk) -> None:
    desk.night(of(desk, tx(1)), of(desk, entry(1, amount="90")))
    row = desk.one("AMOUNT_MISMATCH") | {"resolution": "accept"}
    assert desk.resolve(row).decisions == 1
    assert desk.resolve(row).unchanged == 1
    desk.night()
    assert desk.statuses() == {"AMOUNT_MISMATCH": "resolved"}
    desk.night((), of(desk, entry(1, amount="80")))
    assert desk.statuses() == {"AMOUNT_MISMATCH": "reopened"}
    # The newest decision says the same, and it is in force no more: the row must not look as if it were.
    assert "facts have changed" in refused(desk, row)
    assert "facts have changed" in refused(desk, row | {"resolution": "reopen"})
    assert desk.resolve(desk.one("AMOUNT_MISMATCH") | {"resolution": "accept"}).decisions == 1


@story
def test_a_note_that_came_with_an_older_report_replaces_no_newer_one(desk: Desk) -> None:
    desk.night(of(desk, tx(1)))
    first = desk.one("MISSING_IN_LEDGER")
    assert desk.resolve(first | {"note": "asked the bank"}).notes == 1
    desk.night()
    old_report = desk.one("MISSING_IN_LEDGER")
    assert old_report["note"] == "asked the bank"
    assert desk.resolve(old_report | {"note": "the bank found it"}).notes == 1
    assert desk.resolve(old_report).notes == 0
    said = refused(desk, old_report | {"resolution": "accept"})
    assert said.startswith("was noted since, by Asha Rao on 20")
    assert said.endswith(": decide in the newest report")
    desk.night()
    taken = desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": "accept"})
    assert (taken.decisions, taken.notes) == (1, 0)
    desk.night()
    row = desk.one("MISSING_IN_LEDGER")
    assert (row["status"], row["note"]) == ("resolved", "the bank found it")


@story
def test_an_assignment_comes_back_and_decides_nothing(desk: Desk) -> None:
    desk.night(of(desk, tx(1)))
    first = desk.one("MISSING_IN_LEDGER")
    assert (first["assignee"], first["due"]) == (None, None)
    taken = desk.resolve(first | {"assignee": "Ravi", "due": "2026-09-05"})
    assert (taken.decisions, taken.notes) == (0, 1)
    assert taken.changes[0].decision == "assignment"
    assert taken.changes[0].covers.endswith(", assignee: Ravi, due: 2026-09-05")
    desk.night()
    shown = desk.one("MISSING_IN_LEDGER")
    assert (shown["status"], shown["assignee"], shown["due"]) == ("open", "Ravi", date(2026, 9, 5))
    assert desk.resolve(shown).changes == ()  # nobody changed the row
    taken = desk.resolve(shown | {"assignee": "Asha", "resolution": "accept"})
    assert (taken.decisions, taken.notes) == (1, 0)
    desk.night()
    resolved = desk.one("MISSING_IN_LEDGER")
    assert (resolved["status"], resolved["assignee"], resolved["due"]) == (
        "resolved",
        "Asha",
        date(2026, 9, 5),
    )
    # What the older sheet says is not meant anew, unless a note says so.
    taken = desk.resolve(shown)
    assert (taken.changes, taken.unchanged) == ((), 1)
    assert "assignee Ravi stays replaced by Asha, by Asha Rao on 20" in taken.warnings[0]
    assert desk.resolve(shown | {"note": "Ravi is back", "due": "-"}).notes == 1
    desk.night()
    resolved = desk.one("MISSING_IN_LEDGER")
    assert (resolved["assignee"], resolved["due"]) == ("Ravi", None)
    assert refused(desk, resolved | {"due": "31/02/2026"}).startswith("due '31/02/2026' is not a day")
    assert "more than 100 characters" in refused(desk, resolved | {"assignee": "x" * 101})
    with desk.engine.connect() as connection:
        verify(connection)
        (story,) = explain(connection.engine, desk.settings, resolved["discrepancy_id"])
    made = next(one for one in story["discrepancies"] if one["decisions"])["decisions"]
    assert [(one["decision"], one["assignee"], one["due"]) for one in made] == [
        (None, "Ravi", "2026-09-05"), ("accept", "Asha", None), (None, "Ravi", ""),
    ]  # fmt: skip
    said = "\n".join(explain_lines(story, Currencies()))
    assert "assigned to Ravi, due 2026-09-05: assignment" in said
    assert "due on no day" in said


@story
def test_a_large_decision_waits_for_another_person(desk: Desk) -> None:
    """Its spelling is no other person; a second person's same decision is recorded in any case."""
    desk.settings = replace(desk.settings, four_eyes={"INR": Decimal(99)})
    desk.night(of(desk, tx(1), tx(2, "B", amount="99")))
    rows = {row["transaction_id"]: row for row in desk.rows}
    large, small = rows["tx_1"] | {"resolution": "write_off"}, rows["tx_2"] | {"resolution": "accept"}
    taken = desk.resolve(large, small)
    assert [change.standing for change in taken.changes] == ["proposed", ""]
    desk.night()
    shown = {row["transaction_id"]: row for row in desk.rows}
    assert [shown[one]["status"] for one in ("tx_1", "tx_2")] == ["open", "resolved"]
    assert (shown["tx_1"]["proposed_decision"], shown["tx_1"]["proposed_by"]) == ("write_off", "Asha Rao")
    assert sentence(shown["tx_1"], Currencies(), 3).endswith(
        " Asha Rao proposes write_off: another person must confirm it."
    )
    taken = desk.resolve(large)
    assert (taken.decisions, taken.unchanged) == (0, 1)
    assert "was proposed by Asha Rao on 20" in taken.warnings[0]
    for by in ("asha  RAO", "Āshá Rao", "Asha-Rao"):
        assert re.fullmatch(
            r"write_off was proposed by Asha Rao on [\d-]+: '.+' is the same person, and another one must confirm it",
            refused(desk, large, by),
        )
    # Another decision is another proposal, and is not confirmed by the first person's.
    assert desk.resolve(large | {"resolution": "ignore"}, by="Ravi").changes[0].standing == "proposed"
    assert desk.resolve(large).changes[0].standing == "proposed"
    taken = desk.resolve(large, by="Ravi")
    assert [(one.decision, one.standing) for one in taken.changes] == [("write_off", "confirmed")]
    # Of a small one it is recorded too, once a person.
    assert desk.resolve(small, by="Ravi").changes[0].standing == "confirmed"
    assert desk.resolve(small, by="RAVI").unchanged == 1
    desk.night()
    shown = {row["transaction_id"]: row for row in desk.rows}
    assert {row["status"] for row in shown.values()} == {"resolved"}
    assert {row["by"] for row in shown.values()} == {"Asha Rao, confirmed by Ravi"}
    # What one person proposes instead is said beside the decision in force.
    other = shown["tx_1"] | {"resolution": "ignore", "note": "not ours"}
    proposal = desk.resolve(other, by="Meera")
    assert proposal.changes[0].standing == "proposed"
    assert proposal.changes[0].replaces.startswith("write_off by Asha Rao, confirmed by Ravi on 20")
    assert proposal.replaced() == []  # nothing yet
    desk.night()
    shown = {row["transaction_id"]: row for row in desk.rows}
    assert (shown["tx_1"]["status"], shown["tx_1"]["proposed_by"]) == ("resolved", "Meera")
    # It is taken back by one person. A proposal is, too.
    (back,) = desk.resolve(shown["tx_1"] | {"resolution": "reopen", "note": "found"}).changes
    assert back.standing == ""
    assert back.replaces.startswith(
        "write_off by Asha Rao, confirmed by Ravi on 20"
    )  # and not Meera's proposal
    desk.night()
    again = (
        desk.one("MISSING_IN_LEDGER")
        if len(desk.rows) == 1
        else next(row for row in desk.rows if row["transaction_id"] == "tx_1")
    )
    assert again["status"] == "reopened"
    again = again | {"resolution": "write_off", "note": "lost after all"}
    assert desk.resolve(again, by="Meera").changes[0].standing == "proposed"
    assert desk.resolve(again | {"resolution": "reopen", "note": "not yet"}, by="Meera").decisions == 1
    assert desk.resolve(again | {"note": "now"}, by="Ravi").changes[0].standing == "proposed"
    with desk.engine.connect() as connection:
        verify(connection)
        (story,) = explain(connection.engine, desk.settings, again["discrepancy_id"])
    made = next(one for one in story["discrepancies"] if one["decisions"])["decisions"]
    assert made[-1]["standing"] == "proposed, and not confirmed by another person"
    assert "(confirms decision" in "\n".join(explain_lines(story, Currencies()))


@story
def test_a_proposal_is_listed_while_its_facts_hold_and_beside_a_decision_in_force(desk: Desk) -> None:
    desk.night(of(desk, tx(1), tx(2, "B")), of(desk, entry(1, amount="50")))
    desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": "accept"})
    desk.settings = replace(desk.settings, four_eyes={"INR": Decimal(1)})
    desk.night()
    taken = desk.resolve(
        *(row | {"resolution": "write_off", "note": row["type"]} for row in desk.rows), by="Ravi"
    )
    assert [one.standing for one in taken.changes] == ["proposed", "proposed"]
    desk.night()
    accepted, differs = desk.one("MISSING_IN_LEDGER"), desk.one("AMOUNT_MISMATCH")
    assert (accepted["status"], accepted["by"], accepted["decision"]) == ("resolved", "Asha Rao", "accept")
    assert (accepted["proposed_decision"], accepted["proposed_by"]) == ("write_off", "Ravi")
    ids = sorted([accepted["discrepancy_id"], differs["discrepancy_id"]])
    assert [(one["discrepancy_id"], one["by"]) for one in desk.proposed] == [(one, "Ravi") for one in ids]
    # Who confirms reads what is replaced; a confirmation of what is in force replaces nothing.
    both = [row | {"resolution": "write_off", "note": ""} for row in (accepted, differs)]
    taken = desk.resolve(*both, by="Meera", dry_run=True)
    assert [one.standing for one in taken.changes] == ["confirmed", "confirmed"]
    assert [one.replaces.partition(" on 20")[0] for one in taken.changes] == ["accept by Asha Rao", ""]
    assert [one.partition(" on 20")[0] for one in taken.replaced()] == ["accept by Asha Rao"]
    # About other facts nobody proposed anything.
    desk.night((), of(desk, entry(1, amount="60")))
    assert desk.one("AMOUNT_MISMATCH")["proposed_decision"] is None
    assert [one["discrepancy_id"] for one in desk.proposed] == [accepted["discrepancy_id"]]


@story
def test_a_match_waits_for_another_person_too(desk: Desk) -> None:
    desk.settings = replace(desk.settings, four_eyes={"INR": Decimal(1)})
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "X")))
    row = desk.one("MISSING_IN_LEDGER") | {"resolution": "match"}
    assert desk.resolve(row).changes[0].standing == "proposed"
    desk.night()
    assert {row["status"] for row in desk.rows} == {"open"}
    assert desk.resolve(row | {"resolution": "match:L1"}, by="Ravi").changes[0].standing == "confirmed"
    desk.night()
    (matched,) = desk.rows
    assert (matched["status"], matched["by"]) == ("resolved", "Asha Rao, confirmed by Ravi")


@pytest.mark.parametrize("note", ["wrong: customer complained", ""])
def test_an_old_sheet_undoes_no_newer_decision_of_a_colleague(desk: Desk, note: str) -> None:
    desk.night(of(desk, tx(1)))
    monday = desk.one("MISSING_IN_LEDGER") | {"resolution": "accept", "note": "known"}
    desk.resolve(monday)
    desk.night()
    resolved = desk.one("MISSING_IN_LEDGER")
    taken = desk.resolve(resolved | {"resolution": "reopen", "note": note}, by="Ravi")
    assert taken.changes[0].replaces.startswith("accept by Asha Rao on 20")
    desk.night()
    tuesday = desk.one("MISSING_IN_LEDGER")
    assert (tuesday["status"], tuesday["note"] or "") == ("reopened", note)
    said = refused(desk, monday)
    assert said.startswith("was decided since, by Ravi on 20")
    assert said.endswith(": decide in the newest report")
    # A new reason, or the newest report, is no old sheet.
    assert desk.resolve(monday | {"note": "known, see mail"}).decisions == 1
    desk.resolve(tuesday | {"resolution": "reopen", "note": "no mail there"}, by="Ravi")
    desk.night()
    assert desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": "accept"}).decisions == 1


@story
def test_an_old_sheet_without_notes_undoes_no_newer_decision_either(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B")))
    rows = [desk.one("MISSING_IN_LEDGER") | {"resolution": word} for word in ("accept", "match:L1")]
    for monday, tuesday in (rows, rows[::-1]):
        desk.resolve(monday | {"note": f"{next(_apps)}"})
        desk.resolve(tuesday | {"note": f"{next(_apps)}"}, by="Ravi")
        said = refused(desk, monday)
        assert said.startswith("was decided since, by Ravi on 20")
        assert f"after the {monday['resolution'].partition(':')[0]} by Asha Rao on 20" in said
        assert said.endswith(": decide in the newest report, and say why in the note")
        # One's own decision may be taken back without a word, as may what was never decided so before.
        assert desk.resolve(monday, by="Ravi").decisions == 1
    assert desk.resolve(rows[0] | {"resolution": "ignore"}).decisions == 1


@story
def test_nobody_elses_note_is_the_reason_of_a_decision(desk: Desk) -> None:
    desk.night(of(desk, tx(1), tx(2, "B")))
    noted = [row | {"note": "the bank has it"} for row in desk.rows]
    desk.resolve(*noted, by="Ravi")
    desk.night()
    left, emptied = sorted(desk.rows, key=lambda row: str(row["transaction_id"]))
    assert left["note"] == emptied["note"] == "the bank has it"
    taken = desk.resolve(left | {"resolution": "accept"}, emptied | {"resolution": "accept", "note": ""})
    assert [change.covers.partition(", ")[2] for change in taken.changes] == [
        "note: Ravi: the bank has it",
        "",
    ]
    desk.night()
    shown = {row["transaction_id"]: (row["by"], row["note"]) for row in desk.rows}
    assert shown == {"tx_1": ("Asha Rao", "Ravi: the bank has it"), "tx_2": ("Asha Rao", "")}
    assert desk.resolve(*(row | {"resolution": "accept"} for row in desk.rows)).unchanged == 2
    # A later note beside the name of who decided says whose it is, each time that the same sheet comes.
    for notes in (1, 0):
        later = desk.rows[1] | {"resolution": "accept", "note": "and so do we"}
        taken = desk.resolve(later, by="Meera")  # the same decision with a note: it confirms
        assert (taken.decisions, taken.unchanged) == (notes, 1 - notes)
    desk.night()
    assert [row["note"] for row in desk.rows][1] == "Meera: and so do we"
    older = later | {"resolution": "ignore", "note": "the bank has it"}
    assert "was decided since, by Meera" in refused(desk, older)
    # One's own note stays with one's own decision.
    desk.resolve(desk.rows[1] | {"resolution": "accept", "note": "they do"})
    desk.resolve(desk.rows[1] | {"resolution": "ignore", "note": ""})
    desk.night()
    assert [row["note"] for row in desk.rows if row["decision"] == "ignore"] == ["Asha Rao: they do"]
    with desk.engine.connect() as connection:
        assert verify(connection) > 1


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
    other = Desk(fresh_engine, tmp_path, None, f"ap_{next(_apps)}")
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


@story
def test_what_is_cleared_or_quarantined_cannot_be_decided(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A"), tx(2, "B")))
    rows = {row["transaction_id"]: row for row in desk.rows}
    desk.night((), of(desk, entry(1, "A")))
    assert "is cleared: run night" in refused(desk, rows["tx_1"] | {"resolution": "accept"})
    assert "is cleared" in refused(desk, rows["tx_1"] | {"note": "now it is there"})


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
    other = Desk(fresh_engine, tmp_path, desk.settings, f"ap_{next(_apps)}")
    other.night(of(other, tx(1, "A")))
    other.night(of(other, tx(2, "C")))
    desk.night()
    assert desk.pairs == pairs


def test_decisions_of_two_apps_come_in_one_file(fresh_engine: Engine, tmp_path: Path) -> None:
    """The ids are the same in both apps; each decision is about its own."""
    apps = f"ap_{next(_apps)}", f"ap_{next(_apps)}"
    desk = Desk(fresh_engine, tmp_path, None, *apps)
    desk.night([tx(1, "A", app=app) for app in apps], [entry(1, "B", app=app) for app in apps])
    rows = {(row["app_id"], row["type"]): row for row in desk.rows}
    desk.resolve(
        rows[apps[0], "MISSING_IN_LEDGER"] | {"resolution": "match:L1"},
        rows[apps[1], "MISSING_IN_LEDGER"] | {"resolution": "ignore"},
    )
    desk.night()
    status = {(row["app_id"], row["type"]): row["status"] for row in desk.rows}
    assert status == {
        (apps[0], "MISSING_IN_LEDGER"): "resolved",
        (apps[1], "MISSING_IN_LEDGER"): "resolved",
        (apps[1], "MISSING_IN_KSPAY"): "open",
    }
    assert len(desk.pairs) == 1
    with fresh_engine.connect() as connection:
        assert verify(connection) > 1


@story
def test_no_match_adds_up_currencies(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B", "60"), entry(2, "C", "40", currency="USD")))
    row = desk.one("MISSING_IN_LEDGER")
    assert "would add up INR and USD" in refused(desk, row | {"resolution": "match:L1;L2"})
    desk.resolve(row | {"resolution": "match:L2"})
    desk.night()
    assert desk.one("CURRENCY_MISMATCH")["currency"] == "INR;USD"


@pytest.mark.parametrize(
    "statement",
    [
        "delete from pairings where transaction_no = (select number from transactions where app_id = :app)",
        "update pairings set rule = 'manual'"
        " where transaction_no = (select number from transactions where app_id = :app)",
        "update findings set kind = 'CURRENCY_MISMATCH' where app_id = :app",
        "delete from findings where app_id = :app",
    ],
)
def test_doctor_finds_what_was_altered_behind_our_back(desk: Desk, statement: str) -> None:
    settings = replace(desk.settings, app_ids=desk.apps)
    desk.night(of(desk, tx(1)), of(desk, entry(1, amount="90")))
    assert "totals are conserved" in totals(desk.engine, settings)
    with desk.engine.begin() as connection:
        connection.execute(text(statement), {"app": desk.apps[0]})
    with pytest.raises(
        CheckFailed, match=r"the stored matches of .*tx_1.* differ from those of matching everything again"
    ):
        totals(desk.engine, settings)


def test_what_an_earlier_release_matched_is_matched_anew(desk: Desk) -> None:
    settings = replace(desk.settings, app_ids=desk.apps)
    desk.night(
        of(desk, tx(1, "A", order="o1")),
        of(desk, entry(1, "B", currency="USD", order="o1"), entry(2, "C", "9", family="unpaid", order="o1")),
    )
    with desk.engine.begin() as connection:
        # As the order of then had it, under the fingerprint of then: the settings alone.
        connection.execute(
            text(
                "update pairings set entry_no = (select number from entries where app_id = :app and ledger_id = 'L2')"
                " where transaction_no = (select number from transactions where app_id = :app)"
            ),
            {"app": desk.apps[0]},
        )
        state_policy(connection, settings, desk.apps)
        connection.execute(
            text(
                "update matched_policies set policy = encode(sha256(convert_to(jsonb_build_array("
                "(select to_jsonb(p) - 'app_ids' from policy p),"
                ' (select jsonb_agg(to_jsonb(f) order by f.side, f.status collate "C") from status_family f),'
                ' (select jsonb_agg(to_jsonb(t) order by t.currency collate "C") from tolerance t))::text,'
                " 'UTF8')), 'hex') where app_id = :app"
            ),
            {"app": desk.apps[0]},
        )
    assert "totals are conserved" in totals(desk.engine, settings)  # nobody altered anything
    desk.night()
    assert desk.pairs == {("provider_id", "tx_1", "L1")}
    assert "totals are conserved" in totals(desk.engine, settings)


def test_doctor_waits_for_a_run_that_matches(desk: Desk) -> None:
    settings = replace(desk.settings, app_ids=desk.apps)
    desk.night(of(desk, tx(1)), of(desk, entry(1)))
    with ThreadPoolExecutor(1) as pool:
        with match_locks(desk.engine, desk.apps):
            looking = pool.submit(totals, desk.engine, settings)
            with pytest.raises(TimeoutError):
                looking.result(1.5)
        assert "totals are conserved" in looking.result(60)


@story
def test_doctor_is_not_alarmed_by_a_decision_that_no_run_has_seen_yet(desk: Desk) -> None:
    settings = replace(desk.settings, app_ids=desk.apps)
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B")))
    desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": "match:L1"})
    assert "totals are conserved" in totals(desk.engine, settings)
    desk.night()
    assert "totals are conserved" in totals(desk.engine, settings)


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


@story
def test_accept_beside_a_suggestion_warns_and_is_taken(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A"), tx(2, "B", "40")), of(desk, entry(1, "X")))
    rows = {row["transaction_id"] or row["ledger_id"]: row | {"resolution": "accept"} for row in desk.rows}
    taken = desk.resolve(*rows.values())
    assert taken.decisions == 3
    assert [warning.partition(": ")[2] for warning in sorted(taken.warnings, key=len)] == [
        f"is accepted, but {record} may belong to it: write match if they belong together"
        for record in ("tx_1", "default:L1")
    ]
    assert desk.resolve(*rows.values()).warnings == ()  # it is in force, and was said
    assert desk.resolve(rows["tx_2"] | {"resolution": "ignore"}).warnings == ()


@pytest.mark.parametrize("written", ["Write off", "write-off", "WRITE_OFF", "writeoff", " write  Off "])
def test_words_count_whatever_their_case_blanks_and_hyphens(desk: Desk, written: str) -> None:
    desk.night(of(desk, tx(1)))
    desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": written})
    desk.night()
    assert desk.one("MISSING_IN_LEDGER")["decision"] == "write_off"


def test_the_inbox_takes_decisions_of_people_only(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.inbox.account_of_person", lambda _uid: None)  # as if all were root's
    desk.night(of(desk, *(tx(number, f"R{number}") for number in range(1, 9))))
    rows = sorted(desk.rows, key=lambda row: row["transaction_id"])
    rows = [{name: value for name, value in row.items() if name != "by"} for row in rows]
    inbox = tmp_path / "inbox"
    for folder in ("asha", "ravi", "root"):
        (inbox / folder).mkdir(parents=True)

    def drop(name: str, *rows: Row, **column: str) -> Path:
        path = inbox / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*DISCREPANCIES, *column], extrasaction="ignore")
            writer.writeheader()
            writer.writerows({"resolution": "ignore", **column, **row} for row in rows)
        os.utime(path, (1_700_000_000, 1_700_000_000))  # nobody still writes it
        return path

    drop("asha/1.csv", rows[0])
    drop("2.csv", rows[1], by="Meera Nair")
    drop("3.csv", rows[2])
    drop("root/4.csv", rows[3])
    drop("5.csv", rows[4], by="daemon")
    shutil.copy2(
        inbox / "asha/1.csv", inbox / "ravi/6.csv"
    )  # the same bytes, of another person, who confirms
    settings = replace(desk.settings, inbox=inbox, app_ids=desk.apps)
    context = Context(settings, desk.engine, desk.apps, Validator(settings.currencies), silent)
    found = read_inbox(context, Profile("default"))
    assert [(one.file, one.by, one.decisions, one.unchanged) for one in found.decided] == [
        ("1.csv", "asha", 1, 0), ("2.csv", "Meera Nair", 1, 0), ("6.csv", "ravi", 1, 0),
    ]  # fmt: skip
    reasons = {one.file: one.reason for one in found.refused}
    assert reasons.keys() == {"3.csv", "4.csv", "5.csv"}
    assert "says not who decided, and belongs to no person's account" in reasons["3.csv"]
    assert "root is no person" in reasons["4.csv"]
    assert "daemon is no person" in reasons["5.csv"]
    assert sorted(path.name for path in (inbox / "done").iterdir()) == ["1.csv", "2.csv", "6.csv"]
    drop("8.csv", rows[4], by="")
    drop("9.csv", rows[4], by="Asha")
    two = (inbox / "9.csv").read_text("utf-8").splitlines()
    (inbox / "9.csv").write_text(
        "\n".join(
            [
                *two,
                two[1]
                .replace(rows[4]["discrepancy_id"], rows[5]["discrepancy_id"])
                .replace(rows[4]["facts"], rows[5]["facts"])
                .replace("Asha", "Ravi"),
            ]
        ),
        "utf-8",
    )
    os.utime(inbox / "9.csv", (1_700_000_000, 1_700_000_000))
    reasons = {one.file: one.reason for one in read_inbox(context, Profile("default")).refused}
    assert "the column by names Asha and Ravi: give a file for each" in reasons["9.csv"]
    assert "belongs to no person's account" in reasons["8.csv"]
    monkeypatch.setattr("reconcile.inbox.account_of_person", lambda _uid: "meera")
    drop("10.csv", rows[4])
    (taken,) = read_inbox(context, Profile("default")).decided
    assert (taken.by, taken.decisions) == ("meera", 1)
    # Nobody decides as somebody else: neither by a folder nor by a column.
    drop("ravi/11.csv", rows[5])
    drop("12.csv", rows[5], by="Ravi")
    drop("13.csv", rows[5], by="MEERA")
    found = read_inbox(context, Profile("default"))
    assert [(one.file, one.by, one.decisions) for one in found.decided] == [("13.csv", "meera", 1)]
    reasons = {one.file: one.reason for one in found.refused}
    assert reasons == {
        "11.csv": "belongs to meera, but lies in the folder ravi: nobody decides as somebody else",
        "12.csv": "belongs to meera, but names 'Ravi' in its column by: nobody decides as somebody else",
    }
    # The column must be filled only where a row says something new.
    desk.resolve(rows[6] | {"note": "asked", "assignee": "Ravi", "due": "2026-09-05", "resolution": ""})
    monkeypatch.setattr("reconcile.inbox.account_of_person", lambda _uid: None)
    carried = rows[6] | {"note": "asked", "assignee": "Ravi", "due": "2026-09-05", "resolution": "", "by": ""}
    drop("14.csv", rows[7] | {"by": "Asha"}, carried, by="")
    drop("15.csv", rows[7] | {"by": "Ravi"}, carried | {"note": "paid now"}, by="")
    drop("16.csv", rows[7] | {"by": "Ravi"}, carried | {"resolution": "ignore"}, by="")
    drop("ravi/17.csv", rows[7], by="Asha")
    found = read_inbox(context, Profile("default"))
    assert [(one.file, one.by, one.decisions, one.notes) for one in found.decided] == [
        ("14.csv", "Asha", 1, 0)
    ]
    assert [one.file for one in found.refused] == ["15.csv", "16.csv", "17.csv"]
    for name in ("15", "16"):
        reason = (inbox / "refused" / f"{name}.csv.reason.txt").read_text("utf-8")
        assert "row 3, D-" in reason
        assert "says something new, and its column by names nobody" in reason


def test_the_inbox_warns_of_an_accept_beside_a_suggestion(desk: Desk, tmp_path: Path) -> None:
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "X")))
    inbox = tmp_path / "inbox"
    (inbox / PERSON).mkdir(parents=True)
    written = desk.sheet(desk.one("MISSING_IN_LEDGER") | {"resolution": "accept"})
    sheet = written.rename(inbox / PERSON / "decided.csv")
    os.utime(sheet, (1_700_000_000, 1_700_000_000))  # nobody still writes it
    settings = replace(desk.settings, inbox=inbox, app_ids=desk.apps)
    context = Context(settings, desk.engine, desk.apps, Validator(settings.currencies), silent)
    found = read_inbox(context, Profile("default"))
    (taken,) = found.decided
    assert taken.decisions == 1
    (warning,) = found.warnings
    assert warning.startswith("inbox: decided.csv: row 2, D-")
    assert "is accepted, but default:L1 may belong to it: write match if" in warning
    assert not found.refused
