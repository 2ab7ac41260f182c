"""One frozen Settings, read once per command.

Each value comes from the environment, else from `reconcile.toml` in the working directory, else from
its default. An empty variable is unset. A secret may also be given as `NAME_FILE`, the path of a
file that holds it. In reconcile.toml a setting has the variable's own name. `Variables` describes each setting once.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, InstanceOf, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from reconcile.core.dialect import Dialect
from reconcile.core.errors import UsageError
from reconcile.core.fees import Fee, read_fees
from reconcile.core.journal import Accounts, read_accounts
from reconcile.core.money import Currencies, Tolerances, read_limits
from reconcile.core.occasions import Occasion, read_occasions
from reconcile.core.records import Family, Side, without_separators
from reconcile.core.wording import MASK
from reconcile.kspay import Credentials
from reconcile.kspay.statuses import STATUS_WORDS
from reconcile.ledger.profile import TOML, read_profile
from reconcile.ledger.profile import Profile as Profile  # settings hand profiles out

_F = Family
DEFAULT_FAMILIES: Mapping[tuple[Side, Family], tuple[str, ...]] = {
    **{(Side.KSPAY, family): words for family, words in STATUS_WORDS.items()},
    # A ledger without a status column, or with a blank cell in it, books what was paid.
    (Side.LEDGER, _F.PAID): (
        "",
        "paid",
        "settled",
        "received",
        "posted",
        "success",
        "successful",
        "completed",
        "closed",
        "captured",
        "cleared",
    ),
    (Side.LEDGER, _F.UNPAID): ("open", "unpaid", "due", "draft", "pending", "overdue"),
    (Side.LEDGER, _F.CANCELLED): ("void", "voided", "cancelled", "canceled", "written_off"),
    (Side.LEDGER, _F.REFUNDED): ("refunded", "partially_refunded"),
}


class Variable(NamedTuple):
    """One setting, as the docs show it."""

    default: str
    meaning: str


class Shown(NamedTuple):
    """The value of one setting as people may see it, and where it comes from."""

    name: str
    value: str  # empty if it has none; of a secret only that it is set
    source: str  # `environment`, `reconcile.toml` or `default`; behind it the file of a secret


class _Text(str):
    """The text of a setting, and where it is from: nothing for the environment, else ` in reconcile.toml`."""

    where: str

    def __new__(cls, text: str, where: str) -> "_Text":
        made = super().__new__(cls, text)
        made.where = where
        return made


def _whole(least: int, most: int) -> BeforeValidator:
    def parse(text: str) -> int:
        text = text.strip()
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return BeforeValidator(parse)


def _yes_or_no(text: str) -> bool:
    text = text.strip()
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _one_of(*words: str) -> BeforeValidator:
    def parse(text: str) -> str:
        text = text.strip()
        if text not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text

    return BeforeValidator(parse)


def _dialect(text: str) -> Dialect:
    text = text.strip()
    try:
        return Dialect(text.lower())
    except ValueError:
        raise ValueError(f"{text!r} is neither comma nor semicolon") from None


def _path(text: str) -> Path:
    # Its value is not repeated: an address may hold a password. Taken for a path it would be a folder `s3:`.
    if "://" in text:
        raise ValueError("is an address: it must be a path of this machine")
    return Path(text.strip())


def _zone(text: str) -> ZoneInfo:
    text = text.strip()
    try:
        # Beside the zones, whose names begin with capital letters, lie localtime, posix/…, right/… and a zone that
        # stands for none. The list of all zones would take 20 ms to make.
        if text[:1].isupper() and text != "Factory":
            return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ValueError(f"{text!r} is not a time zone of the IANA list, such as Asia/Kolkata")


def _database_url(text: str) -> str:
    # The value is not repeated in any message: it may hold a password.
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise ValueError(
            "is not a database URL such as postgresql://user@host:5432/database "
            "(write an @, : or / of the password as %40, %3A or %2F)"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError("must be a PostgreSQL URL such as postgresql://user@host/database")
    if "@" in (url.host or ""):
        raise ValueError("has one @ too many: write an @ of the password as %40")
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _web_address(text: str) -> str:
    # The value is not repeated: it may hold a password or a token.
    text = text.strip()
    try:
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and parts.hostname:
            return text
    except ValueError:
        pass
    raise ValueError(
        "must be an address that begins with https:// or http://, such as https://books.example/reports"
    )


def _task_runner(text: str) -> str:
    found = re.fullmatch(r"threads|dask(\s+(?:[1-9]\d{0,2}|(?:tcp|tls)://\S+:\d+))?", text.strip(), re.ASCII)
    if found is None:
        raise ValueError(
            f"{text!r} is none of threads, dask, dask 4 (so many processes here) and dask tcp://host:8786 (the address "
            "of a scheduler)"
        )
    return " ".join(text.split())


_OptionalPath = Annotated[Path | None, BeforeValidator(_path)]


class Variables(BaseSettings):
    """All settings that are one value: their names, types, defaults and meanings, in the order of the docs.

    A secret has the type SecretStr; it may also be given as `NAME_FILE`.
    """

    model_config = SettingsConfigDict(frozen=True, validate_default=False)

    KSPAY_BASE_URL: str | None = Field(
        default=None,
        description="The address of KS Pay, from your guide. Plain `http://` only for this machine.",
    )
    KSPAY_APP_ID: str | None = Field(default=None, description="The id of your app, `ap_…`.")
    KSPAY_ACCESS_KEY: SecretStr | None = Field(default=None, description="The access key of your app.")
    KSPAY_SECRET_KEY: SecretStr | None = Field(default=None, description="The secret key of your app.")
    RECONCILE_DATABASE_URL: Annotated[SecretStr | None, BeforeValidator(_database_url)] = Field(
        default=None,
        json_schema_extra={"shown": "an embedded Postgres under `RECONCILE_HOME`"},
        description="A PostgreSQL database, version 15 or later. The tables are in its schema `reconcile`.",
    )
    RECONCILE_HOME: Annotated[Path, BeforeValidator(_path)] = Field(
        default=Path(".reconcile"),
        description="The folder of the embedded database, and of what is kept while any database is away.",
    )
    RECONCILE_LEDGER: _OptionalPath = Field(
        default=None,
        description="What `run` reads without `--ledger`: a file, a folder, or the name of a profile that has a query.",
    )
    RECONCILE_INBOX: _OptionalPath = Field(
        default=None,
        description="A folder. The next run takes in the ledgers, archives of ledgers and decision files in it, and "
        "moves each to `done/`, or to `refused/` with the reason beside it.",
    )
    RECONCILE_LEDGER_ROOT: Annotated[Path, BeforeValidator(_path)] = Field(
        default=Path(),
        description="A run that is started on Prefect's page reads ledgers only from this folder.",
    )
    RECONCILE_OUT_ROOT: Annotated[Path, BeforeValidator(_path)] = Field(
        default=Path(),
        description="A run that is started on Prefect's page writes reports only below this folder, and into it if "
        "the form names none.",
    )
    RECONCILE_TIMEZONE: Annotated[ZoneInfo, BeforeValidator(_zone)] = Field(
        default=ZoneInfo("Asia/Kolkata"), description="The business time zone: the days begin and end in it."
    )
    RECONCILE_LOOKBACK_DAYS: Annotated[int, _whole(1, 3660)] = Field(
        default=7, description="The days of a run without dates."
    )
    RECONCILE_REREAD_DAYS: Annotated[int, _whole(0, 3660)] = Field(
        default=90,
        description="A run without dates also reads a seventh of the covered days this far back again, so that a late "
        "change is seen within a week.",
    )
    RECONCILE_PAGE_SIZE: Annotated[int, _whole(1, 100_000)] = Field(
        default=100,
        description="How many records are requested at once: the size of a page. Not set, 1,000 are requested where "
        "KS Pay gives more than 100.",
    )
    RECONCILE_CONCURRENCY: Annotated[int, _whole(1, 64)] = Field(
        default=4, description="How many pages are requested at once."
    )
    RECONCILE_GIVE_UP_SECONDS: Annotated[int, _whole(0, 86_400)] = Field(
        default=120, description="How long KS Pay may be unreachable without a break."
    )
    RECONCILE_AMOUNT_TOLERANCE: InstanceOf[str] = Field(  # read when the currencies are known
        default="0",
        description="By how much amounts may differ: major units, `0.5%` of the KS Pay amount, or "
        "`INR=1,KWD=0.01`.",
    )
    RECONCILE_DATE_TOLERANCE_DAYS: Annotated[int, _whole(0, 366)] = Field(
        default=3, description="How many days apart the dates of a match may be."
    )
    RECONCILE_DUPLICATE_DAYS: Annotated[int, _whole(0, 366)] = Field(
        default=7,
        description="A second payment of a reference is a duplicate if it is at most this many days apart.",
    )
    RECONCILE_GRACE_DAYS: Annotated[int, _whole(0, 366)] = Field(
        default=1,
        description="The last days of a period, in which a missing partner is only a timing difference.",
    )
    RECONCILE_STALE_PENDING_HOURS: Annotated[int, _whole(0, 24 * 366)] = Field(
        default=24,
        description="A payment that is pending for longer is stale, counted to the end of the as-of day.",
    )
    RECONCILE_ACCEPT_SUGGESTIONS: Annotated[bool, BeforeValidator(_yes_or_no)] = Field(
        default=False, description="Whether what the rule `amount_date` suggests is matched."
    )
    RECONCILE_WORKBOOK_MATCHES: Annotated[int, _whole(0, 1_000_000)] = Field(
        default=20_000,
        description="How many matches the workbook's sheet Matched holds. `matched.csv` has all of them.",
    )
    RECONCILE_CSV: Annotated[Dialect, BeforeValidator(_dialect)] = Field(
        default=Dialect.COMMA,
        description="How CSV files are written: `comma` has commas between cells and a decimal point; `semicolon` has "
        "semicolons and a decimal comma, for spreadsheets of countries that write amounts so.",
    )
    RECONCILE_NOTIFY: SecretStr | None = Field(
        default=None,
        description="Who is told of runs: Apprise addresses (e-mail, Slack, Teams, Telegram, a webhook …) with blanks "
        "or line breaks between.",
    )
    RECONCILE_NOTIFY_WHEN: InstanceOf[str] = Field(  # read when the currencies are known
        default="failed,high>0",
        description="When: `failed`, `nothing` (no records), `late` (nights were missed), more open discrepancies of "
        "a severity than (`high>0`), more records in `quarantine>0`, more of them than at the last run "
        "(`quarantine_growth>0`), more at stake above info than (`INR>10000`).",
    )
    RECONCILE_FOUR_EYES: InstanceOf[str] = Field(  # read when the currencies are known
        default="",
        json_schema_extra={"shown": "none"},
        description="A decision about more than this counts only when another person takes the same one: "
        "`INR=10000,USD=150`.",
    )
    RECONCILE_CLOSE_UNDECIDED: InstanceOf[str] = Field(  # read when the currencies are known
        default="",
        json_schema_extra={"shown": "none"},
        description="A month is not closed while an open item above information has more at stake than this: "
        "`INR=10000,USD=150`.",
    )
    RECONCILE_REPORT_URL: Annotated[str | None, BeforeValidator(_web_address)] = Field(
        default=None,
        description="Where people reach the folder of the reports: for links in messages and on Prefect's page.",
    )
    RECONCILE_SERVE_TOKEN: SecretStr | None = Field(
        default=None,
        description="The password of `reconcile serve`, at least 16 letters.",
    )
    RECONCILE_LOG: Annotated[str, _one_of("text", "json")] = Field(
        default="text",
        description="How progress, warnings and errors are written to standard error: `text`, or `json`, a document a "
        "line.",
    )
    RECONCILE_TASK_RUNNER: Annotated[str, BeforeValidator(_task_runner)] = Field(
        default="threads",
        description="Where a Prefect flow fetches: in `threads` of its own process; with `dask` in processes of this "
        "machine, one a core, or so many as `dask 4` says; with `dask tcp://host:8786` on the workers of that Dask "
        "scheduler. Dask needs the extra `kspay-reconcile[dask]`.",
    )
    RECONCILE_EXPECT_SECONDS: Annotated[int, _whole(1, 86_400)] = Field(
        default=60,
        description="How long one statement may take that judges the records of a load. An expectation that takes "
        "longer was not evaluated, and that is a failure.",
    )


def _is_secret(variable: FieldInfo) -> bool:
    return SecretStr in get_args(variable.annotation)


def _shown_default(variable: FieldInfo) -> str:
    if isinstance(variable.json_schema_extra, dict):
        return str(variable.json_schema_extra["shown"])
    default = variable.default
    if default is None:
        return "none"
    return f"`{default}`" if isinstance(default, Path | ZoneInfo) else str(default).lower()


SECRETS = frozenset(name for name, variable in Variables.model_fields.items() if _is_secret(variable))
VARIABLES: Mapping[str, Variable] = {
    name: Variable(_shown_default(variable), variable.description or "")
    for name, variable in Variables.model_fields.items()
}
"""By name, what the docs show of each setting."""

_NAMES = frozenset((*VARIABLES, *(f"{name}_FILE" for name in SECRETS)))
_OURS = re.compile("KSPAY_|RECONCILE_")


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A line for each variable of the environment that is named like a setting, and is none."""
    return [_unknown(name) for name in sorted(environ) if _OURS.match(name) and name not in _NAMES]


