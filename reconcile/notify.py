"""Tells people of a run on the channels that they use: RECONCILE_NOTIFY, Apprise addresses.

One message a run. A channel that fails is shown and changes nothing about the run. Of an address only the kind of its
channel and its number are ever shown: it may hold a password or a token anywhere.
"""

import html
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconcile.core.errors import ReconcileError, TimeIsUp, UsageError
from reconcile.core.occasions import FAILED, LATE, NOTHING, Occasion
from reconcile.core.progress import Progress
from reconcile.core.wording import counted
from reconcile.db.runs import mishap
from reconcile.pipeline import Finished, PartlyDone
from reconcile.report.csv_cells import shown
from reconcile.settings import Settings

if TYPE_CHECKING:  # slow to import: only where there are addresses
    from apprise import Apprise

    from reconcile.report.html import Overdue  # slow too

RUN = "Reconciliation"
"""What a run is called in the subject of a message."""

LARGEST = 5
"""Discrepancies that a message names."""

ATTACHED_BYTES = 5 << 20
"""A larger discrepancies.csv is not attached: mail servers refuse it."""

_STATUS = re.compile(r"error=(\d{3})\b", re.ASCII)
"""How Apprise logs the HTTP status of a refusal."""

_STANDS = "The run is finished. The report of run"
"""How a note begins on an error that came after the report."""

