"""A discrepancies.csv through a real spreadsheet program and back: opened, saved its own way, read again."""

import csv
import re
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from reconcile.core.dialect import Dialect
from reconcile.decide.sheet import Row, open_sheet
from reconcile.report.columns import AMOUNTS, DISCREPANCIES, MATCHED, QUARANTINE, RESOLVED, SUMMARY
from reconcile.report.csv_cells import amount_cell, cell, is_altered, shown, text_cell
from reconcile.report.csv_files import read_csv, write_csv
from tests.support.office import Office

pytestmark = pytest.mark.desktop

ROWS = [
    {
        "discrepancy_id": f"D-ABCDEFGHJKLMNPQRABC{letter}",
        "facts": facts,
        "resolution": resolution,
        "note": note,
        "ledger_id": ledger_id,
        "reference": "MAR1",
        "kspay_amount": "1250.50",
        "kspay_date": "2026-08-31",
        "detail": 'KS Pay took 1,250.50 INR; "more"',
    }
    for letter, facts, resolution, note, ledger_id in (
        ("A", "ABCDEFGHJK", "match:0012;V-2", 'Café; see "slip" 12, tomorrow', "0012"),
        ("B", "BBBBBBBBBB", "accept", "=SUM(1+1)", "1E5"),
        ("C", "CCCCCCCCCC", "match:12345678901234567890", "first line\nsecond – line", "12345678901234567890"),
        ("D", "DDDDDDDDDD", "write_off", "", "=SUM(1+1)"),
        ("E", "EEEEEEEEEE", "", "1/2", "MAR1"),
        ("F", "FFFFFFFFFF", "", "", "TRUE"),
    )
]  # fmt: skip


def read(path: Path) -> dict[str, Row]:
    return {row.discrepancy_id: row for row in open_sheet(path).rows() if row is not None}


def said(rows: dict[str, Row]) -> dict[str, tuple[object, ...]]:
    """What the rows say, wherever they stand now."""
    return {key: (row.facts, row.resolution, row.note, row.broken) for key, row in rows.items()}


@pytest.mark.parametrize(
    ("saved_as", "altered"),
    [
        ("59,34,1", ()),  # semicolons, Windows-1252
        ("9,34,76", ("hidden", "sorted")),  # tabs, UTF-8
        ("44,34,65535", ("sorted",)),  # commas, UTF-16
    ],
)
def test_what_people_wrote_survives_the_program(
    office: Office, tmp_path: Path, saved_as: str, altered: tuple[str, ...]
) -> None:
    ours = tmp_path / "discrepancies.csv"
    rows = list(reversed(ROWS)) if "sorted" in altered else ROWS
    cells = [{name: text_cell(row.get(name)) for name in DISCREPANCIES} for row in rows]
    write_csv(ours, DISCREPANCIES, cells, Dialect.COMMA)
    opened = office.convert(ours, "fods", "--infilter=CSV:44,34,76,1")
    document = opened.read_text("utf-8")
    assert "12345678901234567890" in document
    if "hidden" in altered:
        document, hidden = re.subn(
            "<table:table-column ", '<table:table-column table:visibility="collapse" ', document
        )
        assert hidden
        opened.write_text(document, "utf-8")
    theirs = office.convert(opened, f"csv:Text - txt - csv (StarCalc):{saved_as}")
    assert theirs.read_bytes() != ours.read_bytes()
    expected = said(read(ours))
    assert len(expected) == 5
    assert said(read(theirs)) == expected


