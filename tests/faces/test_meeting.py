"""Tracks that overlap in time are two people for ever; so no two of one person ever do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.faces.tracking import Tracker
from guyverd.faces.tracks import Piece
from guyverd.model import Box, DetectedFace, Quality

BASIS = np.eye(128, dtype=np.float32)
GOOD = Quality(0.9, 0.9, 0.9, 0.9, 0.9)


def face(looks: float, left: int, who: int = 0) -> DetectedFace:
    """A person who looks more or less otherwise, by an angle in radians."""
    vector = np.cos(looks) * BASIS[2 * who] + np.sin(looks) * BASIS[2 * who + 1]
    return DetectedFace(Box(left, 100, left + 80, 180), 1.0, ((0.0, 0.0),) * 5, GOOD, vector.astype(np.float32))


def followed(seen: Sequence[Sequence[DetectedFace]]) -> tuple[Piece, ...]:
    """Frames a second apart, and between them nine on which is seen what is seen on the frame before."""
    tracker = Tracker()
    for second, faces in enumerate(seen):
        before = seen[max(0, second - 1)]
        between = [second - 1 + tenth / 10 for tenth in range(1, 10)] if second else []
        tracker.sample(float(second), faces, between, lambda _at, _box, b=before: b)  # type: ignore[misc]
    return tracker.pieces(float(len(seen)), last=True)


def spans(pieces: Sequence[Piece]) -> list[tuple[float, float]]:
    return sorted((piece.start, piece.end) for piece in pieces)


def test_who_stays_is_one_track_and_who_turns_away_comes_back_to_it() -> None:
    assert spans(followed([[face(0, 0)]] * 4)) == [(0, 4)]
    assert spans(followed([[face(0, 0)], [], [face(0, 0)], [face(0, 0)]])) == [(0, 4)]


def test_who_moves_and_looks_otherwise_for_a_while_is_never_there_twice() -> None:
    """At the second second they are too unlike to be known, and after that as they were."""
    pieces = followed([[face(0, 0)], [face(0.7, 300)], [face(0, 0)], [face(0.7, 300)], [face(0, 0)]])
    times = spans(pieces)
    assert all(end <= begins for (_, end), (begins, _) in pairwise(times))
    assert (times[0][0], times[-1][1]) == (0, 5)


def test_two_who_are_there_together_are_two_whoever_turned_away() -> None:
    one, two = face(0, 0), face(0, 300, who=1)
    assert spans(followed([[one], [two], [one, two], [one, two]])) == [(0, 4), (1, 4)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from([0.0, 0.3, 0.7]), st.integers(0, 6)), max_size=1), max_size=9))
def test_one_person_alone_never_overlaps_with_themselves(seen: list[list[tuple[float, int]]]) -> None:
    pieces = followed([[face(looks, 60 * place) for looks, place in faces] for faces in seen])
    times = spans(pieces)
    assert all(end <= begins for (_, end), (begins, _) in pairwise(times)), times
    assert all(piece.best for piece in pieces)
