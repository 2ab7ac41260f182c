"""The database: engine, migrations, SQL files, locks, COPY, the table of runs, and the embedded server."""
