"""How many requests a rate limit refuses once the client has learnt it: at most 5 % are allowed.

Against the sandbox with so many requests a second, in a process of its own; every way of waiting, with
and without `Retry-After`, for pages and for single transactions. Exits with 1 if any share is missed.

    python benchmarks/rate_limit.py
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

from reconcile.core.records import Period
from reconcile.kspay import Credentials, KSPay
from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve

A_SECOND = 100
REQUESTS = 1500
WARM = 300
"""Requests in which the limit may be learnt."""
ALLOWED = 0.05


def main() -> int:
    """Measure every case and print it as a row of a Markdown table; 1 if one is missed."""
    merchant = Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=20), 20)
    days = Period(merchant.first_day, merchant.last_day)
    print(f"{A_SECOND} requests a second are granted, {REQUESTS:,} made: pages 4 at once, ids one by one.")
    print(f"At first: {WARM} requests in which the limit is learnt\n")
    print("| asked for | back-off | Retry-After | refused at first | refused, then | a second |")
    print("|---|---|---|---|---|---|")
    missed = False
    for pages, backoff, says in product((True, False), (0.01, 0.5, 5.0), (True, False)):
        behaviour = Behaviour(requests_a_second=A_SECOND, retry_after=says)
        with serve(merchant, behaviour=behaviour, rows=REQUESTS if pages else None) as sandbox:
            warm, steady, pace = measured(sandbox, merchant, days, backoff, pages=pages)
        missed = missed or steady > ALLOWED
        what = "pages" if pages else "ids"
        print(
            f"| {what} | {backoff:g} s | {'yes' if says else 'no'} | {warm:.1%} | {steady:.1%} | {pace:.0f} |"
        )
    print(f"\n{'MISSED' if missed else 'Met'}: at most {ALLOWED:.0%} refused once the limit is learnt")
    return int(missed)


def measured(
    sandbox: Sandbox, merchant: Merchant, days: Period, backoff: float, *, pages: bool
) -> tuple[float, float, float]:
    """The share of requests refused at first and from then on, and how many a second were granted then."""
    credentials = Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key)
    with KSPay(
        credentials, page_size=1, concurrency=4, give_up_seconds=600, backoff_seconds=backoff
    ) as kspay:
        asked: Iterator[object]
        if pages:
            asked = kspay.transactions(days)
        else:
            ids = [record["id"] for record in merchant.transactions if record["id"]]
            asked = (kspay.transaction(ids[number % len(ids)]) for number in range(REQUESTS))
        counts, since = None, 0.0
        for number, _ in enumerate(asked, 1):
            if number == WARM:
                counts, since = sandbox.answers, datetime.now(UTC).timestamp()
        ended = datetime.now(UTC).timestamp()
    answers = sandbox.answers
    assert counts is not None
    warm, all_of_them = counts.get(429, 0), answers.get(429, 0)
    then = sum(answers.values()) - sum(counts.values())
    granted = then - (all_of_them - warm)
    return warm / sum(counts.values()), (all_of_them - warm) / then, granted / (ended - since)


if __name__ == "__main__":
    sys.exit(main())