TEXTS = (
    "0012", "1E5", "MAR1", "3-4", "=SUM(1+1)", "@x", "+1", "-1", "12345678901234567890", "Ünï — 注文 🧾", 'a "b", c',
    "a\tb", "  c", "c  ", "TRUE", "1/2", "12:30", "10%", "₹ 5", "'x", "#REF!", "first\nsecond", "1,5", "1.5", ".5",
    "2026-08-31", '=HYPERLINK("http://x.invalid")', "\tx", "＝1+1", "1e999", "0x10", "Infinity", "1 234", "½",
    "१२३",
)  # fmt: skip
SUMS = ("1250.50", "-0.01", "0", "123456789012.345", "12345678901234567.89", "-99999999999999999999.00")
DAYS = frozenset({"first_seen", "kspay_date", "ledger_date"})
NUMBERS = frozenset({"age_days", "count", "row"})


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("discrepancies", DISCREPANCIES),
        ("resolved", RESOLVED),
        ("matched", MATCHED),
        ("summary", SUMMARY),
        ("quarantine", QUARANTINE),
    ],
)
def test_every_cell_of_every_file_comes_back(
    office: Office, tmp_path: Path, name: str, columns: tuple[str, ...]
) -> None:
    """Every text in every column of text: opened by the program, and saved as it shows it."""
    ours = tmp_path / f"{name}.csv"
    days = ("2026-08-31", "1999-01-01", "2100-12-31")

    def written(column: str, at: int) -> str:
        if column in AMOUNTS:
            return amount_cell(SUMS[at % len(SUMS)], Dialect.COMMA)
        if column in DAYS:
            return days[at % len(days)]
        return cell(at * 1000) if column in NUMBERS else text_cell(TEXTS[at])

    rows = [{column: written(column, at) for column in columns} for at in range(len(TEXTS))]
    write_csv(ours, columns, rows, Dialect.COMMA)
    opened = office.convert(ours, "fods", "--infilter=CSV:44,34,76,1")
    # Whatever is a formula is a text in quotes, and nothing else.
    formulas = re.findall(r'table:formula="([^"]*)"', opened.read_text("utf-8"))
    assert formulas
    assert [
        formula for formula in formulas if not re.fullmatch(r"of:=&quot;.*&quot;", formula, re.DOTALL)
    ] == []
    theirs = office.convert(
        ours, "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true", "--infilter=CSV:44,34,76,1"
    )
    with theirs.open(encoding="utf-8", newline="") as file:
        header, *cells = csv.reader(file)
    assert tuple(header) == columns
    for row, found in zip(rows, cells, strict=True):
        for column, value in zip(columns, found, strict=True):
            wanted = shown(row[column])
            if column in AMOUNTS:
                assert Decimal(value) == Decimal(wanted), column
            else:
                assert value == wanted, column


SHEETS_OF = ("1250.50", "-0.01", "1234567.00", "285.265", "-285.264", "1.234", "0.001", "1234", "5")
"""Amounts in INR, KWD and JPY, of which a wrong reading of points and commas would make others."""
FOREIGN = (
    "12.8.2026", "1.234", "1.234,56", "MÄR1", "R$ 5", "31. August", "1,5 €", "VRAI", "seg 1", "août 4", "Mo 1.2.2026",
)  # fmt: skip


