"""Kinds of ledgers out of public reports of faults, in more ways of writing than the reports showed.

What each kind means is in `test_as_a_person_reads.py`; here whole entries are compared, over tables of variants and
over files that hypothesis makes.
"""

import gzip
import io
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.core.records import Entry, Rejection
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.profile import read_profile
from reconcile.load.inspect_ledger import describe
from reconcile.settings import Settings
from tests.support.bad_ledgers import NAMES, Sheet, cells
from tests.support.ledgers import open_ledger, typed

HEADER = "ledger_id,reference,amount,date,currency,status"
IN_OUT = {
    "columns": {"ledger_id": "Ref", "amount_in": "In", "amount_out": "Out", "date": "Date"},
    "currency": "INR",
}
CENTS = st.decimals(Decimal("0.01"), 10**7, places=2)


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def found(
    content: str | bytes, keys: dict[str, Any] | None = None
) -> tuple[list[Entry | Rejection], LedgerFile]:
    """The rows of a file, typed as an import does, and the ledger."""
    profile = read_profile("default", keys or {}, Currencies())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        ledger = open_ledger(path, profile=profile)
        return [one for sheet in ledger.sheets for one in typed(sheet, profile)], ledger


def read(
    content: str | bytes, keys: dict[str, Any] | None = None
) -> list[tuple[str, str | None, str, str, str]]:
    """Of each row the id, reference, amount with currency, day or instant, and status; of one that cannot be read the
    reason in place of the amount."""
    return [
        (
            one.ledger_id or "",
            one.reference,
            f"{one.amount.normalize():f} {one.currency}",
            str(one.dated_at or one.dated_on),
            one.status,
        )
        if isinstance(one, Entry)
        else (one.record_id or "", None, one.reason, "", "")
        for one in found(content, keys)[0]
    ]


def inspected(folder: Path, content: str | bytes, keys: dict[str, Any] | None = None) -> str:
    path = folder / "ledger"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    profile = read_profile("default", keys or {}, Currencies())
    return "\n".join(describe(Settings(app_ids=("ap_1",)), path, profile))


# Cells at the end of a row


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", ",", ",,", ", ,"])), min_size=2, max_size=9),
    st.sampled_from(["", ",", ",,,"]),
)
@settings(deadline=None)
def test_cells_that_are_missing_or_left_over_at_the_end_lose_no_row(
    rows: list[tuple[int, str]], behind_header: str
) -> None:
    whole = ["paid", "O,7", "gift"]
    texts, expected = [], []
    for n, (kept, surplus) in enumerate(rows):
        ends = ["paid", "tx_7", "gift"][:kept]
        texts.append(
            ",".join([f"R{n}", "5.00", "2026-04-01", "INR", *ends]) + (surplus if kept == len(whole) else "")
        )
        expected.append((f"R{n}", None, "5 INR", "2026-04-01", "paid" if kept else ""))
    header = f"ledger_id,amount,date,currency,status,transaction_id,description{behind_header}"
    assert read(lines(header, *texts)) == expected


# Money in, money out, and what is no minus


@given(
    CENTS,
    st.sampled_from(["{}", "-{}", "\u2212{}", "{}-", "({})", "-₹{}", "₹({})", "- {}", "\u2013{}"]),
)
@settings(deadline=None)
def test_money_out_is_negative_however_its_column_writes_the_minus(value: Decimal, shape: str) -> None:
    rows = read(lines("Ref;Date;In;Out", "1;2026-04-01;5;", f"2;2026-04-02;;{shape.format(value)}"), IN_OUT)
    assert [Decimal(row[2].split()[0]) for row in rows] == [5, -value]


@given(
    st.integers(1, 10**6),
    st.sampled_from(
        [
            "{},-",
            "€ {},-",
            "{},- €",
            "{},--",
            "{},\u2014",
            "{},\u2013",
            "CHF {}.-",
            "{}.\u2014",
            "kr {},-",
            "{}:-",
        ]
    ),
)
@settings(deadline=None)
def test_a_dash_for_no_cents_is_no_minus(value: int, shape: str) -> None:
    currency = "CHF" if "CHF" in shape else "NOK" if "kr" in shape else "EUR"
    body = lines(HEADER.replace(",", ";"), f"R;O;{shape.format(value)};2026-04-01;{currency};paid")
    assert read(body) == [("R", "O", f"{value} {currency}", "2026-04-01", "paid")]


