"""matched.csv is the same whether its lines are written many at once or cell by cell."""

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.core.dialect import Dialect
from reconcile.core.errors import UsageError
from reconcile.core.money import Currencies
from reconcile.report.columns import FILES, Form
from reconcile.report.csv_cells import ALTERED_WORDS, TRUTH_VALUES, amount_cell, text_cell
from reconcile.report.matched_csv import plain_lines, written, written_with_care

CURRENCIES = Currencies()
FORMS = [column.form for column in FILES["matched.csv"]]
USUAL = {
    "match_id": "M-ABCDEFGHJKLMNPQRABCD",
    "rule": "reference_differs",
    "transaction_ids": "tx_aNNJ7BJbt",
    "ledger_ids": "INV-0001;default:INV-0002",
    "currency": "INR",
    "kspay_amount": "-12345678901.5000",
    "ledger_amount": "0.00",
    "variance": "",
    "kspay_date": "2026-08-31",
    "ledger_date": "",
    "fee": "23.60",
}

# What spreadsheets take for something else, and what takes a CSV file or COPY apart.
NASTY = st.one_of(
    st.text(max_size=8),
    st.text("aAeE=+-@\t\r\n\x00\\\"',;:_./#0159 ＝é١", max_size=8).map(lambda text: text.replace("\x00", "")),
    st.sampled_from(sorted(ALTERED_WORDS | TRUTH_VALUES)).flatmap(
        lambda word: st.sampled_from(
            [word, word.title(), f"{word}1", f"{word}-12", f"x{word}", f"{word}x 1", f"1{word}"]
        )
    ),
    st.sampled_from(
        [
            "0012",
            "7",
            "0",
            "12345678901",
            "123456789012",
            "1E5",
            "A1",
            "E5",
            "A-1 mar",
            "a1b2",
            "T-10:00",
            "Di.1.8.26",
            "SO12/3",
            "SO-1001",
            "seg.Dez./5",
            "Mo-2026-08-31",
            "fr.1.234",
            "R$5",
            "PM-1",
            "\\N",
        ]
    ),
    st.integers(248, 252).map(lambda length: "x" * length),
    st.integers(248, 252).map(lambda length: "x1" * (length // 2)),
).filter(lambda text: "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text))
AMOUNT = st.one_of(
    st.just(""),
    st.decimals(-(10**18), 10**18, places=2).map(lambda amount: f"{amount:f}"),
    st.sampled_from(
        [
            "0",
            "-0.50",
            "99999999999",
            "999999999999.99",
            "99999999999999.99",
            "0.000000000000000001",
            "1.2345",
        ]
    ),
)
VALUES = {
    Form.TEXT: NASTY,
    Form.SEVERAL: NASTY,
    Form.AMOUNT: AMOUNT,
    Form.DAY: st.sampled_from(["", "2026-08-31", "0001-01-01", "10000-01-01"]),
}
MATCH_ID = st.text("ABCDEFGHJKLMNPQR", min_size=20, max_size=20).map("M-{}".format)
ROW = st.tuples(MATCH_ID, *(VALUES[form] for form in FORMS[1:]))
COPY = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def line(values: tuple[str, ...]) -> bytes:
    """As COPY writes it in text format."""
    return (
        "\t".join("".join(COPY.get(letter, letter) for letter in value) for value in values).encode() + b"\n"
    )


@given(st.lists(st.one_of(ROW, st.just(tuple(USUAL.values()))), max_size=4), st.sampled_from(Dialect))
@example([tuple(USUAL.values())], Dialect.COMMA)
@example([tuple((USUAL | {"ledger_ids": "INV-1"}).values())] * 2, Dialect.SEMICOLON)
def test_many_at_once_or_cell_by_cell(rows: list[tuple[str, ...]], dialect: Dialect) -> None:
    lines = [line(row) for row in rows]
    file = b"".join(written(b"".join(lines), CURRENCIES, dialect))
    assert file == b"".join(written_with_care(one[:-1], CURRENCIES, dialect) for one in lines)
    read = list(csv.reader(io.StringIO(file.decode("utf-8"), newline=""), delimiter=dialect.delimiter))
    assert [row[1:5] for row in read] == [list(map(text_cell, row[1:5])) for row in rows]
    assert [row[5:8] for row in read] == [[amount_cell(one, dialect) for one in row[5:8]] for row in rows]


@given(NASTY, st.sampled_from(Dialect))
def test_no_text_that_needs_care_is_taken_for_plain(text: str, dialect: Dialect) -> None:
    plain = plain_lines(dialect).fullmatch(line(tuple((USUAL | {"ledger_ids": text}).values())))
    assert plain is None or (text_cell(text) == text and dialect.delimiter not in text)


@pytest.mark.parametrize(
    "usual",
    [
        {"ledger_ids": "V-000123"}, {"ledger_ids": "7"}, {"ledger_ids": "E5"}, {"transaction_ids": ""},
        {"currency": "USD"}, {"rule": "manual"}, {"kspay_amount": "9999999999.99"}, {"ledger_date": "2026-01-01"},
        {"ledger_ids": "x" * 250},
    ],
)  # fmt: skip
def test_usual_lines_need_no_look_at_their_cells(usual: dict[str, str]) -> None:
    for dialect, values in ((Dialect.COMMA, USUAL), (Dialect.SEMICOLON, USUAL | {"ledger_ids": "INV-0001"})):
        assert plain_lines(dialect).fullmatch(line(tuple((values | usual).values())) * 3)


def test_a_line_that_does_not_fit_is_found_out_at_once() -> None:
    # Without possessive repetition this takes longer than anybody waits.
    doubtful = line(tuple((USUAL | {"ledger_ids": "x1" * 100}).values()))
    broken = doubtful * 2_000 + line(tuple((USUAL | {"ledger_date": "never"}).values()))
    found = plain_lines(Dialect.COMMA).match(broken)
    assert found is not None
    assert found.end() == len(doubtful) * 2_000


def test_an_amount_that_its_currency_cannot_have_stops_the_file() -> None:
    refused = line(tuple((USUAL | {"kspay_amount": "1.234?INR"}).values()))
    with pytest.raises(UsageError, match=re.escape("INR has 2 decimals, but there are records with more")):
        list(written(refused, CURRENCIES, Dialect.COMMA))
