"""A database that an earlier version left behind: this one brings it up to date and goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support.archive import NEXT_NIGHT, archived, first_night, migrations, serving
from tests.support.driver import MakeCommand


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
    with create_engine(old.settings["RECONCILE_DATABASE_URL"]).connect() as connection:
        applied = connection.scalars(text("select name from reconcile.migrations order by name")).all()
    assert [*applied] == list(migrations())
