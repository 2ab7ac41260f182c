"""Paging: whatever the server does with order, page, limit and time, every row is fetched."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.core.records import Period
from reconcile.kspay import KSPay
from reconcile.kspay.errors import IncompleteError
from reconcile.kspay.paging.proofs import COUNTED, ONE_ANSWER, TWO_READINGS
from tests.support.kspay_server import Asked, Handler, KSPayServer, Reply, failure, paged, record, success
from tests.support.kspay_shop import Behaviour, Change, Shop, day, transaction

DAY = timedelta(days=1)
ORDERS = [
    "oldest first",
    "newest first",
    "last updated first",
    "first updated first",
    "by id",
]


def run(
    server: KSPayServer, shop: Shop, period: Period, page_size: int = 10, concurrency: int = 4
) -> tuple[set[Any], KSPay]:
    server.on("GET", "/transaction", shop.listing)
    with server.client(
        page_size=page_size, concurrency=concurrency, give_up_seconds=30, backoff_seconds=0.001
    ) as client:
        return {row.values["id"] for page in client.transactions(period) for row in page.rows}, client


@st.composite
def behaviours(draw: st.DrawFn) -> Behaviour:
    order = draw(st.sampled_from(ORDERS))
    how = Behaviour(
        # Rows of one instant come in a new order at each request, whatever the order of the others.
        order=draw(st.sampled_from(["", "", "random "])) + order,
        cap=draw(st.sampled_from([3, 5, 7, 1000])),
        own_size=draw(st.sampled_from([None, None, 4, 25])),
        offset_by_asked=draw(st.booleans()),
        ignores_page=draw(st.integers(0, 3)) == 0,
        all_at_once=draw(st.booleans()),
        repeats_every=draw(st.sampled_from([0, 0, 0, 2, 7])),
        zone_hours=draw(st.sampled_from([0, 0, 5, 13, -10])),
        today_hours=draw(st.sampled_from([0, 0, 13, -11])),
        total=draw(st.sampled_from(["none", "right", "wrong"])),
        shape=draw(st.sampled_from(["list", "object"])),
        filters=draw(st.sampled_from(["createdAt", "createdAt", "updatedAt"])),
        to_included=draw(st.booleans()),
        clamps_page=draw(st.integers(0, 2)) == 0,
    )
    # Pages cut by their weight are drawn where the pages beside can be asked for, and each row has its place.
    if not (how.ignores_page or how.own_size or how.repeats_every or "random" in how.order):
        how.room = draw(st.sampled_from([None, 12, 25]))
    return how


@st.composite
def shops(draw: st.DrawFn) -> tuple[Shop, Period]:
    now = datetime.now(UTC)
    today = now.date()
    how = draw(behaviours())
    ends_ago = draw(st.sampled_from([0, 1, 1, 5, 30]))
    length = draw(st.integers(1, 10))
    period = Period(today - (ends_ago + length) * DAY, today - ends_ago * DAY)
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    few_instants = draw(st.booleans())

    def instant() -> datetime:
        minute = 0 if few_instants else draw(st.integers(0, 1439))
        at = midnight - draw(st.integers(ends_ago, ends_ago + length)) * DAY + minute * timedelta(minutes=1)
        return min(at, now)

    rows = []
    for number in range(draw(st.integers(0, 30))):
        created = instant()
        updated = created + draw(st.sampled_from([0, 0, 0, 1, 6])) * DAY
        rows.append(transaction(number, created.isoformat(), min(updated, now).isoformat()))
    changes = [
        Change(after, kind, which, instant() if kind == "late" else None)
        for after, kind, which in draw(
            st.lists(
                st.tuples(
                    st.integers(1, 12),
                    st.sampled_from(["late", "insert", "update", "update"]),
                    st.integers(0, 40),
                ),
                max_size=6,
            )
        )
    ]
    faults = draw(
        st.dictionaries(
            st.integers(1, 20), st.sampled_from(["reset", "500", "429", "truncate", "token"]), max_size=4
        )
    )
    # The second refusal of a token in one request is final, as it must be.
    faults = {at: kind for at, kind in faults.items() if kind != "token" or faults.get(at + 1) != "token"}
    return Shop(rows, how, changes, faults, seed=draw(st.integers(0, 1000))), period


def test_the_fetched_set_is_the_servers(server: KSPayServer) -> None:
    ends: Counter[str] = Counter()

    @settings(
        max_examples=3 * max(100, settings().max_examples),  # the shares below want many
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(drawn=shops(), concurrency=st.integers(1, 4))
    def check(drawn: tuple[Shop, Period], concurrency: int) -> None:
        shop, period = drawn
        if concurrency > 1:
            # Which request meets a fault is open then, and one that has its token refused twice must fail.
            tokens = [at for at, kind in shop.faults.items() if kind == "token"]
            for at in tokens[1:]:
                del shop.faults[at]
        at_first = shop.reachable()
        try:
            fetched, client = run(server, shop, period, concurrency=concurrency)
        except IncompleteError as error:
            reason = why_undecidable(shop, str(error))
            if reason is None:
                raise
            ends[reason] += 1
            return
        ends["fetched"] += 1
        # What changed today may be listed under a day that may not be asked for yet.
        assert at_first & shop.reachable() <= fetched <= {row["id"] for row in shop.rows}
        assert all(window.proof for window in client.windows_read)

    check()
    refused = ends.total() - ends["fetched"]
    assert set(ends) <= {"fetched", PAGE_IGNORED, LAST_PAGE_AGAIN}
    assert refused <= ends.total() / 5, ends
    assert ends[LAST_PAGE_AGAIN] <= ends.total() / 25, ends


@pytest.mark.parametrize("ends_ago", [3, 4, 5])
def test_a_today_that_is_behind_is_learnt_after_the_last_window_too(
    server: KSPayServer, ends_ago: int
) -> None:
    """The period ends days ago; only what may show that its last day is whole reaches to a day that is none yet."""
    today = datetime.now(UTC).date()
    last = today - ends_ago * DAY
    # Changed yesterday: so the range filters the creation, and no window after the period's is read.
    changed = f"{today - DAY}T11:00:00Z"
    rows = [transaction(number, f"{last}T10:0{number}:00Z", changed) for number in range(5)]
    shop = Shop(rows, Behaviour(today_hours=-24, ignores_page=True, all_at_once=False, own_size=4))
    with pytest.raises(IncompleteError, match="no answer holds more than 4 rows"):
        run(server, shop, Period(last - DAY, last))
    assert server.requests("GET", "/transaction")[-1].query["toDate"] == str(today - DAY)


PAGE_IGNORED = "page ignored, and no answer outgrows a day"
LAST_PAGE_AGAIN = (
    "one page that is the last again, limit ignored or rows of one instant, and no answer outgrows a day"
)


def why_undecidable(shop: Shop, message: str) -> str | None:
    """The name of the behaviour in which nothing shows that a window is complete; None: it can be shown.

    A server that ignores `page` shows no answer that is fuller than that for two of its days; or nothing
    tells a server from such a one that gives the only page, or rows of one instant, whatever is asked for, or whose
    only page changes while it is asked for.
    """
    how = shop.behaviour
    alike = how.clamps_page and (how.own_size is not None or "random" in how.order or bool(shop.changes))
    if not (how.ignores_page or alike) or "no answer holds more than" not in message:
        return None
    days = Counter(day(row[how.filters], how.zone_hours) for row in shop.rows)
    fullest = max(days[each] + days[each + DAY] + days[each - DAY] for each in days)
    changing = len(shop.changes)
    most = len(shop.rows) if how.all_at_once and how.ignores_page else how.own_size or min(10, how.cap)
    # A row of today that no range lists yet makes no answer fuller.
    if (fullest + changing) * (1 + bool(how.repeats_every)) < min(most, len(shop.reachable()) - changing):
        return None
    return PAGE_IGNORED if how.ignores_page else LAST_PAGE_AGAIN


MARCH = Period(date(2026, 3, 1), date(2026, 3, 30))


def march(count: int) -> list[dict[str, Any]]:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        transaction(
            n, (start + n * timedelta(minutes=30)).isoformat(), (start + 60 * DAY + n * DAY / 99).isoformat()
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [1000, 995])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_in_a_fixed_order_the_proof_costs_a_few_requests(
    server: KSPayServer, order: str, count: int, concurrency: int
) -> None:
    shop = Shop(march(count), Behaviour(order=order))
    fetched, client = run(server, shop, MARCH, page_size=100, concurrency=concurrency)
    assert len(fetched) == count
    # Ten pages, the empty one, and the last again; and what was asked ahead beyond the end.
    assert shop.requests <= 13 + concurrency - 1
    (window,) = client.windows_read
    assert (window.distinct, window.readings, window.proof) == (count, 1, COUNTED)
    # What was asked ahead may still be on its way to the server when the client no longer needs it.
    assert shop.requests <= window.pages <= 13 + concurrency - 1
    assert window.rows >= count
    assert window.first_at == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("order", ["newest first", "last updated first"])
def test_rows_that_move_to_the_front_cost_a_few_requests_too(server: KSPayServer, order: str) -> None:
    today = datetime.now(UTC).date()
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    rows = [
        transaction(n, at, at)
        for n, at in enumerate(
            (midnight - 9 * DAY + n * timedelta(minutes=10)).isoformat() for n in range(1000)
        )
    ]
    rows[0]["createdAt"] = (midnight - 40 * DAY).isoformat()
    rows[0]["updatedAt"] = (midnight - 5 * DAY).isoformat()
    changes = [Change(after, kind, after * 7) for after in (2, 4, 5) for kind in ("insert", "update")]
    shop = Shop(rows, Behaviour(order=order), changes)
    fetched, client = run(server, shop, Period(today - 50 * DAY, today - DAY), page_size=100)
    assert fetched == {row["id"] for row in shop.rows}
    assert shop.requests <= 20
    assert client.windows_read[-1].proof == COUNTED


def test_rows_of_one_instant_in_a_new_order_each_time(server: KSPayServer) -> None:
    rows = [transaction(n, "2026-03-03T00:00:00+00:00", "2026-05-03T00:00:00+00:00") for n in range(200)]
    shop = Shop(rows, Behaviour(order="random oldest first", cap=10))
    fetched, client = run(server, shop, MARCH)
    assert len(fetched) == 200
    assert client.windows_read[0].readings > 1


@pytest.mark.parametrize("changed", ["2026-03-03T00:00:00+00:00", "2026-05-03T00:00:00+00:00"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_two_rows_of_one_instant_on_the_border_of_two_pages(
    server: KSPayServer, changed: str, concurrency: int
) -> None:
    rows = [transaction(n, f"2026-03-0{min(n, 2) + 1}T00:00:00+00:00", changed) for n in range(4)]
    for seed in range(25):
        shop = Shop(rows, Behaviour(order="random oldest first", cap=3), seed=seed)
        fetched, _ = run(server, shop, MARCH, concurrency=concurrency)
        assert len(fetched) == 4


def test_a_server_that_repeats_rows_is_read_until_that_is_sure(server: KSPayServer) -> None:
    rows = [
        record(n, f"2026-03-{n % 28 + 1:02d}T10:00:00Z", updatedAt="2026-05-03T00:00:00Z") for n in range(30)
    ]
    server.on("GET", "/transaction", paged([*rows, *rows[:5]]))
    with server.client(page_size=10) as client:
        ids = [row.values["id"] for page in client.transactions(MARCH) for row in page.rows]
    assert sorted(ids) == sorted(row["id"] for row in rows)
    assert client.windows_read[0].proof == TWO_READINGS


def test_two_different_records_with_one_id_are_both_passed_on(server: KSPayServer) -> None:
    twins = [record(1, "2026-03-02T10:00:00Z", amount=amount) for amount in ("1", "2")]
    server.on("GET", "/transaction", paged(twins))
    with server.client() as client:
        amounts = {row.values["amount"] for page in client.transactions(MARCH) for row in page.rows}
    assert amounts == {"1", "2"}


@pytest.mark.parametrize("ignores_page", [True, False])
@pytest.mark.parametrize("count", [1, 250])
def test_everything_at_once_is_one_answer(server: KSPayServer, ignores_page: bool, count: int) -> None:
    shop = Shop(march(count), Behaviour(ignores_page=ignores_page, cap=1000, own_size=1000))
    fetched, client = run(server, shop, MARCH)
    assert len(fetched) == count
    assert client.windows_read[0].proof == ONE_ANSWER
    # Where `page` is ignored, halves are read until the days of the rows part.
    assert shop.requests <= (16 if ignores_page else 3)


@pytest.mark.parametrize("order", ["oldest first", "by id"])
def test_the_only_page_with_two_rows_that_every_page_repeats_is_whole(
    server: KSPayServer, order: str
) -> None:
    """A new merchant's first two payments: asked for one by one, they come on two pages."""
    now = datetime.now(UTC)
    at = (now - 5 * DAY).isoformat()
    shop = Shop([transaction(n, at, at) for n in range(2)], Behaviour(order=order, clamps_page=True))
    fetched, _ = run(server, shop, Period((now - 6 * DAY).date(), (now - 4 * DAY).date()))
    assert fetched == {row["id"] for row in shop.rows}


