"""What people decide in the spreadsheet: taken back, in force, shown, reopened, and nothing by halves."""

import csv
import json
import os
from pathlib import Path

import pytest
import xlsxwriter

from tests.support.desk import PERSON
from tests.support.driver import Command, MakeCommand, Report, Shop
from tests.support.gate import Hold, gate

Row = dict[str, str]


@pytest.fixture(scope="module")
def command(small_shop: Shop, make_command: MakeCommand) -> Command:
    """The small shop, reconciled once."""
    merchant, sandbox = small_shop
    command = make_command(sandbox)
    merchant.write_ledger(command.folder / "ledger.csv")
    command.good("run", *days(small_shop), "--ledger", "ledger.csv")
    return command


def days(shop: Shop) -> tuple[str, ...]:
    return "--from", str(shop[0].first_day), "--to", str(shop[0].last_day)


def first(report: Report, name: str, kind: str) -> Row:
    return next(row for row in report.rows(name) if row["type"] == kind)


def save(path: Path, rows: list[Row], delimiter: str = ";", encoding: str = "cp1252") -> Path:
    """As a spreadsheet program of another country saves it."""
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def kinds(report: Report, name: str) -> set[tuple[str, str]]:
    return {(row["discrepancy_id"], row["status"]) for row in report.rows(name)}


def test_a_file_with_one_bad_row_is_refused_whole(command: Command) -> None:
    rows = command.latest().rows("discrepancies")
    rows[0]["resolution"] = "accept"
    rows[1]["resolution"] = "acept"
    rows[2] |= {"resolution": "ignore", "facts": "ABCDEFGHJK"}
    refused = command("resolve", save(command.folder / "bad.csv", rows, "\t", "utf-8"), "--by", "Asha Rao")
    assert (refused.code, refused.out) == (3, "")
    lines = refused.err.splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in lines[:2]] == [
        f"bad.csv, row {number}, {rows[number - 2]['discrepancy_id']}" for number in (3, 4)
    ]
    assert "'acept' is not a decision" in lines[0]
    assert "facts have changed" in lines[1]
    rows = command.latest().rows("discrepancies")
    rows[0]["resolution"] = "accept"
    before = command.good("resolve", save(command.folder / "good.csv", rows), "--by", "A", "--dry-run").out
    assert "1 decision, 0 notes" in before  # nothing of the refused file was taken


@pytest.fixture(scope="module")
def decided(command: Command, small_shop: Shop) -> tuple[dict[str, Row], Report]:
    """Decisions of four kinds, and the run after them."""
    report = command.latest()
    rows = {
        kind: first(report, "discrepancies", kind)
        for kind in ("AMOUNT_MISMATCH", "MISSING_IN_LEDGER", "STATUS_MISMATCH", "STALE_PENDING")
    }
    entry = first(report, "discrepancies", "MISSING_IN_KSPAY")["ledger_id"]
    rows["AMOUNT_MISMATCH"] |= {"resolution": "Accept", "note": "a fee"}
    rows["MISSING_IN_LEDGER"]["resolution"] = f"match:{entry}"
    rows["STATUS_MISMATCH"]["resolution"] = "write_off"
    rows["STALE_PENDING"]["note"] = "asked the bank"
    path = save(command.folder / "decided.csv", list(rows.values())[::-1])
    said = command.good("resolve", path, "--by", "Asha Rao").out
    assert "3 decisions, 1 note, 0 rows unchanged" in said
    again = command.good("resolve", path, "--by", "Asha Rao").out
    assert "0 decisions, 0 notes" in again
    command.good("run", *days(small_shop))
    return rows, command.latest()


def test_what_is_decided_is_resolved_and_shown_with_who_and_when(
    decided: tuple[dict[str, Row], Report],
) -> None:
    rows, report = decided
    resolved = {row["discrepancy_id"]: row for row in report.rows("resolved")}
    wanted = {
        rows[kind]["discrepancy_id"]: word
        for kind, word in (("AMOUNT_MISMATCH", "accept"), ("STATUS_MISMATCH", "write_off"))
    }
    assert {key: resolved[key]["resolution"] for key in wanted} == wanted
    assert {(row["status"], row["by"]) for row in resolved.values()} == {("resolved", "Asha Rao")}
    assert all(row["at"].endswith("Z") for row in resolved.values())
    assert resolved[rows["AMOUNT_MISMATCH"]["discrepancy_id"]]["note"] == "a fee"
    open_ones = {row["discrepancy_id"]: row for row in report.rows("discrepancies")}
    assert not resolved.keys() & open_ones.keys()
    assert open_ones[rows["STALE_PENDING"]["discrepancy_id"]]["note"] == "asked the bank"
    assert any(row["outcome"] == "resolved" for row in report.rows("summary"))


