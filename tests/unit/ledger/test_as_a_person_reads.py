"""Ledgers out of public reports of faults, each written anew: what stands in them, and what a person reads.

Every kind has its example, and a table of other ways in which the same thing is written.
"""

import tempfile
import time
import tomllib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reconcile.ledger.blocks as blocks
from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.core.records import Entry, Rejection
from reconcile.ledger.amounts import AmountStyle, clean
from reconcile.ledger.currency_names import named
from reconcile.ledger.dates import DateStyle
from reconcile.ledger.dates import clean as clean_date
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.passed_over import Kind
from reconcile.ledger.profile import Profile, read_profile
from reconcile.ledger.table import tidy
from tests.support.bad_ledgers import NAMES, Sheet, cells
from tests.support.ledgers import open_ledger, typed

HEADER = "ledger_id,reference,amount,date,currency,status"
CODES = Currencies().digits
BANK = {"columns": {"ledger_id": "Ref", "amount": "Amount", "date": "Date"}, "currency": "INR"}
SIDES = {
    "columns": {"ledger_id": "Ref", "amount_in": "In", "amount_out": "Out", "date": "Date"},
    "currency": "INR",
}
OWN_WORDS = {"in": ["Cr"], "out": ["Dr"]}
MANY = 100  # rows that fill several small blocks


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in one block tells of what stands in another one."""
    monkeypatch.setattr(blocks, "SIZE", 500)


def opened(
    folder: Path, content: str | bytes, keys: dict[str, Any] | None = None
) -> tuple[LedgerFile, Profile]:
    path = folder / "ledger"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    profile = read_profile("default", keys or {}, Currencies())
    return open_ledger(path, profile=profile), profile


def amounts(folder: Path, content: str | bytes, keys: dict[str, Any] | None = None) -> list[str]:
    """By row the amount, or `!` and the first words of the reason."""
    ledger, profile = opened(folder, content, keys)
    return [shown(one) for sheet in ledger.sheets for one in typed(sheet, profile)]


def shown(one: Entry | Rejection) -> str:
    if isinstance(one, Entry) and one.ledger_id:  # an expectation refuses one without
        return f"{one.amount.normalize():f}"
    return f"! {one.reason}" if isinstance(one, Rejection) else "!"


def lines(header: str, *rows: str) -> str:
    return "\n".join((header, *rows)) + "\n"


def quarantined(found: Sequence[str]) -> list[bool]:
    return [one.startswith("!") for one in found]


# Signs and sides


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500,-", "500"),
        ("€ 1.250,-", "1250"),
        ("CHF 500.-", "500"),
        ("kr 75,-", "75"),
        ("500:-", "500"),
        ("1 250:- kr", "1250"),
        ("500 ,-", "500"),
        ("Rs. 500 only", "500"),
        ("500/- only", "500"),
        ("500/-only.", "500"),
        ("▲500", "-500"),
        ("△ 1,250.00", "-1250"),
        ("(-) 500", "-500"),
        ("75,--", "75"),
        ("500,— €", "500"),
        ("500,– €", "500"),
        ("-500,-", "-500"),
        ("1,250/-", "1250"),
        ("1,250/=", "1250"),
        ("500-", "-500"),
        ("12.50-", "-12.50"),
        ("₹(500)", "-500"),
        ("(₹ 500.00)", "-500"),
        ("(500) INR", "-500"),
        ("INR (500.00)", "-500"),
        ("500 (INR)", "500"),
        ("（500）", "-500"),
        ("1’250.00", "1250"),
        ("1'250.00", "1250"),
        *((f"{dash}250.00", "-250") for dash in "-‐‑‒–—―−➖﹣－"),
        ("250.00−", "-250"),
        ("₹ –250", "-250"),
        ("＋250", "250"),
        ("US$ 12.50", "12.50"),
        ("12.50 US Dollar", "12.50"),
        ("500 Indian Rupees", "500"),
        # Banks and programs of India, the Gulf, Europe, Brazil, Africa and East Asia
        ("R$ -1.234,56", "-1234.56"),
        ("-R$ 1.234,56", "-1234.56"),
        ("(R$ 1.234,56)", "-1234.56"),
        ("1.234,56€-", "-1234.56"),
        ("EUR-12,50", "-12.50"),
        ("1.234,56+", "1234.56"),
        ("1'234.56-", "-1234.56"),
        ("SFr. -12.50", "-12.50"),
        ("1'234.—", "1234"),
        ("AED (1,250.00)", "-1250"),
        ("Dhs. 500/-", "500"),
        ("د.إ 1,250.00", "1250"),
        ("ر.س. 500.00", "500"),
        ("د.ك 12.50", "12.50"),
        ("500 ريال", "500"),
        ("500 درهم", "500"),
        ("SR 500.00", "500"),
        ("BD 5.50", "5.50"),
        ("QR 75", "75"),
        ("RO 1.50", "1.50"),
        ("KD -1.50", "-1.50"),
        ("JP¥ 500", "500"),
        ("CN¥ 500.00", "500"),
        ("￦500", "500"),
        ("-¥500", "-500"),
        ("△500円", "-500"),
        ("¥500-", "-500"),
        ("¥500.-", "500"),
        ("Re. 1", "1"),
        ("₹1,250.00/-", "1250"),
        ("-₹ 1,250.50/-", "-1250.50"),
        ("Rs.-500", "-500"),
        ("(Rs. 500)", "-500"),
        ("R 1 250,00", "1250"),
        ("-R1,250.00", "-1250"),
        ("1.250.000 đ", "1250000"),
        ("KES 1,250/=", "1250"),
        ("₹.50", "0.50"),
    ],
)
def test_a_sign_counts_wherever_it_is_written(text: str, value: str) -> None:
    assert AmountStyle().read(clean(tidy(text)), CODES, None).value == Decimal(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-(500)", "two signs"),
        ("(-500)", "two signs"),
        ("(500", "not a number"),
        ("500)", "not a number"),
        ("--500", "two signs"),
        ("5-0", "not a number"),
        ("1.25E+05", "scientific notation"),
        ("Cr 500 Dr", "two sides"),
        ("â‚¹1,250.00", "decoded twice"),
        ("99.00Â", "decoded twice"),
        ("?1,250.00", "lost its currency's sign"),
        ("USD 500 €", "two currencies"),
        ("5 pieces", "not a number"),
        ("5 Lakh", "not a number"),
        ("Rs.1.5L", "not a number"),
        ("12.50 OD", "not a number"),
        ("12.50*", "not a number"),
        ("12.50 (reversed)", "not a number"),
        ("~12.50", "not a number"),
        ("1,250.5/-", "not a number"),
    ],
)
def test_what_contradicts_itself_is_not_read(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        AmountStyle().read(clean(tidy(text)), CODES, None)


@given(
    value=st.decimals(Decimal("0.01"), 10**9, places=2),
    word=st.sampled_from(["Cr", "CR", "cr.", "(Cr)", " Cr ", "Dr", "DR", "dr.", "(Dr)"]),
    before=st.booleans(),
    sign=st.sampled_from(["", "-"]),
)
def test_the_words_of_a_side_say_the_sign(value: Decimal, word: str, before: bool, sign: str) -> None:
    came = "r" in word.lower() and "c" in word.lower()
    number = f"{sign}{value}"
    text = f"{word} {number}" if before else f"{number} {word}"
    with tempfile.TemporaryDirectory() as folder:
        found = amounts(
            Path(folder), lines("Ref;Date;Amount", f"B1;2026-04-01;{text}"), BANK | {"side": OWN_WORDS}
        )
    if sign and came:
        assert quarantined(found) == [True]
    else:
        assert [Decimal(one) for one in found] == [value if came else -value]


def test_a_word_after_the_number_is_quarantined_until_the_profile_says_what_it_means(tmp_path: Path) -> None:
    body = lines(
        "Ref,Date,Amount", 'T1,01/04/2026,"1,250.00 Cr"', "T2,15/04/2026,250.00 Dr", "T3,16/04/2026,500.00CR"
    )
    assert quarantined(amounts(tmp_path, body, BANK)) == [True] * 3
    assert amounts(tmp_path, body, BANK | {"side": OWN_WORDS}) == ["1250", "-250", "500"]
    assert amounts(tmp_path, body, BANK | {"side": {"in": ["Dr"], "out": ["Cr"]}}) == ["-1250", "250", "-500"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Cr/Dr", ("CR", "DR")),
        ("Dr / Cr", ("Cr", "Dr")),
        ("Type", ("Credit", "Debit")),
        ("D/C", ("C", "D")),
        ("Indicator", ("credit", "debit")),
        ("Soll/Haben", ("H", "S")),
        ("x", ("Haben", "Soll")),
        ("±", ("+", "-")),
        ("Transaction Type", ("CREDIT", "DEBIT")),
        ("Direction", ("in", "out")),
        ("Natureza", ("Crédito", "Débito")),
        ("Tipo", ("Entrada", "Saída")),
        ("Concepto", ("Ingreso", "Egreso")),
        ("Af Bij", ("Bij", "Af")),
        ("入出金区分", ("入金", "出金")),
        ("مدين/دائن", ("دائن", "مدين")),
        ("Type", ("Encaissement", "Décaissement")),
        ("Sens", ("C", "D")),
        ("Sens", ("Crédit", "Débit")),
        ("Segno", ("A", "D")),
        ("Dare/Avere", ("Avere", "Dare")),
        ("Belopp typ", ("Insättning", "Uttag")),
        ("Bewegungsart", ("Eingang", "Ausgang")),
        ("Buchungsart", ("Gutschrift", "Lastschrift")),
        ("Type", ("Lodgement", "Withdrawal")),
        ("Transaction", ("Paid In", "Paid Out")),
        ("Balance Impact", ("Credit", "Debit")),
        ("Операция", ("Приход", "Расход")),
    ],
)
def test_a_column_of_sides_is_noticed_and_never_ignored(
    tmp_path: Path, header: str, words: tuple[str, str]
) -> None:
    came, went = words
    body = lines(
        f"Ref,Date,{header},Amount",
        f'S1,2026-04-01,{came},"1,250.00"',
        f"S2,2026-04-15,{went},250.00",
        f"S3,2026-04-16,{came},500.00",
    )
    ledger, profile = opened(tmp_path, body, BANK)
    assert [isinstance(one, Rejection) for one in typed(ledger, profile)] == [True] * 3
    assert ledger.scan is not None
    assert any("side = { column" in says for says in ledger.scan.unclear)
    side = {"column": header, "in": [came], "out": [went]}
    assert amounts(tmp_path, body, BANK | {"side": side}) == ["1250", "-250", "500"]


@pytest.mark.parametrize(
    "body",
    [
        lines("Ref,Date,Card Type,Amount", "S1,2026-04-01,Credit,5", "S2,2026-04-01,Debit,6"),
        lines("Ref,Date,Payment Mode,Amount", "S1,2026-04-01,credit,5", "S2,2026-04-01,debit,6"),
        lines("Ref,Date,Type,Amount", "S1,2026-04-01,payment,5", "S2,2026-04-01,payment,6"),
    ],
)
def test_a_column_of_cards_is_no_column_of_sides(tmp_path: Path, body: str) -> None:
    assert amounts(tmp_path, body, BANK) == ["5", "6"]


def proposed(ledger: LedgerFile) -> dict[str, Any]:
    """The profile's `side` that the file's doubts propose."""
    assert ledger.scan is not None
    (line,) = [says for says in ledger.scan.unclear if "side = {" in says]
    return tomllib.loads(line[line.index("side = {") :])


@pytest.mark.parametrize(
    ("header", "came", "went"),
    [
        ("Type", "payment", "refund"),
        ("type", "charge", "refund"),
        ("transaction_type", "Sale", "Chargeback"),
        ("transactionType", "order", "Refund"),
        ("Kind", "capture", "refund"),
        ("Event", "Payment", "Payment Refund"),
        ("Voucher Type", "Receipt", "Payment"),
        ("Vch Type", "Sales", "Credit Note"),
        ("Document Type", "Invoice", "Credit Memo"),
        ("Transaction type", "Sales Receipt", "Refund"),
        ("Category", "Sale", "Reversal"),
        ("Type", "payment", "payout"),
        ("Art", "Zahlung", "Gutschrift"),
        ("Type", "Zahlung", "Rückerstattung"),
        ("entity", "payment", "refund"),
        ("Record Type", "Settled", "Refunded"),
        ("TRANSACTION_TYPE", "SETTLEMENT", "CANCELLATION"),
        ("TRANSACTION_TYPE", "SETTLEMENT", "DISPUTE"),
        ("Type", "Sale", "Void"),
        ("Typ", "Zahlung", "Storno"),
        ("Tipo", "Venda", "Estorno"),
        ("Tipo", "Venda", "Devolução"),
        ("Tipo de operación", "Cobro", "Devolución"),
        ("区分", "入金", "返金"),
        ("类型", "付款", "退款"),
        ("Is Refund", "No", "Yes"),
        ("is_refund", "0", "1"),
        ("Refund", "false", "true"),
        ("Reversal Flag", "N", "Y"),
        ("Chargeback", "No", "Yes"),
        ("Estorno", "Não", "Sim"),
        ("Payment/Refund", "P", "R"),
        ("Sale/Return", "S", "R"),
        ("R/P", "R", "P"),
        ("R / P", "r", "p"),
        ("Receipt/Payment", "R", "P"),
        ("receipt_or_payment", "Receipt", "Payment"),
        ("Rcpt/Pymt Ind", "RCPT", "PYMT"),
    ],
)
@pytest.mark.parametrize("far", [False, True])
def test_a_refund_by_its_kind_without_a_minus_is_never_positive(
    tmp_path: Path, header: str, came: str, went: str, far: bool
) -> None:
    rows = [f"P{n},2026-04-01,{came},5" for n in range(80 if far else 2)]
    body = lines(f"Ref,Date,{header},Amount", *rows, f"R,2026-04-02,{went},6")
    found = amounts(tmp_path, body, BANK)
    assert quarantined(found) == [False] * len(rows) + [True]
    assert "money that went out" in found[-1]
    ledger, _ = opened(tmp_path, body, BANK)
    assert amounts(tmp_path, body, BANK | proposed(ledger)) == ["5"] * len(rows) + ["-6"]
    signed = lines(f"Ref,Date,{header},Amount", *rows, f"R,2026-04-02,{went},-6")
    assert amounts(tmp_path, signed, BANK)[-1] == "-6"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Type", ("UPI Credit", "Debit (NEFT)")),
        ("Type", ("CR", "DR", "TRF")),
        ("Details", ("CREDIT", "DEBIT", "CHECK")),
        ("Withdrawal (W)/ Deposit (D)", ("D", "W")),
        ("cr_dr", ("C.R.", "D.R.")),
        ("Flag", ("", "DR")),
        ("Direction", ("IN", "OUT", "NEUTRAL")),
    ],
)
def test_a_column_of_sides_is_noticed_among_other_words_and_far_below(
    tmp_path: Path, header: str, words: tuple[str, ...]
) -> None:
    rows = [f"P{n},2026-04-01,{words[0]},5" for n in range(60)]
    rows += [f"Q{n},2026-04-01,{word},6" for n, word in enumerate(words)]
    body = lines(f"Ref,Date,{header},Amount", *rows)
    found = dict(zip(("first", "second"), amounts(tmp_path, body, BANK)[60:62], strict=True))
    assert found["second"].startswith("!")
    assert found["first"].startswith("!") == (words[0] != "")
    ledger, _ = opened(tmp_path, body, BANK)
    assert amounts(tmp_path, body, BANK | proposed(ledger))[60:62] == ["6", "-6"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Payment Type", ("Credit", "Debit")),
        ("Type", ("credit", "debit", "upi")),
        ("Reason", ("Return", "Refund")),
        ("Type", ("payment", "refund reversal")),
        ("Type", ("Invoice", "Payment")),
        ("Zahlungsart", ("Lastschrift", "Kreditkarte")),
        ("Transaction Status", ("captured", "refunded")),
        ("Refund Reason", ("damaged", "refund")),
        ("Refunded", ("false", "true")),
        ("Event Type", ("payment", "refund_reversal")),
        ("Remarks", ("thanks", "refund")),
        ("Notes", ("credit note for the return of the lamp", "x")),
    ],
)
def test_words_that_tell_no_side(tmp_path: Path, header: str, words: tuple[str, ...]) -> None:
    body = lines(f"Ref,Date,{header},Amount", *(f"P{n},2026-04-01,{word},5" for n, word in enumerate(words)))
    assert amounts(tmp_path, body, BANK) == ["5"] * len(words)


def test_signs_that_say_the_same_as_a_column_of_sides_are_enough(tmp_path: Path) -> None:
    body = lines("Ref,Date,Cr/Dr,Amount", "S1,2026-04-01,CR,5", "S2,2026-04-01,DR,-6")
    assert amounts(tmp_path, body, BANK) == ["5", "-6"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("CR,5", "DR,-6", "DR,6"), [False, False, False]),  # the minus of money out is not a second one
        (("CR,-5", "DR,6", "CR,7"), [True, False, False]),
        (("CR,5", ",6", "XX,7"), [False, True, True]),
        (("CR,5 Cr", "DR,6 Cr", "CR,7"), [False, True, False]),
    ],
)
def test_sides_that_contradict_or_are_half_told_are_quarantined(
    tmp_path: Path, rows: tuple[str, ...], expected: list[bool]
) -> None:
    body = lines("Ref,Date,Cr/Dr,Amount", *(f"S{n},2026-04-01,{row}" for n, row in enumerate(rows)))
    found = amounts(tmp_path, body, BANK | {"side": {"column": "Cr/Dr", **OWN_WORDS}})
    assert quarantined(found) == expected


def test_one_marked_row_among_unmarked_ones_is_in_doubt(tmp_path: Path) -> None:
    body = lines(
        "Ref,Date,Amount", "B1,2026-04-01,5", "B2,2026-04-01,6 Dr", "B3,2026-04-01,7", "B4,2026-04-01,8"
    )
    assert quarantined(amounts(tmp_path, body, BANK)) == [False, True, False, False]
    found = amounts(tmp_path, body, BANK | {"side": OWN_WORDS})
    assert found[1] == "-6"
    assert quarantined(found) == [True, False, True, True]
    assert amounts(tmp_path, body, BANK | {"side": {"in": [""], "out": ["Dr"]}}) == ["5", "-6", "7", "8"]


def test_one_unmarked_row_among_marked_ones_is_in_doubt(tmp_path: Path) -> None:
    body = lines("Ref,Date,Amount", "B1,2026-04-01,5 Cr", "B2,2026-04-01,6 Dr", "B3,2026-04-01,7")
    assert quarantined(amounts(tmp_path, body, BANK)) == [True] * 3
    assert quarantined(amounts(tmp_path, body, BANK | {"side": OWN_WORDS})) == [False, False, True]


def test_a_minus_in_a_column_of_money_out_is_not_a_second_one(tmp_path: Path) -> None:
    body = lines(
        "Ref,Date,In,Out", "B1,2026-04-01,1250.00,", "B2,2026-04-02,,-250.00", "B3,2026-04-03,,(99.00)"
    )
    assert amounts(tmp_path, body, SIDES) == ["1250", "-250", "-99"]


def test_a_column_of_money_out_with_and_without_minus_is_in_doubt(tmp_path: Path) -> None:
    body = lines(
        "Ref,Date,In,Out", "B1,2026-04-01,1250.00,", "B2,2026-04-02,,-250.00", "B3,2026-04-03,,99.00"
    )
    found = amounts(tmp_path, body, SIDES)
    assert (found[0], found[2]) == ("1250", "-99")
    assert "did this money go out or come back" in found[1]


def test_a_minus_in_a_column_of_money_in_contradicts_it(tmp_path: Path) -> None:
    body = lines("Ref,Date,In,Out", "B1,2026-04-01,-5.00,", "B2,2026-04-01,6.00,")
    assert quarantined(amounts(tmp_path, body, SIDES)) == [True, False]


@pytest.mark.parametrize(
    "nothing",
    [
        "-",
        "--",
        "—",
        "–",
        "NIL",
        "nil",
        "N/A",
        "n.a.",
        "NA",
        "₹ -",
        "0",
        "0.00",
        "",
        " ",
        "NULL",
        "\\N",
        "nan",
        "<NA>",
        "None",
        "#N/A",
    ],
)
def test_what_stands_for_nothing_beside_the_filled_side(tmp_path: Path, nothing: str) -> None:
    body = lines("Ref,Date,In,Out", f'B1,2026-04-01,"1,250.00",{nothing}', f"B2,2026-04-02,{nothing},250.00")
    assert amounts(tmp_path, body, SIDES) == ["1250", "-250"]


def test_a_dash_alone_is_no_amount(tmp_path: Path) -> None:
    assert quarantined(amounts(tmp_path, lines(HEADER, "L1,O,-,2026-08-01,INR,paid"))) == [True]


def test_minor_units_are_whole_numbers(tmp_path: Path) -> None:
    body = lines(
        HEADER,
        *(
            f"L{n},O,{row},paid"
            for n, row in enumerate(
                (
                    "125000,2026-08-01,INR",
                    "-5,2026-08-01,INR",
                    "500,2026-08-01,JPY",
                    "1500,2026-08-01,KWD",
                    "12.50,2026-08-01,INR",
                )
            )
        ),
    )
    found = amounts(tmp_path, body, {"amounts": "minor"})
    assert found[:4] == ["1250", "-0.05", "500", "1.5"]
    assert "not a whole number" in found[4]


# A workbook's number formats


def formatted(code: str, *values: float, header: str = "amount") -> bytes:
    sheet = Sheet().rows(NAMES, *(cells(f"L{n}", amount=5) for n in range(len(values))))
    shape = sheet.book.add_format({"num_format": code})
    for row, value in enumerate(values, 1):
        sheet.sheets[0].write_number(row, NAMES.index(header), value, shape)
    return sheet.bytes()


@pytest.mark.parametrize(
    ("code", "value", "shown_as"),
    [
        ('0.00" Cr"', 250, "250"),
        ('"" 0.00" Dr"', 250, "-250"),
        ('0.00" Cr";0.00" Dr"', -250, "-250"),
        ('[<0]0.00" Dr";0.00" Cr"', -250, "-250"),
        ('"Dr "0.00', 250, "-250"),
    ],
)
def test_a_number_format_tells_a_side(tmp_path: Path, code: str, value: float, shown_as: str) -> None:
    content = formatted(code, value)
    assert quarantined(amounts(tmp_path, content)) == [True]
    assert amounts(tmp_path, content, {"side": OWN_WORDS}) == [shown_as]


@pytest.mark.parametrize(
    ("code", "value", "expected"),
    [
        ('"-"0.00', 5, "-5"),
        ("(0.00)", 5, "-5"),
        ("0.00_);(0.00)", -5, "-5"),
        ("0.00;[Red]-0.00", -5, "-5"),
        ("0.00;0.00", -5, "-5"),
        ('_("₹"* #,##0.00_);_("₹"* \\(#,##0.00\\);_("₹"* "-"??_);_(@_)', -5, "-5"),
        ("[>=10000000]##\\,##\\,##\\,##0.00;[>=100000]##\\,##\\,##0.00;##,##0.00", 12345678, "12345678"),
        ("_-* #,##0.00\\ _€_-;-* #,##0.00\\ _€_-", -5, "-5"),
        ("[$₹-4009] #,##0.00", 5, "5"),
        ("#,##0.00", 5, "5"),
    ],
)
def test_a_number_format_tells_a_sign_or_none(tmp_path: Path, code: str, value: float, expected: str) -> None:
    assert amounts(tmp_path, formatted(code, value)) == [expected]


@pytest.mark.parametrize("code", ["[$€-407]#,##0.00", '0.00" USD"', "$#,##0.00", '"-"0.00'])
def test_a_number_format_that_contradicts_is_quarantined(tmp_path: Path, code: str) -> None:
    value = -5 if code == '"-"0.00' else 5
    assert quarantined(amounts(tmp_path, formatted(code, value))) == [True]


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("00000", 123, "00123"),
        ('"INV-"0000', 45, "INV-0045"),
        ("000-00-0000", 123456789, "123-45-6789"),
        ('"ORD 2026/"000', 7, "ORD 2026/007"),
        ("0", 1001, "1001"),
        ("General", 1001, "1001"),
        ("#,##0", 1001, "1001"),
    ],
)
def test_an_id_is_the_text_that_the_format_shows(tmp_path: Path, code: str, value: int, text: str) -> None:
    for column in ("ledger_id", "reference"):
        ledger, profile = opened(tmp_path, formatted(code, value, header=column))
        (one,) = typed(ledger, profile)
        assert isinstance(one, Entry)
        assert getattr(one, column) == text


def test_one_formatted_cell_among_plain_ones_is_in_doubt(tmp_path: Path) -> None:
    sheet = Sheet().rows(NAMES, *(cells(f"L{n}", amount=n) for n in range(1, 5)))
    sheet.sheets[0].write_number(2, 2, 250, sheet.book.add_format({"num_format": '0.00" Dr"'}))
    assert quarantined(amounts(tmp_path, sheet.bytes())) == [False, True, False, False]


def test_a_zero_is_an_amount(tmp_path: Path) -> None:
    sheet = Sheet().rows(NAMES, cells("L1", amount=0), cells("L2"))
    assert amounts(tmp_path, sheet.bytes())[0] == "0"


def test_hidden_rows_and_sheets_are_read_and_said(tmp_path: Path) -> None:
    sheet = Sheet("August").rows(NAMES, cells(), cells("L2"), cells("L3"))
    sheet.sheets[0].set_row(2, None, None, {"hidden": True})
    ledger, profile = opened(tmp_path, sheet.bytes())
    assert len(typed(ledger, profile)) == 3
    assert ledger.notes() == [
        "ledger: 1 row is hidden (by a filter, a group or by hand); hidden rows are read like all others"
    ]


def test_a_merged_date_spans_its_rows_and_a_merged_amount_counts_once(tmp_path: Path) -> None:
    sheet = Sheet().rows(NAMES, cells("L1"), cells("L2"), cells("L3"), cells("L4"))
    sheet.sheets[0].merge_range(1, 3, 3, 3, "2026-08-05")
    sheet.sheets[0].merge_range(3, 2, 4, 2, 7)
    ledger, profile = opened(tmp_path, sheet.bytes())
    found = typed(ledger, profile)
    assert [str(one.dated_on) for one in found] == ["2026-08-05"] * 3 + ["2026-08-01"]
    assert [isinstance(one, Rejection) for one in found] == [False, False, False, True]


def test_a_sheet_a_month(tmp_path: Path) -> None:
    book = Sheet("Apr", "May", "Notes", "Jun").rows(NAMES, cells("L1", day="13/04/2026"))
    book.rows(NAMES, cells("L2", day="03/05/2026"), sheet=1).rows(("call the bank",), sheet=2)
    book.rows(NAMES[::-1], cells("L3", day="04/06/2026")[::-1], sheet=3)
    content = book.bytes()
    with pytest.raises(InputRefused, match="have the header"):
        opened(tmp_path, content)
    ledger, profile = opened(tmp_path, content, {"sheet": "*"})
    found = [one for sheet in ledger.sheets for one in typed(sheet, profile)]
    # April proves the order of the days of the other sheets.
    assert [str(one.dated_on) for one in found] == ["2026-04-13", "2026-05-03", "2026-06-04"]
    assert [one.place.file for one in found] == ["ledger [Apr]", "ledger [May]", "ledger [Jun]"]
    ledger, _ = opened(tmp_path, content, {"sheet": ["Jun", "Apr"], "date_format": "%d/%m/%Y"})
    assert [sheet.name for sheet in ledger.sheets] == ["ledger [Jun]", "ledger [Apr]"]
    with pytest.raises(InputRefused, match="has no sheet 'July'"):
        opened(tmp_path, content, {"sheet": ["Apr", "July"]})


@pytest.mark.parametrize(
    ("text", "currency", "value"),
    [
        ("￥1,250", "JPY", "1250"),  # no yen has decimals, so the comma parts thousands
        ("¥1,250", "JPY", "1250"),
        ("1,250円", "JPY", "1250"),
        ("▲1,250", "JPY", "-1250"),
        ("1.250", "CLP", "1250"),
        ("1.250 ₫", "VND", "1250"),
        ("￦1,250", "KRW", "1250"),
        ("￥1,250.00", "CNY", "1250"),
        ("￥99", "CNY", "99"),
        ("¥1,250", "CNY", None),
        ("￥99", "USD", None),
        ("1,250", "KWD", None),
    ],
)
def test_a_comma_in_an_amount_whose_currency_has_no_decimals(
    text: str, currency: str, value: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        body = lines(
            "ledger_id;amount;date;currency",
            f"L1;{text};2026-08-01;{currency}",
            "L2;5;2026-08-01;INR",
            "L3;6;2026-08-01;INR",
        )
        first = amounts(Path(folder), body)[0]
    assert first.startswith("!") if value is None else first == value


def test_a_question_mark_is_what_is_left_of_a_currencys_sign(tmp_path: Path) -> None:
    """Which sign was lost nobody knows: beside another currency it may have contradicted it, so its row waits."""
    body = lines(
        HEADER.replace(",", ";"), "R1;O;1 250,00 руб.;01.04.2026;RUB;paid", "R2;O;99,00 ?;15.04.2026;RUB;paid"
    )
    first, second = amounts(tmp_path, body.encode("cp1251"), {"encoding": "cp1251"})
    assert first == "1250"
    assert "has lost its currency's sign (?)" in second


# Cells


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("'R1", "R1"),
        ("'R1'", "R1"),
        ("’R1’", "R1"),
        (" R1 ", "R1"),
        ("\ufeffR1", "R1"),
        ("R\u200b1", "R1"),
        ("\xa0R1\u3000", "R1"),
        ("' R1 '", "R1"),
        ("R\u00ad1", "R1"),
        ("NULL", ""),
        ("null", ""),
        ("\\N", ""),
        ("'", ""),
        ("5'", "5'"),
        ("O'Brien", "O'Brien"),
        ("Null Ltd", "Null Ltd"),
        ("", ""),
    ],
)
def test_what_stands_around_a_cell_does_not_count(cell: str, text: str) -> None:
    assert tidy(cell) == text


@given(st.text(st.characters(codec="utf-8"), max_size=12))
@example("\u200c")
@example("'\u200d '")
def test_a_tidy_cell_is_tidy(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
    assert tidy(f" \u200b{text}\ufeff ") == tidy(text)


def test_apostrophes_do_not_count_in_keys_either(tmp_path: Path) -> None:
    body = lines(
        f"{HEADER},transaction_id",
        "'R1,'ORD-1,'1250.00,'2026-04-01,'INR,'paid,'tx_abc",
        "'R2','ORD-2','99.00','2026-04-02 10:15:22','INR','SUCCESS','tx_abd'",
    )
    found = [one for one in typed(*opened(tmp_path, body)) if isinstance(one, Entry)]
    assert [(one.ledger_id, one.reference, one.transaction_id) for one in found] == [
        ("R1", "ORD-1", "tx_abc"),
        ("R2", "ORD-2", "tx_abd"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "9.87655E+11",
        "4.12346e+11",
        "1,23457E+11",
        "1E+12",
        "9.87655E11",
        "4.12e-05",
        "#######",
        "#N/A",
        "#REF!",
    ],
)
@pytest.mark.parametrize("column", ["ledger_id", "reference", "transaction_id", "provider_order_id"])
@pytest.mark.parametrize("many", [0, MANY])
@pytest.mark.usefixtures("small_blocks")
def test_a_shortened_number_is_no_key_and_is_said(tmp_path: Path, text: str, column: str, many: int) -> None:
    row = {"ledger_id": "L1", "amount": "5", "date": "2026-08-01", "currency": "INR", column: text}
    usual = [";".join((row | {"ledger_id": f"N{n}", column: f"N{n}"}).values()) for n in range(many)]
    body = lines(";".join(row), ";".join(row.values()), *usual)
    ledger, profile = opened(tmp_path, body)
    first = typed(ledger, profile)[0]
    if column == "ledger_id":
        assert "spreadsheet" in shown(first)
        assert ledger.notes() == []
    else:
        assert isinstance(first, Entry)
        assert getattr(first, column) is None
        (says,) = ledger.notes()
        assert says.startswith(f"ledger: 1 row has a {column} that a spreadsheet has shortened or spoiled")


@pytest.mark.parametrize(
    "text", ["5E7", "12E3456", "1E5", "#1001", "E+11", "1.2.3E+4", "N/A 7", "Nancy", "ORD-1E+5"]
)
def test_what_only_resembles_a_shortened_number(tmp_path: Path, text: str) -> None:
    body = lines(HEADER, f"{text},{text},5,2026-08-01,INR,paid")
    (one,) = typed(*opened(tmp_path, body))
    assert isinstance(one, Entry)
    assert (one.ledger_id, one.reference) == (text, text)


@pytest.mark.parametrize("text", ["nan", "NaN", "<NA>", "NaT", "NULL", "\\N"])
@pytest.mark.usefixtures("small_blocks")
def test_what_pandas_and_databases_write_for_nothing(tmp_path: Path, text: str) -> None:
    rows = [f"R{n},O{n},5,2026-08-01,INR,paid" for n in range(MANY)]
    ledger, profile = opened(tmp_path, lines(HEADER, *rows, f"R,{text},5,2026-08-01,INR,{text}"))
    one = typed(ledger, profile)[-1]
    assert isinstance(one, Entry)
    assert (one.reference, one.status) == (None, "")


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("₹", "INR"),
        ("US$", "USD"),
        ("€", "EUR"),
        ("INR (₹)", "INR"),
        ("₹ INR", "INR"),
        ("Indian Rupee", "INR"),
        ("inr ", "INR"),
        ("356", "INR"),
        ("US Dollars", "USD"),
        ("Rupee (INR)", "INR"),
        ("INR - Indian Rupee", "INR"),
        ("Pound Sterling", "GBP"),
        ("AED/د.إ", "AED"),
        ("Kč", "CZK"),
        ("円", "JPY"),
    ],
)
def test_a_currency_by_sign_name_or_number(tmp_path: Path, cell: str, code: str) -> None:
    (one,) = typed(*opened(tmp_path, lines(HEADER, f"L1,O,5,2026-08-01,{cell},paid")))
    assert isinstance(one, Entry)
    assert one.currency == code


@pytest.mark.parametrize("cell", ["$", "dollars", "kr", "¥", "USD (₹)"])
def test_a_currency_that_may_be_several_is_not_guessed(tmp_path: Path, cell: str) -> None:
    body = lines(HEADER, f"L1,O,5,2026-08-01,{cell},paid")
    assert quarantined(amounts(tmp_path, body)) == [True]


@pytest.mark.parametrize(
    ("cells_", "codes"),
    [
        (("Rs.",), ("INR",)),
        (("RS", "₹", "356"), ("INR", "INR", "INR")),
        (("Rs.", "PKR"), ("PKR", "PKR")),
        (("Rs.", "INR", "PKR"), ("", "INR", "PKR")),
        (("rupees",), ("INR",)),
        (("£",), ("GBP",)),
        (("£", "EGP"), ("EGP", "EGP")),
        (("$", "CAD"), ("CAD", "CAD")),
        (("$", "CAD", "US$"), ("", "CAD", "USD")),
        (("kr", "SEK"), ("SEK", "SEK")),
        (("¥", "Japanese Yen"), ("JPY", "JPY")),
    ],
)
@pytest.mark.parametrize("many", [0, MANY])
@pytest.mark.usefixtures("small_blocks")
def test_a_sign_of_several_currencies_means_the_one_that_the_column_names(
    tmp_path: Path, cells_: tuple[str, ...], codes: tuple[str, ...], many: int
) -> None:
    rows = [f"L{n},O,5,2026-08-01,{cell},paid" for n, cell in enumerate(cells_)]
    rows += [f"M{n},O,5,2026-08-01,{codes[-1]},paid" for n in range(many)]
    found = typed(*opened(tmp_path, lines(HEADER, *rows)))[: len(codes)]
    assert tuple(one.currency if isinstance(one, Entry) else "" for one in found) == codes


@pytest.mark.parametrize(
    ("cells_", "code"),
    [(("Rs. 5", "Rs.1,250.00"), "INR"), (("£5", "£6.00"), "GBP"), (("$5", "US$ 6"), "USD")],
)
def test_amounts_alone_name_the_currency(tmp_path: Path, cells_: tuple[str, ...], code: str) -> None:
    body = lines("ledger_id;amount;date", *(f"L{n};{cell};2026-08-01" for n, cell in enumerate(cells_)))
    found = typed(*opened(tmp_path, body))
    assert {one.currency for one in found if isinstance(one, Entry)} == {code}
    with pytest.raises(InputRefused, match="lacks the column currency"):
        opened(tmp_path, lines("ledger_id;amount;date", "L1;$5;2026-08-01"))


def test_the_profile_says_which_rupee(tmp_path: Path) -> None:
    (one,) = typed(*opened(tmp_path, lines(HEADER, "L1,O,5,2026-08-01,Rs.,paid"), {"currency": "NPR"}))
    assert isinstance(one, Entry)
    assert one.currency == "NPR"


def test_every_currency_is_named_by_its_code() -> None:
    for code in CODES:
        assert named(code.lower(), CODES) == {code}


@given(st.decimals(-(10**9), 10**9, places=2))
@example(Decimal("1299.9"))
def test_the_noise_of_a_binary_number_is_no_digit(value: Decimal) -> None:
    noisy = f"{float(value) * 3 / 3!r}"
    if "e" not in noisy:
        assert AmountStyle().read(noisy, CODES, "INR").value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1299.8999999999999", "1299.9"),
        ("0.30000000000000004", "0.3"),
        ("434.99999999999994", "435"),
        ("1299,8999999999999", "1299.9"),
        ("0.12345678901234567890", "0.12345678901234567890"),
    ],
)
def test_noise_in_text(text: str, value: str) -> None:
    assert AmountStyle().read(text, CODES, "INR").value == Decimal(value)
    many = {**CODES, "ETH": 18}
    assert AmountStyle().read("0.300000000000000044", many, "ETH").value == Decimal("0.300000000000000044")


# Rows


@pytest.mark.parametrize(
    "body",
    [
        lines(HEADER, *(f"R{n},O{n},5,2026-04-01,INR,paid," for n in (1, 2, 3))),
        lines(HEADER, *(f"R{n},O{n},5,2026-04-01,INR,paid,, , " for n in (1, 2, 3))),
        lines(f"{HEADER},,", *(f"R{n},O{n},5,2026-04-01,INR,paid" for n in (1, 2, 3))),
        lines(
            f"{HEADER},description",
            "R1,O1,5,2026-04-01,INR,paid,x",
            "R2,O2,5,2026-04-01,INR,paid",
            "R3,O3,5,2026-04-01,INR",
        ),
        lines(HEADER, *(f'"R{n}", "O{n}", "5", "2026-04-01", "INR", "paid"' for n in (1, 2, 3))),
        lines(HEADER, *(f"'R{n}','O, {n}','5','2026-04-01','INR','paid'" for n in (1, 2, 3))),
        lines(f'"{HEADER}"', *(f'"R{n},""O, {n}"",5,2026-04-01,INR,paid"' for n in (1, 2, 3))),
        lines(HEADER, *(f'"R{n},O{n},5,2026-04-01,INR,paid"' for n in (1, 2, 3))),
        lines(HEADER, *(f'"R{n}" ,"O, {n}" , "5","2026-04-01","INR" ,"paid" ' for n in (1, 2, 3))),
        lines(HEADER, *(f'"R{n}","12\\" pipe, blue","5","2026-04-01","INR","paid"' for n in (1, 2, 3))),
        "sep=,\n" + lines(HEADER, *(f"R{n},O{n},5,2026-04-01,INR,paid" for n in (1, 2, 3))),
    ],
    ids=[
        "a delimiter at the end",
        "several",
        "at the end of the header",
        "missing optional cells",
        "blanks before quotes",
        "single quotes",
        "whole lines in quotes",
        "but for the header",
        "blanks behind quotes",
        "backslashes",
        "sep=",
    ],
)
def test_no_row_is_lost_for_its_commas_and_quotes(tmp_path: Path, body: str) -> None:
    assert amounts(tmp_path, body) == ["5", "5", "5"]


def test_cells_that_cannot_be_placed_are_not_guessed(tmp_path: Path) -> None:
    body = lines(HEADER, "R1,O1,1,250.00,2026-04-01,INR,paid", "R2,O2,5", "R3,O3,5,2026-04-01,INR,paid")
    assert quarantined(amounts(tmp_path, body)) == [True, True, False]


def test_the_only_short_row_at_an_open_end_was_cut_off(tmp_path: Path) -> None:
    body = lines(HEADER, "R1,O1,5,2026-04-01,INR,paid") + "R2,O2,5,2026-04-01,IN"
    assert "cut off" in amounts(tmp_path, body)[1]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-8-sig"])
def test_wide_encodings_with_and_without_a_mark(tmp_path: Path, encoding: str) -> None:
    body = lines(HEADER, "R1,O1,5,2026-04-01,INR,paid", "R2,Zürich,6,2026-04-01,INR,paid")
    assert amounts(tmp_path, body.encode(encoding)) == ["5", "6"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "1 250,00 Kč;13.04.2026;CZK;Řehoř Žižka Kč 5 Kč"),
        ("cp1251", "1 250,00 руб.;13.04.2026;RUB;Иван Петров"),
        ("shift_jis", "1250;2026/04/01;JPY;山田太郎さん"),
        ("euc_kr", "1250;2026/04/01;KRW;홍길동 주문"),
    ],
)
def test_an_encoding_is_proposed_and_the_profile_gives_it(tmp_path: Path, encoding: str, text: str) -> None:
    body = f"ledger_id;amount;date;currency;description\nR1;{text}\nR2;{text}\n".encode(encoding)
    try:
        ledger, _ = opened(tmp_path, body)
        says = " ".join(ledger.notes())
    except InputRefused as error:
        says = str(error)
    assert f'encoding = "{encoding}"' in says
    assert amounts(tmp_path, body, {"encoding": encoding}) == ["1250", "1250"]


def test_an_encoding_that_the_file_is_not_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="is not in the encoding utf-16"):
        opened(tmp_path, lines(HEADER, "R1,O1,5,2026-04-01,INR,paid") + "x", {"encoding": "utf-16-le"})


def test_an_encoding_of_the_profile_that_is_rather_utf8_is_told(tmp_path: Path) -> None:
    body = lines(HEADER, "R1,Zürich,5,2026-04-01,INR,paid")
    for encoding, says in (("cp1252", 1), ("utf-8", 0)):
        ledger, _ = opened(tmp_path, body, {"encoding": encoding})
        assert len(ledger.notes()) == says
        assert all('encoding = "utf-8"' in one for one in ledger.notes())


def test_the_second_column_of_a_name(tmp_path: Path) -> None:
    body = lines("Txn,Date,Amount,Currency,Fee,Amount", "T1,2026-04-01,1250.00,INR,29.50,1220.50")
    keys: dict[str, Any] = {"columns": {"ledger_id": "Txn", "amount": "Amount"}}
    with pytest.raises(InputRefused, match="Amount#2"):
        opened(tmp_path, body, keys)
    for header, expected in (("Amount#1", "1250"), ("Amount#2", "1220.5")):
        keys["columns"]["amount"] = header
        assert amounts(tmp_path, body, keys) == [expected]
    keys["columns"]["amount"] = "Amount#3"
    with pytest.raises(InputRefused, match="lacks the column 'Amount#3'"):
        opened(tmp_path, body, keys)


def test_a_blank_date_is_the_one_above_where_the_profile_says_so(tmp_path: Path) -> None:
    body = lines("Date,Ref,In,Out", "1-Apr-26,1,5,", ",2,6,", "2-Apr-26,3,7,", ",4,,8", ",,18,8")
    assert quarantined(amounts(tmp_path, body, SIDES)) == [False, True, False, True]
    ledger, profile = opened(tmp_path, body, SIDES | {"fill_down": ["date"]})
    assert [str(one.dated_on) for one in typed(ledger, profile)] == ["2026-04-01"] * 2 + ["2026-04-02"] * 2
    with pytest.raises(ValueError, match="cannot be filled down"):
        read_profile("x", {"fill_down": ["amount"]}, Currencies())


def test_an_id_of_several_columns(tmp_path: Path) -> None:
    keys = {
        "columns": {
            "ledger_id": ["Date", "Text", "Amount"],
            "amount": "Amount",
            "date": "Date",
            "description": "Text",
        },
        "currency": "INR",
        "reference_pattern": r"ORD-\d+",
    }
    body = lines(
        "Date,Text,Amount",
        "2026-04-01,UPI ORD-1,1250.00",
        "2026-04-02,CASH,99.00",
        "2026-04-02,CASH,99",
        "2026-04-02,CASH,98",
    )
    found = [one for one in typed(*opened(tmp_path, body, keys)) if isinstance(one, Entry)]
    assert [one.ledger_id for one in found] == [
        "2026-04-01 UPI ORD-1 1250",
        "2026-04-02 CASH 99",
        "2026-04-02 CASH 99#2",
        "2026-04-02 CASH 98",
    ]
    assert [one.reference for one in found] == ["ORD-1", None, None, None]
    ledger, profile = opened(tmp_path, body, keys)
    assert typed(ledger, profile) == typed(ledger, profile), "read twice, the numbers begin anew"
    with pytest.raises(InputRefused, match="several columns that"):
        opened(tmp_path, body, {"columns": {"amount": "Amount", "date": "Date"}, "currency": "INR"})


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("UPI/ORD-2026-254015/547607446178/x@y", "ORD-2026-254015"),
        ("NEFT-ORD-2026-1 Asha", "ORD-2026-1"),
        ("ord-2026-1", None),
        ("ORD-2026-1 and ORD-2026-2", None),
        ("ORD-2026-1 (ORD-2026-1)", "ORD-2026-1"),
        ("cash", None),
        ("", None),
    ],
)
def test_a_reference_inside_a_narration(tmp_path: Path, text: str, reference: str | None) -> None:
    body = lines("ledger_id;amount;date;currency;description", f"L1;5;2026-08-01;INR;{text}")
    (one,) = typed(*opened(tmp_path, body, {"reference_pattern": r"ORD-\d{4}-\d+"}))
    assert isinstance(one, Entry)
    assert one.reference == reference


@pytest.mark.parametrize(
    ("reference", "text", "read"),
    [
        ("UPI/ORD-2026-1/5", "x", "ORD-2026-1"),
        ("UPI/ORD-2026-1/5", "ORD-2026-2", "ORD-2026-1"),
        ("", "UPI/ORD-2026-2", "ORD-2026-2"),
        ("CASH", "UPI/ORD-2026-2", "ORD-2026-2"),
        ("B-77", "no", "B-77"),
    ],
)
def test_a_reference_inside_its_column_or_else_inside_the_narration(
    tmp_path: Path, reference: str, text: str, read: str
) -> None:
    body = lines(
        "ledger_id,reference,amount,date,currency,description", f"L1,{reference},5,2026-08-01,INR,{text}"
    )
    (one,) = typed(*opened(tmp_path, body, {"reference_pattern": r"ORD-\d{4}-\d+"}))
    assert isinstance(one, Entry)
    assert one.reference == read


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("UPI/ORD-2026-\n254015/5", "ORD-2026-254015"),
        ("UPI/ORD-20\r\n26-254015/5", "ORD-2026-254015"),
        ("UPI/ORD-2026-  \n  254015/5", "ORD-2026-254015"),
        ("UPI ORD-2026-1\nAsha", "ORD-2026-1"),
        ("ORD-2026-1 2", "ORD-2026-1"),
        ("paid ORD-2026-1\n2 lamps", None),  # 1 or 12: nobody knows
        ("ORD-2026-1\nORD-2026-2", None),
    ],
)
@pytest.mark.parametrize("column", ["reference", "description"])
def test_a_reference_that_is_wrapped_over_two_lines(
    tmp_path: Path, text: str, reference: str | None, column: str
) -> None:
    body = lines(f"ledger_id;amount;date;currency;{column}", f'L1;5;2026-08-01;INR;"{text}"')
    (one,) = typed(*opened(tmp_path, body, {"reference_pattern": r"ORD-\d{4}-\d+"}))
    if column == "reference" and reference is None:
        # What is in its column cannot be told, and no entry is known by half of it.
        assert isinstance(one, Rejection)
    else:
        assert isinstance(one, Entry)
        assert one.reference == reference


@pytest.mark.parametrize("text", ["UPI/ORD- 2026-254015/5", "UPI 12 ORD-2026- 254015 31/08/2026"])
def test_no_reference_is_put_together_over_blanks(tmp_path: Path, text: str) -> None:
    """What follows the blank may be a day or a count, and the whole a stranger's reference."""
    body = lines("ledger_id,amount,date,currency,description", f"L1,5,2026-08-01,INR,{text}")
    (one,) = typed(*opened(tmp_path, body, {"reference_pattern": r"ORD-\d{4}-\d+"}))
    assert isinstance(one, Entry)
    assert one.reference is None


