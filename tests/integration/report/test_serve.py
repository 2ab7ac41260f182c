"""The reports as a page: only with the token, only what lies in the folder, and nothing can be changed."""

import base64
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from reconcile.core.errors import UsageError
from reconcile.report.serve import listening, server_of

TOKEN = "0123456789abcdef-token"
RUNS = ("2026-07-01_2026-07-31_10", "2026-08-01_2026-08-31_2", "2026-07-01_2026-07-31_9")


def basic(token: str, name: str = "asha") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{token}'.encode()).decode()}"}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    for name in (*RUNS, ".2026-09-01_2026-09-30_1.writing"):
        (folder / name).mkdir(parents=True)
        (folder / name / "run.json").write_text("{}")
        (folder / name / "report.html").write_text(f"page of {name}")
    (folder / "latest").symlink_to(RUNS[1])
    (folder / "statement-2026-08 <b>.csv").write_text("statement")
    (tmp_path / "secret.txt").write_text("hunter2")
    (folder / "out").symlink_to("../secret.txt")
    return folder


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: dict[str, str]


@pytest.fixture
def ask(reports: Path) -> Iterator[Callable[..., Answer]]:
    """Asks a server of the reports for a path exactly as it is written."""
    server = server_of(reports, TOKEN)
    with listening("127.0.0.1", 0) as listener:
        thread = Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()

        def ask(path: str, headers: dict[str, str], method: str = "GET") -> Answer:
            connection = HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=30)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            found = Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
            connection.close()
            return found

        yield ask
        server.should_exit = True
        thread.join()


def test_only_who_knows_the_token_sees_anything(ask: Callable[..., Answer]) -> None:
    wrong: tuple[dict[str, str], ...] = (
        {},
        basic(TOKEN[:-1]),
        basic(""),
        basic(f"{TOKEN}é"),
        {"Authorization": "Basic ?"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": TOKEN},
    )
    for headers in wrong:
        for path in ("/", "/latest/report.html", "/none", f"/?token={TOKEN}"):
            refused = ask(path, headers)
            assert (refused.status, "page of" in refused.text) == (401, False)
            assert refused.headers["www-authenticate"].startswith("Basic")
    for headers in (basic(TOKEN), {"Authorization": f"Bearer {TOKEN}"}):
        found = ask("/latest/report.html", headers)
        assert (found.status, found.text) == (200, f"page of {RUNS[1]}")
        assert found.headers["cache-control"] == "private, no-store"


def test_the_index_and_what_is_not_given(ask: Callable[..., Answer], reports: Path) -> None:
    known = basic(TOKEN)
    index = ask("/", known).text
    places = [index.index(f'href="{name}/"') for name in (RUNS[1], RUNS[0], RUNS[2])]
    assert places == sorted(places)
    assert ".writing" not in index
    assert 'href="statement-2026-08%20%3Cb%3E.csv">statement-2026-08 &lt;b&gt;.csv<' in index
    # Never an address that a browser reads as another server's.
    for path in ("/latest", "//latest", "//example.com/../latest"):
        assert ask(path, known).headers.get("location", "./latest/") == "./latest/"
    assert "location" not in ask(f"/{reports}/latest", known).headers
    assert 'href="report.html"' in ask("/latest/", known).text
    hidden = "/.2026-09-01_2026-09-30_1.writing/run.json"
    for path in ("/out", "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", hidden, "/%00"):
        assert ask(path, known).status == 404, path
    for method in ("POST", "PUT", "DELETE"):
        assert ask("/", known, method).status == 405


def test_a_short_token_and_a_folder_that_is_none_are_refused(reports: Path) -> None:
    with pytest.raises(UsageError, match="RECONCILE_SERVE_TOKEN has fewer than 16 letters"):
        server_of(reports, "short")
    with pytest.raises(UsageError, match="is no folder"):
        server_of(reports / "none", TOKEN)


def test_a_stray_file_breaks_no_page(ask: Callable[..., Answer], reports: Path) -> None:
    """A name that is not UTF-8 came from another machine, a pipe from a slip: neither is given, all others are."""
    (reports / b"M\xc4RZ.txt".decode("utf-8", "surrogateescape")).write_text("x")
    run = reports / b"M\xc4RZ_1_1".decode("utf-8", "surrogateescape")
    run.mkdir()
    (run / "run.json").write_text("{}")
    os.mkfifo(reports / "pipe")
    known = basic(TOKEN)
    index = ask("/", known)
    assert index.status == 200
    assert all(name in index.text for name in (*RUNS, "statement-2026-08"))
    for name in ("RZ", "pipe", "out"):  # nor a link that leads out of the folder
        assert name not in index.text
    assert ask("/pipe", known).status == ask("/pipe/", known).status == 404
    assert "report.html" in ask("/latest/", known).text
