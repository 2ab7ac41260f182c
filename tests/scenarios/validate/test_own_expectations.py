"""[[expect]] in reconcile.toml: what it keeps out is in quarantine.csv, on the page and in Data Docs; a wrong one is
refused in one line, and what cannot be evaluated is a failure."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.driver import Command, MakeCommand, Shop

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")

LONG = "123456789012345678901234567890"

SOUND = """
[[expect]]
name = "payment_allowed"
on = "transactions"
expectation = "ExpectColumnValuesToBeInSet"
column = "payment_method"
value_set = ["UPI", "CARD", "PAYPAL", "NETBANKING"]
weight = "warns"
why = "Nothing else is switched on in our shop."

[[expect]]
name = "order_number"
on = "entries"
expectation = "ExpectColumnValuesToMatchRegex"
column = "reference"
regex = '^(?!STRAY)'
weight = "quarantines"
why = "Our shop numbers its orders itself."

[[expect]]
name = "ceiling_in_yen"
on = "entries"
expectation = "ExpectColumnValuesToBeBetween"
column = "amount"
max_value = 123456789012345678901234567890
row_condition = 'col("currency") == "JPY"'
weight = "quarantines"
why = "Nothing dearer is sold."

[[expect]]
name = "ceiling_in_rupees"
on = "entries"
expectation = "ExpectColumnValuesToBeBetween"
column = "amount"
max_value = 99999999999.99
row_condition = 'col("currency") == "INR"'
weight = "quarantines"
why = "Nothing dearer is sold."
"""


def expecting(**keys: str) -> str:
    given = {"name": '"mine"', "on": '"entries"', "weight": '"quarantines"', "why": '"Since."'} | keys
    return "[[expect]]\n" + "".join(f"{key} = {value}\n" for key, value in given.items())


@pytest.fixture(scope="module")
def command(calm_shop: Shop, make_command: MakeCommand) -> Command:
    merchant, sandbox = calm_shop
    command = make_command(sandbox, RECONCILE_EXPECT_SECONDS="2")
    ledger = command.folder / "ledger.csv"
    merchant.write_ledger(ledger)
    header, *lines = ledger.read_text("utf-8").splitlines()
    names = header.split(",")

    def line(**values: str) -> str:
        text = io.StringIO()
        csv.writer(text).writerow([values.get(name, "") for name in names])
        return text.getvalue().strip()

    common = {"date": "2026-04-02", "currency": "INR", "status": "paid"}
    yen = common | {"currency": "JPY"}
    lines += [
        line(**common, ledger_id="X1", reference="STRAY-1", amount="10.00"),
        line(**common, ledger_id="X2", reference="DEAR-1", amount="99999999999.99"),
        line(**common, ledger_id="X3", reference="DEAR-2", amount="100000000000.00"),
        line(**yen, ledger_id="X5", reference="LONG-1", amount=LONG),
        line(**common, ledger_id="X4", reference="a" * 199 + "b" + "a" * 200, amount="1.00"),
    ]
    ledger.write_text("\n".join([header, *lines, ""]), "utf-8")
    (command.folder / "reconcile.toml").write_text(SOUND, "utf-8")
    command.good("run", *DAYS, "--ledger", "ledger.csv")
    return command


def test_the_rows_are_in_quarantine_with_place_field_value_and_reason(command: Command) -> None:
    rows = {json.loads(row["raw"])["ledger_id"]: row for row in command.latest().rows("quarantine")}
    assert set(rows) == {"X1", "X3"}
    assert {name: rows["X1"][name] for name in ("side", "file", "field", "value", "reason")} == {
        "side": "ledger",
        "file": "ledger.csv",
        "field": "reference",
        "value": "STRAY-1",
        "reason": "reference breaks order_number: Our shop numbers its orders itself.",
    }
    assert rows["X3"]["value"] in ("100000000000.00", "100000000000")
    text = (command.folder / "ledger.csv").read_text("utf-8").splitlines()
    assert "STRAY-1" in text[int(rows["X1"]["row"]) - 1]


def test_the_page_and_run_json_say_what_was_found_and_why(command: Command) -> None:
    latest = command.latest()
    page = (command.folder / "reports" / "latest" / "report.html").read_text("utf-8")
    assert f"{int(LONG):,}" in page, "at its ceiling, and to the last digit"
    for words in ("order_number", "Our shop numbers its orders itself.", "Nothing else is switched on"):
        assert words in page
    assert "A record without an id" in page, "why each expectation is there, also where it holds"
    (entries,) = [one for one in latest.document()["validation"] if one["suite"] == "entries"]
    found = {one["expectation"]: one for one in entries["failures"]}
    assert (found["order_number"]["weight"], found["order_number"]["count"]) == ("quarantines", 1)
    assert found["ceiling_in_rupees"]["count"] == 1


def test_data_docs_and_suites_show_real_columns(command: Command) -> None:
    done = command("validate", "--data-docs", "docs", "--suites", "suites")
    assert done.code == 0, done.err
    docs = command.folder / "docs"
    found = [path.read_text("utf-8") for path in (docs / "validations").rglob("*.html")]
    assert any("STRAY-1" in page for page in found), "the value that the expectation keeps out"
    assert "Our shop numbers its orders itself." in (docs / "expectations" / "entries.html").read_text(
        "utf-8"
    )
    suite = json.loads((command.folder / "suites" / "entries.json").read_text("utf-8"))
    kinds = {one["meta"]["name"]: (one["type"], one["severity"]) for one in suite["expectations"]}
    assert kinds["order_number"] == ("expect_column_values_to_match_regex", "warning")
    assert kinds["amount_fits_currency"] == ("expect_amounts_to_fit_their_currency", "warning")
    before = {path.name: path.read_bytes() for path in (command.folder / "suites").iterdir()}
    command.good("validate", "--suites", "suites")
    assert before == {path.name: path.read_bytes() for path in (command.folder / "suites").iterdir()}


WRONG = {
    "does not exist": (
        expecting(expectation='"ExpectNothing"', column='"amount"'),
        "no expectation ExpectNothing",
    ),
    "no such column": (
        expecting(expectation='"ExpectColumnValuesToNotBeNull"', column='"amnt"'),
        "entries have no column 'amnt'",
    ),
    "argument lacks": (
        expecting(expectation='"ExpectColumnValuesToBeInSet"', column='"amount"'),
        "value_set: field required",
    ),
    "argument too many": (
        expecting(expectation='"ExpectColumnValuesToNotBeNull"', column='"amount"', colour='"red"'),
        "colour: extra fields not permitted",
    ),
    "names no record": (
        expecting(expectation='"ExpectColumnMeanToBeBetween"', column='"amount"', min_value="1"),
        "names no record",
    ),
    "not a column's": (expecting(expectation='"ExpectTableRowCountToEqual"', value="1"), "about no column"),
    "more digits": (
        expecting(
            expectation='"ExpectColumnValuesToBeInSet"',
            column='"amount"',
            value_set="[12345678901234567890.12]",
        ),
        "more digits than",
    ),
    "bare SQL": (
        expecting(
            expectation='"ExpectColumnValuesToNotBeNull"', column='"amount"', row_condition='"true; drop"'
        ),
        "row_condition",
    ),
    "name taken": (
        expecting(name='"id_present"', expectation='"ExpectColumnValuesToNotBeNull"', column='"amount"'),
        "has this name already",
    ),
    "weight": (
        expecting(weight='"hurts"', expectation='"ExpectColumnValuesToNotBeNull"', column='"amount"'),
        "weight must be one of",
    ),
    "raises while evaluated": (
        expecting(expectation='"ExpectColumnValuesToMatchRegex"', column='"reference"', regex='"(("'),
        "invalid regular expression",
    ),
    "never ends": (
        expecting(
            expectation='"ExpectColumnValuesToMatchRegex"',
            column='"reference"',
            regex=r"'^(.+)(.+)(.+)(.+)\1\2\3\4$'",
        ),
        "took longer than 1 seconds",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_refused_with_its_name_and_what_is_wrong(command: Command, name: str) -> None:
    toml, says = WRONG[name]
    with replaced(command.folder / "reconcile.toml", toml):
        # It is tried among all others, then alone, each time to its limit.
        limit = {"RECONCILE_EXPECT_SECONDS": "1"} if name == "never ends" else {}
        done = command("ledger", "import", "ledger.csv", **limit)
    assert done.code == 2
    assert says in done.complaint
    assert "[[expect]]" in done.complaint
    assert ("mine" if "id_present" not in toml else "id_present") in done.complaint


def imports_and_finished_runs(command: Command) -> tuple[str, list[dict[str, Any]]]:
    """What was imported, and the runs but for those that failed."""
    runs = json.loads(command.good("runs", "--json").out)["runs"]
    return command.good("ledger", "list").out, [run for run in runs if run["state"] != "failed"]


@pytest.mark.parametrize(
    ("name", "on"), [("no such column", "entries"), ("raises while evaluated", "transactions")]
)
def test_every_command_refuses_a_wrong_one_and_leaves_nothing_half_done(
    command: Command, name: str, on: str
) -> None:
    toml, says = WRONG[name]
    toml, says = toml.replace('"entries"', f'"{on}"'), says.replace("entries", on)
    reports = sorted(path.name for path in (command.folder / "reports").iterdir())
    held = imports_and_finished_runs(command)
    with replaced(command.folder / "reconcile.toml", toml):
        for words in (("run", *DAYS, "--ledger", "ledger.csv"), ("fetch", *DAYS), ("validate",)):
            done = command(*words)
            assert (done.code, done.out) == (2, ""), words
            assert done.complaint.count("\n") <= 1
            assert "[[expect]] mine: " in done.complaint
            assert says in done.complaint
        doctor = command("doctor")
        assert doctor.code == 2
        assert says in doctor.out + doctor.err
        # Who only looks something up is not troubled, and pays for no Great Expectations.
        assert imports_and_finished_runs(command) == held
    assert sorted(path.name for path in (command.folder / "reports").iterdir()) == reports


def test_doctor_counts_those_that_can_be_evaluated(command: Command) -> None:
    assert "4 of your own, each can be evaluated" in command("doctor").out


def test_one_about_a_whole_column_says_what_was_found(command: Command) -> None:
    about = {"expectation": '"ExpectColumnMaxToBeBetween"', "column": '"amount"', "max_value": "500.5"}
    says = f"ledger.csv: amount: found {LONG}, where max_value is 500.5: Since"
    with replaced(command.folder / "reconcile.toml", expecting(weight='"blocks"', **about)):
        refused = command("ledger", "import", "ledger.csv")
        assert refused.code == 3
        assert f"[[expect]] mine: {says}: nothing of it is used" in refused.complaint
        done = command("validate")
        assert f"found {LONG}, where max_value is 500.5" in done.err
    toml = expecting(
        weight='"warns"',
        expectation='"ExpectColumnDistinctValuesToEqualSet"',
        column='"currency"',
        value_set='["EUR", "INR"]',
    )
    with replaced(command.folder / "reconcile.toml", toml):
        done = command("validate")
        assert "missing EUR, where value_set is EUR, INR: Since (mine)" in done.out


def test_one_that_every_record_breaks_blocks_and_says_so(command: Command) -> None:
    toml = expecting(
        expectation='"expect_column_values_to_match_regex"', column='"reference"', regex='"^NEVER"'
    )
    before = command.good("ledger", "list").out
    with replaced(command.folder / "reconcile.toml", toml):
        refused = command("ledger", "import", "ledger.csv")
        assert refused.code == 3
        assert "every one of" in refused.complaint
        assert "--allow mine" in refused.complaint
        assert command.good("ledger", "list").out == before


def test_one_that_blocks_can_be_allowed_by_name(command: Command) -> None:
    toml = expecting(
        weight='"blocks"',
        expectation='"ExpectColumnValuesToBeBetween"',
        column='"amount"',
        max_value="5000000",
    )
    with replaced(command.folder / "reconcile.toml", toml):
        refused = command("ledger", "import", "ledger.csv")
        assert refused.code == 3
        assert "[[expect]] mine: ledger.csv: 3 of" in refused.complaint
        command.good("ledger", "import", "ledger.csv", "--allow", "mine")
        assert command("ledger", "import", "ledger.csv", "--allow", "id_present").code == 2


class replaced:  # noqa: N801 - reads as a verb
    """A file with another content, for a while."""

    def __init__(self, path: Path, content: str) -> None:
        self.path, self.content, self.before = path, content, path.read_text("utf-8")

    def __enter__(self) -> None:
        self.path.write_text(self.content, "utf-8")

    def __exit__(self, *_: object) -> None:
        self.path.write_text(self.before, "utf-8")
