"""`reconcile ledger inspect`: what a ledger is taken for, what an import makes of it, and a profile to paste."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from reconcile.context import Context
from reconcile.core.errors import InputRefused, UnfinishedFile, UsageError
from reconcile.core.progress import silent
from reconcile.core.wording import counted
from reconcile.db.engine import open_store
from reconcile.ledger.archive import SourceFile
from reconcile.ledger.columns import rows_of
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.header import LOOK, check_header, lacking
from reconcile.ledger.journal_file import is_journal
from reconcile.ledger.open import files_in, open_query_ledger, open_source
from reconcile.ledger.profile import COLUMNS, IN, OUT, SIDE, TOML, Profile
from reconcile.load.import_ledger import Previewed, preview_ledger
from reconcile.load.inspect_doubts import amounts_said, cut, dates_said, doubts_of
from reconcile.load.inspect_proposal import (
    UNKNOWN,
    Looked,
    looked_at,
    pasted_name,
    profile_lines,
    proposed_by,
    with_currency,
)
from reconcile.load.journal_check import check_journal
from reconcile.load.known_amounts import fees_shown, hundredfold
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import may_block
from reconcile.validate.validator import Validator

SHOWN = 5
"""Rows that are shown as they would be read, and at most as many that would not."""


def describe(settings: Settings, path: Path | None, profile: Profile) -> Iterator[str]:
    """The lines to print, for each file in an archive; without a path for the profile's query.

    Raises UsageError or InputRefused as reading a ledger does, but not for columns that have other names.
    """
    with ExitStack() as stack:
        inspection = _Inspection(settings, stack)
        if path is None:
            yield from inspection.described(Looked(open_query_ledger(profile), profile), profile)
            return
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name one file of it")
        for number, source in enumerate(files_in(path)):
            if number:
                yield ""
            yield from inspection.file(source, profile)


class _Inspection:
    """Says what an import makes of one file after another."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._context: Context | None = None

    def file(self, source: SourceFile, profile: Profile) -> Iterator[str]:
        """The lines of one file."""
        try:
            ledger = open_source(source, profile)
        except UnfinishedFile:
            raise
        except InputRefused as error:
            try:
                looked = looked_at(source, profile)
            except InputRefused as nothing:
                # Of a file in which there is nothing to propose: as an import says it, unless that sends people here.
                raise (nothing if LOOK in str(error) else error) from None
            reason = _reason(error, Path(source.where))
            yield from self.described(looked, profile, source, reason)
            return
        assert ledger.scan is not None
        shown = with_currency(ledger.header, ledger.scan, profile)
        yield from self.described(Looked(ledger, shown), profile, source)

    def described(
        self, looked: Looked, given: Profile, source: SourceFile | None = None, refusal: str = ""
    ) -> Iterator[str]:
        """The lines of one ledger; `refusal` is why an import with the profile that was given reads nothing of it."""
        ledger, profile = looked.ledger, looked.profile
        header, scan = ledger.header, ledger.scan
        yield from _columns(looked)
        missing = lacking(header, profile)
        if missing:
            yield ""
            yield f"Not found: {', '.join(missing)}. Name the headers in a profile."
        yield ""
        minor, fees = None, []
        if not missing:
            # As an import does, and before a database is asked for.
            named = scan is not None and bool(scan.currencies)
            check = replace(profile, currency=profile.currency or UNKNOWN) if scan else profile
            check_header(str(ledger.path), header, check, named_by_amounts=named)
            try:
                minor = hundredfold(self._importing().engine, self._settings, ledger, profile)
                fees = fees_shown(self._importing().engine, self._settings, ledger, profile)
            except UsageError as error:  # all else can be shown without a database
                cost = (
                    "what an import makes of it is not counted, and its amounts are not compared with those of KS Pay: "
                    f"{error}"
                )
                looked = replace(looked, doubt="; ".join(filter(None, (looked.doubt, cost))))
        yield from (f"Fees: {fee}" for fee in fees)
        if scan:
            yield f"Dates: {dates_said(scan, profile)}"
            yield f"Amounts: {amounts_said(scan)}"
            if says := doubts_of(looked, scan, minor):
                yield ""
                yield "Ambiguous:"
                yield from (f"  {line}" for line in says)
        lines = profile_lines(ledger, replace(profile, minor=profile.minor or minor is not None))
        if not missing and self._context is not None:
            yield ""
            yield from self._counts(looked, given, source, refusal, lines)
        yield ""
        yield f"To paste into {TOML}, and use with --profile {pasted_name(profile)}:"
        yield ""
        yield from lines

    def _importing(self) -> Context:
        """All that an import works with. Raises UsageError if the database cannot be used."""
        if self._context is None:
            settings = self._settings
            engine = self._stack.enter_context(open_store(settings))
            # What would block is shown, with the counts of an import that allows it.
            validator = Validator.of(settings, frozenset(may_block(settings)))
            self._context = Context(settings, engine, settings.app_ids or ("",), validator, silent)
        return self._context

    def _counts(
        self, looked: Looked, given: Profile, source: SourceFile | None, refusal: str, lines: Sequence[str]
    ) -> Iterator[str]:
        """What an import makes of the rows, by its own code: with the profile that was given or, where that one reads
        nothing, with the one that is proposed."""
        proposed = given
        if source is not None:
            proposed = proposed_by(lines, given.name, self._settings.currencies)
        if not refusal:
            try:
                if is_journal(looked.ledger.header):
                    check_journal(self._importing().engine, looked.ledger, given.name)
                    given = looked.ledger.profile
                found = preview_ledger(self._importing(), looked.ledger, given, SHOWN)
            except InputRefused as error:
                yield f"An import is refused: {_reason(error, looked.ledger.path)}."
                return
            yield from _told(looked.ledger, found)
            unclear = any(sheet.scan.unclear for sheet in looked.ledger.sheets if sheet.scan is not None)
            try:
                other = (
                    self._otherwise(source, given, proposed, unclear=unclear) if source is not None else None
                )
            except InputRefused as error:
                yield f"With the profile proposed below an import is refused: {_reason(error, looked.ledger.path)}."
                return
            if other is not None:
                ledger, also = other
                if _made(ledger, also) != _made(looked.ledger, found):
                    yield f"With the profile proposed below: {_made(ledger, also)}"
                    if also.rows.usable < found.rows.usable:
                        yield "That is less: take from the profile only what you know to be right."
            return
        assert source is not None
        try:
            ledger = open_source(source, proposed)
            found = preview_ledger(self._importing(), ledger, proposed, SHOWN)
        except InputRefused as error:
            yield f"An import is refused: {refusal}."
            yield f"With the profile proposed below it is refused too: {_reason(error, looked.ledger.path)}."
            return
        guessed = looked.profile.currency == UNKNOWN and proposed.currency is not None
        yield from _told(ledger, found, currency=UNKNOWN if guessed else None)
        yield f"These counts hold with the profile proposed below; without it an import is refused: {refusal}."

    def _otherwise(
        self, source: SourceFile, given: Profile, proposed: Profile, *, unclear: bool
    ) -> tuple[LedgerFile, Previewed] | None:
        """The same with the profile that is proposed; None where that one can change no count.

        Raises InputRefused where an import with it would be refused.
        """
        telling = ["side", "fill_down", "minor", "encoding"]
        if unclear:
            telling += ["date_format", "decimal"]
        if all(getattr(given, name) == getattr(proposed, name) for name in telling):
            return None
        ledger = open_source(source, proposed)
        return ledger, preview_ledger(self._importing(), ledger, proposed, SHOWN)


