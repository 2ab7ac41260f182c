"""Random bytes and damaged files: never a traceback, never a row that is lost in silence."""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.core.records import Entry, RawRow, Rejection
from reconcile.ledger.file import BROKEN, LedgerFile
from reconcile.ledger.profile import Profile
from reconcile.normalise.entries import EntryNormaliser
from tests.support.bad_ledgers import (
    ALL,
    DAYS,
    EXACT,
    IDS,
    NAMES,
    RUPEES,
    Sheet,
    cells,
    parquet,
    text,
    zipped,
)
from tests.support.ledgers import open_ledger

PROFILE = Profile("default", currency="INR")
ROWS = [f"L{number},ORD-{number},{number}.50,2026-08-0{number},INR,paid" for number in range(1, 9)]
CSV = text(*ROWS)
WORKBOOK = Sheet().rows(NAMES, *[cells(f"L{number}", amount=number + 0.5) for number in range(1, 9)]).bytes()
SOURCES = {
    "csv": CSV,
    "utf16": text(*ROWS, encoding="utf-16"),
    "xlsx": WORKBOOK,
    "gz": gzip.compress(CSV, mtime=0),
    "zip": zipped(a__csv=CSV),
    "parquet": parquet(ledger_id=IDS, amount=EXACT, date=DAYS, currency=RUPEES),
}
MAGIC = (
    b"",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b\x08",
    b"PAR1",
    b"\xd0\xcf\x11\xe0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
)

PIECES = (b'"', b"\0", b"\n", b",", b"\xff", b"")
changes = st.lists(st.tuples(st.integers(0, 20_000), st.binary(max_size=4)), min_size=1, max_size=5)


def taken(content: bytes) -> tuple[LedgerFile, list[RawRow]] | None:
    """The ledger and its rows, every one of which became an entry or a rejection; None if it was refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger"
        path.write_bytes(content)
        try:
            ledger = open_ledger(path, profile=PROFILE)
            rows = list(ledger.rows())
        except InputRefused:
            return None
        normaliser = EntryNormaliser(("ap_1",), "x", "INR", Currencies(), ledger.style)
        typed = list(normaliser.typed(rows))
    assert len(typed) == len(rows)
    for one in typed:
        assert isinstance(one, Entry | Rejection)
        assert one.place.row > ledger.header.row
        if isinstance(one, Rejection):
            assert one.reason
            one.raw.encode()
    return ledger, rows


@given(magic=st.sampled_from(MAGIC), content=st.binary(max_size=400))
@example(magic=b"PK\x05\x06", content=bytes(18))
@example(magic=b"PAR1", content=b"\0\0\0\0PAR1")
@settings(deadline=None)
def test_random_bytes(magic: bytes, content: bytes) -> None:
    taken(magic + content)


@pytest.mark.parametrize("kind", SOURCES)
@given(edits=changes)
@settings(deadline=None, max_examples=40)
def test_damaged_files(kind: str, edits: list[tuple[int, bytes]]) -> None:
    content = SOURCES[kind]
    for place, piece in edits:
        place %= len(content)
        content = content[:place] + piece + content[place + 1 :]
    taken(content)


@given(edits=changes)
@settings(deadline=None, max_examples=60)
def test_damaged_parts_of_a_workbook(edits: list[tuple[int, bytes]]) -> None:
    """Damage that no check-sum of the zip file tells."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as source, zipfile.ZipFile(out, "w") as target:
        for part in source.infolist():
            content = source.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                for place, piece in edits:
                    place %= len(content)
                    content = content[:place] + piece + content[place + 1 :]
            target.writestr(part, content)
    taken(out.getvalue())


@given(edits=st.lists(st.tuples(st.integers(0, len(CSV) - 1), st.sampled_from(PIECES)), max_size=5))
@settings(deadline=None)
def test_no_row_of_a_damaged_text_is_lost(edits: list[tuple[int, bytes]]) -> None:
    """Every id that stands below the header is in a row that is read, or shown in one that is told as broken."""
    head = CSV.index(b"\n") + 1
    content = CSV
    for place, piece in edits:
        if place >= head:
            content = content[:place] + piece + content[place + 1 :]
    found = taken(content)
    if found is None:
        return
    shown = " ".join(" ".join(map(str, row.values.values())) for row in found[1])
    for number in range(1, 9):
        if f"L{number}".encode() in content[head:]:
            assert f"L{number}" in shown


@pytest.mark.parametrize("name", [name for name, bad in ALL.items() if isinstance(bad.content, bytes)])
def test_every_bad_ledger_cut_off_anywhere(name: str) -> None:
    content = ALL[name].bytes
    for part in range(1, 6):
        taken(content[: len(content) * part // 6])


def test_a_broken_row_says_so() -> None:
    found = taken(text(ROWS[0], "L2"))
    assert found is not None
    assert [BROKEN in row.values for row in found[1]] == [False, True]
