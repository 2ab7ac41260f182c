"""What a run reports of a made-up merchant, against what was planted and against sums in plain Python."""

import hashlib
import re
from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from reconcile.core.discrepancies import OUTCOMES, TYPES, Severity
from reconcile.sandbox.merchant import Merchant
from tests.support.driver import Command, MakeCommand, Outcome, Report, Shop, planted

DIGITS = {"INR": 2, "USD": 2, "KWD": 3, "JPY": 0}
AMOUNTS = {"kspay_amount", "ledger_amount", "difference", "variance", "amount"}
DATES = {"first_seen", "kspay_date", "ledger_date", "due"}
COLUMNS = {
    "discrepancies": (
        "discrepancy_id,type,severity,status,age_days,first_seen,app_id,transaction_id,ledger_id,reference,"
        "ledger_reference,provider_order_id,provider_txn_id,currency,kspay_amount,ledger_amount,difference,"
        "kspay_status,ledger_status,kspay_date,ledger_date,payment_method,rule,suggested_counterpart,detail,"
        "facts,resolution,note,kspay_refunded,ledger_refunded,assignee,due"
    ),
    "matched": (
        "match_id,rule,transaction_ids,ledger_ids,currency,kspay_amount,ledger_amount,variance,kspay_date,ledger_date,fee"
    ),
    "resolved": (
        "discrepancy_id,type,severity,status,age_days,first_seen,app_id,transaction_id,ledger_id,reference,"
        "ledger_reference,provider_order_id,provider_txn_id,currency,kspay_amount,ledger_amount,difference,"
        "kspay_status,ledger_status,kspay_date,ledger_date,payment_method,rule,suggested_counterpart,detail,"
        "facts,resolution,note,kspay_refunded,ledger_refunded,assignee,due,by,at"
    ),
    "summary": "scope,side,currency,outcome,count,amount",
    "bridge": (
        "currency,line,amount,app_id,transaction_ids,ledger_ids,kspay_status,ledger_status,kspay_date,ledger_date"
    ),
    "quarantine": "side,source,file,row,field,value,reason,raw",
}
DOCUMENT = [
    "run_id", "from", "to", "timezone", "apps", "started_at", "finished_at", "seconds", "fetched", "imported",
    "matched", "discrepancies", "new", "reopened", "resolved", "cleared", "cleared_discrepancies", "quarantined",
    "totals", "validation",
    "files", "versions",
]  # fmt: skip
EVERY_CSV = ["discrepancies", "matched", "summary", "bridge", "quarantine", "resolved"]


@pytest.fixture(scope="module")
def big(big_shop: Shop, make_command: MakeCommand, database_url: str) -> tuple[Command, list[str]]:
    """120 days, reconciled once in a database of our own; and the words that do it again."""
    merchant, sandbox = big_shop
    command = make_command(sandbox, RECONCILE_DATABASE_URL=database_url)
    merchant.write_ledger(command.folder / "ledger.csv")
    words = [
        "run",
        "--from",
        str(merchant.first_day),
        "--to",
        str(merchant.last_day),
        "--ledger",
        "ledger.csv",
    ]
    command.good(*words)
    return command, words


@pytest.fixture(scope="module")
def report(big: tuple[Command, list[str]]) -> Report:
    return big[0].latest()


def test_every_planted_error_and_nothing_else(big_shop: Shop, report: Report) -> None:
    expected, found = planted(big_shop[0].planted), report.findings()
    assert (expected - found, found - expected) == (Counter(), Counter())


def test_every_planted_error_of_another_merchant(
    small_shop: Shop, small_run: tuple[Command, Outcome]
) -> None:
    expected, found = planted(small_shop[0].planted), small_run[0].latest().findings()
    assert (expected - found, found - expected) == (Counter(), Counter())


def test_totals_are_the_sums_of_both_books(big_shop: Shop, report: Report) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    sums: dict[tuple[str, str], Decimal] = {}
    for side, records in (("kspay", of_kspay(big_shop[0])), ("ledger", of_ledger(big_shop[0]))):
        for currency, amount in records:
            counts[side, currency] += 1
            sums[side, currency] = sums.get((side, currency), Decimal(0)) + amount
    rows = report.rows("summary")
    assert {row["scope"] for row in rows} == {"period"}
    totals = {(row["side"], row["currency"]): row for row in rows if row["outcome"] == "total"}
    assert {key: Decimal(row["amount"]) for key, row in totals.items() if key[1]} == sums
    usable = Counter({key: int(row["count"]) for key, row in totals.items()})
    usable.subtract(
        {(r["side"], r["currency"]): int(r["count"]) for r in rows if r["outcome"] == "quarantined"}
    )
    assert +usable == counts


