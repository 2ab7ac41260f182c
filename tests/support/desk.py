"""A finance desk: nights arrive and are matched, people decide in a file, and the next night shows what came of it."""

import csv
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from reconcile.core.people import account_of_person
from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.db.sql_files import read_sql
from reconcile.decide import audit_trail
from reconcile.decide import resolve as decisions
from reconcile.decide.result import ResolveResult
from reconcile.decide.sheet import open_sheet
from reconcile.match.engine import Matched, match
from reconcile.report.columns import DISCREPANCIES
from reconcile.settings import Settings
from tests.oracle import E, T
from tests.oracle.words import AUGUST
from tests.support.arrivals import arrive, record_run

Row = dict[str, Any]

Pair = tuple[str, str, str]
"""Rule, transaction id, ledger id."""

PERSON = account_of_person(os.getuid()) or "asha"
"""Who decides in the inbox of a test: the owner of its files, where that is a person's account."""

_numbers = count(1)
_apps = count(1)


def new_app() -> str:
    """The id of an app that no other desk of this process has."""
    return f"ap_{next(_apps)}"


class Desk:
    """One app (or several) in a database that may hold others."""

    def __init__(self, engine: Engine, folder: Path, settings: Settings | None = None, *apps: str) -> None:
        self.engine = engine
        self.folder = folder
        self.settings = settings or Settings()
        self.apps = apps or ("ap_1",)
        self.rows: list[Row] = []
        self.proposed: list[Row] = []
        self.matched: Matched | None = None
        self.pairs: set[Pair] = set()
        self.pairs_of: dict[str, set[Pair]] = {}  # by app

    def night(
        self,
        transactions: Sequence[T] = (),
        entries: Sequence[E] = (),
        period: Period = AUGUST,
        broken: Sequence[T | E] = (),
    ) -> list[Row]:
        """What is open and what is resolved after these records arrived and a run of the period finished."""
        number = next(_numbers)
        said_at = datetime(2026, 9, 1, tzinfo=UTC) + timedelta(number)
        with self.engine.connect() as connection:
            arrive(connection, transactions, entries, self.apps, said_at, broken)
            connection.execute(text("discard temp"))
            run_id = f"night {number}"
            record_run(connection, run_id, self.apps, period, "running")
            self.matched = match(connection, self.settings, run_id, self.apps, period, silent)
            self.rows = [
                dict(row)
                for name in ("report/discrepancies", "report/resolved")
                for row in connection.execute(text(read_sql(name))).mappings()
            ]
            proposed = connection.execute(text(read_sql("report/proposed"))).mappings()
            self.proposed = [dict(row) for row in proposed]
            found = connection.execute(
                text(
                    "select rule, transaction_id, ledger_id, pairings.app_id from pairings"
                    " inner join (select number as transaction_no, transaction_id from transactions) as x"
                    " using (transaction_no)"
                    " inner join (select number as entry_no, ledger_id from entries) as y using (entry_no)"
                    " inner join policy on app_id = any(app_ids)"
                )
            ).all()
            self.pairs_of = {
                app: {(one.rule, one.transaction_id, one.ledger_id) for one in found if one.app_id == app}
                for app in self.apps
            }
            self.pairs = set().union(*self.pairs_of.values())
            connection.execute(
                text(
                    "update runs set state = 'finished', finished_at = now(), report = cast(:report as jsonb)"
                    " where run_id = :id"
                ),
                {"id": run_id, "report": json.dumps({"decisions": audit_trail.last_record(connection)})},
            )
            connection.commit()
        return self.rows

    def one(self, kind: str) -> Row:
        """The only discrepancy of this type."""
        (row,) = [row for row in self.rows if row["type"] == kind]
        return row

    def statuses(self) -> dict[str, str]:
        """The status of each discrepancy by its type."""
        return {row["type"]: row["status"] for row in self.rows}

    def sheet(self, *rows: Row) -> Path:
        """A file with these rows, as a spreadsheet saves it."""
        path = self.folder / f"decided-{next(_numbers)}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, DISCREPANCIES, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        return path

    def resolve(self, *rows: Row, by: str = "Asha Rao", dry_run: bool = False) -> ResolveResult:
        """Take the rows back; each with `resolution`, and `note` if there is one."""
        return self.take(self.sheet(*rows), by, dry_run=dry_run)

    def take(self, path: Path, by: str = "Asha Rao", *, dry_run: bool = False) -> ResolveResult:
        """Take a file back."""
        return decisions.resolve_sheet(self.engine, self.settings, open_sheet(path), by, dry_run=dry_run)


Story = Callable[[Desk], None]


def side_by_side(engine: Engine, folder: Path, stories: Mapping[str, Story]) -> dict[str, Future[None]]:
    """Play stories, each at a desk with an app of its own; by their names how they ended.

    A night with one record costs nearly as much as one with a hundred. So what all stories that wait for a night bring
    comes on one night, if they have the same settings. One story goes on at a time.
    """
    ended = {}
    with ThreadPoolExecutor(max(1, len(stories))) as pool:
        desks = [_Beside(engine, folder, f"ap_story_{number}") for number in range(len(stories))]
        try:
            for desk, (name, story) in zip(desks, stories.items(), strict=True):
                ended[name] = desk.begin(pool, story)
            while waiting := [desk for desk in desks if desk.awaited]:
                _night_of(waiting)
        finally:
            for desk in desks:
                desk.leave()
    return ended


def _night_of(waiting: Sequence["_Beside"]) -> None:
    """One night for the first that waits and for all that can share it."""
    first = waiting[0]
    guests = [
        desk for desk in waiting if desk.settings == first.settings and desk.awaited[2] == first.awaited[2]
    ]
    brought = [[record for desk in guests for record in desk.awaited[part]] for part in (0, 1, 3)]
    host = Desk(first.engine, first.folder, first.settings, *(app for desk in guests for app in desk.apps))
    host.night(brought[0], brought[1], first.awaited[2], brought[2])
    for desk in guests:
        desk.show(host)


class _Beside(Desk):
    """A desk whose nights are those of others too. Its story is another thread, and runs while nobody else does."""

    def __init__(self, engine: Engine, folder: Path, app: str) -> None:
        super().__init__(engine, folder, None, app)
        self.awaited: Any = ()  # what it brings to the night that it waits for
        self._go, self._rests = threading.Event(), threading.Event()
        self._left = False

    def begin(self, pool: ThreadPoolExecutor, story: Story) -> Future[None]:
        ended = pool.submit(story, self)
        ended.add_done_callback(lambda _: self._rests.set())
        self._rests.wait()
        return ended

    def night(
        self,
        transactions: Sequence[T] = (),
        entries: Sequence[E] = (),
        period: Period = AUGUST,
        broken: Sequence[T | E] = (),
    ) -> list[Row]:
        self.awaited = (transactions, entries, period, broken)
        self._rests.set()
        self._go.wait()
        self._go.clear()
        assert not self._left, "the stories beside this one were given up"
        return self.rows

    def show(self, host: Desk) -> None:
        """What the night brought to this desk; then the story goes on until it waits again, or ends."""
        self.rows = [row for row in host.rows if row["app_id"] in self.apps]
        ids = {row["discrepancy_id"] for row in self.rows}
        self.proposed = [row for row in host.proposed if row["discrepancy_id"] in ids]
        self.pairs_of = {app: host.pairs_of[app] for app in self.apps}
        self.pairs = set().union(*self.pairs_of.values())
        self.awaited = ()
        self._rests.clear()
        self._go.set()
        self._rests.wait()

    def leave(self) -> None:
        """Let a story that still waits end."""
        self._left = True
        self._go.set()
