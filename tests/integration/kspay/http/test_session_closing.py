"""Leaving the client, or interrupting it, ends at once although the server never answers."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import date
from typing import Any

import pytest

from reconcile.core.records import Period
from reconcile.kspay import KSPay
from reconcile.kspay.http.server_clock import ServerClock
from reconcile.kspay.http.transport import Request, Transport
from tests.support.kspay_server import Asked, KSPayServer, Reply, paged, record, success

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
PATIENT = 30.0
"""Seconds: half of what a hanging answer is waited for, and far more than leaving takes."""

# A process that a shell starts in the background inherits that it ignores Ctrl-C.
PROGRAM = """
import signal
import sys
from contextlib import suppress
from datetime import date
from reconcile.kspay import Credentials, KSPay
from reconcile.core.records import Period
signal.signal(signal.SIGINT, signal.default_int_handler)
with KSPay(Credentials(*sys.argv[1:]), page_size=10, give_up_seconds=3600) as client:
    for page in client.transactions(Period(date(2026, 3, 1), date(2026, 3, 31))):
        print(page.number, flush=True)
"""


class Hanging:
    """Answers up to a page and hangs from there on, before or in the middle of the answer."""

    def __init__(self, from_page: int, *, within: bool = False) -> None:
        rows = [record(n, f"2026-03-{n % 31 + 1:02d}T10:00:00.000Z") for n in range(200)]
        self.listing = paged(rows)
        self.from_page, self.within = from_page, within
        self.hangs = threading.Event()
        self.freed = threading.Event()

    def __call__(self, asked: Asked) -> Reply:
        if int(asked.query["page"]) < self.from_page:
            return self.listing(asked)
        self.hangs.set()
        if self.within:
            return Reply(200, {"result": "x" * 100_000}, fault="drip")
        self.freed.wait(120)
        return success([])


def workers() -> list[threading.Thread]:
    """Those of the client's pool; other tests of the session may have a sandbox in a thread of its own."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("kspay_")]


def take(pages: Any, count: int) -> None:
    for _ in range(count):
        next(pages)


@pytest.mark.parametrize("within", [False, True], ids=["no answer", "a drip"])
def test_leaving_does_not_wait_for_workers_that_hang(server: KSPayServer, within: bool) -> None:
    hanging = Hanging(6, within=within)
    server.on("GET", "/transaction", hanging)
    try:
        with server.client(page_size=10, concurrency=4, give_up_seconds=3600) as client:
            take(client.transactions(MARCH), 5)
            assert hanging.hangs.wait(PATIENT)
            left = time.monotonic()
        assert time.monotonic() - left < PATIENT
        assert workers() == []
    finally:
        hanging.freed.set()


def test_closing_from_another_thread_frees_the_caller(server: KSPayServer) -> None:
    hanging = Hanging(1)
    server.on("GET", "/transaction", hanging)
    ended: list[BaseException] = []

    def fetch(client: KSPay) -> None:
        try:
            take(client.transactions(MARCH), 1)
        except BaseException as error:  # noqa: BLE001  whatever it is, the thread must end with it
            ended.append(error)

    try:
        with server.client(give_up_seconds=3600) as client:
            caller = threading.Thread(target=fetch, args=[client])
            caller.start()
            assert hanging.hangs.wait(PATIENT)
        caller.join(PATIENT)
        assert [type(error).__name__ for error in ended] == ["CancelledError"]
    finally:
        hanging.freed.set()


def test_what_was_about_to_be_sent_makes_no_connection_anew(server: KSPayServer) -> None:
    """A worker may find its kept connection ended: the client was left just before it sends."""
    server.on("GET", "/currencies", success([]))
    transports = [Transport(server.credentials, ServerClock(), PATIENT, 0.01) for _ in range(2)]
    left, other = transports

    def leave() -> None:
        left.abort()

    left.ask(Request("first", "GET", "/currencies"))
    with pytest.raises(CancelledError):
        left.ask(Request("second", "GET", "/currencies", authorization=leave))
    other.ask(Request("third", "GET", "/currencies"))  # the server takes connections in their order
    for transport in transports:
        transport.close()
    assert (server.connections, server.times("GET", "/currencies")) == (2, 2)


def interrupted(process: subprocess.Popen[str]) -> str:
    """What the program says when it is interrupted; more than once where Python does not notice.

    An interrupt that comes just before its thread goes to wait does not end that wait.
    """
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=PATIENT / 5)[1]
    raise AssertionError("the program does not end")


@pytest.mark.parametrize("from_page", [1, 6], ids=["the caller waits", "the workers wait"])
def test_an_interrupt_ends_a_fetch_that_hangs(server: KSPayServer, from_page: int) -> None:
    hanging = Hanging(from_page)
    server.on("GET", "/transaction", hanging)
    keys = server.credentials
    arguments = [keys.base_url, keys.app_id, keys.access_key, keys.secret_key]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert hanging.hangs.wait(120)
        assert process.stdout
        assert [int(process.stdout.readline()) for _ in range(1, from_page)] == [*range(1, from_page)]
        err = interrupted(process)
        assert err.endswith("KeyboardInterrupt\n")
    finally:
        process.kill()
        process.communicate()
        hanging.freed.set()
