"""How fast to ask: one pace for all workers, learnt from the server's refusals (429)."""

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median

EASE = 0.8
"""After a refusal the pace is at most this part of what it was, or of what was granted since the last one …"""

EASE_MORE = 0.4
"""… and at least this part of what it was."""

GROWTH = 0.001
"""Each granted request that had to wait for its turn speeds the pace up by this part, …"""

STEP = 0.1
"""… or by so many requests a second, if that is more: lest refusals by mere chance slow it ever more, …"""

GRANTS_A_REFUSAL = 40
"""… but only once so many were granted for every one that was refused, so that in the long run at most
one request in forty is, however many of them a refusal catches at once or in a row."""

USELESS = 8
"""So often in a row the pace is slowed although fewer than GRANTS_A_REFUSAL were granted since the last
time. A pace that were to blame would be right by then: what goes on refusing does so by chance."""

ALONE = 1.0
"""Seconds for which one request tries alone whether the server grants again, unless it is answered before."""

SLOWEST = 0.2
"""Requests a second that are always tried."""

_SOON = 0.1


class RateLimiter:
    """Paces the requests of all threads. Until the first refusal nothing is held back.

    A refusal stops every worker for as long as the server asks (`Retry-After`), and for a wait that
    grows with each refusal after which nothing was granted. Then one request tries alone, and once it
    is granted all go on at a slower pace, evenly. Answers to requests that were already under way tell
    nothing about the new pace.
    """

    def __init__(self, backoff: Callable[[int], float]) -> None:
        self._backoff = backoff  # the wait after so many refusals in a row
        self._lock = threading.Lock()
        self._rate: float | None = None  # requests a second; None: as fast as they come
        self._next_at = 0.0  # when the next request may leave, on the monotonic clock
        self._granted_at: deque[float] = deque(maxlen=16)
        self._slowed_at = self._refused_at = 0.0
        self._paced_from = 0.0  # when the pace was set, before the wait that followed
        self._granted_since = 0
        self._in_a_row = 0
        self._in_vain = 0  # slowed in a row with little granted in between
        self._owed = 0  # grants to wait for before the pace may grow

    def turn(self) -> tuple[float, bool]:
        """The seconds to wait, and whether the request may then leave or has to ask for a turn again."""
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
        """Whether a request was refused since: then a turn taken at that moment is void."""
        return self._refused_at > moment

    def granted(self, sent_at: float, waited: bool) -> None:
        """A request that left at `sent_at` was let through; `waited`: it had to wait for its turn."""
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
        """A request that left at `sent_at` was refused with 429."""
        with self._lock:
            self._refused_at = now = time.monotonic()
            self._owed += GRANTS_A_REFUSAL
            wait = retry_after or 0.0
            if sent_at >= self._slowed_at:
                # Where nothing was granted since, the pace was not tried yet: only the wait grows.
                if self._granted_since:
                    self._slow_down(now)
                self._slowed_at = now
                self._in_a_row += 1
                # A server that asks for too short a wait, of 0 seconds say, is asked in vain only once.
                if retry_after is None or self._in_a_row > 1:
                    wait = max(wait, self._backoff(self._in_a_row))
            self._next_at = max(self._next_at, now + wait)

    def _slow_down(self, now: float) -> None:
        self._in_vain = self._in_vain + 1 if self._granted_since < GRANTS_A_REFUSAL else 0
        if self._rate is not None and self._in_vain <= USELESS:
            # The wait after the last refusal counts too: it is part of what the server asks for.
            granted = self._granted_since / max(now - self._paced_from, 0.001)
            slower = max(min(self._rate, granted) * EASE, self._rate * EASE_MORE)
            self._rate = max(slower, SLOWEST)
        elif self._rate is None and len(self._granted_at) > 1:
            # Of the gaps between the last grants the middle one tells the pace: a pause of ours among
            # them does not.
            gaps = [later - earlier for earlier, later in pairwise(self._granted_at)]
            self._rate = EASE / max(median(gaps), 0.001)
        self._paced_from = now
        self._granted_since = 0
