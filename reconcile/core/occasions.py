"""When people get a message about a run: RECONCILE_NOTIFY_WHEN."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from reconcile.core.discrepancies import Severity
from reconcile.core.money import Currencies, exact_sum
from reconcile.core.periods import NIGHTS

FAILED = "failed"
NOTHING = "nothing"
LATE = "late"
_LIMIT = re.compile(r"(\w+)\s*>\s*(\d+(?:\.\d+)?)", re.ASCII)
GROWTH = "quarantine_growth"
_KNOWN = "failed, nothing, late, high>0, quarantine>0, quarantine_growth>0 or INR>10000"


@dataclass(frozen=True, slots=True)
class Occasion:
    """One occasion to tell people: the run failed, had no records, is late, or has more of something than a limit."""

    name: str
    """`failed`, `nothing`, `late`, `quarantine`, its growth, a severity, or a currency."""
    limit: Decimal = Decimal(0)

    def __str__(self) -> str:
        return self.name if self.name in (FAILED, NOTHING, LATE) else f"{self.name}>{self.limit:f}"

    def has_come(self, report: Mapping[str, Any]) -> bool:
        """Whether a finished run, of which this is the run.json, is such an occasion."""
        if self.name == FAILED:
            return False
        if self.name == NOTHING:
            return not any(row["count"] for row in report["totals"] if row["scope"] == "period")
        if self.name == LATE:
            return _is_late(report)
        if self.name == "quarantine":
            return bool(sum(report["quarantined"].values()) > self.limit)
        if self.name == GROWTH:
            return _growth(report.get("at_a_glance") or {}) > self.limit
        if self.name in list(Severity):
            count = sum(row["count"] for row in report["open"] if row["severity"] == self.name)
            return bool(count > self.limit)
        at_stake = [
            Decimal(row["amount"])
            for row in report["open"]
            if row["currency"] == self.name and row["severity"] != Severity.INFO
        ]
        return exact_sum(at_stake) > self.limit


def _is_late(report: Mapping[str, Any]) -> bool:
    """Whether nights are missing between the last one and this one, which ends on its day or at most two days later."""
    glance = report.get("at_a_glance") or {}
    if glance.get("kind") != NIGHTS or not glance.get("last"):
        return False
    last, this = date.fromisoformat(glance["last"]["to"]), date.fromisoformat(report["to"])
    ended = datetime.fromisoformat(report["finished_at"]).date()
    return this - last > timedelta(days=1) and ended - this <= timedelta(days=2)


def _growth(glance: Mapping[str, Any]) -> int:
    """By how many the open records in quarantine are more than at the last run of this kind; 0 if there was none."""
    if not glance.get("last"):
        return 0
    now, then = (
        sum(row["count"] for row in run["parts"] if row["part"] == "in_quarantine")
        for run in (glance, glance["last"])
    )
    return int(now - then)


def read_occasions(text: str, currencies: Currencies) -> Sequence[Occasion]:
    """The occasions of a text such as `failed,high>0,INR>10000`. Raises ValueError that names the part that is no
    occasion."""
    found = []
    for part in text.split(","):
        word = part.strip()
        limit = _LIMIT.fullmatch(word)
        if word.lower() in (FAILED, NOTHING, LATE):
            found.append(Occasion(word.lower()))
        elif limit and limit[1].lower() in ("quarantine", GROWTH, *Severity):
            found.append(Occasion(limit[1].lower(), Decimal(limit[2])))
        elif limit and limit[1].upper() in currencies.digits:
            found.append(Occasion(limit[1].upper(), Decimal(limit[2])))
        else:
            raise ValueError(f"{word!r} is no occasion: write {_KNOWN}, with commas between")
    return tuple(found)