def test_one_full_day_alone_is_no_proof_that_nothing_was_cut(server: KSPayServer) -> None:
    shop = Shop(march(11), Behaviour(ignores_page=True, cap=1000, own_size=1000))
    with pytest.raises(IncompleteError, match="no answer holds more than 11 rows"):
        run(server, shop, MARCH)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 20, 25])
def test_a_page_beyond_the_last_may_be_the_last_again(server: KSPayServer, count: int) -> None:
    shop = Shop(march(count), Behaviour(clamps_page=True))
    fetched, _ = run(server, shop, MARCH)
    assert len(fetched) == count


@pytest.mark.parametrize(("count", "repeats_every"), [(8, 0), (9, 0), (9, 2)])
def test_the_last_page_again_in_a_new_order_each_time(
    server: KSPayServer, count: int, repeats_every: int
) -> None:
    changed = "2026-05-03T00:00:00+00:00"
    rows = [transaction(n, f"2026-03-0{n // 7 + 1}T00:00:00+00:00", changed) for n in range(count)]
    how = Behaviour(order="random newest first", clamps_page=True, own_size=3, repeats_every=repeats_every)
    fetched, _ = run(server, Shop(rows, how), MARCH, page_size=3)
    assert len(fetched) == count


def test_a_reading_whose_end_was_not_seen_has_no_length(server: KSPayServer) -> None:
    """In the first reading the last page is short. Then it fills, and every page beyond it is that page in a new order:
    nothing shows the end, and the length of the first reading must not stand for that of the others."""
    now = datetime.now(UTC)
    days = [(now - back * DAY).date() for back in (5, 4, 3, 2, 1)]
    at = [f"{days[number % 5]}T00:00:00+00:00" for number in range(39)]
    rows = [transaction(number, instant, instant) for number, instant in enumerate(at)]
    how = Behaviour(order="random oldest first", filters="updatedAt", clamps_page=True)
    shop = Shop(rows, how, [Change(14, "insert")], seed=4)
    fetched, _ = run(server, shop, Period(days[0], days[-1]), concurrency=1)
    assert fetched == {row["id"] for row in shop.rows}


