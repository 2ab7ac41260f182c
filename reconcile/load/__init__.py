"""Takes records into Postgres: a fetch or an import becomes visible as a whole or not at all."""
