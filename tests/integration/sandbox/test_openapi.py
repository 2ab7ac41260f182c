"""The server does what its own OpenAPI description says, as schemathesis finds by trying all its checks.

Two of them are left out, for KS Pay documents otherwise: a missing token is a 400 (9000) where `ignored_auth` and
`missing_required_header` want a 401. That every call refuses a missing, a foreign and an expired token is
tested in test_sandbox_refusals.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.sandbox_caller import TIMEOUT, calling, hundred_days


def test_the_description_names_every_call() -> None:
    with calling(hundred_days()) as caller:
        root = caller.sandbox.base_url.removesuffix("/v1")
        described = requests.get(f"{root}/openapi.json", timeout=TIMEOUT).json()
    assert described["openapi"] == "3.1.0"
    assert described["servers"] == [{"url": root + "/v1"}]
    assert sum(len(operations) for operations in described["paths"].values()) == 10


NOT_ASKED_FOR = """
[checks]
ignored_auth.enabled = false
missing_required_header.enabled = false
"""
STRANGER = """
# Whatever the values, a stranger is refused with 400 (9000).
positive_data_acceptance.enabled = false
"""
MERCHANT = """
# Here a 400 is documented for values that each field's schema allows: rules over both dates (11006 to 11011),
# the id of no currency (1052), more decimals than the currency has (-19).
[[operations]]
include-operation-id = ["list_transactions", "list_payment_methods", "initiate"]
checks.positive_data_acceptance.enabled = false

[[operations]]
include-operation-id = "refresh_token"
headers = {{ Authorization = "{refresh}" }}

[headers]
Authorization = "Bearer {access}"
x-signature = "{signature}"
"""


@pytest.mark.parametrize(("logged_in", "examples"), [(False, 2), (True, 8)], ids=["a stranger", "a merchant"])
def test_schemathesis_finds_nothing(tmp_path: Path, logged_in: bool, examples: int) -> None:
    """A stranger is refused whatever the values, so few are tried of them, beside those of each field's borders."""
    with calling(hundred_days()) as caller:
        config = NOT_ASKED_FOR + STRANGER
        if logged_in:
            pair = caller.good("POST", f"/auth/generate-token/{caller.sandbox.app_id}", 201, json=caller.keys)
            config = NOT_ASKED_FOR + MERCHANT.format(
                refresh=pair["refreshToken"], access=caller.token, signature=caller.signed()["x-signature"]
            )
        (tmp_path / "schemathesis.toml").write_text(config)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                caller.sandbox.base_url.removesuffix("/v1") + "/openapi.json",
                *(
                    "--max-examples",
                    str(examples),
                    "--seed",
                    "1",
                    "--generation-database",
                    "none",
                    "--no-color",
                ),
            ],
            cwd=tmp_path,
            env=os.environ | {"SCHEMATHESIS_HOOKS": "", "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        answers = caller.sandbox.answers
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    if logged_in:  # the calls were carried out, not only refused
        assert answers[200] > 30
        assert answers[201] > 10
