"""A photo that is read again: faces keep their numbers and people by their places, and none that matters is lost."""

from __future__ import annotations

import dataclasses
import os
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guyverd.catalogue import placing
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotDecide
from guyverd.model import (
    Assignment,
    Box,
    DetectedFace,
    FaceId,
    IndexStamp,
    PersonId,
    PhotoId,
    PhotoReading,
    PhotoState,
)
from tests.catalogue.conftest import NOW, ROOT, add, content, face, library

OLD, NEW, OTHER_NETWORK = "cnn 1, resnet aa", "cnn 2, resnet aa", "cnn 2, resnet bb"
LATER = "2026-02-02T00:00:00+00:00"
STAMP = IndexStamp("faces-1.hnsw", 1, "00", 1)


def at(left: int, seed: int = 0, top: int = 0) -> DetectedFace:
    """A face of 50 × 60 pixels, with a vector by `seed`."""
    return dataclasses.replace(face(seed, left), box=Box(left, top, left + 50, top + 60))


def reading(*faces: DetectedFace, asked: tuple[DetectedFace, ...] = ()) -> PhotoReading:
    return PhotoReading(b"h" * 32, 640, 480, "JPEG", None, faces, asked)


def read(
    catalogue: Catalogue, photo: int, found: PhotoReading, engine: str = NEW, kept: tuple[int, ...] = ()
) -> list[int]:
    return catalogue.photos.read([(PhotoId(photo), found)], engine, LATER, frozenset(FaceId(one) for one in kept))


def own(catalogue: Catalogue, people: dict[int, int]) -> None:
    """Found people with those faces: face to number of group."""
    items = [Assignment(FaceId(one), None, group, 0.9) for one, group in people.items()]
    catalogue.people.assign(items, [], 10_000, NOW)


def faces(catalogue: Catalogue) -> dict[int, tuple[int | None, int]]:
    """Whose each face is, and where its left edge; in the order they are told in."""
    return {row.id: (row.person, row.box[0]) for row in catalogue.photos.faces()}


@pytest.fixture
def family(catalogue: Catalogue, root: RootRow) -> Catalogue:
    """One photo with faces 1, 2, 3 of people 1, 2 and nobody, read by the old engine."""
    add(catalogue, root, {b"a.jpg": "a"})
    read(catalogue, 1, reading(at(0, 1), at(200, 2), at(400, 3)), OLD)
    own(catalogue, {1: 0, 2: 1})
    return catalogue


def draw(catalogue: Catalogue, face: DetectedFace, engine: str = OLD) -> FaceId:
    number = catalogue.boxes.next_face()
    catalogue._db.write(catalogue.boxes.adding(PhotoId(1), number, face, engine))
    return number


def ordinals(catalogue: Catalogue) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in catalogue._db.rows("SELECT id, ordinal FROM faces ORDER BY ordinal")]


# ---- by position -----------------------------------------------------------------------------------------------------


def test_a_face_found_at_its_place_keeps_its_number_and_person_and_gets_what_is_new(family: Catalogue) -> None:
    again = [dataclasses.replace(at(left, seed), confidence=2.5) for left, seed in ((405, 13), (-4, 11), (195, 12))]
    assert read(family, 1, reading(*again)) == []
    assert faces(family) == {1: (1, -4), 2: (2, 195), 3: (None, 405)}
    vectors = family.photos.table(np.array([1, 2, 3])).vectors
    assert np.array_equal(vectors, np.stack([at(0, seed).embedding for seed in (11, 12, 13)]))
    assert {row.confidence for row in family.photos.faces()} == {2.5}
    assert family.renewal.engines() == {NEW: 1}
    assert family.photos.ungrouped(1).tolist() == [1, 2, 3], "its vectors are not in the index yet"
    assert family.integrity() == family.contradictions() == []


def test_new_faces_come_and_those_that_are_found_no_more_go(family: Catalogue) -> None:
    assert read(family, 1, reading(at(300, 7), at(0, 1))) == [2, 3]
    assert faces(family) == {1: (1, 0), 4: (None, 300)}
    assert ordinals(family) == [(1, 0), (4, 1)]


