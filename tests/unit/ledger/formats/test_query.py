"""A ledger that is a query: what fails is said in one line without a secret."""

import pytest

from reconcile.core.errors import ReconcileError
from reconcile.core.money import Currencies
from reconcile.ledger.open import open_query_ledger
from reconcile.ledger.profile import read_profile


@pytest.mark.parametrize(
    ("table", "environ", "says"),
    [
        ({"url": "postgresql://u:s3cr3t@127.0.0.1:1/x?application_name=h1dden"}, {}, "the query cannot be read"),
        ({"url": "not a url s3cr3t"}, {}, "is not a database URL"),
        ({"url": "nosuch://u:s3cr3t@host/x"}, {}, "url:"),
        ({"url": "sqlite:///missing.db"}, {}, "there is no SQLite file missing.db"),
        ({"url_env": "SHOP_URL"}, {}, "SHOP_URL is not set"),
        ({"url_env": "SHOP_URL"}, {"SHOP_URL": "postgresql://u:s3cr3t@127.0.0.1:1/x"}, "the query cannot be read"),
        ({"url_file": "nowhere"}, {}, "nowhere cannot be read"),
        ({"url": "sqlite://", "query": "select 1 as ledger_id"}, {}, "lacks the columns amount, date"),
        ({"url": "sqlite://", "query": "selekt"}, {}, "syntax error"),
    ],
)  # fmt: skip
def test_a_query_that_fails_says_no_secret(
    table: dict[str, object], environ: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    profile = read_profile("shop", {"query": "select 1", **table}, Currencies())
    with pytest.raises(ReconcileError) as failed:
        open_query_ledger(profile)
    line = str(failed.value)
    assert line.startswith("[ledger.shop]")
    assert says in line
    assert "s3cr3t" not in line + repr(profile)
    assert "h1dden" not in line
    assert "\n" not in line
