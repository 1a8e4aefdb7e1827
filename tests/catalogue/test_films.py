"""Videos in the catalogue: told by their names, kept apart from photos, known again when they are edited."""

from __future__ import annotations

import dataclasses

import pytest

from guyverd.catalogue.films import HeldPart
from guyverd.catalogue.rows import RootRow, Waiting
from guyverd.catalogue.store import Catalogue
from guyverd.model import (
    Assignment,
    Box,
    Changes,
    DetectedFace,
    FaceId,
    Frame,
    PhotoId,
    PhotoKind,
    PhotoReading,
    PhotoState,
    SeenFile,
    Stamp,
    Track,
)
from tests.catalogue.conftest import NOW, content, face, seen

PHOTO, VIDEO = PhotoKind.PHOTO, PhotoKind.VIDEO


def add(catalogue: Catalogue, root: RootRow, files: dict[bytes, str]) -> None:
    catalogue.files.apply(root.id, Changes(new=tuple(seen(path) for path in files)), NOW)
    identify(catalogue, files)


def identify(catalogue: Catalogue, files: dict[bytes, str]) -> None:
    pending = catalogue.files.pending(1000)
    videos = {file.id for file in pending if file.relative.endswith(b".mp4")}
    found = [(file.id, file.stamp, content(files[file.relative])) for file in pending]
    catalogue.files.identified(found, videos=videos)


def track(seed: int, start: float, end: float, left: int = 0) -> DetectedFace:
    """Somebody who stays at one place."""
    box = Box(left, 0, left + 50, 60)
    return dataclasses.replace(face(seed, left), track=Track(start, end, (Frame((start + end) / 2, box, 0.9),)))


def read(catalogue: Catalogue, video: int, *tracks: DetectedFace, cut_off: str | None = None) -> None:
    reading = PhotoReading(b"h" * 32, 640, 480, "MP4", None, tracks, duration=60.0, cut_off=cut_off)
    catalogue.photos.read([(PhotoId(video), reading)], "engine 1", NOW)


def spans(catalogue: Catalogue, video: int) -> list[tuple[int, float, float, int | None]]:
    rows = catalogue._db.rows(
        "SELECT id, starts, ends, person_id FROM faces WHERE photo_id = ? ORDER BY ordinal", (video,)
    )
    return [tuple(row) for row in rows]


def kinds(catalogue: Catalogue) -> list[tuple[str, str]]:
    return [tuple(row) for row in catalogue._db.rows("SELECT kind, state FROM photos ORDER BY id")]


def test_each_kind_is_asked_for_by_itself(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"1.mp4": "film", b"2.jpg": "photo", b"3.mp4": "clip", b"4.jpg": "other"})
    assert [photo.id for photo in catalogue.photos.pending(9)] == [2, 4]
    assert [photo.id for photo in catalogue.photos.pending(9, kind=VIDEO)] == [1, 3]
    assert (catalogue.photos.first_unread(PHOTO), catalogue.photos.first_unread(VIDEO)) == (2, 1)
    assert catalogue.photos.some_pending((0, 99), 9) == catalogue.photos.pending(9)
    assert (catalogue.films.backlog(), catalogue.backlog()) == (2, (0, 4))
    for number in (1, 2):
        read(catalogue, number, track(number, 0, 9)) if number == 1 else catalogue.photos.failed(
            PhotoId(2), PhotoState.FAILED, "no", 0, NOW
        )
    assert catalogue.photos.first_unread(PHOTO) == 4
    assert catalogue.photos.ungrouped_range(PHOTO) == (None, None)
    assert catalogue.photos.ungrouped_range(VIDEO) == (1, 1)
    assert catalogue.photos.ungrouped(9, PHOTO).tolist() == []
    assert catalogue.photos.ungrouped(9, VIDEO).tolist() == [1]
    assert catalogue.films.last_grouped() == 0
    catalogue.people.assign([], [], 9, NOW, kind=PHOTO)
    assert catalogue.photos.ungrouped_range(VIDEO) == (1, 1)
    catalogue.people.assign([], [], 9, NOW, kind=VIDEO)
    assert catalogue.photos.ungrouped_range() == (None, None)
    assert catalogue.films.last_grouped() == 1


def test_a_name_tells_what_it_is_until_it_was_read(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "a film"})
    catalogue.photos.failed(PhotoId(1), PhotoState.FAILED, "it is no picture", 0, NOW)
    add(catalogue, root, {b"b.mp4": "a film"})
    assert kinds(catalogue) == [("video", "pending")]
    read(catalogue, 1, track(1, 0, 9))
    add(catalogue, root, {b"c.jpg": "a film"})
    assert kinds(catalogue) == [("video", "done")], "now it is known"


def test_what_waits_is_told_by_kind(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "a", b"b.mp4": "b"})
    more = tuple(SeenFile(path, Stamp(1000, 1, 7)) for path in (b"c.jpg", b"D.MP4", b"e.m2ts", b"mp4"))
    catalogue.files.apply(root.id, Changes(new=more), NOW)
    told = catalogue.photos.waiting(("mp4", "m2ts"))
    assert told == Waiting({4: (1, 10)}, {10: (2, 2000)}, 1.0, (10, 2000))
    assert catalogue.photos.waiting().files == {10: (4, 4000)}


