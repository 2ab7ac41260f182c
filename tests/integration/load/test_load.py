"""Loading: what a later fetch or import does to what is there, and who comes out of quarantine."""

import random
from dataclasses import astuple
from dataclasses import replace as dataclass_replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Engine, text

from reconcile.core.errors import InputRefused, UsageError
from reconcile.core.records import Entry, Period, Place, Rejection, Side, Transaction
from reconcile.load.imports import withdraw
from reconcile.load.staging_tables import Loaded, staging_tables
from reconcile.validate.rules import Batch, BatchCheck

AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
EARLY = datetime(2026, 8, 3, 4, 5, 6, tzinfo=UTC)
LATE = datetime(2026, 8, 9, tzinfo=UTC)

TRANSACTION = Transaction(
    app_id="ap_1",
    transaction_id="tx_1",
    reference="ORD-1",
    currency="INR",
    amount=Decimal("12345678901234567890.10"),
    status="PENDING",
    created_at=EARLY,
    updated_at=EARLY,
    provider_order_id=None,
    provider_txn_id=None,
    payment_type="UPI",
    provider_name=None,
    provider_status=None,
    place=Place("page 1", 1),
)
ENTRY = Entry(
    app_id="ap_1",
    source="default",
    ledger_id="V-1",
    reference="ORD-1",
    currency="INR",
    amount=Decimal("10.00"),
    status="paid",
    dated_on=date(2026, 8, 3),
    dated_at=None,
    transaction_id=None,
    provider_order_id=None,
    provider_txn_id=None,
    description=None,
    place=Place("a.csv", 2),
)


def broken(
    record_id: str | None, raw: str = "{}", *, side: Side = Side.KSPAY, row: int = 1, file: str = "page 1"
) -> Rejection:
    source = "kspay" if side is Side.KSPAY else "default"
    return Rejection(
        side, "ap_1", source, record_id, Place(file, row), "amount", "NaN", "amount is no number", raw
    )


@pytest.fixture
def engine(fresh_engine: Engine) -> Engine:
    tables = "transactions, transaction_versions, entries, entry_versions, quarantine, quarantine_versions"
    with fresh_engine.begin() as connection:
        connection.execute(text(f"truncate {tables}, loads, imports"))
    return fresh_engine


def fetch(engine: Engine, *records: Transaction | Rejection, days: Period = AUGUST) -> Loaded:
    with staging_tables(engine) as tables:
        tables.add(
            [record for record in records if isinstance(record, Transaction)],
            [record for record in records if isinstance(record, Rejection)],
            days,
        )
        return tables.take_in_transactions("ap_1", [days])


def book(engine: Engine, *records: Entry | Rejection, file: str = "a.csv") -> Loaded:
    with staging_tables(engine) as tables:
        tables.add(
            [record for record in records if isinstance(record, Entry)],
            [record for record in records if isinstance(record, Rejection)],
        )
        return tables.take_in_entries(["ap_1"], "default", file, sha256=file)


def counts(loaded: Loaded) -> tuple[int, ...]:
    return astuple(loaded)[:6]


def rows(engine: Engine, statement: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement)).tuples())


def test_an_amount_comes_back_digit_for_digit(engine: Engine) -> None:
    assert fetch(engine, TRANSACTION) == Loaded(1, 1, 0, 0, 1, 0, 0, None)
    assert rows(engine, "select amount from transactions") == [(Decimal("12345678901234567890.10"),)]


def test_the_planner_knows_of_a_large_load_at_once(engine: Engine) -> None:
    records = 10_001
    fetch(engine, *(replace(TRANSACTION, transaction_id=f"tx_{number}") for number in range(records)))
    book(engine, *(replace(ENTRY, ledger_id=f"V-{number}") for number in range(records)))
    estimates = rows(
        engine,
        "select relname::text, reltuples::bigint from pg_class"
        " where oid in ('entries'::regclass, 'transactions'::regclass) order by relname",
    )
    assert estimates == [("entries", records), ("transactions", records)]


