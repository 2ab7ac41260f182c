"""Ledgers as they should not be, each with what must come of it.

`python -m tests.support.bad_ledgers FOLDER` writes them.

The same files every time: they are made here and nowhere else, and the small ones are kept in tests/fixtures/ledgers
so that anyone can open them.
"""

import codecs
import gzip
import io
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

FOLDER = Path(__file__).parents[1] / "fixtures" / "ledgers"
KEPT_BYTES = 100_000
"""Larger ones are made when they are needed."""

HEADER = "ledger_id,reference,amount,date,currency,status"


@dataclass(frozen=True)
class Bad:
    """A file, and what must come of it."""

    content: bytes | Callable[[], bytes]
    """Large ones are made when they are asked for."""
    read: int = 0
    """Rows in."""
    repeats: int = 0
    passed_over: int = 0
    quarantined: Mapping[int, str] = field(default_factory=dict)
    """By row, words of the reason."""
    refused: str = ""
    """Words of the line, where the file as a whole is refused; then nothing else is said."""
    amounts: tuple[str, ...] = ()
    """Of the entries, sorted as numbers; not compared where empty."""
    profile: Mapping[str, object] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        """The file."""
        return self.content if isinstance(self.content, bytes) else self.content()


def text(*lines: str, header: str = HEADER, end: str = "\n", encoding: str = "utf-8") -> bytes:
    """A file of text."""
    return (end.join([header, *lines]) + end).encode(encoding)


GOOD = "L1,ORD-1,10.50,2026-08-01,INR,paid"
GOOD2 = "L2,ORD-2,20.50,2026-08-02,INR,paid"


def row(**changes: str) -> str:
    """A good row but for what is changed."""
    cells = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | changes
    return ",".join(cells.values())


