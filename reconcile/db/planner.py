"""The switches of the Postgres planner, set nowhere else: one named profile for each kind of work.

A switch holds until the transaction ends or another profile sets it. `WHOLE_TABLES` and `FEW_RECORDS` each set the
same switches, so one replaces the other. `OF_FILE` names the files of `sql/` that need a switch of their own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, text

from reconcile.db.sql_files import run_file

Profile = Mapping[str, str]
"""Values as SQL writes them, by the name of the setting; `default` is the server's own value."""

MATCHING: Profile = {
    "work_mem": "'64MB'",
    # Nearly all that is analysed here lives for this matching only. Its columns are keys and numbers that hardly
    # repeat, so a smaller sample says as much.
    "default_statistics_target": "30",
    # Other processes of the server share the reading of whole tables. The process that writes the result has enough
    # to do, and passing a row to it costs less than the planner assumes.
    "parallel_leader_participation": "off",
    "parallel_tuple_cost": "0.01",
    # A join gets as many processes as its outer table, also where that is one of a few rows joined with all others.
    "min_parallel_table_scan_size": "'1MB'",
}
"""For the whole matching."""

WHOLE_TABLES: Profile = {"enable_nestloop": "off", "enable_mergejoin": "off", "random_page_cost": "default"}
"""Where most rows of a table are read. The planner takes the columns of a key for independent, expects one row where
there are a million, and would join them row by row: measured 300 times slower. Sorting whole tables to join them is
slower than hashing them, too."""

FEW_RECORDS: Profile = {"enable_nestloop": "on", "enable_mergejoin": "on", "random_page_cost": "1.1"}
"""Where a few records are looked up in big tables: row by row, by index. What is looked up again and again is in
memory. At its usual price of a page the planner would read a million rows to find ten thousand."""

BIG_LOAD: Profile = {"default_statistics_target": "30"}
"""For the statistics of a table that many rows came to: 0.7 s for a million a side."""

OF_FILE: Mapping[str, Profile] = {
    # Nearly every id comes once. Sorting short numbers is the fastest way to find the others.
    # The statistics of what is staged are for the joins that follow, and a smaller sample says as much.
    "load/repeated_ids": {"enable_hashagg": "off", "default_statistics_target": "30"},
    "load/contested_transactions": {"enable_hashagg": "off", "default_statistics_target": "30"},
    # Few records arrived, and the statistics of these columns do not show it.
    "match/scope/changed_records": {"enable_seqscan": "off"},
    # Sorting is quicker than hashing so many groups of one row.
    "match/prepare/repeated_references": {"enable_hashagg": "off"},
    # Each currency is looked up to its first record. By an index it is known at once that there is none.
    "validate/currencies": {"enable_seqscan": "off"},
    # Duplicates are few, and so are the records whose counterpart another one has: each looks up its own.
    "match/discrepancies/repeated": {"enable_nestloop": "on"},
    "match/discrepancies/mates": {"enable_nestloop": "on"},
    # A few references are written in thousands of ways, which the planner cannot know.
    "match/suggestions/similar_references": {"enable_nestloop": "off"},
}
"""By file of `sql/`: switches that hold for its statements only."""


def use(connection: Connection, profile: Profile) -> None:
    """Set the switches of a profile until the transaction ends."""
    for name, value in profile.items():
        connection.execute(text(f"set local {name} to {value}"))


def run_planned(connection: Connection, name: str) -> int:
    """Run a file of `sql/` with the switches that it needs; as `run_file`."""
    with switches_of(connection, name):
        return run_file(connection, name)


@contextmanager
def switches_of(connection: Connection, name: str) -> Iterator[None]:
    """The switches that a file of `sql/` needs, for the statements of the block."""
    profile = OF_FILE.get(name, {})
    before = {name: connection.execute(text(f"show {name}")).scalar_one() for name in profile}
    use(connection, profile)
    yield
    use(connection, before)