def test_the_same_again_changes_no_row(engine: Engine) -> None:
    fetch(engine, TRANSACTION, broken("tx_2"), broken(None))
    before = rows(
        engine,
        "select xmin::text, transaction_id from transactions union select xmin::text, content from quarantine",
    )
    assert fetch(engine, TRANSACTION, broken("tx_2"), broken(None)) == Loaded(3, 1, 0, 2, 0, 0, 0, None)
    after = rows(
        engine,
        "select xmin::text, transaction_id from transactions union select xmin::text, content from quarantine",
    )
    assert sorted(after) == sorted(before)


def test_a_change_keeps_the_version_before(engine: Engine) -> None:
    fetch(engine, TRANSACTION)
    assert fetch(engine, replace(TRANSACTION, status="success", updated_at=LATE)).changed == 1
    assert rows(engine, "select status from transactions") == [("success",)]
    assert rows(engine, "select status from transaction_versions") == [("PENDING",)]


def test_a_page_of_before_does_not_undo_a_later_one(engine: Engine) -> None:
    fetch(engine, replace(TRANSACTION, status="success", updated_at=LATE))
    assert fetch(engine, TRANSACTION).changed == 0
    assert rows(engine, "select status from transactions") == [("success",)]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(range(4)))
def test_the_later_version_wins_in_any_order(engine: Engine, order: list[int]) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("truncate transactions, transaction_versions, quarantine, quarantine_versions")
        )
    versions = [
        replace(TRANSACTION, status="success", updated_at=LATE),
        TRANSACTION,
        TRANSACTION,
        replace(TRANSACTION, updated_at=None, status="CREATED"),
    ]
    # The first of those that claim the time of creation is contradicted by another, but both are old news.
    assert fetch(engine, *[versions[n] for n in order]) == Loaded(4, 1, 3, 0, 1, 0, 0, None)
    assert rows(engine, "select status from transactions") == [("success",)]


def test_two_different_records_of_one_id_and_update_are_both_quarantined(engine: Engine) -> None:
    other = replace(TRANSACTION, amount=Decimal(5), place=Place("page 2", 7))
    assert fetch(engine, TRANSACTION, other) == Loaded(2, 0, 0, 2, 0, 0, 0, None)
    assert rows(engine, "select record_id, file, row_number from quarantine order by row_number") == [
        ("tx_1", "page 1", 1),
        ("tx_1", "page 2", 7),
    ]
    assert rows(engine, "select * from transactions") == []


def test_a_record_that_is_readable_once_and_once_not_is_quarantined_as_a_whole(engine: Engine) -> None:
    assert fetch(engine, TRANSACTION, broken("tx_1")) == Loaded(2, 0, 0, 2, 0, 0, 0, None)
    assert fetch(engine, TRANSACTION).usable == 1
    assert rows(engine, "select * from quarantine") == []
    assert len(rows(engine, "select * from quarantine_versions")) == 2


def test_a_record_comes_out_of_quarantine_when_its_source_corrects_it(engine: Engine) -> None:
    fetch(engine, broken("tx_1"))
    fetch(engine, replace(TRANSACTION, transaction_id="tx_2"))
    assert rows(engine, "select record_id from quarantine") == [("tx_1",)]
    fetch(engine, broken("tx_1", '{"amount":"?"}'))  # broken otherwise: the older content is gone
    assert rows(engine, "select record_id, raw from quarantine") == [("tx_1", '{"amount":"?"}')]
    fetch(engine, TRANSACTION)
    assert rows(engine, "select record_id from quarantine") == []


@pytest.mark.parametrize("record_id", ["L1", None])
def test_a_record_that_is_written_otherwise_is_the_same_in_quarantine(
    engine: Engine, record_id: str | None
) -> None:
    """As earlier releases held it: what it was typed to, in place of what its source wrote."""
    held = broken(record_id, '{"amount":1.234}', side=Side.LEDGER, file="a.csv")
    book(engine, held)
    before = rows(engine, "select content, quarantined_at from quarantine")
    for written in ('{"amount":"1.234"}', '{"amount":" 1.234"}'):
        book(engine, replace(held, raw=written, typed=held.raw, place=Place("b.csv", 1)), file="b.csv")
        assert rows(engine, "select raw from quarantine") == [(written,)]
    assert rows(engine, "select content, quarantined_at from quarantine") == before
    assert rows(engine, "select * from quarantine_versions") == []


