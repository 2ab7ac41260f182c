"""Ledgers of every kind that are as they should be: the examples, archives, folders, queries, workbooks."""

import gzip
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from reconcile.core.errors import InputRefused
from reconcile.ledger.open import open_ledgers, open_query_ledger
from reconcile.ledger.passed_over import Kind
from reconcile.ledger.profile import Profile
from reconcile.settings import Settings
from tests.support.bad_ledgers import GOOD, GOOD2, NAMES, Sheet, cells, text, zipped
from tests.support.ledgers import open_ledger, read


def test_the_example_of_tally(examples: Settings) -> None:
    profile = examples.profile("tally")
    ledger = open_ledger(Path("tally.csv"), profile=profile)
    assert read(ledger, profile) == [
        ("RCT/0001", "ORD-1001", "123456.78 INR", "2026-08-03", "Received"),
        ("RCT/0002", "ORD-1002", "2500.00 INR", "2026-08-04", "Received"),
        ("RCT/0003", "ORD-1003", "-1000.00 INR", "2026-08-13", "Refunded"),
    ]
    assert ledger.scan is not None
    assert dict(ledger.scan.passed.rows) == {9: Kind.TOTAL}
    assert ledger.notes() == []


def test_the_example_of_zoho_books(examples: Settings) -> None:
    profile = examples.profile("zoho")
    assert read(open_ledger(Path("zoho_books.csv"), profile=profile), profile) == [
        ("PMT-00001", "ORD-1001", "3450.00 INR", "2026-08-03", "paid"),
        ("PMT-00002", "ORD-1002", "49.90 USD", "2026-08-04", "paid"),
        ("PMT-00003", "ORD-1003", "120.50 INR", "2026-08-13", "void"),
    ]


def test_the_example_of_quickbooks(examples: Settings) -> None:
    profile = examples.profile("quickbooks")
    assert read(open_ledger(Path("quickbooks.csv"), profile=profile), profile) == [
        ("1001", "ORD-1001", "1250.00 USD", "2026-08-03", ""),
        ("1002", "ORD-1002", "49.90 USD", "2026-08-04", ""),
        ("1003", "ORD-1003", "-20.00 USD", "2026-08-13", ""),
    ]


def test_the_example_of_a_shop(examples: Settings) -> None:
    profile = examples.profile("shop")
    ledger = open_query_ledger(profile)
    assert read(ledger, profile) == [
        ("P1", "ORD-1001", "3450.00 INR", "2026-08-03 03:45:00+00:00", "paid"),
        ("P2", "ORD-1002", "49.90 USD", "2026-08-04 16:10:00+00:00", "paid"),
        ("P3", "ORD-1003", "120.50 INR", "2026-08-13 05:35:00+00:00", "open"),
    ]
    first = ledger.sha256
    assert len(first) == 64
    list(ledger.rows())
    assert ledger.sha256 == first


@pytest.mark.parametrize("kind", ["gz", "zip", "folder", "files"])
def test_several_files_at_once(kind: str, tmp_path: Path) -> None:
    first, second = text(GOOD), text(GOOD2)
    paths = [tmp_path / "in"]
    if kind == "gz":
        paths = [tmp_path / "a.csv.gz", tmp_path / "b.csv.gz"]
        for path, content in zip(paths, (first, second), strict=True):
            path.write_bytes(gzip.compress(content))
    elif kind == "zip":
        paths[0].write_bytes(zipped(a__csv=first, b__xlsx=Sheet().rows(NAMES, cells("L2")).bytes()))
    elif kind == "folder":
        paths[0].mkdir()
        (paths[0] / "b.csv").write_bytes(second)
        (paths[0] / "a.csv").write_bytes(first)
        (paths[0] / ".DS_Store").write_bytes(b"\0")
        (paths[0] / "done").mkdir()
    else:
        paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
        paths[0].write_bytes(first)
        paths[1].write_bytes(second)
    found = open_ledgers(paths, Profile("default"))
    assert [row.values["ledger_id"] for ledger in found for row in ledger.rows()] == ["L1", "L2"]
    if kind == "zip":
        assert [ledger.name for ledger in found] == ["in/a.csv", "in/b.xlsx"]


def test_one_file_that_is_refused_refuses_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text(GOOD))
    (tmp_path / "b.csv").write_bytes(b"hello")
    with pytest.raises(InputRefused, match=r"b\.csv, row 1: the header lacks"):
        open_ledgers([tmp_path], Profile("default"))


def test_a_compressed_file_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    content = text(GOOD)
    (tmp_path / "a.csv").write_bytes(content)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(content))
    assert len({open_ledger(tmp_path / name).sha256 for name in ("a.csv", "a.csv.gz")}) == 1


def test_a_file_without_a_name_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), text(GOOD))
    with pytest.raises(InputRefused, match=r"a\.zip: .*a file in it has no name"):
        open_ledger(path)


def write_table(path: Path, rows: list[list[str]]) -> None:
    """A file of the kind that its name says; the first row is the header."""
    if path.suffix == ".xlsx":
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    elif path.suffix == ".parquet":
        header, *values = rows
        pq.write_table(pa.table([list(column) for column in zip(*values, strict=True)], header), path)
    else:
        path.write_text("".join(f"{','.join(row)}\n" for row in rows), "utf-8")


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
@pytest.mark.parametrize("by", ["another", "nothing"])
def test_a_file_that_is_replaced_is_refused(tmp_path: Path, kind: str, by: str) -> None:
    """Also by one with fewer columns, and one that says that it is as old."""
    path, other = tmp_path / f"x.{kind}", tmp_path / f"y.{kind}"
    row = ["L1", "1.00", "2026-08-01", "INR", "ORD-1"]
    header = ["ledger_id", "amount", "date", "currency", "reference"]
    write_table(path, [header, row])
    ledger = open_ledger(path)
    before = path.stat()
    if by == "nothing":
        path.unlink()
    else:
        write_table(other, [header[:4], row[:4]])
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert other.stat().st_size != before.st_size
        other.replace(path)
    with pytest.raises(InputRefused, match="changed while it was read"):
        list(ledger.rows())