def test_a_listing_that_never_rests_is_refused(server: KSPayServer) -> None:
    numbers = iter(range(10**6))

    def restless(asked: Any) -> Any:
        if int(asked.query["page"]) > 3:
            return success([])
        return success([record(next(numbers), "2026-03-02T10:00:00Z") for _ in range(10)])

    server.on("GET", "/transaction", restless)
    with (
        server.client(page_size=10) as client,
        pytest.raises(IncompleteError, match="kept changing through 60 readings") as caught,
    ):
        list(client.transactions(MARCH))
    assert caught.value.exit_code == 4


def test_pages_without_end_are_refused(server: KSPayServer) -> None:
    shop = Shop(march(20), Behaviour())

    def endless(asked: Any) -> Any:
        asked.query["page"] = str((int(asked.query["page"]) - 1) % 2 + 1)
        return shop.listing(asked)

    server.on("GET", "/transaction", endless)
    with server.client(page_size=10) as client, pytest.raises(IncompleteError, match="50 pages in a row"):
        list(client.transactions(MARCH))


def test_a_range_that_filters_updates_is_read_on_to_today(server: KSPayServer) -> None:
    today = datetime.now(UTC).date()
    rows = [
        transaction(n, f"{today - 300 * DAY}T10:{n:02d}:00+00:00", f"{today - n * 5 * DAY}T10:00:00+00:00")
        for n in range(60)
    ]
    shop = Shop(rows, Behaviour(filters="updatedAt"))
    fetched, client = run(server, shop, Period(today - 301 * DAY, today - 299 * DAY))
    assert fetched == {row["id"] for row in rows}
    assert client.windows_read[-1].window.to_date == today


