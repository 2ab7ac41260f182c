"""Pages of KS Pay staged together or one by one: what is stored and validated is the same."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Engine, text

from reconcile.core.records import Period, RawRow, Side, Transaction
from reconcile.load.staging import Staging
from reconcile.load.staging_tables import StagingTables, staging_tables
from reconcile.normalise.normaliser import Normalised
from reconcile.normalise.transactions import TransactionNormaliser
from reconcile.normalise.transactions_bulk import TransactionsInBulk
from reconcile.validate.validator import Validator
from tests.unit.normalise.test_parity import APP, CURRENCIES, WIRE, rows_of

AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))


def stage(tables: StagingTables, rows: Sequence[RawRow], *, in_bulk: bool) -> None:
    def nothing_in_bulk(rows: Sequence[RawRow], /) -> Normalised[Transaction]:
        return Normalised(rest=rows)

    staging: Staging[Sequence[RawRow], Transaction] = Staging(
        tables,
        Side.KSPAY,
        TransactionsInBulk(APP, CURRENCIES) if in_bulk else nothing_in_bulk,
        TransactionNormaliser(APP, CURRENCIES, {}),
    )
    staging.add([rows], AUGUST)


MIXED: list[dict[str, Any]] = [
    WIRE,
    WIRE | {"id": "tx_2", "referenceNumber": None, "amount": "1250.50", "updatedAt": None},
    WIRE | {"id": "3", "referenceNumber": "-./", "status": "Partially refunded"},
    WIRE | {"id": "tx_4", "createdAt": "1999-12-31T23:59:59.999Z"},
    WIRE | {"id": "tx_5", "referenceNumber": "Überweisung"},
    WIRE | {"id": "tx_6", "amount": "0.00"},
    WIRE | {"id": "tx_7", "amount": "1.234"},
    WIRE | {"id": "tx_8", "amount": "-1"},
    WIRE | {"id": "tx_9", "amount": "eleven"},
    WIRE | {"id": "tx_10", "currencyCode": "XAU"},
]


def test_what_is_staged_and_validated_is_the_same_either_way(fresh_engine: Engine) -> None:
    found = []
    for in_bulk in (True, False):
        validator = Validator(CURRENCIES)
        with staging_tables(fresh_engine) as tables:
            stage(tables, rows_of(MIXED), in_bulk=in_bulk)
            connection = tables._connection
            one_by_one = connection.scalar(text("select count(came) from staged_transactions"))
            assert one_by_one == (5 if in_bulk else 9)
            assert tables.judge(validator, Side.KSPAY, CURRENCIES, APP) == ()
            # How a record came is kept only of those that are typed one by one.
            connection.execute(
                text("update staged_transactions set came = null, fetched_first = null, fetched_last = null")
            )
            held = [
                sorted(map(repr, connection.execute(text(f"select * from {table}"))))  # noqa: S608
                for table in ("staged_transactions", "staged_rejections")
            ]
            found.append((held, validator.summary(), tables._read))
    assert found[0] == found[1]
    (transactions, rejections), (suite, _), read = found[0]
    assert (len(transactions), len(rejections), read) == (6, 4, 10)
    assert (suite["records"], suite["quarantined"]) == (9, 3)
    warned = {one["expectation"]: one["count"] for one in suite["failures"] if one["weight"] == "warns"}
    assert warned == {"created_since_2000": 1, "id_has_prefix": 1}
