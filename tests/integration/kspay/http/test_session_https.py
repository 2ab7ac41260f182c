"""HTTPS with real certificates, and the proxy of a network that lets nothing else out."""

import base64
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
import trustme

from reconcile.core.records import Period
from reconcile.kspay import Credentials, KSPay
from reconcile.kspay.errors import UnreachableError
from tests.support.kspay_server import (
    ACCESS_KEY,
    APP_ID,
    SECRET_KEY,
    KSPayServer,
    Reply,
    paged,
    record,
    success,
)

ONE = "/transaction/txnId/"
HOST = "pay.example.test"
PROXY_PASSWORD = "proxy-password"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """Whom a network trusts with certificates, and the file that says so."""
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("trusted") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return authority, path


@contextmanager
def https(authority: trustme.CA, *names: str) -> Iterator[KSPayServer]:
    """KS Pay behind HTTPS, with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    server = KSPayServer()
    # The handshake is left to the thread of the connection: one that fails must not keep others waiting.
    server.http.socket = context.wrap_socket(
        server.http.socket, server_side=True, do_handshake_on_connect=False
    )
    server.url = server.url.replace("http:", "https:")
    with server:
        yield server


@dataclass
class Proxy:
    """Lets through CONNECT to `HOST`, which it knows to be the server on `port`, for who knows the password."""

    port: int
    heads: list[str] = field(default_factory=list)  # what it was shown before it let through

    @contextmanager
    def running(self) -> Iterator[str]:
        outer = self

        class Through(StreamRequestHandler):
            def handle(self) -> None:
                lines = list(iter(lambda: self.rfile.readline().decode(), "\r\n"))
                outer.heads.append("".join(lines))
                login = base64.b64encode(f"merchant:{PROXY_PASSWORD}".encode()).decode()
                if f"Proxy-Authorization: Basic {login}\r\n" not in lines:
                    self.wfile.write(
                        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                    )
                    return
                assert lines[0].startswith(f"CONNECT {HOST}:")
                with socket.create_connection(("127.0.0.1", outer.port)) as server:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    ways = {self.connection: server, server: self.connection}
                    while all(passed(ready, ways[ready]) for ready in select.select([*ways], [], [])[0]):
                        pass

        class Server(ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        with Server(("127.0.0.1", 0), Through) as server:
            thread = threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
            )
            thread.start()
            yield f"127.0.0.1:{server.server_address[1]}"
            server.shutdown()
            thread.join(5)


def passed(one: socket.socket, other: socket.socket) -> bool:
    """Pass on what came from one to the other; False where it has ended."""
    try:
        data = one.recv(1 << 16)
        other.sendall(data)
    except OSError:
        return False
    return bool(data)


def client(server: KSPayServer, url: str | None = None) -> KSPay:
    return KSPay(
        Credentials(url or server.url, APP_ID, ACCESS_KEY, SECRET_KEY),
        give_up_seconds=1,
        backoff_seconds=0.01,
    )


def test_a_certificate_of_the_network_is_trusted(
    authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority[1]))
    rows = [record(number, f"2024-08-{1 + number % 28:02}T05:24:17.425Z") for number in range(2000)]
    with https(authority[0], "127.0.0.1") as server:
        server.on("GET", "/transaction", server.guarded(paged(rows)))
        with client(server) as kspay:
            days = Period(date(2024, 8, 1), date(2024, 8, 31))
            found = [row.values["id"] for page in kspay.transactions(days) for row in page.rows]
    assert sorted(found) == sorted(row["id"] for row in rows)
    assert 1 < server.connections <= 5, "connections are kept alive under encryption too"


@pytest.mark.parametrize("trouble", ["unknown authority", "another host"])
def test_a_certificate_that_is_not_trusted_ends_at_once_and_says_what_to_do(
    authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    names = [HOST] if trouble == "another host" else ["127.0.0.1"]
    if trouble == "another host":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority[1]))
    with https(authority[0], *names) as server:
        with (
            client(server) as kspay,
            pytest.raises(UnreachableError, match=r"certificate is not trusted.*REQUESTS_CA_BUNDLE"),
        ):
            kspay.server_today()
        assert not server.asked, "nothing was shown to a server that is not trusted"
        assert server.connections == 1


def test_leaving_breaks_an_encrypted_answer_that_hangs(
    authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority[1]))
    with https(authority[0], "127.0.0.1") as server:
        kspay = client(server)
        hanging = threading.Event()

        def hang(_: object) -> Reply:
            hanging.set()
            return Reply(200, b"{}", fault="hang")

        server.on("GET", ONE, hang)
        ended: list[BaseException] = []

        def ask() -> None:
            try:
                kspay.transaction("tx_1")
            except BaseException as error:  # noqa: BLE001  of a thread: looked at below
                ended.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        assert hanging.wait(20)
        started = time.monotonic()
        kspay.__exit__(None, None, None)
        thread.join(20)
        assert not thread.is_alive()
        assert time.monotonic() - started < 15, "half of what the answer hangs"
        assert ended


def test_a_proxy_sees_where_to_and_nothing_else(
    authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority[1]))
    with https(authority[0], HOST) as server:
        server.on("GET", ONE, server.guarded(success(record(1))))
        proxy = Proxy(server.http.server_address[1])
        with proxy.running() as address:
            monkeypatch.setenv("HTTPS_PROXY", f"http://merchant:{PROXY_PASSWORD}@{address}")
            with client(server, f"https://{HOST}/") as kspay:
                assert kspay.transaction("tx_000000001")["status"] == "SUCCESS"
                kspay.transaction("tx_000000001")
    assert [asked.path for asked in server.asked][-1] == "/transaction/txnId/tx_000000001"
    assert len(proxy.heads) == 1, "the tunnel is kept"
    shown = "".join(proxy.heads)
    assert not any(secret in shown for secret in (ACCESS_KEY, SECRET_KEY, server.access, APP_ID))
    carried = "".join(f"{asked.headers}" for asked in server.asked)
    assert PROXY_PASSWORD not in carried
    assert "Proxy-Authorization" not in carried


@pytest.mark.parametrize("trouble", ["wrong password", "no proxy there"])
def test_a_proxy_that_lets_nothing_through_is_named(
    authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority[1]))
    with https(authority[0], HOST) as server, Proxy(server.http.server_address[1]).running() as address:
        where = address if trouble == "wrong password" else "127.0.0.1:1"
        monkeypatch.setenv("HTTPS_PROXY", f"http://merchant:wrong-password@{where}")
        with (
            client(server, f"https://{HOST}/") as kspay,
            pytest.raises(UnreachableError, match=r"proxy did not let.*HTTPS_PROXY") as failed,
        ):
            kspay.server_today()
        assert "wrong-password" not in str(failed.value)
        assert not server.asked


def test_what_no_proxy_names_is_asked_without_it(
    authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", HOST)
    with (
        https(authority[0], HOST) as server,
        client(server, f"https://{HOST}/") as kspay,
        pytest.raises(UnreachableError, match="the host's name cannot be found"),
    ):
        kspay.server_today()
