"""The table of bad ledgers: each has its outcome, down to the row and the reason.

`ledger inspect` says of each what an import does with it.
"""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.ledger.profile import Profile, read_profile
from reconcile.load.import_ledger import import_ledger
from reconcile.load.inspect_ledger import describe
from reconcile.settings import Settings
from reconcile.validate.validator import Validator
from tests.support import bad_ledgers
from tests.support.bad_ledgers import ALL, Bad
from tests.support.ledgers import context_of, made, open_ledger

SETTINGS = Settings(app_ids=("ap_1",))
MAKES = "An import makes of it: "


@pytest.fixture(scope="module")
def validator() -> Validator:
    """Great Expectations, once."""
    return Validator(SETTINGS.currencies)


def test_there_are_as_many_as_were_promised_and_the_kept_ones_are_as_made() -> None:
    assert len(ALL) >= 60
    kept = {name: bad.content for name, bad in ALL.items() if isinstance(bad.content, bytes)}
    there = {path.name: path for path in bad_ledgers.FOLDER.iterdir()}
    assert set(there) == set(kept), "run: python -m tests.support.bad_ledgers"
    # Parquet and zip name the library that wrote them, and its release may differ.
    for name, content in kept.items():
        if name.endswith((".csv", ".pdf")):
            assert there[name].read_bytes() == content, name


@pytest.mark.parametrize("name", ALL)
def test_outcome(
    name: str, tmp_path: Path, fresh_engine: Engine, database_url: str, validator: Validator
) -> None:
    bad = ALL[name]
    path = tmp_path / name
    path.write_bytes(bad.bytes)
    profile = read_profile(name, dict(bad.profile), Currencies())
    is_small = isinstance(bad.content, bytes)
    if bad.refused:
        with pytest.raises(InputRefused) as refused:
            list(open_ledger(path, profile=profile).rows())
        line = str(refused.value)
        assert bad.refused in line
        assert line.startswith(str(path))
        assert "\n" not in line
        assert len(line) < 500 + len(str(path))
        if is_small:
            inspected(database_url, path, profile)
        return
    ledger = open_ledger(path, profile=profile)
    done = import_ledger(context_of(fresh_engine, validator), ledger, profile)
    _check(bad, name, fresh_engine)
    assert (done.records, done.repeats, done.quarantined) == (bad.read, bad.repeats, len(bad.quarantined))
    assert done.passed_over == bad.passed_over
    assert done.records == done.entries + done.repeats + done.quarantined
    if is_small:
        counts = [line for line in inspected(database_url, path, profile) if line.startswith(MAKES)]
        assert counts == [made(done)]


def inspected(database_url: str, path: Path, profile: Profile) -> list[str]:
    """The lines of `ledger inspect`, or the one with which it refuses the file."""
    try:
        lines = list(describe(replace(SETTINGS, database_url=database_url), path, profile))
    except InputRefused as error:
        lines = [str(error)]
    assert lines
    assert all("\n" not in line for line in lines)
    return lines


def _check(bad: Bad, name: str, engine: Engine) -> None:
    with engine.connect() as connection:
        held = connection.execute(
            text("select row_number, reason, file from quarantine where source = :source"), {"source": name}
        ).all()
        amounts = connection.scalars(
            text("select amount from entries where source = :source order by amount"), {"source": name}
        ).all()
    assert {row.row_number for row in held} == set(bad.quarantined), held
    for row in held:
        assert bad.quarantined[row.row_number] in row.reason
        assert row.file.startswith(name)
    if bad.amounts:
        assert amounts == [Decimal(amount) for amount in bad.amounts]
