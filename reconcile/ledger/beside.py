"""Columns beside the amounts that are not read, and may tell the side of an amount: Cr and Dr, Payment and Refund.

Nobody is asked to name such a column in a profile who has no need of it. So every ledger is looked at: where the words
of a column say more than the signs do, the rows are in doubt.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc

from reconcile.ledger.amounts import AmountScan, Doubts
from reconcile.ledger.blocks import Block
from reconcile.ledger.header import STANDARD, Header
from reconcile.ledger.profile import OUT, TOML, Profile
from reconcile.ledger.sides import may_tell, pair_of, side_in, tells_sides, told_by, word_of
from reconcile.ledger.table import BrokenRecord, Cell, Table, tidy

_SEARCHED = 50
"""Rows by which columns of sides are found."""

_KINDS = 40
"""A column of more different words than this is a text."""


class Beside:
    """What the words of such columns stand beside: by column, how often each word and sign."""

    def __init__(self, table: Table, header: Header) -> None:
        self._header = header
        self.columns = _columns_of_sides(table, header)
        """Where they stand, counted from 0."""
        self._words: dict[int, Counter[tuple[str, str]]] = {place: Counter() for place in self.columns}

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [self._header.names[place] for place in self.columns]

    def see(self, cells: Sequence[Cell], sign: str) -> None:
        """Take one row into account, and the sign of its amount."""
        for place in self.columns:
            cell = cells[place]
            self._words[place][word_of(tidy(cell)) if isinstance(cell, str) else "", sign] += 1
        self._forget_texts()

    def see_block(self, block: Block, rows: NDArray[np.bool_]) -> None:
        """Take these rows of a block into account, whose amounts are plain numbers."""
        if not self.columns:
            return
        minus = pc.starts_with(block.cells["amount"], "-").to_numpy(zero_copy_only=False)
        for place, name in zip(self.columns, self.names, strict=True):
            for sign, chosen in (("-", rows & minus), ("", rows & ~minus)):
                counts = pc.value_counts(block.cells[name].filter(pa.array(chosen)))
                for word, count in zip(*(counts.field(part).to_pylist() for part in (0, 1)), strict=True):
                    self._words[place][word_of(tidy(word)), sign] += count
        self._forget_texts()

    def _forget_texts(self) -> None:
        texts = [place for place in self.columns if len(self._words[place]) > 2 * _KINDS]
        if texts:
            self.columns = [place for place in self.columns if place not in texts]

    def doubts(self, doubts: Doubts) -> Doubts:
        """The doubts, with the first column whose words say more than the signs do."""
        for place in self.columns:
            counts = self._words[place]
            sides, refunds = told_by(self._header.cells[place], {word for word, _ in counts})
            if not sides and not refunds:
                continue
            minus = {word for (word, sign) in counts if sign == "-"}
            bare = {word for (word, sign) in counts if sign != "-"}
            if sides and minus and bare and not minus & bare:
                sides = frozenset()  # the signs say the same already
            in_doubt = sides | (refunds & bare)
            if not in_doubt:
                continue
            marked = sum(count for (word, _), count in counts.items() if word in sides)
            others = {word for word, _ in counts} - in_doubt
            return replace(
                doubts,
                column=self._header.names[place],
                words=in_doubt,
                refunds=refunds & bare,
                others=frozenset(others),
                unmarked=2 * marked > counts.total(),
            )
        return doubts


def _columns_of_sides(table: Table, header: Header) -> list[int]:
    """The columns that are not read, and whose header or first cells may tell sides."""
    rows: list[Sequence[Cell]] = []
    for number, cells in table.records():
        if number > header.row and not isinstance(cells, BrokenRecord):
            rows.append(cells)
        if len(rows) >= _SEARCHED:
            break
    found = []
    for place, name in enumerate(header.names):
        if name in STANDARD or place in header.id_places:
            continue
        words = {
            word_of(tidy(cell)) if isinstance(cell, str) else "?"
            for row in rows
            for cell in row[place : place + 1]
        } - {""}
        if len(words) <= _KINDS and (
            tells_sides(header.cells[place]) or not words or any(map(may_tell, words))
        ):
            found.append(place)
    return found


def side_doubts(profile: Profile, scan: AmountScan, beside: Beside | None) -> tuple[Doubts, frozenset[str]]:
    """What signs and sides leave in doubt, and the words that name sides."""
    doubts = Doubts()
    words: set[str] = set()
    out = scan.tallies.get(OUT)
    if out is not None and out.minus and out.bare:
        doubts = replace(doubts, out_minus=True)
    if profile.side is None:
        for tally in scan.tallies.values():
            words |= tally.words
            if tally.sides and tally.sides > tally.bare + tally.minus:
                doubts = replace(doubts, unmarked=True)
        if beside is not None:
            doubts = beside.doubts(doubts)
            words |= doubts.words
    return doubts, frozenset(words)


def unclear_sides(profile: Profile, doubts: Doubts, words: frozenset[str]) -> str | None:
    """What the doubts are, in a sentence that says what to do; None where there are none."""
    if doubts.out_minus:
        return (
            "some amounts of money out have a minus and others none: is a minus there money that came back, or how all "
            "money out is written? Those with one are quarantined"
        )
    if not words:
        return None
    shown = ", ".join(sorted(word.capitalize() for word in words))
    advice = f"say it in {TOML}, [ledger.{profile.name}] {side_line(doubts, words)}"
    if doubts.words and doubts.words == doubts.refunds:
        return (
            f"the column {doubts.column!r} says that money went out ({shown}), and amounts beside it have no minus: "
            f"those are quarantined; {advice}"
        )
    where = f"the column {doubts.column!r} names" if doubts.column else "beside the amounts stands"
    return f"{where} the side of each amount ({shown}), and which is money that came in is not said: {advice}"


def side_line(doubts: Doubts, words: frozenset[str]) -> str:
    """The profile's `side` as a line to paste, as a bank's statement means the words."""
    pair = pair_of(words)
    came: set[str] | frozenset[str]
    went: set[str] | frozenset[str]
    if doubts.column and (doubts.refunds or pair is None):
        came = doubts.others | {word for word in words - doubts.refunds if side_in(word) == "cr"}
        went = words - came
    else:
        first, second = pair or ("cr", "dr")
        came, went = {first}, {second}
        if doubts.column and "" in doubts.others and len(words) == 1:
            (went if first in words else came).add("")
    where = f'column = "{doubts.column}", ' if doubts.column else ""
    texts = (", ".join(f'"{word.capitalize()}"' for word in sorted(found)) for found in (came, went))
    return f"side = {{ {where}in = [{next(texts)}], out = [{next(texts)}] }}"


def reason_of(word: str, doubts: Doubts) -> str:
    """Why a row with this word beside its amount, or behind it, is in doubt."""
    line = side_line(doubts, doubts.words | {word})
    if word in doubts.refunds:
        return (
            f"says {word.capitalize()}, and the amount has no minus: is it money that went out? Then give the ledger's "
            f"profile {line}"
        )
    return (
        f"names a side ({word.capitalize()}), and which side is money that came in is not said: give the ledger's "
        f"profile {line}, or the other way round"
    )
