"""The command `try`: what the last run would find under other settings."""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.console import print_table, say, showing_progress, table_console
from reconcile.cli.options import json_option
from reconcile.core.errors import UsageError
from reconcile.core.json_text import json_text
from reconcile.core.wording import counted

if TYPE_CHECKING:  # each command waits only for what it works with itself
    from reconcile.core.fees import Fee
    from reconcile.core.money import Currencies
    from reconcile.report.trial import Tried

_TRIED: Mapping[str, str] = {
    "RECONCILE_AMOUNT_TOLERANCE": "By how much amounts may differ: 1.50, 0.5% or INR=1,KWD=0.01.",
    "RECONCILE_DATE_TOLERANCE_DAYS": "How many days apart the dates of a match may be.",
    "RECONCILE_DUPLICATE_DAYS": "How many days apart a repeated payment is a duplicate.",
    "RECONCILE_GRACE_DAYS": "The last days of the period, in which a missing partner is a timing difference.",
    "RECONCILE_STALE_PENDING_HOURS": "After how many hours a pending payment is stale.",
    "RECONCILE_ACCEPT_SUGGESTIONS": "Whether what amount_date suggests is matched: true or false.",
    "RECONCILE_TIMEZONE": "The business time zone.",
}
"""The settings that matching rests on and that are one value, each with the help of its option."""


def _option(name: str) -> str:
    return f"--{name.removeprefix('RECONCILE_').lower().replace('_', '-')}"


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, means in reversed([*_TRIED.items()]):
        command = click.option(_option(name), name.lower(), metavar="X", help=means)(command)
    return command


@click.command("try")
@_options
@click.option(
    "--fees", metavar="FILE", help="A TOML file with [[fees]] as in reconcile.toml, or none for no fees."
)
@click.option(
    "--limit",
    type=click.IntRange(0, 1_000_000),
    default=40,
    show_default=True,
    help="How many changed items to show.",
)
@json_option
def try_command(fees: str | None, limit: int, as_json: bool, **values: str | None) -> None:
    """Show what the last run would find under other settings. Nothing is written.

    It matches the records that are known now twice for the period of the last run, under the settings as they are and
    under those that are given, and compares what is open. --json holds every changed item.

    Example:  reconcile try --amount-tolerance 1 --date-tolerance-days 5
    """
    from reconcile.db.engine import open_store
    from reconcile.report.trial import try_settings
    from reconcile.settings import Settings

    given = {name: value for name in _TRIED if (value := values[name.lower()]) is not None}
    if not given and fees is None:
        raise UsageError("try: name at least one setting to try, such as --amount-tolerance 1")
    settings = Settings.read()
    for name, value in given.items():
        if not value.strip():
            raise UsageError(f"{_option(name)}: is empty; leave it out to try the value of the settings")
    other = _read_otherwise(given)
    if fees is not None:
        other = replace(other, fees=_read_fees(fees, settings.currencies))
    with showing_progress() as progress, open_store(settings) as engine:
        tried = try_settings(engine, settings, other, progress)
    if as_json:
        click.echo(json_text(tried))
    else:
        _show(tried, limit)


def _read_otherwise(given: Mapping[str, str]) -> Any:
    from reconcile.settings import Settings

    try:
        return Settings.read({**os.environ, **given})
    except UsageError as error:
        name, colon, reason = str(error).partition(":")
        if name in given:
            raise UsageError(f"{_option(name)}{colon}{reason}") from None
        raise


def _read_fees(path: str, currencies: "Currencies") -> "tuple[Fee, ...]":
    from reconcile.core.fees import read_fees

    if path == "none":
        return ()
    try:
        tables = tomllib.loads(Path(path).read_text("utf-8-sig"), parse_float=Decimal)
        fees = read_fees(tables.get("fees", []), currencies)
    except (OSError, ValueError) as error:  # also of TOML, and of text that is not UTF-8
        raise UsageError(
            f"--fees {path}: {error.strerror if isinstance(error, OSError) else error}"
        ) from None
    if [*tables] != ["fees"]:
        raise UsageError(f"--fees {path}: must hold [[fees]], and nothing else")
    return fees


def _show(tried: "Tried", limit: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from reconcile.core.money import grouped

    console = table_console()
    say(
        console,
        f"The last run, {tried.run_id} ({tried.first} to {tried.last}), under other settings; nothing is written",
    )
    for name, values in tried.settings.items():
        say(console, f"{name}: {values['before'] or 'none'} → {values['after'] or 'none'}")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("open")
    table.add_column("currency")
    for column in ("before", "after", "at stake before", "at stake after"):
        table.add_column(column, justify="right", overflow="fold")
    for row in tried.discrepancies:
        before, after = row["before"], row["after"]
        table.add_row(
            row["type"],
            row["currency"] or "none",
            f"{before['count']:,}",
            f"{after['count']:,}",
            *(
                grouped(side["amount"], row["currency"]) if row["currency"] else ""
                for side in (before, after)
            ),
            style=None if before == after else "bold",
        )
    print_table(console, table)
    rules = ", ".join(
        f"{row['rule']} {row['before']:,} → {row['after']:,}"
        for row in tried.matched
        if row["before"] != row["after"]
    )
    say(console, f"matches of the period: {rules or 'as they are'}")
    if tried.changed and limit:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in ("id", "before", "after", "transaction", "entry", "at stake"):
            table.add_column(column, overflow="fold", justify="right" if column == "at stake" else "left")
        for changed in tried.changed[:limit]:
            was, will = changed["before"], changed["after"]
            shown = will or was
            table.add_row(
                changed["discrepancy_id"],
                was["type"] if was else "–",
                will["type"] if will else "–",
                shown["transaction_id"],
                shown["ledger_id"],
                f"{shown['currency']} {grouped(shown['amount'], shown['currency'])}".strip(),
            )
        print_table(console, table)
    more = len(tried.changed) - limit
    say(
        console,
        f"{counted(len(tried.changed), 'item')} {'differs' if len(tried.changed) == 1 else 'differ'}"
        + (f", {limit:,} of them shown: --limit shows more" if more > 0 else ""),
    )
