"""How Sphinx builds these pages: `make docs`. The site needs no network when it is read."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import generate

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "kspay-reconcile"
author = "The authors of kspay-reconcile"
copyright = "The authors of kspay-reconcile. Licence: Apache-2.0"  # noqa: A001 (Sphinx names it so)
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
nitpicky = True

html_theme = "furo"
html_title = "kspay-reconcile"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["site.css"]
highlight_language = "text"  # most blocks are terminal sessions: only what names its language is coloured


def _fill(_app: "Sphinx", _page: str, source: list[str]) -> None:
    source[0] = generate.fill(source[0])


def setup(app: "Sphinx") -> None:
    """Fill in the generated tables of each page while it is read."""
    app.connect("source-read", _fill)
