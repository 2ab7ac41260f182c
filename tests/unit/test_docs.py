"""The README is true: what it names exists, what exists it names, and the demo prints what it shows."""

import re
from pathlib import Path

import click

from reconcile.cli.main import cli
from reconcile.report.csv_files import DISCREPANCIES
from reconcile.settings import SECRETS, VARIABLES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def commands(group: click.Group, path: str = "reconcile") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
        else:
            found[f"{path} {name}"] = command
    return found


def test_every_setting_is_described_and_every_described_one_exists() -> None:
    named = set(re.findall(r"\b(?:KSPAY|RECONCILE)_[A-Z_]+[A-Z]\b", README))
    assert {name.removesuffix("_FILE") for name in named} == VARIABLES
    assert {name for name in named if name.endswith("_FILE")} <= {f"{name}_FILE" for name in SECRETS}


def test_every_command_is_described_with_its_options() -> None:
    for path, command in commands(cli).items():
        assert f"`{path}" in README or f", `{path}" in README, path
        for option in command.params:
            if isinstance(option, click.Option) and path in (
                "reconcile run",
                "reconcile fetch",
                "reconcile sandbox",
            ):
                assert option.opts[0] in README, (path, option.opts[0])


def test_every_option_in_the_readme_exists() -> None:
    known = {opt for command in commands(cli).values() for param in command.params for opt in param.opts}
    elsewhere = {"--debug", "--help", "--pool", "--type", "--host", "--all", "--name", "--param", "--port"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) <= known | elsewhere


def test_every_rule_and_type_is_described() -> None:
    rules = {path.stem.partition("_")[2] for path in (ROOT / "sql" / "match").glob("[2-7]*.sql")}
    types = set(re.findall(r"'([A-Z]+_[A-Z_]+)'", (ROOT / "sql" / "match" / "88_rows.sql").read_text()))
    assert len(types) == 12
    for name in rules | types:
        assert f"| `{name}` |" in README, name


def test_every_module_of_the_design_exists() -> None:
    design = README.partition("## Design")[2].partition("```")[2].partition("```")[0]
    for name in re.findall(r"[\w/*]+\.py|\w+/(?=\s)", design):
        path = name.rstrip("/")
        assert any(list(ROOT.glob(f"{place}{path}")) for place in ("", "reconcile/", "sql/")), name


def test_columns_that_the_readme_names_exist() -> None:
    for name in ("discrepancy_id", "first_seen", "age_days", "facts"):
        assert name in DISCREPANCIES
        assert f"`{name}`" in README
