"""The connections of a client: its own for each thread, and a way to break off what hangs."""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode, urlsplit
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool


class Session:
    """What one thread sends through: an adapter of requests, and what is the same for each request.

    requests' own session asks the environment for proxies, certificates, netrc and cookies at each request, which
    takes as long as all the rest. The first two are asked for once here, and the others never: netrc would replace
    our tokens, and kept cookies would tie all requests to one server behind a balancer.
    """

    def __init__(self, connections: "Connections", base_url: str, is_local: bool) -> None:
        # Retries are made where their reasons are known, and not once more underneath.
        self._adapter = _Adapter(connections, max_retries=0)
        address = requests.Request("GET", base_url).prepare().url
        assert address is not None
        self._base_url = address.rstrip("/")
        with requests.Session() as session:
            # A proxy of the environment is for the network outside, never for a server on this machine.
            proxies = {"no_proxy": urlsplit(base_url).hostname or ""} if is_local else {}
            self._settings: Any = session.merge_environment_settings(address, proxies, True, None, None)
            self._headers = {
                **session.headers,
                "Accept": "application/json",
                "User-Agent": f"kspay-reconcile/{version('kspay-reconcile')}",
            }

    def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: tuple[float, float],
    ) -> requests.Response:
        """The answer, its body not read yet; a redirect is not followed: the next address would be given the token."""
        request = requests.PreparedRequest()
        request.prepare_method(method)
        request.url = f"{self._base_url}{path}{'?' if params else ''}{urlencode(params or {})}"
        request.prepare_headers({**self._headers, **headers})
        if method != "GET":
            request.prepare_body(body, None)
        return self._adapter.send(request, timeout=timeout, **self._settings)

    def close(self) -> None:
        """Let go of the connections."""
        self._adapter.close()


class Connections:
    """Gives each thread a session of its own, as requests promises no more than that.

    Once closed, every connection is broken, one that a thread just waits on too, and every new one as
    soon as it is made.
    """

    def __init__(self, base_url: str, *, is_local: bool) -> None:
        self.closed = threading.Event()
        self._base_url = base_url
        self._is_local = is_local
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._sessions: list[Session] = []
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def session(self) -> Session:
        """The session of this thread."""
        session: Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = Session(self, self._base_url, self._is_local)
            with self._lock:
                self._sessions.append(session)
        return session

    def opened(self, connected: socket.socket) -> None:
        """Take note of a connection."""
        with self._lock:
            self._sockets.add(connected)
            if self.closed.is_set():
                _break(connected)

    def break_off(self) -> None:
        """End whatever is under way: who waits for an answer gets an error at once."""
        self.closed.set()
        with self._lock:
            for connected in self._sockets:
                _break(connected)

    def close(self) -> None:
        """Let go of all connections."""
        self.break_off()
        with self._lock:
            while self._sessions:
                self._sessions.pop().close()


class _Adapter(HTTPAdapter):
    """Tells of every connection that is made."""

    def __init__(self, connections: Connections, max_retries: int) -> None:
        super().__init__(max_retries=max_retries)
        self._connections = connections

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> HTTPConnectionPool:
        """The pool that the request is sent through."""
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        kind: Any = pool.ConnectionCls
        if not hasattr(kind, "told_of"):
            connections = self._connections

            class Connection(kind):  # type: ignore[misc]  # HTTP, HTTPS, or what a proxy needs
                told_of = True

                def connect(self) -> None:
                    super().connect()
                    connections.opened(self.sock)

            pool.ConnectionCls = Connection
        pooled: HTTPConnectionPool = pool
        return pooled


def _break(connected: socket.socket) -> None:
    with suppress(OSError):  # it may be broken already
        # Not the method of a TLS socket, which would forget the encryption that its reader relies on.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
