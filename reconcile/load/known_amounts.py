"""Whether the amounts of a ledger are 100 times those of KS Pay: paise or cents, where rupees or dollars are meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from sqlalchemy import Engine, text

from reconcile.core.records import Entry, comparable
from reconcile.db.sql_files import read_sql
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.profile import Profile
from reconcile.normalise.entries import EntryNormaliser
from reconcile.settings import Settings

_LOOKED_AT = 2_000
"""Entries whose partners are looked for."""

_FEW = 3
"""So many partners at least, or all entries of a shorter ledger, tell that all amounts are in the minor unit."""

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
    if profile.minor:
        return None
    app_ids = settings.app_ids or ("",)
    normaliser = EntryNormaliser.of(ledger, profile, app_ids, settings.currencies)
    typed = islice(normaliser.typed(ledger.rows()), _LOOKED_AT)
    entries = [one for one in typed if isinstance(one, Entry) and one.reference and one.amount]
    if not entries or any(one.amount != one.amount.to_integral_value() for one in entries):
        return None
    return _compared(engine, entries, settings)


def _compared(engine: Engine, entries: Sequence[Entry], settings: Settings) -> Hundredfold | None:
    wanted = {comparable(one.reference): one for one in entries}
    with engine.connect() as connection:
        rows = connection.execute(
            text(read_sql("load/known_amounts")),
            {"app_ids": list(settings.app_ids), "references": list(wanted)},
        ).all()
    found: list[Hundredfold] = []
    partners: set[str] = set()
    for row in rows:
        entry = wanted[row.comparable]
        digits = settings.currencies.digits.get(row.currency, 0)
        if entry.currency not in ("?", row.currency) or not digits:
            continue
        partners.add(row.comparable)
        if abs(entry.amount).scaleb(-digits) == row.amount:
            found.append(Hundredfold(str(entry.reference), entry.amount, row.amount))
    enough = min(_FEW, len(wanted))
    if len(found) < enough or len(found) < _MOST * len(partners):
        return None
    return min(found, key=lambda one: one.reference)
