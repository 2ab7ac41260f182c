"""Matching: runs the phases of `sql/match` in order, set by set, in one transaction, and checks the result.

Each phase is a folder and each step is a file; `PHASES` is the one list of them:

- policy: the settings as tables, the usable records and the records of the period as views
- scope: which groups of records are matched: all of them, or those of what arrived or changed
- prepare: the clean pairs that need no pass, then what the passes work on
- rules: which pairs and splits are possible, a rule a file; `pairing` ranks and takes them (`reconcile.match.passes`)
- findings: writes the matches and what is wrong with them or with what is unmatched
- suggestions: which unmatched records may belong together for another reason, each with that reason
- discrepancies: which findings the run reports and as what, and what became of every record
- checks: must return no rows
- results: what the later stages read (`RESULTS`), and the numbers of the run
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, text

from reconcile.core.discrepancies import TYPES
from reconcile.core.errors import CheckFailed
from reconcile.core.fees import FEW, LikelyFee, likely_fees
from reconcile.core.money import Currencies
from reconcile.core.progress import Progress
from reconcile.core.records import Period, comparable
from reconcile.core.wording import counted
from reconcile.db import planner
from reconcile.db.sql_files import read_sql, sql_names
from reconcile.match.passes import PASS_PHASES, Watcher, run_passes
from reconcile.match.policy import MOST_RECORDS_OF_A_KEY, note_policy, state_asked, state_policy
from reconcile.settings import Settings

RULES = (
    "transaction_id",
    "reference",
    "reference_split",
    "provider_id",
    "reference_normalised",
    "reference_differs",
)
"""The rules of the passes, in their order."""

PHASES: Mapping[str, tuple[str, ...]] = {
    "policy": (
        "tables",
        "policy",
        "status_families",
        "tolerances",
        "discrepancy_types",
        "known_records",
        "asked",
        "period_records",
        "note_policy",
        "long_period",
    ),
    "scope": (
        "share_changed",
        "by_hand",
        "all_records",
        "group_tables",
        "changed_records",
        "former_keys",
        "spread",
        "records_of_groups",
    ),
    "prepare": ("joins", "repeated_references", "simple", "records", "bookings", "pass_tables"),
    "rules": ("manual", *RULES, "amount_date"),
    "pairing": (
        "begin_pass",
        "anything_free",
        "take_splits",
        "rank",
        "take",
        "discard",
        "left_by_passes",
        "found_unmatched",
        "take_suggestions",
    ),
    "findings": ("matches", "findings", "save"),
    "suggestions": (
        "lone_records",
        "in_description",
        "similar_references",
        "near_amounts",
        "take_hints",
        "batches",
    ),
    "discrepancies": (
        "found",
        "reported",
        "repeated",
        "elsewhere",
        "mates",
        "rows",
        "save",
        "movements",
        "outcomes",
        "allowed",
        "bridge",
    ),
    "checks": (
        "every_record_placed",
        "totals_conserved",
        "one_match",
        "matches_balance",
        "refunds_agree",
        "bridge_adds_up",
    ),
    "results": (
        "views",
        "matches_by_rule",
        "discrepancies_by_type",
        "crowded_keys",
        "kept",
        "numbers",
    ),
}
"""The folders of `sql/match` that a run goes through, each with its files, in their order."""

REMEMBERED = ("policy", "scope", "prepare", "rules", "pairing", "findings")
"""The phases whose results are kept from run to run. The others work everything out again."""

RESULTS = (
    "result_discrepancies",
    "result_reported",
    "result_open_items",
    "result_single_matches",
    "result_summed_matches",
    "result_allowed",
    "result_shared_ids",
    "result_outcomes",
    "result_summary",
    "result_bridge",
    "result_bridge_rows",
    "result_quarantine",
    "result_unusable",
)
"""The views that a matching leaves for the later stages, which read no other temporary table of it. A test proves it.

- result_discrepancies: the reported discrepancies with the facts of their records, in the order of the files
- result_reported: the same discrepancies, only id and status
- result_open_items: the discrepancies that are open after the run, with the amount at stake
- result_single_matches: the matches of one transaction, dated in the period, and one entry
- result_summed_matches: the other matches with a record dated in the period
- result_allowed: those of both whose amounts differ by the expected fee or within the tolerance
- result_shared_ids: the ledger ids that several sources hold, which reports write with the source
- result_outcomes: how many records and which amounts have which outcome, by rule and payment method
- result_summary: the same by outcome only
- result_bridge: how the KS Pay total of the period leads to its ledger total, line by line
- result_bridge_rows: which matches and records without a match add what to each line
- result_quarantine: the records that cannot be used and that the run reports
- result_unusable: all records of the apps that cannot be used, of any day

