"""Stage 3: Great Expectations validates typed records before anything is loaded.

`reconcile.normalise.entries` decides whether a record can be typed at all, `reconcile.validate.rules` says
what a typed one must hold to be used, and here Great Expectations is asked. Great Expectations takes about 7
seconds and 220 MB to import, so it is imported where a Validator is first asked, or ahead of that with `preload`.
"""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from reconcile.core import money
from reconcile.core.errors import CheckFailed, InputRefused
from reconcile.core.money import UNKNOWN_DIGITS
from reconcile.core.records import Entry, Rejection, Side, Transaction
from reconcile.core.rejections import Problem, rejection
from reconcile.validate.late_imports import import_late
from reconcile.validate.rules import SHOWN_SUBJECTS, Failure, Rule, Validation, Weight, rules

BATCH = 1_000
"""Records to validate at once; each record of a batch takes 2 kB of memory while it is validated and loaded."""


_QUANTA = tuple(Decimal(1).scaleb(-digits) for digits in range(money.MAX_DECIMALS + 1))
_SHOWN = {
    "currency_decimals": "currency",
    "decimals_too_many": "amount",
    "below_zero": "amount",
}
"""For a helper column, the attribute of the record that it was worked out from."""

_TRAITS = ("id_letters", "currency_decimals", "decimals_too_many", "below_zero", "created_year", "id_foreign")
"""Columns: what the expectations look at in a transaction; in an entry, at the first three."""

_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["row"],
    "return_unexpected_index_query": False,
    "partial_unexpected_count": 0,
}

Subject = tuple[str, Mapping[str, int], Mapping[str, str]]
"""What is validated as a whole (a file, a day, a currency, a run): its name, by rule what is wrong with it
(0: nothing), and the same in words."""

Values = Mapping[str, Any]
"""What stands in a record as it came, by name."""

_Record = TypeVar("_Record", Transaction, Entry)

_loading = threading.Lock()

_LONG = 2**24
"""Bytes of a ledger that take about as long to be read as Great Expectations takes to be imported."""


def _load() -> Any:
    """Import Great Expectations, once however many threads ask, and with its calls home turned off."""
    with _loading:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        import_late()
        import great_expectations

        return great_expectations


def preload() -> threading.Thread:
    """Begin the import of Great Expectations in the background; a Validator asked meanwhile waits for it."""

    def work() -> None:
        # An import that fails fails again, with its message, where a Validator is asked.
        with contextlib.suppress(ImportError):
            _load()

    thread = threading.Thread(target=work, name="preload great_expectations", daemon=True)
    thread.start()
    return thread


def preload_beside(bytes_to_read: int) -> None:
    """Begin the import of Great Expectations unless so much is read first that the two would only take turns.

    Both keep a core of Python busy; a long ledger is better read alone, and begins the import when it is read.
    """
    if bytes_to_read < _LONG:
        preload()


