"""The workbook of a run, read back by a program that did not write it."""

import re
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from python_calamine import load_workbook

from reconcile.core.dialect import Dialect
from reconcile.core.discrepancies import GLANCE
from reconcile.decide.sheet import open_sheet
from reconcile.report import workbook
from reconcile.report.columns import BRIDGE, DISCREPANCIES, MATCHED, QUARANTINE, RESOLVED, RUN_FILES, SUMMARY
from reconcile.report.csv_cells import amount_cell, text_cell
from reconcile.report.csv_files import write_csv
from reconcile.report.workbook import readable, write_workbook
from reconcile.report.workbook_cells import FastSheet, pattern

REFERENCES = [
    "0012",
    "1E5",
    "MAR1",
    "3-4",
    "=SUM(1+1)",
    "@x",
    "12345678901234567890",
    "Ünï — 注文",
    'a "b"',
    "a\tb",
    "  c",
]
RUN: dict[str, Any] = {
    "run_id": "2026-08-01_2026-08-31_1", "from": "2026-08-01", "to": "2026-08-31", "timezone": "Asia/Kolkata",
    "apps": ["app"], "started_at": "2026-09-01T00:00:00.000Z", "finished_at": "2026-09-01T00:00:09.000Z",
    "versions": {"python": "3.11"}, "checks": ["totals"], "warnings": ["=1+1"], "totals": [],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    empty = dict.fromkeys(DISCREPANCIES, "")
    rows = [
        {
            **empty,
            "discrepancy_id": "D-A",
            "severity": "high",
            "age_days": "3",
            "first_seen": "2026-08-30",
            "reference": text_cell(reference),
            "currency": "INR",
            "kspay_amount": amount_cell("-1234567.50", Dialect.COMMA),
            "ledger_amount": amount_cell("12345678901234567.89", Dialect.COMMA),
            "kspay_date": "2026-08-28",
        }
        for reference in REFERENCES
    ]
    write_csv(tmp_path / "discrepancies.csv", DISCREPANCIES, rows, Dialect.COMMA)
    write_csv(tmp_path / "resolved.csv", RESOLVED, [], Dialect.COMMA)
    write_csv(tmp_path / "matched.csv", MATCHED, [], Dialect.COMMA)
    write_csv(tmp_path / "quarantine.csv", QUARANTINE, [], Dialect.COMMA)
    outcomes = [("matched", "2", "0.10"), ("unmatched", "1", "0.20"), ("total", "3", "0.30")]
    summary = [
        dict(zip(SUMMARY, ("period", "kspay", currency, *outcome), strict=True))
        for currency in ("INR", "USD")
        for outcome in outcomes
    ]
    write_csv(tmp_path / "summary.csv", SUMMARY, summary, Dialect.COMMA)
    return tmp_path


def sheet(path: Path, name: str) -> list[list[Any]]:
    with load_workbook(path) as book:
        return book.get_sheet_by_name(name).to_python()


def test_text_stays_text_and_no_digit_is_lost(folder: Path) -> None:
    path = write_workbook(RUN, folder)
    header, *rows = sheet(path, "Discrepancies")
    assert sorted(header) == sorted(DISCREPANCIES)
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["reference"] for row in found] == REFERENCES
    for row in found:
        assert row["kspay_amount"] == -1234567.5
        assert row["ledger_amount"] == "12345678901234567.89"
        assert row["kspay_date"] == date(2026, 8, 28)
        assert row["age_days"] == 3
    with zipfile.ZipFile(path) as archive:
        for number in (2, 3, 4, 5):
            assert b"<f>" not in archive.read(f"xl/worksheets/sheet{number}.xml")


def test_text_that_is_an_amount_is_shrunk_and_not_cut_in_print(folder: Path) -> None:
    with zipfile.ZipFile(write_workbook(RUN, folder)) as archive:
        styles = archive.read("xl/styles.xml").decode()
        cells = archive.read("xl/worksheets/sheet2.xml").decode()
    looks = re.findall(r"<xf .*?(?:/>|</xf>)", styles.partition("<cellXfs")[2].partition("</cellXfs>")[0])
    used = re.findall(r's="(\d+)" t="inlineStr"><is><t>12345678901234567.89</t>', cells)
    assert len(used) == len(REFERENCES)
    assert all('shrinkToFit="1"' in looks[int(number)] for number in used)


