"""A KS Pay that is not there, refuses, or talks nonsense: exit code 4, call and status named, no report."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.support.driver import Command, MakeCommand, Outcome, Shop
from tests.support.gate import Hold, Spoil, gate

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")
HTML = b"<!doctype html><html><head><title>Sign in</title></head></html>"
TOKEN_CALL = "POST /auth/generate-token/"
CURRENCIES = "GET /currencies"
LISTING = "GET /transaction 2026-"


@dataclass(frozen=True)
class Case:
    """What stands between the command and KS Pay, and what the line must say."""

    spoil: Spoil | None
    says: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)


def instead(beginning: str, status: int, body: bytes) -> Spoil:
    """This answer to every call whose path begins so."""
    return lambda path, honest: (status, body) if path.startswith(beginning) else honest


def error(status: int, code: int, message: str) -> bytes:
    return json.dumps({"status": status, "code": code, "message": message}).encode()


def cut(path: str, body: bytes) -> bytes:
    return (
        body[: len(body) // 2]
        if body.startswith(b'{"status":200') and path.startswith("/transaction?")
        else body
    )


def broken_off_at_page_2(path: str, body: bytes) -> bytes | None:
    return None if path.startswith("/transaction?") and "page=2" in path else body


class Parrot:
    """Refuses every listing and repeats the tokens that it gave, as a careless server might."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def __call__(self, path: str, body: bytes) -> tuple[int, bytes] | bytes:
        if path.startswith("/auth/"):
            self.tokens += json.loads(body)["result"].values()
            return body
        return 400, error(400, 11007, f"no good: {' '.join(self.tokens)}")


PARROT = Parrot()
SILENT = Hold("/currencies")

CASES = {
    "wrong secret key": Case(
        None, (TOKEN_CALL, "status 4", "KSPAY_SECRET_KEY", "regenerated"), {"KSPAY_SECRET_KEY": "Qwrong"}
    ),
    "a web page for everything": Case(instead("/", 200, HTML), (TOKEN_CALL, "status 200", "KSPAY_BASE_URL")),
    "a web page for the list": Case(instead("/transaction?", 200, HTML), (LISTING, "status 200")),
    "a list that is cut off": Case(cut, (LISTING, "page 1", "status 200")),
    "no token": Case(instead("/auth", 201, b'{"status":201,"result":{}}'), (TOKEN_CALL, "status 201")),
    "a fault of the server": Case(
        instead("/transaction?", 500, error(500, 1, "oh no")), (LISTING, "status 500", "oh no")
    ),
    "too many requests": Case(
        instead("/transaction?", 429, error(429, 11005, "Too many requests")), (LISTING, "status 429", "code 11005")
    ),
    "broken off on the way": Case(broken_off_at_page_2, (LISTING, "page 2"), {"RECONCILE_PAGE_SIZE": "40"}),
    "a server that repeats secrets": Case(PARROT, (CURRENCIES, "status 400", "code 11007")),
    "no answer": Case(SILENT, (CURRENCIES, "RECONCILE_GIVE_UP_SECONDS")),
}  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(
    calm_shop: Shop, make_command: MakeCommand, make_database: Callable[[], str]
) -> Iterator[dict[str, tuple[Outcome, Command]]]:
    merchant, sandbox = calm_shop
    with ExitStack() as stack:
        commands = {}
        for name, case in CASES.items():
            at = stack.enter_context(gate(sandbox, case.spoil)) if case.spoil else sandbox
            commands[name] = make_command(
                at, RECONCILE_GIVE_UP_SECONDS="1", RECONCILE_DATABASE_URL=make_database()
            )
            commands[name].settings |= case.settings
            merchant.write_ledger(commands[name].folder / "ledger.csv")

        def call(name: str) -> tuple[Outcome, Command]:
            command = commands[name]
            return command("run", *DAYS, "--ledger", "ledger.csv", "--json"), command

        with ThreadPoolExecutor(2) as pool:
            yield dict(zip(CASES, pool.map(call, CASES), strict=True))
        SILENT.go.set()


@pytest.mark.parametrize("name", CASES)
def test_refused_with_one_line(
    calm_shop: Shop, outcomes: dict[str, tuple[Outcome, Command]], name: str
) -> None:
    outcome, command = outcomes[name]
    assert (outcome.code, outcome.out) == (4, ""), outcome
    for word in CASES[name].says:
        assert word in outcome.complaint
    for secret in (calm_shop[1].access_key, calm_shop[1].secret_key, "Qwrong", "eyJ"):
        assert secret not in outcome.err
    assert list((command.folder / "reports").glob("*")) == []
    assert list((command.folder / "reports").glob(".*")) == []


def test_what_fails_after_a_good_run_leaves_all_as_it_was(calm_shop: Shop, make_command: MakeCommand) -> None:
    merchant, sandbox = calm_shop
    command = make_command(sandbox, RECONCILE_GIVE_UP_SECONDS="1", RECONCILE_PAGE_SIZE="40")
    merchant.write_ledger(command.folder / "ledger.csv")
    command.good("run", *DAYS, "--ledger", "ledger.csv")
    before = {path: path.stat().st_mtime_ns for path in (command.folder / "reports").rglob("*")}
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    outcome = command("run", *DAYS, KSPAY_BASE_URL=f"http://127.0.0.1:{port}/v1")
    assert (outcome.code, outcome.out) == (4, "")
    assert TOKEN_CALL in outcome.complaint
    assert "refused" in outcome.complaint
    assert {path: path.stat().st_mtime_ns for path in (command.folder / "reports").rglob("*")} == before
    shown = command.good("show", "2026-04-01_2026-04-05_2").out
    assert "failed" in shown
    assert "refused" in shown
    assert "2026-04-01_2026-04-05_1: run, finished" in command.good("show", "latest").out
