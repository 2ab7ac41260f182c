"""What stands in a cell, and what a spreadsheet would make of it."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.dialect import Dialect
from reconcile.core.wording import MAX_CELL_LENGTH
from reconcile.report.csv_cells import EXACT_DIGITS, amount_cell, cell, is_altered, text_cell


@pytest.mark.parametrize(
    "text",
    [
        "0012", "00", "1E5", "1e5", "24E7", "12345678901234567890", "123456789012", "1.50", "1,234", ".5",
        "MAR1", "mar 1", "1-Mar-26", "DEC-12", "Sept 5", "Mai 3", "août 4", "3-4", "1/2", "12:30", "2026-03-01",
        "2026-03-01T10:00:00Z", "10 AM", "5p", "5%", "₹500", "$5", "(5)", "Rs. 500", "1st", "INR 5",
        "=SUM(1+1)", "@x", "+91 98450", "-56902", "\tx", "\rx", "＝1+1", "－1",
        "5 a", "5 p", "12:30 p", "12 pm", "1:00 p.m.", "10:30 A. M.", "10h", "10h30", "1D5", "1d", "1.E5", "1 E5",
        "1,e5", "1.5/E5", "1 Mar / A", "1e-5", "2026-08-31T10:00", "2026-08-31T10:00Z", "10:00 z", "Mar-1", "1-mar",
        "1,5", "1.234", "1.234,56", "12.8.2026", "31.8.", "MÄR1", "R$ 5", "5 R$", "1,5 €", "CHF 5", "kr 5", "Mo 31.8.",
        "Di.1.8.26", "lundi 31/8/2026", "seg. 3/4", "segunda-feira, 31/8", "terça 3/4",
        "2026-08-31lun.", "seg.Dez./5", "1.5. 10:00Mo", "月 3/4", "VRAI", "Verdadeiro",
        " padded", "padded ", "#N/A", "TRUE", "false", "'quoted", '"quoted"', "١٢٣",
    ],
)  # fmt: skip
def test_text_that_a_spreadsheet_would_alter_is_guarded(text: str) -> None:
    assert is_altered(text)
    written = text_cell(text)
    assert written.startswith('="')
    assert written.endswith('"')
    assert written[2:-1].replace('""', '"') == text


@pytest.mark.parametrize(
    "text",
    [
        "ORD-2026-000123", "V-000123", "tx_aNNJ7BJbt", "order_P4sEpHDzofjQwV", "4AM954523V5514225", "7", "0",
        "12345678901", "UPI", "success", "Straße 5 Hof", "बिल-56902", "order’s 1 <b>&amp;</b>", "a;b", "MARCH",
        "D-AKDPELJDMQJJMFCMBNJN", "reference_differs", "A-1001", "H-12", "P-1001", "A1", "T1", "e7_2", "E5",
        "SO-1001", "SA0012", "SO2026001", "MI-2026-001", "FR12", "R$",
        "D12", "z-9", "1-A", "12/P", "12/E5", "T10:00", "a.1", "PT10H",
    ],
)  # fmt: skip
def test_text_that_stays_as_it_is_is_written_bare(text: str) -> None:
    assert text_cell(text) == text


def test_long_text_is_cut_so_that_it_fits_into_a_formula() -> None:
    assert text_cell("x" * MAX_CELL_LENGTH) == "x" * MAX_CELL_LENGTH
    assert text_cell("x" * (MAX_CELL_LENGTH + 1)) == "x" * (MAX_CELL_LENGTH - 1) + "…"
    assert text_cell("=" * 300) == '="' + "=" * (MAX_CELL_LENGTH - 1) + '…"'


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0.00", "0.00"),
        ("-12.50", "-12.50"),
        ("9999999999999.99", "9999999999999.99"),
        ("99999999999999.99", '="99999999999999.99"'),
        ("-12345678901234567.89", '="-12345678901234567.89"'),
        ("0.000000000000000001", "0.000000000000000001"),
    ],
)
def test_an_amount_of_more_digits_than_a_spreadsheet_keeps_is_guarded(amount: str, written: str) -> None:
    assert EXACT_DIGITS == 15
    assert amount_cell(amount, Dialect.COMMA) == written
    assert amount_cell(amount, Dialect.SEMICOLON) == written.replace(".", ",")


def test_other_values() -> None:
    assert cell(None) == ""
    assert cell(date(2026, 3, 1)) == "2026-03-01"
    assert cell(17) == "17"
    with pytest.raises(TypeError):
        cell(Decimal("1.5"))


@given(st.text(max_size=MAX_CELL_LENGTH))
def test_every_text_comes_back_from_the_file_and_none_starts_a_formula_of_its_own(text: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerow([text_cell(text), "end"])
    file.seek(0)
    read, end = next(csv.reader(file))
    assert end == "end"
    guarded = read.startswith('="') and read.endswith('"') and len(read) > 3
    assert (read[2:-1].replace('""', '"') if guarded else read) == text
    assert guarded or not read.startswith(("=", "+", "-", "@", "\t", "\r"))
