"""The page as a pure function of a run's folder: what it sums, lists and escapes."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reconcile.core.dialect import Dialect
from reconcile.core.money import exact_sum, grouped
from reconcile.report.columns import DISCREPANCIES, MATCHED, QUARANTINE, RESOLVED, SUMMARY
from reconcile.report.csv_cells import amount_cell, cell, shown, text_cell
from reconcile.report.csv_files import write_csv
from reconcile.report.html import BUCKETS, Page, Share, read_page, render_page, write_page

AMOUNTS = ("kspay_amount", "ledger_amount", "difference")
CSS = Path(__file__).parents[3] / "reconcile" / "report" / "page.css"


def row(number: int, **values: str) -> dict[str, str]:
    """A payment of 100 INR that misses its entry, unless told otherwise."""
    basis = {
        "discrepancy_id": f"D-{number:020}",
        "type": "MISSING_IN_LEDGER",
        "severity": "high",
        "status": "open",
        "age_days": "3",
        "currency": "INR",
        "kspay_amount": "100.00",
        "difference": "100.00",
        "transaction_id": f"tx_{number}",
        "detail": "KS Pay took it.",
    }
    return {**dict.fromkeys(DISCREPANCIES, ""), **basis, **values}


def total(currency: str, outcome: str, count: int, amount: str, side: str = "kspay") -> dict[str, Any]:
    return {
        "scope": "period", "side": side, "currency": currency, "outcome": outcome, "count": count, "amount": amount,
    }  # fmt: skip


RUN: Mapping[str, Any] = {
    "run_id": "2026-08-01_2026-08-31_1",
    "from": "2026-08-01",
    "to": "2026-08-31",
    "timezone": "Asia/Kolkata",
    "apps": ["ap_1"],
    "finished_at": "2026-09-01T01:02:03.004Z",
    "matched": {"reference": 9},
    "discrepancies": {},
    "new": 0,
    "cleared": 0,
    "quarantined": {},
    "totals": [
        total("INR", "matched", 9, "999.99"),
        total("INR", "unmatched", 1, "0.01"),
        total("INR", "excluded", 5, "500.00"),
        total("INR", "total", 15, "1500.00"),
    ],
    "by_rule": [
        {
            "name": "reference",
            "currency": "INR",
            "count": 9,
            "amount": "999.99",
            "matched": 9,
            "matched_amount": "999.99",
        },
        {"name": "", "currency": "INR", "count": 1, "amount": "0.01", "matched": 0, "matched_amount": "0.00"},
    ],
    "by_payment_method": [
        {
            "name": "UPI",
            "currency": "INR",
            "count": 10,
            "amount": "1000.00",
            "matched": 9,
            "matched_amount": "999.99",
        },
    ],
    "windows": [],
    "runs_before": [],
    "validation": [],
    "checks": ["totals_conserved"],
    "warnings": [],
    "versions": {"kspay-reconcile": "0.1.0"},
}

Make = Callable[..., Page]


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Sequence[dict[str, str]]], Path]:
    def make(rows: Sequence[dict[str, str]], dialect: Dialect = Dialect.COMMA) -> Path:
        cells = [
            {
                name: value
                if name == "due"
                else amount_cell(value, dialect)
                if name in AMOUNTS
                else text_cell(value)
                for name, value in one.items()
            }
            for one in rows
        ]
        write_csv(tmp_path / "discrepancies.csv", DISCREPANCIES, cells, dialect)
        write_csv(tmp_path / "resolved.csv", RESOLVED, [], dialect)
        return tmp_path

    return make


@pytest.fixture
def make(folder: Callable[[Sequence[dict[str, str]]], Path]) -> Make:
    def read(*rows: dict[str, str], **changes: Any) -> Page:
        return read_page({**RUN, **changes}, folder(rows))

    return read


class Elements(HTMLParser):
    """The elements of a page, and the text of its body."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_is_overdue_on_the_last_day_is_listed_with_who_looks_after_it(make: Make) -> None:
    page = make(
        row(1, due="2026-08-30", assignee="<b>Asha"),
        row(2, due="2026-08-31"),
        row(3, due="2026-08-02", kspay_amount="", difference=""),
        row(4),
    )
    assert [(one.row["due"], one.row["assignee"], str(one)) for one in page.overdue] == [
        ("2026-08-02", "", ""), ("2026-08-30", "<b>Asha", "100.00"),
    ]  # fmt: skip
    html = render_page(page)
    assert html.index('id="overdue"') < html.index("&lt;b&gt;Asha") < html.index('id="ageing"')
    assert "Due 2026-08-31" in html
    assert 'id="overdue"' not in render_page(make(row(1), row(2, due="2026-08-31")))


HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '"\'><b onclick="x">',
    "{{ run }} {% raw %} ${x}",
    "مرجع ١٢٣ \u202e<i>",
    "=SUM(1+1)",
    "&lt;u&gt;",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_every_value_is_escaped(make: Make, value: str) -> None:
    named = ("reference", "ledger_reference", "detail", "note", "transaction_id", "ledger_id", "kspay_status",
             "payment_method", "suggested_counterpart", "ledger_status")  # fmt: skip
    amounts = {"kspay_amount": "5.00", "ledger_amount": "5.00"}
    method = {**RUN["by_payment_method"][0], "name": value}
    suite = {
        "suite": value, "evaluated": 1, "successful": 0, "records": 1, "quarantined": 1,
        "failures": [{"expectation": value, "weight": "warns", "count": 1, "says": [value]}],
    }  # fmt: skip
    window = {"app_id": value, "first": "2026-08-01", "last": "2026-08-31", "pages": 1, "records": 1,
              "distinct_ids": 1, "passes": 1, "proof": value}  # fmt: skip
    page = make(
        row(1, **dict.fromkeys(named, value), **amounts), apps=[value, "b"], warnings=[value], checks=[value],
        by_payment_method=[method], validation=[suite], windows=[window], versions={value: value},
    )  # fmt: skip
    hostile = Elements(render_page(page))
    assert hostile.tags.count("script") == 1
    assert not {"b", "i", "img", "u"} & set(hostile.tags)
    assert not {name for name in hostile.attributes if name.startswith("on")}
    assert hostile.text.count(value) >= len(named) + 5


def test_the_policy_of_the_page_forbids_all_but_its_own_style_and_script(make: Make) -> None:
    html = render_page(make(row(1)))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none';")
    assert "unsafe" not in policy[1]
    assert not re.findall(r'(?:src|href)="(?!#|data:,)', html)
    assert "style=" not in html  # a style attribute would be refused by the policy


def test_ages_fall_into_their_buckets(make: Make) -> None:
    ages = (0, 1, 2, 7, 8, 30, 31, 90, 91, 4000)
    page = make(*(row(number, age_days=str(age)) for number, age in enumerate(ages)))
    assert [name for name, _ in BUCKETS] == ["0–1", "2–7", "8–30", "31–90", "over 90"]
    assert [(line.name, line.count) for line in page.ages] == [(name, 2) for name, _ in BUCKETS]
    assert [line.amounts["INR"].written for line in page.ages] == ["200.00"] * 5


def test_at_stake_is_the_difference_of_an_amount_mismatch_and_else_the_amount(make: Make) -> None:
    page = make(
        row(1, type="AMOUNT_MISMATCH", kspay_amount="100.00", ledger_amount="103.00", difference="-3.00"),
        row(2, type="STATUS_MISMATCH", kspay_amount="70.00", ledger_amount="70.00", difference="0.00"),
        row(3, type="MISSING_IN_KSPAY", kspay_amount="", ledger_amount="-20.00", difference="20.00"),
        row(4, type="CURRENCY_MISMATCH", currency="USD;INR", kspay_amount="9.00", ledger_amount="8.00", difference=""),
        row(5, type="INVALID_RECORD", currency="", kspay_amount="", difference=""),
        row(7, type="INVALID_RECORD", kspay_amount="", ledger_amount="-2.00", difference="2.00"),
        # Rows of one id, of two currencies.
        row(8, type="INVALID_RECORD", currency="INR;USD", kspay_amount="", difference=""),
        # Joined by hand over two currencies: there is no amount of both.
        row(6, type="DATE_MISMATCH", currency="INR;USD", kspay_amount="5.00", ledger_amount="5.00", difference="0.00"),
    )  # fmt: skip
    assert {money.currency: (money.count, str(money)) for money in page.at_stake} == {
        "INR": (4, "95.00"),
        "USD": (1, "9.00"),
    }
    (invalid,) = (kind for kind in page.kinds if kind.type == "INVALID_RECORD")
    assert {money.currency: money.count for money in invalid.amounts} == {"INR": 1, "": 2}
    assert (page.open, page.without_amount, page.not_listed) == (8, 3, 3)


