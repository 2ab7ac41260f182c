"""The text of an explanation (`reconcile.match.explain`): short lines under headings, for a person at a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from reconcile.core.money import Currencies
from reconcile.core.records import Side
from reconcile.core.wording import amount_text, day, days
from reconcile.match.policy import MOST_RECORDS_OF_A_KEY

Explanation = Mapping[str, Any]

_SHOWN = 40
"""Lines of one list, at most; a group may have hundreds of records."""


def explain_lines(explanation: Explanation, currencies: Currencies) -> Iterator[str]:
    """The explanation, line by line."""
    text = _Text(currencies)
    yield text.title(explanation)
    for heading, part in (
        ("", text.now(explanation)),
        ("What it said", text.versions(explanation)),
        ("In quarantine", text.quarantine(explanation)),
        ("Booked together with", text.booking(explanation)),
        ("What is or was wrong", text.discrepancies(explanation)),
        ("Matched, before and now", text.pairings(explanation)),
        ("The passes that it went through", text.passes(explanation)),
        ("Records that it shares a key with", text.candidates(explanation)),
        ("Suggestions", text.suggestions(explanation)),
        ("Its group", text.group(explanation)),
    ):
        found = list(part)
        if found and heading:
            yield ""
            yield heading
        yield from (f"  {_printable(line)}" for line in found)


class _Text:
    def __init__(self, currencies: Currencies) -> None:
        self.currencies = currencies

    def title(self, explanation: Explanation) -> str:
        what = "Transaction" if explanation["side"] == Side.KSPAY else "Ledger entry"
        of = "" if explanation["side"] == Side.KSPAY else f" of source {explanation['source']}"
        about = f"Discrepancy {explanation['asked_for']} of " if explanation["asked_for"] else ""
        what = what.lower() if about else what
        return _printable(f"{about}{what} {explanation['record_id']}{of}, app {explanation['app_id']}")

    def now(self, explanation: Explanation) -> Iterator[str]:
        now = explanation["now"]
        if now is not None:
            family = f", family {explanation['family']}" if explanation["family"] else ""
            when = explanation["business_date"]
            dated = f" on {day(when)}" if when else ""
            reference = f", reference {now['reference']}" if now["reference"] else ", no reference"
            status = f'"{now["status"]}"' if now["status"] else "no status (paid)"
            yield f"{amount_text(now['amount'], now['currency'], self.currencies)}{dated}{reference}, {status}{family}"
        yield self._outcome(explanation)
        for key in explanation["keys_that_are_none"]:
            yield (
                f"{_KINDS.get(key['kind'], key['kind'])} {key['key']}: no key, "
                f"since more than {MOST_RECORDS_OF_A_KEY} records of one side carry it"
            )
        if explanation["waiting"]:
            yield "Records of this app arrived or changed since the last run: the next one matches their groups again"
        elif explanation["agrees"] is False:
            yield "With the settings of today the rules match it otherwise: the next run matches it again"

    def _outcome(self, explanation: Explanation) -> str:
        if explanation["withdrawn"] is not None:
            return self._withdrawn(explanation)
        if explanation["state"] != "usable":
            return f"It is {explanation['state']}, so it is not matched"
        standing = [pair for pair in explanation["pairings"] if pair["stands"]]
        if standing:
            own = (
                f"{explanation['source']}:{explanation['record_id']}"
                if explanation["side"] == Side.LEDGER
                else explanation["record_id"]
            )
            others = [
                member["record"]
                for member in explanation["members"]
                if (member["side"], member["record"]) != (explanation["side"], own)
            ]
            return f"Matched with {' and '.join(others)} by {standing[0]['rule']}, in run {standing[0]['made_by']}"
        opened = [
            discrepancy["type"]
            for discrepancy in explanation["discrepancies"]
            if (discrepancy["own"] or discrepancy["of_booking"])
            and discrepancy["cleared_by"] is None
            and discrepancy["type"]
            and discrepancy["first_seen"]
        ]
        if opened:
            return f"Unmatched: {', '.join(opened)}"
        return "Unmatched, and nothing is wrong with that so far"

    def _withdrawn(self, explanation: Explanation) -> str:
        how = explanation["withdrawn"]
        cause = (
            f"import {how['undone_import']} of {how['file']}, which alone held it, was withdrawn"
            if how["undone_import"] is not None
            else f"import {how['import']} of {how['file']}, a snapshot that spans its day, lacks it"
        )
        mates = sorted({pair["mate"] for pair in explanation["pairings"] if pair["stands"]})
        until = f": the next run undoes its match with {' and '.join(mates)}" if mates else ""
        return f"Withdrawn on {_instant(how['at'])}: {cause}. It is kept, and no longer matched{until}"

    def versions(self, explanation: Explanation) -> Iterator[str]:
        for number, version in enumerate(explanation["versions"]):
            by = _by(version)
            if number == 0:
                said = ", ".join(
                    f"{change['field']} {self._value(change['is'])}" for change in version["changes"]
                )
                yield f"{by}: {said}"
                continue
            for change in version["changes"]:
                if change["field"] == "withdrawn":
                    yield f"{by}: {'withdrawn' if change['is'] else 'no longer withdrawn'}"
                    continue
                yield f"{by}: {change['field']} was {self._value(change['was'])}, is {self._value(change['is'])}"

    def quarantine(self, explanation: Explanation) -> Iterator[str]:
        for stay in explanation["quarantine"]:
            until = f" until {_instant(stay['cleared_at'])}" if stay["cleared_at"] else ""
            amount = (
                ""
                if stay["amount"] is None
                else f" ({amount_text(stay['amount'], stay['currency'], self.currencies)})"
            )
            yield (
                f"since {_instant(stay['since'])}{until}: {stay['file']}, row {stay['row']}{amount}, "
                f"{stay['field']}: {stay['reason']}"
            )

    def booking(self, explanation: Explanation) -> Iterator[str]:
        for part in explanation["booking"]:
            amount = amount_text(part["amount"], part["currency"], self.currencies)
            yield f"{part['record']}: {amount}{'' if part['leads'] else ', gives back of it'}"

    def pairings(self, explanation: Explanation) -> Iterator[str]:
        for pair in explanation["pairings"]:
            until = "" if pair["stands"] else f", undone by run {pair['undone_by']}"
            yield f"{pair['mate']} by {pair['rule']}: since run {pair['made_by']}{until}"

    def passes(self, explanation: Explanation) -> Iterator[str]:
        passes_and_outcomes = [
            (self._where(tried), self._came_of_it(tried), tried["sums"]) for tried in explanation["passes"]
        ]
        # Neighbouring passes with the same outcome share a line.
        for (phase, outcome, _), same in groupby(
            passes_and_outcomes,
            lambda tried: (tried[0][0], tried[1], [_sum_key(total) for total in tried[2]]),
        ):
            passes = list(same)
            rules = ", ".join(where[1] for where, _, _ in passes)
            yield f"{phase}{rules}: {outcome}"
            for total in passes[-1][2]:
                kspay = amount_text(total["kspay_amount"], total["currency"], self.currencies)
                ledger = amount_text(total["ledger_amount"], total["currency"], self.currencies)
                yield (
                    f"  left of {total['key']}: {total['transactions']} of KS Pay, {kspay}; "
                    f"{total['entries']} of the ledger, {ledger}{self._missed(total)}"
                )

    def _missed(self, total: Explanation) -> str:
        """By what a sum misses the other side and, where it may be parts of one record, what that depends on."""
        if not total["missed"]:
            return ""
        missed = (
            f"; they miss each other by {amount_text(total['missed'], total['currency'], self.currencies)}"
        )
        if total["nearest"] is None or total["rule"] != "reference_differs":
            return missed
        whole = total["kspay_amount"] if total["transactions"] == 1 else total["ledger_amount"]
        percent = f"{100 * total['missed'] / abs(whole):.4f}".rstrip("0").rstrip(".") if whole else ""
        share = f" ({percent} %)" if percent else ""
        nearest = amount_text(total["nearest"], total["currency"], self.currencies)
        return f"{missed}{share}, the nearest part alone misses it by {nearest}"

    def _where(self, tried: Explanation) -> tuple[str, str]:
        return ("" if tried["phase"] is None else f"phase {tried['phase']}: "), tried["rule"]

    def _came_of_it(self, tried: Explanation) -> str:
        if tried["taken_with"]:
            return f"matched with {' and '.join(tried['taken_with'])}"
        if tried["candidates"]:
            possible = (
                "1 possible pair" if tried["candidates"] == 1 else f"{tried['candidates']} possible pairs"
            )
            return f"{possible}, taken by others"
        return "nothing to pair it with"

    def candidates(self, explanation: Explanation) -> Iterator[str]:
        for candidate in explanation["candidates"][:_SHOWN]:
            shares = ", ".join(f"{key['kind']} {key['key']}" for key in candidate["shares"])
            yield f"{candidate['record']}{f' ({shares})' if shares else ''}: {candidate['why']}"
        yield from _more(explanation["candidates"])

    def suggestions(self, explanation: Explanation) -> Iterator[str]:
        for suggestion in explanation["suggestions"]:
            rivals = suggestion["rivals"]
            alone = len(explanation["suggestions"]) == 1 and not rivals
            if alone:
                verdict = "each is the other's only candidate, so it is suggested (amount_date)"
            elif rivals:
                verdict = f"not suggested: {' and '.join(rivals)} may belong to it as well"
            else:
                verdict = "not suggested: it is not the only candidate"
            yield f"{suggestion['name']}: equal amount and currency, {days(suggestion['days'])} apart; {verdict}"

    def group(self, explanation: Explanation) -> Iterator[str]:
        if len(explanation["group"]) < 2:
            return
        for record in explanation["group"][:_SHOWN]:
            rule = f"matched by {record['rule']}" if record["rule"] else "unmatched"
            if record["part_of"]:
                rule = f"gives back of {record['part_of']} in one booking, {rule}"
            yield (
                f"{record['record']}: {amount_text(record['amount'], record['currency'], self.currencies)} on "
                f"{day(record['business_date'])}, {record['family']}, {rule}"
            )
        yield from _more(explanation["group"])

    def discrepancies(self, explanation: Explanation) -> Iterator[str]:
        for discrepancy in explanation["discrepancies"]:
            of = "" if discrepancy["own"] or discrepancy["of"] is None else f" of {discrepancy['of']}"
            state = f"cleared by run {discrepancy['cleared_by']}" if discrepancy["cleared_by"] else "open"
            if discrepancy["cleared_by"] is None and any(
                made["standing"] == "in force" and made["decision"] not in (None, "reopen")
                for made in discrepancy["decisions"]
            ):
                state = "decided"
            seen = f", first seen {discrepancy['first_seen']}" if discrepancy["first_seen"] else ""
            yield (
                f"{discrepancy['discrepancy_id']}{of}: {discrepancy['type']}, {discrepancy['severity']}, "
                f"{state}{seen}, facts {discrepancy['facts']}"
            )
            for version in discrepancy["before"]:
                was = (
                    f"cleared (as {version['type']})"
                    if version["cleared_by"]
                    else f"{version['type']}, {version['severity']}"
                )
                yield f"  until run {version['until_run']}: {was}, facts {version['facts']}"
            for report in discrepancy["reported_by"][-_SHOWN:]:
                yield (
                    f"  reported by run {report['run']}: {report['type']}, {report['status']}, "
                    f"{report['age_days']} days old"
                )
            for said in discrepancy["reported_by"][-1:]:
                yield f"  {said['detail']}"
            for made in discrepancy["decisions"]:
                word = made["decision"] or ("note" if made["note"] is not None else "assignment")
                if made["confirms"] is not None:
                    word += f" (confirms decision {made['confirms']})"
                joins = f" joining {', '.join(made['joins'])}" if made["joins"] else ""
                note = f', "{made["note"]}"' if made["note"] else ""
                if made["assignee"] is not None:
                    note += f", assigned to {made['assignee'] or 'nobody'}"
                if made["due"] is not None:
                    note += f", due {made['due'] or 'on no day'}"
                yield (
                    f"  decision {made['number']}: {word}{joins} by {made['by']} at {_instant(made['at'])} "
                    f"in {made['file']}{note}: {made['standing']}"
                )

    def _value(self, value: Any) -> str:
        if value is None:
            return "empty"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, datetime):
            return _instant(value)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return f"{value:f}"
        return f'"{value}"'


def _sum_key(total: Explanation) -> tuple[object, ...]:
    return total["rule"], total["key"], total["currency"], total["kspay_amount"], total["ledger_amount"]


_KINDS = {"comparable": "normalised reference"}


def _by(version: Explanation) -> str:
    if version["at"] is None:
        return "first read"
    if version["import"] is not None:
        origin = (
            f"{'snapshot ' if version['snapshot'] else ''}import {version['import']} of {version['file']}"
        )
    elif version["undone_import"] is not None:
        origin = f"the withdrawal of import {version['undone_import']} of {version['file']}"
    elif version["file"] is not None:
        origin = version["file"]
    elif version["run"] is not None:
        origin = f"fetched by run {version['run']}"
    else:
        origin = "loaded"
    return f"{_instant(version['at'])}, {origin}"


def _more(rows: Sequence[object]) -> Iterator[str]:
    if len(rows) > _SHOWN:
        yield f"and {len(rows) - _SHOWN} more (--json has them all)"


def _instant(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _printable(line: str) -> str:
    """No control character of a record reaches the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)
