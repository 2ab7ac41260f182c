"""The suites judge what was typed and staged, before any of it counts.

Great Expectations looks at the rows where they are, on the connection that staged them: a first pass counts what
breaks each expectation, and only where something does, a second one names the rows.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, select, table

from reconcile.core.errors import CheckFailed, InputRefused, UsageError
from reconcile.core.money import Currencies
from reconcile.db.sql_files import run_file
from reconcile.ledger.profile import TOML
from reconcile.settings import Settings
from reconcile.validate.great_expectations import Count, GreatExpectations, NotEvaluatedError, exception_of
from reconcile.validate.own import own_rules
from reconcile.validate.rules import SHOWN_SUBJECTS, Demand, Failure, Rule, Validation, Weight
from reconcile.validate.suites import RULES, Families, rules

BATCH = 1_000
"""Records that are typed and staged at once."""

SECONDS = 60
"""How long one statement of a suite may take, unless the settings say otherwise."""

SUITES = ("transactions", "entries")
"""Of single records."""

Subject = tuple[str, Mapping[str, Any], Mapping[str, str]]
"""What is validated as a whole (a file, a day, a currency, a run): its name, the columns that its rules look at, and
by rule what is wrong with it in words."""


class Validator:
    """The suites, and what they have said so far. Make one for a run; threads may share it.

    `allow` names expectations that would block and may not; `own` are the merchant's, by suite; with `docs`, a folder,
    every result is kept for Great Expectations' own pages.
    """

    def __init__(
        self,
        currencies: Currencies,
        allow: frozenset[str] = frozenset(),
        docs: Path | None = None,
        *,
        families: Families | None = None,
        own: Mapping[str, Sequence[Rule]] | None = None,
        seconds: int = SECONDS,
    ) -> None:
        self._library = GreatExpectations(docs)
        self._docs = docs
        self.allow = allow
        self._seconds = seconds
        self._turn = threading.Lock()
        families = Settings().families if families is None else families
        self.rules = {name: rules(name, currencies, families, (own or {}).get(name, ())) for name in SUITES}
        # A suite validates records, and subjects of several kinds: each has its own total.
        self._totals = {(name, ""): Validation(name, 0, 0, 0, 0, ()) for name in SUITES}

    @classmethod
    def of(
        cls, settings: Settings, allow: frozenset[str] = frozenset(), docs: Path | None = None
    ) -> "Validator":
        """The validator of these settings; raises UsageError for a wrong [[expect]]."""
        return cls(
            settings.currencies,
            allow,
            docs,
            families=settings.families,
            own=own_rules(settings.expects, GreatExpectations()),
            seconds=settings.expect_seconds,
        )

    @contextmanager
    def judging(self, connection: Connection, suite: str, view: str, subject: str) -> Iterator["Judging"]:
        """Judge the rows of a view of this connection, `subject` being the file or app that they are of.

        Ends the connection's transaction. Raises InputRefused for what blocks, UsageError for an [[expect]] that
        cannot be evaluated, and CheckFailed where that is an expectation of ours.
        """
        with self._turn, _refused():
            yield Judging(self, connection, suite, view, subject)

    def try_own(self, engine: Engine) -> int:
        """Ask the merchant's own expectations about records that are made up, before any other is read.

        Gives the number of expectations. Raises UsageError for one that cannot be evaluated: a regex that is none,
        or a bound of another kind than the column.
        """
        tried = 0
        for suite in SUITES:
            own = [rule for rule in self.rules[suite] if rule.own]
            if own:
                view = f"sample_{suite}"
                with self._turn, _refused(), engine.connect() as connection:
                    run_file(connection, f"validate/{view}")
                    size = _size(connection, view)
                    with self._library.on_view(connection, view, self._seconds) as rows:
                        rows.counts(view, own, size, kept=False)
                tried += len(own)
        return tried

    def validate_subjects(
        self, suite: str, grain: str, found: Sequence[Rule], subjects: Sequence[Subject]
    ) -> tuple[str, ...]:
        """Check what is seen only as a whole: files, days, currencies, results.

        Gives the names of what would have blocked and was allowed. Raises InputRefused for what blocks, or
        CheckFailed where it is a result of ours.
        """
        if not subjects:
            return ()
        columns = {column: [facts[column] for _, facts, _ in subjects] for column in subjects[0][1]}
        # Of no subject there is nothing to ask, which takes a tenth of a small run; the pages name all.
        asked = found if self._docs is not None else [rule for rule in found if _is_about_any(rule, columns)]
        with self._turn:
            results = (
                self._library.on_frame(f"{suite} by {grain}", asked, columns) if asked or not found else {}
            )
            failures = []
            for rule, broken in _broken_rules(asked, results, len(subjects)).items():
                says = [
                    f"{subjects[row][0]}: {subjects[row][2].get(rule.name, rule.reason)}" for row in broken
                ]
                if says:
                    failures.append(
                        Failure(
                            rule.name,
                            rule.weight,
                            len(says),
                            tuple(says[:SHOWN_SUBJECTS]),
                            allowed=rule.weight is Weight.BLOCKS and rule.name in self.allow,
                            why=rule.why,
                        )
                    )
            self._add(grain, Validation(suite, len(found), len(found) - len(failures), 0, 0, tuple(failures)))
        for failure in failures:
            if failure.weight is Weight.BLOCKS and not failure.allowed:
                if suite == "results":
                    raise CheckFailed(f"{failure.expectation}: {failure.says[0]}")
                raise InputRefused(_refusal(failure))
        return tuple(failure.expectation for failure in failures if failure.allowed)

    def restart(self, suite: str) -> None:
        """Start a suite's totals from nothing, because its stage is run again."""
        with self._turn:
            for of, grain in list(self._totals):
                if of == suite:
                    self._totals[of, grain] = Validation(suite, 0, 0, 0, 0, ())

    def said(self, suite: str) -> dict[str, Validation]:
        """What a suite has said so far, by grain: for the validator of another process to `take_over`."""
        with self._turn:
            return {grain: validation for (of, grain), validation in self._totals.items() if of == suite}

    def take_over(self, said: Mapping[str, Validation]) -> None:
        """Add what the validator of another process said."""
        with self._turn:
            for grain, validation in said.items():
                self._add(grain, validation)

    def summary(self) -> list[dict[str, Any]]:
        """A `Validation` for each suite over all that was validated so far, as values for run.json."""
        found: dict[str, Validation] = {}
        for (suite, _), validation in self._totals.items():
            before = found.get(suite)
            found[suite] = validation if before is None else _beside(before, validation)
        values: list[dict[str, Any]] = msgspec.to_builtins(
            [
                msgspec.structs.replace(validation, demands=self._demands(suite))
                for suite, validation in found.items()
            ]
        )
        return values

    def _demands(self, suite: str) -> tuple[Demand, ...]:
        of_datasets = (rule for found in RULES[suite].values() for rule in found)
        return tuple(
            Demand(rule.name, rule.weight, rule.why) for rule in (*self.rules.get(suite, ()), *of_datasets)
        )

    def warnings(self) -> list[str]:
        """A line for each subject that only warns or was allowed, for people."""
        return [
            f"{suite}: {says} ({failure['expectation']}{', allowed' if failure.get('allowed') else ''})"
            for suite, failures in ((said["suite"], said["failures"]) for said in self.summary())
            for failure in failures
            for says in failure.get("says", ())
        ]

    def write_suites(self, folder: Path) -> None:
        """Write every suite as Great Expectations' own JSON, a file each."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, found in self.rules.items():
            self._library.write_suite(name, found, folder)
        for name, parts in RULES.items():
            for grain, found in parts.items():
                self._library.write_suite(f"{name} by {grain}", found, folder)

    def write_docs(self) -> None:
        """Write Great Expectations' own pages about all that was validated."""
        self._library.write_docs()

    def _add(self, grain: str, validation: Validation) -> None:
        before = self._totals.get((validation.suite, grain))
        self._totals[validation.suite, grain] = before + validation if before else validation


