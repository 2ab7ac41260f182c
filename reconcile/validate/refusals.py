"""What the quarantine shows of a typed record that an expectation refuses: place, field, value as it came, reason."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from reconcile.core.money import Currencies
from reconcile.core.records import Entry, Rejection, Side, Transaction
from reconcile.core.rejections import Problem, rejection
from reconcile.validate.rules import Rule
from reconcile.validate.suites import COLUMNS

_JSON = msgspec.json.Decoder(float_hook=Decimal)


def refusal(
    record: Transaction | Entry, broken: Sequence[Rule], currencies: Currencies, came: str | None
) -> Rejection:
    """One rejection for all rules that a record breaks.

    `came` is the record as its source gave it, as `raw_json` writes it; None for one that was typed in bulk: such a
    record came as it is typed.
    """
    typed = msgspec.structs.asdict(record)
    del typed["place"]
    suite = "transactions" if isinstance(record, Transaction) else "entries"
    shown = {field: _value(record, column) for column, field in COLUMNS[suite].items()}
    values = _values(came)
    problems: list[Problem] = []
    for rule in broken:
        fields = rule.field.split(";")
        found = [_unless_blank(values.get(field), shown[field]) for field in fields]
        value = found[0] if len(found) == 1 else ";".join("" if part is None else str(part) for part in found)
        problems.append((rule.field, value, rule.reason))
    raw = (
        came
        if came is not None
        else {field: value for field, value in shown.items() if value not in (None, "")}
    )
    currency = record.currency if record.currency in currencies.digits else None
    at_fault = {field for rule in broken for field in rule.field.split(";")}
    amount = record.amount if currency is not None and "amount" not in at_fault else None
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
            amount=amount,
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
        amount=amount,
        dated_on=record.dated_on,
        dated_at=record.dated_at,
        typed=typed,
    )


def _values(came: str | None) -> Mapping[str, Any]:
    if came is None:
        return {}
    try:
        found: Mapping[str, Any] = _JSON.decode(came)
    except msgspec.DecodeError:
        return {}  # a record so long that its text was cut
    return found


def _value(record: Transaction | Entry, column: str) -> object:
    if isinstance(record, Entry) and column == "date":
        return record.dated_on or record.dated_at
    return getattr(record, "payment_type" if column == "payment_method" else column)


def _unless_blank(value: object, typed: object) -> object:
    """A value as it came; what is typed where it came from another place: the currency from its id, the amount from
    two columns."""
    return typed if value is None or (isinstance(value, str) and not value.strip()) else value
