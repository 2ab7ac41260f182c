"""A server between the command and KS Pay, that holds answers back, spoils them or turns them round."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from reconcile.sandbox.server import Sandbox

Spoil = Callable[[str, bytes], tuple[int, bytes] | bytes | None]
"""Given the path with its query and the honest body: the body to send, or status and body, or None for
a connection that breaks off."""

KEPT = ("authorization", "content-type")


@contextmanager
def gate(sandbox: Sandbox, spoil: Spoil) -> Iterator[Sandbox]:
    """The same app through a gate; what `spoil` raises or waits for, the caller of the API meets."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            answer = requests.request(
                self.command,
                sandbox.base_url + self.path,
                data=self.rfile.read(length),
                headers={name: self.headers[name] for name in KEPT if name in self.headers},
                timeout=30,
            )
            spoilt = spoil(self.path, answer.content)
            if spoilt is None:
                self.close_connection = True
                return
            status, body = (answer.status_code, spoilt) if isinstance(spoilt, bytes) else spoilt
            with suppress(ConnectionError):  # the command was killed meanwhile
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield replace(sandbox, base_url=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Hold:
    """Holds the answers whose path begins so, until it is let go."""

    def __init__(self, beginning: str) -> None:
        self._beginning = beginning
        self.held = threading.Event()
        self.go = threading.Event()

    def __call__(self, path: str, body: bytes) -> bytes:
        if path.startswith(self._beginning):
            self.held.set()
            self.go.wait(120)
        return body
