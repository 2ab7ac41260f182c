"""What depends only on the seed: the app at KS Pay, its keys, currencies, payment methods and prices."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from string import ascii_letters, ascii_uppercase, digits
from typing import Any
from zoneinfo import ZoneInfo

Record = dict[str, Any]
"""A JSON object in the form in which KS Pay sends it."""

ID_LENGTH = 12
"""Every id in the known examples has 12 characters with its prefix (`tx_aNNJ7BJbt`, `c_wQOPe0WCeW`)."""

MINOR_DIGITS = {"INR": 2, "USD": 2, "JPY": 0, "KWD": 3, "EUR": 2}
CURRENCY_WEIGHTS = {"INR": 82, "USD": 11, "JPY": 4, "KWD": 3}

_CURRENCIES = (
    # name, code, symbol, enabled; the last one is disabled, so that tests have such a currency
    ("Indian Rupee", "INR", "₹", True),
    ("US Dollar", "USD", "$", True),
    ("Japanese Yen", "JPY", "¥", True),
    ("Kuwaiti Dinar", "KWD", "KD", True),
    ("Euro", "EUR", "€", False),
)
_SET_UP_AT = "2024-01-15T09:30:00.000Z"  # when KS Pay set up the currencies
_METHODS = {
    "INR": {"UPI": 55, "CARD": 25, "NETBANKING": 10, "WALLET": 10},
    "USD": {"CARD": 45, "PAYPAL": 55},
    "JPY": {"CARD": 70, "PAYPAL": 30},
    "KWD": {"CARD": 1},
    "EUR": {"CARD": 1},
}
_SUB_METHODS = {
    "UPI": ("GPAY", "PHONEPE", "BHIM", None),
    "CARD": ("VISA", "MASTERCARD", "RUPAY"),
    "NETBANKING": ("HDFC", "SBIN", "ICIC"),
    "WALLET": ("PAYTM", "MOBIKWIK", "AMAZONPAY"),
    "PAYPAL": (None,),
}
_PRICES = {
    "INR": (99, 149, 199, 249, 299, 349, 399, 499, 599, 699, 799, 899, 999, 1299, 1499, 1999, 2499, 4999),
    "USD": ("9.99", "14.95", "19.99", "24.99", "29.95", "49.99", "79.99", "129"),
    "JPY": (480, 780, 980, 1280, 1980, 2980, 4980, 12800),
    "KWD": ("2.750", "4.950", "7.995", "9.900", "12.500", "24.950"),
}
_SHIPPING = {
    "INR": (0, 0, 0, 49, 79, "40.50", "58.82"),
    "USD": (0, 0, "4.95"),
    "JPY": (0, 0, 500),
    "KWD": (0, "0.500", "1.250"),
}
WORDS = {
    # KS Pay's words, in upper and lower case as its public front ends expect them
    "paid": ("Success", "Success", "Success", "success", "success", "SUCCESS", "completed", "Captured"),
    "pending": ("PENDING", "PENDING", "pending", "processing", "Authorized"),
    "failed": ("failed", "failed", "Failed", "FAILED", "declined"),
    "cancelled": ("cancelled", "Canceled", "EXPIRED", "abandoned"),
    "refunded": ("refunded", "Refunded", "REFUNDED", "partially_refunded"),
}
LEDGER_WORDS = {
    "paid": ("paid", "paid", "Paid", "settled", "received", "Posted", ""),
    "unpaid": ("open", "unpaid", "Due", "overdue"),
    "cancelled": ("void", "cancelled", "Written_Off"),
    "refunded": ("refunded", "Refunded", "partially_refunded"),
}
_PROVIDER_WORDS = {
    "paid": ("captured", "COMPLETED"),
    "pending": ("created", "CREATED"),
    "failed": ("failed", "DECLINED"),
    "cancelled": ("created", "VOIDED"),
    "refunded": ("refunded", "REFUNDED"),
}
_HOURS = (3, 2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 14, 16, 15, 12, 11, 11, 13, 16, 20, 22, 19, 12, 6)
"""How busy each hour of the shop's day is, from midnight on: a peak at lunch and a higher one in the evening."""


def nanoid(rng: Random, prefix: str) -> str:
    """An id in KS Pay's form: the prefix, then letters and digits, 12 characters in all."""
    return prefix + "".join(rng.choices(ascii_letters + digits, k=ID_LENGTH - len(prefix)))