def _unknown(name: str) -> str:
    near = {_OURS.sub("", known): known for known in _NAMES}
    found = get_close_matches(_OURS.sub("", name.upper()), near, n=1)
    meant = f" (is {near[found[0]]} meant?)" if found else ""
    return f"{name!r} is not a known setting{meant}; docs/settings.md lists them all"


_EXPECT_KEYS: Mapping[str, tuple[str, ...]] = {
    "name": (),
    "on": ("transactions", "entries"),
    "expectation": (),
    "weight": ("quarantines", "warns", "blocks"),
    "why": (),
}
"""Of an [[expect]]: what must be given, and what it may be. All other keys are arguments of the expectation."""
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)

_DEFAULTS = Variables.model_construct()
_APP_KEYS = ("base_url", "app_id", "access_key", "secret_key")


class _Source(PydanticBaseSettingsSource):
    """One source of settings: the environment, or reconcile.toml. The first source that has a setting wins."""

    def __init__(self, settings_cls: type[BaseSettings], values: Mapping[str, object], where: str) -> None:
        super().__init__(settings_cls)
        self._values = values
        self._where = where

    def get_field_value(self, variable: FieldInfo, name: str) -> tuple[_Text | None, str, bool]:
        """The text of a setting, given itself or in its file; an empty text counts as not set."""
        where, value = self._where, self._values.get(name)
        if isinstance(value, bool | int | Decimal):
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name}{where} must be a text or a number")
        path = self._values.get(f"{name}_FILE") if _is_secret(variable) else None
        if value and path:
            raise UsageError(f"{name} and {name}_FILE are both set{where}: keep one")
        if path:
            value = _secret_file(f"{name}_FILE", str(path))
        return (_Text(value, where) if value else None), name, False

    def __call__(self) -> dict[str, _Text]:
        found = {}
        for name, variable in self.settings_cls.model_fields.items():
            if name not in self.current_state:
                text, _, _ = self.get_field_value(variable, name)
                if text is not None:
                    found[name] = text
        return found


