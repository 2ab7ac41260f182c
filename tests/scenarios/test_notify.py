"""People are told of a run by mail and by web hook: once, with what matters, and never with a secret."""

import html
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from reconcile.core.discrepancies import parts_of
from reconcile.core.money import grouped
from reconcile.core.progress import silent
from reconcile.notify import tell_of
from reconcile.pipeline import Finished
from reconcile.settings import Settings
from tests.support.catchers import mail_server, web_hook
from tests.support.driver import Command, MakeCommand, Shop

WHEN = "RECONCILE_NOTIFY_WHEN"


@pytest.fixture(scope="module")
def command(make_command: MakeCommand, small_shop: Shop) -> Command:
    merchant, sandbox = small_shop
    made = make_command(sandbox, RECONCILE_LEDGER="ledger.csv")
    merchant.write_ledger(made.folder / "ledger.csv")
    return made


@pytest.fixture(scope="module")
def days(small_shop: Shop) -> tuple[str, ...]:
    return ("--from", str(small_shop[0].first_day), "--to", str(small_shop[0].last_day))


def text_of(mail: EmailMessage) -> str:
    """What a person reads, whichever form the mail has."""
    body = mail.get_body(("plain", "html"))
    assert body is not None
    return " ".join(str(body.get_content()).replace("&nbsp;", " ").replace("<br/>", "\n").split())


def test_a_run_is_told_once_on_every_channel(command: Command, days: tuple[str, ...]) -> None:
    with mail_server() as box, web_hook() as (hook, given):
        outcome = command.good(
            "run",
            *days,
            RECONCILE_NOTIFY=f"{box.address}\n{hook}",
            RECONCILE_REPORT_URL="https://books.example/reports/",
        )
    report = command.latest()
    rows = report.rows("discrepancies")
    high = [row for row in rows if row["severity"] == "high"]
    [mail], [document] = box.mails, given
    assert mail["Subject"] == document["title"]
    assert document["title"].endswith(f": {len(rows):,} open, {len(high):,} at risk")
    assert mail["To"].endswith("asha@books.example") or "asha@books.example" in mail["To"]
    assert document["type"] == "info"
    told = document["message"]
    assert f"https://books.example/reports/{report.run_id}/report.html" in told
    for name, part in (("At risk", "at_risk"), ("To check", "to_check"), ("Timing", "timing")):
        [line] = [line for line in told.splitlines() if line.startswith(name)]
        counted = [row for row in rows if part in parts_of(row["type"], row["severity"])]
        assert f": {len(counted):,} (" in line
        # Of what is for information, run.json has no sum by type.
        severities = {row["severity"] for row in counted}
        mine = [row for row in report.document()["open"] if row["severity"] in severities - {"info"}]
        for currency in {row["currency"] for row in mine} - {""}:
            amount = sum(Decimal(row["amount"]) for row in mine if row["currency"] == currency)
            assert f"{currency} {grouped(str(amount), currency)}" in line
    named = [row for row in rows if f"[{row['discrepancy_id']}]" in told]
    assert len(named) == 5
    assert all(row["detail"] in told and row["severity"] != "info" for row in named)
    [attached] = mail.iter_attachments()
    assert attached.get_filename() == "discrepancies.csv"
    assert attached.get_payload(decode=True) == report.raw("discrepancies")
    assert named[0]["discrepancy_id"] in text_of(mail)
    # A line of a mail ends where the window does, so its blanks are those of a text.
    plain, page = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert page is not None
    assert plain.get_content().splitlines() == told.splitlines()
    lines = [html.unescape(line) for line in page.get_content().split("<br/>")]
    assert [line.strip() for line in lines] == told.splitlines()
    assert "notify: address 1 of 2 (mailto): sent" in outcome.err
    assert "hunter2" not in outcome.out + outcome.err


def test_a_failure_is_told(command: Command, days: tuple[str, ...]) -> None:
    with web_hook() as (hook, given):
        outcome = command("run", *days, RECONCILE_NOTIFY=hook, KSPAY_SECRET_KEY="wrong")
    assert outcome.code == 4
    assert [(one["title"], one["type"]) for one in given] == [("Reconciliation failed", "failure")]
    assert "KSPAY_SECRET_KEY" in given[0]["message"]


def test_only_an_occasion_is_told(command: Command, days: tuple[str, ...]) -> None:
    with web_hook() as (hook, given):
        command.good("run", *days, **{"RECONCILE_NOTIFY": hook, WHEN: "nothing"})
        assert given == []
        report = command.latest()
        finished = Finished(report.run_id, report.folder, report.document(), 1)
        for when, times in (
            ("failed", 0),
            ("high>100000,INR>999999999999", 0),
            ("quarantine>0", 1),
            ("HIGH > 0", 1),
            ("inr>0.5", 1),
        ):
            tell_of(finished, Settings.read({"RECONCILE_NOTIFY": hook, WHEN: when}), silent)
            assert len(given) == times, when
            given.clear()
        quiet = ("--from", "2025-06-02", "--to", "2025-06-03")  # before the merchant's first payment
        command.good("run", *quiet, **{"RECONCILE_NOTIFY": hook, WHEN: "failed,nothing"})
    [told] = given
    assert told["title"].endswith(": nothing to reconcile, 0 open, 0 at risk")
    assert "Neither KS Pay nor the ledger has a record of this period" in told["message"]


