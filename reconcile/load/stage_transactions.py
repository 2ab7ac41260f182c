"""Pages of KS Pay on their way into the staging tables: typed a page at a time, while Postgres stores those before.

Nearly all records are plain: short ASCII texts, an amount as text that fits its currency, times as KS Pay writes them.
They become lines for COPY at once, and Great Expectations judges them together when all are there, by what it looks
at in them. Every other record is typed by `reconcile.normalise.entries` and judged before it is staged.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from operator import itemgetter

from reconcile.core.money import Currencies
from reconcile.core.records import NO_ASCII_KEY, SPOILT, Period, RawRow
from reconcile.kspay.paging.listing import FIELDS
from reconcile.ledger.dates import FIRST_YEAR, LAST_YEAR
from reconcile.load.stage_entries import Submit, judged
from reconcile.load.staging_tables import Loading
from reconcile.normalise.entries import MAX_KEY, transactions
from reconcile.validate.validator import BATCH, Validator

_fields_of = itemgetter(*(name for name in FIELDS if name != "currencyId"))

COLUMNS = (
    "transaction_id", "reference", "comparable", "currency", "amount", "status", "created_at", "updated_at",
    "provider_order_id", "provider_txn_id", "payment_type", "provider_name", "provider_status", "app_id", "file",
    "row_number",
)  # fmt: skip
"""Of what is staged, in the order of `PlainTransactions.lines`."""

_NULL = "\\N"
_PRINTABLE = bytes(set(range(32, 127)) - {ord("\\")})
_SEPARATORS = b"\t" * (len(COLUMNS) - 1) + b"\n"
_COMPARABLE = {code: name for code, name in NO_ASCII_KEY.items() if code != ord("\n")}
# A zero is written in many ways, and is one: it is left to the careful reading.
_AMOUNTS = re.compile(r"(?:(?![0.]+\n)\d{1,15}(?:\.\d{1,8})?\n)+", re.ASCII)
_DIGITS = str.maketrans("123456789", "000000000")
_TIME = "0000-00-00T00:00:00.000Z"
_FIRST, _AFTER = f"{FIRST_YEAR:04}", f"{LAST_YEAR + 1:04}"

Kind = tuple[str, int, str, str]
"""What the expectations look at in a plain transaction: currency, decimals written, year, first letters of the id."""


@dataclass(frozen=True, slots=True)
class PlainTransactions:
    """Records of KS Pay, typed: as COPY reads them in its text format, and how many there are of each kind."""

    lines: bytes
    kinds: Counter[Kind]


def plain_transactions(
    rows: Sequence[RawRow], app_id: str, digits: Mapping[str, int]
) -> PlainTransactions | None:
    """Records as nearly all are, looked at together, column by column; None where any of them is otherwise.

    `digits` are the decimals of each known currency. What is plain `normalise.transactions` reads to the same,
    and no expectation that quarantines refuses it.
    """
    values = [row.values for row in rows]
    try:
        # In the order of FIELDS.
        ids, owners, references, codes, amounts, statuses, created, updated, *optional = zip(
            *map(_fields_of, values), strict=True
        )
        times = [*created, *(text for text in updated if text is not None)]
        if (
            any(SPOILT in each for each in values)
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
        kinds = Counter(
            zip(
                codes,
                [len(amount.partition(".")[2]) for amount in amounts],
                [text[:4] for text in created],
                [text[:3] for text in ids],
                strict=True,
            )
        )
        if any(decimals > digits.get(code, -1) for code, decimals, _, _ in kinds):
            return None
        texts = [ids, _nullable(references), codes, statuses, *map(_nullable, optional)]
        if not all(map(all, texts)) or (
            " " in "".join(chain.from_iterable(texts)) and not _are_stripped(texts)
        ):
            return None
        _, noted, *_ = texts
        comparable = "\n".join([text or "" for text in references]).translate(_COMPARABLE).lower().split("\n")
        columns = (
            ids,
            noted,
            # A reference of which nothing is left is compared as it is.
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
        written = ("\n".join(lines) + "\n").encode("ascii")
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # a field that is not there, is no text, or no time after all
    nulls = sum(column.count(None) for column in (references, references, updated, *optional))
    # Nothing but what separates columns and rows, and what marks a null, may be anything but text.
    special = written.translate(None, _PRINTABLE)
    usual = special.count(b"\\") == nulls and special.translate(None, b"\\") == _SEPARATORS * len(rows)
    return PlainTransactions(written, kinds) if usual and len(max(lines, key=len)) <= MAX_KEY else None


def _nullable(column: Sequence[str | None]) -> Sequence[str]:
    return [_NULL if text is None else text for text in column] if None in column else column  # type: ignore[return-value]


def _are_stripped(texts: Iterable[Sequence[str]]) -> bool:
    return all(text == text.strip() for text in chain.from_iterable(texts))


class Pages:
    """The records of one app on their way into the staging tables: plain ones by the page, all others one by one."""

    def __init__(
        self,
        load: Loading,
        postgres: Submit,
        app_id: str,
        currencies: Currencies,
        currency_codes: Mapping[str, str],
        validator: Validator,
    ) -> None:
        self._load = load
        self._postgres = postgres
        self._app_id = app_id
        self._currencies = currencies
        self._currency_codes = currency_codes
        self._validator = validator
        self._lines: list[bytes] = []
        self._count = 0  # of these lines
        self._kinds: Counter[Kind] = Counter()  # of all plain records
        self._others: list[RawRow] = []

    def stage(self, pages: Iterable[Sequence[RawRow]], days: Period | None) -> None:
        """Stage all records of these pages; `days` are the UTC days asked for. Plain ones are not judged yet."""
        for rows in pages:
            if rows and not self._take(rows):
                self._others += [row for row in rows if not self._take([row])]
            if self._count >= BATCH:
                self._stage_plain()
            while len(self._others) >= BATCH:
                self._stage_others(days)
        self._stage_plain()
        self._stage_others(days)

    def judge(self) -> None:
        """Judge the plain records, by what they have in common. Raises CheckFailed if any may not be used."""
        counts: Counter[tuple[int, ...]] = Counter()
        for kind, count in self._kinds.items():
            counts[self._validator.traits_of_plain(*kind)] += count
        self._validator.plain_transactions(counts)

    def _take(self, rows: Sequence[RawRow]) -> bool:
        found = plain_transactions(rows, self._app_id, self._currencies.digits)
        if found is None:
            return False
        self._lines.append(found.lines)
        self._count += len(rows)
        self._kinds.update(found.kinds)
        return True

    def _stage_plain(self) -> None:
        lines, count, self._lines, self._count = b"".join(self._lines), self._count, [], 0
        if count:
            self._postgres(partial(self._load.stage_lines, "staged_transactions", COLUMNS, lines, count))

    def _stage_others(self, days: Period | None) -> None:
        rows, self._others = self._others[:BATCH], self._others[BATCH:]
        typed = transactions(
            rows, app_id=self._app_id, currencies=self._currencies, currency_codes=self._currency_codes
        )
        kept, rejections = judged(rows, typed, self._validator.transactions)
        self._postgres(partial(self._load.stage, kept, rejections, days))
