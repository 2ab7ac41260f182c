"""What Prefect's page shows of a finished run: a summary in Markdown, and one line."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from reconcile.core.discrepancies import GLANCE, OUTCOMES
from reconcile.core.money import Currencies, grouped
from reconcile.core.wording import counted, words
from reconcile.notify import link_to
from reconcile.pipeline import Finished
from reconcile.report.csv_cells import shown
from reconcile.report.figures import glance
from reconcile.report.html import largest_at_risk
from reconcile.report.statement import Statement
from reconcile.settings import Settings
from reconcile.validate_all import Validated

LARGEST = 50
"""Open items that the page lists."""

_SCOPES = {
    "period": "Records of the period",
    "carried": "Earlier records that are still open or decided",
}
_SIDES = {"kspay": "KS Pay", "ledger": "Ledger"}
_WORDS = ("App", "Severity", "Type", "Currency", "Side", "Suite", "Fails", "Line", "What", "Meaning")
"""Columns of words; those of numbers are aligned right."""


def summary(finished: Finished, link: str | None = None) -> str:
    """The run in a page of Markdown: what is at risk, discrepancies by type, totals per currency, the files. `link` is
    where people reach its folder."""
    report = finished.report
    parts = [
        f"# KS Pay and ledger, {report['from']} to {report['to']}",
        f"Business days in {escaped(report['timezone'])}. Run `{report['run_id']}`. "
        f"{sum(report['discrepancies'].values()):,} discrepancies, {report['new']:,} new since the runs before, "
        f"{report['cleared']:,} cleared.",
        "## At a glance",
        _glance(report),
        "## Open, by severity",
        _open(report["open"]) if report["open"] else "Nothing is open.",
        "## Discrepancies by type",
        _types(report["discrepancies"]) if report["discrepancies"] else "None.",
        "## Totals per currency",
        "The amount, and in brackets how many records; *total* is the sum of its row. *timing*: of the last days, "
        "the other side may still come. *excluded*: failed, cancelled or not yet paid, so nothing is missing. "
        "*quarantined*: cannot be used as it is, see quarantine.csv.",
    ]
    for scope, rows in groupby(report["totals"], key=lambda row: row["scope"]):
        parts += [f"### {_SCOPES[scope]}", _totals(list(rows))]
    if report["warnings"]:
        parts += ["## Warnings", *(f"- {escaped(warning)}" for warning in report["warnings"])]
    names = [*report["files"], "run.json"]
    files = [f"[{name}](<{link}/{name}>)" if link else f"`{name}`" for name in names]
    parts += [
        "## Files",
        (f"In {escaped(str(finished.folder.absolute()))}: " if not link else "")
        + ", ".join(files)
        + ". Open `discrepancies.csv` first; it has one row for each.",
    ]
    return "\n\n".join(parts) + "\n"


def one_line(finished: Finished, settings: Settings) -> str:
    """The run in one line, for the state and the log of the flow run."""
    report = finished.report
    return (
        f"run {report['run_id']}: {sum(report['discrepancies'].values()):,} discrepancies, {report['new']:,} new, "
        f"{report['cleared']:,} cleared; {where(finished.folder / 'report.html', settings)}"
    )


def where(page: Path, settings: Settings) -> str:
    """Where people find a page and the files beside it: its address, or the folder on this machine if it has none."""
    link = link_to(page, settings)
    return f"the page: {link}" if link else f"files in {page.parent.absolute()}"


def largest_items(finished: Finished) -> list[dict[str, str]]:
    """The largest open items above info, as rows of a table: what is wrong stands where nobody has to scroll."""
    return [
        {
            "amount": f"{item.currency} {item}",
            "age": counted(int(item.row["age_days"]), "day") if item.row["age_days"] else "",
            "what is wrong": shown(item.row["detail"]),
            "type": item.row["type"],
            "reference": shown(item.row["reference"] or item.row["ledger_reference"]),
            "discrepancy": item.row["discrepancy_id"],
        }
        for item in largest_at_risk(finished.folder, LARGEST)
    ]


def validated(found: Validated) -> str:
    """What all suites said, as a page of Markdown."""
    rows = [
        (
            escaped(str(suite["suite"])),
            f"{suite['records'] or 0:,}",
            f"{suite['successful']} of {suite['evaluated']}",
            escaped("; ".join(says for failure in suite["failures"] for says in failure.get("says", ()))),
        )
        for suite in found.suites
    ]
    return _table(("Suite", "Records", "Hold", "Fails"), rows) + "\n"


def closed_month(statement: Statement, currencies: Currencies) -> str:
    """A close statement as a table of Markdown."""
    rows = [
        (
            escaped(row.app_id),
            escaped(row.currency) or "unknown",
            row.line,
            f"{row.items:,}",
            f"{row.count:,}",
            grouped(currencies.written(row.amount, row.currency), row.currency),
        )
        for row in statement.lines
    ]
    return _table(("App", "Currency", "Line", "Items", "Open", "At stake"), rows) + "\n"


def _glance(report: Mapping[str, Any]) -> str:
    """What is at risk, to check, timing and in quarantine, as the report's page says it."""
    return _table(
        ("What", "Meaning", "Open", "At stake"),
        [
            (words(part), GLANCE[part], f"{count:,}", escaped(amounts))
            for part, (count, amounts) in glance(report).items()
        ],
    )


def _open(rows: Sequence[Mapping[str, Any]]) -> str:
    """What is open by severity and currency: never a sum over currencies."""
    several = len({row["app_id"] for row in rows}) > 1
    return _table(
        (*(("App",) if several else ()), "Severity", "Currency", "Open", "Amount"),
        [
            (
                *((escaped(row["app_id"]),) if several else ()),
                row["severity"],
                escaped(row["currency"]) or "unknown",
                f"{row['count']:,}",
                grouped(row["amount"], row["currency"]) if row["currency"] else "",
            )
            for row in rows
        ],
    )


def _types(discrepancies: Mapping[str, int]) -> str:
    # Those that occur most come first.
    counts = sorted(discrepancies.items(), key=lambda item: (-item[1], item[0]))
    return _table(("Type", "Count"), [(escaped(name), f"{count:,}") for name, count in counts])


def _totals(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row for a currency and side, one column for an outcome, in the order in which outcomes are listed."""
    cells = {(row["currency"], row["side"], row["outcome"]): row for row in rows}
    outcomes = [outcome for outcome in ("total", *OUTCOMES) if any(row["outcome"] == outcome for row in rows)]
    lines = []

    def amount(row: Mapping[str, Any]) -> str:
        return grouped(row["amount"], row["currency"]) if row["amount"] else ""

    # By currency first, so that its two sides stand together.
    for currency, side in sorted({key[:2] for key in cells}):
        found = [cells.get((currency, side, outcome)) for outcome in outcomes]
        lines.append(
            [
                escaped(currency) or "unknown",
                _SIDES[side],
                *(f"{amount(row)} ({row['count']:,})" if row else "" for row in found),
            ]
        )
    return _table(("Currency", "Side", *(outcome.replace("_", " ") for outcome in outcomes)), lines)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but those of words are aligned right, as numbers are."""
    rule = ["---" if name in _WORDS else "---:" for name in header]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])


def escaped(text: str) -> str:
    """Text as Markdown that shows it as it is: data must not become a link, a heading or HTML."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
