"""What a payment needs besides the client: its order, its outcome, and the payer's way back.

The reconciler never moves money; these are for a merchant's own code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What to be paid: a finite amount in the currency's major unit, and the merchant's own reference.

    The reference makes it one payment however often it is initiated, so it must be the order's alone.
    """

    currency_id: str
    payment_method_id: str
    amount: Decimal
    reference: str
    redirect_url: str | None = None

    def __post_init__(self) -> None:
        if not self.amount.is_finite() or self.amount <= 0:
            raise ValueError(f"the amount of a payment is more than 0, not {self.amount}")
        if not self.reference.strip():
            raise ValueError("a payment needs a reference: without one it could be made twice")

    def body(self, app_id: str) -> dict[str, Any]:
        """The fields of `POST /transaction/initiate`; `appId` and `redirectUrl` only for a payer's return."""
        fields: dict[str, Any] = {
            "currencyId": self.currency_id,
            "paymentMethodId": self.payment_method_id,
            "amount": self.amount,
            "referenceNumber": self.reference,
        }
        if self.redirect_url is not None:
            fields |= {"appId": app_id, "redirectUrl": self.redirect_url}
        return fields


@dataclass(frozen=True, slots=True)
class Initiated:
    """A payment that exists at KS Pay: newly made, or `found` under its reference. `answer` as it came."""

    found: bool
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PaymentRedirect:
    """What the payer's browser brought back. Anyone can write such an address: ask KS Pay by the id."""

    payment_status: str
    kspay_id: str
    provider_payment_id: str | None

    @classmethod
    def parse(cls, url: str) -> "PaymentRedirect":
        """Read the address, or its query alone, that the payer was sent to.

        Raises ValueError where a field is missing, given twice, or no `tx_` id.
        """
        query = parse_qs(urlsplit(url).query if "?" in url else url, keep_blank_values=True)

        def one(name: str) -> str:
            values = query.get(name, [])
            if len(values) > 1:
                raise ValueError(f"the payment redirect holds {name} {len(values)} times")
            return values[0].strip() if values else ""

        status, kspay_id = one("payment_status"), one("kspay_id")
        if not status:
            raise ValueError("the payment redirect holds no payment_status")
        if not kspay_id.startswith("tx_") or not kspay_id[3:].isalnum() or not kspay_id.isascii():
            raise ValueError("the payment redirect holds no kspay_id that starts with tx_")
        return cls(status, kspay_id, one("provider_payment_id") or None)
