"""Lines of totals, compared with the rows that they add up: per currency, where a file has several."""

import re
from collections.abc import Sequence
from decimal import Decimal

from reconcile.core.money import currency_code
from reconcile.ledger.amounts import Amount, AmountStyle, clean
from reconcile.ledger.currency_names import named
from reconcile.ledger.header import Header
from reconcile.ledger.passed_over import Kind, Passed, Watch, amount_cells
from reconcile.ledger.profile import IN, OUT, SIDE, Profile
from reconcile.ledger.sides import word_of
from reconcile.ledger.table import BrokenRecord, Cell, Formatted, Table, tidy


class Sums:
    """What the amounts of one column and one currency add up to, row after row."""

    def __init__(self) -> None:
        self._all = [Decimal(0)] * 4  # as they are signed; without their signs; those above zero; those below
        self._part = [Decimal(0)] * 4  # since the last line of totals
        self._balances = Decimal(0)
        self.rows = 0

    def add(self, amount: Decimal) -> None:
        """One record's."""
        self.rows += 1
        parts = (amount, abs(amount), max(amount, Decimal(0)), min(amount, Decimal(0)))
        for sums in (self._all, self._part):
            sums[:] = [so_far + part for so_far, part in zip(sums, parts, strict=True)]

    def balance(self, amount: Decimal) -> None:
        """One of a balance or of what is carried over: totals are drawn with it or without."""
        self.rows += 1
        self._balances += amount

    def misses(self, total: Decimal) -> Decimal | None:
        """What the rows add up to where that is not this total; None where it is."""
        sums = [
            so_far + extra for so_far in (*self._all, *self._part) for extra in (Decimal(0), self._balances)
        ]
        if abs(total) in map(abs, sums):
            return None
        return min(self._all[:2], key=lambda so_far: abs(so_far - total))

    def begin_part(self) -> None:
        """A line of totals ends here."""
        self._part = [Decimal(0)] * 4


class _Reader:
    """The amounts and the currency of a row, as far as they can be read."""

    def __init__(self, header: Header, style: AmountStyle, profile: Profile) -> None:
        self._style = style
        self._profile = profile
        self._codes = profile.currencies.digits
        self._currency = header.place("currency")
        self._side = header.place(SIDE)
        self.places = [place for name in ("amount", IN, OUT) if (place := header.place(name)) is not None]

    def amounts(self, cells: Sequence[Cell]) -> tuple[dict[int, Decimal], str | None]:
        """By column the amounts, and the currency that cell or amounts name; None where neither does."""
        code = self._code(cells)
        found: dict[int, Decimal] = {}
        for place in self.places:
            try:
                amount = self._amount(cells[place], code or self._profile.currency)
            except ValueError:
                continue
            if amount is None:
                continue
            word: Cell = cells[self._side] if self._side is not None else amount.side
            side = self._profile.side
            sign = side.sign(word_of(tidy(word))) if side is not None and isinstance(word, str) else None
            found[place] = abs(amount.value) * sign if sign else amount.value
            if code is None and len(amount.currencies) == 1:
                code = next(iter(amount.currencies))
        return found, code

    def _code(self, cells: Sequence[Cell]) -> str | None:
        cell = cells[self._currency] if self._currency is not None else ""
        return self._named(cell) if isinstance(cell, str) else None

    def _named(self, text: str) -> str | None:
        code = currency_code(tidy(text))
        if code in self._codes:
            return code
        try:
            found = named(text, self._codes) if code else frozenset()
        except ValueError:
            return None
        return next(iter(found)) if len(found) == 1 else None

    def _amount(self, cell: Cell, currency: str | None) -> Amount | None:
        found = amount_cells(cell)
        if found is None:
            return None
        if isinstance(found, Decimal):
            return Amount(found)
        if isinstance(found, Formatted):
            return self._style.dressed(found.value, found.dress, found.own_section, self._codes)
        return self._style.read(clean(tidy(found)), self._codes, currency)

    def currency_in(self, cells: Sequence[Cell]) -> str | None:
        """The currency that a text of a line of totals names: `Total USD`, `Total (INR)`."""
        texts = [cell for cell in cells if isinstance(cell, str) and not any(map(str.isdigit, cell))]
        words = {
            code for text in texts for word in re.split(r"[\s():]+", text) if (code := self._named(word))
        }
        return words.pop() if len(words) == 1 else None


