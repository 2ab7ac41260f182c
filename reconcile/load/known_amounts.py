"""What the amounts of a ledger are beside those of KS Pay: 100 times as much (paise or cents), or less by a fee."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import Engine, text

from reconcile.core.fees import LikelyFee, folded, likely_fees
from reconcile.core.records import Entry, comparable
from reconcile.db.sql_files import read_sql
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.profile import Profile
from reconcile.load.inspect_proposal import UNKNOWN
from reconcile.normalise.entries import EntryNormaliser
from reconcile.settings import Settings

_LOOKED_AT = 2_000
"""Entries whose partners are looked for."""

_FEW = 3
"""The least number of partners, or all entries of a shorter ledger, that show that all amounts are in the minor
unit."""

_MOST = 0.9
"""Part of the partners that must be so."""


@dataclass(frozen=True, slots=True)
class Hundredfold:
    """An entry whose amount is that of its partner in the minor unit."""

    reference: str
    amount: Decimal
    partner: Decimal
    """In the major unit, as KS Pay has it."""


def hundredfold(
    engine: Engine, settings: Settings, ledger: LedgerFile, profile: Profile
) -> Hundredfold | None:
    """An example, if the amounts of most entries are their partners' in the minor unit; None where they are not, or
    nothing is known of KS Pay yet."""
    entries = [] if profile.minor else _first_entries(settings, ledger, profile)
    if not entries or any(entry.amount != entry.amount.to_integral_value() for entry in entries):
        return None
    return _compared(engine, entries, settings)


def _first_entries(settings: Settings, ledger: LedgerFile, profile: Profile) -> list[Entry]:
    """Those of the first entries that have a reference and an amount."""
    normaliser = EntryNormaliser.of(ledger, profile, settings.app_ids or ("",), settings.currencies)
    typed = islice(normaliser.typed(ledger.rows()), _LOOKED_AT)
    return [entry for entry in typed if isinstance(entry, Entry) and entry.reference and entry.amount]


def _partners(engine: Engine, settings: Settings, references: Iterable[str | None]) -> Sequence[Any]:
    """The transactions that have one of these normalised references."""
    with engine.connect() as connection:
        return connection.execute(
            text(read_sql("load/known_amounts")),
            {"app_ids": list(settings.app_ids), "references": list(references)},
        ).all()


def fees_shown(engine: Engine, settings: Settings, ledger: LedgerFile, profile: Profile) -> list[LikelyFee]:
    """The agreements about fees that the first entries show, beside the only transactions of their references.

    Those of a payment method and currency that the settings have a fee for are left out.
    """
    entries = _first_entries(settings, ledger, profile)
    times = Counter(comparable(entry.reference) for entry in entries)
    wanted = {key: entry for entry in entries if times[key := comparable(entry.reference)] == 1}
    rows = _partners(engine, settings, wanted)
    times = Counter(row.comparable for row in rows)
    stated = {(fee.payment_method and folded(fee.payment_method), fee.currency) for fee in settings.fees}
    kept, of = [], Counter[tuple[str | None, str]]()
    for row in rows:
        method, amount = row.payment_type, wanted[row.comparable].amount
        same_currency = wanted[row.comparable].currency in (UNKNOWN, row.currency)
        if times[row.comparable] > 1 or not same_currency or amount < 0:
            continue
        if {(None, row.currency), (method and folded(method), row.currency)} & stated:
            continue
        of[method, row.currency] += 1
        if amount < row.amount:
            kept.append((method, row.currency, row.amount, row.amount - amount, 1))
    return likely_fees(kept, of, settings.currencies)


def _compared(engine: Engine, entries: Sequence[Entry], settings: Settings) -> Hundredfold | None:
    wanted = {comparable(entry.reference): entry for entry in entries}
    rows = _partners(engine, settings, wanted)
    found: list[Hundredfold] = []
    partners: set[str] = set()
    for row in rows:
        entry = wanted[row.comparable]
        digits = settings.currencies.digits.get(row.currency, 0)
        if entry.currency not in (UNKNOWN, row.currency) or not digits:
            continue
        partners.add(row.comparable)
        if abs(entry.amount).scaleb(-digits) == row.amount:
            found.append(Hundredfold(str(entry.reference), entry.amount, row.amount))
    enough = min(_FEW, len(wanted))
    if len(found) < enough or len(found) < _MOST * len(partners):
        return None
    return min(found, key=lambda example: example.reference)
