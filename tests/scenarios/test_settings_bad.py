"""Wrong use and wrong settings: the exit code, one line that names what and where, and no secret in it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.driver import MakeCommand, Outcome, Shop

SECRETS = ("QacC3ssQ", "QS3cretQ", "QpassW0rdQ")
KEYS = {
    "KSPAY_BASE_URL": "https://kspay.invalid/v1",
    "KSPAY_APP_ID": "ap_mPFz05qW2",
    "KSPAY_ACCESS_KEY": SECRETS[0],
    "KSPAY_SECRET_KEY": SECRETS[1],
}
TOMORROW = str(datetime.now(UTC).date() + timedelta(days=2))  # a future day in every time zone
RUN = ("run", "--from", "2026-08-01", "--to", "2026-08-31", "--ledger", "ledger.csv")
LEDGER = "ledger_id,amount,currency,date\nV-1,12.50,INR,2026-08-02\n"


@dataclass(frozen=True)
class Case:
    """A call that must be refused with exit code 2."""

    arguments: tuple[str, ...]
    says: tuple[str, ...]
    """Words that its line must hold."""
    settings: dict[str, str | None] = field(default_factory=dict)
    toml: str | None = None


def setting(name: str, value: str | None, *says: str, arguments: tuple[str, ...] = RUN) -> Case:
    return Case(arguments, (name, *says), {name: value})


def toml(text: str, *says: str, **settings: str | None) -> Case:
    return Case(RUN, ("reconcile.toml", *says), settings, text)


APP = '[[apps]]\nbase_url = "https://kspay.invalid"\napp_id = "ap_mPFz05qW2"\naccess_key = "QacC3ssQ"\n'
NO_KEYS: dict[str, str | None] = dict.fromkeys(KEYS)

CASES = {
    # Settings that are missing
    **{f"no {name}": setting(name, None, "is not set") for name in KEYS},
    **{f"empty {name}": setting(name, "", "is not set") for name in KEYS},
    "no keys at all": Case(RUN, tuple(KEYS), NO_KEYS),
    "no keys to fetch with": Case(("fetch",), tuple(KEYS), NO_KEYS),
    "no app to import for": Case(("ledger", "import", "ledger.csv"), ("KSPAY_APP_ID",), {"KSPAY_APP_ID": None}),
    # Settings that are wrong
    "key with a line break": setting("KSPAY_SECRET_KEY", "QS3cretQ\nX"),
    "app id that is a path": setting("KSPAY_APP_ID", "ap_1/../x"),
    "plain http": setting("KSPAY_BASE_URL", "http://kspay.invalid/v1", "kspay.invalid", "https://"),
    "plain http to a name like a loopback": setting("KSPAY_BASE_URL", "http://127.0.0.1.invalid/v1", "https://"),
    "ftp": setting("KSPAY_BASE_URL", "ftp://kspay.invalid/v1", "https://"),
    "address with a password": setting("KSPAY_BASE_URL", "https://user:QpassW0rdQ@kspay.invalid"),
    **{
        f"{name} {value}": setting(name, value, repr(value))
        for name, values in {
            "RECONCILE_LOOKBACK_DAYS": ("0", "7.5"),
            "RECONCILE_PAGE_SIZE": ("0", "1e2"),
            "RECONCILE_GIVE_UP_SECONDS": ("2m",),
            "RECONCILE_DATE_TOLERANCE_DAYS": ("-3",),
            "RECONCILE_DUPLICATE_DAYS": ("x",),
            "RECONCILE_GRACE_DAYS": ("٣",),
            "RECONCILE_STALE_PENDING_HOURS": ("9" * 40,),
            "RECONCILE_TIMEZONE": ("Mars/Olympus", "../../etc/passwd", "localtime", "posixrules", "Factory"),
            "RECONCILE_AMOUNT_TOLERANCE": ("-1", "1,5", "NaN"),
            "RECONCILE_CSV": ("tab", ";"),
        }.items()
        for value in values
    },
    **{
        f"report address {value}": setting("RECONCILE_REPORT_URL", value, "https://")
        for value in ("javascript:alert(1)", "books.example", "https://", "ftp://:QpassW0rdQ@books.example")
    },
    "tolerance of an unknown currency": setting("RECONCILE_AMOUNT_TOLERANCE", "INR=1,XBT=2", "XBT"),
    "tolerance named twice": setting("RECONCILE_AMOUNT_TOLERANCE", "INR=1,inr=2", "INR"),
    "ledger of the settings is missing": Case(RUN[:-2], ("nowhere.csv",), {"RECONCILE_LEDGER": "nowhere.csv"}),
    # The database
    "database URL that is none": setting("RECONCILE_DATABASE_URL", "QpassW0rdQ"),
    "another database": setting("RECONCILE_DATABASE_URL", "mysql://me:QpassW0rdQ@localhost/x", "PostgreSQL"),
    "database that is not there": setting(
        "RECONCILE_DATABASE_URL", "postgresql://me:QpassW0rdQ@127.0.0.1:1/x", "127.0.0.1", arguments=("runs",)
    ),
    "database port that is none": setting(
        "RECONCILE_DATABASE_URL", "postgresql://me:QpassW0rdQ@127.0.0.1:x/x", "URL"
    ),
    "database password with an @": setting(
        "RECONCILE_DATABASE_URL", "postgresql://me:half@QpassW0rdQ@127.0.0.1:1/x", arguments=("runs",)
    ),
    "database password with an @ and a colon": setting(
        "RECONCILE_DATABASE_URL", "postgresql://me:half@and:QpassW0rdQ@127.0.0.1/x", arguments=("runs",)
    ),
    "database option that is none": setting(
        "RECONCILE_DATABASE_URL", "postgresql://me:QpassW0rdQ@127.0.0.1/x?bogus=QpassW0rdQ", arguments=("runs",)
    ),
    "home that is a file": Case(("runs",), ("ledger.csv",), {"RECONCILE_HOME": "ledger.csv"}),
    # Secrets in files
    "secret file that is missing": Case(
        RUN, ("KSPAY_SECRET_KEY_FILE", "missing.txt"),
        {"KSPAY_SECRET_KEY": None, "KSPAY_SECRET_KEY_FILE": "missing.txt"},
    ),
    "secret file that is empty": Case(
        RUN, ("KSPAY_SECRET_KEY",), {"KSPAY_SECRET_KEY": None, "KSPAY_SECRET_KEY_FILE": "/dev/null"}
    ),
    "secret twice": Case(
        RUN, ("KSPAY_SECRET_KEY", "KSPAY_SECRET_KEY_FILE"), {"KSPAY_SECRET_KEY_FILE": "ledger.csv"}
    ),
    # reconcile.toml
    "broken toml": toml("RECONCILE_PAGE_SIZE = \n", "line 1"),
    "unknown key": toml("RECONCILE_PAGESIZE = 5\n", "RECONCILE_PAGESIZE"),
    "wrong value in toml": toml('RECONCILE_LOOKBACK_DAYS = "week"\n', "RECONCILE_LOOKBACK_DAYS"),
    "list for a setting": toml("RECONCILE_LOOKBACK_DAYS = [1]\n", "RECONCILE_LOOKBACK_DAYS"),
    "toml of another encoding": toml("\udcff", "save it as UTF-8"),
    "toml with a byte-order mark": toml(
        '\ufeffRECONCILE_LOOKBACK_DAYS = "week"\n', "RECONCILE_LOOKBACK_DAYS"
    ),
    "fees that overlap": toml(
        '[[fees]]\ncurrency = "INR"\npercent = 2\n' * 2, "number 1 and number 2", "any other payment method INR"
    ),
    "fee without a currency": toml("[[fees]]\npercent = 2\n", "[[fees]] number 1", "currency"),
    "app without a key": toml(APP, "secret_key", **NO_KEYS),
    "app with an unknown key": toml(APP + 'secret_key = "QS3cretQ"\ncolour = "red"\n', "colour", **NO_KEYS),
    "the same app twice": toml((APP + 'secret_key = "QS3cretQ"\n') * 2, "app_id", **NO_KEYS),
    "apps twice over": toml(APP + 'secret_key = "QS3cretQ"\n', "KSPAY_"),
    "status of no family": toml('[status.kspay]\nsold = ["gone"]\n', "sold"),
    "currency without decimals": toml('[currencies]\nUSDT = "six"\n', "USDT"),
    "currency of ISO 4217 with other decimals": toml(
        "[currencies]\nUSDT = 6\nusd = 2\ninr = 3\n", "[currencies] INR has 2 decimals by ISO 4217", "3"
    ),
    "profile that is not there": Case((*RUN, "--profile", "tally"), ("--profile tally", "[ledger.tally]")),
    # Dates
    "from after to": Case(("run", "--from", "2026-08-31", "--to", "2026-08-01"), ("2026-08-31", "2026-08-01")),
    "30 February": Case(("run", "--from", "2026-02-30", "--to", "2026-03-01"), ("--from", "2026-02-30")),
    "only from": Case(("run", "--from", "2026-08-01"), ("--from", "--to")),
    "only to": Case(("fetch", "--to", "2026-08-01"), ("--from", "--to")),
    "a day to come": Case(("run", "--from", "2026-08-01", "--to", TOMORROW), ("--to", TOMORROW)),
    "only days to come": Case(("fetch", "--from", TOMORROW), (f"--from {TOMORROW} lies in the future",)),
    "no day": Case(("run", "--from", "yesterday", "--to", "2026-08-01"), ("--from", "yesterday")),
    "the first day of all": Case(
        ("run", "--from", "0001-01-01", "--to", "0001-01-02", "--ledger", "ledger.csv"), ("--from",)
    ),
    # Numbers
    **{
        f"{' '.join(command)} of a number below one": Case((*command, "--limit", number), ("--limit", number))
        for command, number in ((("runs",), "-1"), (("quarantine",), "0"), (("ledger", "list"), "-7"))
    },
    "a number beyond all": Case(("runs", "--limit", "9" * 20), ("--limit", "9" * 20)),
    # Words
    "a word that is no text": Case(("show", "run \udcff"), (r"run \xff", "UTF-8")),
    "a folder that is no text": Case((*RUN, "--out", "\udcff"), (r"\xff", "UTF-8")),
    "command with a slip": Case(("rnu",), ("rnu", "'run'")),
    "command of a group with a slip": Case(("ledger", "imprt", "x"), ("imprt", "'import'")),
    "option with a slip": Case(("run", "--form", "2026-08-01"), ("--form", "--from")),
    "unknown command": Case(("frobnicate",), ("frobnicate",)),
    "unknown option": Case(("run", "--frobnicate"), ("--frobnicate",)),
    "a word too many": Case(("run", "august"), ("august",)),
    "a ledger to import without its name": Case(("ledger", "import"), ("PATH",)),
    # Places
    "no ledger ever": Case(RUN[:-2], ("--ledger", "RECONCILE_LEDGER")),
    **{
        f"{' '.join(words)} of an empty path": Case((*words, ""), (says, "is empty"))
        for words, says in (((*RUN, "--out"), "--out"), (("ledger", "import"), "PATH"), (("resolve",), "FILE"))
    },
    # To Python it is a file of a folder `s3:`: what people keep there they would miss later.
    **{
        f"{' '.join(words)} of an address": Case((*words, "s3://key:QS3cretQ@books/x"), (says, "address"))
        for words, says in (
            (("backup",), "FILE"),
            (("close", "2026-08", "--by", "asha", "--out"), "--out"),
            (("ledger", "import"), "PATH"),
            (("metrics", "--textfile"), "--textfile"),
        )
    },
    **{
        f"{name} of an address": setting(name, "s3://key:QS3cretQ@books/x", "address")
        for name in ("RECONCILE_HOME", "RECONCILE_INBOX", "RECONCILE_LEDGER", "RECONCILE_OUT_ROOT")
    },
    "out is a file": Case((*RUN, "--out", "ledger.csv"), ("--out", "ledger.csv")),
    "out below a file": Case((*RUN, "--out", "ledger.csv/reports"), ("--out", "ledger.csv/reports")),
    "latest is a folder": Case((*RUN, "--out", "taken"), ("taken/latest",)),
}  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(make_command: MakeCommand) -> dict[str, tuple[Outcome, Path]]:
    """What came of every case and its folder; several at a time, because most of it is waiting for Python."""

    def call(name: str) -> Outcome:
        case, command = CASES[name], commands[name]
        (command.folder / "ledger.csv").write_text(LEDGER, "utf-8")
        (command.folder / "taken" / "latest").mkdir(parents=True)
        if case.toml is not None:
            (command.folder / "reconcile.toml").write_bytes(case.toml.encode("utf-8", "surrogateescape"))
        return command(*case.arguments, **case.settings)

    commands = {
        name: make_command(None, embedded=True, **KEYS, RECONCILE_GIVE_UP_SECONDS="1") for name in CASES
    }
    with ThreadPoolExecutor(3) as pool:
        return {
            name: (outcome, commands[name].folder)
            for name, outcome in zip(CASES, pool.map(call, CASES), strict=True)
        }


@pytest.mark.parametrize("name", CASES)
def test_refused_with_one_line(outcomes: dict[str, tuple[Outcome, Path]], name: str) -> None:
    outcome, folder = outcomes[name]
    assert (outcome.code, outcome.out) == (2, ""), outcome
    for word in CASES[name].says:
        assert word in outcome.complaint
    for secret in SECRETS:
        assert secret not in outcome.err
    assert "literal" not in outcome.complaint  # a word of Python's, not of the user's
    assert "Traceback" not in outcome.err
    assert [path for path in folder.rglob("*.csv") if path.name != "ledger.csv"] == []
    assert not (folder / "reports" / "latest").exists()


def test_debug_shows_where(make_command: MakeCommand) -> None:
    command = make_command(None, embedded=True, **KEYS)
    for arguments in (("--debug", *RUN), (*RUN, "--debug")):
        outcome = command(*arguments)
        assert "Traceback (most recent call last)" in outcome.err
        assert "ledger.csv" in outcome.err.splitlines()[-1]
        assert not any(secret in outcome.err for secret in SECRETS)
        assert (outcome.code, outcome.out) == (2, "")


def test_a_currency_that_the_settings_no_longer_know(calm_shop: Shop, make_command: MakeCommand) -> None:
    command = make_command(calm_shop[1])
    toml = command.folder / "reconcile.toml"
    (command.folder / "tether.csv").write_text(
        "ledger_id,amount,currency,date\nU-1,12.000001,USDT,2026-04-02\n", "utf-8"
    )
    run = ("run", "--from", "2026-04-01", "--to", "2026-04-05")
    toml.write_text("[currencies]\nUSDT = 6\n", "utf-8")
    command.good(*run, "--ledger", "tether.csv")
    assert command.latest().document()["discrepancies"]["MISSING_IN_KSPAY"] == 1
    for less, says in (
        ("", "USDT is not a known currency"),
        ("[currencies]\nUSDT = 2\n", "USDT has 2 decimals"),
    ):
        toml.write_text(less, "utf-8")
        outcome = command(*run)
        assert outcome.code == 2, outcome
        assert says in outcome.complaint
        assert "[currencies]" in outcome.complaint
        # Of an open discrepancy of the days before as well.
        carried = command("run", "--from", "2026-04-03", "--to", "2026-04-05")
        assert (carried.code, says in carried.complaint) == (2, True), carried
    toml.write_text("[currencies]\nUSDT = 6\n", "utf-8")
    command.good(*run)
