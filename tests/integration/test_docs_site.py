"""The documentation as its readers see it: the built site."""

import re
import subprocess
import sys
from pathlib import Path

from reconcile.core.discrepancies import TYPES
from reconcile.settings import VARIABLES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path: Path) -> None:
    builder = ["-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--builder", "html"]
    done = subprocess.run(
        [sys.executable, *builder, DOCS, tmp_path], capture_output=True, text=True, timeout=200, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for path in [*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")]:
        text = path.read_text("utf-8")
        assert "<!-- generated" not in text, path
        loaded = re.findall(r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=\"(\w+:)?//[^\"]*", text)
        loaded += re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^\"')]*", text)
        assert loaded == [], path
    settings = (tmp_path / "settings.html").read_text("utf-8")
    assert all(f">{name}<" in settings for name in VARIABLES)
    types = (tmp_path / "discrepancies.html").read_text("utf-8")
    assert all(f">{name}<" in types for name in TYPES)
