"""Ledger files as accountants' programs write them, and as they break."""

import codecs
import contextlib
import csv
import hashlib
import io
import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconcile.core.errors import InputRefused, UsageError
from reconcile.core.records import RawRow
from reconcile.ledger.file import BROKEN
from reconcile.ledger.formats.delimited import MAX_RECORD
from reconcile.ledger.table import tidy
from tests.support.ledgers import open_ledger

HEADER = "ledger_id,amount,date,currency"


def write(folder: Path, content: str | bytes, name: str = "ledger.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(folder: Path, content: str | bytes) -> list[RawRow]:
    return list(open_ledger(write(folder, content), default_currency="INR").rows())


def ids(found: list[RawRow]) -> list[str]:
    """The ids in their order, with `!` for a row that is no record."""
    return ["!" if BROKEN in row.values else row.values["ledger_id"] for row in found]


def test_a_ledger_knows_its_name_digest_and_columns(tmp_path: Path) -> None:
    content = f"{HEADER},Customer\nL1,10,2026-08-01,INR,Asha\n".encode()
    ledger = open_ledger(write(tmp_path, content, "August.csv"))
    assert ledger.name == "August.csv"
    assert ledger.sha256 == hashlib.sha256(content).hexdigest()
    assert ledger.columns == ("ledger_id", "amount", "date", "currency", "Customer")
    (row,) = ledger.rows()
    assert (row.place.file, row.place.row) == ("August.csv", 2)
    assert row.values == {
        "ledger_id": "L1",
        "amount": "10",
        "date": "2026-08-01",
        "currency": "INR",
        "Customer": "Asha",
    }
    assert len(list(ledger.rows())) == 1, "rows can be read again"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"], ids=["utf8", "bom", "utf16", "windows"]
)
def test_encodings_delimiters_and_line_ends(
    tmp_path: Path, encoding: str, line_end: str, delimiter: str
) -> None:
    lines = ["Ledger_ID ,AMOUNT,date,currency,description", "L1,10.50,2026-08-01,EUR,Café “Zürich”", ""]
    text = line_end.join(lines).replace(",", delimiter)
    (row,) = rows(tmp_path, text.encode(encoding))
    assert row.values == {
        "ledger_id": "L1",
        "amount": "10.50",
        "date": "2026-08-01",
        "currency": "EUR",
        "description": "Café “Zürich”",
    }


def test_the_encoding_is_that_of_the_whole_file(tmp_path: Path) -> None:
    body = "".join(f"L{number},1,2026-08-01,INR\n" for number in range(60_000))
    content = f"{HEADER}\n{body}".encode() + "Café,1,2026-08-01,EUR\n".encode("cp1252")
    assert len(content) > 2**20, "the é must stand behind the first block"
    assert ids(rows(tmp_path, content))[-1] == "Café"


def test_a_character_may_lie_across_two_blocks(tmp_path: Path) -> None:
    start = f"{HEADER},description\nL1,1,2026-08-01,EUR,".encode()
    content = start + b"x" * (2**20 - len(start) - 1) + "€\n".encode()
    (row,) = rows(tmp_path, content)
    assert row.values["description"].endswith("x€")


def test_a_foreign_byte_in_a_utf8_file_harms_its_own_row_only(tmp_path: Path) -> None:
    found = rows(tmp_path, f"{HEADER}\nCafé,1,2026-08-01,EUR\n".encode() + b"Caf\xe9,1,2026-08-01,EUR\n")
    assert ids(found) == ["Café", "Caf\udce9"]


def test_a_header_that_names_the_columns_decides_on_the_delimiter(tmp_path: Path) -> None:
    content = "ledger_id;amount;date;currency;a, b, c, d, e\nL1;10;2026-08-01;INR;x\n"
    assert ids(rows(tmp_path, content)) == ["L1"]
    content = '"ledger_id","amount","date","currency","a;b;c;d;e;f"\n"L1","10","2026-08-01","INR","x"\n'
    assert ids(rows(tmp_path, content)) == ["L1"]


