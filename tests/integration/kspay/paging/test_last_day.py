"""The end of the last days: what no request can show yet is told, and what is shown is not doubted."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconcile.core.records import Period
from reconcile.kspay import KSPay
from reconcile.kspay.errors import ProtocolError
from reconcile.kspay.paging.last_day import midnight
from tests.support.kspay_server import Asked, KSPayServer, Reply
from tests.support.kspay_shop import Behaviour, Shop, transaction

DAY = timedelta(days=1)


def today() -> datetime:
    """When the present day began. Asked for by each test, since midnight may come after this file is read."""
    return midnight(datetime.now(UTC).date())


def rows(*at: datetime) -> list[dict[str, Any]]:
    return [transaction(number, each.isoformat(), each.isoformat()) for number, each in enumerate(at)]


def quiet(days: int, hour: float) -> list[datetime]:
    """One payment a day, always at this hour, the last one yesterday."""
    return [today() - back * DAY + timedelta(hours=hour) for back in range(1, days)]


def fetched(server: KSPayServer, how: Behaviour, records: list[dict[str, Any]]) -> tuple[set[str], KSPay]:
    shop = Shop(records, how)
    server.on("GET", "/transaction", shop.listing)
    with server.client(page_size=100) as client:
        days = Period((today() - 20 * DAY).date(), (today() - DAY).date())
        return {row.values["id"] for page in client.transactions(days) for row in page.rows}, client


@pytest.mark.parametrize("zone", [0, 5, 8, 13, -11])
@pytest.mark.parametrize("hour", [2, 9])
def test_a_day_that_is_seen_to_be_included_is_listed_to_its_end(
    server: KSPayServer, zone: int, hour: float
) -> None:
    found, client = fetched(server, Behaviour(zone_hours=zone), rows(*quiet(15, hour)))
    assert len(found) == 14
    assert client.may_lack_from is None


@pytest.mark.parametrize("zone", [3, 8, 13])
def test_hours_of_yesterday_that_are_not_listed_yet_are_told(server: KSPayServer, zone: int) -> None:
    hidden = today() - timedelta(minutes=30)
    behaviour = Behaviour(zone_hours=zone, to_included=False)
    found, client = fetched(server, behaviour, rows(*quiet(15, 9), hidden))
    assert len(found) == 14
    assert client.may_lack_from is not None
    assert today() - timedelta(hours=14) <= client.may_lack_from <= today() - timedelta(hours=zone)


def test_a_payment_of_today_shows_that_yesterday_is_whole(server: KSPayServer) -> None:
    now = datetime.now(UTC)
    found, client = fetched(server, Behaviour(), rows(*quiet(15, 23), today() + (now - today()) / 2))
    assert len(found) == 15
    assert client.may_lack_from is None


def test_what_changed_today_is_told_to_be_missing_where_the_range_filters_changes(
    server: KSPayServer,
) -> None:
    records = rows(*quiet(15, 9))
    # Created long before what is asked for, and changed in it: so it is seen what is filtered.
    records.append(
        transaction(99, (today() - 60 * DAY).isoformat(), (today() - 9 * DAY).isoformat()),
    )
    records[5]["updatedAt"] = today().isoformat()
    found, client = fetched(server, Behaviour(filters="updatedAt", to_included=False), records)
    assert "tx_0005" not in found
    assert client.may_lack_from is not None


@pytest.mark.parametrize("behind", [3 * DAY, 20_000 * DAY])
def test_a_clock_that_is_days_behind_lets_no_day_pass_in_silence(
    server: KSPayServer, behind: timedelta
) -> None:
    server.clock_ahead = -behind.total_seconds()
    with pytest.raises(ProtocolError, match=r"its clock says .* set this machine's clock") as error:
        fetched(server, Behaviour(), rows(*quiet(15, 9)))
    assert error.value.exit_code == 4
    assert server.times("GET", "/transaction") == 0


@pytest.mark.parametrize(
    "odd", ["9999-12-31T10:00:00+00:00", "0001-01-01T05:00:00+00:00", "1970-01-01T00:00:00+00:00"]
)
def test_a_time_that_cannot_be_tells_nothing(server: KSPayServer, odd: str) -> None:
    shop = Shop([*rows(*quiet(15, 9)), *rows(today() - 3 * DAY)], Behaviour())
    shop.rows[-1]["id"] = "tx_0099"

    def handler(asked: Asked) -> Reply:
        body = json.loads(shop.listing(asked).body)
        for row in body["result"]:
            if row["id"] == "tx_0099":
                row["createdAt"] = row["updatedAt"] = odd
        return Reply(200, body)

    server.on("GET", "/transaction", handler)
    with server.client(page_size=100) as client:
        days = Period((today() - 20 * DAY).date(), (today() - DAY).date())
        assert len({row.values["id"] for page in client.transactions(days) for row in page.rows}) == 15
    assert client.may_lack_from is None


def test_an_app_without_any_payment_is_no_warning(server: KSPayServer) -> None:
    found, client = fetched(server, Behaviour(to_included=False), [])
    assert (found, client.may_lack_from) == (set(), None)


def test_the_only_payment_was_yesterday(server: KSPayServer) -> None:
    found, client = fetched(server, Behaviour(), rows(today() - DAY + timedelta(hours=9)))
    assert (len(found), client.may_lack_from) == (1, None)
