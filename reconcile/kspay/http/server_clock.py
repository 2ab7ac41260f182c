"""The server's clock: its days and its tokens' lives are measured by it, never by ours."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


class ServerClock:
    """The server's clock, from the `Date` header of its answers; until one came, our own.

    Elapsed time is measured with the monotonic clock, so that neither a wrong clock here nor one
    that is set meanwhile changes what we take for the server's time.
    """

    def __init__(self) -> None:
        self._heard: tuple[datetime, float] | None = None

    @property
    def known(self) -> bool:
        """Whether the server has told its time."""
        return self._heard is not None

    def hear(self, date_header: str | None) -> None:
        """Take in the `Date` header of an answer; one that cannot be read changes nothing."""
        at = http_date(date_header)
        if at is not None:
            self._heard = (at, time.monotonic())

    def now(self) -> datetime:
        """The server's time, aware, in UTC."""
        if self._heard is None:
            return datetime.now(UTC)
        at, heard = self._heard
        return at + timedelta(seconds=time.monotonic() - heard)


def http_date(text: str | None) -> datetime | None:
    """An HTTP date (RFC 9110, 5.6.7) as an aware UTC time; None where it is none."""
    if not text:
        return None
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
