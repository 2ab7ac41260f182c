"""`reconcile sandbox`: serve a made-up merchant in the foreground, for trying things by hand."""

import shlex
import signal
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from reconcile.core.errors import UsageError
from reconcile.sandbox import behaviour
from reconcile.sandbox.bulk import IDS
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve


def run(
    *,
    port: int,
    seed: int,
    days: int,
    first_day: date | None,
    ledger: Path | None,
    profiles: Iterable[str] = (),
    rows: int | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; must be called in the main thread.

    Without `first_day` the days end today (UTC). With `rows`, that many transactions without a ledger replace the
    merchant's own, and the days end yesterday, so that all are in the past. With `ledger`, first writes the
    merchant's ledger there. Raises UsageError for a number of days below one, an
    unknown profile, a ledger that cannot be written and a port in use; DiskFull if the ledger has no room.
    """
    if rows is not None and ledger:
        raise UsageError("--rows makes transactions without a ledger: leave out --ledger")
    if rows is not None and not 1 <= rows < IDS:
        raise UsageError(f"--rows {rows}: between 1 and {IDS - 1}")
    chosen = replace(behaviour.named(profiles), seed=seed)
    today = datetime.now(UTC).date()
    last_day = today - timedelta(days=rows is not None)
    try:
        merchant = Merchant.made_up(seed, first_day or last_day - timedelta(days=days - 1), days)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--days {days}: {error}") from None
    if ledger:
        merchant.write_ledger(ledger)

    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with serve(merchant, port=port, behaviour=chosen, rows=rows) as sandbox:
            settings = {
                "KSPAY_BASE_URL": sandbox.base_url,
                "KSPAY_APP_ID": sandbox.app_id,
                "KSPAY_ACCESS_KEY": sandbox.access_key,
                "KSPAY_SECRET_KEY": sandbox.secret_key,
            }
            for name, value in settings.items():
                click.echo(f"export {name}={shlex.quote(value)}")
            last = min(merchant.last_day, today - timedelta(days=1))
            if ledger and last >= merchant.first_day:
                words = ["reconcile", "run", "--from", str(merchant.first_day), "--to", str(last)]
                click.echo("# then: " + shlex.join([*words, "--ledger", str(ledger)]))
            if rows is not None:
                click.echo(f"# {rows:,} transactions made in bulk replace the merchant's own")
            click.echo(f"# {merchant}; Ctrl+C stops it")
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
