"""What a search asks about: the faces of a picture or of a frame of a video, or a person.

What the library holds is not read again: a file that is as it was when it was read shows what was found then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.errors import GuyverError
from guyverd.model import Box, PhotoKind, Stamp
from guyverd.service import handing
from guyverd.service.pipeline.words.pointing import locate

if TYPE_CHECKING:
    from guyverd.model import FloatArray, PhotoReading


@dataclass(frozen=True, slots=True)
class AskedFace:
    """A face of the picture, in its order."""

    number: int
    """In the library; −1 where it is not there."""
    box: Box
    confidence: float
    quality: float


@dataclass(frozen=True, slots=True)
class Picture:
    """What is asked about, with all faces in it."""

    width: int
    height: int
    faces: tuple[AskedFace, ...]
    vectors: FloatArray
    """float32[n, 128], raw."""


def picture(
    catalogue: Catalogue, path: str, opened: int | None, at: float | None, read: Callable[[], PhotoReading]
) -> Picture:
    """The faces of a picture: as the library knows it, or else as it is `read`. Raises what that does.

    `opened` is the file that was handed over with the path, or None; `at` the time of a frame.
    """
    known = _known(catalogue, path, opened) if at is None else None
    if known is not None:
        return known
    reading = read()
    faces = tuple(AskedFace(-1, face.box, face.confidence, face.quality.score) for face in reading.faces)
    vectors = np.array([face.embedding for face in reading.faces], np.float32).reshape(-1, 128)
    return Picture(reading.width, reading.height, faces, vectors)


def _known(catalogue: Catalogue, path: str, opened: int | None) -> Picture | None:
    try:
        real, status = _where(path, opened)
    except (OSError, ValueError, GuyverError):
        return None  # whoever reads it tells what is wrong
    place = locate(catalogue, real)
    if place is None:
        return None
    stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
    photo = catalogue.searching.known(*place, stamp)
    if photo is None:
        return None
    found = catalogue.searching.sought(catalogue.searching.in_photo(photo))
    if not len(found) or found.faces[0].kind is not PhotoKind.PHOTO:
        return None
    faces = tuple(AskedFace(face.face, face.box, face.confidence, face.quality) for face in found.faces)
    return Picture(found.faces[0].width, found.faces[0].height, faces, found.vectors)


def _where(path: str, opened: int | None) -> tuple[bytes, os.stat_result]:
    """Where the file really lies, and what it is like."""
    if opened is not None:
        return handing.real_path(opened), os.fstat(opened)
    real = os.path.realpath(os.fsencode(path))
    return real, os.stat(real)
