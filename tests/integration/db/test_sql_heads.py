"""Every file of sql/ begins with a head that says what it is for, which tables it reads and which it makes: truly.

The later stages read of a matching what it hands to them (`RESULTS`), and no other temporary table of it.
"""

import ast
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from postgast import parse, walk
from postgast import pg_query_pb2 as pg
from sql_tables import LABELS, head, names

import reconcile
from reconcile.db.sql_files import sql_folder
from reconcile.match.engine import RESULTS
from reconcile.match.policy import STATED

SCHEMA = "migrations"  # the tables that last: each has a comment of its own

# What each kind of statement makes or changes; any other table in it is read.
CREATES: Mapping[type[Message], Callable[[Any], list[pg.RangeVar]]] = {
    pg.CreateStmt: lambda made: [made.relation],
    pg.CreateTableAsStmt: lambda made: [made.into.rel],
    pg.ViewStmt: lambda made: [made.view],
}
CHANGES: Mapping[type[Message], Callable[[Any], list[pg.RangeVar]]] = {
    **CREATES,
    **dict.fromkeys(
        (pg.AlterTableStmt, pg.InsertStmt, pg.UpdateStmt, pg.DeleteStmt, pg.MergeStmt),
        lambda changed: [changed.relation],
    ),
    pg.TruncateStmt: lambda emptied: [node.range_var for node in emptied.relations],
}
NEITHER = (pg.VacuumStmt, pg.DropStmt, pg.IndexStmt)

CREATED = re.compile(r"\bcreate temp (?:table|view) (\w+)")
STATEMENT = re.compile(r"\s*(select|with|insert|update|delete|merge|truncate|lock|copy)\b")
PARAMETER = re.compile(r"(?<!:):[a-z]\w*")
# A block in PL/pgSQL is a text for Postgres. Its statements begin on lines of their own.
BLOCK = re.compile(r"^ *do \$\$(.*?)^ *\$\$;", re.DOTALL | re.MULTILINE)
INNER = re.compile(
    r"^ *((?:insert|update|delete|merge|truncate|create (?:temp )?(?:table|view)) .*?;)",
    re.DOTALL | re.MULTILINE,
)
COMMENT = re.compile(r"--.*")
# In a statement of one line, which Python may put together from pieces.
NAMED = re.compile(r"\b(?:from|join|into|update|using|table|copy) (\w+)")

FILES = sorted(
    name
    for path in sql_folder().rglob("*.sql")
    if not (name := path.relative_to(sql_folder()).with_suffix("").as_posix()).startswith(SCHEMA)
)


@cache
def tables(text: str) -> tuple[set[str], set[str]]:
    """The tables and views that the statements of a file read, and those that they create or change.

    Postgres' own parser reads them. What a file reads of its own tables is not counted, nor are the catalogs.
    """
    text = BLOCK.sub(lambda block: "\n".join(INNER.findall(COMMENT.sub("", block[1]))), text)
    created, made, read, named = set(), set(), set(), set()
    for statement in parse(PARAMETER.sub("$1", text)).stmts:
        nodes = [node for _, node in walk(statement)]
        if isinstance(nodes[1], NEITHER):
            continue
        changed = [
            relation for node in nodes if type(node) in CHANGES for relation in CHANGES[type(node)](node)
        ]
        made |= {relation.relname for relation in changed}
        created |= {
            relation.relname
            for node in nodes
            if type(node) in CREATES
            for relation in CREATES[type(node)](node)
        }
        named |= {node.ctename for node in nodes if isinstance(node, pg.CommonTableExpr)}
        places = {relation.location for relation in changed}
        read |= {
            node.relname for node in nodes if isinstance(node, pg.RangeVar) and node.location not in places
        }
    return {name for name in read - named - created if not name.startswith("pg_")}, made


@pytest.mark.parametrize("name", FILES)
def test_the_head_says_what_the_statements_do(name: str) -> None:
    text = (sql_folder() / f"{name}.sql").read_text("utf-8")
    says = head(text)
    assert tuple(says) == LABELS
    reads, makes = tables(text)
    assert (names(says["Reads"]), names(says["Makes"])) == (reads, makes)


def test_a_table_is_found_wherever_it_stands() -> None:
    text = """
    create temp table a (like b including all);
    create temp view c as with d as (select 1 from e) select * from d inner join f using (x);
    insert into g select * from a where not exists (select from h);
    update i set x = j.x from j where i.y in (select y from k);
    delete from l using m where l.x = m.x;
    merge into n using o on n.x = o.x when not matched then insert (x) values (o.x);
    analyze a;
    do $$
    begin
        if true then
            -- Not this one: insert into z;
            insert into p (x)
            select x from q;
        end if;
    end
    $$;
    """
    reads, makes = tables(text)
    assert (reads, makes) == (set("befhjkmoq"), set("acgilnp"))


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
                    found[f"{name}:{node.lineno}"] = set(NAMED.findall(node.value))
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
