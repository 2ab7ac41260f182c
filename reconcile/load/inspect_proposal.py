"""The profile that `reconcile ledger inspect` proposes: which column may be which, and the keys that a file needs.

Only a person's profile decides.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.core.people import is_printable
from reconcile.ledger.archive import SourceFile
from reconcile.ledger.beside import side_line
from reconcile.ledger.columns import ColumnScan, agreed, scan_columns
from reconcile.ledger.currency_names import currencies_of
from reconcile.ledger.dates import formats, shape_of
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.formats.detect import candidates, open_tables
from reconcile.ledger.formats.workbook import SheetTable
from reconcile.ledger.header import Header, find_header, first_rows, lacking, shown
from reconcile.ledger.open import sheets_as_one
from reconcile.ledger.profile import COLUMNS, EVERY_SHEET, IN, OUT, TOML, Profile, read_profile
from reconcile.ledger.table import Table, tidy

UNKNOWN = "?"
"""In place of a currency that nothing tells."""

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
"""A key of TOML that needs no quotes."""

FIRST = 200
"""Rows that are looked at for what is odd."""

_KNOWN_HEADERS: Mapping[str, tuple[str, ...]] = {
    "ledger_id": (
        "voucher no.", "voucher no", "vch no.", "vch no", "voucher number", "payment number", "receipt no",
        "receipt no.", "receipt number", "transaction no", "txn no", "num", "no.", "entry no", "entry no.",
        "document no", "doc no", "payment_id", "payment id", "id", "invoice number", "invoice no", "invoice no.",
        "invoice#",
    ),
    "amount": (
        "amount (inr)", "amount (₹)", "amount received", "amount paid", "paid amount", "gross amount", "total amount",
        "total_amount", "amount_paid", "grand total", "total", "betrag", "value",
    ),
    "date": (
        "voucher date", "payment date", "receipt date", "transaction date", "txn date", "posting date", "paid on",
        "paid at", "paid_at", "created at", "created_at", "invoice date", "order date", "datum",
    ),
    "reference": (
        "order ref", "order ref.", "reference number", "reference no", "reference no.", "reference#", "ref no.",
        "ref no", "ref", "order id", "order_id", "order no", "order no.", "order number", "order_number", "bill ref",
    ),
    "currency": ("currency code", "currency_code", "curr", "währung"),
    "status": ("state", "payment status", "payment_status", "financial status"),
    "transaction_id": ("kspay id", "kspay_id", "kspay transaction", "gateway transaction id"),
    "description": ("narration", "memo", "memo/description", "particulars", "notes", "verwendungszweck"),
    IN: ("debit", "debit amount", "deposit", "deposits", "money in"),
    OUT: ("credit", "credit amount", "withdrawal", "withdrawals", "money out"),
}  # fmt: skip
"""By standard name, headers that accountants' programs use for it, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A file as it may be read, whether or not an import would read it so."""

    ledger: LedgerFile
    profile: Profile
    """By which it is read."""
    guessed: Mapping[str, str] = field(default_factory=dict)
    """By standard name, the headers that are taken for it by their names."""
    doubt: str = ""
    """Why the file cannot be read without."""


