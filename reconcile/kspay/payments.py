"""The calls that begin, process and confirm payments. The reconciliation makes none of them.

A request that begins or processes a payment is sent once and never repeated automatically. The merchant's reference
number stands for a payment. It may have several tries: we assume, since the guide does not say, that KS Pay shows the
newest one when it is asked by reference number.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from reconcile.core.errors import UsageError
from reconcile.core.money import parse_amount
from reconcile.core.records import Family
from reconcile.kspay.credentials import Credentials
from reconcile.kspay.errors import (
    NO_DATA,
    AuthenticationError,
    CallError,
    ConflictError,
    NotFoundError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimitError,
)
from reconcile.kspay.http.auth import AuthorizedCalls, TokenKeeper, is_token
from reconcile.kspay.http.transport import Request, Transport
from reconcile.kspay.lookup import transaction_by_id, transaction_by_reference, unreadable
from reconcile.kspay.paging.listing import describe, text_of, without_secret
from reconcile.kspay.redirect import Redirect
from reconcile.kspay.statuses import family_of

LOOK_UPS = 4
"""How often a payment is looked up after its answer was lost, after waits of 1, 2, 4 … times the backoff."""

_INITIATE = "POST /transaction/initiate"
_PROCESS = "POST /transaction/process"
_ENDED = frozenset({Family.FAILED, Family.CANCELLED})


@dataclass(frozen=True, slots=True)
class Initiated:
    """A payment that began now, or that was found under its reference number (`found`).

    `amount` is in major units, `currency` a code such as INR. What KS Pay left out is None. Where KS Pay answers with
    nothing but a signature (the guide's NPM sequence), `transaction_id` is None too. `signature` is a secret that the
    merchant's front end needs. `config` and `signature` are set only if the payment began now, `status` only if it
    was found.
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


class Payments:
    """Single payments: `KSPay.payments`. Safe to use from several threads."""

    def __init__(
        self,
        credentials: Credentials,
        transport: Transport,
        tokens: TokenKeeper,
        calls: AuthorizedCalls,
        backoff_seconds: float,
    ) -> None:
        self._credentials = credentials
        self._transport = transport
        self._tokens = tokens
        self._calls = calls
        self._look_up_wait = backoff_seconds
        self._signature: str | None = None
        self._signature_lock = threading.Lock()
        # Threads with one reference number take turns, so that the second one finds the payment of the first.
        self._turns = tuple(threading.Lock() for _ in range(64))

    def generate_signature(self) -> str:
        """`POST /auth/generate-signature/{appId}`: a new signature for the header `x-signature`, a secret."""
        path = f"/auth/generate-signature/{self._credentials.app_id}"
        call = f"POST {path}"
        answer = self._transport.ask(Request(call, "POST", path, body=self._credentials.keys()))
        signature = answer.get("signature") if isinstance(answer, dict) else answer
        if not is_token(signature):
            raise ProtocolError(call, 200, message="the answer holds no signature that a header can carry")
        self._transport.add_secrets(signature)
        return signature

    def initiate(
        self,
        currency_id: str,
        payment_method_id: str,
        amount: Decimal,
        reference_number: str,
        redirect_url: str | None = None,
        *,
        bearer: bool = False,
    ) -> Initiated:
        """`POST /transaction/initiate`: begin a payment of `amount` in major units, at most once.

        With `bearer` the access token and the app's id are sent, as in the guide's NPM sequence; otherwise a signature
        in `x-signature`. The amount is sent with exactly its digits: `Decimal("345.67")` as 345.67. KS Pay refuses
        more decimals than the currency has.

        The reference number stands for one payment and is looked up first. A payment that is pending, paid, refunded
        or of an unknown status is returned, and no second one begins. Its amount and currency must agree, otherwise
        ConflictError names both; its payment method may differ. A payment that failed or was cancelled does not
        count: the payer may try again. Threads of one client take turns by reference number. Two processes that begin
        the same payment at the same instant do not see each other.

        The request is sent once. If its answer is lost, the payment is looked up LOOK_UPS times. If it is not found,
        OutcomeUnknownError says how to find out. Raises UsageError for an amount that is no positive Decimal and for
        a reference number that cannot be looked up.
        """
        amount = _payable(amount)
        body = {
            "currencyId": currency_id,
            "paymentMethodId": payment_method_id,
            "amount": amount,
            "referenceNumber": reference_number,
            **({"appId": self._credentials.app_id} if bearer else {}),
            **({} if redirect_url is None else {"redirectUrl": redirect_url}),
        }
        with self._turns[hash(reference_number) % len(self._turns)]:
            newest = self._newest(reference_number)
            if newest is not None and family_of(newest.get("status")) not in _ENDED:
                return _agreeing(newest, reference_number, amount, currency_id)
            known_id = None if newest is None else newest["id"]

            def look() -> Initiated | None:
                begun = self._newest(reference_number)
                if begun is None or begun["id"] == known_id:
                    return None
                return _agreeing(begun, reference_number, amount, currency_id)

            try:
                answer = self._send_once(_INITIATE, body, bearer, look)
                return answer if isinstance(answer, Initiated) else _begun(answer, reference_number, amount)
            except CallError as error:
                if not _is_lost(error, _INITIATE):
                    raise
                found = self._look_for_lost(reference_number, known_id, error)
                return _agreeing(found, reference_number, amount, currency_id)

    def process(
        self, transaction_id: str, fields: Mapping[str, str | int | bool | Decimal] | None = None
    ) -> dict[str, Any]:
        """`POST /transaction/process`: process a payment that began; the `order` of the answer.

        The guide does not describe the body. The id is sent as `pe_txnId` (assumed), together with `fields`, which may
        hold what the gateway asks for. The request is sent once: OutcomeUnknownError if its answer is lost.
        """
        try:
            answer = self._send_once(_PROCESS, {"pe_txnId": transaction_id, **(fields or {})}, bearer=False)
            order = answer.get("order") if isinstance(answer, dict) else None
            if not isinstance(order, dict):
                raise ProtocolError(_PROCESS, 200, message=f"the answer holds no order: {describe(answer)}")
        except CallError as error:
            if not _is_lost(error, _PROCESS):
                raise
            raise _unknown(
                error,
                f"whether {transaction_id!r} was processed is not known: "
                "look at its status with transaction() before you process it again",
            ) from error
        return dict(without_secret(_PROCESS, order))

    def confirm(
        self, redirect: Redirect, reference_number: str, amount: Decimal, currency: str
    ) -> dict[str, Any]:
        """Ask KS Pay whether the payment that a redirect names is the expected one and is paid; its record.

        `currency` is a code such as INR. Raises ConflictError, which names what differs, also while the payment is
        pending. What the redirect itself says about the status does not count.
        """
        record = transaction_by_id(self._calls, redirect.transaction_id)
        expected = {
            "id": redirect.transaction_id,
            "referenceNumber": reference_number,
            "currencyCode": currency,
        }
        differing = [
            f"{name} {record.get(name)!r}, not {value!r}"
            for name, value in expected.items()
            if record.get(name) != value
        ]
        if _amount(record.get("amount")) != amount:
            differing.append(f"amount {record.get('amount')}, not {amount:f}")
        if problem := unreadable(record):
            differing.append(problem)
        if family_of(record.get("status")) is not Family.PAID:
            differing.append(f"status {record.get('status')!r}, which is not paid")
        if differing:
            raise ConflictError(
                f"GET /transaction/txnId/{redirect.transaction_id}",
                message=f"KS Pay does not confirm the redirect: {'; '.join(differing)}",
                advice="deliver nothing for it",
            )
        return record

    def _newest(self, reference_number: str) -> dict[str, Any] | None:
        try:
            return transaction_by_reference(self._calls, reference_number)
        except NotFoundError as error:
            # Any other 404, for an unknown address or app, does not mean that there is no payment.
            if error.entry != NO_DATA:
                raise
            return None

    def _look_for_lost(self, reference_number: str, known_id: str | None, error: CallError) -> dict[str, Any]:
        """The payment that the lost request began: it has this reference number, and is not the one known before."""
        unknown = _unknown(
            error,
            f"whether a payment of reference number {reference_number!r} was begun is not known: "
            "ask transaction_by_reference() later, and begin no other payment before you know",
        )
        for turn in range(LOOK_UPS):
            time.sleep(self._look_up_wait * 2**turn)
            try:
                newest = self._newest(reference_number)
            except CallError:
                raise unknown from error
            if newest is not None and newest["id"] != known_id:
                return newest
        raise unknown from error

    def _send_once(
        self, call: str, body: Mapping[str, Any], bearer: bool, look: Callable[[], Any] = lambda: None
    ) -> Any:
        """One POST, and a second one only if the token or signature was refused, so that nothing was done.

        `look` is called before the second one. If it finds a payment, the first POST began it after all, and it is
        the result.
        """

        def send(authorization: str) -> Any:
            header = "Authorization" if bearer else "x-signature"
            path = call.removeprefix("POST ")
            return self._transport.ask(
                Request(
                    call,
                    "POST",
                    path,
                    lambda: authorization,
                    body=body,
                    header=header,
                    once=True,
                    problem=unreadable,
                )
            )

        if bearer:
            tokens = self._tokens.current()
            try:
                return send(f"Bearer {tokens.access}")
            except AuthenticationError as error:
                self._tokens.replace(tokens, error)
            return look() or send(f"Bearer {self._tokens.current().access}")
        signature = self._signed()
        try:
            return send(signature)
        except AuthenticationError:
            signature = self._signed(refused=signature)
        return look() or send(signature)

    def _signed(self, refused: str | None = None) -> str:
        """The signature. All calls share it until it is refused."""
        with self._signature_lock:
            if self._signature is None or self._signature == refused:
                self._signature = self.generate_signature()
            return self._signature


def _payable(amount: Decimal) -> Decimal:
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


def _begun(answer: Any, reference_number: str, amount: Decimal) -> Initiated:
    """The payment that KS Pay says it began. Raises ProtocolError, or ConflictError for another amount."""
    result = answer if isinstance(answer, dict) else {}
    transaction_id, signature = text_of(result, "pe_txnId"), text_of(result, "signature")
    if transaction_id is None and signature is None:
        raise ProtocolError(
            _INITIATE, 201, message=f"the answer holds neither pe_txnId nor signature: {describe(answer)}"
        )
    said = result.get("amount")
    if said is not None and _amount(said) != amount:
        raise ConflictError(
            _INITIATE,
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


def _agreeing(
    record: Mapping[str, Any], reference_number: str, amount: Decimal, currency_id: str
) -> Initiated:
    """The payment that was found. Raises ConflictError if its amount or currency differs."""
    there = f"{str(record.get('amount'))[:60]} {record.get('currencyId')}"
    if _amount(record.get("amount")) != amount or record.get("currencyId") != currency_id:
        raise ConflictError(
            _INITIATE,
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


def _is_lost(error: CallError, call: str) -> bool:
    """Whether this call may have been carried out although it failed.

    A refusal is an answer, and so is a rate limit: nothing was done. An answer that cannot be read says nothing about
    the payment. An error of another call, such as the one for a new signature, came before or after this call.
    """
    if error.call != call or isinstance(error, RateLimitError):
        return False
    return error.retryable or isinstance(error, ProtocolError)


def _unknown(error: CallError, advice: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(error.call, error.status, error.code, error.message, advice, error.entry)


def _amount(value: Any) -> Decimal | None:
    """An amount of KS Pay, text or number (guide and observed); None for any other value."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        return parse_amount(str(value))
    except ValueError:
        return None