@pytest.mark.parametrize("order", ["oldest first", "newest first", "by id"])
@pytest.mark.parametrize("changed_late", [True, False])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_pages_that_are_cut_by_their_weight(
    server: KSPayServer, order: str, changed_late: bool, concurrency: int
) -> None:
    rows = march(450)
    if not changed_late:
        rows = [row | {"updatedAt": row["createdAt"]} for row in rows]
    shop = Shop(rows, Behaviour(order=order, room=150))
    fetched, client = run(server, shop, MARCH, page_size=100, concurrency=concurrency)
    assert fetched == {row["id"] for row in rows}
    assert all(window.proof for window in client.windows_read)


@pytest.mark.parametrize("after", range(1, 16))
def test_a_row_that_arrives_does_not_hide_that_the_last_page_is_cut(server: KSPayServer, after: int) -> None:
    """All rows move one place down, so that the last row of the cut page stands behind it.

    Pages beyond the last one are the last one again, so this row alone does not tell whether the listing goes on.
    """
    # 16 rows on the 10th; then one that is as long as ten others, and at the end three with two such ones.
    days = {3: 9, 9: 8, 10: 8, 17: 8}
    rows = [
        transaction(n, f"2026-03-{days.get(n, 10):02d}T00:00:00+00:00", "2026-05-03T00:00:00+00:00")
        for n in range(20)
    ]
    late = Change(after, "late", at=datetime(2026, 3, 10, tzinfo=UTC))
    shop = Shop(rows, Behaviour(order="newest first", cap=7, room=12, clamps_page=True), [late])
    fetched, _ = run(server, shop, MARCH, concurrency=1)
    assert fetched >= {row["id"] for row in rows[:20]}


