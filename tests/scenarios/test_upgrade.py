"""A database that an earlier version left behind: this one brings it up to date and goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support.archive import NEXT_NIGHT, archived, first_night, migrations, serving
from tests.support.driver import Command, MakeCommand

# Records have other numbers where a database began later, so by their ids.
REMEMBERED = """
select 'pairing', pairings.app_id, transactions.transaction_id, ledger_id, rule
from pairings
inner join transactions on transactions.number = transaction_no
inner join entries on entries.number = entry_no
union all
select 'undone', pairing_versions.app_id, transactions.transaction_id, ledger_id, rule
from pairing_versions
inner join transactions on transactions.number = transaction_no
inner join entries on entries.number = entry_no
union all
select 'booking', bookings.app_id, refund.ledger_id, paid.ledger_id, null
from bookings
inner join entries as refund on refund.number = entry_no
inner join entries as paid on paid.number = lead_no
union all
select 'state', app_id, discrepancy_id, type, facts from discrepancy_versions
union all
select 'finding', findings.app_id, coalesce(transactions.transaction_id, ledger_id), aspect, kind
from findings
left join transactions on side = 'kspay' and transactions.number = findings.number
left join entries on side = 'ledger' and entries.number = findings.number
order by 1, 2, 3, 4, 5
"""


def remembered(command: Command) -> list[tuple[str, ...]]:
    with create_engine(command.settings["RECONCILE_DATABASE_URL"]).connect() as connection:
        connection.execute(text("set search_path to reconcile"))
        return [*connection.execute(text(REMEMBERED)).tuples()]


@pytest.mark.parametrize("folder", archived(), ids=lambda folder: folder.name)
def test_the_next_night_is_the_same(
    folder: Path, make_command: MakeCommand, make_empty_database: Callable[[], str]
) -> None:
    with serving(folder) as sandbox:
        old, fresh = (make_command(sandbox, RECONCILE_DATABASE_URL=make_empty_database()) for _ in range(2))
        for command in (old, fresh):
            shutil.copy(folder / "ledger.csv", command.folder)
        old.good("backup", folder / "books.dump", "--restore")
        decided = first_night(fresh, (folder / "decided").read_text("utf-8").strip())
        for command in (old, fresh):
            command.good("run", *NEXT_NIGHT, "--ledger", "ledger.csv")
    assert old.latest().run_id == fresh.latest().run_id
    assert old.latest().same() == fresh.latest().same()
    assert [row["discrepancy_id"] for row in old.latest().rows("resolved")] == [decided]
    assert remembered(old) == remembered(fresh)
    assert {row[0] for row in remembered(old)} >= {"pairing", "finding"}
    with create_engine(old.settings["RECONCILE_DATABASE_URL"]).connect() as connection:
        applied = connection.scalars(text("select name from reconcile.migrations order by name")).all()
    assert [*applied] == list(migrations())