def test_a_reference_that_goes_on_in_a_further_line(tmp_path: Path) -> None:
    body = lines(
        "ledger_id;date;description;amount;currency",
        "L1;2026-08-01;UPI/ORD-2026-;5;INR",
        ";;254015/x;;",
        "L2;2026-08-01;NEFT ASHA;6;INR",
        ";;ORD-2026-;;",
        ";;254016;;",
        "L3;2026-08-01;cash;7;INR",
        "L3;;ORD-2026-9;;",
        "L4;2026-08-01;cash;8;INR",
    )
    keys = {"reference_pattern": r"ORD-\d{4}-\d+"}
    for more in ({}, {"fill_down": ["date"]}):
        ledger, profile = opened(tmp_path, body, keys | more)
        found = [one for one in typed(ledger, profile) if isinstance(one, Entry)]
        # A line with the id of the row above is another item of it, not its narration.
        assert [one.reference for one in found] == ["ORD-2026-254015", "ORD-2026-254016", None, None]
        assert ledger.passed_over == 4
    ledger, profile = opened(tmp_path, body)
    assert (
        next(one.description for one in typed(ledger, profile) if isinstance(one, Entry)) == "UPI/ORD-2026-"
    )


# Totals, further lines, the header again


@pytest.mark.parametrize(
    "word",
    [
        "Total",
        "TOTAL:",
        "Grand Total",
        "Sub-total",
        "Subtotal",
        "Total (INR)",
        "Total for April 2026",
        "Summe",
        "Gesamt",
        "Zwischensumme",
        "Total général",
        "Sous-total",
        "Suma",
        "Totale",
        "Totaal",
        "कुल",
        "योग",
        "合計",
        "合计",
        "Итого",
        "Toplam",
        "Razem",
        "Page Total",
    ],
)
@pytest.mark.parametrize("place", ["{},,{},,,", ",{},{},,,", "{},,{},2026-04-30,INR,", ",,{1},{0},,"])
def test_a_line_of_totals_is_passed_over_and_checked(tmp_path: Path, word: str, place: str) -> None:
    rows = ("R1,O1,5.00,2026-04-01,INR,paid", "R2,O2,6.50,2026-04-01,INR,paid")
    for total, is_sum in (("11.50", True), ("12.50", False)):
        ledger, profile = opened(tmp_path, lines(HEADER, *rows, place.format(word, total)))
        assert [shown(one) for one in typed(ledger, profile)] == ["5", "6.5"]
        assert (ledger.passed_over, len(ledger.notes())) == (1, 0 if is_sum else 1)
        if not is_sum:
            assert "12.50" in ledger.notes()[0]
            assert "11.50" in ledger.notes()[0]


