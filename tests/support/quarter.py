"""Three months of a small merchant: runs, decisions, corrections, closes; and an oracle of what they must say.

The oracle knows only the records and the decisions. It finds what is open with a few lines for the few kinds of things
that are wrong here, and adds up the statements from run to run. The bridge is that of `tests.oracle`.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from reconcile.core.fees import Fee
from reconcile.core.money import Currencies, Tolerances
from reconcile.core.records import Period
from reconcile.decide import resolve as decisions
from reconcile.decide.sheet import open_sheet
from reconcile.pipeline import Request, reconcile_period
from reconcile.report.close_month import Closed, close_month
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.orders import LEDGER_COLUMNS
from reconcile.sandbox.shop import Shop
from reconcile.settings import Settings
from tests.oracle import E, Policy, T, reconcile
from tests.support.driver import Report

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
JULY = Period(date(2026, 7, 1), date(2026, 7, 31))
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))

Key = tuple[str, str]
"""The reference of what is wrong, and which aspect and side of it."""

State = tuple[str, Decimal, Decimal]
"""Currency, amount at KS Pay, amount in the ledger."""

Lines = dict[tuple[str, str], tuple[int, int, Decimal]]
"""By currency and line: items, count, amount."""


@dataclass(frozen=True)
class Record:
    """A payment or an entry."""

    id: str
    reference: str
    currency: str
    amount: Decimal
    day: date
    family: str = "paid"


def record(
    number: int,
    currency: str,
    amount: str,
    day: str,
    *,
    reference: str = "",
    suffix: str = "",
    family: str = "paid",
) -> Record:
    return Record(
        f"L-{number}{suffix}",
        reference or f"ORD-{number}",
        currency,
        Decimal(amount),
        date.fromisoformat(day),
        family,
    )


CLEAN = "CLEAN"
"""Begins the references of records with which nothing is wrong: they count in the bridge alone."""

FEES = (Fee("card", "EUR", date.min, percent=Decimal(2), tax=Decimal(18)),)
TOLERANCES = Tolerances.parse("INR=0.05", Currencies())

PAYMENTS = (
    record(1, "INR", "1000", "2026-06-10"),
    record(2, "INR", "500", "2026-06-11"),
    record(3, "INR", "700", "2026-06-12"),
    record(4, "USD", "50", "2026-06-13"),
    record(6, "INR", "2000", "2026-07-10"),
    record(7, "INR", "400", "2026-07-11"),
    record(8, "KWD", "10.500", "2026-07-12"),
    record(9, "INR", "900", "2026-08-10"),
    record(10, "INR", "150", "2026-08-11"),
    record(11, "INR", "250", "2026-06-30", reference="CLEAN-11"),
    record(12, "INR", "80", "2026-07-20", reference="CLEAN-12", family="refunded"),
    record(13, "INR", "33", "2026-08-03", reference="CLEAN-13", family="failed"),
    record(14, "INR", "60", "2026-06-20", reference="CLEAN-14"),
    record(15, "EUR", "1000", "2026-07-21", reference="CLEAN-15"),
)
ENTRIES = (
    record(1, "INR", "1000", "2026-06-10"),
    record(3, "INR", "690", "2026-06-12"),
    record(5, "INR", "300", "2026-06-14", reference="OTHER-5"),
    record(7, "INR", "400", "2026-07-11"),
    record(7, "INR", "400", "2026-07-11", suffix="b"),
    record(8, "KWD", "10.000", "2026-07-12"),
    record(9, "INR", "900", "2026-08-10", reference="OTHER-9"),
    record(10, "INR", "150", "2026-08-11"),
    record(11, "INR", "250", "2026-07-01", reference="CLEAN-11"),
    record(12, "INR", "80", "2026-07-20", reference="CLEAN-12"),
    record(12, "INR", "-80", "2026-08-02", reference="CLEAN-12", suffix="r"),  # given back in the next month
    record(14, "INR", "59.97", "2026-06-20", reference="CLEAN-14"),
    record(15, "EUR", "976.40", "2026-07-21", reference="CLEAN-15"),
    record(16, "INR", "45", "2026-07-22", reference="CLEAN-16", family="unpaid"),
)


@dataclass(frozen=True)
class Decision:
    """What a person decided about one thing as it was then."""

    key: Key
    state: State
    word: str
    by: str


@dataclass(frozen=True)
class Snapshot:
    """What is open after a run and what decisions in force cover, by the oracle."""

    run_id: str
    open: dict[Key, tuple[str, Decimal]]
    decided: dict[Key, str]
    seen: frozenset[Key]
    bridge: Mapping[tuple[str, str], tuple[int, Decimal]] = field(default_factory=dict)
    """By currency and line: the number of records or matches, and the amount."""


class Quarter:
    """The merchant, its books, and what the oracle says after each run."""

    def __init__(self, folder: Path, settings: Settings, engine: Engine) -> None:
        self.folder, self.settings, self.engine = folder, settings, engine
        self.books = {one.id: one for one in ENTRIES}
        self.made: list[Decision] = []
        self.joined: dict[str, str] = {}
        self.snapshots: list[Snapshot] = []
        self.reports: list[Report] = []
        self.closed: list[tuple[Closed, Sequence[Snapshot]]] = []

    def run(self, period: Period, *, import_books: bool = True) -> Report:
        path = self.folder / "ledger.csv" if import_books else None
        if path is not None:
            self._write_books(path)
        done = reconcile_period(self.settings, Request(period, ledger=path, out=self.folder / "reports"))
        self.reports.append(Report(done.folder))
        self.snapshots.append(replace(self._snapshot(done.run_id, period.last), bridge=self._bridge(period)))
        return self.reports[-1]

    def _write_books(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, LEDGER_COLUMNS)
            writer.writeheader()
            for one in self.books.values():
                row = {
                    "ledger_id": one.id, "reference": one.reference, "amount": str(one.amount),
                    "currency": one.currency, "date": str(one.day), "status": one.family,
                }  # fmt: skip
                writer.writerow({**dict.fromkeys(LEDGER_COLUMNS, ""), **row})

    def decide(self, by: str, **words: str) -> None:
        """Decide what the newest report lists: `ORD_2="write_off"`; `OTHER_5` for what KS Pay lacks."""
        newest = self.reports[-1]
        rows = [*newest.rows("discrepancies"), *newest.rows("resolved")]
        chosen = []
        for name, word in words.items():
            reference = name.replace("_", "-")
            row = next(row for row in rows if reference in (row["reference"], row["ledger_reference"]))
            chosen.append({**row, "resolution": word})
            state = self._found(date(2026, 12, 31))
            key = next(key for key in state if key[0] == reference)
            self.made.append(Decision(key, state[key], word.partition(":")[0], by))
            if word.startswith("match:"):
                self.joined[reference] = word.partition(":")[2]
        path = self.folder / f"decided-{len(self.made)}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(newest.rows("discrepancies")[0]), extrasaction="ignore")
            writer.writeheader()
            writer.writerows(chosen)
        decisions.resolve_sheet(self.engine, self.settings, open_sheet(path), by)

    def close(self, month: str, by: str, *snapshots: int | None) -> Closed:
        """Close a month; `snapshots` are its opening (None: before any run) and the runs up to its closing."""
        done = close_month(self.engine, self.settings, month, by, {}, self.folder / "reports")
        none = Snapshot("", {}, {}, frozenset())
        self.closed.append((done, [none if one is None else self.snapshots[one] for one in snapshots]))
        return done

    def _found(self, last: date) -> dict[Key, State]:
        """What is wrong with the records up to this day, decided or not."""
        payments = {
            one.reference: one for one in PAYMENTS if one.day <= last and not one.reference.startswith(CLEAN)
        }
        entries: defaultdict[str, list[Record]] = defaultdict(list)
        for one in self.books.values():
            if one.day <= last and not one.reference.startswith(CLEAN):
                entries[one.reference].append(one)
        joined = {self.books[entry].reference for entry in self.joined.values()}
        nothing = Decimal(0)
        found: dict[Key, State] = {}
        for reference in payments.keys() | entries.keys():
            payment, booked = payments.get(reference), entries.get(reference, [])
            if payment is None:
                if reference not in joined:
                    found[reference, "entry"] = (booked[0].currency, nothing, booked[0].amount)
            elif not booked:
                found[reference, "payment"] = (payment.currency, payment.amount, nothing)
            elif payment.amount != booked[0].amount:
                found[reference, "amount"] = (payment.currency, payment.amount, booked[0].amount)
            for second in booked[1:] if payment else ():
                found[reference, "second"] = (second.currency, nothing, second.amount)
        return found

    def _bridge(self, period: Period) -> Mapping[tuple[str, str], tuple[int, Decimal]]:
        """From the total of the payments to that of the books; what a person joined is as if it had one reference."""
        by_hand = {entry: reference for reference, entry in self.joined.items()}
        transactions = [
            T(
                one.id,
                "app",
                one.reference,
                one.currency,
                one.amount,
                one.family,
                datetime.combine(one.day, time(6, 30), UTC),  # noon in India
                payment_method="CARD",
            )
            for one in PAYMENTS
        ]
        entries = [
            E(
                "default",
                one.id,
                "app",
                by_hand.get(one.id, one.reference),
                one.currency,
                one.amount,
                one.family,
                one.day,
            )
            for one in self.books.values()
        ]
        return reconcile(transactions, entries, Policy(tolerance=TOLERANCES, fees=FEES), period).bridge

    def _snapshot(self, run_id: str, last: date) -> Snapshot:
        found = self._found(last)
        newest = {one.key: one for one in self.made}
        decided = {
            key: newest[key].word
            for key, state in found.items()
            if key in newest and newest[key].state == state and newest[key].word != "reopen"
        }
        still_open = {
            key: (state[0], abs(state[1] - state[2])) for key, state in found.items() if key not in decided
        }
        seen = (self.snapshots[-1].seen if self.snapshots else frozenset()) | still_open.keys()
        return Snapshot(run_id, still_open, decided, seen)


def lines_of(snapshots: Sequence[Snapshot]) -> Lines:
    """The statement from the first snapshot to the last; the lines of nothing left out."""
    found: defaultdict[tuple[str, str], tuple[int, int, Decimal]] = defaultdict(lambda: (0, 0, Decimal(0)))

    def add(line: str, item: tuple[str, Decimal], count: int) -> None:
        items, counted, amount = found[item[0], line]
        found[item[0], line] = (items + 1, counted + (count or 0), amount + (count or 1) * item[1])

    for item in snapshots[0].open.values():
        add("opening", item, 1)
    for before, after in pairwise(snapshots):
        for key in after.open.keys() - before.open.keys():
            add("reopened" if key in before.seen else "new", after.open[key], 1)
        for key in before.open.keys() - after.open.keys():
            add(after.decided.get(key, "cleared"), before.open[key], -1)
        for key in after.open.keys() & before.open.keys():
            if after.open[key] != before.open[key]:
                add("changed", (after.open[key][0], after.open[key][1] - before.open[key][1]), 0)
    for item in snapshots[-1].open.values():
        add("closing", item, 1)
    return dict(found)


def merchant() -> Merchant:
    """The merchant of PAYMENTS, as the sandbox serves it."""
    shop = Shop.of(5, ZoneInfo("Asia/Kolkata"))
    transactions = []
    for one in PAYMENTS:
        at = shop.instant(one.day, time(12))
        made = shop.transaction(
            Random(one.id), family=one.family, reference=one.reference, amount=one.amount, currency=one.currency,
            method="CARD", created_at=at, updated_at=at,
        ) | ({"status": "refunded"} if one.family == "refunded" else {})  # fmt: skip
        transactions.append(made)
    return Merchant(shop, JUNE.first, AUGUST.last, transactions, [], [])


def corrected(one: Record, amount: str) -> Record:
    """An entry with another amount."""
    return replace(one, amount=Decimal(amount))
