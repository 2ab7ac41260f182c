"""A KS Pay without the calls that a later guide no longer shows, and one whose keys were regenerated."""

from datetime import date

from reconcile.sandbox.behaviour import named
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.support.driver import MakeCommand

DAYS = ("--from", "2026-04-01", "--to", "2026-04-03")


def test_doctor_and_fetch_need_neither_signatures_nor_the_look_up(make_command: MakeCommand) -> None:
    merchant = Merchant.made_up(7, date(2026, 4, 1), 3)
    with serve(merchant, behaviour=named(["sdk", "no-signatures", "no-look-up"])) as sandbox:
        command = make_command(sandbox)
        lines = command.good("doctor").out.splitlines()
        assert [line for line in lines if not line.startswith("ok ")] == []
        command.good("fetch", *DAYS)
        assert sandbox.answers.get(404) is None

        for key in ("KSPAY_ACCESS_KEY", "KSPAY_SECRET_KEY"):
            refused = command("fetch", *DAYS, **{key: "Qold"})
            assert (refused.code, refused.out) == (4, "")
            assert "may have been regenerated at KS Pay, which disables the old one" in refused.complaint
            assert "Qold" not in refused.err
