"""The connections of a client: each thread has its own, and all can be ended at once."""

import socket
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode, urlsplit
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool


@cache
def _agent() -> str:
    """Who asks; looked up once, since the whole README is read for the version."""
    return f"kspay-reconcile/{version('kspay-reconcile')}"


class Session:
    """The connections of one thread: an adapter of requests, and the settings that all requests share.

    The session of requests looks for proxies, certificates, netrc and cookies at each request, which takes as long as
    all the rest. Here, proxies and certificates are looked up once. The others are never used: netrc would replace our
    tokens, and kept cookies would tie all requests to one server behind a load balancer.
    """

    def __init__(self, connections: "Connections", base_url: str, is_local: bool) -> None:
        # The transport retries, because it knows the reasons. The adapter must not retry too.
        self._adapter = _Adapter(connections, max_retries=0)
        address = requests.Request("GET", base_url).prepare().url
        assert address is not None
        self._base_url = address.rstrip("/")
        with requests.Session() as session:
            # A proxy from the environment is never used for a server on this machine.
            proxies = {"no_proxy": urlsplit(base_url).hostname or ""} if is_local else {}
            self._settings: Any = session.merge_environment_settings(address, proxies, True, None, None)
            self._headers = {
                **session.headers,
                "Accept": "application/json",
                "User-Agent": _agent(),
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
        """The answer, its body not read yet. A redirect is not followed: its target would get the token.

        `timeout` is for the connection and for each piece of the answer, in seconds.
        """
        request = requests.PreparedRequest()
        request.prepare_method(method)
        request.url = f"{self._base_url}{path}{'?' if params else ''}{urlencode(params or {})}"
        request.prepare_headers({**self._headers, **headers})
        if method != "GET":
            request.prepare_body(body, None)
        return self._adapter.send(request, timeout=timeout, **self._settings)

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()


class Connections:
    """Gives each thread a session of its own, because a session of requests is safe for one thread only.

    Once aborted, every connection is ended, even one that a thread is waiting on, and one that is just being made as
    soon as it is made. No other one is made any more.
    """

    def __init__(self, base_url: str, *, is_local: bool) -> None:
        self.aborted = threading.Event()
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

    def add(self, connected: socket.socket) -> None:
        """Remember a new connection, so that it can be ended."""
        with self._lock:
            self._sockets.add(connected)
            if self.aborted.is_set():
                _end(connected)

    def abort(self) -> None:
        """End all requests that are under way: their callers get an error at once."""
        self.aborted.set()
        with self._lock:
            for connected in self._sockets:
                _end(connected)

    def close(self) -> None:
        """End and close all connections."""
        self.abort()
        with self._lock:
            while self._sessions:
                self._sessions.pop().close()


class _Adapter(HTTPAdapter):
    """Reports every new connection."""

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
        if not hasattr(kind, "is_reported"):
            connections = self._connections

            class Connection(kind):  # type: ignore[misc]  # HTTP, HTTPS, or what a proxy needs
                is_reported = True

                def connect(self) -> None:
                    # A thread that was about to send finds its kept connection ended.
                    if connections.aborted.is_set():
                        raise CancelledError
                    super().connect()
                    connections.add(self.sock)

            pool.ConnectionCls = Connection
        pooled: HTTPConnectionPool = pool
        return pooled


def _end(connected: socket.socket) -> None:
    with suppress(OSError):  # it may have ended already
        # The method of a TLS socket would drop the encryption that a thread may just be reading with.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