def wire_time(instant: datetime) -> str:
    """`2024-08-26T05:24:17.425Z`, as KS Pay writes an instant."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def wire_amount(amount: Decimal) -> str:
    """A decimal without trailing zeros (`11`, `345.67`), as in the known examples."""
    return f"{amount.normalize():f}"


def listed_at(record: Record) -> datetime:
    """The instant (aware, UTC) by which a record is listed: `createdAt`, else `updatedAt`.

    A broken record needs a place in the list too, so an instant without a zone counts as UTC.
    """
    instant = datetime.fromisoformat(record["createdAt"] or record["updatedAt"])
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


@dataclass(frozen=True)
class Shop:
    """A merchant's app at KS Pay: everything that does not depend on the day."""

    seed: int
    timezone: ZoneInfo
    app_id: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    user_id: str
    currency_ids: dict[str, str]  # by code
    method_ids: dict[str, str]  # by name
    gateway_ids: dict[str, str]  # by provider

    @classmethod
    def of(cls, seed: int, timezone: ZoneInfo) -> "Shop":
        """The shop of a seed, with its business days in this time zone."""
        rng = Random(f"{seed}/shop")
        return cls(
            seed=seed,
            timezone=timezone,
            app_id=nanoid(rng, "ap_"),
            access_key=f"sandbox_access_{rng.getrandbits(96):024x}",
            secret_key=f"sandbox_secret_{rng.getrandbits(128):032x}",
            user_id=nanoid(rng, "us_"),
            currency_ids={code: nanoid(rng, "c_") for _, code, _, _ in _CURRENCIES},
            method_ids={name: nanoid(rng, "pm_") for name in _SUB_METHODS},
            gateway_ids={name: nanoid(rng, "gc_") for name in ("RAZORPAY", "PAYPAL")},
        )

    def currencies(self) -> list[Record]:
        """The answer of `GET /currencies`."""
        return [
            {
                "id": self.currency_ids[code],
                "name": name,
                "code": code,
                "symbol": symbol,
                "type": "FIAT",
                "userId": self.user_id,
                "isActive": enabled,
                "isDisabled": not enabled,
                "createdAt": _SET_UP_AT,
                "updatedAt": _SET_UP_AT,
            }
            for name, code, symbol, enabled in _CURRENCIES
        ]

    def payment_methods(self) -> dict[str, list[Record]]:
        """The answers of `GET /{currencyId}/payment-methods`, by currency id."""
        return {
            self.currency_ids[code]: [
                {"id": self.method_ids[name], "name": name, "isActive": True, "isDisabled": False}
                for name in names
            ]
            for code, names in _METHODS.items()
        }

    def moment(self, rng: Random, day: date) -> datetime:
        """A random instant (UTC) of a business day; busy hours are likelier."""
        hour = rng.choices(range(24), _HOURS)[0]
        return self.instant(day, time(hour, rng.randrange(60), rng.randrange(60), rng.randrange(1000) * 1000))

    def instant(self, day: date, clock: time) -> datetime:
        """The instant (UTC) of a clock time on a business day."""
        return datetime.combine(day, clock, self.timezone).astimezone(UTC)

    def day_end(self, day: date) -> datetime:
        """The first instant (UTC) after a business day."""
        return self.instant(day + timedelta(days=1), time())

    def business_date(self, instant: datetime) -> date:
        """The calendar day of an instant in the business time zone."""
        return instant.astimezone(self.timezone).date()

    def price(self, rng: Random, currency: str) -> Decimal:
        """What a basket costs, in major units."""
        items = sum(Decimal(rng.choice(_PRICES[currency])) for _ in range(rng.choice((1, 1, 1, 2, 3))))
        return items + Decimal(rng.choice(_SHIPPING[currency]))

    def method(self, rng: Random, currency: str) -> str:
        """A payment method that the currency offers."""
        return rng.choices(list(_METHODS[currency]), list(_METHODS[currency].values()))[0]

    def payment_id(self, rng: Random, provider: str) -> str:
        """A payment id in the provider's own form."""
        return _paypal_id(rng) if provider == "PAYPAL" else _razorpay_id(rng, "pay_")

    def transaction(
        self,
        rng: Random,
        *,
        family: str,
        reference: str | None,
        amount: Decimal,
        currency: str,
        method: str,
        created_at: datetime,
        updated_at: datetime,
    ) -> Record:
        """A transaction of this status family, in the form of KS Pay's example of 2024-08-26."""
        paypal = method == "PAYPAL"
        provider = "PAYPAL" if paypal else "RAZORPAY"
        paid = family in ("paid", "refunded")
        order_id = _paypal_id(rng) if paypal else _razorpay_id(rng, "order_")
        payment_id = self.payment_id(rng, provider)
        sub_method = rng.choice(_SUB_METHODS[method])
        return {
            "id": nanoid(rng, "tx_"),
            "providerOrderId": order_id,
            "currencyId": self.currency_ids[currency],
            "appId": self.app_id,
            "referenceNumber": reference,
            "paymentMethodId": self.method_ids[method],
            "amount": wire_amount(amount),
            "currencyCode": currency,
            "origin": "https://shop.example",
            "gatewayConfigId": self.gateway_ids[provider],
            "paymentType": method,
            "subPaymentType": sub_method,
            "providerName": provider,
            "providerPaymentType": "PAYPAL" if paypal else method.lower(),
            "providerSubpaymentType": sub_method.lower() if sub_method else None,
            "providerTxnId": payment_id if paid or family == "failed" else None,
            "signature": f"sandbox_signature_{rng.getrandbits(96):024x}" if paid else None,
            "status": rng.choice(WORDS[family]),
            "providerStatus": _PROVIDER_WORDS[family][paypal],
            "userId": self.user_id,
            "isPaid": paid,
            "createdAt": wire_time(created_at),
            "updatedAt": wire_time(updated_at),
        }


def _razorpay_id(rng: Random, prefix: str) -> str:
    return prefix + "".join(rng.choices(ascii_letters + digits, k=14))


def _paypal_id(rng: Random) -> str:
    return "".join(rng.choices(ascii_uppercase + digits, k=17))
