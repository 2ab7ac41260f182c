"""The tables of the docs that come from the code, as Markdown: so they cannot differ from what the program does.

A page holds `<!-- generated: NAME -->` where the table NAME of `TABLES` belongs; `fill` puts it there.
"""

import re
from collections.abc import Callable

import click
from sql_tables import markdown_table, tables

from reconcile.cli.main import cli
from reconcile.core.discrepancies import OUTCOMES, TYPES
from reconcile.core.money import Currencies
from reconcile.report.columns import FILES
from reconcile.settings import DEFAULT_FAMILIES, SECRETS, VARIABLES
from reconcile.validate.rules import Rule
from reconcile.validate.suites import COLUMNS, RULES, rules

_PLACE = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def fill(page: str) -> str:
    """The page with its generated tables; raises KeyError for a table that does not exist."""
    return _PLACE.sub(lambda place: TABLES[place[1]](), page)


def _code(text: str) -> str:
    return f"`{text}`"


def commands(group: click.Group = cli, path: str = "reconcile") -> dict[str, click.Command]:
    """Every command by the words that one types for it; also a group that does something by itself."""
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
    """What `--help` prints, as wide as a page of the site."""
    settings = {**cli.context_settings, "terminal_width": 88, "max_content_width": 88}
    return command.get_help(click.Context(command, info_name=path, **settings))


def _settings() -> str:
    rows = [
        [_code(name) + (" *" if name in SECRETS else ""), variable.default, variable.meaning]
        for name, variable in VARIABLES.items()
    ]
    return markdown_table(["variable", "default", "meaning"], rows) + "\n\n\\* can be given as `…_FILE`."


def _statuses() -> str:
    rows = [
        [side, family, ", ".join(_code(word) if word else "(blank)" for word in words)]
        for (side, family), words in DEFAULT_FAMILIES.items()
    ]
    return markdown_table(["side", "family", "words"], rows)


def _discrepancies() -> str:
    rows = []
    for name, one in TYPES.items():
        severity = str(one.severity)
        if one.severity_of_refunded:
            severity += f"; {one.severity_of_refunded} if refunded"
        steps = [one.next_step]
        if one.next_step_of_refunded:
            steps.append(f"If refunded: {one.next_step_of_refunded}")
        rows.append([_code(name), severity, one.when, " ".join(steps)])
    return markdown_table(["type", "severity", "when", "what to do next"], rows)


def _outcomes() -> str:
    return markdown_table(
        ["outcome", "what it means"], [[_code(name), meaning] for name, meaning in OUTCOMES.items()]
    )


def _columns() -> str:
    return "\n\n".join(
        f"## {file}\n\n"
        + markdown_table(
            ["column", "meaning", "written as"],
            [[_code(column.name), column.meaning, column.form] for column in columns],
        )
        for file, columns in FILES.items()
    )


def _expectations() -> str:
    suites: dict[str, tuple[Rule, list[str]]] = {}
    for suite, parts in RULES.items():
        of_records = rules(suite, Currencies(), {}) if suite in COLUMNS else ()
        for rule in (*of_records, *(rule for part in parts.values() for rule in part)):
            suites.setdefault(rule.name, (rule, []))[1].append(suite)
    rows = [
        [
            _code(rule.name),
            ", ".join(names),
            ", ".join(map(_code, rule.columns)),
            rule.weight,
            f"{rule.field} {rule.reason}".strip(),
            rule.why,
        ]
        for rule, names in suites.values()
    ]
    return markdown_table(
        ["expectation", "suite", "columns", "weight", "what is wrong", "why it exists"], rows
    )


def _suite_columns() -> str:
    rows = [
        [_code(column), suite, _code(field)]
        for suite, columns in COLUMNS.items()
        for column, field in columns.items()
    ]
    return markdown_table(["column", "on", "field in quarantine.csv"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "columns": _columns,
    "commands": _commands,
    "discrepancies": _discrepancies,
    "expectations": _expectations,
    "outcomes": _outcomes,
    "settings": _settings,
    "statuses": _statuses,
    "suite_columns": _suite_columns,
    "tables": tables,
}
