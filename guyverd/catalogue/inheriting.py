"""The faces of an edited photo that were in it before: for use within a transaction, when it is read."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.database import Row
from guyverd.catalogue.placing import HELD, free_ordinal, set_place
from guyverd.catalogue.renewal import network

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from guyverd.model import FloatArray, PhotoId, PhotoReading, Track

SAME_FACE = 0.985
"""Cosine from which a face in an edited photo is the one in the photo as it was. Of 40 photos saved again, brightened,
rotated by 3° or cropped, 98 of 100 faces are above .99; of different photos of one person one pair in twenty is above
.98, and none of two people's is above .97."""

_FORMERS = """
    SELECT id, engine, width, height, taken_at FROM formers JOIN photos ON photos.id = former_id
    WHERE photo_id = ? AND NOT taken AND engine IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM files WHERE files.photo_id = former_id)
    ORDER BY id DESC
"""


def succeed(db: Utils, photo: PhotoId, reading: PhotoReading, engine: str) -> None:
    """Let a photo that was just read take over the faces of those it follows; to be called before they are placed.

    A face is known by its vector. Those drawn by hand, which no detector finds, come along where the picture is
    certainly the same: as large, of the same time, and with the same faces.
    """
    formers = db.execute(_FORMERS, (photo,)).fetchall()
    found = _directions([face.embedding for face in reading.faces])
    free = set(range(len(found)))
    for former in formers:
        taken: list[tuple[Row, int | None]] = []
        if network(former["engine"]) == network(engine):
            rows = db.execute(HELD, (former["id"],)).fetchall()
            held = [row for row in rows if row["starts"] is not None or not _there_already(db, photo, row)]
            seen = [row for row in held if not row["manual"]]
            pairs = _alike(seen, found, free)
            free -= {column for _, column in pairs}
            taken += [(seen[row], column) for row, column in pairs]
            same = (former["width"], former["height"], former["taken_at"]) == (
                reading.width,
                reading.height,
                reading.taken_at,
            )
            if same and not free and len(pairs) == len(seen) and (pairs or reading.taken_at is not None):
                taken += [(row, None) for row in held if row["manual"]]
        for row, column in taken:
            if column is not None and _seen_then(db, photo, row, reading.faces[column].track):
                continue
            moved = (photo, free_ordinal(db, photo))
            db.execute("UPDATE faces SET photo_id = ?, ordinal = ? WHERE id = ?", (*moved, row["id"]))
            if column is not None:
                set_place(db, row["id"], reading.faces[column])
        if taken:
            db.execute("UPDATE formers SET taken = 1 WHERE photo_id = ? AND former_id = ?", (photo, former["id"]))
    db.execute("DELETE FROM formers WHERE photo_id = ? AND NOT taken", (photo,))


def _there_already(db: Utils, photo: PhotoId, row: Row) -> bool:
    """Whether the photo shows that person already, by another face."""
    return (
        row["person_id"] is not None
        and db.execute("SELECT 1 FROM faces WHERE photo_id = ? AND person_id = ?", (photo, row["person_id"])).fetchone()
        is not None
    )


def _seen_then(db: Utils, photo: PhotoId, row: Row, track: Track | None) -> bool:
    """Whether a video shows that person already at such a time, by another track."""
    return (
        track is not None
        and row["person_id"] is not None
        and db.execute(
            "SELECT 1 FROM faces WHERE photo_id = ? AND person_id = ? AND starts < ? AND ends > ?",
            (photo, row["person_id"], track.end, track.start),
        ).fetchone()
        is not None
    )


def _alike(seen: list[Row], found: FloatArray, free: Collection[int]) -> list[tuple[int, int]]:
    """Pairs of a known face and one found, the most alike first, each in one pair at most."""
    if not seen or not len(found):
        return []
    known = _directions([np.frombuffer(row["embedding"], dtype="<f4") for row in seen])
    likeness = known @ found.T
    pairs: list[tuple[int, int]] = []
    for place in np.argsort(-likeness, axis=None, kind="stable").tolist():
        row, column = divmod(place, len(found))
        if likeness[row, column] < SAME_FACE:
            break
        if column in free and all(row != one and column != other for one, other in pairs):
            pairs.append((row, column))
    return pairs


def _directions(vectors: list[FloatArray]) -> FloatArray:
    """float32[n, 128], each of length 1."""
    if not vectors:
        return np.empty((0, 128), dtype=np.float32)
    stacked = np.stack(vectors).astype(np.float32)
    unit: FloatArray = stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)
    return unit
