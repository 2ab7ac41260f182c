"""Migrations that a released version has are never changed: databases rest on them."""

from tests.support.archive import archived, migrations, shipped


def test_what_was_shipped_stays_as_it_was() -> None:
    now = migrations()
    changed = [name for name, sha256 in shipped().items() if now.get(name) != sha256]
    assert not changed, "databases in the field rest on these files: undo the change, and add a migration"


def test_a_new_migration_comes_after_those_that_were_shipped() -> None:
    assert list(migrations())[: len(shipped())] == list(shipped())


def test_each_archived_database_is_of_a_shipped_version() -> None:
    """And the newest of these is there. `python -m tests.support.archive` adds it."""
    names = [folder.name for folder in archived()]
    assert set(names) <= set(shipped())
    assert names[-1:] == list(shipped())[-1:]