class Validator:
    """The suites, and what they have said so far. Make one for a run; threads may share it.

    `allow` names expectations that would block and may not; with `docs`, a folder, every result is kept for
    Great Expectations' own pages.
    """

    def __init__(
        self,
        currencies: money.Currencies,
        allow: frozenset[str] = frozenset(),
        docs: Path | None = None,
    ) -> None:
        self._docs = docs
        self._allow = allow
        self._currencies = currencies
        self._numbers = count(1)
        self._turn = threading.Lock()
        self._rules = {name: rules(name) for name in ("transactions", "entries")}
        self._suites: dict[str, Any] = {}
        self._verdicts: dict[str, dict[tuple[int, ...], tuple[Rule, ...]]] = {
            name: {} for name in self._rules
        }
        # A suite validates records, and subjects of several kinds: each has its own total.
        self._totals = {(name, ""): Validation(name, 0, 0, 0, 0, ()) for name in self._rules}

    # Great Expectations is not waited for before there is something to validate.

    @cached_property
    def _gx(self) -> Any:
        return _load()

    @cached_property
    def _context(self) -> Any:
        context = self._gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        return context

    @cached_property
    def _frames(self) -> Any:
        asset = self._context.data_sources.add_pandas("records").add_dataframe_asset("batch")
        return asset.add_batch_definition_whole_dataframe("whole")

    def transactions(
        self, batch: Sequence[Transaction], came: Sequence[Values] = ()
    ) -> tuple[list[Transaction], list[Rejection]]:
        """The records of a batch that may be used, in their order, and a rejection for each other one.

        `came` is each as it came, which a rejection shows; without it, it shows the typed one.
        """
        digits = self._currencies.digits
        traits = [
            (
                1 if record.transaction_id else 0,
                allowed := digits.get(record.currency, UNKNOWN_DIGITS),
                _too_many(record.amount, allowed),
                1 if record.amount < 0 else 0,
                record.created_at.year,
                1 if record.transaction_id and not record.transaction_id.startswith("tx_") else 0,
            )
            for record in batch
        ]
        return self._apart("transactions", batch, traits, came)

    def entries(
        self, batch: Sequence[Entry], came: Sequence[Values] = ()
    ) -> tuple[list[Entry], list[Rejection]]:
        """The records of a batch that may be used, and a rejection for each other one; as `transactions`."""
        return self._apart("entries", batch, [self.traits_of(entry) for entry in batch], came)

    def traits_of(self, entry: Entry) -> tuple[int, int, int]:
        """What the expectations look at in an entry."""
        allowed = self._currencies.digits.get(entry.currency, UNKNOWN_DIGITS)
        return 1 if entry.ledger_id else 0, allowed, _too_many(entry.amount, allowed)

    def entries_in_bulk(self, counts: Mapping[tuple[int, ...], int]) -> set[tuple[int, ...]]:
        """Validate entries by how many have each combination of traits; gives those whose entries may not be used.

        Their entries are not counted yet: give them to `entries`, which says what is wrong with each.
        """
        with self._turn:
            self._ask("entries", counts)
            unusable = {trait for trait in counts if self._verdicts["entries"][trait]}
            usable = sum(count for trait, count in counts.items() if trait not in unusable)
            self._note("entries", usable, Counter(), 0)
        return unusable

    def transactions_in_bulk(self, counts: Mapping[tuple[int, ...], int]) -> None:
        """Validate transactions that nothing was seen to be wrong with, by how many have each combination of traits.

        Raises CheckFailed where one of them may not be used after all: then what looked at them is at fault.
        """
        with self._turn:
            self._ask("transactions", counts)
            broken: Counter[str] = Counter()
            for trait, count in counts.items():
                for rule in self._verdicts["transactions"][trait]:
                    if rule.weight is Weight.QUARANTINES:
                        raise CheckFailed(f"{rule.name}: {count:,} transactions were taken for usable")
                    broken[rule.name] += count
            self._note("transactions", sum(counts.values()), broken, 0)

    def _ask(self, suite: str, traits: Iterable[tuple[int, ...]]) -> None:
        """Have Great Expectations validate the combinations that it was not asked about before."""
        found, verdicts = self._rules[suite], self._verdicts[suite]
        if fresh := list(set(traits).difference(verdicts)):
            columns: dict[str, list[Any]] = {
                name: [trait[place] for trait in fresh] for place, name in enumerate(_TRAITS[: len(fresh[0])])
            }
            _, broken = _broken_rules(found, self._run(suite, found, columns), len(fresh))
            verdicts |= {trait: tuple(broken.get(row, ())) for row, trait in enumerate(fresh)}

    def _apart(
        self, suite: str, batch: Sequence[_Record], traits: Sequence[tuple[int, ...]], came: Sequence[Values]
    ) -> tuple[list[_Record], list[Rejection]]:
        """The sound records of a batch, and a rejection for each broken one.

        Every expectation looks at one small number of a record, so Great Expectations is asked about each
        combination of these numbers once, and about none twice: nearly every record has the same.
        """
        verdicts = self._verdicts[suite]
        with self._turn:
            self._ask(suite, traits)
            broken = {row: verdicts[trait] for row, trait in enumerate(traits) if verdicts[trait]}
            unusable = {
                index: kept
                for index, found in broken.items()
                if (kept := [rule for rule in found if rule.weight is Weight.QUARANTINES])
            }
            counts = Counter(rule.name for found in broken.values() for rule in found)
            self._note(suite, len(batch), counts, len(unusable))
        sound = [record for index, record in enumerate(batch) if index not in unusable]
        return sound, [
            _rejected(batch[index], unusable[index], self._currencies, came[index] if came else None)
            for index in sorted(unusable)
        ]

    def validate_subjects(
        self, suite: str, grain: str, found: Sequence[Rule], subjects: Sequence[Subject]
    ) -> tuple[str, ...]:
        """Check what is seen only as a whole: files, days, currencies, results.

        Gives the names of what would have blocked and was allowed. Raises InputRefused for what blocks, or
        CheckFailed where it is a result of ours.
        """
        if not subjects:
            return ()
        columns = {rule.column: [facts[rule.column] for _, facts, _ in subjects] for rule in found}
        with self._turn:
            name = f"{suite} by {grain}"
            counts, broken = _broken_rules(found, self._run(name, found, columns), len(subjects))
            says: dict[str, list[str]] = {}
            for index, rules_broken in sorted(broken.items()):
                subject, _, words = subjects[index]
                for rule in rules_broken:
                    says.setdefault(rule.name, []).append(f"{subject}: {words.get(rule.name, rule.reason)}")
            failures = [
                Failure(
                    rule.name,
                    rule.weight,
                    count,
                    tuple(says[rule.name][:SHOWN_SUBJECTS]),
                    allowed=rule.weight is Weight.BLOCKS and rule.name in self._allow,
                )
                for rule, count in counts
            ]
            total = Validation(suite, len(found), len(found) - len(failures), 0, 0, tuple(failures))
            before = self._totals.get((suite, grain))
            self._totals[suite, grain] = before + total if before else total
        for failure in failures:
            if failure.weight is Weight.BLOCKS and not failure.allowed:
                if suite == "results":
                    raise CheckFailed(f"{failure.expectation}: {failure.says[0]}")
                raise InputRefused(
                    f"{failure.says[0]}: nothing of it is used; correct it, or use it with "
                    f"--allow {failure.expectation}"
                )
        return tuple(failure.expectation for failure in failures if failure.allowed)

    def restart(self, suite: str) -> None:
        """Start a suite's totals from nothing, because its stage is run again."""
        with self._turn:
            for of, grain in list(self._totals):
                if of == suite:
                    self._totals[of, grain] = Validation(suite, 0, 0, 0, 0, ())

    def summary(self) -> list[dict[str, Any]]:
        """A `Validation` for each suite over all that was validated so far, as values for run.json."""
        found: dict[str, Validation] = {}
        for (suite, _), one in self._totals.items():
            before = found.get(suite)
            found[suite] = one if before is None else _beside(before, one)
        plain: list[dict[str, Any]] = msgspec.to_builtins(list(found.values()))
        return plain

    def warnings(self) -> list[str]:
        """A line for each subject that only warns or was allowed, for people."""
        return [
            f"{suite}: {says} ({failure['expectation']}{', allowed' if failure.get('allowed') else ''})"
            for suite, failures in ((one["suite"], one["failures"]) for one in self.summary())
            for failure in failures
            for says in failure.get("says", ())
        ]

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

    def _note(self, suite: str, size: int, counts: Counter[str], quarantined: int) -> None:
        """Add a batch to the suite's total: its records, how many broke each rule, and how many may not be used."""
        if not size:
            return
        self._totals[suite, ""] += Validation(
            suite=suite,
            evaluated=len(self._rules[suite]),
            successful=len(self._rules[suite]) - len(counts),
            records=size,
            quarantined=quarantined,
            failures=tuple(
                Failure(rule.name, rule.weight, counts[rule.name])
                for rule in self._rules[suite]
                if counts[rule.name]
            ),
        )

    def _run(self, suite: str, found: Sequence[Rule], columns: Mapping[str, list[Any]]) -> Iterable[Any]:
        from pandas import DataFrame, Series

        if suite not in self._suites:
            self._suites[suite] = self._context.suites.add(_suite(self._gx, suite, found))
        # Whole numbers of the machine's own are validated all at once; objects, one by one, take ten times as long.
        frame = DataFrame(
            {
                name: Series(values, dtype="int64" if type(values[0]) is int else "object")
                for name, values in columns.items()
            }
        )
        frame["row"] = range(len(frame))
        # Batch.validate rather than a ValidationDefinition, which keeps every result in memory.
        if self._docs is not None:
            definition = self._gx.ValidationDefinition(
                name=f"{suite} {next(self._numbers)}", data=self._frames, suite=self._suites[suite]
            )
            outcome = self._context.validation_definitions.add(definition).run(
                batch_parameters={"dataframe": frame}, result_format=_RESULT_FORMAT
            )
        else:
            outcome = self._frames.get_batch({"dataframe": frame}).validate(
                self._suites[suite], result_format=_RESULT_FORMAT
            )
        return outcome.results  # type: ignore[no-any-return]


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


