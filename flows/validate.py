"""The flow of the deployment `validate`: all expectations alone, over what the database holds."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.form import HoursField, PagesField
from flows.shared import PageLog, as_task, deployed, inside, with_database
from flows.summary import validated
from reconcile.core.errors import InputRefused
from reconcile.settings import Settings
from reconcile.validate_all import validate_all


@flow(name="validate", flow_run_name="all expectations", validate_parameters=False, persist_result=False)
def validate(pages: PagesField = "", time_limit_hours: HoursField = 0) -> State[None]:
    """Check all expectations on the data in the database. It fails if one that blocks does not hold.

    Args:
        pages: Folder on the worker's machine, inside RECONCILE_OUT_ROOT, for the pages of Great Expectations. Empty:
            none.
        time_limit_hours: After so many hours it is stopped and failed. 0: never.
    """

    def work(settings: Settings) -> State[None]:
        folder = inside(settings.out_root, "pages", pages, "RECONCILE_OUT_ROOT") if pages else None
        log = PageLog()
        stage = as_task(log)
        found = with_database(lambda: stage("validate", lambda: validate_all(settings, folder, log)))
        with log.prefect_failures_as_warnings():
            create_markdown_artifact(validated(found), key="validation", description="All expectations")
        for line in found.warnings:
            log.logger.warning("%s", line)
        if found.problems:
            raise InputRefused("; ".join(found.problems))
        return Completed(message=f"{len(found.suites)} suites: all that blocks holds")

    return deployed(work, time_limit_hours)
