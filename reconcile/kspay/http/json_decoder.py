"""JSON with exact numbers: integers as int, numbers with a point or an exponent as Decimal.

Text that is almost JSON is read too, so that one bad record does not cost the whole page: bytes that are not UTF-8,
and the literals NaN and Infinity. Every object that holds such a thing says so under `TEXT_FAULTS`.
"""

import codecs
import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from reconcile.core.records import TEXT_FAULTS

Fault = tuple[str, str, str]
"""The field (`note`, or `details.note` in a nested object), what stands there, and why it cannot be used."""

_BYTES = "\ufdd0"  # a code point that no text may hold (Unicode): it marks a byte that is no text
SECRET_FIELD = "signature"  # noqa: S105  the name of a field whose content is never shown


class NotJSONError(ValueError):
    """The body is no JSON. The text says in a few words what it is."""


class CutOffError(NotJSONError):
    """The body begins like JSON but ends too early."""


def decode(body: bytes) -> Any:
    """The value of a JSON text (RFC 8259), or of what differs from one by bad bytes or numbers only.

    An object with a byte that is not UTF-8, which is shown as `\\xff`, or with NaN or Infinity, which are
    shown as text, has under `TEXT_FAULTS` a tuple of `Fault`s. Raises NotJSONError for anything else.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise NotJSONError("JSON nested too deeply") from None
    except (UnicodeDecodeError, msgspec.MsgspecError) as error:
        if not text:
            raise CutOffError("an empty answer") from None
        if text[:1] not in b"{[":
            raise NotJSONError("an answer that is no JSON") from None
        return _decode_carefully(text, cut_off="truncated" in str(error))


def _decode_carefully(text: bytes, *, cut_off: bool) -> Any:
    """Decodes what the fast decoder refuses: numbers of hundreds of digits, half surrogates, and almost JSON."""
    decoded = _BROKEN_ESCAPE.sub(_as_text, text.decode("utf-8", "reconcile.bytes"))
    try:
        value = json.loads(decoded, parse_float=_exact, parse_int=_whole, parse_constant=_Constant)
        return _cleaned(value)[0]
    except json.JSONDecodeError as error:
        # Bad bytes or numbers may have stopped the fast decoder before the end.
        if cut_off or error.pos >= len(decoded) or decoded[-1] not in "}]":
            raise CutOffError("JSON that ends too early") from None
        raise NotJSONError("an answer that is no JSON") from None
    except RecursionError:
        raise NotJSONError("JSON nested too deeply") from None


_BROKEN_ESCAPE = re.compile(rf"\\(?:\\|(?:u[0-9A-Fa-f]{{0,3}})?(?={_BYTES}))")


def _as_text(escape: re.Match[str]) -> str:
    """A backslash in front of a bad byte escapes nothing, so it becomes a backslash of the text."""
    return escape[0] if escape[0] == "\\\\" else "\\" + escape[0]


def _marked(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8, as text in a JSON string: a mark, and `\\xff` with its backslash escaped."""
    assert isinstance(error, UnicodeDecodeError)
    found = error.object[error.start : error.end]
    return "".join(f"{_BYTES}\\\\x{byte:02x}" for byte in found), error.end


codecs.register_error("reconcile.bytes", _marked)


class _Constant(str):
    """NaN, Infinity or -Infinity, as it stands in the text."""

    __slots__ = ()


def _exact(literal: str) -> Decimal | str:
    try:
        return Decimal(literal)
    except InvalidOperation:
        return literal  # the exponent is too large: it stays text, which is no amount


def _whole(literal: str) -> int | Decimal:
    # Python makes no int of more than some thousand digits. Decimal is exact too.
    return int(literal) if len(literal) <= 4000 else Decimal(literal)


def _cleaned(value: Any) -> tuple[Any, tuple[Fault, ...]]:
    """The value as it can be stored, every object in it with its faults, and the faults of them all."""
    if isinstance(value, _Constant):
        return str(value), (("", str(value), "is NaN or infinite, which JSON does not allow"),)
    if isinstance(value, str):
        # JSON may hold half a surrogate pair as an escape, but such text cannot be stored. So the escape
        # itself is stored.
        text = value.encode("utf-8", "backslashreplace").decode()
        if _BYTES not in text:
            return text, ()
        text = text.replace(_BYTES, "")
        return text, (("", text, "holds bytes that are not UTF-8"),)
    if isinstance(value, list):
        items = [_cleaned(item) for item in value]
        return [item for item, _ in items], tuple(fault for _, faults in items for fault in faults)
    if isinstance(value, dict):
        return _cleaned_object(value)
    return value, ()


def _cleaned_object(value: dict[str, Any]) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    found: dict[str, Any] = {}
    all_faults: list[Fault] = []
    for key, item in value.items():
        name, faults_of_name = _cleaned(key)
        found[name], faults = _cleaned(item)
        for within, shown, reason in (*faults_of_name, *faults):
            field = f"{name}.{within}" if within else name
            all_faults.append((field, "" if SECRET_FIELD in field.casefold() else shown, reason))
    if all_faults:
        found[TEXT_FAULTS] = tuple(all_faults)
    return found, tuple(all_faults)


_decoder = msgspec.json.Decoder(float_hook=_exact)
