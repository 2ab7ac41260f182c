"""The wheel, installed where no checkout is: the command works, and says what needs more."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.driver import Report
from tests.support.warm import LANG

ROOT = Path(__file__).parents[2]


def test_the_wheel_works_without_a_checkout(tmp_path: Path) -> None:
    """Alone in an environment that has the libraries: a whole run, and one line where flows are needed."""
    work = tmp_path / "work"
    work.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": LANG}

    def call(*words: str | Path, folder: Path = work) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def good(*words: str | Path, folder: Path = work) -> str:
        done = call(*words, folder=folder)
        assert done.returncode == 0, done
        return done.stdout

    built = tmp_path / "dist"
    good(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built, folder=ROOT)
    [wheel] = built.iterdir()
    uv = Path(sys.executable).with_name("uv")
    python = tmp_path / "venv" / "bin" / "python"
    good(uv, "venv", "--quiet", "--offline", "--no-cache", "--python", sys.executable, tmp_path / "venv")
    good(uv, "pip", "install", "--quiet", "--offline", "--no-cache", "--no-deps", "--python", python, wheel)
    [packages] = (tmp_path / "venv" / "lib").glob("*/site-packages")
    # The folder only: what an editable installation adds to the path from there is not read.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    where = "import reconcile, importlib.util as i; print(reconcile.__path__[0], i.find_spec('flows'))"
    assert good(python, "-c", where).split() == [str(packages / "reconcile"), "None"]

    command = python.with_name("reconcile")
    assert good(command, "demo").startswith("Reconciled 2026-03-01 to 2026-06-28 ")
    assert Report((work / "reports" / "demo" / "latest").resolve(strict=True)).rows("matched")
    environment |= {f"KSPAY_{name}": "x" for name in ("APP_ID", "ACCESS_KEY", "SECRET_KEY")}
    environment |= {"KSPAY_BASE_URL": "http://127.0.0.1:1", "PREFECT_API_URL": "http://127.0.0.1:1/api"}
    refused = call(command, "run")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "reconcile: PREFECT_API_URL is set, and this installation has no Prefect flows: run in a checkout of "
        "kspay-reconcile (make setup), or unset PREFECT_API_URL\n"
    )