def test_who_a_face_is_goes_by_its_place_and_not_by_its_likeness(family: Catalogue) -> None:
    read(family, 1, reading(at(0, 2), at(200, 1), at(400, 3)))
    assert faces(family) == {1: (1, 0), 2: (2, 200), 3: (None, 400)}


def test_a_photo_with_nothing_in_it_any_more_waits_for_nothing(family: Catalogue) -> None:
    assert read(family, 1, reading()) == [1, 2, 3]
    assert faces(family) == {}
    assert family.photos.ungrouped_range() == (None, None)
    assert family.people.names() == {1: None, 2: None}, "a person is for life"


def test_a_face_of_whom_something_was_said_stays_where_it_was(family: Catalogue) -> None:
    asked = at(200, 22)
    assert read(family, 1, reading(at(0, 11), asked=(asked,)), kept=(1, 2)) == [3]
    assert faces(family) == {1: (1, 0), 2: (2, 200)}
    assert np.array_equal(family.photos.table(np.array([2])).vectors[0], asked.embedding)
    assert family.photos.pending(9) == []


def test_where_the_detector_finds_it_after_all_its_box_counts(family: Catalogue) -> None:
    read(family, 1, reading(at(0, 11), at(210, 5), asked=(at(200, 22),)), kept=(2,))
    assert faces(family) == {1: (1, 0), 2: (2, 210)}
    assert np.array_equal(family.photos.table(np.array([2])).vectors[0], at(0, 5).embedding)


def test_what_was_said_while_a_photo_was_read_has_it_read_once_more(family: Catalogue) -> None:
    """Its reading began before, so it says nothing of that face."""
    assert read(family, 1, reading(at(0, 11)), kept=(2,)) == [3]
    assert faces(family) == {1: (1, 0), 2: (2, 200)}
    assert [photo.id for photo in family.photos.pending(9)] == [1]
    assert family.renewal.boxes([1], {FaceId(2)}) == {1: (Box(200, 0, 250, 60),)}
    read(family, 1, reading(at(0, 11), asked=(at(200, 22),)), kept=(2,))
    assert family.photos.pending(9) == []
    assert faces(family) == {1: (1, 0), 2: (2, 200)}


def test_a_face_drawn_by_hand_stays_as_it_was_drawn(family: Catalogue) -> None:
    drawn = draw(family, at(100, 9))
    assert ordinals(family) == [(1, 0), (drawn, 1), (2, 2), (3, 3)]
    assert {row.id for row in family.photos.faces() if row.manual} == {drawn}
    asked = (at(100, 99),)
    # It is found now: that is the same face, and no second one.
    assert read(family, 1, reading(at(0), at(110, 8), at(200), at(400), asked=asked)) == []
    assert list(faces(family)) == [1, drawn, 2, 3]
    assert faces(family)[drawn] == (None, 100)
    assert np.array_equal(family.photos.table(np.array([drawn])).vectors[0], asked[0].embedding)
    # A reading that was under way when it was drawn.
    read(family, 1, reading(at(0)))
    assert list(faces(family)) == [1, drawn]
    assert family.photos.pending(9)[0].again


def test_what_was_drawn_is_taken_away_and_brought_back_as_it_was(family: Catalogue) -> None:
    drawn = draw(family, at(100, 9))
    before = [dict(row) for row in family._db.rows("SELECT * FROM faces ORDER BY id")]
    assert family._db.write(lambda db: placing.take_away(db, drawn)) == 1
    assert list(faces(family)) == [1, 2, 3]
    assert family._db.write(lambda db: placing.take_away(db, drawn)) is None
    family._db.write(lambda db: placing.bring_back(db, drawn))
    assert [dict(row) for row in family._db.rows("SELECT * FROM faces ORDER BY id")] == before
    assert family.photos.ungrouped(1).tolist() == [1, drawn, 2, 3]
    assert family.photos.pending(9) == []
    # Another engine has read the photo since: its vector is of another kind.
    family._db.write(lambda db: placing.take_away(db, drawn))
    read(family, 1, reading(at(0), at(200), at(400)), OTHER_NETWORK)
    family._db.write(lambda db: placing.bring_back(db, drawn))
    assert family.photos.pending(9)[0].again
    assert family.integrity() == []


