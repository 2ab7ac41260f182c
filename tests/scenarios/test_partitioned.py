"""Nights of a merchant in whole tables, in ones by app, and in ones by app and month: the same bytes."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import create_engine, text

from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from reconcile.sandbox.shop import listed_at
from tests.support.driver import Command, MakeCommand, keys

DAYS = ("--from", "2026-02-15", "--to", "2026-03-12")
WHOLE, BY_APP, BY_MONTH = range(3)


def corrected(merchant: Merchant, many: int) -> Merchant:
    """KS Pay says of some payments that they were made in another month."""
    records = [dict(record) for record in merchant.transactions]
    for record in [one for one in records if one["id"] and str(one["createdAt"]).startswith("2026-02-2")][
        :many
    ]:
        record["createdAt"] = (datetime.fromisoformat(record["createdAt"]) + timedelta(days=14)).isoformat()
        record["updatedAt"] = (datetime.fromisoformat(record["updatedAt"]) + timedelta(days=30)).isoformat()
    return replace(merchant, transactions=sorted(records, key=listed_at))


def write_ledgers(merchant: Merchant, command: Command) -> None:
    """ledger.csv, and moved.csv: a tenth of it with dates of another month, and with other amounts."""
    merchant.write_ledger(command.folder / "ledger.csv")
    header, *lines = (command.folder / "ledger.csv").read_text("utf-8").splitlines()
    wrong = [line.replace("2026-02-2", "2026-03-0") for line in lines if ",2026-02-2" in line][::10]
    assert len(wrong) > 10
    (command.folder / "moved.csv").write_text("\n".join([header, *wrong, ""]), "utf-8")


def months_of(command: Command, table: str) -> dict[str, int]:
    """How many rows each partition has."""
    with create_engine(command.settings["RECONCILE_DATABASE_URL"]).connect() as connection:
        counted = f"select tableoid as place, count(*) from reconcile.{table} group by 1"  # noqa: S608
        named = f"select relname, count from ({counted}) as held inner join pg_class on oid = place"  # noqa: S608
        found: dict[str, int] = dict(connection.execute(text(named)).tuples().all())
    return found


def test_nights_are_the_same_however_the_tables_are_divided(
    make_command: MakeCommand,
    make_database: Callable[[], str],
    make_empty_database: Callable[[], str],
) -> None:
    merchant = Merchant.made_up(21, date(2026, 2, 15), 26)
    now = merchant  # what KS Pay holds
    app = {"KSPAY_APP_ID": merchant.app_id}
    commands = [make_command(RECONCILE_DATABASE_URL=make_database(), **app) for _ in range(3)]
    for command in commands:
        write_ledgers(merchant, command)

    def night(*words: str) -> dict[str, str]:
        reports = []
        with serve(now) as sandbox:
            for command in commands:
                command.good("run", *DAYS, *words, **keys(sandbox))
                reports.append(command.latest().same())
        assert reports[WHOLE] == reports[BY_APP] == reports[BY_MONTH]
        return reports[WHOLE]

    def everyone(*words: str) -> None:
        said = {command.good(*words).out for command in commands}
        assert len(said) == 1, said

    # Before there is a record no month is known: they all go to the rest of the app, until it is done again.
    commands[BY_MONTH].good("partition", "--months")
    first = night("--ledger", "ledger.csv")
    table = f"transactions_{merchant.app_id}"
    assert set(months_of(commands[BY_MONTH], "transactions")) == {f"{table}_rest"}
    commands[BY_APP].good("partition")
    commands[BY_MONTH].good("partition")
    assert set(months_of(commands[BY_APP], "transactions")) == {table}
    before = months_of(commands[BY_MONTH], "transactions")
    assert set(before) == {f"{table}_2026_02", f"{table}_2026_03"}
    assert set(months_of(commands[BY_MONTH], "entries")) >= {
        name.replace("transactions", "entries") for name in before
    }

    now = corrected(merchant, 20)
    second = night("--ledger", "moved.csv")
    assert second != first
    after = months_of(commands[BY_MONTH], "transactions")
    assert before[f"{table}_2026_02"] - after[f"{table}_2026_02"] == 20
    assert sum(after.values()) == sum(before.values())

    rows = commands[WHOLE].latest().rows("discrepancies")[:3]
    sheet = "".join(f"{row['discrepancy_id']},{row['facts']},accept,\n" for row in rows)
    for command in commands:
        (command.folder / "decided.csv").write_text(f"discrepancy_id,facts,resolution,note\n{sheet}")
    everyone("resolve", "decided.csv", "--by", "Asha")
    everyone("ledger", "withdraw", "2")
    commands[BY_APP].good("partition", "--months")
    assert set(months_of(commands[BY_APP], "transactions")) == set(after)
    third = night()
    assert third not in (first, second)
    assert commands[BY_MONTH].latest().rows("resolved")
    everyone("prune", "--before", "2026-11-01")
    assert all("\nok    totals: " in command("doctor").out for command in commands)

    # What is restored from a backup is divided too, and keeps ids unique.
    commands[BY_MONTH].good("backup", "books.dump")
    books = months_of(commands[BY_MONTH], "entries")
    commands[BY_MONTH].settings["RECONCILE_DATABASE_URL"] = make_empty_database()
    commands[BY_MONTH].good("backup", "books.dump", "--restore")
    assert months_of(commands[BY_MONTH], "entries") == books
    assert set(json.loads(commands[BY_MONTH].good("partition", "--json").out)["moved"].values()) == {0}
    assert night() == third
    with create_engine(commands[BY_MONTH].settings["RECONCILE_DATABASE_URL"]).connect() as connection:
        always = "select count(*) from pg_trigger where tgname like 'keep_ids%' and tgenabled = 'A'"
        assert connection.scalar(text(always)) == 4
