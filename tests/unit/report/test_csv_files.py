"""The files of a run are written and read again."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.dialect import Dialect
from reconcile.report.csv_files import count_rows, read_csv, write_csv

CELLS = st.text(st.sampled_from('a1;,"\r\n\t '))


@given(st.lists(st.tuples(CELLS, CELLS)), st.sampled_from(Dialect))
def test_rows_are_counted_whatever_their_cells_hold(rows: list[tuple[str, str]], dialect: Dialect) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.csv"
        write_csv(path, ("one", "two"), ({"one": one, "two": two} for one, two in rows), dialect)
        assert count_rows(path) == len(rows) == len(list(read_csv(path))) - 1
