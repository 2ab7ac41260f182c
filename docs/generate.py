"""The tables of the docs that come from the code, as Markdown: so they cannot differ from what the program does.

A page holds `<!-- generated: NAME -->` where the table NAME of `TABLES` belongs; `fill` puts it there.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import click

from reconcile.cli import cli
from reconcile.settings import DEFAULT_FAMILIES

_PLACE = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def fill(page: str) -> str:
    """The page with its generated tables; raises KeyError for a table that does not exist."""
    return _PLACE.sub(lambda place: TABLES[place[1]](), page)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`"


def commands(group: click.Group = cli, path: str = "reconcile") -> dict[str, click.Command]:
    """Every command by the words that one types for it; groups that are commands themselves too."""
    found: dict[str, click.Command] = {}
    for name, command in sorted(group.commands.items()):
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found[f"{path} {name}"] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
    return found


def _commands() -> str:
    return "\n\n".join(
        f"## {path}\n\n```\n{_help(path, command)}\n```" for path, command in commands().items()
    )


def _help(path: str, command: click.Command) -> str:
    """What `--help` prints, as wide as a page."""
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100)
    return command.get_help(context)


def _statuses() -> str:
    rows = [
        [str(side), str(family), ", ".join(_code(word) if word else "(blank)" for word in words)]
        for (side, family), words in DEFAULT_FAMILIES.items()
    ]
    return _table(["side", "family", "words"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "commands": _commands,
    "statuses": _statuses,
}
