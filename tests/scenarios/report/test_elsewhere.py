"""Reports that are copied to a folder elsewhere, here one of this machine by its address."""

from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from reconcile.core.errors import ReconcileError, UsageError
from reconcile.report.elsewhere import LAST, Elsewhere
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

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("asha:hunter2@books: denied")

    monkeypatch.setattr(MemoryFileSystem, "makedirs", refuse)
    with pytest.raises(UsageError) as raised:
        Elsewhere("memory://asha:hunter2@books/reports")
    assert str(raised.value) == "--out memory://…@books/reports: cannot be written: …@books: denied"
    with pytest.raises(ReconcileError, match="the copy of the report failed"):
        elsewhere.copy(tmp_path)
