"""The page in a real browser: quiet, without network, and with the numbers of run.json."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from reconcile.core.money import Currencies, grouped
from reconcile.report.html import write_page
from reconcile.report.statement import Movement, Statement
from reconcile.report.statement_files import render_statement
from tests.support.browser import Tab, browser
from tests.support.driver import Command, Outcome, Report

pytestmark = pytest.mark.desktop

TEXTS = "[...document.querySelectorAll({})].map(one => one.textContent.trim())"


@pytest.fixture(scope="module")
def report(small_run: tuple[Command, Outcome]) -> Report:
    return small_run[0].latest()


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as tab:
        yield tab


@pytest.fixture
def page(tab: Tab, report: Report) -> Tab:
    """The page of the small shop on a wide screen, as it is when it was just opened."""
    tab.said.clear()
    tab.asked.clear()
    tab.size(1280, 900)
    tab.call("Emulation.setEmulatedMedia", media="", features=[])
    tab.open(report.folder / "report.html")
    return tab


def texts(tab: Tab, selector: str) -> list[str]:
    found: list[str] = tab.value(TEXTS.format(f"`{selector}`"))
    return found


def test_it_is_quiet_and_asks_for_nothing(page: Tab, report: Report) -> None:
    page.value("document.querySelector('#largest th button').click()")
    assert page.said == []
    assert page.asked == [(report.folder / "report.html").as_uri()]


def test_the_policy_stops_what_is_not_ours(page: Tab) -> None:
    page.value(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">');"
        " const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
    )
    assert page.value("window.ran === undefined")
    assert "Content Security Policy" in " ".join(page.said)


def test_its_numbers_are_those_of_run_json(page: Tab, report: Report) -> None:
    document = report.document()
    figures = dict(zip(texts(page, ".figures dt"), texts(page, ".figures dd"), strict=True))
    assert figures["Open"] == f"{sum(document['discrepancies'].values()):,}"
    assert figures["New"] == f"{document['new']:,}"
    assert figures["Quarantined in all"] == f"{sum(document['quarantined'].values()):,}"
    parts: dict[str, int] = {}
    for row in document["at_a_glance"]["parts"]:
        parts[row["part"]] = parts.get(row["part"], 0) + row["count"]
    told = dict(zip(texts(page, ".part h3"), texts(page, ".part .big"), strict=True))
    assert told == {
        title: f"{parts.get(title.lower().replace(' ', '_'), 0):,}"
        for title in ("At risk", "To check", "Timing", "In quarantine")
    }

    done: dict[str, Decimal] = {}
    every: dict[str, Decimal] = {}
    for row in document["totals"]:
        if (row["scope"], row["side"]) == ("period", "kspay") and row["outcome"] not in ("excluded", "total"):
            currency, amount = row["currency"], Decimal(row["amount"])
            every[currency] = every.get(currency, Decimal(0)) + amount
            if row["outcome"] in ("matched", "resolved"):
                done[currency] = done.get(currency, Decimal(0)) + amount
    cards = dict(zip(texts(page, ".cards .card h3"), texts(page, ".card .of"), strict=True))
    assert cards == {
        one: f"{grouped(f'{done[one]:f}', one)} of {grouped(f'{every[one]:f}', one)}" for one in cards
    }
    assert set(cards) == {one for one in every if one}

    # By type, from the table; and the control totals with all their outcomes.
    kinds: dict[str, int] = {}
    for row in page.value(
        "[...document.querySelectorAll('.kinds tbody tr:first-child')].map(r =>"
        " [r.cells[0].firstChild.textContent, r.cells[2].textContent])"
    ):
        name = row[0].upper().replace("KS PAY", "KSPAY").replace(" ", "_")
        kinds[name] = kinds.get(name, 0) + int(row[1].replace(",", ""))
    assert kinds == document["discrepancies"]
    totals = page.value(
        "[...document.querySelectorAll('.totals:not(.bridge)')].flatMap(t => [...t.tBodies]).flatMap("
        "b => [...b.rows].slice(1).map("
        "r => [b.rows[0].textContent, ...[...r.cells].map(c => c.textContent)]))"
    )
    expected: dict[tuple[str, str, str], dict[str, tuple[str, str]]] = {}
    for row in document["totals"]:
        place = (row["scope"], row["currency"] or "no currency", row["outcome"])
        expected.setdefault(place, {})[row["side"]] = (
            f"{row['count']:,}",
            grouped(row["amount"], row["currency"]),
        )
    assert sorted(totals) == sorted(
        [
            currency,
            outcome.replace("_", " ").capitalize(),
            *sides.get("kspay", "––"),
            *sides.get("ledger", "––"),
        ]
        for (_, currency, outcome), sides in expected.items()
    )
    stakes = {
        currency: str(sum(Decimal(row["amount"]) for row in document["open"] if row["currency"] == currency))
        for currency in {row["currency"] for row in document["open"]}
    }
    shown = page.value(
        "[...document.querySelectorAll('.kinds tfoot tr')].map(r => [...r.cells].slice(-3).map(c => c.textContent))"
    )
    assert shown
    assert all(amount == grouped(stakes[currency], currency) for currency, _, amount in shown)


def test_search_and_sort(page: Tab, report: Report) -> None:
    rows = report.rows("discrepancies")
    ids = "[...document.querySelectorAll('#largest tbody tr')].filter(r => !r.hidden).map(r => r.id)"
    before = page.value(ids)
    assert len(before) > 10

    def click(column: int) -> list[str]:
        page.value(f"document.querySelectorAll('#largest th button')[{column}].click()")
        found: list[str] = page.value(ids)
        assert sorted(found) == sorted(before)
        return found

    ages = {row["discrepancy_id"]: int(row["age_days"]) for row in rows}
    assert [ages[one] for one in click(2)] == sorted((ages[one] for one in before), reverse=True)
    sort = "document.querySelectorAll('#largest th')[2].getAttribute('aria-sort')"
    assert page.value(sort) == "descending"
    assert [ages[one] for one in click(2)] == sorted(ages[one] for one in before)
    assert page.value(sort) == "ascending"
    ranks = [
        int(one) for one in page.value("[...document.querySelectorAll('.stake')].map(c => c.dataset.key)")
    ]
    click(0)
    assert page.value("[...document.querySelectorAll('.stake')].map(c => +c.dataset.key)") == sorted(
        ranks, reverse=True
    )
    assert page.value(sort) == "none"

    wanted = next(row for row in rows if row["discrepancy_id"] == before[3])
    page.value(
        "const box = document.getElementById('search');"
        f"box.value = {wanted['discrepancy_id'].lower()!r}; box.dispatchEvent(new Event('input'))"
    )
    assert page.value(ids) == [wanted["discrepancy_id"]]
    assert page.value("document.getElementById('found').textContent") == f"1 of {len(before)} shown"


def test_a_line_of_the_bridge_shows_its_rows(page: Tab, report: Report) -> None:
    rows = [row for row in report.rows("discrepancies") if row["type"] == "MISSING_IN_LEDGER"]
    page.value("document.querySelector('a[data-find=\"Missing in ledger\"]').click()")
    shown = page.value(
        "[...document.querySelectorAll('#largest tbody tr')].filter(r => !r.hidden).map(r => r.id)"
    )
    assert sorted(shown) == sorted(row["discrepancy_id"] for row in rows)
    bridge = report.document()["bridge"]
    amounts = page.value(
        "[...document.querySelectorAll('#bridge td[data-label=Amount]')].map(c => c.textContent)"
    )
    assert amounts == [grouped(row["amount"], row["currency"]) for row in bridge]


def test_it_fits_a_phone_and_knows_the_dark(page: Tab) -> None:
    page.size(390, 800)
    assert page.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    amounts = (
        "[...document.querySelectorAll('section:not(#trust) td.n, .sums li, .of, .big')]"
        ".map(e => e.getBoundingClientRect()).filter(b => b.width && b.height)"
    )
    assert page.value(f"{amounts}.length") > 100
    edge = "document.documentElement.clientWidth"
    assert page.value(f"{amounts}.filter(b => b.left < 0 || b.right > {edge}).length") == 0
    light = page.value("getComputedStyle(document.body).backgroundColor")
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    dark = page.value("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", light))) > 700
    assert sum(map(int, re.findall(r"\d+", dark))) < 100
    page.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert page.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert page.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    # No type that is smaller than 9 points, which are 12 pixels.
    small = page.value(
        "[...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 &&"
        " n.textContent.trim()) && e.getClientRects().length && parseFloat(getComputedStyle(e).fontSize) < 11.99)"
        ".map(e => `${e.tagName}.${e.className}`)"
    )
    assert small == []


def test_a_screen_reader_finds_its_way(page: Tab) -> None:
    assert (
        page.value("document.querySelectorAll('main').length + document.querySelectorAll('header').length")
        == 2
    )
    assert page.value(
        "[...document.querySelectorAll('section')].every("
        "s => document.getElementById(s.getAttribute('aria-labelledby')))"
    )
    assert page.value("[...document.querySelectorAll('table')].every(t => t.caption)")
    assert page.value("[...document.querySelectorAll('th')].every(t => t.scope)")
    assert page.value(
        "[...document.querySelectorAll('svg')].every(s => s.getAttribute('role') === 'img' && s.querySelector('title'))"
    )
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    for role in ("main", "navigation", "banner", "searchbox", "columnheader", "rowheader", "table"):
        assert role in roles, role


def test_it_is_whole_without_javascript(page: Tab, report: Report) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(report.folder / "report.html")
        root = page.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        rows = page.call("DOM.querySelectorAll", nodeId=root, selector="#largest tbody tr")["nodeIds"]
        buttons = page.call("DOM.querySelectorAll", nodeId=root, selector="#largest button")["nodeIds"]
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert len(rows) > 10
    assert buttons == []


def test_it_prints_on_a_few_pages(page: Tab, tmp_path: Path) -> None:
    printed = page.call("Page.printToPDF", printBackground=False)["data"]
    assert len(printed) > 20_000


FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
LANDSCAPE, PORTRAIT = 1032, 718
"""How many pixels of A4 are within the margins."""


def on_paper(tab: Tab, path: Path, width: int) -> Tab:
    tab.size(width, 800)
    tab.call("Emulation.setEmulatedMedia", media="print", features=[])
    tab.open(path)
    return tab


def test_all_currencies_stand_on_the_paper(tab: Tab, report: Report, tmp_path: Path) -> None:
    for name in ("discrepancies.csv", "resolved.csv"):
        (tmp_path / name).write_bytes((report.folder / name).read_bytes())
    run = report.document()
    for few in ("totals", "by_rule", "by_payment_method"):
        inr = [row for row in run[few] if row["currency"] == "INR"]
        run[few] += [
            {**row, "currency": f"X{letter}{letter}"} for letter in "ABCDEFGHIJKLMNOPQR" for row in inr
        ]
    paper = on_paper(tab, write_page(run, tmp_path), LANDSCAPE)
    assert paper.value(FITS)
    # Each amount says whose it is, since a header of so many columns has no room.
    amount = next(row for row in run["by_payment_method"] if row["currency"] == "XRR")
    told = paper.value(
        "[...document.querySelectorAll('#matched td[data-label=XRR]')].filter(c => c.getClientRects().length)"
        ".map(c => [getComputedStyle(c, '::before').content, c.firstChild.textContent])"
    )
    assert ['"XRR "', grouped(amount["matched_amount"], "XRR")] in told
    assert "–" not in [text for _, text in told]


def test_a_long_id_pushes_no_amount_off_the_paper(tab: Tab, tmp_path: Path) -> None:
    items = [
        Movement(
            line, "D-ABCDEFGHJKLMNPQRSTUV", "MISSING_IN_KSPAY", "ap_1", "INR", 1, Decimal("1234567.89"), "r",
            date(2026, 8, 31), record="L" * 150, decision="accept", by="P" * 90, note="N" * 200,
        )
        for line in ("new", "closing")
    ]  # fmt: skip
    close = Statement("2026-08", date(2026, 8, 31), {}, {}, [], items)
    path = tmp_path / "statement.html"
    path.write_text(render_statement(close, Currencies()), "utf-8")
    paper = on_paper(tab, path, PORTRAIT)
    assert len(texts(paper, ".behind td.n")) == len(items)
    assert paper.value(FITS)
