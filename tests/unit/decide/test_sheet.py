"""The spreadsheet read back: whatever a program makes of the file, the four cells of a row come out the same."""

import csv
import io
from collections.abc import Mapping
from datetime import date
from itertools import product
from pathlib import Path

import pytest
import xlsxwriter

from reconcile.core.errors import InputRefused, UsageError
from reconcile.decide.sheet import Row, holds_decisions, open_sheet
from reconcile.report.columns import DISCREPANCIES

NOTE = 'Café refunded; see "slip" 12, tomorrow\nsecond line – done'
CELLS = {"discrepancy_id": "D-ABCDEFGH", "facts": "KLMNPQRABC", "resolution": "match:V-1;V-2", "note": NOTE}
SILENT = {"discrepancy_id": "D-SILENT", "facts": "XXXX", "detail": 'KS Pay took 1,250.00 INR; "more"'}
ROWS = [SILENT, CELLS]


def sheet(
    rows: list[dict[str, str]],
    *,
    delimiter: str = ",",
    newline: str = "\r\n",
    quoting: int = csv.QUOTE_MINIMAL,
    columns: tuple[str, ...] = DISCREPANCIES,
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(columns)
    writer.writerows([row.get(column.strip().lower(), "") for column in columns] for row in rows)
    return text.getvalue()


def read(folder: Path, content: str | bytes, encoding: str = "utf-8") -> list[Row]:
    path = folder / "filled.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return [row for row in open_sheet(path).rows() if row is not None]


def test_every_dialect_that_programs_save(tmp_path: Path) -> None:
    dialects = product(
        ",;\t|",
        ("\r\n", "\n", "\r"),
        (csv.QUOTE_MINIMAL, csv.QUOTE_ALL),
        ("utf-8", "utf-8-sig", "utf-16", "cp1252"),
    )
    for delimiter, newline, quoting, encoding in dialects:
        content = sheet(ROWS, delimiter=delimiter, newline=newline, quoting=quoting)
        (row,) = read(tmp_path, content, encoding)
        said = (row.discrepancy_id, row.facts, row.resolution, row.note, row.broken)
        assert said == (*CELLS.values(), None), (delimiter, newline, quoting, encoding)
        assert row.number == 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("above", "number"),
    [
        ("sep={0}\r\n", 4),
        ("\ufeffsep={0}\r\n", 4),
        ('"sep={0}"\r\n', 4),
        ("Decisions of March 2026\r\n", 4),
        ("Decisions of March 2026{0}{0}{0}\r\n{0}{0}{0}\r\n", 5),
        ("sep={0}\r\nDecisions of March 2026\r\n\r\n", 6),
    ],
)
def test_lines_above_the_header(tmp_path: Path, above: str, number: int, delimiter: str) -> None:
    content = above.format(delimiter) + sheet(ROWS, delimiter=delimiter)
    (row,) = read(tmp_path, content)
    assert row == Row(number, **CELLS)
    assert holds_decisions(tmp_path / "filled.csv")


@pytest.mark.parametrize(
    "columns",
    [
        tuple(reversed(DISCREPANCIES)),
        ("Note", " RESOLUTION ", "mine", "Facts", "Discrepancy_ID"),
        (*DISCREPANCIES, "by", "at"),
        ("", "", *DISCREPANCIES, "", ""),
    ],
)
def test_columns_are_found_by_name(tmp_path: Path, columns: tuple[str, ...]) -> None:
    (row,) = read(tmp_path, sheet(ROWS, columns=columns))
    assert (row.discrepancy_id, row.facts, row.resolution, row.note) == tuple(CELLS.values())


@pytest.mark.parametrize("written", ["accept", "  accept\u00a0", '="accept"', ' ="accept" ', '"=""accept"""'])
def test_cells_with_blanks_or_as_formulas(tmp_path: Path, written: str) -> None:
    content = f'discrepancy_id,facts,resolution,note\r\n"=""D-A""",F,{written},="0012"\r\n'
    assert read(tmp_path, content) == [Row(2, "D-A", "F", "accept", "0012")]


