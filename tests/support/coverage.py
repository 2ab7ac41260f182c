"""Which lines and branches of the product the tests run: in the processes of the tests, and in all commands forked.

`make coverage` names a folder in MEASURED_FOLDER. Each process leaves there what it ran, and `python -m
tests.support.coverage` adds it up. SlipCover measures: a probe that was hit costs next to nothing. A process that is
killed, or that a test starts anew instead of forking it, leaves nothing.
"""

import os
import pickle
import resource
import sys
import uuid
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from slipcover import FileMatcher, ImportManager, Slipcover, print_coverage

from tests.support.warm import import_product

FOLDER = os.environ.get("MEASURED_FOLDER") or None
"""Read once: a command that is forked gets an environment of its own."""

LEAST = 92.0
"""Per cent of all lines and branches."""

_NEVER = 2**31 - 1
"""Hits of a probe after which SlipCover would take probes out, and look for them in all that other threads change."""

PACKAGE = Path(__file__).parents[2] / "reconcile"

Place = int | tuple[int, int]
"""A line, or a branch from one line to another."""


@cache
def measure() -> Slipcover | None:
    """Begin to measure, before the product is imported; None if nobody asked for it."""
    if FOLDER is None:
        return None
    cover = Slipcover(branch=True, exclude_also=["if TYPE_CHECKING:"], d_miss_threshold=_NEVER)
    ImportManager(cover, FileMatcher(sources=[PACKAGE])).__enter__()
    return cover


def leave() -> None:
    """Leave what this process ran, as a file of its own, if that is measured."""
    cover = measure()
    if cover is None or FOLDER is None:
        return
    seen: defaultdict[str, set[Place]] = defaultdict(set)
    for part in (cover.all_seen, cover.newly_seen):
        for name, places in part.items():
            seen[name] |= places
    # A command may be tested on what stands in for a small disk; this is no file of it.
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    (Path(FOLDER) / f"{uuid.uuid4().hex}.seen").write_bytes(pickle.dumps(dict(seen)))


def report() -> float:
    """Print what was missed in each file; gives the per cent that were run."""
    cover = measure()
    assert cover is not None
    assert FOLDER is not None
    import_product()
    for path in Path(FOLDER).glob("*.seen"):
        seen: Mapping[str, set[Place]] = pickle.loads(path.read_bytes())  # noqa: S301  files of our own
        for name, places in seen.items():
            cover.all_seen[name] |= places
    found = cover.get_coverage()
    print_coverage(found, outfile=sys.stdout, missing_width=90, skip_covered=True)
    return float(found["summary"]["percent_covered"])


def main() -> None:
    """Fail where too little was run."""
    percent = report()
    sys.stdout.write(
        f"\n{percent:.1f} % of the lines and branches were run; at least {LEAST:.0f} % must be\n"
    )
    sys.exit(percent < LEAST)


if __name__ == "__main__":
    import tests.support.coverage as measured  # not this copy of it, which measures nothing

    measured.main()
