"""The files of `sql/`: one or more statements each, named by their path: `read_sql("report/matched")`."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection


def sql_folder() -> Path:
    """The folder `sql/`: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "sql"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "sql"


@cache
def read_sql(name: str) -> str:
    """The text of a file, by its path in `sql/` without `.sql`."""
    return (sql_folder() / f"{name}.sql").read_text("utf-8")


def sql_names(folder: str) -> list[str]:
    """The files of a folder of `sql/`, in the order of their names."""
    return sorted(f"{folder}/{path.stem}" for path in (sql_folder() / folder).glob("*.sql"))


def run_file(connection: Connection, name: str) -> int:
    """Execute a file; returns the number of rows that its last statement touched."""
    # Without parameters, so that a per cent sign means itself.
    return connection.exec_driver_sql(read_sql(name), execution_options={"no_parameters": True}).rowcount
