"""Great Expectations asked: a suite about the rows of a view in Postgres, or about a small frame.

The library is asked in this module alone, and loaded by `reconcile.validate.library`.
"""

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader, PyFormat
from psycopg.pq import Format
from sqlalchemy import Connection, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import StaticPool

from reconcile.core.errors import CheckFailed
from reconcile.core.writing import whole_file
from reconcile.validate.library import each_made_once, load
from reconcile.validate.rules import SEVERITIES, Rule, Weight

_COUNTING = {"result_format": "BASIC", "partial_unexpected_count": 0}
_ON_FRAME = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["row"],
    "return_unexpected_index_query": False,
    "partial_unexpected_count": 0,
}
_FOR_PEOPLE = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["place"],
    "return_unexpected_index_query": True,
    "partial_unexpected_count": 20,
}

NAMES_NO_RECORD = "is about a whole column and names no record: give it the weight warns or blocks"

_SHOWN = 10
"""Values that break a rule about a whole column, and are named."""

_RAISED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

_NUMERIC = psycopg.adapters.types["numeric"].oid


class NotEvaluatedError(Exception):
    """Great Expectations could not evaluate a rule: why, in its words."""

    def __init__(self, rule: Rule, reason: str) -> None:
        super().__init__(f"expectation {rule.name} was not evaluated: {reason}")
        self.rule = rule
        self.reason = reason


class _ExactFloat(Dumper):
    """A number of a suite as the decimal that it is written as: Great Expectations keeps 0.1 as a binary float, and
    Postgres would turn each amount into one too, to compare the two."""

    oid = _NUMERIC

    def dump(self, obj: float) -> bytes:
        return repr(obj).encode()


def _decimal(value: Any) -> Any:
    """A number as the decimal that it is written as, also a binary float; anything else as it is."""
    if isinstance(value, float):
        return Decimal(repr(value))
    return Decimal(value) if isinstance(value, str | Decimal) else value


class _Exact(str):
    """A decimal of Postgres as text: Great Expectations writes it into its pages digit for digit, where it would make a
    binary float of a Decimal. It compares as a number with what a bound is written as."""

    __slots__ = ()

    def __lt__(self, other: Any) -> bool:
        return bool(_decimal(self) < _decimal(other))

    def __le__(self, other: Any) -> bool:
        return bool(_decimal(self) <= _decimal(other))

    def __gt__(self, other: Any) -> bool:
        return bool(_decimal(self) > _decimal(other))

    def __ge__(self, other: Any) -> bool:
        return bool(_decimal(self) >= _decimal(other))


class _ExactLoader(Loader):
    def load(self, data: Buffer) -> _Exact:
        return _Exact(bytes(data).decode())


class _Borrowed(StaticPool):
    """A pool of a connection that belongs to the caller: the pool never closes it."""

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        pass


