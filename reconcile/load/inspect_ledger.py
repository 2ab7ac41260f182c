"""`reconcile ledger inspect`: what a ledger is taken for, how it would be read, and a profile to paste.

Where the columns have other names than ours, it proposes which may be which; only a person's profile decides.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from reconcile.core.errors import InputRefused, UsageError
from reconcile.core.records import Entry, Rejection
from reconcile.ledger.amounts import currencies_of
from reconcile.ledger.archive import SourceFile
from reconcile.ledger.columns import ColumnScan, scan_columns
from reconcile.ledger.dates import ORDERS, formats, shape_of
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.formats.detect import candidates, open_table
from reconcile.ledger.formats.workbook import SheetTable
from reconcile.ledger.header import Header, check_header, find_header, first_rows, lacking, shown
from reconcile.ledger.open import files_in, open_query_ledger
from reconcile.ledger.profile import COLUMNS, IN, OUT, TOML, Profile
from reconcile.ledger.table import Table
from reconcile.normalise.entries import EntryNormaliser
from reconcile.settings import Settings

SHOWN = 5
"""Rows that are shown as they would be read, and at most as many that would not."""

UNKNOWN = "?"
"""In place of a currency that nothing tells."""

_WIDTH = 28
"""Characters of a cell that are shown."""

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


def describe(settings: Settings, path: Path | None, profile: Profile) -> Iterator[str]:
    """The lines to print, for each file in an archive; without a path for the profile's query.

    Raises UsageError or InputRefused as reading a ledger does, but not for columns that have other names.
    """
    if path is None:
        yield from _described(settings, open_query_ledger(profile), profile, {}, "")
        return
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name one file of it")
    for number, source in enumerate(files_in(path)):
        if number:
            yield ""
        yield from _file(settings, source, profile)


def _file(settings: Settings, source: SourceFile, profile: Profile) -> Iterator[str]:
    path, where = source.path, source.where
    proposed: dict[str, str] = {}
    doubt = ""
    try:
        table, header, _ = open_table(path, where, profile)
        fits = not lacking(header, profile)
    except InputRefused as error:
        fits, doubt = False, str(error).removeprefix(f"{where}: ")
    if not fits and not profile.columns:
        table, header, proposed = _propose(candidates(path, where), where)
        profile = replace(profile, columns=proposed)
        header = find_header(first_rows(table.records()), profile)
    elif not fits:
        table, header, _ = open_table(path, where, profile)
    if header.row == 0:
        raise InputRefused(f"{where}: is empty: there is no table to look at")
    if isinstance(table, SheetTable) and profile.sheet is None:
        headers = (find_header(first_rows(one.records()), profile) for one in candidates(path, where))
        if sum(len(lacking(one, profile)) <= len(lacking(header, profile)) for one in headers) > 1:
            profile = replace(profile, sheet=table.name)
    scan = scan_columns(table, header, profile)
    profile = replace(profile, currency=profile.currency or _one_currency(header, scan, profile) or UNKNOWN)
    ledger = LedgerFile(path, source.name, table, header, scan.style, scan, source)
    yield from _described(settings, ledger, profile, proposed, doubt)


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


def _propose(tables: list[Table], where: str) -> tuple[Table, Header, dict[str, str]]:
    """The table and the row whose cells look most like a header, and what each may be."""
    best: tuple[int, Table, dict[str, str]] | None = None
    likeliest: tuple[int, list[str]] = 0, []  # a row of words where none is known
    for table in tables:
        for row, cells in first_rows(table.records()):
            columns = _guess(cells)
            if len(columns) > (best[0] if best else 0):
                best = len(columns), table, columns
            words = [cell for cell in cells if cell and not any(map(str.isdigit, cell))]
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
        raise InputRefused(
            f"{where}: no row looks like a header with an id, an amount and a date in it{advice}"
        )
    _, table, columns = best
    return table, find_header(first_rows(table.records()), Profile("", columns=columns)), columns


def _guess(cells: tuple[str, ...]) -> dict[str, str]:
    by_key = {" ".join(cell.split()).casefold(): cell for cell in reversed(cells) if cell}
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


def _described(
    settings: Settings, ledger: LedgerFile, profile: Profile, proposed: Mapping[str, str], doubt: str
) -> Iterator[str]:
    header, scan = ledger.header, ledger.scan
    rows = f", {_rows_of(scan.rows)} below it" if scan else ""
    at = f"; header in row {header.row}{rows}" if header.row else ""
    yield f"{ledger.name}: {ledger.table.kind}{at}"
    yield ""
    if any(cell.lower() != name for name, cell in proposed.items()):
        yield "The columns have other names than ours. By their names they may be:"
    first = next(ledger.rows(), None)
    width = max(len(_cut(cell or "(no name)")) for cell in header.cells)
    for cell, name in zip(header.cells, header.names, strict=True):
        role = name if name in (*COLUMNS, IN, OUT) else "not read"
        example = "" if first is None else str(first.values.get(name, ""))
        yield f"  {_cut(cell or '(no name)'):<{width}}  {role:<15} {_cut(example)}".rstrip()
    missing = lacking(header, profile)
    if missing:
        yield ""
        yield f"Not found: {', '.join(missing)}. Name the headers in a profile."
    yield ""
    if scan:
        yield f"Dates: {_dates(scan, profile)}"
        yield f"Amounts: {_amounts(scan)}"
        yield from _ambiguous(scan, proposed, doubt)
    if not missing:
        named = scan is not None and bool(scan.currencies)
        check_header(str(ledger.path), header, profile, named_by_amounts=named)  # as an import does
        yield from _rows(settings, ledger, profile)
    yield from _profile(ledger, profile, scan)


def _dates(scan: ColumnScan, profile: Profile) -> str:
    column = scan.dates
    if profile.date_format is not None:
        return f"as the profile says, {profile.date_format}"
    found = [
        ORDERS[order] + (f": {column.proof[shape]} can be nothing else" if column.proof.get(shape) else "")
        for shape, order in column.style.orders.items()
        if order is not None
    ]
    if column.unclear:
        found.append("not clear, see below")
    return "; ".join(found) or "need no guess"


def _amounts(scan: ColumnScan) -> str:
    column = scan.amounts
    if column.style.from_profile:
        return "as the profile says"
    found = [
        f"decimal {'point' if mark == '.' else 'comma'} ({text!r} in row {row} can be nothing else)"
        for mark, (row, text) in column.proof.items()
    ]
    if column.unclear:
        found.append("not clear, see below")
    return "; ".join(found) or "need no guess"


def _ambiguous(scan: ColumnScan, proposed: Mapping[str, str], doubt: str) -> Iterator[str]:
    says = [doubt, *scan.unclear] if doubt else list(scan.unclear)
    if IN in proposed:
        says.append(
            f"{proposed[IN]!r} is taken for money that came in and {proposed[OUT]!r} for money that went out, as in "
            "the account of a bank or of KS Pay in your own books; in a bank's statement it is the other way round"
        )
    if says:
        yield ""
        yield "Ambiguous:"
        yield from (f"  {one}" for one in says)


def _rows(settings: Settings, ledger: LedgerFile, profile: Profile) -> Iterator[str]:
    read = kept = 0
    first: list[Entry] = []
    refused: list[Rejection] = []
    app_ids = settings.app_ids or ("",)
    for one in EntryNormaliser.of(ledger, profile, app_ids, settings.currencies).typed(ledger.rows()):
        read += 1
        if isinstance(one, Entry):
            kept += 1
            first += [one] if len(first) < SHOWN else []
        elif len(refused) < SHOWN:
            refused.append(one)
    yield ""
    yield f"{kept:,} of {_rows_of(read)} can be read." + (" The first:" if first else "")
    table = [("row", "ledger_id", "amount", "currency", "date", "reference", "status")]
    for entry in first:
        day = entry.dated_on or entry.dated_at
        amount, reference = f"{entry.amount:f}", entry.reference or ""
        cells = (entry.ledger_id, amount, entry.currency, str(day), reference, entry.status)
        table.append((str(entry.place.row), *cells))
    widths = [max(len(_cut(row[column])) for row in table) for column in range(len(table[0]))]
    for row in table if first else []:
        yield (
            "  "
            + "  ".join(f"{_cut(cell):<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    if refused:
        yield "Not readable, and so quarantined:"
        yield from (f"  row {one.place.row}: {one.reason}" for one in islice(refused, SHOWN))
        if read - kept > len(refused):
            yield f"  and {read - kept - len(refused):,} more"


def _profile(ledger: LedgerFile, profile: Profile, scan: ColumnScan | None) -> Iterator[str]:
    header = ledger.header
    name = profile.name if profile.name != "default" else "NAME"
    yield ""
    yield f"To paste into {TOML}, and use with --profile {name}:"
    yield ""
    yield f"[ledger.{name}]"
    columns = {
        standard: cell
        for cell, standard in zip(header.cells, header.names, strict=True)
        if standard in (*COLUMNS, IN, OUT) and cell.lower() != standard
    }
    if columns:
        yield f"columns = {{ {', '.join(f'{one} = {_quoted(cell)}' for one, cell in columns.items())} }}"
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
    if isinstance(ledger.table, SheetTable) and profile.sheet is not None:
        yield f"sheet = {_quoted(profile.sheet)}"
    if profile.query is not None:
        yield f"query = {_quoted(profile.query)}   # and url, url_file or url_env as before"


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


def _cut(text: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else "?" for letter in text).split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def _rows_of(number: int) -> str:
    return f"{number:,} row{'s' if number != 1 else ''}"
