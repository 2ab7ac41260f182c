"""The server's clock. Its days and the lives of its tokens are measured by it, never by our clock."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


class ServerClock:
    """The server's time, from the `Date` header of its last answer. Before the first answer it is our own time.

    Elapsed time is measured with the monotonic clock. So it does not matter whether our clock is wrong, or is set
    meanwhile.
    """

    def __init__(self) -> None:
        self._last: tuple[datetime, float] | None = None

    @property
    def known(self) -> bool:
        """Whether an answer has shown the server's time."""
        return self._last is not None

    def set_from(self, date_header: str | None) -> None:
        """Use the `Date` header of an answer. One that cannot be read changes nothing."""
        at = http_date(date_header)
        if at is not None:
            self._last = (at, time.monotonic())

    def now(self) -> datetime:
        """The server's time, aware, in UTC."""
        if self._last is None:
            return datetime.now(UTC)
        at, measured = self._last
        return at + timedelta(seconds=time.monotonic() - measured)


def http_date(text: str | None) -> datetime | None:
    """An HTTP date (RFC 9110, 5.6.7) as an aware UTC time; None if the text is not one."""
    if not text:
        return None
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