@pytest.mark.parametrize(
    "row",
    [
        "TOTAL-12,O3,7,2026-04-01,INR,paid",
        "R3,Total Energies,7,2026-04-01,INR,paid",
        "Totality,O,7,2026-04-01,INR,paid",
        "Summit 3,O,7,2026-04-01,INR,paid",
    ],
)
def test_a_record_that_only_sounds_like_a_total_is_one(tmp_path: Path, row: str) -> None:
    assert amounts(tmp_path, lines(HEADER, "R1,O1,5,2026-04-01,INR,paid", row)) == ["5", "7"]


@pytest.mark.parametrize(
    "row", [",O3,7,2026-04-01,INR,paid", "R3,O3,7,,INR,paid", ",,7,,,", "R3,Total,,2026-04-01,INR,paid"]
)
def test_a_record_that_lacks_something_is_quarantined_and_not_passed_over(tmp_path: Path, row: str) -> None:
    ledger, profile = opened(
        tmp_path, lines(HEADER, "R1,O1,5,2026-04-01,INR,paid", "R2,O2,6,2026-04-01,INR,paid", row)
    )
    assert quarantined([shown(one) for one in typed(ledger, profile)]) == [False, False, True]
    assert ledger.passed_over == 0


def test_totals_with_parts_and_balances(tmp_path: Path) -> None:
    body = lines(
        "Date,Text,Ref,In,Out",
        "01/04/2026,Opening Balance,,100,",
        "13/04/2026,a,1,5,",
        "13/04/2026,b,2,6,",
        ",Sub Total,,11,",
        "Date,Text,Ref,In,Out",
        "14/04/2026,c,3,7,",
        "14/04/2026,d,4,,3",
        ",Subtotal,,7,3",
        ",Total,,18,3",
        "30/04/2026,Closing Balance,,,115",
        ",,,118,118",
    )
    ledger, profile = opened(tmp_path, body, SIDES)
    assert [shown(one) for one in typed(ledger, profile)] == ["5", "6", "7", "-3"]
    assert ledger.scan is not None
    assert list(ledger.scan.passed.rows.values()) == [
        Kind.BALANCE,
        Kind.TOTAL,
        Kind.HEADER,
        Kind.TOTAL,
        Kind.TOTAL,
        Kind.BALANCE,
        Kind.TOTAL,
    ]
    assert ledger.notes() == []


