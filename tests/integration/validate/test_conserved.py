"""Whatever the expectations keep out, warn of or block: every row of a file is counted once, by `inspect` too."""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text

from reconcile.core.errors import InputRefused
from reconcile.ledger.profile import Profile
from reconcile.load.import_ledger import import_ledger
from reconcile.load.inspect_ledger import describe
from reconcile.settings import Expect, Settings
from reconcile.validate.validator import Validator
from tests.support.ledgers import context_of, open_ledger

COLUMNS = ("ledger_id", "reference", "amount", "date", "currency", "status", "transaction_id")
RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ExpectColumnValuesToMatchRegex", {"column": "reference", "regex": "^ORD-[0-9]{2}$"}),
    ("ExpectColumnValuesToBeBetween", {"column": "amount", "max_value": Decimal("500.5")}),
    ("ExpectColumnValuesToBeInSet", {"column": "amount", "value_set": [7, Decimal("0.1"), 500]}),
    ("ExpectColumnValuesToNotBeNull", {"column": "transaction_id", "row_condition": 'col("amount") < 0'}),
    ("ExpectColumnValuesToBeUnique", {"column": "reference"}),
    ("ExpectColumnValueLengthsToBeBetween", {"column": "reference", "max_value": 6}),
    ("ExpectColumnPairValuesToBeEqual", {"column_A": "reference", "column_B": "transaction_id"}),
)  # fmt: skip
WHOLE: tuple[str, dict[str, Any]] = ("ExpectColumnMaxToBeBetween", {"column": "amount", "max_value": 100000})


def ledger(chance: Random, size: int) -> list[list[str]]:
    """Rows of all kinds: sound, repeated, unreadable, of no currency, refunds, lines of totals, the header again."""
    rows: list[list[str]] = []
    for number in range(size):
        kind = chance.random()
        row = [
            f"L{number}",
            chance.choice(["ORD-12", "ORD-1", "x", "", f"ORD-{chance.randrange(10, 99)}"]),
            chance.choice(["7", "0.1", "0.10", "500", "500.51", "500.50", "-3", "1.234"]),
            "2026-08-02",
            chance.choice(["INR"] * 9 + ["XXX"]),
            chance.choice(["paid", "refunded", "odd"]),
            chance.choice(["tx_1", "ORD-12", ""]),
        ]
        if kind < 0.06 and rows:
            row = chance.choice(rows)
        elif kind < 0.09:
            row[2] = "seven"
        elif kind < 0.12:
            row[0] = ""
        elif kind < 0.15:
            row = list(COLUMNS)
        elif kind < 0.18:
            row = ["Total", "", "1", "", "", "", ""]
        rows.append(row)
    return rows


def expects(chance: Random) -> tuple[Expect, ...]:
    found = [
        Expect(
            f"rule_{number}", "entries", kind, chance.choice(["quarantines", "warns"]), "Since.", arguments
        )
        for number, (kind, arguments) in enumerate(chance.sample(RULES, 3))
    ]
    kind, arguments = chance.choice([*RULES, WHOLE])
    if chance.random() < 0.4:
        found.append(Expect("blocking", "entries", kind, "blocks", "Since.", arguments))
    return tuple(found)


@pytest.mark.parametrize("seed", range(24))
def test_every_row_is_counted_once(
    fresh_engine: Engine, database_url: str, tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    rows = ledger(chance, chance.choice([3, 40, 150]))
    path = tmp_path / "ledger.csv"
    path.write_text("\n".join(map(",".join, [list(COLUMNS), *rows, []])), "utf-8")
    profile = Profile(f"seed{seed}")
    settings = Settings(app_ids=("ap_1",), database_url=database_url, expects=expects(chance))
    validator = Validator.of(settings)
    held = text(
        "select (select count(*) from entries where source = :source),"
        " (select count(*) from quarantine where source = :source),"
        " (select count(*) from imports where source = :source)"
    )
    refused = ""
    try:
        done = import_ledger(context_of(fresh_engine, validator), open_ledger(path, profile=profile), profile)
    except InputRefused as error:
        refused = str(error)
    with fresh_engine.connect() as connection:
        entries, quarantined, imports = connection.execute(held, {"source": profile.name}).one()
    if refused:
        assert any(name in refused for name in ("blocking", "it blocks", "mostly_usable"))
        assert (entries, quarantined, imports) == (0, 0, 0)
        return
    assert done.records + done.passed_over == len(rows)
    assert done.records == done.entries + done.repeats + done.quarantined
    assert (entries, quarantined) == (done.entries, done.quarantined)
    if not any(one.expectation == "ExpectColumnValuesToBeUnique" for one in settings.expects):
        (said,) = [line for line in describe(settings, path, profile) if "An import makes of it" in line]
        assert said == (
            f"An import makes of it: {done.entries:,} {'entry' if done.entries == 1 else 'entries'}, "
            f"{done.repeats:,} repeated, "
            f"{done.quarantined:,} in quarantine, {done.passed_over:,} passed over."
        )


def test_the_seeds_above_make_some_of_each() -> None:
    weights = {one.weight for seed in range(24) for one in expects(Random(seed))}
    assert weights == {"quarantines", "warns", "blocks"}
