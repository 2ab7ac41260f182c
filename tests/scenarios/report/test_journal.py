"""What was decided as journal lines: they balance, are exported once, and clear what they book when read back."""

import csv
import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
import xlsxwriter

from reconcile.core.fees import read_fees
from reconcile.core.journal import JOURNAL_COLUMNS
from reconcile.core.money import Currencies
from reconcile.core.records import Period
from reconcile.db.engine import open_store
from reconcile.decide import resolve as decisions
from reconcile.decide.sheet import open_sheet
from reconcile.kspay import Credentials
from reconcile.pipeline import Request, reconcile_period
from reconcile.report.columns import FILES
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.orders import LEDGER_COLUMNS
from reconcile.sandbox.server import Sandbox, serve
from reconcile.sandbox.shop import Shop
from reconcile.settings import Settings
from tests.support.driver import Command, MakeCommand, Report, shown

AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
DAYS = ("--from", str(AUGUST.first), "--to", str(AUGUST.last))
TOML = """
[journal]
account = { INR = "KS Pay clearing", default = "KS Pay foreign" }
[journal.accept]
default = "Differences"
DATE_MISMATCH = false
[journal.write_off]
default = { INR = "0010" }
AMOUNT_MISMATCH = { USD = "Rounding USD", INR = "Rounding", EUR = "राउं\u200dडिंग" }
MISSING_IN_LEDGER = { EUR = "Losses EUR" }
CURRENCY_MISMATCH = "Exchange"
[[fees]]
payment_method = "CARD"
currency = "EUR"
percent = "2"
tax = "18"
[ledger.bank]
"""

# Reference, what KS Pay says and what the ledger says: (status, currency, amount), or several entries.
CASES: dict[str, tuple[tuple[str, str, str] | None, tuple[tuple[str, str, str], ...]]] = {
    "CLEAN": (("paid", "INR", "100"), (("paid", "INR", "100"),)),
    "MISSING_IN_LEDGER": (("paid", "INR", "500"), ()),
    "MISSING_IN_KSPAY": (None, (("paid", "INR", "300"),)),
    "AMOUNT_MISMATCH": (("paid", "USD", "40.50"), (("paid", "USD", "41"),)),
    "AMOUNT_OF_TWO": (("paid", "INR", "1000"), (("paid", "INR", "600"), ("paid", "INR", "390"))),
    "AMOUNT_OF_MANY": (("paid", "INR", "1000"), (("paid", "INR", "33"),) * 30),
    "CURRENCY_MISMATCH": (("paid", "USD", "10"), (("paid", "INR", "840"),)),
    "STATUS_MISMATCH": (("paid", "INR", "70"), (("open", "INR", "70"),)),
    "STATUS_OF_FAILED": (("failed", "INR", "80"), (("paid", "INR", "80"),)),
    "REFUND_MISMATCH": (("refunded", "INR", "90"), (("paid", "INR", "90"), ("refunded", "INR", "-60"))),
    "REFUND_OF_PAID": (("paid", "INR", "95"), (("paid", "INR", "95"), ("refunded", "INR", "-60"))),
    "REFUNDS_OF_PAID": (
        ("paid", "INR", "85"),
        (("paid", "INR", "85"), ("paid", "INR", "-20"), ("refunded", "INR", "-30")),
    ),
    "DUPLICATE_IN_LEDGER": (("paid", "INR", "20"), (("paid", "INR", "20"), ("paid", "INR", "20"))),
    "STATUS_OF_COLON": (("paid", "INR", "55"), (("open", "INR", "55"),)),
    "BOTH_OF_FAILED": (("failed", "INR", "100"), (("paid", "INR", "90"),)),
    "BOTH_OF_OPEN": (("paid", "INR", "100"), (("open", "INR", "90"),)),
    "NET_OF_CLEAN": (("paid", "EUR", "1000"), (("paid", "EUR", "976.40"),)),
    "NET_OF_AMOUNT": (("paid", "EUR", "1000"), (("paid", "EUR", "970.50"),)),
    "NET_OF_MISSING": (("paid", "EUR", "500"), ()),
}
IDS = {"STATUS_OF_COLON-1": "INV:12", "CLEAN-1": "12"}
LONG = "Steel bottle of two litres, with a lid; " * 10
CHANGE = {  # by currency and case, by how much the ledger's account rises
    "MISSING_IN_LEDGER": {"INR": "500"},
    "MISSING_IN_KSPAY": {"INR": "-300"},
    "AMOUNT_MISMATCH": {"USD": "-0.50"},
    "AMOUNT_OF_TWO": {"INR": "10"},
    "AMOUNT_OF_MANY": {"INR": "10"},  # resolved.csv cuts the list of its ids
    "CURRENCY_MISMATCH": {"USD": "10", "INR": "-840"},
    "STATUS_MISMATCH": {"INR": "70"},
    "STATUS_OF_FAILED": {"INR": "-80"},
    "REFUND_MISMATCH": {"INR": "-30"},
    "REFUND_OF_PAID": {"INR": "60"},
    "REFUNDS_OF_PAID": {"INR": "50"},
    "DUPLICATE_IN_LEDGER": {"INR": "-20"},
    "STATUS_OF_COLON": {"INR": "55"},
    "BOTH_OF_FAILED": {"INR": "-90"},
    "BOTH_OF_OPEN": {"INR": "100"},
    "NET_OF_AMOUNT": {"EUR": "5.90"},
    "NET_OF_MISSING": {"EUR": "488.20"},
}
DECISIONS = len(CHANGE) + 1  # two of BOTH_OF_OPEN


