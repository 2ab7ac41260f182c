"""Makes the tables of a new database, and brings those of an older one up to date."""

import hashlib
import re

from psycopg.errors import InvalidParameterValue
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from reconcile.core.errors import ReconcileError, UsageError
from reconcile.db import SCHEMA
from reconcile.db.sql_files import read_sql, run_file, sql_names

_MIGRATION_LOCK = 0x6B737061  # any number that no other program takes for an advisory lock
_FIRST_OF_OLD = {"0001_records", "0001_schema"}
"""The first migrations of version 0.1 and of what was built after it. Since then there is one schema."""

_MADE = re.compile(r"^create table (\w+)", re.MULTILINE)


def migrate(engine: Engine, *, empty: str, zone: str) -> None:
    """Apply the migrations that this database lacks, in order, each in one transaction with its record.

    Two processes that start together take turns (an advisory lock). Raises UsageError for a database that version
    0.1 made (`empty` says how to get an empty one), where the role lacks a right, or whose server does not know the
    time zone, and ReconcileError for one that is newer than this program or whose migrations were edited after they
    were applied.
    """
    migrations = {name.removeprefix("migrations/"): read_sql(name) for name in sql_names("migrations")}
    with engine.connect() as connection:
        check_database(connection)
        _check_zone(connection, zone)
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        make_schema(connection)
        run_file(connection, "db/migrations_table")
        connection.commit()
        applied = dict(connection.execute(text("select name, sha256 from migrations")).tuples().all())
        if _FIRST_OF_OLD & set(applied):
            raise UsageError(
                "the database was made by version 0.1, whose tables this version cannot read: keep your ledger files, "
                f"decision files and reports, then {empty} and run again: it fetches, imports and matches "
                "everything again, and `reconcile resolve` takes the decision files"
            )
        if unknown := sorted(set(applied) - set(migrations)):
            raise ReconcileError(
                f"the database holds migration {unknown[-1]}, which this version does not know: "
                "it was written by a newer version; install that one"
            )
        for name, statements in migrations.items():
            sha256 = hashlib.sha256(statements.encode()).hexdigest()
            if name not in applied:
                connection.exec_driver_sql(statements)
                connection.execute(
                    text("insert into migrations (name, sha256) values (:name, :sha256)"),
                    {"name": name, "sha256": sha256},
                )
            elif applied[name] != sha256:
                raise ReconcileError(
                    f"sql/migrations/{name}.sql was changed after it was applied; add a new one"
                )
            connection.commit()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
        connection.commit()


def make_schema(connection: Connection) -> None:
    """Create the schema of all tables, unless it exists. `if not exists` would need the right to create one even
    then."""
    if not connection.scalar(text("select to_regnamespace(:name) is not null"), {"name": SCHEMA}):
        connection.execute(text(f"create schema {SCHEMA}"))


def _check_zone(connection: Connection, zone: str) -> None:
    """The server has a list of zones of its own, which may be older than that of this machine."""
    try:
        connection.execute(text("select now() at time zone :zone"), {"zone": zone})
    except DBAPIError as error:
        if not isinstance(error.orig, InvalidParameterValue):
            raise
        raise UsageError(
            f"RECONCILE_TIMEZONE: the database's PostgreSQL does not know {zone!r}: update its time zones, or name "
            "an older zone with the same hours"
        ) from None


def check_database(connection: Connection) -> None:
    """Raises UsageError if the database cannot hold every name, or the role lacks a right, with what to do.

    A role needs no more than a schema of its own and temporary tables.
    """
    encoding = connection.scalar(text("show server_encoding"))
    if encoding != "UTF8":
        raise UsageError(
            f"RECONCILE_DATABASE_URL: the database's encoding is {encoding}, which cannot hold every name: "
            "name one with UTF8 (createdb -E UTF8 -T template0 NAME)"
        )
    tables = [name for file in sql_names("migrations") for name in _MADE.findall(read_sql(file))]
    row = connection.execute(text(read_sql("db/rights")), {"schema": SCHEMA, "tables": tables}).one()
    if not row.may_use_temporary:
        raise UsageError(
            f"RECONCILE_DATABASE_URL: the role {row.role} may not make temporary tables: as an administrator, run: "
            f"grant temporary on database {row.database} to {row.role}"
        )
    if not row.may_make_tables and row.schema_owner not in (None, row.role):
        raise UsageError(
            f"RECONCILE_DATABASE_URL: the role {row.role} may not use the schema {SCHEMA}, which the role "
            f"{row.schema_owner} owns: sign in as a role that acts as it, or name another database"
        )
    if not row.may_make_tables:
        raise UsageError(
            f"RECONCILE_DATABASE_URL: the role {row.role} has no schema {SCHEMA} of its own and may not make one: "
            f"as an administrator, run: create schema {SCHEMA} authorization {row.role}"
        )
    if row.forbidden_table is not None:
        table = f"{SCHEMA}.{row.forbidden_table}"
        raise UsageError(
            f"RECONCILE_DATABASE_URL: the role {row.role} may not use the table {table}, which another role owns: "
            f"as an administrator, give it all tables of the schema, each with: alter table {table} owner to {row.role}"
        )
