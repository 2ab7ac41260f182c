"""Words that name the side of an amount: `Cr` and `Dr`, `Credit` and `Debit`, `H` and `S`; and `Refund`.

Which of Cr and Dr is money that came in depends on whose account was exported: a bank's statement credits what comes
in, the merchant's own books debit it. So the profile says it (`side`), and nothing is read without. A refund is money
that went out in any book, so only an amount beside it that has no minus is in doubt.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

PAIRS: tuple[tuple[str, str], ...] = (
    ("cr", "dr"), ("credit", "debit"), ("c", "d"), ("h", "s"), ("haben", "soll"), ("cr", "db"),
    ("credits", "debits"), ("in", "out"), ("deposit", "withdrawal"), ("received", "paid"),
    ("incoming", "outgoing"), ("inflow", "outflow"), ("money in", "money out"), ("+", "-"),
    ("haber", "debe"), ("abono", "cargo"), ("crédito", "débito"), ("crédit", "débit"), ("avere", "dare"),
    ("af", "bij"), ("d", "w"), ("jama", "naam"), ("जमा", "नाम"), ("credito", "debito"), ("entrada", "saída"),
    ("entrada", "saida"), ("entrada", "salida"), ("ingreso", "egreso"), ("receita", "despesa"), ("entrata", "uscita"),
    ("accredito", "addebito"), ("a", "d"), ("encaissement", "décaissement"), ("recette", "dépense"),
    ("insättning", "uttag"), ("eingang", "ausgang"), ("gutschrift", "lastschrift"), ("gutschrift", "belastung"),
    ("einzahlung", "auszahlung"), ("paid in", "paid out"), ("lodgement", "withdrawal"), ("入金", "出金"),
    ("収入", "支出"), ("收入", "支出"), ("入金", "支払"), ("دائن", "مدين"), ("приход", "расход"), ("кредит", "дебет"),
    ("alacak", "borç"), ("wpływ", "obciążenie"), ("uznanie", "obciążenie"),
)  # fmt: skip
"""Words that are used as a pair; the first of each is what a bank calls money that came in."""

SIDE_WORDS = frozenset(("cr", "dr", "credit", "debit", "c", "d", "h", "s", "haben", "soll", "db"))
"""Those that stand beside a number in its own cell."""

_SURE = frozenset(
    (
        "cr", "dr", "db", "haben", "soll", "debe", "haber", "जमा", "नाम", "crédito", "débito", "credito", "debito",
        "crédit", "débit", "avere", "dare", "entrada", "saída", "saida", "salida", "ingreso", "egreso", "entrata",
        "uscita", "accredito", "addebito", "encaissement", "décaissement", "insättning", "uttag", "lastschrift",
        "belastung", "einzahlung", "auszahlung", "paid in", "paid out", "入金", "出金", "収入", "收入", "支出", "支払",
        "دائن", "مدين",
        "приход", "расход", "дебет", "кредит", "alacak", "borç", "wpływ", "uznanie", "obciążenie",
    )
)  # fmt: skip
"""Words that mean nothing else, whatever their column is called."""

_COLUMN = re.compile(
    r"\b(?:cr|c)\W{0,3}(?:dr|db|d)\b|\b(?:dr|db|d)\W{0,3}(?:cr|c)\b|crdr|drcr|d/?c\b.*ind"
    r"|credit\W{0,3}(?:or\W+)?debit|debit\W{0,3}(?:or\W+)?credit|soll\W*haben|\bs\W?/\W?h\b|indicator|direction"
    r"|\bside\b|\bsign\b|debe\W*haber|in\W{0,3}out\b|\bbij\W*af\b|\baf\W*bij\b"
    r"|withdrawal\b.*\bdeposit|deposit\b.*\bwithdrawal|\bkennzeichen\b|\bflag\b|dare\W*avere|\bbalance impact\b"
    r"|\bnatureza\b|\bnaturaleza\b|\bsens\b|\bsegno\b|\bsigno\b|入出金|収支|مدين|دائن",
    re.IGNORECASE,
)
_KIND = re.compile(
    r"\b(?:type|typ|tipo|kind|art|event|action|category|nature|class|operation|transaction|txn|trans|activity|movement"
    r"|document|doc|voucher|vch|entry|posting|record|entity|operación|operacion|operação|operacao|opération"
    r"|movimiento|movimento|lançamento|mouvement|vorgang)\b|\w{3,}art\b|区分|種別|类型|類型",
    re.IGNORECASE,
)
"""Headers of columns that tell what kind of movement a row is."""
_NO_SIDE = re.compile(
    r"card|method|mode|instrument|channel|account|reason|tender|pay(?:ment)? ?type|zahlungsart|zahlart",
    re.IGNORECASE,
)
"""Headers of columns whose Credit and Debit are kinds of cards, or whose Return is a reason."""
_METHODS = frozenset(("card", "upi", "netbanking", "wallet", "cash", "emi", "cheque", "paylater"))
"""A column that holds one of these words tells how was paid."""

_REFUNDS = frozenset(
    (
        "refund", "refunds", "chargeback", "chargebacks", "reversal", "reversals", "payout", "payouts", "withdrawal",
        "withdrawals", "return", "returns", "erstattung", "rückerstattung", "rückzahlung", "gutschrift",
        "remboursement", "avoir", "reembolso", "devolución", "rimborso", "terugbetaling", "refunded", "reversed",
        "void", "voided", "cancellation", "dispute", "disputed", "storno", "stornierung", "estorno", "devolução",
        "devolucao", "devolucion", "resgate", "återbetalning", "tilbagebetaling", "zwrot", "возврат", "iade",
        "返金", "払戻", "退款",
    )
)  # fmt: skip
_NOTES = frozenset(("note", "memo"))
_RECEIPTS = (("receipt", "payment"), ("rcpt", "pymt"), ("sales", "purchase"))
"""Kinds of vouchers: where the first stands in a column, the second is money that went out."""
_RECEIPT_OR_PAYMENT = re.compile(
    r"^\W*(?:r|receipts?|rcpt)\W{1,3}(?:or\W+)?(?:p|payments?|pymt)\W*(?:ind|indicator|flag)?\W*$",
    re.IGNORECASE,
)
"""Headers that ask for one of both: `R/P`, `Receipt or Payment`."""
_PAYMENTS = frozenset(("p", "payment", "payments", "pymt"))
_RECEIPT_WORDS = _PAYMENTS | {"r", "receipt", "receipts", "rcpt"}
_LONGEST = 5
"""Words of a cell that tells a kind; more are a text."""


_DOTTED = re.compile(r"(?<=\b[A-Za-z])\.(?=[A-Za-z]\b)|\.$")
"""The points of `D.R.`, and one at the end."""


def word_of(text: str) -> str:
    """A word as it is compared: case, blanks around it, brackets and a point at its end do not count."""
    word = " ".join(text.split())
    if word[:1] in ("(", "[") and word[-1:] in (")", "]"):
        word = word[1:-1].strip()
    return (_DOTTED.sub("", word) if "." in word else word).casefold()


@dataclass(frozen=True, slots=True)
class SideWords:
    """The profile's `side`."""

    column: str | None
    """The header of the column that holds the words; None: they stand in the amount's own cell."""
    into: frozenset[str]
    """As `word_of` gives them; "" stands for no word at all."""
    out: frozenset[str]

    def sign(self, word: str) -> int | None:
        """1 for money that came in, -1 for money that went out, None for a word of neither."""
        return 1 if word in self.into else -1 if word in self.out else None

    @property
    def words(self) -> str:
        """All of them, as a reason names them."""
        return " or ".join(sorted(word.capitalize() or '""' for word in self.into | self.out))


