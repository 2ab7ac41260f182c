"""`report.html`: one page for people, made only from the files of a run's folder.

`read_page` puts all that the page shows into one frozen object; `render_page` writes it as HTML. Amounts are exact
decimals of one currency each, and never summed across currencies. The page needs no network: it contains its styles,
script and charts, and its own policy (Content-Security-Policy) forbids it to load or send anything.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from heapq import nlargest
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from pandas import DataFrame

from reconcile.core.discrepancies import GLANCE, OUTCOMES, TYPES, Aspect, Severity, parts_of
from reconcile.core.money import exact_sum, grouped
from reconcile.core.wording import day, percent, words
from reconcile.report.bridge import LINES
from reconcile.report.columns import RUN_FILES, dictionary
from reconcile.report.csv_cells import shown
from reconcile.report.csv_files import count_rows, read_csv
from reconcile.report.figures import compared, reconciled, share_of
from reconcile.report.frames import Total, frame_of, totals

NAME = "report.html"
LARGEST = 100
"""The number of open items that the page lists."""

BUCKETS = (("0–1", 0), ("2–7", 2), ("8–30", 8), ("31–90", 31), ("over 90", 91))
"""Ranges of ages in days: the name, and the first age."""


@dataclass(frozen=True, slots=True)
class Money:
    """The number of records of one currency, and the sum of their amounts."""

    currency: str
    count: int
    amount: Decimal

    def __str__(self) -> str:
        return grouped(f"{self.amount:f}", self.currency)


@dataclass(frozen=True, slots=True)
class Share:
    """How many and how much of all records of one side and one currency that moved money or may have."""

    currency: str
    count: int
    of: int
    amount: Decimal
    of_amount: Decimal

    @property
    def thousandths(self) -> int:
        """The share by amount, 0 to 1000, rounded down, so that only the whole is 1000."""
        return share_of({name: getattr(self, name) for name in ("count", "of", "amount", "of_amount")})

    @property
    def percent(self) -> str:
        return percent(self.thousandths)

    @property
    def written(self) -> str:
        return grouped(f"{self.amount:f}", self.currency)

    @property
    def of_written(self) -> str:
        return grouped(f"{self.of_amount:f}", self.currency)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table with a bar: the number, the number of all, and the amounts by currency."""

    name: str
    count: int
    of: int
    amounts: Mapping[str, Share]
    by_severity: Mapping[Severity, int]


@dataclass(frozen=True, slots=True)
class TypeTotals:
    """The open discrepancies of one type and severity."""

    type: str
    severity: str
    count: int
    amounts: Sequence[Money]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what is open, and what it was in earlier runs."""

    name: str
    count: int
    amounts: Sequence[Money]
    before: Sequence["Before"]


@dataclass(frozen=True, slots=True)
class Before:
    """What a part was in an earlier run."""

    title: str
    as_of: date
    count: int
    amounts: Sequence[Money]


@dataclass(frozen=True, slots=True)
class Item:
    """An open discrepancy with the amount at stake."""

    row: Mapping[str, str]
    currency: str
    amount: Decimal
    rank: int = 0  # among those that the page lists, currency by currency: the higher, the more at stake

    def __str__(self) -> str:
        return grouped(f"{self.amount:f}", self.currency)


@dataclass(frozen=True, slots=True)
class Overdue:
    """An open discrepancy whose due day is over, with the amount at stake if there is one."""

    row: Mapping[str, str]
    currency: str
    amount: Decimal | None

    def __str__(self) -> str:
        return "" if self.amount is None else grouped(f"{self.amount:f}", self.currency)


@dataclass(frozen=True, slots=True)
class TrendRun:
    """One run in the trend."""

    run_id: str
    as_of: date
    open: int
    new: int
    cleared: int
    reconciled: Mapping[str, Share]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page shows."""

    run: Mapping[str, Any]
    first: date
    last: date
    currencies: Sequence[str]  # those with records first, the most records first
    kspay: Sequence[Share]
    ledger: Mapping[str, Share]
    totals: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]]
    open: int
    parts: Sequence[Part]
    resolved: int
    kinds: Sequence[TypeTotals]
    ages: Sequence[Line]
    at_stake: Sequence[Money]
    nights: Sequence[TrendRun]
    rules: Sequence[Line]
    methods: Sequence[Line]
    items: Sequence[Item]
    not_listed: int  # open items that are not among the largest
    without_amount: int  # open items without an amount
    overdue: Sequence[Overdue]  # due before the last day of the period, the longest first


