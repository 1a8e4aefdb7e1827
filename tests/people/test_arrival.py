from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.model import NOTHING_SAID, FaceId, FaceTable, PersonId, Standing
from guyverd.people.arrival import Outcome, arrive
from guyverd.people.evidence import Measure
from guyverd.people.graph import rows_of
from guyverd.people.index import FaceIndex

from .helpers import (
    NO_FACES,
    SETTINGS,
    Library,
    beside,
    directions,
    faces_of,
    filmed,
    ints,
    partition,
    seen_together,
    table_of,
    told_between,
)

if TYPE_CHECKING:
    from guyverd.model import IntArray


def named(*people: int) -> Standing:
    return Standing(names={PersonId(person): f"P{person}" for person in people})


def of_faces(*pairs: tuple[int, int]) -> frozenset[tuple[FaceId, FaceId]]:
    return frozenset((FaceId(one), FaceId(other)) for one, other in pairs)


def arriving(
    library: Library,
    new: IntArray,
    said: Standing = NOTHING_SAID,
    index: FaceIndex | None = None,
) -> Outcome:
    if index is None:
        index = FaceIndex.build(library.all.ids, library.all.vectors)
    outcome = arrive(new, library, index, library.measure, seed=3, said=said)
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
    library = Library(table.of(np.arange(1, 3)))
    arriving(library, ints(1, 3), index=index)
    assert library.people.tolist() == [1, 1]


def test_pieces_near_a_new_face_are_merged_into_the_older_or_the_named() -> None:
    people = ints(5, 5, 3, 3, 0)
    library = Library(table_of(faces_of(ints(0, 0, 0, 0, 0)), people=people))
    outcome = arriving(library, ints(5))
    assert [(item.absorbed, item.into) for item in outcome.merges] == [(5, 3)]
    assert library.people.tolist() == [3] * 5, "it waited between them, and they are one"
    library = Library(table_of(library.all.vectors, people=people))
    arriving(library, ints(5), named(5))
    assert library.people.tolist() == [5] * 5
    library = Library(table_of(library.all.vectors, people=people))
    arriving(library, ints(5), named(3, 5))
    assert library.people[:4].tolist() == [5, 5, 3, 3], "names are never merged"
    assert library.people[4] == 0, "with both equally near the face waits"


def test_a_photo_holds_a_person_once_also_against_faces_that_were_there_before() -> None:
    # Face 3 waits in photo 1, where face 1, which looks like nobody, is attached already. Then a likeness arrives.
    vectors = faces_of(ints(1, 0, 0, 0))
    vectors[3] = vectors[1] + 0.1 * vectors[2]
    table = table_of(vectors, people=ints(7, 7, 0, 0), photos=ints(1, 2, 1, 3))
    library = Library(table.of(np.argsort(table.photos, kind="stable")))
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
    library = Library(table.of(order))
    outcome = arriving(library, ints(243))
    assert [(item.absorbed, item.into) for item in outcome.merges] == ([] if shared else [(2, 1)])


def test_a_word_of_the_user_keeps_faces_and_people_apart() -> None:
    vectors = faces_of(ints(0, 0, 0, 0, 0))
    library = Library(table_of(vectors, people=ints(4, 4, 6, 6, 0)))
    arriving(library, ints(5), Standing(apart=of_faces((1, 5), (3, 5), (1, 4))))
    assert library.people.tolist() == [4, 4, 6, 6, 0]
    library = Library(table_of(vectors))
    arriving(library, library.all.ids, Standing(apart=of_faces((1, 2))))
    assert library.people[0] != library.people[1]
    # The face it must not be with looks like nobody, so only the word leads to it.
    library = Library(table_of(faces_of(ints(1, 0, 0, 0, 0)), people=ints(4, 4, 4, 4, 0)))
    arriving(library, ints(5), Standing(apart=of_faces((1, 5), (1, 2))))
    assert library.people[4] == 0


