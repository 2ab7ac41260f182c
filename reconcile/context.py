"""What the stages of a run work with, in one frozen object each, instead of long lists of arguments."""

from dataclasses import dataclass

from sqlalchemy import Engine

from reconcile.core.progress import Progress
from reconcile.core.records import Period
from reconcile.kspay import Credentials
from reconcile.settings import Settings
from reconcile.validate.validator import Validator


@dataclass(frozen=True, slots=True)
class Context:
    """What every command that takes records in works with."""

    settings: Settings
    engine: Engine
    app_ids: tuple[str, ...]
    """The apps whose records are taken in; ledger rows that name no app belong to the first."""
    validator: Validator
    progress: Progress


@dataclass(frozen=True, slots=True)
class RunContext(Context):
    """What one run works with; a fetch is a run as well."""

    run_id: str
    apps: tuple[Credentials, ...]
    """With the keys to call KS Pay; `app_ids` are their ids, in this order."""
    period: Period
    nightly: bool = False
    """Whether the run was asked for no dates: then it also fetches older days again."""
    snapshot: bool = False
    """Whether its ledger is the whole one of the days that it spans: then what it lacks is withdrawn."""
