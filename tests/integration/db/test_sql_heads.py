"""Every file of sql/ begins with a head that says what it is for, which tables it reads and which it makes: truly."""

from collections.abc import Iterator
from functools import cache

import pytest
from sql_tables import LABELS, head, names
from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.parser import BaseSegment

from reconcile.db.sql_files import sql_folder

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


def tables(text: str) -> tuple[set[str], set[str]]:
    """The tables and views that the statements of a file read, and those that they create or change.

    What a file reads of its own tables is not counted, nor are the catalogs of Postgres.
    """
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
    """
    reads, makes = tables(text)
    assert (reads, makes) == (set("befhjkmo"), set("acgiln"))
