"""A ledger on its way into the staging tables: read, typed, judged, and taken in by Postgres meanwhile.

Nearly all rows are plain and go by the block (`reconcile.plain`); every other one is looked at by itself.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from reconcile import normalise
from reconcile.expectations import BATCH, Validator
from reconcile.ledger import LedgerFile
from reconcile.ledger.blocks import Block
from reconcile.load import Loading
from reconcile.plain import PlainEntries, Traits, plain_entries
from reconcile.progress import Progress
from reconcile.records import Entry, RawRow, Rejection
from reconcile.settings import Profile, Settings

_AT_ONCE = 100_000
"""Rows that are taken back together, since each time all that are staged are gone through."""


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


def stage_ledger(
    load: Loading,
    settings: Settings,
    ledger: LedgerFile,
    profile: Profile,
    app_ids: Sequence[str],
    validator: Validator,
    progress: Progress,
) -> None:
    """Read a ledger and stage it: plain rows by the block, all others one by one."""
    rows: list[RawRow] = []  # those of which each is looked at
    counts: Counter[Traits] = Counter()  # of the plain rows

    def typed(block: Block) -> tuple[PlainEntries, list[Traits], NDArray[np.intp]]:
        found = plain_entries(block, ledger, app_ids[0], profile.name, profile.currency)
        return found, *found.traits(settings.currencies.digits)

    def look_at(block: Block, chosen: NDArray[np.bool_]) -> None:
        found = (ledger.row(block.record(index)) for index in np.flatnonzero(chosen).tolist())
        rows.extend(row for row in found if row is not None)

    with _ahead() as postgres:

        def stage_rows(least: int) -> None:
            while len(rows) >= least:
                batch = list(typed_entries(settings, ledger, profile, app_ids, rows[:BATCH]))
                del rows[:BATCH]
                kept, refused = validator.entries([one for one in batch if isinstance(one, Entry)])
                rejections = [one for one in batch if isinstance(one, Rejection)]
                postgres(partial(load.stage, kept, rejections + refused))

        for part in ledger.parts():
            if isinstance(part, RawRow):
                rows.append(part)
                read = part.place.row
            else:
                found, traits, which = typed(part)
                counts.update(
                    dict(zip(traits, np.bincount(which, minlength=len(traits)).tolist(), strict=True))
                )
                if len(found.rows):
                    postgres(partial(load.stage_plain, found))
                others = np.ones(len(part.usual), dtype=bool)
                others[found.rows] = False
                look_at(part, others)
                read = part.first + len(part.usual)
            if not isinstance(part, RawRow) or read % BATCH == 0:
                progress("ledger", f"{ledger.name}: {read:,} rows", None)
            stage_rows(BATCH)
        # Plain rows are judged by what they have in common, once all are staged: by then Great Expectations is there.
        unsound = counts.keys() - validator.plain_entries(counts)
        taken_back: list[int] = []
        for part in ledger.parts() if unsound else ():
            if not isinstance(part, RawRow):
                found, traits, which = typed(part)
                found = found.only(np.array([trait in unsound for trait in traits], dtype=bool)[which])
                taken_back += found.numbers.tolist()
                chosen = np.zeros(len(part.usual), dtype=bool)
                chosen[found.rows] = True
                look_at(part, chosen)
            if len(taken_back) >= _AT_ONCE:
                postgres(partial(load.unstage, taken_back))
                taken_back = []
            stage_rows(BATCH)
        postgres(partial(load.unstage, taken_back))
        stage_rows(1)


@contextmanager
def _ahead() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Does one work after another in a thread; the next one waits until the one before is done."""
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
