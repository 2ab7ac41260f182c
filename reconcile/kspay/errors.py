"""What can go wrong with a call to KS Pay: one class for each family of errors.

    reconcile.core.errors.KSPayError    exit code 4
    └── CallError                       a call that failed: carries call, status, code, message, retryable
        ├── AuthenticationError         keys, signature or token are missing, wrong, expired or disabled
        ├── PermissionDeniedError       the caller is known but may not do this (other user's app, origin, country)
        ├── NotFoundError               what the call names does not exist
        ├── InvalidRequestError         a value that the server does not accept
        ├── DateRangeError              `fromDate` or `toDate` breaks one of the rules 11006 to 11011
        ├── RateLimitError              too many requests in a short period
        ├── ConflictError               the thing exists already, or its state does not allow this
        ├── ProviderError               the payment provider behind KS Pay failed or refused
        ├── ServerError                 a fault of KS Pay itself
        ├── ProtocolError               an answer in none of the known shapes
        │   └── IncompleteError         a window of the listing cannot be proven complete
        ├── UnreachableError            no answer: the connection was refused or broken, or timed out
        └── OutcomeUnknownError         a request that must not be sent twice was sent, and its answer was lost

`errors.json` lists the 125 documented errors (integration guide 1.0.0) with their families. A code alone does not
identify an error: 11008 is "start date before app creation" or "access key mismatch", both with status 400. So the
class is chosen by status, code and message together.
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from reconcile.core.errors import KSPayError

BEFORE_APP_CREATION = "startDateBeforeAppCreation"
"""The entry (name in the catalogue) that says that `fromDate` lies before the app's creation."""

AFTER_TODAY = frozenset({"startDateAfterToday", "endDateAfterToday"})
"""The entries that say that a date lies after the server's today."""

NO_DATA = "noDataFound"
"""The entry that says that nothing was found."""

_NO_SUCH_CALL = -10
"""The code of an unknown address, in either catalogue."""

_SIMILAR = 0.5
"""If a message shares at least this part of its words with a documented one, it is taken for that one, reworded."""

_MARGIN = 0.15
"""If a code has two meanings, the better one must lead by this much. Otherwise neither is believed."""


class CallError(KSPayError):
    """A call to KS Pay that failed.

    `call` is the request, such as `GET /transaction`, never with a secret. `status` is the HTTP status, None where no
    answer came. `code` is KS Pay's own number, None where it gave none. `message` is in the server's words, on one
    line and without secrets. `entry` is the name of the documented error, where it is one. `advice` says what to do.
    """

    family = "protocol"
    retry_after: float | None = None
    """Seconds that the server asks to wait before the next request."""
    advice = "try again; if it stays so, tell KS Pay's support what this line says"

    def __init__(
        self,
        call: str,
        status: int | None = None,
        code: int | None = None,
        message: str = "",
        advice: str = "",
        entry: str | None = None,
    ) -> None:
        # All arguments go to the base class too, so that the error survives pickling between processes.
        super().__init__(call, status, code, message, advice, entry)
        self.call = call
        self.status = status
        self.code = code
        self.message = message
        self.entry = entry
        if advice:
            self.advice = advice

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later without anyone changing anything."""
        return False

    def __str__(self) -> str:
        facts = []
        if self.status is not None:
            facts.append(f"status {self.status}")
        if self.code is not None:
            facts.append(f"code {self.code}")
        if self.message:
            facts.append(self.message if self.status is None else f'"{self.message}"')
        return f"KS Pay, {self.call}: {', '.join(facts) or 'failed'}; {self.advice}"


class AuthenticationError(CallError):
    """Keys, signature or token are missing, wrong, expired or disabled."""

    family = "authentication"
    # That a new key disables the old one, and that its secret is shown once, is observed.
    advice = (
        "check KSPAY_APP_ID, KSPAY_ACCESS_KEY and KSPAY_SECRET_KEY, and that they belong to KSPAY_BASE_URL; the key "
        "may have been regenerated at KS Pay, which disables the old one: then set the new key and its secret, which "
        "KS Pay shows only once"
    )


class PermissionDeniedError(CallError):
    """The caller is known but may not do this."""

    family = "permission"
    advice = "check KSPAY_APP_ID, and at KS Pay that the app is enabled and these keys may use it from here"


class NotFoundError(CallError):
    """What the call names does not exist at KS Pay."""

    family = "not_found"
    advice = "check KSPAY_BASE_URL, KSPAY_APP_ID and the id that the call names"


class InvalidRequestError(CallError):
    """A value in the request is one that the server does not accept."""

    family = "invalid_request"
    advice = "check the values that the call was given"


class DateRangeError(CallError):
    """The dates of the request break a rule: 90 days, order, app creation, today, both or neither."""

    family = "date_range"
    advice = "check --from and --to"


class RateLimitError(CallError):
    """Too many requests in a short period."""

    family = "rate_limit"
    advice = "try again later, or lower RECONCILE_CONCURRENCY"

    @property
    def retryable(self) -> bool:
        return True


class ConflictError(CallError):
    """What the call would create exists already, or its state at KS Pay does not allow the call."""

    family = "conflict"
    advice = "look at its state at KS Pay first"


class ProviderError(CallError):
    """The payment provider behind KS Pay failed (may pass) or refused its own credentials (will not)."""

    family = "provider"
    advice = "try again later; if it stays so, check the gateway's settings at KS Pay"

    @property
    def retryable(self) -> bool:
        return self.entry != "invalidCredentials"


class ServerError(CallError):
    """A fault of KS Pay itself."""

    family = "server"
    advice = "try again later, or raise RECONCILE_GIVE_UP_SECONDS"

    @property
    def retryable(self) -> bool:
        return True


class ProtocolError(CallError):
    """An answer in none of the known shapes: no JSON, an unknown shape, a redirect.

    `may_pass`: the answer was cut off on its way, so another try may bring the whole of it.
    """

    advice = "check that KSPAY_BASE_URL is the address of KS Pay's API and that no proxy answers in its place"
    may_pass = False

    @property
    def retryable(self) -> bool:
        return self.may_pass


class IncompleteError(ProtocolError):
    """A window of the listing that cannot be proven complete (docs/paging-proof.md)."""

    advice = "nothing was taken over; try again at a quieter hour, or with a shorter period"


class UnreachableError(CallError):
    """No answer: the connection was refused or broken, or nothing came in time."""

    family = "unreachable"
    advice = "check KSPAY_BASE_URL and the network, or raise RECONCILE_GIVE_UP_SECONDS"
    may_pass = True

    @property
    def retryable(self) -> bool:
        return self.may_pass


class OutcomeUnknownError(CallError):
    """A request that must not be repeated was sent, and whether KS Pay acted on it is not known.

    Status, code and message are those of the failure, which is its `__cause__`. The advice says how to find out.
    """

    family = "outcome_unknown"


FAMILIES: dict[str, type[CallError]] = {
    kind.family: kind
    for kind in (
        AuthenticationError,
        PermissionDeniedError,
        NotFoundError,
        InvalidRequestError,
        DateRangeError,
        RateLimitError,
        ConflictError,
        ProviderError,
        ServerError,
        ProtocolError,
    )
}


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One documented error. `status`, `code` and `message` are None where the guide leaves them out."""

    name: str
    status: int | None
    code: int | None
    message: str | None
    family: str


@cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """The 125 documented errors, in the guide's order."""
    rows = json.loads(files(__package__).joinpath("errors.json").read_text("utf-8"))
    return tuple(
        CatalogueEntry(row["name"], row["http_status"], row["code"], row["message"], row["family"])
        for row in rows
    )


def error_for(call: str, status: int, code: int | None, message: str) -> CallError:
    """The error that an answer of `status` (400 and above, or any that is no success) stands for."""
    entry = _documented(status, code, message)
    if entry is None:
        return _by_status(status)(call, status, code, message)
    return FAMILIES[entry.family](call, status, code, message, entry=entry.name)


def is_gone(error: CallError) -> bool:
    """Whether KS Pay does not have the call: error -10, or 404, 405 or 410 without an error of KS Pay's own."""
    if error.retryable:
        return False
    unnamed = error.entry is None and error.code in (None, error.status)
    return error.code == _NO_SUCH_CALL or (unnamed and error.status in (404, 405, 410))


def token_expired(error: CallError) -> bool:
    """Whether a refused token only needs to be refreshed (9009); else a new pair is needed."""
    return error.code == 9009 or error.entry == "tokenExpired"


def _documented(status: int, code: int | None, message: str) -> CatalogueEntry | None:
    trouble = status == 429 or status >= 500
    ranked: list[tuple[tuple[bool, bool], float, CatalogueEntry]] = []
    for entry in catalogue() if code is None else _by_code().get(code, ()):
        likeness = _likeness(entry.message, message)
        same_status = entry.status == status
        if code is None:
            # Only the words say which error it is, so they must be the documented ones.
            fits = likeness == 1 and (same_status or (entry.status is None and not trouble))
        elif trouble:
            # The status says that the server is in trouble. That counts more than the code.
            fits = same_status
        else:
            fits = same_status or entry.status is None or likeness >= _SIMILAR
        if fits:
            ranked.append(((likeness == 1, same_status), likeness, entry))
    if not ranked:
        return None
    best = max(ranked, key=lambda each: each[:2])
    rivals = [
        likeness for rank, likeness, entry in ranked if rank == best[0] and entry.family != best[2].family
    ]
    return best[2] if best[1] >= max(rivals, default=-1) + (_MARGIN if rivals else 0) else None


@cache
def _by_code() -> dict[int | None, Sequence[CatalogueEntry]]:
    codes: dict[int | None, list[CatalogueEntry]] = defaultdict(list)
    for entry in catalogue():
        codes[entry.code].append(entry)
    return dict(codes)


def _likeness(documented: str | None, message: str) -> float:
    """1 for the documented words with any values filled in, else the share of common words."""
    if not documented or not message:
        return 0.0
    if _pattern(documented).fullmatch(" ".join(message.split())):
        return 1.0
    ours, theirs = _words(documented), _words(message)
    return min(0.99, len(ours & theirs) / max(1, len(ours | theirs)))


@cache
def _pattern(documented: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", " ".join(documented.split()))
    return re.compile(".*".join(re.escape(part) for part in parts), re.IGNORECASE | re.DOTALL)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.casefold()))


def _by_status(status: int) -> type[CallError]:
    if status >= 500 or status in (408, 425):
        return ServerError
    named: dict[int, type[CallError]] = {
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        409: ConflictError,
        429: RateLimitError,
    }
    return named.get(status, InvalidRequestError if 400 <= status < 500 else ProtocolError)