@pytest.mark.parametrize(
    ("totals", "says"),
    [
        (("Total,,12,,INR,", "Total,,6,,USD,"), []),
        (("Total,,12,,INR,", "Total,,7,,USD,"), ["says 7 in amount, and the rows above it add up to 6 USD"]),
        (("Total USD,,7,,,", "Total INR,,12,,,"), ["add up to 6 USD"]),
        (("Total (USD),,6,,,", "Total (INR),,13,,,"), ["add up to 12 INR"]),
        (("Total,,$6,,,", "Total,,₹12,,,"), []),
        (("Total,,18,,,",), []),
        (("Total,,19,,,",), ["says 19 in amount, and the rows above it add up to 12 INR, 6 USD"]),
        ((",,12,,INR,",), []),
    ],
)
def test_totals_of_several_currencies(tmp_path: Path, totals: tuple[str, ...], says: list[str]) -> None:
    rows = ("R1,O,5,2026-04-01,INR,paid", "R2,O,6,2026-04-01,USD,paid", "R3,O,7,2026-04-01,INR,paid")
    ledger, profile = opened(tmp_path, lines(HEADER, *rows, *totals))
    assert [shown(one) for one in typed(ledger, profile)] == ["5", "6", "7"]
    assert ledger.passed_over == len(totals)
    assert len(ledger.notes()) == len(says)
    assert all(part in note for part, note in zip(says, ledger.notes(), strict=True))