_PARTS = {
    "at_risk": "At risk",
    "to_check": "To check",
    "timing": "Timing, for information",
    "in_quarantine": "In quarantine, at risk too",
}
"""The parts of what is open that a message names, as the page names them."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a subject, a plain text, and a file for channels that take one. Channels with colours or signs show
    one that `failed` as a failure."""

    subject: str
    text: str
    attached: Path | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message on one channel; `problem` is None if it was sent."""

    channel: str
    problem: str | None = None


class Channels:
    """The channels of RECONCILE_NOTIFY. Raises UsageError for an address that is none; without any, does nothing."""

    def __init__(self, settings: Settings) -> None:
        addresses = settings.notify
        self._channels = [
            _channel(address, number, len(addresses)) for number, address in enumerate(addresses, 1)
        ]

    def send(self, message: Message) -> list[Sent]:
        """Send the message on every channel."""
        return [_send(name, channel, message) for name, channel in self._channels]


def telling(
    settings: Settings, progress: Progress, run: Callable[[], Finished], *, strict: bool = False
) -> Finished:
    """Run, and send a message if this is an occasion. A failure is sent, and raised."""
    with telling_failures(settings, progress):
        finished = run()
        with standing(finished):
            tell_of(finished, settings, progress, strict=strict)
    return finished


def tell_of(finished: Finished, settings: Settings, progress: Progress, *, strict: bool = False) -> None:
    """Tell people of a finished run, if this is an occasion. One that `strict` fails is a failed one too."""
    fails = strict and finished.open_above_info > 0
    if any(
        occasion.has_come(finished.report) or (fails and occasion.name == FAILED)
        for occasion in settings.occasions
    ):
        _tell(Channels(settings), lambda: of_run(finished, settings, fails=fails), progress)


@contextmanager
def standing(finished: Finished) -> Iterator[None]:
    """What fails in the block fails beside a report that stands, and the message of the failure says so."""
    try:
        yield
    except Exception as error:
        error.add_note(f"{_STANDS} {finished.run_id} stands in {finished.folder.absolute()}")
        raise


@contextmanager
def telling_failures(settings: Settings, progress: Progress, work: str = RUN) -> Iterator[None]:
    """Tell people if the work of the block fails or is ended by its time limit, and raise it again. A person who stops
    a command is not told of it. Raises UsageError before it begins for an address that is none."""
    channels = Channels(settings)
    try:
        yield
    except PartlyDone as error:
        if any(
            occasion.name == FAILED or occasion.has_come(error.finished.report)
            for occasion in settings.occasions
        ):
            _tell(channels, lambda error=error: _of_part(error, settings), progress)  # type: ignore[misc]
        raise
    except (Exception, TimeIsUp) as error:
        if any(occasion.name == FAILED for occasion in settings.occasions):
            failure = _of_failure(error, work)
            _tell(channels, lambda: failure, progress)
        raise


def test_message() -> Message:
    """What `reconcile notify --test` sends."""
    return Message("kspay-reconcile: a test", "This channel works. Runs will be told here.")


def _tell(channels: Channels, message: Callable[[], Message], progress: Progress) -> None:
    try:
        written = message()
    except (OSError, ValueError) as error:  # the run stands, even if the message fails
        progress("notify: nothing is sent", f"{type(error).__name__}: {error}", None)
        return
    for sent in channels.send(written):
        progress(f"notify: {sent.channel}", sent.problem or "sent", None)


def _apprise() -> Any:
    import apprise  # slow

    # It logs addresses. Prefect hands every log that is passed on to its own.
    logging.getLogger("apprise").propagate = False
    return apprise


def _channel(address: str, number: int, of: int) -> tuple[str, "Apprise"]:
    apprise = _apprise()
    kind, mark, _ = address.partition("://")
    name = f"address {number} of {of} ({kind if mark and kind.isalnum() else 'no kind'})"
    channel = apprise.Apprise()
    with apprise.LogCapture(level=logging.WARNING) as log:
        known = channel.add(address)
        complete = "ropped" not in log.getvalue()  # as it says of a person whom it leaves out
    if not known:
        raise UsageError(f"RECONCILE_NOTIFY: {name} is none that Apprise knows: correct it")
    if not complete:
        raise UsageError(f"RECONCILE_NOTIFY: {name} names a receiver that is none: correct it")
    return name, channel


def _send(name: str, channel: "Apprise", message: Message) -> Sent:
    apprise = _apprise()
    takes_files = all(service.attachment_support for service in channel)
    # Made from plain text by Apprise, a mail has no blank at which a line could end: it runs out of the window.
    as_html = all(service.notify_format == apprise.NotifyFormat.HTML for service in channel)
    body = "<br/>".join(map(html.escape, message.text.splitlines())) if as_html else message.text
    with apprise.LogCapture(level=logging.WARNING) as log:
        done = channel.notify(
            title=message.subject,
            body=body,
            body_format=apprise.NotifyFormat.HTML if as_html else apprise.NotifyFormat.TEXT,
            notify_type=apprise.NotifyType.FAILURE if message.failed else apprise.NotifyType.INFO,
            attach=str(message.attached) if message.attached is not None and takes_files else None,
        )
        status = _STATUS.search(log.getvalue())
    if done:
        return Sent(name)
    # Its own words are not repeated: they may hold any part of the address.
    return Sent(
        name, f"not sent: {f'it answered {status[1]}' if status else 'it did not answer, or refused it'}"
    )


def _of_failure(error: BaseException, work: str) -> Message:
    known = error if isinstance(error, ReconcileError | TimeIsUp) else mishap(error)
    line = str(known) if known is not None else f"a fault of ours: {type(error).__name__}"
    for note in getattr(error, "__notes__", ()):
        if note.startswith(_STANDS):
            return Message(f"{work} finished, but not all of it is shown", f"{line}\n\n{note}.", failed=True)
    kept = "Nothing was reported. What was fetched and imported is kept. " if work == RUN else ""
    return Message(f"{work} failed", f"{line}\n\n{kept}Correct the cause, and run it again.", failed=True)


def _of_part(error: PartlyDone, settings: Settings) -> Message:
    """Of a run of which some apps failed."""
    message = of_run(error.finished, settings)
    apps = ", ".join(error.failed.errors)
    return replace(
        message,
        subject=f"Failed for {apps}. {message.subject}",
        text=f"{error.failed}\n\n{message.text}",
        failed=True,
    )


def of_run(finished: Finished, settings: Settings, *, fails: bool = False) -> Message:
    """What is told of a finished run: what is at risk, the largest items, what to do, and where the report is. `fails`
    if strict makes a failure of what is open."""
    from reconcile.report.figures import glance
    from reconcile.report.html import largest_at_risk, overdue_items

    report = finished.report
    open_items = sum(row["count"] for row in report["open"])
    open_parts = glance(report)
    is_empty = Occasion(NOTHING).has_come(report)  # whichever occasion it was
    lines = [
        f"Period {report['from']} to {report['to']} ({report['timezone']}), run {report['run_id']}.",
        *(["Neither KS Pay nor the ledger has a record of this period: is it the right one?"] * is_empty),
        *_late(report),
        "",
        *(_part(name, *open_parts[part]) for part, name in _PARTS.items()),
        f"New since the runs before: {report['new']:,}. Cleared: {report['cleared']:,}.",
    ]
    lines += _overdue(overdue_items(finished.folder, date.fromisoformat(report["to"])))
    largest = largest_at_risk(finished.folder, LARGEST)
    if largest:
        lines += ["", "The largest:"]
        lines += [
            f"- {item.currency} {item}: {item.row['detail']} [{item.row['discrepancy_id']}]"
            for item in largest
        ]
        lines += [
            "",
            "What to do: open discrepancies.csv, write a decision into the column resolution, and give the file back.",
        ]
    if report["warnings"]:
        lines += ["", f"Warnings: {len(report['warnings'])}. The first: {report['warnings'][0]}"]
    where = link_to(finished.folder / "report.html", settings) or finished.folder.absolute()
    lines += ["", f"The report: {where}"]
    sheet = finished.folder / "discrepancies.csv"
    failed = "Failed by strict. " if fails else ""
    at_risk, _ = open_parts["at_risk"]
    return Message(
        f"{failed}Reconciliation {report['from']} to {report['to']}: "
        f"{'nothing to reconcile, ' * is_empty}{open_items:,} open, {at_risk:,} at risk",
        "\n".join(lines),
        sheet if sheet.stat().st_size <= ATTACHED_BYTES else None,
        failed=fails,
    )


def _late(report: Mapping[str, Any]) -> list[str]:
    """That nights are missing before this one, and which was the last."""
    if not Occasion(LATE).has_come(report):
        return []
    last, this = (date.fromisoformat(run["to"]) for run in (report["at_a_glance"]["last"], report))
    missing = (this - last - timedelta(days=1)).days
    return [
        f"Late: the last night is as of {last}, so {counted(missing, 'night')} before this one did not run."
    ]


def _overdue(items: Sequence["Overdue"]) -> list[str]:
    """What is overdue: how many, and those that are overdue the longest."""
    if not items:
        return []
    lines = ["", f"Overdue: {len(items):,}"]
    for item in items[:LARGEST]:
        row = item.row
        amount = f"{item.currency} {item}: " if item.amount is not None else ""
        who = shown(row["assignee"]) or "nobody"
        lines.append(f"- due {row['due']}, {who}: {amount}{shown(row['detail'])} [{row['discrepancy_id']}]")
    if len(items) > LARGEST:
        lines.append(f"- and {len(items) - LARGEST:,} more, on the page")
    return lines


def link_to(path: Path, settings: Settings) -> str | None:
    """Where people reach this file or folder of a report: below RECONCILE_REPORT_URL. None without it, and for what was
    not written into the folder that is shown there."""
    shown, found = settings.reports_folder.resolve(), path.resolve()
    if not settings.report_url or not found.is_relative_to(shown):
        return None
    return f"{settings.report_url.rstrip('/')}/{quote(found.relative_to(shown).as_posix())}"


def _part(name: str, count: int, amounts: str) -> str:
    """`At risk: 12 (INR 1,234.00; USD 5.00)`."""
    return f"{name}: {count:,}{f' ({amounts})' if amounts else ''}"