def test_parts_are_kept_until_the_video_is_read_or_given_up(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.mp4": "a", b"b.mp4": "b", b"c.mp4": "c"})
    films = catalogue.films
    for video in (1, 2, 3, 99):
        for number in (1, 0, 1):
            films.keep(PhotoId(video), HeldPart(number, f"e{number}", b"%d" % video), NOW)
    assert films.parts(PhotoId(99)) == [], "of what is not there nothing is kept"
    assert films.parts(PhotoId(2)) == [HeldPart(0, "e0", b"2"), HeldPart(1, "e1", b"2")]
    films.drop(PhotoId(2), [0, 7])
    assert films.parts(PhotoId(2)) == [HeldPart(1, "e1", b"2")]
    catalogue.photos.failed(PhotoId(2), PhotoState.PENDING, "it died", 1, NOW)
    assert films.parts(PhotoId(2)) == [HeldPart(1, "e1", b"2")]
    catalogue.photos.failed(PhotoId(2), PhotoState.FAILED, "it is none", 1, NOW)
    read(catalogue, 1, cut_off="it ends")
    assert films.parts(PhotoId(1)) == films.parts(PhotoId(2)) == []
    assert [(row.state, row.reason) for row in catalogue.photos.failures()] == [
        ("partly", "it ends"),
        ("failed", "it is none"),
    ]
    catalogue.renewal.begin("engine 2")
    assert [row.state for row in catalogue.photos.failures()] == ["failed"], "it is to be read again"
    (*_, third) = catalogue.files.known(root.id)
    catalogue.files.apply(root.id, Changes(gone=(third.id,)), NOW)
    catalogue.files.forget("9999")
    assert films.parts(PhotoId(3)) == []


def test_the_crowd_leaves_out_videos_that_are_not_grouped_yet(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"1.mp4": "film", b"2.jpg": "photo", b"3.mp4": "clip"})
    read(catalogue, 1, track(1, 0, 9), track(2, 9, 20))
    catalogue.photos.read([(PhotoId(2), PhotoReading(b"h" * 32, 640, 480, "JPEG", None, (face(3),)))], "engine 1", NOW)
    read(catalogue, 3, track(4, 0, 9))
    assert [catalogue.photos.crowd(3, 9, films)[0] for films in (0, 1, 2, 3)] == [1, 3, 3, 4]
    assert catalogue.photos.crowd(3, 9)[0] == 4
    assert catalogue.photos.crowd(2, 9, 3)[0] == 3
    faces, vectors = catalogue.photos.crowd(3, 9, 0)
    assert vectors.tolist() == [face(3).embedding.tolist()]
    assert faces == len(vectors)


# ---- edited ----------------------------------------------------------------------------------------------------------

pytestmark = pytest.mark.promise("edited")


def test_an_edited_video_has_the_tracks_it_had(catalogue: Catalogue, root: RootRow) -> None:
    """The first seconds were cut away, and with them one of three tracks; one person has two."""
    add(catalogue, root, {b"a.mp4": "as it was"})
    read(catalogue, 1, track(1, 0, 4), track(2, 5, 9), track(3, 6, 12, 300), track(2, 20, 25))
    given = [(1, 1), (2, 2), (3, 3), (4, 2)]
    catalogue.people.assign([Assignment(FaceId(one), None, who, 0.9) for one, who in given], [], 1, NOW)
    assert [row[0] for row in spans(catalogue, 1)] == [1, 2, 3, 4]
    (known,) = catalogue.files.known(root.id)
    catalogue.files.apply(root.id, Changes(changed=((known.id, seen(b"a.mp4", 2)),)), NOW)
    identify(catalogue, {b"a.mp4": "shorter"})
    read(catalogue, 2, track(2, 1, 5), track(3, 2, 8, 300), track(2, 16, 21), track(9, 30, 40))
    people = {row[1]: row[3] for row in spans(catalogue, 2)}
    assert people == {1.0: 2, 2.0: 3, 16.0: 2, 30.0: None}
    assert {row[0] for row in spans(catalogue, 2)} == {2, 3, 4, 5}
    assert catalogue.contradictions() == []
    assert catalogue.files.forget("9999") == [1]


def test_nobody_is_seen_twice_at_once_in_an_edited_video(catalogue: Catalogue, root: RootRow) -> None:
    """Two tracks of one person that did not overlap do so now, as where two takes were put side by side."""
    add(catalogue, root, {b"a.mp4": "as it was"})
    read(catalogue, 1, track(1, 0, 4), track(1, 5, 9))
    catalogue.people.assign([Assignment(FaceId(one), None, 1, 0.9) for one in (1, 2)], [], 1, NOW)
    (known,) = catalogue.files.known(root.id)
    catalogue.files.apply(root.id, Changes(changed=((known.id, seen(b"a.mp4", 2)),)), NOW)
    identify(catalogue, {b"a.mp4": "side by side"})
    read(catalogue, 2, track(1, 0, 4), track(1, 1, 4, 300))
    assert [row[3] for row in spans(catalogue, 2)] == [1, None]
    assert catalogue.contradictions() == []
