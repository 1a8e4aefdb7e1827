"""Faces of videos: who is seen when tells who may be one person, and a moment is as good as a face."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import (
    CannotDecide,
    FaceChoice,
    NobodyThen,
    NoFaceKnown,
    NoTime,
    PictureError,
    Unread,
    WhichFace,
    WhichTrack,
)
from guyverd.model import NOTHING_SAID, Assignment, Box, FaceId, Merge, PersonId
from guyverd.service.pipeline.words.deciding import Deciding, standing
from guyverd.service.pipeline.words.pointing import face_at, faces_at
from tests.catalogue.conftest import NOW, ROOT, add, library, read
from tests.promises import scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlite_utils import Database as Utils

Times = list[tuple[float, float]]
CLIP: Times = [(0, 4), (2, 6), (6, 9), (10.25, 12), (10.5, 11)]
"""Faces 1 to 5 of the first video: the first two meet, and the last two."""


def film(catalogue: Catalogue, root: RootRow, tracks: Times, photos: Sequence[int] = (1, 1)) -> None:
    """A video `clip.mp4` of these tracks, number 1, and photos with so many faces each."""
    add(catalogue, root, {b"clip.mp4": "clip"})
    read(catalogue, 1, len(tracks))

    def timed(db: Utils) -> None:
        db.execute("UPDATE photos SET kind = 'video', duration = 20 WHERE id = 1")
        for ordinal, (start, end) in enumerate(tracks):
            # The later somebody comes, the further left.
            db.execute(
                "UPDATE faces SET starts = ?, ends = ?, \"left\" = ?, frames = '[[1.0, 0, 0, 9, 9, 0.5]]'"
                " WHERE photo_id = 1 AND ordinal = ?",
                (start, end, 500 - 60 * ordinal, ordinal),
            )

    catalogue._db.write(timed)
    for number, faces in enumerate(photos, 2):
        add(catalogue, root, {b"%03d.jpg" % number: f"photo {number}"})
        read(catalogue, number, faces)


def whose(catalogue: Catalogue) -> dict[int, int | None]:
    return {row.id: row.person for row in catalogue.photos.faces()}


def to(person: int, *faces: int) -> list[Assignment]:
    return [Assignment(FaceId(one), PersonId(person), None, 0.9) for one in faces]


def founding(group: int, *faces: int) -> list[Assignment]:
    return [Assignment(FaceId(one), None, group, 0.9) for one in faces]


# ---- who may be one person -------------------------------------------------------------------------------------------


def test_who_comes_again_is_the_same_and_who_is_there_too_is_not(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, CLIP)
    catalogue.people.assign(founding(0, 1, 2, 3, 4, 5, 6), [], 9, NOW)
    assert whose(catalogue) == {1: 1, 2: None, 3: 1, 4: 1, 5: None, 6: 1, 7: None}
    catalogue.people.assign(founding(0, 2, 5, 7), [], 9, NOW)
    assert whose(catalogue) == {1: 1, 2: 2, 3: 1, 4: 1, 5: 2, 6: 1, 7: 2}
    assert catalogue.contradictions() == []


def test_what_was_said_to_be_one_may_be_so_at_once(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, CLIP)
    alike = [(FaceId(1), FaceId(2))]
    catalogue.people.assign(founding(0, 1, 2, 3), [], 9, NOW, said=standing(catalogue), alike=alike)
    assert whose(catalogue) == {1: 1, 2: 1, 3: 1, 4: None, 5: None, 6: None, 7: None}
    assert catalogue.contradictions(alike) == []
    assert catalogue.contradictions() == ["photo 1 shows person 1 2 times"]


def test_two_people_of_one_video_become_one_but_for_whom_they_meet(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, CLIP)
    catalogue.people.assign([*founding(0, 1, 3), *founding(1, 4, 6), *founding(2, 2, 5, 7)], [], 9, NOW)
    catalogue.people.assign([], [Merge(PersonId(2), PersonId(1), 3.0)], 9, NOW)
    assert [whose(catalogue)[face] for face in (1, 3, 4, 6)] == [1] * 4, "they are never seen together"
    catalogue.people.assign([], [Merge(PersonId(3), PersonId(1), 3.0)], 9, NOW)
    assert whose(catalogue) == {1: 1, 2: None, 3: 1, 4: 1, 5: None, 6: 1, 7: 1}


def test_words_about_faces_that_are_seen_together(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, CLIP)
    catalogue.people.assign([*founding(0, 6), *founding(1, 2, 7)], [], 9, NOW)
    deciding = Deciding(catalogue)
    deciding.confirm(PersonId(1), [FaceId(1), FaceId(3), FaceId(4)])
    with pytest.raises(CannotDecide, match="faces 1 and 2 would both be person 1"):
        deciding.confirm(PersonId(1), [FaceId(2)])
    deciding.same(FaceId(4), FaceId(5))
    assert whose(catalogue) == {1: 1, 2: 2, 3: 1, 4: 1, 5: 1, 6: 1, 7: 2}
    deciding.merge(PersonId(1), PersonId(2))
    assert whose(catalogue)[7] == 1
    assert whose(catalogue)[2] is None, "who is seen with them stays somebody else"


@settings(max_examples=scaled(6, 60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tracks=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4)), min_size=1, max_size=6),
    places=st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2)), max_size=12),
)
def test_whatever_is_asked_nobody_is_twice_at_one_moment(
    tmp_path_factory: pytest.TempPathFactory, tracks: list[tuple[int, int]], places: list[tuple[int, int]]
) -> None:
    seen = sorted((float(start), float(start + length)) for start, length in tracks)
    path = os.fsencode(tmp_path_factory.mktemp("any") / "c.db")
    with Catalogue(path, lambda: NOW) as catalogue:
        catalogue.files.configure([ROOT])
        film(catalogue, catalogue.files.roots()[0], seen)
        for face, group in places:
            catalogue.people.assign(founding(group, face, 1 + face % 8), [], 9, NOW)
        now = [whose(catalogue)[face] for face in range(1, len(seen) + 1)]
        for one, (start, end) in enumerate(seen):
            for other, (begins, ends) in enumerate(seen[:one]):
                assert now[one] is None or now[one] != now[other] or end <= begins or ends <= start


def test_companions_are_those_who_are_seen_together(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, CLIP, photos=(2,))
    photos = catalogue.photos
    assert photos.companions(np.array([1])).ids.tolist() == [2]
    assert photos.companions(np.array([2, 4])).ids.tolist() == [1, 5]
    assert photos.companions(np.array([3])).ids.tolist() == []
    assert photos.companions(np.array([1, 2, 6])).ids.tolist() == [7]


def test_those_in_one_film_are_not_taken_for_everybody(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, [(float(at), at + 0.5) for at in range(70)], photos=(1, 2))
    count, crowd = catalogue.photos.crowd(99, 1000)
    assert (count, len(crowd)) == (73, 67)


# ---- a moment is a face ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """The film, two photos and an empty film."""
    path = os.fsencode(tmp_path_factory.mktemp("clip") / "c.db")
    with Catalogue(path, lambda: NOW) as catalogue:
        catalogue.files.configure([ROOT])
        root = catalogue.files.roots()[0]
        film(catalogue, root, CLIP)
        add(catalogue, root, {b"empty.mp4": "empty"})
        read(catalogue, 4, 0)
        yield catalogue


@pytest.mark.parametrize(
    ("text", "faces"),
    [
        ("/photos/clip.mp4@0:01", [1]),
        ("/photos/clip.mp4@5", [2]),
        ("/photos/clip.mp4@6", [3]),
        ("/photos/x/../clip.mp4@0:00:10.3", [4]),
        ("/photos/clip.mp4@3#1", [2]),
        ("/photos/clip.mp4@3#2", [1]),
        ("/photos/clip.mp4@0:10.75#1", [5]),
        ("/photos/clip.mp4#3", [3]),
    ],
)
def test_a_face_is_a_moment_of_a_video(clip: Catalogue, text: str, faces: list[int]) -> None:
    assert list(faces_at(clip, text)) == faces
    assert [face_at(clip, text)] == faces


@pytest.mark.parametrize(
    ("text", "problem", "told"),
    [
        ("/photos/clip.mp4", WhichTrack, "such as /photos/clip.mp4@0:00, or one of /photos/clip.mp4#1 to"),
        ("/photos/clip.mp4@3", WhichFace, "/photos/clip.mp4@3#1"),
        ("/photos/clip.mp4@3#3", FaceChoice, "from 1 to 2"),
        ("/photos/clip.mp4#6", FaceChoice, "from 1 to 5"),
        ("/photos/clip.mp4@9.5", NobodyThen, "/photos/clip.mp4@0:06"),
        ("/photos/clip.mp4@9.9", NobodyThen, "/photos/clip.mp4@0:10.25"),
        ("/photos/clip.mp4@3:00", NobodyThen, "clip.mp4"),
        ("/photos/clip.mp4@soon", NoTime, "clip.mp4"),
        ("/photos/other.mp4@1", Unread, ""),
        ("/photos/002.jpg@1", Unread, ""),
        ("/photos/empty.mp4@1", NoFaceKnown, ""),
    ],
)
def test_what_is_no_moment_is_told(clip: Catalogue, text: str, problem: type[PictureError], told: str) -> None:
    with pytest.raises(problem) as caught:
        face_at(clip, text)
    assert caught.value.exit_code == 6
    assert told in f"{caught.value.message} {caught.value.advice}"


def test_the_nearest_moment_that_is_told_is_one(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, [(3.3333, 4), (3723.456, 3724)])
    for at in ("1", "5", "2:00:00"):
        with pytest.raises(NobodyThen) as caught:
            face_at(catalogue, f"/photos/clip.mp4@{at}")
        near = caught.value.advice.split()[4].rstrip(";")
        assert face_at(catalogue, near) in (1, 2)
    assert near == "/photos/clip.mp4@1:02:03.46"


def test_a_file_with_a_time_in_its_name_comes_first(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, CLIP)
    add(catalogue, root, {b"clip.mp4@0:01": "odd"})
    read(catalogue, 4, 1)
    assert face_at(catalogue, "/photos/clip.mp4@0:01") == 8


def test_a_video_is_all_of_it_in_which_somebody_is(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, CLIP)
    catalogue.people.assign([*founding(0, 1, 3, 4, 6), *founding(1, 2, 5, 7)], [], 9, NOW)
    assert faces_at(catalogue, "/photos/clip.mp4", PersonId(1)) == (1, 3, 4)
    assert faces_at(catalogue, "/photos/clip.mp4@3", PersonId(2)) == (2,)
    assert faces_at(catalogue, "/photos/clip.mp4#1", PersonId(2)) == (1,), "which is said counts"
    for nobody in (None, PersonId(9)):
        with pytest.raises(WhichTrack):
            faces_at(catalogue, "/photos/clip.mp4", nobody)
    with pytest.raises(WhichTrack, match="shows 3 faces"):
        face_at(catalogue, "/photos/clip.mp4", PersonId(1))


def test_a_video_of_one_person_alone_needs_no_moment(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, [(0, 1), (2, 3)])
    with pytest.raises(WhichTrack):
        faces_at(catalogue, "/photos/clip.mp4")
    catalogue.people.assign(founding(0, 1, 2), [], 9, NOW)
    assert faces_at(catalogue, "/photos/clip.mp4") == (1, 2)


# ---- how they are told -----------------------------------------------------------------------------------------------


def test_who_is_in_photos_is_shown_by_one_and_who_is_not_by_a_frame(catalogue: Catalogue, root: RootRow) -> None:
    film(catalogue, root, CLIP)
    catalogue._db.write(lambda db: db.execute("UPDATE faces SET quality = 0.1 WHERE id = 6"))
    catalogue.people.assign([*founding(0, 1, 3, 6), *founding(1, 2, 5)], [], 9, NOW)
    photo, frame = catalogue.shelves.best_faces()
    assert (photo.face, photo.file, photo.at) == (6, b"/photos/002.jpg", None)
    assert (frame.face, frame.file, frame.at) == (2, b"/photos/clip.mp4", 1.0)
    assert isinstance(frame.box, Box)


def test_without_videos_nothing_has_a_time(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [2])
    (first, _) = catalogue.photos.faces()
    assert (first.starts, first.ends, first.frame) == (None, None, None)
    assert catalogue.questions.glance().spans is None
    assert standing(catalogue) == NOTHING_SAID
