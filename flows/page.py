"""What Prefect's page shows of a finished run beside its tasks: artifacts, events, its name and its state."""

from collections.abc import Iterator
from contextlib import contextmanager
from shutil import rmtree
from typing import Any

from prefect import get_client
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.states import Completed, Failed
from sqlalchemy.exc import DBAPIError

from flows.shared import PageLog
from flows.shared import one_line as in_one_line
from flows.summary import largest_items, one_line, summary
from reconcile.core.errors import ReconcileError
from reconcile.db.runs import mishap
from reconcile.notify import link_to
from reconcile.pipeline import Finished
from reconcile.report.csv_files import says_of_latest
from reconcile.report.verify import DATA_DOCS
from reconcile.settings import Settings
from reconcile.validate.library import load
from reconcile.validate_all import write_docs_of_held

RESOURCE = "reconcile.reports"
"""What our events are about; automations.yaml names it too."""


def show(finished: Finished, settings: Settings, log: PageLog) -> None:
    """The artifacts, the events, the last line of the log, and a name that holds the period, also if none was asked."""
    log.logger.info("done: %s", one_line(finished, settings))
    if line := says_of_latest(finished.folder):
        log.logger.info("%s", line)
    for warning in finished.report["warnings"]:
        log.logger.warning("%s", warning)
    with log.prefect_failures_as_warnings(), _failures_as_warnings(log):
        _artifacts(finished, settings)
        _events(finished)
        context = FlowRunContext.get()
        if context is not None and context.flow_run is not None:
            with get_client(sync_client=True) as client:
                report = finished.report
                client.set_flow_run_name(context.flow_run.id, f"{report['from']} to {report['to']}")
        _data_docs(settings, finished, log)


@contextmanager
def _failures_as_warnings(log: PageLog) -> Iterator[None]:
    """The run is finished and its report stands: what cannot be shown of it is a warning."""
    try:
        yield
    except (OSError, DBAPIError, ReconcileError) as error:
        log.logger.warning(
            "the run is finished, but not all of it is shown: %s", mishap(error) or in_one_line(error)
        )


def ended(finished: Finished, settings: Settings, *, strict: bool = False) -> State[None]:
    """The state of a finished run. Its name is `Over limit` where one of RECONCILE_NOTIFY_WHEN is passed, so that
    automations can tell it from the others. What `strict` fails is failed as any other run is."""
    line = one_line(finished, settings)
    if strict and finished.open_above_info:
        return Failed(message=f"strict: {finished.open_above_info:,} open above info; {line}")
    passed = [str(occasion) for occasion in settings.occasions if occasion.has_come(finished.report)]
    if passed:
        return Completed(name="Over limit", message=f"{', '.join(passed)}: {line}")
    return Completed(message=line)


def _artifacts(finished: Finished, settings: Settings) -> None:
    # The page cuts a long description off: what it is comes first.
    of_run = f"of run {finished.run_id}"
    create_markdown_artifact(
        summary(finished, link_to(finished.folder, settings)),
        key="reconciliation",
        description=f"The summary {of_run}",
    )
    if items := largest_items(finished):
        create_table_artifact(items, key="largest-open-items", description=f"The largest open items {of_run}")
    for key, name, text in (
        ("report", "report.html", "The report"),
        ("workbook", f"report-{finished.run_id}.xlsx", "The workbook"),
    ):
        if link := link_to(finished.folder / name, settings):
            create_link_artifact(
                link=link, link_text=f"{text} of run {finished.run_id}", key=key, description=name
            )


def _events(finished: Finished) -> None:
    """One that it is finished; and one each if there are open discrepancies above info, and records in quarantine."""
    report = finished.report
    shared: dict[str, Any] = {
        name: report[name] for name in ("run_id", "from", "to", "apps", "new", "cleared")
    }
    payloads = {
        "reconcile.finished": shared,
        "reconcile.discrepancies": shared | {"open": report["open"], "types": report["discrepancies"]}
        if finished.open_above_info
        else None,
        "reconcile.quarantine": shared | {"quarantined": report["quarantined"]}
        if any(report["quarantined"].values())
        else None,
    }
    for name, payload in payloads.items():
        if payload is not None:
            emit_event(name, resource=_resource(finished.run_id), payload=payload)


def tell_skipped(before: str) -> None:
    """The event of a night that another run made up for: such a night is not missing."""
    emit_event("reconcile.skipped", resource=_resource(before), payload={"run_id": before})


def _resource(run_id: str) -> dict[str, str]:
    return {"prefect.resource.id": RESOURCE, "prefect.resource.name": run_id}


def _data_docs(settings: Settings, finished: Finished, log: PageLog) -> None:
    """Great Expectations' own pages beside the files of the run, and the artifact that links to them."""
    folder = finished.folder / DATA_DOCS
    try:
        write_docs_of_held(settings, folder)
    except (OSError, DBAPIError, ReconcileError, load().exceptions.GreatExpectationsError) as error:
        # The run is done all the same. Half of the pages would look like all of them.
        rmtree(folder, ignore_errors=True)
        log.logger.warning("no pages of Great Expectations: %s", mishap(error) or in_one_line(error))
        return
    create_link_artifact(
        link=link_to(folder / "index.html", settings) or (folder / "index.html").resolve().as_uri(),
        link_text="What was demanded of the records, and what was found",
        key=DATA_DOCS,
        description=f"Great Expectations' pages of run {finished.run_id}",
    )