def with_second_page_cut(shop: Shop, rows: int) -> Handler:
    """Page 2 holds only so many rows; the others stand on no page, unless smaller ones are asked for."""

    def handler(asked: Asked) -> Reply:
        reply = shop.listing(asked)
        if asked.query["page"] == "2" and int(asked.query["limit"]) > rows:
            reply.body = json.dumps(success(json.loads(reply.body)["result"][:rows]).body).encode()
        return reply

    return handler


@pytest.mark.parametrize("moved", [1, 2])
def test_a_known_row_behind_a_cut_page_hides_no_unknown_one(server: KSPayServer, moved: int) -> None:
    """Rows that were seen elsewhere move into the first places that a cut page lacks; the next place holds others."""
    # Once the four pages of the first reading are answered, rows of page 3 change and come first.
    shop = Shop(
        march(30), Behaviour(order="last updated first"), [Change(4, "update", n) for n in range(moved)]
    )
    server.on("GET", "/transaction", with_second_page_cut(shop, 7))
    with server.client(page_size=10, concurrency=1) as client:
        found = {row.values["id"] for page in client.transactions(MARCH) for row in page.rows}
    assert found == {row["id"] for row in shop.rows}


def test_a_row_that_left_makes_up_for_none_that_a_cut_page_lacks(server: KSPayServer) -> None:
    """As many rows were seen as are listed, but one of them has left the window, and another one was never seen."""
    rows = [row | {"updatedAt": row["createdAt"]} for row in march(30)]
    shop = Shop(rows, Behaviour(order="last updated first", filters="updatedAt"), [Change(4, "update", 0)])
    server.on("GET", "/transaction", with_second_page_cut(shop, 9))
    with server.client(page_size=10, concurrency=1) as client:
        found = {row.values["id"] for page in client.transactions(MARCH) for row in page.rows}
    assert found == {row["id"] for row in shop.rows}


