"""From faces to photos and moments."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.people.moments import NEARLY, Seen, beside, moments


def photo(row: int, number: int, sure: float) -> Seen:
    return Seen(row, number, (sure,), sure)


def track(row: int, start: float, end: float, sure: float = 0.9, video: int = 1) -> Seen:
    return Seen(row, video, (sure,), sure, start, end)


def told(*found: Seen) -> list[tuple[tuple[int, ...], float | None, float | None]]:
    return [(one.rows, one.start, one.end) for one in moments(found)]


def test_a_photo_is_shown_by_its_surest_face_and_the_surest_photo_first() -> None:
    assert told(photo(0, 7, 0.3), photo(1, 8, 0.5), photo(2, 7, 0.9)) == [((2,), None, None), ((1,), None, None)]


def test_tracks_that_follow_one_another_are_one_moment() -> None:
    assert told(track(0, 12, 19), track(1, 19.5, 24, 0.95), track(2, 24 + 2 * NEARLY, 30)) == [
        ((1, 0), 12, 24),
        ((2,), 26, 30),
    ]


def test_somebody_else_at_the_same_time_is_no_moment() -> None:
    assert told(track(0, 0, 10, 0.9), track(1, 5, 12, 0.6), track(2, 10, 11, 0.8)) == [((0, 2), 0, 11)]


def test_one_who_is_hardly_found_lengthens_nobodys_moment() -> None:
    assert told(track(0, 0, 10, 0.9), track(1, 10, 30, 0.2)) == [((0,), 0, 10), ((1,), 10, 30)]


def test_two_who_are_as_good_as_not_found_are_no_moment() -> None:
    assert told(track(0, 0, 10, 0.01), track(1, 10, 30, 0.012)) == [((1,), 10, 30), ((0,), 0, 10)]


def test_videos_are_told_apart() -> None:
    assert told(track(0, 0, 10), track(1, 10, 12, video=2)) == [((0,), 0, 10), ((1,), 10, 12)]


def test_the_times_at_which_all_of_a_company_are_seen() -> None:
    assert beside((0, 10), []) == [(0, 10)]
    assert beside((0, 10), [[(8, 12), (2, 4)]]) == [(2, 4), (8, 10)]
    assert beside((0, 10), [[(0, 5)], [(3, 9)]]) == [(3, 5)]
    assert beside((0, 10), [[(0, 5)], [(5, 9)]]) == beside((0, 10), [[]]) == []


spans = st.tuples(st.integers(0, 60), st.integers(1, 20), st.floats(0, 1), st.integers(1, 3))


@settings(max_examples=60)
@given(st.lists(spans, max_size=12))
def test_moments_of_a_video_never_overlap_and_hold_their_tracks(given_: list[tuple[int, int, float, int]]) -> None:
    found = [track(row, start, start + long, sure, video) for row, (start, long, sure, video) in enumerate(given_)]
    shown = moments(found)
    assert [one.order for one in shown] == sorted((one.order for one in shown), reverse=True)
    rows = [row for one in shown for row in one.rows]
    assert len(rows) == len(set(rows))
    for video in {one.photo for one in found}:
        mine = sorted((one.start or 0.0, one.end or 0.0) for one in shown if found[one.rows[0]].photo == video)
        assert mine, "of every video something is shown"
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(mine))
    for one in shown:
        assert one.rows[0] == max(one.rows, key=lambda row: (found[row].order, -row))
        assert one.start == min(found[row].start or 0.0 for row in one.rows)
        assert one.end == max(found[row].end or 0.0 for row in one.rows)