def test_a_match_joins_what_a_person_named(decided: tuple[dict[str, Row], Report]) -> None:
    rows, report = decided
    manual = [row for row in report.rows("matched") if row["rule"] == "manual"]
    entry = rows["MISSING_IN_LEDGER"]["resolution"].removeprefix("match:")
    assert [(row["transaction_ids"], row["ledger_ids"]) for row in manual] == [
        (rows["MISSING_IN_LEDGER"]["transaction_id"], entry)
    ]
    assert rows["MISSING_IN_LEDGER"]["discrepancy_id"] in {
        row["discrepancy_id"] for row in report.rows("resolved")
    }


def test_resolved_csv_given_back_reopens(
    command: Command, small_shop: Shop, decided: tuple[dict[str, Row], Report]
) -> None:
    _, report = decided
    taken_back = [row | {"resolution": "reopen"} for row in report.rows("resolved")]
    command.good("resolve", save(command.folder / "back.csv", taken_back, ","), "--by", "Ravi")
    command.good("run", *days(small_shop))
    after = command.latest()
    assert after.rows("resolved") == []
    assert not [row for row in after.rows("matched") if row["rule"] == "manual"]
    status = {row["discrepancy_id"]: row["status"] for row in after.rows("discrepancies")}
    assert {status[row["discrepancy_id"]] for row in taken_back} == {"reopened"}
    assert "each as it was written" in command.good("doctor").out


def test_ids_are_shown_as_they_are_written(command: Command) -> None:
    row = first(command.latest(), "discrepancies", "MISSING_IN_LEDGER")
    (command.folder / "emoji.csv").write_text(
        "ledger_id,amount,currency,date\n:bank:[b]L:x:1,987654.32,INR,2026-04-02\n", "utf-8"
    )
    command.good("ledger", "import", "emoji.csv")
    row["resolution"] = "match:default::bank:[b]L:x:1"
    said = command.good(
        "resolve", save(command.folder / "ids.csv", [row], ","), "--by", "Asha Rao", "--dry-run"
    ).out
    assert " with ledger entry default::bank:[b]L:x:1" in said


def test_who_decided_must_be_named(command: Command) -> None:
    assert command("resolve", "decided.csv").code == 2
    assert command("resolve", "decided.csv", "--by", " ").code == 2
    assert command("resolve", "nowhere.csv", "--by", "Asha").code == 2


def test_the_inbox_takes_ledgers_and_decisions(small_shop: Shop, make_command: MakeCommand) -> None:
    merchant, sandbox = small_shop
    command = make_command(sandbox)
    inbox = command.folder / "inbox"
    inbox.mkdir()
    merchant.write_ledger(inbox / "ledger.csv")
    (inbox / "broken.csv").write_text("nothing,of,use\n1,2,3\n", "utf-8")
    for path in inbox.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))  # not still being written
    (inbox / "later.csv.part").write_text("ledger_id", "utf-8")
    command.good("run", *days(small_shop), RECONCILE_INBOX=str(inbox))
    assert (inbox / "done" / "ledger.csv").exists()
    assert sorted(path.name for path in (inbox / "refused").iterdir()) == [
        "broken.csv",
        "broken.csv.reason.txt",
    ]
    assert (inbox / "later.csv.part").exists()
    document = command.latest().document()
    assert any("broken.csv" in warning for warning in document["warnings"])

    rows = command.latest().rows("discrepancies")
    (inbox / PERSON).mkdir()
    old(save(inbox / PERSON / "monday.csv", [rows[0] | {"resolution": "ignore"}, *rows[1:]]))
    # The workbook as well, among its other sheets.
    accepts = rows[1] | {"resolution": "accept", "note": "=SUM(1+1)"}
    old(save_workbook(inbox / PERSON / "tuesday.xlsx", [rows[0], accepts, *rows[2:]]))
    command.good("run", *days(small_shop), RECONCILE_INBOX=str(inbox))
    assert {"monday.csv", "tuesday.xlsx"} < {path.name for path in (inbox / "done").iterdir()}
    assert {
        (row["discrepancy_id"], row["resolution"], row["note"]) for row in command.latest().rows("resolved")
    } == {(rows[0]["discrepancy_id"], "ignore", ""), (rows[1]["discrepancy_id"], "accept", "=SUM(1+1)")}


