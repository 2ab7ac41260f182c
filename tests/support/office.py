"""LibreOffice for tests: a profile of its own, and no window."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.guarded import guarded

# Formulas are worked out anew when a workbook is opened, whatever results are stored in it.
_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">
<value>0</value></prop></item>
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse">
<value>{locale}</value></prop></item></oor:items>
"""

_EMPTY = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" office:version="1.2"
 office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><office:body><office:spreadsheet/></office:body>
</office:document>
"""


class Office:
    """One installation of the program, which reads and shows numbers and dates as people of its locale do."""

    def __init__(self, folder: Path, locale: str = "en-US") -> None:
        self.folder = folder
        settings = folder / "profile" / "user"
        settings.mkdir(parents=True)
        (settings / "registrymodifications.xcu").write_text(_SETTINGS.format(locale=locale), "utf-8")
        profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
        self._program: list[str | Path] = ["soffice", "--headless", "--norestore", profile]

    @contextmanager
    def opened(self) -> Iterator["Office"]:
        """Open the program, and leave it open until the block ends: to start it takes a second of processor time.

        It stays as long as it has a document. One that is started with the same profile hands its job to the first,
        and waits for the end of it.
        """
        document = self.folder / "empty.fods"
        document.write_text(_EMPTY, "utf-8")
        is_open = self.folder / f".~lock.{document.name}#"  # the program's own sign
        with guarded([*self._program, document], self.folder, self.folder / "log") as program:
            begun = time.monotonic()
            while not is_open.exists():
                assert program.poll() is None, (self.folder / "log").read_text("utf-8")
                assert time.monotonic() < begun + 100, "the program does not open a document"
                time.sleep(0.05)
            yield self

    def convert(self, path: Path, target: str, *options: str) -> Path:
        """Open a file and save it as another kind (`csv`, `xlsx:Calc MS Excel 2007 XML`); the path of that."""
        out = self.folder / "out"
        saved = out / f"{path.stem}.{target.partition(':')[0]}"
        for former in out.glob(f"{path.stem}*{saved.suffix}"):  # of another file of this name
            former.unlink()
        done = subprocess.run(
            [*self._program, *options, "--convert-to", target, "--outdir", out, path],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        # A file for each sheet has its name behind that of the workbook.
        assert [*out.glob(f"{path.stem}*{saved.suffix}")], (self.folder / "log").read_text("utf-8")
        return saved
