"""Readings come out of the catalogue as they went in."""

from __future__ import annotations

import dataclasses
import os

import numpy as np

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Assignment, Box, FaceId, Frame, PhotoId, PhotoReading, PhotoState, Track
from tests.catalogue.conftest import NOW, OTHER, ROOT, add, content, face


def test_what_was_read_is_given_whole(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "a", b"b.jpg": "b", b"copy/a.jpg": "a", b"c.jpg": "c", b"d.jpg": "d"})
    readings = {
        PhotoId(number): PhotoReading(content(name), 400, 300, "JPEG", taken, tuple(face(seed) for seed in seeds))
        for number, name, taken, seeds in (
            (1, "a", None, (1, 2)),
            (2, "b", "2020-01-01T10:00:00", ()),
            (3, "c", None, (3,)),
        )
    }
    catalogue.photos.read(readings.items(), "an engine", NOW)
    catalogue.photos.failed(PhotoId(4), PhotoState.FAILED, "broken", 0, NOW)
    catalogue.people.assign([Assignment(FaceId(2), None, 0, 0.9), Assignment(FaceId(3), None, 0, 0.9)], (), 3, NOW)
    # However few are looked at together.
    for batch in (1, 2, 1000):
        found = list(catalogue.readings.all(batch))
        assert [photo.photo for photo in found] == [1, 2, 3]
        assert [photo.files for photo in found] == [
            tuple(os.path.join(ROOT, name) for name in names)
            for names in ((b"a.jpg", b"copy/a.jpg"), (b"b.jpg",), (b"c.jpg",))
        ]
        assert [(photo.faces, photo.people) for photo in found] == [((1, 2), (0, 1)), ((), ()), ((3,), (1,))]
        assert {(photo.engine, photo.size) for photo in found} == {("an engine", 10)}
        for photo in found:
            told, kept = photo.reading, readings[photo.photo]
            assert (told.hash, told.width, told.height, told.format, told.taken_at) == (
                kept.hash,
                kept.width,
                kept.height,
                kept.format,
                kept.taken_at,
            )
            for one, other in zip(told.faces, kept.faces, strict=True):
                assert (one.box, one.confidence, one.quality) == (other.box, other.confidence, other.quality)
                assert np.array_equal(one.embedding, other.embedding)
                assert np.allclose(one.landmarks, other.landmarks, atol=0.01)


def test_a_video_is_given_with_its_tracks(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.mp4": "a"})
    track = Track(1.5, 7.25, (Frame(2.0, Box(0, 0, 50, 60), 0.75), Frame(5.0, Box(9, 0, 59, 60), 0.5)))
    one = dataclasses.replace(face(1), track=track, look=-5)
    given = PhotoReading(content("a"), 400, 300, "MP4", None, (one,), duration=12.5, cut_off="it ends", look=7)
    catalogue.photos.read([(PhotoId(1), given)], "an engine", NOW)
    (found,) = catalogue.readings.all()
    assert dataclasses.replace(found.reading, faces=()) == dataclasses.replace(given, faces=())
    ((told,), (kept,)) = found.reading.faces, given.faces
    assert (told.track, told.look, told.box) == (kept.track, kept.look, kept.box)
    assert np.array_equal(told.embedding, kept.embedding)


def test_photos_that_are_not_there_are_passed_over(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"a.jpg": "a"})
    catalogue.photos.read([(PhotoId(1), PhotoReading(content("a"), 4, 3, "JPEG", None, (face(1),)))], "e", NOW)
    assert len(list(catalogue.readings.all())) == 1
    catalogue.files.configure([OTHER])
    assert list(catalogue.readings.all()) == []