def save_workbook(path: Path, rows: list[Row]) -> Path:
    """A workbook in which the discrepancies are the second sheet."""
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Summary").write_row(0, 0, ["scope", "side", "count"])
        sheet = book.add_worksheet("Discrepancies")
        for number, row in enumerate([list(rows[0]), *(list(row.values()) for row in rows)]):
            for column, value in enumerate(row):
                sheet.write_string(number, column, value)
    return path


def test_a_bad_row_of_a_workbook_is_named_and_the_rest_is_not_taken(command: Command) -> None:
    rows = command.latest().rows("discrepancies")
    rows[0]["resolution"] = "accept"
    rows[3]["resolution"] = "acept"
    refused = command("resolve", save_workbook(command.folder / "bad.xlsx", rows), "--by", "Asha Rao")
    assert (refused.code, refused.out) == (3, "")
    assert f"bad.xlsx, row 5, {rows[3]['discrepancy_id']}: 'acept' is not a decision" in refused.err
    rows[3]["resolution"] = "accept"
    said = command.good(
        "resolve", save_workbook(command.folder / "x.xlsx", rows), "--by", "A", "--dry-run"
    ).out
    assert "2 decisions, 0 notes" in said


def old(path: Path) -> Path:
    """As a file that nobody is writing any more."""
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def test_two_people_decide_at_the_same_time(command: Command, small_shop: Shop) -> None:
    """Each file is taken as a whole, one after the other; the chain has no fork and no gap."""
    rows = [row for row in command.latest().rows("discrepancies") if row["type"] == "DATE_MISMATCH"][:3]
    files = [
        save(command.folder / f"{by}.csv", [row | {"resolution": word, "note": f"{by} says"} for row in rows])
        for by, word in (("asha", "accept"), ("ravi", "ignore"))
    ]
    with (
        command.start("resolve", files[0], "--by", "asha") as one,
        command.start("resolve", files[1], "--by", "ravi") as other,
    ):
        ended = [one.ended(), other.ended()]
    assert [(outcome.code, outcome.err) for outcome in ended] == [(0, ""), (0, "")]
    every = f"{len(rows)} decision{'s' if len(rows) > 1 else ''}, 0 notes, 0 rows unchanged"
    assert all(every in outcome.out for outcome in ended)
    told = json.loads(command.good("explain", rows[0]["discrepancy_id"], "--json").out)[0]["discrepancies"][0]
    made = [
        (one["by"], one["decision"], one["standing"]) for one in told["decisions"] if "says" in one["note"]
    ]
    assert sorted(by for by, *_ in made) == ["asha", "ravi"]
    assert [standing for *_, standing in made] == ["earlier", "in force"]
    assert "each as it was written" in command.good("doctor").out
    back = [row | {"resolution": "reopen", "note": ""} for row in rows]
    command.good("resolve", save(command.folder / "both-back.csv", back), "--by", "asha")


