"""The envelope around an answer: what a body says about its own success, in the many shapes that KS Pay uses.

The guide's envelope is `{"status": 200, "message": "success", "result": …}`; its second half shows the same calls
without one (integration guide 1.0.0). An error names its status as `status`, `statusCode` or `httpStatus` (observed),
and may come with status 200. So a body is asked whether it says that it failed. A bare record of status 200 is not
asked: its `status` is that of a payment.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_INTEGER = re.compile(r"-?\d{1,9}", re.ASCII)
_NO_ERROR_CODE = (None, 0, 200, 201)
_NO_ERROR = frozenset({"", "0", "none", "null", "false", "no", "ok"})
_FAILED = frozenset({"error", "fail", "failed", "failure", "false"})


class Stated(NamedTuple):
    """What a body states about itself; None and "" where it states nothing."""

    status: int | None
    """An HTTP status, 100 to 599."""
    code: int | None
    """KS Pay's number of an error."""
    message: str


def stated(payload: Any) -> Stated:
    """Status, code and message of a decoded body, at its top or in an object under `error`."""
    if not isinstance(payload, dict):
        return Stated(None, None, "")
    inner = payload.get("error")
    layers = [payload, inner] if isinstance(inner, dict) else [payload]
    status = code = None
    message = ""
    for layer in layers:
        for key in ("status", "statusCode", "httpStatus"):
            value = _integer(layer.get(key))
            if status is None and value is not None and 100 <= value <= 599:
                status = value
        code = _integer(layer.get("code")) if code is None else code
        words = layer.get("message")
        if isinstance(words, list):
            words = "; ".join(str(word) for word in words)
        message = message or (words if isinstance(words, str) else "")
    return Stated(status, code, message or (inner if isinstance(inner, str) else ""))


def says_failed(payload: Any) -> bool:
    """Whether a body of status 200 or 201 says in words that the call failed."""
    if not _may_be_error(payload):
        return False
    inner = payload.get("result")
    layers: list[Mapping[str, Any]] = [payload]
    if isinstance(inner, dict) and any(isinstance(value, list) for value in inner.values()):
        layers.append(inner)  # a listing may say it too; any other result has a status of its own
    return any(
        _is_failure(layer.get("success"))
        or layer.get("success") == 0
        or _is_failure(layer.get("status"))
        or any(map(_is_error, (layer.get("error"), layer.get("errors"))))
        for layer in layers
    )


def has_error_code(payload: Any, code: int | None) -> bool:
    """Whether the code that a body of status 200 or 201 states may be the code of an error."""
    return code not in _NO_ERROR_CODE and _may_be_error(payload)


def result_of(payload: Any) -> Any:
    """What stands in the envelope; the body itself where there is no envelope."""
    return payload["result"] if isinstance(payload, dict) and "result" in payload else payload


def _may_be_error(payload: Any) -> bool:
    return isinstance(payload, dict) and not _is_record(payload)


def _is_record(value: Mapping[str, Any]) -> bool:
    return "pe_txnId" in value or ("id" in value and ("amount" in value or "createdAt" in value))


def _is_failure(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.strip().casefold() in _FAILED)


def _is_error(value: Any) -> bool:
    """Whether what stands under `error` or `errors` is an error."""
    if isinstance(value, str):
        return value.strip().casefold() not in _NO_ERROR
    if isinstance(value, dict):
        return any(_is_error(item) for item in value.values())
    if isinstance(value, list):
        return any(map(_is_error, value))
    return bool(value)


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
