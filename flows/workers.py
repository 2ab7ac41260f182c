"""Dask: its workers fetch the apps of a run and, of a backfill, the months that come next.

The flows are the same without it. Matching and reports stay in the flow's own process, one transaction each; what
Dask gets is a `Part`, which holds no key: each worker has the settings, and all share Postgres.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from importlib.util import find_spec
from time import monotonic
from typing import Any
from uuid import uuid4

from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner
from sqlalchemy import Engine

from flows.shared import PageLog, reported
from reconcile.context import RunContext
from reconcile.core.errors import ReconcileError, UsageError
from reconcile.core.records import Period
from reconcile.db.locks import holding_back
from reconcile.load.fetch_part import Part, PartDone, fetch_part, part_of
from reconcile.settings import Settings

_MISSING = (
    "RECONCILE_TASK_RUNNER: prefect-dask is not installed: pip install 'kspay-reconcile[dask]', "
    "or set it to threads"
)

NO_WORKER_SECONDS = 120
"""How long a scheduler may have no worker at all: one that ends is replaced sooner."""

_LOOK_SECONDS = 2
"""How often somebody who waits for a worker looks whether there is any."""


def task_runner() -> TaskRunner[Any] | None:
    """The task runner of a flow, as RECONCILE_TASK_RUNNER has it; None is Prefect's own, of threads.

    Where the settings are wrong or Dask is missing, it is that as well: the run says so (`workers_of`).
    """
    try:
        asked = Settings.read().task_runner
    except ReconcileError:
        return None
    if asked == "threads" or find_spec("prefect_dask") is None:
        return None
    from prefect_dask.task_runners import DaskTaskRunner  # an extra

    for name in (
        "distributed",
        "prefect.task_runner.dask",
    ):  # their comings and goings, and a page that is off
        logging.getLogger(name).setLevel(logging.WARNING)
    # A scheduler that is gone is said in a line of ours.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    where = asked.removeprefix("dask").strip()
    if "://" in where:
        return DaskTaskRunner(address=where)
    # One thread each: a fetch keeps a core busy. No page of Dask's own: it would listen on a port.
    here: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    return DaskTaskRunner(cluster_kwargs=here | ({"n_workers": int(where)} if where else {}))


def workers_of(settings: Settings) -> "DaskWorkers | None":
    """Those that fetch for this flow run; None with threads. Raises UsageError where Dask is not installed."""
    if settings.task_runner == "threads":
        return None
    if find_spec("prefect_dask") is None:
        raise UsageError(_MISSING)
    return DaskWorkers()


def _nothing() -> None:
    pass


_NO_FLOW = Flow(_nothing, name="fetch")
"""Stands for the flow on a worker, where Prefect expects one."""


class DaskWorkers:
    """The `Workers` of reconcile.load.fetch_apps, of a flow run."""

    def __init__(self) -> None:
        context = FlowRunContext.get()
        assert context is not None, "only a flow run has workers"
        self._runner: Any = context.task_runner
        # What a stage begins is begun outside of it: Prefect would send the task around it along, and our stages hold
        # all that a run works with, keys included. Nor is the flow sent: of a deployment its module has a name that
        # only Prefect's loader knows.
        self._outside = copy_context()
        self._sent = context.model_copy(update={"flow": _NO_FLOW})
        self._begun: dict[tuple[Period, str], PrefectFuture[PartDone]] = {}
        self._held: dict[Period, ExitStack] = {}

    def __call__(self, run: RunContext, app_ids: Sequence[str], /) -> Mapping[str, PartDone | ReconcileError]:
        """Fetch for this run, or wait for what was begun ahead of it."""
        if held := self._held.pop(run.period, None):
            held.close()
        asked = {}
        for app_id in app_ids:
            begun = self._begun.pop((run.period, app_id), None)
            asked[app_id] = begun or self._begin(
                part_of(run.settings, app_id, run.period, nightly=run.nightly, allow=run.validator.allow)
            )
        return {app_id: self._result(future) for app_id, future in asked.items()}

    def at_once(self) -> int:
        """How many apps or months they can fetch at once, as of now."""
        with self._explained():
            threads: int = sum(self._runner.client.nthreads().values())
        return max(1, threads)

    def begin(self, settings: Settings, engine: Engine, period: Period, app_ids: Sequence[str]) -> None:
        """Begin to fetch for a run that is to come. Nothing is loaded before that run asks for it: what the runs before
        it report is the same as if it was fetched in its turn."""
        if period in self._held:
            return
        turn = str(uuid4())
        held = self._held[period] = ExitStack()
        held.enter_context(holding_back(engine, turn))
        for app_id in app_ids:
            part = part_of(settings, app_id, period, nightly=False, allow=frozenset())
            self._begun[period, app_id] = self._begin(part, turn)

    def give_up(self) -> None:
        """What is begun and was not asked for is not loaded."""
        for future in self._begun.values():
            future.wrapped_future.cancel()  # type: ignore[attr-defined]
        for held in self._held.values():
            held.close()

    def _begin(self, part: Part, turn: str = "") -> PrefectFuture[PartDone]:
        def submit() -> PrefectFuture[PartDone]:
            with self._sent:
                return _FETCH.submit(part, turn)

        with self._explained():
            return self._outside.run(submit)

    def _result(self, future: PrefectFuture[PartDone]) -> PartDone | ReconcileError:
        with self._explained():
            await_end(self._runner.client, future.wrapped_future)  # type: ignore[attr-defined]
            found = future.result(raise_on_failure=False)
        if isinstance(found, BaseException) and not isinstance(found, ReconcileError):
            raise found
        return found

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from distributed import CancelledError, KilledWorker

        try:
            yield
        except KilledWorker:
            raise ReconcileError(
                "the workers of Dask that fetched ended one after another: their log says why"
            ) from None
        except (OSError, CancelledError) as error:
            raise UsageError(
                f"RECONCILE_TASK_RUNNER: Dask's scheduler does not answer: {' '.join(str(error).split())}"
            ) from None


def await_end(client: Any, future: Any) -> None:
    """Wait until this future of Dask has ended. Raises UsageError where the scheduler has no worker left: it would wait
    for one without an end, and say nothing."""
    seen = monotonic()
    while not future.done():
        try:
            future.result(timeout=_LOOK_SECONDS)
        except TimeoutError:
            if client.nthreads():
                seen = monotonic()
            elif monotonic() - seen > NO_WORKER_SECONDS:
                raise UsageError(
                    f"RECONCILE_TASK_RUNNER: Dask's scheduler has had no worker for {NO_WORKER_SECONDS} seconds: "
                    "start its workers again"
                ) from None


def _fetch(part: Part, turn: str) -> PartDone:
    """On a worker. One that waits for its turn makes room, or those before it may find none."""
    from distributed import secede

    return reported(lambda: fetch_part(part, turn, PageLog(), secede))


_FETCH: Task[[Part, str], PartDone] = Task(
    _fetch,
    name="fetch app",
    task_run_name="fetch {part.app_id} {part.period}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