@pytest.mark.parametrize("people", [ints(4, 4, 4, 4, 0), ints(4, 6, 6, 6, 0), ints(4, 4, 6, 6, 0)])
def test_a_word_of_the_user_keeps_a_face_from_a_person(people: IntArray) -> None:
    """Also when that person and the one it has joined, or waits for, turn out to be one."""
    vectors = faces_of(ints(0, 0, 0, 0, 0))
    library = Library(table_of(vectors, people=people.copy()))
    arriving(library, ints(5))
    assert library.people.tolist() == [4, 4, 4, 4, 4]
    library = Library(table_of(vectors, people=people.copy()))
    outcome = arriving(library, ints(5), Standing(barred=frozenset({(FaceId(5), PersonId(4))})))
    assert library.people[4] != library.people[0]
    assert library.people[4] != 4
    assert not outcome.merges or library.people[4] == 0


@pytest.mark.parametrize("said_of_it", [False, True])
def test_who_is_not_somebody_keeps_whoever_holds_them_from_that_person(said_of_it: bool) -> None:
    """One of the many faces of 1 is not 2, though `arrive` is shown only some of them, and not that one."""
    vectors = faces_of(np.zeros(243, np.int64), spread=0.15)
    vectors[240:242] = vectors[242] + 0.001 * vectors[:2]
    table = table_of(vectors, people=np.array([1] * 240 + [2, 2, 0], np.int64))
    near = FaceIndex.build(table.ids, vectors).neighbours(vectors[242:], SETTINGS.neighbours + 1).ids
    unseen = np.setdiff1d(table.ids[:240], [*Library(table).members(ints(1)).ids, *near[0]])[0]
    said = Standing(barred=frozenset({(FaceId(int(unseen)), PersonId(2))} if said_of_it else ()))
    outcome = arriving(Library(table), ints(243), said)
    assert [(item.absorbed, item.into) for item in outcome.merges] == ([] if said_of_it else [(2, 1)])


def test_words_of_faces_that_the_catalogue_has_forgotten_keep_nobody_apart() -> None:
    library = Library(table_of(faces_of(ints(0, 0, 0, 0, 0)), people=ints(4, 4, 6, 6, 0)))
    said = Standing(apart=of_faces((1, 99)), barred=frozenset({(FaceId(98), PersonId(4))}))
    assert len(arriving(library, ints(5), said).merges) == 1


def test_two_people_who_were_said_to_be_two_stay_two() -> None:
    vectors = faces_of(ints(0, 0, 0, 0, 0))
    people = ints(4, 4, 6, 6, 0)
    library = Library(table_of(vectors, people=people))
    assert len(arriving(library, ints(5)).merges) == 1
    library = Library(table_of(vectors, people=people))
    said = Standing(apart_people=frozenset({(PersonId(4), PersonId(6))}))
    assert arriving(library, ints(5), said) == Outcome((), ()), "and the face between them waits"


def test_faces_that_were_said_to_be_one_are_one_however_unlike() -> None:
    vectors = faces_of(ints(0, 0, 0, 1))
    library = Library(table_of(vectors, people=ints(4, 4, 0, 0)))
    arriving(library, ints(3, 4), Standing(together=of_faces((3, 4))))
    assert library.people[2] == library.people[3] > 0
    library = Library(table_of(vectors, people=ints(4, 4, 0, 0)))
    arriving(library, ints(3, 4))
    assert library.people.tolist() == [4, 4, 4, 0]
    # One of them is somebody already; so is the other.
    library = Library(table_of(faces_of(ints(0, 0, 1, 1, 0)), people=ints(4, 4, 6, 6, 0)))
    arriving(library, ints(5), Standing(together=of_faces((3, 5))))
    assert library.people.tolist() == [4, 4, 6, 6, 6]


def test_a_hidden_person_is_not_absorbed() -> None:
    vectors = faces_of(ints(0, 0, 0, 0, 0))
    library = Library(table_of(vectors, people=ints(4, 4, 6, 6, 0)))
    assert arriving(library, ints(5), Standing(hidden=frozenset({PersonId(6)}))).merges[0].into == 6
    library = Library(table_of(vectors, people=ints(4, 4, 6, 6, 0)))
    said = Standing(names={PersonId(4): "Al"}, hidden=frozenset({PersonId(6)}))
    assert arriving(library, ints(5), said).merges == ()


# ---- one face twice in a photo ---------------------------------------------------------------------------------------


