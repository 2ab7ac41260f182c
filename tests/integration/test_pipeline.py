"""The days of a period are validated while it is matched: on what the matching sees, and with every error raised."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from reconcile.context import RunContext
from reconcile.core.errors import UsageError
from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.pipeline import validating_period
from reconcile.settings import Settings
from reconcile.validate.validator import Validator
from tests.oracle import T
from tests.support.arrivals import arrive

APP = "ap_1"
FIRST = datetime(2026, 8, 1, 6, 30, tzinfo=UTC)  # noon in India


@pytest.fixture
def run(fresh_engine: Engine) -> RunContext:
    settings = Settings()
    return RunContext(
        settings,
        fresh_engine,
        (APP,),
        Validator(settings.currencies),
        silent,
        run_id="2026-08-12_2026-08-12_1",
        apps=(),
        period=Period(date(2026, 8, 12), date(2026, 8, 12)),
    )


def pay(engine: Engine) -> None:
    """A hundred payments a day on eleven days, and nineteen on the twelfth."""
    paid = [
        T(f"tx_{at:%d}_{n}", APP, f"R{at:%d}-{n}", "INR", Decimal(100), "paid", at)
        for at in (FIRST + timedelta(days=back) for back in range(12))
        for n in range(19 if at.day == 12 else 100)
    ]
    with engine.begin() as connection:
        arrive(connection, paid, (), (APP,), datetime(2026, 9, 1, tzinfo=UTC))


def test_it_sees_what_the_matching_sees(run: RunContext) -> None:
    with run.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("select count(*) from transactions"))  # from here on its view does not change
        pay(run.engine)
        with validating_period(run, connection) as validated:
            validated()
    assert run.validator.warnings() == []
    with (
        run.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        validating_period(run, connection) as validated,
    ):
        validated()
    (line,) = run.validator.warnings()
    assert line == "transactions: ap_1 2026-08-12: 19 records, where 100 are usual (volume_usual)"


def test_its_error_is_raised_where_it_is_waited_for(run: RunContext) -> None:
    unknown = T("tx_1", APP, "R1", "XAU", Decimal(1), "paid", FIRST + timedelta(days=11))
    with run.engine.begin() as connection:
        arrive(connection, (unknown,), (), (APP,), datetime(2026, 9, 1, tzinfo=UTC))
    with (
        run.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        validating_period(run, connection) as validated,
        pytest.raises(UsageError, match="XAU"),
    ):
        validated()
