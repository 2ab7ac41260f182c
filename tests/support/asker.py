"""What stands for the interpreter where Prefect's workers start processes: it has them forked, see warm.py beside this.

Its arguments: where to ask, the interpreter, the path that stands for it, and what the interpreter is asked to run. It
hands on its environment, folder and files, passes signals on, and ends as the fork ends; the fork ends when it is
killed. For whatever is no module and no program, it becomes the interpreter itself.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def main() -> int:
    address, python, path, *words = sys.argv[1:]
    if not words or (words[0].startswith("-") and words[0] != "-m"):
        os.execv(python, [python, *words])  # noqa: S606
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    job: dict[str, object] = {"words": words, "folder": os.getcwd(), "executable": path}
    job |= {"environment": dict(os.environ)}
    job |= {"imports": [], "closed": [], "most_bytes": -1, "bound": True}
    status, theirs = socket.socketpair()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way:
        way.connect(address)
        socket.send_fds(way, [json.dumps(job).encode()], [0, 1, 2, theirs.fileno()])
        theirs.close()
        pid = said(status)
        if pid is None:
            return 1
        for one in PASSED_ON:
            signal.signal(one, lambda number, _: os.kill(pid, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        code = said(status)
    if code is None:
        return 1
    if code < 0:
        with suppress(OSError):  # it is SIGKILL
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def said(status: socket.socket) -> int | None:
    """A number that the process that forks says next: the process id, and how it ended. None if it is gone."""
    told = status.recv(4, socket.MSG_WAITALL)
    return int.from_bytes(told, "big", signed=True) if len(told) == 4 else None


if __name__ == "__main__":
    sys.exit(main())
