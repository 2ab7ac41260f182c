"""A Postgres that a test may stop and start: that of the session serves the other tests, too."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconcile.db.embedded.cluster import ROLE, Home, find_programs
from tests.support.prefect_server import until


@contextmanager
def listening(home: Path, port: int) -> Iterator[str]:
    """The server of an embedded database's home, at a port of this machine; its URL, the same at every start.

    At the end of the block it cuts all connections, as when a service manager stops it.
    """
    files = Home.at(home)
    settings = ("--listen_addresses=127.0.0.1", f"--port={port}", "--unix_socket_directories=")
    words = [str(find_programs() / "postgres"), "-D", str(files.data), *settings]
    with files.log.open("ab") as log:
        server = files.launch(words, log.fileno(), detach=False)
    try:
        until(lambda: (found := files.postmaster()) is not None and found.status == "ready")
        yield f"postgresql+psycopg://{ROLE}:{files.password()}@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
