"""Tracks put together over the edges of parts; parts as bytes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.faces.tracks import (
    BEST,
    FRAMES,
    LENGTH,
    Piece,
    Sight,
    VideoPart,
    best_of,
    decoded,
    encoded,
    mean,
    parts_of,
    whole,
)
from guyverd.model import Box, DetectedFace
from tests.faces.seen import better, face, likeness

STEP = 4.0
"""Seconds between two looks, to have few."""


def part(number: int, *pieces: Piece, last: bool = False, end: float | None = None) -> VideoPart:
    start = number * LENGTH
    told = start, start + LENGTH if end is None else end, last, 640, 360, "MP4", "2020-05-06T07:08:09", 200.0
    return VideoPart(number, *told, "it is cut off" if last else None, pieces)


def piece(person: int, start: float, end: float, first: int, last: int, **other: object) -> Piece:
    sights = (Sight(start, face(person, first)), Sight((start + end) / 2, better(face(person, first), 0.9)))
    made = Piece(start, end, face(0, first).box, face(0, last).box, False, False, 2, tuple(best_of(sights)))
    return dataclasses.replace(made, **other)  # type: ignore[arg-type]


def filmed(people: list[tuple[int, float, float, int, int]], seconds: float) -> list[VideoPart]:
    """The parts of a film of people, each seen from one time to another, at a place, moving so many pixels a second."""
    parts = []
    count = parts_of(seconds)
    for number in range(count):
        low, high = number * LENGTH, min((number + 1) * LENGTH, seconds)
        last = number == count - 1
        pieces = []
        for person, start, end, left, speed in people:
            begin, over = max(low, start), min(high, end)
            stays = not last and start <= high < end
            if begin < over or stays:
                seen = [begin + at * STEP for at in range(int((over - begin) / STEP) + 1)] + ([high] if stays else [])
                at = {time: face(person, round(left + speed * (time - start))) for time in seen}
                sights = tuple(best_of([Sight(time, one) for time, one in at.items()]))
                boxes = at[seen[0]].box, at[seen[-1]].box
                pieces.append(Piece(begin, over, *boxes, start < low or begin == low, stays, len(at), sights))
        parts.append(part(number, *pieces, last=last, end=high))
    return parts


def test_a_track_over_three_parts_is_one_and_two_side_by_side_stay_two() -> None:
    people = [(1, 10.0, 170.0, 100, 1), (2, 50.0, 130.0, 400, -1)]
    one, two = whole(filmed(people, 200.0))
    assert one.track is not None
    assert two.track is not None
    assert (one.track.start, one.track.end, two.track.start, two.track.end) == (10.0, 170.0, 50.0, 130.0)
    for found, person in ((one, 1), (two, 2)):
        unit = found.embedding / np.linalg.norm(found.embedding)
        assert np.linalg.norm(unit - likeness(person) / np.linalg.norm(likeness(person))) < 0.01
        assert len(found.track.frames) <= FRAMES if found.track else False


def test_two_who_stand_where_the_other_did_at_the_edge_are_matched_by_the_greater_overlap() -> None:
    before = [piece(1, 50, 60, 100, 100, stays=True), piece(2, 50, 60, 130, 130, stays=True)]
    after = [piece(2, 60, 70, 130, 140, opens=True), piece(1, 60, 75, 100, 90, opens=True)]
    found = whole([part(0, *before), part(1, *after, last=True)])
    assert sorted((one.track.start, one.track.end) for one in found if one.track) == [(50, 70), (50, 75)]


def test_who_is_not_there_any_more_at_the_edge_is_not_joined() -> None:
    before, after = piece(1, 50, 59, 100, 100), piece(1, 60, 70, 100, 100, opens=True)
    assert len(whole([part(0, before), part(1, after, last=True)])) == 2
    far = piece(1, 60, 70, 500, 500, opens=True)
    assert len(whole([part(0, dataclasses.replace(before, stays=True)), part(1, far, last=True)])) == 2


def test_a_glimpse_of_what_may_be_no_face_is_none() -> None:
    unsure = dataclasses.replace(face(1, 100, sure=0.3))
    glimpse = Piece(1.0, 1.1, unsure.box, unsure.box, False, False, 1, (Sight(1.0, unsure),))
    sure = Piece(2.0, 2.1, unsure.box, unsure.box, False, False, 1, (Sight(2.0, face(1, 100, sure=1.0)),))
    twice = dataclasses.replace(glimpse, start=3.0, end=5.0, seen=2)
    assert [one.track.start for one in whole([part(0, glimpse, sure, twice, last=True)]) if one.track] == [2.0, 3.0]
    # Seen from both sides of an edge it is still one frame.
    sides = [dataclasses.replace(glimpse, start=60.0, end=60.0, stays=True, seen=1)]
    sides.append(dataclasses.replace(glimpse, start=60.0, end=60.1, opens=True, seen=1))
    assert whole([part(0, sides[0]), part(1, sides[1], last=True)]) == ()


def test_parts_must_be_there_and_in_order() -> None:
    parts = filmed([(1, 10.0, 170.0, 100, 1)], 200.0)
    for wrong in (parts[1:], parts[:2], [parts[0], parts[2]], []):
        with pytest.raises(ValueError, match="part"):
            whole(wrong)
    # What lies behind the last is not looked at: a film that turned out to be shorter.
    short = [parts[0], dataclasses.replace(parts[1], last=True), parts[2]]
    assert [one.track for one in whole(short)] == [one.track for one in whole(short[:2])]


def test_the_embedding_is_of_the_good_faces_alone() -> None:
    good = [Sight(float(at), face(1, 100, quality=0.8)) for at in range(3)]
    poor = [Sight(float(at), face(2, 100, quality=0.2)) for at in range(3, 9)]
    best = best_of([*poor, *good])
    assert len(best) == BEST
    assert np.allclose(mean(best), likeness(1, seed=100), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 170), st.floats(1, 190), st.integers(-3, 3)), min_size=1, max_size=4))
def test_wherever_the_edges_fall_the_tracks_are_the_same(people: list[tuple[float, float, int]]) -> None:
    """Everybody keeps to their own lane, so that only time is cut."""
    apart = [
        (number, start, min(199.0, start + long), 2000 * number, speed)
        for number, (start, long, speed) in enumerate(people)
    ]
    parts = filmed(apart, 200.0)
    found = whole([decoded(encoded(one)) for one in parts])
    assert sorted((one.track.start, one.track.end) for one in found if one.track) == sorted(
        (start, end) for _, start, end, _, _ in apart
    )


# ---- as bytes --------------------------------------------------------------------------------------------------------


def equal(one: VideoPart, other: VideoPart) -> bool:
    def flat(told: VideoPart) -> list[object]:
        return [
            dataclasses.replace(told, pieces=()),
            *[dataclasses.replace(each, best=()) for each in told.pieces],
            *[(sight.time, plain(sight.face)) for each in told.pieces for sight in each.best],
        ]

    def plain(seen: DetectedFace) -> tuple[object, ...]:
        return seen.box, seen.confidence, seen.landmarks, seen.quality, seen.look, seen.embedding.tobytes()

    return flat(one) == flat(other)


def test_a_part_is_the_same_read_back() -> None:
    hashed = [Sight(1.0, dataclasses.replace(face(1, 7), look=-(1 << 63)))]
    made = part(
        2, piece(1, 121, 130, 5, 9), Piece(121, 122, Box(0, 0, 1, 1), Box(0, 0, 1, 1), True, True, 1, tuple(hashed))
    )
    assert equal(decoded(encoded(made)), made)
    assert equal(decoded(encoded(part(0, last=True))), part(0, last=True))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_bytes_that_were_damaged_are_refused(data: st.DataObject) -> None:
    whole_ = encoded(part(0, piece(1, 1, 2, 5, 9)))
    at = data.draw(st.integers(0, len(whole_) - 1))
    bad = bytearray(whole_)
    bad[at] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(bad), whole_[:at], whole_ + b"x", b""):
        with pytest.raises(ValueError, match="part of a film"):
            decoded(wrong)


def test_boxes_overlap_by_the_share_of_their_union() -> None:
    assert Box(0, 0, 10, 10).overlap(Box(0, 0, 10, 10)) == 1.0
    assert Box(0, 0, 10, 10).overlap(Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert Box(0, 0, 10, 10).overlap(Box(10, 0, 20, 10)) == 0.0
    assert [parts_of(seconds) for seconds in (0.0, 59.9, 60.0, 60.1)] == [1, 1, 1, 2]
