"""How fast to send requests: one pace for all threads, learnt from the server's refusals (status 429).

The guide names the error (11005), but no limit.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median

EASE = 0.8
"""After a refusal the pace is at most this part of what it was, or of the rate granted since the last refusal …"""

EASE_MORE = 0.4
"""… and at least this part of what it was."""

GROWTH = 0.001
"""Each granted request that had to wait for its turn raises the pace by this part, …"""

STEP = 0.1
"""… or by so many requests a second, if that is more. Otherwise refusals by chance would slow it more and more, …"""

GRANTS_A_REFUSAL = 40
"""… but only once so many requests were granted for each one refused. So in the long run at most one request in
forty is refused, however many requests are refused at once or in a row."""

MOST_SLOWDOWNS = 8
"""The most times in a row that the pace is lowered although fewer than GRANTS_A_REFUSAL requests were granted since the
last time. A pace that was too high is right by then. A server that still refuses does so by chance."""

ALONE = 1.0
"""After a refusal one request tries alone, for so many seconds at most, before the others go on."""

SLOWEST = 0.2
"""The lowest pace, in requests a second."""

_SOON = 0.1


class RateLimiter:
    """Sets the pace of the requests of all threads. Until the first refusal no request waits.

    A refusal stops all threads for as long as the server asks (`Retry-After`), and for a wait that grows with each
    refusal after which no request was granted. Then one request tries alone. Once it is granted, all go on at a
    slower, even pace. Answers to requests that were sent before say nothing about the new pace.
    """

    def __init__(self, backoff: Callable[[int], float]) -> None:
        self._backoff = backoff  # the wait after so many refusals in a row
        self._lock = threading.Lock()
        self._rate: float | None = None  # requests a second; None: as fast as they come
        self._next_at = 0.0  # when the next request may be sent, on the monotonic clock
        self._granted_at: deque[float] = deque(maxlen=16)
        self._slowed_at = self._refused_at = 0.0
        self._paced_from = 0.0  # when the pace was set, before the wait that followed
        self._granted_since = 0
        self._in_a_row = 0
        self._slowdowns = 0  # slowdowns in a row with few grants between them
        self._owed = 0  # grants still needed before the pace may grow

    def turn(self) -> tuple[float, bool]:
        """The seconds to wait, and whether the request may then be sent or must ask for a turn again."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next_at)
            if not self._in_a_row:
                self._next_at = at + (1 / self._rate if self._rate else 0.0)
                return at - now, True
            if at > now:
                return min(at - now, _SOON), False
            self._next_at = now + ALONE
            return 0.0, True

    def refused_since(self, moment: float) -> bool:
        """Whether a request was refused since this moment (monotonic clock). Then a turn taken then does not count."""
        return self._refused_at > moment

    def granted(self, sent_at: float, waited: bool) -> None:
        """A request sent at `sent_at` was not refused with 429; `waited`: it had to wait for its turn."""
        with self._lock:
            self._granted_at.append(time.monotonic())
            self._owed = max(0, self._owed - 1)
            if sent_at < self._slowed_at:
                return
            self._granted_since += 1
            if self._in_a_row:
                self._in_a_row = 0
                self._next_at = self._granted_at[-1]
            if waited and self._rate is not None and not self._owed:
                self._rate += max(self._rate * GROWTH, STEP)

    def refused(self, sent_at: float, retry_after: float | None) -> None:
        """A request sent at `sent_at` was refused with 429. `retry_after` is in seconds."""
        with self._lock:
            self._refused_at = now = time.monotonic()
            self._owed += GRANTS_A_REFUSAL
            wait = retry_after or 0.0
            if sent_at >= self._slowed_at:
                # If nothing was granted since, the new pace was not tried yet: only the wait grows.
                if self._granted_since:
                    self._slow_down(now)
                self._slowed_at = now
                self._in_a_row += 1
                # A server may ask for too short a wait, such as 0 seconds. It is believed only once.
                if retry_after is None or self._in_a_row > 1:
                    wait = max(wait, self._backoff(self._in_a_row))
            self._next_at = max(self._next_at, now + wait)

    def _slow_down(self, now: float) -> None:
        self._slowdowns = self._slowdowns + 1 if self._granted_since < GRANTS_A_REFUSAL else 0
        if self._rate is not None and self._slowdowns <= MOST_SLOWDOWNS:
            # The wait after the last refusal counts too, because the server asked for it.
            granted = self._granted_since / max(now - self._paced_from, 0.001)
            slower = max(min(self._rate, granted) * EASE, self._rate * EASE_MORE)
            self._rate = max(slower, SLOWEST)
        elif self._rate is None and len(self._granted_at) > 1:
            # The median of the gaps between the last grants is the pace. A pause of our own among them
            # does not change it.
            gaps = [later - earlier for earlier, later in pairwise(self._granted_at)]
            self._rate = EASE / max(median(gaps), 0.001)
        self._paced_from = now
        self._granted_since = 0
