"""What was said of faces when their photo is edited, or forgotten and brought back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guyverd.catalogue.inheriting import SAME_FACE
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.catalogue.succession import REMEMBERED_FACES
from guyverd.model import Assignment, Box, Changes, DetectedFace, FaceId, PhotoId, PhotoReading, PhotoState
from tests.catalogue.conftest import NOW, add, call, face, identify, ids, read, seen

pytestmark = pytest.mark.promise("edited")

PATH = b"a.jpg"
NEVER = "9999"


def like(one: DetectedFace, cosine: float, box: Box | None = None) -> DetectedFace:
    """The face with a vector so much like its own, elsewhere if so wanted."""
    unit = one.embedding / np.linalg.norm(one.embedding)
    aside = np.random.default_rng(99).normal(size=128)
    aside -= (aside @ unit) * unit
    aside /= np.linalg.norm(aside)
    vector = (cosine * unit + np.sqrt(1 - cosine**2) * aside).astype(np.float32)
    return replace(one, embedding=vector, box=box or one.box)


def edit(catalogue: Catalogue, root: RootRow, content: str, path: bytes = PATH, mtime: int = 2) -> PhotoId:
    """Other bytes at a path; returns the photo they are."""
    known = next(known for known in catalogue.files.known(root.id) if known.path == path)
    changes = Changes(changed=((known.id, seen(path, mtime)),))
    catalogue.files.apply(root.id, changes, NOW)
    identify(catalogue, {path: content})
    found = catalogue.files.photo_of(root.id, path)
    assert found is not None
    return found


def look(
    catalogue: Catalogue,
    photo: int,
    faces: tuple[DetectedFace, ...],
    engine: str = "engine 1",
    kept: frozenset[FaceId] = frozenset(),
    size: tuple[int, int] = (640, 480),
    asked: tuple[DetectedFace, ...] = (),
) -> None:
    reading = PhotoReading(b"h" * 32, *size, "JPEG", "2020-01-01", faces, asked)
    catalogue.photos.read([(PhotoId(photo), reading)], engine, NOW, kept)


def of(catalogue: Catalogue, photo: int) -> list[int]:
    """The faces of a photo, from left to right."""
    return [row.id for row in catalogue.photos.faces() if row.photo == photo]


@pytest.fixture
def two(catalogue: Catalogue, root: RootRow) -> tuple[DetectedFace, DetectedFace]:
    """A photo with two faces, each somebody's."""
    faces = face(1, 0), face(2, 100)
    add(catalogue, root, {PATH: "as it was"})
    look(catalogue, 1, faces)
    catalogue.people.assign([Assignment(FaceId(1), None, 1, 0.9), Assignment(FaceId(2), None, 2, 0.9)], [], 1, NOW)
    call(catalogue, 1, "Ada")
    return faces


def test_an_edited_photo_has_the_faces_it_had(
    catalogue: Catalogue, root: RootRow, two: tuple[DetectedFace, DetectedFace]
) -> None:
    # Turned round and brightened: neither order nor boxes are what they were.
    one, other = two
    photo = edit(catalogue, root, "edited")
    assert of(catalogue, photo) == []
    moved = like(other, 0.993, Box(10, 5, 60, 70)), like(one, 0.99, Box(210, 5, 260, 70)), face(3, 400)
    look(catalogue, photo, moved)
    assert of(catalogue, photo) == [2, 1, 3]
    rows = {row.id: row for row in catalogue.photos.faces()}
    assert [rows[number].person for number in (1, 2, 3)] == [1, 2, None]
    assert Box(*rows[1].box) == Box(210, 5, 260, 70)
    assert set(catalogue.renewal.revised().tolist()) == {1, 2}, "the index has their old vectors"
    assert catalogue.files.forget(NEVER) == []
    assert catalogue.counts().photos == 1


def test_what_is_less_alike_is_a_new_face(
    catalogue: Catalogue, root: RootRow, two: tuple[DetectedFace, DetectedFace]
) -> None:
    photo = edit(catalogue, root, "another picture of her")
    look(catalogue, photo, (like(two[0], SAME_FACE - 0.01),))
    assert of(catalogue, photo) == [3]


def test_two_faces_do_not_become_one(
    catalogue: Catalogue, root: RootRow, two: tuple[DetectedFace, DetectedFace]
) -> None:
    photo = edit(catalogue, root, "a collage of it")
    look(catalogue, photo, (like(two[0], 0.999), like(two[0], 0.99, Box(300, 0, 350, 60))))
    assert of(catalogue, photo) == [1, 3]


def test_a_photo_of_which_a_copy_is_left_hands_nothing_on(
    catalogue: Catalogue, root: RootRow, two: tuple[DetectedFace, DetectedFace]
) -> None:
    add(catalogue, root, {b"copy.jpg": "as it was"})
    photo = edit(catalogue, root, "edited")
    look(catalogue, photo, two)
    assert of(catalogue, 1) == [1, 2]
    assert of(catalogue, photo) == [3, 4]


@pytest.mark.parametrize("state", [PhotoState.FAILED, PhotoState.QUARANTINED])
def test_a_version_that_cannot_be_read_loses_nothing(
    catalogue: Catalogue, root: RootRow, two: tuple[DetectedFace, DetectedFace], state: PhotoState
) -> None:
    half = edit(catalogue, root, "half written")
    assert catalogue.files.forget(NEVER) == [], "it was not read yet"
    catalogue.photos.failed(half, state, "cut short", 1, NOW)
    assert catalogue.files.forget(NEVER) == []
    photo = edit(catalogue, root, "whole", mtime=3)
    assert catalogue.files.forget(NEVER) == []
    look(catalogue, photo, two)
    assert of(catalogue, photo) == [1, 2]


