"""The redirect after a payment: read, and refused by name where KS Pay cannot have sent it."""

import pytest

from reconcile.core.errors import InputRefused
from reconcile.core.records import Family
from reconcile.kspay import RedirectError, parse_redirect

QUERY = "payment_status=success&kspay_id=tx_aNNJ7BJbt&provider_payment_id=pay_P4sEpHDzofjQwV"


@pytest.mark.parametrize(
    "text",
    [
        QUERY,
        "?" + QUERY,
        "https://shop.example/thanks?" + QUERY,
        "/thanks?order=7&order=8&note=&" + QUERY + "#top",
        QUERY.replace("tx_", "%74x_"),
    ],
)
def test_it_is_read(text: str) -> None:
    redirect = parse_redirect(text)
    assert (redirect.payment_status, redirect.family) == ("success", Family.PAID)
    assert (redirect.transaction_id, redirect.provider_payment_id) == ("tx_aNNJ7BJbt", "pay_P4sEpHDzofjQwV")


@pytest.mark.parametrize(
    ("status", "family"), [("FAILED", Family.FAILED), ("pending", Family.PENDING), ("huh", Family.UNKNOWN)]
)
def test_the_status_has_a_family(status: str, family: Family) -> None:
    assert parse_redirect(QUERY.replace("success", status)).family is family


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no payment_status"),
        ("https://shop.example/thanks", "has no payment_status"),
        ("https://shop.example/payment_status=success&kspay_id=tx_1", "has no payment_status"),
        (QUERY.replace("kspay_id", "id"), "has no kspay_id"),
        (QUERY.replace("provider_payment_id", "x"), "has no provider_payment_id"),
        (QUERY + "&kspay_id=tx_other", "kspay_id 2 times"),
        (QUERY + "&payment_status=success", "payment_status 2 times"),
        (QUERY + "&kspay_id=", "kspay_id 2 times"),
        (QUERY.replace("success", "+%20"), "payment_status is blank"),
        (QUERY.replace("pay_P4sEpHDzofjQwV", ""), "provider_payment_id is blank"),
        (QUERY.replace("tx_aNNJ7BJbt", "aNNJ7BJbt"), "no transaction id"),
        (QUERY.replace("tx_aNNJ7BJbt", "tx_"), "no transaction id"),
        (QUERY.replace("tx_aNNJ7BJbt", "tx_a/../b"), "no transaction id"),
        (QUERY.replace("tx_aNNJ7BJbt", "tx_" + "a" * 65), "no transaction id"),
        (QUERY.replace("success", "suc%00cess"), "payment_status is too long or holds control"),
        (QUERY.replace("success", "s" * 300), "payment_status is too long"),
        (QUERY.replace("success", "%ff"), "not UTF-8"),
        (QUERY + "&a=1" * 200, "too many fields"),
    ],
)
def test_it_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(RedirectError, match=words) as caught:
        parse_redirect(text)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, InputRefused)
    assert "shop.example" not in str(caught.value)
