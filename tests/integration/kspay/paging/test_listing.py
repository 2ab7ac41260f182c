"""Fetch All Transactions: windows, pages, shapes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from reconcile.core.money import Currencies
from reconcile.core.records import TEXT_FAULTS, Period
from reconcile.kspay import Page
from reconcile.kspay.errors import CallError, DateRangeError, ProtocolError
from reconcile.normalise.transactions import TransactionNormaliser
from tests.support.kspay_server import (
    APP_ID,
    Asked,
    Handler,
    KSPayServer,
    Reply,
    failure,
    paged,
    record,
    success,
)

PERIOD = Period(date(2026, 3, 1), date(2026, 3, 31))


def ids(pages: list[Page]) -> list[Any]:
    return [row.values.get("id") for page in pages for row in page.rows]


def fetch(server: KSPayServer, period: Period = PERIOD, **options: Any) -> list[Page]:
    with server.client(**options) as client:
        return list(client.transactions(period))


def march(count: int) -> list[dict[str, Any]]:
    # Their last change lies outside the month: the range is seen to filter `createdAt`.
    changed = "2026-05-01T00:00:00.000Z"
    return [record(n, f"2026-03-{n % 31 + 1:02d}T10:00:00.000Z", updatedAt=changed) for n in range(count)]


def test_pages_bring_every_row_once_with_its_place(server: KSPayServer) -> None:
    rows = march(25)
    server.on("GET", "/transaction", server.guarded(paged(rows)))
    pages = fetch(server, page_size=10)
    assert sorted(ids(pages)) == sorted(row["id"] for row in rows)
    assert [len(page.rows) for page in pages] == [10, 10, 5]
    place = pages[1].rows[0].place
    assert (place.file, place.row) == ("GET /transaction 2026-02-28..2026-04-02 page 2", 1)
    assert [(page.number, page.window_number, page.windows, page.rows_so_far) for page in pages] == [
        (1, 1, 1, 10),
        (2, 1, 1, 20),
        (3, 1, 1, 25),
    ]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_every_connection_is_kept_for_the_next_request(server: KSPayServer, concurrency: int) -> None:
    server.on("GET", "/transaction", paged(march(50)))
    fetch(server, page_size=5, concurrency=concurrency)
    assert len(server.asked) > 10
    assert server.connections <= (1 if concurrency == 1 else concurrency + 1)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20])
def test_a_silently_capped_limit_loses_nothing(server: KSPayServer, count: int) -> None:
    server.on("GET", "/transaction", paged(march(count), cap=10))
    assert len(ids(fetch(server, page_size=100))) == count


def test_a_server_that_ignores_page_ends(server: KSPayServer) -> None:
    rows = march(7)
    all_at_once = paged(rows)

    def handler(asked: Asked) -> Reply:
        asked.query |= {"page": "1", "limit": "1000"}
        return all_at_once(asked)

    server.on("GET", "/transaction", handler)
    assert set(ids(fetch(server, page_size=3))) == {row["id"] for row in rows}
    # Three pages and one of another size show that `page` is ignored, and halves that nothing was cut off.
    assert server.times("GET", "/transaction") <= 12


SHAPES: list[tuple[str, Any]] = [
    ("bare list", lambda rows: Reply(200, rows)),
    ("enveloped list", lambda rows: success(rows)),
    ("list and total", lambda rows: success({"transactions": rows, "total": 3})),
    ("data and meta", lambda rows: success({"data": rows, "meta": {"total": 3, "tags": []}})),
    ("unknown name", lambda rows: success({"payments": rows, "total": 3})),
    ("list and no errors", lambda rows: Reply(200, {"errors": [None], "error": "none", "result": rows})),
    ("list and no error", lambda rows: Reply(200, {"error": {"code": 0, "message": ""}, "result": rows})),
    ("list of details", lambda rows: success({"transactionDetails": rows} if rows else [])),
]


@pytest.mark.parametrize(("name", "shape"), SHAPES, ids=[name for name, _ in SHAPES])
def test_known_shapes(server: KSPayServer, name: str, shape: Any) -> None:
    rows = march(3)
    server.on("GET", "/transaction", shape(rows), shape([]))
    with server.client() as client:
        assert ids(list(client.transactions(PERIOD))) == [row["id"] for row in rows]
    assert client.windows_read[0].total == (None if "list" in name and "total" not in name else 3)


@pytest.mark.parametrize("result", [None, "text", 5, {}, {"a": [], "b": []}, {"transactions": None}])
def test_an_unknown_shape_is_told_without_its_contents(server: KSPayServer, result: Any) -> None:
    server.on("GET", "/transaction", success(result))
    with pytest.raises(ProtocolError, match="no list of transactions but") as caught:
        fetch(server)
    assert "GET /transaction 2026-02-28..2026-04-02 page 1" in str(caught.value)


def test_numbers_arrive_exactly_and_the_signature_never(server: KSPayServer) -> None:
    body = (
        b'{"status":200,"result":[{"id":"tx_1","amount":1234567890123456789012345,"signature":"s"},'
        b'{"id":"tx_2","amount":12345678901234567.890123456789},{"id":"tx_3","amount":"0.10"},'
        b'{"id":"tx_4","amount":1E2,"config":{"Signature":"s","kept":1}}]}'
    )
    server.on("GET", "/transaction", Reply(200, body), success([]))
    rows = [row.values for page in fetch(server) for row in page.rows]
    assert [row["amount"] for row in rows] == [
        1234567890123456789012345,
        Decimal("12345678901234567.890123456789"),
        "0.10",
        Decimal("1E2"),
    ]
    assert isinstance(rows[1]["amount"], Decimal)
    assert "signature" not in rows[0]
    assert rows[3]["config"] == {"kept": 1}


def test_a_row_that_is_no_object_is_passed_on(server: KSPayServer) -> None:
    server.on("GET", "/transaction", success(["tx_1", None, record(1), 7]), success([]))
    values = [row.values for page in fetch(server) for row in page.rows]
    assert values[0] == {"": "tx_1"}
    assert values[1] == {"": None}
    assert values[3] == {"": 7}


SOUND = b'{"id":"tx_sound","amount":"1.00"}'


@pytest.mark.parametrize(
    ("row", "faults", "values"),
    [
        (b'{"id":"tx_1","amount":NaN}', [("amount", "NaN", "NaN or infinite")], {"amount": "NaN"}),
        (b'{"id":"tx_1","fee":-Infinity}', [("fee", "-Infinity", "NaN or infinite")], {"fee": "-Infinity"}),
        (
            b'{"id":"tx_1","note":"caf\xe9 \xc3"}',
            [("note", r"caf\xe9 \xc3", "not UTF-8")],
            {"note": r"caf\xe9 \xc3"},
        ),
        (
            b'{"id":"tx_1","note":"x\\\xff","more":"\\\\\xfe \\"","u":"\\u00\xff\\u0041"}',
            [("note", r"x\\xff", "not UTF-8"), ("more", r'\\xfe "', "not UTF-8"), ("u", r"\u00\xffA", "not UTF-8")],
            {"note": r"x\\xff", "more": r'\\xfe "', "u": r"\u00\xffA"},
        ),
        (b'{"id":"tx_\xff"}', [("id", r"tx_\xff", "not UTF-8")], {"id": r"tx_\xff"}),
        (b'{"id":"tx_1","n\xf6te":"x"}', [(r"n\xf6te", r"n\xf6te", "not UTF-8")], {r"n\xf6te": "x"}),
        (
            b'{"id":"tx_1","a":{"b":["\xff",NaN]}}',
            [("a.b", r"\xff", "not UTF-8"), ("a.b", "NaN", "NaN or infinite")],
            {},
        ),
        (b'{"id":"tx_1","signature":"geheim\xff"}', [("signature", "", "not UTF-8")], {}),
        (b'{"id":"tx_1","amount":1e400,"fee":NaN}', [("fee", "NaN", "NaN or infinite")], {"amount": Decimal("1e400")}),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "shape", [b"[%s]", b'{"status":200,"result":[%s]}', b'{"result":{"rows":[%s],"total":2}}']
)
def test_a_bad_row_costs_no_other(
    server: KSPayServer, shape: bytes, row: bytes, faults: list[tuple[str, str, str]], values: dict[str, Any]
) -> None:
    server.on("GET", "/transaction", Reply(200, shape % (row + b"," + SOUND)), success([]))
    bad, good = [row.values for page in fetch(server) for row in page.rows]
    assert good == {"id": "tx_sound", "amount": "1.00"}
    found = bad[TEXT_FAULTS]
    assert [fault[:2] for fault in found] == [fault[:2] for fault in faults]
    assert all(words in fault[2] for fault, (_, _, words) in zip(found, faults, strict=True))
    assert values.items() <= bad.items()
    assert "geheim" not in str(bad)


def test_a_bad_page_that_is_cut_off_is_asked_for_again(server: KSPayServer) -> None:
    whole = b'[{"id":"tx_\xff","amount":NaN},' + SOUND + b"]"
    cut = [Reply(200, whole[:end]) for end in (len(whole) - 1, len(whole) - 5, len(whole) - 30)]
    server.on("GET", "/transaction", *cut, Reply(200, whole), success([]))
    assert ids(fetch(server)) == [r"tx_\xff", "tx_sound"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'[{"amount":nan}]', "no JSON"),
        (b'[{"id":"tx_1"},\xff{"id":"tx_2"}]', "no JSON"),
        (b"<html>captive portal</html>", "no JSON"),
        (b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b'[{"id":"tx_1","a":' + b"[" * 900 + b"]" * 900 + b"}]", "nested too deeply"),
    ],
)
def test_what_is_no_json_is_told_with_call_and_status(server: KSPayServer, body: bytes, words: str) -> None:
    server.on("GET", "/transaction", Reply(200, body))
    with pytest.raises(ProtocolError, match=words) as caught:
        fetch(server)
    assert caught.value.status == 200
    assert caught.value.exit_code == 4
    assert "GET /transaction" in str(caught.value)
    assert server.times("GET", "/transaction") == 1


def test_nothing_is_asked_beyond_the_servers_today(server: KSPayServer) -> None:
    server.on("GET", "/transaction", paged([]))
    with server.client() as client:
        today = client.server_today()
        assert list(client.transactions(Period(today + timedelta(days=1), today + timedelta(days=9)))) == []
        assert server.times("GET", "/transaction") == 0
        list(client.transactions(Period(today, today)))
    query = server.requests("GET", "/transaction")[0].query
    assert query["fromDate"] == str(today - timedelta(days=1))
    assert query["toDate"] == str(today)


def test_the_servers_day_counts_not_ours(server: KSPayServer) -> None:
    server.clock_ahead = -3 * 86400
    with server.client() as client:
        assert client.server_today() == datetime.fromtimestamp(server.now(), UTC).date()


def rules(created: date, today: date, rows: list[dict[str, Any]], zone_behind: bool = False) -> Handler:
    """A server that holds to the documented rules on dates, every one of them."""
    listing = paged(rows)

    def handler(asked: Asked) -> Reply:
        start, end = date.fromisoformat(asked.query["fromDate"]), date.fromisoformat(asked.query["toDate"])
        if (end - start).days + 1 > 90:
            return failure(400, 11006, "Date range exceeds limit! Date range should not exceed 90 days.")
        if start >= end:
            return failure(400, 11007, "Error: 'fromDate' should be earlier than 'toDate'.")
        if start < created:
            return failure(400, 11008, "The start date cannot be before the app creation date.")
        if end > today:
            return failure(400, 11011, "The end date cannot be after today's date.")
        return listing(asked)

    return handler


@pytest.mark.parametrize("age", [0, 1, 2, 5, 40, 89, 90, 1000, 3500])
def test_the_apps_first_day_is_found_and_remembered(server: KSPayServer, age: int) -> None:
    today = datetime.now(UTC).date()
    created = today - timedelta(days=age)
    rows = [record(n, f"{created + timedelta(days=n)}T12:00:00Z") for n in range(age + 1)]
    server.on("GET", "/transaction", rules(created, today, rows))
    with server.client() as client:
        pages = list(client.transactions(Period(date(2015, 1, 1), today)))
        assert client.first_accepted_day == created
        expected = {row["id"] for row in rows} if age else set()  # a range of one day is refused (11007)
        assert set(ids(pages)) == expected
        asked = server.times("GET", "/transaction")
        list(client.transactions(Period(date(2015, 1, 1), date(2015, 2, 1))))
        assert server.times("GET", "/transaction") == asked


def test_a_payment_of_the_apps_first_day_that_changed_later(server: KSPayServer) -> None:
    today = datetime.now(UTC).date()
    created = today - timedelta(days=12)
    changed = f"{created + timedelta(days=6)}T12:00:00Z"
    rows = [record(n, f"{created}T12:00:00Z", updatedAt=changed) for n in range(3)]
    # To see what the range filters, the days around are asked for too, which begin before the app.
    server.on("GET", "/transaction", rules(created, today, rows))
    with server.client(page_size=2) as client:
        pages = list(client.transactions(Period(created + timedelta(days=1), today)))
    assert set(ids(pages)) == {row["id"] for row in rows}


def test_11008_with_the_other_meaning_is_no_date_error(server: KSPayServer) -> None:
    server.on("GET", "/transaction", failure(400, 11008, "Access key does not match any active credentials"))
    with pytest.raises(Exception, match="Access key does not match") as caught, server.client() as client:
        list(client.transactions(PERIOD))
    assert not isinstance(caught.value, DateRangeError)
    assert client.first_accepted_day is None


def test_a_server_whose_today_lags_behind_utc(server: KSPayServer) -> None:
    today = datetime.now(UTC).date()
    rows = [record(n, f"{today - timedelta(days=n)}T00:30:00Z") for n in range(1, 5)]
    server.on("GET", "/transaction", rules(date(2020, 1, 1), today - timedelta(days=1), rows))
    pages = fetch(server, Period(today - timedelta(days=3), today))
    assert len(ids(pages)) == 4


def test_a_server_that_contradicts_its_own_rules_is_told(server: KSPayServer) -> None:
    server.on("GET", "/transaction", failure(400, 11006, "Date range exceeds limit!"))
    with pytest.raises(
        DateRangeError, match=r"code 11006.*contradicts its own rules for 2026-02-28\.\.2026-04-02"
    ):
        fetch(server)


def test_no_data_found_after_the_last_page_is_its_end(server: KSPayServer) -> None:
    server.on("GET", "/transaction", success(march(2)), failure(404, 24, "No data found with this ID!"))
    assert len(ids(fetch(server))) == 2


def test_long_periods_take_several_windows(server: KSPayServer) -> None:
    rows = [record(n, f"{date(2025, 1, 1) + timedelta(days=n)}T23:59:59.999Z") for n in range(400)]
    server.on("GET", "/transaction", rules(date(2020, 1, 1), datetime.now(UTC).date(), rows))
    pages = fetch(server, Period(date(2025, 1, 1), date(2026, 2, 4)))
    assert set(ids(pages)) == {row["id"] for row in rows}
    assert {page.windows for page in pages} == {5}


FAILURES: list[Any] = [
    {"message": "Service temporarily degraded", "errors": []},
    {"status": "error", "message": "Internal error", "data": []},
    {"status": "failed", "result": []},
    {"success": False, "code": 9010, "message": "app disabled", "data": []},
    {"result": {"warnings": []}},
    {"error": "maintenance", "result": []},
    {"status": False, "message": "Something went wrong", "data": []},
    {"success": "false", "data": []},
    {"success": 0, "data": []},
    {"id": "req-1", "status": "error", "message": "db down", "data": []},
    {"result": {"success": False, "transactions": []}},
    {"result": {"status": "error", "transactions": []}},
]


@pytest.mark.parametrize("body", FAILURES, ids=str)
@pytest.mark.parametrize("page", [1, 2])
def test_an_error_in_the_clothes_of_an_empty_listing_is_none(
    server: KSPayServer, body: Any, page: int
) -> None:
    rows = march(10)
    server.on("GET", "/transaction", *[success(rows)] * (page - 1), Reply(200, body))
    with pytest.raises(CallError) as caught:
        fetch(server, page_size=10)
    assert caught.value.exit_code == 4


def test_a_total_beyond_all_numbers_is_none(server: KSPayServer) -> None:
    server.on("GET", "/transaction", success({"transactions": march(3), "total": 10**12}), success([]))
    with server.client() as client:
        assert len(ids(list(client.transactions(PERIOD)))) == 3
    assert client.windows_read[0].total is None


EDGES = [
    {"createdAt": "0001-01-01T00:00:00+05:30"},
    {"updatedAt": "9999-12-31T23:59:59-05:00"},
    {"createdAt": "9999-12-31T23:59:59.999Z", "updatedAt": "9999-12-31T23:59:59.999Z"},
    {"createdAt": "2026-03-05T99:99:99.999Z", "updatedAt": "2026-03-05T99:99:99.999Z"},
    {"createdAt": "2026-02-30T23:59:59.999Z", "updatedAt": "2026-03-05T10:00:00.000Z"},
    {"\0faults": "said by the server"},
    {"details": {"\0faults": [1]}},
]


@pytest.mark.parametrize("odd", EDGES, ids=str)
@pytest.mark.parametrize("others", [0, 3])
def test_an_odd_record_costs_no_other(server: KSPayServer, odd: dict[str, Any], others: int) -> None:
    rows = [record(99, "2026-03-05T10:00:00.000Z") | odd, *march(others)]
    server.on("GET", "/transaction", success(rows), success([]))
    pages = fetch(server)
    assert sorted(ids(pages)) == sorted(row["id"] for row in rows)
    read = [row for page in pages for row in page.rows]
    typed = list(TransactionNormaliser(APP_ID, Currencies(), {}).typed(read))
    assert len(typed) == len(rows)
    assert TEXT_FAULTS not in read[0].values


def test_a_field_that_is_not_looked_at_may_be_another_one_each_time(server: KSPayServer) -> None:
    numbers = count()
    rows = [row | {"updatedAt": row["createdAt"]} for row in march(30)]  # what is filtered is not known

    def handler(asked: Asked) -> Reply:
        return paged([row | {"servedBy": f"node {next(numbers)}"} for row in rows])(asked)

    server.on("GET", "/transaction", handler)
    with server.client(page_size=10) as client:
        pages = list(client.transactions(PERIOD))
    assert sorted(ids(pages)) == sorted(row["id"] for row in rows)
    assert client.windows_read[0].readings == 2


def test_rows_without_an_id_are_told_apart_by_all_they_hold(server: KSPayServer) -> None:
    rows = [record(1, "2026-03-05T10:00:00Z", id=None, origin=origin) for origin in ("shop", "till", "shop")]
    server.on("GET", "/transaction", success(rows), success([]))
    assert len([row for page in fetch(server) for row in page.rows]) == 2


def test_an_app_of_yesterday_on_a_server_whose_today_lags_behind_utc(server: KSPayServer) -> None:
    today = datetime.now(UTC).date()
    created, its_today = today - timedelta(days=2), today - timedelta(days=1)
    rows = [record(1, f"{created}T12:00:00Z")]
    server.on("GET", "/transaction", rules(created, its_today, rows))
    with server.client() as client:
        pages = list(client.transactions(Period(date(2015, 1, 1), today)))
        assert client.first_accepted_day == created
    assert ids(pages) == [rows[0]["id"]]


@pytest.mark.parametrize("odd", ["2026-03-05T99:99:99.999Z", "2026-02-30T23:59:59.999Z"])
def test_a_time_among_others_that_only_looks_like_one_costs_no_other(server: KSPayServer, odd: str) -> None:
    around = ("2026-03-04", "2026-03-06") if "T99" in odd else ("2026-02-28", "2026-03-01")
    times = [f"{around[0]}T10:00:00.000Z", odd, f"{around[1]}T10:00:00.000Z"]
    rows = [record(number, at, updatedAt=at) for number, at in enumerate(times)]
    server.on("GET", "/transaction", success(rows), success([]))
    assert sorted(ids(fetch(server))) == sorted(row["id"] for row in rows)
