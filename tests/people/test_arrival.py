from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.config import People
from guyverd.model import FaceId, FaceTable, PersonId
from guyverd.people.arrival import Outcome, arrive
from guyverd.people.index import FaceIndex

from .helpers import Library, faces_of, partition, rows, table_of

if TYPE_CHECKING:
    from guyverd.model import IntArray

SETTINGS = People()
NOBODY: frozenset[PersonId] = frozenset()


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


def arriving(
    library: Library,
    new: IntArray,
    named: frozenset[PersonId] = NOBODY,
    apart: tuple[tuple[int, int], ...] = (),
    index: FaceIndex | None = None,
) -> Outcome:
    if index is None:
        index = FaceIndex.build(library.all.ids, library.all.vectors)
    pairs = [(FaceId(one), FaceId(other)) for one, other in apart]
    outcome = arrive(new, library, index, SETTINGS, seed=3, named=named, apart=pairs)
    library.apply(outcome.assignments, outcome.merges)
    return outcome


def test_groups_arrive_in_an_empty_library() -> None:
    who = ints(0, 1, 0, 2, 1, 1)
    library = Library(table_of(faces_of(who)))
    outcome = arriving(library, library.all.ids)
    assert library.people.tolist() == [1, 2, 1, 0, 2, 2]
    assert outcome.merges == ()


def test_later_faces_join_and_waiting_ones_are_asked_again() -> None:
    who = ints(0, 0, 1, 0, 1, 2)
    library = Library(table_of(faces_of(who)))
    index = FaceIndex.build(library.all.ids[:3], library.all.vectors[:3])
    arriving(library, ints(1, 2, 3), index=index)
    assert library.people.tolist() == [1, 1, 0, 0, 0, 0]
    index.add(library.all.ids[3:], library.all.vectors[3:])
    arriving(library, ints(4, 5, 6), index=index)
    assert library.people.tolist() == [1, 1, 2, 1, 2, 0]


def test_nothing_arrives() -> None:
    library = Library(table_of(faces_of(ints(0, 0)), people=ints(4, 4)))
    assert arriving(library, ints()) == Outcome((), ())
    assert arriving(library, ints(1, 2)) == Outcome((), ())
    with pytest.raises(ValueError, match="face 9 is not in the index"):
        arriving(library, ints(9))


def test_faces_that_the_catalogue_has_forgotten_do_no_harm() -> None:
    table = table_of(faces_of(ints(0, 0, 0)))
    index = FaceIndex.build(table.ids, table.vectors)
    library = Library(rows(table, np.arange(1, 3)))
    arriving(library, ints(1, 3), index=index)
    assert library.people.tolist() == [1, 1]


def test_pieces_near_a_new_face_are_merged_into_the_older_or_the_named() -> None:
    people = ints(5, 5, 3, 3, 0)
    library = Library(table_of(faces_of(ints(0, 0, 0, 0, 0)), people=people))
    outcome = arriving(library, ints(5))
    assert [(item.absorbed, item.into) for item in outcome.merges] == [(5, 3)]
    assert library.people.tolist() == [3] * 5, "it waited between them, and they are one"
    library = Library(table_of(library.all.vectors, people=people))
    arriving(library, ints(5), frozenset({PersonId(5)}))
    assert library.people.tolist() == [5] * 5
    library = Library(table_of(library.all.vectors, people=people))
    arriving(library, ints(5), frozenset({PersonId(3), PersonId(5)}))
    assert library.people[:4].tolist() == [5, 5, 3, 3], "names are never merged"
    assert library.people[4] == 0, "with both equally near the face waits"


def test_a_photo_holds_a_person_once_also_against_faces_that_were_there_before() -> None:
    # Face 3 waits in photo 1, where face 1, which looks like nobody, is attached already. Then a likeness arrives.
    vectors = faces_of(ints(1, 0, 0, 0))
    vectors[3] = vectors[1] + 0.1 * vectors[2]
    table = table_of(vectors, people=ints(7, 7, 0, 0), photos=ints(1, 2, 1, 3))
    library = Library(rows(table, np.argsort(table.photos, kind="stable")))
    arriving(library, ints(4))
    held = dict(zip(library.all.ids.tolist(), library.people.tolist(), strict=True))
    assert held == {1: 7, 2: 7, 3: 0, 4: 7}


@pytest.mark.parametrize("shared", [True, False])
def test_of_a_large_person_photos_outside_the_sample_count_too(shared: bool) -> None:
    """Of the larger of two pieces only some faces are shown to `arrive`, and not the one that speaks against it."""
    vectors = faces_of(np.zeros(243, np.int64), spread=0.15)
    # The new face and the small piece are alike, so that the piece is among the new face's neighbours.
    vectors[240:242] = vectors[242] + 0.001 * vectors[:2]
    table = table_of(vectors, people=np.array([1] * 240 + [2, 2, 0], np.int64))
    near = FaceIndex.build(table.ids, vectors).neighbours(vectors[242:], SETTINGS.neighbours + 1).ids
    hidden = np.setdiff1d(table.ids[:240], [*Library(table).members(ints(1)).ids, *near[0]])[0]
    if shared:
        table.photos[240] = table.photos[hidden - 1]
    order = np.argsort(table.photos, kind="stable")
    library = Library(rows(table, order))
    outcome = arriving(library, ints(243))
    assert [(item.absorbed, item.into) for item in outcome.merges] == ([] if shared else [(2, 1)])


