"""Rows that share a `ledger_id`: equal ones are one, different ones are all quarantined. `ledger inspect` asks the same
statements as an import, and must say the same of each row."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from reconcile.core.records import Entry, Place, Rejection, Side
from reconcile.core.rejections import rejection
from reconcile.load.staging_tables import Preview, staging_tables

_SOURCES = count(1)

_FACTS = st.fixed_dictionaries(
    {
        "app_id": st.sampled_from(("ap_1", "ap_1", "ap_2")),
        "ledger_id": st.sampled_from(("L1", "L1", "l1", "L2", "Ä", "L3 ")),
        "reference": st.sampled_from((None, "O1", "o1")),
        "currency": st.sampled_from(("INR", "USD")),
        "amount": st.sampled_from((Decimal("5"), Decimal("5.00"), Decimal("-5"), Decimal("6"))),
        "status": st.sampled_from(("", "paid", "PAID", "Pa id", "written off", "Written-Off", "written_off", "void")),
        "when": st.sampled_from(
            (date(2026, 8, 1), date(2026, 8, 2), datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 8, 1, 1, tzinfo=UTC))
        ),
        "description": st.sampled_from((None, "x", "x ", "y")),
    }
)  # fmt: skip
_BROKEN = st.fixed_dictionaries(
    {
        "app_id": st.sampled_from(("ap_1", "ap_2")),
        "ledger_id": st.sampled_from((None, "L1", "L2")),
        "raw": st.sampled_from(("a", "b")),
        "typed": st.sampled_from((None, None, "t")),
    }
)


def entry(number: int, source: str, facts: dict[str, Any]) -> Entry:
    when = facts["when"]
    at = when if isinstance(when, datetime) else None
    return Entry(
        app_id=facts["app_id"], source=source, ledger_id=facts["ledger_id"],
        reference=facts["reference"], currency=facts["currency"], amount=facts["amount"],
        status=facts["status"], dated_on=None if at else when, dated_at=at, transaction_id=None,
        provider_order_id=None, provider_txn_id=None, description=facts["description"],
        place=Place("same.csv", number),
    )  # fmt: skip


def broken(number: int, source: str, facts: dict[str, Any]) -> Rejection:
    return rejection(
        [("amount", facts["raw"], "is not a number")],
        side=Side.LEDGER,
        app_id=facts["app_id"],
        source=source,
        record_id=facts["ledger_id"],
        place=Place("same.csv", number),
        record=facts["raw"],
        typed=facts["typed"],
    )


def previewed(engine: Engine, entries: Sequence[Entry], refused: Sequence[Rejection] = ()) -> Preview:
    with staging_tables(engine) as tables:
        tables.add(entries, refused)
        return tables.preview_entries(["same.csv"], 99, lambda _: ())


@given(rows=st.lists(st.one_of(_FACTS, _FACTS, _FACTS, _BROKEN), max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_inspect_says_what_an_import_does_of_each_row(
    fresh_engine: Engine, rows: Sequence[dict[str, Any]]
) -> None:
    source = f"same {next(_SOURCES)}"
    entries = [entry(number, source, row) for number, row in enumerate(rows, 2) if "when" in row]
    refused = [broken(number, source, row) for number, row in enumerate(rows, 2) if "when" not in row]
    counts = previewed(fresh_engine, entries, refused)
    with staging_tables(fresh_engine) as tables:
        tables.add(entries, refused)
        loaded = tables.take_in_entries(("ap_1", "ap_2"), source, "same.csv", sha256=source)
    assert (loaded.read, loaded.usable, loaded.repeats, loaded.quarantined) == (
        counts.read, counts.usable, counts.repeats, counts.quarantined,
    )  # fmt: skip
    with fresh_engine.connect() as connection:
        held = connection.execute(
            text("select row_number, reason from quarantine where source = :source"), {"source": source}
        ).all()
        there = connection.scalars(
            text("select ledger_id from entries where source = :source"), {"source": source}
        ).all()
    told = {(one.row_number, one.reason) for one in counts.rejections}
    # Of rows that are broken alike the quarantine holds one; inspect shows each.
    assert set(map(tuple, held)) <= told
    assert {reason for _, reason in held} == {reason for _, reason in told}
    assert sorted(there) == sorted(one.ledger_id for one in counts.entries)


def test_the_rule_covers_every_fact_of_an_entry(fresh_engine: Engine) -> None:
    """A new column of entries must take part: two rows that differ in any fact but status are not equal."""
    base = {
        "app_id": "ap_1", "ledger_id": "L1", "reference": "O1", "currency": "INR", "amount": Decimal(5),
        "status": "", "when": date(2026, 8, 1), "description": "x",
    }  # fmt: skip
    first = entry(2, "s", base)
    for name in Entry.__struct_fields__:
        if name in ("app_id", "source", "ledger_id", "place", "comparable"):
            continue
        other = {
            "amount": Decimal(6),
            "dated_on": date(2026, 8, 2),
            "dated_at": datetime(2026, 8, 2, tzinfo=UTC),
        }
        second = type(first)(
            **{one: getattr(first, one) for one in Entry.__struct_fields__ if one != "comparable"}
            | ({"dated_on": None} if name == "dated_at" else {})
            | {name: other.get(name, "void")}
        )
        assert previewed(fresh_engine, [first, second]).quarantined == 2, name


@pytest.mark.parametrize("status", ["paid", "PAID", ""])
def test_a_blank_status_is_paid(fresh_engine: Engine, status: str) -> None:
    rows = [
        entry(number, "s", {
            "app_id": "ap_1", "ledger_id": "L1", "reference": None, "currency": "INR", "amount": Decimal(5),
            "status": one, "when": date(2026, 8, 1), "description": None,
        })
        for number, one in enumerate(("", status))
    ]  # fmt: skip
    counts = previewed(fresh_engine, rows)
    assert (counts.usable, counts.repeats) == (1, 1)