class Books:
    """One month with a thing wrong of each kind, all written off."""

    def __init__(self, command: Command, sandbox: Sandbox) -> None:
        self.command = command
        (command.folder / "reconcile.toml").write_text(TOML, "utf-8")
        with (command.folder / "ledger.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, LEDGER_COLUMNS)
            writer.writeheader()
            for name, (_, entries) in CASES.items():
                for number, (status, currency, amount) in enumerate(entries, 1):
                    row = {
                        "ledger_id": IDS.get(f"{name}-{number}", f"{name}-{number}"),
                        "reference": name, "amount": amount, "currency": currency,
                        "date": "2026-08-10", "status": status, "description": LONG.strip(),
                    }  # fmt: skip
                    writer.writerow({**dict.fromkeys(LEDGER_COLUMNS, ""), **row})
        app = Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key)
        url = command.settings["RECONCILE_DATABASE_URL"]
        self.settings = replace(
            Settings(database_url=url), apps=(app,), app_ids=(app.app_id,),
            fees=read_fees(tomllib.loads(TOML)["fees"], Currencies()),
        )  # fmt: skip
        # The same id in another ledger.
        (command.folder / "bank.csv").write_text(
            "ledger_id,reference,amount,currency,date\n12,BANK,33,INR,2026-08-10\n", "utf-8"
        )
        command.good("ledger", "import", "bank.csv", "--profile", "bank")
        self.run(command.folder / "ledger.csv")
        self.decide("write_off", "Asha Rao")
        self.run(command.folder / "ledger.csv")

    def run(self, ledger: Path | None = None) -> Report:
        done = reconcile_period(
            self.settings, Request(AUGUST, ledger=ledger, out=self.command.folder / "reports")
        )
        self.report = Report(done.folder)
        return self.report

    def decide(self, word: str, by: str) -> None:
        rows = [*self.report.rows("discrepancies"), *self.report.rows("resolved")]
        path = self.command.folder / f"{word}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), extrasaction="ignore")
            writer.writeheader()
            writer.writerows({**row, "resolution": word, "note": "=lost;5,50 as always"} for row in rows)
        with open_store(self.settings) as engine:
            decisions.resolve_sheet(engine, self.settings, open_sheet(path), by)

    def journal(self, *words: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.command.good("adjustments", "2026-08", "--json", *words).out)
        return said


