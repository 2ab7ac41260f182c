"""`reconcile demo`: a whole run for a made-up merchant, everything local, always the same days."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

from reconcile.core.progress import Progress
from reconcile.core.records import Period
from reconcile.core.writing import check_folder
from reconcile.kspay import Credentials
from reconcile.pipeline import Finished, Request, reconcile_period
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from reconcile.settings import Settings

FIRST_DAY = date(2026, 3, 1)
DAYS = 120


def run_demo(seed: int, progress: Progress) -> Finished:
    """Make the merchant, serve its KS Pay, write its ledger, and run the same pipeline as every night.

    Uses its own database and reports folder, and of the user's settings only RECONCILE_HOME, so it does not touch real
    data. Raises UsageError if the reports folder cannot be written.
    """
    out = Path("reports") / "demo"
    check_folder(out, out)
    home = Path(os.environ.get("RECONCILE_HOME") or ".reconcile") / "demo"
    merchant = Merchant.made_up(seed, FIRST_DAY, DAYS)
    progress("sandbox", f"{len(merchant.transactions):,} transactions of a made-up merchant", 0)
    merchant.write_ledger(out / "ledger.csv")
    with serve(merchant) as server:
        app = Credentials(server.base_url, server.app_id, server.access_key, server.secret_key)
        settings = replace(Settings(), apps=(app,), app_ids=(app.app_id,), home=home)
        period = Period(merchant.first_day, merchant.last_day)
        return reconcile_period(
            settings, Request(period, ledger=out / "ledger.csv", out=out), progress=progress
        )
