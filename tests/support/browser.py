"""A headless Chromium for tests, driven over its own debugging pipe: no driver, no port, no network."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip


class Tab:
    """One open page: what it shows, and all that it said or asked for."""

    def __init__(self, to: int, of: int) -> None:
        self._to = to
        self._of = of
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.said: list[str] = []
        """Every message on the console, every error and every violation of the page's policy."""
        self.asked: list[str] = []
        """Every address that was asked for."""

    def attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call the DevTools protocol and wait for the answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._of, 1 << 20)
            assert more, "the browser has ended"
            self._rest += more
        text, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        match answer.get("method"):
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.said.append(json.dumps(answer["params"]))
            case "Network.requestWillBeSent":
                self.asked.append(answer["params"]["request"]["url"])
        return answer

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.call("Page.navigate", url=path.absolute().as_uri())
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def size(self, width: int, height: int) -> None:
        """Make the page's window so large."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def picture(self, path: Path, selector: str = "body") -> None:
        """Save what the page shows of an element as a PNG."""
        box = self.value(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height} })()"
        )
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip={**box, "scale": 1})
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def browser() -> Iterator[Tab]:
    """A browser with a new profile, ended and removed with the block."""
    profile = tempfile.mkdtemp(prefix="reconcile-chromium-")
    its_in, to = os.pipe()
    of, its_out = os.pipe()
    process = subprocess.Popen(
        # The browser reads its file descriptor 3 and writes 4, whatever numbers ours have; a plain sh may
        # not know numbers of two digits.
        ["bash", "-c", f'exec "$@" 3<&{its_in} 4>&{its_out}', "bash", PROGRAM, *FLAGS, f"--user-data-dir={profile}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(its_in, its_out),
        start_new_session=True,
    )  # fmt: skip
    os.close(its_in)
    os.close(its_out)
    try:
        tab = Tab(to, of)
        tab.attach()
        yield tab
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        os.close(to)
        os.close(of)
        shutil.rmtree(profile, ignore_errors=True)