CSV: dict[str, Bad] = {
    "cut_off_in_a_row.csv": Bad(text(GOOD, GOOD2)[:-12], 2, quarantined={3: "has 4 cells"}),
    "cut_off_in_quotes.csv": Bad(text(GOOD, 'L2,"ORD')[:-1], 2, quarantined={3: "quotation mark"}),
    "cut_off_in_the_header.csv": Bad(b"ledger_id,refer", refused="lacks the columns amount, date"),
    "cut_off_utf16.csv": Bad(text(GOOD, encoding="utf-16")[:-1], refused="begins as UTF-16 but is not"),
    "ragged_rows.csv": Bad(
        text(
            GOOD,
            "L2,ORD-2,1,2026-08-02,INR",
            "L3,ORD-3,1,250.00,2026-08-02,INR,paid",
            GOOD2.replace("L2", "L4"),
        ),
        4,
        quarantined={4: "has 7 cells"},
    ),
    "quote_never_closed.csv": Bad(
        text(GOOD, 'L2,"ORD-2,1,2026-08-02,INR,paid', GOOD2.replace("L2", "L3")),
        3,
        quarantined={3: "not closed"},
    ),
    "quote_in_the_middle.csv": Bad(text('L1,5" pipe,1.00,2026-08-01,INR,paid'), 1, amounts=("1.00",)),
    "stray_pair_of_quotes.csv": Bad(
        text(
            '"L1,ORD-1,1,2026-08-01,INR,paid',
            'L2,ORD-2,1,2026-08-01,INR,paid"',
            GOOD2.replace("L2", "L3"),
        ),
        2,
        quarantined={2: "has 1 cells"},
    ),
    "nul_bytes.csv": Bad(
        text(row(ledger_id="L\0", reference="a")), 1, quarantined={2: "a character that cannot be stored"}
    ),
    "nul_in_an_amount.csv": Bad(
        text(GOOD, row(ledger_id="L2", amount="1\0.00")), 2, quarantined={3: "not a number"}
    ),
    "only_nul_bytes.csv": Bad(bytes(4096), refused="is binary data"),
    "mixed_line_ends.csv": Bad(f"{HEADER}\r\n{GOOD}\n{GOOD2}\r{GOOD.replace('L1', 'L3')}\r\n".encode(), 3),
    "mixed_encodings.csv": Bad(
        text(row(reference="Zürich"), encoding="utf-8")
        + row(ledger_id="L2", reference="Zürich").encode("cp1252"),
        2,
        quarantined={3: "byte of another encoding"},
    ),
    "cp1252.csv": Bad(text(row(reference="Café – 5 €"), encoding="cp1252"), 1, amounts=("10.50",)),
    "utf16_big_end.csv": Bad(codecs.BOM_UTF16_BE + text(GOOD, encoding="utf-16-be"), 1, amounts=("10.50",)),
    "utf16_without_a_mark.csv": Bad(text(GOOD, encoding="utf-16-le"), 1, amounts=("10.50",)),
    "utf8_with_a_mark.csv": Bad(codecs.BOM_UTF8 + text(GOOD), 1, amounts=("10.50",)),
    "no_encoding.csv": Bad(text(GOOD) + b"\x81\xff\n", refused="is neither UTF-8"),
    "duplicate_header.csv": Bad(
        text(GOOD, header=HEADER.replace("reference", "Amount")), refused="repeats the column amount"
    ),
    "blank_headers.csv": Bad(
        text("L1,x,10.50,2026-08-01,INR,y", header="ledger_id,,amount,date,currency,"), 1, amounts=("10.50",)
    ),
    "duplicate_headers_not_read.csv": Bad(
        text("a,L1,b,1,2026-08-01,INR", header="Note,ledger_id,Note,amount,date,currency"), 1
    ),
    "header_twice.csv": Bad(text(GOOD, HEADER, GOOD2), 2, passed_over=1),
    "no_header.csv": Bad(f"{GOOD}\n{GOOD2}\n".encode(), refused="lacks the columns ledger_id, amount, date"),
    "look_alike_header.csv": Bad(
        text(GOOD, header=HEADER.replace("amount", "\u0430mount")),
        refused=r"found: ledger_id, reference, '\u0430mount'",
    ),
    "invisible_header.csv": Bad(
        text(GOOD, header=HEADER.replace("amount", "amo\u200bunt ")), 1, amounts=("10.50",)
    ),
    "wide_header.csv": Bad(
        text(GOOD, header=HEADER.replace("amount", "ａｍｏｕｎｔ")), 1, amounts=("10.50",)
    ),
    "title_block.csv": Bad(
        f"Sharma Traders\nReceipts of August 2026\n\n{HEADER}\n{GOOD}\n".encode(), 1, amounts=("10.50",)
    ),
    "totals_row.csv": Bad(text(GOOD, GOOD2, "Total,,31.00,,,"), 2, passed_over=1),
    "empty.csv": Bad(b"", refused="is empty"),
    "blank_lines.csv": Bad(b"\n \n,,,\n", refused="is empty"),
    "header_alone.csv": Bad(text(), 0),
    "cell_of_10_mb.csv": Bad(
        lambda: text(GOOD, row(ledger_id="L2", reference="x" * 10_000_000)),
        2,
        quarantined={3: "characters, but at most 500"},
    ),
    "cell_of_10_mb_in_quotes.csv": Bad(
        lambda: text(GOOD, row(ledger_id="L2", reference=f'"{"x" * 10_000_000}"')),
        2,
        quarantined={3: "longer than"},
    ),
    "line_of_17_mb.csv": Bad(lambda: b"x" * (17 * 2**20), refused="a line of more than 16 MiB"),
    "dates_out_of_range.csv": Bad(
        text(
            GOOD,
            row(ledger_id="L2", date="1899-12-31"),
            row(ledger_id="L3", date="2101-01-01"),
            row(ledger_id="L4", date="01/13/3026"),
        ),
        4,
        quarantined={3: "between the years", 4: "between the years", 5: "between the years"},
    ),
    "february_30.csv": Bad(
        text(GOOD, row(ledger_id="L2", date="2026-02-30"), row(ledger_id="L3", date="30/02/2026")),
        3,
        quarantined={3: "not a day", 4: "not a day"},
    ),
    "serial_dates.csv": Bad(
        text(GOOD, row(ledger_id="L2", date="46235")), 2, quarantined={3: "spreadsheet's number of a day"}
    ),
    "ambiguous_dates.csv": Bad(
        text(row(date="03/04/2026"), row(ledger_id="L2", date="05/06/2026")),
        refused="may be 4 March 2026 or 3 April 2026, and the column does not show which",
    ),
    "one_ambiguous_date.csv": Bad(
        text(GOOD, GOOD2, row(ledger_id="L3", date="03/04/2026")),
        3,
        quarantined={4: "may be 4 March 2026 or 3 April 2026"},
    ),
    "both_orders_of_dates.csv": Bad(
        text(
            row(date="13/04/2026"),
            row(ledger_id="L2", date="04/13/2026"),
            row(ledger_id="L3", date="03/04/2026"),
        ),
        3,
        quarantined={4: "may be 4 March"},
    ),
    "ambiguous_amounts.csv": Bad(
        text(row(amount='"1,250"'), row(ledger_id="L2", amount='"2,500"')),
        refused="may use its mark for thousands",
    ),
    "one_ambiguous_amount.csv": Bad(
        text(row(amount='"1,250"'), row(ledger_id="L2", amount="7"), row(ledger_id="L3", amount="8")),
        3,
        quarantined={2: "for thousands or for decimals"},
        amounts=("7", "8"),
    ),
    "both_decimal_marks.csv": Bad(
        text(
            row(amount='"1.250,50"'),
            row(ledger_id="L2", amount='"1,250.50"'),
            row(ledger_id="L3", amount='"1,250"'),
        ),
        3,
        quarantined={4: "for thousands or for decimals"},
        amounts=("1250.50", "1250.50"),
    ),
    "too_many_decimals.csv": Bad(
        text(
            row(amount="10.505"), row(ledger_id="L2", amount="10.5", currency="JPY"), GOOD.replace("L1", "L3")
        ),
        3,
        quarantined={2: "more decimals than its currency", 3: "more decimals than its currency"},
    ),
    "scientific.csv": Bad(
        text(GOOD, row(ledger_id="L2", amount="1.25E+05")), 2, quarantined={3: "is in scientific notation"}
    ),
    "words_for_amounts.csv": Bad(
        text(
            row(amount="NaN"),
            row(ledger_id="L2", amount="Infinity"),
            row(ledger_id="L3", amount="#REF!"),
            row(ledger_id="L4", amount="five"),
        ),
        4,
        quarantined=dict.fromkeys((2, 3, 4, 5), "is not a number"),
    ),
    "other_digits.csv": Bad(
        text(
            GOOD,
            row(ledger_id="L2", amount="१२५"),
            row(ledger_id="L3", amount="１２５"),
            row(ledger_id="L4", date="２０２６-08-01"),
        ),
        4,
        quarantined={3: "is not a number", 4: "is not a number", 5: "YYYY-MM-DD"},
    ),
    "signs_of_other_currencies.csv": Bad(
        text(row(amount="$10.00"), row(ledger_id="L2", amount="₹10.00"), row(ledger_id="L3", amount="USD 5")),
        3,
        quarantined={2: "the currency is INR", 4: "the currency is INR"},
    ),
    "debit_or_credit.csv": Bad(text(row(amount="10.50 Dr"), GOOD2), 2, quarantined={2: "names a side"}),
    "both_sides_filled.csv": Bad(
        text(
            "L1,2026-08-01,5.00,",
            "L2,2026-08-01,,7.00",
            "L3,2026-08-01,5.00,7.00",
            "L4,2026-08-01,,",
            header="ledger_id,date,Debit,Credit",
        ),
        4,
        quarantined={4: "both filled", 5: "both missing"},
        amounts=("-7.00", "5.00"),
        profile={"columns": {"amount_in": "Debit", "amount_out": "Credit"}, "currency": "INR"},
    ),
    "no_currency.csv": Bad(
        text("L1,1,2026-08-01", header="ledger_id,amount,date"), refused="lacks the column currency"
    ),
    "blank_currency.csv": Bad(
        text(GOOD, row(ledger_id="L2", currency="")), 2, quarantined={3: "currency is missing"}
    ),
    "unknown_currency.csv": Bad(
        text(GOOD, row(ledger_id="L2", currency="XBT")), 2, quarantined={3: "neither an ISO 4217"}
    ),
    "same_id_equal.csv": Bad(text(GOOD, GOOD, GOOD2), 3, repeats=1),
    "same_id_different.csv": Bad(
        text(GOOD, GOOD.replace("10.50", "11.50"), GOOD2), 3, quarantined={2: "", 3: ""}
    ),
    "blank_id.csv": Bad(text(GOOD, row(ledger_id=" ")), 2, quarantined={3: "ledger_id is missing"}),
    "id_with_a_line_break.csv": Bad(text(GOOD, row(ledger_id='"L2\nx"')), 2, quarantined={3: "line break"}),
    "wrong_profile.csv": Bad(
        text(GOOD),
        refused="lacks the column 'Voucher No' (for ledger_id)",
        profile={"columns": {"ledger_id": "Voucher No"}},
    ),
    "profile_of_another_format.csv": Bad(
        text(row(date="08/13/2026"), row(ledger_id="L2", date="13/08/2026")),
        2,
        quarantined={2: "date_format"},
        profile={"date_format": "%d/%m/%Y"},
    ),
    "web_page.csv": Bad(b"<!doctype html>\n<html><body>Sign in</body></html>\n", refused="is HTML"),
    "table.xls": Bad(
        text("<?xml version='1.0'?>", "<html><table><tr><td>L1</td></tr></table></html>", header="\ufeff"),
        refused="is HTML, whatever its name says; open it in a spreadsheet and save it as XLSX or CSV",
    ),
    "report.pdf": Bad(b"%PDF-1.7\n" + bytes(100), refused="is a PDF"),
}


