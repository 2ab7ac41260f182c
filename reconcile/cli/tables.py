"""The tables that commands print on standard output."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconcile.cli.console import error_console, json_lines, print_table, say, say_paths, table_console, tell
from reconcile.core.discrepancies import TYPES, Severity
from reconcile.core.json_text import json_text
from reconcile.core.money import Currencies, exact_sum, grouped
from reconcile.core.wording import counted, day
from reconcile.db.runs import RunRecord
from reconcile.report.figures import allowed_lines, compared, glance, reconciled, share_of

if TYPE_CHECKING:  # each command waits only for what it works with itself
    from reconcile.decide.result import ResolveResult
    from reconcile.load.import_ledger import Imported
    from reconcile.report.close_month import Reason
    from reconcile.report.close_trail import Close
    from reconcile.report.journal import Exported
    from reconcile.report.statement import Statement


def show_run(report: Mapping[str, Any], folder: Path | None) -> None:
    """What is reconciled and what is open, by currency; the discrepancies by type; where the files are."""
    console = table_console()
    say(console, f"Reconciled {report['from']} to {report['to']} ({report['timezone']})")
    print_table(console, _currencies(report))
    print_table(console, _glance(report))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    # The database does not keep the order of keys; sorted, a run always looks the same.
    for name, count in sorted(report["discrepancies"].items(), key=lambda pair: [*TYPES].index(pair[0])):
        table.add_row(name, f"{count:,}", style=_STYLES[TYPES[name].severity])
    print_table(console, table)
    matched = sorted(report["matched"].items(), key=lambda pair: (-pair[1], pair[0]))
    rules = ", ".join(f"{name} {count:,}" for name, count in matched)
    say(
        console,
        f"{counted(sum(report['matched'].values()), 'match', 'matches')}{f': {rules}' if rules else ''}",
    )
    open_items = counted(sum(report["discrepancies"].values()), "open discrepancy", "open discrepancies")
    say(
        console,
        f"{open_items}; since the run before: {report['new']:,} new, {report.get('reopened', 0):,} reopened, "
        f"{report['cleared']:,} cleared, {report.get('resolved', 0):,} resolved",
    )
    for row in report.get("allowed", ()):
        for name, what in allowed_lines(row):
            say(console, f"{name}: {what}")
    for warning in report["warnings"]:
        say(console, f"warning: {warning}")
    if folder is not None:
        say_paths(folder / name for name in _shown_files(report))


_STYLES = {
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
    Severity.INFO: "dim",
}


def _shown_files(report: Mapping[str, Any]) -> list[str]:
    """The files that people open: page, workbook, and the file for decisions. The others are in the same folder."""
    kinds = (".html", ".xlsx")
    shown = [name for kind in kinds for name in report["files"] if name.endswith(kind)]
    return [*shown, "discrepancies.csv"]


def _currencies(report: Mapping[str, Any]) -> Table:
    """By currency, what is reconciled of the transactions that moved money (or may have), and what is open."""
    shares = {row["currency"]: row for row in reconciled(report["totals"])}
    open_items: dict[str, list[Mapping[str, Any]]] = {}
    for row in report.get("open", ()):
        open_items.setdefault(row["currency"], []).append(row)
    known = sorted({*shares, *open_items}, key=lambda code: (not code, code))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("currency")
    for column in ("reconciled", "amount", "of", "open", "at stake"):
        table.add_column(column, justify="right", overflow="fold")  # a number is never cut
    for currency in known:
        kspay = shares.get(currency)
        share, amount, of_amount = Text(), "", ""
        if kspay and currency:
            thousandths = share_of(kspay)
            colour = "green" if thousandths == _ALL else "yellow"
            share = Text(f"{thousandths // 10}.{thousandths % 10} %", colour)
            amount, of_amount = (grouped(kspay[name], currency) for name in ("amount", "of_amount"))
        rows = open_items.get(currency, [])
        at_stake = f"{exact_sum(Decimal(row['amount']) for row in rows):f}" if rows and currency else ""
        table.add_row(
            currency or "none",
            share,
            amount,
            of_amount,
            f"{sum(row['count'] for row in rows):,}" if rows else "",
            at_stake and grouped(at_stake, currency),
        )
    return table


_ALL = 1000  # thousandths


def _glance(report: Mapping[str, Any]) -> Table:
    """What is at risk, to check, timing and in quarantine, beside the runs that it is compared with."""
    then = compared(report.get("at_a_glance") or {})
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("open", justify="right")
    table.add_column("at stake", overflow="fold")
    for title, earlier in then:
        table.add_column(f"{title}, {day(date.fromisoformat(earlier['to']))}", justify="right")
    for part, (count, amounts) in glance(report, ", ").items():
        counts = (sum(row["count"] for row in earlier["parts"] if row["part"] == part) for _, earlier in then)
        table.add_row(
            part.replace("_", " "),
            f"{count:,}",
            amounts,
            *(f"{count:,}" for count in counts),
        )
    return table


def show_statement(statement: "Statement", currencies: Currencies, closed: "Close | None" = None) -> None:
    """The close statement of a month, by currency; of a closed month, as that version of it."""
    console = table_console()
    version = f", {_version(closed)}" if closed else ""
    say(console, f"Close statement of {statement.month}{version}")
    _show_lines(console, statement, currencies)


def show_since(since: "Statement", currencies: Currencies, closed: "Close", *, closing: bool = False) -> None:
    """What moved since a version of a month was closed, by currency; up to the next version with `closing`."""
    console = table_console()
    if not since.movements:
        say(console, f"Nothing has moved since version {closed.version}")
        return
    to = "that of this version" if closing else "the newest run of the month"
    say(console, f"Moved since version {closed.version}, from its closing to {to}")
    _show_lines(console, since, currencies)
    if not closing:
        say(console, f"to close it as the next version: reconcile close {closed.month} --by NAME")


def show_closes(closes: "Sequence[Close]") -> None:
    """A line for each version of each closed month."""
    console = table_console()
    if not closes:
        say(console, "no month is closed yet")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("month", "version", "closed (UTC)", "by", "closing run"):
        table.add_column(column, overflow="fold")
    for close in closes:
        table.add_row(
            close.month,
            str(close.version),
            f"{close.at.astimezone(UTC):%Y-%m-%d %H:%M}",
            close.by,
            ", ".join(position["run_id"] for position in close.content["closing"].values()),
        )
    print_table(console, table)


def show_reasons(reasons: "Sequence[Reason]") -> None:
    """Why a month cannot be closed, on standard error: a table, or a line of JSON for each."""
    if json_lines():
        for reason in reasons:
            tell(reason.says, "error", app=reason.app_id or None, reason=reason.reason)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("app", "reason", "what"):
        table.add_column(column, overflow="fold")
    for reason in reasons:
        table.add_row(reason.app_id or "all", reason.reason, reason.says)
    print_table(error_console(), table)


def show_journal(done: "Exported") -> None:
    """What a journal books, by currency, and which decisions are in none, or not in all of its files."""
    console = table_console()
    new = f"new journal {done.journal}" if done.journal else "nothing new to book"
    before = f"; {counted(done.before, 'decision')} exported before" if done.before else ""
    again = " (--again writes them again)" if done.before and not done.files else ""
    say(console, f"{done.month}, ledger {done.source}: {new}{before}{again}")
    if done.files:
        say(console, f"{counted(done.decisions, 'decision')} written")
    for currency, amount in done.totals.items():
        say(console, f"  {currency} {grouped(amount, currency)} debit, as much credit")
    for lacks, those in (("a journal", done.left), ("the Tally file", done.not_in_tally)):
        for decision in those:
            what = (
                f"decision {decision.decision_id}, {decision.discrepancy_id} {decision.type}: {decision.why}"
            )
            say(console, f"not in {lacks}: {what}")
    say_paths(done.files)


def _version(closed: "Close") -> str:
    return (
        f"version {closed.version}, closed by {closed.by} on {closed.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    )


def _show_lines(console: Console, statement: "Statement", currencies: Currencies) -> None:
    for app_id, closing in statement.closing.items():
        opening = statement.opening.get(app_id)
        began = f"as of {opening.as_of} (run {opening.run_id})" if opening else "before any run"
        ends = f"as of {closing.as_of} (run {closing.run_id})"
        say(console, f"{app_id}: opening {began}, closing {ends}")
        if closing.as_of < statement.last:
            say(console, f"warning: no run is as of {statement.last} yet, so this is not the whole month")
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("currency")
        table.add_column("line")
        for column in ("items", "open", "at stake"):
            table.add_column(column, justify="right", overflow="fold")
        for row in statement.lines:
            if row.app_id == app_id:
                ends_here = row.line in ("opening", "closing")
                sign = "+" if row.count > 0 and not ends_here else ""
                amount = grouped(currencies.written(row.amount, row.currency), row.currency)
                table.add_row(
                    (row.currency or "none") if row.line == "opening" else "",
                    row.line,
                    f"{row.items:,}",
                    f"{row.count:{sign},}",
                    f"+{amount}" if row.amount > 0 and not ends_here else amount,
                    style="bold" if ends_here else None,
                    end_section=row.line == "closing",
                )
        print_table(console, table)


_STANDING = {
    "proposed": ": proposed, another person must confirm it",
    "confirmed": ": confirms the same decision of another person",
}


def show_decisions(taken: "ResolveResult", *, dry_run: bool) -> None:
    """How many decisions a file had and which earlier ones they replace; with `dry_run` a line for each."""
    console = table_console()
    for change in taken.changes:
        if dry_run or change.replaces or change.standing:
            standing = _STANDING.get(change.standing, "")
            would = ", and would then stand" if change.standing == "proposed" else ","
            replaces = f"{would} in place of {change.replaces}" if change.replaces else ""
            say(
                console,
                f"{change.discrepancy_id}  {change.type}  {change.decision}  {change.covers}{standing}{replaces}",
            )
    say(
        console,
        f"{taken.file}: {counted(taken.decisions, 'decision')}, {counted(taken.notes, 'note')}, "
        f"{counted(taken.unchanged, 'row')} unchanged"
        + (" (nothing was written: --dry-run)" if dry_run else ""),
    )


def show_explanations(
    explanations: Sequence[Mapping[str, Any]], currencies: Currencies, *, as_json: bool
) -> None:
    """What `reconcile explain` shows, as text or as a JSON list."""
    from reconcile.report.explain_text import explain_lines

    if as_json:
        click.echo(json_text(explanations))
        return
    for number, explanation in enumerate(explanations):
        click.echo(
            "\n".join(
                ["", *explain_lines(explanation, currencies)]
                if number
                else explain_lines(explanation, currencies)
            )
        )


def run_table(records: Sequence[RunRecord]) -> None:
    """One line for each run."""
    if not records:
        say(table_console(), "no runs yet")
        return
    table = Table()
    for column in ("run", "command", "state", "started (UTC)", "seconds", "discrepancies", "error"):
        table.add_column(column, no_wrap=column != "error")
    for record in records:
        seconds = record.finished_at - record.started_at if record.finished_at else None
        found = (
            sum(record.report["discrepancies"].values()) if record.report and record.command == "run" else ""
        )
        table.add_row(
            record.run_id,
            record.command,
            record.state,
            f"{record.started_at:%Y-%m-%d %H:%M:%S}",
            f"{seconds.total_seconds():.1f}" if seconds else "",
            str(found),
            record.error or "",
        )
    table_console().print(table)


def window_table(windows: Sequence[Mapping[str, Any]]) -> None:
    """What was fetched in each window, and the proof that nothing is missing."""
    if not windows:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("app", "window", "pages", "records", "distinct", "passes", "first", "last", "proof"):
        numeric = column in ("pages", "records", "distinct", "passes")
        # On a narrow terminal texts are wrapped, numbers never.
        table.add_column(
            column,
            justify="right" if numeric else "left",
            no_wrap=numeric,
            min_width=len(column) if numeric else None,
            overflow="fold",
        )
    for window in windows:
        first, last = window["first_created_at"], window["last_created_at"]
        table.add_row(
            window["app_id"],
            f"{window['window_first']}..{window['window_last']}",
            *(f"{window[name]:,}" for name in ("pages", "records", "distinct_ids", "passes")),
            f"{first:%Y-%m-%d %H:%M}" if first else "",
            f"{last:%Y-%m-%d %H:%M}" if last else "",
            window["proof"],
        )
    console = table_console()
    say(console, "Fetched (times in UTC)")
    print_table(console, table)


def show_imports(imports: "Sequence[Imported]") -> None:
    """A line for each import, and the sums of several; warnings on standard error."""
    console = table_console()
    for imported in imports:
        say(
            console,
            f"import {imported.import_id}: {counted(imported.records, 'row')} of {imported.file}: "
            f"{_changes([imported])}",
        )
        for says in imported.warnings:
            tell(says, "warning", before="warning: ")
    if len(imports) > 1:
        say(
            console,
            f"together {counted(sum(imported.records for imported in imports), 'row')} of {len(imports)} files: "
            f"{_changes(imports)}",
        )


def _changes(imports: "Sequence[Imported]") -> str:
    entries, added, changed, repeats, quarantined, withdrawn, passed_over = (
        sum(getattr(imported, name) for imported in imports)
        for name in ("entries", "added", "changed", "repeats", "quarantined", "withdrawn", "passed_over")
    )
    return (
        f"{added:,} new, {changed:,} changed, {entries - added - changed:,} as they were, {repeats:,} repeated, "
        f"{quarantined:,} in quarantine"
        + (f", {passed_over:,} passed over" if passed_over else "")
        + (f", {withdrawn:,} withdrawn" if withdrawn else "")
    )
