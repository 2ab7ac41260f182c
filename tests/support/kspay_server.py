"""A scripted KS Pay: a real HTTP server on 127.0.0.1 that plays what a test tells it to."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from reconcile.kspay import Credentials, KSPay

ACCESS_KEY = "access-key-for-tests"
SECRET_KEY = "secret-key-for-tests"
APP_ID = "ap_mPFz05qW2"


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def authorization(self) -> str | None:
        return self.headers.get("Authorization")


@dataclass
class Reply:
    """One answer. `body` is sent as JSON unless it is bytes. `fault`: none, reset, truncate, hang or drip."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def success(result: Any, status: int = 200) -> Reply:
    """The enveloped rendering."""
    return Reply(status, {"status": status, "message": "success", "result": result})


def failure(status: int, code: int | None, message: str, **headers: str) -> Reply:
    body: dict[str, Any] = {"status": status, "message": message}
    if code is not None:
        body["code"] = code
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


Handler = Callable[[Asked], Reply]


def jwt(number: int, expires_at: float, issued_at: float | None = None) -> str:
    """A token with an `exp` claim; the signature is nobody's."""
    claims = {"exp": expires_at, "n": number, **({} if issued_at is None else {"iat": issued_at})}
    parts = (b'{"alg":"HS256"}', json.dumps(claims).encode(), b"signed")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class KSPayServer:
    """Answers by the handlers in `calls`, (method, first part of the path) → handler; notes each request.

    The calls that give tokens are there from the start: access tokens live `token_seconds` by a clock
    that runs `clock_ahead` seconds ahead of ours, and are checked with `self.refusal(asked)`.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.calls: dict[tuple[str, str], Handler] = {
            ("POST", "/auth/generate-token/"): self.generate,
            ("POST", "/auth/refresh-token"): self.refresh,
        }
        self.token_seconds = 900.0
        self.clock_ahead = 0.0
        self.enveloped = True
        self.issued = 0
        self.dead_access: set[str] = set()
        self.access = self.renewal = ""
        self.lock = threading.Lock()
        self.released = threading.Event()  # lets hanging and dripping answers end
        outer = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def do_GET(self) -> None:
                outer.serve(self)

            do_POST = do_GET  # noqa: N815  the name that http.server looks for

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the client went away, which is what many tests are about

        self.http = Server(("127.0.0.1", 0), Connection)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(5)

    # What a test uses.

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.url, APP_ID, ACCESS_KEY, SECRET_KEY)

    def client(self, **options: Any) -> KSPay:
        """A client that retries quickly and gives up after a second unless told otherwise."""
        return KSPay(self.credentials, **{"give_up_seconds": 1, "backoff_seconds": 0.01, **options})

    def on(self, method: str, path: str, *replies: Reply | Handler) -> None:
        """Answer this call with each reply in turn, the last one again and again."""
        waiting = list(replies)

        def handler(asked: Asked) -> Reply:
            with self.lock:
                reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return reply(asked) if callable(reply) else reply

        self.calls[(method, path)] = handler

    def times(self, method: str, path: str) -> int:
        return len(self.requests(method, path))

    def requests(self, method: str, path: str) -> list[Asked]:
        return [
            asked
            for asked in list(self.asked)
            if (asked.method, asked.path.startswith(path)) == (method, True)
        ]

    def now(self) -> float:
        return time.time() + self.clock_ahead

    # The tokens.

    def generate(self, asked: Asked) -> Reply:
        keys = (asked.json.get("accessKey"), asked.json.get("secretKey"))
        if keys != (ACCESS_KEY, SECRET_KEY):
            return failure(400, 11004, f"Invalid credentials, please check the provided secret key {keys[1]}")
        return self.pair()

    def refresh(self, asked: Asked) -> Reply:
        if asked.authorization != self.renewal:
            return failure(401, 9008, "Refresh token has expired.")
        return self.pair()

    def pair(self) -> Reply:
        with self.lock:
            self.issued += 1
            self.access = jwt(self.issued, self.now() + self.token_seconds)
            self.renewal = f"refresh-{self.issued}"
            pair = {"accessToken": self.access, "refreshToken": self.renewal}
        return success(pair, 201) if self.enveloped else Reply(201, pair)

    def refusal(self, asked: Asked) -> Reply | None:
        """What a call answers that was not given the living access token; None if it was."""
        token = (asked.authorization or "").removeprefix("Bearer ")
        if token == self.access and token not in self.dead_access and token:
            return None
        return failure(401, 9009, "Token has expired.")

    def guarded(self, reply: Reply | Handler) -> Handler:
        """The same answer, only for those who show the access token."""
        return lambda asked: self.refusal(asked) or (reply(asked) if callable(reply) else reply)

    # The serving.

    def serve(self, connection: BaseHTTPRequestHandler) -> None:
        url = urlsplit(connection.path)
        length = int(connection.headers.get("Content-Length") or 0)
        asked = Asked(
            connection.command,
            url.path,
            dict(parse_qsl(url.query)),
            dict(connection.headers.items()),
            connection.rfile.read(length),
        )
        self.asked.append(asked)
        matching = [
            (len(path), handler)
            for (method, path), handler in self.calls.items()
            if method == asked.method and asked.path.startswith(path)
        ]
        reply = (
            max(matching, key=lambda each: each[0])[1](asked)
            if matching
            else failure(404, -10, "no such call")
        )
        self.send(connection, reply)

    def send(self, connection: BaseHTTPRequestHandler, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        if reply.fault == "hang":
            self.released.wait(30)
        if reply.fault in ("reset", "hang"):
            connection.close_connection = True
            # With a linger time of zero the connection ends with a reset instead of an orderly close.
            connection.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.connection.close()
            return
        connection.send_response_only(reply.status)
        headers = {
            "Date": format_datetime(datetime.fromtimestamp(self.now(), UTC), usegmt=True),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **reply.headers,
        }
        for name, value in headers.items():
            connection.send_header(name, value)
        connection.end_headers()
        if reply.fault == "truncate":
            connection.wfile.write(body[: len(body) // 2])
            connection.close_connection = True
            return
        if reply.fault == "drip":
            for byte in body:
                connection.wfile.write(bytes([byte]))
                connection.wfile.flush()
                if self.released.wait(0.05):
                    return
            return
        connection.wfile.write(body)


def record(number: int, created_at: str = "2024-08-26T05:24:17.425Z", **changes: Any) -> dict[str, Any]:
    """A transaction as calls 8, 9 and 10 show it."""
    return {
        "id": f"tx_{number:09d}",
        "referenceNumber": f"order-{number}",
        "amount": "11",
        "currencyCode": "USD",
        "status": "SUCCESS",
        "signature": "never-to-be-seen",
        "createdAt": created_at,
        "updatedAt": created_at,
        **changes,
    }


def paged(rows: Iterable[Any], cap: int = 1000) -> Handler:
    """Fetch All Transactions over these rows, filtered by the UTC day of `createdAt`, `toDate` included."""
    rows = list(rows)

    def handler(asked: Asked) -> Reply:
        query = asked.query
        held = [row for row in rows if query["fromDate"] <= str(row["createdAt"])[:10] <= query["toDate"]]
        limit = min(int(query["limit"]), cap)
        start = (int(query["page"]) - 1) * limit
        return success(held[start : start + limit])

    return handler