class Sheet:
    """A workbook in the making; the same cells give the same bytes."""

    def __init__(self, *names: str) -> None:
        self.file = io.BytesIO()
        self.book = xlsxwriter.Workbook(self.file, {"in_memory": True, "strings_to_numbers": False})
        self.book.set_properties({"created": datetime(2026, 8, 1)})  # noqa: DTZ001 - what the format asks for
        self.day = self.book.add_format({"num_format": "dd/mm/yyyy"})
        self.clock = self.book.add_format({"num_format": "hh:mm"})
        self.sheets = [self.book.add_worksheet(name) for name in names or ("Receipts",)]

    def rows(self, *rows: tuple[object, ...], sheet: int = 0, start: int = 0) -> "Sheet":
        """Write cells with the type that their values have."""
        for number, cells in enumerate(rows, start):
            for column, value in enumerate(cells):
                if isinstance(value, date):
                    self.sheets[sheet].write_datetime(number, column, value, self.day)
                elif isinstance(value, str):
                    self.sheets[sheet].write_string(number, column, value)
                elif isinstance(value, int | float):
                    self.sheets[sheet].write_number(number, column, value)
        return self

    def bytes(self, *changes: tuple[bytes, bytes]) -> bytes:
        """The file; `changes` are made in its parts, as other programs might have written them."""
        self.book.close()
        if not changes:
            return self.file.getvalue()
        out = io.BytesIO()
        with zipfile.ZipFile(self.file) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
            for part in source.infolist():
                content = source.read(part)
                for old, new in changes:
                    content = content.replace(old, new)
                target.writestr(zipfile.ZipInfo(part.filename), content, zipfile.ZIP_DEFLATED)
        return out.getvalue()