def test_at_stake_of_a_refund_mismatch_is_what_was_given_back_on_one_side_only(make: Make) -> None:
    wrong = {
        "type": "REFUND_MISMATCH",
        "kspay_amount": "100.00",
        "ledger_amount": "100.00",
        "difference": "0.00",
    }
    page = make(
        row(1, **wrong, kspay_refunded="100.00", ledger_refunded="40.00"),
        row(2, **wrong, kspay_refunded="", ledger_refunded="30.00"),
    )
    assert [str(money) for money in page.at_stake] == ["90.00"]
    assert "for a refund mismatch the difference of what was given back" in render_page(page)


def test_amounts_are_exact_and_sorted_exactly(make: Make) -> None:
    big = ("123456789012345678901234567.01", "123456789012345678901234567.02", "0.10", "0.20")
    page = make(*(row(number, kspay_amount=amount) for number, amount in enumerate(big)))
    assert [str(money.amount) for money in page.at_stake] == ["246913578024691357802469134.33"]
    assert [item.amount for item in page.items] == sorted(map(Decimal, big), reverse=True)
    html = render_page(page)
    assert "24,69,13,57,80,24,69,13,57,80,24,69,134.33" in html


def test_the_largest_of_many_are_those_of_all(make: Make) -> None:
    """Only some are kept while they are read; of equal amounts the first in the file."""
    amounts = [number * 7919 % 83 for number in range(1, 700)]
    rows = [row(number, kspay_amount=f"{value}.00") for number, value in enumerate(amounts)]
    page = make(*rows)
    first = sorted(enumerate(amounts), key=lambda one: -one[1])[:100]
    assert [item.row["transaction_id"] for item in page.items] == [f"tx_{number}" for number, _ in first]
    assert (page.open, page.not_listed, page.without_amount) == (699, 599, 0)


def test_the_largest_are_taken_currency_by_currency(make: Make) -> None:
    rupees = [row(number, kspay_amount=f"{number}.00") for number in range(1, 151)]
    dinars = [row(200 + number, currency="KWD", kspay_amount=f"0.00{number}") for number in range(1, 4)]
    page = make(*rupees, *dinars)
    assert len(page.items) == 100
    assert [str(item) for item in page.items if item.currency == "KWD"] == ["0.003", "0.002", "0.001"]
    assert [item.amount for item in page.items if item.currency == "INR"] == list(range(150, 53, -1))
    assert (page.open, page.not_listed) == (153, 53)


def test_what_is_at_risk_is_listed_first_and_timing_is_not(make: Make) -> None:
    page = make(
        row(1, severity="info", type="TIMING_DIFFERENCE", kspay_amount="900.00"),
        row(2, severity="low", type="DATE_MISMATCH", kspay_amount="800.00"),
        row(3, severity="medium", type="STALE_PENDING", kspay_amount="850.00"),
        row(4, kspay_amount="1.00"),
        row(5, currency="KWD", kspay_amount="0.005"),
        row(6, type="INVALID_RECORD", kspay_amount="2.00", difference=""),
    )
    assert [str(item) for item in page.items] == ["2.00", "1.00", "0.005", "850.00", "800.00"]
    assert [item.rank for item in page.items] == [3, 2, 1, 5, 4]
    assert page.not_listed == 1
    html = render_page(page)
    for step in ("Book it in the ledger.", "Correct it and import again.", "Ask KS Pay about it."):
        assert f'<span class="next">{step}</span></td>' in html


