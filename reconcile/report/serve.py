"""`reconcile serve`: the reports folder as a small read-only page, behind a token.

The token is the password of HTTP's own sign-in (Basic, with any name), or a bearer token for programs. It is never a
part of an address, and compared in constant time. Nothing outside of the folder is given, nor a file that is hidden.
"""

import base64
import binascii
import hmac
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from reconcile.core.errors import UsageError

SHORTEST_TOKEN = 16

_FIRST = ("report.html", "discrepancies.csv")
"""Files of a run that the index links to, beside its workbook."""

_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>{0}</title>"
    "<meta name=viewport content='width=device-width'>"
    "<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}}"
    "td{{padding:.2rem 1.5rem .2rem 0}}</style><h1>{0}</h1>{1}"
)


def app_of(folder: Path, token: str) -> Starlette:
    """The application that gives the files of this folder to whoever knows the token."""

    def answer(request: Request) -> Response:
        if not _knows(request.headers.get("Authorization", ""), token):
            challenge = {"WWW-Authenticate": 'Basic realm="reports", charset="UTF-8"'}
            return PlainTextResponse("Sign in: any name, and the token as password.\n", 401, challenge)
        found = _inside(folder, request.path_params["path"].lstrip("/"))
        if found is None:
            return PlainTextResponse("There is no such report.\n", 404)
        if found.is_file():
            return FileResponse(found)
        is_root = found == folder.resolve()
        if not request.url.path.endswith("/"):
            # Relative: `//host` would be another server's address.
            return RedirectResponse(f"./{quote(request.url.path.rpartition('/')[2])}/")
        body = _runs(found) if is_root else _files(folder, found)
        return HTMLResponse(_PAGE.format(escape("Reports" if is_root else found.name), body))

    def guarded(request: Request) -> Response:
        response = answer(request)
        response.headers.update(_HEADERS)
        return response

    return Starlette(routes=[Route("/{path:path}", guarded, methods=["GET", "HEAD"])])


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket at this address. Raises UsageError if it is not free."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise UsageError(f"cannot listen on {host} port {port}: {reason}; choose another --port") from None
    with listener:
        yield listener


def server_of(folder: Path, token: str) -> uvicorn.Server:
    """A server for a socket of `listening`. Raises UsageError for a token that is too short, or a path that is no
    folder."""
    if len(token) < SHORTEST_TOKEN:
        raise UsageError(
            f"RECONCILE_SERVE_TOKEN has fewer than {SHORTEST_TOKEN} letters: take a random one, for example of "
            "openssl rand -hex 24"
        )
    if not folder.is_dir():
        raise UsageError(f"--out {folder} is no folder: name that of the reports")
    return uvicorn.Server(
        uvicorn.Config(
            app_of(folder, token),
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )


def _knows(header: str, token: str) -> bool:
    kind, _, given = header.partition(" ")
    if kind.lower() == "basic":
        try:
            given = base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            given = ""
    elif kind.lower() != "bearer":
        given = ""
    return hmac.compare_digest(given.strip().encode(), token.encode())


def _inside(folder: Path, path: str) -> Path | None:
    """The file or folder of this path, links resolved; None if there is none, or not in the folder, or hidden."""
    root = folder.resolve()
    try:
        found = (root / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # a loop of links, a NUL
        return None
    if not found.is_relative_to(root) or not os.access(found, os.R_OK):
        return None
    if not (found.is_file() or found.is_dir()):  # a pipe, a socket
        return None
    return None if any(part.startswith(".") for part in found.relative_to(root).parts) else found


def _runs(folder: Path) -> str:
    """The runs, that of the newest as-of day first, and the files beside them."""
    names = [
        path.name
        for path in folder.iterdir()
        if path.name[0] != "." and _is_text(path.name) and _inside(folder, f"{path.name}/run.json")
    ]
    runs = sorted((name for name in names if name.count("_") == 2), key=_order, reverse=True)
    rows = "".join(
        f"<tr><td>{_link(name + '/', _title(name))}</td>"
        + "".join(
            f"<td>{_link(f'{name}/{file}', label)}</td>"
            for file, label in (
                *zip(_FIRST, _FIRST, strict=True),
                (f"report-{name}.xlsx", "workbook"),
            )
        )
        + "</tr>"
        for name in runs
    )
    return f"<table>{rows}</table>{_files(folder, folder, leave_out=[*names, 'latest'])}"


def _order(name: str) -> tuple[str, str, int]:
    first, last, number = name.split("_")
    return last, first, int(number) if number.isdigit() else 0


def _title(name: str) -> str:
    first, last, number = name.split("_")
    return f"{first} to {last}, run {number}"


def _files(root: Path, folder: Path, leave_out: Sequence[str] = ()) -> str:
    """Those that would be given: a link that leads out of `root` is not named either."""
    below = folder.resolve().relative_to(root.resolve())
    found = [
        path
        for path in sorted(folder.iterdir())
        if _is_text(path.name)
        and path.name[0] != "."
        and path.name not in leave_out
        and _inside(root, str(below / path.name))
    ]
    names = [f"{path.name}/" if path.is_dir() else path.name for path in found]
    return f"<ul>{''.join(f'<li>{_link(name, name)}' for name in names)}</ul>"


def _is_text(name: str) -> bool:
    """Whether an address can hold this name: one that is not UTF-8 would break the page of all others."""
    return not any("\udc80" <= letter <= "\udcff" for letter in name)


def _link(target: str, text: str) -> str:
    return f'<a href="{quote(target)}">{escape(text)}</a>'
