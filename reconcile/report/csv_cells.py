"""Writes values as CSV cells that no spreadsheet runs or alters when it opens the file.

A spreadsheet runs a cell that starts like a formula. It also converts text that looks like a number, a date, a time or
a truth value: `0012` becomes 12, `MAR1` becomes 1 March. Such text is written as `="0012"`, the one formula that
keeps it; all other text is written as it is. What looks so depends on the country of the spreadsheet: `1.234`, `1,5`,
`12.8.2026`, `MÄR1`, `R$ 5`. So text that any country's would alter is protected, whatever the dialect. The starts of
formulas follow OWASP's page on CSV injection.
"""

import re
from datetime import date
from decimal import Decimal

from reconcile.core.dialect import Dialect
from reconcile.core.wording import MAX_CELL_LENGTH

EXACT_DIGITS = 15
"""Significant digits of a number that a spreadsheet keeps; an amount with more is written as text."""

# Spreadsheets in East Asian languages read the full-width forms as = + - @.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_SHORT_INTEGER = re.compile(r"0|[1-9][0-9]{0,10}", re.ASCII)  # longer ones are shown as 1.2E+11
_LETTERS = re.compile(r"[^\W\d_]+")

# Words that, beside digits, make a date, time, number or amount: months and weekdays in English, German, French,
# Spanish, Italian, Portuguese and Dutch, and marks.
_MONTHS = (
    "jan feb mar apr may jun jul aug sep oct nov dec january february march april june july august september sept"
    " october november december mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday"
    " jän januar jänner februar mär mrz märz mai juni juli okt oktober dez dezember janv janvier févr fév février"
    " mars avr avril juin juil juillet août septembre octobre novembre déc décembre ene enero febrero marzo abr abril"
    " mayo junio julio ago agosto septiembre octubre noviembre dic diciembre gen gennaio febbraio aprile mag maggio"
    " giu giugno lug luglio set settembre ott ottobre dicembre janeiro fev fevereiro março maio junho julho setembro"
    " out outubro novembro dezembro mrt maart mei augustus januari februari"
)
_MARKS = "a p am pm h e d t z st nd rd th rs inr usd eur gbp jpy kwd chf kr zł kč ft lei rp rm"
# Weekdays in the same languages and Japanese count only beside a date: `Mo 31.8.` is one, `SO-1001` is none.
_DAYS = (
    "mo di mi do fr sa so montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag"
    " lun mar mer jeu ven sam dim lundi mardi mercredi jeudi vendredi samedi dimanche"
    " seg ter qua qui sex sáb dom segunda terça quarta quinta sexta sábado domingo feira"
    " mié jue vie lunes martes miércoles jueves viernes"
    " gio sab lunedì martedì mercoledì giovedì venerdì sabato domenica"
    " ma wo vr za zo maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"
    " 月 火 水 木 金 土 日 月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日"
)
WEEKDAYS = frozenset(_DAYS.split())
_PART_OF_DATE = re.compile(r"\d[./]|\d{4}-\d{1,2}-\d")
ALTERED_WORDS = frozenset((_MONTHS + " " + _MARKS).split())
# Without any longer word, marks of single letters count behind a digit only (`5 a`, `1 a.m.`, `10h30`, `1E5`, `1.E5`,
# `2026-08-31T10:00Z`): `A-1001` is nothing but text. LibreOffice takes even `1.5/E5` for a number.
_LETTER_MARK = re.compile(
    r"(?:(?<=\d)[\s.,]*(?:[ap]\.\s?m|[aphedtz])|\d[.,]\d+\s*/\s*e)(?![^\W\d_])"
    r"|(?<![^\W\d_])[^\W\d_]{1,3}(?=\$)",  # as in R$ 5
    re.IGNORECASE,
)
TRUTH_VALUES = frozenset(
    [
        "true",
        "false",
        "wahr",
        "falsch",
        "vrai",
        "faux",
        "verdadero",
        "falso",
        "vero",
        "verdadeiro",
        "waar",
        "onwaar",
    ]
)


_FIRST_WORD = re.compile(r"[A-Za-z]++(?![^\W\d_]|\$)")
_MAY_BE_ALTERED = ALTERED_WORDS | WEEKDAYS | TRUTH_VALUES


def is_altered(value: str) -> bool:
    """Whether a spreadsheet would run this text or show another one, if a CSV file had it as it is."""
    if not value:
        return False
    first = _FIRST_WORD.match(value)
    if first and first[0].lower() not in _MAY_BE_ALTERED and not value[-1].isspace():
        return False  # most texts: none of the rules below lets a text begin with any other word
    if value != value.strip() or value.startswith((*_FORMULA, "#", "'", '"')):
        return True
    if not any(map(str.isdigit, value)):
        return value.lower() in TRUTH_VALUES
    words = {word.lower() for word in _LETTERS.findall(_LETTER_MARK.sub(" ", value))}
    if words & ALTERED_WORDS or _PART_OF_DATE.search(value):
        words -= WEEKDAYS - ALTERED_WORDS
    only_letters = bool(words) and all(len(word) == 1 for word in words)
    return words <= ALTERED_WORDS and not only_letters and not _SHORT_INTEGER.fullmatch(value)


def text_cell(value: str | None) -> str:
    """A text as a cell: cut to MAX_CELL_LENGTH characters, and protected if a spreadsheet would alter it."""
    if not value:
        return ""
    if len(value) > MAX_CELL_LENGTH:
        value = value[: MAX_CELL_LENGTH - 1] + "…"
    return whole_cell(value)


def whole_cell(value: str) -> str:
    """A text as a cell that a program must read whole: protected as others, and never cut."""
    if not is_altered(value):
        return value
    return '="' + value.replace('"', '""') + '"'


def program_cell(value: str) -> str:
    """A text as a cell of a file for a program, not for people: as it is, but it starts no formula."""
    return '="' + value.replace('"', '""') + '"' if value.startswith(_FORMULA) else value


def amount_cell(value: str, dialect: Dialect) -> str:
    """A plain decimal as `money.Currencies.format` writes it; protected beyond 15 significant digits."""
    digits = value.lstrip("-").replace(".", "").lstrip("0")
    value = value.replace(".", dialect.decimal)
    return f'="{value}"' if len(digits) > EXACT_DIGITS else value


def cell(value: object) -> str:
    """Any other value as a cell: a date as YYYY-MM-DD, a whole number, None as an empty cell."""
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | float):
        raise TypeError("an amount is written with its currency, by amount_cell")
    return str(value) if isinstance(value, int) else text_cell(str(value))


def shown(written: str) -> str:
    """What a spreadsheet shows for a cell of this module: `="0012"` shows 0012."""
    return written[2:-1].replace('""', '"') if written.startswith('="') else written
