"""What the date range filters, where no row shows it: the beginning of one day does, for a few requests."""

from datetime import date
from typing import Any

import pytest

from reconcile.core.records import Period
from reconcile.kspay import Credentials, KSPay
from reconcile.kspay.paging.proofs import COUNTED, TWO_READINGS
from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve

ROWS = 6_000
PAGE_SIZE = 200


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Pacific/Auckland", "Pacific/Niue"])
@pytest.mark.parametrize("filters_by", ["createdAt", "updatedAt"])
def test_rows_that_change_soon_after_their_creation(order: Any, zone: str, filters_by: Any) -> None:
    # One row in 43 s, each changed 90 s later: no row shows which of the two times is filtered.
    merchant = Merchant.made_up(3, date(2026, 4, 1), 3)
    behaviour = Behaviour(
        order=order, zone=zone, filters_by=filters_by, to_date_included=zone != "Pacific/Niue"
    )
    with serve(merchant, behaviour=behaviour, rows=ROWS) as sandbox:
        keys = Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key)
        with KSPay(keys, page_size=PAGE_SIZE) as client:
            pages = client.transactions(Period(merchant.first_day, merchant.last_day))
            assert len({row.values["id"] for page in pages for row in page.rows}) == ROWS
            read = client.windows_read[0]
        if filters_by == "createdAt":
            assert (read.readings, read.proof) == (1, COUNTED)
            assert sum(sandbox.answers.values()) <= ROWS / PAGE_SIZE + 25
        else:
            assert (read.readings, read.proof) == (2, TWO_READINGS)
