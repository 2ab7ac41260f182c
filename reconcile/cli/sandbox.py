"""`reconcile sandbox`: a local KS Pay with a made-up merchant."""

from datetime import date
from pathlib import Path

import click

from reconcile.cli.options import Day, SomePath
from reconcile.sandbox.behaviour import PROFILES


def _profiles() -> str:
    width = max(map(len, PROFILES)) + 2
    lines = (f"{name:<{width}}{says}" for name, (says, _) in PROFILES.items())
    return "\b\nProfiles:\n" + "\n".join(f"  {line}" for line in lines)


@click.command(epilog=_profiles())
@click.option("--port", default=8080, show_default=True, help="0 takes a free port.")
@click.option("--seed", default=1, show_default=True, help="Another number makes another merchant.")
@click.option("--days", default=120, show_default=True, help="How many days of payments.")
@click.option(
    "--first-day", type=Day(), metavar="D", help="The first of these days. By default the days end today."
)
@click.option(
    "--ledger",
    type=SomePath(path_type=Path),
    metavar="PATH",
    help="Also write the merchant's ledger to this file.",
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME[,NAME]",
    help="How KS Pay behaves: see below. Repeatable.",
)
@click.option(
    "--rows", type=int, metavar="N", help="Serve N transactions without a ledger instead, for benchmarks."
)
def sandbox(
    port: int,
    seed: int,
    days: int,
    first_day: date | None,
    ledger: Path | None,
    profiles: tuple[str, ...],
    rows: int | None,
) -> None:
    """Serve a local KS Pay with a made-up merchant until Ctrl-C.

    Example:  reconcile sandbox --port 8080 --ledger ledger.csv --profile oldest-first,resets
    """
    from reconcile.sandbox.command import run as serve

    serve(
        port=port,
        seed=seed,
        days=days,
        first_day=first_day,
        ledger=ledger,
        profiles=[name for names in profiles for name in names.split(",") if name],
        rows=rows,
    )