def _reason(error: InputRefused, path: Path) -> str:
    """Why a file is refused, without its name and without the advice to look at it so."""
    return str(error).removeprefix(str(path)).lstrip(":, ").replace(f"; {LOOK}", "").rstrip(".")


def _columns(looked: Looked) -> Iterator[str]:
    ledger = looked.ledger
    header, scan = ledger.header, ledger.scan
    rows = (
        f", {rows_of(sum(sheet.scan.rows for sheet in ledger.sheets if sheet.scan))} below it" if scan else ""
    )
    at = f"; header in row {header.row}{rows}" if header.row else ""
    kind = ledger.table.kind + (f" and {len(ledger.more)} more" if ledger.more else "")
    yield f"{ledger.name}: {kind}{at}"
    yield ""
    if any(cell.lower() != name for name, cell in looked.guessed.items()):
        yield "The columns have other names than ours. By their names they may be:"
    first = next(ledger.rows(), None)
    width = max(len(cut(cell or "(no name)")) for cell in header.cells)
    for cell, name in zip(header.cells, header.names, strict=True):
        role = name if name in (*COLUMNS, IN, OUT, SIDE) else "not read"
        example = "" if first is None else str(first.values.get(name, ""))
        yield f"  {cut(cell or '(no name)'):<{width}}  {role:<15} {cut(example)}".rstrip()


def _told(ledger: LedgerFile, found: Previewed, *, currency: str | None = None) -> Iterator[str]:
    """The first rows of each kind, and the counts; `currency` is shown in place of one that is only guessed."""
    rows = found.rows
    yield f"{rows.usable + rows.repeats:,} of {rows_of(rows.read)} can be read." + (
        " The first:" if rows.entries else ""
    )
    table = [("row", "ledger_id", "amount", "currency", "date", "reference", "status")]
    for entry in rows.entries:
        day = entry.dated_on or entry.dated_at
        cells = (
            entry.ledger_id,
            f"{entry.amount:f}",
            currency or entry.currency,
            str(day),
            entry.reference or "",
            entry.status,
        )
        table.append((_place(ledger, entry.file, entry.row_number), *cells))
    widths = [max(len(cut(row[column])) for row in table) for column in range(len(table[0]))]
    for row in table if rows.entries else []:
        yield (
            "  "
            + "  ".join(f"{cut(cell):<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    if rows.refused:
        yield "Not readable, and so quarantined:"
        for rejection in rows.rejections:
            yield f"  row {_place(ledger, rejection.file, rejection.row_number)}: {rejection.reason}"
        if rows.refused > len(rows.rejections):
            yield f"  and {rows.refused - len(rows.rejections):,} more"
    for name, says in found.blocked:
        yield f"An import is refused: {says}: correct it, or use it with --allow {name}."
    allowing = " ".join(f"--allow {name}" for name, _ in found.blocked)
    makes = f"With {allowing} an import makes of it" if allowing else "An import makes of it"
    yield f"{makes}: {_made(ledger, found)}"
    passed = ledger.passed_rows
    if passed:
        yield "Passed over, since it is no record:"
        yield from (f"  row {number}: {kind.value}" for number, kind in passed[:SHOWN])
        if len(passed) > SHOWN:
            yield f"  and {len(passed) - SHOWN:,} more"


def _place(ledger: LedgerFile, file: str, row: int) -> str:
    """Where a row stands, with its sheet where several are read."""
    return f"{row} ({file.rpartition(' [')[2].removesuffix(']')})" if ledger.more else str(row)


def _made(ledger: LedgerFile, found: Previewed) -> str:
    rows = found.rows
    return (
        f"{counted(rows.usable, 'entry', 'entries')}, {rows.repeats:,} repeated, "
        f"{rows.quarantined:,} in quarantine, {ledger.passed_over:,} passed over."
    )
