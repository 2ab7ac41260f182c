"""Databases as earlier versions left them, in `tests/fixtures/databases`: a folder each, named for its last migration.

`python -m tests.support.archive` adds the one of the present schema, and notes its migrations as shipped. Do this when
a version is released: from then on its migrations are never changed, since databases rest on them. What is there stays
as it is, so the merchant's data is kept beside each database.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from reconcile.db.sql_files import sql_folder
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve
from tests.support.driver import Command

FOLDER = Path(__file__).parents[1] / "fixtures" / "databases"
SHIPPED = FOLDER / "shipped.sha256"
_SEED, _DAYS = 7, 12
FIRST_NIGHT = ("--from", "2026-02-01", "--to", "2026-02-10")
NEXT_NIGHT = ("--from", "2026-02-11", "--to", "2026-02-12")


def archived() -> list[Path]:
    """The folders of the databases, the oldest first."""
    return sorted(path for path in FOLDER.iterdir() if path.is_dir())


def migrations() -> dict[str, str]:
    """The SHA-256 of each migration, by its name, in order."""
    return {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((sql_folder() / "migrations").glob("*.sql"))
    }


def shipped() -> dict[str, str]:
    """The same, of those on which archived databases rest, as they were."""
    lines = SHIPPED.read_text("utf-8").splitlines()
    return {name: sha256 for sha256, name in (line.split() for line in lines)}


@contextmanager
def serving(folder: Path) -> Iterator[Sandbox]:
    """KS Pay as it was for the archived database."""
    merchant = Merchant.made_up(_SEED, date(2026, 2, 1), _DAYS)
    transactions = json.loads((folder / "kspay.json").read_text("utf-8"))
    with serve(replace(merchant, transactions=transactions)) as sandbox:
        yield sandbox


def first_night(command: Command, decided: str | None = None) -> str:
    """What was done before: a night, and one discrepancy of it accepted, whose id this gives."""
    command.good("run", *FIRST_NIGHT, "--ledger", "ledger.csv")
    rows = {row["discrepancy_id"]: row for row in command.latest().rows("discrepancies")}
    decided = decided or next(iter(rows))
    sheet = f"discrepancy_id,facts,resolution,note\n{decided},{rows[decided]['facts']},accept,known\n"
    (command.folder / "decided.csv").write_text(sheet, "utf-8")
    command.good("resolve", "decided.csv", "--by", "Asha")
    return decided


def archive() -> Path:
    """Add the database of the present schema."""
    folder = FOLDER / list(migrations())[-1]
    folder.mkdir(parents=True)
    merchant = Merchant.made_up(_SEED, date(2026, 2, 1), _DAYS)
    (folder / "kspay.json").write_text(
        "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in merchant.transactions) + "\n]\n",
        "utf-8",
    )
    merchant.write_ledger(folder / "ledger.csv")
    with (
        serving(folder) as sandbox,
        tempfile.TemporaryDirectory(prefix="archive-") as home,
        Command(Path(home) / "books", sandbox) as command,
    ):
        merchant.write_ledger(command.folder / "ledger.csv")
        (folder / "decided").write_text(first_night(command) + "\n", "utf-8")
        command.good("backup", folder / "books.dump")
    SHIPPED.write_text("".join(f"{sha256}  {name}\n" for name, sha256 in migrations().items()), "utf-8")
    return folder


if __name__ == "__main__":
    print(archive())  # noqa: T201
