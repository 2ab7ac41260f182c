"""Writes matched.csv from the lines of a COPY: many at once where no cell needs care, else cell by cell.

A million rows take Python a minute, cell by cell. So one regular expression looks at whole blocks of lines. What it
lets pass is written nearly as it came; any other line is taken apart, and its cells go through `csv_cells`. Both ways
write the same bytes, which a test proves.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, text

from reconcile.core.dialect import Dialect
from reconcile.core.money import Currencies
from reconcile.core.wording import MAX_CELL_LENGTH
from reconcile.db.copy import cancel, copied_lines, cut
from reconcile.db.sql_files import read_sql, run_file
from reconcile.report.columns import FILES, MATCHED, Form
from reconcile.report.csv_cells import (
    ALTERED_WORDS,
    EXACT_DIGITS,
    TRUTH_VALUES,
    WEEKDAYS,
    amount_cell,
    text_cell,
)

_BLOCK = 1 << 16  # bytes that are looked at together
_FIRST_WORD = 40  # letters
_CANCEL_AGAIN_SECONDS = 0.5
_CANCELS = 4


def _any_of(words: Iterable[str]) -> str:
    """An expression for any of these words, in capitals or not, that looks at each letter once."""
    rests: dict[str, list[str]] = {}
    for word in sorted(words):
        rests.setdefault(word[:1], []).append(word[1:])
    return (
        "(?:" + "|".join(f"[{x}{x.upper()}]{_any_of(rest)}" if x else "" for x, rest in rests.items()) + ")"
    )


_FORMS = tuple(column.form for column in FILES["matched.csv"])

_POINT = re.compile(rb"([\t\n]-?[0-9]++)\.(?=[0-9]++[\t\n])")
"""The point of an amount, in lines that need no care: none of their texts is a number with decimals."""


@cache
def plain_lines(dialect: Dialect) -> re.Pattern[bytes]:
    """As many lines as need no care, in a file of this dialect."""
    # No spreadsheet alters a text that begins with a word which is no part of a date or number, and no truth value.
    # Nor other letters alone, nor one letter and digits, nor a short whole number. The + behind a number of times is
    # possessive: without it, a line that does not fit would be tried in all ways in which it can be divided.
    between = "".join(sign for sign in ".:;/+-" if sign != dialect.delimiter)
    text_form = (
        rf"(?:(?!{_any_of(filter(str.isascii, ALTERED_WORDS | TRUTH_VALUES))}[^A-Za-z])"
        rf"(?!{_any_of(filter(str.isascii, WEEKDAYS))}(?=[^A-Za-z])[^\t\n]*?(?:[./A-Za-z]|-[0-9]{{1,2}}-))"
        rf"[A-Za-z]{{1,{_FIRST_WORD}}}+[\w{between}]{{0,{MAX_CELL_LENGTH - _FIRST_WORD}}}+"
        rf"|(?!{_any_of(TRUTH_VALUES)}[\t\n])[A-Za-z]{{1,{MAX_CELL_LENGTH}}}+(?=[\t\n])"
        rf"|[A-Za-z][0-9._-]{{0,{MAX_CELL_LENGTH - 1}}}+(?=[\t\n])"
        r"|(?:0|[1-9][0-9]{0,10}+)(?=[\t\n]))?+"
    )
    forms = {
        Form.TEXT: text_form,
        Form.SEVERAL: text_form,
        Form.AMOUNT: rf"(?:-?[0-9]{{1,{EXACT_DIGITS - 4}}}+(?:\.[0-9]{{1,4}}+)?+)?+",
        Form.DAY: r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2})?+",
    }
    line = "\t".join(["M-[A-Z]++", *(forms[form] for form in _FORMS[1:])]) + "\n"
    # Not `*+`: up to Python 3.11.4 that ends inside the first line that does not fit.
    return re.compile(f"(?>(?:{line})*)".encode("ascii"))


_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


def state_digits(connection: Connection, currencies: Currencies) -> None:
    """State the decimals of each currency as a temporary table, which the query of the file reads."""
    run_file(connection, "report/currency_digits")
    connection.execute(
        text(read_sql("report/state_digits")),
        {"currencies": list(currencies.digits), "digits": list(currencies.digits.values())},
    )


def write_matched(connection: Connection, currencies: Currencies, path: Path, dialect: Dialect) -> None:
    """Write matched.csv; `connection` has the results of the matching."""
    state_digits(connection, currencies)
    with path.open("wb") as file:
        file.write(b"\xef\xbb\xbf" + dialect.delimiter.join(MATCHED).encode("ascii") + b"\r\n")
        for number, block in enumerate(_blocks(copied_lines(connection, read_sql("report/matched")))):
            if (
                number == 0 and len(block) < _BLOCK
            ):  # all of them; to compile the expression would take longer
                file.writelines(
                    written_with_care(line, currencies, dialect) for line in block.split(b"\n")[:-1]
                )
            else:
                file.writelines(written(block, currencies, dialect))


@contextmanager
def writing_matched(
    connection: Connection, currencies: Currencies, path: Path, dialect: Dialect
) -> Iterator[Callable[[], None]]:
    """Write matched.csv in a thread, while the block does what needs neither this file nor `connection`.

    Gives a function that waits until the file is whole; when the block ends, it is. Of a million matches Postgres works
    for seconds before the first row comes. A block that fails, or is interrupted, does not wait for that.
    """
    with ThreadPoolExecutor(1, "matched.csv") as worker:
        writing = worker.submit(write_matched, connection, currencies, path, dialect)
        try:
            yield writing.result
            writing.result()
        except BaseException:
            for number in count(1):
                if writing.done():
                    raise
                # Again: it may have been between two statements. A server that does not answer is left.
                (cancel if number <= _CANCELS else cut)(connection)
                wait([writing], _CANCEL_AGAIN_SECONDS)


def _blocks(parts: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The same bytes, in blocks of whole lines."""
    held: list[bytes | memoryview] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= _BLOCK:
            whole, end, rest = b"".join(held).rpartition(b"\n")
            yield whole + end
            held, size = [rest], len(rest)
    yield b"".join(held)


