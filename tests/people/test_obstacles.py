from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pytest

from guyverd.model import NOTHING_SAID, FaceId, PersonId, Standing
from guyverd.people.asking.likening import Groups, Pairs
from guyverd.people.asking.obstacles import Obstacles
from guyverd.people.directions import unit

from .helpers import drawn, filmed, ints, measure_of, seen_together, table_of

# Faces 1 to 8: persons 5, 5, 6, 7, 7 and three that wait. Face 6 is in the photo of face 1, face 3 in that of face 4.
PEOPLE = ints(5, 5, 6, 7, 7, 0, 0, 0)
PHOTOS = ints(1, 2, 3, 3, 4, 1, 5, 6)


def obstacles(said: Standing = NOTHING_SAID) -> Obstacles:
    vectors = unit(drawn(8))
    table = table_of(vectors, photos=PHOTOS, people=PEOPLE)
    return Obstacles(Groups(table, measure_of(table).scales(vectors), np.ones(8, bool)), said)


def pairs(*ends: tuple[int, int]) -> Pairs:
    return Pairs(ints(*(one for one, _ in ends)), ints(*(two for _, two in ends)), np.zeros(len(ends), np.float32))


def faces_against(said: Standing = NOTHING_SAID) -> set[tuple[int, int]]:
    """Faces that wait, and people they cannot be."""
    every = [(row, place) for row in (5, 6, 7) for place in range(3)]
    against = obstacles(said).of_faces(pairs(*every)).tolist()
    return {(row + 1, place + 5) for (row, place), no in zip(every, against, strict=True) if no}


def people_against(said: Standing = NOTHING_SAID) -> set[tuple[int, int]]:
    every = [(one, other) for one in range(3) for other in range(3) if one != other]
    against = obstacles(said).of_people(pairs(*every)).tolist()
    return {(one + 5, other + 5) for (one, other), no in zip(every, against, strict=True) if no}


def both_ways(ends: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    return {*ends, *((other, one) for one, other in ends)}


def test_photos_tell_who_is_two() -> None:
    assert faces_against() == {(6, 5)}
    assert people_against() == {(6, 7), (7, 6)}


def test_words_tell_who_is_two() -> None:
    said = Standing(
        barred=frozenset({(FaceId(7), PersonId(6)), (FaceId(99), PersonId(6)), (FaceId(7), PersonId(99))}),
        apart=frozenset({(FaceId(2), FaceId(8)), (FaceId(7), FaceId(8))}),
    )
    assert faces_against(said) == {(6, 5), (7, 6), (8, 5)}
    assert people_against(said) == {(6, 7), (7, 6)}


def test_words_about_people_and_about_faces_of_theirs() -> None:
    apart = both_ways([(6, 7)])
    people = Standing(apart_people=frozenset({(PersonId(5), PersonId(6)), (PersonId(5), PersonId(99))}))
    assert people_against(people) == apart | both_ways([(5, 6)])
    faces = Standing(apart=frozenset({(FaceId(2), FaceId(5))}))
    assert people_against(faces) == apart | both_ways([(5, 7)])
    barred = Standing(barred=frozenset({(FaceId(2), PersonId(7))}))
    assert people_against(barred) == apart | both_ways([(5, 7)])


def test_nobody_is_asked_whether_they_are_themselves() -> None:
    assert obstacles().of_people(pairs((0, 0), (1, 1))).all()


def test_an_empty_library_has_none() -> None:
    table = table_of(unit(drawn(2)), people=ints(0, 0))
    nobody = Obstacles(Groups(table, measure_of(table).scales(table.vectors), np.ones(2, bool)), Standing())
    assert not len(nobody.of_faces(pairs()))
    assert not len(nobody.of_people(pairs()))


@pytest.mark.parametrize("seed", range(12))
def test_it_is_who_is_seen_together_with_any_of_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    photos, people = rng.integers(1, 4, 14), rng.integers(0, 5, 14)
    people[:4] = ints(1, 2, 3, 4)
    table = table_of(unit(drawn(14)), photos=photos, people=people, spans=filmed(photos, seed))
    hurdles = Obstacles(Groups(table, measure_of(table).scales(table.vectors), np.ones(14, bool)), NOTHING_SAID)
    rows = {person: np.flatnonzero(people == person).tolist() for person in range(1, 5)}

    waiting = [(row, place) for row in np.flatnonzero(people == 0).tolist() for place in range(4)]
    found = hurdles.of_faces(pairs(*waiting)).tolist()
    assert found == [any(seen_together(table, row, other) for other in rows[place + 1]) for row, place in waiting]

    two = [*combinations(range(4), 2)]
    together = [any(seen_together(table, a, b) for a in rows[one + 1] for b in rows[other + 1]) for one, other in two]
    assert hurdles.of_people(pairs(*two)).tolist() == together
