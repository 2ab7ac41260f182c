"""Fetches several apps at once, each with its own credentials and limits: one that fails does not stop the others.

They are fetched in threads of this process, or by other processes (`Workers`) if the caller has any.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from reconcile.context import RunContext
from reconcile.core.errors import ReconcileError
from reconcile.kspay import Credentials, KSPay
from reconcile.kspay.errors import CallError
from reconcile.load.fetch import Fetched, fetch_app, record_windows
from reconcile.load.fetch_part import PartDone
from reconcile.load.fetch_plan import plan_fetch


class AppsFailed(ReconcileError):
    """Some apps could not be fetched, the others were."""

    def __init__(self, errors: Mapping[str, ReconcileError]) -> None:
        super().__init__("; ".join(f"app {app_id} failed: {error}" for app_id, error in errors.items()))
        self.errors = errors
        self.exit_code = next(iter(errors.values())).exit_code

    @property
    def retryable(self) -> bool:
        """Whether time may cure one of them."""
        return any(isinstance(error, CallError) and error.retryable for error in self.errors.values())


class Workers(Protocol):
    """Other processes that fetch apps of a run: what each app gave, or why it failed."""

    def __call__(
        self, run: RunContext, app_ids: Sequence[str], /
    ) -> Mapping[str, PartDone | ReconcileError]: ...


def fetch_apps(run: RunContext, done: dict[str, Fetched], workers: Workers | None = None) -> None:
    """Fetch every app of the run that is not among the `done`, and add it to them.

    Raises AppsFailed if some failed, and the error itself if the run has only one app. Any other error ends all.
    """
    if not done:
        run.validator.restart("transactions")  # a stage that is run again begins from nothing
    missing = [app for app in run.apps if app.app_id not in done]
    if workers is not None:
        _fetch_by(run, [app.app_id for app in missing], done, workers)
    elif len(run.apps) == 1:
        for app in missing:
            done[app.app_id] = fetch_app(run, app, plan_fetch(run, app))
    else:
        _fetch_at_once(run, missing, done)


def _fetch_at_once(run: RunContext, missing: Sequence[Credentials], done: dict[str, Fetched]) -> None:
    """Fetch each app in a thread of its own."""
    open_clients: list[KSPay] = []
    errors: dict[str, BaseException] = {}

    def fetch(app: Credentials) -> None:
        try:
            done[app.app_id] = fetch_app(run, app, plan_fetch(run, app), open_clients.append)
        except BaseException as error:  # noqa: BLE001 - it is raised in the main thread
            errors[app.app_id] = error

    threads = [threading.Thread(target=fetch, args=(app,), name=app.app_id, daemon=True) for app in missing]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        for client in open_clients:  # a signal to stop: no thread waits for an answer any more
            client.close()
        raise
    failed: dict[str, ReconcileError] = {}
    for app in missing:
        error = errors.get(app.app_id)
        if isinstance(error, ReconcileError):
            failed[app.app_id] = error
        elif error is not None:
            raise error
    if failed:
        raise AppsFailed(failed)


def _fetch_by(run: RunContext, app_ids: Sequence[str], done: dict[str, Fetched], workers: Workers) -> None:
    failed: dict[str, ReconcileError] = {}
    found = workers(run, app_ids)
    for app_id in app_ids:
        part = found[app_id]
        if isinstance(part, ReconcileError):
            failed[app_id] = part
            continue
        record_windows(run.engine, run.run_id, app_id, part.read.windows)
        run.validator.take_over(part.said)
        done[app_id] = part.read.fetched
    if failed:
        raise AppsFailed(failed) if len(run.apps) > 1 else failed[app_ids[0]]
