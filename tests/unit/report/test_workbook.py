"""The workbook of a run, read back by a program that did not write it."""

import re
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from python_calamine import load_workbook

from reconcile.core.dialect import Dialect
from reconcile.report import workbook
from reconcile.report.columns import DISCREPANCIES, MATCHED, QUARANTINE, RUN_FILES, SUMMARY
from reconcile.report.csv_cells import amount_cell, text_cell
from reconcile.report.csv_files import write_csv
from reconcile.report.workbook import pattern, write_workbook

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
    "versions": {"python": "3.11"}, "checks": ["totals"], "warnings": ["=1+1"],
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
    assert tuple(header[: len(DISCREPANCIES)]) == DISCREPANCIES
    found = [dict(zip(DISCREPANCIES, row, strict=False)) for row in rows]
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
    assert [(row[4], row[5]) for row in rows[1:]] == [(2, 0.1), (1, 0.2), (3, 0.3)] * 2
    with zipfile.ZipFile(path) as archive:
        content = archive.read("xl/worksheets/sheet1.xml").decode()
    for formula in (
        "ROUND(SUM(E2:E3),0)",
        "ROUND(SUM(F2:F3),2)",
        "ROUND(SUM(E5:E6),0)",
        "ROUND(SUM(F5:F6),2)",
    ):
        assert f"<f>{formula}</f>" in content


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
    assert [row[5] for row in sheet(path, "Summary")[1:]] == [big, "-1234567890123455.00", 1]
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
    assert heights == {"3": "45", "4": "60"}


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
    monkeypatch.delattr(workbook._Sheet, "_write_cell")
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
