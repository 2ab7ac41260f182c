"""Sends one request to KS Pay and gives back its result: timeouts, retries, errors."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
import urllib3.exceptions

from reconcile.core.wording import MASK, one_line
from reconcile.kspay.credentials import Credentials
from reconcile.kspay.errors import CallError, ProtocolError, RateLimitError, UnreachableError, error_for
from reconcile.kspay.http.envelope import has_error_code, result_of, says_failed, stated
from reconcile.kspay.http.json_decoder import CutOffError, NotJSONError, decode
from reconcile.kspay.http.rate_limiter import RateLimiter
from reconcile.kspay.http.server_clock import ServerClock, http_date
from reconcile.kspay.http.session import Connections

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection."""

READ_TIMEOUT = 60.0
"""Seconds to wait for the next piece of an answer."""

ANSWER_TIMEOUT = 300.0
"""Seconds after which an answer that still arrives piece by piece is given up. No page takes so long."""

MAX_ANSWER_BYTES = 1 << 29
"""A larger answer is not read to its end, because it could fill the memory of the machine."""

BACKOFF_SECONDS = 0.5
"""Seconds. The wait before the first retry is a random part of this; it doubles before each further one …"""

MAX_BACKOFF_SECONDS = 30.0
"""… up to this many seconds."""

MESSAGE_LENGTH = 300
"""Characters of a server's message that are shown."""

_CHUNK = 1 << 16
_FORM = "application/x-www-form-urlencoded"
_SUCCESS = (200, 201)
_MISUSED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `name` is how errors call it. `authorization` gives the Authorization header for each try, if any.

    `headers` are further ones. A Decimal in the body is sent with exactly its digits. With `once` the request is never
    repeated: it moves money, or another one can take its place. Once `unwanted` is set, no further try is made.
    `problem` says why a result cannot be used; None: it can. `is_repeated` says whether the bytes of a good answer are
    those of an earlier one: then they are not decoded, and the result is a `Repeated`.
    """

    name: str
    method: str
    path: str
    authorization: Callable[[], str | None] = lambda: None
    params: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = field(default=None, repr=False)  # it may hold the keys
    headers: Mapping[str, str] | None = field(default=None, repr=False)  # they may hold the keys
    once: bool = False
    unwanted: threading.Event | None = None
    problem: Callable[[Any], str | None] = lambda _: None
    is_repeated: Callable[[bytes], bool] | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The result of an answer whose bytes came before."""

    decoded: Callable[[], Any]
    """Gives the result after all."""


