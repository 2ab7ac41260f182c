"""The flow of the deployment `month-close`: the close statement of a month."""

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.form import FolderField, HoursField, MonthField, NameField
from flows.shared import PageLog, as_task, deployed, inside, with_database
from flows.summary import escaped, statement_of
from reconcile.core.errors import UsageError
from reconcile.db.engine import open_store
from reconcile.report.statement import Statement, month_days, read_statement
from reconcile.report.statement_files import write_statement
from reconcile.settings import Settings


@flow(name="month-close", flow_run_name="{month} by {by}", validate_parameters=False, persist_result=False)
def month_close(
    month: MonthField, by: NameField, out: FolderField = "reports", time_limit_hours: HoursField = 0
) -> State[None]:
    """Write the close statement of a month: what was open at its start, what changed, and what is open at its end.

    Args:
        month: The month, as 2026-08. A run as of its last day must be finished.
        by: Who closes it.
        out: Folder for the statement on the worker's machine, inside RECONCILE_OUT_ROOT.
        time_limit_hours: After so many hours it is stopped and failed. 0: never.
    """

    def work(settings: Settings) -> State[None]:
        if not by.strip():
            raise UsageError("by is empty: it names who closes the month")
        month_days(month)
        folder = inside(settings.out_root, "out", out or "reports", "RECONCILE_OUT_ROOT")
        log = PageLog()

        def close() -> Statement:
            with open_store(settings) as engine:
                statement = read_statement(engine, month)
            paths = write_statement(statement, settings.currencies, settings.dialect, folder)
            with log.whatever_prefect_says():
                text = f"Closed by {escaped(by)}.\n\n{statement_of(statement, settings.currencies)}"
                create_markdown_artifact(text, key="close-statement", description=month)
                if settings.report_url:
                    link = f"{settings.report_url.rstrip('/')}/{paths[0].relative_to(folder).as_posix()}"
                    create_link_artifact(link, key="close-statement-file", link_text=paths[0].name)
            return statement

        statement = with_database(lambda: as_task(log)("close", close))
        return Completed(message=f"{month}: {len(statement.lines)} lines in {folder}")

    return deployed(work, time_limit_hours)
