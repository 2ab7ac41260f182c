"""Plans of the statements of a connection, each asked for right before it is executed, and what is bad about one.

Bad is what grows with the square of the records: a big table or index that is gone through once per row, and a join of
many rows with many on nothing but columns of few values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

# A comment, a text, a body of code: a semicolon in one of them ends no statement.
_PARTS = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\$\$.*?\$\$|;", re.DOTALL)
_PLANNED = re.compile(r"(?:select|with|insert|update|delete|create temp table \w+ on commit drop as)\b")
_COPIED = re.compile(r"copy \((.*)\) to stdout", re.DOTALL)
_COLUMN = re.compile(r"(?:\b\w+\.)?\"?\b([a-z_]+)\b")

FEW = 20
"""So many rows may each go through a whole table."""
MANY = 50
"""So many rows on both sides may not meet all with all."""


def statements(sql: str) -> Iterator[str]:
    """The statements of a file, without the comments before each."""
    begin = 0
    for part in [*_PARTS.finditer(sql), None]:
        if part is None or part.group() == ";":
            one = re.sub(r"\A(?:\s*--[^\n]*\n)*\s*", "", sql[begin : part.start() if part else None]).strip()
            if one and not re.fullmatch(r"(?:\s*--[^\n]*(?:\n|\Z))*", one):
                yield one
            begin = part.end() if part else 0


class Planning(psycopg.Cursor[Any]):
    """Asks for the plan of each statement before it executes it; a class of its own keeps them in `plans`."""

    plans: list[tuple[str, Mapping[str, Any]]]

    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        if not isinstance(query, str):
            return super().execute(query, params, **more)
        parts = [query] if params else list(statements(query))
        for part in parts:
            if _PLANNED.match(re.sub(r"\A(?:\s*--[^\n]*\n)*\s*", "", part)):
                super().execute(f"explain (format json) {part}", params, **more)
                self.plans.append((part, self.fetchone()[0][0]["Plan"]))  # type: ignore[index]
            super().execute(part, params, **more)
        return self

    def copy(self, statement: Any, *arguments: Any, **more: Any) -> Any:
        if copied := _COPIED.match(str(statement)):
            super().execute(f"explain (format json) {copied[1]}")
            self.plans.append((copied[1], self.fetchone()[0][0]["Plan"]))  # type: ignore[index]
        return super().copy(statement, *arguments, **more)


@dataclass(frozen=True)
class Tables:
    """What is known of the tables without the planner: the big ones, and columns that tell few rows from others."""

    big: frozenset[str]
    vague: frozenset[str]


def faults(plan: Mapping[str, Any], tables: Tables) -> list[str]:
    """What of a plan grows with the square of the records."""
    return [*_faults(plan, tables, 1)]


def _faults(plan: Mapping[str, Any], tables: Tables, times: float) -> Iterator[str]:
    kind, children = plan["Node Type"], plan.get("Plans", ())
    if times > FEW and plan.get("Relation Name", _table_of(plan)) in tables.big and _is_whole(plan, tables):
        yield f"{kind} of {plan.get('Relation Name') or plan.get('Index Name')} {times:.0f} times"
    if kind in ("Hash Join", "Merge Join"):
        condition = plan.get("Hash Cond") or plan.get("Merge Cond") or ""
        if min(child["Plan Rows"] for child in children[:2]) > MANY and _is_vague(condition, tables):
            yield f"{kind} of many with many by {condition}"
    for child in children:
        relation = child.get("Parent Relationship")
        again = times
        if (
            kind == "Nested Loop"
            and relation == "Inner"
            and child["Node Type"] not in ("Materialize", "Memoize")
        ):
            again = times * max(1, children[0]["Plan Rows"])
        elif relation == "SubPlan" and not _is_hashed(plan, child):
            again = times * max(1, plan["Plan Rows"])
        elif relation == "InitPlan":
            again = 1
        yield from _faults(child, tables, again)


def _table_of(plan: Mapping[str, Any]) -> str:
    """The table of a bitmap's index: its name begins with the table's."""
    return str(plan.get("Index Name", "")).partition("_")[0]


def _is_whole(plan: Mapping[str, Any], tables: Tables) -> bool:
    """Whether a scan reads all of its table, or all of an index, or all of what one vague column names."""
    kind = plan["Node Type"]
    if kind == "Seq Scan":
        return True
    if kind not in ("Index Scan", "Index Only Scan", "Bitmap Index Scan"):
        return False
    return _is_vague(plan.get("Index Cond", ""), tables)


def _is_vague(condition: str, tables: Tables) -> bool:
    """Whether a condition compares nothing but columns of few values."""
    named = set(_COLUMN.findall(re.sub(r"'[^']*'(?:::\w+)?|::\w+(?:\[\])?", "", condition)))
    return named <= tables.vague


def _is_hashed(plan: Mapping[str, Any], child: Mapping[str, Any]) -> bool:
    name = f"hashed {child.get('Subplan Name', '')}"
    return any(name in str(value) for key, value in plan.items() if key != "Plans")


def report(plans: Sequence[tuple[str, Mapping[str, Any]]], tables: Tables) -> list[str]:
    """The faults of all plans, each with the beginning of its statement."""
    return [
        f"{fault}: {' '.join(statement.split())[:160]}"
        for statement, plan in plans
        for fault in faults(plan, tables)
    ]