def test_nothing_is_brought_back_to_where_another_face_was_found_since_or_the_photo_is_gone(family: Catalogue) -> None:
    drawn = draw(family, at(100, 9))
    family._db.write(lambda db: placing.take_away(db, drawn))
    read(family, 1, reading(at(0), at(110, 8)))
    with pytest.raises(CannotDecide, match=f"face {drawn + 1} was found since") as caught:
        family._db.write(lambda db: placing.bring_back(db, drawn))
    assert str(drawn + 1) in caught.value.advice
    assert list(faces(family)) == [1, drawn + 1]
    family._db.write(lambda db: db.execute("DELETE FROM photos"))
    with pytest.raises(CannotDecide, match="forgotten"):
        family._db.write(lambda db: placing.bring_back(db, drawn))


def test_a_face_drawn_by_another_engine_than_the_photo_was_read_by_has_it_read_again(family: Catalogue) -> None:
    drawn = draw(family, at(100, 9), OTHER_NETWORK)
    assert [photo.id for photo in family.photos.pending(9)] == [1]
    assert family.renewal.boxes([1], ()) == {1: (Box(100, 0, 150, 60),)}
    assert len(family.photos.table(np.array([1, 2, 3, drawn]))) == 0, "vectors of two networks in one photo"


def test_where_a_box_may_be_drawn(family: Catalogue, root: RootRow) -> None:
    add(family, root, {b"new.jpg": "new"})
    boxes = family.boxes
    assert boxes.photo(content("a")) == 1
    assert boxes.photo(content("new")) is None, "it was not read yet"
    assert boxes.photo(content("strange")) is None
    there = [boxes.at(PhotoId(1), at(left).box) for left in (5, 195, 395)]
    assert [(one.face, one.person) for one in there if one] == [(1, 1), (2, 2), (3, None)]
    assert boxes.at(PhotoId(1), at(100).box) is None
    assert boxes.at(PhotoId(2), at(0).box) is None
    assert boxes.next_face() == 4


def test_numbers_are_never_given_twice(family: Catalogue) -> None:
    drawn = draw(family, at(100, 9))
    family._db.write(lambda db: placing.take_away(db, drawn))
    assert draw(family, at(150, 9)) == drawn + 1


def test_what_was_taken_away_goes_with_its_photo(family: Catalogue) -> None:
    drawn = draw(family, at(100, 9))
    family._db.write(lambda db: placing.take_away(db, drawn))
    family._db.write(lambda db: db.execute("DELETE FROM photos"))
    assert family._db.rows("SELECT * FROM removed_faces") == []


# ---- what is to be read again ----------------------------------------------------------------------------------------


@pytest.fixture
def mixed(catalogue: Catalogue, root: RootRow) -> Catalogue:
    """Photos 1 and 2 by the old engine, 3 by the new one, 4 never read, 5 no picture; 1, 2, 3 show person 1."""
    add(catalogue, root, {b"%d.jpg" % n: f"photo {n}" for n in range(5)})
    for photo, engine in ((1, OLD), (2, OLD), (3, NEW)):
        read(catalogue, photo, reading(at(0, photo)), engine)
    catalogue.photos.failed(PhotoId(5), PhotoState.FAILED, "cut short", 0, NOW)
    own(catalogue, {1: 0, 2: 0, 3: 0})
    return catalogue


def waiting(catalogue: Catalogue) -> list[tuple[int, bool]]:
    return [(photo.id, photo.again) for photo in catalogue.photos.pending(9)]


