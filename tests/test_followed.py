"""Which faces count for a saved search: those that entered the library since."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guyverd.followed import Follow, FollowId, Form, outside
from guyverd.model import FaceId

FOLLOW = Follow(
    FollowId(1),
    "kid",
    b"/kid",
    False,
    Form.LINK,
    False,
    "x",
    None,
    None,
    None,
    None,
    FaceId(10),
    ((1, None),),
    FaceId(9),
    "",
)


@given(st.sets(st.integers(1, 30)), st.integers(0, 25))
def test_what_is_given_and_what_comes_later_counts_and_nothing_else(numbers: set[int], most: int) -> None:
    ranges = outside(numbers, most)
    follow = replace(FOLLOW, photos=ranges)
    for photo in range(1, 40):
        assert follow.reaches(10, photo) == (photo > most or photo in numbers)
    assert all(high is None or low <= high for low, high in ranges)
    assert all(before[1] is not None and before[1] + 1 < after[0] for before, after in pairwise(ranges))


def test_a_face_that_was_known_before_does_not_count_wherever_it_is_now() -> None:
    assert not FOLLOW.reaches(9, 500)
    assert FOLLOW.reaches(10, 500)
