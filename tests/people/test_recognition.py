from __future__ import annotations

import numpy as np
import pytest

from guyverd.config import People
from guyverd.people.arrival import Recognition, recognise
from guyverd.people.graph import unit
from guyverd.people.index import FaceIndex

from .helpers import Library, faces_of, table_of

SETTINGS = People()


def test_who_it_is_and_who_is_next() -> None:
    who = np.array([0, 0, 0, 1, 1, 2, 0, 2])
    vectors = faces_of(who)
    library = Library(table_of(vectors[:6], people=np.array([7, 7, 7, 8, 8, 0])))
    index = FaceIndex.build(library.all.ids, library.all.vectors)
    known, stranger = recognise(vectors[6:], library, index, SETTINGS)
    apart = np.linalg.norm(unit(vectors[6:7]) - unit(vectors[:5]), axis=1)
    assert (known.person, known.runner_up) == (7, 8)
    assert known.distance == pytest.approx(apart[:3].min(), abs=1e-4)
    assert known.runner_up_distance == pytest.approx(apart[3:].min(), abs=1e-4)
    # Nearest to a face that is nobody's; the people are far away.
    assert (stranger.person, stranger.distance) == (None, None)
    assert stranger.runner_up in (7, 8)
    assert stranger.runner_up_distance is not None
    assert stranger.runner_up_distance > 1


def test_between_two_people_nobody_is_named() -> None:
    vectors = faces_of(np.zeros(3, np.int64))
    library = Library(table_of(vectors[:2], people=np.array([7, 8])))
    index = FaceIndex.build(library.all.ids, library.all.vectors)
    found = recognise(vectors[2:], library, index, SETTINGS)[0]
    assert found.person is None
    assert found.runner_up in (7, 8)


def test_the_runner_up_is_found_behind_many_faces_of_the_best() -> None:
    who = np.array([0] * 300 + [1, 0])
    vectors = faces_of(who)
    library = Library(table_of(vectors[:301], people=np.array([7] * 300 + [8])))
    index = FaceIndex.build(library.all.ids, library.all.vectors)
    found = recognise(vectors[301:], library, index, SETTINGS)[0]
    assert (found.person, found.runner_up) == (7, 8)


def test_an_empty_library_knows_nobody() -> None:
    library = Library(table_of(np.empty((0, 128), np.float32)))
    vectors = faces_of(np.zeros(2, np.int64))
    assert recognise(vectors, library, FaceIndex(), SETTINGS) == [Recognition(None, None, None, None)] * 2
    assert recognise(vectors[:0], library, FaceIndex(), SETTINGS) == []
