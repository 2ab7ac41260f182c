"""The flow of the deployment `month-close`: freezes the statement of a month as its next version."""

from pathlib import Path

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.form import HoursField, MonthField, NameField, OutField
from flows.shared import PageLog, as_task, deployed, out_folder, with_database
from flows.summary import closed_month, escaped, where
from reconcile.core.errors import InputRefused, UsageError
from reconcile.db.engine import open_store
from reconcile.notify import link_to
from reconcile.report.close_month import Closed, NotClosed, close_month, closed_statement
from reconcile.report.statement import month_days
from reconcile.settings import Settings


@flow(name="month-close", flow_run_name="{month} by {by}", validate_parameters=False, persist_result=False)
def month_close(
    month: MonthField, by: NameField, out: OutField = "", time_limit_hours: HoursField = 0
) -> State[None]:
    """Close a month: freeze its statement as the next version. No later run changes a closed version.

    It is refused, with the reasons, while the month is not covered to its end, a check fails, or too much is open
    without a decision.

    Args:
        month: The month, as 2026-08. It must be over, and a run must cover it to its end.
        by: Who closes it. The audit trail keeps this name.
        out: Folder of the reports on the worker's machine, inside RECONCILE_OUT_ROOT. The files go to closed/ in it.
            Empty: that folder, else the folder reports.
        time_limit_hours: After so many hours it is stopped and failed. 0: never.
    """

    def work(settings: Settings) -> State[None]:
        name = (by or "").strip()
        if not name or not name.isprintable():
            raise UsageError("by must be a name: the audit trail keeps who closed the month")
        month_days(month or "", "close")
        folder = out_folder(settings, out)
        shown = {setting.name: setting.value for setting in Settings.shown()}
        log = PageLog()

        def close() -> Closed:
            with open_store(settings) as engine:
                done = close_month(engine, settings, month, name, shown, folder)
                with engine.connect() as connection:
                    statement = closed_statement(connection, done.close)
            content = done.close.content
            says = f"{month}, version {content['version']}, closed by {escaped(content['closed_by'])}."
            with log.prefect_failures_as_warnings():
                text = f"{says}\n\n{closed_month(statement, settings.currencies)}"
                create_markdown_artifact(text, key="close-statement", description=month)
                page = _page(done, month)
                if link := link_to(page, settings):
                    create_link_artifact(link, key="closed", link_text=page.name)
            return done

        try:
            done = with_database(lambda: as_task(log)("close", close))
        except NotClosed as error:
            # The terminal shows the reasons as a table; here they are the message.
            reasons = "; ".join(reason.says for reason in error.reasons)
            raise InputRefused(f"{month} cannot be closed: {reasons}") from None
        for line in done.warnings:
            log.logger.warning("%s", line)
        made = "" if done.made else ": nothing ran since, so it stands"
        at = where(_page(done, month), settings)
        return Completed(message=f"{month}, version {done.close.version}{made}; {at}")

    return deployed(work, time_limit_hours)


def _page(done: Closed, month: str) -> Path:
    return done.folder / f"statement-{month}.html"
