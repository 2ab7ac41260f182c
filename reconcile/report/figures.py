"""The figures of run.json that no CSV file of the run has, so that the page needs only the folder of the run.

All figures are as of that run: a page that is rendered again years later shows the same trend.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from sqlalchemy import Connection, text

from reconcile.core.discrepancies import GLANCE, RECONCILED, TYPES, Severity, parts_of
from reconcile.core.money import Currencies, exact_sum, grouped
from reconcile.core.periods import kind, month_before
from reconcile.core.records import Period
from reconcile.db.sql_files import read_sql
from reconcile.report.bridge import LINES

_TREND = 29
"""Runs before this one in the trend."""


def figures(connection: Connection, run_id: str, period: Period, currencies: Currencies) -> dict[str, Any]:
    """The open amounts, fees and tolerated differences, the shares of rules and payment methods, the fetched windows,
    and the runs before.

    Reads the temporary tables of the matching. Amounts are texts, in the major unit of their currency.
    """

    def rows(name: str, **parameters: Any) -> list[dict[str, Any]]:
        return [
            {
                column: currencies.written(value, row["currency"]) if isinstance(value, Decimal) else value
                for column, value in row.items()
            }
            for row in connection.execute(text(read_sql(name)), parameters).mappings()
        ]

    shares = rows("report/shares")
    return {
        "open": rows("report/open"),
        "bridge": rows("report/bridge", lines=[*LINES]),
        "allowed": rows("report/allowed"),
        "by_rule": [_without(row) for row in shares if row["by"] == "rule"],
        "by_payment_method": [_without(row) for row in shares if row["by"] == "payment_method"],
        "windows": [
            {name: value if value is None or isinstance(value, int) else str(value) for name, value in row.items()}
            for row in connection.execute(text(read_sql("report/windows")), {"run_id": run_id}).mappings()
        ],
        **_compared(connection, period, rows("report/open_by_type")),
    }  # fmt: skip


def _compared(connection: Connection, period: Period, types: list[dict[str, Any]]) -> dict[str, Any]:
    """What is open at a glance, beside the last run of this kind and the same day of the month before; and the trend.

    Only runs of one kind are compared: nights with nights, months with months.
    """
    before = connection.execute(text(read_sql("report/runs_before")), {"last": period.last}).all()
    alike, of_month = comparable_runs(before, period)
    trend = alike[:_TREND]
    asked = {"runs": sorted({row.number for row in (*trend, *of_month)})}
    reports = {
        row["number"]: row
        for row in connection.execute(text(read_sql("report/reports_of_runs")), asked).mappings()
    }

    def as_it_was(row: Any) -> dict[str, Any]:
        return {
            "run_id": row.run_id,
            "from": row.first.isoformat(),
            "to": row.last.isoformat(),
            "parts": parts(dict(reports[row.number])),
        }

    return {
        "at_a_glance": {
            "kind": kind(period),
            "parts": _parts(types),
            "types": sorted(
                types, key=lambda row: ([*Severity].index(row["severity"]), [*TYPES].index(row["type"]))
            ),
            "last": as_it_was(alike[0]) if alike else None,
            "month_before": as_it_was(of_month[0]) if of_month else None,
        },
        "runs_before": [
            {
                "run_id": row.run_id,
                "to": row.last.isoformat(),
                "open": sum(reports[row.number]["discrepancies"].values()),
                "new": reports[row.number]["new"],
                "cleared": reports[row.number]["cleared"],
                "reconciled": reconciled(reports[row.number]["totals"]),
            }
            for row in trend
        ],
    }


def comparable_runs(before: Sequence[Any], period: Period) -> tuple[list[Any], list[Any]]:
    """Of the runs before, the newest day first: those of this kind; and the one of the month before, if there is any.

    That one is as of the same day a month before. If that night was left out, the newest of the six days before takes
    its place.
    """
    alike = [row for row in before if kind(Period(row.first, row.last)) == kind(period)]
    then = month_before(period.last)
    return alike, [row for row in alike if then - timedelta(days=6) <= row.last <= then][:1]


def compared(glance: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The runs that `at_a_glance` compares with, each once, with what it is called."""
    last, month = glance.get("last"), glance.get("month_before")
    found = [("last run", last)] if last and last != month else []
    return [*found, *([("month before", month)] if month else [])]


