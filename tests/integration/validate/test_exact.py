"""Amounts of 30 digits at, above and below a limit of 30 digits, through every suite: not one digit is lost."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace as changed
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, text

from reconcile.core.money import exact_sum
from reconcile.core.progress import silent
from reconcile.core.records import Period, Side
from reconcile.load.staging_tables import staging_tables
from reconcile.match.engine import match
from reconcile.settings import Expect, Settings
from reconcile.validate.dataset_rules import read_period, validate_period, validate_results
from reconcile.validate.validator import Validator
from tests.integration.validate.test_validator import ENTRY, TRANSACTION, judged
from tests.oracle import E, T
from tests.support.arrivals import arrive, record_run

DIGITS = {"JPY": 0, "INR": 2, "KWD": 3, "USDT": 6}
NUMBER = 123456789012345678901234567890


def limit(currency: str) -> Decimal:
    """Of 30 digits, the last of them the currency's smallest."""
    return Decimal(f"{NUMBER}E-{DIGITS[currency]}")


def unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-DIGITS[currency])


def at_and_about(currency: str) -> tuple[Decimal, Decimal, Decimal]:
    most, step = limit(currency), unit(currency)
    return most, exact_sum((most, step)), exact_sum((most, -step))


def settings(expectation: str = "ExpectColumnValuesToBeBetween", weight: str = "quarantines") -> Settings:
    """With a limit by currency on either side, as reconcile.toml says it."""
    plain = Settings()
    return changed(
        plain,
        currencies=plain.currencies.with_extra({"USDT": 6}),
        expects=tuple(
            Expect(
                f"limit_{on}_{currency}",
                on,
                expectation,
                weight,
                "Nothing dearer is sold.",
                {
                    "column": "amount",
                    "max_value": int(limit(currency)) if not DIGITS[currency] else limit(currency),
                    "row_condition": f'col("currency") == "{currency}"',
                },
            )
            for on in ("transactions", "entries")
            for currency in DIGITS
        ),
    )


def records(kspay: bool) -> list[Any]:
    found: list[Any] = []
    for currency in DIGITS:
        for name, amount in zip(("at", "above", "below"), at_and_about(currency), strict=True):
            assert len(amount.as_tuple().digits) == 30
            known = {"currency": currency, "amount": amount}
            found.append(
                replace(TRANSACTION, transaction_id=f"tx_{currency}_{name}", **known)
                if kspay
                else replace(ENTRY, ledger_id=f"{currency}_{name}", **known)
            )
    return found


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator.of(settings())


@pytest.mark.parametrize("kspay", [True, False])
def test_only_what_is_above_the_limit_of_its_currency_is_kept_out(
    fresh_engine: Engine, validator: Validator, kspay: bool
) -> None:
    batch = records(kspay)
    sound, rejected = judged(fresh_engine, validator, batch)
    assert [name.rpartition("_")[2] for name in sound] == ["at", "below"] * len(DIGITS)
    assert {one["record_id"]: Decimal(one["value"]) for one in rejected} == {
        one.transaction_id if kspay else one.ledger_id: one.amount for one in batch[1::3]
    }
    for one in rejected:
        assert "e" not in one["value"].lower()
        assert f'"amount":{one["value"]},' in one["typed"]


@pytest.mark.parametrize("kspay", [True, False])
def test_one_decimal_more_than_the_currency_has_is_seen_behind_29_digits(
    fresh_engine: Engine, validator: Validator, kspay: bool
) -> None:
    batch = [
        replace(one, amount=Decimal(f"{NUMBER + 1}E-{DIGITS[one.currency] + 1}"))
        for one in records(kspay)[::3]
    ]
    _, rejected = judged(fresh_engine, validator, batch)
    assert [one["reason"] for one in rejected] == ["amount has more decimals than its currency"] * len(DIGITS)


