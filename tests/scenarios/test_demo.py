"""`reconcile demo`, and whether commands print what the documentation shows of the demo and the examples."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconcile import demo
from reconcile.cli import tables
from reconcile.cli.main import cli
from reconcile.core.progress import Progress
from reconcile.pipeline import Finished, Request
from reconcile.report.columns import FILES, RUN_FILES
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from reconcile.settings import Settings
from tests.support.driver import PROGRAM, Outcome, Report, Running, keys, planted
from tests.support.warm import LANG

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo has run, beside settings of real work that lead nowhere."""
    folder = tmp_path_factory.mktemp("demo")
    done = run(
        folder, "demo", KSPAY_BASE_URL="nonsense", RECONCILE_TIMEZONE="Mars", RECONCILE_DATABASE_URL="x"
    )
    (folder / "shown").write_text(done.out, "utf-8")
    assert "match" in done.err  # its progress
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> Outcome:
    """What a command prints; it must end with 0."""
    settings = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": LANG, **environment}
    with Running([str(PROGRAM), *arguments], folder, settings, warm=True) as running:
        outcome = running.ended()
    assert outcome.code == 0, outcome
    return outcome


def block(page: str, first_line: str) -> str:
    """The block of code of a page of the docs that begins with this line."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = re.search(rf"^```(?:python)?\n({re.escape(first_line)}.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no block that begins with {first_line}"
    return found[1]


def test_the_demo_prints_what_the_tutorial_shows(home: Path) -> None:
    assert (home / "shown").read_text("utf-8") == block("getting-started.md", "Reconciled ")


def test_the_demo_beside_real_work(home: Path) -> None:
    """It asks nothing of the settings, and touches neither the reports nor the database of real work."""
    assert {path.name for path in home.iterdir()} == {".reconcile", "reports", "shown"}
    assert [path.name for path in (home / ".reconcile").iterdir()] == ["demo"]
    report = Report((home / "reports" / "demo" / "latest").resolve(strict=True))
    assert f"reports/demo/{report.run_id}/discrepancies.csv" in (home / "shown").read_text("utf-8")
    document = report.document()
    assert (document["from"], document["to"]) == ("2026-03-01", "2026-06-28")
    assert report.findings() == planted(Merchant.made_up(1, date(2026, 3, 1), 120).planted)


def test_another_seed_makes_another_merchant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def reconcile(_settings: Settings, request: Request, *, progress: Progress) -> Finished:
        assert request.ledger is not None
        asked.append(request.ledger.read_bytes())
        return Finished("run", tmp_path, {}, 0)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "DAYS", 2)
    monkeypatch.setattr(demo, "reconcile_period", reconcile)
    monkeypatch.setattr(tables, "show_run", lambda *_: None)
    for words in ((), ("--seed", "1"), ("--seed", "2")):
        assert CliRunner().invoke(cli, ["demo", *words]).exit_code == 0
    assert asked[0] == asked[1] != asked[2]


def test_every_file_of_the_demo_has_the_columns_of_the_docs(home: Path) -> None:
    folder = home / "reports" / "demo" / "latest"
    assert {path.name for path in folder.glob("*.csv")} == {*RUN_FILES}
    for name in RUN_FILES:
        header = (folder / name).read_text("utf-8-sig").splitlines()[0]
        assert header.split(",") == [column.name for column in FILES[name]]


def test_explain_tells_the_story_that_the_docs_show(home: Path) -> None:
    shown = block("explain.md", "$ reconcile explain tx_").partition("\n")
    told = run(home, *shown[0].split()[2:], RECONCILE_HOME=".reconcile/demo").out
    when = re.compile(r"^  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, (.*?, amount \d+).*$", re.MULTILINE)
    assert when.sub(r"  \1", told) == when.sub(r"  \1", shown[2])


def test_inspect_prints_of_the_example_what_the_docs_show(tmp_path: Path) -> None:
    folder = tmp_path / "ledgers"  # the database of the command would stay beside the examples
    shutil.copytree(ROOT / "examples" / "ledgers", folder, ignore=shutil.ignore_patterns(".reconcile"))
    told = run(folder, "ledger", "inspect", "tally.csv", KSPAY_APP_ID="ap_1").out
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