def test_the_photo_as_it_was_takes_its_faces_back(
    catalogue: Catalogue, root: RootRow, two: tuple[DetectedFace, DetectedFace]
) -> None:
    photo = edit(catalogue, root, "cropped: one of them is left")
    look(catalogue, photo, (two[1],))
    assert of(catalogue, photo) == [2]
    assert edit(catalogue, root, "as it was", mtime=3) == 1
    assert [row.id for row in catalogue.photos.pending(10)] == [1], "it is read again"
    look(catalogue, 1, two)
    assert of(catalogue, 1) == [1, 2]
    assert [row.person for row in catalogue.photos.faces()] == [1, 2]


def test_another_network_cannot_tell(
    catalogue: Catalogue, root: RootRow, two: tuple[DetectedFace, DetectedFace]
) -> None:
    photo = edit(catalogue, root, "edited")
    look(catalogue, photo, two, engine="engine, another 2")
    assert of(catalogue, photo) == [3, 4]


@pytest.mark.parametrize(("size", "comes"), [((640, 480), True), ((320, 240), False)])
def test_a_face_drawn_by_hand_comes_along_where_the_picture_is_the_same(
    catalogue: Catalogue,
    root: RootRow,
    two: tuple[DetectedFace, DetectedFace],
    size: tuple[int, int],
    comes: bool,
) -> None:
    drawn = face(5, 300)
    number = catalogue.boxes.next_face()
    catalogue._db.write(lambda db: _insert(db, number, drawn))
    photo = edit(catalogue, root, "with a rating in it")
    look(catalogue, photo, two, size=size)
    assert of(catalogue, photo) == ([1, 2, number] if comes else [1, 2])
    waiting = [row.id for row in catalogue.photos.pending(10)]
    assert waiting == ([photo] if comes else []), "what is in the box is described anew"
    if comes:
        look(catalogue, photo, two, asked=(drawn,))
        assert of(catalogue, photo) == [1, 2, number]
        assert catalogue.photos.pending(10) == []


def _insert(db: object, number: FaceId, drawn: DetectedFace) -> None:
    from guyverd.catalogue.placing import insert

    insert(db, PhotoId(1), number, drawn, "engine 1")  # type: ignore[arg-type]


# ---- forgotten -------------------------------------------------------------------------------------------------------


def leave(catalogue: Catalogue, root: RootRow, *paths: bytes) -> None:
    known = ids(catalogue, root)
    catalogue.files.apply(root.id, Changes(gone=tuple(known[path] for path in paths)), NOW)


def test_what_was_said_of_is_known_when_it_returns(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"said.jpg": "said", b"unsaid.jpg": "unsaid"})
    read(catalogue, 1)
    read(catalogue, 2)
    leave(catalogue, root, b"said.jpg", b"unsaid.jpg")
    assert catalogue.files.forget(NEVER, kept={FaceId(1)}) == [2]
    assert catalogue.files.overdue(NEVER) == (0, 1)
    assert catalogue.counts().photos == catalogue.counts().files == 0
    assert list(catalogue.files.known(root.id)) == []
    add(catalogue, root, {b"again/said.jpg": "said", b"again/unsaid.jpg": "unsaid"})
    assert of(catalogue, 1) == [1]
    assert [row.id for row in catalogue.photos.pending(10)] == [3], "the other is read anew"
    leave(catalogue, root, b"again/said.jpg")
    assert catalogue.files.overdue(NEVER)[0] == 1, "it is as any other again"


def test_what_needs_not_be_remembered_any_more_goes_the_next_time(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"said.jpg": "said", b"later.jpg": "later"})
    read(catalogue, 1)
    read(catalogue, 2)
    leave(catalogue, root, b"said.jpg")
    assert catalogue.files.forget(NEVER, kept={FaceId(1)}) == []
    leave(catalogue, root, b"later.jpg")
    assert sorted(catalogue.files.forget(NEVER)) == [1, 2]
    assert catalogue.files.overdue(NEVER) == (0, 0)


def test_whoever_has_a_name_is_known_again(catalogue: Catalogue, root: RootRow) -> None:
    count = REMEMBERED_FACES + 3
    paths = {b"%02d.jpg" % number: f"content {number}" for number in range(2 * count)}
    add(catalogue, root, paths)
    for photo in range(1, 2 * count + 1):
        read(catalogue, photo)
    # Ada is in the first half, somebody nobody named in the other.
    given = [Assignment(FaceId(n + 1), None, 1 if n < count else 2, 0.9) for n in range(2 * count)]
    catalogue.people.assign(given, [], 2 * count, NOW)
    call(catalogue, 1, "Ada")
    leave(catalogue, root, *paths)
    gone = catalogue.files.forget(NEVER)
    assert len([number for number in gone if number <= count]) == count - REMEMBERED_FACES
    assert len([number for number in gone if number > count]) == count


def test_whoever_is_in_enough_other_photos_needs_no_remembering(catalogue: Catalogue, root: RootRow) -> None:
    count = REMEMBERED_FACES + 2
    paths = [b"%02d.jpg" % number for number in range(count)]
    add(catalogue, root, {path: path.decode() for path in paths})
    for photo in range(1, count + 1):
        read(catalogue, photo)
    catalogue.people.assign([Assignment(FaceId(n + 1), None, 1, 0.9) for n in range(count)], [], count, NOW)
    call(catalogue, 1, "Ada")
    leave(catalogue, root, *paths[:2])
    assert catalogue.files.forget(NEVER) == [1, 2]