def test_a_whole_column_is_compared_to_the_last_digit_that_a_suite_can_hold(fresh_engine: Engine) -> None:
    bound = 10**29
    expect = Expect(
        "most", "entries", "ExpectColumnMaxToBeBetween", "blocks", "Since.", {"column": "amount", "max_value": bound}
    )  # fmt: skip
    for amount, broken in ((Decimal(bound), False), (exact_sum((Decimal(bound), Decimal("0.01"))), True)):
        validator = Validator.of(changed(Settings(), expects=(expect,)))
        with staging_tables(fresh_engine) as tables:
            tables.add([replace(ENTRY, amount=amount)], [])
            if broken:
                with pytest.raises(Exception, match=f"amount: found {amount:f}, where max_value is {bound}"):
                    tables.judge(validator, Side.LEDGER, Settings().currencies, "it")
            else:
                assert tables.judge(validator, Side.LEDGER, Settings().currencies, "it") == ()


def test_suites_and_pages_show_every_digit(fresh_engine: Engine, tmp_path: Path) -> None:
    validator = Validator.of(settings(), docs=tmp_path / "docs")
    for batch in (records(True), records(False)):
        judged(fresh_engine, validator, batch)
    validator.write_suites(tmp_path / "suites")
    validator.write_docs()
    pages = [path.read_text("utf-8") for path in (tmp_path / "docs" / "validations").rglob("*.html")]
    for suite in ("transactions", "entries"):
        written = (tmp_path / "suites" / f"{suite}.json").read_text("utf-8")
        (page,) = [one for one in pages if f"limit_{suite}_INR" in one or f">{suite}<" in one]
        bounds = {
            one["meta"]["name"]: one["kwargs"].get("max_value") for one in json.loads(written)["expectations"]
        }
        for currency in DIGITS:
            most, above, _ = (f"{amount:f}" for amount in at_and_about(currency))
            assert bounds[f"limit_{suite}_{currency}"] == most
            assert most in page
            assert above in page
        assert "e+2" not in page.lower()
        assert "amounts must have at most the decimals that their currency has." in page
        assert "values must be statuses that have a family." in page
        assert "&#39;AED&#39;: 2" not in page, "nor the arguments of a call"
        assert "'AED': 2" not in page, "nor the arguments of a call"


def book(amounts: Sequence[tuple[str, Decimal]]) -> Iterator[tuple[T, E]]:
    """Each amount on both sides, in the ledger of every second one the smallest unit less."""
    at = datetime(2026, 8, 10, 8, tzinfo=UTC)
    for number, (currency, amount) in enumerate(amounts):
        less = exact_sum((amount, -unit(currency))) if number % 2 else amount
        yield (
            T(f"tx_{number}", "ap_1", f"R{number}", currency, amount, "paid", at),
            E("default", f"L{number}", "ap_1", f"R{number}", currency, less, "paid", date(2026, 8, 10)),
        )


def test_the_results_add_up_to_the_last_digit(fresh_engine: Engine) -> None:
    period = Period(date(2026, 8, 10), date(2026, 8, 10))
    amounts = [(currency, amount) for currency in DIGITS for amount in at_and_about(currency)]
    transactions, entries = zip(*book(amounts), strict=True)
    validator = Validator.of(settings())
    with fresh_engine.connect() as connection:
        arrive(connection, transactions, entries, ("ap_1",), datetime(2026, 9, 1, tzinfo=UTC))
        connection.execute(text("discard temp"))
        record_run(connection, "run", ("ap_1",), period, "running")
        result = match(connection, settings(), "run", ("ap_1",), period, silent)
        validate_period(validator, period, read_period(connection, period), settings().currencies)
        validate_results(connection, validator, "run", result.checks)
        sums = text("select side || currency as of, sum(amount) as amount from result_outcomes group by 1")
        held: dict[str, Decimal] = {row.of: row.amount for row in connection.execute(sums)}
        connection.rollback()
    assert next(one for one in validator.summary() if one["suite"] == "results")["failures"] == ()
    for currency in DIGITS:
        for side, found in (("kspay", transactions), ("ledger", entries)):
            whole = exact_sum(one.amount for one in found if one.currency == currency)
            assert held[f"{side}{currency}"] == whole
    assert result.discrepancies == {"AMOUNT_MISMATCH": len(amounts) // 2}