def written(block: bytes, currencies: Currencies, dialect: Dialect) -> Iterator[bytes]:
    """The lines of the file, one or many at once, for whole lines of COPY's text format, where NULL is nothing."""
    plain_at = plain_lines(dialect).match
    delimiter, decimal = dialect.delimiter.encode("ascii"), dialect.decimal.encode("ascii")
    start = 0
    while start < len(block):
        end = plain_at(block, start).end()  # type: ignore[union-attr]  # no line at all fits, too
        if end > start:
            plain = block[start:end]
            if decimal != b".":
                plain = _POINT.sub(rb"\1" + decimal, plain)
            yield plain.replace(b"\t", delimiter).replace(b"\n", b"\r\n")
        start = end
        if start < len(block):
            end = block.index(b"\n", start)
            yield written_with_care(block[start:end], currencies, dialect)
            start = end + 1


def written_with_care(line: bytes, currencies: Currencies, dialect: Dialect) -> bytes:
    """The line of the file for any line of COPY, cell by cell.

    Raises UsageError if an amount has more decimals than the settings give its currency.
    """
    values = (
        _ESCAPE.sub(lambda escape: _ESCAPED[escape[1]], value) for value in line.decode("utf-8").split("\t")
    )
    row = []
    for value, form in zip(values, _FORMS, strict=True):
        if form is Form.AMOUNT:
            amount, _, currency = value.partition("?")
            digits = currencies.format(Decimal(amount), currency) if currency else amount
            row.append(amount_cell(digits, dialect))
        else:
            row.append(value if form is Form.DAY else text_cell(value))
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=dialect.delimiter, lineterminator="\r\n").writerow(row)
    return file.getvalue().encode("utf-8")