def of_kspay(merchant: Merchant) -> list[tuple[str, Decimal]]:
    """Currency and amount of every usable transaction dated in the merchant's days."""
    codes = {str(currency["id"]): str(currency["code"]) for currency in merchant.currencies}
    found = []
    for record in merchant.transactions:
        currency = str(record["currencyCode"] or codes.get(record["currencyId"]))
        amount = number(record["amount"], DIGITS.get(currency, -1))
        created = datetime.fromisoformat(record["createdAt"] or "1900-01-01")
        if record["id"] and amount is not None and amount >= 0 and created.tzinfo:
            assert (
                merchant.first_day <= created.astimezone(merchant.shop.timezone).date() <= merchant.last_day
            )
            found.append((currency, amount))
    return found


def of_ledger(merchant: Merchant) -> list[tuple[str, Decimal]]:
    """Currency and amount of every usable entry of the merchant; equal rows are one."""
    rows = {tuple(row.items()): row for row in merchant.ledger}.values()
    times = Counter(row["ledger_id"] for row in rows)
    found = []
    for row in rows:
        amount = number(row["amount"], DIGITS.get(row["currency"], -1))
        try:
            booked = date.fromisoformat(row["date"])
        except ValueError:
            continue
        if row["ledger_id"] and times[row["ledger_id"]] == 1 and amount is not None:
            assert merchant.first_day <= booked <= merchant.last_day
            found.append((row["currency"], amount))
    return found


def number(written: object, digits: int) -> Decimal | None:
    """The amount, if it is one with at most this many decimals."""
    try:
        value = Decimal(str(written))
    except InvalidOperation:
        return None
    if digits < 0 or not value.is_finite() or value >= 10**30 or value != round(value, digits):
        return None
    return value


def test_outcomes_add_up_and_agree_with_the_matches(report: Report) -> None:
    matched: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in report.rows("matched"):
        of_kspay, _, of_ledger = row["currency"].partition(";")
        matched["kspay", of_kspay] += Decimal(row["kspay_amount"])
        matched["ledger", of_ledger or of_kspay] += Decimal(row["ledger_amount"])
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    of_matches: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    counts: Counter[tuple[str, str]] = Counter()
    for row in report.rows("summary"):
        key = row["side"], row["currency"]
        count, amount = int(row["count"]), Decimal(row["amount"])
        if row["outcome"] == "total":
            assert (counts[key], sums[key]) == (count, amount)  # its outcomes stand above it
            continue
        assert count > 0
        counts[key] += count
        sums[key] += amount
        if row["outcome"].startswith("matched"):
            of_matches[key] += amount
    # A match counts the entries that give back with their payment, the summary each by itself.
    for row in report.rows("discrepancies"):
        if row["type"] == "REFUND_MISMATCH":
            matched["ledger", row["currency"]] -= Decimal(row["ledger_refunded"])
    assert of_matches == matched


@pytest.mark.parametrize("name", EVERY_CSV)
def test_columns_and_form_of_a_csv(report: Report, name: str) -> None:
    raw = report.raw(name)
    assert raw.startswith(b"\xef\xbb\xbf" + COLUMNS[name].encode() + b"\r\n")
    assert raw.endswith(b"\r\n")
    header, *rows = report.cells(name)
    assert rows or name == "resolved"  # nobody has decided anything yet
    assert {len(row) for row in rows} <= {len(header)}
    # RFC 4180: the reader gives back what a plain writer of it makes the same bytes of.
    lines = [header, *rows]
    assert raw[3:].decode() == "".join(",".join(map(quoted, line)) + "\r\n" for line in lines)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if re.search('[",\r\n]', cell) else cell


@pytest.mark.parametrize("name", ["discrepancies", "matched", "summary"])
def test_form_of_dates_and_amounts(report: Report, name: str) -> None:
    for row in report.rows(name):
        for column, value in row.items():
            if column in DATES and value:
                assert date.fromisoformat(value).isoformat() == value
            if column in AMOUNTS and value:
                digits = amount_digits(row, column)
                assert re.fullmatch(r"-?(0|[1-9]\d*)" + (rf"\.\d{{{digits}}}" if digits else ""), value), row
    dated = [row for row in report.rows(name) if row.get("kspay_date")]
    assert dated or name == "summary"


def amount_digits(row: dict[str, str], column: str) -> int:
    of_kspay, _, of_ledger = row["currency"].partition(";")
    return DIGITS.get((of_ledger if column == "ledger_amount" else "") or of_kspay, 0)


