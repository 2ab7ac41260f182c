"""Statements stand in sql/, where the linter and the page of tables read them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "reconcile"
STATEMENT = re.compile(
    r"\s*(select|insert into|delete from|merge into|update \w+( as \w+)? set|with \w+ as|create (temp |table|view))\b"
)


def long_statements(source: str) -> Iterator[int]:
    """The lines where a string of several lines begins that is an SQL statement."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        elif isinstance(node, ast.Constant):
            parts = [node.value]
        else:
            continue
        if node.end_lineno != node.lineno and parts and STATEMENT.match(str(parts[0])):
            yield node.lineno


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_holds_a_statement_of_several_lines(path: Path) -> None:
    assert list(long_statements(path.read_text("utf-8"))) == []


def test_a_statement_of_several_lines_is_found() -> None:
    source = 'a = "select 1"\nb = ("select a"\n " from b")\nc = f"""insert into {a}\nvalues (1)"""\nd = ("select"\n)\n'
    assert set(long_statements(source)) == {2, 4}
