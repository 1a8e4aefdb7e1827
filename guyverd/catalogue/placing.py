"""The faces of one photo and the rows they stand in, through every reading: for use within a transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.database import Row
from guyverd.catalogue.position import matched
from guyverd.catalogue.rows import box_of
from guyverd.catalogue.tracking import matched_tracks
from guyverd.errors import CannotDecide
from guyverd.model import EMBEDDING_SIZE, Box, DetectedFace, FaceId, Frame, PhotoId, PhotoReading, Track

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

_COLUMNS = (
    '"left"',
    "top",
    '"right"',
    "bottom",
    "landmarks",
    "confidence",
    "quality",
    "quality_size",
    "quality_sharpness",
    "quality_confidence",
    "quality_pose",
    "starts",
    "ends",
    "frames",
    "look",
    "embedding",
)
"""What a reading tells of a face."""
_INSERT = (
    f"INSERT INTO faces ({', '.join(_COLUMNS)}, photo_id, ordinal, manual)"
    f" VALUES ({', '.join('?' * (len(_COLUMNS) + 3))})"
)
_UPDATE = f"UPDATE faces SET {', '.join(f'{column} = ?' for column in _COLUMNS)} WHERE id = ?"
HELD = (
    'SELECT id, person_id, "left", top, "right", bottom, manual, starts, ends, frames, embedding FROM faces'
    " WHERE photo_id = ? ORDER BY ordinal"
)
"""The faces of a photo, or the tracks of a video."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What a reading did to the faces a photo had."""

    gone: tuple[int, ...]
    """Faces that are no more: nothing was found at their place, and nobody ever spoke of them."""
    whole: bool
    """False where a face must stay that the reading says nothing of; then the photo has to be read once more."""


def place(db: Utils, photo: PhotoId, reading: PhotoReading, kept: Collection[FaceId]) -> Placed:
    """Put the faces of a reading into the photo's rows.

    A face found at the place of one that was known, in a video at its time and place, is that face: it keeps its number
    and its person. One of `kept`, or drawn by hand, at whose place nothing is found stays in its box, with what
    `reading.asked` tells of that. The other old ones go, and the other new ones are new.
    """
    held = db.execute(HELD, (photo,)).fetchall()
    if not held:
        db.conn.executemany(_INSERT, [(*_told(face), photo, at, 0) for at, face in enumerate(reading.faces)])
        return Placed((), whole=True)
    pairs = dict(_same(held, reading.faces))
    asked = {(face.box, _start(face.track)): face for face in reading.asked}
    gone: list[int] = []
    whole = True
    for index, row in enumerate(held):
        found = reading.faces[pairs[index]] if index in pairs else None
        if row["manual"] or (found is None and row["id"] in kept):
            # Where somebody drew a box it stays as it was drawn, whatever the detector thinks of it.
            found = asked.get((box_of(row), row["starts"]))
            whole = whole and found is not None
        elif found is None:
            gone.append(row["id"])
        if found is not None:
            _renew(db, row, found)
    db.conn.executemany("DELETE FROM faces WHERE id = ?", [(face,) for face in gone])
    db.conn.executemany("DELETE FROM revised WHERE face_id = ?", [(face,) for face in gone])
    known = set(pairs.values())
    free = free_ordinal(db, photo)
    new = [(*_told(face), photo, free + at, 0) for at, face in enumerate(reading.faces) if at not in known]
    db.conn.executemany(_INSERT, new)
    renumber(db, photo)
    return Placed(tuple(gone), whole)


def _same(held: Sequence[Row], found: Sequence[DetectedFace]) -> list[tuple[int, int]]:
    """Which of a photo's faces, or a video's tracks, are which of those that were found."""
    if all(row["starts"] is None for row in held):
        return matched([box_of(row) for row in held], [face.box for face in found])
    return matched_tracks([(box_of(row), track_of(row)) for row in held], [(face.box, face.track) for face in found])


def _start(track: Track | None) -> float | None:
    return None if track is None else track.start


def insert(db: Utils, photo: PhotoId, number: FaceId, face: DetectedFace, engine: str) -> None:
    """Add a face that was drawn by hand and described by `engine`; it is nobody's yet."""
    columns = f"INSERT INTO faces (id, {', '.join(_COLUMNS)}, photo_id, ordinal, manual)"
    told = (number, *_told(face), photo, free_ordinal(db, photo), 1)
    db.execute(f"{columns} VALUES ({', '.join('?' * len(told))})", told)
    renumber(db, photo)
    wants_grouping(db, photo, engine)


def take_away(db: Utils, face: int) -> PhotoId | None:
    """Take a face drawn by hand out of its photo, to be brought back or not. None where there is none such."""
    row = db.execute(
        "SELECT faces.*, engine FROM faces JOIN photos ON photos.id = photo_id WHERE faces.id = ?", (face,)
    ).fetchone()
    if row is None:
        return None
    told = {**dict(row), "embedding": row["embedding"].hex(), "person_id": None, "score": None}
    db.execute(
        "INSERT INTO removed_faces (face_id, photo_id, face) VALUES (?, ?, ?)",
        (face, row["photo_id"], json.dumps(told)),
    )
    db.execute("DELETE FROM faces WHERE id = ?", (face,))
    db.execute("DELETE FROM revised WHERE face_id = ?", (face,))
    renumber(db, row["photo_id"])
    return PhotoId(row["photo_id"])