def test_photos_of_another_engine_are_read_again_after_those_that_never_were(mixed: Catalogue) -> None:
    assert mixed.renewal.engines() == {OLD: 2, NEW: 1}
    assert (mixed.renewal.older(NEW), mixed.renewal.older(OLD)) == (2, 1)
    assert mixed.renewal.begin(NEW) == (2, False)
    assert waiting(mixed) == [(4, False), (1, True), (2, True)]
    assert mixed.renewal.begin(NEW) == (0, False)
    assert mixed.renewal.older(NEW) == 0
    # Until they are read nothing is missing anywhere.
    assert faces(mixed) == {1: (1, 0), 2: (1, 0), 3: (1, 0)}
    assert [len(shelf.photos) for shelf in mixed.shelves.of_people(1)] == [3]
    assert [row.photo for row in mixed.photos.pictures_of(PersonId(1))] == [1, 2, 3]
    assert mixed.people.all()[0].photos == 3
    counts = mixed.counts()
    assert (counts.photos, counts.faces, counts.people, counts.pending_photos, counts.ungrouped_faces) == (
        5,
        3,
        1,
        3,
        0,
    )
    # And they are still evidence: the same network made their vectors.
    assert mixed.photos.grouped_ids().tolist() == [1, 2, 3]
    assert mixed.photos.first_unread() == 4


def test_every_photo_can_be_read_again_failed_ones_too(mixed: Catalogue) -> None:
    assert mixed.renewal.begin(NEW, every=True) == (4, False)
    assert waiting(mixed) == [(4, False), (5, False), (1, True), (2, True), (3, True)]
    assert mixed.counts().failures == 0


def test_vectors_of_two_networks_are_never_compared(mixed: Catalogue) -> None:
    assert mixed.renewal.networks() == {"resnet aa"}
    read(mixed, 4, reading(at(0, 4)), OTHER_NETWORK)
    assert mixed.renewal.networks() == {"resnet aa", "resnet bb"}
    assert mixed.renewal.begin(OTHER_NETWORK) == (3, True)
    assert mixed.renewal.networks() == {"resnet bb"}
    assert mixed.photos.grouped_ids().tolist() == []
    assert [found.tolist() for found, _ in mixed.photos.grouped()] == []
    nobody = np.array([1, 2, 3])
    assert len(mixed.photos.table(nobody)) == len(mixed.photos.members(np.array([1]))) == 0
    assert mixed.photos.first_unread() == 0, "as long as the others are missing nobody is anybody"
    assert faces(mixed).keys() == {1, 2, 3, 4}
    for photo in (1, 2, 3):
        read(mixed, photo, reading(at(0, photo)), OTHER_NETWORK)
    assert mixed.photos.first_unread() is None
    assert mixed.photos.members(np.array([1])).ids.tolist() == [1, 2, 3]


def test_a_second_change_of_networks_before_the_first_was_carried_out(mixed: Catalogue) -> None:
    assert mixed.renewal.begin(NEW) == (2, False)
    assert mixed.renewal.begin(OTHER_NETWORK) == (1, True)
    assert mixed.photos.grouped_ids().tolist() == []
    assert mixed.renewal.networks() == frozenset()


def test_a_photo_that_cannot_be_read_again_keeps_its_people_and_is_evidence_no_more(mixed: Catalogue) -> None:
    mixed.renewal.begin(NEW)
    assert mixed.photos.failed(PhotoId(1), PhotoState.PENDING, "it hung", 1, LATER) == []
    assert mixed.photos.grouped_ids().tolist() == [1, 2, 3]
    assert mixed.photos.failed(PhotoId(1), PhotoState.QUARANTINED, "it hung", 3, LATER) == [1]
    assert mixed.photos.grouped_ids().tolist() == [2, 3]
    assert faces(mixed)[1] == (1, 0)
    assert mixed.counts().failures == 2
    assert mixed.photos.ungrouped_range() == (None, None)


# ---- the index -------------------------------------------------------------------------------------------------------


