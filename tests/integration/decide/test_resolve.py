"""What people decide, row by row: what is in force, and what has changed since."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
import xlsxwriter
from sqlalchemy import Engine

from reconcile.core.money import Currencies
from reconcile.decide.audit_trail import verify
from reconcile.match.explain import explain
from reconcile.report.explain_text import explain_lines
from reconcile.report.sentences import sentence
from tests.support.desk import Desk, new_app
from tests.support.stories import of, refused, story
from tests.support.worlds import entry, tx

_notes = count(1)


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
    assert refused(desk, resolved | {"due": "12/11/2026"}) == (
        "due '12/11/2026' may be 12 November 2026 or 11 December 2026: write the year first, as 2026-08-31"
    )
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
        desk.resolve(monday | {"note": f"{next(_notes)}"})
        desk.resolve(tuesday | {"note": f"{next(_notes)}"}, by="Ravi")
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
def test_what_is_cleared_or_quarantined_cannot_be_decided(desk: Desk) -> None:
    desk.night(of(desk, tx(1, "A"), tx(2, "B")))
    rows = {row["transaction_id"]: row for row in desk.rows}
    desk.night((), of(desk, entry(1, "A")))
    assert "is cleared: run night" in refused(desk, rows["tx_1"] | {"resolution": "accept"})
    assert "is cleared" in refused(desk, rows["tx_1"] | {"note": "now it is there"})


def test_decisions_of_two_apps_come_in_one_file(fresh_engine: Engine, tmp_path: Path) -> None:
    """The ids are the same in both apps; each decision is about its own."""
    apps = new_app(), new_app()
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


@story
def test_decisions_in_hidden_rows_are_taken_with_a_warning(desk: Desk) -> None:
    """Whoever fills down over a filter may decide about rows that nobody sees."""
    desk.night(of(desk, *(tx(number, f"R{number}") for number in range(1, 16))))
    path = desk.folder / f"filtered-{desk.apps[0]}.xlsx"
    columns = ("discrepancy_id", "facts", "resolution", "note")
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, columns)
        for number, row in enumerate(desk.rows, 1):
            decided = row | {"resolution": "ignore" if number < 15 else "", "note": "seen"}
            sheet.write_row(number, 0, [decided[column] for column in columns])
            if number > 2:
                sheet.set_row(number, options={"hidden": True})
    for dry_run in (True, False):
        taken = desk.take(path, dry_run=dry_run)
        assert (taken.decisions, taken.notes) == (14, 1)
        assert taken.warnings == (
            "12 decisions stand in rows hidden by a filter, a group or by hand "
            "(4, 5, 6, 7, 8, 9, 10, 11, 12, 13, …); hidden rows count like all others: "
            "reopen takes back what was not meant",
        )
    assert desk.take(path).warnings == ()  # they are in force, and were said


@pytest.mark.parametrize("written", ["Write off", "write-off", "WRITE_OFF", "writeoff", " write  Off "])
def test_words_count_whatever_their_case_blanks_and_hyphens(desk: Desk, written: str) -> None:
    desk.night(of(desk, tx(1)))
    desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": written})
    desk.night()
    assert desk.one("MISSING_IN_LEDGER")["decision"] == "write_off"