# Cells that stand for nothing, quotes of databases


@pytest.mark.parametrize("nothing", ["\\N", "NULL", "null", '"\\N"', '"NULL"', ""])
def test_a_databases_nothing_is_blank_in_every_optional_column(nothing: str) -> None:
    body = lines(
        "ledger_id,reference,description,amount,date,currency,status,transaction_id",
        '"R1","ORD-1","12\\" pipe, blue","1250.00","2026-04-01","INR","paid","tx_1"',
        f'"R2",{nothing},{nothing},"99.00","2026-04-02","INR",{nothing},{nothing}',
    )
    first, second = (one for one in found(body)[0] if isinstance(one, Entry))
    assert (first.reference, first.description, first.transaction_id) == ("ORD-1", '12" pipe, blue', "tx_1")
    assert (second.reference, second.description, second.status, second.transaction_id) == (
        None,
        None,
        "",
        None,
    )
    assert second.amount == 99


# Headers


def test_each_of_two_pairs_of_equal_headers_can_be_meant() -> None:
    body = lines("Txn,Date,Amount,Currency,Fee,Amount,Currency", "T1,2026-04-01,1250.00,INR,29.50,15.05,USD")
    columns = {"ledger_id": "Txn", "date": "Date"}
    for amount, currency, says in ((1, 1, "1250 INR"), (2, 2, "15.05 USD"), (1, 2, "1250 USD")):
        keys = {"columns": columns | {"amount": f"Amount#{amount}", "currency": f"Currency#{currency}"}}
        assert read(body, keys)[0][2] == says
    with pytest.raises(InputRefused, match="Currency#2"):
        read(body, {"columns": columns | {"amount": "Amount#1", "currency": "Currency"}})


# A blank date below another


@given(
    st.lists(
        st.tuples(st.dates(date(2026, 4, 1), date(2026, 6, 30)), st.integers(0, 3)), min_size=1, max_size=6
    )
)
@settings(deadline=None)
def test_a_blank_date_is_the_nearest_above(days: list[tuple[date, int]]) -> None:
    rows: list[str] = []
    expected: list[str] = []
    for day, blanks in days:
        for more in range(blanks + 1):
            rows.append(f"{len(rows)},{'' if more else day},{len(rows) + 1},")
            expected.append(str(day))
    body = lines("Ref,Date,In,Out", *rows)
    assert [row[3] for row in read(body, IN_OUT | {"fill_down": ["date"]})] == expected
    unfilled, ledger = found(body, IN_OUT)
    assert [isinstance(one, Rejection) for one in unfilled] == [row.split(",")[1] == "" for row in rows]
    assert any("fill_down" in says for says in ledger.notes()) == any(blanks for _, blanks in days)


# Further lines of an order


@pytest.mark.parametrize(
    ("further", "passed"),
    [
        ("#1,,,,", 1),
        ("#1,,2026-04-01 10:15:22 +0530,,", 1),
        ("#1,,,INR,", 1),
        ("#1,O1,,,", 1),
        ("#1,,,,paid", 1),
        ("#1,,,,\n#1,,,,", 2),
    ],
)
def test_a_further_line_of_an_order_is_no_entry_and_harms_none(further: str, passed: int) -> None:
    body = lines(
        "ledger_id,reference,date,currency,status,amount",
        "#1,O1,2026-04-01 10:15:22 +0530,INR,paid,1250.00",
        *(f"{one}," for one in further.split("\n")),
        "#2,O2,2026-04-02 23:55:00 +0530,INR,partially_refunded,450.00",
    )
    assert read(body) == [
        ("#1", "O1", "1250 INR", "2026-04-01 04:45:22+00:00", "paid"),
        ("#2", "O2", "450 INR", "2026-04-02 18:25:00+00:00", "partially_refunded"),
    ]
    assert found(body)[1].passed_over == passed