NAMES = ("ledger_id", "reference", "amount", "date", "currency", "status")
DAY = date(2026, 8, 1)


def cells(
    ledger_id: object = "L1",
    reference: object = "ORD-1",
    amount: object = 10.5,
    day: object = DAY,
    status: object = "paid",
) -> tuple[object, ...]:
    """A good row of a workbook but for what is changed."""
    return (ledger_id, reference, amount, day, "INR", status)


def _merged() -> bytes:
    sheet = Sheet().rows(NAMES, cells(), cells("L2"), cells("L3"))
    sheet.sheets[0].merge_range(1, 5, 3, 5, "open")  # a status spans its rows
    sheet.sheets[0].merge_range(2, 2, 3, 2, 10.5)  # an amount counts once
    return sheet.bytes()


def _formulas() -> bytes:
    sheet = Sheet().rows(NAMES, cells(), cells("L2"), cells("L3"), cells("L4"))
    one = sheet.sheets[0]
    one.write_formula(1, 2, "=5+5.5", None, 10.5)
    one.write_formula(2, 2, "=Z9/0", None, "#DIV/0!")
    one.write_formula(3, 5, "=VLOOKUP(A4,Z:Z,2)", None, "#REF!")
    one.write_formula(4, 5, "=Z1", None, "no result")
    return sheet.bytes((b'<c r="F5" t="str"><f>Z1</f><v>no result</v></c>', b'<c r="F5"><f>Z1</f></c>'))


