"""Saved searches in the catalogue: what counts as new, what was taken up, and what is noted of deliveries."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from guyverd.catalogue.following import Asked, Place
from guyverd.catalogue.glance import follows_in
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import FollowTaken, UnknownFollow
from guyverd.followed import Follow, Form, Progress, Wanted
from guyverd.model import Assignment, Changes, FaceId, PersonId, PhotoId, PhotoState
from tests.catalogue.conftest import NOW, add, content, ids, library, read

RAM = Path("/dev/shm")
PLACE = Place(b"/kid", False, Form.LINK, False)
SOMEBODY = Asked("somebody")


@pytest.fixture
def path() -> Iterator[bytes]:
    """Where nothing waits for a disk."""
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as folder:
        yield os.fsencode(Path(folder) / "catalogue.db")


def follow(catalogue: Catalogue, name: str = "kid", *, past: bool = False, place: Place = PLACE) -> Follow:
    return catalogue.follows.add(name, SOMEBODY, place, past=past)


def found(catalogue: Catalogue, saved: Follow) -> list[int]:
    """The photos whose faces count, of all faces there are."""
    return sorted(one.photo for one in catalogue.follows.of_faces(saved, catalogue.photos.all_ids().tolist()))


def test_it_is_kept_as_it_was_said(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    vector = np.arange(128, dtype=np.float32)
    place = Place(b"/odd \xff", True, Form.COPY, True)
    saved = catalogue.follows.add("Our kid", Asked("/x.jpg", None, vector, "net"), place, past=False)
    (again,) = catalogue.follows.all()
    assert again.id == saved.id
    assert again.embedding is not None
    assert again.embedding.tolist() == vector.tolist()
    told = (again.name, again.folder, again.mounted, again.form, again.clips, again.shows, again.network, again.at)
    assert told == ("Our kid", b"/odd \xff", True, Form.COPY, True, "/x.jpg", "net", NOW)


def test_names_are_one_whatever_letters(catalogue: Catalogue) -> None:
    saved = follow(catalogue, "Straße")
    with pytest.raises(FollowTaken):
        follow(catalogue, "STRASSE")
    other = follow(catalogue, "1")
    assert catalogue.follows.named(" strasse ").id == saved.id
    assert catalogue.follows.named("1").id == other.id, "a name comes before a number"
    assert catalogue.follows.named("2").id == other.id
    assert sorted(follows_in(catalogue.path)) == ["1", "Straße"]
    with pytest.raises(UnknownFollow):
        catalogue.follows.named("3")


def test_what_was_read_before_does_not_count_and_what_waits_does(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"%d.jpg" % n: str(n) for n in range(1, 6)})
    read(catalogue, 1)
    read(catalogue, 3)
    catalogue.photos.failed(PhotoId(4), PhotoState.QUARANTINED, "it killed a worker", 3, NOW)
    saved, every = follow(catalogue), follow(catalogue, "every", past=True)
    for photo in (2, 4, 5):
        read(catalogue, photo)
    add(catalogue, root, {b"6.jpg": "6"})
    read(catalogue, 6)
    assert found(catalogue, saved) == [2, 4, 5, 6]
    assert found(catalogue, every) == [1, 2, 3, 4, 5, 6]


def test_a_photo_that_is_read_again_is_not_new(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 0])
    saved = follow(catalogue)
    catalogue.renewal.begin("engine 2", every=True)
    read(catalogue, 1, 3)
    read(catalogue, 2, 1)
    assert found(catalogue, saved) == [], "not even where faces are found that nobody saw before"


def test_an_edited_photo_is_not_new(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    saved = follow(catalogue)
    file = ids(catalogue, root)[b"000.jpg"]
    (known,) = catalogue.files.known_of([file])
    catalogue.files.identified([(file, known.stamp, content("edited"))])
    reading = catalogue.photos.table(catalogue.photos.all_ids())
    read_as(catalogue, 2, reading.vectors[0])
    assert catalogue.photos.table(reading.ids).photos.tolist() == [2], "its face is the one it was"
    assert found(catalogue, saved) == []


def read_as(catalogue: Catalogue, photo: int, vector: object) -> None:
    """A worker's result for a photo with one face of that vector."""
    from guyverd.model import PhotoId, PhotoReading
    from tests.catalogue.conftest import face

    found = (replace(face(1), embedding=vector),)  # type: ignore[arg-type]
    catalogue.photos.read([(PhotoId(photo), PhotoReading(b"h" * 32, 640, 480, "JPEG", None, found))], "engine 1", NOW)


def test_what_was_taken_up_is_not_found_again(catalogue: Catalogue, root: RootRow) -> None:
    saved, other = follow(catalogue), follow(catalogue, "other")
    faces = library(catalogue, root, [1, 1])
    assert catalogue.follows.want(saved.id, [Wanted(content("photo 0"))], [FaceId(faces[0])], compared=faces[0])
    assert found(catalogue, saved) == [2]
    assert found(catalogue, other) == [1, 2]
    assert catalogue.follows.get(saved.id).compared == faces[0]
    catalogue.follows.want(saved.id, [], [], compared=0)
    assert catalogue.follows.get(saved.id).compared == faces[0], "it never goes back"