def test_a_text_that_no_cell_holds_says_where_it_is_whole(folder: Path) -> None:
    allowed = {"currency": "INR", "fee_matches": 1200, "fees": "28320.00", "tolerated_matches": 2}
    allowed |= {"tolerated": "0.00", "tolerated_either_way": "0.02"}
    more = {"warnings": ["x" * 40_000], "settings": {"RECONCILE_GRACE_DAYS": "1"}, "allowed": [allowed]}
    rows = sheet(write_workbook({**RUN, **more}, folder), "About this run")
    assert ["RECONCILE_GRACE_DAYS", "1"] in rows
    assert ["fees in INR", "28,320.00 of 1,200 matches"] in rows
    assert ["tolerated in INR", "0.02 of 2 matches; KS Pay less ledger 0.00"] in rows
    assert rows[-1][1].endswith("… (whole in run.json)")


def test_every_column_of_the_files_is_explained(folder: Path) -> None:
    header, *rows = sheet(write_workbook(RUN, folder), "Columns")
    assert header == ["column", "meaning", "written as", "in"]
    explained = {(row[0], file) for row in rows for file in row[3].split(", ")}
    written = {
        (name, path.name)
        for path in folder.glob("*.csv")
        for name in path.read_text("utf-8-sig").splitlines()[0].split(",")
    }
    assert written <= explained
    assert {file for _, file in explained} == {*RUN_FILES}
    assert all(row[1].endswith(".") for row in rows)


def test_totals_are_formulas_over_their_own_block(folder: Path) -> None:
    path = write_workbook(RUN, folder)
    rows = sheet(path, "Summary")
    first = [row[0] for row in rows].index("Records") + 1
    assert [(row[4], row[5]) for row in rows[first:]] == [(2, 0.1), (1, 0.2), (3, 0.3)] * 2
    with zipfile.ZipFile(path) as archive:
        content = archive.read("xl/worksheets/sheet1.xml").decode()
    for number in (first + 1, first + 4):
        for column, digits in (("E", 0), ("F", 2)):
            assert f"<f>ROUND(SUM({column}{number}:{column}{number + 1}),{digits})</f>" in content


def test_the_summary_says_in_words_what_the_page_says_first(folder: Path) -> None:
    types = [
        {
            "type": "MISSING_IN_KSPAY",
            "severity": "high",
            "currency": "INR",
            "count": 2,
            "amount": "1234567.00",
        },
        {"type": "INVALID_RECORD", "severity": "high", "currency": "", "count": 1, "amount": "0"},
    ]
    now = [
        {"part": "at_risk", "currency": "", "count": 1, "amount": "0"},
        {"part": "at_risk", "currency": "INR", "count": 2, "amount": "1234567.00"},
        {"part": "in_quarantine", "currency": "", "count": 1, "amount": "0"},
    ]
    last = {
        "run_id": "r",
        "from": "2026-07-01",
        "to": "2026-07-31",
        "parts": [{**now[1], "count": 7, "amount": "5.00"}],
    }
    total = {
        "scope": "period",
        "side": "kspay",
        "currency": "INR",
        "outcome": "matched",
        "count": 9,
        "amount": "8.50",
    }
    run = {
        **RUN,
        "totals": [total],
        "at_a_glance": {"parts": now, "types": types, "last": last, "month_before": last},
    }
    rows = [[cell for cell in row if cell != ""] for row in sheet(write_workbook(run, folder), "Summary")]
    assert rows[0] == ["Reconciliation 1 Aug 2026 to 31 Aug 2026"]
    assert [
        "What",
        "Currency",
        "Meaning",
        "Open",
        "At stake",
        "Month before, 31 Jul 2026",
        "At stake",
    ] in rows
    # What has no currency comes last: beside the name of its part, its count would look like that of all.
    at = rows.index(["At risk", "INR", GLANCE["at_risk"], 2, 1234567, 7, 5])
    assert rows[at + 1] == ["none", 1, 0]
    assert ["In quarantine", "none", GLANCE["in_quarantine"], 1, 0] in rows
    assert ["Invalid record", "high", "none", "Correct it and import again.", 1] in rows
    assert ["Timing", GLANCE["timing"], 0, 0] in rows
    assert ["Transactions", "INR", "100.0\N{NO-BREAK SPACE}%", 9, 8.5, 9, 8.5] in rows
    assert ["Missing in KS Pay", "high", "INR", "Find the payment behind it.", 2, 1234567] in rows
    assert ["Dated in the period", "KS Pay", "INR", "Matched", 2, 0.1] in rows
    assert not [cell for row in rows for cell in row if "_" in str(cell)]


