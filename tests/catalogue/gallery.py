"""A catalogue with photos and videos of made-up people, as if they had been read and grouped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.model import (
    Assignment,
    Box,
    Changes,
    DetectedFace,
    FaceId,
    Frame,
    PhotoId,
    PhotoReading,
    Quality,
    Track,
)
from tests.catalogue.conftest import NOW, content, seen
from tests.people.helpers import faces_of


@dataclass(frozen=True)
class Shot:
    """One face: who it is, and in a video from when to when it is seen."""

    who: int
    start: float | None = None
    end: float | None = None
    grouped: bool = True
    """Whether it has a person."""
    like: int | None = None
    """Faces of the same number are one picture: they have the same vector, and the same hash."""


@dataclass(frozen=True)
class Content:
    """A photo, or where its faces are seen at times, a video."""

    faces: Sequence[Shot]
    taken_at: str | None = None
    files: Sequence[bytes] = field(default_factory=tuple)
    """Below the first root; `N.jpg` or `N.mp4` where none is given."""
    look: int | None = None
    width: int = 640


def gallery(catalogue: Catalogue, contents: Sequence[Content], seed: int = 0, spread: float = 0.2) -> list[int]:
    """Fill an empty catalogue; photo N is the Nth content, and person N whoever is the Nth to be grouped.

    Returns the numbers of all faces, in the order of the contents.
    """
    root = catalogue.files.roots()[0].id
    names: dict[bytes, int] = {}
    videos = set()
    for at, one in enumerate(contents, 1):
        video = any(shot.start is not None for shot in one.faces)
        for path in one.files or [b"%03d.%s" % (at, b"mp4" if video else b"jpg")]:
            names[path] = at
            if video:
                videos.add(path)
    # Found in the order of the contents, so that they get their numbers.
    for path, at in sorted(names.items(), key=lambda item: item[1]):
        catalogue.files.apply(root, Changes(new=(seen(path),)), NOW)
        [file] = catalogue.files.pending(9)
        which = {file.id} if path in videos else set()
        catalogue.files.identified([(file.id, file.stamp, content(f"content {at}"))], videos=which)
    shots = [shot for one in contents for shot in one.faces]
    vectors = faces_of(np.array([shot.who for shot in shots], np.int64), seed=seed, spread=spread)
    first: dict[int, int] = {}
    for row, shot in enumerate(shots):
        if shot.like is not None:
            vectors[row] = vectors[first.setdefault(shot.like, row)]
    row = 0
    for at, one in enumerate(contents, 1):
        found = []
        for place, shot in enumerate(one.faces):
            found.append(_face(shot, place, vectors[row]))
            row += 1
        duration = 600.0 if any(shot.start is not None for shot in one.faces) else None
        reading = PhotoReading(
            b"h" * 32, one.width, 480, "JPEG", one.taken_at, tuple(found), duration=duration, look=one.look
        )
        catalogue.photos.read([(PhotoId(at), reading)], "engine 1", NOW)
    numbers = [face for at in range(1, len(contents) + 1) for face in catalogue.searching.in_photo(PhotoId(at))]
    # Tracks that overlap are two people, and are never told to be one: each person is somebody at a time.
    groups: dict[int, list[int]] = {}
    for number, shot in zip(numbers, shots, strict=True):
        if shot.grouped:
            groups.setdefault(shot.who, []).append(number)
    found_people = [
        Assignment(FaceId(face), None, group, 1.0) for group, faces in enumerate(groups.values()) for face in faces
    ]
    catalogue.people.assign(found_people, [], len(contents), NOW)
    return numbers


def _face(shot: Shot, place: int, vector: np.ndarray[tuple[int], np.dtype[np.float32]]) -> DetectedFace:
    box = Box(60 * place, 0, 60 * place + 50, 60)
    track = None
    if shot.start is not None and shot.end is not None:
        track = Track(shot.start, shot.end, (Frame((shot.start + shot.end) / 2, box, 0.9),))
    quality = Quality(0.9, 0.8, 0.7, 0.6, 0.75)
    look = None if shot.like is None else shot.like * 0x0101_0101
    return DetectedFace(box, 1.5, ((1.0, 2.0),) * 5, quality, vector, track=track, look=look)