def test_totals_of_each_side(tmp_path: Path) -> None:
    keys = BANK | {"side": {"column": "DC", **OWN_WORDS}}
    body = lines(
        "Ref,Date,DC,Amount", "1,2026-04-01,Cr,5", "2,2026-04-02,Dr,6", "Total Cr,,Cr,5", "Total Dr,,Dr,6"
    )
    ledger, _ = opened(tmp_path, body, keys)
    assert (ledger.passed_over, ledger.notes()) == (2, [])


@pytest.mark.parametrize(
    "remark",
    [
        "*** End of report ***,,,,,",
        "This is a computer generated statement",
        "Generated on 01/05/2026 10:15,,,,,",
        "Page 1 of 3",
        "Number of records: 2,,,,,",
        "Count,,2,,,",
        "-----,-----,-----,-----,-----,-----",
        "=====,,=====,,,",
        "# part 2",
        "\u2500\u2500\u2500\u2500,,,,,",
    ],
)
def test_a_remark_or_a_rule_is_no_record(tmp_path: Path, remark: str) -> None:
    body = lines(HEADER, "R1,O1,5,2026-04-01,INR,paid", remark, "R2,O2,6,2026-04-01,INR,paid")
    ledger, profile = opened(tmp_path, body)
    assert [shown(one) for one in typed(ledger, profile)] == ["5", "6"]
    assert ledger.passed_over == 1