def removed(db: Utils, face: int) -> dict[str, object] | None:
    """The row of a face that was taken away, by column, with `engine`; None where none of that number was."""
    row = db.execute("SELECT face FROM removed_faces WHERE face_id = ?", (face,)).fetchone()
    return None if row is None else dict(json.loads(row["face"]))


def bring_back(db: Utils, face: int) -> None:
    """Put back a face that was taken away; it is nobody's. A photo of another engine is read again with it.

    Raises CannotDecide where its photo was forgotten, or another face was found at its place.
    """
    told = removed(db, face)
    if told is None:
        raise CannotDecide(detail=f"face {face} is forgotten, with its photo", hint="Draw it anew: `guyverd box`.")
    engine = told.pop("engine")
    photo = told["photo_id"]
    box = Box(*(int(str(told[edge])) for edge in ("left", "top", "right", "bottom")))
    if (other := at_place(db.execute(HELD, (photo,)).fetchall(), box)) is not None:
        raise CannotDecide(
            detail=f"face {other} was found since where face {face} was drawn",
            hint=f"Say of that one who it is: `guyverd confirm P {other}`.",
        )
    told |= {"embedding": bytes.fromhex(str(told["embedding"])), "ordinal": free_ordinal(db, photo)}
    names = ", ".join(f'"{name}"' for name in told)
    db.execute(f"INSERT INTO faces ({names}) VALUES ({', '.join('?' * len(told))})", tuple(told.values()))
    db.execute("DELETE FROM removed_faces WHERE face_id = ?", (face,))
    renumber(db, photo)
    wants_grouping(db, photo, str(engine))


def wants_grouping(db: Utils, photo: object, engine: str) -> None:
    """Have a photo grouped that got a face which `engine` described; read again if another one read the rest."""
    db.execute(
        "UPDATE photos SET grouped_at = NULL, state = iif(engine = ?2, state, 'pending') WHERE id = ?1",
        (photo, engine),
    )


def at_place(rows: Sequence[Row], box: Box) -> FaceId | None:
    """Which of a photo's faces, as `HELD` gives them, a box is about; None where it is about another."""
    pairs = matched([box_of(row) for row in rows], [box])
    return FaceId(rows[pairs[0][0]]["id"]) if pairs else None


def renumber(db: Utils, photo: object) -> None:
    """Number a photo's faces from left to right, then from top to bottom; a video's by when they begin, first."""
    rows = db.execute(
        'SELECT id FROM faces WHERE photo_id = ? ORDER BY starts, "left", top, "right", bottom, id', (photo,)
    )
    faces = [row[0] for row in rows]
    # No number may be taken twice at any moment.
    db.execute("UPDATE faces SET ordinal = -1 - id WHERE photo_id = ?", (photo,))
    db.conn.executemany("UPDATE faces SET ordinal = ? WHERE id = ?", list(enumerate(faces)))


def _renew(db: Utils, row: Row, face: DetectedFace) -> None:
    told = _told(face)
    db.execute(_UPDATE, (*told, row["id"]))
    if told[-1] != row["embedding"]:
        db.execute("INSERT OR IGNORE INTO revised (face_id) VALUES (?)", (row["id"],))


def set_place(db: Utils, number: int, face: DetectedFace) -> None:
    """Note where, and in a video when, a known face is found now; the rest of what is told of it stays."""
    box, track = face.box, face.track
    db.execute(
        'UPDATE faces SET "left" = ?, top = ?, "right" = ?, bottom = ?, starts = ?, ends = ?, frames = ? WHERE id = ?',
        (
            *(box.left, box.top, box.right, box.bottom),
            *((None, None, None) if track is None else (track.start, track.end, frames_as_text(track.frames))),
            number,
        ),
    )


def free_ordinal(db: Utils, photo: object) -> int:
    """An ordinal that no face of the photo has."""
    row = db.execute("SELECT coalesce(max(ordinal), -1) + 1 FROM faces WHERE photo_id = ?", (photo,)).fetchone()
    found: int = row[0]
    return found


def frames_as_text(frames: Sequence[Frame]) -> str:
    """The best frames of a track as JSON: [[seconds, left, top, right, bottom, quality], …]."""
    told = []
    for frame in frames:
        box = frame.box
        told.append([round(frame.time, 4), box.left, box.top, box.right, box.bottom, round(frame.quality, 4)])
    return json.dumps(told)


def frames_of(text: str | None) -> tuple[Frame, ...]:
    """The same read back; none of a face in a photo."""
    rows = [] if text is None else json.loads(text)
    return tuple(Frame(time, Box(*map(int, edges)), quality) for time, *edges, quality in rows)


def track_of(row: Row) -> Track | None:
    """When the face in a row of faces is seen, if it is a track."""
    return None if row["starts"] is None else Track(row["starts"], row["ends"], frames_of(row["frames"]))


def _told(face: DetectedFace) -> tuple[object, ...]:
    box, quality, track = face.box, face.quality, face.track
    vector = np.ascontiguousarray(face.embedding, dtype="<f4")
    assert vector.shape == (EMBEDDING_SIZE,)
    return (
        box.left,
        box.top,
        box.right,
        box.bottom,
        json.dumps([[round(x, 2), round(y, 2)] for x, y in face.landmarks]),
        face.confidence,
        quality.score,
        quality.size,
        quality.sharpness,
        quality.confidence,
        quality.pose,
        None if track is None else track.start,
        None if track is None else track.end,
        None if track is None else frames_as_text(track.frames),
        face.look,
        vector.tobytes(),
    )
