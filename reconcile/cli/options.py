"""Options that several commands share."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from reconcile.core.errors import UsageError
from reconcile.core.records import Period


class Day(click.ParamType[date]):
    """A calendar day, `2026-08-31`. click.DateTime gives a time, not a day, and its error is no plain sentence."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            self.fail(f"{value!r} is not a day of the calendar; write it as 2026-08-31", param, ctx)


class SomePath(click.Path):
    """A path. An empty one is refused: to Python it is the working folder, to people a variable that is not set. So is
    an address: to Python `s3://books/x` is a file of a folder `s3:`, and what people keep there they would miss later.
    """

    takes_addresses = False

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty: name a file or a folder", param, ctx)
        if not self.takes_addresses and isinstance(value, str) and "://" in value:  # it may hold a password
            self.fail("this is an address: name a path of this machine", param, ctx)
        return super().convert(value, param, ctx)


class FolderOrAddress(SomePath):
    """A folder of this machine, or the address of one elsewhere."""

    takes_addresses = True


def period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    to = click.option("--to", "last", type=Day(), metavar="D", help="Last day of the period, included.")
    first = click.option(
        "--from", "first", type=Day(), metavar="D", help="First day of the period, such as 2026-08-01."
    )
    return first(to(command))


def chosen_period(first: date | None, last: date | None) -> Period | None:
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise UsageError("--from and --to go together: give both, or neither")
    if first > last:
        raise UsageError(f"--from {first} is after --to {last}")
    return Period(first, last)


def out_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--out, of the commands that work on a folder of reports."""
    return click.option(
        "--out",
        type=SomePath(path_type=Path),
        default="reports",
        show_default=True,
        metavar="DIR",
        help=help_text,
    )


def allow_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--allow, of the commands that read a ledger or KS Pay."""
    option = click.option(
        "--allow",
        multiple=True,
        metavar="EXPECTATION",
        help="Use the data although this expectation blocks it. The permission is recorded. Repeatable.",
    )
    return option(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--json, of every command that shows something: one document on standard output, and nothing else there."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON to standard output, for programs."
    )
    return option(command)


def limit_option(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--limit, of the commands that list something."""
    return click.option(
        "--limit",
        type=click.IntRange(1, 1_000_000),
        default=default,
        show_default=True,
        help="How many to show.",
    )
