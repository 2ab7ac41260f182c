"""The connections of a client: a session a thread, and a way to break off what hangs."""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import Any
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool


class Connections:
    """Gives each thread a session of its own, as requests promises no more than that.

    Once closed, every connection is broken, one that a thread just waits on too, and every new one as
    soon as it is made.
    """

    def __init__(self) -> None:
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._sessions: list[requests.Session] = []
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def session(self) -> requests.Session:
        """The session of this thread."""
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = _new_session(self)
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

    def __init__(self, connections: Connections) -> None:
        # Retries are made where their reasons are known, and not once more underneath.
        super().__init__(max_retries=0)
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


def _new_session(connections: Connections) -> requests.Session:
    session = requests.Session()
    session.headers["Accept"] = "application/json"
    session.headers["User-Agent"] = f"kspay-reconcile/{version('kspay-reconcile')}"
    # No call depends on cookies; kept ones would tie all requests to one server behind a balancer.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(connections))
    return session


def _break(connected: socket.socket) -> None:
    with suppress(OSError):  # it may be broken already
        # Not the method of a TLS socket, which would forget the encryption that its reader relies on.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
