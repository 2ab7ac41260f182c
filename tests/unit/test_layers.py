"""Data walks down the folders in one direction: no module imports from a folder that comes after its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "reconcile"

# From the ground up; each may import those before it and itself. A name is a folder or a single module.
ORDER = (
    "core",
    "ledger",
    "kspay",
    "settings",
    "db",
    "normalise",
    "validate",
    "context",
    "load",
    "match",
    "decide",
    "inbox",
    "report",
    "sandbox",
    "pipeline",
    "notify",
    "late",
    "validate_all",
    "doctor",
    "demo",
    "cli",
    "__main__",
)


def imported(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def places() -> set[str]:
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in PACKAGE.glob("*/**/*.py")}
    return folders | {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


def test_the_order_names_every_folder_and_module() -> None:
    assert places() == set(ORDER)


@pytest.mark.parametrize("place", ORDER)
def test_no_import_goes_up(place: str) -> None:
    folder = PACKAGE / place
    files = folder.rglob("*.py") if folder.is_dir() else [PACKAGE / f"{place}.py"]
    above = ORDER[ORDER.index(place) + 1 :]
    upward = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files
        for name in imported(path)
        if (parts := name.split("."))[0] == "flows" or (parts[0] == "reconcile" and parts[1] in above)
    ]
    if place == "cli":  # with PREFECT_API_URL set, `reconcile run` is a flow run
        upward = [found for found in upward if not found.startswith("cli/run.py imports flows.")]
    assert upward == []


def test_modules_import_each_other_in_no_circle() -> None:
    names = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
        for path in PACKAGE.rglob("*.py")
    }
    edges = {
        module: {
            known for name in imported(path) for known in (name, name.rpartition(".")[0]) if known in names
        }
        - {module}
        for module, path in names.items()
    }
    while leaves := [module for module, needs in edges.items() if not needs & edges.keys()]:
        for module in leaves:
            del edges[module]
    assert sorted(edges) == []


OF_THE_PROCESS = {
    "environ",
    "getenv",
    "getcwd",
    "cwd",
    "home",
    "now",
    "today",
    "getpid",
    "geteuid",
    "getuid",
    "isatty",
}


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What is evaluated when a module is imported: all but the bodies of its functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_import(child)


def test_an_import_reads_nothing_of_the_process() -> None:
    """Neither its environment nor its folder nor the time: the tests fork commands from a process that has imported."""
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.attr}"
        for path in PACKAGE.rglob("*.py")
        for node in at_import(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in OF_THE_PROCESS
    ]
    assert found == []