def write_page(run: Mapping[str, Any], folder: Path) -> Path:
    """Write the page of a run into its folder, from the folder's CSV files and the content of its run.json."""
    path = folder / NAME
    path.write_text(render_page(read_page(run, folder)), "utf-8")
    return path


def read_page(run: Mapping[str, Any], folder: Path) -> Page:
    """All that the page of this run shows."""
    items, held = _read_items(folder / "discrepancies.csv")
    kspay = _by_size([_share(row) for row in reconciled(run["totals"])])
    ledger = {row["currency"]: _share(row) for row in reconciled(run["totals"], "ledger")}
    known = [*(share.currency for share in kspay), *ledger]
    known += sorted({*held["currency"]} | {row["currency"] for row in run["totals"]})
    currencies = [
        *(currency for currency in dict.fromkeys(known) if currency),
        *([""] if "" in known else []),
    ]
    listed = _listed(items, currencies)
    return Page(
        run=run,
        first=date.fromisoformat(run["from"]),
        last=date.fromisoformat(run["to"]),
        currencies=currencies,
        kspay=kspay,
        ledger=ledger,
        totals=_totals(run["totals"], currencies),
        open=len(held),
        parts=_parts(held, run.get("at_a_glance") or {}, currencies),
        resolved=count_rows(folder / "resolved.csv"),
        kinds=_kinds(held, currencies),
        ages=_ages(held, currencies),
        at_stake=_money(totals(held.dropna(subset=["amount"]), "currency"), currencies),
        nights=[*(_trend_run(run_before) for run_before in reversed(run["runs_before"])), _this_run(run)],
        rules=_lines(run["by_rule"], whole=True),
        methods=_lines(run["by_payment_method"], whole=False),
        items=listed,
        not_listed=len(held) - len(listed),
        without_amount=int(held["amount"].isna().sum()),
        overdue=overdue_items(folder, date.fromisoformat(run["to"])),
    )


def _read_items(path: Path) -> tuple[list[Item], DataFrame]:
    """Of each severity and currency the largest open items, in the order of the file; and of all items, what they are
    counted by and the amount at stake.

    There may be many thousands: no other row is kept.
    """
    largest: dict[tuple[str, str], list[tuple[int, Item]]] = {}
    rows = []
    found = read_csv(path)
    names = next(found)
    for place, cells in enumerate(found):
        row = dict(zip(names, cells, strict=True))
        currency, amount = _at_stake(row)
        rows.append((row["type"], row["severity"], _bucket(int(row["age_days"])), currency, amount))
        if amount is not None:
            mine = largest.setdefault((row["severity"], currency), [])
            mine.append((place, Item(row, currency, amount)))
            if len(mine) > 2 * LARGEST:
                mine[:] = nlargest(LARGEST, mine, key=lambda placed: placed[1].amount)
    by_place = sorted((placed for mine in largest.values() for placed in mine), key=itemgetter(0))
    held = frame_of(rows, "type", "severity", "bucket", "currency", "amount")
    return [item for _, item in by_place], held


def overdue_items(folder: Path, as_of: date) -> list[Overdue]:
    """What is open and was due before the last day of the period, the longest first. The clock does not matter."""
    rows = read_csv(folder / "discrepancies.csv")
    names = next(rows)
    found = [
        Overdue(row, *_at_stake(row))
        for cells in rows
        # An older run has no such column.
        if (due := (row := dict(zip(names, cells, strict=True))).get("due"))
        and date.fromisoformat(due) < as_of
    ]
    return sorted(found, key=lambda item: (item.row["due"], item.row["discrepancy_id"]))


def _at_stake(row: Mapping[str, str]) -> tuple[str, Decimal | None]:
    """The currency and the amount at stake, as sql/match/discrepancies/movements works them out."""
    kspay, ledger, difference = row["kspay_amount"], row["ledger_amount"], row["difference"]
    first, *others = row["currency"].split(";")
    if others and (difference or len(others) > 1 or not (kspay and ledger)):
        return "", None  # records of several currencies on one side: there is no amount of them all
    if row["type"] == "REFUND_MISMATCH":
        given, booked = (Decimal(shown(row[name]) or 0) for name in ("kspay_refunded", "ledger_refunded"))
        return first, exact_sum((given, booked.copy_negate())).copy_abs()
    written = (difference if TYPES[row["type"]].aspect is Aspect.AMOUNT else "") or kspay or ledger
    # copy_abs: a plain abs() would round to 28 digits.
    return first, Decimal(shown(written)).copy_abs() if written else None


