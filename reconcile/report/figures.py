"""The figures of run.json that no CSV file of the run has, so that the page needs only the folder of the run.

All figures are as of that run: a page that is rendered again years later shows the same trend.
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from sqlalchemy import Connection, text

from reconcile.core.discrepancies import RECONCILED
from reconcile.core.money import Currencies, exact_sum, grouped
from reconcile.db.sql_files import read_sql


def figures(connection: Connection, run_id: str, currencies: Currencies) -> dict[str, Any]:
    """The open amounts, fees and tolerated differences, the shares of rules and payment methods, the fetched windows,
    and the runs before.

    Reads the temporary tables of the matching. Amounts are texts, in the major unit of their currency.
    """

    def rows(name: str) -> list[dict[str, Any]]:
        return [
            {
                column: currencies.written(value, row["currency"]) if isinstance(value, Decimal) else value
                for column, value in row.items()
            }
            for row in connection.execute(text(read_sql(name))).mappings()
        ]

    shares = rows("report/shares")
    return {
        "open": rows("report/open"),
        "allowed": rows("report/allowed"),
        "by_rule": [_without(row) for row in shares if row["by"] == "rule"],
        "by_payment_method": [_without(row) for row in shares if row["by"] == "payment_method"],
        "windows": [
            {name: value if value is None or isinstance(value, int) else str(value) for name, value in row.items()}
            for row in connection.execute(text(read_sql("report/windows")), {"run_id": run_id}).mappings()
        ],
        "runs_before": [
            {
                "run_id": row["run_id"],
                "to": row["to"].isoformat(),
                "open": sum(row["discrepancies"].values()),
                "new": row["new"],
                "cleared": row["cleared"],
                "reconciled": reconciled(row["totals"]),
            }
            for row in connection.execute(text(read_sql("report/runs_before"))).mappings()
        ],
    }  # fmt: skip


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


def share_of(one: Mapping[str, Any]) -> int:
    """The share of a row of `reconciled`, 0 to 1000: by amount, or by number if the amounts are zero.

    Rounded down, so that only the whole is 1000.
    """
    part, whole = Decimal(one["amount"]), Decimal(one["of_amount"])
    if not whole:
        part, whole = Decimal(one["count"]), Decimal(one["of"])
    return int((1000 * part / whole).to_integral_value(ROUND_FLOOR)) if whole else 1000


def allowed_lines(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the matches of one currency differ by without a discrepancy, each with its name, for people.

    `one` is a row of `allowed` in run.json.
    """
    currency = one["currency"]
    if one["fee_matches"]:
        yield f"fees in {currency}", f"{grouped(one['fees'], currency)} of {one['fee_matches']:,} matches"
    if one["tolerated_matches"]:
        yield (
            f"tolerated in {currency}",
            f"{grouped(one['tolerated_either_way'], currency)} of {one['tolerated_matches']:,} matches; "
            f"KS Pay less ledger {grouped(one['tolerated'], currency)}",
        )


def _without(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "by"}
