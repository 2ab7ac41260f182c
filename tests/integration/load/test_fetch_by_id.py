"""Older transactions that a night asks for by id: one that cannot be had costs no run, and no record is invented."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import text

from reconcile.context import RunContext
from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.kspay.errors import ServerError
from reconcile.load.fetch import Fetched, fetch_app
from reconcile.load.fetch_plan import FetchPlan, RefetchById
from reconcile.settings import Settings
from reconcile.validate.validator import Validator
from tests.support.kspay_server import KSPayServer, Reply, failure, paged, record, success

AS_OF = date(2026, 8, 31)
AUGUST = Period(date(2026, 8, 1), AS_OF)

# Pending ones of the month before, so each is asked for by id.
OLD = [record(number, "2026-07-10T10:00:00.000Z", status="PENDING") for number in range(1, 7)]
ANSWERS = {
    "tx_000000001": success(OLD[0] | {"status": "SUCCESS", "updatedAt": "2026-08-30T10:00:00.000Z"}),
    "tx_000000002": success(None),
    "tx_000000003": failure(400, -17, "Invalid ID length or prefix"),
    "tx_000000004": failure(403, 9011, "Forbidden"),
    "tx_000000005": success(record(77777, "2026-07-10T10:00:00.000Z")),
    "tx_000000006": Reply(200, {"code": 24, "message": "No data found with this ID!"}),
}


@pytest.fixture
def url(make_database: Callable[[], str]) -> str:
    return make_database()


def night(server: KSPayServer, url: str) -> tuple[Fetched, dict[str, str]]:
    settings = replace(
        Settings(database_url=url, app_ids=(server.credentials.app_id,)), give_up_seconds=1, reread_days=90
    )
    with open_store(settings) as engine:
        brought = None
        for period, again in ((Period(date(2026, 7, 1), date(2026, 7, 31)), None), (AUGUST, AS_OF)):
            run = runs.start(engine, "fetch", settings.app_ids, period, None)
            plan = FetchPlan([period], RefetchById(again, frozenset(range(7))) if again else None)
            context = RunContext(
                settings,
                engine,
                settings.app_ids,
                Validator(settings.currencies),
                silent,
                run_id=run,
                apps=(server.credentials,),
                period=period,
            )
            brought = fetch_app(context, server.credentials, plan)
        with engine.connect() as connection:
            held = connection.execute(text("select transaction_id, status from transactions"))
            kept = dict(held.tuples().all())
            assert connection.scalar(text("select count(*) from quarantine")) == 0
    assert brought is not None
    return brought, kept


def test_what_cannot_be_had_by_id_stays_as_it_was(server: KSPayServer, url: str) -> None:
    server.on("GET", "/currencies", success([]))
    server.on("GET", "/transaction", paged(OLD))
    for transaction_id, answer in ANSWERS.items():
        server.on("GET", f"/transaction/txnId/{transaction_id}", answer)
    brought, kept = night(server, url)
    assert kept == {row["id"]: "SUCCESS" if row is OLD[0] else "PENDING" for row in OLD}
    assert (brought.asked_by_id, brought.changed, brought.quarantined) == (6, 1, 0)
    assert brought.unknown_ids == [row["id"] for row in OLD[1:]]
    assert any("does not give tx_000000002, tx_000000003" in line for line in brought.warnings())


def test_a_server_that_is_down_is_no_record_that_went(server: KSPayServer, url: str) -> None:
    server.on("GET", "/currencies", success([]))
    server.on("GET", "/transaction", paged(OLD))
    server.on("GET", "/transaction/txnId/", failure(500, 26, "Oops! Something went wrong"))
    with pytest.raises(ServerError):
        night(server, url)
