"""How fast to ask: one pace for all workers, learnt from the server's refusals (429)."""

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median

EASE = 0.7
"""After a refusal the pace is this part of what it was …"""

EASE_MORE = 0.5
"""… or this, where it came soon after the one before, so that the pace is still far too fast."""

GROWTH = 0.002
"""Each granted request that had to wait for its turn speeds the pace up by this part. From one refusal
to the next some 180 requests are granted, so that even four refused at once are fewer than 5 %."""

SOON = 90
"""Fewer granted requests than this between two refusals are soon."""

SLOWEST = 1 / 30
"""Requests a second that are always tried."""


class Governor:
    """Paces the requests of all threads. Until the first refusal nothing is held back.

    A refusal stops every worker for as long as the server asks (`Retry-After`), else for a wait that
    grows with each refusal after which nothing was granted; then they go on at a slower pace, evenly.
    Refusals of requests that were already under way say nothing new and slow nothing down.
    """

    def __init__(self, backoff: Callable[[int], float]) -> None:
        self._backoff = backoff  # the wait after so many refusals in a row
        self._lock = threading.Lock()
        self._rate: float | None = None  # requests a second; None: as fast as they come
        self._next_at = 0.0  # when the next request may leave, on the monotonic clock
        self._granted_at: deque[float] = deque(maxlen=16)
        self._slowed_at = self._refused_at = 0.0
        self._granted_since = 0
        self._in_a_row = 0

    def turn(self) -> float:
        """Take the next turn: the seconds to wait for it."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next_at)
            if self._rate is not None:
                self._next_at = at + 1 / self._rate
            return at - now

    def refused_since(self, moment: float) -> bool:
        """Whether a request was refused since: then a turn taken at that moment is void."""
        return self._refused_at > moment

    def granted(self, waited: bool) -> None:
        """A request was let through; `waited`: it had to wait for its turn."""
        with self._lock:
            self._granted_at.append(time.monotonic())
            self._granted_since += 1
            self._in_a_row = 0
            if waited and self._rate is not None:
                self._rate *= 1 + GROWTH

    def refused(self, sent_at: float, retry_after: float | None) -> None:
        """A request that left at `sent_at` was refused with 429."""
        with self._lock:
            self._refused_at = now = time.monotonic()
            if sent_at >= self._slowed_at:
                # Where nothing was granted since, the pace was not tried yet: only the wait grows.
                if self._granted_since:
                    self._slow_down()
                self._slowed_at = now
                self._in_a_row += 1
                wait = self._backoff(self._in_a_row) if retry_after is None else retry_after
            else:
                wait = retry_after or 0.0
            self._next_at = max(self._next_at, now + wait)

    def _slow_down(self) -> None:
        if self._rate is None:
            # Of the gaps between the last grants the middle one tells the pace: a pause of ours among
            # them does not.
            gaps = [later - earlier for earlier, later in pairwise(self._granted_at)]
            if gaps:
                self._rate = EASE / max(median(gaps), 0.001)
        else:
            ease = EASE_MORE if self._granted_since < SOON else EASE
            self._rate = max(self._rate * ease, SLOWEST)
        self._granted_since = 0