`reconcile.match.policy.STATED` names what a stage may read without a matching. Permanent tables are open to all.
"""

_SHOWN = 5  # so many of the records that fail a check are named in the error
_MANY = 50_000  # records; where more are looked up, whole tables are joined
_KINDS = {"comparable": "normalised reference"}


@dataclass(frozen=True, slots=True)
class Matched:
    """What the matching of one run found, in numbers; the rows are read by the report stage."""

    matches: Mapping[str, int]  # those with a record in the period, by rule
    discrepancies: Mapping[str, int]  # reported, by type
    new: int  # this and the next three: against the run that this one follows, as the close statement counts
    reopened: int
    resolved: int
    cleared: tuple[str, ...]  # discrepancy ids
    open_above_info: int
    checks: tuple[str, ...]  # the names of the checks that passed
    warnings: tuple[str, ...]

    def in_numbers(self) -> str:
        """`1,590 matches, 12 discrepancies, 3 new, 1 cleared`."""
        matches, discrepancies = sum(self.matches.values()), sum(self.discrepancies.values())
        return (
            f"{counted(matches, 'match', 'matches')}, {counted(discrepancies, 'discrepancy', 'discrepancies')}, "
            f"{self.new:,} new, {len(self.cleared):,} cleared"
        )


def match(
    connection: Connection,
    settings: Settings,
    run_id: str,
    apps: tuple[str, ...],
    period: Period,
    progress: Progress,
    *,
    match_all: bool = False,
) -> Matched:
    """Match what arrived or changed and write matches and discrepancies, without committing.

    With `match_all`, and where settings or rules changed, everything is matched. The views of `RESULTS`
    stay for the report until the transaction ends. Raises CheckFailed, naming the records, if a check of
    the result finds any.
    """
    state_policy(connection, settings, apps)
    state_asked(connection, settings, run_id, apps, period)
    planner.use(connection, planner.MATCHING)
    everything = note_policy(connection, apps, _rules()) or match_all or _mostly_new(connection, apps)
    _scope(connection, everything, progress)
    planner.use(connection, planner.WHOLE_TABLES)
    _run_steps(connection, "prepare")
    run_passes(connection, RULES, _ShowsProgress(progress))
    if settings.accept_suggestions:  # then a suggestion is a match, and nothing is wrong with its records
        run_step(connection, "pairing/left_by_passes")
        run_step(connection, "rules/amount_date")
        run_step(connection, "pairing/take_suggestions")
    run_step(connection, "findings/matches")
    run_step(connection, "findings/findings")
    planner.use(connection, planner.WHOLE_TABLES if everything else planner.FEW_RECORDS)
    run_step(connection, "findings/save")
    few = not everything and not _long_period(connection)
    planner.use(connection, planner.FEW_RECORDS if few else planner.WHOLE_TABLES)
    if settings.accept_suggestions:
        connection.execute(text("drop view lone"))  # what is unmatched now is what was found unmatched
    _suggest(connection, again=settings.accept_suggestions)
    progress("match", "discrepancies", 1)
    for step in PHASES["discrepancies"]:
        if step == "outcomes":
            progress("match", "outcomes", 1)
        run_step(connection, f"discrepancies/{step}")
    progress("match", "proof", 1)
    for check in PHASES["checks"]:
        _check(connection, check)
    run_step(connection, "results/views")
    return _numbers(connection, settings.currencies)


@cache
def _rules() -> str:
    """A fingerprint of all that decides what is matched and found: the statements, their order, the types.

    So a program with other rules matches everything again by itself.
    """
    steps = [f"match/{phase}/{step}" for phase in REMEMBERED for step in PHASES[phase]]
    statements = [part for name in (*sql_names("migrations"), *steps) for part in (name, read_sql(name))]
    return hashlib.sha256("\0".join([*RULES, *TYPES, *statements]).encode()).hexdigest()


class _ShowsProgress(Watcher):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(self, phase: int, rule: str) -> None:
        done = (phase - 1 + RULES.index(rule) / len(RULES)) / len(PASS_PHASES)
        self._progress("match", f"phase {phase} of {len(PASS_PHASES)}: {rule}", done)


def run_step(connection: Connection, step: str) -> None:
    """Run one file of `sql/match`, named by its phase and its name, with the switches that it needs."""
    planner.run_planned(connection, f"match/{step}")


def suggested(connection: Connection, discrepancy_ids: Sequence[str]) -> Mapping[str, str]:
    """By discrepancy, the id of its suggested counterpart, of an entry as `source:id`; only those that have one.

    It is what the last run suggested, as far as both records and all their rivals are still as they were. The policy
    must have been stated (`reconcile.match.policy.state_policy`).
    """
    _suggest(connection, again=False)
    rows = _rows(connection, "explain/suggestions", ids=list(discrepancy_ids))
    return {row.discrepancy_id: row.counterpart for row in rows}


def _suggest(connection: Connection, *, again: bool) -> None:
    """Suggest counterparts of what was found unmatched; `again` is whether those of amount_date are matched already."""
    run_step(connection, "pairing/found_unmatched")
    if not again:
        run_step(connection, "rules/amount_date")
    _run_steps(connection, "suggestions")


def find_groups(connection: Connection) -> None:
    """Spread from the records in `frontier` to all that share keys with them, directly or through others.

    `scope_transaction`, `scope_entry` and what was remembered of them are there afterwards.
    """
    while connection.execute(text("select exists (select from frontier)")).scalar_one():
        run_step(connection, "scope/spread")
    run_step(connection, "scope/records_of_groups")


def _scope(connection: Connection, everything: bool, progress: Progress) -> None:
    planner.use(connection, planner.WHOLE_TABLES if everything else planner.FEW_RECORDS)
    run_step(connection, "scope/by_hand")
    if everything:
        progress("match", "all groups", 0)
        run_step(connection, "scope/all_records")
    else:
        progress("match", "groups that changed", 0)
        for step in ("group_tables", "changed_records", "former_keys"):
            run_step(connection, f"scope/{step}")
        find_groups(connection)


def _run_steps(connection: Connection, phase: str) -> None:
    for step in PHASES[phase]:
        run_step(connection, f"{phase}/{step}")


def _mostly_new(connection: Connection, apps: tuple[str, ...]) -> bool:
    """Whether so much changed that whole tables are quicker to match than the groups of it."""
    (row,) = _rows(connection, "scope/share_changed", apps=list(apps))
    return bool(row.changed > max(_MANY, row.known / 20))


def _long_period(connection: Connection) -> bool:
    return bool(_rows(connection, "policy/long_period", many=_MANY)[0][0])


def _check(connection: Connection, check: str) -> None:
    rows = _rows(connection, f"checks/{check}")
    if rows:
        named = "; ".join(f"{row.side} {row.record}: {row.found}" for row in rows[:_SHOWN])
        more = f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        raise CheckFailed(
            f"the check {check} of our own result failed, so nothing is reported: {named}{more}"
        )


def _numbers(connection: Connection, currencies: Currencies) -> Matched:
    (numbers,) = _rows(connection, "results/numbers")
    crowded = _rows(connection, "results/crowded_keys")
    return Matched(
        matches={row[0]: row[1] for row in _rows(connection, "results/matches_by_rule")},
        discrepancies={row[0]: row[1] for row in _rows(connection, "results/discrepancies_by_type")},
        new=numbers.new,
        reopened=numbers.reopened,
        resolved=numbers.resolved,
        cleared=tuple(numbers.cleared),
        open_above_info=numbers.open_above_info,
        checks=PHASES["checks"],
        warnings=(*_crowded(crowded), *map(str, _likely_fees(connection, currencies))),
    )


def _likely_fees(connection: Connection, currencies: Currencies) -> list[LikelyFee]:
    """Agreements about fees that the matches of the period show and that no setting states."""
    kept = _rows(connection, "results/kept", few=FEW)
    every = {(row.payment_method, row.currency): row.matches for row in kept if row.amount is None}
    differing = [
        (row.payment_method, row.currency, row.amount, row.kept, row.matches)
        for row in kept
        if row.amount is not None
    ]
    return likely_fees(differing, every, currencies)


def _crowded(keys: Sequence[Any]) -> Iterator[str]:
    written = {(row.app_id, comparable(row.key)) for row in keys if row.kind == "reference"}
    for row in keys:
        if row.kind != "comparable" or (row.app_id, row.key) not in written:
            yield (
                f"{_KINDS.get(row.kind, row.kind)} {row.key!r} of app {row.app_id} stands on more than"
                f" {MOST_RECORDS_OF_A_KEY} records of one side: too many to be a key, so nothing was matched by it"
            )


def _rows(connection: Connection, step: str, **parameters: Any) -> list[Row[Any]]:
    return list(connection.execute(text(read_sql(f"match/{step}")), parameters).all())
