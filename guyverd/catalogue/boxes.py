"""Faces drawn by hand: the photos they can be drawn in, and what stands there already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue import placing
from guyverd.catalogue.database import Database
from guyverd.model import Box, DetectedFace, FaceId, PersonId, PhotoId

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database as Utils


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The face that a box is about."""

    face: FaceId
    person: PersonId | None


class Boxes:
    """Queries about places in photos, and what adds a face to one."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def photo(self, hash_: bytes) -> PhotoId | None:
        """The photo of that content; None where it is not in the library or was not read yet."""
        row = self._db.row("SELECT id FROM photos WHERE hash = ? AND engine IS NOT NULL", (hash_,))
        return None if row is None else PhotoId(row["id"])

    def at(self, photo: PhotoId, box: Box) -> Neighbour | None:
        """The face that stands where a box would."""
        rows = self._db.rows(placing.HELD, (photo,))
        found = placing.at_place(rows, box)
        if found is None:
            return None
        (person,) = (row["person_id"] for row in rows if row["id"] == found)
        return Neighbour(found, None if person is None else PersonId(person))

    def taken_away(self) -> frozenset[int]:
        """The faces drawn by hand whose decision is undone."""
        return frozenset(row[0] for row in self._db.rows("SELECT face_id FROM removed_faces"))

    def next_face(self) -> FaceId:
        """The number that the next new face gets; none is ever given twice."""
        row = self._db.row("SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'faces'")
        assert row is not None
        return FaceId(row[0])

    def adding(self, photo: PhotoId, number: FaceId, face: DetectedFace, engine: str) -> Callable[[Utils], object]:
        """What adds a face within a transaction, such as that of the decision which draws it."""
        return lambda db: placing.insert(db, photo, number, face, engine)
