"""Turns itself into a program of Postgres.

    python -I -S launcher.py UID GID CAPABILITIES DETACH PROGRAM ARG…

A program of its own, because code between fork and exec of a threaded process may deadlock. It must
run without the virtualenv's packages, so it imports nothing of ours. Only `cluster` starts it.

UID and GID: the user and group to become (`-`: stay as started). CAPABILITIES: numbers of Linux capabilities to keep
across the change of user, joined by commas, or nothing. DETACH: `1` runs the program in a grandchild, so
that init and not the caller becomes its parent and no zombie of it can stay behind; `0` runs it in place.
The caller sets up standard streams, session and inherited files. A failure is one line on standard error
and exit code 1.
"""

import ctypes
import os
import sys

# From linux/prctl.h and linux/capability.h: fixed numbers of the kernel's interface.
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 4
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def become(uid: int, gid: int, capabilities: list[int]) -> None:
    """Become another user than root, but keep the named capabilities, also in programs executed later.

    Raises OSError where the kernel refuses, for instance in containers without these capabilities.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    # Keeps the capabilities when the user changes, and lets access(2) respect them: initdb finds postgres by it.
    _check(libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "prctl SET_SECUREBITS")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    low = sum(1 << number for number in capabilities)  # all that we use are numbered below 32
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, for capabilities below 32, then for those above.
    sets = (ctypes.c_uint32 * 6)(low, low, low, 0, 0, 0)
    _check(libc.capset(header, sets), "capset")
    for number in capabilities:
        _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0), "prctl CAP_AMBIENT")


def main(arguments: list[str]) -> None:
    """See the module's docstring; does not return."""
    uid, gid, capabilities, detach, program, *rest = arguments
    try:
        if uid != "-":
            become(int(uid), int(gid), [int(number) for number in capabilities.split(",") if number])
        os.umask(0o077)
        os.chdir("/")
        if detach == "1" and os.fork():
            os._exit(0)
        # Nothing of the caller's environment may change what Postgres does: no PGDATA, no LC_ALL, no TZ.
        os.execve(program, [program, *rest], {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath})  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{program}: {error}\n")
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