@pytest.mark.parametrize("locale", ["de-DE", "fr-FR", "pt-BR"])
def test_a_file_with_semicolons_opens_right_where_people_write_so(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, locale: str
) -> None:
    """Opened as the country's people open it: amounts are numbers with the right sum, no text and no day is another
    one, and what people wrote comes back from the file that the program saves."""
    ours = tmp_path / "discrepancies.csv"
    texts = (*TEXTS, *FOREIGN)
    rows = [
        {
            **{name: text_cell(value) for name, value in ROWS[at % len(ROWS)].items()},
            "discrepancy_id": "D-" + "ABCDEFGHJKLMNPQR"[at % 16] * (3 + at // 16),
            "reference": text_cell(text),
            "kspay_amount": amount_cell(SHEETS_OF[at % len(SHEETS_OF)], Dialect.SEMICOLON),
            "ledger_amount": amount_cell("12345678901234567.89", Dialect.SEMICOLON),
            "kspay_date": "2026-08-31",
        }
        for at, text in enumerate(texts)
    ]
    cells = [{name: row.get(name, "") for name in DISCREPANCIES} for row in rows]
    write_csv(ours, DISCREPANCIES, cells, Dialect.SEMICOLON)
    as_people_do = "--infilter=CSV:59,34,76,1,,0,false,true"
    with Office(tmp_path_factory.mktemp("office"), locale).opened() as office:
        document = office.convert(ours, "fods", as_people_do).read_text("utf-8")
        theirs = office.convert(
            ours, "csv:Text - txt - csv (StarCalc):59,34,76,1,,0,false,true", as_people_do
        )
    found = [
        Decimal(one) for one in re.findall(r'office:value-type="float" office:value="([^"]*)"', document)
    ]
    wanted = [Decimal(SHEETS_OF[at % len(SHEETS_OF)]) for at in range(len(texts))]
    assert found == wanted
    assert sum(found) == sum(wanted)
    assert document.count('office:date-value="2026-08-31"') == len(texts)
    assert 'office:value-type="boolean"' not in document
    assert said(read(theirs)) == said(read(ours)) != {}
    shown_there = list(read_csv(theirs))
    place = DISCREPANCIES.index("reference")
    assert [row[place] for row in shown_there[1:]] == list(texts)
    place = DISCREPANCIES.index("kspay_amount")
    assert [Decimal(row[place]) for row in shown_there[1:]] == wanted


LANGUAGES = (1033, 16393, 1031, 1036, 1040, 3082, 1046, 1041)
"""As Windows numbers them: English (US, India), German, French, Italian, Spanish, Portuguese (Brazil), Japanese."""
PICKED = (
    "A-1001", "H-12", "P-1001", "A1", "T1", "e7_2", "E5", "1-A", "12/P", "5 a", "5 p", "12 pm", "1:00 p.m.", "10 a. m.",
    "10h30", "1E5", "1e-5", "1.E5", "1 E5", "1,E5", "1D5", "1.5/E5", "12/E5", "Mar-1", "1-mar", "12/MAR:1,5 1,5/1:d,",
    "T10:00", "p 10:30", "AM 10:30", "10:30 A", "2026-08-31T10:00", "2026-08-31T10:00:00.000Z", "2026-08-31 10:00 z",
    "PT10H", "W31-1", "INR 5", "1st",
)  # fmt: skip
FIGURES = ("1", "5", "12", "31", "2026", "08", "10:00", "12:30:45", "2026-08-31", "31/12", "1.5", "1,5")
LETTERS = (
    *"aphedtzAPHEDTZmxM", "am", "PM", "MAR", "Mai", "INR", "Mär", "Dez.", "août", "févr.", "fev", "Mo", "Montag",
    "lun.", "jeudi", "seg", "terça", "R$", "€",
)  # fmt: skip
BETWEEN = ("-", "/", ":", ".", ",", " ", "", "", "_", ". ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_that_the_program_alters_is_written_bare(
    office: Office, tmp_path: Path, language: int
) -> None:
    """Texts of letters, digits and what stands between them, read as eagerly as the program can."""
    random = Random(language)
    made = {
        "".join(
            random.choice(FIGURES if random.random() < 0.5 else LETTERS) + random.choice(BETWEEN)
            for _ in range(random.randint(2, 5))
        ).strip()
        for _ in range(20_000)
    }
    bare = [text for text in sorted({*made, *PICKED}) if not is_altered(text) and not text.isdecimal()]
    assert {"A-1001", "H-12", "A1", "e7_2"} <= set(bare)
    path = tmp_path / f"bare-{language}.csv"
    path.write_text("".join(f'"{text}"\r\n' for text in bare), "utf-8")
    opened = office.convert(path, "fods", f"--infilter=CSV:44,34,76,1,,{language},false,true")
    kinds = re.findall(r'<table:table-cell[^>]* office:value-type="(\w+)"', opened.read_text("utf-8"))
    assert len(kinds) == len(bare)
    assert [text for text, kind in zip(bare, kinds, strict=True) if kind != "string"] == []
