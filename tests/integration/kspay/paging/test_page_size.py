"""The size of a page: 100 rows, and 1,000 where the server gives more, unless a size was chosen."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from reconcile.core.records import Period
from tests.support.kspay_server import Asked, Handler, KSPayServer, Reply, failure, paged, record

DAYS = Period(date(2024, 8, 1), date(2024, 8, 30))
LATE = Period(DAYS.first - timedelta(days=80), DAYS.first - timedelta(days=60))


def rows(number: int) -> list[dict[str, object]]:
    return [
        record(
            each,
            f"2024-08-{1 + each % 30:02d}T05:24:{each % 60:02d}.425Z",
            updatedAt="2024-10-09T00:00:00.000Z",
        )
        for each in range(number)
    ]


def fetched(
    server: KSPayServer, handler: Handler, page_size: int | None = None, periods: tuple[Period, ...] = (DAYS,)
) -> set[str]:
    server.on("GET", "/transaction", handler)
    with server.client(page_size=page_size, give_up_seconds=20) as client:
        return {
            row.values["id"] for days in periods for page in client.transactions(days) for row in page.rows
        }


def limits(server: KSPayServer) -> list[int]:
    """What was asked for as `limit`, each run of equal ones once; looks behind short pages come at the end."""
    asked = [int(each.query["limit"]) for each in server.requests("GET", "/transaction")]
    return [limit for place, limit in enumerate(asked) if place == 0 or asked[place - 1] != limit]


@pytest.mark.parametrize(
    ("number", "cap", "expected"),
    [
        pytest.param(2500, 1000, [100, 1000], id="all that is asked for"),
        pytest.param(2500, 5000, [100, 1000], id="more than is asked for is not tried"),
        pytest.param(2500, 250, [100, 1000, 250], id="as many as the server gives"),
        pytest.param(437, 1000, [100, 1000, 437], id="all in one answer"),
        pytest.param(2500, 100, [100, 1000, 100], id="a cap of 100"),
        pytest.param(100, 1000, [100, 1000, 100], id="100 rows in all"),
        pytest.param(99, 1000, [100, 99], id="fewer rows are one page"),
        pytest.param(2500, 30, [100, 30], id="a lower cap"),
    ],
)
def test_what_is_asked_for(number: int, cap: int, expected: list[int]) -> None:
    with KSPayServer() as server:
        assert len(fetched(server, paged(rows(number), cap))) == number
        assert limits(server)[: len(expected)] == expected
        assert max(limits(server)) == max(expected)


def test_a_size_that_was_chosen_is_kept() -> None:
    with KSPayServer() as server:
        assert len(fetched(server, paged(rows(250)), page_size=100)) == 250
        assert max(limits(server)) == 100


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(lambda: failure(400, 4056, "limit must not be greater than 100"), id="refused"),
        pytest.param(lambda: failure(413, None, "too much"), id="too much"),
        pytest.param(lambda: failure(500, None, "out of memory"), id="a fault of the server"),
        pytest.param(lambda: Reply(502, b"<html>bad gateway</html>"), id="no JSON"),
        pytest.param(lambda: Reply(200, b'{"status": 200, "result": [{"id'), id="cut off"),
        pytest.param(lambda: Reply(fault="reset"), id="broken off"),
        pytest.param(lambda: failure(200, None, "nothing", x="y"), id="no list"),
    ],
)
def test_a_server_that_has_no_answer_of_1000_is_asked_once(refusal: Callable[[], Reply]) -> None:
    listing = paged(rows(450), 100)

    def handler(asked: Asked) -> Reply:
        return refusal() if int(asked.query["limit"]) > 100 else listing(asked)

    with KSPayServer() as server:
        assert len(fetched(server, handler, periods=(DAYS, DAYS))) == 450
        asked = [int(each.query["limit"]) for each in server.requests("GET", "/transaction")]
        assert asked.count(1000) == 1
        assert asked[:2] == [100, 1000]


def test_a_pace_that_was_refused_says_nothing_about_the_size() -> None:
    listing = paged(rows(450))
    refused: list[Asked] = []

    def handler(asked: Asked) -> Reply:
        if int(asked.query["limit"]) == 1000 and not refused:
            refused.append(asked)
            return failure(429, 11005, "Too many requests in a short period")
        return listing(asked)

    with KSPayServer() as server:
        assert len(fetched(server, handler, periods=(DAYS, DAYS))) == 450
        asked = [int(each.query["limit"]) for each in server.requests("GET", "/transaction")]
        assert asked.count(1000) > 2  # refused, taken, and read
        assert limits(server)[:3] == [100, 1000, 100]


def test_a_size_that_was_found_holds_for_the_next_period() -> None:
    with KSPayServer() as server:
        assert len(fetched(server, paged(rows(2500)), periods=(DAYS, LATE, DAYS))) == 2500
        asked = server.requests("GET", "/transaction")
        assert [each.query["limit"] for each in asked if each.query["page"] == "1"].count("100") == 1
