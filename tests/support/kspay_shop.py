"""A merchant's transactions behind every behaviour that the guide leaves open."""

import json
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any

from tests.support.kspay_server import Asked, Reply, failure, success

DAY = timedelta(days=1)


@dataclass
class Behaviour:
    """One way in which a server may keep to the guide."""

    order: str = "oldest first"  # newest first, last updated first, first updated first, by id, random
    cap: int = 1000
    own_size: int | None = None  # pages of this size whatever `limit` says
    offset_by_asked: bool = False  # page p starts at (p - 1) x the limit asked for, although capped
    ignores_page: bool = False
    all_at_once: bool = True  # where it ignores `page`; else the first rows only, as many as a page has
    repeats_every: int = 0  # after so many rows the last one is listed again
    zone_hours: int = 0  # where its days are cut, east of UTC
    today_hours: int = 0  # where the day is today that no date may lie after, east of UTC
    total: str = "none"  # right, wrong
    shape: str = "list"  # object
    filters: str = "createdAt"  # updatedAt
    to_included: bool = True
    clamps_page: bool = False  # a page beyond the last is the last
    room: int | None = (
        None  # an answer is cut where it would weigh more (`weight`), but holds one row at least
    )
    hides_every: int = 0  # of each page, after it was cut out, every row at such a place is left out; 0: none


@dataclass
class Change:
    """What happens right after the request of this number was answered."""

    after: int
    what: str  # insert, late, update
    which: int = 0
    at: datetime | None = None  # when a late one claims to be created


@dataclass
class Shop:
    """Holds the rows; its `listing` is Fetch All Transactions."""

    rows: list[dict[str, Any]]
    behaviour: Behaviour
    changes: list[Change] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    requests: int = 0
    answered: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.lock = threading.Lock()  # each answer is one moment

    def listing(self, asked: Asked) -> Reply:
        with self.lock:
            return self._listing(asked)

    def _listing(self, asked: Asked) -> Reply:
        self.requests += 1
        fault = self.faults.get(self.requests)
        if fault == "reset":
            return Reply(200, {}, fault="reset")
        if fault == "token":
            return failure(401, 9009, "Token has expired.")
        if fault == "429":
            return failure(429, 11005, "Too many requests made in a short period", Retry_After="0")
        if fault == "500":
            return failure(500, 26, "Oops! Something went wrong")
        reply = self._answer(asked)
        reply.body = json.dumps(reply.body).encode()  # as it is now, before anything changes
        if fault == "truncate":
            reply.fault = "truncate"
            return reply
        self.answered += 1
        for change in self.changes:
            if change.after == self.answered:
                self._change(change)
        return reply

    def _answer(self, asked: Asked) -> Reply:
        how, query = self.behaviour, asked.query
        start, end = date.fromisoformat(query["fromDate"]), date.fromisoformat(query["toDate"])
        assert start < end
        if max(start, end) > self.today():
            return failure(400, 11011, "The end date cannot be after today's date.")
        last = end if how.to_included else end - DAY
        held = self._sorted(
            [row for row in self.rows if start <= day(row[how.filters], how.zone_hours) <= last]
        )
        if how.repeats_every:
            held = [
                row
                for n, each in enumerate(held, 1)
                for row in [each] * (2 if n % how.repeats_every == 0 else 1)
            ]
        asked_limit, page = int(query["limit"]), int(query["page"])
        size = how.own_size or min(asked_limit, how.cap)
        step = asked_limit if how.offset_by_asked else size
        if how.clamps_page and held:
            page = min(page, (len(held) - 1) // step + 1)
        if how.ignores_page:
            shown = held if how.all_at_once else held[:size]
        else:
            shown = held[(page - 1) * step : (page - 1) * step + size]
        if how.room is not None:
            weights = list(accumulate(weight(row) for row in shown))
            shown = shown[: max(1, sum(each <= how.room for each in weights))]
        if how.hides_every:
            shown = [row for row in shown if int(row["id"][3:]) % how.hides_every]
        if how.shape == "list":
            return success(shown)
        result: dict[str, Any] = {"transactions": shown}
        if how.total != "none":
            result["total"] = len(held) + (3 if how.total == "wrong" else 0)
        return success(result)

    def today(self) -> date:
        """The day that no date may lie after."""
        return (datetime.now(UTC) + timedelta(hours=self.behaviour.today_hours)).date()

    def reachable(self) -> set[str]:
        """The ids that some range of days lists now, of all that may be asked for up to the UTC day."""
        how = self.behaviour
        last = min(self.today(), datetime.now(UTC).date()) - (0 if how.to_included else 1) * DAY
        return {row["id"] for row in self.rows if day(row[how.filters], how.zone_hours) <= last}

    def _sorted(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        order = self.behaviour.order
        rows = list(rows)
        if "random" in order:
            self.random.shuffle(rows)  # the sort below is stable: rows of one instant come in a new order
        if order.startswith("by id"):
            return sorted(rows, key=lambda row: str(row["id"])[::-1])
        key = "updatedAt" if "updated" in order else "createdAt"
        backwards = "newest" in order or "last updated" in order
        return sorted(rows, key=lambda row: str(row[key]), reverse=backwards)

    def _change(self, change: Change) -> None:
        now = datetime.now(UTC).isoformat()
        if change.what == "update" and self.rows:
            self.rows[change.which % len(self.rows)]["updatedAt"] = now
        elif change.what == "insert":
            self._add(now, now)
        elif change.what == "late" and change.at is not None:
            self._add(change.at.isoformat(), now)

    def _add(self, created: str, updated: str) -> None:
        number = len(self.rows)
        self.rows.append(transaction(number, created, updated))


def transaction(number: int, created: str, updated: str) -> dict[str, Any]:
    return {"id": f"tx_{number:04d}", "amount": "1", "createdAt": created, "updatedAt": updated}


def weight(row: dict[str, Any]) -> int:
    """Some rows are as long as ten others."""
    return 10 if int(row["id"][3:]) % 7 == 3 else 1


def day(text: str, hours: int = 0) -> date:
    return (datetime.fromisoformat(text) + timedelta(hours=hours)).date()
