"""A folder that cannot be written is one line and exit code 2, before any work."""

import pytest

from tests.support.driver import Command, MakeCommand, Shop


@pytest.fixture(scope="module")
def command(calm_shop: Shop, make_command: MakeCommand) -> Command:
    """The calm shop, which nobody has reconciled, beside a file where folders are looked for."""
    command = make_command(calm_shop[1])
    (command.folder / "taken").touch()
    return command


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("validate", "--suites", "taken/dd"), "taken/dd"),
        (("validate", "--data-docs", "taken/dd"), "taken/dd"),
        (("validate", "--suites", "locked"), "locked"),
        (("validate", "--data-docs", "locked"), "locked"),
        (("metrics", "--textfile", "locked/m.prom"), "--textfile locked/m.prom"),
        (("sandbox", "--port", "0", "--ledger", "locked/l.csv"), "locked/l.csv"),
        (("backup", "locked/b.dump"), "locked/b.dump"),
    ],
)
def test_a_folder_that_cannot_be_written(command: Command, words: tuple[str, ...], what: str) -> None:
    locked = any(word.startswith("locked") for word in words)
    outcome = command.on_disk("locked", *words, options="ro") if locked else command(*words)
    if outcome is not None:
        reason = "Read-only file system" if locked else "Not a directory"
        says = f"reconcile: {what} cannot be written: {reason}\n"
        assert (outcome.code, outcome.out, outcome.err) == (2, "", says)


def test_the_demo(make_command: MakeCommand) -> None:
    command = make_command(embedded=True)
    outcome = command.on_disk("reports", "demo", options="ro")
    if outcome is not None:
        says = "reconcile: reports/demo cannot be written: Read-only file system\n"
        assert (outcome.code, outcome.out, outcome.err) == (2, "", says)
    (command.folder / "reports").rmdir()
    (command.folder / "reports").touch()
    outcome = command("demo")
    says = "reconcile: reports/demo cannot be written: Not a directory\n"
    assert (outcome.code, outcome.out, outcome.err) == (2, "", says)
    assert not command.home.exists()
