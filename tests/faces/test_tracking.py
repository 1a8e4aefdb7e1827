"""Faces of one shot become tracks, by likeness and by place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from guyverd.faces.tracking import Tracker
from guyverd.faces.tracks import Piece
from guyverd.model import Box, DetectedFace
from tests.faces.seen import face, likeness

RATE = 25
Scene = Callable[[float], Sequence[DetectedFace]]
"""Whom the frame at a time shows."""


def watched(scene: Scene, seconds: float, *, cuts: Sequence[float] = (), start: float = 0.0) -> tuple[Piece, ...]:
    """The pieces of a film that is looked at once a second, all frames in between being kept."""
    tracker = Tracker()
    times = [start + number / RATE for number in range(round(seconds * RATE))]
    between: list[float] = []
    for number, time in enumerate(times):
        if time in cuts:
            tracker.cut(time)
            tracker.sample(time, scene(time), (), nothing, time)
            between = []
        elif number % RATE == 0:
            tracker.sample(time, scene(time), between, near(scene, between), None)
            between = []
        else:
            between.append(time)
    end = times[-1] + 1 / RATE
    tracker.sample(times[-1], scene(times[-1]), between, near(scene, between), None)
    return tracker.pieces(end, last=True)


def near(scene: Scene, between: Sequence[float]) -> Callable[[int, Box], list[DetectedFace]]:
    """Looks around a face that was at a place."""
    times = list(between)

    def probe(at: int, box: Box) -> list[DetectedFace]:
        return [
            one
            for one in scene(times[at])
            if abs(one.box.left - box.left) < 1.5 * box.width and abs(one.box.top - box.top) < 1.5 * box.width
        ]

    return probe


def nothing(_at: int, _box: Box) -> list[DetectedFace]:
    raise AssertionError("nobody asked for a look after a cut")


def spans(pieces: Sequence[Piece]) -> list[tuple[float, float]]:
    return [(round(piece.start, 3), round(piece.end, 3)) for piece in pieces]


def test_who_comes_and_goes_between_two_looks_is_timed_to_the_frame() -> None:
    found = watched(lambda time: [face(1, 100)] if 1.36 <= time < 4.72 else [], 6)
    assert spans(found) == [(1.36, 4.72)]
    assert not found[0].opens
    assert not found[0].stays


def test_two_who_cross_stay_two() -> None:
    found = watched(lambda time: [face(1, round(50 + 90 * time)), face(2, round(500 - 90 * time))], 6)
    assert spans(found) == [(0.0, 6.0), (0.0, 6.0)]
    for piece, person in zip(found, (1, 2), strict=True):
        assert all(np.allclose(sight.face.embedding, likeness(person)) for sight in piece.best)


def test_somebody_else_in_the_same_place_is_another_track_from_their_first_frame_on() -> None:
    found = watched(lambda time: [face(1 if time < 2.4 else 2, 100)], 5)
    assert spans(found) == [(0.0, 2.4), (2.4, 5.0)]


def test_who_turns_away_for_a_moment_is_one_track_and_who_comes_back_late_two() -> None:
    away = watched(lambda time: [] if 2.2 <= time < 3.7 else [face(1, 100)], 6)
    assert spans(away) == [(0.0, 6.0)]
    late = watched(lambda time: [] if 2.2 <= time < 6.4 else [face(1, 100)], 9)
    assert spans(late) == [(0.0, 2.2), (6.4, 9.0)]


def test_who_runs_and_turns_is_one_track_by_the_frames_in_between() -> None:
    def scene(time: float) -> list[DetectedFace]:
        turned = likeness(1, min(1.0, max(0.0, time - 1.2)) * 0.5)
        return [replace(face(1, round(50 + 400 * time), quality=0.55), embedding=turned)]

    assert spans(watched(scene, 3)) == [(0.0, 3.0)]
    # Somebody else who is there from the next frame on is not the same.
    found = watched(lambda time: [face(1 if time < 1.48 else 2, round(50 + 300 * time), quality=0.55)], 3)
    assert [piece.end for piece in found] == [1.48, 3.0]
    assert found[1].start == pytest.approx(1.48, abs=0.05)


def test_looks_may_be_far_apart() -> None:
    """As with `videos.rate: 0.2`: whoever was there at the last look is not away before the next."""
    tracker = Tracker()
    for time in (0.0, 5.0, 10.0):
        tracker.sample(time, [face(1, 100)], (), lambda _at, _box: [])
    tracker.sample(15.0, [], (), lambda _at, _box: [])
    (found,) = tracker.pieces(20.0, last=True)
    assert (found.start, found.end, found.seen) == (0.0, 15.0, 3)
    alone = Tracker()
    alone.sample(0.0, [face(1, 100)], (), lambda _at, _box: [])
    alone.sample(5.0, [face(2, 400)], (), lambda _at, _box: [])
    assert spans(alone.pieces(8.0, last=True)) == [(0.0, 5.0), (5.0, 8.0)]


def test_a_cut_ends_all_tracks_though_the_same_people_are_seen_after_it() -> None:
    found = watched(lambda _: [face(1, 100), face(2, 300)], 5, cuts=[2.48])
    assert spans(found) == [(0.0, 2.48), (0.0, 2.48), (2.48, 5.0), (2.48, 5.0)]


def test_a_blurred_profile_in_the_same_place_goes_on_and_a_sharp_stranger_does_not() -> None:
    turned = watched(lambda time: [face(1, 100, turned=0.55, quality=0.2) if 2 <= time < 4 else face(1, 100)], 6)
    assert len(turned) == 1
    strange = watched(lambda time: [face(1, 100, turned=0.55) if 2 <= time < 4 else face(1, 100)], 6)
    assert len(strange) > 1


def test_while_everything_changes_the_same_place_says_nothing() -> None:
    for steady, tracks in ((True, 1), (False, 2)):
        tracker = Tracker()
        tracker.sample(0.0, [face(1, 100)], (), nothing)
        tracker.sample(1.0, [face(1, 100, turned=0.38)], (), nothing, steady=steady)
        assert len(tracker.pieces(2.0, last=True)) == tracks


def test_a_crowd_that_goes_at_once_costs_a_bounded_number_of_looks() -> None:
    asked = 0

    def probe(_at: int, _box: Box) -> list[DetectedFace]:
        nonlocal asked
        asked += 1
        return []

    tracker = Tracker()
    tracker.sample(0.0, [face(number, 100 * number) for number in range(60)], (), nothing)
    tracker.sample(1.0, [], [number / RATE for number in range(1, RATE)], probe)
    assert asked <= 40
    assert all(0 < piece.end <= 1 for piece in tracker.pieces(2.0, last=True))


def test_who_is_there_at_both_edges_of_a_part_opens_and_stays() -> None:
    tracker = Tracker()
    for time in (60.0, 61.0, 62.0):
        tracker.sample(time, [face(1, 100)] if time < 62 else [face(1, 100), face(2, 300)], (), lambda _at, _box: [])
    one, two = tracker.pieces(62.0, last=False)
    assert (one.opens, one.stays, one.seen) == (True, True, 3)
    assert (two.opens, two.stays, two.start) == (False, True, 62.0)