def test_a_saved_index_is_known_to_be_old_until_it_is_saved_with_the_new_vectors(mixed: Catalogue) -> None:
    mixed.set_index_stamp(STAMP)
    mixed.renewal.begin(NEW)
    read(mixed, 1, reading(at(0, 1)))
    assert mixed.renewal.revised().tolist() == [], "the same vector"
    read(mixed, 2, reading(at(0, 22)))
    assert mixed.renewal.revised().tolist() == [2]
    mixed.set_index_stamp(STAMP)
    assert mixed.renewal.revised().tolist() == [2], "it was not grouped, so it cannot be in that index"
    mixed.people.assign([], [], 9, LATER)
    assert mixed.renewal.revised().tolist() == [2]
    mixed.set_index_stamp(STAMP)
    assert mixed.renewal.revised().tolist() == []


# ---- any readings ----------------------------------------------------------------------------------------------------

slots = st.integers(0, 7)


@given(
    passes=st.lists(st.tuples(st.sets(slots), st.randoms(use_true_random=False)), min_size=1, max_size=4),
    said=st.sets(slots),
    drawn=st.sets(st.integers(8, 10)),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_detectors_find_nobody_who_matters_is_lost_and_nobody_is_exchanged(
    tmp_path_factory: pytest.TempPathFactory,
    passes: list[tuple[set[int], random.Random]],
    said: set[int],
    drawn: set[int],
) -> None:
    """Eight places with a face each, and a person for each; detectors find some of them, in any order, with jitter."""
    with Catalogue(os.fsencode(tmp_path_factory.mktemp("any") / "c.db"), clock=lambda: NOW) as catalogue:
        catalogue.files.configure([ROOT])
        add(catalogue, catalogue.files.roots()[0], {b"a.jpg": "a"})
        read(catalogue, 1, reading(*(at(100 * slot, slot) for slot in range(8))), OLD)
        own(catalogue, {slot + 1: slot for slot in range(8)})
        by_hand = {draw(catalogue, at(100 * slot, slot)): slot for slot in drawn}
        place_of = {slot + 1: slot for slot in range(8)} | by_hand
        kept = tuple(slot + 1 for slot in said)
        alive = set(place_of)
        for found, random_ in passes:
            held = catalogue.renewal.boxes([1], {FaceId(one) for one in kept}).get(PhotoId(1), ())
            seen = [
                at(100 * slot + random_.randint(-8, 8), random_.randint(0, 9), random_.randint(-8, 8)) for slot in found
            ]
            random_.shuffle(seen)
            asked = tuple(dataclasses.replace(at(0, 50), box=box) for box in held)
            gone = read(catalogue, 1, reading(*seen, asked=asked), kept=kept)
            assert not {*gone} & {*kept, *by_hand}
            assert {*gone} == {one for one in alive if place_of[one] not in found} - {*kept, *by_hand}
            alive -= {*gone}
            rows = list(catalogue.photos.faces())
            # Whoever comes back after going is somebody new; those that stayed are at their places.
            new = [row for row in rows if row.id not in place_of]
            place_of |= {row.id: round(row.box[0] / 100) for row in new}
            alive |= {row.id for row in new}
            assert {row.id for row in rows} == alive
            assert [round(row.box[0] / 100) for row in rows] == [place_of[row.id] for row in rows]
            assert len({place_of[row.id] for row in rows}) == len(rows)
            for row in rows:
                first = 1 <= row.id <= 8
                assert row.person == (row.id if first else None)
            assert [row[1] for row in ordinals(catalogue)] == list(range(len(rows)))
            assert catalogue.photos.pending(1) == []
        assert catalogue.integrity() == catalogue.contradictions() == []


def test_a_first_reading_is_as_it_always_was(catalogue: Catalogue, root: RootRow) -> None:
    assert library(catalogue, root, [2, 0, 1]) == [1, 2, 3]
    assert catalogue.renewal.revised().tolist() == []
    assert catalogue.photos.ungrouped_range() == (1, 3)
