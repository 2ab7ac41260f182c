"""Faults between the server and its client: one endpoint around each call.

The behaviour's seed and the number of the request (from 0, over all calls) fix which request gets which fault.
"""

import asyncio
import math
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.refusals import Refused

TRANSPORT = "kspay.transport"
"""The key of the connection's transport in the scope of a request."""

INCOMPLETE = 0
"""The status under which incomplete answers are counted."""

_DROPS = 20
_HTML = "<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
_Handler = Callable[[Request], Awaitable[Response]]


class FaultInjector:
    """Chooses the fault of each request, and counts requests by call and answers by status."""

    def __init__(self, behaviour: Behaviour, calls: list[str]) -> None:
        self.behaviour = behaviour
        self.requests: Counter[str] = Counter(dict.fromkeys(calls, 0))
        self.answers: Counter[int] = Counter()
        self._number = 0
        self._granted = max(1.0, behaviour.requests_a_second)
        self._counted_at = time.monotonic()

    def next_fault(self) -> str | None:
        """The fault of the next request; None for none."""
        number, behaviour = self._number, self.behaviour
        self._number += 1
        if 0 <= number - behaviour.outage_after < behaviour.outage_requests:
            return "503"
        if behaviour.faults:
            block, place = divmod(number, behaviour.fault_every)
            rng = Random(f"{behaviour.seed}/faults/{block}")
            if place == rng.randrange(behaviour.fault_every):
                return rng.choice(behaviour.faults)
        return None

    def rate_limit(self) -> Response | None:
        """A 429 for a request above the rate limit, else None: a token bucket that fills by `requests_a_second`."""
        rate = self.behaviour.requests_a_second
        if not rate:
            return None
        now = time.monotonic()
        self._granted = min(max(1.0, rate), self._granted + (now - self._counted_at) * rate)
        self._counted_at = now
        if self._granted >= 1:
            self._granted -= 1
            return None
        wait = math.ceil((1 - self._granted) / rate)
        return too_many(wait if self.behaviour.retry_after else None)


class Endpoint:
    """One call as an ASGI application: handles a request, unless it gets a fault."""

    def __init__(self, name: str, handler: _Handler, faults: FaultInjector) -> None:
        self._name = name
        self._handler = handler
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        faults, behaviour = self._faults, self._faults.behaviour
        faults.requests[self._name] += 1
        fault = faults.next_fault()
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if fault == "hang":
            faults.answers[INCOMPLETE] += 1
            try:
                async with asyncio.timeout(behaviour.hang_seconds):
                    await _disconnected(receive)
            except TimeoutError:
                await _reset(scope, receive)
            return
        answer = faults.rate_limit() or _answer_of(fault) or await self._handled(Request(scope, receive))
        faults.answers[INCOMPLETE if fault in ("reset", "cut", "truncated") else answer.status_code] += 1
        if fault == "reset":
            await _reset(scope, receive)
        elif fault == "truncated":
            await Response(
                answer.body[: len(answer.body) // 2], answer.status_code, media_type="application/json"
            )(scope, receive, send)
        elif fault in ("cut", "drip"):
            drops = bytes(answer.body)
            size = max(1, -(-len(drops) // _DROPS))
            await send(
                {"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers}
            )
            for start in range(0, len(drops), size):
                if fault == "cut" and start * 2 >= len(drops):
                    scope[TRANSPORT].close()
                    await _disconnected(receive)
                    return
                await send(
                    {"type": "http.response.body", "body": drops[start : start + size], "more_body": True}
                )
                await asyncio.sleep(behaviour.drip_seconds / _DROPS if fault == "drip" else 0)
            await send({"type": "http.response.body"})
        else:
            await answer(scope, receive, send)

    async def _handled(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except Refused as refused:
            return refused.answer(self._faults.behaviour.status_name)


def too_many(wait: int | None) -> Response:
    """A 429; with `wait` also the seconds to wait."""
    answer = Refused("customErrors", "tooManyRequests").answer()
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _answer_of(fault: str | None) -> Response | None:
    """The answer of a fault that replaces the call; the call is then not handled."""
    if fault == "500":
        return Refused("systemError", "oopsSomethingWentWrong").answer()
    if fault == "502":
        return HTMLResponse(_HTML, 502)
    if fault == "503":
        return PlainTextResponse("Service Unavailable", 503)
    if fault in ("429", "429-retry-after"):
        return too_many(1 if fault == "429-retry-after" else None)
    return None


async def _reset(scope: Scope, receive: Receive) -> None:
    transport: asyncio.Transport = scope[TRANSPORT]
    # With SO_LINGER at 0 the kernel sends a reset, not a normal close.
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    """Wait until the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
