"""`reconcile ledger inspect`: what a ledger is taken for, how it would be read, and a profile to paste.

Where the columns have other names than ours, it proposes which may be which; only a person's profile decides.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from reconcile.core.errors import InputRefused, UsageError
from reconcile.core.records import Entry
from reconcile.ledger.archive import SourceFile
from reconcile.ledger.beside import side_line
from reconcile.ledger.columns import ColumnScan, rows_of, scan_columns
from reconcile.ledger.currency_names import currencies_of
from reconcile.ledger.dates import ORDERS, formats, shape_of
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.formats.detect import candidates, open_tables
from reconcile.ledger.formats.workbook import SheetTable
from reconcile.ledger.header import Header, check_header, find_header, first_rows, lacking, shown
from reconcile.ledger.open import files_in, open_query_ledger, sheets_as_one
from reconcile.ledger.profile import COLUMNS, IN, OUT, SIDE, TOML, Profile
from reconcile.ledger.table import BrokenRecord, Cell, Table, tidy, twice_decoded
from reconcile.load.known_amounts import Hundredfold, hundredfold
from reconcile.load.same_ids import SameIds
from reconcile.load.staging_tables import as_it_came
from reconcile.normalise.entries import EntryNormaliser
from reconcile.settings import Settings
from reconcile.validate.refusals import refusal
from reconcile.validate.validator import BATCH, Validator

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
        tables = open_tables(path, where, profile)
        table, header, _ = tables[0]
        fits = not lacking(header, profile)
    except InputRefused as error:
        fits, doubt = False, str(error).removeprefix(f"{where}: ")
    if not fits and not profile.columns:
        found = candidates(path, where, profile.encoding)
        if guess := _encoding(found):
            doubt = (
                f"{doubt}; read as {guess}"
                if doubt
                else f"read as {guess}, since it is neither UTF-8 nor Windows-1252"
            )
            profile = replace(profile, encoding=guess)
            found = candidates(path, where, guess)
        table, header, proposed, id_columns = _propose(found, where, guess)
        profile = replace(profile, columns=proposed, id_columns=id_columns)
        header = find_header(first_rows(table.records()), profile)
        tables = [(table, header, "")]
    elif not fits:
        tables = open_tables(path, where, profile)
        table, header, _ = tables[0]
    if header.row == 0:
        raise InputRefused(f"{where}: is empty: there is no table to look at")
    if isinstance(table, SheetTable) and not profile.sheets:
        headers = (
            find_header(first_rows(one.records()), profile)
            for one in candidates(path, where, profile.encoding)
        )
        if sum(len(lacking(one, profile)) <= len(lacking(header, profile)) for one in headers) > 1:
            profile = replace(profile, sheets=(table.name,))
    scans = [scan_columns(one, its_header, profile) for one, its_header, _ in tables]
    currency = profile.currency or _one_currency(header, scans[0], profile) or UNKNOWN
    profile = replace(profile, currency=currency)
    ledger = sheets_as_one(
        [
            LedgerFile(
                path,
                f"{source.name} [{sheet}]" if len(tables) > 1 else source.name,
                one,
                its_header,
                scan.style,
                scan,
                source,
                profile,
            )
            for (one, its_header, sheet), scan in zip(tables, scans, strict=True)
        ]
    )
    yield from _described(settings, ledger, profile, proposed, doubt)


def _encoding(tables: Sequence[Table]) -> str | None:
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


def _propose(
    tables: list[Table], where: str, encoding: str | None
) -> tuple[Table, Header, dict[str, str], tuple[str, ...]]:
    """The table and the row whose cells look most like a header, what each may be, and the columns that together may
    be an id where none is one. `encoding` is the one that was guessed, if any."""
    best: tuple[int, Table, dict[str, str]] | None = None
    likeliest: tuple[int, list[str]] = 0, []  # a row of words where none is known
    for table in tables:
        for row, cells in first_rows(table.records()):
            columns = _guess(cells)
            needed = len(columns.keys() & {"ledger_id", "date", "amount", IN})
            if best is None or needed > best[0]:
                best = needed, table, columns
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
        read_as = (
            f"; the profile needs encoding = {_quoted(encoding)} too, by which this is read"
            if encoding
            else ""
        )
        raise InputRefused(
            f"{where}: no row looks like a header with an id, an amount and a date in it{advice}{read_as}"
        )
    _, table, columns = best
    ids: tuple[str, ...] = ()
    if "ledger_id" not in columns and "date" in columns and ("amount" in columns or IN in columns):
        parts = ("date", "description", "reference", "amount", IN, OUT)
        ids = tuple(columns[name] for name in parts if name in columns)
    profile = Profile("", columns=columns, id_columns=ids)
    return table, find_header(first_rows(table.records()), profile), columns, ids


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


def _described(
    settings: Settings, ledger: LedgerFile, profile: Profile, proposed: Mapping[str, str], doubt: str
) -> Iterator[str]:
    header, scan = ledger.header, ledger.scan
    rows = f", {rows_of(scan.rows)} below it" if scan else ""
    at = f"; header in row {header.row}{rows}" if header.row else ""
    yield f"{ledger.name}: {ledger.table.kind}{at}"
    yield ""
    if any(cell.lower() != name for name, cell in proposed.items()):
        yield "The columns have other names than ours. By their names they may be:"
    first = next(ledger.rows(), None)
    width = max(len(_cut(cell or "(no name)")) for cell in header.cells)
    for cell, name in zip(header.cells, header.names, strict=True):
        role = name if name in (*COLUMNS, IN, OUT, SIDE) else "not read"
        example = "" if first is None else str(first.values.get(name, ""))
        yield f"  {_cut(cell or '(no name)'):<{width}}  {role:<15} {_cut(example)}".rstrip()
    missing = lacking(header, profile)
    if missing:
        yield ""
        yield f"Not found: {', '.join(missing)}. Name the headers in a profile."
    yield ""
    minor = None
    try:
        minor = hundredfold(settings, ledger, profile) if not missing else None
    except UsageError as error:  # all else can be told without a database
        doubt = "; ".join(
            filter(None, (doubt, f"the amounts are not compared with those of KS Pay: {error}"))
        )
    if scan:
        yield f"Dates: {_dates(scan, profile)}"
        yield f"Amounts: {_amounts(scan)}"
        yield from _ambiguous(ledger, scan, proposed, doubt, minor)
    if not missing:
        named = scan is not None and bool(scan.currencies)
        check_header(str(ledger.path), header, profile, named_by_amounts=named)  # as an import does
        yield from _rows(settings, ledger, profile)
    yield from _profile(ledger, replace(profile, minor=profile.minor or minor is not None), scan)


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


def _ambiguous(
    ledger: LedgerFile,
    scan: ColumnScan,
    proposed: Mapping[str, str],
    doubt: str,
    minor: Hundredfold | None,
) -> Iterator[str]:
    says = [doubt, *scan.unclear] if doubt else list(scan.unclear)
    says += [*ledger.notes(), *_oddities(ledger, named_minor=minor is None)]
    if minor is not None:
        says.append(
            f"the amounts are those of KS Pay in the minor unit (paise, cents): {minor.reference} has {minor.amount:f} "
            f'here and {minor.partner:f} there; give the profile amounts = "minor"'
        )
    if IN in proposed:
        says.append(
            f"{proposed[IN]!r} is taken for money that came in and {proposed[OUT]!r} for money that went out, as in "
            "the account of a bank or of KS Pay in your own books; in a bank's statement it is the other way round"
        )
    if says:
        yield ""
        yield "Ambiguous:"
        yield from (f"  {one}" for one in says)


def _oddities(ledger: LedgerFile, *, named_minor: bool) -> Iterator[str]:
    """What a person would ask about, seen in the header and in the first rows."""
    header = ledger.header
    if header.row:
        below = next((cells for number, cells in ledger.table.records() if number > header.row), ())
        if not isinstance(below, BrokenRecord) and _continues_header(header, below):
            yield (
                f"the header seems to stand in two rows, {header.row} and {header.row + 1}: write it in one row, or "
                "the second of them is taken for an entry"
            )
    for cell, name in zip(header.cells, header.names, strict=True):
        if name in ("amount", IN, OUT) and _MINOR.search(cell) and named_minor and not ledger.profile.minor:
            yield (
                f"{cell!r} may be in the minor unit (paise, cents), 100 times the amounts of KS Pay: then give the "
                'profile amounts = "minor"'
            )
    for row in islice(ledger.rows(), _FIRST):
        for value in row.values.values():
            if isinstance(value, str) and (once := twice_decoded(value)) is not None:
                yield (
                    f"row {row.place.row} holds text that was decoded twice ({_cut(value)!r} was {_cut(once)!r}): "
                    "export the file again as UTF-8"
                )
                return


_MINOR = re.compile(r"paise|paisa|minor|\bcents?\b|\bpence\b|\bfils\b|_cents$", re.IGNORECASE)
_FIRST = 200
"""Rows that are looked at for what is odd."""


def _continues_header(header: Header, cells: Sequence[Cell]) -> bool:
    """Whether the row below a header gives names to columns that have none, and holds no value."""
    texts = [tidy(cell) if isinstance(cell, str) else "?" for cell in cells]
    filled = [text for text in texts if text]
    nameless = [place for place, cell in enumerate(header.cells) if not cell]
    return (
        bool(filled)
        and all(re.search(r"[^\W\d_]", text) and not any(map(str.isdigit, text)) for text in filled)
        and any(place < len(texts) and texts[place] for place in nameless)
    )


def _rows(
    settings: Settings, ledger: LedgerFile, profile: Profile, validator: Validator | None = None
) -> Iterator[str]:
    """What an import would make of the rows, by the code of an import."""
    app_ids = settings.app_ids or ("",)
    known = profile.currency != UNKNOWN or "currency" in ledger.columns
    validator = validator or Validator.of(settings)
    same = SameIds()
    first: list[Entry] = []
    for sheet in ledger.sheets:
        normaliser = EntryNormaliser.of(sheet, profile, app_ids, settings.currencies)
        rows = sheet.rows()
        while batch := list(islice(rows, BATCH)):
            found = normaliser(batch)
            usable, refused = list(found.records), list(found.rejections)
            if known:  # else no expectation can be asked about the amounts
                broken = validator.entries(usable) if usable else {}
                refused += [
                    refusal(usable[at], broken[at], settings.currencies, as_it_came(found.raw[at]))
                    for at in sorted(broken)
                ]
                usable = [entry for at, entry in enumerate(usable) if at not in broken]
            same.add(usable, refused)
            first += usable[: SHOWN - len(first)]
    counts = same.counts()
    yield ""
    yield f"{counts.entries + counts.repeats:,} of {rows_of(counts.read)} can be read." + (
        " The first:" if first else ""
    )
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
    if counts.refused:
        yield "Not readable, and so quarantined:"
        yield from (f"  row {row}: {reason}" for row, reason in counts.refused[:SHOWN])
        if len(counts.refused) > SHOWN:
            yield f"  and {len(counts.refused) - SHOWN:,} more"
    yield (
        f"An import makes of it: {counts.entries:,} entries, {counts.repeats:,} repeated, "
        f"{counts.quarantined:,} in quarantine, {ledger.passed_over:,} passed over."
    )
    passed = ledger.passed_rows
    if passed:
        yield "Passed over, since it is no record:"
        yield from (f"  row {number}: {kind.value}" for number, kind in passed[:SHOWN])
        if len(passed) > SHOWN:
            yield f"  and {len(passed) - SHOWN:,} more"


def _profile(ledger: LedgerFile, profile: Profile, scan: ColumnScan | None) -> Iterator[str]:
    header = ledger.header
    name = profile.name if profile.name != "default" else "NAME"
    yield ""
    yield f"To paste into {TOML}, and use with --profile {name}:"
    yield ""
    yield f"[ledger.{name}]"
    columns = {
        standard: _quoted(profile.columns.get(standard, cell))
        for cell, standard in zip(header.cells, header.names, strict=True)
        if standard in (*COLUMNS, IN, OUT) and cell.lower() != standard
    }
    if profile.id_columns:
        columns = {"ledger_id": f"[{', '.join(map(_quoted, profile.id_columns))}]", **columns}
    if columns:
        yield f"columns = {{ {', '.join(f'{one} = {written}' for one, written in columns.items())} }}"
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
        yield f"sheet = {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}"
    if scan is not None:
        yield from _further_keys(ledger, profile, scan)
    if profile.query is not None:
        yield f"query = {_quoted(profile.query)}   # and url, url_file or url_env as before"


def _further_keys(ledger: LedgerFile, profile: Profile, scan: ColumnScan) -> Iterator[str]:
    """The keys that the file shows the need of, and those that the profile has."""
    if (encoding := profile.encoding or _encoding([ledger.table])) is not None:
        yield f"encoding = {_quoted(encoding)}"
    if profile.side is not None:
        where = f"column = {_quoted(profile.side.column)}, " if profile.side.column else ""
        words = (
            sorted(word.capitalize() for word in found) for found in (profile.side.into, profile.side.out)
        )
        money_in, money_out = (f"[{', '.join(map(_quoted, one))}]" for one in words)
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


_TOKEN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2,12}(?:[-_/#.]?[0-9]+){1,4}(?![A-Za-z0-9])")
_MOST = 0.6
"""Part of the rows that must hold a reference of one form before it is proposed."""


def _reference_pattern(ledger: LedgerFile) -> str | None:
    """A pattern for the references that most narrations hold, where no column is the reference alone."""
    name = "reference" if "reference" in ledger.columns else "description"
    if name not in ledger.columns:
        return None
    texts = [
        tidy(value)
        for row in islice(ledger.rows(), _FIRST)
        if isinstance(value := row.values.get(name), str) and tidy(value)
    ]
    forms: Counter[str] = Counter()
    lengths: dict[str, set[tuple[int, ...]]] = {}
    whole = 0
    for text in texts:
        for form in {_form(token) for token in _TOKEN.findall(text)}:
            forms[form] += 1
        for token in _TOKEN.findall(text):
            lengths.setdefault(_form(token), set()).add(tuple(map(len, re.findall(r"[0-9]+", token))))
            whole += token == text
    if not texts or (name == "reference" and 2 * whole >= len(texts)):
        return None
    form, rows = forms.most_common(1)[0] if forms else ("", 0)
    if rows < 2 or rows < _MOST * len(texts):
        return None
    parts = form.split("0")
    sizes = [{one[place] for one in lengths[form]} for place in range(len(parts) - 1)]
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


def _cut(text: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else "?" for letter in text).split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