def test_a_record_without_an_id_is_cleared_by_an_answer_that_covers_its_days(engine: Engine) -> None:
    week = Period(date(2026, 8, 3), date(2026, 8, 9))
    assert fetch(engine, broken(None), broken(None), days=week).quarantined == 1  # windows overlap
    fetch(engine, TRANSACTION, days=Period(date(2026, 8, 4), date(2026, 8, 31)))
    assert len(rows(engine, "select * from quarantine")) == 1
    fetch(engine, TRANSACTION)
    assert rows(engine, "select * from quarantine") == []


def test_nights_that_move_on_by_a_day_clear_a_record_without_an_id(engine: Engine) -> None:
    def night(number: int, *records: Transaction | Rejection) -> list[Any]:
        fetch(engine, *records, days=Period(date(2026, 8, number), date(2026, 8, number + 6)))
        return rows(engine, "select fetched_first, fetched_last from quarantine")

    dated = replace(broken(None), dated_at=datetime(2026, 8, 7, 23, 59, tzinfo=UTC))
    assert len(night(1, dated)) == 1
    assert len(night(2, dated)) == 1
    assert len(night(8)) == 1, "a week that begins after it tells nothing of it"
    assert night(7) == []
    # One whose day cannot be read is of the days that all answers with it have in common.
    for number in range(1, 7):
        assert night(number, broken(None)) == [(date(2026, 8, number), date(2026, 8, 7))]
    assert len(night(8)) == 1
    assert night(6, TRANSACTION) == []


def test_equal_rows_of_a_ledger_are_one_and_different_ones_are_all_quarantined(engine: Engine) -> None:
    again = replace(ENTRY, place=Place("a.csv", 3))
    assert counts(book(engine, ENTRY, again)) == (2, 1, 1, 0, 1, 0)
    other = replace(ENTRY, amount=Decimal(11), place=Place("a.csv", 4))
    assert counts(book(engine, ENTRY, again, other)) == (3, 0, 1, 2, 0, 0)
    assert [row[0] for row in rows(engine, "select row_number from quarantine order by 1")] == [2, 4]
    assert counts(book(engine, other)) == (1, 1, 0, 0, 0, 1)
    assert rows(engine, "select amount from entries") == [(Decimal(11),)]
    assert rows(engine, "select amount from entry_versions") == [(Decimal("10.00"),)]
    assert rows(engine, "select * from quarantine") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("paid", "PAID"), ("", "Paid"), ("", "paid"), ("Overdue", "overdue"), ("ÜBERFÄLLIG", "überfällig")],
)
def test_statuses_that_say_the_same_are_equal(engine: Engine, one: str, other: str) -> None:
    """Case does not matter and blank is paid: in one file, in whatever order, and in the next import."""
    held = []
    for first, second in ((one, other), (other, one)):
        twins = [
            replace(ENTRY, ledger_id=f"L{first}", status=status, place=Place("a.csv", row))
            for row, status in ((2, first), (3, second))
        ]
        assert counts(book(engine, *twins, file=f"{first}.csv")) == (2, 1, 1, 0, 1, 0)
        held += rows(engine, f"select status from entries where ledger_id = 'L{first}'")  # noqa: S608
        for number, status in enumerate((first, second, first.title())):
            again = replace(twins[0], status=status)
            loaded = book(engine, again, file=f"{first}-{number}.csv")
            assert (loaded.added, loaded.changed) == (0, 0)
    assert held[0] == held[1]
    assert rows(engine, "select * from entry_versions") == []
    assert book(engine, replace(twins[0], status="void")).changed == 1


