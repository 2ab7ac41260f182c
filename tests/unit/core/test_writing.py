"""A file is written whole or not at all."""

from pathlib import Path

import pytest

from reconcile.core.errors import UsageError
from reconcile.core.writing import whole_file


def write(path: Path, *, new: bool = False, meanwhile: str = "") -> None:
    with whole_file(path, new=new) as aside:
        aside.write_text("ours", "utf-8")
        if meanwhile:  # another process
            path.write_text(meanwhile, "utf-8")


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "here"
    link.symlink_to(tmp_path / "there" / "file")
    write(link)
    assert link.is_symlink()
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["file"]


def test_a_link_that_leads_to_itself_gives_way(tmp_path: Path) -> None:
    link = tmp_path / "it"
    link.symlink_to(link)
    write(link)
    assert [path.read_text("utf-8") for path in tmp_path.iterdir()] == ["ours"]


def test_a_new_file_takes_no_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(UsageError, match="cannot be written: File exists"):
        write(path, new=True, meanwhile="theirs")
    assert [one.read_text("utf-8") for one in tmp_path.iterdir()] == ["theirs"]
    path.unlink()
    write(path, new=True)
    assert [one.read_text("utf-8") for one in tmp_path.iterdir()] == ["ours"]