def test_rows_are_counted_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        f'{HEADER},description\n\nL1,1,2026-08-01,INR,"two\r\nlines"\n,,,,\n  \nL2,2,2026-08-01,INR,x\n\n',
    )
    assert [(row.place.row, row.values["ledger_id"]) for row in found] == [(3, "L1"), (6, "L2")]
    assert found[0].values["description"] == "two\r\nlines"


def test_blank_rows_above_the_header_are_passed_over(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, f"\n,,,\n{HEADER}\nL1,1,2026-08-01,INR\n")
    assert row.place.row == 4


def test_a_header_alone_is_a_ledger_without_entries(tmp_path: Path) -> None:
    assert rows(tmp_path, HEADER) == []


def test_quotes(tmp_path: Path) -> None:
    lines = [
        f"{HEADER},description",
        'L1,"1,250.00",2026-08-01,INR,"he said ""yes"""',
        'L2,1,2026-08-01,INR,5" pipe',
        'L3,1,2026-08-01,INR,""',
        '"L4",1,2026-08-01,INR,"="',
    ]
    found = rows(tmp_path, "\n".join(lines))
    assert [row.values["description"] for row in found] == ['he said "yes"', '5" pipe', "", "="]
    assert found[0].values["amount"] == "1,250.00"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('="0012"', "0012"),
        ('"=""0012"""', "0012"),
        ('="MAR1"', "MAR1"),
        ('"=""say """"hi"""" now"""', 'say "hi" now'),
        ('=""', ""),
        ('"="', "="),
        ('="', '="'),
        ("=1+1", "=1+1"),
        ('"=""a""&""b"""', '="a"&"b"'),
    ],
)
def test_cells_of_our_own_reports_are_the_text_they_hold(tmp_path: Path, cell: str, text: str) -> None:
    (row,) = rows(tmp_path, f"{HEADER},reference\nL1,1,2026-08-01,INR,{cell}\n")
    assert row.values["reference"] == text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("L1,1\nL2,1,2026-08-01,INR", ["!", "L2"]),
        ("L1,1,250.00,2026-08-01,INR\nL2,1,2026-08-01,INR", ["!", "L2"]),
        ("L1,1,2026-08-01,INR,x\nL2,1,2026-08-01,INR", ["!", "L2"]),
        ('L1,1,2026-08-01,"INR\nL2,1,2026-08-01,INR\nL3,1,2026-08-01,INR', ["!", "L2", "L3"]),
        ('L1,1,2026-08-01,"INR\nL2,"1",2026-08-01,INR\nL3,1,2026-08-01,INR', ["!", "L2", "L3"]),
        ('"L1,1,2026-08-01,INR\n"L2",1,2026-08-01,INR', ["!", "L2"]),
        ('"L1"x,1,2026-08-01,INR\nL2,1,2026-08-01,INR', ["!", "L2"]),
        (r'L1,1,2026-08-01,"a \"b" c"' + "\nL2,1,2026-08-01,INR", ["!", "L2"]),
        ('"', ["!"]),
        ('L1,1,2026-08-01,"IN', ["!"]),
        ("L1,1,2026-0", ["!"]),
        ("L1,1,2026-08-01,INR\n\x1a", ["L1", "!"]),
    ],
    ids=[
        "too few", "too many", "a cell at the end", "never closed", "closed by the next quote",
        "open from the start", "text behind a quote", "backslashes", "a lone quote", "cut off in quotes", "cut off",
        "end-of-file mark",
    ],
)  # fmt: skip
def test_a_broken_row_is_told_and_costs_itself_only(tmp_path: Path, body: str, expected: list[str]) -> None:
    found = rows(tmp_path, f"{HEADER}\n{body}")
    assert ids(found) == expected
    assert [row.place.row for row in found] == list(range(2, 2 + len(found)))
    assert all(row.values[BROKEN] and "line" in row.values for row in found if BROKEN in row.values)


def test_a_row_between_two_stray_quotes_is_not_lost_in_silence(tmp_path: Path) -> None:
    header = f"{HEADER},description"
    found = rows(tmp_path, f'{header}\nL1,1,2026-08-01,INR,"a\nL2,2,2026-08-01,INR,b"\nL3,3,2026-08-01,INR,c')
    assert ids(found) == ["!", "L3"]
    assert "L2" in found[0].values["line"]
    letter = '"Dear Asha,\nwe sent apples, pears, plums, figs, dates.\n\nYours"'
    assert ids(rows(tmp_path, f"{header}\nL1,1,2026-08-01,INR,{letter}\n")) == ["L1"]


