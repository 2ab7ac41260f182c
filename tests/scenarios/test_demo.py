"""`reconcile demo` prints what the README shows."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shown = README.partition("planted in it.\n\n```\n")[2].partition("```")[0]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [Path(sys.executable).with_name("reconcile"), "demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown
    assert "match" in done.stderr
    assert (tmp_path / "reports" / "demo" / "latest" / "discrepancies.csv").exists()