class GreatExpectations:
    """One context, in memory. With `docs`, a folder, every result is kept for Great Expectations' own pages."""

    def __init__(self, docs: Path | None = None) -> None:
        self._docs = docs
        self._numbers = count(1)
        self._suites: dict[str, tuple[Sequence[Rule], Any]] = {}

    # The library is not waited for before there is something to ask.

    @cached_property
    def _gx(self) -> Any:
        return load()

    @cached_property
    def _context(self) -> Any:
        context = self._gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        if self._docs is None:
            # It would write its configuration down after each change, in memory: a twentieth of a small run.
            context._save_project_config = lambda: None
        return context

    @cached_property
    def _frames(self) -> Any:
        asset = self._context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
        return asset.add_batch_definition_whole_dataframe("whole")

    def expectation_class(self, name: str) -> type:
        """The class of a name, `ExpectColumnValuesToNotBeNull` or as `expect_column_values_to_not_be_null`; raises
        ValueError where there is none."""
        classes = self._gx.expectations  # imports the library, before what rests on it
        from reconcile.validate.expectations import OURS

        camel = "".join(part.capitalize() for part in name.split("_")) if "_" in name else name
        found = OURS.get(camel) or getattr(classes, camel, None)
        if not isinstance(found, type):
            raise ValueError(f"Great Expectations has no expectation {name}")  # noqa: TRY004 - a wrong setting
        return found

    def expectation(self, rule: Rule) -> Any:
        """A rule as Great Expectations has it; raises ValueError with what it says of a wrong one."""
        kind = self.expectation_class(rule.expectation)
        with warnings.catch_warnings():
            # A condition that is written as a text is what a settings file can hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            return kind(
                severity=SEVERITIES[rule.weight],
                notes=rule.why,
                meta={"name": rule.name, "weight": rule.weight.value},
                **rule.arguments,
            )

    def suite(self, name: str, rules: Sequence[Rule], *, kept: bool = True) -> Any:
        """A suite of these rules; one that is kept is made once, and stands in the pages."""
        held = self._suites.get(name)
        if held is None or held[0] != rules:
            made = self._gx.ExpectationSuite(
                name=name, expectations=[self.expectation(rule) for rule in rules]
            )
            if not kept:
                return made
            held = self._suites[name] = (rules, self._context.suites.add(made) if self._docs else made)
        return held[1]

    def on_frame(
        self, name: str, rules: Sequence[Rule], columns: Mapping[str, Sequence[Any]]
    ) -> dict[str, Any]:
        """What it says of each rule about rows that are given by columns; a broken one names their numbers in `row`."""
        from pandas import DataFrame, Series

        # Whole numbers of the machine's own are validated all at once; all else stays what it is, never a float.
        frame = DataFrame(
            {
                column: Series(values, dtype="int64")
                if all(type(value) is int for value in values)
                else Series(values, dtype="object")
                for column, values in columns.items()
            }
        )
        frame["row"] = range(len(frame))
        return self._ask(self._frames, name, rules, _ON_FRAME, {"dataframe": frame})

    @contextmanager
    def on_view(self, connection: Connection, view: str, seconds: int) -> Iterator["View"]:
        """Ask about the rows of a view that only this connection may see: a temporary one.

        Ends the connection's transaction, so call it between commits. No statement takes longer than `seconds`.
        """
        driver = connection.connection.driver_connection
        assert driver is not None
        adapters = driver.adapters
        usual = adapters.get_loader(_NUMERIC, Format.TEXT)
        usual_floats = [adapters.get_dumper(float, form) for form in (PyFormat.TEXT, PyFormat.BINARY)]
        adapters.register_dumper(float, _ExactFloat)
        adapters.register_loader(_NUMERIC, _ExactLoader)
        connection.execute(
            text("select set_config('statement_timeout', :limit, false)"), {"limit": f"{seconds}s"}
        )
        connection.commit()
        name = f"{view} {next(self._numbers)}"
        with warnings.catch_warnings():
            # A source of Postgres alone would connect by itself, and see nothing of ours.
            warnings.simplefilter("ignore")
            source = self._context.data_sources.add_sql(
                name,
                connection_string="postgresql+psycopg://",
                kwargs={
                    "creator": lambda: driver,
                    "poolclass": _Borrowed,
                    # Each question would be a transaction of its own: two more messages to the database.
                    "isolation_level": "AUTOCOMMIT",
                    "skip_autocommit_rollback": True,
                    "use_native_hstore": False,
                },
                create_temp_table=False,
            )
        try:
            asset = source.add_table_asset(view, table_name=view)
            yield View(self, asset.add_batch_definition_whole_table("whole"), seconds)
        finally:
            if self._docs is None:
                self._context.data_sources.delete(name)
            adapters.register_loader(_NUMERIC, usual)
            for dumper in usual_floats:
                adapters.register_dumper(float, dumper)
            driver.rollback()
            driver.autocommit = False
            connection.execute(text("reset statement_timeout"))
            connection.commit()

    def _ask(
        self,
        batches: Any,
        name: str,
        rules: Sequence[Rule],
        form: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        *,
        kept: bool = True,
    ) -> dict[str, Any]:
        if not rules:
            raise CheckFailed("a suite without expectations was asked to validate")
        try:
            suite = self.suite(name, rules, kept=kept)
            # Batch.validate rather than a ValidationDefinition, which keeps every result in memory.
            if self._docs is not None and kept:
                definition = self._gx.ValidationDefinition(
                    name=f"{name} {next(self._numbers)}", data=batches, suite=suite
                )
                definition = self._context.validation_definitions.add(definition)
                with each_made_once():
                    outcome = definition.run(batch_parameters=parameters, result_format=form)
            else:
                with each_made_once():
                    outcome = batches.get_batch(parameters).validate(suite, result_format=form)
        except (self._gx.exceptions.GreatExpectationsError, *_RAISED) as error:
            # Most of what a rule raises is in its result. Of the rest each alone shows which one it was.
            if len(rules) == 1:
                raise NotEvaluatedError(rules[0], _first_line(f"{type(error).__name__}: {error}")) from None
            for rule in rules:
                self._ask(batches, f"{name}: {rule.name}", [rule], form, parameters, kept=False)
            raise
        return {result.expectation_config.meta["name"]: result for result in outcome.results}

    def write_suite(self, name: str, rules: Sequence[Rule], folder: Path) -> None:
        """Write a suite as its own JSON; what it numbers by chance is left out, so that the same suite gives the same
        bytes."""
        content = self.suite(name, rules).to_json_dict()
        content.pop("id", None)
        for expectation in content["expectations"]:
            expectation.pop("id", None)
        text = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True)
        with whole_file(folder / f"{name.replace(' ', '_')}.json") as aside:
            aside.write_text(f"{text}\n", "utf-8")

    def write_docs(self) -> None:
        """Write Great Expectations' own pages about all that was validated into the folder `docs`."""
        assert self._docs is not None
        self._context.add_data_docs_site(
            site_name="reconcile",
            site_config={
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": str(self._docs.resolve()),
                },
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            },
        )
        self._context.build_data_docs()