_ANSWERS = re.compile(
    r"\b(?:refund|reversal|charge ?back|return|void|estorno|storno|devolução|devolucao|devolución|reembolso|rimborso"
    r"|remboursement|erstattung|cancellation)s?\b\W*(?:flag|ind|indicator)?\W*$",
    re.IGNORECASE,
)
"""Headers that ask whether a row is money that went out: `Is Refund`, `Reversal Flag`."""
_YES = frozenset(("yes", "y", "true", "t", "1", "x", "ja", "j", "sim", "s", "sí", "si", "oui", "o", "はい"))
_NO = frozenset(("no", "n", "false", "f", "0", "nein", "nej", "não", "nao", "non", "nee", "いいえ"))
_STATE = re.compile(r"\bstat(?:e|us)\b", re.IGNORECASE)
"""Headers of columns whose Refunded tells what became of a payment."""


def plain_header(header: str) -> str:
    """A header with its words apart: `transactionType` and `transaction_type` are `transaction type`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_\s]+", " ", header).strip()


def tells_sides(header: str) -> bool:
    """Whether a header says that its column tells sides or kinds of movements."""
    plain = plain_header(header)
    return not _NO_SIDE.search(plain) and bool(
        _COLUMN.search(plain)
        or _KIND.search(plain)
        or _ANSWERS.search(plain)
        or _RECEIPT_OR_PAYMENT.search(plain)
    )


def may_tell(word: str) -> bool:
    """Whether a word may tell a side, as far as can be said without the others of its column."""
    return bool(side_in(word)) or any(word in pair for pair in PAIRS)


def told_by(header: str, words: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Those of a column's words (as `word_of` gives them) that say a side, and those that mean money that went out in
    any book."""
    found = set(words) - {""}
    plain = plain_header(header)
    if _NO_SIDE.search(plain) or found & _METHODS:
        return frozenset(), frozenset()
    if _ANSWERS.search(plain):
        if found <= _YES | _NO:
            return frozenset(), frozenset(found & _YES)
        if initial := _initial(plain, found):
            return frozenset(), initial
    if _RECEIPT_OR_PAYMENT.search(plain) and found <= _RECEIPT_WORDS:
        return frozenset(), frozenset(found & _PAYMENTS)
    tells = bool(_COLUMN.search(plain) or _KIND.search(plain))
    if pair_of(found) is not None and (tells or found <= _SURE or found <= {"+", "-"}):
        return frozenset(found), frozenset()
    for pair in PAIRS if tells else ():
        if found.issuperset(pair):
            return frozenset(pair), _refunds(found - set(pair))  # among words of neither side
    refunds = _refunds(found) if tells and not _STATE.search(plain) else frozenset()
    sides = {word: side for word in found if (side := side_in(word))}
    if tells or set(sides.values()) == {"cr", "dr"}:
        # Among other words, Credit and Debit still tell the side of their rows.
        return frozenset(sides), refunds
    return frozenset(), refunds


