"""The database: engine, migrations, SQL files, locks, COPY, the table of runs, partitions, backups,
and the embedded server."""

SCHEMA = "reconcile"
"""The schema of the product's tables, so that they can share a database with others."""
