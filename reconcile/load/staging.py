"""Rows of one side on their way into the staging tables: typed, while Postgres stores those before."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Generic

from reconcile.core.records import Period, RawRow, Side
from reconcile.load.background import Submit, in_turn
from reconcile.load.staging_tables import StagingTables
from reconcile.normalise.normaliser import Normalised, Normaliser, Record, Rows
from reconcile.validate.validator import BATCH


class Staging(Generic[Rows, Record]):
    """Gives each part to the bulk normaliser first, and what that leaves to the careful one.

    Whether a record may be used is not asked here: all are staged, and judged together.
    """

    def __init__(
        self,
        tables: StagingTables,
        side: Side,
        in_bulk: Normaliser[Rows, Record],
        careful: Normaliser[Sequence[RawRow], Record],
    ) -> None:
        self._tables = tables
        self._side = side
        self._in_bulk: Normaliser[Rows, Record] = in_bulk
        self._careful: Normaliser[Sequence[RawRow], Record] = careful

    def add(self, parts: Iterable[Rows], days: Period | None = None) -> None:
        """Stage all rows of these parts; `days` are the UTC days asked for, of a fetch."""
        with in_turn() as postgres:
            in_bulk: list[Normalised[Record]] = []
            count = 0
            rest: list[RawRow] = []
            for part in parts:
                found = self._in_bulk(part)
                if found.count:
                    in_bulk.append(found)
                    count += found.count
                rest += found.rest
                if count >= BATCH:
                    self._stage_lines(postgres, in_bulk, count)
                    in_bulk, count = [], 0
                while len(rest) >= BATCH:
                    self._stage_rows(postgres, rest[:BATCH], days)
                    del rest[:BATCH]
            if count:
                self._stage_lines(postgres, in_bulk, count)
            if rest:
                self._stage_rows(postgres, rest, days)

    def _stage_lines(self, postgres: Submit, in_bulk: Sequence[Normalised[Record]], count: int) -> None:
        def work() -> None:
            self._tables.add_lines(self._side, b"\n".join(found.lines() for found in in_bulk), count)

        postgres(work)

    def _stage_rows(self, postgres: Submit, rows: Sequence[RawRow], days: Period | None) -> None:
        found = self._careful(rows)
        postgres(partial(self._tables.add, found.records, found.rejections, days, found.raw))
