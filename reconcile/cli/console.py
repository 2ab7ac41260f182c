"""The streams that a command writes to: progress and errors on standard error, tables on standard output."""

import io
import json
import logging
import os
import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from reconcile.core.progress import Progress
from reconcile.ledger.profile import TOML

_EVERY_SECONDS = 5  # how often a log (no terminal) gets another line of the same stage


class _Unheard(io.FileIO):
    """A standard stream whose reader may go away, as `head` does: that is no error, and the work goes on."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if isinstance(error, BrokenPipeError) or self.fileno() != 1:
                return len(data)
            error.filename = "standard output"  # for example a full disk: the result was not written
            raise


def open_streams() -> None:
    """No command fails because nobody reads what it prints: a stream was closed (`>&-`), or its reader goes away."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8", errors="replace")  # noqa: SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            unheard = io.BufferedWriter(_Unheard(stream.fileno(), "w", closefd=False))
            stream = io.TextIOWrapper(
                unheard,
                stream.encoding,
                stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
        setattr(sys, name, stream)


@cache
def json_lines() -> bool:
    """Whether RECONCILE_LOG is json. Read here once more, since an error of the settings themselves is a line, too."""
    word: object = os.environ.get("RECONCILE_LOG")
    if not word:
        with suppress(OSError, ValueError):  # what is wrong with the file, the settings will say
            word = tomllib.loads(Path(TOML).read_text("utf-8-sig")).get("RECONCILE_LOG")
    return str(word).strip() == "json"


def tell(message: str, level: str = "info", *, before: str = "", **further: object) -> None:
    """A line on standard error, with the words that stand before it there. With RECONCILE_LOG=json a document with
    the time, the level and whatever is further known, and the message alone."""
    line = f"{before}{message}"
    if json_lines():
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        known = {name: value for name, value in further.items() if value is not None}
        line = json.dumps({"time": now, "level": level, **known, "message": message}, ensure_ascii=False)
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Told(logging.Handler):
    """A library's line as `tell` writes ours. Prefect removes handlers of the root whose class begins with `_`."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(record.getMessage(), record.levelname.lower(), logger=record.name)


def open_logs() -> None:
    """With RECONCILE_LOG=json what libraries log or warn of becomes a document a line as well."""
    if json_lines():
        logging.basicConfig(handlers=[Told(logging.WARNING)])  # some libraries have a level of their own
        logging.captureWarnings(capture=True)


@contextmanager
def showing_progress() -> Iterator[Progress]:
    """A bar on a terminal. Elsewhere a line for every stage, another one every few seconds, and its last one."""
    if sys.stderr.isatty() and not json_lines():
        columns = (
            TextColumn("{task.fields[stage]:>7}", markup=False),
            BarColumn(30),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),  # it names files
        )
        with Bar(*columns, console=_console(stderr=True)) as bar:
            tasks: dict[str, Any] = {}

            def show(stage: str, doing: str, done: float | None, /) -> None:
                for name, task in tasks.items():
                    if name != stage:
                        bar.update(task, total=1, completed=1)
                if stage not in tasks:
                    tasks[stage] = bar.add_task(doing, total=None, stage=stage)
                bar.update(
                    tasks[stage], description=doing, total=None if done is None else 1, completed=done or 0
                )

            yield show
            for task in tasks.values():
                bar.update(task, total=1, completed=1)
    else:
        last: dict[str, float] = {}
        said: dict[str, str] = {}
        unsaid: dict[str, tuple[str, float | None]] = {}

        def say(stage: str, doing: str, done: float | None) -> None:
            said[stage] = doing
            tell(doing, before=f"{stage}: ", stage=stage, done=done)

        def say_last(but: str = "") -> None:
            for stage in [*unsaid]:
                if stage != but and (kept := unsaid.pop(stage, None)) is not None:
                    say(stage, *kept)

        def log(stage: str, doing: str, done: float | None, /) -> None:
            say_last(but=stage)  # the others are done: this is what they gave
            now = monotonic()
            if stage not in last or now - last[stage] >= _EVERY_SECONDS:
                last[stage] = now
                unsaid.pop(stage, None)
                say(stage, doing, done)
            elif doing != said[stage]:
                unsaid[stage] = doing, done

        yield log
        say_last()


def telling_once() -> Progress:
    """A line for each that is new, also on a terminal: for a command that is quick, if it has not to wait."""
    told = set()

    def log(stage: str, doing: str, _done: float | None, /) -> None:
        if (stage, doing) not in told:
            told.add((stage, doing))
            tell(doing, before=f"{stage}: ", stage=stage)

    return log


def table_console() -> Console:
    """Where tables go: standard output."""
    # Programs and people read piped output, so it is wide enough for the tables and has no colours.
    # On a terminal rich itself obeys NO_COLOR.
    if sys.stdout.isatty():
        return _console()
    return _console(width=140, no_color=True, force_terminal=False)


def error_console() -> Console:
    """Where the tables go that belong to an error: standard error."""
    return _console(stderr=True, width=140, no_color=True)


def _console(**how: Any) -> Console:
    """Every text is shown as it is: `:bank:` in an id is no emoji, and `[final]` no style."""
    return Console(emoji=False, markup=False, **how)


def say_paths(paths: Iterable[Path]) -> None:
    """One path a line, so that each can be copied or clicked. A file that no longer exists is marked."""
    console = table_console()
    for path in paths:
        say(console, f"{path}{'' if path.exists() else ' (no longer there)'}")


def print_table(console: Console, table: Table) -> None:
    """A table, without blanks at the ends of lines if it does not go to a terminal."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as printed:
        console.print(table)
    say(console, "\n".join(line.rstrip() for line in printed.get().splitlines() if line.strip()))


def say(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)