def test_rows_that_a_server_leaves_out_of_its_pages_are_not_waited_for(server: KSPayServer) -> None:
    shop = Shop(march(450), Behaviour(hides_every=9))
    fetched, client = run(server, shop, MARCH, page_size=100)
    assert fetched == {row["id"] for row in shop.rows if int(row["id"][3:]) % 9}
    assert client.windows_read[0].proof == TWO_READINGS
    assert shop.requests < 60


def test_a_payment_that_arrives_at_the_end_is_no_cut(server: KSPayServer) -> None:
    """Oldest first, and today in the window: what arrives stands behind the last row."""
    now = datetime.now(UTC)
    today = now.date()
    at = [(now - 20 * DAY + n * timedelta(minutes=1)).isoformat() for n in range(5950)]
    rows = [transaction(n, each, each) for n, each in enumerate(at)]
    rows[0]["updatedAt"] = now.isoformat()
    rows[0]["createdAt"] = (now - 40 * DAY).isoformat()
    changes = [Change(after, "insert") for after in range(55, 75)]
    shop = Shop(rows, Behaviour(order="oldest first"), changes)
    fetched, _ = run(server, shop, Period(today - 50 * DAY, today), page_size=100)
    assert {f"tx_{n:04d}" for n in range(5950)} <= fetched
    assert shop.requests < 120


@pytest.mark.parametrize("heavy_from", [5895, 5900, 0])
@pytest.mark.parametrize("smallest", [1, 2, 10])
@pytest.mark.parametrize("most_pages", [10_000, 700])
def test_a_long_listing_whose_pages_are_cut(
    server: KSPayServer, heavy_from: int, smallest: int, most_pages: int
) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [
        transaction(n, (start + n * timedelta(minutes=5)).isoformat(), "2026-05-03T00:00:00+00:00")
        for n in range(5980)
    ]

    def handler(asked: Asked) -> Reply:
        limit, page = int(asked.query["limit"]), int(asked.query["page"])
        if limit < smallest or most_pages < page < 1_000_000:
            return failure(400, 4056, "limit must be greater than 0")
        shown = rows[(page - 1) * limit : page * limit]
        heavy = [row for row in shown if int(row["id"][3:]) >= heavy_from]
        return success(shown[: len(shown) - max(0, len(heavy) - 60)])

    server.on("GET", "/transaction", handler)
    with server.client(page_size=100) as client:
        fetched = {row.values["id"] for page in client.transactions(MARCH) for row in page.rows}
    assert fetched == {row["id"] for row in rows}
    assert server.times("GET", "/transaction") < 450
