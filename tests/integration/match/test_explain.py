"""`reconcile explain`: the story of a record, for every way in which a rule takes it, or in which it loses."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from reconcile.core.dialect import Dialect
from reconcile.core.errors import UsageError
from reconcile.match.explain import Explanation, explain
from reconcile.report.columns import DISCREPANCIES
from reconcile.report.csv_files import write_csv
from reconcile.report.explain_text import explain_lines
from tests.support.desk import Desk
from tests.support.driver import MakeCommand
from tests.support.worlds import entry, tx

FAMILY = "family: paid with cancelled disagrees, paid with paid agrees"


@dataclass(frozen=True)
class Told:
    """The desk after two nights, and what it tells of a record."""

    desk: Desk

    @cache  # noqa: B019 - there is one, and it ends with the module
    def story(self, named: str) -> Explanation:
        (story,) = explain(self.desk.engine, self.desk.settings, named)
        return story

    def text(self, named: str) -> str:
        return "\n".join(explain_lines(self.story(named), self.desk.settings.currencies))

    def why(self, named: str, other: str) -> str:
        """What came of a record and another that shares a key with it."""
        (one,) = [one for one in self.story(named)["candidates"] if one["record"] == other]
        return str(one["why"])


@pytest.fixture(scope="module")
def told(fresh_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Told:
    desk = Desk(fresh_engine, tmp_path_factory.mktemp("desk"))
    with fresh_engine.begin() as connection:
        connection.execute(
            text(
                "insert into quarantine (app_id, side, source, record_id, content, file, row_number, field, value,"
                " reason, raw) values ('ap_1', 'ledger', 'default', 'L99', 'x', 'august.csv', 7, 'amount', 'abc',"
                " 'is not a number', '{}')"
            )
        )
    desk.night(
        [
            tx(11, "family"),
            tx(21, "amount"),
            tx(31, "date"),
            tx(41, "id"),
            tx(42, "id"),
            tx(51, "split"),
            tx(61, None, order="order_6"),
            tx(71, "INV-7"),
            tx(81, None, "801"),
            tx(91, None, "777"),
            tx(101, "M1", "31"),
            tx(111, "late", family="failed"),
            tx(112, "late"),
            tx(121, "CASH", "12"),
            tx(131, "changes"),
            tx(141, "alone", family="failed"),
            tx(151, None, "55.5", day=8),
            tx(171, "parted", "171"),
            tx(181, None, "5", order="order_18"),
            tx(191, "currency", "5"),
            tx(201, "thirds", "1000"),
            tx(211, "halves", "100"),
        ],
        [
            entry(11, "family", family="cancelled"),
            entry(12, "family"),
            entry(21, "amount", "90"),
            entry(22, "amount", "99"),
            entry(31, "date", day=12),
            entry(32, "date", day=11),
            entry(41, "id"),
            entry(51, "split", "60"),
            entry(52, "split", "40"),
            entry(61, None, "90", order="order_6"),
            entry(71, "inv 7"),
            entry(81, None, "801", names="tx_81"),
            entry(81, None, "802", source="tally"),
            entry(91, None, "777", day=11),
            entry(101, "M2", "30"),
            entry(111, "late"),
            entry(131, "changes"),
            entry(151, None, "55.5", day=9),
            entry(152, None, "55.5", day=10),
            entry(161, "sale", "70"),
            entry(162, "sale", "-70", day=12),
            entry(171, "parted", "171"),
            entry(181, None, "5", currency="USD", order="order_18"),
            entry(182, None, "9", order="order_18"),
            entry(191, "currency", "5", currency="USD"),
            entry(192, "currency", "9"),
            *(entry(200 + number, "thirds", "333.33") for number in (1, 2, 3)),
            entry(211, "halves", "50"),
            entry(212, "halves", "20"),
            *(entry(1000 + number, "CASH", "12") for number in range(501)),
        ],
    )
    rows = {row["transaction_id"]: row for row in desk.rows if row["transaction_id"]}
    desk.resolve(rows["tx_101"] | {"resolution": "match:L101", "note": "same customer"})
    desk.night([], [entry(131, "changes", "97"), entry(171, "elsewhere", "17")])
    return Told(desk)


@pytest.mark.parametrize(
    ("named", "other", "why"),
    [
        ("L11", "tx_11", f"went to default:L12 in reference (phase 1), by {FAMILY}"),
        ("tx_11", "default:L11", f"lost to default:L12 in reference (phase 1), by {FAMILY}"),
        (
            "tx_21",
            "default:L21",
            "lost to default:L22 in reference_differs (phase 1), by amount: 10 apart here, 1 there",
        ),
        (
            "tx_31",
            "default:L31",
            "lost to default:L32 in reference (phase 1), by date: 2 days apart here, 1 day there",
        ),
        (
            "tx_42",
            "default:L41",
            "went to tx_41 in reference (phase 1), by id: alike in all else, and tx_41 comes before tx_42",
        ),
        # Another currency is of account in reference_differs alone.
        (
            "tx_181",
            "default:L182",
            "lost to default:L181 in provider_id (phase 1), by amount: 4 apart here, 0 there",
        ),
        (
            "tx_191",
            "default:L191",
            "lost to default:L192 in reference_differs (phase 1), by currency: INR and USD differ here, "
            "and agree there",
        ),
        ("tx_111", "default:L111", "was matched with tx_112 before, by reference (phase 1)"),
    ],
)
def test_what_a_record_lost_to_and_why(told: Told, named: str, other: str, why: str) -> None:
    assert told.why(named, other) == why


@pytest.mark.parametrize(
    ("named", "rule", "mates"),
    [
        ("tx_81", "transaction_id", ["default:L81"]),
        ("tx_31", "reference", ["default:L32"]),
        ("tx_51", "reference_split", ["default:L51", "default:L52"]),
        ("L52", "reference_split", ["tx_51"]),
        ("tx_61", "provider_id", ["default:L61"]),
        ("tx_71", "reference_normalised", ["default:L71"]),
        ("tx_21", "reference_differs", ["default:L22"]),
        ("tx_101", "manual", ["default:L101"]),
        ("L101", "manual", ["tx_101"]),
    ],
)
def test_the_pass_that_took_a_record(told: Told, named: str, rule: str, mates: list[str]) -> None:
    story = told.story(named)
    assert (story["passes"][-1]["rule"], story["passes"][-1]["taken_with"]) == (rule, mates)
    assert {pair["rule"] for pair in story["pairings"] if pair["stands"]} == {rule}
    assert story["agrees"] is True
    assert f"{rule}: matched with {' and '.join(mates)}" in told.text(named)


def test_a_sum_that_a_split_looked_at(told: Told) -> None:
    said = told.text("tx_51")
    assert "left of the reference split: 1 of KS Pay, 100.00 INR; 2 of the ledger, 100.00 INR" in said


def test_a_sum_that_misses_by_little(told: Told) -> None:
    said = told.text("tx_201")
    assert (
        "reference_differs: matched with default:L201 and default:L202 and default:L203\n"
        "    left of the reference thirds: 1 of KS Pay, 1,000.00 INR; 3 of the ledger, 999.99 INR; they miss each "
        "other by 0.01 INR (0.001 %), the nearest part alone misses it by 666.67 INR"
    ) in said
    added_up = "matched with it by reference_differs: 3 entries add up to 999.99, 0.01 less than 1000"
    assert told.why("tx_201", "default:L202") == told.why("L202", "tx_201") == added_up
    assert told.why("tx_51", "default:L51") == "matched with it by reference_split: 2 entries add up to 100"


def test_a_sum_that_misses_by_too_much(told: Told) -> None:
    assert (
        "left of the reference halves: 1 of KS Pay, 100.00 INR; 2 of the ledger, 70.00 INR; they miss each other by "
        "30.00 INR (30 %), the nearest part alone misses it by 50.00 INR"
    ) in told.text("L212")


def test_a_suggestion_and_one_that_is_none(told: Told) -> None:
    assert (
        "default:L91: equal amount and currency, 1 day apart; each is the other's only candidate"
        in told.text("tx_91")
    )
    assert "tx_91: equal amount and currency, 1 day apart; each is the other's" in told.text("L91")
    assert "default:L151: equal amount and currency, 1 day apart; not suggested" in told.text("tx_151")
    assert "tx_151: equal amount and currency, 1 day apart; not suggested: default:L152 may" in told.text(
        "L151"
    )


def test_a_record_of_no_group(told: Told) -> None:
    """Excluded: its status moves no money."""
    said = told.text("tx_141")
    assert "Unmatched, and nothing is wrong with that so far" in said
    assert "phase 2: transaction_id, reference, reference_split" in said
    assert "phase 1" not in said
    assert "Its group" not in said


def test_what_is_wrong_with_a_former_partner_is_no_state_of_ones_own(told: Told) -> None:
    assert "\n  Unmatched: MISSING_IN_KSPAY\n" in told.text("L171")
    assert "\n  Unmatched: MISSING_IN_LEDGER\n" in told.text("tx_171")
    (mine,) = [one for one in told.story("L171")["discrepancies"] if one["own"]]
    assert mine["type"] == "MISSING_IN_KSPAY"
    assert " of tx_171: MISSING_IN_LEDGER" in told.text("L171")


def test_a_record_in_quarantine(told: Told) -> None:
    said = told.text("L99")
    assert "It is in quarantine, so it is not matched" in said
    assert "august.csv, row 7, amount: is not a number" in said


def test_a_key_that_is_none(told: Told) -> None:
    said = told.text("tx_121")
    assert "reference CASH: no key, since more than 500 records of one side carry it" in said
    assert "Unmatched: MISSING_IN_LEDGER" in said


def test_a_booking(told: Told) -> None:
    for named in ("L161", "L162"):
        said = told.text(named)
        assert "default:L161: 70.00 INR" in said
        assert "default:L162: -70.00 INR, gives back of it" in said
        assert "\n  Unmatched: MISSING_IN_KSPAY\n" in said
        assert "default:L161: 70.00 INR on 10 Aug 2026, paid, unmatched" in said
        assert "-70.00 INR on 12 Aug 2026, paid, gives back of default:L161 in one booking, unmatched" in said


def test_before_and_after_a_change(told: Told) -> None:
    story, said = told.story("L131"), told.text("L131")
    assert [pair["rule"] for pair in story["pairings"]] == ["reference", "reference_differs"]
    assert [pair["stands"] for pair in story["pairings"]] == [False, True]
    assert story["pairings"][0]["undone_by"] == story["pairings"][1]["made_by"]
    assert "amount was 100, is 97" in said
    assert story["versions"][1]["matched_by"] == story["pairings"][1]["made_by"]
    assert [one["type"] for one in story["discrepancies"]] == ["AMOUNT_MISMATCH"]


def test_decisions_earlier_and_in_force(told: Told) -> None:
    (one,) = [one for one in told.story("tx_101")["discrepancies"] if one["decisions"]]
    assert [(made["decision"], made["standing"], made["by"]) for made in one["decisions"]] == [
        ("match", "in force", "Asha Rao")
    ]
    said = told.text("L101")
    assert "match joining tx_101, default:L101 by Asha Rao at" in said
    assert '"same customer": in force' in said
    assert "AMOUNT_MISMATCH" in said  # what still differs is reported


def test_nothing_is_left_behind(told: Told) -> None:
    def remembered() -> object:
        with told.desk.engine.connect() as connection:
            return connection.execute(
                text(
                    "select (select md5(string_agg(x::text, ';' order by x::text)) from crowded_keys x),"
                    " (select md5(string_agg(x::text, ';' order by x::text)) from pairings x),"
                    " (select md5(string_agg(x::text, ';' order by x::text)) from findings x),"
                    " (select count(*) from pairing_versions), (select count(*) from loads where matched_by is null)"
                )
            ).one()

    before = remembered()
    explain(told.desk.engine, told.desk.settings, "tx_121")
    assert remembered() == before


def test_an_id_that_is_nowhere(told: Told) -> None:
    for named in ("tx_999", "D-NOTHING", "tally:L11", "%", "L1' or true --"):
        with pytest.raises(UsageError, match="is no id of a transaction"):
            told.story(named)


def test_the_id_of_a_match_is_answered_with_what_to_ask_for(told: Told) -> None:
    with pytest.raises(UsageError, match=r"a match is found by one of its transaction_ids or ledger_ids$"):
        told.story("M-ABCDEFGHJKLMNPQRABCD")


def test_a_reference_tells_of_all_its_records(told: Told) -> None:
    stories = explain(told.desk.engine, told.desk.settings, "split")
    assert [story["record_id"] for story in stories] == ["tx_51", "L51", "L52"]
    assert {story["now"]["reference"] for story in stories} == {"split"}


@pytest.fixture(scope="module")
def call(told: Told, make_command: MakeCommand, database_url: str) -> Callable[..., tuple[int, str, str]]:
    command = make_command(RECONCILE_DATABASE_URL=database_url)

    def call(*words: str) -> tuple[int, str, str]:
        outcome = command("explain", *words)
        return outcome.code, outcome.out, outcome.err

    return call


def test_the_command_for_every_kind_of_id(told: Told, call: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = call("tx_42")
    assert (code, err) == (0, "")
    assert out.startswith("Transaction tx_42, app ap_1\n")
    assert "went to tx_41 in reference (phase 1), by id" in out
    code, out, err = call("L81")  # two sources hold it
    assert (code, err) == (0, "")
    assert "Ledger entry L81 of source default, app ap_1\n" in out
    assert "\n\nLedger entry L81 of source tally, app ap_1\n" in out
    code, out, err = call("tally:L81", "--json")
    assert (code, err) == (0, "")
    (story,) = json.loads(out)
    assert (story["source"], story["now"]["amount"], story["agrees"]) == ("tally", "802", True)
    row = next(row for row in told.desk.rows if row["transaction_id"] == "tx_131")
    code, out, err = call(row["discrepancy_id"])
    assert (code, err) == (0, "")
    assert out.startswith(f"Discrepancy {row['discrepancy_id']} of transaction tx_131, app ap_1\n")
    assert f"{row['discrepancy_id']}: AMOUNT_MISMATCH, high, open, first seen 2026-08-31" in out
    code, out, err = call("tx_nowhere")
    assert (code, out) == (2, "")
    assert err == (
        "reconcile: tx_nowhere is no id of a transaction, a ledger entry or a discrepancy that is known here, and no "
        "reference: copy it from a report, or fetch or import what holds it\n"
    )
    for empty in ("", " "):
        code, out, err = call(empty)
        assert (code, out) == (2, "")
        assert err == "reconcile: explain: ID is empty: copy an id or a reference from a report\n"


def test_the_reports_that_showed_a_discrepancy_in_either_dialect(
    fresh_engine: Engine, tmp_path: Path
) -> None:
    desk = Desk(fresh_engine, tmp_path, None, "ap_dialects")
    desk.night([replace(tx(1), app="ap_dialects")])
    row = desk.one("MISSING_IN_LEDGER") | {"detail": 'KS Pay took 1,5; "more"'}
    for dialect in Dialect:
        cells = [{column: str(row.get(column) or "") for column in DISCREPANCIES}]
        write_csv(tmp_path / "discrepancies.csv", DISCREPANCIES, cells, dialect)
        with fresh_engine.begin() as connection:
            connection.execute(
                text("update runs set folder = :folder where 'ap_dialects' = any(apps)"),
                {"folder": str(tmp_path)},
            )
        (story,) = explain(fresh_engine, desk.settings, row["discrepancy_id"])
        (told,) = (one for one in story["discrepancies"] if one["discrepancy_id"] == row["discrepancy_id"])
        (shown,) = told["reported_by"]
        assert (shown["type"], shown["status"], shown["detail"]) == (
            "MISSING_IN_LEDGER", "open", 'KS Pay took 1,5; "more"',
        )  # fmt: skip
