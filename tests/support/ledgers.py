"""What the tests of ledgers share."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from reconcile.context import Context
from reconcile.core.money import Currencies
from reconcile.core.progress import silent
from reconcile.core.records import Entry, Rejection
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.open import open_ledgers
from reconcile.load.import_ledger import Imported
from reconcile.normalise.entries import EntryNormaliser
from reconcile.settings import Profile, Settings
from reconcile.validate.validator import Validator


def open_ledger(
    path: Path, *, default_currency: str | None = None, profile: Profile | None = None
) -> LedgerFile:
    """One file that is one ledger; `default_currency` is that of the profile."""
    profile = profile or Profile("default")
    (ledger,) = open_ledgers([path], replace(profile, currency=default_currency or profile.currency))
    return ledger


def context_of(engine: Engine, validator: Validator) -> Context:
    """To import ledgers of one app, `ap_1`."""
    return Context(Settings(app_ids=("ap_1",)), engine, ("ap_1",), validator, silent)


def made(done: Imported) -> str:
    """What `ledger inspect` says that an import makes of the file, where it makes this."""
    return (
        f"An import makes of it: {done.entries:,} {'entry' if done.entries == 1 else 'entries'}, "
        f"{done.repeats:,} repeated, "
        f"{done.quarantined:,} in quarantine, {done.passed_over:,} passed over."
    )


def typed(ledger: LedgerFile, profile: Profile) -> list[Entry | Rejection]:
    return list(EntryNormaliser.of(ledger, profile, ["ap_1"], Currencies()).typed(ledger.rows()))


def read(ledger: LedgerFile, profile: Profile) -> list[tuple[str, str | None, str, str, str]]:
    """What is left of each entry that a person would compare."""
    return [
        (
            one.ledger_id,
            one.reference,
            f"{one.amount:f} {one.currency}",
            str(one.dated_on or one.dated_at),
            one.status,
        )
        for one in typed(ledger, profile)
        if isinstance(one, Entry)
    ]
