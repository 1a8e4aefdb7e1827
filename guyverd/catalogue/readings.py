"""Photos, videos, and all that was found in them: to fill another catalogue without looking again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.files import Files
from guyverd.catalogue.placing import track_of
from guyverd.catalogue.rows import ReadPhoto
from guyverd.catalogue.schema import present
from guyverd.model import Box, DetectedFace, PhotoId, PhotoReading, Quality

if TYPE_CHECKING:
    from guyverd.model import FloatArray

_PHOTOS = (
    "SELECT id, hash, size, width, height, format, taken_at, duration, look, reason, engine FROM photos"
    f" WHERE state = 'done' AND id > ? AND {present('photos.id')} ORDER BY id LIMIT ?"
)
_FACES = (
    'SELECT id, person_id, photo_id, "left", top, "right", bottom, landmarks, confidence, quality, quality_size,'
    " quality_sharpness, quality_confidence, quality_pose, starts, ends, frames, look, embedding FROM faces"
    " WHERE photo_id BETWEEN ? AND ? ORDER BY photo_id, ordinal"
)


class Readings:
    """Queries that give whole readings."""

    def __init__(self, database: Database, files: Files) -> None:
        self._db = database
        self._files = files

    def all(self, batch: int = 1000) -> Iterator[ReadPhoto]:
        """Every photo that was read and is there, by id."""
        after = 0
        while photos := self._db.rows(_PHOTOS, (after, batch)):
            first, after = photos[0]["id"], photos[-1]["id"]
            faces: dict[int, list[Row]] = {}
            for face in self._db.rows(_FACES, (first, after)):
                faces.setdefault(face["photo_id"], []).append(face)
            paths = self._files.paths_of([photo["id"] for photo in photos])
            for photo in photos:
                yield _read(photo, faces.get(photo["id"], []), paths[photo["id"]])


def _read(photo: Row, faces: list[Row], paths: tuple[bytes, ...]) -> ReadPhoto:
    reading = PhotoReading(
        photo["hash"],
        *(photo["width"], photo["height"], photo["format"], photo["taken_at"]),
        tuple(map(_face, faces)),
        duration=photo["duration"],
        cut_off=photo["reason"],
        look=photo["look"],
    )
    return ReadPhoto(
        PhotoId(photo["id"]),
        paths,
        photo["size"],
        photo["engine"],
        reading,
        tuple(row["id"] for row in faces),
        tuple(row["person_id"] or 0 for row in faces),
    )


def _face(row: Row) -> DetectedFace:
    vector: FloatArray = np.frombuffer(row["embedding"], dtype="<f4").astype(np.float32)
    parts = (row["quality_size"], row["quality_sharpness"], row["quality_confidence"], row["quality_pose"])
    return DetectedFace(
        Box(row["left"], row["top"], row["right"], row["bottom"]),
        row["confidence"],
        tuple((x, y) for x, y in json.loads(row["landmarks"])),
        Quality(*parts, row["quality"]),
        vector,
        track_of(row),
        row["look"],
    )
