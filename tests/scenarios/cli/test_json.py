"""Every command that shows something prints one JSON document with --json, and nothing else on standard output."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from reconcile.cli.main import cli
from tests.support.driver import Command, MakeCommand, Shop

WITHOUT = {("sandbox",), ("metrics",), ("backup",), ("init",), ("serve",)}
"""These show nothing, or have a format of their own."""


def commands(
    group: click.Group, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield (*before, name), command


def test_every_command_that_shows_something_has_it() -> None:
    without = {
        words
        for words, command in commands(cli)
        if not any("--json" in option.opts for option in command.params)
    }
    assert without == WITHOUT


@pytest.fixture(scope="module")
def command(small_shop: Shop, make_command: MakeCommand) -> Command:
    """The small shop, reconciled once."""
    merchant, sandbox = small_shop
    command = make_command(sandbox)
    merchant.write_ledger(command.folder / "ledger.csv")
    command.good("run", *days(small_shop), "--ledger", "ledger.csv")
    return command


def days(shop: Shop) -> tuple[str, ...]:
    return "--from", str(shop[0].first_day), "--to", str(shop[0].last_day)


def document(command: Command, *words: str | Path, code: int = 0) -> Any:
    outcome = command(*words, "--json")
    assert outcome.code == code, outcome
    return json.loads(outcome.out)


def test_what_ran_and_what_was_read(command: Command, small_shop: Shop) -> None:
    (run,) = document(command, "runs")["runs"]
    shown = document(command, "show", "latest", "--verify")
    assert shown["run_id"] == run["run_id"]
    assert shown["report"]["discrepancies"] == run["discrepancies"]
    assert (run["state"], run["finished_at"][-1], shown["verified"] > 0) == ("finished", "Z", True)
    assert {window["proof"] for window in shown["windows"]} - {""}
    (one,) = document(command, "ledger", "list")["imports"]
    assert (one["file"], one["withdrawn_at"]) == ("ledger.csv", None)
    assert document(command, "ledger") == {"imports": [one]}
    before = command("ledger", "--json", "list")
    says = "reconcile: --json belongs after the command: reconcile ledger list --json"
    assert (before.code, before.out, before.complaint) == (2, "", says)
    (again,) = document(command, "ledger", "import", "ledger.csv")["imports"]
    assert (again["import_id"], again["added"], again["changed"]) == (one["import_id"], 0, 0)
    assert document(command, "ledger", "inspect", "ledger.csv")["lines"]
    (fetched,) = document(command, "fetch", *days(small_shop))["fetched"]
    assert (fetched["added"], fetched["warnings"]) == (0, [])
    assert document(command, "quarantine")["count"] == len(document(command, "quarantine")["records"])
    assert all(suite["suite"] for suite in document(command, "validate")["suites"])
    files = document(command, "report", "latest")["files"]
    assert "report.html" in {Path(file).name for file in files}
    month = str(small_shop[0].last_day)[:7]
    statement = document(command, "report", "--period", month)["statement"]
    assert (statement["month"], bool(statement["lines"])) == (month, True)
    checks = document(command, "doctor")
    assert {check["exit_code"] for check in checks["checks"]} == {checks["exit_code"]} == {0}
    quick = document(command, "doctor", "--quick")
    assert {check["subject"] for check in checks["checks"]} - {
        check["subject"] for check in quick["checks"]
    } == {"decisions", "closed months", "totals"}


def test_progress_and_errors_as_json_lines(command: Command, small_shop: Shop) -> None:
    def told(err: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in err.splitlines()]
        assert all(line.pop("time").endswith("Z") for line in lines)
        return lines

    fetched = told(command.good("fetch", *days(small_shop), RECONCILE_LOG="json").err)
    assert {(line["level"], line["stage"]) for line in fetched} == {("info", "fetch")}
    assert all(line["message"] for line in fetched)
    (wrong,) = told(command("runs", "--limit", "many", RECONCILE_LOG="json").err)
    assert (wrong["level"], wrong["exit_code"]) == ("error", 2)
    assert wrong["message"].startswith("runs: Invalid value for '--limit'")
    bad = save(command.folder / "refused.csv", [rows(command)[0] | {"resolution": "acept"}])
    toml = command.folder / "reconcile.toml"
    toml.write_text("RECONCILE_LOG = 'json'\n", "utf-8")
    refused = command("--debug", "resolve", bad, "--by", "Asha Rao")
    toml.unlink()
    row, last = told(refused.err)
    assert (row["level"], "'acept' is not a decision" in row["message"]) == ("error", True)
    assert (last["exit_code"], "RowsRefused" in last["traceback"]) == (3, True)
    # What fails before there is a run is among the runs all the same.
    nowhere = command("run", *days(small_shop), "--ledger", "nowhere.csv").complaint
    assert document(command, "runs")["runs"][0]["error"] == nowhere.removeprefix("reconcile: ")
    unknown = command("runs", RECONCILE_LOG="xml").complaint
    assert unknown == "reconcile: RECONCILE_LOG: 'xml' is not one of text, json"


def rows(command: Command) -> list[dict[str, str]]:
    return command.latest().rows("discrepancies")


def save(path: Path, chosen: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(chosen[0]))
        writer.writeheader()
        writer.writerows(chosen)
    return path


def test_decisions_refused_tried_and_taken(command: Command) -> None:
    found = rows(command)
    first, other = found[:2]
    bad = save(command.folder / "bad.csv", [other | {"resolution": "acept"}])
    told = document(command, "resolve", bad, "--by", "Asha Rao", code=3)
    ((row, named, reason),) = [(one["row"], one["discrepancy_id"], one["reason"]) for one in told["refused"]]
    assert (row, named, told["decisions"]) == (2, other["discrepancy_id"], 0)
    assert "'acept' is not a decision" in reason

    good = save(
        command.folder / "good.csv",
        [first | {"resolution": "accept"}, other | {"resolution": "ignore", "note": "ours"}],
    )
    tried = document(command, "resolve", good, "--by", "Asha Rao", "--dry-run")
    assert (tried["dry_run"], tried["decisions"], tried["refused"]) == (True, 2, [])
    assert {change["decision"] for change in tried["changes"]} == {"accept", "ignore"}
    assert tried["warnings"] == []
    taken = document(command, "resolve", good, "--by", "Asha Rao")
    assert taken == tried | {"dry_run": False}, "a dry run writes nothing"
    again = document(command, "resolve", good, "--by", "Asha Rao")
    assert (again["decisions"], again["unchanged"], again["by"]) == (0, 2, "Asha Rao")