def looked_at(source: SourceFile, profile: Profile) -> Looked:
    """Read a file that an import refuses, by what its columns may be.

    Raises InputRefused if nothing in it looks like a ledger."""
    path, where = source.path, source.where
    guessed: dict[str, str] = {}
    doubt = ""
    try:
        _, header, _ = open_tables(path, where, profile)[0]
        fits = not lacking(header, profile)
    except InputRefused as error:
        fits, doubt = False, str(error).removeprefix(f"{where}: ")
    if not fits and not profile.columns:
        found = candidates(path, where, profile.encoding)
        if guess := encoding_of(found):
            doubt = (
                f"{doubt}; read as {guess}"
                if doubt
                else f"read as {guess}, since it is neither UTF-8 nor Windows-1252"
            )
            profile = replace(profile, encoding=guess)
            found = candidates(path, where, guess)
        guessed, id_columns = _guessed(found, where, guess)
        profile = replace(profile, columns=guessed, id_columns=id_columns)
    if not profile.sheets and _several_sheets(candidates(path, where, profile.encoding), profile):
        profile = replace(profile, sheets=(EVERY_SHEET,))
    tables = open_tables(path, where, profile)
    if tables[0][1].row == 0:
        raise InputRefused(f"{where}: is empty: there is no table to look at")
    scans = agreed([scan_columns(table, header, profile) for table, header, _ in tables], profile)
    profile = with_currency(tables[0][1], scans[0], profile)
    sheets = [
        LedgerFile(
            path, f"{source.name} [{sheet}]" if sheet else source.name, table, header, scan.style, scan, source, profile
        )
        for (table, header, sheet), scan in zip(tables, scans, strict=True)
    ]  # fmt: skip
    return Looked(sheets_as_one(sheets), profile, guessed, doubt)


def with_currency(header: Header, scan: ColumnScan, profile: Profile) -> Profile:
    """The profile with the currency that the file tells, as far as it does."""
    return replace(profile, currency=profile.currency or _one_currency(header, scan, profile) or UNKNOWN)


def _several_sheets(tables: Sequence[Table], profile: Profile) -> bool:
    """Whether several sheets of a workbook have the header."""
    sheets = [table for table in tables if isinstance(table, SheetTable)]
    headers = (find_header(first_rows(table.records()), profile) for table in sheets)
    return sum(not lacking(header, profile) for header in headers) > 1


def encoding_of(tables: Sequence[Table]) -> str | None:
    """The encoding that the file may rather be in."""
    for table in tables:
        if isinstance(table, DelimitedTable) and table.text.proposed is not None:
            return table.text.proposed[0]
    return None


def _one_currency(header: Header, scan: ColumnScan, profile: Profile) -> str | None:
    """The currency that all amounts are in, by their own signs or by the header of their column."""
    if "currency" in header.names:
        return None
    named = set(scan.currencies)
    for cell, name in zip(header.cells, header.names, strict=True):
        if name in ("amount", IN, OUT):
            signs = (
                currencies_of(word, profile.currencies.digits) for word in re.split(r"[\s()\[\]]+", cell)
            )
            named |= {code for codes in signs if len(codes) == 1 for code in codes}
    return named.pop() if len(named) == 1 else None