def _bucket(age: int) -> int:
    return max(number for number, (_, begins) in enumerate(BUCKETS) if begins <= max(age, 0))


def _listed(items: Sequence[Item], currencies: Sequence[str]) -> list[Item]:
    """The largest that are at risk, then the largest to check. What is only timing is not listed."""
    found: list[Item] = []
    for part in ("at_risk", "to_check"):
        mine = [item for item in items if part in parts_of(item.row["type"], item.row["severity"])]
        found += _largest(mine, currencies, LARGEST - len(found))
    by_amount = sorted(found, key=lambda item: (-currencies.index(item.currency), item.amount))
    ranks = {item.row["discrepancy_id"]: rank for rank, item in enumerate(by_amount, 1)}
    return [replace(item, rank=ranks[item.row["discrepancy_id"]]) for item in found]


def _largest(items: Sequence[Item], currencies: Sequence[str], most: int = LARGEST) -> list[Item]:
    """The largest of each currency, then the second largest of each …: amounts of two currencies are not compared."""
    ranked = [
        nlargest(most, (item for item in items if item.currency == currency), key=lambda item: item.amount)
        for currency in currencies
    ]
    in_turn = (item for rank in zip_longest(*ranked) for item in rank if item is not None)
    taken = [item for item, _ in zip(in_turn, range(most), strict=False)]
    return sorted(taken, key=lambda item: (currencies.index(item.currency), -item.amount))


def largest_at_risk(folder: Path, most: int) -> list[Item]:
    """The largest open items of a run that are more than information, at most LARGEST: of each currency in turn, the
    largest first. The currency with the most of them begins, so that a short list does not leave it out."""
    found, held = _read_items(folder / "discrepancies.csv")
    items = [item for item in found if item.row["severity"] != Severity.INFO]
    counts = held[held["severity"] != Severity.INFO]["currency"].value_counts()
    currencies = {item.currency for item in items}
    return _largest(items, sorted(currencies, key=lambda currency: (-counts[currency], currency)), most)


def _share(row: Mapping[str, Any]) -> Share:
    return Share(row["currency"], row["count"], row["of"], Decimal(row["amount"]), Decimal(row["of_amount"]))


def _by_size(shares: list[Share]) -> list[Share]:
    return sorted(
        (share for share in shares if share.currency or share.of_amount),
        key=lambda share: (-share.of, share.currency),
    )


def _totals(rows: Sequence[Mapping[str, Any]], currencies: Sequence[str]) -> dict[str, Any]:
    """summary.csv by scope, currency, outcome and side; in this order."""
    found: dict[str, Any] = {}
    for scope in ("period", "carried"):
        for currency in currencies:
            for outcome in (*OUTCOMES, "total"):
                for row in rows:
                    if (row["scope"], row["currency"], row["outcome"]) == (scope, currency, outcome):
                        sides = found.setdefault(scope, {}).setdefault(currency, {}).setdefault(outcome, {})
                        sides[row["side"]] = row
    return found


def _money(found: Mapping[Any, Total], currencies: Sequence[str], *key: object) -> list[Money]:
    """The totals of each currency that has any; where they are by more than the currency, those of this key."""
    keys = ((currency, (*key, currency) if key else currency) for currency in currencies)
    return [Money(currency, *found[by]) for currency, by in keys if by in found]


def _parts(held: DataFrame, glance: Mapping[str, Any], currencies: Sequence[str]) -> list[Part]:
    found = totals(held, "type", "severity", "currency")
    parts = []
    for part in GLANCE:
        mine = [(key[2], total) for key, total in found.items() if part in parts_of(key[0], key[1])]
        amounts = _by_currency(mine, currencies)
        before = []
        for title, earlier in compared(glance):
            rows = [row for row in earlier["parts"] if row["part"] == part]
            was = [(row["currency"], Total(row["count"], Decimal(row["amount"]))) for row in rows]
            as_of, codes = date.fromisoformat(earlier["to"]), {currency: None for currency, _ in was}
            before.append(
                Before(
                    title,
                    as_of,
                    sum(total.number for _, total in was),
                    _by_currency(was, [*dict.fromkeys([*currencies, *codes])]),
                )
            )
        parts.append(Part(part, sum(money.count for money in amounts), amounts, before))
    return parts


def _by_currency(found: Sequence[tuple[str, Total]], currencies: Sequence[str]) -> list[Money]:
    """The sums of each currency that has any."""
    sums = []
    for currency in currencies:
        mine = [total for code, total in found if code == currency]
        if mine:
            sums.append(
                Money(
                    currency, sum(total.number for total in mine), exact_sum(total.amount for total in mine)
                )
            )
    return sums