def test_a_face_and_its_mirror_image_are_one_person() -> None:
    vectors = faces_of(ints(0, 0, 0, 1))
    vectors[2] = vectors[1] * np.float32(1.2)
    # Faces 2 and 3 are in one photo, and face 4 with them.
    library = Library(table_of(vectors, photos=ints(1, 2, 2, 2)))
    outcome = arriving(library, library.all.ids)
    assert outcome.alike == ((2, 3),)
    assert library.people.tolist() == [1, 1, 1, 0]
    apart = Library(table_of(vectors, photos=ints(1, 2, 2, 2)))
    outcome = arriving(apart, apart.all.ids, Standing(apart=of_faces((2, 3))))
    assert outcome.alike == ()
    assert len({*apart.people[1:3].tolist()}) == 2, "the user's word is above what seems evident"


def test_who_is_merely_like_another_of_the_photo_is_not_taken_for_the_same() -> None:
    library = Library(table_of(faces_of(ints(0, 0, 0)), photos=ints(1, 2, 2)))
    outcome = arriving(library, library.all.ids)
    assert outcome.alike == ()
    assert sorted(library.people.tolist()) == [0, 1, 1]


def test_a_photo_of_mirror_images_alone_founds_a_person() -> None:
    vectors = np.repeat(faces_of(ints(0)), 3, axis=0)
    library = Library(table_of(vectors, photos=ints(1, 1, 1)))
    assert arriving(library, library.all.ids).alike == ((1, 2), (1, 3), (2, 3))
    assert library.people.tolist() == [1, 1, 1]


# ---- several appearances ---------------------------------------------------------------------------------------------


def test_new_faces_of_the_child_and_of_the_adult_join_one_person() -> None:
    who = ints(*[0] * 6, *[1] * 4, 0, 1, 0, 1)
    people = ints(*[7] * 10, 0, 0, 0, 0)
    library = Library(table_of(faces_of(who, spread=0.15), people=people))
    arriving(library, ints(11, 12, 13, 14), Standing(forwards={PersonId(9): PersonId(7)}))
    assert library.people.tolist() == [7] * 14


def test_a_group_that_is_near_one_look_joins_the_person() -> None:
    """Nearer than a group needs to the adult's faces on average and farther than a link from each."""
    child, adult = directions(2)
    near = beside(adult, 3.2, seed=3)
    rng = np.random.default_rng(0)

    def pictures(face: np.ndarray[tuple[int, ...], np.dtype[np.float32]], count: int) -> list[list[float]]:
        return [(face + 0.002 * rng.normal(size=128)).tolist() for _ in range(count)]

    vectors = np.array([*pictures(child, 6), *pictures(adult, 4), *pictures(near, 2)], np.float32)
    measure = Measure(SETTINGS, 12, NO_FACES)
    told = told_between(vectors, measure)[10:, 6:10]
    assert told.max() < measure.link
    assert told.mean() > measure.join
    people = ints(*[7] * 10, 0, 0)
    library = Library(table_of(vectors, people=people))
    arriving(library, ints(11, 12))
    assert library.people.tolist() == [*[7] * 10, 8, 8], "the mean of child and adult is like nobody"
    library = Library(table_of(vectors, people=people))
    arriving(library, ints(11, 12), Standing(forwards={PersonId(9): PersonId(7)}))
    assert library.people.tolist() == [7] * 12
    library = Library(table_of(vectors, people=people, photos=ints(1, *range(2, 11), 11, 1)))
    arriving(library, ints(11, 12), Standing(forwards={PersonId(9): PersonId(7)}))
    assert library.people.tolist() == [*[7] * 10, 8, 8], "the child is in that photo"


def test_a_face_on_its_own_joins_the_people_it_is_near_on_average() -> None:
    """Farther than a link from each single face, near enough for a group on average to all of them."""
    face = directions(1)[0]
    theirs = beside(face, 3.3)
    vectors = np.stack([theirs + 0.0005 * row for row in faces_of(ints(1, 2, 3))] + [face])
    measure = Measure(SETTINGS, 4, NO_FACES)
    told = told_between(vectors, measure)[3, :3]
    assert measure.join < told.min() < told.max() < measure.link
    library = Library(table_of(vectors))
    outcome = arriving(library, library.all.ids)
    assert [a.group for a in outcome.assignments] == [0, 0, 0, 0]
    assert outcome.assignments[3].score == pytest.approx(float(told.mean()), abs=1e-2)