def test_equal_rows_without_an_id_are_two_payments_and_leave_with_their_file(engine: Engine) -> None:
    twins = [broken(None, side=Side.LEDGER, row=row, file="a.csv") for row in (2, 3)]
    assert counts(book(engine, *twins)) == (2, 0, 0, 2, 0, 0)
    book(engine, ENTRY, file="b.csv")
    assert len(rows(engine, "select * from quarantine")) == 2
    book(engine, ENTRY, twins[0])
    assert len(rows(engine, "select * from quarantine")) == 1
    book(engine, ENTRY)
    assert rows(engine, "select * from quarantine") == []


def test_amounts_that_are_written_differently_are_equal(engine: Engine) -> None:
    book(engine, ENTRY)
    assert book(engine, replace(ENTRY, amount=Decimal("10.0000"))).changed == 0


def test_nothing_is_seen_of_what_was_only_staged(engine: Engine) -> None:
    with staging_tables(engine) as tables:
        tables.add([TRANSACTION], [], AUGUST)
    assert rows(engine, "select * from transactions") == []


def taken_in(
    engine: Engine,
    name: str,
    *records: Entry | Rejection,
    snapshot: bool = False,
    check: BatchCheck | None = None,
) -> Loaded:
    """One import of a file whose content is known by its name."""
    with staging_tables(engine) as tables:
        tables.add(
            [record for record in records if isinstance(record, Entry)],
            [record for record in records if isinstance(record, Rejection)],
        )
        timezone = "Asia/Kolkata" if snapshot else None
        return tables.take_in_entries(
            ["ap_1"], "default", name, sha256=name, snapshot_timezone=timezone, check=check
        )


def number_of(loaded: Loaded) -> int:
    assert loaded.import_id is not None
    return loaded.import_id


def held(engine: Engine) -> dict[str, int]:
    """The entries that count, with their amounts."""
    return dict(rows(engine, "select ledger_id, amount::int from entries where not withdrawn order by 1"))


def entry(ledger_id: str, amount: int, day: int = 3) -> Entry:
    return replace(ENTRY, ledger_id=ledger_id, amount=Decimal(amount), dated_on=date(2026, 8, day))


def test_the_same_file_under_another_name_is_the_import_of_before(engine: Engine) -> None:
    first = taken_in(engine, "a", entry("1", 10))
    other = taken_in(engine, "b", entry("2", 20))
    assert taken_in(engine, "a", entry("1", 10)) == dataclass_replace(first, added=0)
    assert number_of(other) == number_of(first) + 1
    assert rows(engine, "select count(*) from imports") == [(2,)]


def test_a_withdrawn_import_leaves_what_was_before_and_what_came_later(engine: Engine) -> None:
    taken_in(engine, "a", entry("1", 10), entry("2", 20), entry("3", 30))
    wrong = taken_in(engine, "b", entry("1", 11), entry("2", 22), entry("4", 44), entry("5", 55))
    taken_in(engine, "c", entry("2", 23), entry("5", 55))  # one changed once more, one confirmed
    done = withdraw(engine, number_of(wrong))
    assert (done.withdrawn, done.returned) == (1, 1)
    assert held(engine) == {"1": 10, "2": 23, "3": 30, "5": 55}
    with pytest.raises(UsageError, match="already"):
        withdraw(engine, number_of(wrong))
    # The same file again is a new import, and its entries live again.
    again = taken_in(engine, "b", entry("1", 11), entry("2", 22), entry("4", 44), entry("5", 55))
    assert number_of(again) > number_of(wrong)
    assert held(engine) == {"1": 11, "2": 22, "3": 30, "4": 44, "5": 55}


def test_imports_can_be_withdrawn_in_any_order(engine: Engine) -> None:
    first = taken_in(engine, "a", entry("1", 10), entry("2", 20))
    second = taken_in(engine, "b", entry("1", 11), entry("2", 20))
    third = taken_in(engine, "c", entry("1", 12))
    withdraw(engine, number_of(second))
    assert held(engine) == {"1": 12, "2": 20}
    withdraw(engine, number_of(third))
    assert held(engine) == {"1": 10, "2": 20}
    withdraw(engine, number_of(first))
    assert held(engine) == {}
    assert len(rows(engine, "select * from entries")) == 2


