"""The flow of the deployment `decisions`: takes in what lies in the inbox, at once."""

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.form import HoursField, ProfileField
from flows.shared import PageLog, as_task, deployed, with_database
from reconcile import pipeline
from reconcile.core.errors import InputRefused
from reconcile.settings import Settings


@flow(name="decisions", flow_run_name="the inbox", validate_parameters=False, persist_result=False)
def decisions(profile: ProfileField = "", time_limit_hours: HoursField = 0) -> State[None]:
    """Take in the decisions and ledgers that lie in RECONCILE_INBOX, without waiting for the night.

    Nothing is fetched or reported; the next run matches and reports with them.

    Args:
        profile: Name of a [ledger.NAME] of reconcile.toml that says how to read ledgers. Usually empty.
        time_limit_hours: After so many hours it is stopped and failed. 0: never.
    """

    def work(settings: Settings) -> State[None]:
        log = PageLog()
        taken = with_database(
            lambda: pipeline.take_inbox(settings, profile or None, stage=as_task(log), progress=log)
        )
        for warning in taken.warnings:
            log.logger.warning("%s", warning)
        said = taken.in_numbers()
        if taken.refused:
            with log.prefect_failures_as_warnings():
                why = [{"file": sheet.file, "why": sheet.reason} for sheet in taken.refused]
                create_table_artifact(why, key="refused", description="Files of the inbox that were refused")
            if not taken.decided and not taken.imported:
                raise InputRefused(f"{said}: {'; '.join(row['why'] for row in why)}")
        return Completed(message=said)

    return deployed(work, time_limit_hours)
