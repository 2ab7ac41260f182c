"""Records of KS Pay in their usual form, typed a page at a time: the bulk normaliser of this side.

Usual are short ASCII texts, an amount as text that fits its currency, and times as KS Pay writes them. Such records
become lines for COPY at once; every other one is left to `reconcile.normalise.transactions`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from operator import itemgetter

from reconcile.core.money import UNKNOWN_DIGITS, Currencies
from reconcile.core.records import NO_ASCII_KEY, TEXT_FAULTS, RawRow, Transaction
from reconcile.kspay.paging.listing import FIELDS
from reconcile.ledger.dates import FIRST_YEAR, LAST_YEAR
from reconcile.normalise.fields import MAX_KEY
from reconcile.normalise.normaliser import Normalised

_fields_of = itemgetter(*(name for name in FIELDS if name != "currencyId"))

COLUMNS = (
    "transaction_id", "reference", "comparable", "currency", "amount", "status", "created_at", "updated_at",
    "provider_order_id", "provider_txn_id", "payment_type", "provider_name", "provider_status", "app_id", "file",
    "row_number",
)  # fmt: skip
"""Of the staging table, in the order of a line."""

_NULL = "\\N"
_PRINTABLE = bytes(set(range(32, 127)) - {ord("\\")})
_SEPARATORS = b"\t" * (len(COLUMNS) - 1) + b"\n"
_COMPARABLE = {code: name for code, name in NO_ASCII_KEY.items() if code != ord("\n")}
# A zero is written in many ways, and is one: it is left to the careful normaliser.
_AMOUNTS = re.compile(r"(?:(?![0.]+\n)\d{1,15}(?:\.\d{1,8})?\n)+", re.ASCII)
_DIGITS = str.maketrans("123456789", "000000000")
_TIME = "0000-00-00T00:00:00.000Z"
_FIRST, _AFTER = f"{FIRST_YEAR:04}", f"{LAST_YEAR + 1:04}"


@dataclass(frozen=True, slots=True)
class TransactionsInBulk:
    """Types records of `GET /transaction` that are in their usual form. A `Normaliser`."""

    app_id: str
    """The app that was asked for."""
    currencies: Currencies

    def __call__(self, rows: Sequence[RawRow], /) -> Normalised[Transaction]:
        if not rows:
            return Normalised()
        if (found := self._together(rows)) is not None:
            return found
        if len(rows) == 1:
            return Normalised(rest=rows)
        # Some record is not in the usual form: each is looked at by itself.
        singles = [self([row]) for row in rows]
        return Normalised(
            lines=lambda: b"\n".join(single.lines() for single in singles if single.count),
            count=sum(single.count for single in singles),
            rest=[row for single in singles for row in single.rest],
        )

    def _together(self, rows: Sequence[RawRow]) -> Normalised[Transaction] | None:
        """Records looked at together, column by column; None where any of them is not in the usual form."""
        app_id, digits = self.app_id, self.currencies.digits
        values = [row.values for row in rows]
        try:
            # In the order of FIELDS.
            ids, owners, references, codes, amounts, statuses, created, updated, *optional = zip(
                *map(_fields_of, values), strict=True
            )
            times = [*created, *(text for text in updated if text is not None)]
            if (
                any(TEXT_FAULTS in fields for fields in values)
                or not {app_id, None}.issuperset(owners)
                or not _AMOUNTS.fullmatch("\n".join([*amounts, ""]))
                or "".join(times).translate(_DIGITS) != _TIME * len(times)
                or min(times) < _FIRST
                or max(times) >= _AFTER
            ):
                return None
            for _ in map(datetime.fromisoformat, times):
                pass  # refuses the 30th of February
            if not "".join(codes).isascii():
                return None  # of other letters some have ASCII ones for capitals
            codes = tuple(map(str.upper, codes))
            kinds = set(zip(codes, [len(amount.partition(".")[2]) for amount in amounts], strict=True))
            if any(decimals > digits.get(code, UNKNOWN_DIGITS) for code, decimals in kinds):
                return None
            texts = [ids, _nullable(references), codes, statuses, *map(_nullable, optional)]
            if not all(map(all, texts)) or (
                " " in "".join(chain.from_iterable(texts)) and not _are_stripped(texts)
            ):
                return None
            _, noted, *_ = texts
            comparable = (
                "\n".join([text or "" for text in references]).translate(_COMPARABLE).lower().split("\n")
            )
            columns = (
                ids,
                noted,
                # A reference without letters and digits is compared as written.
                [short or text for short, text in zip(comparable, noted, strict=True)],
                codes,
                amounts,
                statuses,
                created,
                _nullable(updated),
                *texts[4:],
                [app_id] * len(rows),
                [row.place.file for row in rows],
                [str(row.place.row) for row in rows],
            )
            lines = list(map("\t".join, zip(*columns, strict=True)))
            written = "\n".join(lines).encode("ascii")
        except (KeyError, TypeError, ValueError, AttributeError):
            return None  # a field that is not there, is no text, or no time after all
        nulls = sum(column.count(None) for column in (references, references, updated, *optional))
        # Nothing but what separates columns and rows, and what marks a null, may be anything but text.
        special = written.translate(None, _PRINTABLE) + b"\n"
        usual = special.count(b"\\") == nulls and special.translate(None, b"\\") == _SEPARATORS * len(rows)
        if not usual or len(max(lines, key=len)) > MAX_KEY:
            return None
        return Normalised(lines=lambda: written, count=len(rows))


def _nullable(column: Sequence[str | None]) -> Sequence[str]:
    return [_NULL if text is None else text for text in column] if None in column else column  # type: ignore[return-value]


def _are_stripped(texts: Iterable[Sequence[str]]) -> bool:
    return all(text == text.strip() for text in chain.from_iterable(texts))