def _too_many(amount: Decimal, allowed: int) -> int:
    """Decimals of an amount beyond those that its currency has; 0 or less where it fits."""
    if allowed == UNKNOWN_DIGITS:
        return 0  # nothing can be said: it breaks its own expectation
    return 0 if amount.same_quantum(_QUANTA[allowed]) else money.decimals(amount) - allowed


def _suite(gx: Any, name: str, found: Iterable[Rule]) -> Any:
    suite = gx.ExpectationSuite(name=name)
    for rule in found:
        kind = getattr(gx.expectations, rule.expectation)
        severity = "warning" if rule.weight is Weight.WARNS else "critical"
        suite.add_expectation(
            kind(
                column=rule.column,
                severity=severity,
                notes=rule.why,
                meta={"name": rule.name},
                **rule.arguments,
            )
        )
    return suite


def _broken_rules(
    found: Sequence[Rule], results: Iterable[Any], size: int
) -> tuple[list[tuple[Rule, int]], dict[int, list[Rule]]]:
    """The broken rules with their counts, and by record.

    An expectation that was not evaluated on every record is a fault of ours, never a success.
    """
    by_name = {result.expectation_config.meta["name"]: result for result in results}
    counts: list[tuple[Rule, int]] = []
    broken: dict[int, list[Rule]] = {}
    if not found:
        raise CheckFailed("a suite without expectations was asked to validate")
    for rule in found:
        result = by_name.get(rule.name)
        if result is None:
            raise CheckFailed(f"expectation {rule.name} was not evaluated")
        said = result.result
        if (
            said.get("element_count") != size
            or said.get("missing_count", 0)
            or "unexpected_index_list" not in said
        ):
            raise CheckFailed(
                f"expectation {rule.name} was not evaluated on all {size} records: {result.exception_info}"
            )
        indexes = [int(found["row"]) for found in said["unexpected_index_list"]]
        if result.success is not (not indexes) or len(indexes) != said["unexpected_count"]:
            raise CheckFailed(f"expectation {rule.name} failed without naming every record that broke it")
        if indexes:
            counts.append((rule, len(indexes)))
        for index in indexes:
            broken.setdefault(index, []).append(rule)
    return counts, broken


