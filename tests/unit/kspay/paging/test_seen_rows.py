"""Which rows are known: many, told apart by id and form, also where they no longer stand in the dictionary."""

import random

import pytest

from reconcile.core.records import Place, RawRow
from reconcile.kspay.paging import seen_rows
from reconcile.kspay.paging.listing import keys_of
from reconcile.kspay.paging.seen_rows import SeenRows


def rows_of(forms: list[tuple[int, int]]) -> list[RawRow]:
    return [RawRow(Place("page", 1), {"id": f"tx_{number}", "form": form}) for number, form in forms]


@pytest.mark.parametrize("newest", [7, 50, 100_000])
def test_rows_are_known_by_id_and_form(newest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_rows, "_NEWEST", newest)
    draw = random.Random(newest)
    rows, forms = SeenRows(), dict[int, int]()
    for _reading in range(3):
        rows.begin_reading()
        rows.start_steady_count() if _reading == 1 else None
        shown, new, changed = set[int](), 0, False
        for _page in range(40):
            page = [(draw.randrange(400), draw.randrange(20) // 19) for _ in range(draw.randrange(1, 12))]
            raw = rows_of(page)
            marks = [hash(("form", form)) for _, form in page]
            fresh = [raw[place].values for place in rows.add(keys_of(raw, marks), marks)]
            expected = []
            for (number, form), row in zip(page, raw, strict=True):
                if forms.get(number) != form:
                    expected.append(row.values)
                    new += number not in forms
                    changed = changed or number in forms
                forms[number] = form
                shown.add(number)
            assert fresh == expected
        assert (rows.distinct, rows.new, rows.changed) == (len(shown), new, changed)
        assert len(rows) == len(forms)


def test_pages_that_are_read_again_are_added_whole() -> None:
    rows = SeenRows()
    raw = rows_of([(number, 0) for number in range(30)])
    marks = [hash(("form", 0))] * 30
    keys = keys_of(raw, marks)
    for reading in range(3):
        rows.begin_reading()
        if reading == 2:
            rows.start_steady_count()
            rows.begin_reading()
        for page in (slice(0, 10), slice(10, 20), slice(20, 30)):
            assert len(rows.add(keys[page], marks[page])) == (10 if reading == 0 else 0)
        assert rows.distinct == 30
        assert not list(rows.add(keys[:10], marks[:10]))  # once more in the same reading
        assert (rows.distinct, rows.changed) == (30, False)
    assert rows.steady == 30
    rows.begin_reading()
    changed = [*marks[:9], hash(("form", 1))]
    assert list(rows.add(keys[:10], changed)) == [9]
    assert rows.changed
