"""JSON with exact numbers: whole ones as int, those with a point or an exponent as Decimal."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec


class NotJSONError(ValueError):
    """The body is no JSON; the text says in a few words what it is."""


class CutOffError(NotJSONError):
    """The body begins like JSON but ends too early."""


def decode(body: bytes) -> Any:
    """The value of a JSON text (RFC 8259). Raises NotJSONError, for the literals NaN and Infinity too."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        return _decoder.decode(text)
    except UnicodeDecodeError:
        raise NotJSONError("text that is not UTF-8") from None
    except RecursionError:
        raise NotJSONError("JSON nested too deeply") from None
    except msgspec.MsgspecError as error:
        if not text:
            raise CutOffError("an empty answer") from None
        if text[:1] not in b"{[":
            raise NotJSONError("an answer that is no JSON") from None
        return _decode_slowly(text, str(error))


def _decode_slowly(text: bytes, complaint: str) -> Any:
    """What the fast decoder refuses although it is JSON: numbers of hundreds of digits, half surrogates."""
    try:
        decoded = text.decode()
        # Half a surrogate pair is legal in JSON as an escape, but no text that can be stored:
        # written out again as its escape it stays readable and does no harm.
        return _writable(json.loads(decoded, parse_float=_exact, parse_int=_whole, parse_constant=_refuse))
    except UnicodeDecodeError:
        if "truncated" in complaint:
            raise CutOffError("JSON that ends too early") from None
        raise NotJSONError("text that is not UTF-8") from None
    except json.JSONDecodeError:
        if "truncated" in complaint:
            raise CutOffError("JSON that ends too early") from None
        raise NotJSONError("an answer that is no JSON") from None
    except RecursionError:
        raise NotJSONError("JSON nested too deeply") from None


def _exact(literal: str) -> Decimal | str:
    try:
        return Decimal(literal)
    except InvalidOperation:
        return literal  # an exponent beyond all arithmetic: left as text, which is no amount


def _whole(literal: str) -> int | Decimal:
    # Python refuses to make an int of more than some thousand digits; Decimal is exact as well.
    return int(literal) if len(literal) <= 4000 else Decimal(literal)


def _refuse(literal: str) -> NoReturn:
    raise NotJSONError(f"the number {literal}, which is no JSON")


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, dict):
        return {_writable(key): _writable(item) for key, item in value.items()}
    return value


_decoder = msgspec.json.Decoder(float_hook=_exact)
