"""Everything that sums tell of a library, against every pair of faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.model import FaceTable
from guyverd.people.asking.likening import Groups
from guyverd.people.directions import unit

from .helpers import drawn, ints, measure_of, table_of, told_between

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray

libraries = st.lists(st.tuples(st.integers(-1, 4), st.booleans()), min_size=1, max_size=14)


def library(rows: list[tuple[int, bool]]) -> tuple[FaceTable, FloatArray, BoolArray]:
    """Faces with their people (0 waits, −1 is hidden: person 9), the evidence of all pairs, and which are good."""
    people = ints(*(9 if person < 0 else person for person, _ in rows))
    vectors = unit(drawn(len(rows), seed=len(rows)))
    table = table_of(vectors, people=people)
    return table, told_between(vectors, measure_of(table)), np.array([good for _, good in rows])


def groups_of(table: FaceTable, good: BoolArray) -> Groups:
    return Groups(table, measure_of(table).scales(table.vectors), good, {9})


@settings(deadline=None)
@given(libraries)
def test_as_every_pair_of_faces_says(rows: list[tuple[int, bool]]) -> None:
    table, told, good = library(rows)
    groups = groups_of(table, good)
    numbers = sorted({int(one) for one in table.people if one not in (0, 9)})
    assert groups.numbers.tolist() == numbers
    speaking = {}
    for place, number in enumerate(numbers):
        mine = np.flatnonzero(table.people == number)
        assert groups.rows(place).tolist() == mine.tolist()
        speaking[place] = mine[good[mine]] if good[mine].any() else mine
    assert groups.sizes.tolist() == [int((table.people == number).sum()) for number in numbers]
    assert groups.waiting.tolist() == np.flatnonzero(table.people == 0).tolist()

    inner, own, clear = groups.inner(), groups.own(), groups.clear()
    for place, mine in speaking.items():
        pairs = [told[a, b] for a in mine for b in mine if a != b]
        assert float(inner[place]) == pytest.approx(np.mean(pairs) if pairs else np.nan, abs=2e-2, nan_ok=True)
        assert clear[place] == pytest.approx(1)
        for row in groups.rows(place):
            others = [told[row, other] for other in mine if other != row]
            assert float(own[row]) == pytest.approx(np.mean(others) if others else np.nan, abs=2e-2, nan_ok=True)
    assert np.isnan(own[groups.place < 0]).all()

    focus = np.arange(len(numbers), dtype=np.int64)
    everything = -1e6
    found = groups.like(groups.waiting, focus, everything)
    assert len(found) == len(groups.waiting) * len(numbers)
    for row, place, value in zip(found.one, found.group, found.told, strict=True):
        assert float(value) == pytest.approx(told[row][speaking[int(place)]].mean(), abs=2e-2)
    between = groups.alike(focus, everything)
    assert len(between) == len(numbers) * (len(numbers) - 1), "nobody is like themselves"
    for one, other, value in zip(between.one, between.group, between.told, strict=True):
        whole = told[np.ix_(speaking[int(one)], speaking[int(other)])].mean()
        assert float(value) == pytest.approx(whole, abs=2e-2)


def test_only_what_is_alike_enough_and_in_focus_is_told() -> None:
    table, _, good = library([(1, True), (2, True), (0, True), (3, True), (0, True), (2, True)])
    groups = groups_of(table, good)
    every = groups.like(groups.waiting, ints(0, 2), -1e6)
    assert set(every.group.tolist()) == {0, 2}
    middle = float(np.median(every.told))
    kept = groups.like(groups.waiting, ints(0, 2), middle)
    assert sorted(kept.told.tolist()) == sorted(every.told[every.told > middle].tolist())
    assert 0 < len(kept) < len(every)
    assert not len(groups.like(groups.waiting, ints(), -1e6))
    assert not len(groups.alike(ints(0, 1), 1e6))


def test_a_library_without_anybody() -> None:
    table = table_of(np.empty((0, 128), np.float32))
    groups = Groups(table, measure_of(table_of(drawn(3))).scales(drawn(3)).of(slice(0, 0)), np.empty(0, bool))
    assert (len(groups), len(groups.inner()), len(groups.own()), len(groups.waiting)) == (0, 0, 0, 0)
    waiting = table_of(drawn(3))
    groups = groups_of(waiting, np.ones(3, bool))
    assert len(groups) == 0
    assert np.isnan(groups.own()).all()
    assert not len(groups.like(groups.waiting, ints(), -1e6))
