"""Looks up one transaction, by KS Pay's id or by the merchant's reference number."""

from typing import Any
from urllib.parse import quote

from reconcile.core.errors import UsageError
from reconcile.core.records import TEXT_FAULTS
from reconcile.kspay.errors import NO_DATA, CallError, NotFoundError, ProtocolError, is_gone
from reconcile.kspay.http.auth import AuthorizedCalls
from reconcile.kspay.paging.listing import describe, text_of, without_secret


def transaction_by_id(calls: AuthorizedCalls, transaction_id: str) -> dict[str, Any]:
    """`GET /transaction/txnId/{txnId}`: the record as it came, without its signature.

    Raises NotFoundError where there is none.
    """
    path = f"/transaction/txnId/{quote(transaction_id, safe='')}"
    call = f"GET {path}"
    return dict(without_secret(call, _record(call, calls.get(call, path))))


def transaction_by_reference(calls: AuthorizedCalls, reference_number: str) -> dict[str, Any]:
    """`GET /transaction/referenceNo/{referenceNumber}` (observed): the record, without its signature.

    NotFoundError with entry `noDataFound` if there is none. A later guide no longer shows the call: where KS Pay does
    not have it, the error's advice says so. Of several tries it is the one that KS Pay chooses, assumed to be the
    newest. Raises UsageError for a reference that no address can carry: a blank one, `.` and `..`.
    """
    try:
        path = f"/transaction/referenceNo/{quote(reference_number, safe='')}"
    except UnicodeEncodeError:
        raise UsageError("The reference number is no text that can be sent") from None
    # Dots alone would be taken for a step in the path, and another call would answer.
    if not reference_number.strip() or reference_number in (".", ".."):
        raise UsageError(f"KS Pay cannot be asked for the reference number {reference_number!r}")
    call = f"GET {path}"
    try:
        answer = calls.get(call, path)
    except CallError as error:
        if error.call == call and is_gone(error):
            error.advice = (
                "KS Pay does not offer the look-up by reference number here: use transaction() with the id of the "
                "transaction, or find the reference number in KS Pay's Transaction History"
            )
        raise
    record = _record(call, answer)
    if not text_of(record, "id"):
        raise ProtocolError(call, 200, message=f"the answer is no transaction but {describe(record)}")
    if problem := unreadable(record):
        raise ProtocolError(call, 200, message=problem)
    if str(record.get("referenceNumber", reference_number)) != reference_number:
        raise ProtocolError(call, 200, message="the answer is a transaction of another reference number")
    return dict(without_secret(call, record))


def unreadable(answer: Any) -> str | None:
    """What in the text of an answer cannot be read; None if all can. Nothing that moves money may rely on the rest."""
    faults = answer.get(TEXT_FAULTS) if isinstance(answer, dict) else None
    return f"{faults[0][0]} {faults[0][2]}" if faults else None


def _record(call: str, answer: Any) -> dict[str, Any]:
    if answer is None:
        raise NotFoundError(call, 200, message="no transaction", entry=NO_DATA)
    if not isinstance(answer, dict):
        raise ProtocolError(call, 200, message=f"the answer is no transaction but {describe(answer)}")
    return answer
