"""The engine's one list of phases and the files of `sql/match` are the same."""

import re

from reconcile.db.planner import OF_FILE
from reconcile.db.sql_files import sql_folder, sql_names
from reconcile.match.engine import PHASES

EXPLAIN = "explain"  # read one by one by `reconcile explain` and by doctor, not run by matching


def test_every_file_of_a_phase_is_in_the_list() -> None:
    files = {
        path.relative_to(sql_folder() / "match").with_suffix("").as_posix()
        for path in (sql_folder() / "match").rglob("*.sql")
    }
    listed = [f"{phase}/{step}" for phase, steps in PHASES.items() for step in steps]
    assert len(set(listed)) == len(listed)
    assert {file for file in files if not file.startswith(f"{EXPLAIN}/")} == {*listed}


def test_switches_are_stated_only_for_files_that_exist() -> None:
    for name in OF_FILE:
        assert name in sql_names(name.rpartition("/")[0])


def test_no_statement_sets_a_switch_of_the_planner_by_itself() -> None:
    for path in sql_folder().rglob("*.sql"):
        assert not re.search(r"\bset (local )?enable_|set_config", path.read_text("utf-8")), path
