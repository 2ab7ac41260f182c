"""Stores the decisions that people wrote into a spreadsheet: all rows of a file, or none.

Every row is checked first (`row_checker`). If any row is refused, nothing of the file is stored. Otherwise the new
decisions and notes go to the audit trail, in one transaction. The matching reads the newest decision of every
discrepancy from there (the view `decisions_in_force`).
"""

from datetime import datetime

from sqlalchemy import Engine, text

from reconcile.core.people import same_person
from reconcile.decide import audit_trail
from reconcile.decide.audit_trail import DecisionSource
from reconcile.decide.result import ResolveResult, RowsRefused
from reconcile.decide.row_checker import RowChecker
from reconcile.decide.sheet import Sheet
from reconcile.settings import Settings


def taken_before(engine: Engine, sheet: Sheet, by: str) -> datetime | None:
    """When a file with the same bytes was stored for this person; None if never."""
    with engine.connect() as connection:
        taken = connection.execute(
            text("select by_name, taken_at from decision_files where sha256 = :sha256"),
            {"sha256": sheet.sha256},
        ).all()
    return max((row.taken_at for row in taken if same_person(row.by_name, by)), default=None)


def resolve_sheet(
    engine: Engine,
    settings: Settings,
    sheet: Sheet,
    by: str,
    *,
    dry_run: bool = False,
    named_by_row: bool = False,
) -> ResolveResult:
    """Check the rows of a file and store what is new, as decided by `by`. With `dry_run` nothing is stored.

    With `named_by_row` only the column `by` says who decided, so each row that says something new must name the person.

    Raises RowsRefused if any row cannot be used, InputRefused if the file changes meanwhile.
    """
    rows = [row for row in sheet.rows() if row is not None]
    with engine.connect() as connection:
        audit_trail.lock(connection)
        checker = RowChecker(
            connection,
            settings,
            by,
            of_resolved=sheet.is_resolved,
            named_by_row=named_by_row,
            hidden=sheet.hidden,
        )
        checked = checker.check(rows)
        if checked.refusals:
            raise RowsRefused(str(sheet.path), sorted(checked.refusals, key=lambda refusal: refusal.row))
        source = DecisionSource(by, sheet.name, sheet.sha256)
        audit_trail.append(connection, checked.decisions, source)
        audit_trail.add_file(connection, source)
        if dry_run:
            connection.rollback()
        else:
            connection.commit()
    decided = sum(decision.decision is not None for decision in checked.decisions)
    return ResolveResult(
        file=sheet.name,
        by=by,
        decisions=decided,
        notes=len(checked.decisions) - decided,
        unchanged=checked.unchanged,
        changes=tuple(checked.changes),
        warnings=tuple(checked.warnings),
    )
