"""Each check of `sql/match/checks` can fail: what a run found is spoilt, and the check names the record."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, Engine, text

from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import PHASES, match, run_step
from reconcile.settings import Settings
from tests.support.arrivals import arrive, record_run
from tests.support.worlds import entry, tx

APPS = ("ap_1",)
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))

# One that is matched, one whose amount differs, one that is missing, a booking of two entries, two entries for one,
# one of which a part was given back in the ledger alone.
TRANSACTIONS = [tx(1, "A"), tx(2, "B"), tx(3, "C"), tx(4, "D", family="refunded"), tx(5, "E"), tx(6, "G")]
ENTRIES = [
    entry(1, "A"),
    entry(2, "B", amount="90"),
    entry(4, "D"),
    entry(5, "D", amount="-100"),
    entry(6, "E", amount="60"),
    entry(7, "E", amount="40"),
    entry(9, "G"),
    entry(10, "G", amount="-30"),
]
BROKEN = [entry(8, "F", currency="USD")]

# The stored number of a record.
NUMBER = """
create function pg_temp.n(id text) returns bigint language sql return (
    select number from transactions where transaction_id = id
    union all
    select number from entries where ledger_id = id
)
"""

SPOILT = {
    "no match and nothing found": (
        "delete from pairings where transaction_no = pg_temp.n('tx_1')",
        "every_record_placed",
        "tx_1",
    ),
    "a finding that is gone": (
        "delete from findings where number = pg_temp.n('tx_3')",
        "every_record_placed",
        "tx_3",
    ),
    "matched and found unmatched": (
        "insert into findings (app_id, side, number, aspect, kind)"
        " values ('ap_1', 'kspay', pg_temp.n('tx_1'), 'presence', 'MISSING_IN_LEDGER')",
        "every_record_placed",
        "tx_1",
    ),
    "a refund of a matched booking that is found unmatched": (
        "insert into findings (app_id, side, number, aspect, kind)"
        " values ('ap_1', 'ledger', pg_temp.n('L5'), 'presence', 'MISSING_IN_KSPAY')",
        "every_record_placed",
        "L5",
    ),
    "one record too many": (
        "update tally set records = records + 1 where side = 'kspay' and outcome = 'matched'",
        "totals_conserved",
        "period INR",
    ),
    "another amount": (
        "update tally set amount = amount + 0.01 where side = 'ledger' and outcome = 'matched'",
        "totals_conserved",
        "period INR",
    ),
    "another record in place of one": (
        "update tally set fingerprint = fingerprint # 1 where side = 'kspay' and outcome = 'matched'",
        "totals_conserved",
        "period INR",
    ),
    "a quarantined amount that the quarantine does not hold": (
        "update tally set amount = amount + 0.01 where side = 'ledger' and outcome = 'quarantined'",
        "totals_conserved",
        "period USD",
    ),
    "a bridge that leads elsewhere": (
        "update bridge set amount = amount + 0.01 where line = 'amounts'",
        "bridge_adds_up",
        "period INR",
    ),
    "a line of the bridge that is gone": (
        "delete from bridge where line = 'missing_in_ledger'",
        "bridge_adds_up",
        "period INR",
    ),
    "two outcomes of one record": (
        "insert into outcome select * from outcome where side = 'kspay' and outcome = 'unmatched'",
        "totals_conserved",
        "#",
    ),
    "in a second match": (
        "insert into pairings"
        " (app_id, transaction_no, entry_no, match_no, rule, stands_for_transaction, stands_for_entry, made_by)"
        " values ('ap_1', pg_temp.n('tx_1'), pg_temp.n('L2'), pg_temp.n('tx_2'), 'reference', false, false, 0)",
        "one_match",
        "tx_1",
    ),
    "two pairs that stand for one record": (
        "update pairings set stands_for_transaction = true where transaction_no = pg_temp.n('tx_5')",
        "one_match",
        "tx_5",
    ),
    "a pair with a record that is none": (
        "update pairings set entry_no = 1000000 where transaction_no = pg_temp.n('tx_1')",
        "every_record_placed",
        "L1",
    ),
    "a difference of which nothing is said": (
        "delete from findings where number = pg_temp.n('tx_2') and aspect = 'amount'",
        "matches_balance",
        "tx_2",
    ),
    "a refund of which nothing is said": (
        "delete from findings where kind = 'REFUND_MISMATCH'",
        "refunds_agree",
        "tx_6",
    ),
    "a refund of which something else is said": (
        "update findings set kind = 'STATUS_MISMATCH' where kind = 'REFUND_MISMATCH'",
        "refunds_agree",
        "tx_6",
    ),
    "refunds that agree, and are found to contradict": (
        "insert into findings (app_id, side, number, aspect, kind, match_no)"
        " select 'ap_1', 'kspay', n, 'status', 'REFUND_MISMATCH', n from pg_temp.n('tx_4') as n",
        "refunds_agree",
        "tx_4",
    ),
    "a refund that was another when it was matched": (
        "update entries set amount = -99 where number = pg_temp.n('L5')",
        "refunds_agree",
        "tx_4",
    ),
    "a sum that is another": (
        "update entries set amount = 41 where number = pg_temp.n('L7')",
        "matches_balance",
        "tx_5",
    ),
}


@pytest.fixture(scope="module")
def night(fresh_engine: Engine) -> Iterator[Connection]:
    """The records arrived and were matched; nothing of it is committed."""
    with fresh_engine.connect() as connection:
        arrive(connection, TRANSACTIONS, ENTRIES, APPS, datetime(2026, 9, 1, tzinfo=UTC), BROKEN)
        connection.execute(text("discard temp"))
        record_run(connection, "night", APPS, AUGUST, "running")
        match(connection, Settings(app_ids=APPS), "night", APPS, AUGUST, silent)
        connection.execute(text(NUMBER))
        yield connection
        connection.rollback()


@pytest.fixture
def matched(night: Connection) -> Iterator[Connection]:
    """The same, to be spoilt: afterwards all is as it was."""
    with night.begin_nested() as spoilt:
        yield night
        spoilt.rollback()


def found(connection: Connection) -> dict[str, list[str]]:
    """The records that each check names."""
    return {
        check: [row.record for row in connection.execute(text(read_sql(f"match/checks/{check}")))]
        for check in PHASES["checks"]
    }


def test_what_a_run_finds_passes_every_check(matched: Connection) -> None:
    assert not any(found(matched).values())


@pytest.mark.parametrize("what", SPOILT)
def test_a_check_names_what_was_spoilt(matched: Connection, what: str) -> None:
    statement, check, record = SPOILT[what]
    assert matched.execute(text(statement)).rowcount > 0
    assert any(named.startswith(record) for named in found(matched)[check])


def test_money_that_moved_is_never_excluded(matched: Connection) -> None:
    """A pair that no longer stands for its transaction, as nothing that a later night matches would show."""
    matched.execute(
        text("update pairings set stands_for_transaction = false where transaction_no = pg_temp.n('tx_1')")
    )
    matched.execute(
        text("drop table wrong, outcome, agreeing, not_agreeing, tally, summary, outside_match cascade")
    )
    run_step(matched, "discrepancies/outcomes")
    assert found(matched)["totals_conserved"] == ["tx_1"]
