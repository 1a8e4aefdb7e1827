from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from guyverd.people.asking.halves import LEAST, SAMPLE, Halves, halves
from guyverd.people.directions import unit

from .helpers import faces_of, ints, measure_of, table_of, told_between

if TYPE_CHECKING:
    from guyverd.model import IntArray


def parted(who: IntArray, rows: IntArray | None = None, spread: float = 0.1) -> Halves | None:
    vectors = unit(faces_of(who, spread=spread))
    table = table_of(vectors)
    rows = np.arange(len(who)) if rows is None else rows
    return halves(table, measure_of(table).scales(vectors), rows)


def test_two_people_come_apart_in_whatever_order_they_stand() -> None:
    for seed in range(5):
        who = np.random.default_rng(seed).permutation(ints(*[0] * 7, *[1] * 4))
        found = parted(who)
        assert found is not None
        assert set(found.larger.tolist()) == set(np.flatnonzero(who == 0).tolist())
        assert set(found.smaller.tolist()) == set(np.flatnonzero(who == 1).tolist())
        assert found.across < found.within


def test_the_evidence_is_that_of_the_pairs() -> None:
    who = ints(0, 0, 0, 0, 1, 1, 1)
    vectors = unit(faces_of(who))
    table = table_of(vectors)
    found = parted(who)
    assert found is not None
    told = told_between(vectors, measure_of(table))
    assert found.across == pytest.approx(float(told[:4, 4:].mean()), abs=1e-2)
    inside = [told[a, b] for a in range(4, 7) for b in range(4, 7) if a != b]
    others = [told[a, b] for a in range(4) for b in range(4) if a != b]
    assert found.within == pytest.approx(min(np.mean(inside), np.mean(others)), abs=1e-2)


def test_one_or_two_odd_faces_are_no_half() -> None:
    assert LEAST == 3
    assert parted(ints(0, 0, 0, 0, 0, 1, 1)) is None
    assert parted(ints(0, 0, 0, 0, 0, 1)) is None
    assert parted(ints(0)) is None
    assert parted(ints(0, 0)) is None


def test_the_same_picture_many_times_has_no_halves() -> None:
    vectors = np.repeat(unit(faces_of(ints(0))), 8, axis=0)
    assert halves(table_of(vectors), measure_of(table_of(vectors)).scales(vectors), np.arange(8)) is None


def test_of_many_faces_some_are_compared_and_all_are_dealt() -> None:
    who = ints(*[0, 0, 1] * SAMPLE)
    rows = np.arange(len(who))[6:]
    found = parted(who, rows)
    assert found is not None
    assert set(found.larger.tolist()) == set((rows[who[rows] == 0]).tolist())
    assert set(found.smaller.tolist()) == set((rows[who[rows] == 1]).tolist())


def test_the_most_typical_come_first() -> None:
    who = ints(*[0] * 9, *[1] * 5)
    found = parted(who)
    assert found is not None
    vectors = unit(faces_of(who))
    told = told_between(vectors, measure_of(table_of(vectors)))
    likeness = told[np.ix_(found.larger, found.larger)].mean(axis=1)
    assert likeness.tolist() == sorted(likeness.tolist(), reverse=True)
