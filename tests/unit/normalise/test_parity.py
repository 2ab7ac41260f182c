"""The two normalisers of each side are one: what the bulk one types, the careful one types to the same.

Both get the same rows: usual ones, and rows that are wrong, ambiguous or broken in every way that a file or an
answer of KS Pay can be.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import reconcile.ledger.blocks as blocks
from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.core.records import TEXT_FAULTS, Entry, Place, RawRow, Rejection, Transaction
from reconcile.ledger.blocks import Block
from reconcile.ledger.columns import scan_columns
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.profile import Profile
from reconcile.ledger.table import Record
from reconcile.normalise import entries_bulk, transactions_bulk
from reconcile.normalise.entries import EntryNormaliser
from reconcile.normalise.normaliser import Normaliser
from reconcile.normalise.transactions import TEXTS as FIELDS
from reconcile.normalise.transactions import TransactionNormaliser
from tests.support.ledgers import open_ledger

CURRENCIES = Currencies()
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
    "'L4'",
    "4.12346E+11",
    "NULL",
    "Total",
    "Grand total:",
    "Balance c/f",
    "TOTAL-12",
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
    "'ORD-1",
    "9.87655E+11",
    "null",
    "\\N",
    "O'Brien",
    "Total",
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
    "5 Dr", "500,-", "1299.8999999999999", "-", "NULL", "'5",
    "1.50", "12", "-3.5", "0", "-0.00", "007.10", "100.00", "1,250", "1.250", "1.250,00", "", "abc", "1e3", "1_0",
    "999999999999999.99", "1234567890123456", "12.345", ".5", "5.", " 7 ", "₹ 5", "+4", "(5)", "amount", "100.5",
)  # fmt: skip
DATES = ("2026-08-01", "2026-02-29", "2024-02-29", "1899-12-31", "2100-12-31", "2026-8-1", "13/04/2026", "", "date",
         "2026-08-01T10:00:00Z", "03/04/2026", "0000-00-00", "2026-08-01 ", "١٢٣٤-٠١-٠١")  # fmt: skip
CODES = ("INR", "inr", " USD ", "JPY", "KWD", "", "XXX", "RS.", "€")
STATUSES = ("paid", " Paid ", "", "refunded", "bezahlt für")
USUAL = ("L9", "ORD-9", "9.99", "2026-08-09", "INR", "paid", "tx_9", "", "one")

cell_of_column = [
    st.sampled_from(values)
    for values in (IDS, REFERENCES, AMOUNTS, DATES, CODES, STATUSES, REFERENCES, REFERENCES, REFERENCES)
]
usual_row = st.just(USUAL)
odd_row = st.tuples(*cell_of_column)
rows_of_cells = st.lists(
    st.one_of(usual_row, usual_row, odd_row, odd_row.map(lambda row: row[:-1])), min_size=1, max_size=12
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
        for name, value in zip(entries_bulk.COLUMNS, line.split("\t"), strict=True)
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


def typed_both_ways(
    parts: Iterable[Any],
    rows: Sequence[RawRow],
    *,
    in_bulk: Normaliser[Any, Any],
    careful: Normaliser[Sequence[RawRow], Any],
    read_back: Callable[[str], Any],
) -> int:
    """The parts hold these rows. Typed in bulk, and carefully what is left, they are as typed carefully all;
    gives how many were typed in bulk."""
    typed: list[Entry | Transaction | Rejection] = []
    rest: list[RawRow] = []
    for part in parts:
        found = in_bulk(part)
        assert not found.records
        assert not found.rejections
        rest += found.rest
        if found.count:
            records = [read_back(line) for line in bytes(found.lines()).decode("ascii").split("\n")]
            assert len(records) == found.count
            typed += records
    count = len(typed)
    left, alone = careful(rest), careful(rows)
    for found in (left, alone):
        assert not found.rest
        assert not found.count
    typed += [*left.records, *left.rejections]

    def in_order(some: Iterable[Any]) -> list[str]:
        # As text, since 1.5 and 1.50 are equal.
        return list(map(repr, sorted(some, key=lambda one: one.place.row)))

    assert in_order(typed) == in_order([*alone.records, *alone.rejections])
    return count


def entries_both_ways(ledger: LedgerFile) -> int:
    return typed_both_ways(
        (part if isinstance(part, Block) else [part] for part in ledger.parts()),
        list(ledger.rows()),
        in_bulk=entries_bulk.EntriesInBulk(ledger, "ap_1", PROFILE.name, PROFILE.currency, CURRENCIES),
        careful=EntryNormaliser.of(ledger, PROFILE, ["ap_1"], CURRENCIES),
        read_back=entry_of,
    )


@given(rows=rows_of_cells, how=writings, changes=edits)
@example(rows=[USUAL] * 12, how=Writing(",", "all", "\r\n", "utf-8"), changes=[])
@example(rows=[USUAL] * 12, how=Writing("\t", "needed", "\n", "cp1252"), changes=[(200, b'"')])
@example(rows=[USUAL], how=Writing(",", "none", "\n", "utf-8"), changes=[(78, b"\n")])
def test_entries_typed_in_bulk_are_as_those_typed_one_by_one(
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
        entries_both_ways(ledger)


@pytest.mark.parametrize(
    ("delimiter", "quotes"),
    # In quotes a tab would be a letter.
    [*((delimiter, "none") for delimiter in ",;\t|"), *((delimiter, "all") for delimiter in ",;|")],
)
def test_usual_rows_are_typed_in_bulk(tmp_path: Path, delimiter: str, quotes: str) -> None:
    path = tmp_path / "ledger.csv"
    path.write_bytes(written([USUAL] * 50, Writing(delimiter, quotes, "\r\n", "utf-8")))
    assert entries_both_ways(open_ledger(path, profile=PROFILE)) == 50


APP = "ap_mPFz05qW2"

WIRE: dict[str, Any] = {
    "id": "tx_aNNJ7BJbt",
    "providerOrderId": "4AM954523V5514225",
    "currencyId": "c_wQOPe0WCeW",
    "appId": APP,
    "referenceNumber": "yo3pEaqOfMX-bhGJx",
    "amount": "11",
    "currencyCode": "usd",
    "paymentType": "PAYPAL",
    "providerName": "PAYPAL",
    "providerTxnId": None,
    "status": "PENDING",
    "providerStatus": "CREATED",
    "createdAt": "2024-08-26T05:24:17.425Z",
    "updatedAt": "2024-09-05T10:00:08.700Z",
}
WIRE_TEXTS = st.one_of(
    st.none(),
    st.text("aZ09_-.:/", max_size=30),
    st.sampled_from(
        [
            "",
            " ",
            "a b",
            "a b ",
            " a",
            "a\tb",
            "a\nb",
            "a\\b",
            "\\N",
            "é",
            "ß",
            "-./",
            "\x7f",
            "x" * 400,
            "x" * 501,
            7,
        ]
    ),
    st.sampled_from([0, Decimal("1.5"), True, False, [], {"a": "b"}]),
)
WIRE_AMOUNTS = st.one_of(
    st.decimals(0, 10**6, places=2).map(str),
    st.sampled_from(
        ["0.00", "0", "007.5", "1\n2", "", "1e3", "-1", "NaN", "9" * 16, "1.234", "5.", "\u0661"]
    ),
    st.sampled_from([7, Decimal("1.5"), True, None]),
)
WIRE_TIMES = st.one_of(
    st.datetimes(datetime(1850, 1, 1), datetime(2150, 1, 1)).map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S.123Z}"),  # noqa: DTZ001
    st.sampled_from(["2026-02-30T00:00:00.000Z", "2026-03-01T00:00:00.000Z" * 2, "2026-03-01T24:00:00.000Z"]),
    st.sampled_from(["", "2026-03-01", "2026-03-01T00:00:00.000+05:30", "2026-03-01T00:00:00.000", 7, None]),
)
RECORDS = st.fixed_dictionaries(
    {
        **dict.fromkeys(FIELDS, WIRE_TEXTS),
        "currencyCode": st.sampled_from(["INR", "usd", "JPY", "KWD", "XAU", "", None, "ß", 7]),
        "appId": st.sampled_from([None, APP, APP, "ap_other"]),
        "amount": WIRE_AMOUNTS,
        "createdAt": WIRE_TIMES,
        "updatedAt": WIRE_TIMES,
    },
    optional={TEXT_FAULTS: st.just((("origin", "x", "holds bytes that are not UTF-8"),))},
)
CHANGES = st.dictionaries(
    st.sampled_from([*FIELDS, "amount", "createdAt", "updatedAt"]),
    WIRE_TEXTS | WIRE_AMOUNTS | WIRE_TIMES,
    max_size=3,
)


def rows_of(records: list[dict[str, Any]]) -> list[RawRow]:
    return [
        RawRow(Place("GET /transaction page 3", number), values) for number, values in enumerate(records, 1)
    ]


def transaction_of(line: str) -> Transaction:
    """What Postgres makes of a line of COPY."""
    found: dict[str, Any] = {
        name: None if value == "\\N" else value
        for name, value in zip(transactions_bulk.COLUMNS, line.split("\t"), strict=True)
    }
    comparable = found.pop("comparable")
    place = Place(found.pop("file"), int(found.pop("row_number")))
    for name in ("created_at", "updated_at"):
        found[name] = found[name] and datetime.fromisoformat(found[name])
    transaction = Transaction(**{**found, "amount": Decimal(found["amount"])}, place=place)
    assert transaction.comparable == comparable
    return transaction


def transactions_both_ways(rows: Sequence[RawRow]) -> int:
    return typed_both_ways(
        [rows],
        rows,
        in_bulk=transactions_bulk.TransactionsInBulk(APP, CURRENCIES),
        careful=TransactionNormaliser(APP, CURRENCIES, {}),
        read_back=transaction_of,
    )


@given(st.lists(RECORDS | CHANGES.map(lambda changes: WIRE | changes), min_size=1, max_size=3))
def test_transactions_typed_in_bulk_are_as_those_typed_one_by_one(records: list[dict[str, Any]]) -> None:
    records = [*records, WIRE]
    counts = [transactions_both_ways(rows_of([one])) for one in records]
    assert counts[-1] == 1, "the last one is in the usual form"
    # One record in another form takes no other one with it.
    assert transactions_both_ways(rows_of(records)) == sum(counts)


def test_a_record_is_dated_in_utc() -> None:
    found = transactions_bulk.TransactionsInBulk(APP, CURRENCIES)(rows_of([WIRE]))
    (line,) = bytes(found.lines()).decode().splitlines()
    assert transaction_of(line).created_at == datetime(2024, 8, 26, 5, 24, 17, 425000, UTC)
