"""`reconcile demo`, and whether commands print what the documentation shows of the demo and the examples."""

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from reconcile.report.columns import FILES, RUN_FILES
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.support.driver import keys

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo has run."""
    folder = tmp_path_factory.mktemp("demo")
    done = run(folder, "demo")
    (folder / "shown").write_text(done.stdout, "utf-8")
    assert "match" in done.stderr  # its progress
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command prints; it must end with 0."""
    done = subprocess.run(
        [Path(sys.executable).with_name("reconcile"), *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def block(page: str, first_line: str) -> str:
    """The block of code of a page of the docs that begins with this line."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = re.search(rf"^```(?:python)?\n({re.escape(first_line)}.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no block that begins with {first_line}"
    return found[1]


def test_the_demo_prints_what_the_tutorial_shows(home: Path) -> None:
    assert (home / "shown").read_text("utf-8") == block("getting-started.md", "Reconciled ")


def test_every_file_of_the_demo_has_the_columns_of_the_docs(home: Path) -> None:
    folder = home / "reports" / "demo" / "latest"
    assert {path.name for path in folder.glob("*.csv")} == {*RUN_FILES}
    for name in RUN_FILES:
        header = (folder / name).read_text("utf-8-sig").splitlines()[0]
        assert header.split(",") == [column.name for column in FILES[name]]


def test_explain_tells_the_story_that_the_docs_show(home: Path) -> None:
    shown = block("explain.md", "$ reconcile explain tx_").partition("\n")
    told = run(home, *shown[0].split()[2:], RECONCILE_HOME=".reconcile/demo").stdout
    when = re.compile(r"^  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, (.*?, amount \d+).*$", re.MULTILINE)
    assert when.sub(r"  \1", told) == when.sub(r"  \1", shown[2])


def test_inspect_prints_of_the_example_what_the_docs_show() -> None:
    told = run(ROOT / "examples" / "ledgers", "ledger", "inspect", "tally.csv", KSPAY_APP_ID="ap_1").stdout
    assert told == block("ledger-profiles.md", "tally.csv: CSV")


def test_the_example_of_the_client_prints_what_the_docs_say(tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(block("kspay-client.md", "import os"), "utf-8")
    with serve(Merchant.made_up(3, date(2026, 4, 1), 5)) as sandbox:
        done = subprocess.run(
            [sys.executable, program],
            env={"PATH": os.environ["PATH"], **keys(sandbox)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "True True\nsuccess\n"), done.stderr
