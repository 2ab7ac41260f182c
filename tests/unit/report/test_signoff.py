"""The page of a close statement: who prepared and who approved it, and the order of its currencies."""

from datetime import UTC, date, datetime
from decimal import Decimal

from reconcile.core.money import Currencies
from reconcile.report.statement import Line, Movement, Position, Statement
from reconcile.report.statement_files import Approval, render_statement, signoff


def decided(*people: str, line: str = "accept") -> Movement:
    return Movement(
        line,
        "D-A",
        "MISSING_IN_LEDGER",
        "ap_1",
        "INR",
        -1,
        Decimal(-1),
        "r",
        date(2026, 8, 31),
        people=people,
    )


def statement(*movements: Movement) -> Statement:
    return Statement("2026-08", date(2026, 8, 31), {}, {}, [], movements)


def test_each_who_decided_or_confirmed_is_named_once() -> None:
    found = statement(
        decided("Asha Rao"),
        decided("Asha Rao", "Ravi"),
        decided("asha-rao"),
        decided("Meera", line="reopened"),
    )
    assert found.preparers == {"Asha Rao": 3, "Ravi": 1}
    rows = signoff(found, None)
    assert [(one["role"], one["name"], one["decisions"]) for one in rows] == [
        ("preparer", "Asha Rao", "3"), ("preparer", "Ravi", "1"), ("approver", "", ""),
    ]  # fmt: skip


def test_one_person_is_one_under_every_spelling() -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    for people, by, alone in ((["Asha Rao"], "asha  RAO", True), (["Asha Rao", "Ravi"], "Asha Rao", False)):
        page = render_statement(statement(decided(*people)), Currencies(), Approval(by, at, 1))
        assert ("One person decided and closed." in page) is alone


def test_what_has_no_currency_comes_last() -> None:
    lines = [Line("ap_1", currency, "opening", 1, 1, Decimal(1)) for currency in ("", "INR", "USD")]
    closing = {"ap_1": Position("ap_1", 1, "r", date(2026, 8, 31), [])}
    page = render_statement(Statement("2026-08", date(2026, 8, 31), {}, closing, lines, []), Currencies())
    titles = [part.partition("</caption>")[0] for part in page.split("<caption>")[1:]]
    assert titles == ["INR", "USD", "no currency"]
