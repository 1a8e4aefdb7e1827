"""Faces found again at their places: one to one, in any order, through jitter, and the best of all ways."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.catalogue.position import matched, same_place
from guyverd.model import Box


def square(left: int, top: int, size: int = 100) -> Box:
    return Box(left, top, left + size, top + size)


def overlap(one: Box, other: Box) -> float:
    """Counted pixel by pixel."""
    ours = set(itertools.product(range(one.left, one.right), range(one.top, one.bottom)))
    theirs = set(itertools.product(range(other.left, other.right), range(other.top, other.bottom)))
    return len(ours & theirs) / len(ours | theirs)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (square(0, 0), square(0, 0), True),
        (square(0, 0), square(20, -15), True),
        (square(0, 0), square(-15, -15, 130), True),
        (square(0, 0), square(49, 49), True),
        (square(0, 0), square(60, 60), False),
        (square(0, 0), square(55, 0), False),
        (square(0, 0), square(100, 0), False),
        (square(0, 0), square(300, 0), False),
        (square(0, 0, 300), square(30, 30, 90), False),
        (square(0, 0, 200), square(50, 50, 100), True),
        (square(0, 0, 202), square(50, 50, 100), False),
        (Box(0, 0, 0, 0), square(0, 0), False),
    ],
)
def test_what_counts_as_one_place(one: Box, other: Box, same: bool) -> None:
    assert same_place(one, other) is same_place(other, one) is same


def test_a_face_is_found_by_the_most_overlap_in_all_and_not_by_the_first() -> None:
    before = [square(0, 0), square(40, 0)]
    # The first of the new ones lies nearest to both; the second only to the first.
    assert matched(before, [square(30, 0), square(-30, 0)]) == [(0, 1), (1, 0)]
    assert matched(before, [square(38, 0)]) == [(1, 0)]
    assert matched([], before) == matched(before, []) == []


def test_a_small_face_before_a_large_one_is_not_taken_for_it() -> None:
    chest, child = square(0, 0, 300), square(60, 80, 100)
    assert matched([chest, child], [child]) == [(1, 0)]
    assert matched([chest], [child]) == []


def test_a_crowd_of_thousands_is_paired_at_once() -> None:
    crowd = [square(110 * column, 110 * row) for column in range(40) for row in range(30)]
    shuffled = crowd[:]
    random.Random(3).shuffle(shuffled)
    assert {(crowd[one], shuffled[other]) for one, other in matched(crowd, shuffled)} == {(box, box) for box in crowd}


# ---- properties ------------------------------------------------------------------------------------------------------

boxes = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height),
    st.integers(-20, 60),
    st.integers(-20, 60),
    st.integers(8, 40),
    st.integers(8, 40),
)
some = st.lists(boxes, max_size=6, unique=True)


@given(some, some)
def test_each_is_paired_once_and_only_with_what_is_in_its_place(before: list[Box], after: list[Box]) -> None:
    found = matched(before, after)
    assert found == sorted(found)
    assert len({one for one, _ in found}) == len({other for _, other in found}) == len(found)
    assert all(same_place(before[one], after[other]) for one, other in found)


@given(some, some)
def test_no_other_way_to_pair_them_overlaps_more(before: list[Box], after: list[Box]) -> None:
    gains = {
        (one, other): overlap(before[one], after[other])
        for one in range(len(before))
        for other in range(len(after))
        if same_place(before[one], after[other])
    }

    def best(one: int, free: frozenset[int]) -> float:
        """Every way tried."""
        if one == len(before):
            return 0.0
        ways = [gains[one, other] + best(one + 1, free - {other}) for other in free if (one, other) in gains]
        return max([best(one + 1, free), *ways])

    found = sum(gains[pair] for pair in matched(before, after))
    assert found == pytest.approx(best(0, frozenset(range(len(after)))))


@given(some, some, st.randoms(use_true_random=False))
def test_the_order_of_boxes_does_not_matter(before: list[Box], after: list[Box], random_: random.Random) -> None:
    ours, theirs = before[:], after[:]
    random_.shuffle(ours)
    random_.shuffle(theirs)

    def overlaps(old: list[Box], new: list[Box]) -> set[tuple[Box, Box]]:
        return {(old[one], new[other]) for one, other in matched(old, new)}

    once, again = overlaps(before, after), overlaps(ours, theirs)
    # Ties may be broken in one way only, too.
    assert once == again


@given(some)
def test_what_is_found_at_the_very_same_places_is_all_the_same(before: list[Box]) -> None:
    assert matched(before, before) == [(index, index) for index in range(len(before))]


@given(
    places=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12),
    lost=st.sets(st.integers(0, 11)),
    random_=st.randoms(use_true_random=False),
)
def test_none_is_lost_when_a_detector_draws_other_boxes(
    places: set[tuple[int, int]], lost: set[int], random_: random.Random
) -> None:
    """Neighbours touch; boxes move by up to a tenth and grow or shrink by up to a quarter; some faces are not found."""
    before = [square(100 * column, 100 * row) for column, row in sorted(places)]

    def jittered(box: Box) -> Box:
        x, y, wider = random_.randint(-10, 10), random_.randint(-10, 10), random_.randint(-12, 12)
        return Box(box.left + x - wider, box.top + y - wider, box.right + x + wider, box.bottom + y + wider)

    kept = [index for index in range(len(before)) if index not in lost]
    random_.shuffle(kept)
    after = [jittered(before[index]) for index in kept]
    assert dict(matched(before, after)) == {index: position for position, index in enumerate(kept)}
