"""A payment that changes weeks later is seen: by reading older days again, and by asking for it by id."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconcile.core.records import Period
from reconcile.load.refetch_schedule import days_to_refetch, turns_since
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.support.driver import Command, MakeCommand, keys

DAY = timedelta(days=1)
KOLKATA = ZoneInfo("Asia/Kolkata")


def business_date(record: dict[str, Any]) -> date:
    return datetime.fromisoformat(record["createdAt"]).astimezone(KOLKATA).date()


class LateChanges:
    """A merchant of 100 days, all covered by one run; then two payments change far back, and a night follows."""

    def __init__(self, command: Command) -> None:
        last = datetime.now(UTC).date() - DAY
        first = last - 99 * DAY  # more than the re-read days, so that every turn has days to read again
        merchant = Merchant.made_up(5, first, 100)
        merchant.write_ledger(command.folder / "ledger.csv")
        turns = turns_since(last, last)
        (block, *_) = days_to_refetch([Period(first, last)], 90, last - 9 * DAY, last, turns)
        planted = {transaction_id for case in merchant.planted for transaction_id in case.transaction_ids}
        clean = [
            record
            for record in merchant.transactions
            if record["id"] not in planted
            and record["currencyCode"] == "INR"
            and str(record["status"]).lower() == "success"
        ]
        self.refunded = next(r for r in clean if block.first <= business_date(r) <= block.last)["id"]
        away = [r for r in clean if not block.first - 3 * DAY <= business_date(r) <= block.last + 3 * DAY]
        self.unseen = next(r for r in away if business_date(r) < last - 20 * DAY)["id"]
        # Alone at KS Pay, on no day that the night fetches, and of the re-read days: older ones take turns.
        self.stale = next(
            case.transaction_ids[0]
            for case in merchant.planted
            if case.type == "STALE_PENDING"
            and not case.ledger_ids
            and any(r["id"] == case.transaction_ids[0] for r in merchant.transactions)
            and not any(
                r["id"] == case.transaction_ids[0]
                and (
                    block.first - 3 * DAY <= business_date(r) <= block.last + 3 * DAY
                    or not last - 85 * DAY < business_date(r) <= last - 14 * DAY
                )
                for r in merchant.transactions
            )
        )
        with serve(merchant) as sandbox:
            command.settings |= keys(sandbox) | {"RECONCILE_LEDGER": "ledger.csv"}
            command.good("run", "--from", str(first), "--to", str(last))
            self.before = command.latest()
            for transaction_id in (self.refunded, self.unseen):
                sandbox.change(transaction_id, status="refunded")
            sandbox.change(self.stale, status="success")
            asked = sandbox.requests.get("by_id", 0)
            command.good("run")
            self.asked = sandbox.requests["by_id"] - asked
            self.after = command.latest()

    def types(self, transaction_id: str) -> set[str]:
        return {
            row["type"] for row in self.after.rows("discrepancies") if row["transaction_id"] == transaction_id
        }


@pytest.fixture(scope="module")
def late(make_command: MakeCommand) -> LateChanges:
    return LateChanges(make_command())


def test_a_refund_of_weeks_ago_is_seen_where_it_is_the_turn_of_its_days(late: LateChanges) -> None:
    assert late.types(late.refunded) == {"STATUS_MISMATCH"}
    assert len(late.after.document()["fetched"][0]["utc_days"]) > 1


def test_a_pending_payment_that_was_paid_is_asked_for_by_id(late: LateChanges) -> None:
    before = {row["transaction_id"]: row["type"] for row in late.before.rows("discrepancies")}
    assert before[late.stale] == "STALE_PENDING"
    # Paid now, and not booked; where its reference was paid before, it is a second payment.
    (found,) = late.types(late.stale)
    assert found in ("MISSING_IN_LEDGER", "DUPLICATE_IN_KSPAY")
    assert late.asked == late.after.document()["fetched"][0]["asked_by_id"] > 0


def test_other_days_wait_for_their_turn(late: LateChanges) -> None:
    assert late.types(late.unseen) == set()


def test_the_discrepancy_keeps_its_id_while_its_type_changes(late: LateChanges) -> None:
    ids = [
        {row["transaction_id"]: row["discrepancy_id"] for row in report.rows("discrepancies")}
        for report in (late.before, late.after)
    ]
    assert ids[0][late.stale] == ids[1][late.stale]
