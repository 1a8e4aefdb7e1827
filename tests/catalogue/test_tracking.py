"""Which track is which when a video is read again: by time and place, whatever frames were looked at."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.catalogue.tracking import Seen, matched_tracks
from guyverd.model import Box, Frame, Track
from tests.promises import scaled


def at(start: float, end: float, left: int = 0, *times: float) -> Seen:
    """Somebody who stays at a place, seen on frames at those times, or on one in the middle."""
    box = Box(left, 0, left + 100, 120)
    frames = tuple(Frame(time, box, 0.9) for time in times or ((start + end) / 2,))
    return box, Track(start, end, frames)


def test_the_same_time_and_place_is_the_same_one() -> None:
    before = [at(0, 10), at(0, 10, 300), at(12, 20)]
    after = [at(12.2, 20, 4), at(0.1, 9.8, 296), at(0, 10, 3)]
    assert matched_tracks(before, after) == [(0, 2), (1, 1), (2, 0)]


def test_another_place_is_another_one_and_another_time_too() -> None:
    assert matched_tracks([at(0, 10)], [at(0, 10, 300)]) == []
    assert matched_tracks([at(0, 10)], [at(10, 20)]) == [], "from its end on it is not seen any more"
    assert matched_tracks([at(0, 10)], [at(9, 20)]) == [], "a moment in common is not enough"


def test_of_two_pieces_the_longer_is_it() -> None:
    assert matched_tracks([at(0, 10)], [at(0, 3, 0, 2.0), at(3, 10, 0, 5.0)]) == [(0, 1)]
    assert matched_tracks([at(0, 3, 0, 2.0), at(3, 10, 0, 5.0)], [at(0, 10)]) == [(1, 0)]


def test_who_moves_is_known_by_the_frames_of_about_one_time() -> None:
    """They cross: where one is at the beginning the other is at the end."""
    left, right = Box(0, 0, 100, 120), Box(400, 0, 500, 120)
    one = Track(0, 10, (Frame(1.0, left, 0.9), Frame(9.0, right, 0.8)))
    other = Track(0, 10, (Frame(9.0, left, 0.9), Frame(1.0, right, 0.8)))
    again = Track(0, 10, (Frame(8.6, right, 0.9),)), Track(0, 10, (Frame(8.6, left, 0.9),))
    assert matched_tracks([(left, one), (left, other)], [(left, again[1]), (right, again[0])]) == [(0, 1), (1, 0)]


def test_where_no_two_frames_are_of_one_time_the_time_tells_alone() -> None:
    assert matched_tracks([at(0, 60, 0, 2.0)], [at(0, 60, 500, 50.0)]) == [(0, 0)], "somebody may have walked"
    assert matched_tracks([at(0, 60, 0, 2.0)], [at(0, 60, 500, 50.0), at(1, 59, 0, 2.5)]) == [(0, 1)]


def test_what_has_no_times_is_nothing_here() -> None:
    still: Seen = (Box(0, 0, 9, 9), None)
    assert matched_tracks([still, at(0, 9)], [at(0, 9), still]) == [(1, 0)]
    assert matched_tracks([], [still]) == matched_tracks([still], []) == []


@st.composite
def films(draw: st.DrawFn) -> list[Seen]:
    """Up to five at once through several shots, each at a place of their own."""
    found: list[Seen] = []
    begin = 0.0
    for _ in range(draw(st.integers(1, 4))):
        length = draw(st.floats(3.0, 30.0))
        for place in draw(st.sets(st.integers(0, 4), max_size=5)):
            times = draw(st.lists(st.floats(0.05, 0.95), min_size=1, max_size=4))
            found.append(at(begin, begin + length, 300 * place, *(begin + length * share for share in times)))
        begin += length + draw(st.floats(0.0, 5.0))
    return found


@pytest.mark.promise("edited")
@settings(max_examples=scaled(40, 500))
@given(films(), st.data())
def test_a_film_read_again_with_other_frames_is_recognised_whole(before: list[Seen], data: st.DataObject) -> None:
    order = list(range(len(before)))
    random.Random(data.draw(st.integers(0, 99))).shuffle(order)
    after: list[Seen] = []
    for index in order:
        box, track = before[index]
        assert track is not None
        wobble = data.draw(st.integers(-12, 12))
        moved = Box(box.left + wobble, box.top + wobble, box.right + wobble, box.bottom + wobble)
        # Frames near to those looked at before: a second or so apart at most, as with another rate.
        times = [
            min(track.end, max(track.start, frame.time + data.draw(st.floats(-1.0, 1.0)))) for frame in track.frames
        ]
        after.append((moved, Track(track.start, track.end - 0.2, tuple(Frame(time, moved, 0.9) for time in times))))
    expected = sorted((index, place) for place, index in enumerate(order))
    assert matched_tracks(before, after) == expected
    assert matched_tracks(after, before) == sorted((place, index) for index, place in expected)
