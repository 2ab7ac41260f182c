"""A ledger that a spreadsheet program saved."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from reconcile.core.records import Entry, Rejection
from reconcile.ledger.profile import Profile
from tests.support.bad_ledgers import GOOD, NAMES
from tests.support.ledgers import open_ledger, typed
from tests.support.office import Office


@pytest.mark.desktop
def test_a_workbook_of_libreoffice(office: Office, tmp_path: Path) -> None:
    """Dates and numbers become real cells, formulas have results, and errors are cells of their own kind."""
    source = tmp_path / "a.csv"
    formula = '"=1+2.5",2026-08-03,INR,paid'
    source.write_text(
        f"Receipts\n\n{','.join(NAMES)}\n{GOOD}\nL2,x,{formula}\nL3,x,=1/0,2026-08-03,INR,paid\n"
    )
    options = "CSV:44,34,76,1,,1033,false,true,false,false,false,-1,true,true"
    saved = office.convert(source, "xlsx", f"--infilter={options}")
    first, second, third = typed(open_ledger(saved), Profile("default"))
    assert isinstance(first, Entry)
    assert (first.amount, first.dated_on, first.place.row) == (Decimal("10.5"), date(2026, 8, 1), 4)
    assert isinstance(second, Entry)
    assert second.amount == Decimal("3.5")
    assert isinstance(third, Rejection)
    assert third.reason == "amount holds an error of a formula: correct it in the spreadsheet"
