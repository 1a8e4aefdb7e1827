from __future__ import annotations

import numpy as np
import pytest

from guyverd.people.arrival import Recognition, recognise
from guyverd.people.directions import distance_at, unit
from guyverd.people.evidence import Measure
from guyverd.people.index import FaceIndex

from .helpers import NO_FACES, SETTINGS, Library, beside, directions, faces_of, ints, measure_of, table_of, told_between


def people_of(found: Recognition) -> tuple[int | None, int | None]:
    best, next_ = (None if one is None else int(one.person) for one in (found.best, found.runner_up))
    return best, next_


def recognised(library: Library, vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[Recognition]:
    index = FaceIndex.build(library.all.ids, library.all.vectors)
    return recognise(vectors, library, index, measure_of(library.all))


def test_who_it_is_and_who_is_next() -> None:
    vectors = faces_of(ints(0, 0, 0, 1, 1, 2, 0, 2))
    library = Library(table_of(vectors[:6], people=ints(7, 7, 7, 8, 8, 0)))
    known, stranger = recognised(library, vectors[6:])
    told = told_between(vectors, measure_of(library.all))[6:]
    cosine = unit(vectors[6:]) @ unit(vectors).T
    assert people_of(known) == (7, 8)
    assert known.best is not None
    assert known.runner_up is not None
    assert known.best.evidence == pytest.approx(told[0, :3].max(), abs=1e-2)
    assert known.runner_up.evidence == pytest.approx(told[0, 3:5].max(), abs=1e-2)
    assert known.best.distance == pytest.approx(distance_at(cosine[0, :3].max()), abs=1e-4)
    assert known.runner_up.distance == pytest.approx(distance_at(cosine[0, 3:5].max()), abs=1e-4)
    # Nearest to a face that is nobody's; the people are far away.
    assert stranger.best is None
    assert stranger.runner_up is not None
    assert stranger.runner_up.person in (7, 8)
    assert stranger.runner_up.evidence < 0


def test_between_two_people_nobody_is_named() -> None:
    vectors = faces_of(np.zeros(3, np.int64))
    found = recognised(Library(table_of(vectors[:2], people=ints(7, 8))), vectors[2:])[0]
    assert found.best is None
    assert people_of(found)[1] in (7, 8)


def test_more_links_outweigh_fewer() -> None:
    vectors = faces_of(np.zeros(9, np.int64))
    found = recognised(Library(table_of(vectors[:8], people=ints(7, 7, 7, 7, 7, 7, 7, 8))), vectors[8:])[0]
    assert people_of(found) == (7, 8)


def test_a_face_that_no_single_one_is_near_enough_is_told_by_all_of_them_together() -> None:
    """Each face gives less than a link asks for and more than a group asks for."""
    face = directions(1)[0]
    theirs = np.stack([beside(face, 3.3, seed) for seed in range(4)])
    measure = Measure(SETTINGS, 5, NO_FACES)
    told = told_between(np.concatenate([face[None], theirs]), measure)[0, 1:]
    assert measure.join < told.min() < told.max() < measure.link
    assert people_of(recognised(Library(table_of(theirs, people=ints(7, 7, 7, 7))), face[None])[0]) == (7, None)
    both = recognised(Library(table_of(theirs, people=ints(7, 7, 8, 8))), face[None])[0]
    assert both.best is None, "as much speaks for the other"
    far = np.stack([beside(face, 2.0, seed) for seed in range(4)])
    found = recognised(Library(table_of(far, people=ints(7, 7, 7, 7))), face[None])[0]
    assert people_of(found) == (None, 7)


def test_poor_faces_vouch_for_nobody() -> None:
    vectors = faces_of(np.zeros(4, np.int64))
    poor = np.array([0.1, 0.1, 0.1], np.float32)
    found = recognised(Library(table_of(vectors[:3], people=ints(7, 7, 7), quality=poor)), vectors[3:])[0]
    assert people_of(found) == (None, 7)
    poor[0] = 0.9
    found = recognised(Library(table_of(vectors[:3], people=ints(7, 7, 7), quality=poor)), vectors[3:])[0]
    assert people_of(found) == (7, None)


def test_the_runner_up_is_found_behind_many_faces_of_the_best() -> None:
    vectors = faces_of(ints(*[0] * 300, 1, 0))
    library = Library(table_of(vectors[:301], people=ints(*[7] * 300, 8)))
    assert people_of(recognised(library, vectors[301:])[0]) == (7, 8)


def test_an_empty_library_knows_nobody() -> None:
    library = Library(table_of(NO_FACES))
    vectors, measure = faces_of(np.zeros(2, np.int64)), measure_of(library.all)
    assert recognise(vectors, library, FaceIndex(), measure) == [Recognition(None, None)] * 2
    assert recognise(vectors[:0], library, FaceIndex(), measure) == []
    with pytest.raises(ValueError, match="zero or not finite"):
        recognise(vectors * np.float32(0), library, FaceIndex(), measure)