# Dates


@pytest.mark.parametrize("text", ["13/04/2026 23:15 {}", "{} 13/04/2026 23:15", "13/04/2026 23:15{}"])
@given(minutes=st.integers(-12 * 60, 14 * 60), colon=st.booleans())
@settings(deadline=None)
def test_an_offset_in_the_date_format_is_that_instant(text: str, minutes: int, colon: bool) -> None:
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours:02}{':' if colon else ''}{rest:02}"
    form = text.replace("13/04/2026 23:15", "%d/%m/%Y %H:%M").format("%z")
    body = lines(HEADER, f"R1,O1,5,{text.format(offset)},INR,paid")
    at = datetime(2026, 4, 13, 23, 15, tzinfo=timezone(timedelta(minutes=minutes))).astimezone(UTC)
    assert read(body, {"date_format": form})[0][3] == str(at)


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("1. Januar 2026", 1),
        ("1. Jänner 2026", 1),
        ("01-Mär-2026", 3),
        ("1. März 2026", 3),
        ("01-Okt-2026", 10),
        ("1 février 2026", 2),
        ("1 fév. 2026", 2),
        ("1er mai 2026", 5),
        ("1 juin 2026", 6),
        ("1 juil. 2026", 7),
        ("1 août 2026", 8),
        ("01/fev/2026", 2),
        ("1 de março de 2026", 3),
        ("01/set/2026", 9),
        ("01/dez/2026", 12),
        ("1 de enero de 2026", 1),
        ("01-ene-2026", 1),
        ("1 gennaio 2026", 1),
        ("1 maart 2026", 3),
        ("01 मार्च 2026", 3),
        ("01 दिसंबर 2026", 12),
        ("2026年12月1日", 12),
        ("2026년 12월 1일", 12),
    ],
)
def test_a_month_by_its_name_in_another_language(text: str, month: int) -> None:
    assert read(lines(HEADER, f"R,O,5,{text},INR,paid"))[0][3] == f"2026-{month:02}-01"


# Text in another encoding, and text that was decoded twice


@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
@pytest.mark.parametrize("sign", ["₹", "£", "€", "¥", "₩", "\xa0"])
def test_an_amount_that_was_decoded_twice_is_told_and_never_read(sign: str, wrong: str) -> None:
    spoilt = sign.encode().decode(wrong, "replace")
    body = lines(HEADER, f'R1,O1,"{spoilt}1,250.00",2026-04-01,INR,paid', "R2,O2,5,2026-04-01,INR,paid")
    rows = read(body)
    assert rows[1][2] == "5 INR"
    assert "decoded twice" in rows[0][2] or (wrong == "latin-1" and "not a number" in rows[0][2])


@pytest.mark.parametrize(
    ("encoding", "header", "row"),
    [
        ("shift_jis", "伝票番号,注文番号,金額,日付,通貨", "R1,注文２,99,2026/04/02,JPY"),
        ("euc_kr", "전표번호,주문번호,금액,날짜,통화", "R1,주문,99,2026/04/02,KRW"),
        ("cp1251", "Номер,Заказ,Сумма,Дата,Валюта", "R1,Заказ,99,2026/04/02,RUB"),
    ],
)
def test_an_encoding_is_named_where_the_header_itself_is_in_it(
    tmp_path: Path, encoding: str, header: str, row: str
) -> None:
    body = lines(header, row).encode(encoding)
    key = f'encoding = "{encoding}"'
    with pytest.raises(InputRefused, match=key):
        read(body)
    with pytest.raises(InputRefused, match=key) as refused:
        inspected(tmp_path, body)
    assert header.replace(",", ", ") in str(refused.value)
    names = header.split(",")
    columns = dict(zip(("ledger_id", "reference", "amount", "date", "currency"), names, strict=True))
    assert read(body, {"columns": columns, "encoding": encoding})[0][2:4] == (f"99 {row[-3:]}", "2026-04-02")


# Workbooks


