"""Pages of KS Pay staged together or one by one: what is stored and judged is the same."""

from datetime import date
from typing import Any

from sqlalchemy import Engine, text

from reconcile.core.records import Period, Place, RawRow
from reconcile.load.stage_entries import in_turn, judged
from reconcile.load.stage_transactions import Pages
from reconcile.load.staging_tables import Loading, loading
from reconcile.normalise import entries as normalise
from reconcile.validate.validator import Validator
from tests.unit.load.test_stage_transactions import APP, CURRENCIES, WIRE, rows_of

AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))


def stage(load: Loading, validator: Validator, records: list[dict[str, Any]]) -> Pages:
    with in_turn() as postgres:
        pages = Pages(load, postgres, APP, CURRENCIES, {}, validator)
        pages.stage([rows_of(records)], AUGUST)
    return pages


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


def test_what_is_staged_and_judged_is_the_same_either_way(fresh_engine: Engine) -> None:
    found = []
    for together in (True, False):
        validator = Validator(CURRENCIES)
        with loading(fresh_engine) as load:
            if together:
                stage(load, validator, MIXED).judge()
            else:
                for number, record in enumerate(MIXED, 1):
                    rows = [RawRow(Place("GET /transaction page 3", number), record)]
                    typed = normalise.transactions(rows, app_id=APP, currencies=CURRENCIES, currency_codes={})
                    load.stage(*judged(rows, typed, validator.transactions), AUGUST)
            held = [
                sorted(map(repr, load._connection.execute(text(f"select * from {table}"))))  # noqa: S608
                for table in ("staged_transactions", "staged_rejections")
            ]
            found.append((held, validator.summary(), load._read))
    assert found[0] == found[1]
    (transactions, rejections), (suite, _), read = found[0]
    assert (len(transactions), len(rejections), read) == (6, 4, 10)
    assert (suite["records"], suite["quarantined"]) == (9, 3)
    warned = {one["expectation"]: one["count"] for one in suite["failures"] if one["weight"] == "warns"}
    assert warned == {"created_since_2000": 1, "id_has_prefix": 1}
