"""The text of a story (`reconcile.match.explain`): short lines under headings, for a person at a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from reconcile.core.money import Currencies
from reconcile.core.records import Side
from reconcile.core.wording import day, days, spoken

Story = Mapping[str, Any]

_SHOWN = 40
"""Lines of one list; a group may hold hundreds of records."""


def lines(story: Story, currencies: Currencies) -> Iterator[str]:
    """The story line by line."""
    text = _Text(currencies)
    yield text.title(story)
    for heading, part in (
        ("", text.now(story)),
        ("What it said", text.versions(story)),
        ("In quarantine", text.quarantine(story)),
        ("Booked together with", text.booking(story)),
        ("What is or was wrong", text.discrepancies(story)),
        ("Matched, before and now", text.pairings(story)),
        ("The passes that it went through", text.passes(story)),
        ("Records that it shares a key with", text.candidates(story)),
        ("Suggestions", text.suggestions(story)),
        ("Its group", text.group(story)),
    ):
        told = list(part)
        if told and heading:
            yield ""
            yield heading
        yield from (f"  {_printable(line)}" for line in told)


class _Text:
    def __init__(self, currencies: Currencies) -> None:
        self.currencies = currencies

    def title(self, story: Story) -> str:
        what = "Transaction" if story["side"] == Side.KSPAY else "Ledger entry"
        of = "" if story["side"] == Side.KSPAY else f" of source {story['source']}"
        about = f"Discrepancy {story['asked_for']} of " if story["asked_for"] else ""
        what = what.lower() if about else what
        return _printable(f"{about}{what} {story['record_id']}{of}, app {story['app_id']}")

    def now(self, story: Story) -> Iterator[str]:
        now = story["now"]
        if now is not None:
            family = f", family {story['family']}" if story["family"] else ""
            when = story["business_date"]
            dated = f" on {day(when)}" if when else ""
            reference = f", reference {now['reference']}" if now["reference"] else ", no reference"
            status = f'"{now["status"]}"' if now["status"] else "no status (paid)"
            yield f"{spoken(now['amount'], now['currency'], self.currencies)}{dated}{reference}, {status}{family}"
        yield self._outcome(story)
        for key in story["keys_that_are_none"]:
            yield (
                f"{_KINDS.get(key['kind'], key['kind'])} {key['key']}: no key, "
                "since more than 500 records of one side carry it"
            )
        if story["waiting"]:
            yield "Records of this app arrived or changed since the last run: the next one matches their groups anew"
        elif story["agrees"] is False:
            yield "By today's settings the rules match it otherwise than the last run did: the next run matches it anew"

    def _outcome(self, story: Story) -> str:
        if story["withdrawn"] is not None:
            return self._withdrawn(story)
        if story["state"] != "usable":
            return f"It is {story['state']}, so it is not matched"
        standing = [pair for pair in story["pairings"] if pair["stands"]]
        if standing:
            own = (
                f"{story['source']}:{story['record_id']}"
                if story["side"] == Side.LEDGER
                else story["record_id"]
            )
            others = [
                one["record"]
                for one in story["members"]
                if (one["side"], one["record"]) != (story["side"], own)
            ]
            return f"Matched with {' and '.join(others)} by {standing[0]['rule']}, in run {standing[0]['made_by']}"
        opened = [
            one["type"]
            for one in story["discrepancies"]
            if one["own"] and one["cleared_by"] is None and one["type"] and one["first_seen"]
        ]
        if opened:
            return f"Unmatched: {', '.join(opened)}"
        return "Unmatched, and nothing is wrong with that so far"

    def _withdrawn(self, story: Story) -> str:
        how = story["withdrawn"]
        cause = (
            f"import {how['undone_import']} of {how['file']}, which alone held it, was withdrawn"
            if how["undone_import"] is not None
            else f"import {how['import']} of {how['file']}, a snapshot that spans its day, lacks it"
        )
        mates = sorted({pair["mate"] for pair in story["pairings"] if pair["stands"]})
        until = f": the next run undoes its match with {' and '.join(mates)}" if mates else ""
        return f"Withdrawn on {_instant(how['at'])}: {cause}. It is kept, and no longer matched{until}"

    def versions(self, story: Story) -> Iterator[str]:
        for number, version in enumerate(story["versions"]):
            by = _by(version)
            if number == 0:
                said = ", ".join(f"{one['field']} {self._value(one['is'])}" for one in version["changes"])
                yield f"{by}: {said}"
                continue
            for one in version["changes"]:
                if one["field"] == "withdrawn":
                    yield f"{by}: {'withdrawn' if one['is'] else 'no longer withdrawn'}"
                    continue
                yield f"{by}: {one['field']} was {self._value(one['was'])}, is {self._value(one['is'])}"

    def quarantine(self, story: Story) -> Iterator[str]:
        for stay in story["quarantine"]:
            until = f" until {_instant(stay['cleared_at'])}" if stay["cleared_at"] else ""
            yield (
                f"since {_instant(stay['since'])}{until}: {stay['file']}, row {stay['row']}, {stay['field']}: "
                f"{stay['reason']}"
            )

    def booking(self, story: Story) -> Iterator[str]:
        for one in story["booking"]:
            amount = spoken(one["amount"], one["currency"], self.currencies)
            yield f"{one['record']}: {amount}{'' if one['leads'] else ', gives back of it'}"

    def pairings(self, story: Story) -> Iterator[str]:
        for pair in story["pairings"]:
            until = "" if pair["stands"] else f", undone by run {pair['undone_by']}"
            yield f"{pair['mate']} by {pair['rule']}: since run {pair['made_by']}{until}"

    def passes(self, story: Story) -> Iterator[str]:
        told = [(self._where(one), self._came_of_it(one), one["sums"]) for one in story["passes"]]
        # Passes that came to nothing one after another are told in one line.
        for (phase, outcome, _), same in groupby(
            told, lambda one: (one[0][0], one[1], [_sum_key(total) for total in one[2]])
        ):
            passes = list(same)
            rules = ", ".join(where[1] for where, _, _ in passes)
            yield f"{phase}{rules}: {outcome}"
            for total in passes[-1][2]:
                kspay = spoken(total["kspay_amount"], total["currency"], self.currencies)
                ledger = spoken(total["ledger_amount"], total["currency"], self.currencies)
                yield (
                    f"  left of {total['key']}: {total['transactions']} of KS Pay, {kspay}; "
                    f"{total['entries']} of the ledger, {ledger}"
                )

    def _where(self, one: Story) -> tuple[str, str]:
        return ("" if one["phase"] is None else f"phase {one['phase']}: "), one["rule"]

    def _came_of_it(self, one: Story) -> str:
        if one["taken_with"]:
            return f"matched with {' and '.join(one['taken_with'])}"
        if one["candidates"]:
            possible = "1 possible pair" if one["candidates"] == 1 else f"{one['candidates']} possible pairs"
            return f"{possible}, taken by others"
        return "nothing to pair it with"

    def candidates(self, story: Story) -> Iterator[str]:
        for one in story["candidates"][:_SHOWN]:
            shares = ", ".join(f"{key['kind']} {key['key']}" for key in one["shares"])
            yield f"{one['record']}{f' ({shares})' if shares else ''}: {one['why']}"
        yield from _more(story["candidates"])

    def suggestions(self, story: Story) -> Iterator[str]:
        for one in story["suggestions"]:
            rivals = one["rivals"]
            alone = len(story["suggestions"]) == 1 and not rivals
            if alone:
                verdict = "each is the other's only candidate, so it is suggested (amount_date)"
            elif rivals:
                verdict = f"not suggested: {' and '.join(rivals)} may belong to it as well"
            else:
                verdict = "not suggested: it is not the only candidate"
            yield f"{one['name']}: equal amount and currency, {days(one['days'])} apart; {verdict}"

    def group(self, story: Story) -> Iterator[str]:
        if len(story["group"]) < 2:
            return
        for one in story["group"][:_SHOWN]:
            rule = f"matched by {one['rule']}" if one["rule"] else "unmatched"
            yield (
                f"{one['record']}: {spoken(one['amount'], one['currency'], self.currencies)} on "
                f"{day(one['business_date'])}, {one['family']}, {rule}"
            )
        yield from _more(story["group"])

    def discrepancies(self, story: Story) -> Iterator[str]:
        for one in story["discrepancies"]:
            of = "" if one["own"] or one["of"] is None else f" of {one['of']}"
            state = f"cleared by run {one['cleared_by']}" if one["cleared_by"] else "open"
            if one["cleared_by"] is None and any(
                made["standing"] == "in force" and made["decision"] not in (None, "reopen")
                for made in one["decisions"]
            ):
                state = "decided"
            seen = f", first seen {one['first_seen']}" if one["first_seen"] else ""
            yield f"{one['discrepancy_id']}{of}: {one['type']}, {one['severity']}, {state}{seen}, facts {one['facts']}"
            for version in one["before"]:
                was = (
                    f"cleared (as {version['type']})"
                    if version["cleared_by"]
                    else f"{version['type']}, {version['severity']}"
                )
                yield f"  until run {version['until_run']}: {was}, facts {version['facts']}"
            for told in one["reported_by"][-_SHOWN:]:
                yield f"  reported by run {told['run']}: {told['type']}, {told['status']}, {told['age_days']} days old"
            for said in one["reported_by"][-1:]:
                yield f"  {said['detail']}"
            for made in one["decisions"]:
                word = made["decision"] or "note"
                joins = f" joining {', '.join(made['joins'])}" if made["joins"] else ""
                note = f', "{made["note"]}"' if made["note"] else ""
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


def _sum_key(total: Story) -> tuple[object, ...]:
    return total["key"], total["currency"], total["kspay_amount"], total["ledger_amount"]


_KINDS = {"comparable": "normalised reference"}


def _by(version: Story) -> str:
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
