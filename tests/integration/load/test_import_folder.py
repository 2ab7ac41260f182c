"""An import of many files at once."""

from decimal import Decimal
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy import text as sql

from reconcile import pipeline
from reconcile.settings import Settings
from tests.support.bad_ledgers import text

FILES = 20


def test_a_folder_of_many_files(tmp_path: Path, database_url: str) -> None:
    for number in range(FILES):
        rows = [f"L{number}-{row},ORD-{row},{number}.{row:02},2026-08-01,INR,paid" for row in range(1, 11)]
        broken = f"L{number}-x,ORD,many,2026-08-01,INR,paid"
        (tmp_path / f"day{number:02}.csv").write_bytes(text(*rows, rows[0], broken))
    settings = Settings(app_ids=("ap_1",), database_url=database_url)
    done = pipeline.import_files(settings, [tmp_path], None)
    assert len(done) == FILES
    assert [sum(getattr(one, name) for one in done) for name in ("records", "added", "repeats", "quarantined")] == [
        12 * FILES, 10 * FILES, FILES, FILES,
    ]  # fmt: skip
    engine = create_engine(database_url)
    with engine.connect() as connection:
        total = connection.scalar(sql("select sum(amount) from reconcile.entries where source = 'default'"))
    engine.dispose()
    assert total == sum(Decimal(f"{number}.{row:02}") for number in range(FILES) for row in range(1, 11))