@pytest.mark.parametrize(
    "row",
    ["R2,,,,,", "INV 2026 001,,,,,", "R2;O2;6;2026-04-01;INR;paid", "pay to Asha,,6,,,", ",,,2026-04-01,,",
     "TOTAL,O9,,2026-04-01,INR,paid", "R2,O2"],
)  # fmt: skip
def test_a_row_that_may_be_a_record_is_no_remark(tmp_path: Path, row: str) -> None:
    ledger, profile = opened(tmp_path, lines(HEADER, "R1,O1,5,2026-04-01,INR,paid", row))
    assert quarantined([shown(one) for one in typed(ledger, profile)]) == [False, True]
    assert ledger.passed_over == 0


def test_a_whole_record_whose_id_is_a_word_of_totals(tmp_path: Path) -> None:
    body = lines(
        HEADER, "R1,O1,5,2026-04-01,INR,paid", "TOTAL,O9,8,2026-04-02,INR,paid", "SUM,O,6,2026-04-02,INR,"
    )
    assert amounts(tmp_path, body) == ["5", "8", "6"]


@pytest.mark.parametrize("again", ["Ref,Date,Fee,Amount", "Date,Ref,Amount,Fee", "Ref,Amount,Fee,Date,Note"])
def test_another_header_below_makes_another_table(tmp_path: Path, again: str) -> None:
    body = lines("Ref,Date,Amount,Fee", "1,2026-04-01,5,1", again, "2,2026-04-02,1,6")
    with pytest.raises(InputRefused, match="row 3 names the columns anew and in other places"):
        opened(tmp_path, body, BANK)