def test_a_persons_faces_that_count(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    saved = follow(catalogue)
    add(catalogue, root, {b"new.jpg": "new", b"newer.jpg": "newer"})
    read(catalogue, 3, 2)
    read(catalogue, 4)
    faces = catalogue.photos.all_ids().tolist()
    everyone = [Assignment(FaceId(face), None, 0 if face != faces[3] else 1, 0.9) for face in faces]
    catalogue.people.assign(everyone, [], 3, NOW)
    assert [one.photo for one in catalogue.follows.of_person(saved, PersonId(1))] == [3], "photo 4 is not grouped yet"


def test_faces_are_compared_as_far_as_all_are_grouped(catalogue: Catalogue, root: RootRow) -> None:
    faces = library(catalogue, root, [2, 1, 1])
    assert catalogue.follows.comparable() == 0
    assert catalogue.follows.grouped_after(0, 10) == []
    catalogue.people.assign([], [], 1, NOW)
    assert catalogue.follows.comparable() == faces[1]
    assert catalogue.follows.grouped_after(0, 10) == faces[:2]
    catalogue.people.assign([], [], 3, NOW)
    assert catalogue.follows.comparable() == faces[-1]
    assert catalogue.follows.grouped_after(faces[0], 2) == faces[1:3]


def test_deliveries_wait_for_their_photo_and_are_made_once(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1])
    saved = follow(catalogue)
    catalogue.follows.want(saved.id, [Wanted(content("photo 0")), Wanted(content("photo 1"), 1.0, 2.5)], [])
    catalogue.files.apply(root.id, Changes(gone=(ids(catalogue, root)[b"000.jpg"],)), NOW)
    (one,) = catalogue.follows.open(saved.id, 10)
    assert (one.state, one.wanted) == (Progress.WANTED, Wanted(content("photo 1"), 1.0, 2.5))
    begun = replace(one, name=b"odd \xff", target=b"/photos/001.jpg", inode=7)
    catalogue.follows.begin([begun])
    assert catalogue.follows.open(saved.id, 10) == [replace(begun, state=Progress.BEGUN)]
    assert catalogue.follows.begun(b"/kid") == {b"odd \xff": one.id}
    catalogue.follows.done([begun])
    assert catalogue.follows.open(saved.id, 10) == []
    assert catalogue.follows.begun(b"/kid") == {}
    assert (catalogue.follows.tallies()[saved.id].delivered, catalogue.follows.tallies()[saved.id].waiting) == (1, 1)
    assert catalogue.follows.noted(saved.id, [content("photo 0")]) == [Wanted(content("photo 0"))]


def test_a_photo_that_was_forgotten_and_comes_back_is_known(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    saved = follow(catalogue)
    catalogue.follows.want(saved.id, [Wanted(content("photo 0"))], [])
    catalogue.files.apply(root.id, Changes(gone=(ids(catalogue, root)[b"000.jpg"],)), NOW)
    assert catalogue.follows.tallies()[saved.id].waiting == 1
    catalogue.files.forget("9999")
    assert catalogue.counts().faces == 0
    assert catalogue.follows.tallies()[saved.id].waiting == 0
    add(catalogue, root, {b"back.jpg": "photo 0"})
    assert catalogue.follows.noted(saved.id, [content("photo 0")]) == [Wanted(content("photo 0"))]
    (source,) = catalogue.follows.sources([content("photo 0")])[content("photo 0")]
    assert (source.path, source.size) == (b"/photos/back.jpg", 10)


def test_what_ended_leaves_nothing(catalogue: Catalogue, root: RootRow) -> None:
    faces = library(catalogue, root, [1])
    saved = follow(catalogue)
    catalogue.follows.want(saved.id, [Wanted(content("photo 0"))], [FaceId(faces[0])])
    assert catalogue.follows.end(saved.id)
    assert not catalogue.follows.end(saved.id)
    assert not catalogue.follows.want(saved.id, [Wanted(content("photo 0"))], [])
    assert catalogue.follows.tallies() == {}
    assert [row[0] for row in catalogue._db.rows("SELECT count(*) FROM delivered_faces")] == [0]
    assert catalogue.integrity() == []


def test_links_go_astray_only_where_their_photo_is_elsewhere(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a \xff.jpg": "one", b"b.jpg": "two"})
    saved = follow(catalogue)
    catalogue.follows.want(saved.id, [Wanted(content("one")), Wanted(content("two"))], [])
    some = catalogue.follows.open(saved.id, 10)
    paths = (b"/photos/a \xff.jpg", b"/photos/b.jpg")
    catalogue.follows.done([replace(one, name=b"x", target=path) for one, path in zip(some, paths, strict=True)])
    assert catalogue.follows.astray(saved.id) == []
    there = catalogue.follows.files_there()
    catalogue.files.apply(root.id, Changes(gone=tuple(ids(catalogue, root).values())), NOW)
    assert catalogue.follows.astray(saved.id) == [], "they are gone, and may come back"
    add(catalogue, root, {os.fsencode("new.jpg"): "one"})
    assert [one.target for one in catalogue.follows.astray(saved.id)] == [paths[0]]
    assert catalogue.follows.files_there() != there
