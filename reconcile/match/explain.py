"""All that is known of one record or discrepancy: what it said when, how it was matched and why, what was decided.

What is stored is read: versions, pairings, discrepancies, decisions. Why a pair won or lost is not stored: the
record's group is matched once more (`reconcile.match.replay`), in a transaction that is taken back. An explanation is a
mapping of plain values, ready for JSON; `reconcile.report.explain_text` makes text of it.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from reconcile.core.dialect import Dialect
from reconcile.core.errors import UsageError
from reconcile.core.records import Side, comparable, possible_ids
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import run_step
from reconcile.match.policy import state_policy
from reconcile.match.replay import RecordView, replay
from reconcile.settings import Settings

Explanation = dict[str, Any]

_MATCH_ID = re.compile("M-[A-HJ-NP-R]{20}")

_FIELDS = {
    Side.KSPAY: (
        "reference", "currency", "amount", "status", "created_at", "updated_at", "provider_order_id",
        "provider_txn_id", "payment_type", "provider_name", "provider_status",
    ),
    Side.LEDGER: (
        "reference", "currency", "amount", "status", "dated_on", "dated_at", "transaction_id", "provider_order_id",
        "provider_txn_id", "description", "withdrawn",
    ),
}  # fmt: skip


def explain(engine: Engine, settings: Settings, named: str) -> list[Explanation]:
    """The explanations of all that goes by this id: a transaction's, an entry's (also `source:id`), a discrepancy's.

    Or by this reference. Several records may have one, and several apps or sources may hold one id; then each has its
    explanation. Raises UsageError for what is nowhere.
    """
    if not named.strip():
        raise UsageError("explain: ID is empty: copy an id or a reference from a report")
    forms = sorted(possible_ids(named))
    with engine.connect() as connection:
        subjects = _rows(connection, "subjects", id=named, forms=forms, comparable=comparable(named))
    if not subjects:
        raise UsageError(
            f"{named} is no id of a transaction, a ledger entry or a discrepancy that is known here, and no reference: "
            + (
                "a match is found by one of its transaction_ids or ledger_ids"
                if _MATCH_ID.fullmatch(named)
                else "copy it from a report, or fetch or import what holds it"
            )
        )
    return [_Explainer(engine, settings, subject).explanation() for subject in subjects]


class _Explainer:
    """Gathers the explanation of one record, or of one discrepancy and its record."""

    def __init__(self, engine: Engine, settings: Settings, subject: Any) -> None:
        self.engine = engine
        self.settings = settings
        self.side = Side(subject.side)
        self.who = {
            "app_id": subject.app_id,
            "side": subject.side,
            "source": subject.source,
            "record_id": subject.record_id,
        }
        self.asked_for = subject.discrepancy_id

    def explanation(self) -> Explanation:
        with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            state_policy(connection, self.settings, (self.who["app_id"],))
            run_step(connection, "scope/by_hand")
            described = self._describe(connection)
            connection.rollback()
        return described

    def _describe(self, connection: Connection) -> Explanation:
        name = "transaction" if self.side == Side.KSPAY else "entry"
        versions = _rows(connection, name, **self.who)
        stays = _rows(connection, "quarantine", **self.who)
        now = versions[-1] if versions and versions[-1].replaced_in is None else None
        number = versions[-1].number if versions else None
        family = (
            now.family if now else None
        )  # none where it cannot be used: the views of what is known lack it
        usable = family is not None
        explanation: Explanation = {**self.who, "asked_for": self.asked_for}
        explanation["now"] = {field: getattr(now, field) for field in _FIELDS[self.side]} if now else None
        explanation["family"] = family
        explanation["business_date"] = now and now.business_on
        explanation["state"] = _state(
            usable,
            now is not None and not getattr(now, "withdrawn", False),
            any(stay.cleared_at is None for stay in stays),
        )
        explanation["versions"] = _versions(connection, self.side, versions)
        explanation["withdrawn"] = (
            _withdrawn(explanation["versions"]) if explanation["state"] == "withdrawn" else None
        )
        explanation["quarantine"] = [dict(stay._mapping) for stay in stays]
        explanation["waiting"] = self._waiting(connection)
        explanation["booking"] = []
        explanation["pairings"] = []
        explanation["members"] = []
        if number is not None:
            if self.side == Side.LEDGER:
                explanation["booking"] = _mappings(connection, "booking", number=number)
            explanation["members"] = _mappings(connection, "members", side=self.side, number=number)
            explanation["pairings"] = _mappings(connection, "pairings", side=self.side, number=number)
        explanation["discrepancies"] = self._discrepancies(connection, explanation)
        explanation["suggestions"] = []
        explanation["keys_that_are_none"] = []
        explanation |= {"passes": [], "candidates": [], "group": [], "agrees": None}
        if usable and number is not None:
            explanation["suggestions"] = _mappings(
                connection, "suggested", app_id=self.who["app_id"], side=self.side, number=number
            )
            self._replay(connection, number, explanation)
            keys = [f"{kind}/{key}" for kind, key in self._keys(now) if key]
            explanation["keys_that_are_none"] = _mappings(
                connection, "crowded", app_id=self.who["app_id"], keys=keys
            )
        return explanation

    def _waiting(self, connection: Connection) -> bool:
        """Whether records of this app arrived or changed since the last run."""
        return bool(_rows(connection, "waiting", app_id=self.who["app_id"])[0][0])

    def _keys(self, now: Any) -> Iterator[tuple[str, str | None]]:
        yield "reference", now.reference
        yield "comparable", comparable(now.reference)
        yield "provider_order_id", now.provider_order_id
        yield "provider_txn_id", now.provider_txn_id
        yield "transaction_id", self.who["record_id"] if self.side == Side.KSPAY else now.transaction_id

    # The passes

    def _replay(self, connection: Connection, number: int, explanation: Explanation) -> None:
        again = replay(connection, self.side, number)
        view = RecordView(again, self.side, number)
        explanation["passes"] = view.passes()
        explanation["candidates"] = view.candidates()
        explanation["group"] = view.group()
        stored = _rows(connection, "own_pairings", side=self.side, number=number)
        # Suggestions are accepted over all that is unmatched, not within a group: the rules leave those pairs free.
        wanted = {(row.transaction_no, row.entry_no): row.rule for row in stored if row.rule != "amount_date"}
        found = again.pairs()
        of_own = {
            pair: rule for pair, rule in found.items() if pair[0 if self.side == Side.KSPAY else 1] == number
        }
        explanation["agrees"] = wanted.items() <= of_own.items() and bool(wanted) == bool(of_own)

    # What was wrong

    def _discrepancies(self, connection: Connection, explanation: Explanation) -> list[Explanation]:
        keys = {f"{self.side}/{self.who['source']}/{self.who['record_id']}"}
        keys |= {f"kspay/kspay/{pair['match']}" for pair in explanation["pairings"]}
        keys |= {f"ledger/{_source_and_id(part['record'])}" for part in explanation["booking"]}
        rows = _rows(connection, "discrepancies", app_id=self.who["app_id"], keys=sorted(keys))
        ids = sorted({row.discrepancy_id for row in rows})
        trail = _rows(connection, "decisions", ids=ids, **self.who)
        reports = _Reports(connection, self.who["app_id"])
        booked = {part["record"] for part in explanation["booking"]}
        described = []
        for discrepancy_id in dict.fromkeys(
            [*(row.discrepancy_id for row in rows), *(row.discrepancy_id for row in trail)]
        ):
            versions = [row for row in rows if row.discrepancy_id == discrepancy_id]
            decisions = [row for row in trail if row.discrepancy_id == discrepancy_id]
            last = versions[-1] if versions else None
            described.append(
                {
                    "discrepancy_id": discrepancy_id,
                    "aspect": last and last.aspect,
                    "of": last and last.record_id,
                    # Those of a partner, now or before, are shown as well.
                    "own": last is not None
                    and (last.side, last.source, last.record_id)
                    == (self.who["side"], self.who["source"], self.who["record_id"]),
                    # What is wrong with a booking stands at its positive entry.
                    "of_booking": last is not None
                    and last.side == Side.LEDGER
                    and f"{last.source}:{last.record_id}" in booked,
                    "type": last.type if last else decisions[-1].type,
                    "severity": last and last.severity,
                    "facts": last and last.facts,
                    "first_seen": last and last.first_seen,
                    "cleared_by": last and last.cleared_by,
                    "before": [
                        {
                            "type": row.type,
                            "severity": row.severity,
                            "facts": row.facts,
                            "cleared_by": row.cleared_by,
                            "until_run": row.replaced_by,
                        }
                        for row in versions[:-1]
                    ],
                    "decisions": [_decision(row, last) for row in decisions],
                    "reported_by": reports.of(discrepancy_id),
                }
            )
        # What was asked for comes first.
        return sorted(described, key=lambda discrepancy: discrepancy["discrepancy_id"] != self.asked_for)


def _source_and_id(written: str) -> str:
    source, _, ledger_id = written.partition(":")
    return f"{source}/{ledger_id}"


def _state(usable: bool, held: bool, in_quarantine: bool) -> str:
    if usable:
        return "usable"
    if in_quarantine:
        return "in quarantine"
    return "not usable" if held else "withdrawn"


def _decision(row: Any, last: Any) -> Explanation:
    if row.decision is None:
        standing = "note" if row.note is not None else "assignment"
    elif row.waits:
        standing = "proposed, and not confirmed by another person"
    elif not row.newest:
        standing = "earlier"
    elif row.decision == "match":
        standing = "in force" if row.stands else "its records have changed since"
    elif row.decision != "reopen" and last is not None and last.facts != row.facts:
        standing = "its facts have moved on"
    else:
        standing = "in force"
    return {
        "number": row.decision_id,
        "decision": row.decision,
        "standing": standing,
        "facts": row.facts,
        "joins": [
            f"{record['source']}:{record['record_id']}"
            if record["side"] == Side.LEDGER
            else record["record_id"]
            for record in row.records or ()
        ],
        "note": row.note,
        "assignee": row.assignee,
        "due": row.due,
        "proposed": bool(row.proposed),
        "confirms": row.confirms,
        "by": row.by_name,
        "os_user": row.os_user,
        "at": row.decided_at,
        "file": row.file,
        "file_sha256": row.file_sha256,
    }


def _versions(connection: Connection, side: Side, versions: Sequence[Any]) -> list[Explanation]:
    """The values in which each version differs from the one before; all values of the first."""
    numbers = [row.replaced_in for row in versions if row.replaced_in is not None]
    first = versions[0].changed_in if versions else None
    rows = _rows(connection, "loads", load_ids=[*numbers, *([] if first is None else [first])])
    loads = {row.load_id: row for row in rows}
    described = []
    before: Any = None
    for row in versions:
        load = loads.get(first if before is None else before.replaced_in)
        fields = [
            name
            for name in _FIELDS[side]
            if (
                getattr(row, name) not in (None, False)
                if before is None
                else getattr(row, name) != getattr(before, name)
            )
        ]
        described.append(
            {
                "at": load and load.loaded_at,
                "run": load and load.run_id,
                "import": load and load.import_id,
                "snapshot": load and load.snapshot,
                "file": load and (load.undone_file or load.file),
                "undone_import": load and load.undone_import,
                "matched_by": load and load.matched_by,
                "changes": [
                    {"field": name, "was": before and getattr(before, name), "is": getattr(row, name)}
                    for name in fields
                ],
            }
        )
        before = row
    return described


def _withdrawn(versions: Sequence[Explanation]) -> Explanation | None:
    """The version by which an entry that is withdrawn became so."""
    for version in reversed(versions):
        if any(change["field"] == "withdrawn" and change["is"] for change in version["changes"]):
            return {name: version[name] for name in ("at", "import", "snapshot", "file", "undone_import")}
    return None  # it was only ever in quarantine


class _Reports:
    """Which runs reported a discrepancy, by the files that they left."""

    def __init__(self, connection: Connection, app_id: str) -> None:
        self._runs = _rows(connection, "reports", app_id=app_id)

    def of(self, discrepancy_id: str) -> list[Explanation]:
        described = []
        for run in self._runs:
            for name in ("discrepancies", "resolved"):
                row = _row_of(Path(run.folder) / f"{name}.csv", discrepancy_id)
                if row is not None:
                    said = {column: row[column] for column in ("type", "status", "age_days", "detail")}
                    described.append({"run": run.run_id, **said})
        return described


def _row_of(path: Path, discrepancy_id: str) -> Mapping[str, str] | None:
    """The row of a discrepancy in a report; None where it has none, or the file is gone."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    header = content[: content.find(b"\r\n")].decode("utf-8-sig")
    delimiter = Dialect.of_header(header).delimiter
    at = content.find(f"\r\n{discrepancy_id}{delimiter}".encode())
    if at < 0:
        return None
    reader = csv.DictReader(
        StringIO(header + content[at : at + 65536].decode("utf-8", "replace"), newline=""),
        delimiter=delimiter,
    )
    return next(reader)


def _rows(connection: Connection, name: str, **parameters: object) -> Sequence[Any]:
    return connection.execute(text(read_sql(f"match/explain/{name}")), parameters).all()


def _mappings(connection: Connection, name: str, **parameters: object) -> list[Explanation]:
    return [dict(row._mapping) for row in _rows(connection, name, **parameters)]