@pytest.mark.parametrize(
    "again", ["Ref,Date,Amount,Fee", "\ufeffRef,Date,Amount,Fee", " REF , date,Amount ,FEE,"]
)
def test_the_header_again_in_other_writing(tmp_path: Path, again: str) -> None:
    body = lines("Ref,Date,Amount,Fee", "1,2026-04-01,5,1", again, "2,2026-04-02,6,1")
    ledger, _ = opened(tmp_path, body, BANK)
    assert (amounts(tmp_path, body, BANK), ledger.passed_over) == (["5", "6"], 1)


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("Ref,Date,Amount,Text", ("1,2026-04-01,1,250.00", "2,2026-04-01,6,x"), [True, False]),
        ("Ref,Date,Amount,Text,", ("1,2026-04-01,1,250.00,", "2,2026-04-01,6,x,"), [True, False]),
        ("Ref,Date,Amount,Text", ("1,2026-04-01,-1,250.5", "2,2026-04-01,6,"), [True, False]),
        ("Ref,Date,Amount,Text", ("1,2026-04-01,₹12,250.00", "2,2026-04-01,6,"), [True, False]),
        ("Ref,Date,Amount,Text", ("1,2026-04-01,1,250", *("2,2026-04-01,6,x",) * 3), [True, *[False] * 3]),
        # a column of numbers stands there
        ("Ref,Date,Amount,Fee", ("1,2026-04-01,1,250.00", "2,2026-04-01,6000,1.50"), [False, False]),
        ("Ref,Date,Amount,Room", ("1,2026-04-01,50,101", "2,2026-04-01,80,102"), [False, False]),
        ("Ref,Date,Amount,Code", ("1,2026-04-01,50,101", "2,2026-04-01,1080,102"), [False, False]),
        ("Ref,Date,Amount,Text", ("1,2026-04-01,1.00,250.00", "2,2026-04-01,6.00,x"), [False, False]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("many", [0, MANY])
@pytest.mark.usefixtures("small_blocks")
def test_an_amount_that_was_cut_at_its_comma_is_not_read(
    tmp_path: Path, header: str, rows: tuple[str, ...], expected: list[bool], many: int
) -> None:
    usual = [rows[-1].replace(rows[-1][:1], f"N{n}", 1) for n in range(many)]
    found = amounts(tmp_path, lines(header, *rows, *usual), BANK)
    assert quarantined(found) == expected + [False] * many


def test_further_lines_of_an_order_are_passed_over(tmp_path: Path) -> None:
    body = lines(
        "Name,Status,Paid at,Currency,Total,Item",
        "#1001,paid,2026-04-01 10:15:22 +0530,INR,1250.00,Lamp",
        "#1001,,,,,Bulb",
        "#1001,,,,,Cord",
        "#1002,paid,2026-04-02 10:15:22 +0530,INR,450.00,Cup",
        "#1002,,2026-04-02 10:15:22 +0530,,,Plate",
        ",,,,,a gift",
    )
    keys = {"columns": {"ledger_id": "Name", "amount": "Total", "date": "Paid at", "status": "Status"}}
    ledger, profile = opened(tmp_path, body, keys)
    assert [shown(one) for one in typed(ledger, profile)] == ["1250", "450"]
    assert ledger.passed_over == 4


@given(
    st.lists(st.decimals(Decimal("0.01"), 10**6, places=2), min_size=2, max_size=40),
    st.sampled_from(["Total", "Grand Total:", "Summe", "कुल योग"]),
    st.decimals(Decimal("0.01"), 100, places=2),
)
@settings(deadline=None, max_examples=30)
def test_a_total_is_the_sum_or_is_told(values: list[Decimal], word: str, more: Decimal) -> None:
    rows = [f"R{n},O{n},{value},2026-04-01,INR,paid" for n, value in enumerate(values)]
    with tempfile.TemporaryDirectory() as folder:
        good, _ = opened(Path(folder), lines(HEADER, *rows, f"{word},,{sum(values)},,,"))
        assert (good.passed_over, good.notes()) == (1, [])
        bad, _ = opened(Path(folder), lines(HEADER, *rows, f"{word},,{sum(values) + more},,,"))
        assert (bad.passed_over, len(bad.notes())) == (1, 1)


# Dates


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-04-01 10:15:22 UTC", "2026-04-01 10:15:22+00:00"),
        ("01-Apr-2026 10:15:22 AM IST", "2026-04-01"),
        ("Apr 1, 2026 11:59:22 PM PDT", "2026-04-01"),
        ("Wed Apr 01 10:15:22 IST 2026", "2026-04-01"),
        ("Wed, 01 Apr 2026 10:15:22 +0530", "2026-04-01 04:45:22+00:00"),
        ("2026-04-01 20:15:22 +0000 UTC", "2026-04-01 20:15:22+00:00"),
        ("13/04/2026 23:15:22 GMT+5:30", "2026-04-13 17:45:22+00:00"),
        ("2026-04-01-10.15.22.123456", "2026-04-01"),
        ("01-APR-26 10.15.22.000000 AM", "2026-04-01"),
        ("01-APR-26 10.15.22.000000 PM +05:30", "2026-04-01 16:45:22+00:00"),
        ("20260401101522", "2026-04-01"),
        ("20260401T101522Z", "2026-04-01 10:15:22+00:00"),
        ("Wednesday, 1 April 2026", "2026-04-01"),
        ("2026-04-01\n10:15:22", "2026-04-01"),
        ("2026-04-01  10:15:22", "2026-04-01"),
        ("2026-04-01+05:30", "2026-04-01"),
        ("01-Mai-2026", "2026-05-01"),
        ("15. Dezember 2026", "2026-12-15"),
        ("15 déc. 2026", "2026-12-15"),
        ("03/abr/2026", "2026-04-03"),
        ("2026年4月1日", "2026-04-01"),
        ("01 अप्रैल 2026", "2026-04-01"),
        ("13/04/2026 10:15:22 hrs", "2026-04-13"),
        ("13. 4. 2026", "2026-04-13"),
        ("13. 4. 2026 10:15", "2026-04-13"),
        ("Apr-13-2026", "2026-04-13"),
        ("2026-Apr-01", "2026-04-01"),
        ("2026 April 1", "2026-04-01"),
        ("01/Apr/2026:10:15:22 +0530", "2026-04-01 04:45:22+00:00"),
        ("2026-04-01T10:15:22+05:30[Asia/Kolkata]", "2026-04-01 04:45:22+00:00"),
        ("2026-04-01 10:15:22 Asia/Kolkata", "2026-04-01 04:45:22+00:00"),
        ("2026-07-01 10:15:22 America/New_York", "2026-07-01 14:15:22+00:00"),
        ("2026-04-01 10:15:22 Nowhere/Atall", "2026-04-01"),
        ("Thu Apr 2 2026 10:15:22 GMT+0530 (India Standard Time)", "2026-04-02 04:45:22+00:00"),
    ],
)
def test_a_day_in_many_ways(text: str, day: str) -> None:
    on, at = DateStyle().read(clean_date(text))
    assert str(at or on) == day


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("01-Foo-2026", "not the name of a month"),
        ("1775016922", "Unix time"),
        ("1775016922000", "Unix time"),
        ("13/04/2026 10:15 +0530 UTC", "not a date"),
        ("2026-04-01 25:00:00", "not a day or time"),
        ("13/04/2026 10:15 someday", "not a date"),
        ("x" * 100_000, "not a date"),
        ("1:" * 50_000, "not a date"),
    ],
)
def test_what_is_no_day_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        DateStyle().read(clean_date(text))


