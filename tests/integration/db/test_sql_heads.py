"""Every file of sql/ begins with a head that says what it is for, which tables it reads and which it makes: truly.

The later stages read of a matching what it hands to them (`RESULTS`), and no other temporary table of it.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sql_tables import LABELS, head, names
from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.parser import BaseSegment

import reconcile
from reconcile.db.sql_files import sql_folder
from reconcile.match.engine import RESULTS
from reconcile.match.policy import STATED

SCHEMA = "migrations"  # the tables that last: each has a comment of its own

# Statements whose first table is the one that they make or change; any other table is read.
CHANGES = (
    "create_table_statement",
    "create_table_as_statement",
    "create_view_statement",
    "alter_table_statement",
    "insert_statement",
    "update_statement",
    "delete_statement",
    "merge_statement",
    "truncate_table",
)
CREATES = ("create_table_statement", "create_table_as_statement", "create_view_statement")
NEITHER = ("analyze_statement", "drop_table_statement", "drop_view_statement", "create_index_statement")

CREATED = re.compile(r"\bcreate temp (?:table|view) (\w+)")
STATEMENT = re.compile(r"\s*(select|with|insert|update|delete|merge|truncate|lock|copy)\b")
# sqlfluff takes a block in PL/pgSQL for a text. Its statements begin on lines of their own.
BLOCK = re.compile(r"^ *do \$\$(.*?)^ *\$\$;", re.DOTALL | re.MULTILINE)
INNER = re.compile(
    r"^ *((?:insert|update|delete|merge|truncate|create (?:temp )?(?:table|view)) .*?;)",
    re.DOTALL | re.MULTILINE,
)
COMMENT = re.compile(r"--.*")

FILES = sorted(
    name
    for path in sql_folder().rglob("*.sql")
    if not (name := path.relative_to(sql_folder()).with_suffix("").as_posix()).startswith(SCHEMA)
)


@cache
def linter() -> Linter:
    return Linter(config=FluffConfig(overrides={"dialect": "postgres", "templater": "raw"}))


def uses(tree: BaseSegment) -> Iterator[tuple[str, str]]:
    """What the statements do with each table that they name: create, change or read."""
    kind = tree.get_type()
    if kind in NEITHER:
        return
    found = [part for part in tree.segments if part.is_type("table_reference")] if kind in CHANGES else []
    target = found[0] if found else None
    if target is not None:
        yield ("create" if kind in CREATES else "change"), target.raw
    for part in tree.segments:
        if part is target:
            continue
        if part.is_type("table_reference"):
            yield "read", part.raw
        yield from uses(part)


@cache
def tables(text: str) -> tuple[set[str], set[str]]:
    """The tables and views that the statements of a file read, and those that they create or change.

    What a file reads of its own tables is not counted, nor are the catalogs of Postgres.
    """
    text = BLOCK.sub(lambda block: "\n".join(INNER.findall(COMMENT.sub("", block[1]))), text)
    tree = linter().parse_string(text).tree
    assert tree is not None
    named = {part.segments[0].raw for part in tree.recursive_crawl("common_table_expression")}
    found = [(use, name) for use, name in uses(tree) if name not in named and not name.startswith("pg_")]
    created = {name for use, name in found if use == "create"}
    made = {name for use, name in found if use != "read"}
    return {name for use, name in found if use == "read"} - created, made


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
