"""The accounts of `[journal]` in reconcile.toml, and the columns of an exported journal.

An exported journal is read back as a ledger, so that both sides of the program know its columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from reconcile.core.discrepancies import TYPES
from reconcile.core.money import Currencies
from reconcile.core.people import is_printable

BOOKED = ("accept", "write_off")
"""The decisions that are booked. What is ignored is no business of the books, and what is matched is booked already."""

JOURNAL_COLUMNS = (
    "date",
    "account",
    "debit",
    "credit",
    "reference",
    "narration",
    "decision_id",
    "currency",
    "journal",
    "app_id",
    "ledger_id",
    "amount",
    "entry_date",
    "status",
    "entry_reference",
    "transaction_id",
    "provider_order_id",
    "provider_txn_id",
    "description",
)

READ_BACK: Mapping[str, str] = MappingProxyType({"date": "entry_date", "reference": "entry_reference"})
"""The columns of a ledger that have another name in a journal, where that name is taken."""

MARKS = frozenset({"decision_id", "journal", "debit", "credit", "entry_date"})
"""A table with these columns is a journal."""

_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Accounts:
    """Where decisions are booked. By currency; "" for all others."""

    ledger: Mapping[str, str]
    """The account that the reconciled ledger keeps."""
    against: Mapping[str, Mapping[str, Mapping[str, str | None]]]
    """By decision and type ("" for all others): the other account. None: nothing is booked."""

    def other(self, decision: str, kind: str, currency: str) -> str | None:
        """The account against which a decision is booked; None if it is not. Raises KeyError if none is named."""
        of_decision = self.against.get(decision, {})
        for by_currency in (of_decision.get(kind), of_decision.get("")):
            for code in (currency, ""):
                if by_currency is not None and code in by_currency:
                    return by_currency[code]
        raise KeyError(f"[journal.{decision}] names no account for {kind} in {currency}")

    def own(self, currency: str) -> str:
        """The account of the ledger itself. Raises KeyError if none is named."""
        for code in (currency, ""):
            if code in self.ledger:
                return self.ledger[code]
        raise KeyError(f"[journal] account names no account for {currency}")


def read_accounts(table: Mapping[str, Any], currencies: Currencies) -> Accounts:
    """Check the table. Raises ValueError that names the wrong key."""
    known = ("account", *BOOKED)
    if unknown := [key for key in table if key not in known]:
        raise ValueError(f"has an unknown key {unknown[0]!r} (known: {', '.join(known)})")
    if "account" not in table:
        raise ValueError("lacks account, the account that the ledger keeps")
    ledger = _by_currency("account", table["account"], currencies)
    if None in ledger.values():
        raise ValueError("account must be a name, or a table of names by currency")
    against = {}
    for decision in BOOKED:
        held = table.get(decision, {})
        if not isinstance(held, Mapping):
            raise ValueError(f"{decision} must be a table, [journal.{decision}]")  # noqa: TRY004 - as the others
        for kind in held:
            if kind != _DEFAULT and kind not in TYPES:
                raise ValueError(
                    f"{decision} has an unknown type {kind!r} (known: {', '.join((_DEFAULT, *TYPES))})"
                )
        against[decision] = {
            "" if kind == _DEFAULT else kind: _by_currency(f"{decision}.{kind}", value, currencies)
            for kind, value in held.items()
        }
    return Accounts({code: name for code, name in ledger.items() if name is not None}, against)


def _by_currency(key: str, value: object, currencies: Currencies) -> dict[str, str | None]:
    """An account for all currencies, or one for each."""
    given = value if isinstance(value, Mapping) else {_DEFAULT: value}
    found: dict[str, str | None] = {}
    for code, name in given.items():
        if code != _DEFAULT and code not in currencies.digits:
            raise ValueError(f"{key}: {code!r} is not a known currency")
        if name is not False and not (isinstance(name, str) and name.strip() and is_printable(name)):
            raise ValueError(f"{key} must be the name of an account, or false to book nothing")
        found["" if code == _DEFAULT else code] = name.strip() if isinstance(name, str) else None
    return found
