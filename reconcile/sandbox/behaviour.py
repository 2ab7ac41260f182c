"""How the server behaves where KS Pay's guide leaves it open, and which faults it injects.

A `Behaviour` has all settings; the default is the simplest server. `PROFILES` are named settings for the command
line; several can be combined.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from reconcile.core.errors import UsageError

FAULTS = ("500", "502", "503", "429", "429-retry-after", "reset", "cut", "truncated", "drip", "hang")
"""What can go wrong with one request; see `reconcile.sandbox.faults`."""

REMOVABLE = ("generate_signature", "by_reference")
"""The calls that a later rendering of KS Pay's guide no longer shows, by their names in `reconcile.sandbox.openapi`."""

BAD_RECORDS = (
    "missing-fields",
    "null-fields",
    "wrong-types",
    "unknown-currency",
    "nan",
    "huge",
    "negative",
    "too-many-decimals",
    "no-zone",
    "two-versions",
    "long-text",
    "nan-literal",
    "infinity-literal",
    "invalid-utf8",
    "invalid-utf8-unread",
)
"""Kinds of bad records; see `reconcile.sandbox.bad_records`."""


@dataclass(frozen=True)
class Behaviour:
    """One way for the server to behave; the same values give the same answers to the same requests."""

    # Fetch All Transactions: which rows, in which order
    order: Literal["newest", "oldest", "updated"] = "newest"
    """By `createdAt`, newest or oldest first, or the last updated first."""
    shuffle_ties: bool = False
    """Whether rows of the same instant have a new order at each request."""
    repeat_every: int = 0
    """After this many rows the last one is repeated; 0: never."""
    filters_by: Literal["createdAt", "updatedAt"] = "createdAt"
    """The field that the date range filters by."""
    to_date_included: bool = True
    """Whether the range includes `toDate`; else it ends at its midnight."""
    count_both_ends: bool = True
    """Whether the 90 days of a range count both of its ends."""
    one_day_allowed: bool = False
    """Whether `fromDate` may be `toDate`."""
    zone: str = "UTC"
    """The time zone of the days of a range."""
    today_zone: str = "UTC"
    """The time zone of today, the last day that may be asked for."""
    created_on: date | None = None
    """The app's creation day, before which nothing may be asked (11008); None: before its first payment."""

    # Fetch All Transactions: pages
    default_limit: int | None = 10
    """Rows of a page without a limit; None: all."""
    max_limit: int | None = 500
    """A larger limit silently becomes this one; None: any limit is accepted."""
    honours_limit: bool = True
    honours_page: bool = True
    rows_key: str | None = None
    """The name of the list in an object; None: the list is the result itself."""
    total: Literal["total", "totalPages", "count"] | None = None
    """The count that is given with the rows (in an object, so under `data` without `rows_key`)."""
    total_off: int = 0
    """The error of that count."""

    # What happens between two requests of a listing
    arrive_every: int = 0
    """After every this many requests of a listing a new payment arrives; 0: none."""
    arrive_backdated: bool = False
    """Whether it is created at an instant of the requested range; else now."""
    change_every: int = 0
    """After every this many requests of a listing a payment changes; 0: none."""
    at_most: int = 20
    """How many payments arrive, and how many change, at most."""

    # Every answer
    enveloped: bool = True
    """Whether the result has its envelope; without it, it has `currencyId` and `paymentMethodId` instead of `id`."""
    status_name: Literal["status", "statusCode", "httpStatus"] = "status"
    """The field of an error that holds its HTTP status."""
    amounts_as_numbers: bool = False
    bad_records: tuple[str, ...] = ()
    """Kinds of bad records (`BAD_RECORDS`) that the server has besides the good ones."""
    delay: float = 0
    """Seconds before each answer."""
    clock_ahead: float = 0
    """Seconds by which the server's clock is ahead; negative: behind."""

    # Payments
    keys_in_headers: bool = False
    """Whether a payment begins only for the keys in the headers accessKey and secretKey."""
    begun: Literal["transaction", "signature", "text"] = "transaction"
    """What a payment that begins answers: its data, an object with its signature, or the signature as a bare text.

    With such a signature and no body, process knows which payment is meant.
    """
    processed: Literal["order", "details"] = "order"
    """What process answers: an order, or gateway, mode, altTxnId and details."""
    without: tuple[str, ...] = ()
    """The calls (`REMOVABLE`) that the server does not have: 404 with error -10."""

    # Tokens
    token_seconds: float = 900
    refresh_seconds: float = 86_400
    token_requests: int = 0
    """An access token ends (9009) after this many requests; 0: only when it expires."""
    refreshes: bool = True
    """Whether refresh tokens work; else every one has expired (9008)."""

    # Faults, fixed by the seed and the number of the request
    seed: int = 1
    faults: tuple[str, ...] = ()
    """Kinds of `FAULTS`; each faulty request gets one."""
    fault_every: int = 5
    """Of each this many requests one is faulty, so never more than two in a row."""
    outage_after: int = 0
    """How many requests are served before an outage."""
    outage_requests: int = 0
    """How many requests the outage refuses (503)."""
    requests_a_second: float = 0
    """More requests a second are refused with 429; 0: no limit."""
    retry_after: bool = True
    """Whether such a 429 says how long to wait."""
    drip_seconds: float = 1
    hang_seconds: float = 30
    """The longest that a connection hangs before it is closed."""

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown kind of fault or bad record, and for a call that every server has."""
        unknown = {*self.faults} - {*FAULTS} | {*self.bad_records} - {*BAD_RECORDS}
        unknown |= {*self.without} - {*REMOVABLE}
        if unknown:
            raise ValueError(f"no such behaviour: {', '.join(sorted(unknown))}")


PROFILES: dict[str, tuple[str, dict[str, Any]]] = {
    "oldest-first": ("Lists the oldest transaction first.", {"order": "oldest"}),
    "newest-first": ("Lists the newest transaction first, as without a profile.", {"order": "newest"}),
    "updated-first": ("Lists the transaction first that changed last.", {"order": "updated"}),
    "shuffled-ties": ("Gives rows of the same instant a new order at each request.", {"shuffle_ties": True}),
    "duplicates": ("Lists every seventh row twice.", {"repeat_every": 7}),
    "small-limit": ("Silently lowers any limit above 20 to 20.", {"max_limit": 20}),
    "limit-ignored": (
        "Gives 50 rows a page whatever the limit.",
        {"honours_limit": False, "default_limit": 50},
    ),
    "page-ignored": ("Always gives the first page.", {"honours_page": False}),
    "everything": (
        "Gives all rows at once, whatever the page and the limit.",
        {"honours_page": False, "honours_limit": False, "default_limit": None},
    ),
    "object": ("Puts the list into an object under result.", {"rows_key": "transactions"}),
    "total": ("Gives the number of rows.", {"total": "total"}),
    "total-pages": ("Gives the number of pages.", {"total": "totalPages"}),
    "wrong-total": ("Gives a number of rows that is 7 too low.", {"total": "total", "total_off": -7}),
    "bare": ("Answers without the envelope, with currencyId and paymentMethodId.", {"enveloped": False}),
    "key-headers": (
        "Begins a payment only for the keys in headers, as KS Pay's own SDK sends them.",
        {"keys_in_headers": True},
    ),
    "signature-object": (
        "Begins a payment with an object that holds only its signature.",
        {"begun": "signature"},
    ),
    "signature-text": ("Begins a payment with its signature as a bare text.", {"begun": "text"}),
    "gateway-details": (
        "Processes a payment with gateway, mode and details, without an order.",
        {"processed": "details"},
    ),
    "sdk": (
        "Begins and processes payments as KS Pay's own SDK expects it.",
        {"keys_in_headers": True, "begun": "text", "processed": "details"},
    ),
    "no-signatures": (
        "Has no generate-signature any more (404, -10).",
        {"without": ("generate_signature",)},
    ),
    "no-look-up": (
        "Has no look-up by reference number any more (404, -10).",
        {"without": ("by_reference",)},
    ),
    "number-amounts": ("Writes amounts as numbers.", {"amounts_as_numbers": True}),
    "midnight": (
        "Ends a range at the midnight of toDate: that day is not included.",
        {"to_date_included": False},
    ),
    "ninety-days-apart": ("Allows a range whose ends are 90 days apart.", {"count_both_ends": False}),
    "one-day": ("Allows a range of one day.", {"one_day_allowed": True}),
    "other-zone": ("Its days are those of Kolkata.", {"zone": "Asia/Kolkata"}),
    "by-update": ("Lists a range by updatedAt, not createdAt.", {"filters_by": "updatedAt"}),
    "arrivals": ("A payment arrives after every second page.", {"arrive_every": 2}),
    "backdated": (
        "A payment arrives after every second page, in the requested range.",
        {"arrive_every": 2, "arrive_backdated": True},
    ),
    "changes": ("A payment changes after every second page.", {"change_every": 2}),
    "bad-records": ("Has a bad record of every kind.", {"bad_records": BAD_RECORDS}),
    "bad-bytes": ("Has a record with invalid UTF-8.", {"bad_records": ("invalid-utf8",)}),
    "bad-literal": (
        "Has a record whose amount is NaN, which is not JSON.",
        {"bad_records": ("nan-literal",)},
    ),
    "fast-clock": ("Its clock is ten minutes ahead.", {"clock_ahead": 600}),
    "slow-clock": ("Its clock is ten minutes behind.", {"clock_ahead": -600}),
    "short-tokens": ("Ends an access token after 20 requests (9009).", {"token_requests": 20}),
    "dead-refresh": (
        "Ends an access token after 20 requests and refuses to refresh it (9008).",
        {"token_requests": 20, "refreshes": False},
    ),
    "errors": ("Answers one in five requests with 500.", {"faults": ("500",)}),
    "bad-gateway": ("Answers one in five requests with 502 and a page of HTML.", {"faults": ("502",)}),
    "outage": ("Is unavailable (503) from request 6 to 8.", {"outage_after": 5, "outage_requests": 3}),
    "resets": ("Resets one in five connections.", {"faults": ("reset",)}),
    "cut": ("Closes one in five connections in the middle of the answer.", {"faults": ("cut",)}),
    "truncated": ("Sends half of the JSON for one in five requests.", {"faults": ("truncated",)}),
    "drip": ("Sends the answer to one in five requests slowly, in small pieces.", {"faults": ("drip",)}),
    "hang": ("Never answers one in five requests (30 s).", {"faults": ("hang",)}),
    "too-many": ("Answers one in five requests with 429, without Retry-After.", {"faults": ("429",)}),
    "rate-limit": ("Allows 10 requests a second, else 429 with Retry-After.", {"requests_a_second": 10}),
    "rate-limit-silent": (
        "Allows 10 requests a second, else 429 without Retry-After.",
        {"requests_a_second": 10, "retry_after": False},
    ),
}
"""Each profile: what it does, and the fields of `Behaviour` it sets."""


def named(names: Iterable[str]) -> Behaviour:
    """The behaviour of these profiles together: faults, bad records and removed calls add up; else the last one counts.

    Raises UsageError for an unknown name.
    """
    values: dict[str, Any] = {}
    for name in names:
        if name not in PROFILES:
            raise UsageError(
                f"--profile {name}: there is no such profile; reconcile sandbox --help lists them"
            )
        for field, value in PROFILES[name][1].items():
            values[field] = values.get(field, ()) + value if isinstance(value, tuple) else value
    return Behaviour(**values)
