"""The documentation is true: what it names exists, what exists it names."""

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from reconcile.cli.main import cli
from reconcile.core.discrepancies import TYPES
from reconcile.kspay.paging.period_reader import PAGE_SIZE
from reconcile.ledger.profile import COLUMNS, REQUIRED
from reconcile.match.engine import PHASES
from reconcile.settings import SECRETS, VARIABLES, Settings
from tests.unit.test_layers import ORDER

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]  # a changelog also names what has gone

every_page = pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.name)

# Programs whose command lines the docs show.
OTHERS = frozenset({"--pool", "--type", "--all", "--limit"})


def code(page: Path) -> Iterator[str]:
    """Every line of a block of code, and every inline code, of a page."""
    text = page.read_text("utf-8")
    blocks = re.compile(r"^( *)```.*?\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
    for block in blocks.finditer(text):
        yield from block[2].splitlines()
    yield from re.findall(r"`([^`\n]+)`", blocks.sub("", text))


def command(words: list[str]) -> click.Command:
    """The command that these words begin with; fails if a group does not know the next word."""
    found: click.Command = cli
    for word in words:
        if word.startswith("-") or not isinstance(found, click.Group):
            break
        if found.invoke_without_command and word not in found.commands:
            break
        assert word in found.commands, f"{found.name} has no command {word}"
        found = found.commands[word]
    return found


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 6 * 1024


def test_every_module_that_is_named_exists() -> None:
    """In docstrings, comments and pages: reconcile.core.errors, also with the name of what stands in it."""
    folders = [ROOT / name for name in ("reconcile", "flows", "sql")]
    texts = [
        *CURRENT,
        *(path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".sql")),
    ]
    named = {
        name
        for path in texts
        for line in path.read_text("utf-8").splitlines()
        if not re.match(r"\s*(from|import) ", line)
        for name in re.findall(r"(?<![\w./-])reconcile\.[a-z]+(?:\.[a-z_]\w*)+(?![\w.]*/)", line)
    }
    assert "reconcile.core.errors" in named
    for name in sorted(named):
        module, _, last = name.rpartition(".")
        assert hasattr(import_module(module), last) or find_spec(name), name


@every_page
def test_every_command_and_option_exists(page: Path) -> None:
    for line in code(page):
        if line.startswith("prefect "):
            continue  # a pool may be named reconcile
        for call in re.findall(r"(?:^|(?<=[\s/]))reconcile(?= [a-z-])([^#|`;&]*)", line):
            words = call.split()
            named = command(words[1:] if words[0] == "--debug" else words)
            known = {option for one in (cli, named) for parameter in one.params for option in parameter.opts}
            options = [word for word in words if word.startswith("--")]
            assert {*options} <= {*known, "--help"}, line


@every_page
def test_every_option_that_stands_alone_exists(page: Path) -> None:
    def options(group: click.Command) -> set[str]:
        inner = group.commands.values() if isinstance(group, click.Group) else ()
        return {option for one in group.params for option in one.opts}.union(*map(options, inner))

    known = options(cli) | OTHERS | {"--help"}
    for line in code(page):
        if re.match("--[a-z]", line):
            assert line.split()[0] in known, line


@every_page
def test_every_setting_exists(page: Path) -> None:
    named = set(re.findall(r"\b(?:KSPAY|RECONCILE)_[A-Z_]+[A-Z]\b", page.read_text("utf-8")))
    assert named <= {*VARIABLES, *(f"{name}_FILE" for name in SECRETS)}


@every_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for line in code(page) for target in re.findall(r"(?:^|\s)make ([a-z-]+)", line)}
    assert named <= targets


@every_page
def test_every_link_to_a_file_resolves(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@every_page
def test_every_path_of_the_project_exists(page: Path) -> None:
    top = "|".join(re.escape(path.name) for path in ROOT.iterdir() if path.is_dir() and path.name[0] != ".")
    for text in code(page):
        for path in re.findall(rf"(?<![\w./-])(?:{top})/[\w./*-]*\w", text):
            if not path.startswith(("reports/", "site/")):
                assert [*ROOT.glob(path.replace("NAME", "*"))], path


def test_every_page_of_the_docs_is_in_the_navigation() -> None:
    index = (DOCS / "index.md").read_text("utf-8")
    listed = {
        line for tree in re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL) for line in tree.splitlines()
    }
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= listed


def test_the_architecture_lists_the_folders_in_their_order() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8").partition("## The folders")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `reconcile/(\w+)(?:\.py)?` \|", text, re.MULTILINE) == [*ORDER]


def test_the_architecture_names_every_phase_of_matching() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8").partition("## The SQL")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
    assert [phase for row in rows for phase in re.findall(r"`(\w+)`", row)] == [*PHASES]


def test_every_default_that_the_docs_show_is_the_default() -> None:
    defaults = replace(Settings(), page_size=PAGE_SIZE)  # with which pages begin where no size is set
    for name, variable in VARIABLES.items():
        attribute = name.removeprefix("RECONCILE_").lower()
        shown = variable.default.strip("`")
        if (
            name.startswith("RECONCILE_")
            and hasattr(defaults, attribute)
            and shown[:4] not in ("none", "an e")
        ):
            assert str(getattr(defaults, attribute)).lower() == shown.lower(), name


def test_every_rule_is_described() -> None:
    text = (DOCS / "matching-rules.md").read_text("utf-8")
    rules = {*PHASES["rules"]} - {"manual"}
    assert len(rules) == 7
    for name in (*rules, "manual"):
        assert f"| `{name}` |" in text, name


def test_every_column_of_a_ledger_is_described() -> None:
    table = (DOCS / "ledger-files.md").read_text("utf-8").partition("## Columns")[2].partition("\n## ")[0]
    cells = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    named = {name: required.strip() for cell, required in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named.keys() == {*COLUMNS}
    assert {name for name, required in named.items() if required == "yes"} == {*REQUIRED}


def test_the_types_of_the_docs_are_those_of_the_sql() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "sql").rglob("*.sql")]
    assert set(re.findall("'([A-Z]+_[A-Z]+(?:_[A-Z]+)?)'", "\n".join(texts))) == {*TYPES}