# ---- any library -----------------------------------------------------------------------------------------------------


def _whole(seed: int, people: int = 12, faces: int = 160, spread: float = 0.2) -> FaceTable:
    rng = np.random.default_rng(seed)
    who = rng.integers(0, people, faces)
    photos = np.sort(rng.integers(1, faces, faces))
    quality = rng.choice(np.array([0.1, 0.5, 0.9], np.float32), faces)
    return table_of(faces_of(who, seed, spread), photos=photos, quality=quality, spans=filmed(photos, seed % 3))


def _plain(seed: int) -> FaceTable:
    """Ten people in photos of several, each at most once in a photo."""
    rng = np.random.default_rng(seed)
    company = [rng.choice(10, rng.integers(1, 5), replace=False) for _ in range(60)]
    photos = np.repeat(np.arange(1, 61), [len(there) for there in company])
    return table_of(faces_of(np.concatenate(company), seed, spread=0.15), photos=photos)


def _in_portions(table: FaceTable, portion: int, said: Standing = NOTHING_SAID) -> Library:
    library, index = Library(table), FaceIndex()
    for start in range(0, len(table), portion):
        part = slice(start, start + portion)
        index.add(table.ids[part], table.vectors[part])
        arriving(library, table.ids[part], said, index)
    return library


@pytest.mark.parametrize("seed", range(3))
def test_all_at_once_and_in_portions_agree_on_people_who_are_far_apart(seed: int) -> None:
    table = _plain(seed)
    once = _in_portions(table, len(table))
    assert set(once.people.tolist()) == set(range(1, 11))
    for portion in (1, 7, 60):
        assert partition(_in_portions(table, portion).people) == partition(once.people)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.2, 0.28]), st.sampled_from([5, 40]))
def test_no_photo_twice_in_a_person_and_the_numbers_of_faces_do_not_matter(
    seed: int, spread: float, portion: int
) -> None:
    table = _whole(seed, faces=60, people=4, spread=spread)
    library = _in_portions(table, portion)
    attached = library.people > 0
    for one, other in combinations(np.flatnonzero(attached).tolist(), 2):
        assert library.people[one] != library.people[other] or not seen_together(table, one, other)
    counts = np.bincount(library.people[attached])
    assert (counts[counts > 0] >= 2).all()

    renumbered = dataclasses.replace(table, ids=np.random.default_rng(seed).permutation(1000)[:60].astype(np.int64))
    assert _in_portions(renumbered, portion).people.tolist() == library.people.tolist()


