"""The inbox: a folder whose ledgers and decision files the next run takes in before anything else.

What was taken in goes to `done/`, what was refused to `refused/` with the reason beside. A file that
may still be being written stays for the next run. A run that is killed before it moved a file does no
harm: a ledger says the same again, and no file of decisions is taken twice.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from sqlalchemy import Engine, text

from reconcile.context import Context
from reconcile.core.errors import InputRefused, UsageError
from reconcile.core.people import account_of_person, is_printable, is_system_account, same_person
from reconcile.core.wording import counted
from reconcile.db import SCHEMA
from reconcile.decide import resolve as decisions
from reconcile.decide.result import ResolveResult, RowsRefused
from reconcile.decide.sheet import PERSON, Sheet, holds_decisions, open_sheet, person_of
from reconcile.ledger.open import is_unfinished, open_ledgers
from reconcile.load.import_ledger import Imported, import_ledger
from reconcile.settings import Profile

STILL_SECONDS = 10
"""A file that was changed less long ago may still be being written."""

LOOK_SECONDS = 1
"""Between two looks at the sizes: copying programs give a file its old date before it is whole."""

_OURS = ("done", "refused")
"""The folders into which files are put away; all others in the inbox are of people."""

SHOWN = 5
"""Decisions that one warning names."""

_Stamp = tuple[int, int]  # size, time of the last change in nanoseconds


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken in."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inbox:
    """What a run found in the inbox."""

    imported: tuple[Imported, ...] = ()
    decided: tuple[ResolveResult, ...] = ()
    refused: tuple[Refused, ...] = ()
    warnings: tuple[str, ...] = ()

    def in_numbers(self) -> str:
        """`2 decisions of 1 file, 1 ledger, 0 files refused`."""
        decisions = sum(sheet.decisions for sheet in self.decided)
        return (
            f"{counted(decisions, 'decision')} of {counted(len(self.decided), 'file')}, "
            f"{counted(len(self.imported), 'ledger')}, {counted(len(self.refused), 'file')} refused"
        )


def read_inbox(context: Context, profile: Profile) -> Inbox:
    """Import what lies in RECONCILE_INBOX: ledgers first, so that decisions can name their entries.

    Files of one kind are read in the order of their last change. Raises UsageError if there is no such
    folder; a file that is refused is a warning, not an error.
    """
    folder = context.settings.inbox
    if folder is None:
        return Inbox()
    check(folder)
    reader = _Reader(context, profile, folder)
    with _alone(context.engine):
        reader.read()
    return Inbox(tuple(reader.imported), tuple(reader.decided), tuple(reader.refused), tuple(reader.warnings))


class _Reader:
    """Takes in what lies in one inbox, and collects what came of it."""

    def __init__(self, context: Context, profile: Profile, folder: Path) -> None:
        self._context = context
        self._profile = profile
        self._folder = folder
        self.imported: list[Imported] = []
        self.decided: list[ResolveResult] = []
        self.refused: list[Refused] = []
        self.warnings: list[str] = []

    def read(self) -> None:
        """Take in each file and put it away."""
        waiting = _waiting(self._folder, self._warn)
        of_decisions = {path: holds_decisions(path) for path in waiting}
        for path in sorted(waiting, key=lambda path: (of_decisions[path], waiting[path][1], path.name)):
            name = _shown(path)
            reason = self._take(path, of_decisions=of_decisions[path])
            if _stamp(path) != waiting[path]:
                self._warn(name, "changed while it was read; the next run reads it again")
                continue
            if reason is not None:
                reason = reason.replace(f"{path}: ", "").replace(str(path), name)
                self.refused.append(Refused(name, reason.splitlines()[0]))
                self._warn(name, f"refused: {self.refused[-1].reason}")
            if (obstacle := _put_away(path, self._folder, reason)) is not None:
                self._warn(name, obstacle)

    def _warn(self, name: str, says: str) -> None:
        self.warnings.append(f"inbox: {name}: {says}")
        self._context.progress(f"inbox: {name}", says, None)

    def _take(self, path: Path, *, of_decisions: bool) -> str | None:
        """Take in one file; the reason if it is refused."""
        taken: list[str] = []
        try:
            if of_decisions:
                self._take_decisions(path)
            else:
                # Those of an archive are all looked at before the first is taken in.
                for ledger in open_ledgers([path], self._profile):
                    self.imported.append(import_ledger(self._context, ledger, self._profile))
                    taken.append(ledger.name)
        except RowsRefused as error:
            return "\n".join([str(error), *error.lines])
        except (InputRefused, UsageError) as error:
            # What blocks a file is known only once all of it is read.
            return "; taken in before it: ".join(filter(None, [str(error), ", ".join(taken)]))
        return None

    def _take_decisions(self, path: Path) -> None:
        settings, engine = self._context.settings, self._context.engine
        sheet = open_sheet(path)
        by, of_column = _person(path, self._folder, sheet)
        if (before := decisions.taken_before(engine, sheet, by)) is not None:
            self._warn(
                _shown(path),
                f"is the file that was taken in on {before:%Y-%m-%d}; nothing of it was taken again",
            )
            return
        result = decisions.resolve_sheet(engine, settings, sheet, by, named_by_row=of_column)
        self.decided.append(result)
        if replaced := result.replaced():
            more = f" and {len(replaced) - SHOWN} more" if len(replaced) > SHOWN else ""
            self._warn(_shown(path), f"replaced {', '.join(replaced[:SHOWN])}{more}")
        if doubts := result.warnings:
            more = f"; and {len(doubts) - SHOWN} more" if len(doubts) > SHOWN else ""
            self._warn(_shown(path), f"{'; '.join(doubts[:SHOWN])}{more}")


def check(folder: Path) -> None:
    """Raises UsageError if the inbox is no folder that can be read and changed."""
    if not folder.is_dir():
        raise UsageError(f"RECONCILE_INBOX: {folder} is no folder: create it, or correct the setting")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise UsageError(f"RECONCILE_INBOX: {folder} cannot be read and changed: files are moved out of it")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Let runs of different apps that share an inbox take turns; the database ends it if we die."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text("select pg_advisory_lock(hashtextextended(:key, 0))"), {"key": f"{SCHEMA} inbox"}
        )
        yield


def _waiting(folder: Path, warn: Callable[[str, str], None]) -> dict[Path, _Stamp]:
    """The files that are whole, as far as can be seen from outside; of others that people put there it warns."""
    found = {}
    for path in _files(folder):
        stamp = _stamp(path)
        if stamp is None:
            if path.is_symlink():
                warn(_shown(path), "is a link, and so not taken in; put the file itself there")
        elif abs(time.time() - stamp[1] / 1e9) < STILL_SECONDS:
            warn(
                _shown(path),
                f"was changed less than {STILL_SECONDS} seconds ago; the next run takes it in",
            )
        else:
            found[path] = stamp
    if found:
        time.sleep(LOOK_SECONDS)
    for path in [path for path, stamp in found.items() if _stamp(path) != stamp]:
        del found[path]
        warn(_shown(path), "is still being written; the next run takes it in")
    return found


def _files(folder: Path) -> Iterator[Path]:
    """What lies in the inbox and in its folders of people, sorted by name."""
    for path in sorted(folder.iterdir()):
        if is_unfinished(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            if path.name not in _OURS:
                yield from (entry for entry in sorted(path.iterdir()) if not is_unfinished(entry.name))
        else:
            yield path


def _stamp(path: Path) -> _Stamp | None:
    """Size and time of a regular file; None for a folder or link, which is not taken in, or a file that is gone."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return (found.st_size, found.st_mtime_ns) if S_ISREG(found.st_mode) else None


