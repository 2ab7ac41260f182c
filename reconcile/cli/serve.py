"""`reconcile serve`: the reports for those who have no web server."""

from pathlib import Path

import click

from reconcile.cli.options import out_option
from reconcile.core.errors import UsageError


@click.command()
@out_option("The folder of the reports.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8090, show_default=True, help="0 takes a free port.")
def serve(out: Path, host: str, port: int) -> None:
    """Show the reports in a browser, read-only.

    Whoever signs in needs the token in RECONCILE_SERVE_TOKEN as password, with any name. By default only this machine
    can reach the page. Put a web server with TLS in front of it before other machines may.

    Example:  reconcile serve --port 8090
    """
    import signal

    from reconcile.report.serve import listening, server_of
    from reconcile.settings import Settings

    settings = Settings.read()
    if settings.serve_token is None:
        raise UsageError("RECONCILE_SERVE_TOKEN is not set: it is what people need to see the reports")
    server = server_of(out, settings.serve_token)
    with listening(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"http://{shown}:{listener.getsockname()[1]}/  Ctrl+C stops it")
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        try:
            for number in before:  # the server ends by itself, then repeats the signal
                signal.signal(number, lambda *_: None)
            server.run([listener])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
