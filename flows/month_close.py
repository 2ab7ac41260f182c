"""The flow of the deployment `month-close`: closes a month."""

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.form import FolderField, HoursField, MonthField, NameField
from flows.shared import PageLog, as_task, deployed, inside, with_database
from flows.summary import escaped, statement_of
from reconcile.core.errors import InputRefused, UsageError
from reconcile.db.engine import open_store
from reconcile.report.close_month import Closed, NotClosed, close_month, closed_statement
from reconcile.report.statement import month_days
from reconcile.settings import Settings


@flow(name="month-close", flow_run_name="{month} by {by}", validate_parameters=False, persist_result=False)
def month_close(
    month: MonthField, by: NameField, out: FolderField = "reports", time_limit_hours: HoursField = 0
) -> State[None]:
    """Close a month: freeze its statement of what was open at its start, what changed, and what is open at its end.

    It is refused while the month is not covered to its end, a check fails, or too much is open without a decision.

    Args:
        month: The month, as 2026-08. A run as of its last day must be finished. Closing again makes the next version.
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

        def close() -> Closed:
            shown = {one.name: one.value for one in Settings.shown()}
            with open_store(settings) as engine:
                try:
                    done = close_month(engine, settings, month, by.strip(), shown, folder)
                except NotClosed as error:
                    reasons = "; ".join(one.says for one in error.reasons)
                    raise InputRefused(f"{month} cannot be closed: {reasons}") from None
                with engine.connect() as connection:
                    statement = closed_statement(connection, done.close)
            with log.whatever_prefect_says():
                said = f"Version {done.close.version}, closed by {escaped(done.close.by)}."
                text = f"{said}\n\n{statement_of(statement, settings.currencies)}"
                create_markdown_artifact(text, key="close-statement", description=month)
                if settings.report_url:
                    page = done.folder / f"statement-{month}.html"
                    link = f"{settings.report_url.rstrip('/')}/{page.relative_to(folder).as_posix()}"
                    create_link_artifact(link, key="close-statement-file", link_text=page.name)
            return done

        done = with_database(lambda: as_task(log)("close", close))
        return Completed(message=f"{done.close.name}, closed by {done.close.by}: {done.folder}")

    return deployed(work, time_limit_hours)