def _kinds(held: DataFrame, currencies: Sequence[str]) -> list[TypeTotals]:
    found = totals(held, "type", "severity", "currency")
    kinds = (
        TypeTotals(kind, severity, sum(money.count for money in amounts), amounts)
        for severity in Severity
        for kind in TYPES
        for amounts in [_money(found, currencies, kind, severity)]
    )
    return [kind for kind in kinds if kind.count]


def _ages(held: DataFrame, currencies: Sequence[str]) -> list[Line]:
    found = totals(held, "bucket", "currency")
    by_severity = totals(held, "bucket", "severity")
    lines = []
    for bucket, (name, _) in enumerate(BUCKETS):
        amounts = {
            money.currency: Share(money.currency, money.count, money.count, money.amount, money.amount)
            for money in _money(found, currencies, bucket)
        }
        severities = {
            severity: by_severity[bucket, severity].number if (bucket, severity) in by_severity else 0
            for severity in Severity
        }
        lines.append(Line(name, sum(severities.values()), len(held), amounts, severities))
    return lines


def _lines(rows: Sequence[Mapping[str, Any]], *, whole: bool) -> list[Line]:
    """Rules as shares of all transactions (`whole`), payment methods each by how much of it is matched."""
    every = sum(row["count"] for row in rows)
    of_currency = {
        currency: exact_sum(Decimal(row["amount"]) for row in rows if row["currency"] == currency)
        for currency in {row["currency"] for row in rows}
    }
    lines = []
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        count = sum(row["count"] for row in mine)
        if whole:
            amounts = {
                row["currency"]: Share(
                    row["currency"], row["count"], every, Decimal(row["amount"]), of_currency[row["currency"]]
                )
                for row in mine
            }
            lines.append(Line(name, count, every, amounts, {}))
        else:
            amounts = {
                row["currency"]: Share(
                    row["currency"],
                    row["matched"],
                    row["count"],
                    Decimal(row["matched_amount"]),
                    Decimal(row["amount"]),
                )
                for row in mine
            }
            lines.append(Line(name, sum(row["matched"] for row in mine), count, amounts, {}))
    # The largest first; what is not matched, or has no method, at the end.
    return sorted(lines, key=lambda line: (not line.name, -(line.count if whole else line.of), line.name))


def _trend_run(run: Mapping[str, Any]) -> TrendRun:
    return TrendRun(
        run["run_id"],
        date.fromisoformat(run["to"]),
        run["open"],
        run["new"],
        run["cleared"],
        {row["currency"]: _share(row) for row in run["reconciled"] if row["currency"]},
    )


def _this_run(run: Mapping[str, Any]) -> TrendRun:
    open_items = sum(run["discrepancies"].values())
    return _trend_run({**run, "open": open_items, "reconciled": reconciled(run["totals"])})


def _instant(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return f"{day(moment.date())}, {moment:%H:%M} UTC"


def _line_points(night: Sequence[TrendRun], currency: str, lowest: int) -> str:
    """The share of one currency from run to run, as points of a polyline in a box of 1000 by 100."""
    step = 1000 / max(1, len(night) - 1)
    height = max(1, 1000 - lowest)
    return " ".join(
        f"{number * step:.1f},{4 + 92 * (1000 - run.reconciled[currency].thousandths) / height:.1f}"
        for number, run in enumerate(night)
        if currency in run.reconciled
    )


@cache
def environment() -> Environment:
    """The templates, and what they know."""
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((folder / f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    # Both are ours and hold no value of a run. The policy names their bytes, and nothing else may run.
    environment.globals |= {
        "style": Markup(style),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "style_hash": source_hash(style),
        "script_hash": source_hash(script),
        "types": TYPES,
        "glance": GLANCE,
        "lines": LINES,
        "largest": LARGEST,
        "severities": [*Severity],
        "columns": dictionary(RUN_FILES),
        "points": _line_points,
        "percent": percent,
        "decimal": Decimal,
    }
    environment.filters |= {
        "day": day, "instant": _instant, "words": words, "shown": shown, "grouped": grouped,
    }  # fmt: skip
    return environment


def source_hash(text: str) -> str:
    """How a page's own policy names a style or a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page_template() -> Template:
    """The template of the page, compiled once in a process."""
    return environment().get_template("page.html")


def render_page(page: Page) -> str:
    """The page as HTML; every value in it is escaped by the template engine."""
    return page_template().render(page=page, run=page.run)
