"""Puts all that Prefect's server holds of us there: `python -m flows.deploy`, in the project folder.

The work pool, the deployments of prefect.yaml by Prefect's own command, the rules for the dates of their forms, and the
automations of automations.yaml. What is there already is brought up to date, so it may be run again at any time.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import httpx
import yaml  # type: ignore[import-untyped]  # a part of Prefect's
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.workers.process import ProcessWorker
from pydantic import ValidationError

from flows.dates import add_rules
from flows.shared import PREFECT_ERRORS, one_line
from reconcile.core.errors import ReconcileError, UsageError
from reconcile.core.wording import counted
from reconcile.settings import Settings

DEPLOYMENTS, AUTOMATIONS = Path("prefect.yaml"), Path("automations.yaml")


def main() -> None:
    try:
        _deploy()
    except ReconcileError as error:
        click.echo(f"flows.deploy: {error}", err=True)
        sys.exit(error.exit_code)


def _deploy() -> None:
    if not PREFECT_API_URL.value():
        raise UsageError(
            "PREFECT_API_URL is not set: it names Prefect's server, as http://127.0.0.1:4200/api"
        )
    deployments, automations = (_read(path) for path in (DEPLOYMENTS, AUTOMATIONS))
    Settings.read()  # what is wrong with them is said in one line, before anything is changed
    with get_client(sync_client=True) as client:
        try:
            client.raise_for_api_version_mismatch()
        except (RuntimeError, httpx.HTTPError) as error:
            raise UsageError(
                f"PREFECT_API_URL: {one_line(error)}: start that Prefect server or correct the address"
            ) from None
        try:
            for name in _pools(deployments):
                click.echo(_make_pool(client, name))
            click.echo(_prefect_deploy(deployments))
            click.echo(add_rules(client))
            click.echo(_automate(client, automations))
        except PREFECT_ERRORS as error:
            raise ReconcileError(f"Prefect's server: {one_line(error)}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{path.absolute()}: no such file: run this in the project folder, which has {DEPLOYMENTS}, {AUTOMATIONS} "
            "and flows/"
        ) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path.absolute()}: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path.absolute()}: has none of the keys that Prefect expects")
    return content


def _pools(deployments: dict[str, Any]) -> list[str]:
    """The work pools that the deployments name."""
    return sorted({one["work_pool"]["name"] for one in deployments["deployments"]})


def _make_pool(client: SyncPrefectClient, name: str) -> str:
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))
        return f"work pool {name}: made"
    return f"work pool {name}: is there"


def _prefect_deploy(deployments: dict[str, Any]) -> str:
    words = ["prefect", "--no-prompt", "deploy", "--all"]
    # Its lines are cut at the width of a terminal.
    done = subprocess.run(
        [sys.executable, "-m", *words],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "500"},
    )
    said = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
    if done.returncode:
        raise ReconcileError(f"`{' '.join(words)}` failed: {said[-1] if said else 'it says nothing'}")
    names = sorted(one["name"] for one in deployments["deployments"])
    return f"{counted(len(names), 'deployment')}: {', '.join(names)}"


def _automate(client: SyncPrefectClient, automations: dict[str, Any]) -> str:
    made = updated = 0
    for one in automations["automations"]:
        try:
            automation = AutomationCore.model_validate(one)
        except ValidationError as error:
            raise UsageError(f"{AUTOMATIONS}: {one.get('name')}: {one_line(error)}") from None
        known = client.read_automations_by_name(automation.name)
        for before in known:
            client.update_automation(before.id, automation)
        if not known:
            client.create_automation(automation)
        made, updated = made + (not known), updated + len(known)
    return f"{counted(made + updated, 'automation')}: {made} made, {updated} updated"


if __name__ == "__main__":
    main()
