"""What the client asks for besides transactions: currencies, payment methods, the day of the server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconcile.kspay.errors import (
    ProtocolError,
)
from tests.support.kspay_server import (
    KSPayServer,
    Reply,
    success,
)


@pytest.mark.parametrize(
    "rows",
    [
        [
            {
                "id": "c_1",
                "name": "Indian Rupee",
                "code": "INR",
                "symbol": "₹",
                "type": "FIAT",
                "isActive": True,
            }
        ],
        [{"currencyId": "c_1", "name": "Indian Rupee", "code": "INR", "symbol": "₹", "type": "FIAT"}],
    ],
)
@pytest.mark.parametrize("enveloped", [True, False])
def test_currencies_and_payment_methods(
    server: KSPayServer, rows: list[dict[str, Any]], enveloped: bool
) -> None:
    methods = [{"paymentMethodId": "pm_1", "name": "UPI", "isActive": True, "isDisabled": True}]
    server.on("GET", "/currencies", success(rows) if enveloped else Reply(200, rows))
    server.on("GET", "/c_1/payment-methods", success(methods) if enveloped else Reply(200, methods))
    with server.client() as client:
        (currency,) = client.currencies()
        (method,) = client.payment_methods(currency.id)
    assert (currency.id, currency.code, currency.name, currency.is_active) == (
        "c_1",
        "INR",
        "Indian Rupee",
        True,
    )
    assert (method.id, method.name, method.is_active) == ("pm_1", "UPI", False)


@pytest.mark.parametrize("result", [{}, [1], [{"name": "no id"}], None])
def test_lists_of_another_shape_are_told(server: KSPayServer, result: Any) -> None:
    server.on("GET", "/currencies", success(result))
    with server.client() as client, pytest.raises(ProtocolError, match="GET /currencies"):
        client.currencies()


def test_server_today_is_asked_once(server: KSPayServer) -> None:
    server.clock_ahead = 7 * 86400
    with server.client() as client:
        expected = datetime.now(UTC).date() + timedelta(days=7)
        assert client.server_today() in (expected, expected + timedelta(days=1))
        client.server_today()
    assert len(server.asked) == 1
