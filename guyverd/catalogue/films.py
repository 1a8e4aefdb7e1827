"""Videos on their way to being read: what was found in their parts so far, and the tracks that must not be lost."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database
from guyverd.catalogue.placing import HELD, track_of
from guyverd.catalogue.rows import box_of
from guyverd.catalogue.tracking import matched_tracks
from guyverd.model import Box, DetectedFace, FaceId, PhotoId, Track

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils


@dataclass(frozen=True, slots=True)
class HeldPart:
    """What was found in one part of a video."""

    number: int
    """From 0."""
    engine: str
    """What read it, and how."""
    found: bytes
    """As it was handed in."""


@dataclass(frozen=True, slots=True)
class HeldTrack:
    """A track that stays, whatever is found when its video is read again."""

    face: FaceId
    box: Box
    track: Track


class Films:
    """Queries and writes about parts of videos."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(self, photo: PhotoId, part: HeldPart, at: str) -> None:
        """Make what was found in a part durable; of a video that was forgotten meanwhile nothing is kept."""
        self._db.write(
            lambda db: db.execute(
                "INSERT OR REPLACE INTO video_parts (photo_id, number, engine, found, at)"
                " SELECT id, ?, ?, ?, ? FROM photos WHERE id = ?",
                (part.number, part.engine, part.found, at, photo),
            )
        )

    def parts(self, photo: PhotoId) -> list[HeldPart]:
        """What was found in a video's parts so far, by number."""
        rows = self._db.rows(
            "SELECT number, engine, found FROM video_parts WHERE photo_id = ? ORDER BY number", (photo,)
        )
        return [HeldPart(row["number"], row["engine"], row["found"]) for row in rows]

    def drop(self, photo: PhotoId, numbers: Sequence[int]) -> None:
        """Forget parts: they are read anew."""
        self._db.write(
            lambda db: db.conn.executemany(
                "DELETE FROM video_parts WHERE photo_id = ? AND number = ?", [(photo, number) for number in numbers]
            )
        )

    def backlog(self) -> int:
        """How many videos are to be read, there or not."""
        row = self._db.row(
            "SELECT count(*) FROM photos INDEXED BY photos_pending_kind WHERE kind = 'video' AND state = 'pending'"
        )
        assert row is not None
        found: int = row[0]
        return found

    def last_grouped(self) -> int:
        """The highest number of a video with faces that were grouped; 0 where there is none."""
        row = self._db.row(
            "SELECT photo_id FROM faces INDEXED BY faces_tracks CROSS JOIN photos ON photos.id = photo_id"
            " WHERE starts IS NOT NULL AND grouped_at IS NOT NULL ORDER BY photo_id DESC LIMIT 1"
        )
        return 0 if row is None else int(row[0])

    def missed(self, photo: PhotoId, found: Sequence[DetectedFace], kept: Collection[FaceId]) -> list[HeldTrack]:
        """The tracks of a video, of `kept` or drawn by hand, at whose time and place nothing was `found`."""
        rows = self._db.rows(HELD, (photo,))
        known = [(box_of(row), track_of(row)) for row in rows]
        pairs = {one for one, _ in matched_tracks(known, [(face.box, face.track) for face in found])}
        return [
            HeldTrack(FaceId(row["id"]), box, track)
            for index, (row, (box, track)) in enumerate(zip(rows, known, strict=True))
            if track is not None and (row["manual"] or (index not in pairs and row["id"] in kept))
        ]


def forget_parts(db: Utils, photo: PhotoId) -> None:
    """Forget all parts of a video: for use within a transaction, when it is read or given up."""
    db.execute("DELETE FROM video_parts WHERE photo_id = ?", (photo,))
