"""Fetches several apps at once, each with its own credentials and limits: one that fails does not stop the others."""

import threading
from collections.abc import Mapping

from reconcile.context import RunContext
from reconcile.core.errors import ReconcileError
from reconcile.kspay import Credentials, KSPay
from reconcile.kspay.errors import CallError
from reconcile.load.fetch import Fetched, fetch_app
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


def fetch_apps(run: RunContext, done: dict[str, Fetched]) -> None:
    """Fetch every app of the run that is not among the `done`, and add it to them.

    Raises AppsFailed if some failed, and the error itself if the run has only one app. Any other error ends all.
    """
    if not done:
        run.validator.restart("transactions")  # a stage that is run again begins from nothing
    missing = [app for app in run.apps if app.app_id not in done]
    if len(run.apps) == 1:
        for app in missing:
            done[app.app_id] = fetch_app(run, app, plan_fetch(run, app))
        return
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