class Judging:
    """One load being judged: first counted, then, where something is broken, named."""

    def __init__(
        self, validator: Validator, connection: Connection, suite: str, view: str, subject: str
    ) -> None:
        self._validator = validator
        self._connection = connection
        self._suite = suite
        self._view = view
        self._subject = subject
        self._rules = validator.rules[suite]
        self._counts: Mapping[str, Count] = {}
        self.size = _size(connection, view)

    def count(self) -> tuple[Failure, ...]:
        """What is broken; `blocks` by its weight, or because every record breaks an [[expect]]."""
        if not self.size:
            return ()
        v = self._validator
        with self._view_of() as view:
            self._counts = view.counts(self._suite, self._rules, self.size)
        failures = []
        for rule in self._rules:
            broken, of, found = self._counts[rule.name]
            if broken:
                # A rule that all records break is wrong rather than all of them.
                everything = (
                    rule.own
                    and rule.weight is Weight.QUARANTINES
                    and 1 < broken == of
                    and broken * 2 > self.size
                )
                blocks = everything or rule.weight is Weight.BLOCKS
                if found is not None:
                    what = f"{', '.join(rule.columns)}: {found}, where {_demanded(rule)}"
                elif everything:
                    what = f"every one of {of:,} records breaks it, so it blocks"
                else:
                    what = f"{broken:,} of {self.size:,} records break it"
                says = f"{self._subject}: {what}: {rule.why.rstrip('.')}"
                failures.append(
                    Failure(
                        rule.name,
                        rule.weight,
                        broken,
                        (says,) if blocks or found is not None else (),
                        allowed=blocks and rule.name in v.allow,
                        why=rule.why,
                    )
                )
        return tuple(failures)

    def refuse(self, failures: Sequence[Failure]) -> None:
        """Raise InputRefused if one of these blocks and is not allowed."""
        for failure in failures:
            if failure.says and failure.weight is not Weight.WARNS and not failure.allowed:
                raise InputRefused(f"[[expect]] {failure.expectation}: {_refusal(failure)}")

    @property
    def most(self) -> int:
        """How many rows break the quarantining rule that most rows break."""
        return max((self._counts[rule.name].broken for rule in self._quarantining()), default=0)

    def name(self, most: int) -> dict[str, list[Rule]]:
        """By place, which rules that quarantine it a row of the view breaks; at most `most` rows are asked about."""
        with self._view_of() as view:
            found: dict[str, list[Rule]] = view.places(self._suite, self._quarantining(), most)
        return found

    def note(self, failures: Sequence[Failure], quarantined: int) -> None:
        """Add this load to the suite's total."""
        if self.size:
            evaluated = len(self._rules)
            self._validator._add(
                "",
                Validation(
                    self._suite, evaluated, evaluated - len(failures), self.size, quarantined, tuple(failures)
                ),
            )

    def _quarantining(self) -> list[Rule]:
        """The rules that quarantine and are broken."""
        return [
            rule
            for rule in self._rules
            if rule.weight is Weight.QUARANTINES
            and rule.name in self._counts
            and self._counts[rule.name].broken
        ]

    def _view_of(self) -> Any:
        v = self._validator
        return v._library.on_view(self._connection, self._view, v._seconds)


