"""Writes and reads the CSV files of a run, and moves its finished folder into place: it appears whole or not at all."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from reconcile.core.dialect import Dialect
from reconcile.core.discrepancies import OUTCOMES
from reconcile.core.errors import DISK_FULL, UsageError
from reconcile.core.money import Currencies
from reconcile.core.writing import unwritten
from reconcile.db.sql_files import read_sql
from reconcile.report.bridge import LINES
from reconcile.report.columns import AMOUNTS, BRIDGE, DISCREPANCIES, QUARANTINE, RESOLVED, SUMMARY
from reconcile.report.csv_cells import amount_cell, cell, text_cell
from reconcile.report.sentences import sentence
from reconcile.settings import Settings

_ROWS_AT_A_TIME = 1_000


def write_small_tables(connection: Connection, settings: Settings, folder: Path) -> None:
    """Write the CSV files but matched.csv, and the Parquet file, into `folder`.

    `connection` has the results of the matching. matched.csv may have a hundred times the rows of all others
    (`reconcile.report.matched_csv`).
    """
    from reconcile.report import parquet  # it imports pyarrow, and `show` only reads files

    currencies, dialect = settings.currencies, settings.dialect

    def amount(value: Decimal | None, currency: str | None) -> str:
        return "" if value is None else amount_cell(currencies.written(value, currency), dialect)

    def with_detail(row: Mapping[str, Any]) -> dict[str, Any]:
        return {**row, "detail": sentence(row, currencies, settings.date_tolerance_days)}

    def discrepancy(row: Mapping[str, Any]) -> dict[str, str]:
        cells = {name: cell(row[name]) for name in DISCREPANCIES if name in row and name not in AMOUNTS}
        of_kspay, of_ledger = row["kspay_currency"], row["ledger_currency"]
        amounts = {
            "kspay_amount": amount(row["kspay_amount"], of_kspay),
            "ledger_amount": amount(row["ledger_amount"], of_ledger),
            # There is one only if both sides have the same currency.
            "difference": amount(row["difference"], of_kspay or of_ledger),
            "kspay_refunded": amount(row["kspay_refunded"], of_kspay),
            "ledger_refunded": amount(row["ledger_refunded"], of_ledger),
        }
        return {**cells, **amounts, "resolution": ""}

    def resolved(row: Mapping[str, Any]) -> dict[str, str]:
        at = row["at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            **discrepancy(row),
            "resolution": text_cell(_decision(row)),
            "by": text_cell(row["by"]),
            "at": text_cell(at),
        }

    def summary(row: Mapping[str, Any]) -> dict[str, str]:
        cells = {name: cell(row[name]) for name in SUMMARY if name not in AMOUNTS}
        return {**cells, "amount": amount(row["amount"], row["currency"] or None)}

    def bridge(row: Mapping[str, Any]) -> dict[str, str]:
        cells = {name: cell(row[name]) for name in BRIDGE if name not in AMOUNTS}
        return {**cells, "amount": amount(row["amount"], row["currency"])}

    def quarantine(row: Mapping[str, Any]) -> dict[str, str]:
        return {name: cell(row[name]) for name in QUARANTINE}

    for name, columns, write in (
        ("discrepancies", DISCREPANCIES, discrepancy),
        ("resolved", RESOLVED, resolved),
        ("summary", SUMMARY, summary),
        ("bridge", BRIDGE, bridge),
        ("quarantine", QUARANTINE, quarantine),
    ):
        rows = _stream(connection, "report/bridge_rows" if name == "bridge" else f"report/{name}")
        if columns[: len(DISCREPANCIES)] == DISCREPANCIES:
            rows = map(with_detail, rows)
        if name == "discrepancies":
            form = parquet.schema(DISCREPANCIES, currencies)
            rows = parquet.write_alongside(folder / f"{name}.parquet", form, rows)
        write_csv(folder / f"{name}.csv", columns, (write(row) for row in rows), dialect)


def _decision(row: Mapping[str, Any]) -> str:
    """The decision in force, as a person writes it: `accept`, or `match:` with the ids of the other side."""
    if row["decision"] != "match":
        return str(row["decision"])
    other = "ledger" if row["of_kspay"] else "kspay"
    ids = [
        f"{record['source']}:{record['record_id']}" if other == "ledger" else record["record_id"]
        for record in row["joined_records"]
        if record["side"] == other
    ]
    return f"match:{';'.join(sorted(ids))}"


def write_csv(
    path: Path, columns: tuple[str, ...], rows: Iterable[Mapping[str, str]], dialect: Dialect
) -> None:
    """UTF-8 with a byte-order mark (Excel needs it), CRLF, RFC 4180. The cells come from `csv_cells`."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=dialect.delimiter, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in rows)