def test_decided_during_a_run_and_again_by_a_file_left_in_the_inbox(
    command: Command, small_shop: Shop
) -> None:
    """What is decided while a run fetches is in its report; and after a kill between taking a file in and
    moving it, the next run finds it in the inbox again, where it must override nothing newer."""
    report = command.latest()
    meanwhile = first(report, "discrepancies", "DUPLICATE_IN_KSPAY") | {"resolution": "write_off"}
    posted = first(report, "discrepancies", "UNKNOWN_STATUS") | {"resolution": "accept"}
    inbox = command.folder / "post"
    (inbox / "done").mkdir(parents=True)
    (inbox / "done" / "monday.csv").write_text("another of that name", "utf-8")
    (inbox / PERSON).mkdir()
    path = old(save(inbox / PERSON / "monday.csv", [posted]))
    content = path.read_bytes()
    aside = save(command.folder / "meanwhile.csv", [meanwhile])
    hold = Hold("/transaction?")
    with (
        gate(small_shop[1], hold) as held,
        command.start(
            "run", *days(small_shop), KSPAY_BASE_URL=held.base_url, RECONCILE_INBOX=str(inbox)
        ) as run,
    ):
        assert hold.held.wait(60)
        assert "1 decision" in command.good("resolve", aside, "--by", "Asha Rao").out
        hold.go.set()
        assert run.ended().code == 0
    report = command.latest()
    document = report.document()
    assert document["inbox"]["decided"][0]["decisions"] == 1
    assert document["seconds"]["inbox"] > 0
    assert sorted(one.name for one in (inbox / "done").iterdir()) == ["monday-2.csv", "monday.csv"]
    resolved = {one["discrepancy_id"]: one["resolution"] for one in report.rows("resolved")}
    assert resolved[meanwhile["discrepancy_id"]] == "write_off"
    assert resolved[posted["discrepancy_id"]] == "accept"
    told = command.good("explain", meanwhile["discrepancy_id"]).out
    assert f"reported by run {report.run_id}: DUPLICATE_IN_KSPAY, resolved" in told
    assert "write_off by Asha Rao at" in told

    newer = save(command.folder / "newer.csv", [posted | {"resolution": "ignore"}])
    command.good("resolve", newer, "--by", "Ravi")
    path.write_bytes(content)
    old(path)
    command.good("run", *days(small_shop), RECONCILE_INBOX=str(inbox))
    (warning,) = [line for line in command.latest().document()["warnings"] if "inbox" in line]
    assert "monday.csv: is the file that was taken in on" in warning
    assert not path.exists()
    resolved = {one["discrepancy_id"]: one["resolution"] for one in command.latest().rows("resolved")}
    assert resolved[posted["discrepancy_id"]] == "ignore"


def test_an_old_sheet_given_again_after_a_colleague_decided(command: Command, small_shop: Shop) -> None:
    report = command.latest()
    monday = first(report, "discrepancies", "DUPLICATE_IN_LEDGER") | {"resolution": "accept", "note": "known"}
    sheet = save(command.folder / "old.csv", [monday])
    assert "in place of" not in command.good("resolve", sheet, "--by", "Asha Rao").out
    command.good("run", *days(small_shop))
    decided = first(command.latest(), "resolved", "DUPLICATE_IN_LEDGER")
    tuesday = save(command.folder / "back.csv", [decided | {"resolution": "reopen", "note": "wrong"}])
    said = command.good("resolve", tuesday, "--by", "Ravi").out
    assert f", in place of accept by Asha Rao on {decided['at'][:10]}\n" in said
    # One that no test before has decided: of those, the report may be older than what was decided.
    untouched = [row for row in report.rows("discrepancies") if row["status"] == "open" and not row["note"]]
    one_more = next(row for row in untouched if row["type"] != "DUPLICATE_IN_LEDGER") | {
        "resolution": "ignore"
    }
    refused = command("resolve", save(sheet, [monday, one_more]), "--by", "Asha Rao")
    assert (refused.code, refused.out) == (3, "")
    assert f"row 2, {monday['discrepancy_id']}: was decided since, by Ravi on 20" in refused.err
    assert "old.csv: 1 row refused, so nothing of the file was stored" in refused.err

    inbox = command.folder / "desk"
    (inbox / PERSON).mkdir(parents=True)
    old(save(inbox / PERSON / "1-old.csv", [monday, one_more]))
    old(save(inbox / PERSON / "2-newer.csv", [monday | {"note": "Ravi and I talked"}]))
    command.good("run", *days(small_shop), RECONCILE_INBOX=str(inbox))
    older, newer = (line for line in command.latest().document()["warnings"] if line.startswith("inbox: "))
    assert older.startswith("inbox: 1-old.csv: refused: 1 row refused")
    assert newer.startswith("inbox: 2-newer.csv: replaced reopen by Ravi on 20")
    assert newer.endswith(f" of {monday['discrepancy_id']}")
    row = first(command.latest(), "resolved", "DUPLICATE_IN_LEDGER")
    assert (row["resolution"], row["note"]) == ("accept", "Ravi and I talked")