def test_a_total_over_text_is_no_formula(folder: Path) -> None:
    big = "1234567890123456.00"
    rows = [
        dict(
            zip(
                SUMMARY,
                ("period", "kspay", "INR", outcome, "1", amount_cell(amount, Dialect.COMMA)),
                strict=True,
            )
        )
        for outcome, amount in (("matched", big), ("unmatched", "-1234567890123455.00"), ("total", "1.00"))
    ]
    write_csv(folder / "summary.csv", SUMMARY, rows, Dialect.COMMA)
    path = write_workbook(RUN, folder)
    assert [row[5] for row in sheet(path, "Summary")[-3:]] == [big, "-1234567890123455.00", 1]
    with zipfile.ZipFile(path) as archive:
        assert b"SUM(F" not in archive.read("xl/worksheets/sheet1.xml")


def test_a_sheet_that_is_full_says_what_it_leaves_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small sheet; the number itself is what spreadsheet programs document."""
    assert workbook.MOST_ROWS == 1_048_576
    most = 5_000
    monkeypatch.setattr(workbook, "MOST_ROWS", most)
    rows = ({**dict.fromkeys(MATCHED, ""), "match_id": f"M-{number}"} for number in range(most + 10))
    write_csv(folder / "matched.csv", MATCHED, rows, Dialect.COMMA)
    with (
        zipfile.ZipFile(write_workbook(RUN, folder)) as archive,
        archive.open("xl/worksheets/sheet3.xml") as part,
    ):
        tail = b""
        while block := part.read(1 << 20):
            tail = (tail + block)[-2000:]
    found = re.findall(r'<c r="A(\d+)"[^>]*><is><t>([^<]*)</t>', tail.decode())
    assert found[-2:] == [
        (str(most - 1), f"M-{most - 3}"),
        (str(most), "12 more rows are not in this sheet: matched.csv of this run has all of them"),
    ]


@pytest.mark.parametrize(("most", "left_out"), [(0, 3), (2, 1), (3, 0), (4, 0)])
def test_the_sheet_matched_holds_as_many_rows_as_the_run_was_set_to(
    folder: Path, most: int, left_out: int
) -> None:
    rows = [{**dict.fromkeys(MATCHED, ""), "match_id": f"M-{number}"} for number in range(3)]
    write_csv(folder / "matched.csv", MATCHED, rows, Dialect.COMMA)
    path = write_workbook({**RUN, "workbook_matches": most}, folder)
    _, *cells = load_workbook(path).get_sheet_by_name("Matched").to_python()
    says = f"{left_out} more rows are not in this sheet: matched.csv of this run has all of them"
    assert [row[0] for row in cells] == [f"M-{number}" for number in range(min(most, 3))] + [says] * bool(
        left_out
    )


def test_what_a_person_decides_with_comes_first_and_stays_in_sight(folder: Path) -> None:
    path = write_workbook(RUN, folder)
    header = sheet(path, "Discrepancies")[0]
    decides = [
        "kspay_amount",
        "ledger_amount",
        "difference",
        "kspay_date",
        "ledger_date",
        "suggested_counterpart",
    ]
    front = ["discrepancy_id", "detail", "currency", *decides, "resolution", "note", "assignee", "due"]
    assert header[: len(front)] == front
    assert header[len(front) :] == [name for name in DISCREPANCIES if name not in front]
    with zipfile.ZipFile(path) as archive:
        content = archive.read("xl/worksheets/sheet2.xml").decode()
    assert f'<pane xSplit="{len(front)}" ySplit="1"' in content
    assert f'sqref="{"ABCDEFGHIJKLMNOP"[header.index("resolution")]}2:' in content
    open_sheet(path)  # finds its columns by their names


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ('{"amount":1.50,"b":null,"c":"","id":"tx_1","n":{"k":[1]}}', 'amount: 1.50\nid: tx_1\nn: {"k": ["1"]}'),
        ('{"amount": "12", "note": "a \\"b\\", {c}", "referen…', 'amount: 12\nnote: a "b", {c}\n"referen…'),
        ("V-1,12.50,INR", "V-1,12.50,INR"), ("{broken", "{broken"), ("", ""), ("[1]", "[1]"), ('{"a":NaN}', "a: NaN"),
    ],
)  # fmt: skip
def test_a_record_in_quarantine_is_readable(raw: str, wanted: str) -> None:
    assert readable(raw) == wanted


def test_the_ledger_total_of_the_bridge_is_the_sum_of_its_lines(folder: Path) -> None:
    lines = [
        ("INR", "kspay_total", 9, "100.00"),
        ("INR", "missing_in_ledger", 2, "-40.50"),
        ("INR", "ledger_total", 7, "59.50"),
        ("KWD", "missing_in_kspay", 1, "0.100"),
        ("KWD", "ledger_total", 1, "0.100"),
        ("USD", "kspay_total", 1, "12345678901234567.89"),
        ("USD", "ledger_total", 1, "12345678901234567.89"),
    ]
    bridge = [dict(zip(("currency", "line", "count", "amount"), one, strict=True)) for one in lines]
    path = write_workbook({**RUN, "bridge": bridge}, folder)
    header, *rows = sheet(path, "Bridge")
    assert header == ["currency", "line", "count", "amount", "its rows"]
    assert [row[3] for row in rows] == [100, -40.5, 59.5, 0.1, 0.1, *["12345678901234567.89"] * 2]
    assert rows[1][1] == "Missing in the ledger"
    with zipfile.ZipFile(path) as archive:
        content = archive.read("xl/worksheets/sheet2.xml").decode()
    assert re.findall("<f>(.*?)</f>", content) == ["ROUND(SUM(D2:D3),2)", "ROUND(SUM(D5),3)"]


def test_the_rows_of_the_bridge_have_the_titles_of_its_lines(folder: Path) -> None:
    rows = [
        (
            "INR",
            "other_days",
            "-60.00",
            "app",
            "tx_1;tx_2",
            "L-1",
            "Success",
            "paid",
            "2026-08-31",
            "2026-08-30",
        ),
        ("INR", "excluded_in_kspay", "-5.00", "app", "tx_3", "", "Failed", "", "2026-08-02", ""),
        ("USD", "excluded_in_ledger", "7.00", "app", "", "L-2", "", "draft", "", "2026-08-02"),
    ]
    write_csv(
        folder / "bridge.csv", BRIDGE, [dict(zip(BRIDGE, row, strict=True)) for row in rows], Dialect.COMMA
    )
    header, *found = sheet(write_workbook(RUN, folder), "Bridge rows")
    assert header == [*BRIDGE]
    assert [(row[1], row[2]) for row in found] == [
        ("Matched over the edge of the period", -60),
        ("Failed, cancelled or pending at KS Pay", -5),
        ("Unpaid or cancelled in the ledger", 7),
    ]
    _, first, left_out = sheet(write_workbook({**RUN, "workbook_matches": 1}, folder), "Bridge rows")
    assert first == found[0]
    assert left_out[0] == "2 more rows are not in this sheet: bridge.csv of this run has all of them"


def test_a_row_is_as_high_as_its_longest_text(folder: Path) -> None:
    empty = dict.fromkeys(DISCREPANCIES, "")
    rows = [
        {**empty, "discrepancy_id": "D-A", "detail": detail, "note": note}
        for detail, note in (("short", "short"), ("d" * 130, ""), ("d" * 130, "one\ntwo\nthree\nfour"))
    ]
    write_csv(folder / "discrepancies.csv", DISCREPANCIES, rows, Dialect.COMMA)
    with zipfile.ZipFile(write_workbook(RUN, folder)) as archive:
        content = archive.read("xl/worksheets/sheet2.xml").decode()
    heights = dict(re.findall(r'<row r="(\d+)"(?: spans="[^"]*")? ht="(\d+)"', content))
    assert heights == {"3": "60", "4": "60"}


def test_the_same_files_give_the_same_workbook(folder: Path) -> None:
    first = write_workbook(RUN, folder).read_bytes()
    assert write_workbook(RUN, folder).read_bytes() == first


def test_cells_are_written_as_xlsxwriter_writes_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [
        "",
        "x & y",
        "<b>",
        "_x0041_",
        "a_x",
        " lead",
        "trail ",
        "two  in",
        "a\nb",
        "\x01",
        "'",
        '"',
        "~",
        "\xa0",
    ]
    empty = dict.fromkeys(DISCREPANCIES, "")
    rows = [
        {**empty, "severity": "low", "note": text_cell(note), "age_days": "0", "currency": "KWD",
         "kspay_amount": "0.001", "ledger_date": "1899-01-01"}
        for note in notes
    ]  # fmt: skip
    write_csv(folder / "discrepancies.csv", DISCREPANCIES, rows, Dialect.COMMA)
    ours = write_workbook(RUN, folder).read_bytes()
    monkeypatch.delattr(FastSheet, "_write_cell")
    assert write_workbook(RUN, folder).read_bytes() == ours


def test_rupees_are_grouped_in_lakhs() -> None:
    for amount, wanted in (
        ("99999.00", "#,##0.00"),
        ("100000.00", "0\\,00\\,000.00"),
        ("-1234567.00", "00\\,00\\,000.00"),
        ("12345678.00", "0\\,00\\,00\\,000.00"),
        ("123456789.00", "00\\,00\\,00\\,000.00"),
    ):
        assert pattern(amount, "INR") == wanted
    assert pattern("1234567.000", "KWD") == "#,##0.000"
