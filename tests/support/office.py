"""LibreOffice for tests: a profile of its own, and no window."""

import subprocess
from pathlib import Path

# Formulas are worked out anew when a workbook is opened, whatever results are stored in it.
_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">
<value>0</value></prop></item>
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse">
<value>{locale}</value></prop></item></oor:items>
"""


class Office:
    """One installation of the program, which reads and shows numbers and dates as people of its locale do."""

    def __init__(self, folder: Path, locale: str = "en-US") -> None:
        self.folder = folder
        settings = folder / "profile" / "user"
        settings.mkdir(parents=True)
        (settings / "registrymodifications.xcu").write_text(_SETTINGS.format(locale=locale), "utf-8")

    def convert(self, path: Path, target: str, *options: str) -> Path:
        """Open a file and save it as another kind (`csv`, `xlsx:Calc MS Excel 2007 XML`); the path of that."""
        out = self.folder / "out"
        done = subprocess.run(
            [
                "soffice",
                "--headless",
                f"-env:UserInstallation={(self.folder / 'profile').as_uri()}",
                *options,
                "--convert-to",
                target,
                "--outdir",
                str(out),
                str(path),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return out / f"{path.stem}.{target.partition(':')[0]}"
