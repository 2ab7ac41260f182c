"""No secret is found in anything that the command writes, wherever it is looked for."""

import re

from tests.support.driver import Command, Outcome, Shop

TOKEN = re.compile(rb"eyJ[\w-]{8,}\.[\w-]{8,}")  # a JSON Web Token, as the server gives them


def secrets(shop: Shop) -> list[bytes]:
    """The keys, and the signatures of the merchant's transactions."""
    merchant, sandbox = shop
    signatures = {str(record["signature"]) for record in merchant.transactions if record["signature"]}
    assert len(signatures) > 100
    return [text.encode() for text in (sandbox.access_key, sandbox.secret_key, *signatures)]


def test_no_secret_in_any_file(small_shop: Shop, small_run: tuple[Command, Outcome]) -> None:
    # The server was stopped after the run, so all of its pages are in its files.
    command, _ = small_run
    assert command.postmasters() == []
    needles = re.compile(b"|".join(map(re.escape, secrets(small_shop))))
    files = [path for path in command.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    known = small_shop[0].transactions[50]["id"].encode()
    holding = []
    for path in files:
        content = path.read_bytes()
        assert needles.search(content) is None, path
        assert TOKEN.search(content) is None, path
        if known in content:
            holding.append(path)
    # The search is one that finds: the ids that stand beside the signatures are there.
    assert any(command.home in path.parents for path in holding)
    assert any(path.name == "matched.csv" for path in holding)


def test_no_secret_in_what_is_said(small_shop: Shop, small_run: tuple[Command, Outcome]) -> None:
    _, ran = small_run
    for text in (ran.out.encode(), ran.err.encode()):
        assert TOKEN.search(text) is None
        assert [one for one in secrets(small_shop) if one in text] == []


def test_the_quarantine_shows_the_record_without_its_signature(
    small_shop: Shop, small_run: tuple[Command, Outcome]
) -> None:
    rows = [row for row in small_run[0].latest().rows("quarantine") if row["side"] == "kspay"]
    assert rows
    for row in rows:
        assert '"amount":' in row["raw"]
        assert "sandbox_signature" not in row["raw"]


def test_the_embedded_database_is_for_its_owner_alone(small_run: tuple[Command, Outcome]) -> None:
    home = small_run[0].home
    assert oct(home.stat().st_mode & 0o077) == "0o0"
    assert oct((home / "postgres.password").stat().st_mode & 0o077) == "0o0"
