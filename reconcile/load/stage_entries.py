"""A ledger on its way into the staging tables: read and typed, while Postgres stores the block before.

Nearly all rows are plain and go by the block (`reconcile.normalise.entries_bulk`), to be judged together
once all are there; every other one is looked at and judged by itself.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reconcile.core.progress import Progress
from reconcile.core.records import Entry, RawRow, Rejection, Transaction
from reconcile.ledger.blocks import Block
from reconcile.ledger.file import LedgerFile
from reconcile.load.staging_tables import Loading
from reconcile.normalise import entries as normalise
from reconcile.normalise.entries_bulk import PlainEntries, Traits, plain_entries
from reconcile.settings import Profile, Settings
from reconcile.validate.validator import BATCH, Validator, Values

R = TypeVar("R", Transaction, Entry)

_AT_ONCE = 20_000
"""Rows that are taken back together, since each time all that are staged are gone through."""


Submit = Callable[[Callable[[], None]], None]
"""Takes what is to be done next; returns once all before is done."""


@contextmanager
def in_turn() -> Iterator[Submit]:
    """Do one work after another in a thread; the next one waits until the one before is done."""
    with ThreadPoolExecutor(1, "stage") as worker:
        under_way: list[Future[None]] = []

        def wait() -> None:
            while under_way:
                under_way.pop().result()

        def submit(work: Callable[[], None]) -> None:
            wait()
            under_way.append(worker.submit(work))

        yield submit
        wait()


def judged(
    rows: Iterable[RawRow],
    typed: Iterable[R | Rejection],
    judge: Callable[[Sequence[R], Sequence[Values]], tuple[list[R], list[Rejection]]],
) -> tuple[list[R], list[Rejection]]:
    """The records of a batch that may be used, and the rejections: of those that are none, and of the others.

    `typed` are the rows, one for one.
    """
    records, came, rejections = [], [], []
    for row, one in zip(rows, typed, strict=True):
        if isinstance(one, Rejection):
            rejections.append(one)
        else:
            records.append(one)
            came.append(row.values)
    kept, refused = judge(records, came)
    return kept, rejections + refused


def typed_entries(
    settings: Settings, ledger: LedgerFile, profile: Profile, app_ids: Sequence[str], rows: Iterable[RawRow]
) -> Iterator[Entry | Rejection]:
    """These rows of a ledger as entries or rejections; the first app is that of rows which name none."""
    return normalise.entries(
        rows,
        app_id=app_ids[0],
        source=profile.name,
        default_currency=profile.currency,
        currencies=settings.currencies,
        app_ids=frozenset(app_ids),
        style=ledger.style,
    )


class Staging:
    """One ledger on its way into the staging tables: plain rows by the block, all others one by one."""

    def __init__(
        self,
        load: Loading,
        settings: Settings,
        ledger: LedgerFile,
        profile: Profile,
        app_ids: Sequence[str],
        validator: Validator,
        progress: Progress,
    ) -> None:
        self._load = load
        self._settings = settings
        self._ledger = ledger
        self._profile = profile
        self._app_ids = app_ids
        self._validator = validator
        self._progress = progress
        self._rows: list[RawRow] = []  # those of which each is looked at
        self._counts: Counter[Traits] = Counter()  # of the plain rows

    def stage(self) -> None:
        """Read the whole ledger. Plain rows are not judged yet."""
        with in_turn() as postgres:
            for part in self._ledger.parts():
                if isinstance(part, RawRow):
                    self._rows.append(part)
                    read = part.place.row
                else:
                    found, traits, which = self._typed(part)
                    told = np.bincount(which, minlength=len(traits)).tolist()
                    self._counts.update(dict(zip(traits, told, strict=True)))
                    if len(found.rows):
                        postgres(partial(self._load.stage_plain, found))
                    others = np.ones(len(part.usual), dtype=bool)
                    others[found.rows] = False
                    self._look_at(part, others)
                    read = part.first + len(part.usual)
                if not isinstance(part, RawRow) or read % BATCH == 0:
                    self._progress("ledger", f"{self._ledger.name}: {read:,} rows", None)
                self._stage_rows(postgres, BATCH)
            self._stage_rows(postgres, 1)

    def unsound(self) -> set[Traits]:
        """Judge the plain rows, by what they have in common: which combinations of traits may not be used. Ask once."""
        return self._counts.keys() - self._validator.plain_entries(self._counts)

    def take_back(self, unsound: set[Traits]) -> None:
        """Stage the plain rows with these traits one by one, so that it is said of each what is wrong with it."""
        taken_back: list[int] = []
        with in_turn() as postgres:
            for part in self._ledger.parts():
                if not isinstance(part, RawRow):
                    found, traits, which = self._typed(part)
                    found = found.only(np.array([trait in unsound for trait in traits], dtype=bool)[which])
                    taken_back += found.numbers.tolist()
                    chosen = np.zeros(len(part.usual), dtype=bool)
                    chosen[found.rows] = True
                    self._look_at(part, chosen)
                if len(taken_back) >= _AT_ONCE:
                    postgres(partial(self._load.unstage, taken_back))
                    taken_back = []
                    # Only now, since what is staged again has the number of the row that was taken back.
                    self._stage_rows(postgres, BATCH)
            postgres(partial(self._load.unstage, taken_back))
            self._stage_rows(postgres, 1)

    def _typed(self, block: Block) -> tuple[PlainEntries, list[Traits], NDArray[np.intp]]:
        found = plain_entries(
            block, self._ledger, self._app_ids[0], self._profile.name, self._profile.currency
        )
        return found, *found.traits(self._settings.currencies.digits)

    def _look_at(self, block: Block, chosen: NDArray[np.bool_]) -> None:
        found = (self._ledger.row(block.record(index)) for index in np.flatnonzero(chosen).tolist())
        self._rows.extend(row for row in found if row is not None)

    def _stage_rows(self, postgres: Submit, least: int) -> None:
        while len(self._rows) >= least:
            rows = self._rows[:BATCH]
            typed = typed_entries(self._settings, self._ledger, self._profile, self._app_ids, rows)
            postgres(partial(self._load.stage, *judged(rows, typed, self._validator.entries)))
            del self._rows[:BATCH]