@pytest.fixture(scope="module")
def books(make_command: MakeCommand) -> Iterator[Books]:
    shop = Shop.of(9, ZoneInfo("Asia/Kolkata"))
    at = shop.instant(date(2026, 8, 10), time(12))
    transactions = [
        shop.transaction(
            Random(name), family=kspay[0], reference=name, amount=Decimal(kspay[2]), currency=kspay[1],
            method="CARD", created_at=at, updated_at=at,
        ) | ({"status": "refunded"} if kspay[0] == "refunded" else {})
        for name, (kspay, _) in CASES.items()
        if kspay
    ]  # fmt: skip
    with serve(Merchant(shop, AUGUST.first, AUGUST.last, transactions, [], [])) as sandbox:
        command = make_command(sandbox)
        yield Books(command, sandbox)


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{name: shown(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def test_an_account_that_is_missing_is_one_line(books: Books) -> None:
    toml = books.command.folder / "reconcile.toml"
    for text, says in (
        ("", "reconcile.toml has no [journal]"),
        (
            TOML.replace(', INR = "Rounding"', "").replace('default = { INR = "0010" }', ""),
            "names no account for ",
        ),
        (
            TOML.replace('INR = "KS Pay clearing", default', "INR"),
            "[journal] account names no account for EUR",
        ),
        (TOML.replace("DATE_MISMATCH", "DATE_WRONG"), "[journal] accept has an unknown type 'DATE_WRONG'"),
        (TOML.replace("account =", "acount ="), "[journal] has an unknown key 'acount'"),
        (TOML.replace("USD =", "US ="), "'US' is not a known currency"),
        (TOML.replace('"Differences"', "true"), "accept.default must be the name of an account, or false"),
    ):
        toml.write_text(text, "utf-8")
        outcome = books.command("adjustments", "2026-08")
        assert (outcome.code, outcome.out) == (2, ""), text
        assert says in outcome.complaint
    toml.write_text(TOML, "utf-8")
    assert books.command("adjustments", "2026-09").code == 2
    assert not [*books.command.folder.glob("reports/journal*")]


def test_the_journal(books: Books, tmp_path: Path) -> None:
    resolved = {row["discrepancy_id"]: row for row in books.report.rows("resolved")}
    assert {row["type"] for row in resolved.values()} >= {name for name in CASES if "_OF_" not in name} - {
        "CLEAN"
    }
    said = books.journal()
    assert said["journal"] == "2026-08-1"
    assert (said["decisions"], said["closed"]) == (DECISIONS, False)
    assert {(one["type"], one["why"]) for one in said["left"]} == {
        ("AMOUNT_MISMATCH", "no money moved in all"),  # of a failed payment
        ("MISSING_IN_KSPAY", "it is about the ledger bank: see --profile"),
    }
    foreign = [
        ("AMOUNT_MISMATCH", "EUR"), ("AMOUNT_MISMATCH", "USD"), ("CURRENCY_MISMATCH", "USD"),
        ("MISSING_IN_LEDGER", "EUR"),
    ]  # fmt: skip
    assert sorted((one["type"], one["why"]) for one in said["not_in_tally"]) == [
        (
            kind,
            f"it has INR only, and the lines in {currency} are in the other files: enter them in Tally by hand",
        )
        for kind, currency in foreign
    ]
    names = [Path(path).name for path in said["files"]]
    assert names == ["journal-2026-08-1.csv", "journal-2026-08-1-tally.xml", "journal-2026-08-1-zoho.csv"]
    ours, tally, zoho = (books.command.folder / path for path in said["files"])
    lines = lines_of(ours)
    assert tuple(lines[0]) == JOURNAL_COLUMNS == tuple(one.name for one in FILES["journal-MONTH-N.csv"])

    # What the Tally file lacks is said of that file alone, and is in the others.
    abroad = {one["decision_id"]: one for one in said["not_in_tally"]}
    assert not abroad.keys() & {one["decision_id"] for one in said["left"]}
    assert {str(one) for one in abroad} == {
        line["decision_id"] for line in lines if line["currency"] != "INR"
    }
    assert {f"KSR-{one}" for one in abroad} == {
        line["Reference Number"].rpartition("-")[0] for line in lines_of(zoho) if line["Currency"] != "INR"
    }
    told = books.command.good("adjustments", "2026-08", "--again").out.splitlines()
    for number, one in abroad.items():
        (of_it,) = (line for line in told if f"decision {number}, {one['discrepancy_id']}" in line)
        assert of_it.startswith("not in the Tally file: ")
    assert sum(line.startswith("not in a journal: ") for line in told) == len(said["left"])

    # The ledger's account rises by what was decided, and for each line there is one against it.
    changes: dict[str, dict[str, Decimal]] = {}
    sums: dict[str, list[Decimal]] = {}
    for line in lines:
        debit, credit = Decimal(line["debit"] or 0), Decimal(line["credit"] or 0)
        sums.setdefault(line["currency"], [Decimal(0), Decimal(0)])
        sums[line["currency"]][0] += debit
        sums[line["currency"]][1] += credit
        if line["account"].startswith("KS Pay"):
            of = changes.setdefault(line["reference"], {})
            of[line["currency"]] = of.get(line["currency"], Decimal(0)) + debit - credit
    assert changes == {
        name: {currency: Decimal(amount) for currency, amount in by.items()} for name, by in CHANGE.items()
    }
    assert all(debit == credit for debit, credit in sums.values())
    assert said["totals"] == {currency: f"{debit:f}" for currency, (debit, _) in sums.items()}
    against = {
        (line["reference"], line["currency"]): line["account"]
        for line in lines
        if "KS Pay" not in line["account"]
    }
    assert against["AMOUNT_MISMATCH", "USD"] == "Rounding USD"
    assert against["CURRENCY_MISMATCH", "USD"] == against["CURRENCY_MISMATCH", "INR"] == "Exchange"
    assert against["MISSING_IN_LEDGER", "INR"] == "0010"
    assert {line["date"] for line in lines} == {"2026-08-31"}
    assert all(line["narration"].endswith("by Asha Rao: =lost;5,50 as always") for line in lines)

    # All decisions on an entry state it alike, and whole.
    stated = [(line["ledger_id"], line["amount"], line["status"]) for line in lines if line["amount"]]
    assert sorted(one for one in stated if one[0].startswith(("BOTH", "INV", "12"))) == [
        ("BOTH_OF_FAILED-1", "100.00", "written_off"), *[("BOTH_OF_OPEN-1", "100.00", "paid")] * 2,
        ("INV:12", "55.00", "paid"),
    ]  # fmt: skip
    assert {line["description"] for line in lines} == {"", LONG.strip()}

    # The others say the same.
    vouchers = ElementTree.parse(tally).getroot().findall(".//VOUCHER")  # noqa: S314 - our own file
    amounts = [
        [Decimal(str(one.findtext("AMOUNT"))) for one in voucher.findall("ALLLEDGERENTRIES.LIST")]
        for voucher in vouchers
    ]
    assert all(sum(one) == 0 for one in amounts)
    assert sorted(amount for one in amounts for amount in one) == sorted(
        Decimal(line["credit"] or 0) - Decimal(line["debit"] or 0)
        for line in lines
        if line["currency"] == "INR"
    )
    assert ",0010," in zoho.read_text("utf-8-sig")  # an account's code, as Zoho has it
    assert {voucher.findtext("DATE") for voucher in vouchers} == {"20260831"}
    assert [(one["Account"], one["Debit"], one["Credit"], one["Currency"]) for one in lines_of(zoho)] == [
        (line["account"], line["debit"], line["credit"], line["currency"]) for line in lines
    ]

    # Each decision is exported once; again, byte by byte.
    before = {path.name: path.read_bytes() for path in (ours, tally, zoho)}
    again = books.journal()
    assert (again["journal"], again["files"], again["before"]) == (None, [], DECISIONS)
    assert (
        f"nothing new to book; {DECISIONS} decisions exported before"
        in books.command.good("adjustments", "2026-08").out
    )
    books.command.good("adjustments", "2026-08", "--again", "--out", str(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_journal_that_was_changed_by_hand_is_refused(books: Books) -> None:
    path = books.command.folder / "reports" / "journal-2026-08-1.csv"
    text = path.read_text("utf-8-sig")
    lines = text.splitlines()
    number = next(at for at, line in enumerate(lines) if ",500.00," in line)
    changed = {
        "debit is 501, and was exported as 500": text.replace("500.00,,", "501.00,,", 1),
        "a line of decision": "\n".join(lines[:number] + lines[number + 1 :]),
        "this line was not exported": "\n".join([*lines, lines[-1]]),
        "status is paid, and was exported as written_off": text.replace("written_off", "paid", 1).replace(
            "paid of", "written_off of"
        ),
        "account is Gains EUR, and was exported as": text.replace("Losses", "Gains", 1),
    }
    changed["the column account is missing"] = text.replace(",account,", ",konto,", 1)
    copy = books.command.folder / "copy.csv"
    for says, content in changed.items():
        copy.write_text(content, "utf-16" if "Gains" in says else "utf-8")
        assert says in books.command("ledger", "inspect", "copy.csv").out
        outcome = books.command("ledger", "import", "copy.csv")
        assert outcome.code == 3, says
        assert "is not the journal that was exported" in outcome.complaint
        assert says in outcome.complaint
    (books.command.folder / "reconcile.toml").write_text(TOML + "[ledger.tally]\n", "utf-8")
    outcome = books.command("ledger", "import", str(path), "--profile", "tally")
    assert (outcome.code, "books into --profile default, not tally" in outcome.complaint) == (3, True)
    left = books.command.good("adjustments", "2026-08", "--profile", "tally").out
    assert (
        left.count("not in a journal") == left.count("see --profile") == 2
    )  # those of before, exported are none


def test_what_is_read_back_clears_what_it_books(books: Books) -> None:
    path = books.command.folder / "reports" / "journal-2026-08-1.csv"
    # As a spreadsheet of another country saves it.
    rows = [[shown(cell) for cell in row] for row in csv.reader(path.read_text("utf-8-sig").splitlines())]
    saved = books.command.folder / "saved.csv"
    with saved.open("w", encoding="utf-8", newline="") as file:
        amounts = [rows[0].index(name) for name in ("debit", "credit", "amount")]
        for row in rows[1:]:
            for place in amounts:
                row[place] = row[place].replace(".", ",")
        csv.writer(file, delimiter=";").writerows(rows)
    # It holds only what was decided: as a snapshot it would withdraw all else of its days.
    for words, variables in (
        (("ledger", "import", "saved.csv"), {}),
        (("run", *DAYS, "--ledger", "saved.csv"), {}),
        (("run", *DAYS), {"RECONCILE_LEDGER": "saved.csv"}),
    ):
        outcome = books.command(*words, "--snapshot", **variables)
        assert (outcome.code, outcome.out) == (2, "")
        assert "--snapshot: saved.csv is a journal" in outcome.complaint
        assert outcome.complaint.endswith("import it without --snapshot")
    said = json.loads(books.command.good("ledger", "import", "saved.csv", "--json").out)["imports"][0]
    assert (said["added"], said["quarantined"], said["withdrawn"]) == (2, 0, 0)
    assert said["warnings"] == []  # it lacks nothing, although ledger.csv had more entries of its day
    assert said["passed_over"] == len(rows) - 1 - said["records"]
    report = books.run()
    assert report.rows("discrepancies") == []
    assert [row["ledger_id"] for row in report.rows("resolved")] == ["bank:12"]
    assert len(report.rows("matched")) == 18
    # The same file again changes nothing, as a workbook either.
    workbook = books.command.folder / "saved.xlsx"
    with xlsxwriter.Workbook(workbook) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(rows):
            for place, value in enumerate(row):
                if at and place in amounts and value:
                    sheet.write_number(at, place, float(value.replace(",", ".")))
                else:
                    sheet.write_string(at, place, value)
    for again in (path, workbook):
        said = json.loads(books.command.good("ledger", "import", str(again), "--json").out)["imports"][0]
        assert (said["added"], said["changed"], said["quarantined"]) == (0, 0, 0)