def _read_variables(environ: Mapping[str, str], toml: Mapping[str, object]) -> Variables:
    class Placed(Variables):
        @classmethod
        def settings_customise_sources(  # type: ignore[override]  # the sources of the library are not used
            cls, settings_cls: type[BaseSettings], **_: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return _Source(settings_cls, environ, ""), _Source(settings_cls, toml, f" in {TOML}")

    try:
        return Placed()
    except ValidationError as error:
        # The first alone, as every error is one line; only the reason, since the value may be a secret.
        first = error.errors()[0]
        raise _wrong(str(first["loc"][0]), first["input"], first["ctx"]["error"]) from None


def _wrong(name: str, text: str, reason: object) -> UsageError:
    return UsageError(f"{name}{text.where if isinstance(text, _Text) else ''}: {reason}")


@dataclass(frozen=True, slots=True)
class Expect:
    """An [[expect]] of reconcile.toml, as it stands there: `reconcile.validate.own` says whether it is sound."""

    name: str
    on: str
    """`transactions` or `entries`."""
    expectation: str
    weight: str
    why: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a command may need to know from outside. What each means: `Variables`."""

    apps: tuple[Credentials, ...] = ()
    app_ids: tuple[str, ...] = ()  # known even without the keys, which an import of a ledger does not need
    missing: tuple[str, ...] = ()  # the KSPAY_ variables that calls to KS Pay need and that are not set
    database_url: str | None = field(default=None, repr=False)  # may hold a password
    home: Path = _DEFAULTS.RECONCILE_HOME
    ledger: Path | None = None
    inbox: Path | None = None
    ledger_root: Path = _DEFAULTS.RECONCILE_LEDGER_ROOT
    out_root: Path = _DEFAULTS.RECONCILE_OUT_ROOT
    timezone: ZoneInfo = _DEFAULTS.RECONCILE_TIMEZONE
    lookback_days: int = _DEFAULTS.RECONCILE_LOOKBACK_DAYS
    reread_days: int = _DEFAULTS.RECONCILE_REREAD_DAYS
    page_size: int | None = None  # not set: 100, and more where the server gives more
    concurrency: int = _DEFAULTS.RECONCILE_CONCURRENCY
    give_up_seconds: int = _DEFAULTS.RECONCILE_GIVE_UP_SECONDS
    tolerances: Tolerances = field(default_factory=Tolerances)
    date_tolerance_days: int = _DEFAULTS.RECONCILE_DATE_TOLERANCE_DAYS
    duplicate_days: int = _DEFAULTS.RECONCILE_DUPLICATE_DAYS
    grace_days: int = _DEFAULTS.RECONCILE_GRACE_DAYS
    stale_pending_hours: int = _DEFAULTS.RECONCILE_STALE_PENDING_HOURS
    accept_suggestions: bool = _DEFAULTS.RECONCILE_ACCEPT_SUGGESTIONS
    workbook_matches: int = _DEFAULTS.RECONCILE_WORKBOOK_MATCHES
    dialect: Dialect = _DEFAULTS.RECONCILE_CSV
    fees: tuple[Fee, ...] = ()
    currencies: Currencies = field(default_factory=Currencies)
    families: Mapping[tuple[Side, str], Family] = field(default_factory=lambda: _families({}))
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    expect_seconds: int = _DEFAULTS.RECONCILE_EXPECT_SECONDS
    expects: tuple[Expect, ...] = ()
    task_runner: str = _DEFAULTS.RECONCILE_TASK_RUNNER
    notify: tuple[str, ...] = field(default=(), repr=False)  # they may hold passwords and tokens
    occasions: Sequence[Occasion] = field(
        default_factory=lambda: read_occasions(_DEFAULTS.RECONCILE_NOTIFY_WHEN, Currencies())
    )
    report_url: str | None = None
    serve_token: str | None = field(default=None, repr=False)
    four_eyes: Mapping[str, Decimal] = field(default_factory=dict)
    close_undecided: Mapping[str, Decimal] = field(default_factory=dict)
    journal: Accounts | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> "Settings":
        """Read and check everything; raises UsageError naming the variable, or the place in the file."""
        environ = os.environ if environ is None else environ
        return _Reader(environ, folder or Path()).settings()

    @staticmethod
    def shown(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> "list[Shown]":
        """Every variable with its value, secrets masked, and where it comes from. Checks what `read` checks."""
        reader = _Reader(os.environ if environ is None else environ, folder or Path())
        reader.settings()
        return reader.shown()

    def rests_on(self) -> dict[str, str]:
        """What matching and reports rest on, by its name in the settings: the same values give the same report."""
        known, default = self.currencies.digits, Currencies().digits
        words: dict[tuple[Side, str], tuple[str, Family]] = {}
        for (side, word), family in self.families.items():
            if word and _DEFAULT_FAMILIES.get((side, word)) != family:
                # Of several spellings of a word, the one with blanks counts, else the one in lower case.
                key = (side, without_separators(word).casefold())
                words[key] = max(
                    words.get(key, (word, family)), (word, family), key=lambda one: (len(one[0]), one[0])
                )
        return {
            "RECONCILE_TIMEZONE": self.timezone.key,
            "RECONCILE_AMOUNT_TOLERANCE": str(self.tolerances),
            "RECONCILE_DATE_TOLERANCE_DAYS": str(self.date_tolerance_days),
            "RECONCILE_DUPLICATE_DAYS": str(self.duplicate_days),
            "RECONCILE_GRACE_DAYS": str(self.grace_days),
            "RECONCILE_STALE_PENDING_HOURS": str(self.stale_pending_hours),
            "RECONCILE_ACCEPT_SUGGESTIONS": str(self.accept_suggestions).lower(),
            "RECONCILE_CSV": str(self.dialect),
            **{f"fees: {fee.name}": str(fee) for fee in self.fees},
            **{f"status.{side}: {word}": str(family) for (side, _), (word, family) in sorted(words.items())},
            **{f"currencies: {code}": str(known[code]) for code in sorted(known) if code not in default},
        }

    @property
    def reports_folder(self) -> Path:
        """Where runs of Prefect's page write if they name no folder, and what RECONCILE_REPORT_URL shows."""
        return self.out_root if self.out_root != Path() else Path("reports")

    def kspay_apps(self, chosen: Sequence[str] = ()) -> tuple[Credentials, ...]:
        """The apps whose transactions are to be fetched, only those chosen if any are.

        Raises UsageError where a setting is missing, or an app is chosen that is not set.
        """
        if self.missing:
            names = ", ".join(self.missing)
            verb = "is" if len(self.missing) == 1 else "are"
            raise UsageError(
                f"{names} {verb} not set: take the values from your app's page at KS Pay "
                "(to try the product without an account: reconcile demo)"
            )
        for app_id in chosen:
            if app_id not in self.app_ids:
                raise UsageError(f"--app {app_id}: no such app is set (known: {', '.join(self.app_ids)})")
        return tuple(app for app in self.apps if not chosen or app.app_id in chosen)

    def known_app_ids(self) -> tuple[str, ...]:
        """The apps that ledger entries can belong to; raises UsageError where none is set."""
        if not self.app_ids:
            raise UsageError("KSPAY_APP_ID is not set: it names the app that the ledger belongs to (ap_…)")
        return self.app_ids

    def profile(self, name: str | None) -> Profile:
        """The named ledger profile; without a name the default one, whose source is `default`."""
        if name is None:
            return self.profiles.get("default", Profile("default", currencies=self.currencies))
        if name not in self.profiles:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise UsageError(f"--profile {name}: {TOML} has no [ledger.{name}] (known: {known})")
        return self.profiles[name]


class _Reader:
    """Puts together the variables and the tables of reconcile.toml."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.environ = environ
        self.file = folder / TOML
        self.toml = self._toml()
        self.variables = _read_variables(environ, self.toml)

    def _toml(self) -> dict[str, Any]:
        try:
            text = self.file.read_text("utf-8-sig")  # some editors write a byte-order mark
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UsageError(f"{TOML} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"{TOML} cannot be read: it is not UTF-8 text: save it as UTF-8") from None
        try:
            tables = tomllib.loads(text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{TOML} is not valid TOML: {error}") from None
        known = {
            *_NAMES,
            "apps",
            "currencies",
            "status",
            "ledger",
            "expect",
            "fees",
            "journal",
        }
        for name in tables:
            if name not in known:
                raise UsageError(f"{TOML}: {_unknown(name)}")
        return tables

    def settings(self) -> Settings:
        currencies = self.currencies()
        apps, app_ids, missing = self.apps()
        values = self.variables
        database_url, tolerance = values.RECONCILE_DATABASE_URL, values.RECONCILE_AMOUNT_TOLERANCE
        try:
            tolerances = Tolerances.parse(tolerance.strip(), currencies)
        except ValueError as error:
            raise _wrong("RECONCILE_AMOUNT_TOLERANCE", tolerance, error) from None
        try:
            occasions = read_occasions(values.RECONCILE_NOTIFY_WHEN, currencies)
        except ValueError as error:
            raise _wrong("RECONCILE_NOTIFY_WHEN", values.RECONCILE_NOTIFY_WHEN, error) from None
        limits = {}
        for name in ("RECONCILE_FOUR_EYES", "RECONCILE_CLOSE_UNDECIDED"):
            text = getattr(values, name)
            try:
                limits[name] = read_limits(text, currencies)
            except ValueError as error:
                raise _wrong(name, text, error) from None
        addresses = values.RECONCILE_NOTIFY.get_secret_value() if values.RECONCILE_NOTIFY else ""
        return Settings(
            apps=apps,
            app_ids=app_ids,
            missing=missing,
            database_url=database_url.get_secret_value() if database_url else None,
            home=values.RECONCILE_HOME,
            ledger=values.RECONCILE_LEDGER,
            inbox=values.RECONCILE_INBOX,
            ledger_root=values.RECONCILE_LEDGER_ROOT,
            out_root=values.RECONCILE_OUT_ROOT,
            timezone=values.RECONCILE_TIMEZONE,
            lookback_days=values.RECONCILE_LOOKBACK_DAYS,
            reread_days=values.RECONCILE_REREAD_DAYS,
            page_size=values.RECONCILE_PAGE_SIZE
            if "RECONCILE_PAGE_SIZE" in values.model_fields_set
            else None,
            concurrency=values.RECONCILE_CONCURRENCY,
            give_up_seconds=values.RECONCILE_GIVE_UP_SECONDS,
            tolerances=tolerances,
            date_tolerance_days=values.RECONCILE_DATE_TOLERANCE_DAYS,
            duplicate_days=values.RECONCILE_DUPLICATE_DAYS,
            grace_days=values.RECONCILE_GRACE_DAYS,
            stale_pending_hours=values.RECONCILE_STALE_PENDING_HOURS,
            accept_suggestions=values.RECONCILE_ACCEPT_SUGGESTIONS,
            workbook_matches=values.RECONCILE_WORKBOOK_MATCHES,
            dialect=values.RECONCILE_CSV,
            fees=self.fees(currencies),
            currencies=currencies,
            families=self.families(),
            profiles=self.profiles(currencies),
            expect_seconds=values.RECONCILE_EXPECT_SECONDS,
            expects=self.expects(),
            task_runner=values.RECONCILE_TASK_RUNNER,
            notify=tuple(addresses.split()),
            occasions=occasions,
            report_url=values.RECONCILE_REPORT_URL,
            serve_token=values.RECONCILE_SERVE_TOKEN.get_secret_value()
            if values.RECONCILE_SERVE_TOKEN
            else None,
            four_eyes=limits["RECONCILE_FOUR_EYES"],
            close_undecided=limits["RECONCILE_CLOSE_UNDECIDED"],
            journal=self.journal(currencies),
        )

    def shown(self) -> list[Shown]:
        """What `Settings.shown` gives."""
        found = []
        for name, variable in Variables.model_fields.items():
            source, value = "default", getattr(self.variables, name)
            for words, values in ((TOML, self.toml), ("environment", self.environ)):
                if _is_secret(variable) and values.get(f"{name}_FILE"):
                    source = f"{words}, the file of {name}_FILE"
                elif values.get(name) not in (None, ""):
                    source = words
            if isinstance(value, SecretStr):
                url = name == "RECONCILE_DATABASE_URL"
                value = _without_secrets(value.get_secret_value()) if url else MASK
            elif isinstance(value, bool):
                value = str(value).lower()
            elif name in ("KSPAY_BASE_URL", "RECONCILE_REPORT_URL") and value and set("@?") & set(value):
                value = MASK  # a password or a token may be in it
            found.append(Shown(name, "" if value is None else str(value), source))
        return found

    def apps(self) -> tuple[tuple[Credentials, ...], tuple[str, ...], tuple[str, ...]]:
        tables = self.toml.get("apps", [])
        values = self.variables
        access_key, secret_key = values.KSPAY_ACCESS_KEY, values.KSPAY_SECRET_KEY
        named = {
            "base_url": values.KSPAY_BASE_URL,
            "app_id": values.KSPAY_APP_ID,
            "access_key": access_key and access_key.get_secret_value(),
            "secret_key": secret_key and secret_key.get_secret_value(),
        }
        apps: tuple[Credentials, ...] = ()
        if tables and any(named.values()):
            raise UsageError(f"KSPAY_… settings and [[apps]] in {TOML} are both set: keep one")
        if not tables:
            missing = tuple(f"KSPAY_{key.upper()}" for key, value in named.items() if not value)
            app_id = (named["app_id"] or "",) if named["app_id"] else ()
            if not missing:
                apps = (Credentials(**{key: value or "" for key, value in named.items()}),)
            return apps, app_id, missing
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise UsageError(f"{TOML}: apps must be written as [[apps]]")
        apps = tuple(self.app(number, table) for number, table in enumerate(tables, 1))
        ids = tuple(app.app_id for app in apps)
        if len(set(ids)) < len(ids):
            raise UsageError(f"{TOML}: two [[apps]] have the same app_id")
        return apps, ids, ()

    def app(self, number: int, table: Mapping[str, object]) -> Credentials:
        values: dict[str, str] = {}
        for key, value in table.items():
            name = key.removesuffix("_file")
            if name not in _APP_KEYS or (name != key and name not in ("access_key", "secret_key")):
                raise UsageError(f"{TOML}: [[apps]] number {number} has an unknown key {key!r}")
            if not isinstance(value, str) or name in values:
                raise UsageError(f"{TOML}: [[apps]] number {number}: {name} must be given once, as a text")
            values[name] = value if name == key else _secret_file(key, value)
        for key in _APP_KEYS:
            if not values.get(key):
                raise UsageError(f"{TOML}: [[apps]] number {number} lacks {key}")
        return Credentials(**values)

    def currencies(self) -> Currencies:
        extra: dict[str, int] = {}
        for code, digits in self.table("currencies").items():
            if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 18:
                raise UsageError(f"{TOML}: [currencies] {code} must be its number of decimals, 0 to 18")
            extra[code.strip().upper()] = digits
        try:
            return Currencies.with_extra(extra)
        except ValueError as error:
            raise UsageError(f"{TOML}: [currencies] {error}") from None

    def families(self) -> Mapping[tuple[Side, str], Family]:
        extra: dict[tuple[Side, str], Family] = {}
        for side_name, table in self.table("status").items():
            if side_name not in list(Side) or not isinstance(table, dict):
                raise UsageError(
                    f"{TOML}: [status.{side_name}] is not known: write [status.kspay] or [status.ledger]"
                )
            side = Side(side_name)
            for name, words in table.items():
                if (side, name) not in DEFAULT_FAMILIES:
                    allowed = ", ".join(f for s, f in DEFAULT_FAMILIES if s == side)
                    raise UsageError(f"{TOML}: [status.{side}] {name} is not a family (known: {allowed})")
                if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                    raise UsageError(f"{TOML}: [status.{side}] {name} must be a list of texts")
                for word in words:
                    key = (side, word.strip().lower())
                    if extra.setdefault(key, Family(name)) != name:
                        raise UsageError(f"{TOML}: [status.{side}] {word!r} is in two families")
        return _families(extra)

    def profiles(self, currencies: Currencies) -> dict[str, Profile]:
        profiles: dict[str, Profile] = {}
        for name, table in self.table("ledger").items():
            try:
                profiles[name] = read_profile(name, table, currencies)
            except ValueError as error:
                raise UsageError(f"{TOML}: [ledger.{name}] {error}") from None
        return profiles

    def fees(self, currencies: Currencies) -> tuple[Fee, ...]:
        try:
            return read_fees(self.toml.get("fees", []), currencies)
        except ValueError as error:
            raise UsageError(f"{TOML}: {error}") from None

    def journal(self, currencies: Currencies) -> Accounts | None:
        if "journal" not in self.toml:
            return None
        try:
            return read_accounts(self.table("journal"), currencies)
        except ValueError as error:
            raise UsageError(f"{TOML}: [journal] {error}") from None

    def expects(self) -> tuple[Expect, ...]:
        tables = self.toml.get("expect", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise UsageError(f"{TOML}: expect must be written as [[expect]]")
        found: dict[str, Expect] = {}
        for number, table in enumerate(tables, 1):
            name = table.get("name")
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise UsageError(
                    f"{TOML}: [[expect]] number {number}: name must be given, in letters, digits and _: order_number"
                )
            if name in found:
                raise UsageError(f"{TOML}: two [[expect]] have the name {name}")
            values = dict(table)
            for key, allowed in _EXPECT_KEYS.items():
                value = values.pop(key, None)
                if not isinstance(value, str) or not value.strip() or (allowed and value not in allowed):
                    must = f"one of {', '.join(allowed)}" if allowed else "given, as a text"
                    raise UsageError(f"{TOML}: [[expect]] {name}: {key} must be {must}")
            found[name] = Expect(arguments=values, **{key: str(table[key]).strip() for key in _EXPECT_KEYS})
        return tuple(found.values())

    def table(self, name: str) -> dict[str, Any]:
        table = self.toml.get(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"{TOML}: {name} must be a table, [{name}]")
        return table


def _families(extra: Mapping[tuple[Side, str], Family]) -> Mapping[tuple[Side, str], Family]:
    known = {(side, word): family for (side, family), words in DEFAULT_FAMILIES.items() for word in words}
    # A database may fold ASCII letters only (LOCALE C): the usual spellings of other words are looked up as they are.
    spelt = {
        (side, spelling): family
        for (side, word), family in extra.items()
        if not word.isascii()
        for spelling in (word.upper(), word.capitalize(), word.title())
    }
    words = {**spelt, **known, **extra}
    # Blanks, hyphens and underscores do not count: a word is looked up without them too, after all others.
    bare = {(side, without_separators(word)): family for (side, word), family in words.items()}
    return MappingProxyType({**bare, **words})


_DEFAULT_FAMILIES = _families({})


def _without_secrets(url: str) -> str:
    """A database URL for people: its password and all its options are hidden, since these may hold one too."""
    found = make_url(url)
    options = dict.fromkeys(sorted(found.query), MASK)
    return found.set(query={}).render_as_string(hide_password=True) + "".join(
        f"{'&' if number else '?'}{name}={value}" for number, (name, value) in enumerate(options.items())
    )


def _secret_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{name}: {path} cannot be read: {reason}") from None
