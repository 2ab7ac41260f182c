"""Compares a journal that is read back as a ledger with what was exported: nobody may have changed it by hand."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import Engine, text

from reconcile.core.errors import InputRefused
from reconcile.db.sql_files import read_sql
from reconcile.ledger.amounts import clean
from reconcile.ledger.dates import decide
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.header import text_of
from reconcile.ledger.table import BrokenRecord, tidy

_AMOUNTS = ("debit", "credit", "amount")
_CHECKED = ("account", *_AMOUNTS, "currency", "app_id", "ledger_id", "entry_date", "status", "transaction_id")
"""The columns that must be as they were exported. A narration may have additions."""


def check_journal(engine: Engine, ledger: LedgerFile, source: str) -> None:
    """Raises InputRefused that says what is not as it was exported."""
    rows = _rows(ledger)
    with engine.connect() as connection:
        held = connection.execute(
            text(read_sql("load/exported_journals")),
            {"journals": sorted({row["journal"] for _, row in rows})},
        ).all()
    for export in held:
        if export.source != source:
            raise _changed(
                ledger, f"journal {export.journal} books into --profile {export.source}, not {source}"
            )
    missing: dict[tuple[str, str], list[Mapping[str, str]]] = {
        (export.journal, str(export.decision_id)): [
            {name: _value(name, line[name]) for name in _CHECKED} for line in export.lines
        ]
        for export in held
    }
    left = []
    for number, row in rows:
        lines = missing.get((row["journal"], row["decision_id"]), [])
        line = {name: row[name] for name in _CHECKED}
        if line in lines:
            lines.remove(line)
        else:
            left.append((number, row, line, lines))
    for number, row, line, lines in left:
        where = f"row {number}, decision {row['decision_id']}"
        if not lines:
            raise _changed(ledger, f"{where}: this line was not exported in journal {row['journal']}")
        name = next(name for name in _CHECKED if line[name] != lines[0][name])
        said = f"{name} is {line[name] or 'empty'}, and was exported as {lines[0][name] or 'empty'}"
        raise _changed(ledger, f"{where}: {said}")
    for (_, decision), lines in missing.items():
        if lines:
            raise _changed(ledger, f"a line of decision {decision} is missing")


def _rows(ledger: LedgerFile) -> list[tuple[int, Mapping[str, str]]]:
    """The lines below the header, each value as it is compared; by the names that the journal has."""
    names = [cell.strip().casefold() for cell in ledger.header.cells]
    if lacking := [name for name in _CHECKED if name not in names]:
        raise _changed(ledger, f"the column {lacking[0]} is missing")
    records = [
        (number, ledger.header.fitted(cells))
        for number, cells in ledger.table.records()
        if number > ledger.header.row and not isinstance(cells, BrokenRecord)
    ]
    texts = [
        (number, {name: tidy(text_of(cell)) for name, cell in zip(names, cells, strict=True)})
        for number, cells in records
        if cells is not None and any(tidy(text_of(cell)) for cell in cells)
    ]
    style = decide(Counter(row["entry_date"] for _, row in texts if row["entry_date"])).style
    found: list[tuple[int, Mapping[str, str]]] = []
    for number, row in texts:
        compared = dict(row)
        for name in _AMOUNTS:
            try:
                value = ledger.style.amounts.read(
                    clean(row[name]), ledger.profile.currencies.digits, None
                ).value
                compared[name] = f"{value.normalize():f}" if row[name] else ""
            except ValueError:
                pass  # as it stands there
        try:
            day, at = style.read(row["entry_date"]) if row["entry_date"] else (None, None)
            compared["entry_date"] = "" if day is None else f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else f"{day}"
        except ValueError:
            pass
        found.append((number, compared))
    return found


def _value(name: str, written: str) -> str:
    """What was exported, as it is compared."""
    return f"{Decimal(written).normalize():f}" if name in _AMOUNTS and written else written


def _changed(ledger: LedgerFile, what: str) -> InputRefused:
    return InputRefused(
        f"{ledger.path}: is not the journal that was exported: {what}; export it again with --again"
    )
