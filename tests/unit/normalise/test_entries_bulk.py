"""Rows that are read by the block are read, typed and judged as the careful way reads each of them by itself."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import reconcile.ledger.blocks as blocks
from reconcile.core.errors import InputRefused
from reconcile.core.records import Entry, Place, RawRow, Rejection
from reconcile.ledger.blocks import Block
from reconcile.ledger.columns import scan_columns
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.profile import Profile
from reconcile.ledger.table import Record
from reconcile.load.stage_entries import typed_entries
from reconcile.normalise import entries_bulk as plain
from reconcile.settings import Settings
from reconcile.validate.validator import Validator
from tests.support.ledgers import open_ledger

SETTINGS = Settings(app_ids=("ap_1",))
PROFILE = Profile("default", currency="INR")
COLUMNS = (
    "ledger_id",
    "reference",
    "amount",
    "date",
    "currency",
    "status",
    "transaction_id",
    "note",
    "description",
)
IDS = (
    "L1",
    "L2",
    " L3 ",
    "",
    " ",
    "Zürich",
    'a"b',
    "a\\b",
    "\\N",
    "\\.",
    "x" * 600,
    "ledger_id",
    "a\tb",
    "\0",
    "\x7f",
)
REFERENCES = (
    "ORD-1",
    "ord 1",
    "---",
    "",
    "  ",
    " A ",
    "Ä",
    "a,b",
    "a;b",
    "l1\nl2",
    "=1+1",
    '="0012"',
    "İ",
    "\ufeff",
)
AMOUNTS = (
    "1.50", "12", "-3.5", "0", "-0.00", "007.10", "100.00", "1,250", "1.250", "1.250,00", "", "abc", "1e3", "1_0",
    "999999999999999.99", "1234567890123456", "12.345", ".5", "5.", " 7 ", "₹ 5", "+4", "(5)", "amount", "100.5",
)  # fmt: skip
DATES = ("2026-08-01", "2026-02-29", "2024-02-29", "1899-12-31", "2100-12-31", "2026-8-1", "13/04/2026", "", "date",
         "2026-08-01T10:00:00Z", "03/04/2026", "0000-00-00", "2026-08-01 ", "١٢٣٤-٠١-٠١")  # fmt: skip
CURRENCIES = ("INR", "inr", " USD ", "JPY", "KWD", "", "XXX", "RS.", "€")
STATUSES = ("paid", " Paid ", "", "refunded", "bezahlt für")
PLAIN = ("L9", "ORD-9", "9.99", "2026-08-09", "INR", "paid", "tx_9", "", "one")

cell_of_column = [
    st.sampled_from(values)
    for values in (IDS, REFERENCES, AMOUNTS, DATES, CURRENCIES, STATUSES, REFERENCES, REFERENCES, REFERENCES)
]
plain_row = st.just(PLAIN)
odd_row = st.tuples(*cell_of_column)
rows_of_cells = st.lists(
    st.one_of(plain_row, plain_row, odd_row, odd_row.map(lambda row: row[:-1])), min_size=1, max_size=12
)


@dataclass(frozen=True)
class Writing:
    """How a file is written."""

    delimiter: str
    quotes: str
    newline: str
    encoding: str


writings = st.builds(
    Writing,
    delimiter=st.sampled_from(",;\t|"),
    quotes=st.sampled_from(("none", "all", "needed", "carelessly")),
    newline=st.sampled_from(("\n", "\r\n", "\r")),
    encoding=st.sampled_from(("utf-8", "utf-8-sig", "cp1252", "utf-16")),
)
edits = st.lists(
    st.tuples(
        st.integers(0, 5_000), st.sampled_from((b'"', b"\n", b"\r", b"\0", b",", b"\xff", b" ", b'""', b""))
    ),
    max_size=3,
)


def written(rows: Sequence[Sequence[str]], how: Writing) -> bytes:
    def cell(value: str) -> str:
        special = how.delimiter in value or '"' in value or "\n" in value
        if how.quotes == "all" or (how.quotes == "needed" and special):
            return '"' + value.replace('"', '""') + '"'
        return f'"{value}"' if how.quotes == "carelessly" and len(value) % 2 else value

    lines = [how.delimiter.join(map(cell, row)) + how.newline for row in (COLUMNS, *rows)]
    return "".join(lines).encode(how.encoding, "replace")


class Careful:
    """A table without blocks."""

    def __init__(self, table: DelimitedTable) -> None:
        self.kind, self.sha256, self.records = table.kind, table.sha256, table.records


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Blocks of a few rows, so that their edges lie in every part of a record."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "SIZE", 150)
        yield


def flat(ledger: LedgerFile) -> Iterator[Record]:
    """The records of the blocks and between them; the cells of a block must be those of its records."""
    assert isinstance(ledger.table, DelimitedTable)
    for part in blocks.in_blocks(ledger.table, ledger.header, ledger.columns):
        if not isinstance(part, Block):
            yield part
            continue
        for index, usual in enumerate(part.usual.tolist()):
            number, cells = part.record(index)
            if usual:
                assert [part.cells[name][index].as_py() for name in ledger.columns] == cells
            yield number, cells


def entry_of(line: str) -> Entry:
    """What Postgres makes of a line of COPY."""
    found = {
        name: None if value == "\\N" else value
        for name, value in zip(plain.COLUMNS, line.split("\t"), strict=True)
    }
    comparable = found.pop("comparable")
    file, number, amount, day = (found.pop(name) for name in ("file", "row_number", "amount", "dated_on"))
    assert file is not None
    assert number is not None
    assert amount is not None
    assert day is not None
    entry = Entry(
        **found,  # type: ignore[arg-type]
        amount=Decimal(amount),
        dated_on=date.fromisoformat(day),
        dated_at=None,
        place=Place(file, int(number)),
    )
    assert entry.comparable == comparable
    return entry


def by_the_block(ledger: LedgerFile) -> tuple[list[Entry | Rejection], int]:
    """All rows typed, plain ones by the block, and how many of these there are."""
    rows: list[RawRow] = []
    typed: list[Entry | Rejection] = []
    for part in ledger.parts():
        if isinstance(part, RawRow):
            rows.append(part)
            continue
        found = plain.plain_entries(part, ledger, "ap_1", "default", PROFILE.currency)
        traits, which = found.traits(SETTINGS.currencies.digits)
        if len(found.rows):
            entries = [entry_of(line) for line in bytes(found.lines()).decode("ascii").split("\n")]
            judged = Validator(SETTINGS.currencies)
            for entry, kind in zip(entries, which, strict=True):
                assert traits[kind] == judged.traits_of(entry)
            typed += entries
        others = set(range(len(part.usual))) - set(found.rows.tolist())
        rows += filter(None, (ledger.row(part.record(index)) for index in others))
    count = len(typed)
    typed += typed_entries(SETTINGS, ledger, PROFILE, ["ap_1"], rows)
    return sorted(typed, key=lambda one: one.place.row), count


@given(rows=rows_of_cells, how=writings, changes=edits)
@example(rows=[PLAIN] * 12, how=Writing(",", "all", "\r\n", "utf-8"), changes=[])
@example(rows=[PLAIN] * 12, how=Writing("\t", "needed", "\n", "cp1252"), changes=[(200, b'"')])
def test_both_ways_are_one(
    rows: list[tuple[str, ...]], how: Writing, changes: list[tuple[int, bytes]]
) -> None:
    content = written(rows, how)
    for place, piece in changes:
        place = place % len(content)
        content = content[:place] + piece + content[place + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.csv"
        path.write_bytes(content)
        try:
            ledger = open_ledger(path, profile=PROFILE)
        except InputRefused:
            return
        if not isinstance(ledger.table, DelimitedTable):
            return
        assert list(flat(ledger)) == list(ledger.table.records())
        assert scan_columns(ledger.table, ledger.header, PROFILE) == scan_columns(
            Careful(ledger.table), ledger.header, PROFILE
        )
        found, _ = by_the_block(ledger)
        assert found == list(typed_entries(SETTINGS, ledger, PROFILE, ["ap_1"], ledger.rows()))
        assert [str(one.amount) for one in found if isinstance(one, Entry)] == [
            str(one.amount)
            for one in typed_entries(SETTINGS, ledger, PROFILE, ["ap_1"], ledger.rows())
            if isinstance(one, Entry)
        ]


@pytest.mark.parametrize(
    ("delimiter", "quotes"),
    # In quotes a tab would be a letter.
    [*((delimiter, "none") for delimiter in ",;\t|"), *((delimiter, "all") for delimiter in ",;|")],
)
def test_plain_rows_do_go_by_the_block(tmp_path: Path, delimiter: str, quotes: str) -> None:
    path = tmp_path / "ledger.csv"
    path.write_bytes(written([PLAIN] * 50, Writing(delimiter, quotes, "\r\n", "utf-8")))
    typed, by_block = by_the_block(open_ledger(path, profile=PROFILE))
    assert (len(typed), by_block) == (50, 50)