def test_an_offset_in_the_date_format(tmp_path: Path) -> None:
    body = lines(
        HEADER, "R1,O1,5,13/04/2026 23:15:22 +0000,INR,paid", "R2,O2,5,14/04/2026 20:15:22 +0530,INR,paid"
    )
    ledger, profile = opened(tmp_path, body, {"date_format": "%d/%m/%Y %H:%M:%S %z"})
    assert [str(one.dated_at) for one in typed(ledger, profile)] == [
        "2026-04-13 23:15:22+00:00",
        "2026-04-14 14:45:22+00:00",
    ]


@pytest.mark.parametrize("zone", ["", "Asia/Kolkata", "UTC"])
def test_a_zone_by_name_in_the_date_format_depends_on_no_machine(
    tmp_path: Path, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    rows = ("UTC", "IST", "GMT", "PDT", "GMT+5:30", "Asia/Kolkata")
    body = lines(HEADER, *(f"R{n},O,5,13/04/2026 23:15 {name},INR," for n, name in enumerate(rows)))
    ledger, profile = opened(tmp_path, body, {"date_format": "%d/%m/%Y %H:%M %Z"})
    found = [one for one in typed(ledger, profile) if isinstance(one, Entry)]
    instant, day = "2026-04-13 23:15:00+00:00", "2026-04-13"
    there = "2026-04-13 17:45:00+00:00"
    assert [str(one.dated_at or one.dated_on) for one in found] == [instant, day, instant, day, there, there]
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("days", "text", "read"),
    [
        (("2026-04-01", "2026-04-01", "1 Apr 2026"), "01/04/2026", "2026-04-01"),
        (
            ("2026-04-01", "2026-04-05", "2026-04-30"),
            "04/03/2026",
            None,
        ),  # 4 March is too near to be ruled out
        (("2026-10-01", "2026-10-05", "2026-10-30"), "10/03/2026", "2026-10-03"),
        (("2026-04-01", "2026-04-05"), "01/04/2026", None),  # too few
        (("2026-04-01", "2026-04-05", "2026-04-30"), "03/02/2026", None),  # neither lies among them
        (("2026-01-01", "2026-04-05", "2026-12-30"), "03/02/2026", None),  # both do
    ],
)
@pytest.mark.parametrize("many", [0, MANY])
@pytest.mark.usefixtures("small_blocks")
def test_days_that_are_sure_may_tell_what_another_is(
    tmp_path: Path, days: tuple[str, ...], text: str, read: str | None, many: int
) -> None:
    if many and read is None and len(days) < 3:
        return
    rows = [f"R{n},O,5,{day},INR," for n, day in enumerate([text, *days, *days[:1] * many])]
    one = typed(*opened(tmp_path, lines(HEADER, *rows)))[0]
    assert (str(one.dated_on) if isinstance(one, Entry) else None) == read


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 - the zone is written behind them
    st.sampled_from(["+0530", "+05:30", "UTC", "GMT", "-0800", "GMT+5:30", "Z"]),
)
def test_a_named_zone_is_the_instant_that_iso_writes(at: Any, zone: str) -> None:
    offset = {
        "UTC": "+00:00",
        "GMT": "+00:00",
        "Z": "+00:00",
        "+0530": "+05:30",
        "GMT+5:30": "+05:30",
        "-0800": "-08:00",
    }.get(zone, zone)
    found = DateStyle().read(clean_date(f"{at:%d %b %Y %H:%M:%S} {zone}"))
    assert found[1] == DateStyle().read(f"{at:%Y-%m-%dT%H:%M:%S}{offset}")[1]


# Files that are no tables


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<style>td{}</style><table><tr><td>ledger_id</td></tr></table>", "HTML"),
        ("MIME-Version: 1.0\nContent-Type: multipart/related", "MHTML"),
        ('<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<Workbook/>', "Excel 2003"),
        ("OFXHEADER:100\n\n<OFX></OFX>", "OFX"),
        ('<?xml version="1.0"?><OFX></OFX>', "OFX"),
        ("!Type:Bank\nD01/04'26\nT5\n^", "QIF"),
        (":20:STARTUMS\n:25:1/2\n:60F:C260331EUR0,00\n", "MT940"),
        ("{1:F01X}{2:I940X}{4:\n:20:X\n:25:1/2\n", "MT940"),
        ('<?xml version="1.0"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"/>', "CAMT"),
        ('{"items":[]}', "JSON"),
        ('[\n  {"ledger_id": 1}]', "JSON"),
        ('{"ledger_id":"R1"}\n{"ledger_id":"R2"}', "JSON"),
        ("<?xml version='1.0'?><rows/>", "XML"),
        ("{\\rtf1 x}", "RTF"),
        ("SQLite format 3\0x", "SQLite"),
    ],
)
def test_another_kind_of_file_is_named_with_what_to_do(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(InputRefused, match=says) as refused:
        opened(tmp_path, content)
    assert any(word in str(refused.value) for word in ("save", "export", "download", "query"))
