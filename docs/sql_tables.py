"""What the heads of the files in sql/ say, and the page that follows from it: each table, who makes it, who reads it.

A head is the first comment of a file: `-- Grain: …`, `-- Purpose: …`, `-- Reads: …`, `-- Makes: …`. A test proves
that Reads and Makes are what the statements do.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from reconcile.db.sql_files import sql_folder

LABELS = ("Grain", "Purpose", "Reads", "Makes")

_CREATED = re.compile(r"^((?:--.*\n)*)create (temp )?(?:table|view) (?:if not exists )?(\w+)", re.MULTILINE)


def head(text: str) -> dict[str, str]:
    """The labels of a comment and what they say; a line without a label continues the one above."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("-- "):
            break
        label, colon, says = line[3:].partition(": ")
        if colon and label in LABELS:
            found[label] = says
        elif found:
            found[list(found)[-1]] += " " + line[3:].strip()
    return found


def names(says: str) -> set[str]:
    """The tables that a head lists after Reads or Makes."""
    return set() if says == "none" else {name.strip() for name in says.split(",")}


def tables() -> str:
    """Two tables in Markdown: what lasts in the database, and what a run makes for itself."""
    made, read = defaultdict(set), defaultdict(set)
    lasting: dict[str, str] = {}
    passing: dict[str, str] = {}
    for path in sorted(sql_folder().rglob("*.sql")):
        name = path.relative_to(sql_folder()).with_suffix("").as_posix()
        text = path.read_text("utf-8")
        says = head(text)
        created = _CREATED.findall(text)
        for comment, temporary, table in created:
            of_file = says.get("Grain", "") if len(created) == 1 else ""
            grains = passing if temporary else lasting
            grains[table] = head(comment).get("Grain") or grains.get(table) or of_file
        for table in names(says.get("Makes", "none")):
            made[table].add(name)
        for table in names(says.get("Reads", "none")):
            read[table].add(name)
    parts = []
    for title, grains in (("Tables that last", lasting), ("Tables of one run", passing)):
        rows = [
            [f"`{table}`", grain, _files(made[table]), _files(read[table])]
            for table, grain in sorted(grains.items())
        ]
        parts.append(
            f"## {title}\n\n"
            + markdown_table(["table or view", "grain", "made or changed by", "read by"], rows)
        )
    return "\n\n".join(parts)


def _files(found: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(found))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of Markdown as a table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
