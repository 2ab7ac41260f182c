"""An app that another process fetches ahead of its turn: nothing is loaded before, nor if nobody asks for it."""

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from reconcile.core.errors import UsageError
from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.db.locks import holding_back
from reconcile.db.sql_files import read_sql
from reconcile.load.fetch_part import PartDone, fetch_part, part_of
from reconcile.settings import Settings
from tests.support.kspay_server import KSPayServer, paged, record, success

AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))


def loaded(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("select count(*) from transactions")) or 0)


def test_nothing_is_loaded_before_its_turn(
    server: KSPayServer, make_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.on("GET", "/currencies", success([]))
    server.on(
        "GET", "/transaction", paged([record(number, "2026-08-10T10:00:00.000Z") for number in range(1, 7)])
    )
    app = server.credentials
    settings = Settings(apps=(app,), app_ids=(app.app_id,), database_url=make_database())
    monkeypatch.setattr(Settings, "read", lambda: settings)
    part = part_of(settings, app.app_id, AUGUST, nightly=False, allow=frozenset())
    with open_store(settings) as engine:
        for asked_for in (False, True):
            waits, found = threading.Event(), list[PartDone | UsageError]()

            def fetch(waits: threading.Event = waits, found: list[PartDone | UsageError] = found) -> None:
                try:
                    found.append(fetch_part(part, "august", silent, waits.set))
                except UsageError as error:
                    found.append(error)

            with holding_back(engine, "august"):
                thread = threading.Thread(target=fetch)
                thread.start()
                assert waits.wait(60)
                assert (loaded(engine), found) == (0, [])
                if asked_for:
                    runs.start(engine, "run", settings.app_ids, AUGUST, tmp_path)
                    with engine.begin() as connection:  # as the fetch of the month before may have learnt it
                        learnt = {"app_id": app.app_id, "day": date(2026, 7, 1)}
                        connection.execute(text(read_sql("load/note_first_day")), learnt)
            thread.join(60)
            [done] = found
            if asked_for:
                assert isinstance(done, PartDone)
                assert (done.read.fetched.added, loaded(engine)) == (6, 6)
                assert done.read.fetched.accepted_from == "2026-07-01"
                assert done.said[""].records == 6
            else:
                # Whoever held it back is gone: no run of these days is at work.
                assert str(done).startswith(f"no run of app {app.app_id} for {AUGUST} is at work")
                assert loaded(engine) == 0
