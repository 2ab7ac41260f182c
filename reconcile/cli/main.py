"""The command line: parse, call, print, exit code. Every command is one call into the product.

Results go to standard output, progress and errors to standard error. An error is one line. Each command imports what
it needs when it runs, so that `reconcile --help` does not wait for it.
"""

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from reconcile.cli import close, installation, ledger, report, review, run, sandbox, serve, trial
from reconcile.cli.console import open_logs, open_streams, tell
from reconcile.cli.signals import stopped_by_signals
from reconcile.core.errors import ReconcileError, Stopped, UsageError
from reconcile.core.wording import one_line

DEBUG = "--debug"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kspay-reconcile")
@click.option(DEBUG, is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """Reconcile KS Pay transactions with your ledger.

    Example:  reconcile demo
    """


for _command in (
    run.demo,
    run.run,
    run.fetch,
    run.runs,
    run.show,
    run.metrics,
    run.doctor,
    review.resolve,
    review.explain,
    review.validate,
    review.quarantine,
    ledger.ledger,
    report.report,
    serve.serve,
    trial.try_command,
    close.close,
    close.adjustments,
    installation.init,
    installation.config,
    installation.notify,
    installation.backup,
    installation.prune,
    installation.partition,
    sandbox.sandbox,
):
    cli.add_command(_command)


def main() -> NoReturn:
    """The `reconcile` command: one line and an exit code for whatever goes wrong."""
    open_streams()
    open_logs()
    if sys.flags.optimize > 1:
        _fail("the program needs its docstrings: unset PYTHONOPTIMIZE", 2, debug=False)
    _no_calls_home(os.environ)
    # Otherwise Python searches everything that was imported for garbage when it ends: more than half a second.
    atexit.register(gc.freeze)
    gc.set_threshold(50_000)  # what is imported stays: it need not be searched every 700 objects
    # What is imported or compiled in the background lets the thread that got an answer go on ten times as soon.
    sys.setswitchinterval(0.0005)
    arguments = sys.argv[1:]
    debug = DEBUG in arguments
    # --debug may be anywhere in the command; click looks for it only at the beginning.
    arguments = ([DEBUG] if debug else []) + [argument for argument in arguments if argument != DEBUG]
    try:
        _check_words(arguments)
        with stopped_by_signals():
            cli.main(arguments, prog_name="reconcile", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(f"{_place(error)}{' '.join(error.format_message().split())}", 2, debug=debug)
    except Stopped as error:
        _fail(
            "stopped; nothing was reported. You can start it again at any time", error.exit_code, debug=debug
        )
    except ReconcileError as error:
        _fail(str(error), error.exit_code, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last resort: it is reported and ends with an exit code
        from sqlalchemy.exc import DBAPIError

        from reconcile.db.runs import mishap

        if (said := mishap(error)) is not None:
            _fail(str(said), said.exit_code, debug=debug)
        # SQLAlchemy's text repeats the statement and its values; the driver's own text is enough.
        text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        line = " ".join(text.split()) or "no details"
        _fail(f"a fault of ours: {type(error).__name__}: {line} (--debug shows where)", 1, debug=debug)
    sys.exit(0)


def _check_words(arguments: Sequence[str]) -> None:
    """Refuse arguments that are not UTF-8: only a file may have such a name."""
    for argument in arguments:
        if any("\udc80" <= letter <= "\udcff" for letter in argument):
            option, _, value = argument.partition("=")
            if not Path(value if option.startswith("--") and value else argument).exists():
                shown = os.fsencode(argument).decode("utf-8", "backslashreplace")
                raise UsageError(f"{shown}: is not UTF-8, and no file has this name")


def _place(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path.removeprefix('reconcile ')}: " if context and context.parent else ""


def _fail(line: str, code: int, *, debug: bool) -> NoReturn:
    trace = traceback.format_exc() if debug else None
    # The name of a file may hold a line break, and a driver's message several.
    tell(one_line(line), "error", before=f"{trace or ''}reconcile: ", exit_code=code, traceback=trace)
    sys.exit(code)


def _no_calls_home(environ: Any) -> None:
    """Switch off the telemetry of every dependency, unless the user has switched it on."""
    for name, value in _QUIET.items():
        environ.setdefault(name, value)


_QUIET: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