class Transport:
    """Sends requests over kept-alive connections and gives back what stands in the envelope.

    A request that failed for a reason that may pass is repeated, until no good answer came for `give_up_seconds`. The
    waits between are random and growing, or as long as the server asks for. Bodies are JSON, or form-encoded with
    `form`. Several threads may send at once; all share one pace.
    """

    def __init__(
        self,
        credentials: Credentials,
        clock: ServerClock,
        give_up_seconds: float,
        backoff_seconds: float,
        form: bool = False,
    ) -> None:
        self._clock = clock
        self._give_up_seconds = give_up_seconds
        self._backoff_seconds = backoff_seconds
        self._encode, self._content_type = (_form, _FORM) if form else (_json, "application/json")
        self._lock = threading.Lock()
        self._trouble_since: float | None = (
            None  # when the first failed try after the last good answer began, monotonic
        )
        self.repeated = 0
        """Requests that were repeated after a refusal, an error or no answer."""
        self._secrets: frozenset[str] = frozenset({credentials.access_key, credentials.secret_key})
        self._connections = Connections(credentials.base_url, is_local=credentials.is_local)
        self._rate_limiter = RateLimiter(self._wait_after_refusals)

    def abort(self) -> None:
        """End all connections. Whoever waits for an answer or a next try gets a CancelledError."""
        self._connections.abort()

    def close(self) -> None:
        """End and close all connections."""
        self._connections.close()

    def add_secrets(self, *secrets: str) -> None:
        """From now on no error shows these words, even if the server repeats them."""
        self._secrets |= frozenset(secrets)

    def ask(self, request: Request) -> Any:
        """The result of the request, without its envelope. Raises a CallError."""
        tries = 0
        while True:
            waited = self._await_turn(request)
            authorization = request.authorization()
            started = time.monotonic()
            tries += 1
            try:
                result = self._once(request, authorization, self._time_left())
            except CallError as error:
                if isinstance(error, RateLimitError):
                    self._rate_limiter.refused(started, error.retry_after)
                elif error.status is not None and error.status < 500:
                    self._rate_limiter.granted(started, waited)  # refused, but not because of the pace
                if request.once or not error.retryable:
                    raise
                self._note_trouble(started)
                left = self._time_left()
                if left <= 0:
                    effort = f"{tries} {'try' if tries == 1 else 'tries'} in {self._give_up_seconds:g} s"
                    error.advice = f"gave up after {effort} without a good answer: {error.advice}"
                    raise
                with self._lock:
                    self.repeated += 1
                # A last try is made when the time is up, even if the server asked for a longer wait.
                if not isinstance(error, RateLimitError):
                    self._rest(min(self._wait(tries, error.retry_after), left), request)
            else:
                self._rate_limiter.granted(started, waited)
                self._note_good()
                return result

    def _await_turn(self, request: Request) -> bool:
        """Wait until the rate limiter grants the next try. The result is whether that took any time."""
        waited = False
        while True:
            moment = time.monotonic()
            seconds, granted = self._rate_limiter.turn()
            waited = waited or seconds > 0
            self._rest(min(seconds, self._time_left()), request)
            if (granted and not self._rate_limiter.refused_since(moment)) or self._time_left() <= 0:
                return waited

    def _rest(self, seconds: float, request: Request) -> None:
        """Wait. Raises CancelledError once nobody wants the answer any more."""
        until = time.monotonic() + seconds
        unwanted = request.unwanted or self._connections.aborted
        while not (unwanted.is_set() or self._connections.aborted.is_set()):
            left = until - time.monotonic()
            if left <= 0:
                return
            # Two events cannot be awaited at once, so one of them is looked at five times a second.
            unwanted.wait(left if unwanted is self._connections.aborted else min(left, 0.2))
        raise CancelledError

    def _note_trouble(self, started: float) -> None:
        with self._lock:
            if self._trouble_since is None:
                self._trouble_since = started

    def _note_good(self) -> None:
        with self._lock:
            self._trouble_since = None

    def _time_left(self) -> float:
        with self._lock:
            spent = 0.0 if self._trouble_since is None else time.monotonic() - self._trouble_since
        return self._give_up_seconds - spent

    def _wait(self, tries: int, retry_after: float | None) -> float:
        if retry_after is not None:
            return retry_after + random.uniform(0, self._backoff_seconds)  # noqa: S311
        # From 0 on, so that clients do not all retry at the same time.
        return random.uniform(0, self._longest_wait(tries))  # noqa: S311

    def _wait_after_refusals(self, refusals: int) -> float:
        return self._longest_wait(refusals) * random.uniform(0.5, 1)  # noqa: S311

    def _longest_wait(self, tries: int) -> float:
        return min(MAX_BACKOFF_SECONDS, self._backoff_seconds * 2.0 ** min(tries - 1, 20))

    def _once(self, request: Request, authorization: str | None, left: float) -> Any:
        patience = max(left, 1.0)
        headers = dict(request.headers or {})
        if authorization is not None:
            headers["Authorization"] = authorization
        body = None
        if request.body is not None:
            headers["Content-Type"], body = self._content_type, self._encode(request.body)
        try:
            with self._connections.session().send(
                request.method,
                request.path,
                request.params,
                headers,
                body,
                (min(CONNECT_TIMEOUT, patience), min(READ_TIMEOUT, patience)),
            ) as response:
                answer = _body(request.name, response, time.monotonic() + min(ANSWER_TIMEOUT, patience))
        except _MISUSED:
            raise _unreachable(request, "the address cannot be used", may_pass=False) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _broken(request, error) from None
        except OSError as error:
            # Errors of the connection are one of the above, so this one is about a local file.
            reason = (
                f"the certificates to trust cannot be read ({error.strerror or 'see REQUESTS_CA_BUNDLE'})"
            )
            raise _unreachable(request, reason, may_pass=False) from None
        if request.is_repeated and response.status_code in _SUCCESS and request.is_repeated(answer):
            self._clock.set_from(response.headers.get("Date"))
            return Repeated(
                lambda: self._result(request.name, response.status_code, response.headers, answer)
            )
        result = self._result(request.name, response.status_code, response.headers, answer)
        if problem := request.problem(result):
            raise ProtocolError(request.name, response.status_code, message=problem)
        return result

    def _result(self, name: str, status: int, headers: Mapping[str, str], body: bytes) -> Any:
        if 300 <= status < 400:
            try:
                place = urlsplit(headers.get("Location", ""))
            except ValueError:
                place = urlsplit("")  # it is no address
            to = f" to {place.scheme}://{place.hostname}" if place.scheme and place.hostname else ""
            raise ProtocolError(name, status, message=self._clean(f"a redirect{to}, which is not followed"))
        try:
            payload = decode(body)
        except NotJSONError as error:
            # A refusal that was cut off may have named an error that another try can avoid.
            cut_off = isinstance(error, CutOffError) and body.startswith(b"{") and status < 500
            if status in _SUCCESS or (cut_off and status != 429):
                undecodable = ProtocolError(name, status, message=self._clean(str(error)))
                undecodable.may_pass = isinstance(error, CutOffError)
                raise undecodable from None
            failure = error_for(name, status, None, "an answer that is no JSON")
            failure.retry_after = _retry_after(headers, self._clock)
            raise failure from None
        self._clock.set_from(headers.get("Date"))
        says = stated(payload)
        message = self._clean(says.message)
        if status in _SUCCESS and (says.status is None or says.status < 400):
            failed = says_failed(payload)
            # Finding the documented error takes long, and nearly every answer is none.
            if failed or has_error_code(payload, says.code):
                failure = error_for(name, status, says.code, message or "a success that says it failed")
                if failed or failure.entry is not None:
                    raise failure
            return result_of(payload)
        if status in _SUCCESS and says.status is not None:
            status = says.status  # an error that was sent with the status of a success
        failure = error_for(name, status, says.code, message)
        if failure.entry is None and says.status is not None and says.status >= 400:
            failure = error_for(name, says.status, says.code, message)
        failure.retry_after = _retry_after(headers, self._clock)
        raise failure

    def _clean(self, message: str) -> str:
        """A server's words on one line, shortened, and without secrets."""
        # One secret may begin with another one. The longer one goes first, so that no rest of it is left.
        for secret in sorted(self._secrets, key=len, reverse=True):
            message = message.replace(secret, MASK)
        message = one_line(message)
        return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…"