def _shown(path: Path) -> str:
    """The base name, as text that can be stored and printed."""
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _person(path: Path, inbox: Path, sheet: Sheet) -> tuple[str, bool]:
    """Who decided, and whether only the sheet's column says so.

    Whose account the file belongs to, where that is a person's: nobody can write there that it was somebody else.
    Else whose folder it is, or whom its column names. Raises InputRefused where two of them differ, or where it is
    nobody: root and other accounts of the system decide nothing.
    """
    owner = account_of_person(path.stat().st_uid)
    folder = path.parent.name if path.parent != inbox else None
    column = person_of(sheet)
    claims = [
        (f"belongs to {owner}", owner),
        (f"lies in the folder {_shown(path.parent)}", folder),
        (f"names {column!r} in its column {PERSON}", column),
    ]
    names = [(what, name) for what, name in claims if name is not None]
    if not names:
        raise InputRefused(
            f"{path}: says not who decided, and belongs to no person's account: put it into a folder of that name in "
            "the inbox (inbox/asha/), or add a column by"
        )
    (said, named), *others = names
    if other := next((what for what, name in others if not same_person(name, named)), None):
        raise InputRefused(f"{path}: {said}, but {other}: nobody decides as somebody else")
    if is_system_account(named) or not named.strip() or not is_printable(named):
        raise InputRefused(f"{path}: {_shown(Path(named))} is no person: decisions are of people")
    return named.strip(), owner is None and folder is None


def _put_away(path: Path, inbox: Path, reason: str | None) -> str | None:
    """Move a file to `done/`, or to `refused/` beside its reason; why it is still there, if it is."""
    folder = inbox / ("done" if reason is None else "refused")
    try:
        folder.mkdir(exist_ok=True)
        target = _free(folder, path)
        if reason is not None:
            # The reason first: a run that is killed in between moves the file the next time.
            _beside(target).write_text(reason + "\n", "utf-8")
        path.rename(target)
    except OSError as error:
        return f"cannot be moved to {folder.name}/, so every run reads it again: {error.strerror}"
    return None


def _free(folder: Path, path: Path) -> Path:
    target, number = folder / path.name, 1
    while os.path.lexists(target) or os.path.lexists(_beside(target)):
        number += 1
        target = folder / f"{path.stem}-{number}{path.suffix}"
    return target


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.reason.txt")