class Talk:
    """A user who says things that fit what there is, between arrivals; and what all of it adds up to."""

    def __init__(self, table: FaceTable, draw: st.DataObject) -> None:
        self.library, self.index = Library(table), FaceIndex()
        self.table, self._draw = table, draw
        self.said = NOTHING_SAID

    def _few(self, most: int = 3) -> list[tuple[int, int]]:
        """Pairs of rows, the smaller first."""
        row = st.integers(0, len(self.table) - 1)
        pair = st.tuples(row, row).filter(lambda one: one[0] != one[1]).map(lambda one: (min(one), max(one)))
        return self._draw.draw(st.lists(pair, max_size=most))

    def kin(self, face: FaceId) -> set[FaceId]:
        """All that were said to be one with it."""
        graph: nx.Graph[FaceId] = nx.Graph([*self.said.together])
        graph.add_node(face)
        return set(nx.node_connected_component(graph, face))

    def _ids(self, one: int, other: int) -> tuple[FaceId, FaceId]:
        return FaceId(int(self.table.ids[one])), FaceId(int(self.table.ids[other]))

    def speak(self) -> None:
        """Say a few things."""
        people, draw = self.library.people, self._draw.draw
        stand = sorted({PersonId(one) for one in people.tolist() if one > 0})
        for one, other in self._few():
            first, second = self._ids(one, other)
            both = self.kin(first) | self.kin(second)
            split = any({*pair} <= both for pair in self.said.apart)
            barred = {person for face, person in self.said.barred if face in both}
            held = {*people[np.isin(self.table.ids, [*both])].tolist()} - {0}
            if people[one] == people[other] and not split and len(held) < 2 and not held & barred:
                self._say(together=self.said.together | {(min(first, second), max(first, second))})
                self._say(barred=self.said.barred | {(face, person) for face in both for person in barred})
        for one, other in self._few():
            first, second = self._ids(one, other)
            if second not in self.kin(first) and (people[one] != people[other] or not people[one]):
                self._say(apart=self.said.apart | {(min(first, second), max(first, second))})
        if stand:
            somebody = st.sampled_from(stand)
            for row, person in draw(st.lists(st.tuples(st.integers(0, len(self.table) - 1), somebody), max_size=4)):
                every = self.kin(FaceId(int(self.table.ids[row])))
                if person not in people[np.isin(self.table.ids, [*every])]:
                    self._say(barred=self.said.barred | {(face, person) for face in every})
            for person in draw(st.lists(somebody, max_size=2)):
                self._say(names={**self.said.names, person: "N"})
            self._say(hidden=self.said.hidden | draw(st.sets(somebody, max_size=1)))
            for one, other in pairwise(draw(st.lists(somebody, max_size=2, unique=True))):
                self._say(apart_people=self.said.apart_people | {(min(one, other), max(one, other))})

    def _say(self, **changed: object) -> None:
        self.said = dataclasses.replace(self.said, **changed)  # type: ignore[arg-type]

    def arrive(self, new: IntArray) -> None:
        """New faces; then whoever was absorbed is, in all that was said, who absorbed them."""
        before = self.library.people.copy()
        some = np.isin(self.table.ids, new)
        self.index.add(self.table.ids[some], self.table.vectors[some])
        outcome = arriving(self.library, new, self.said, self.index)
        into: Mapping[int, int] = {int(one.absorbed): int(one.into) for one in outcome.merges}
        assert not set(into) & {*self.said.names, *self.said.hidden}, "who has a name or is hidden stays"
        kept = np.array([into.get(person, person) for person in before.tolist()])
        assert (self.library.people[before > 0] == kept[before > 0]).all(), "nobody is moved but with their person"
        now = {PersonId(one): PersonId(other) for one, other in into.items()}
        self._say(
            barred=frozenset((face, now.get(person, person)) for face, person in self.said.barred),
            apart_people=frozenset((now.get(one, one), now.get(other, other)) for one, other in self.said.apart_people),
            forwards={**self.said.forwards, **now},
            alike=self.said.alike | set(outcome.alike),
        )

    def check(self) -> None:
        """That nothing was gone against."""
        people = dict(zip(self.table.ids.tolist(), self.library.people.tolist(), strict=True))
        for one, other in self.said.apart:
            assert not people[one] or people[one] != people[other]
        for one, other in self.said.together:
            assert people[one] == people[other] or not people[one] or not people[other]
        for face, person in self.said.barred:
            assert people[face] != person
        for first, second in self.said.apart_people:
            assert first != second
        for one, other in combinations(sorted(face for face in people if people[face]), 2):
            if people[one] == people[other] and seen_together(self.table, *rows_of(self.table.ids, ints(one, other))):
                assert (one, other) in self.said.alike or other in self.kin(FaceId(one))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_word_is_ever_gone_against(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 1000))
    faces = data.draw(st.integers(6, 20))
    rng = np.random.default_rng(seed)
    who = rng.integers(0, data.draw(st.integers(1, 3)), faces)
    photos = np.sort(rng.integers(1, 2 * faces, faces))
    quality = rng.choice(np.array([0.1, 0.5, 0.9, 0.9], np.float32), faces)
    vectors = faces_of(who, seed % 20, data.draw(st.sampled_from([0.1, 0.25, 0.3])))
    for one, other in combinations(range(faces), 2):
        if photos[one] == photos[other] and who[one] == who[other] and rng.random() < 0.3:
            vectors[other] = vectors[one]
    spans = filmed(photos, data.draw(st.integers(0, 9)))
    talk = Talk(table_of(vectors, photos=photos, quality=quality, spans=spans), data)
    order = talk.table.ids[rng.permutation(faces)]
    for portion in np.array_split(order, data.draw(st.integers(1, 4))):
        talk.speak()
        talk.arrive(portion)
        talk.check()


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