def _json(body: Mapping[str, Any]) -> bytes:
    """The body as JSON. A Decimal becomes a number with exactly its digits."""
    return msgspec.json.encode(
        {
            key: msgspec.Raw(f"{value:f}".encode()) if isinstance(value, Decimal) else value
            for key, value in body.items()
        }
    )


def _form(body: Mapping[str, Any]) -> bytes:
    return urlencode(
        {key: f"{value:f}" if isinstance(value, Decimal) else value for key, value in body.items()}
    ).encode()


def _body(name: str, response: requests.Response, deadline: float) -> bytes:
    """The whole body. Each read ends as soon as anything has arrived, so that a slow answer meets the deadline too."""
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read1(_CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise ProtocolError(
                name,
                response.status_code,
                message=f"an answer of more than {MAX_ANSWER_BYTES >> 20} MiB",
                advice="ask for a shorter period",
            )
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
    return b"".join(parts)


def _retry_after(headers: Mapping[str, str], clock: ServerClock) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3), in seconds from now. A date in it is one of the server's clock."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    at = http_date(text)
    clock.set_from(headers.get("Date"))
    return None if at is None else max(0.0, (at - clock.now()).total_seconds())


def _unreachable(request: Request, reason: str, *, may_pass: bool) -> UnreachableError:
    error = UnreachableError(request.name, message=reason)
    error.may_pass = may_pass
    return error


def _broken(request: Request, error: Exception) -> CallError:
    """What happened, in our own words, because those of the libraries may hold addresses with passwords."""
    words = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        failure = _unreachable(request, "the server's certificate is not trusted", may_pass=False)
        failure.advice = (
            "check KSPAY_BASE_URL, and REQUESTS_CA_BUNDLE if your network has a certificate of its own"
        )
        return failure
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.InvalidProxyURL):
        failure = _unreachable(request, "the proxy did not let the request through", may_pass=True)
        failure.advice = "check HTTPS_PROXY and HTTP_PROXY"
        return failure
    reasons = (
        (isinstance(error, requests.ConnectTimeout), "no connection in time"),
        (isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError), "no whole answer in time"),
        ("NameResolution" in words or "getaddrinfo" in words, "the host's name cannot be found"),
        ("refused" in words, "the connection was refused"),
        (isinstance(error, urllib3.exceptions.HTTPError), "the answer was cut off"),
    )
    reason = next((text for applies, text in reasons if applies), "the connection broke")
    return _unreachable(request, reason, may_pass=True)
