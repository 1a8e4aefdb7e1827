"""Tracks of one film crowd each other's neighbours out, and find who else is near all the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from guyverd.model import FaceTable, Spans
from guyverd.people.arrival import arrive
from guyverd.people.crowding import beyond, speakers
from guyverd.people.grouping import group
from guyverd.people.index import FaceIndex, Neighbours

from .helpers import SETTINGS, Library, directions, drawn, ints, measure_of, table_of

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

PHOTOS, TRACKS, FILMS = 6, SETTINGS.neighbours + 20, 2
"""Of each of two people; a film has more tracks of each than there are neighbours of a face."""


def filmed_library() -> tuple[FaceTable, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Two people, first in photos of their own, then in films in which they come one after the other all the time."""
    rng = np.random.default_rng(3)
    faces: list[FloatArray] = []
    who: list[int] = []
    photos: list[int] = []
    times: list[tuple[float, float]] = []
    for person, face in enumerate(directions(2)):
        for _ in range(PHOTOS):
            faces.append(face + 0.2 * rng.normal(size=128) / 11.3)
            who.append(person)
            photos.append(len(photos) + 1)
            times.append((-np.inf, np.inf))
    for film in range(FILMS):
        # Of one evening: the light makes all tracks more like each other than like the photos.
        light = 0.2 * rng.normal(size=(2, 128)) / 11.3
        for at in range(2 * TRACKS):
            faces.append(directions(2)[at % 2] + light[at % 2] + 0.05 * rng.normal(size=128) / 11.3)
            who.append(at % 2)
            photos.append(1000 + film)
            times.append((10.0 * at, 10.0 * at + 5))
    starts, ends = zip(*times, strict=True)
    spans = Spans(np.array(starts), np.array(ends))
    table = table_of(np.array(faces, np.float32), photos=np.array(photos, np.int64), spans=spans)
    return table, np.array(who, np.int64)


TABLE, WHO = filmed_library()
FIRST = ints(0)


def index_of(table: FaceTable) -> FaceIndex:
    index = FaceIndex()
    index.add(table.ids, table.vectors)
    return index


def test_all_neighbours_of_a_track_are_of_its_film() -> None:
    near = index_of(TABLE).neighbours(TABLE.vectors[-1:], SETTINGS.neighbours + 1)
    assert set(TABLE.photos[near.ids[0] - 1].tolist()) == {1000 + FILMS - 1}, "else these tests show nothing"


@pytest.mark.parametrize("at_once", [False, True])
def test_who_is_in_photos_is_who_is_in_films(at_once: bool) -> None:
    library, index, measure = Library(TABLE), FaceIndex(), measure_of(TABLE)
    films = TABLE.photos >= 1000
    portions = [~films, films] if at_once else [TABLE.photos == photo for photo in np.unique(TABLE.photos).tolist()]
    for portion in portions:
        index.add(TABLE.ids[portion], TABLE.vectors[portion])
        outcome = arrive(TABLE.ids[portion], library, index, measure, seed=1)
        library.apply(outcome.assignments, outcome.merges)
    each = PHOTOS + FILMS * TRACKS
    assert Counter(zip(WHO.tolist(), library.people.tolist(), strict=True)) == {(0, 1): each, (1, 2): each}


def test_so_it_is_where_all_are_grouped_anew() -> None:
    labels = group(TABLE, index_of(TABLE), measure_of(TABLE), seed=1).labels
    assert len(set(labels[WHO == 0].tolist())) == len(set(labels[WHO == 1].tolist())) == 1
    assert 0 not in labels


# ---- who asks, and who is found --------------------------------------------------------------------------------------


def test_each_speaks_or_is_linked_with_one_who_does() -> None:
    neighbours = ints(1, 2, 0, 3, 0, 3, 1, 2, -1, -1).reshape(5, 2)
    linked = np.ones((5, 2), bool)
    linked[2, 0] = False
    quality = np.array([0.5, 0.9, 0.8, 0.1, 0.7], np.float32)
    assert speakers(ints(0, 1, 2, 4), neighbours, linked, quality).tolist() == [1, 2, 4]
    assert speakers(ints(0), neighbours, linked, quality).tolist() == [0]
    assert speakers(ints(), neighbours, linked, quality).tolist() == []


def test_it_is_the_nearest_others_as_far_as_they_matter() -> None:
    vectors = drawn(400, seed=5)
    index = FaceIndex()
    index.add(np.arange(1, 401), vectors)
    crowd = np.argsort(-(vectors @ vectors[0]))[:150] + 1
    exact = [
        number for number in (np.argsort(-(vectors @ vectors[0])) + 1).tolist() if number not in set(crowd.tolist())
    ]
    least = float((vectors[exact[19] - 1] + vectors[exact[20] - 1]) @ vectors[0] / 2)

    table = table_of(vectors)

    def asked(least: float, rows: IntArray = FIRST, usual: int = 30) -> dict[int, list[int]]:
        found = beyond(
            rows,
            table,
            index,
            usual=usual,
            is_own=lambda rows, ids: np.isin(ids, crowd),
            told=lambda rows, cosine: cosine,
            near=least,
            linked=0.99,
        )
        assert found.similarity == pytest.approx(
            np.einsum("ij,ij->i", vectors[found.ids - 1], vectors[found.rows]), abs=1e-5
        )
        return {row: found.ids[found.rows == row].tolist() for row in set(found.rows.tolist())}

    assert asked(least) == {0: exact[:20]}
    assert asked(-1.0) == {0: exact[:30]}, "no more than usual"
    assert asked(1.0) == {}
    assert asked(-1.0, ints()) == {}
    assert {*asked(least, ints(0, 1, 2))} >= {0}


def test_one_who_looks_farther_looks_for_those_near_them() -> None:
    vectors = np.repeat(drawn(2, seed=5), [500, 3], axis=0) + np.float32(1e-4) * drawn(503, seed=6)
    table, index = table_of(vectors), FaceIndex()
    index.add(table.ids, table.vectors)
    asked: list[int] = []

    class Counted:
        def neighbours(self, vectors: FloatArray, k: int) -> Neighbours:
            asked.append(len(vectors))
            return index.neighbours(vectors, k)

    found = beyond(
        np.arange(40),
        table,
        Counted(),
        usual=20,
        is_own=lambda rows, ids: ids <= 500,
        told=lambda rows, cosine: cosine,
        near=-1.0,
        linked=0.9,
    )
    assert len(asked) == 3
    assert 40 == asked[0] > asked[1] > asked[2]
    assert {*found.ids.tolist()} == {501, 502, 503}