def test_invisible_characters_are_no_part_of_a_decision(tmp_path: Path) -> None:
    """As in a cell of a ledger. A note keeps what was written."""
    for mark in "\u200b\ufeff\xad\u2060":
        wanted = {**CELLS, "note": f"asked{mark} twice"}
        written = {
            **{name: f"{mark}{value[:3]}{mark}{value[3:]} {mark}" for name, value in CELLS.items()},
            "note": wanted["note"],
        }
        invisible = {"discrepancy_id": "D-SILENT", "resolution": f"{mark} "}
        (row,) = read(tmp_path, sheet([written, invisible]))
        assert (row.discrepancy_id, row.facts, row.resolution, row.note) == (*wanted.values(),)
        path = tmp_path / "filled.xlsx"
        with xlsxwriter.Workbook(path) as book:
            page = book.add_worksheet()
            page.write_row(0, 0, [*CELLS])
            page.write_row(1, 0, [*written.values()])
        (row,) = [row for row in open_sheet(path).rows() if row is not None]
        assert (row.discrepancy_id, row.facts, row.resolution, row.note) == (*wanted.values(),)


def test_blank_rows_and_cut_rows(tmp_path: Path) -> None:
    """Spreadsheets leave out the empty cells at the end of a row, and fill others with delimiters."""
    content = "\r\n;;;\r\ndiscrepancy_id;facts;resolution;note\r\nD-A;F\r\n;;;\r\nD-B;F;accept\r\n\r\nD-C;F;;x;;;\r\n"
    assert read(tmp_path, content) == [Row(6, "D-B", "F", "accept", ""), Row(8, "D-C", "F", "", "x")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("D-A,F,accept,lost, as always", "5 cells, but the header has 4"),
        ('D-A,F,accept,"never closed', "quotation mark"),
        ("D-A,F,accept,a\0b", "not text"),
        (b"D-A,F,accept,Caf\xe9", "not text"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(tmp_path: Path, line: str | bytes, reason: str) -> None:
    bad = line.encode() if isinstance(line, str) else line
    content = "discrepancy_id,facts,resolution,note\r\nD-B,F,accept,é\r\n".encode() + bad + b"\r\n"
    good, broken = read(tmp_path, content)
    assert good == Row(2, "D-B", "F", "accept", "é")
    assert broken.number == 3
    assert reason in str(broken.broken)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "x.csv: is empty; fill in the discrepancies.csv, "),
        (b"\n;;\n", "x.csv: is empty; fill in the discrepancies.csv, "),
        (b"a,b\n", "lacks the columns discrepancy_id, facts, resolution, note"),
        (
            b'{"run_id": "x"}',
            r"x.csv: is JSON; fill in the discrepancies\.csv, resolved\.csv or workbook of a run",
        ),
        (b"%PDF-1.7", r"x.csv: is a PDF; fill in the discrepancies\.csv"),
        (b"SQLite format 3\0", r"x.csv: is an SQLite database; fill in the discrepancies\.csv"),
        (b"<html><table>", "open it in a spreadsheet and save it as XLSX or CSV"),
        (b"discrepancy_id,resolution,note\r\nD-A,accept,\r\n", "row 1: the header lacks the column facts;"),
        (b"discrepancy_id,facts,note,Note,resolution\r\n", "repeats the column note"),
        (b"discrepancy_id,due,facts,note,resolution,due\r\n", "repeats the column due"),
        (b"PK\x03\x04\x14\x00\x06\x00", "cut off or damaged; save it again"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "save it as .xlsx"),
        (b"\x81\x8d\xff\x00", "not a table"),
    ],
)
def test_a_file_that_is_no_such_sheet_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputRefused, match=complaint) as refused:
        open_sheet(path)
    assert "\n" not in str(refused.value)


def workbook(path: Path, sheets: Mapping[str, list[list[object]]]) -> Path:
    book = xlsxwriter.Workbook(path)
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, date):
                    sheet.write_datetime(number, column, value, book.add_format({"num_format": "yyyy-mm-dd"}))
                elif isinstance(value, str) and not value.startswith("=1"):
                    sheet.write_string(number, column, value)
                else:
                    sheet.write(number, column, value)
    book.close()
    return path


HEAD: list[object] = ["Note", "mine", "facts", "Resolution", "discrepancy_id"]


