"""What is told of a window that was read: how, and why nothing of it can be missing, or that this is not known."""

from dataclasses import dataclass
from datetime import datetime

from reconcile.core.records import RawRow
from reconcile.kspay.errors import ProtocolError
from reconcile.kspay.paging.windows import Window

ONE_ANSWER = "one answer held it all"
COUNTED = "as many ids as listed rows"
TWO_READINGS = "two equal readings"
QUIET = "nothing new through many readings"
SETTLED = "as many ids as listed rows, unchanged through several readings"


class IncompleteError(ProtocolError):
    """A window that could not be read so that its completeness is certain."""

    advice = "nothing was taken over; try again at a quieter hour, or with a shorter period"


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """How a window was read to its proven end."""

    window: Window
    pages: int  # answers, the empty ones and the repeated ones included
    rows: int  # in all of them
    distinct: int  # different ids (of rows without an id, different contents)
    passes: int  # readings from the first page on
    first_at: datetime | None  # the earliest `createdAt`, aware, UTC; None where no row has one
    last_at: datetime | None
    total: int | None  # what the server said that the window holds, if anything
    proof: str  # in a few words, why nothing can be missing
    latest_clock: datetime | None = (
        None  # the `createdAt` with the latest time of day, as far as it was looked at
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one answer that were not known in this form; of a further reading often none."""

    rows: list[RawRow]
    number: int
    reading: int
    rows_of_reading: int  # up to and with this answer
    rows_expected: int  # in the longest reading before; 0 in the first