def test_differences_are_of_the_amounts(report: Report) -> None:
    for name, gap in (("discrepancies", "difference"), ("matched", "variance")):
        for row in report.rows(name):
            if ";" in row["currency"] or not (row["kspay_amount"] or row["ledger_amount"]):
                assert row[gap] == ""  # of two currencies, or of a record whose amount cannot be read
            else:
                difference = Decimal(row["kspay_amount"] or 0) - Decimal(row["ledger_amount"] or 0)
                assert Decimal(row[gap]) == difference, row


def test_nothing_in_a_cell_runs(report: Report) -> None:
    for name in EVERY_CSV:
        for cell in (cell for row in report.cells(name)[1:] for cell in row):
            guarded = re.fullmatch('="([^"]|"")*"', cell) is not None
            number = re.fullmatch(r"-\d+(\.\d+)?", cell) is not None
            assert guarded or number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), (name, cell)


def test_references_come_through_whole(big_shop: Shop, report: Report) -> None:
    known = {record["id"]: record["referenceNumber"] or "" for record in big_shop[0].transactions}
    odd = 0
    for row in report.rows("discrepancies"):
        if row["transaction_id"] in known and row["type"] != "INVALID_RECORD":
            assert row["reference"] == known[row["transaction_id"]]
            odd += not row["reference"].startswith("ORD-2026-")
    assert odd > 5


def test_every_type_has_the_severity_that_is_documented(report: Report) -> None:
    found = {(row["type"], row["severity"]) for row in report.rows("discrepancies")}
    assert {name for name, _ in found} == TYPES.keys()
    for name, severity in found:
        assert severity in (TYPES[name].severity, TYPES[name].severity_of_refunded)


def test_order_of_the_rows(report: Report) -> None:
    rows = report.rows("discrepancies")
    severities, types = [*Severity], [*TYPES]
    order = [
        (severities.index(Severity(r["severity"])), types.index(r["type"]), r["discrepancy_id"]) for r in rows
    ]
    assert order == sorted(set(order))
    matched = [(row["kspay_date"], row["match_id"]) for row in report.rows("matched")]
    assert matched == sorted(set(matched))
    outcomes = [*OUTCOMES, "total"]
    summary = [
        (r["scope"], r["side"], r["currency"], outcomes.index(r["outcome"])) for r in report.rows("summary")
    ]
    assert summary == sorted(set(summary))


def test_the_words_of_a_discrepancy(big_shop: Shop, report: Report) -> None:
    merchant = big_shop[0]
    rules = {"transaction_id", "reference", "reference_differs"}
    for row in report.rows("discrepancies"):
        assert re.fullmatch("D-[A-Z]+", row["discrepancy_id"])
        assert (row["status"], row["resolution"], row["note"]) == ("open", "", "")
        assert (row["app_id"], row["first_seen"]) == (merchant.app_id, str(merchant.last_day))
        earliest = min((day for day in (row["kspay_date"], row["ledger_date"]) if day), default="")
        if earliest:
            assert int(row["age_days"]) == (merchant.last_day - date.fromisoformat(earliest)).days
        assert row["detail"].endswith(".")
        assert re.fullmatch(r"[A-Za-z0-9]{4,20}", row["facts"])
        paired = bool(row["transaction_id"] and row["ledger_id"])
        assert row["rule"] in rules if paired else row["rule"] == ""
    assert all(re.fullmatch("M-[A-Z]+", row["match_id"]) for row in report.rows("matched"))


def test_quarantine_names_the_place(big_shop: Shop, big: tuple[Command, list[str]], report: Report) -> None:
    lines = (big[0].folder / "ledger.csv").read_text("utf-8").splitlines()
    rows = report.rows("quarantine")
    of_ledger = [row for row in rows if row["side"] == "ledger"]
    assert {(row["source"], row["file"]) for row in of_ledger} == {("default", "ledger.csv")}
    for row in of_ledger:
        assert row["field"] == "ledger_id" or row["value"] in lines[int(row["row"]) - 1]
        assert row["reason"]
    assert {row["source"] for row in rows if row["side"] == "kspay"} == {"kspay"}
    invalid = sum(error.type == "INVALID_RECORD" for error in big_shop[0].planted)
    assert invalid <= len(rows)