def _rejected(
    record: Transaction | Entry, broken: list[Rule], currencies: money.Currencies, came: Values | None
) -> Rejection:
    typed = msgspec.structs.asdict(record)
    del typed["place"]
    shown = {**_SHOWN, "id_letters": "transaction_id" if isinstance(record, Transaction) else "ledger_id"}
    problems: list[Problem] = []
    for rule in broken:
        value = came.get(rule.field) if came else None
        # What is typed may come from another place: the currency from its id, the amount from two columns.
        blank = value is None or (isinstance(value, str) and not value.strip())
        problems.append((rule.field, typed[shown[rule.column]] if blank else value, rule.reason))
    raw = typed if came is None else {name: value for name, value in came.items() if name != "signature"}
    currency = record.currency if record.currency in currencies.digits else None
    if isinstance(record, Transaction):
        return rejection(
            problems,
            side=Side.KSPAY,
            app_id=record.app_id,
            source="kspay",
            place=record.place,
            record=raw,
            record_id=record.transaction_id,
            currency=currency,
            dated_at=record.created_at,
            typed=typed,
        )
    return rejection(
        problems,
        side=Side.LEDGER,
        app_id=record.app_id,
        source=record.source,
        place=record.place,
        record=raw,
        record_id=record.ledger_id,
        currency=currency,
        dated_on=record.dated_on,
        dated_at=record.dated_at,
        typed=typed,
    )
