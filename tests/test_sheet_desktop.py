"""A discrepancies.csv through a real spreadsheet program and back: opened, saved its own way, read again."""

import re
import subprocess
from pathlib import Path

import pytest

from reconcile.report.cells import text_cell
from reconcile.report.files import DISCREPANCIES, write_csv
from reconcile.sheet import Row, open_sheet

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


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> "Office":
    return Office(tmp_path_factory.mktemp("office"))


class Office:
    """LibreOffice with a profile of its own, without a window."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def convert(self, path: Path, target: str, *options: str) -> Path:
        out = self.folder / "out"
        done = subprocess.run(
            [
                "soffice",
                "--headless",
                f"-env:UserInstallation={(self.folder / 'profile').as_uri()}",
                *options,
                "--convert-to",
                target,
                "--outdir",
                str(out),
                str(path),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return out / f"{path.stem}.{target.partition(':')[0]}"


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
    write_csv(ours, DISCREPANCIES, cells)
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
