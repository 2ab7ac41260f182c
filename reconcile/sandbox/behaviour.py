"""How the server behaves where KS Pay's guide leaves it open, and what goes wrong on the way.

A `Behaviour` is one choice of everything; the default is the plainest server. `PROFILES` names the
choices for the command line, and several may be put together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from reconcile.core.errors import UsageError

FAULTS = ("500", "502", "503", "429", "429-retry-after", "reset", "cut", "truncated", "drip", "hang")
"""What can go wrong with one request; see `reconcile.sandbox.faults`."""

SPOILT = (
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
"""Records that a server may hold but should not; see `reconcile.sandbox.spoilt`."""


@dataclass(frozen=True)
class Behaviour:
    """One way for the server to behave; the same values give the same answers to the same requests."""

    # Fetch All Transactions: which rows, in which order
    order: Literal["newest", "oldest", "updated"] = "newest"
    """By `createdAt` either way round, or the last updated first."""
    shuffle_ties: bool = False
    """Rows of one instant stand in a new order at each request."""
    repeat_every: int = 0
    """After so many rows the last one is listed a second time; 0: never."""
    filters_by: Literal["createdAt", "updatedAt"] = "createdAt"
    """The time that the date range is of."""
    to_date_included: bool = True
    """Else `toDate` means its midnight."""
    count_both_ends: bool = True
    """Whether the 90 days of a range count both of its ends."""
    one_day_allowed: bool = False
    """Whether `fromDate` may be `toDate`."""
    zone: str = "UTC"
    """Where the days of a range begin and end."""
    today_zone: str = "UTC"
    """Where the day that no date may lie after is today."""
    created_on: date | None = None
    """The app's creation day, before which nothing may be asked (11008); None: before its first payment."""

    # Fetch All Transactions: pages
    default_limit: int | None = 10
    """Rows of a page without a limit; None: all."""
    max_limit: int | None = 500
    """A larger limit is silently taken for this one; None: any is granted."""
    honours_limit: bool = True
    honours_page: bool = True
    rows_key: str | None = None
    """The list stands under this name in an object; None: it is the result itself."""
    total: Literal["total", "totalPages", "count"] | None = None
    """What of the listing is counted beside its rows (in an object, so under `data` without `rows_key`)."""
    total_off: int = 0
    """By how much that number is wrong."""

    # What happens between two requests of a listing
    arrive_every: int = 0
    """After every so many requests of a listing a payment comes in; 0: none does."""
    arrive_backdated: bool = False
    """It comes in at some instant of the range just asked for, else now."""
    change_every: int = 0
    """After every so many requests of a listing a payment changes; 0: none does."""
    at_most: int = 20
    """How many payments come in, and how many change, in all."""

    # Every answer
    enveloped: bool = True
    """Else the result comes bare, with `currencyId` and `paymentMethodId` for `id`."""
    status_name: Literal["status", "statusCode", "httpStatus"] = "status"
    """The field of an error that holds its HTTP status."""
    amounts_as_numbers: bool = False
    spoilt: tuple[str, ...] = ()
    """Kinds of bad records (`SPOILT`) that the server holds besides the good ones."""
    delay: float = 0
    """Seconds before each answer."""
    clock_ahead: float = 0
    """Seconds by which the server's clock is ahead; negative: behind."""

    # Tokens
    token_seconds: float = 900
    refresh_seconds: float = 86_400
    token_requests: int = 0
    """An access token ends (9009) after so many requests; 0: only with its time."""
    refreshes: bool = True
    """Else every refresh token has expired (9008)."""

    # Faults, fixed by the seed and the number of the request
    seed: int = 1
    faults: tuple[str, ...] = ()
    """Kinds of `FAULTS`, of which each faulty request meets one."""
    fault_every: int = 5
    """Of each so many requests one is faulty, so never more than two in a row."""
    outage_after: int = 0
    """How many requests are served before an outage."""
    outage_requests: int = 0
    """How many requests the outage refuses (503)."""
    requests_a_second: float = 0
    """More are refused with 429; 0: none is."""
    retry_after: bool = True
    """Whether such a 429 says how long to wait."""
    drip_seconds: float = 1
    hang_seconds: float = 30
    """The longest that a connection hangs before it is closed."""

    def __post_init__(self) -> None:
        """Raise ValueError for a kind of fault or of bad record that there is none of."""
        if unknown := {*self.faults} - {*FAULTS} | {*self.spoilt} - {*SPOILT}:
            raise ValueError(f"no such behaviour: {', '.join(sorted(unknown))}")


