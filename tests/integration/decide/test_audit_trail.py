"""The audit trail: it only grows, the database defends it, and doctor's look finds any tampering."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from reconcile.core.errors import CheckFailed
from reconcile.db.engine import open_store
from reconcile.decide import audit_trail
from reconcile.decide.audit_trail import Decision, DecisionSource, verify
from reconcile.settings import Settings

AWKWARD = 'tab\t "quoted" \\ \x01\x1f\x7f \u2028 ₹ 😀\nline'
FROM = DecisionSource("Asha Rao", "august ₹.csv", "ab" * 32)
RECORDS = [{"side": "kspay", "source": "kspay", "record_id": "tx_1", "facts": "F₹"}]


def decide(connection: Connection, *decisions: Decision) -> None:
    audit_trail.lock(connection)
    audit_trail.append(connection, decisions, FROM)


def one(
    discrepancy_id: str, decision: str | None = "accept", note: str | None = None, facts: str = "F"
) -> Decision:
    records = RECORDS if decision == "match" else None
    return Decision(discrepancy_id, "ap_1", "MISSING_IN_LEDGER", facts, decision, records, note)


THREE = (
    one("D-A", note=AWKWARD),
    one("D-B", "match"),
    replace(one("D-A", None, "only a note"), assignee=AWKWARD, due="2026-09-05"),
)


@pytest.fixture
def connection(fresh_engine: Engine) -> Iterator[Connection]:
    """A transaction that is taken back, so that every test begins with an empty trail."""
    with fresh_engine.connect() as connection:
        yield connection


def test_the_chain_fits_as_written_whatever_the_text(connection: Connection) -> None:
    decide(connection, *THREE)
    assert verify(connection) == 3
    rows = connection.execute(text("select * from decisions order by decision_id")).all()
    assert [row.decision_id for row in rows] == [1, 2, 3]
    assert rows[0].note == AWKWARD
    assert [row.previous_hash for row in rows] == ["", rows[0].hash, rows[1].hash]
    assert all(row.db_user and row.os_user and row.decided_at.tzinfo for row in rows)


@pytest.mark.parametrize(
    "statement",
    [
        "update decisions set note = 'x'",
        "update decisions set note = note where false",
        "delete from decisions",
        "delete from decisions where decision_id = 3",
        "truncate decisions",
        "truncate decisions, decision_head cascade",
        "insert into decisions select * from decisions on conflict (hash) do update set note = 'x'",
        "update decision_head set records = 0",
        "delete from decision_head",
        "insert into decision_head (only_one, records, hash) values (true, 9, 'x')",
        "merge into decisions using decision_head on true when matched then delete",
        "set session_replication_role = replica; delete from decisions",
    ],
)
def test_the_database_refuses_any_change(connection: Connection, statement: str) -> None:
    decide(connection, *THREE)
    with pytest.raises(DBAPIError), connection.begin_nested():
        connection.execute(text(statement))
    owner = text("select tableowner = current_user from pg_tables where tablename = 'decisions'")
    assert connection.scalar(owner)  # refused by the triggers, not for want of a right
    assert verify(connection) == 3


def test_number_time_user_and_hash_are_the_databases_own(connection: Connection) -> None:
    decide(connection, one("D-A"))
    connection.execute(
        text(
            "insert into decisions (decision_id, discrepancy_id, app_id, type, facts, decision, by_name, os_user,"
            " db_user, decided_at, file, file_sha256, previous_hash, hash) values"
            " (77, 'D-B', 'ap_1', 'T', 'F', 'ignore', 'B', 'o', 'forged', '2001-01-01', 'f', 's', 'forged', 'forged')"
        )
    )
    row = connection.execute(text("select * from decisions order by decision_id desc limit 1")).one()
    assert row.decision_id == 2
    assert row.db_user != "forged"
    assert row.decided_at.year > 2001
    assert verify(connection) == 2


@pytest.mark.parametrize(
    "bad",
    [
        one("D-A", "approve"),
        one("D-A", None),
        replace(one("D-A"), due="31/08/2026"),
        Decision("D-A", "ap_1", "T", "F", "match", None, None),
        Decision("D-A", "ap_1", "T", "F", "accept", RECORDS, None),
    ],
)
def test_a_record_that_makes_no_sense_is_refused_and_leaves_no_gap(
    connection: Connection, bad: Decision
) -> None:
    with pytest.raises(DBAPIError), connection.begin_nested():
        decide(connection, one("D-A"), bad)
    decide(connection, one("D-A"))
    assert verify(connection) == 1


TAMPERED = {
    "update decisions set note = 'x' where decision_id = 1": "record 1 (accept on D-A by Asha Rao",
    "update decisions set by_name = 'Somebody' where decision_id = 2": "record 2",
    "update decisions set decided_at = decided_at + interval '1 microsecond' where decision_id = 3": "record 3",
    "update decisions set records = '[]' where decision_id = 2": "record 2",
    "update decisions set assignee = 'x' where decision_id = 1": "record 1",
    "update decisions set due = '2026-09-06' where decision_id = 3": "record 3",
    "update decisions set decision = 'ignore' where decision_id = 1": "record 1",
    "delete from decisions where decision_id = 2": "record 2 is missing",
    "delete from decisions where decision_id = 3": "record 3 is missing, and there were 3",
    "delete from decisions": "record 1 is missing",
    "delete from decisions; update decision_head set records = 0, hash = ''": "record 1 is missing, and there were 3",
    "update decision_head set hash = 'x'": "the stored end of the chain",
}


def see(connection: Connection) -> None:
    """Let a run write down what it sees of the trail."""
    connection.execute(
        text(
            "insert into runs (run_id, command, apps, period_first, period_last, state, finished_at, report)"
            " values ('R-1', 'run', '{ap_1}', '2026-08-01', '2026-08-31', 'finished', now(), cast(:report as jsonb))"
        ),
        {"report": json.dumps({"decisions": audit_trail.last_record(connection)})},
    )


def tamper(connection: Connection, statement: str) -> None:
    """As somebody does who owns the tables, knows of the triggers, and hides what was done to them."""
    for table in ("decisions", "decision_head"):
        connection.execute(text(f"alter table {table} disable trigger user"))
    connection.execute(text(statement))
    connection.execute(text("alter table decisions enable always trigger chain"))
    for table in ("decisions", "decision_head"):
        connection.execute(text(f"alter table {table} enable always trigger defend"))


@pytest.mark.parametrize("statement", TAMPERED)
def test_tampering_is_found(connection: Connection, statement: str) -> None:
    decide(connection, *THREE)
    see(connection)
    assert verify(connection) == 3
    tamper(connection, statement)
    with pytest.raises(CheckFailed) as found:
        verify(connection)
    assert TAMPERED[statement] in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("alter table decisions disable trigger defend", "defend of decisions rests"),
        ("alter table decision_head enable trigger defend", "defend of decision_head rests"),
        ("drop trigger chain on decisions", "chain of decisions is gone"),
    ],
)
def test_a_trigger_that_does_not_fire_is_found(connection: Connection, statement: str, says: str) -> None:
    connection.execute(text(statement))
    with pytest.raises(CheckFailed, match=f"no longer protects the audit trail: {says}"):
        verify(connection)


def test_a_chain_written_anew_is_not_the_one_that_a_run_saw(connection: Connection) -> None:
    decide(connection, one("D-A", "write_off"))
    see(connection)
    tamper(connection, "delete from decisions; update decision_head set records = 0, hash = ''")
    decide(connection, one("D-A", "accept"))
    with pytest.raises(CheckFailed, match=r"record 1 .* is not the one that run R-1 saw"):
        verify(connection)


def test_the_newest_decision_and_the_newest_note_count(connection: Connection) -> None:
    decide(connection, one("D-A", "accept", "first"), one("D-B", None, "why?"))
    decide(connection, one("D-A", "write_off", facts="G"), one("D-A", None, "later"), one("D-C"))
    decide(connection, one("D-C", "reopen"))
    rows = connection.execute(
        text("select discrepancy_id, decision, facts, note, by_name from decisions_in_force order by 1")
    ).all()
    assert [tuple(row) for row in rows] == [
        ("D-A", "write_off", "G", "later", "Asha Rao"),
        ("D-B", None, None, "why?", None),
        ("D-C", "reopen", "F", None, "Asha Rao"),
    ]


def test_two_that_add_at_once_take_turns(make_database: Callable[[], str]) -> None:
    with open_store(Settings(database_url=make_database())) as engine:

        def add(number: int) -> None:
            with engine.begin() as connection:
                decide(connection, *(one(f"D-{number}-{again}") for again in range(5)))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, range(8)))
        with engine.connect() as connection:
            assert verify(connection) == 40
            last = text(
                "select max(decision_id) - min(decision_id) from decisions group by split_part(discrepancy_id, '-', 2)"
            )
            assert connection.execute(last).scalars().all() == [4] * 8
