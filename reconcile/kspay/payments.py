"""The calls that begin, process and confirm payments. The reconciliation makes none of them.

A request that begins or processes a payment is sent once and never repeated automatically. The merchant's reference
number stands for a payment. It may have several tries: we assume, since the guide does not say, that KS Pay shows the
newest one when it is asked by reference number.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from reconcile.core.errors import UsageError
from reconcile.core.records import Family
from reconcile.kspay.credentials import Credentials
from reconcile.kspay.errors import (
    NO_DATA,
    AuthenticationError,
    CallError,
    ConflictError,
    NotFoundError,
    ProtocolError,
    is_gone,
)
from reconcile.kspay.http.auth import AuthorizedCalls, TokenKeeper, is_token
from reconcile.kspay.http.transport import Request, Transport
from reconcile.kspay.lookup import transaction_by_id, transaction_by_reference, unreadable
from reconcile.kspay.paging.listing import without_secret
from reconcile.kspay.payment_answers import (
    INITIATE,
    PROCESS,
    Initiated,
    agreeing,
    amount_of,
    begun,
    begun_or_not,
    is_lost,
    payable,
    processed,
    signature_of,
    unknown,
)
from reconcile.kspay.redirect import Redirect
from reconcile.kspay.statuses import family_of

LOOK_UPS = 4
"""How often a payment is looked up after its answer was lost, after waits of 1, 2, 4 … times the backoff."""

_ENDED = frozenset({Family.FAILED, Family.CANCELLED})
_Authorization = tuple[dict[str, str], Callable[[CallError], dict[str, str] | None]]
"""The headers that authorize a call, and what gives new ones after a refusal; None: nothing can be renewed."""


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
        """`POST /auth/generate-signature/{appId}`: a new signature for the header `x-signature`, a secret.

        A later guide no longer shows the call: where KS Pay does not have it, the error's advice says what works.
        """
        path = f"/auth/generate-signature/{self._credentials.app_id}"
        call = f"POST {path}"
        try:
            answer = self._transport.ask(Request(call, "POST", path, body=self._credentials.keys()))
        except CallError as error:
            if is_gone(error):
                error.advice = (
                    "KS Pay does not offer generate-signature here: begin payments with bearer=True or sdk=True, "
                    "and process them with the signature that initiate() gives; if other calls fail too, check "
                    "KSPAY_BASE_URL"
                )
            raise
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
        sdk: bool = False,
        look_up: bool = True,
    ) -> Initiated:
        """`POST /transaction/initiate`: begin a payment of `amount` in major units, at most once.

        With `bearer` the access token and the app's id are sent, as in the guide's NPM sequence. With `sdk` the keys
        are sent in headers, as KS Pay's own Dart SDK does (observed). Otherwise a signature is sent in `x-signature`.
        Whatever is sent, an answer in the shape of any of the three begins a payment. The amount is sent with exactly
        its digits: `Decimal("345.67")` as 345.67. KS Pay refuses more decimals than the currency has.

        The reference number stands for one payment and is looked up first. A payment that is pending, paid, refunded
        or of an unknown status is returned, and no second one begins. Its amount and currency must agree, otherwise
        ConflictError names both; its payment method may differ. A payment that failed or was cancelled does not
        count: the payer may try again. Threads of one client take turns by reference number. Two processes that begin
        the same payment at the same instant do not see each other.

        The request is sent once. If its answer is lost, the payment is looked up LOOK_UPS times. If it is not found,
        OutcomeUnknownError says how to find out. Raises UsageError for an amount that is no positive Decimal and for
        a reference number that cannot be looked up.

        Where KS Pay does not offer the look-up, nothing begins and the error says so. With `look_up=False` nothing is
        looked up: the caller must know that the reference number is new, and a lost answer is an OutcomeUnknownError.
        """
        if bearer and sdk:
            raise UsageError("A payment begins with bearer or with sdk, not with both")
        if sdk and not all(map(is_token, self._credentials.keys().values())):
            raise UsageError("KSPAY_ACCESS_KEY or KSPAY_SECRET_KEY holds characters that no header can carry")
        amount = payable(amount)
        authorize = self._by_token if bearer else self._by_keys if sdk else self._by_signature
        body = {
            "currencyId": currency_id,
            "paymentMethodId": payment_method_id,
            "amount": amount,
            "referenceNumber": reference_number,
            **({"appId": self._credentials.app_id} if bearer else {}),
            **({"interfaceType": "sdk"} if sdk else {}),
            **({} if redirect_url is None else {"redirectUrl": redirect_url}),
        }
        if not look_up:
            try:
                return self._begun(self._send_once(INITIATE, body, authorize), reference_number, amount)
            except CallError as error:
                if not is_lost(error, INITIATE):
                    raise
                raise unknown(error, begun_or_not(reference_number)) from error
        with self._turns[hash(reference_number) % len(self._turns)]:
            newest = self._newest(reference_number)
            if newest is not None and family_of(newest.get("status")) not in _ENDED:
                return agreeing(newest, reference_number, amount, currency_id)
            known_id = None if newest is None else newest["id"]

            def look() -> Initiated | None:
                other = self._newest(reference_number)
                if other is None or other["id"] == known_id:
                    return None
                return agreeing(other, reference_number, amount, currency_id)

            try:
                answer = self._send_once(INITIATE, body, authorize, look)
                return (
                    answer if isinstance(answer, Initiated) else self._begun(answer, reference_number, amount)
                )
            except CallError as error:
                if not is_lost(error, INITIATE):
                    raise
                found = self._look_for_lost(reference_number, known_id, error)
                return agreeing(found, reference_number, amount, currency_id)

    def process(
        self,
        transaction_id: str | None = None,
        fields: Mapping[str, str | int | bool | Decimal] | None = None,
        *,
        signature: str | None = None,
        origin: str | None = None,
    ) -> dict[str, Any]:
        """`POST /transaction/process`: process a payment that began; what KS Pay answers, without signatures.

        That is the `order` of the answer. Where KS Pay answers as its own SDK expects (observed), there is none: then
        it is the whole answer, with `gateway`, `mode`, `altTxnId` and `details`.

        The guide does not describe the body. The id is sent as `pe_txnId` (assumed), together with `fields`, which may
        hold what the gateway asks for. `signature` is the one that `initiate` gave; without it, a new one is
        generated. As KS Pay's own SDK does it, there is a `signature`, an `origin` such as https://shop.example and no
        id, so no body.

        The request is sent once: OutcomeUnknownError if its answer is lost. Raises UsageError without both id and
        signature, and for a signature or origin that no header can carry.
        """
        if transaction_id is None and signature is None:
            raise UsageError("process() needs a transaction id or the signature that initiate() gave")
        for name, value in (("signature", signature), ("origin", origin)):
            if value is not None and not is_token(value):
                raise UsageError(f"The {name} is blank or holds characters that no header can carry")
        if signature is not None:
            self._transport.add_secrets(signature)
        body = {**({} if transaction_id is None else {"pe_txnId": transaction_id}), **(fields or {})}
        try:
            answer = self._send_once(
                PROCESS,
                body or None,
                self._by_signature if signature is None else lambda: _by_given(signature),
                lambda: None,
                {} if origin is None else {"origin": origin},
            )
            order = processed(answer)
        except CallError as error:
            if signature is not None and isinstance(error, AuthenticationError):
                error.advice = (
                    "the signature of this payment is wrong or has expired: look at the payment's status at KS Pay, "
                    "and begin another one only if it is not paid"
                )
            if not is_lost(error, PROCESS):
                raise
            what = "the payment of this signature" if transaction_id is None else repr(transaction_id)
            raise unknown(
                error,
                f"whether {what} was processed is not known: "
                "look at its status with transaction() before you process it again",
            ) from error
        return dict(without_secret(PROCESS, order))

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
        if amount_of(record.get("amount")) != amount:
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

    def _begun(self, answer: Any, reference_number: str, amount: Decimal) -> Initiated:
        """As `begun`; its signature is known as a secret before anything is said of the answer."""
        if (signature := signature_of(answer)) is not None:
            self._transport.add_secrets(signature)
        return begun(answer, reference_number, amount)

    def _newest(self, reference_number: str) -> dict[str, Any] | None:
        try:
            return transaction_by_reference(self._calls, reference_number)
        except CallError as error:
            # Any other 404, for an unknown address or app, does not mean that there is no payment.
            if isinstance(error, NotFoundError) and error.entry == NO_DATA:
                return None
            if error.call.startswith("GET ") and is_gone(error):
                error.advice = (
                    "initiate() needs the look-up by reference number, which KS Pay does not offer here: see in its "
                    "Transaction History that there is no payment of this reference number, then use look_up=False"
                )
            raise

    def _look_for_lost(self, reference_number: str, known_id: str | None, error: CallError) -> dict[str, Any]:
        """The payment that the lost request began: it has this reference number, and is not the one known before."""
        outcome_unknown = unknown(error, begun_or_not(reference_number))
        for turn in range(LOOK_UPS):
            time.sleep(self._look_up_wait * 2**turn)
            try:
                newest = self._newest(reference_number)
            except CallError:
                raise outcome_unknown from error
            if newest is not None and newest["id"] != known_id:
                return newest
        raise outcome_unknown from error

    def _send_once(
        self,
        call: str,
        body: Mapping[str, Any] | None,
        authorize: Callable[[], _Authorization],
        look: Callable[[], Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One POST, and a second one only if the token or signature was refused, so that nothing was done.

        `look` is called before the second one. If it finds a payment, the first POST began it after all, and it is
        the result. Without `look`, only a documented refusal shows that nothing was done.
        """
        given, renew = authorize()
        request = Request(call, "POST", call.removeprefix("POST "), body=body, once=True, problem=unreadable)

        def send(authorization: Mapping[str, str]) -> Any:
            return self._transport.ask(replace(request, headers={**(headers or {}), **authorization}))

        try:
            return send(given)
        except AuthenticationError as error:
            if look is None and error.entry is None:
                raise
            renewed = renew(error)
            found = look() if look is not None else None
            if found is None and renewed is None:
                raise
        return found if found is not None or renewed is None else send(renewed)

    def _by_token(self) -> _Authorization:
        tokens = self._tokens.current()

        def renew(error: CallError) -> dict[str, str]:
            self._tokens.replace(tokens, error)
            return {"Authorization": f"Bearer {self._tokens.current().access}"}

        return {"Authorization": f"Bearer {tokens.access}"}, renew

    def _by_keys(self) -> _Authorization:
        return self._credentials.keys(), lambda _: None

    def _by_signature(self) -> _Authorization:
        signature = self._signed()
        return {"x-signature": signature}, lambda _: {"x-signature": self._signed(refused=signature)}

    def _signed(self, refused: str | None = None) -> str:
        """The signature. All calls share it until it is refused."""
        with self._signature_lock:
            if self._signature is None or self._signature == refused:
                self._signature = self.generate_signature()
            return self._signature


def _by_given(signature: str) -> _Authorization:
    return {"x-signature": signature}, lambda _: None