def _initial(header: str, words: set[str]) -> frozenset[str]:
    """Of a column `Sale/Refund` that holds S and R, the letter of money that went out."""
    names = [name.strip().casefold() for name in re.split(r"[/|]", header)]
    letters = [name[:1] for name in names]
    if len(names) != 2 or len(set(letters)) < 2 or not words <= set(letters):
        return frozenset()
    return frozenset(name[:1] for name in names if name in _REFUNDS) & words


def _refunds(words: set[str]) -> frozenset[str]:
    """The words that mean money that went out in any book."""
    out = {came_back for came, came_back in _RECEIPTS if {came, came_back} <= words}
    for word in words:
        tokens = re.findall(r"[^\W\d_]+", word)
        if len(tokens) > _LONGEST:
            continue
        kinds = [token for token in tokens if token in _REFUNDS]
        # The reversal of a refund comes in again.
        if len(kinds) == 1 or (not kinds and "credit" in tokens and _NOTES & set(tokens)):
            out.add(word)
    return frozenset(out)


_CREDIT = frozenset(("cr", "credit", "credits", "credited"))
_DEBIT = frozenset(("dr", "db", "debit", "debits", "debited"))


def side_in(word: str) -> str:
    """`cr` or `dr`, if a few words hold just one of them: `UPI Credit`, `Debit (NEFT)`."""
    tokens = set(re.findall(r"[^\W\d_]+", word))
    if len(tokens) > _LONGEST or tokens & _NOTES or tokens & _METHODS - {"upi", "cash", "cheque"}:
        return ""
    sides = {name for name, words in (("cr", _CREDIT), ("dr", _DEBIT)) if tokens & words}
    return sides.pop() if len(sides) == 1 else ""


def pair_of(words: Iterable[str]) -> tuple[str, str] | None:
    """The pair that these words are of."""
    found = set(words) - {""}
    return next((pair for pair in PAIRS if found <= set(pair)), None) if found else None
