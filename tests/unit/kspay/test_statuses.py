"""What KS Pay's statuses mean, to the client as to the reconciliation."""

import pytest

from reconcile.core.records import Family, Side
from reconcile.kspay.statuses import STATUS_WORDS, family_of
from reconcile.settings import Settings


@pytest.mark.parametrize(
    "written",
    [
        "partially_refunded",
        "Partially Refunded",
        "PARTIALLY-REFUNDED",
        " refunded\xa0",
        "partially\nrefunded",
    ],
)
def test_case_blanks_hyphens_and_underscores_do_not_count(written: str) -> None:
    assert family_of(written) is Family.REFUNDED


@pytest.mark.parametrize("written", ["", "part refunded", "paid?", None, 7])
def test_any_other_word_is_unknown(written: object) -> None:
    assert family_of(written) is Family.UNKNOWN


def test_the_client_and_the_reconciliation_agree() -> None:
    families = Settings().families
    for words in STATUS_WORDS.values():
        for word in words:
            assert family_of(word) is families[Side.KSPAY, word]
