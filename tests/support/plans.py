"""Plans of the statements of a connection, each asked for right before it is executed, and what is bad about one.

Bad is what grows with the square of the records: a big table or index that is gone through once per row; many rows of
anything else that are gone through once for each of many; each row compared with an array of what a select gave, other
than by index; and a join of many rows with many on nothing but columns of few values.
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
_FILLED = re.compile(r"(?:create temp table|insert into) (\w+)")
_ARRAY = re.compile(r"\b(\w+) = ANY \(\((?:InitPlan|SubPlan) \d+\)\.col\d+\)")
_COLUMN = re.compile(r"(?:\b\w+\.)?\"?\b([a-z_]+)\b")

FEW = 20
"""So many rows may each go through a whole table."""
MANY = 50
"""So many rows on both sides may not meet all with all."""

Plan = Mapping[str, Any]


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

    plans: list[tuple[str, Plan]]
    sizes: dict[str, int]  # the rows of the tables that the statements made

    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        if not isinstance(query, str):
            return super().execute(query, params, **more)
        parts = [query] if params else list(statements(query))
        for part in parts:
            if _PLANNED.match(re.sub(r"\A(?:\s*--[^\n]*\n)*\s*", "", part)):
                super().execute(f"explain (verbose, format json) {part}", params, **more)
                self.plans.append((part, self.fetchone()[0][0]["Plan"]))  # type: ignore[index]
            super().execute(part, params, **more)
            if filled := _FILLED.match(part):
                self.sizes[filled[1]] = self.sizes.get(filled[1], 0) + max(0, self.rowcount)
        return self

    def copy(self, statement: Any, *arguments: Any, **more: Any) -> Any:
        if copied := _COPIED.match(str(statement)):
            super().execute(f"explain (verbose, format json) {copied[1]}")
            self.plans.append((copied[1], self.fetchone()[0][0]["Plan"]))  # type: ignore[index]
        return super().copy(statement, *arguments, **more)


@dataclass(frozen=True)
class Tables:
    """What is known of the tables without the planner: the big ones, and columns that tell few rows from others."""

    big: frozenset[str]
    vague: frozenset[str]


def faults(plan: Plan, tables: Tables, sizes: Mapping[str, int]) -> list[str]:
    """What of a plan grows with the square of the records; `sizes` are the rows of other tables than the big ones."""
    known = {**sizes, **{name: one["Plan Rows"] for one in nodes(plan) if (name := _cte(one))}}
    return [*_faults(plan, tables, known, 1)]


def nodes(plan: Plan) -> Iterator[Plan]:
    """A node of a plan and all below it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def _cte(plan: Plan) -> str:
    """The name of the common table expression that a plan works out."""
    return str(plan.get("Subplan Name", "")) if plan.get("Parent Relationship") == "InitPlan" else ""


def _faults(plan: Plan, tables: Tables, sizes: Mapping[str, int], times: float) -> Iterator[str]:
    kind, children = plan["Node Type"], plan.get("Plans", ())
    sides = [child for child in children if child["Parent Relationship"] in ("Outer", "Inner")]
    rows = _gone_through(plan, sizes)
    if times > MANY and rows > MANY:
        yield f"{kind} of {rows} rows {times:.0f} times"
    if rows > MANY or (kind == "Seq Scan" and plan["Relation Name"] in tables.big):
        for column in {*_ARRAY.findall(plan.get("Filter", ""))} - tables.vague:
            yield f"{kind} that compares {column} with an array for each row"
    if times > FEW and plan.get("Relation Name", _table_of(plan)) in tables.big and _is_whole(plan, tables):
        yield f"{kind} of {plan.get('Relation Name') or plan.get('Index Name')} {times:.0f} times"
    if kind in ("Hash Join", "Merge Join"):
        condition = plan.get("Hash Cond") or plan.get("Merge Cond") or ""
        if min(child["Plan Rows"] for child in sides) > MANY and _is_vague(condition, tables):
            yield f"{kind} of many with many by {condition}"
    for child in children:
        relation = child.get("Parent Relationship")
        again = times
        if kind == "Nested Loop" and relation == "Inner":
            again = times * max(1, sides[0]["Plan Rows"])
            if child["Node Type"] in ("Materialize", "Memoize"):
                if child["Node Type"] == "Materialize" and min(again, child["Plan Rows"]) > MANY:
                    yield f"{kind} over {child['Plan Rows']} rows in memory {again:.0f} times"
                again = times
        elif relation == "SubPlan" and not _is_hashed(plan, child):
            again = times * max(1, plan["Plan Rows"])
        elif relation == "InitPlan":
            again = 1
        yield from _faults(child, tables, sizes, again)


def _gone_through(plan: Plan, sizes: Mapping[str, int]) -> int:
    """How many rows a scan of anything that is no big table reads each time, whatever it keeps of them."""
    match plan["Node Type"]:
        case "Seq Scan":
            return sizes.get(plan["Relation Name"], 0)
        case "CTE Scan":
            return sizes.get(f"CTE {plan['CTE Name']}", 0)
    return 0


def _table_of(plan: Plan) -> str:
    """The table of a bitmap's index: its name begins with the table's."""
    return str(plan.get("Index Name", "")).partition("_")[0]


def _is_whole(plan: Plan, tables: Tables) -> bool:
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


def _is_hashed(plan: Plan, child: Plan) -> bool:
    name = f"hashed {child.get('Subplan Name', '')}"
    return any(name in str(value) for key, value in plan.items() if key != "Plans")


def report(plans: Sequence[tuple[str, Plan]], tables: Tables, sizes: Mapping[str, int]) -> list[str]:
    """The faults of all plans, each with the beginning of its statement."""
    return [
        f"{fault}: {' '.join(statement.split())[:160]}"
        for statement, plan in plans
        for fault in faults(plan, tables, sizes)
    ]
