"""Authentication: the keys are exchanged for tokens, which are renewed in time and by one caller at a time."""

import base64
import binascii
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import msgspec

from reconcile.core.wording import MASK
from reconcile.kspay.credentials import Credentials
from reconcile.kspay.errors import AuthenticationError, CallError, InvalidRequestError, token_expired
from reconcile.kspay.http.server_clock import ServerClock
from reconcile.kspay.http.transport import Request, Transport

REFRESH_AHEAD_SECONDS = 30.0
"""An access token is renewed this long before it expires, or a tenth of its life if that is less."""

CLOCK_STEP_SECONDS = 1.0
"""A `Date` header drops the fraction of its second, so the server's clock may be later by this."""


@dataclass(frozen=True)
class Tokens:
    """An access token and the refresh token that renews it.

    `renew_at` is a time of the monotonic clock, in seconds; None: renew the token when it is refused.
    """

    access: str
    refresh: str | None
    renew_at: float | None = None

    @classmethod
    def issued(cls, access: str, refresh: str | None, clock: ServerClock) -> "Tokens":
        """Tokens that the server issued just now. How long they live is measured by the server's clock.

        The access token is a JWT with an `exp` claim (observed).
        """
        claims = _claims(access)
        expires, issued = claims.get("exp"), claims.get("iat")
        life: float | None = None
        if isinstance(expires, int | float) and not isinstance(expires, bool):
            if clock.known:
                life = expires - clock.now().timestamp() - CLOCK_STEP_SECONDS
            else:
                life = expires - (issued if isinstance(issued, int | float) else clock.now().timestamp())
        # If a new token seems to have expired, its claim has another unit, or another clock issued it than
        # the one that dates the answers. Then only a refusal (9009) shows that it has expired.
        if life is None or life <= 0:
            return cls(access, refresh)
        return cls(access, refresh, time.monotonic() + life - min(REFRESH_AHEAD_SECONDS, life / 10))

    @property
    def due(self) -> bool:
        """Whether the access token has expired or is about to."""
        return self.renew_at is not None and time.monotonic() >= self.renew_at

    def __repr__(self) -> str:
        return f"Tokens({MASK})"


def _claims(token: str) -> Mapping[str, Any]:
    """The claims of a JWT (RFC 7519), not verified: only the server can do that. {} if the token is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = msgspec.json.decode(payload)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


class TokenKeeper:
    """Keeps the one pair of tokens that all calls share. Safe to use from several threads."""

    def __init__(self, transport: Transport, credentials: Credentials, clock: ServerClock) -> None:
        self._transport = transport
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: Tokens | None = None

    def current(self) -> Tokens:
        """Tokens that are good as far as is known. If need be they are issued or renewed first."""
        with self._lock:
            if self._tokens is None:
                self._tokens = self._generate()
            elif self._tokens.due:
                self._tokens = self._refresh(self._tokens)
            return self._tokens

    def replace(self, refused: Tokens, error: CallError) -> None:
        """Renew the tokens after `refused` was refused with `error`, unless another caller has just done so."""
        with self._lock:
            if self._tokens is refused:
                self._tokens = self._refresh(refused) if token_expired(error) else self._generate()

    def _generate(self) -> Tokens:
        """`POST /auth/generate-token/{appId}`: a new pair for the merchant's keys."""
        path = f"/auth/generate-token/{self._credentials.app_id}"
        return self._issued(path, None)

    def _refresh(self, old: Tokens) -> Tokens:
        """`POST /auth/refresh-token` with the bare refresh token; where that is refused, a new pair."""
        if old.refresh is None:
            return self._generate()
        try:
            return self._issued("/auth/refresh-token", old.refresh)
        except CallError as error:
            if error.retryable:
                raise
            # 9008 says that the refresh token has expired too. With any other error, too, only new tokens
            # show whether the keys are still good.
            return self._generate()

    def _issued(self, path: str, refresh: str | None) -> Tokens:
        name = f"POST {path}"

        def tokens(answer: Any) -> tuple[Any, Any]:
            pair = answer if isinstance(answer, dict) else {}
            return pair.get("accessToken"), pair.get("refreshToken") or refresh

        def problem(answer: Any) -> str | None:
            access, renewal = tokens(answer)
            if is_token(access) and (renewal is None or is_token(renewal)):
                return None
            return "the answer holds no accessToken that a header can carry"

        keys = self._credentials.keys()
        request = Request(name, "POST", path, authorization=lambda: refresh, body=keys, problem=problem)
        try:
            answer = self._transport.ask(request)
        except InvalidRequestError as error:
            # The request holds nothing but the keys, so these are what an undocumented error is about.
            error.advice = AuthenticationError.advice
            raise
        access, renewal = tokens(answer)
        self._transport.add_secrets(*(token for token in (access, renewal) if token))
        return Tokens.issued(access, renewal, self._clock)


class AuthorizedCalls:
    """GET requests with the access token. Safe to use from several threads."""

    def __init__(self, transport: Transport, tokens: TokenKeeper) -> None:
        self._transport = transport
        self._tokens = tokens

    def get(
        self,
        call: str,
        path: str,
        params: Mapping[str, str] | None = None,
        unwanted: threading.Event | None = None,
        is_repeated: Callable[[bytes], bool] | None = None,
        *,
        once: bool = False,
    ) -> Any:
        """The result of a GET request, asked for once more with new tokens if the server refuses the access token.

        `call` is its name in errors. Once `unwanted` is set, no further try is made. See `Request.is_repeated` and
        `Request.once`.
        """

        def request(bearer: _Bearer) -> Request:
            return Request(
                call, "GET", path, bearer, params, once=once, unwanted=unwanted, is_repeated=is_repeated
            )

        bearer = _Bearer(self._tokens)
        try:
            return self._transport.ask(request(bearer))
        except AuthenticationError as error:
            if bearer.tokens is None:
                raise  # the keys were refused, not the token
            self._tokens.replace(bearer.tokens, error)
        return self._transport.ask(request(_Bearer(self._tokens)))


class _Bearer:
    """The Authorization header of a call, made for each try, and the tokens that it was made of."""

    def __init__(self, keeper: TokenKeeper) -> None:
        self._keeper = keeper
        self.tokens: Tokens | None = None

    def __call__(self) -> str:
        self.tokens = self._keeper.current()
        return f"Bearer {self.tokens.access}"


def is_token(value: Any) -> TypeGuard[str]:
    """Whether the value is text that a header can carry."""
    return (
        isinstance(value, str)
        and value != ""
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )
