"""Faces as a search needs them: columns, and what is told of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import EMBEDDING_SIZE, Box, FaceId, PersonId, PhotoId, PhotoKind

if TYPE_CHECKING:
    from guyverd.catalogue.database import Row
    from guyverd.model import FloatArray

COLUMNS = (
    'faces.id, photo_id, person_id, "left", top, "right", bottom, quality, confidence, starts, ends, embedding,'
    " faces.look AS chip, photos.look AS look, kind, taken_at, width, height,"
    " json_extract(frames, '$[0][0]') AS frame"
)


@dataclass(frozen=True, slots=True)
class SoughtFace:
    """One face."""

    face: FaceId
    photo: PhotoId
    kind: PhotoKind
    person: PersonId | None
    box: Box
    """In pixels of the upright photo, or of the track's best frame."""
    quality: float
    confidence: float
    start: float | None
    """Seconds from the beginning of the video; None in a photo."""
    end: float | None
    chip: int | None
    """Perceptual hash of the face; None where it was not made."""
    look: int | None
    """Of the whole photo, likewise."""
    taken_at: str | None
    width: int
    """Pixels of the upright photo."""
    height: int
    frame: float | None
    """Seconds from the beginning of the video at which the box is; None in a photo."""
    wanted: bool


@dataclass(frozen=True, slots=True)
class Sought:
    """Several."""

    faces: tuple[SoughtFace, ...]
    vectors: FloatArray
    """float32[n, 128], raw; row i is of face i."""

    def __len__(self) -> int:
        return len(self.faces)

    def of_wanted(self) -> Sought:
        """Those that are wanted alone."""
        rows = [row for row, face in enumerate(self.faces) if face.wanted]
        return Sought(tuple(self.faces[row] for row in rows), self.vectors[rows])

    def and_(self, others: Sought) -> Sought:
        """These, and others after them."""
        return Sought(self.faces + others.faces, np.concatenate([self.vectors, others.vectors]))


def sought(rows: Sequence[Row]) -> Sought:
    """From rows with `COLUMNS` and `wanted`."""
    joined = b"".join(row["embedding"] for row in rows)
    vectors = np.frombuffer(joined, dtype="<f4").reshape(len(rows), EMBEDDING_SIZE).astype(np.float32)
    return Sought(tuple(_face(row) for row in rows), vectors)


def _face(row: Row) -> SoughtFace:
    number, photo, person, left, top, right, bottom, quality, confidence, start, end, _ = tuple(row)[:12]
    chip, look, kind, taken_at, width, height, frame, wanted = tuple(row)[12:]
    return SoughtFace(
        FaceId(number),
        PhotoId(photo),
        PhotoKind(kind),
        None if person is None else PersonId(person),
        Box(left, top, right, bottom),
        quality,
        confidence,
        start,
        end,
        chip,
        look,
        taken_at,
        width or 0,
        height or 0,
        frame,
        bool(wanted),
    )
