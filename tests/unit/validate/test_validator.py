"""What a validation is, and how Great Expectations is imported: quietly, and by nobody who does not ask it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reconcile.core.errors import CheckFailed
from reconcile.core.money import Currencies
from reconcile.validate.dataset_rules import validate_batch
from reconcile.validate.great_expectations import GreatExpectations
from reconcile.validate.rules import Batch, Failure, Rule, Validation, Weight
from reconcile.validate.validator import Validator


def test_validations_add_up_in_any_order() -> None:
    failure = Failure
    one = Validation("entries", 3, 2, 10, 1, (failure("currency_known", Weight.QUARANTINES, 1),))
    two = Validation(
        "entries",
        3,
        1,
        5,
        2,
        (failure("a", Weight.WARNS, 4), failure("currency_known", Weight.QUARANTINES, 2)),
    )
    none = Validation("entries", 0, 0, 0, 0, ())
    assert one + two == two + one
    assert one + none == one == none + one
    assert (one + two).successful == 1
    assert [found.count for found in (one + two).failures] == [4, 3]


@pytest.mark.parametrize("value", [None, "x"])
def test_a_whole_that_was_not_looked_at_is_no_success(value: object) -> None:
    whole = Rule(
        "most", Weight.WARNS, "ExpectColumnValuesToBeBetween", {"column": "percent", "max_value": 50}, "So."
    )
    validator = Validator(Currencies())
    with pytest.raises(CheckFailed, match="most was not evaluated"):
        validator.validate_subjects("entries", "batch", [whole], [("it", {"percent": value}, {})])
    with pytest.raises(CheckFailed, match="most was not evaluated"):
        validator.validate_subjects("entries", "batch", [whole], [("it", {"other": 1}, {})])
    with pytest.raises(CheckFailed, match="without expectations"):
        validator.validate_subjects("entries", "batch", [], [("it", {"percent": 1}, {})])


def test_a_rule_that_is_about_no_subject_is_fulfilled_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    ask = GreatExpectations.on_frame

    def on_frame(library: GreatExpectations, name: str, rules: Sequence[Rule], columns: Any) -> Any:
        asked.append(tuple(rule.name for rule in rules))
        return ask(library, name, rules, columns)

    monkeypatch.setattr(GreatExpectations, "on_frame", on_frame)
    validator = Validator(Currencies())
    for batch in (Batch(99, 99, 99, 99), Batch(100, 0, 99, 99), Batch(100, 0, 100, 0)):
        assert validate_batch(validator, "entries", "a.csv", batch) == ()
    assert asked == [("mostly_usable",), ("mostly_usable", "snapshot_keeps_most")]
    [said] = [one for one in validator.summary() if one["suite"] == "entries"]
    assert (said["evaluated"], said["successful"]) == (2, 2)


QUIET = """
import sys
from pathlib import Path

calls = []

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen"):
        calls.append((event, str(args)))

sys.addaudithook(watch)
from reconcile.validate.library import preload
from reconcile.validate.validator import Validator
assert "great_expectations" not in sys.modules, "imported before it was asked for"
from reconcile.core.money import Currencies
from reconcile.validate.dataset_rules import validate_batch
from reconcile.validate.rules import Batch
preload()
validator = Validator(Currencies())
assert validate_batch(validator, "entries", "a.csv", Batch(100, 0, 0, 0)) == ()
print(calls)
"""


def test_it_calls_nobody_writes_nothing_and_prints_nothing(tmp_path: Path) -> None:
    home, work, temporary = (tmp_path / name for name in ("home", "work", "temporary"))
    for folder in (home, work, temporary):
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", QUIET],
        cwd=work,
        env={
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[]"
    assert [path for folder in (home, work, temporary) for path in folder.rglob("*")] == []


def test_a_command_that_ends_during_the_import_ends_quietly(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from reconcile.validate.library import preload; preload().join(0.5)",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
