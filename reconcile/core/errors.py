"""All errors as a tree. A command exits with the code of the class.

    ReconcileError            1  the base class. It is raised itself for what no class below names: a server that does
    │                            not start, a copy that fails
    ├── CheckFailed           1  a check of our own work found it wrong (totals not conserved, say)
    ├── DiskFull              1  a file found no room, wherever it was to be written
    ├── DatabaseLost          1  the database went away in the middle; it may come back
    ├── UsageError            2  wrong use or settings: names the option or variable, and what to do
    │   └── DatabaseUnreachable   2  the configured database does not answer; it may do so later
    ├── InputRefused          3  a file, decisions or a batch that must not be used: names the place
    │   └── UnfinishedFile        3  a file that somebody still writes
    ├── KSPayError            4  KS Pay refused, contradicted itself or stayed unreachable
    │   └── (its families: see reconcile.kspay.errors)
    └── Busy                  5  another run holds the lock of this app

Bad *data* is not an error here: a record that cannot be used becomes a `records.Rejection` and is quarantined. These
classes are for what must stop a command. The text of each is one line that says what, where and what to do.
"""

import errno

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The errno values of a write without enough space."""


class ReconcileError(Exception):
    """Base of every error that a command reports in one line."""

    exit_code = 1


class CheckFailed(ReconcileError):
    """A check of the program's own results failed; nothing was reported."""


class DiskFull(ReconcileError):
    """A disk has no room for what was to be written. Nothing half-written stays."""


class DatabaseLost(ReconcileError):
    """The database went away while it was used. Time may cure it."""


class UsageError(ReconcileError):
    """Wrong use of a command, or a missing or impossible setting."""

    exit_code = 2


class DatabaseUnreachable(UsageError):
    """The database of RECONCILE_DATABASE_URL does not answer. Time may cure it."""


class InputRefused(ReconcileError):
    """Input that cannot be used; nothing of it was stored."""

    exit_code = 3


class UnfinishedFile(InputRefused):
    """A file that changed while it was read: somebody still writes it."""

    def __init__(self, where: object) -> None:
        super().__init__(f"{where}: changed while it was read; import it when it is complete")


class KSPayError(ReconcileError):
    """A call to KS Pay failed, or its answer cannot be used."""

    exit_code = 4


class Busy(ReconcileError):
    """Another run works on the same app."""

    exit_code = 5


class Stopped(BaseException):
    """A signal asked the command to end. Not an Exception, so that no handler catches it and goes on."""

    def __init__(self, number: int) -> None:
        super().__init__("stopped before it was done")
        self.number = number
        self.exit_code = 128 + number  # as a shell says it: 130 for Ctrl-C, 143 for SIGTERM


class TimeIsUp(Stopped):
    """The time limit of a deployment has passed. Like a signal to stop, no handler catches it and goes on."""

    def __init__(self, hours: float, stands: str = "nothing was reported") -> None:
        BaseException.__init__(self, f"stopped after {hours:g} hours, its time limit; {stands}")
        self.exit_code = 1
        self.hours = hours