def test_an_entry_stays_while_a_later_import_says_the_same(engine: Engine) -> None:
    first = taken_in(engine, "a", entry("1", 10), entry("2", 20))
    second = taken_in(engine, "b", entry("1", 10))
    withdraw(engine, number_of(first))
    assert held(engine) == {"1": 10}
    withdraw(engine, number_of(second))
    assert held(engine) == {}


def test_a_snapshot_withdraws_what_it_lacks_of_its_days_and_can_be_undone(engine: Engine) -> None:
    taken_in(engine, "a", entry("1", 10, 3), entry("2", 20, 4), entry("3", 30, 5), entry("4", 40, 9))
    broken_row = broken("2", side=Side.LEDGER, row=3, file="b")
    snapshot = taken_in(engine, "b", entry("1", 10, 3), broken_row, entry("5", 50, 6), snapshot=True)
    assert (snapshot.added, snapshot.withdrawn) == (1, 1)
    # What is in quarantine is in the file; what lies on other days is not its business.
    assert held(engine) == {"1": 10, "2": 20, "4": 40, "5": 50}
    withdraw(engine, number_of(snapshot))
    assert held(engine) == {"1": 10, "2": 20, "3": 30, "4": 40}
    assert rows(engine, "select * from quarantine") == []


def test_a_withdrawn_entry_that_arrives_again_lives_again(engine: Engine) -> None:
    taken_in(engine, "a", entry("1", 10, 3), entry("2", 20, 4), entry("3", 30, 5))
    taken_in(engine, "b", entry("1", 10, 3), entry("3", 30, 5), snapshot=True)
    assert held(engine) == {"1": 10, "3": 30}
    assert taken_in(engine, "c", entry("2", 20, 4)).added == 1
    assert held(engine) == {"1": 10, "2": 20, "3": 30}


def test_what_a_wrong_import_let_out_of_quarantine_returns_to_it(engine: Engine) -> None:
    taken_in(engine, "a", broken("1", side=Side.LEDGER, file="a"))
    wrong = taken_in(engine, "b", entry("1", 10), broken("9", side=Side.LEDGER, file="b"))
    assert rows(engine, "select record_id from quarantine") == [("9",)]
    done = withdraw(engine, number_of(wrong))
    assert (done.released, done.restored) == (1, 1)
    assert rows(engine, "select record_id from quarantine") == [("1",)]
    assert held(engine) == {}


def test_of_a_load_that_is_refused_nothing_is_kept(engine: Engine) -> None:
    seen: list[Batch] = []

    def refuse(batch: Batch) -> tuple[str, ...]:
        seen.append(batch)
        raise InputRefused("no")

    taken_in(engine, "a", entry("1", 10, 3), entry("2", 20, 4), entry("3", 30, 5))
    with pytest.raises(InputRefused, match="no"):
        taken_in(engine, "b", entry("1", 11, 3), entry("3", 30, 5), snapshot=True, check=refuse)
    assert seen == [Batch(records=2, unusable=0, in_force=3, withdrawn=1)]
    assert held(engine) == {"1": 10, "2": 20, "3": 30}
    assert rows(engine, "select count(*) from imports") == [(1,)]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    files=st.lists(
        st.dictionaries(st.sampled_from("1234"), st.integers(1, 3), min_size=1), min_size=1, max_size=5
    ),
    order=st.randoms(use_true_random=False),
)
def test_after_withdrawals_the_last_import_that_counts_is_right(
    engine: Engine, files: list[dict[str, int]], order: random.Random
) -> None:
    """Whatever is withdrawn and when: an entry says what the last remaining import of it says."""
    with engine.begin() as connection:
        connection.execute(text("truncate entries, entry_versions, quarantine, loads, imports"))
    imports = {
        number_of(taken_in(engine, str(name), *[entry(*row) for row in file.items()])): file
        for name, file in enumerate(files)
    }
    for number in order.sample(sorted(imports), order.randint(0, len(imports))):
        withdraw(engine, number)
        del imports[number]
        wanted: dict[str, int] = {}
        for _, file in sorted(imports.items()):
            wanted |= file
        assert held(engine) == wanted
