"""Loads Great Expectations: imports it once, turns its calls home off, and replaces what is slow in it.

It takes some seconds and 220 MB to import, so it is imported where it is first asked, or ahead of that with `preload`.
"""

import contextlib
import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from sqlalchemy import DATE, NUMERIC, TEXT, TIMESTAMP, Select, text

from reconcile.db.sql_files import read_sql
from reconcile.validate.late_imports import importing_late

_COLUMN_TYPES = {
    "date": DATE(),
    "numeric": NUMERIC(),
    "text": TEXT(),
    "timestamp with time zone": TIMESTAMP(timezone=True),
}
"""Those of the columns that are judged, by their names in Postgres."""

_loading = threading.Lock()


def load() -> Any:
    """Import Great Expectations and our own classes, once however many threads ask, with its calls home turned off."""
    with _loading:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        with importing_late():
            import great_expectations

        # What it could not evaluate is an error of ours, in one line; it would log pages of it.
        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)

        import reconcile.validate.expectations  # noqa: F401 - its classes register themselves

        _hold_what_is_made()
        _number_quickly()
        _compute_once()
        _describe_quickly()
        _ask_for_no_rows_quickly()
        _compile_each_template_once()

        return great_expectations


class _Asking(threading.local):
    """What this thread made while it asks: by what it was made of and how, both; None while it asks nothing."""

    made: dict[tuple[int, Any], tuple[Any, Any]] | None = None


_asking = _Asking()


@contextmanager
def each_made_once() -> Iterator[None]:
    """Let each expectation write its configuration down once, and each configuration become an expectation once.

    Great Expectations does both again for each metric and each word of a metric: a third of what it takes to ask.
    """
    before, _asking.made = _asking.made, {}
    try:
        yield
    finally:
        _asking.made = before


@cache
def _hold_what_is_made() -> None:
    """Let Great Expectations ask `each_made_once`."""
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    def held(make: Any) -> Any:
        def made(self: Any) -> Any:
            if _asking.made is None:
                return make(self)
            key = id(self), make
            if key not in _asking.made:
                _asking.made[key] = self, make(self)  # it is kept, or another one could get its number
            return _asking.made[key][1]

        return made

    Expectation.configuration = property(held(Expectation.configuration.fget))
    ExpectationConfiguration.to_domain_obj = held(ExpectationConfiguration.to_domain_obj)


@cache
def _number_quickly() -> None:
    """Let a metric be numbered by its arguments without each of their values being looked at in Python.

    Great Expectations would take every currency in hand for each of a dozen metrics: a tenth of a small run.
    """
    from great_expectations.core.id_dict import IDDict

    carefully = IDDict.to_id

    def to_id(self: Any, id_keys: Any = None, id_ignore_keys: Any = None) -> Any:
        if id_keys is None and id_ignore_keys is None and len(self) > 1 and not self._id_ignore_keys:
            with contextlib.suppress(TypeError, ValueError):  # values that JSON has no form for
                content = json.dumps(self, sort_keys=True)
                return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
        return carefully(self, id_keys, id_ignore_keys)

    IDDict.to_id = to_id


@cache
def _compute_once() -> None:
    """Let a metric that could not be computed be given up at once.

    Great Expectations would compute it three times: for an expectation that takes too long, three times the limit.
    """
    from great_expectations.validator import validation_graph

    validation_graph.MAX_METRIC_COMPUTATION_RETRIES = 1


@cache
def _describe_quickly() -> None:
    """Let the columns of a view be looked up by one small query.

    Great Expectations would have each view reflected as a table of any database, with its key and with all domains and
    enumerations that there are: a tenth of a small run.
    """
    from great_expectations.expectations.metrics.table_metrics import table_column_types

    carefully = table_column_types.get_sqlalchemy_column_metadata

    def described(execution_engine: Any, table_selectable: Any, schema_name: str | None = None) -> Any:
        with execution_engine.get_connection() as connection:
            asked = text(read_sql("validate/columns"))
            found = connection.execute(asked, {"view": str(table_selectable)}).all()
        if any(kind not in _COLUMN_TYPES for _, kind in found):
            return carefully(execution_engine, table_selectable, schema_name)
        return [{"name": name, "type": _COLUMN_TYPES[kind]} for name, kind in found]

    table_column_types.get_sqlalchemy_column_metadata = described


class _NoRows:
    """The answer to a question for no rows."""

    def fetchall(self) -> list[Any]:
        return []

    def fetchmany(self, _size: int) -> list[Any]:
        return []


@cache
def _ask_for_no_rows_quickly() -> None:
    """Let a question for none of the rows be answered without the database.

    Great Expectations asks it of each expectation whose broken rows are only counted: a tenth of a small run.
    """
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine

    carefully = SqlAlchemyExecutionEngine.execute_query

    def execute_query(self: Any, query: Any) -> Any:
        if isinstance(query, Select) and query._limit == 0:
            return _NoRows()
        return carefully(self, query)

    SqlAlchemyExecutionEngine.execute_query = execute_query


@cache
def _compile_each_template_once() -> None:
    """Let the kinds of Great Expectations' own pages share what is compiled: each would compile the same templates."""
    from great_expectations.render.view import view
    from jinja2 import BytecodeCache
    from jinja2.bccache import Bucket

    class InMemory(BytecodeCache):
        def __init__(self) -> None:
            self.held: dict[str, bytes] = {}

        def load_bytecode(self, bucket: Bucket) -> None:
            if bucket.key in self.held:
                bucket.bytecode_from_string(self.held[bucket.key])

        def dump_bytecode(self, bucket: Bucket) -> None:
            self.held[bucket.key] = bucket.bytecode_to_string()

    view.Environment = partial(view.Environment, bytecode_cache=InMemory())


def preload() -> threading.Thread:
    """Begin the import of Great Expectations in the background; a thread that needs it meanwhile waits."""

    def work() -> None:
        # An import that fails fails again, with its message, where the library is asked.
        with contextlib.suppress(ImportError):
            load()

    thread = threading.Thread(target=work, name="preload great_expectations", daemon=True)
    thread.start()
    return thread