def test_the_first_screen_says_what_is_at_risk_against_the_runs_before(make: Make) -> None:
    def was(day: str, *rows: tuple[str, str, int, str]) -> dict[str, Any]:
        named = ("part", "currency", "count", "amount")
        return {
            "run_id": "r",
            "from": day,
            "to": day,
            "parts": [dict(zip(named, one, strict=True)) for one in rows],
        }

    glance = {
        "last": was("2026-07-31", ("at_risk", "INR", 5, "500.00"), ("to_check", "EUR", 1, "1.00")),
        "month_before": was("2026-07-30"),
    }
    big = "123456789012345678901234567.01"
    page = make(
        row(1, kspay_amount=big), row(2, kspay_amount="0.02"), row(3, currency="KWD", kspay_amount="0.100"),
        row(4, type="INVALID_RECORD", currency="", kspay_amount="", difference=""),
        row(5, severity="info", type="TIMING_DIFFERENCE"), at_a_glance=glance,
    )  # fmt: skip
    found = {
        part.name: (part.count, [(one.currency, str(one)) for one in part.amounts]) for part in page.parts
    }
    assert list(found) == ["at_risk", "to_check", "timing", "in_quarantine"]
    exact = grouped("123456789012345678901234567.03", "INR")
    assert found["at_risk"] == (4, [("INR", exact), ("KWD", "0.100"), ("", "0")])
    assert (found["to_check"][0], found["timing"][0], found["in_quarantine"][0]) == (0, 1, 1)
    html = render_page(page)
    assert html.index("At risk") < html.index("To check") < html.index("Timing") < html.index("In quarantine")
    assert "Last run, 31 Jul 2026: 5 (1 fewer now)" in html
    assert "Last run, 31 Jul 2026: 1 (1 fewer now)" in html
    assert "Month before, 30 Jul 2026: 0 (4 more now)" in html
    assert "<li><span>EUR</span> 1.00</li>" in html


BRIDGE = [
    {"currency": "INR", "line": "kspay_total", "count": 9, "amount": "1234567.00"},
    {"currency": "INR", "line": "missing_in_ledger", "count": 2, "amount": "-34567.00"},
    {"currency": "INR", "line": "tolerated", "count": 1, "amount": "-0.01"},
    {"currency": "INR", "line": "ledger_total", "count": 7, "amount": "1199999.99"},
    {"currency": "KWD", "line": "missing_in_kspay", "count": 1, "amount": "0.100"},
    {"currency": "KWD", "line": "ledger_total", "count": 1, "amount": "0.100"},
]


def test_the_bridge_stands_line_by_line_with_where_its_rows_are(make: Make) -> None:
    html = render_page(make(row(1), bridge=BRIDGE))
    lines = re.findall(
        r'<th scope="row">([^<]*)</th><td class="n" data-label="Records">([^<]*)</td>'
        r'<td class="n" data-label="Amount">([^<]*)</td>',
        html,
    )
    assert lines == [
        ("KS Pay, all transactions", "9", "12,34,567.00"),
        ("Missing in the ledger", "2", "-34,567.00"),
        ("Differences within the tolerance", "1", "-0.01"),
        ("Ledger, all entries", "7", "11,99,999.99"),
        ("Missing at KS Pay", "1", "0.100"),
        ("Ledger, all entries", "1", "0.100"),
    ]
    assert '<a href="#items" data-find="Missing in ledger">' in html
    assert 'id="bridge"' not in render_page(make(row(1)))  # a run of an older version


def test_all_of_it_is_only_all_of_it(make: Make) -> None:
    (share,) = make().kspay
    assert (share.percent, share.of_written) == ("99.9\N{NO-BREAK SPACE}%", "1,000.00")
    assert Share("INR", 1, 1, Decimal(7), Decimal(7)).percent == "100.0\N{NO-BREAK SPACE}%"
    assert Share("INR", 1, 3, Decimal(0), Decimal(0)).percent == "33.3\N{NO-BREAK SPACE}%"


def test_a_run_with_nothing_in_it_has_a_page(make: Make) -> None:
    html = render_page(make(totals=[], by_rule=[], by_payment_method=[], matched={}))
    assert "Nothing is open." in html
    assert "This period has no transactions to match." in html