def _bomb_sheet() -> bytes:
    return Sheet().rows(NAMES, cells()).bytes((b"</sheetData>", b"<row/>" * 12_000_000 + b"</sheetData>"))


def _locked() -> bytes:
    """A compound file ([MS-CFB]) with the two streams of a workbook that has a password."""
    free, end, fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack("<HHHHH6xIIIIIIIII", 62, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, end, 0, end, 0)
    head += struct.pack("<109I", 0, *[free] * 108)

    def entry(name: str, kind: int, child: int) -> bytes:
        label = name.encode("utf-16-le")
        return label.ljust(64, b"\0") + struct.pack(
            "<HBBIII16xI16xIQ", len(label) + 2, kind, 1, free, free, child, 0, end, 0
        )

    entries = [
        entry("Root Entry", 5, 1),
        entry("EncryptionInfo", 2, free),
        entry("EncryptedPackage", 2, free),
        bytes(128),
    ]
    return head + struct.pack("<128I", fat, end, *[free] * 126) + b"".join(entries)


def _cut_workbook() -> bytes:
    content = Sheet().rows(NAMES, cells()).bytes()
    return content[: len(content) // 2]


XLSX: dict[str, Bad] = {
    "noise.xlsx": Bad(
        Sheet()
        .rows(NAMES, cells(amount=0.1 + 0.2), cells("L2", amount=1234567.89), cells("L3", amount=4.35 * 100))
        .bytes((b"<v>0.3</v>", b"<v>0.30000000000000004</v>"), (b"<v>435</v>", b"<v>434.99999999999994</v>")),
        3,
        amounts=("0.3", "435", "1234567.89"),
    ),
    "too_many_digits.xlsx": Bad(
        Sheet()
        .rows(
            NAMES,
            cells(),
            cells("L2", amount=1),
            cells("L3", amount=12345678901234567890),
            cells("L4", amount="12345678901234567.89"),
        )
        .bytes((b'<c r="C3"><v>1</v>', b'<c r="C3"><v>12345678901234.567</v>')),
        4,
        quarantined={
            3: "more than 15 digits",
            4: "more than 15 digits",
        },
        amounts=("10.5", "12345678901234567.89"),
    ),
    "numbers_for_ids.xlsx": Bad(
        Sheet().rows(NAMES, cells(1001, 7), cells(12345678901234567890), cells(DAY)).bytes(),
        3,
        quarantined={3: "more than 15 digits", 4: "is a date, which a spreadsheet may have made"},
    ),
    "numbers_for_dates.xlsx": Bad(
        Sheet()
        .rows(NAMES, cells(), cells("L2", day=46235), cells("L3", day="2026-08-03"), cells("L4", amount=DAY))
        .bytes(),
        4,
        quarantined={3: "format the column as a date", 5: "format the column as a number"},
    ),
    "text_cells.xlsx": Bad(
        Sheet()
        .rows(
            NAMES,
            cells(amount="₹ 1,23,456.78", day="13/08/2026"),
            cells("L2", amount="(5.00)", day="03/08/2026"),
        )
        .bytes(),
        2,
        amounts=("-5.00", "123456.78"),
    ),
    "title_block.xlsx": Bad(
        Sheet().rows(("Sharma Traders",), (), ("August", 2026)).rows(NAMES, cells(), start=4).bytes(),
        1,
        amounts=("10.5",),
    ),
    "totals_row.xlsx": Bad(Sheet().rows(NAMES, cells(), ("Grand Total", "", 10.5)).bytes(), 1, passed_over=1),
    "header_twice.xlsx": Bad(Sheet().rows(NAMES, cells(), NAMES, cells("L2")).bytes(), 2, passed_over=1),
    "merged_cells.xlsx": Bad(_merged(), 3, quarantined={4: "amount is covered by merged cells"}),
    "formulas_and_errors.xlsx": Bad(
        _formulas(),
        4,
        quarantined={3: "amount holds an error", 4: "status holds an error", 5: "formula without its result"},
        amounts=("10.5",),
    ),
    "swapped_dates.xlsx": Bad(
        Sheet()
        .rows(
            NAMES,
            *[cells(f"L{n}", day=date(2026, n, 8)) for n in (1, 3, 5)],
            *[cells(f"L{n}", day=f"{n}/08/2026") for n in (13, 14, 15)],
        )
        .bytes(),
        refused="has swapped day and month",
    ),
    "two_sheets.xlsx": Bad(
        Sheet("July", "August").rows(NAMES, cells()).rows(NAMES, cells("L2"), sheet=1).bytes(),
        refused="the sheets 'July', 'August' have the header",
    ),
    "two_sheets_and_a_profile.xlsx": Bad(
        Sheet("July", "August").rows(NAMES, cells()).rows(NAMES, cells("L2", amount=7), sheet=1).bytes(),
        1,
        amounts=("7",),
        profile={"sheet": "August"},
    ),
    "no_such_sheet.xlsx": Bad(
        Sheet("July").rows(NAMES, cells()).bytes(),
        refused="has no sheet 'August'; it has 'July'",
        profile={"sheet": "August"},
    ),
    "one_sheet_has_it.xlsx": Bad(
        Sheet("Notes", "August").rows(("Dear all",)).rows(NAMES, cells(), sheet=1).bytes(),
        1,
        amounts=("10.5",),
    ),
    "empty.xlsx": Bad(Sheet().bytes(), refused="is empty"),
    "far_off_cell.xlsx": Bad(
        Sheet()
        .rows(NAMES, cells())
        .bytes((b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')),
        refused="reaches over 1,048,576 rows and 16,384 columns",
    ),
    "bomb.xlsx": Bad(_bomb_sheet, refused="times its size: that is no ledger"),
    "cut_off.xlsx": Bad(_cut_workbook(), refused="cut off or damaged"),
    "damaged_sheet.xlsx": Bad(
        Sheet().rows(NAMES, cells()).bytes((b"</sheetData>", b"")), refused="damaged or cut off"
    ),
    "locked.xlsx": Bad(_locked(), refused="is an Excel workbook with a password"),
    "old.xls": Bad(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), refused="of an old kind (.xls)"),
}


def zipped(**files: bytes) -> bytes:
    """A zip file; `__` in a name stands for its point."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name.replace("__", ".")), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _with_password() -> bytes:
    content = bytearray(zipped(a__csv=text(GOOD)))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # bit 0 of the flags: encrypted
        content[content.index(mark) + offset] |= 1
    return bytes(content)


def _lying_zip() -> bytes:
    content = bytearray(zipped(a__csv=text(GOOD) + b"\n" * 2**20))
    where = content.index(b"PK\x01\x02")
    content[where + 24 : where + 28] = struct.pack("<I", 50)  # the size that it is said to unpack to
    return bytes(content)


def parquet(**columns: pa.Array) -> bytes:
    """A Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


IDS = pa.array(["L1", "L2"])
DAYS = pa.array([DAY, DAY])
RUPEES = pa.array(["INR", "INR"])
EXACT = pa.array([Decimal("12345678901234567890.10"), Decimal("2.50")], pa.decimal128(30, 2))

ENOUGH = 70 * 2**20
"""Bytes that only a bomb unpacks to."""

OTHER: dict[str, Bad] = {
    "cut_off.csv.gz": Bad(gzip.compress(text(GOOD), mtime=0)[:-9], refused="is cut off or damaged"),
    "twice.csv.gz": Bad(
        gzip.compress(gzip.compress(text(GOOD), mtime=0), mtime=0), refused="is compressed twice"
    ),
    "bomb.csv.gz": Bad(
        lambda: gzip.compress(bytes(ENOUGH), mtime=0), refused="times its size: that is no ledger"
    ),
    "bomb.zip": Bad(lambda: zipped(a__csv=bytes(ENOUGH)), refused="times its size: that is no ledger"),
    "lying.zip": Bad(_lying_zip(), refused="is cut off or damaged"),
    "locked.zip": Bad(_with_password(), refused="is locked with a password"),
    "empty.zip": Bad(zipped(), refused="holds no file"),
    "cut_off.zip": Bad(zipped(a__csv=text(GOOD))[:60], refused="cut off or damaged"),
    "document.zip": Bad(
        zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet", content__xml=b""),
        refused="of another kind",
    ),
    "good.csv.gz": Bad(gzip.compress(text(GOOD), mtime=0), 1, amounts=("10.50",)),
    "float.parquet": Bad(
        parquet(ledger_id=IDS, amount=pa.array([0.1 + 0.2, 12345678901234.567]), date=DAYS, currency=RUPEES),
        2,
        quarantined={3: "more than 15 digits"},
        amounts=("0.3",),
    ),
    "short_float.parquet": Bad(
        parquet(ledger_id=IDS, amount=pa.array([0.1, 0.2], pa.float32()), date=DAYS, currency=RUPEES),
        2,
        quarantined={2: "single precision", 3: "single precision"},
    ),
    "exact.parquet": Bad(
        parquet(ledger_id=IDS, amount=EXACT, date=DAYS, currency=RUPEES),
        2,
        amounts=("2.50", "12345678901234567890.10"),
    ),
    "null.parquet": Bad(
        parquet(ledger_id=pa.array(["L1", None]), amount=EXACT, date=pa.array([None, DAY]), currency=RUPEES),
        2,
        quarantined={2: "date is missing", 3: "ledger_id is missing"},
    ),
    "no_amount.parquet": Bad(
        parquet(ledger_id=IDS, date=DAYS, currency=RUPEES), refused="lacks the column amount"
    ),
    "cut_off.parquet": Bad(
        parquet(ledger_id=IDS, amount=EXACT, date=DAYS, currency=RUPEES)[:-100], refused="damaged or cut off"
    ),
}

ALL: dict[str, Bad] = CSV | XLSX | OTHER


def write(folder: Path, most: int | None = None) -> None:
    """Write the files, or those of at most so many bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, bad in ALL.items():
        if most is None or (isinstance(bad.content, bytes) and len(bad.content) <= most):
            (folder / name).write_bytes(bad.bytes)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
    else:
        write(FOLDER, KEPT_BYTES)
