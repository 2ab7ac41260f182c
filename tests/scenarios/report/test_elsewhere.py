"""Reports that are copied to a folder elsewhere, here one of this machine by its address."""

import logging
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from reconcile.core.errors import ReconcileError, UsageError
from reconcile.report.elsewhere import LAST, PROBE, Elsewhere
from tests.support.driver import MakeCommand, Shop


def test_a_copy_of_every_run(calm_shop: Shop, make_command: MakeCommand, database_url: str) -> None:
    merchant, sandbox = calm_shop
    command = make_command(sandbox, RECONCILE_DATABASE_URL=database_url)
    merchant.write_ledger(command.folder / "ledger.csv")
    there = command.folder / "there"
    first, last = str(merchant.first_day), str(merchant.last_day)
    words = ("run", "--ledger", "ledger.csv", "--out", f"file://{there}", "--from", first, "--to")
    (there / f"{first}_{last}_1").parent.mkdir()
    (there / f"{first}_{last}_1").touch()  # in the way of the first run
    failed = command(*words, last)
    assert (failed.code, failed.out) == (1, "")
    assert failed.complaint.startswith(f"reconcile: --out file://{there}: the copy of the report failed: ")
    assert list((command.folder / "reports").iterdir()) == []
    assert not (there / "latest").exists()

    command.good(*words, last)
    report = command.latest()
    copied = there / report.run_id
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == {
        path.name: path.read_bytes() for path in report.folder.iterdir()
    }
    assert (there / "latest").read_text("utf-8") == f"{report.run_id}\n"
    command.good(*words, first)  # of an older period
    assert (there / f"{first}_{first}_1" / LAST).exists()
    assert (there / "latest").read_text("utf-8") == f"{report.run_id}\n"

    assert not (there / PROBE).exists()
    unknown = command("run", "--out", "nosuch://x/y")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.complaint.startswith("reconcile: --out nosuch://x/y: cannot be written: ")


def test_the_copy_is_whole_when_run_json_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a password of the address is not shown."""
    for name in ("a.csv", LAST, "z.html"):
        (tmp_path / name).touch()
    put: list[str] = []
    monkeypatch.setattr(MemoryFileSystem, "put_file", lambda _, path, target: put.append(Path(path).name))
    elsewhere = Elsewhere("memory://books/reports")
    elsewhere.copy(tmp_path)
    assert put == ["a.csv", "z.html", LAST]

    password = (
        "hunter%202/x"  # S3 makes such keys; a library may show it decoded, or what it takes for the bucket
    )

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(f"asha:{password}@books, hunter 2/x, asha:hunter%202: denied")

    monkeypatch.setattr(MemoryFileSystem, "makedirs", refuse)
    with pytest.raises(UsageError) as raised:
        Elsewhere(f"memory://asha:{password}@books/reports")
    assert str(raised.value) == "--out memory://…@books/reports: cannot be written: …@books, …, …: denied"
    with pytest.raises(ReconcileError, match="the copy of the report failed"):
        elsewhere.copy(tmp_path)


class Buckets(fsspec.AbstractFileSystem):  # type: ignore[misc]  # it has no types
    """A storage of buckets, as s3fs has them: to make a folder in a bucket that is not there makes the bucket."""

    protocol = "buckets"
    cachable = False
    buckets: dict[str, dict[str, bytes]]
    may_remove: bool

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        self.buckets.setdefault(path.partition("/")[0], {})

    def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
        bucket, _mark, key = path.partition("/")
        if bucket not in self.buckets:
            raise FileNotFoundError("The specified bucket does not exist")
        self.buckets[bucket][key] = value

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        self.pipe_file(rpath, Path(lpath).read_bytes())

    def rm_file(self, path: str) -> None:
        if not self.may_remove:
            raise PermissionError("Access Denied")
        bucket, _mark, key = path.partition("/")
        del self.buckets[bucket][key]


@pytest.mark.parametrize("may_remove", [True, False])
def test_a_bucket_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_remove: bool
) -> None:
    """A slip in its name would else put a merchant's books into a new one. What shows it is an empty file."""
    monkeypatch.setattr(Buckets, "buckets", {"books": {}}, raising=False)
    monkeypatch.setattr(Buckets, "may_remove", may_remove, raising=False)
    fsspec.register_implementation("buckets", Buckets, clobber=True)
    for address, says in (
        ("buckets://boks/reports", "The specified bucket does not exist"),
        ("buckets://", "it names no place"),
    ):
        with pytest.raises(UsageError) as raised:
            Elsewhere(address)
        assert str(raised.value) == f"--out {address}: cannot be written: {says}"
    run = tmp_path / "2026-08-01_2026-08-31_1"
    run.mkdir()
    (run / LAST).write_bytes(b"{}")
    Elsewhere("buckets://books/reports").copy(run)
    left = {} if may_remove else {f"reports/{PROBE}": b""}
    assert Buckets.buckets == {"books": {f"reports/{run.name}/{LAST}": b"{}", **left}}


def test_no_traceback_of_a_try_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio logs the error of each try that a library made in the background, and an error is one line."""
    log = logging.getLogger("asyncio")
    monkeypatch.setattr(log, "level", logging.NOTSET)
    Elsewhere("memory://books/reports")
    assert not log.isEnabledFor(logging.ERROR)