def test_a_confirmation_names_the_decision_that_it_replaces(command: Command) -> None:
    rows = command.latest().rows("discrepancies")
    row = next(
        row
        for row in rows
        if row["currency"] == "INR" and row["type"].startswith("MISSING") and row["status"] == "open"
    )

    def resolve(word: str, by: str) -> str:
        sheet = save(command.folder / "eyes.csv", [row | {"resolution": word}])
        said = command.good("resolve", sheet, "--by", by, RECONCILE_FOUR_EYES=most).out
        (*line, _) = said.splitlines()
        return "".join(line).partition(" on 20")[0].partition(row["ledger_id"] or row["transaction_id"])[2]

    most = ""
    assert resolve("accept", "Asha Rao") == ""
    most = "INR=0"
    assert resolve("write_off", "Ravi") == (
        ": proposed, another person must confirm it, and would then stand in place of accept by Asha Rao"
    )
    assert resolve("write_off", "Meera") == (
        ": confirms the same decision of another person, in place of accept by Asha Rao"
    )
    # A third person's confirmation replaces nothing.
    assert resolve("write_off", "Vikram") == ": confirms the same decision of another person"


def test_match_alone_takes_the_suggestion(small_shop: Shop, make_command: MakeCommand) -> None:
    merchant, sandbox = small_shop
    command = make_command(sandbox)
    merchant.write_ledger(command.folder / "ledger.csv")
    command.good("run", *days(small_shop), "--ledger", "ledger.csv")
    missing = first(command.latest(), "discrepancies", "MISSING_IN_LEDGER")
    # An entry without a reference, of the same amount and day.
    (command.folder / "more.csv").write_text(
        "ledger_id,amount,currency,date\n"
        f"EXTRA-1,{missing['kspay_amount']},{missing['currency']},{missing['kspay_date']}\n",
        "utf-8",
    )
    command.good("ledger", "import", "more.csv")
    command.good("run", *days(small_shop))
    rows = {row["discrepancy_id"]: row for row in command.latest().rows("discrepancies")}
    row = rows[missing["discrepancy_id"]]
    assert row["suggested_counterpart"] == "EXTRA-1"

    accepted = command.folder / "accepted.csv"
    save(accepted, [row | {"resolution": "accept"}])
    said = command.good("resolve", accepted, "--by", "Asha", "--dry-run")
    assert [line for line in said.err.splitlines() if line.startswith("warning")] == [
        f"warning: accepted.csv, row 2, {row['discrepancy_id']}: is accepted, but default:EXTRA-1 may belong to "
        "it: write match if they belong together"
    ]

    unlike = next(one for one in rows.values() if not one["suggested_counterpart"])
    refused = command(
        "resolve", save(command.folder / "bad.csv", [unlike | {"resolution": "match"}]), "--by", "Asha"
    )
    assert (refused.code, refused.out) == (3, "")
    assert "match without ids takes the suggested counterpart, and this row has none now" in refused.err

    both = [one | {"resolution": "match"} for one in (row, row_of_entry(rows, "EXTRA-1"))]
    matched = save(command.folder / "matched.csv", both)
    shown = command.good("resolve", matched, "--by", "Asha", "--dry-run").out
    assert f"transaction {row['transaction_id']} with ledger entry default:EXTRA-1" in shown
    assert "1 decision, 0 notes, 1 row unchanged" in command.good("resolve", matched, "--by", "Asha").out
    command.good("run", *days(small_shop))
    after = command.latest()
    assert ("manual", row["transaction_id"], "EXTRA-1") in {
        (one["rule"], one["transaction_ids"], one["ledger_ids"]) for one in after.rows("matched")
    }
    assert [one["resolution"] for one in after.rows("resolved")] == ["match:default:EXTRA-1"]
    assert "match" in command.good("explain", row["discrepancy_id"]).out


def row_of_entry(rows: dict[str, Row], ledger_id: str) -> Row:
    return next(row for row in rows.values() if row["ledger_id"] == ledger_id)