def test_the_columns_of_the_files_are_explained_folded(make: Make) -> None:
    html = render_page(make(row(1)))
    folded = re.search(r"<details>\s*<summary>What each column.*?</details>", html, re.DOTALL)
    assert folded is not None
    for name in (*DISCREPANCIES, *RESOLVED, *MATCHED, *SUMMARY, *QUARANTINE):
        assert f'<th scope="row" class="mono">{name}</th>' in folded[0], name


def test_the_trend_ends_with_this_run(make: Make) -> None:
    before = [
        {
            "run_id": f"r{number}",
            "to": f"2026-08-{number:02}",
            "open": number,
            "new": 1,
            "cleared": 0,
            "reconciled": [
                {"currency": "INR", "count": 1, "of": 2, "amount": "1.00", "of_amount": "2.00"},
                *([{"currency": "USD", "count": 1, "of": 1, "amount": "1", "of_amount": "1"}] * (number % 2)),
            ],
        }
        for number in range(30, 1, -1)
    ]
    page = make(runs_before=before, discrepancies={"STALE_PENDING": 4})
    assert [night.open for night in page.nights] == [*range(2, 31), 4]
    html = render_page(page)
    assert html.count('class="then"') == 29
    assert "From 2 to 4; at most 30." in html
    assert "From 50.0\N{NO-BREAK SPACE}% to 99.9\N{NO-BREAK SPACE}%" in html


def test_fees_tolerated_differences_and_the_settings_stand_on_it(make: Make) -> None:
    allowed = {"currency": "INR", "fee_matches": 1200, "fees": "128320.00", "tolerated_matches": 2}
    allowed |= {"tolerated": "-0.02", "tolerated_either_way": "0.04"}
    html = render_page(make(allowed=[allowed], settings={"fees: CARD INR": "2 %, and 18 % tax on it"}))
    cells = re.findall(r'<td class="n" data-label="([^"]*)">([^<]*)</td>', html)
    assert ("Matches with a fee", "1,200") in cells
    assert ("Fees", "1,28,320.00") in cells
    assert ("Tolerated matches", "2") in cells
    assert ("Tolerated", "0.04") in cells
    assert "<bdi>fees: CARD INR</bdi></th><td><bdi>2 %, and 18 % tax on it</bdi></td>" in html
    assert "tolerated" not in render_page(make(allowed=[])).lower()


def test_the_same_files_give_the_same_bytes(folder: Callable[[Sequence[dict[str, str]]], Path]) -> None:
    place = folder([row(1), row(2, currency="USD")])
    first = write_page(RUN, place).read_bytes()
    assert write_page(dict(sorted(RUN.items())), place).read_bytes() == first


def test_rupees_are_grouped_in_lakhs() -> None:
    for plain, currency, wanted in (
        ("1234567.00", "INR", "12,34,567.00"),
        ("-123456.50", "INR", "-1,23,456.50"),
        ("999.00", "INR", "999.00"),
        ("1000.00", "INR", "1,000.00"),
        ("100000000", "INR", "10,00,00,000"),
        ("1234567.000", "KWD", "1,234,567.000"),
        ("0", "", "0"),
    ):
        assert grouped(plain, currency) == wanted


def test_a_sum_loses_no_digit() -> None:
    big = Decimal("1234567890123456789012345678.90")
    assert exact_sum([big, Decimal("0.01")]) == Decimal("1234567890123456789012345678.91")
    assert exact_sum([]) == 0


def test_a_cell_is_read_back_as_a_spreadsheet_shows_it() -> None:
    for value in ("0012", 'say "hi"', "=SUM(1+1)", "plain", ""):
        assert shown(text_cell(value)) == value
    assert shown(cell(12)) == "12"


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_all_text_has_contrast_in_both_modes() -> None:
    """WCAG 2.2 AA asks for 4.5 to 1."""
    blocks = re.findall(r":root \{([^}]*)\}", CSS.read_text("utf-8"))
    assert len(blocks) == 3  # light, dark, print
    colours: dict[str, str] = {}
    for block in blocks:
        colours |= dict(re.findall("--([a-z-]+): (#[0-9a-f]{6})", block))
        pairs = [(text, ground) for text in ("ink", "muted", "accent") for ground in ("paper", "card")]
        pairs += [(name, f"{name}-soft") for name in ("high", "medium", "low", "info")]
        for text, ground in pairs:
            light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, colours[text], colours[ground])