def test_a_workbook_is_read_like_the_file(tmp_path: Path) -> None:
    """Among other sheets, with numbers, days and remarks in the cells."""
    book = workbook(
        tmp_path / "x.xlsx",
        {
            "Summary": [["scope", "count"], ["period", 3]],
            "Discrepancies": [
                [],
                HEAD,
                [NOTE, 1, "F", "match:0012;V-2", "D-A", "", "see my mail"],
                ["", 2, "F", "", "D-B"],
                [12, 3, "F", "accept", "D-C"],
                [date(2026, 2, 1), 4, "F", "", "D-D"],
                ["=SUM(1+1)", 5, "F", True, "D-E"],
            ],
        },
    )
    assert holds_decisions(book)
    assert [row for row in open_sheet(book).rows() if row is not None] == [
        Row(3, "D-A", "F", "match:0012;V-2", NOTE),
        Row(5, "D-C", "F", "accept", "12"),
        Row(6, "D-D", "F", "", "2026-02-01"),
        Row(7, "D-E", "F", "TRUE", "=SUM(1+1)"),
    ]


def test_a_cell_of_a_workbook_that_cannot_be_used_breaks_its_row(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Discrepancies")
    sheet.write_row(0, 0, ["discrepancy_id", "facts", "resolution", "note"])
    sheet.write_row(1, 0, ["D-A", "F"])
    sheet.write_formula(1, 2, "=NA()", None, "#N/A")
    sheet.write_row(2, 0, ["D-B", "F", "accept", "fine"])
    sheet.merge_range(3, 2, 4, 2, "ignore")
    sheet.write_row(3, 0, ["D-C", "F"])
    sheet.write_row(4, 0, ["D-D", "F"])
    book.close()
    rows = [row for row in open_sheet(path).rows() if row is not None]
    assert [(row.discrepancy_id, row.broken is not None) for row in rows] == [
        ("D-A", True),
        ("D-B", False),
        ("D-C", False),
        ("D-D", True),
    ]
    assert "resolution holds an error of a formula" in str(rows[0].broken)
    assert "resolution is covered by merged cells" in str(rows[3].broken)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-09-05", "2026-09-05"),
        ("05.09.2026", "2026-09-05"),
        ("05/09/2026", "2026-09-05"),  # the days of other rows show the order
        ("soon", "soon"),
        ("-", "-"),
    ],
)
def test_who_looks_after_a_row_and_until_when(tmp_path: Path, written: str, read_as: str) -> None:
    columns = ("discrepancy_id", "first_seen", "facts", "resolution", "note", "Due", "assignee")
    mark = "." if "." in written else "/"
    seen = mark.join(("31", "08", "2026"))
    rows = [
        {"discrepancy_id": "D-A", "facts": "F", "assignee": "Asha", "due": written},
        SILENT | {"first_seen": seen},
    ]
    (row,) = read(tmp_path, sheet(rows, columns=columns))
    assert row == Row(2, "D-A", "F", "", "", "Asha", read_as)


def test_a_day_that_may_be_two_stays_as_written(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "discrepancy_id,facts,resolution,note,due\nD-A,F,,,05/09/2026\n")
    assert row.due == "05/09/2026"
    book = workbook(tmp_path / "x.xlsx", {"D": [[*HEAD, "due"], ["", 1, "F", "", "D-A", date(2026, 9, 5)]]})
    assert [row.due for row in open_sheet(book).rows() if row] == ["2026-09-05"]


def test_two_sheets_of_decisions_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"Discrepancies": [HEAD], "Copy": [HEAD], "Else": [["a"]]})
    with pytest.raises(InputRefused, match="the sheets 'Discrepancies', 'Copy' all have the columns"):
        open_sheet(path)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.csv", Path("a\0b")):
        with pytest.raises(UsageError):
            open_sheet(path)


def test_a_file_of_decisions_is_told_from_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("facts;Discrepancy_ID;resolution\n", "utf-8")
    assert holds_decisions(path)
    for other in (b"ledger_id,amount,date,currency,note\n", b"", b"PK\x03\x04", b"\x81\x8d\xff\x00"):
        path.write_bytes(other)
        assert not holds_decisions(path)


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(sheet(ROWS), "utf-8")
    opened = open_sheet(path)
    path.write_text(sheet(ROWS * 2), "utf-8")
    with pytest.raises(InputRefused, match="changed while it was read"):
        list(opened.rows())
