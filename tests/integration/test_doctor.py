"""`reconcile doctor` matches everything again, and says where the stored matches differ."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from reconcile.core.errors import CheckFailed
from reconcile.core.progress import silent
from reconcile.db.locks import match_locks
from reconcile.doctor import totals
from reconcile.match.policy import state_policy
from tests.support.desk import Desk
from tests.support.stories import of, story
from tests.support.worlds import entry, tx

ALTERED = {
    "unpaired": "delete from pairings"
    " where transaction_no = (select number from transactions where app_id = :app)",
    "by_hand": "update pairings set rule = 'manual'"
    " where transaction_no = (select number from transactions where app_id = :app)",
    "otherwise": "update findings set kind = 'CURRENCY_MISMATCH' where app_id = :app",
    "not_found": "delete from findings where app_id = :app",
}
"""By app, what is done to it."""


def test_doctor_finds_what_was_altered_behind_our_back(fresh_engine: Engine, tmp_path: Path) -> None:
    desk = Desk(fresh_engine, tmp_path, None, *ALTERED)
    settings = replace(desk.settings, app_ids=desk.apps)
    desk.night(
        [tx(number, app=app) for number, app in enumerate(ALTERED)],
        [entry(number, amount="90", app=app) for number, app in enumerate(ALTERED)],
    )
    assert "totals are conserved" in totals(fresh_engine, settings)
    for number, (app, statement) in enumerate(ALTERED.items()):
        with fresh_engine.begin() as connection:
            assert connection.execute(text(statement), {"app": app}).rowcount == 1
        with pytest.raises(
            CheckFailed,
            match=r"the stored matches of .* differ from those of matching everything again",
        ) as found:
            totals(fresh_engine, replace(settings, app_ids=(app,)))
        assert set(re.findall(r"tx_\d+", str(found.value))) == {f"tx_{number}"}  # those before stay altered


def test_what_an_earlier_release_matched_is_matched_anew(desk: Desk) -> None:
    settings = replace(desk.settings, app_ids=desk.apps)
    desk.night(
        of(desk, tx(1, "A", order="o1")),
        of(desk, entry(1, "B", currency="USD", order="o1"), entry(2, "C", "9", family="unpaid", order="o1")),
    )
    with desk.engine.begin() as connection:
        # As the order of then had it, under the fingerprint of then: the settings alone.
        connection.execute(
            text(
                "update pairings set entry_no = (select number from entries where app_id = :app and ledger_id = 'L2')"
                " where transaction_no = (select number from transactions where app_id = :app)"
            ),
            {"app": desk.apps[0]},
        )
        state_policy(connection, settings, desk.apps)
        connection.execute(
            text(
                "update matched_policies set policy = encode(sha256(convert_to(jsonb_build_array("
                "(select to_jsonb(p) - 'app_ids' from policy p),"
                ' (select jsonb_agg(to_jsonb(f) order by f.side, f.status collate "C") from status_family f),'
                ' (select jsonb_agg(to_jsonb(t) order by t.currency collate "C") from tolerance t))::text,'
                " 'UTF8')), 'hex') where app_id = :app"
            ),
            {"app": desk.apps[0]},
        )
    assert "totals are conserved" in totals(desk.engine, settings)  # nobody altered anything
    desk.night()
    assert desk.pairs == {("provider_id", "tx_1", "L1")}
    assert "totals are conserved" in totals(desk.engine, settings)


def test_doctor_waits_for_a_run_that_matches(desk: Desk) -> None:
    settings = replace(desk.settings, app_ids=desk.apps)
    desk.night(of(desk, tx(1)), of(desk, entry(1)))
    said: list[tuple[str, str, float | None]] = []
    with ThreadPoolExecutor(1) as pool:
        with match_locks(desk.engine, desk.apps, silent):
            looking = pool.submit(totals, desk.engine, settings, lambda *told: said.append(told))
            with pytest.raises(TimeoutError):
                looking.result(1.5)
        assert "totals are conserved" in looking.result(60)
    says = f"another run, trial or check matches the records of app {desk.apps[0]}"
    assert {*said} == {("wait", says, None)}


@story
def test_doctor_is_not_alarmed_by_a_decision_that_no_run_has_seen_yet(desk: Desk) -> None:
    settings = replace(desk.settings, app_ids=desk.apps)
    desk.night(of(desk, tx(1, "A")), of(desk, entry(1, "B")))
    desk.resolve(desk.one("MISSING_IN_LEDGER") | {"resolution": "match:L1"})
    assert "totals are conserved" in totals(desk.engine, settings)
    desk.night()
    assert "totals are conserved" in totals(desk.engine, settings)