class Count(NamedTuple):
    """Of one rule: how many rows break it, and how many have what it looks at.

    `found` is of a broken rule about a whole column: what was found instead.
    """

    broken: int
    of: int
    found: str | None = None


class View:
    """Rows of a view, for as long as it can be asked about."""

    def __init__(self, library: GreatExpectations, batches: Any, seconds: int) -> None:
        self._library = library
        self._batches = batches
        self._seconds = seconds

    def counts(self, name: str, rules: Sequence[Rule], size: int, *, kept: bool = True) -> dict[str, "Count"]:
        """By rule, how many of the `size` rows break it; of a rule about a whole column 1 where it is broken.

        Raises NotEvaluatedError for a rule that could not be evaluated on all of them.
        """
        try:
            return self._counts(name, rules, size, kept=kept)
        except NotEvaluatedError:
            # All are evaluated in one scan, and fail together: each alone shows which one it was.
            for rule in rules:
                self._counts(f"{name}: {rule.name}", [rule], size, kept=False)
            raise

    def _counts(self, name: str, rules: Sequence[Rule], size: int, *, kept: bool) -> dict[str, "Count"]:
        form = _COUNTING if self._library._docs is None else _FOR_PEOPLE
        results = self._library._ask(self._batches, name, rules, form, kept=kept)
        found = {}
        for rule in rules:
            result = results.get(rule.name)
            if result is None:
                raise NotEvaluatedError(rule, "it was passed over")
            if (reason := exception_of(result)) is not None:
                if "statement timeout" in reason:
                    reason = f"it took longer than {self._seconds} seconds"
                raise NotEvaluatedError(rule, reason)
            said = result.result
            if "element_count" not in said:
                if rule.weight is Weight.QUARANTINES:
                    raise NotEvaluatedError(rule, f"{rule.expectation} {NAMES_NO_RECORD}")
                found[rule.name] = Count(0, size) if result.success else Count(1, size, self._found(rule))
                continue
            conditional = rule.arguments.get("row_condition") is not None
            if said["element_count"] != size and not conditional:
                raise NotEvaluatedError(rule, f"it looked at {said['element_count']} of {size} rows")
            broken = said["unexpected_count"]
            if not result.success and not broken:
                raise NotEvaluatedError(rule, "it failed without a row that breaks it")
            looked_at = size if conditional else size - said.get("missing_count", 0)
            found[rule.name] = Count(0 if result.success else broken, looked_at)  # `mostly` forgives some
        return found

    def _found(self, rule: Rule) -> str:
        """What was found where a rule about a whole column is broken, for people."""
        form = {"result_format": "BASIC", "partial_unexpected_count": _SHOWN}
        results = self._library._ask(self._batches, f"{rule.name}: found", [rule], form, kept=False)
        said = results[rule.name].result
        observed = said.get("observed_value")
        if isinstance(observed, dict):  # of quantiles
            observed = observed.get("values")
        parts = [
            f"{name}{', '.join(map(str, values))}"
            for name, values in (
                (
                    "found ",
                    observed if isinstance(observed, list) else [] if observed is None else [observed],
                ),
                ("unexpected ", said.get("partial_unexpected_list") or ()),
                ("missing ", said.get("partial_missing_list") or ()),
            )
            if values
        ]
        return "; ".join(parts) or "found no value"

    def places(self, name: str, rules: Sequence[Rule], most: int) -> dict[str, list[Rule]]:
        """By place of a row, which of these rules it breaks; at most `most` rows break any of them."""
        form = {
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["place"],
            "return_unexpected_index_query": True,  # without it the list of rows is missing too
            "exclude_unexpected_values": True,
            "partial_unexpected_count": most,  # the list is cut there
        }
        results = self._library._ask(self._batches, f"{name}: broken", rules, form, kept=False)
        found: dict[str, list[Rule]] = {}
        for rule in rules:
            result = results[rule.name]
            if (reason := exception_of(result)) is not None:
                raise NotEvaluatedError(rule, reason)
            said = result.result
            # Without the values it is one list of all places.
            places = [
                place for record in said.get("unexpected_index_list") or () for place in record["place"]
            ]
            # In a part of the rows there may be none that its condition is about.
            if len(places) != (said["unexpected_count"] if said.get("element_count") else 0):
                raise NotEvaluatedError(rule, "it failed without naming every record that broke it")
            for place in places:
                found.setdefault(place, []).append(rule)
        return found


def exception_of(result: Any) -> str | None:
    """Why an expectation was not evaluated; None where it was."""
    info = result.exception_info or {}
    found = [info] if "raised_exception" in info else list(info.values())
    for exception in found:
        if exception.get("raised_exception"):
            return _first_line(str(exception.get("exception_message")))
    return None


def _first_line(said: str) -> str:
    line = next((line.strip() for line in said.splitlines() if line.strip()), "it raised an exception")
    return re.sub(r"^\(psycopg\.errors\.\w+\) ", "", line)


def exactly(value: object) -> object:
    """A value of a settings file as Great Expectations takes it: a number with a point is a float there.

    Raises ValueError for a number that a float cannot hold digit for digit: it makes one of whole numbers too.
    """
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        if not _held(value):
            raise ValueError(
                f"{value} has more digits than Great Expectations can hold exactly; "
                "ExpectColumnValuesToBeBetween of amounts takes any"
            )
        return value if isinstance(value, int) else float(value)
    if isinstance(value, list):
        return [exactly(item) for item in value]
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    return value


def _held(value: Decimal | int) -> bool:
    try:
        return Decimal(repr(float(value))) == value
    except OverflowError:
        return False