def _parts(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def _packed(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text.encode())
    return out.getvalue()


SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def _inline(parts: dict[str, str]) -> dict[str, str]:
    """Every text in its own cell."""
    texts = re.findall(r"<si>(.*?)</si>", parts[STRINGS])
    cell = re.compile(r' t="s"><v>(\d+)</v>')
    sheet = cell.sub(lambda one: f' t="inlineStr"><is>{texts[int(one[1])]}</is>', parts[SHEET])
    return parts | {SHEET: sheet}


def _iso_dates(parts: dict[str, str]) -> dict[str, str]:
    """Days as text of ISO 8601, marked as days."""
    cell = re.compile(r'(<c r="D\d+" s="\d+")><v>(\d+)</v>')
    return parts | {
        SHEET: cell.sub(
            lambda one: f'{one[1]} t="d"><v>{date(1899, 12, 30) + timedelta(int(one[2]))}</v>', parts[SHEET]
        )
    }


def _no_places(parts: dict[str, str]) -> dict[str, str]:
    """Rows and cells that do not say where they stand."""
    return parts | {SHEET: re.sub(r'(<(?:row|c)) r="[A-Z]*\d+"', r"\1", parts[SHEET])}


def _prefixed(parts: dict[str, str]) -> dict[str, str]:
    """A prefix before every name of an element."""
    named = re.sub(r"<(/?)(?=\w)", r"<\1x:", parts[SHEET])
    return parts | {SHEET: named.replace("xmlns=", "xmlns:x=")}


def _strict(parts: dict[str, str]) -> dict[str, str]:
    """The names of ISO 29500 Strict."""
    old, new = "http://schemas.openxmlformats.org", "http://purl.oclc.org/ooxml"
    swaps = ((f"{old}/spreadsheetml/2006/main", f"{new}/spreadsheetml/main"),
             (f"{old}/officeDocument/2006/relationships", f"{new}/officeDocument/relationships"))  # fmt: skip
    for before, after in swaps:
        parts = {name: text.replace(before, after) for name, text in parts.items()}
    return parts


def _backslashes(parts: dict[str, str]) -> dict[str, str]:
    """Names of parts as a careless program on Windows writes them."""
    return {name.replace("/", "\\"): text for name, text in parts.items()}


# In this order, since each finds what it changes as xlsxwriter wrote it.
WAYS = {
    "inline": _inline, "iso dates": _iso_dates, "no places": _no_places, "prefixed": _prefixed, "strict": _strict,
    "backslashes": _backslashes,
}  # fmt: skip


def written(ways: Collection[str]) -> bytes:
    """A workbook of three entries as other programs write it."""
    rows = (cells(f"R{n}", f"ORD-{n}", 100 * n + 0.25, date(2026, 4, n)) for n in (1, 2, 3))
    parts = _parts(Sheet().rows(NAMES, *rows).bytes())
    for name, change in WAYS.items():
        if name in ways:
            changed = change(parts)
            assert changed != parts, name
            parts = changed
    return _packed(parts)


@pytest.mark.parametrize("way", WAYS)
def test_a_workbook_of_another_program(way: str) -> None:
    assert read(written([way])) == [
        (f"R{n}", f"ORD-{n}", f"{n}00.25 INR", f"2026-04-0{n}", "paid") for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("way", WAYS)
def test_a_side_that_a_format_shows_is_lost_in_no_way_of_writing(way: str) -> None:
    sheet = Sheet().rows(NAMES, cells("L1", amount=5), cells("L2", amount=6))
    sheet.sheets[0].write_number(1, 2, 250, sheet.book.add_format({"num_format": '0.00" Dr"'}))
    content = _packed(WAYS[way](_parts(sheet.bytes())))
    keys = {"side": {"in": [""], "out": ["Dr"]}}
    if way == "no places":
        with pytest.raises(InputRefused, match="save it as CSV"):
            read(content, keys)
    else:
        assert [row[2] for row in read(content, keys)] == ["-250 INR", "6 INR"]


@given(st.sets(st.sampled_from(list(WAYS)), min_size=2))
@settings(deadline=None, max_examples=40)
def test_a_workbook_of_another_program_in_several_ways(ways: set[str]) -> None:
    assert read(written(ways)) == read(written([]))


@given(st.sets(st.integers(1, 8)), st.sampled_from(["", "no places", "prefixed", "inline"]))
@settings(deadline=None, max_examples=50)
def test_hidden_rows_are_counted_and_read(hidden: set[int], way: str) -> None:
    sheet = Sheet().rows(NAMES, *(cells(f"L{n}") for n in range(1, 9)))
    for row in hidden:
        sheet.sheets[0].set_row(row, None, None, {"hidden": True})
    content = sheet.bytes()
    rows, ledger = found(_packed(WAYS[way](_parts(content))) if way else content)
    assert [one.ledger_id for one in rows if isinstance(one, Entry)] == [f"L{n}" for n in range(1, 9)]
    count = f"{len(hidden)} row{'s are' if len(hidden) > 1 else ' is'} hidden"
    assert [count in says for says in ledger.notes()] == ([True] if hidden else [])


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
@settings(deadline=None, max_examples=25)
def test_merged_dates_span_their_rows(spans: list[int]) -> None:
    sheet = Sheet().rows(NAMES, *(cells(f"L{n}") for n in range(sum(spans))))
    row, expected = 1, []
    for number, span in enumerate(spans, 1):
        day = date(2026, 4, number)
        if span > 1:
            sheet.sheets[0].merge_range(row, 3, row + span - 1, 3, "")
        sheet.sheets[0].write_datetime(row, 3, day, sheet.day)
        expected += [str(day)] * span
        row += span
    assert [one[3] for one in read(sheet.bytes())] == expected


# Files of other kinds


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "says", "advice"),
    [
        (_packed({"[Content_Types].xml": "", "xl/workbook.bin": "x"}), r"\.xlsb", r"\.xlsx"),
        (_packed({"[Content_Types].xml": "", "xl\\workbook.bin": "x"}), r"\.xlsb", r"\.xlsx"),
        (_packed({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": ""}), "ods", "XLSX"),
        (_packed({"Index/Document.iwa": "", "[Content_Types].xml": ""}), "Numbers", "XLSX"),
        (_tar(), "tar archive", "unpack"),
        (gzip.compress(_tar(), mtime=0), "tar archive", "unpack"),
        (b"<style>td{}</style><table><tr><td>ledger_id</td></tr></table>", "HTML", "XLSX"),
        (b"<tr><td>ledger_id</td></tr>", "HTML", "XLSX"),
        (b"<TR><TD>ledger_id</TD></TR>", "HTML", "XLSX"),
        (b"<thead><tr><th>ledger_id</th></tr></thead>", "HTML", "XLSX"),
        (b"\xef\xbb\xbf\n<html><table></table></html>", "HTML", "XLSX"),
        ("<html><table></table></html>".encode("utf-16"), "HTML", "XLSX"),
        (b"<!-- x --><table></table>", "HTML", "XLSX"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><Workbook xmlns="urn:x"/>', "Excel 2003", "XLSX"),
        (b"Content-Type: multipart/related; boundary=x\n\n--x", "MHTML", "XLSX"),
        (b'<?OFX OFXHEADER="200"?><OFX/>', "OFX", "CSV"),
        (b"!Account\nNBank\n^\n!Type:Bank\n", "QIF", "CSV"),
        (b"\r\n:20:X\r\n:25:1/2\r\n:28C:1/1\r\n", "MT940", "CSV"),
        (b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.052.001.08"/>', "CAMT", "CSV"),
        (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.02"/>', "CAMT", "CSV"),
        (b'\xef\xbb\xbf[{"ledger_id":"R1"}]', "JSON", "CSV"),
        (b'{"ledger_id":"R1"}\n{"ledger_id":"R2"}\n', "JSON", "CSV"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_says_what_it_is_and_what_to_do(
    tmp_path: Path, content: bytes, says: str, advice: str
) -> None:
    for reading in (lambda: read(content), lambda: inspected(tmp_path, content)):
        with pytest.raises(InputRefused, match=says) as refused:
            reading()
        assert re.search(advice, str(refused.value))
