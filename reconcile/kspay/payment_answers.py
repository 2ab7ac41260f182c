"""What the answers about a payment mean: whether it began, agrees with what was asked for, or may be lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from reconcile.core.errors import UsageError
from reconcile.core.money import parse_amount
from reconcile.kspay.errors import (
    CallError,
    ConflictError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimitError,
)
from reconcile.kspay.http.auth import is_token
from reconcile.kspay.paging.listing import describe, text_of

INITIATE = "POST /transaction/initiate"
PROCESS = "POST /transaction/process"
# What KS Pay's own SDK reads instead of an order (observed).
_OF_SDK = ("gateway", "mode", "altTxnId", "details")


@dataclass(frozen=True, slots=True)
class Initiated:
    """A payment that began now, or that was found under its reference number (`found`).

    `amount` is in major units, `currency` a code such as INR. What KS Pay left out is None. Where KS Pay answers with
    nothing but a signature (the guide's NPM sequence, KS Pay's own SDK), `transaction_id` is None too. `signature` is
    a secret: the merchant's front end needs it, and `process` takes it. `config` and `signature` are set only if the
    payment began now, `status` only if it was found.
    """

    reference_number: str
    amount: Decimal
    transaction_id: str | None
    provider_order_id: str | None
    currency: str | None
    gateway: str | None
    method: str | None
    mode: str | None = None
    config: Any = field(default=None, repr=False)
    signature: str | None = field(default=None, repr=False)
    status: str | None = None
    found: bool = False


def begun(answer: Any, reference_number: str, amount: Decimal) -> Initiated:
    """The payment that KS Pay says it began. Raises ProtocolError, or ConflictError for another amount."""
    result = _result(answer)
    transaction_id, signature = text_of(result, "pe_txnId"), signature_of(answer)
    if transaction_id is None and signature is None:
        raise ProtocolError(
            INITIATE, 201, message=f"the answer holds neither pe_txnId nor signature: {describe(answer)}"
        )
    said = result.get("amount")
    if said is not None and amount_of(said) != amount:
        raise ConflictError(
            INITIATE,
            message=f"{transaction_id} began with the amount {str(said)[:60]} instead of {amount:f}",
            advice="let nobody pay it, and tell KS Pay's support",
        )
    return Initiated(
        reference_number=reference_number,
        amount=amount,
        transaction_id=transaction_id,
        provider_order_id=text_of(result, "providerOrderId"),
        currency=text_of(result, "currency"),
        gateway=text_of(result, "gateway"),
        method=text_of(result, "method"),
        mode=text_of(result, "mode"),
        config=result.get("config"),
        signature=signature,
    )


def signature_of(answer: Any) -> str | None:
    """The signature in an answer that began a payment: a secret. None where it holds none."""
    return text_of(_result(answer), "signature")


def _result(answer: Any) -> Mapping[str, Any]:
    # KS Pay's own SDK gets the signature as a bare text (observed).
    return answer if isinstance(answer, dict) else {"signature": answer} if is_token(answer) else {}


def payable(amount: Decimal) -> Decimal:
    if not isinstance(amount, Decimal):
        raise UsageError(
            f'The amount must be a Decimal such as Decimal("345.67"), not {type(amount).__name__}'
        )
    try:
        value = parse_amount(str(amount))
    except ValueError as error:
        raise UsageError(f"The amount {error}") from None
    if value <= 0:
        raise UsageError(f"The amount must be more than zero, not {amount:f}")
    return amount


def processed(answer: Any) -> dict[str, Any]:
    """The order, or the whole answer in the shape that KS Pay's own SDK reads. Raises ProtocolError for any other."""
    result = answer if isinstance(answer, dict) else {}
    order = result.get("order")
    if isinstance(order, dict):
        return order
    if any(result.get(name) for name in _OF_SDK):
        return result
    raise ProtocolError(
        PROCESS, 200, message=f"the answer holds neither an order nor a gateway: {describe(answer)}"
    )


def begun_or_not(reference_number: str) -> str:
    return (
        f"whether a payment of reference number {reference_number!r} was begun is not known: "
        "ask transaction_by_reference() later, or look into KS Pay's Transaction History, "
        "and begin no other payment before you know"
    )


def agreeing(
    record: Mapping[str, Any], reference_number: str, amount: Decimal, currency_id: str
) -> Initiated:
    """The payment that was found. Raises ConflictError if its amount or currency differs."""
    there = f"{str(record.get('amount'))[:60]} {record.get('currencyId')}"
    if amount_of(record.get("amount")) != amount or record.get("currencyId") != currency_id:
        raise ConflictError(
            INITIATE,
            message=f"reference number {reference_number!r} already stands for {record['id']}: {there}, "
            f"not {amount:f} {currency_id}",
            advice="use another reference number for another payment",
        )
    return Initiated(
        reference_number=reference_number,
        amount=amount,
        transaction_id=record["id"],
        provider_order_id=text_of(record, "providerOrderId"),
        currency=text_of(record, "currencyCode"),
        gateway=text_of(record, "providerName"),
        method=text_of(record, "paymentType"),
        status=text_of(record, "status"),
        found=True,
    )


def is_lost(error: CallError, call: str) -> bool:
    """Whether this call may have been carried out although it failed.

    A refusal is an answer, and so is a rate limit: nothing was done. An answer that cannot be read says nothing about
    the payment. An error of another call, such as the one for a new signature, came before or after this call.
    """
    if error.call != call or isinstance(error, RateLimitError):
        return False
    return error.retryable or isinstance(error, ProtocolError)


def unknown(error: CallError, advice: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(error.call, error.status, error.code, error.message, advice, error.entry)


def amount_of(value: Any) -> Decimal | None:
    """An amount of KS Pay, text or number (guide and observed); None for any other value."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        return parse_amount(str(value))
    except ValueError:
        return None