class Totals:
    """Takes rows one after the other, and compares every line of totals with what stands above it."""

    def __init__(self, header: Header, style: AmountStyle, profile: Profile, currency: str | None) -> None:
        """`currency` is that of rows that name none."""
        self._header = header
        self._reader = _Reader(header, style, profile)
        self._currency = currency
        self._sums: dict[str | None, dict[int, Sums]] = {}
        self._mixed = self._columns()  # of all currencies: some programs add them up
        self.warnings: list[str] = []
        """Lines of totals that are not the sum of their column, each in a sentence."""

    def _columns(self) -> dict[int, Sums]:
        return {place: Sums() for place in self._reader.places}

    def see(self, number: int, cells: Sequence[Cell], kind: Kind | None, word: str | None) -> bool:
        """Take one row into account: `kind` and `word` as `Watch` tells them. Gives whether it is a line of totals."""
        if word is None and kind is not None and kind is not Kind.BALANCE:
            return False
        found, code = self._reader.amounts(cells)
        if word is None:
            columns = self._sums.setdefault(code or self._currency, self._columns())
            for place, amount in found.items():
                for column in (columns[place], self._mixed[place]):
                    column.balance(amount) if kind else column.add(amount)
            return False
        sums = self._sums
        code = code or (self._reader.currency_in(cells) if len(sums) > 1 else None)
        chosen = sums if code not in sums else {code: sums[code]}
        missed = {
            place: added_up
            for place, said in found.items()
            if len(added_up := _missed(place, said, chosen)) == len(chosen) > 0
            and not (chosen is sums and self._mixed[place].misses(said) is None)
        }
        if not word:
            rows = max((columns[place].rows for columns in chosen.values() for place in found), default=0)
            if missed or not any(found.values()) or rows < 2:
                for place, amount in found.items() if len(sums) == 1 else ():
                    next(iter(sums.values()))[place].add(amount)
                return False
        self.warnings += [
            _says(number, word, self._header.cells[place], found[place], added_up)
            for place, added_up in missed.items()
        ]
        for columns in (*chosen.values(), self._mixed):
            for sums_of_column in columns.values():
                sums_of_column.begin_part()
        return True


def checked(
    table: Table, header: Header, style: AmountStyle, profile: Profile, watch: Watch, currency: str | None
) -> Passed:
    """Read the rows of a table once more, and compare its lines of totals with what stands above them."""
    totals = Totals(header, style, profile, currency)
    passed = dict(watch.rows)
    for number, cells in table.records():
        if number <= header.row or isinstance(cells, BrokenRecord):
            continue
        if (fitted := header.fitted(cells)) is None:
            continue
        if totals.see(number, fitted, watch.rows.get(number), watch.totals.get(number)):
            passed[number] = Kind.TOTAL
    return Passed(passed, tuple(totals.warnings))


def _missed(place: int, said: Decimal, sums: dict[str | None, dict[int, Sums]]) -> list[tuple[str, Decimal]]:
    """By currency, what its rows add up to, where that is not what a line of totals says."""
    return [
        (code or "", added_up)
        for code, columns in sums.items()
        if (added_up := columns[place].misses(said)) is not None
    ]


def _says(number: int, word: str, column: str, said: Decimal, added_up: Sequence[tuple[str, Decimal]]) -> str:
    line = f"row {number} ({word}) says {said:,f} in {column}, and the rows above it add up to "
    if len(added_up) > 1:
        return line + ", ".join(_with_code(code, amount) for code, amount in sorted(added_up))
    ((code, amount),) = added_up
    differs = f"{abs(said - amount):,f} {'are missing' if abs(said) > abs(amount) else 'too many'}"
    return f"{line}{_with_code(code, amount)}: {differs}"


def _with_code(code: str, amount: Decimal) -> str:
    return f"{amount:,f} {code}".rstrip()