def test_a_channel_that_fails_is_shown_and_fails_nothing(command: Command, days: tuple[str, ...]) -> None:
    with web_hook() as (gone, _), web_hook(500) as (broken, given):
        pass
    with web_hook(500) as (broken, given):
        outcome = command.good("run", *days, RECONCILE_NOTIFY=f"{gone} {broken}")
        tried = command("notify", "--test", RECONCILE_NOTIFY=f"{gone} {broken}")
    assert len(given) == 2
    for number in (1, 2):
        assert f"notify: address {number} of 2 (json): not sent: " in outcome.err
    assert tried.code == 2
    assert tried.out.count("not sent: ") == 2
    assert "hunter2" not in outcome.out + outcome.err + tried.out + tried.err


def test_the_test_message(command: Command) -> None:
    with web_hook() as (hook, given), mail_server() as box:
        outcome = command.good("notify", "--test", RECONCILE_NOTIFY=f"{hook} {box.address}")
    assert outcome.out.splitlines() == ["address 1 of 2 (json): sent", "address 2 of 2 (mailto): sent"]
    assert [one["title"] for one in given] == ["kspay-reconcile: a test"]
    assert [mail["Subject"] for mail in box.mails] == ["kspay-reconcile: a test"]


def test_a_missing_night_is_told_once(command: Command, days: tuple[str, ...]) -> None:
    """Without a run that begins; by whatever calls the command now and then."""
    url = command.settings["RECONCILE_DATABASE_URL"]

    def ended(hours_ago: int) -> None:
        """Let the newest day's run have ended so long ago."""
        with create_engine(url, poolclass=NullPool).begin() as connection:
            connection.execute(
                text(
                    "update reconcile.runs set report = jsonb_set(report, '{finished_at}', to_jsonb(cast(:at as text)))"
                    " where run_id = :run_id"
                ),
                {"run_id": report.run_id, "at": (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()},
            )

    def look(hook: str) -> list[str]:
        return command.good("notify", "--late", RECONCILE_NOTIFY=hook, **{WHEN: "failed"}).out.splitlines()

    command.good("run", *days)
    report = command.latest()
    with web_hook() as (hook, given):
        assert (look(hook), given) == (["no app is late"], [])
        ended(27)
        command.good("run", "--from", days[1], "--to", days[1])  # a run of an older day is no night
        with web_hook(500) as (broken, tried):
            outcome = command("notify", "--late", RECONCILE_NOTIFY=broken)
        assert (outcome.code, len(tried)) == (2, 1)
        [late, sent] = look(hook)
        assert sent == "address 1 of 1 (json): sent"
        app = command.settings["KSPAY_APP_ID"]
        assert late.startswith(
            f"App {app}: the last run of the newest day is {report.run_id}, as of {days[3]}."
        )
        assert late.endswith("(Asia/Kolkata). 1 night missing.")
        assert look(hook) == [f"{late} People were told."]
        ended(51)
        document = json.loads(command.good("notify", "--late", "--json", RECONCILE_NOTIFY=hook).out)
        [row] = document["late"]
        assert (row["app_id"], row["run_id"], row["nights_missing"]) == (app, report.run_id, 2)
        assert [channel["problem"] for channel in document["channels"]] == [None]
        assert look(hook)[0].endswith("2 nights missing. People were told.")
        assert [(one["title"], one["type"]) for one in given] == [
            ("No night has finished: 1 night missing", "failure"),
            ("No night has finished: 2 nights missing", "failure"),
        ]
        assert late in given[0]["message"]
        assert "hunter2" not in (command.home / "told-late.json").read_text("utf-8")
        # What cannot be read is as if nobody had been told.
        (command.home / "told-late.json").write_text('{"ap', "utf-8")
        assert look(hook)[-1] == "address 1 of 1 (json): sent"
        command.good("run", *days)
        assert look(hook) == ["no app is late"]
    assert len(given) == 3


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        (("notify",), {}, "give --test or --late"),
        (("notify", "--test", "--late"), {}, "give --test or --late"),
        (("notify", "--late"), {}, "RECONCILE_NOTIFY is not set"),
        (("notify", "--test"), {}, "RECONCILE_NOTIFY is not set"),
        (("notify", "--test"), {"RECONCILE_NOTIFY": "nosuch://hunter2@x"}, "address 1 of 1 (nosuch) is none"),
        (("run",), {"RECONCILE_NOTIFY": "hunter2"}, "address 1 of 1"),
        (("notify", "--test"), {WHEN: "high>0,often"}, "'often' is no occasion"),
        (("notify", "--test"), {WHEN: "XYZ>1"}, "'XYZ>1' is no occasion"),
    ],
)
def test_what_is_wrong_is_one_line(
    command: Command, words: tuple[str, ...], settings: dict[str, str], says: str
) -> None:
    outcome = command(*words, **settings)
    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.complaint
    assert "hunter2" not in outcome.err