@contextmanager
def _refused() -> Iterator[None]:
    """Say of an expectation that could not be evaluated whose fault it is."""
    try:
        yield
    except NotEvaluatedError as error:
        if error.rule.own:
            raise UsageError(f"{TOML}: [[expect]] {error.rule.name}: {error.reason}") from None
        raise CheckFailed(str(error)) from None


def _size(connection: Connection, view: str) -> int:
    size: int = connection.execute(select(func.count()).select_from(table(view))).scalar_one()
    connection.commit()
    return size


def _demanded(rule: Rule) -> str:
    """What a rule demands of a whole column, in the words of reconcile.toml."""
    named = ("column", "row_condition", "condition_parser")
    return ", ".join(
        f"{name} is {_plain(value)}" for name, value in rule.arguments.items() if name not in named
    )


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _refusal(failure: Failure) -> str:
    return (
        f"{failure.says[0]}: nothing of it is used; correct it, or use it with --allow {failure.expectation}"
    )


def _beside(one: Validation, other: Validation) -> Validation:
    """Two parts of a suite of different subjects, as one."""
    return Validation(
        suite=one.suite,
        evaluated=one.evaluated + other.evaluated,
        successful=one.successful + other.successful,
        records=one.records + other.records,
        quarantined=one.quarantined + other.quarantined,
        failures=(*one.failures, *other.failures),
    )


def _is_about_any(rule: Rule, columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether any subject fulfils the condition of a rule, if it has one: as `suites` writes it."""
    condition = rule.arguments.get("row_condition")
    if condition is None:
        return True
    assert condition["operator"] == ">="
    return any(value >= condition["parameter"] for value in columns[condition["column"]["name"]])


def _broken_rules(found: Sequence[Rule], results: Mapping[str, Any], size: int) -> dict[Rule, list[int]]:
    """By rule, the rows that break it.

    An expectation that was not evaluated on every row that it is about is a fault of ours, never a success.
    """
    broken: dict[Rule, list[int]] = {}
    for rule in found:
        result = results.get(rule.name)
        if result is None:
            raise CheckFailed(f"expectation {rule.name} was not evaluated")
        said = result.result
        conditional = rule.arguments.get("row_condition") is not None
        if (
            "unexpected_index_list" not in said
            or (said.get("element_count") != size and not conditional)
            or said.get("missing_count", 0)
        ):
            reason = exception_of(result) or f"it looked at {said.get('element_count')} of {size} rows"
            raise CheckFailed(f"expectation {rule.name} was not evaluated: {reason}")
        indexes = [int(record["row"]) for record in said["unexpected_index_list"] or ()]
        if len(indexes) != said["unexpected_count"] or (not result.success and not indexes):
            raise CheckFailed(f"expectation {rule.name} failed without naming every row that broke it")
        broken[rule] = [] if result.success else indexes
    return broken