PROFILES: dict[str, tuple[str, dict[str, Any]]] = {
    "oldest-first": ("Lists the oldest transaction first.", {"order": "oldest"}),
    "newest-first": ("Lists the newest transaction first, as without a profile.", {"order": "newest"}),
    "updated-first": ("Lists the transaction first that changed last.", {"order": "updated"}),
    "shuffled-ties": ("Orders the rows of one instant anew at each request.", {"shuffle_ties": True}),
    "duplicates": ("Lists every seventh row twice.", {"repeat_every": 7}),
    "small-limit": ("Silently takes any limit above 20 for 20.", {"max_limit": 20}),
    "limit-ignored": (
        "Gives 50 rows a page whatever the limit.",
        {"honours_limit": False, "default_limit": 50},
    ),
    "page-ignored": ("Gives the first page whatever the page.", {"honours_page": False}),
    "everything": (
        "Gives all rows at once: neither page nor limit counts.",
        {"honours_page": False, "honours_limit": False, "default_limit": None},
    ),
    "object": ("Puts the list into an object under result.", {"rows_key": "transactions"}),
    "total": ("Tells the number of rows.", {"total": "total"}),
    "total-pages": ("Tells the number of pages.", {"total": "totalPages"}),
    "wrong-total": ("Tells a number of rows that is 7 too low.", {"total": "total", "total_off": -7}),
    "bare": ("Answers without the envelope, with currencyId and paymentMethodId.", {"enveloped": False}),
    "number-amounts": ("Writes amounts as numbers.", {"amounts_as_numbers": True}),
    "midnight": ("Takes toDate for its midnight: that day is not in it.", {"to_date_included": False}),
    "ninety-days-apart": ("Allows a range whose ends lie 90 days apart.", {"count_both_ends": False}),
    "one-day": ("Allows a range of one day.", {"one_day_allowed": True}),
    "other-zone": ("Cuts its days in Kolkata.", {"zone": "Asia/Kolkata"}),
    "by-update": ("Lists a range by updatedAt, not createdAt.", {"filters_by": "updatedAt"}),
    "arrivals": ("A payment comes in after every second page.", {"arrive_every": 2}),
    "backdated": (
        "A payment comes in after every second page, in the range asked for.",
        {"arrive_every": 2, "arrive_backdated": True},
    ),
    "changes": ("A payment changes after every second page.", {"change_every": 2}),
    "bad-records": ("Holds a record of every kind that cannot be used.", {"spoilt": SPOILT}),
    "bad-bytes": ("Holds a record with invalid UTF-8.", {"spoilt": ("invalid-utf8",)}),
    "bad-literal": ("Holds a record whose amount is NaN, which is no JSON.", {"spoilt": ("nan-literal",)}),
    "fast-clock": ("Its clock is ten minutes ahead.", {"clock_ahead": 600}),
    "slow-clock": ("Its clock is ten minutes behind.", {"clock_ahead": -600}),
    "short-tokens": ("Ends an access token after 20 requests (9009).", {"token_requests": 20}),
    "dead-refresh": (
        "Ends an access token after 20 requests and refuses to refresh it (9008).",
        {"token_requests": 20, "refreshes": False},
    ),
    "errors": ("Answers one in five requests with 500.", {"faults": ("500",)}),
    "bad-gateway": ("Answers one in five requests with 502 and a page of HTML.", {"faults": ("502",)}),
    "outage": ("Is out (503) from request 6 to 8.", {"outage_after": 5, "outage_requests": 3}),
    "resets": ("Resets one in five connections.", {"faults": ("reset",)}),
    "cut": ("Closes one in five connections in the middle of the answer.", {"faults": ("cut",)}),
    "truncated": ("Sends half of the JSON for one in five requests.", {"faults": ("truncated",)}),
    "drip": ("Answers one in five requests in slow drops.", {"faults": ("drip",)}),
    "hang": ("Never answers one in five requests (30 s).", {"faults": ("hang",)}),
    "too-many": ("Answers one in five requests with 429, without Retry-After.", {"faults": ("429",)}),
    "rate-limit": ("Grants 10 requests a second, else 429 with Retry-After.", {"requests_a_second": 10}),
    "rate-limit-silent": (
        "Grants 10 requests a second, else 429 without Retry-After.",
        {"requests_a_second": 10, "retry_after": False},
    ),
}
"""Each profile: what it does, and the fields of `Behaviour` it sets."""


def named(names: Iterable[str]) -> Behaviour:
    """The behaviour of these profiles together: faults and bad records add up, else the last one counts.

    Raises UsageError for a name that is none.
    """
    values: dict[str, Any] = {}
    for name in names:
        if name not in PROFILES:
            raise UsageError(
                f"--profile {name}: there is none of that name; reconcile sandbox --help lists them"
            )
        for field, value in PROFILES[name][1].items():
            values[field] = values.get(field, ()) + value if field in ("faults", "spoilt") else value
    return Behaviour(**values)