def test_a_word_of_the_user_keeps_faces_and_people_apart() -> None:
    vectors = faces_of(ints(0, 0, 0, 0, 0))
    library = Library(table_of(vectors, people=ints(4, 4, 6, 6, 0)))
    arriving(library, ints(5), apart=((5, 1), (5, 3), (1, 4)))
    assert library.people.tolist() == [4, 4, 6, 6, 0]
    library = Library(table_of(vectors))
    arriving(library, library.all.ids, apart=((1, 2),))
    assert library.people[0] != library.people[1]
    # The face it must not be with looks like nobody, so only the word leads to it.
    library = Library(table_of(faces_of(ints(1, 0, 0, 0, 0)), people=ints(4, 4, 4, 4, 0)))
    arriving(library, ints(5), apart=((1, 5), (1, 2)))
    assert library.people[4] == 0


def test_a_face_on_its_own_joins_the_people_it_is_near_on_average() -> None:
    """Farther than a link from each single face, nearer than the merge distance on average to all of them."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(128, 128)))[0].astype(np.float32)
    # Cosine .9492 (distance .319) to every face of the person: between the two distances.
    step = np.sqrt(1 / 0.9492 - 1)
    vectors = np.stack([basis[0] + 0.001 * basis[i] for i in (2, 3, 4)] + [basis[0] + step * basis[1]])
    cosine = float(vectors[3] @ vectors[0] / np.linalg.norm(vectors[3]) / np.linalg.norm(vectors[0]))
    settings_ = dataclasses.replace(SETTINGS, link_distance=0.2, merge_distance=0.35)
    assert 0.2 < np.sqrt(2 - 2 * cosine) < 0.35
    library = Library(table_of(vectors))
    index = FaceIndex.build(library.all.ids, vectors)
    outcome = arrive(library.all.ids, library, index, settings_, seed=1, named=NOBODY)
    assert [a.group for a in outcome.assignments] == [0, 0, 0, 0]
    assert outcome.assignments[3].score == pytest.approx(cosine, abs=1e-4)


def _whole(seed: int, people: int = 12, faces: int = 160, spread: float = 0.2) -> FaceTable:
    rng = np.random.default_rng(seed)
    who = rng.integers(0, people, faces)
    photos = np.sort(rng.integers(1, faces, faces))
    quality = rng.choice(np.array([0.1, 0.5, 0.9], np.float32), faces)
    return table_of(faces_of(who, seed, spread), photos=photos, quality=quality)


def _plain(seed: int) -> FaceTable:
    """Ten people in photos of several, each at most once in a photo."""
    rng = np.random.default_rng(seed)
    company = [rng.choice(10, rng.integers(1, 5), replace=False) for _ in range(60)]
    photos = np.repeat(np.arange(1, 61), [len(there) for there in company])
    return table_of(faces_of(np.concatenate(company), seed, spread=0.15), photos=photos)


def _in_portions(table: FaceTable, portion: int) -> Library:
    library, index = Library(table), FaceIndex()
    for start in range(0, len(table), portion):
        part = slice(start, start + portion)
        index.add(table.ids[part], table.vectors[part])
        arriving(library, table.ids[part], index=index)
    return library


@pytest.mark.parametrize("seed", range(3))
def test_all_at_once_and_in_portions_agree_on_people_who_are_far_apart(seed: int) -> None:
    table = _plain(seed)
    once = _in_portions(table, len(table))
    assert set(once.people.tolist()) == set(range(1, 11))
    for portion in (1, 7, 60):
        assert partition(_in_portions(table, portion).people) == partition(once.people)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.2, 0.24]), st.sampled_from([5, 40]))
def test_no_photo_twice_in_a_person_and_the_numbers_of_faces_do_not_matter(
    seed: int, spread: float, portion: int
) -> None:
    table = _whole(seed, faces=60, people=4, spread=spread)
    library = _in_portions(table, portion)
    attached = library.people > 0
    places = np.stack([table.photos, library.people])[:, attached]
    assert np.unique(places, axis=1).shape[1] == attached.sum()
    counts = np.bincount(library.people[attached])
    assert (counts[counts > 0] >= 2).all()

    renumbered = dataclasses.replace(table, ids=np.random.default_rng(seed).permutation(1000)[:60].astype(np.int64))
    assert _in_portions(renumbered, portion).people.tolist() == library.people.tolist()


def test_the_cost_follows_the_arrival_not_the_library() -> None:
    """How many faces are fetched for one new face, in a library of 500 and of 5,000."""

    class Counting(Library):
        fetched = 0

        def table(self, ids: IntArray) -> FaceTable:
            self.fetched += len(ids)
            return super().table(ids)

        def members(self, people: IntArray) -> FaceTable:
            found = super().members(people)
            self.fetched += len(found)
            return found

    cost = []
    for people in (25, 250):
        who = np.repeat(np.arange(people), 20)
        vectors = faces_of(np.append(who, 0), spread=0.15)
        library = Counting(table_of(vectors, people=np.append(who + 1, 0)))
        arriving(library, library.all.ids[-1:])
        assert library.people[-1] == 1
        cost.append(library.fetched)
    assert cost[0] == cost[1] < 300
