"""What the tests of ledgers share."""

from dataclasses import replace
from pathlib import Path

from reconcile.ledger.file import LedgerFile, open_ledgers
from reconcile.settings import Profile


def open_ledger(
    path: Path, *, default_currency: str | None = None, profile: Profile | None = None
) -> LedgerFile:
    """One file that is one ledger; `default_currency` is that of the profile."""
    profile = profile or Profile("default")
    (ledger,) = open_ledgers([path], replace(profile, currency=default_currency or profile.currency))
    return ledger