def parts(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is open at a glance, of a run.json: part, currency, count, and the amount as text.

    An older run has no types, so its quarantine is not shown.
    """
    if report.get("at_a_glance"):
        return list(report["at_a_glance"]["parts"])
    return _parts({"type": "", **row} for row in report.get("open") or () if "severity" in row)


def glance(report: Mapping[str, Any], between: str = "; ") -> dict[str, tuple[int, str]]:
    """By part of `GLANCE`, of a run.json: how many are open, and what is at stake, as `INR 1,234.00; USD 5.00`. Never a
    sum over currencies."""
    found = {}
    for part in GLANCE:
        rows = [row for row in parts(report) if row["part"] == part]
        amounts = (
            f"{row['currency']} {grouped(row['amount'], row['currency'])}" for row in rows if row["currency"]
        )
        found[part] = sum(row["count"] for row in rows), between.join(amounts)
    return found


def _parts(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        for part in parts_of(row["type"], row["severity"]):
            found.setdefault((part, row["currency"]), []).append(row)
    order = [*GLANCE]
    return [
        {
            "part": part,
            "currency": currency,
            "count": sum(row["count"] for row in rows),
            "amount": f"{exact_sum(Decimal(row['amount']) for row in rows):f}",
        }
        for (part, currency), rows in sorted(
            found.items(), key=lambda pair: (order.index(pair[0][0]), pair[0][1])
        )
    ]


def reconciled(totals: list[Mapping[str, Any]], side: str = "kspay") -> list[dict[str, Any]]:
    """By currency, how many of the period's records that moved money (or may have) are reconciled.

    `totals` are the rows of summary.csv, as run.json has them. Amounts are texts.
    """
    rows = [
        row
        for row in totals
        if row["scope"] == "period" and row["side"] == side and row["outcome"] not in ("excluded", "total")
    ]
    found = []
    for currency in dict.fromkeys(row["currency"] for row in rows):
        every = [row for row in rows if row["currency"] == currency]
        done = [row for row in every if row["outcome"] in RECONCILED]
        zero = Decimal(every[0]["amount"]) * 0  # with the digits of the currency
        found.append(
            {
                "currency": currency,
                "count": sum(row["count"] for row in done),
                "of": sum(row["count"] for row in every),
                "amount": f"{exact_sum([zero, *(Decimal(row['amount']) for row in done)]):f}",
                "of_amount": f"{exact_sum(Decimal(row['amount']) for row in every):f}",
            }
        )
    return found


def share_of(row: Mapping[str, Any]) -> int:
    """The share of a row of `reconciled`, 0 to 1000: by amount, or by number if the amounts are zero.

    Rounded down, so that only the whole is 1000.
    """
    part, whole = Decimal(row["amount"]), Decimal(row["of_amount"])
    if not whole:
        part, whole = Decimal(row["count"]), Decimal(row["of"])
    return int((1000 * part / whole).to_integral_value(ROUND_FLOOR)) if whole else 1000


def allowed_lines(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the matches of one currency differ by without a discrepancy, each with its name, for people.

    `row` is a row of `allowed` in run.json.
    """
    currency = row["currency"]
    if row["fee_matches"]:
        yield f"fees in {currency}", f"{grouped(row['fees'], currency)} of {row['fee_matches']:,} matches"
    if row["tolerated_matches"]:
        yield (
            f"tolerated in {currency}",
            f"{grouped(row['tolerated_either_way'], currency)} of {row['tolerated_matches']:,} matches; "
            f"KS Pay less ledger {grouped(row['tolerated'], currency)}",
        )


def _without(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "by"}
