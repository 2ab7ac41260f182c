"""The later stages read of a matching what it hands to them (`RESULTS`), and no other temporary table of it."""

import ast
import re
from functools import cache
from pathlib import Path

import reconcile
from reconcile.db.sql_files import sql_folder
from reconcile.match.engine import RESULTS
from reconcile.match.policy import STATED
from tests.integration.db.test_sql_heads import tables

CREATED = re.compile(r"\bcreate temp (?:table|view) (\w+)")
STATEMENT = re.compile(r"\s*(select|with|insert|update|delete|merge|truncate|lock|copy)\b")


@cache
def reads() -> dict[str, set[str]]:
    """What each statement outside matching reads: those of the files of sql/, and those in Python modules."""
    found = {}
    for path in sorted(sql_folder().rglob("*.sql")):
        if path.relative_to(sql_folder()).parts[0] not in ("match", "migrations"):
            found[str(path.relative_to(sql_folder()))] = tables(path.read_text("utf-8"))[0]
    package = Path(reconcile.__file__).parent
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] != "match":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and STATEMENT.match(node.value)
                ):
                    found[f"{name}:{node.lineno}"] = tables(node.value)[0]
    return found


def made_by(stage: str) -> set[str]:
    """The temporary tables and views that the files of a stage create."""
    files = (sql_folder() / stage).rglob("*.sql")
    return {name for path in files for name in CREATED.findall(path.read_text("utf-8"))}


def test_no_other_stage_reads_a_temporary_table_that_matching_did_not_hand_on() -> None:
    hidden = made_by("match") - {*RESULTS, *STATED}
    # A name that a stage gives to a table of its own is not that of matching.
    found = {where: (names & hidden) - made_by(where.split("/")[0]) for where, names in reads().items()}
    assert {where: names for where, names in found.items() if names} == {}


def test_all_that_matching_hands_on_is_made_and_read() -> None:
    made = CREATED.findall((sql_folder() / "match/results/views.sql").read_text("utf-8"))
    assert made == [*RESULTS]
    assert {*STATED} <= made_by("match")
    assert {*RESULTS, *STATED} <= set().union(*reads().values())
