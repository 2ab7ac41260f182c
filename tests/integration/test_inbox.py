"""Decisions in the inbox: whose they are, and what is said of them."""

import csv
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.context import Context
from reconcile.core.progress import silent
from reconcile.inbox import read_inbox
from reconcile.ledger.profile import Profile
from reconcile.report.columns import DISCREPANCIES
from reconcile.validate.validator import Validator
from tests.support.desk import PERSON, Desk, Row
from tests.support.stories import of
from tests.support.worlds import entry, tx


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