def read_csv(path: Path) -> Iterator[list[str]]:
    """The header and the rows of a file of a run, whatever its dialect: the cells as written, amounts with a point."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        dialect = Dialect.of_header(first)
        names = first.rstrip("\r\n").split(dialect.delimiter)
        yield names
        rows = csv.reader(file, delimiter=dialect.delimiter, strict=True)
        if dialect is Dialect.COMMA:
            yield from rows
            return
        amounts = [place for place, name in enumerate(names) if name in AMOUNTS]
        for row in rows:
            for place in amounts:
                row[place] = row[place].replace(dialect.decimal, ".")
            yield row


def count_rows(path: Path) -> int:
    """The number of rows of a file of a run, without the header. It takes no cell apart, so it is fast."""
    rows, within = 0, False
    with path.open("rb") as file:
        for line in file:
            within ^= line.count(b'"') % 2 == 1  # within a cell that goes on in the next line
            rows += not within
    return rows - 1


def read_totals(connection: Connection, currencies: Currencies) -> list[dict[str, Any]]:
    """The rows of summary.csv for run.json, amounts as plain decimals in text."""
    return [
        {**row, "amount": currencies.written(row["amount"], row["currency"])}
        for row in _stream(connection, "report/summary")
    ]


_PARAMETERS = {
    "report/summary": {"outcomes": [*OUTCOMES, "total"]},
    "report/bridge_rows": {"lines": [*LINES]},
}
"""By statement, where it has any."""


def _stream(connection: Connection, name: str) -> Iterator[Mapping[str, Any]]:
    result = connection.execute(
        text(read_sql(name)), _PARAMETERS.get(name, {}), execution_options={"yield_per": _ROWS_AT_A_TIME}
    )
    for row in result.mappings():
        yield dict(row)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """run.json: indented, keys as they come, UTF-8, amounts as text."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", "utf-8")


@contextmanager
def writing_aside(out: Path, run_id: str) -> Iterator[Path]:
    """An empty folder beside the run's final one, gone at the end unless it was moved into place.

    Raises UsageError if `--out` cannot be written, DiskFull if it has no room.
    """
    aside = out / f".{run_id}.writing"
    latest = out / "latest"
    if latest.exists() and not latest.is_symlink():
        raise UsageError(f"{latest} is no link to a run: move it away, or choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if aside.exists():
            shutil.rmtree(aside)
        aside.mkdir()
    except OSError as error:
        raise unwritten(f"--out {out}", error) from None
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def naming_full_disk(out: Path) -> Iterator[None]:
    """A write that fails for want of room does not name its file: what the block writes lies in `out`."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            error.filename = error.filename or str(out)
        raise


def move_in_place(aside: Path, folder: Path) -> None:
    """Give the finished files their final folder, on the disk before anybody hears of them."""
    for path in [*sorted(aside.iterdir()), aside]:
        _sync(path)
    aside.rename(folder)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _as_of(run_id: str) -> str:
    """The as-of day of a run, which its id holds: 2026-08-31 of 2026-08-01_2026-08-31_2."""
    return run_id.split("_")[1] if run_id.count("_") == 2 else ""


def newer(run_id: str, than: str) -> bool:
    """Whether this run takes the place of the one that is the latest: not if that one is as of a later day."""
    return _as_of(than) <= _as_of(run_id)


def point_latest(out: Path, run_id: str) -> None:
    """Let `<out>/latest` name this run, in one step: there is no moment without it.

    Where it names a run as of a later day, it stays: a run of an older period is not the newest.
    """
    latest = out / "latest"
    if latest.exists() and not newer(run_id, latest.readlink().name):
        return
    aside = out / ".latest.writing"
    for left in reversed(range(100)):
        try:
            aside.unlink(missing_ok=True)
            aside.symlink_to(run_id, target_is_directory=True)
            aside.replace(out / "latest")
        except (FileExistsError, FileNotFoundError):
            if not left:
                raise
            continue  # a run of other apps, into the same folder, was between two of these steps
        return


def says_of_latest(folder: Path) -> str | None:
    """A line about `latest` where it does not name the run of this folder, because that is as of an earlier day."""
    try:
        named = (folder.parent / "latest").readlink().name
    except OSError:
        return None
    if newer(folder.name, named):
        return None
    return f"{folder.parent / 'latest'} still names {named}, which is as of a later day"