def test_run_json(big: tuple[Command, list[str]], big_shop: Shop, report: Report) -> None:
    document, merchant = report.document(), big_shop[0]
    assert [name for name in document if name in DOCUMENT] == DOCUMENT
    assert document["run_id"] == f"{merchant.first_day}_{merchant.last_day}_1" == report.run_id
    assert (document["from"], document["to"]) == (str(merchant.first_day), str(merchant.last_day))
    assert (document["timezone"], document["apps"]) == ("Asia/Kolkata", [merchant.app_id])
    assert set(document["seconds"]) == {"ledger", "fetch", "match", "validate", "report"}
    found = Counter(row["type"] for row in report.rows("discrepancies"))
    assert document["discrepancies"] == found
    assert document["matched"] == Counter(row["rule"] for row in report.rows("matched"))
    assert (document["new"], document["cleared"], document["cleared_discrepancies"]) == (found.total(), 0, [])
    assert [{**row, "count": str(row["count"])} for row in document["totals"]] == report.rows("summary")
    (imported,) = (document["imported"],)
    ledger = (big[0].folder / "ledger.csv").read_bytes()
    assert (imported["sha256"], imported["records"]) == (
        hashlib.sha256(ledger).hexdigest(),
        len(merchant.ledger),
    )
    (fetched,) = document["fetched"]
    assert (fetched["app_id"], fetched["usable"]) == (merchant.app_id, len(of_kspay(merchant)))
    assert document["validation"]


def test_run_json_has_the_digest_of_every_file(report: Report) -> None:
    files = report.document()["files"]
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in report.folder.iterdir()
        if path.name != "run.json"
    }
    assert {name: of["sha256"] for name, of in files.items()} == digests
    drawn = ["report.html", f"report-{report.run_id}.xlsx", "discrepancies.parquet"]
    assert sorted(digests) == sorted([*(f"{name}.csv" for name in EVERY_CSV), *drawn])


def test_parquet_holds_the_same_with_real_types(report: Report) -> None:
    table = pq.read_table(report.folder / "discrepancies.parquet")
    rows = report.rows("discrepancies")
    assert table.column_names == list(rows[0])
    amounts = ("kspay_amount", "ledger_amount", "difference", "kspay_refunded", "ledger_refunded")
    days = ("first_seen", "kspay_date", "ledger_date")
    assert {str(table.schema.field(name).type) for name in amounts} == {"decimal128(38, 4)"}
    assert {str(table.schema.field(name).type) for name in days} == {"date32[day]"}
    for held, row in zip(table.to_pylist(), rows, strict=True):
        for name, value in held.items():
            written = row[name]
            if value is None:
                assert written == "", name
            elif name in amounts:
                assert value == Decimal(written), name
            elif len(written) == 250 and written.endswith("…"):
                assert value.startswith(written[:-1]), name
            else:
                assert str(value) == written, name


def test_latest_is_a_relative_link(report: Report) -> None:
    # Relative, so that the reports can be moved or mounted elsewhere.
    assert (report.folder.parent / "latest").readlink() == Path(report.run_id)


def test_the_same_again_changes_no_byte_and_no_row(
    big: tuple[Command, list[str]], report: Report, database_url: str
) -> None:
    command, words = big
    before, rows = report.same(), versions(database_url)
    assert {"transactions", "entries", "quarantine", "pairings", "findings", "discrepancies"} <= set(rows)
    assert command.good(*words).out.splitlines()[-1].endswith("_2/discrepancies.csv")
    again = command.latest()
    assert (again.run_id, again.same()) == (f"{report.run_id[:-1]}2", before)
    assert again.raw("quarantine") == report.raw("quarantine")
    document = again.document()
    assert (document["new"], document["cleared"]) == (0, 0)
    assert {(of["added"], of["changed"]) for of in (*document["fetched"], document["imported"])} == {(0, 0)}
    assert versions(database_url) == rows


def versions(url: str) -> dict[str, set[tuple[str, ...]]]:
    """Every row of every table but the records of runs and loads, with the transaction that last wrote it."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        tables = connection.execute(
            text(
                "select table_name from information_schema.tables"
                " where table_schema = 'reconcile' and table_type = 'BASE TABLE'"
            )
        ).scalars()
        written = "select xmin::text, ctid::text, t::text from reconcile.{} t"
        return {
            table: {tuple(row) for row in connection.execute(text(written.format(table)))}
            for table in tables
            if table not in ("runs", "run_bases", "fetched_windows", "loads")
        }


def test_a_database_of_ones_own_leaves_no_other_behind(
    big: tuple[Command, list[str]], report: Report
) -> None:
    command, _ = big
    assert not command.home.exists()
    assert {path.name for path in command.folder.iterdir()} == {"ledger.csv", "reports", "user"}


def test_nothing_is_left_but_the_reports(small_run: tuple[Command, Outcome]) -> None:
    command, _ = small_run
    assert {path.name for path in command.folder.iterdir()} == {"ledger.csv", "reports", "user", ".reconcile"}
    assert list(command.user_home.iterdir()) == []
    assert {path.name for path in (command.folder / "reports").iterdir()} == {
        "latest",
        command.latest().run_id,
    }
    assert command.postmasters() == []
