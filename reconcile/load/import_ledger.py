"""A ledger: read, normalised, validated, and imported as a whole or not at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconcile.context import Context
from reconcile.core.errors import InputRefused, UnfinishedFile, UsageError
from reconcile.core.progress import Progress
from reconcile.core.records import Entry, RawRow, Side
from reconcile.core.wording import counted
from reconcile.ledger.blocks import Block
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.journal_file import is_journal
from reconcile.ledger.open import open_ledgers
from reconcile.load.journal_check import check_journal
from reconcile.load.staging import Staging
from reconcile.load.staging_tables import Preview, StagingTables, staging_tables
from reconcile.normalise.entries import EntryNormaliser
from reconcile.normalise.entries_bulk import EntriesInBulk
from reconcile.settings import Profile, Settings
from reconcile.validate.dataset_rules import validate_batch
from reconcile.validate.rules import Batch
from reconcile.validate.validator import BATCH

_NAMED = 5
"""Entries that a warning names."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What one import of a ledger gave, in rows: records = entries + repeats + quarantined."""

    import_id: int
    source: str
    file: str
    sha256: str
    records: int
    entries: int
    repeats: int
    quarantined: int
    added: int
    changed: int
    withdrawn: int  # entries that a snapshot lacked
    passed_over: int = 0  # rows that are no records: lines of totals, the header again, further lines
    warnings: tuple[str, ...] = ()  # what a person should look at, although the file was imported

    def in_numbers(self) -> str:
        """`ledger.csv: 1,592 rows, 3 new, 0 changed, 0 quarantined`."""
        withdrawn = f", {self.withdrawn:,} withdrawn" if self.withdrawn else ""
        return (
            f"{self.file}: {counted(self.records, 'row')}, {self.added:,} new, {self.changed:,} changed, "
            f"{self.quarantined:,} quarantined{withdrawn}"
        )


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The ledgers that a run imports first; none where it takes what was imported before."""

    files: Sequence[tuple[LedgerFile, Profile]]
    unfinished: list[UnfinishedFile] | None
    """Files that somebody still writes; None where such a file is an error, since it was asked for by name."""


def ledgers_of_run(settings: Settings, path: Path | None, profile: Profile, *, by_name: bool) -> Ledgers:
    """The ledger at `path`, else the one of the settings, else the query of a profile that was asked for by name.

    Raises as `open_ledgers`.
    """
    if path is not None:
        return Ledgers([(file, profile) for file in open_ledgers([path], profile)], None)
    unfinished: list[UnfinishedFile] = []  # the next run reads them, if nobody gives them to this one
    files: list[tuple[LedgerFile, Profile]] = []
    if settings.ledger is not None:
        # The name of a profile with a query stands for that query.
        named = settings.profiles.get(str(settings.ledger))
        if named is not None and named.query is not None:
            files = [(file, named) for file in open_ledgers([], named)]
        else:
            files = [(file, profile) for file in open_ledgers([settings.ledger], profile, unfinished)]
    elif by_name and profile.query is not None:
        files = [(file, profile) for file in open_ledgers([], profile)]
    return Ledgers(files, unfinished)


def import_ledger(
    context: Context, ledger: LedgerFile, profile: Profile, *, snapshot: bool = False
) -> Imported:
    """Import one ledger file: every row becomes an entry, a repeat of one, or goes to quarantine.

    A snapshot is the whole ledger of the days that it spans: other entries of these days are withdrawn. A journal is
    never a snapshot: what it lacks is not looked for. Raises InputRefused if an expectation blocks it; then nothing of
    it is kept.
    """
    settings, app_ids, validator = context.settings, context.app_ids, context.validator
    file = _file_of(ledger)
    journal = is_journal(ledger.header)
    if journal:
        check_journal(context.engine, ledger, profile.name)
        profile = ledger.profile
    with staging_tables(context.engine) as tables:
        allowed = _judged(context, tables, ledger, profile)

        def check(batch: Batch) -> tuple[str, ...]:
            return (*allowed, *validate_batch(validator, "entries", file, batch))

        loaded = tables.take_in_entries(
            app_ids,
            profile.name,
            file,
            sha256=ledger.sha256,
            snapshot_timezone=settings.timezone.key if snapshot else None,
            timezone=None if journal else settings.timezone.key,
            passed_over=ledger.passed_over,
            check=check,
        )
    assert loaded.import_id is not None, "every import has a number"
    return Imported(
        import_id=loaded.import_id,
        source=profile.name,
        file=file,
        sha256=ledger.sha256,
        records=loaded.read,
        entries=loaded.usable,
        repeats=loaded.repeats,
        quarantined=loaded.quarantined,
        added=loaded.added,
        changed=loaded.changed,
        withdrawn=loaded.withdrawn,
        passed_over=ledger.passed_over,
        warnings=(*ledger.notes(), *_lacking(file, loaded.lacking)),
    )


@dataclass(frozen=True, slots=True)
class Previewed:
    """What an import would make of a ledger."""

    rows: Preview
    blocked: tuple[tuple[str, str], ...]
    """The expectations that would block it, each by its name and what it says."""


def preview_ledger(context: Context, ledger: LedgerFile, profile: Profile, most: int) -> Previewed:
    """The counts of an import, by its own code, and at most so many rows of each kind; nothing is imported.

    The context's validator must allow every expectation, else what blocks raises InputRefused as in an import.
    """
    context.validator.restart("entries")
    with staging_tables(context.engine) as tables:
        _judged(context, tables, ledger, profile)

        def check(batch: Batch) -> tuple[str, ...]:
            return validate_batch(context.validator, "entries", _file_of(ledger), batch)

        rows = tables.preview_entries([sheet.name for sheet in ledger.sheets], most, check)
    return Previewed(
        rows,
        tuple(
            (failure["expectation"], failure["says"][0])
            for suite in context.validator.summary()
            for failure in suite["failures"]
            if failure.get("allowed")
        ),
    )


def _judged(context: Context, tables: StagingTables, ledger: LedgerFile, profile: Profile) -> tuple[str, ...]:
    """Stage all rows of a ledger, and have the suite judge them; what would have blocked and was allowed."""
    settings, app_ids = context.settings, context.app_ids
    if len(app_ids) > 1 and "app_id" not in ledger.columns:
        raise InputRefused(
            f"{ledger.path}, row 1: there are several apps, so the file needs a column app_id (one of "
            f"{', '.join(app_ids)})"
        )
    context.progress("ledger", f"reading {ledger.name}", None)
    for sheet in ledger.sheets:
        in_bulk = EntriesInBulk(sheet, app_ids[0], profile.name, profile.currency, settings.currencies)
        careful = EntryNormaliser.of(sheet, profile, app_ids, settings.currencies)
        staging: Staging[Block | Sequence[RawRow], Entry] = Staging(tables, Side.LEDGER, in_bulk, careful)
        staging.add(_parts(sheet, context.progress))
    return tables.judge(context.validator, Side.LEDGER, settings.currencies, _file_of(ledger))


def _file_of(ledger: LedgerFile) -> str:
    """The name of the whole file, of whose sheets several belong to the import."""
    return ledger.name if not ledger.more else ledger.name.rpartition(" [")[0]


def _lacking(file: str, ids: Sequence[str]) -> list[str]:
    if not ids:
        return []
    what, them = ("entry", "it") if len(ids) == 1 else ("entries", "them")
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    return [
        f"{file}: lacks {len(ids):,} {what} that an earlier file of these days had: {', '.join(ids[:_NAMED])}{more}; "
        f"import with --snapshot to withdraw {them}"
    ]


def check_snapshot(ledgers: Sequence[LedgerFile]) -> None:
    """Raises UsageError unless it is one ledger, of which several would withdraw what only the others hold, and no
    journal, which holds only what was decided."""
    if not ledgers:
        raise UsageError("--snapshot: no ledger is named; give one with --ledger")
    if len(ledgers) > 1:
        raise UsageError(
            f"--snapshot: {len(ledgers)} files are named, and each would withdraw what only the others hold: "
            "import them one by one"
        )
    if is_journal(ledgers[0].header):
        raise UsageError(
            f"--snapshot: {ledgers[0].path} is a journal, which holds only what was decided, and would withdraw all "
            "other entries of its days: import it without --snapshot"
        )


def _parts(ledger: LedgerFile, progress: Progress) -> Iterator[Block | Sequence[RawRow]]:
    """The rows of a ledger, by the block where it has blocks; says how many were read."""
    rows: list[RawRow] = []
    for part in ledger.parts():
        if isinstance(part, Block):
            yield part
            read = part.first + len(part.usual)
        else:
            rows.append(part)
            read = part.place.row
            if read % BATCH:
                continue
            yield rows
            rows = []
        progress("ledger", f"{ledger.name}: {read:,} rows", None)
    yield rows
