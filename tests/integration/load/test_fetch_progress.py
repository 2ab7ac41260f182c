"""What progress says of a window that is read again."""

from datetime import date

import pytest

from reconcile.core.records import Period
from reconcile.kspay import Credentials, KSPay
from reconcile.load.fetch import _pages
from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve


def test_a_further_reading_is_shown_as_what_it_is() -> None:
    merchant = Merchant.made_up(3, date(2026, 4, 1), 3)
    said: list[tuple[str, float | None]] = []
    with (
        serve(merchant, behaviour=Behaviour(filters_by="updatedAt"), rows=1000) as sandbox,
        KSPay(
            Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key),
            page_size=100,
        ) as client,
    ):
        days = Period(merchant.first_day, merchant.last_day)
        pages = list(_pages(client, days, "ap_1", lambda _stage, doing, done: said.append((doing, done))))
    assert sum(map(len, pages)) == 1000
    assert client.windows_read[0].readings == 2
    further = [(words, done) for words, done in said if "window 1 of 1, reading 2 to be certain" in words]
    assert "page 5, 500 of 1,000 records again" in further[4][0]
    assert further[4][1] == pytest.approx(0.5)
    assert "1,000 of 1,000 records again" in further[-1][0]
