"""Access tokens, refresh tokens and request signatures: JSON Web Tokens signed with HMAC-SHA256 (RFC 7519).

KS Pay documents the access token as a JWT with an `exp` claim. The sandbox makes refresh tokens and signatures in the
same way; no client may rely on that.
"""

import binascii
import hashlib
import hmac
import json
import math
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from typing import Any

ACCESS, REFRESH, SIGNATURE = "access", "refresh", "signature"
"""What a token is for; one kind is never accepted as another."""


class MalformedError(ValueError):
    """This is not a token."""


class ForgedError(ValueError):
    """This server did not make the token, or made it for another use."""


class ExpiredError(ValueError):
    """A token of this server that has expired, or whose pair was replaced."""


class Tokens:
    """Makes and checks the tokens of one app. A pair ends when it is refreshed. Tokens still count after a restart.

    An access token also ends after `access_uses` checks (0: never). The clock is `clock_ahead` seconds ahead.
    """

    def __init__(
        self,
        app_id: str,
        key: str,
        *,
        access_seconds: float,
        refresh_seconds: float,
        access_uses: int = 0,
        clock_ahead: float = 0,
    ) -> None:
        self._app_id = app_id
        self._key = key.encode()
        self._seconds = {ACCESS: access_seconds, SIGNATURE: access_seconds, REFRESH: refresh_seconds}
        self._replaced: set[str] = set()
        self._access_uses = access_uses
        self._used: Counter[str] = Counter()
        self._clock_ahead = clock_ahead

    def pair(self) -> dict[str, str]:
        """A new access and refresh token."""
        pair_id = secrets.token_hex(8)
        return {
            "accessToken": self._make(ACCESS, pair_id),
            "refreshToken": self._make(REFRESH, pair_id),
        }

    def signature(self, transaction_id: str | None = None) -> str:
        """A signature for initiate and process; with a transaction, for the process of that one only."""
        claims = {} if transaction_id is None else {"transaction": transaction_id}
        return self._make(SIGNATURE, secrets.token_hex(8), claims)

    def refresh(self, token: str) -> dict[str, str]:
        """A new pair for a refresh token, whose own pair ends. Raises as `check` does."""
        claims = self.check(token, REFRESH)
        self._replaced.add(claims["jti"])
        return self.pair()

    def check(self, token: str, kind: str) -> dict[str, Any]:
        """The claims of a valid token of this kind. Raises MalformedError, ForgedError or ExpiredError."""
        try:
            signed, _, mac = token.encode("ascii").rpartition(b".")
            header, payload = (json.loads(_decode(part)) for part in signed.split(b"."))
            signature = _decode(mac)
        except ValueError:  # not ASCII, not three parts, not base64 or not JSON
            raise MalformedError from None
        if not hmac.compare_digest(signature, self._mac(signed)):
            raise ForgedError
        if header["alg"] != "HS256" or payload["typ"] != kind or payload["sub"] != self._app_id:
            raise ForgedError
        if payload["exp"] <= self._now() or payload["jti"] in self._replaced:
            raise ExpiredError
        if kind == ACCESS and self._access_uses:
            self._used[payload["jti"]] += 1
            if self._used[payload["jti"]] > self._access_uses:
                raise ExpiredError
        return dict(payload)

    def _make(self, kind: str, identity: str, more: Mapping[str, str] | None = None) -> str:
        now = self._now()
        claims = {
            "sub": self._app_id,
            "typ": kind,
            "jti": identity,
            "iat": int(now),
            # In whole seconds, rounded up, so that no token expires too early.
            "exp": math.ceil(now + self._seconds[kind]),
            **(more or {}),
        }
        signed = b".".join(
            _encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
        )
        return b".".join((signed, _encode(self._mac(signed)))).decode()

    def _now(self) -> float:
        return time.time() + self._clock_ahead

    def _mac(self, signed: bytes) -> bytes:
        return hmac.digest(self._key, signed, hashlib.sha256)


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    try:
        return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