def _guessed(
    tables: Sequence[Table], where: str, encoding: str | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What each cell of the row that looks most like a header may be, and the columns that together may be an id where
    none is one. `encoding` is the one that was guessed, if any."""
    best: tuple[int, dict[str, str]] | None = None
    likeliest: tuple[int, list[str]] = 0, []  # a row of words where none is known
    for table in tables:
        for row, cells in first_rows(table.records()):
            columns = _guess(cells)
            needed = len(columns.keys() & {"ledger_id", "date", "amount", IN})
            if best is None or needed > best[0]:
                best = needed, columns
            words = [cell for cell in cells if _is_word(cell)]
            if len(words) > len(likeliest[1]):
                likeliest = row, words
    if best is None or best[0] < 2:
        row, words = likeliest
        advice = (
            f"; if row {row} is it ({', '.join(map(shown, words[:20]))}), say in a profile of {TOML} which is which: "
            'columns = { ledger_id = "…", amount = "…", date = "…" }'
            if len(words) > 1
            else ""
        )
        read_as = (
            f"; the profile needs encoding = {_quoted(encoding)} too, by which this is read"
            if encoding
            else ""
        )
        raise InputRefused(
            f"{where}: no row looks like a header with an id, an amount and a date in it{advice}{read_as}"
        )
    _, columns = best
    ids: tuple[str, ...] = ()
    if "ledger_id" not in columns and "date" in columns and ("amount" in columns or IN in columns):
        parts = ("date", "description", "reference", "amount", IN, OUT)
        ids = tuple(columns[name] for name in parts if name in columns)
    return columns, ids


def _is_word(cell: str) -> bool:
    """Whether a cell may be the name of a column: text without digits, on whatever lines."""
    return bool(cell) and not any(map(str.isdigit, cell)) and is_printable(" ".join(cell.split()))


def _guess(cells: tuple[str, ...]) -> dict[str, str]:
    by_key = {" ".join(tidy(cell).split()).casefold(): cell for cell in reversed(cells) if cell}
    found: dict[str, str] = {}
    for name in (*COLUMNS, IN, OUT):
        for known in (name, *_KNOWN_HEADERS.get(name, ())):
            if known in by_key and by_key[known] not in found.values():
                found[name] = by_key[known]
                break
    if "amount" in found or not (IN in found and OUT in found):
        found.pop(IN, None)
        found.pop(OUT, None)
    return found


def pasted_name(profile: Profile) -> str:
    """What the proposed table is called."""
    return profile.name if profile.name != "default" else "NAME"


def profile_lines(ledger: LedgerFile, profile: Profile) -> list[str]:
    """The proposal as a table of reconcile.toml."""
    return list(_profile(ledger, profile, ledger.scan))


def proposed_by(lines: Sequence[str], name: str, currencies: Currencies) -> Profile:
    """The profile that these lines are, once they are pasted. Its source is `name`."""
    ((_, table),) = tomllib.loads("\n".join(lines))["ledger"].items()
    return read_profile(name, table, currencies)


def _profile(ledger: LedgerFile, profile: Profile, scan: ColumnScan | None) -> Iterator[str]:
    header = ledger.header
    name = pasted_name(profile)
    yield f"[ledger.{name if _BARE.fullmatch(name) else _quoted(name)}]"
    columns = {
        standard: _quoted(profile.columns.get(standard, cell))
        for cell, standard in zip(header.cells, header.names, strict=True)
        if standard in (*COLUMNS, IN, OUT) and cell.lower() != standard
    }
    if profile.id_columns:
        columns = {"ledger_id": f"[{', '.join(map(_quoted, profile.id_columns))}]", **columns}
    if columns:
        yield f"columns = {{ {', '.join(f'{column} = {written}' for column, written in columns.items())} }}"
    if "currency" not in header.names:
        if profile.currency not in (None, UNKNOWN):
            yield f"currency = {_quoted(profile.currency)}"
        else:
            yield 'currency = "INR"   # there is no column of it: write which it is'
    yield from _date_line(profile, scan)
    proof = list(scan.amounts.proof) if scan else []
    if profile.decimal or len(proof) == 1:
        yield f"decimal = {_quoted(profile.decimal or proof[0])}"
    elif scan and scan.amounts.unclear:
        yield 'decimal = "."   # or ","'
    if profile.thousands is not None:
        yield f"thousands = {_quoted(profile.thousands)}"
    if isinstance(ledger.table, SheetTable) and profile.sheets:
        names = [_quoted(name) for name in profile.sheets]
        of_them = ", ".join(
            _quoted(sheet.table.name) for sheet in ledger.sheets if isinstance(sheet.table, SheetTable)
        )
        which = f"   # all that have the header: {of_them}" if profile.sheets == (EVERY_SHEET,) else ""
        yield f"sheet = {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}{which}"
    if scan is not None:
        yield from _further_keys(ledger, profile, scan)
    if profile.query is not None:
        # Of a file it is only a reminder: without the address of its database, no profile could be read.
        line = f"query = {_quoted(profile.query)}   # and url, url_file or url_env as before"
        yield line if ledger.streamed is not None else f"# {line}"


def _further_keys(ledger: LedgerFile, profile: Profile, scan: ColumnScan) -> Iterator[str]:
    """The keys that the file shows the need of, and those that the profile has."""
    if (encoding := profile.encoding or encoding_of([ledger.table])) is not None:
        yield f"encoding = {_quoted(encoding)}"
    if profile.side is not None:
        where = f"column = {_quoted(profile.side.column)}, " if profile.side.column else ""
        words = (
            sorted(word.capitalize() for word in found) for found in (profile.side.into, profile.side.out)
        )
        money_in, money_out = (f"[{', '.join(map(_quoted, of_side))}]" for of_side in words)
        yield f"side = {{ {where}in = {money_in}, out = {money_out} }}"
    elif scan.sides:
        doubts = scan.style.amounts.doubts
        line = side_line(doubts, scan.sides)
        if doubts.words and doubts.words == doubts.refunds:
            yield line
        else:
            yield f"{line}   # as a bank's statement says it; in your own books it is the other way round"
    if profile.fill_down:
        yield f"fill_down = [{', '.join(map(_quoted, profile.fill_down))}]"
    elif scan.blank_days:
        yield 'fill_down = ["date"]'
    if profile.minor:
        yield 'amounts = "minor"'
    pattern = profile.reference_pattern.pattern if profile.reference_pattern else _reference_pattern(ledger)
    if pattern is not None and "'" not in pattern:
        yield f"reference_pattern = '{pattern}'"


_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])[A-Za-z]{2,12}(?:[-_/#.]?[0-9]++){1,4}(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
)
"""A reference in a text. None is a part of a longer one: `WEB-ORD-1001` and `ORD-1001-A` are other references."""
_MOST = 0.6
"""Part of the rows that must hold a reference of one form before it is proposed."""


def _reference_pattern(ledger: LedgerFile) -> str | None:
    """A pattern for the references that most narrations hold, where no column is the reference alone."""
    name = "reference" if "reference" in ledger.columns else "description"
    if name not in ledger.columns:
        return None
    texts = [
        tidy(value)
        for row in islice(ledger.rows(), FIRST)
        if isinstance(value := row.values.get(name), str) and tidy(value)
    ]
    forms: Counter[str] = Counter()
    lengths: dict[str, set[tuple[int, ...]]] = {}
    whole = sum(_TOKEN.fullmatch(text) is not None for text in texts)
    for text in texts:
        forms.update(dict.fromkeys(map(_form, _TOKEN.findall(text)), 1))
        for token in _TOKEN.findall(text):
            lengths.setdefault(_form(token), set()).add(tuple(map(len, re.findall(r"[0-9]+", token))))
    if not texts or (name == "reference" and 2 * whole >= len(texts)):
        return None
    # Of equally many the first without a slash, which is no part of a bank's `UPI/412345678901`.
    form, rows = max(forms.items(), key=lambda found: (found[1], "/" not in found[0]), default=("", 0))
    if rows < 2 or rows < _MOST * len(texts):
        return None
    parts = form.split("0")
    sizes = [{found[place] for found in lengths[form]} for place in range(len(parts) - 1)]
    pattern = re.escape(parts[0]).replace(r"\-", "-").replace("/", "/")
    for place, size in enumerate(sizes):
        last = place == len(sizes) - 1
        digits = rf"\d{{{size.copy().pop()}}}" if len(size) == 1 and not last else r"\d+"
        pattern += digits + re.escape(parts[place + 1]).replace(r"\-", "-")
    return pattern


def _form(token: str) -> str:
    return re.sub(r"[0-9]+", "0", token)


def _date_line(profile: Profile, scan: ColumnScan | None) -> Iterator[str]:
    if profile.date_format is not None:
        yield f"date_format = {_quoted(profile.date_format)}"
    elif scan and scan.dates.unclear:
        text = next(iter(scan.dates.unclear))
        first, *others = formats(text)
        yield f"date_format = {_quoted(first)}   # or {', '.join(map(_quoted, others))}"
    elif scan and len(scan.dates.proof) == 1:
        ((shape, text),) = scan.dates.proof.items()
        order = scan.dates.style.orders[shape]
        if text and order:
            year = "%Y" if shape_of(text).endswith("4") else "%y"
            parts = {"d": "%d", "m": "%m", "y": year}
            yield f"date_format = {_quoted(shape[0].join(parts[letter] for letter in order))}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