def test_many_open_quotes_do_not_take_forever(tmp_path: Path) -> None:
    # Every line opens a quote that only the end of the file would end: each looks ahead, within bounds.
    body = "\n".join(f'L{number},1,2026-08-01,"INR' for number in range(3_000))
    assert ids(rows(tmp_path, f"{HEADER}\n{body}")) == ["!"] * 3_000


def test_a_record_with_quotes_has_a_longest_length(tmp_path: Path) -> None:
    found = rows(tmp_path, f'{HEADER}\n"L1","{"9" * MAX_RECORD}",2026-08-01,INR\n"L2",1,2026-08-01,INR')
    assert ids(found) == ["!", "L2"]
    assert "longer" in found[0].values[BROKEN]


def test_columns_that_are_not_read_may_be_blank_or_repeat(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, f"{HEADER},,Note,Note,\nL1,1,2026-08-01,INR,a,b,c,d\n")
    assert list(row.values.values()) == ["L1", "1", "2026-08-01", "INR", "a", "b", "c", "d"]
    assert BROKEN not in row.values


REFUSED = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n  \n,,,\n", "is empty"),
    "only a byte order mark": (codecs.BOM_UTF8, "is empty"),
    "no amount": (
        b"ledger_id,date,currency\n",
        "row 1: the header lacks the column amount; found: ledger_id, date",
    ),
    "nothing needed": (
        b"a,b\n1,2\n",
        "lacks the columns ledger_id, amount, date; none of its names is known",
    ),
    "no header": (b"L1,10,2026-08-01,INR\n", "lacks the columns ledger_id, amount, date"),
    "a column twice": (b"ledger_id,amount,Amount ,date,currency\n", "repeats the column amount"),
    "an optional column twice": (f"{HEADER},status,STATUS\n".encode(), "repeats the column status"),
    "no currency": (b"ledger_id,amount,date\n", "lacks the column currency; add it, or give"),
    "xlsx": (b"PK\x03\x04\x14\x00\x06\x00xl/workbook.xml", "is an Excel workbook"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "is an Excel workbook"),
    "pdf": (b"%PDF-1.7\n", "is a PDF"),
    "gzip": (b"\x1f\x8b\x08\x00", "is cut off or damaged"),
    "parquet": (b"PAR1\x15\x04", "is a Parquet file that is damaged or cut off"),
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is binary data"),
    "zeros": (bytes(4096), "is binary data"),
    "utf-16 cut in a character": (f"{HEADER}\n".encode("utf-16") + b"x", "begins as UTF-16 but is not"),
    "no encoding": (f"{HEADER}\n".encode() + b"\x81\xff,1,2026-08-01,INR\n", "is neither UTF-8"),
    "a word": (b"hello", "lacks the columns"),
    "html": (b"<!DOCTYPE html><html><body>Login</body></html>", "is HTML, whatever its name says"),
    "json": (b'[{"ledger_id": "L1", "amount": 1, "date": "2026-08-01"}]', "is JSON"),
    "an open quote": (b'"ledger_id,amount,date,currency\nL1,1,2026-08-01,INR\n', "lacks the columns"),
    "one endless line": (b"x" * (17 * 2**20), "holds a line of more than 16 MiB"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_ledger_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputRefused) as refused:
        open_ledger(path)
    text = str(refused.value)
    assert message in text
    assert text.startswith(str(path))
    assert "\n" not in text
    assert len(text) < 400 + len(str(path))


def test_a_profiles_currency_stands_for_a_missing_column(tmp_path: Path) -> None:
    path = write(tmp_path, "ledger_id,amount,date\nL1,1,2026-08-01\n")
    assert len(list(open_ledger(path, default_currency="INR").rows())) == 1


