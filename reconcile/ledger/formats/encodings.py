"""Which encoding the bytes of a text may be in that is neither UTF-8 nor Windows-1252: a proposal for people, by the
script that comes out. Nothing is read by it."""

import re
import unicodedata
from collections.abc import Callable

SAMPLE = 2**16
"""Bytes that are looked at."""

_ENOUGH = 0.8
"""Part of the letters beyond ASCII that must be of the script."""

_CENTRAL = re.compile(
    r"K\u010d|z\u0142|[\u0141\u0142\u010d\u0159\u011b\u016f\u0105\u0119\u015b\u017a\u0107\u0144\u0151\u0171]"
)
_CENTRAL_SURE = re.compile(r"\d\s*(?:K\u010d|z\u0142)|[\u0159\u011b\u016f\u0142\u0105\u0119\u0151\u0171]")


def _of(*names: str) -> Callable[[str], bool]:
    return lambda letter: unicodedata.name(letter, "").startswith(names)


_HAN = ("CJK", "IDEOGRAPHIC", "FULLWIDTH")
_SCRIPTS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("shift_jis", "Shift-JIS", _of("HIRAGANA", "KATAKANA", *_HAN)),
    ("euc_kr", "EUC-KR", _of("HANGUL")),
    ("gb18030", "GB 18030", _of(*_HAN)),
    ("big5", "Big5", _of(*_HAN)),
    ("euc_jp", "EUC-JP", _of("HIRAGANA", "KATAKANA", *_HAN)),
    ("cp1251", "Windows-1251 (Cyrillic)", _of("CYRILLIC")),
    ("cp1253", "Windows-1253 (Greek)", _of("GREEK")),
    ("cp1255", "Windows-1255 (Hebrew)", _of("HEBREW")),
    ("cp1256", "Windows-1256 (Arabic)", _of("ARABIC")),
    ("cp874", "Windows-874 (Thai)", _of("THAI")),
)


def proposed_encoding(sample: bytes) -> tuple[str, str] | None:
    """The encoding that makes words of a script out of the bytes: as Python names it and as people do; None where
    none is likely. `sample` is the beginning of a file that is no UTF-8."""
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    for code, name, of_script in _SCRIPTS:
        try:
            text = sample.decode(code)
        except UnicodeDecodeError:
            continue
        letters = [letter for letter in text if not letter.isascii() and letter.isalpha()]
        runs = re.findall(r"[^\W\d_a-zA-Z]{3,}" if code.startswith("cp") else r"[^\W\d_a-zA-Z]{2,}", text)
        if runs and sum(map(of_script, letters)) >= _ENOUGH * len(letters):
            return code, name
    try:
        text = sample.decode("cp1250")
    except UnicodeDecodeError:
        return None
    others = [letter for letter in text if not letter.isascii() and letter.isalpha()]
    central = _CENTRAL.findall(text)
    if _CENTRAL_SURE.search(text) and len(central) >= 2 and 3 * len(central) >= len(others):
        return "cp1250", "Windows-1250 (Central European)"
    return None
