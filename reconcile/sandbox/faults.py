"""What goes wrong between the server and its client: one endpoint around each call.

Which request meets which fault is fixed by the behaviour's seed and the request's number, from 0, over
all calls together.
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
"""Where a request's scope holds the connection's transport."""

BROKEN = 0
"""The status under which answers are counted that never arrived whole."""

_DROPS = 20
_HTML = "<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
_Handler = Callable[[Request], Awaitable[Response]]


class Weather:
    """What the requests of a server meet, and how many there were by call and by status answered."""

    def __init__(self, behaviour: Behaviour, calls: list[str]) -> None:
        self.behaviour = behaviour
        self.requests: Counter[str] = Counter(dict.fromkeys(calls, 0))
        self.answers: Counter[int] = Counter()
        self._number = 0
        self._granted = max(1.0, behaviour.requests_a_second)
        self._counted_at = time.monotonic()

    def meet(self) -> str | None:
        """The fault that the next request meets."""
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

    def refuse(self) -> Response | None:
        """The refusal of a request that comes too early: a bucket that fills by so many a second."""
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
    """One call as an ASGI application: handles a request, unless a fault comes between."""

    def __init__(self, name: str, handler: _Handler, weather: Weather) -> None:
        self._name = name
        self._handler = handler
        self._weather = weather

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        weather, behaviour = self._weather, self._weather.behaviour
        weather.requests[self._name] += 1
        fault = weather.meet()
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if fault == "hang":
            weather.answers[BROKEN] += 1
            try:
                async with asyncio.timeout(behaviour.hang_seconds):
                    await _gone(receive)
            except TimeoutError:
                await _reset(scope, receive)
            return
        answer = weather.refuse() or _instead(fault) or await self._handled(Request(scope, receive))
        weather.answers[BROKEN if fault in ("reset", "cut", "truncated") else answer.status_code] += 1
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
                    await _gone(receive)
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
            return refused.answer(self._weather.behaviour.status_name)


def too_many(wait: int | None) -> Response:
    """A 429, perhaps with the seconds to wait."""
    answer = Refused("customErrors", "tooManyRequests").answer()
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _instead(fault: str | None) -> Response | None:
    """The answer that a fault gives in the place of the call, which is then not carried out."""
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
    # Without lingering the kernel sends a reset, not an orderly end.
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the client, or the connection, is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