@pytest.mark.parametrize("name", ["missing.csv", "x/y.csv", "nul\0.csv", "n" * 300])
def test_a_missing_ledger_is_wrong_use(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no ledger there"):
        open_ledger(tmp_path / name)


def test_a_pipe_is_no_ledger(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is not a file"):
        open_ledger(tmp_path / "pipe")


def test_a_file_name_in_another_encoding_can_be_shown(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    path.write_text(f"{HEADER}\n")
    assert open_ledger(path).name == r"caf\xe9.csv"


@pytest.mark.parametrize("change", ["grow", "vanish", "turn binary"])
def test_a_ledger_that_changes_while_it_is_read_is_refused(tmp_path: Path, change: str) -> None:
    path = write(tmp_path, f"{HEADER}\nL1,1,2026-08-01,INR\n")
    ledger = open_ledger(path)
    if change == "grow":
        with path.open("a") as file:
            file.write("L2,2,2026-08-01,INR\n")
        os.utime(path, ns=(path.stat().st_mtime_ns + 10**9,) * 2)
    elif change == "vanish":
        path.unlink()
    else:
        path.write_bytes(b"\xff\xff")
    with pytest.raises(InputRefused, match="changed while it was read"):
        list(ledger.rows())


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=8) | st.sampled_from(
    ['"', ",", "\r\n", "\n", ";", '="a"', "a,b", "\t", " ", "="]
)


def is_no_record(record: list[str]) -> bool:
    """Whether a row may be passed over: it has no id, or no amount."""
    return not tidy(record[0]) or not tidy(record[1])


@given(
    table=st.lists(st.tuples(cells, cells, cells, cells), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@example([("", "", "", ""), ("", "", "", "\r"), ("", "", "", "0'")], ",", csv.QUOTE_MINIMAL, "utf-8")
@example([("", "", "", "''"), ("\n", "", "", ""), ("\n", "", "", "")], ",", csv.QUOTE_MINIMAL, "utf-8")
@example(
    [("L1", "1", "", "'90s"), ("L2", "2", "", "the boys'"), ("\n", "", "", ""), ("\n", "", "", "")],
    ",",
    csv.QUOTE_MINIMAL,
    "utf-8",
)
@settings(deadline=None)
def test_what_a_csv_writer_wrote_is_read_back(
    table: list[tuple[str, ...]], delimiter: str, quoting: int, encoding: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(HEADER.split(","))
    writer.writerows(table)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.csv"
        path.write_bytes(text.getvalue().encode(encoding))
        ledger = open_ledger(path, default_currency="INR")
        found = list(ledger.rows())
        passed = ledger.scan.passed.rows if ledger.scan else {}
    written = [["a" if cell == '="a"' else cell for cell in row] for row in table]
    records = [row for row in written if any(cell.strip() for cell in row)]
    assert len(found) + len(passed) == len(records)
    doubtful = iter(records)
    for row in found:
        record = next(doubtful)
        while BROKEN not in row.values and list(row.values.values()) != record:
            assert is_no_record(record), "what is passed over has no id"
            record = next(doubtful)
        if BROKEN in row.values:
            assert re.search("[\r\n]", "".join(record)), "only lines within a cell may be doubted"
        else:
            assert list(row.values.values()) == record


mutations = st.lists(
    st.tuples(
        st.integers(len(HEADER) + 1, 400),
        st.sampled_from([b'"', b"\0", b"\n", b"\r", b",", b"", b"\xff", b"\xc3", b"="]),
    ),
    max_size=6,
)
GOOD = "\n".join(
    [HEADER, *(f'L{number},"1,25{number}.00",2026-08-01,"INR"' for number in range(8)), ""]
).encode()


@given(content=st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: GOOD[:60] + tail))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), content)
        with contextlib.suppress(InputRefused):
            assert all(row.place.row > 1 for row in open_ledger(path, default_currency="INR").rows())


@given(changes=mutations)
@settings(deadline=None)
def test_a_damaged_ledger_loses_no_row_in_silence(changes: list[tuple[int, bytes]]) -> None:
    """Every id that stands in the damaged file is read, or shown in a row that is told as broken."""
    content = GOOD
    for position, piece in changes:
        content = content[:position] + piece + content[position + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), content)
        try:
            found = list(open_ledger(path, default_currency="INR").rows())
        except InputRefused:
            return
    shown = " ".join(" ".join(row.values.values()) for row in found)
    for number in range(8):
        if f"L{number}".encode() in content[len(HEADER) :]:
            assert f"L{number}" in shown
