"""Runs of the oracle over August 2026, and their results in a few words."""

from dataclasses import replace
from datetime import date

from reconcile.core.records import Period
from tests.oracle import D, E, Outcome, Policy, T, reconcile

AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))


def run(
    transactions: list[T],
    entries: list[E],
    *,
    first: int = 1,
    last: int = 31,
    covered: tuple[int, ...] = (),
    **policy: object,
) -> Outcome:
    """Reconcile days of August 2026; `covered` are days of July."""
    period = Period(date(2026, 8, first), date(2026, 8, last))
    july = frozenset(date(2026, 7, day) for day in covered)
    return reconcile(transactions, entries, replace(Policy(), **policy), period, july)  # type: ignore[arg-type]


def found(outcome: Outcome) -> set[str]:
    """Discrepancies as `TYPE tx_1 L1`."""
    return {
        " ".join((d.type, *d.transactions, *(ledger_id for _, ledger_id in d.entries)))
        for d in outcome.discrepancies
    }


def outcomes(outcome: Outcome) -> dict[str, str]:
    """The outcome of each record by its id (the tests use one app and one source)."""
    by_transaction = {record: name for (_, record), name in outcome.transactions.items()}
    return by_transaction | {record: name for (_, _, record), name in outcome.entries.items()}


def rules(outcome: Outcome) -> set[str]:
    return {f"{m.rule} {'+'.join(sorted(i for _, i in m.entries))}" for m in outcome.matches}


def only(outcome: Outcome) -> D:
    (discrepancy,) = outcome.discrepancies
    return discrepancy
