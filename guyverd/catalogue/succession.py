"""What was said of faces outlives the bytes they were found in: for use within a transaction.

A photo is its bytes, so each edit (a rating or a date written into the file, a rotation, a crop) makes another photo
of it. Where nothing holds the old bytes any more, the new photo *follows* the old one: when it is read, faces that are
in both are the same faces, with their numbers, their people, and all that was said of them (`inheriting.py`).

And a photo that is forgotten, because it was away for long, leaves behind what somebody spoke of: faces that decisions
are about, and a few of everybody who has a name or is hidden. If its bytes ever return, they find all that again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from guyverd.model import FaceId

REMEMBERED_FACES = 8
"""Faces by which somebody with a name is known again when all their photos were forgotten."""

SUCCESSION = """
CREATE TABLE formers (
    photo_id INTEGER NOT NULL REFERENCES photos (id) ON DELETE CASCADE,
    former_id INTEGER NOT NULL REFERENCES photos (id) ON DELETE CASCADE,
    taken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (photo_id, former_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX formers_former ON formers (former_id);
CREATE TABLE remembered (
    photo_id INTEGER PRIMARY KEY REFERENCES photos (id) ON DELETE CASCADE
) STRICT;
"""
"""What it takes to know faces again in photos that were edited, or forgotten and brought back."""


def note_change(db: Utils, file: int, photo: int) -> None:
    """Note that a file is about to hold that photo, before its row says so: it may follow what the file held."""
    row = db.execute("SELECT photo_id FROM files WHERE id = ?", (file,)).fetchone()
    before = None if row is None else row[0]
    db.execute("DELETE FROM remembered WHERE photo_id = ?", (photo,))
    # Others may have taken faces out of it while it was away: it is read again, and may take them back.
    if db.execute("SELECT 1 FROM formers WHERE former_id = ? AND taken", (photo,)).fetchone() is not None:
        db.execute("UPDATE photos SET state = 'pending', reason = NULL, attempts = 0 WHERE id = ?", (photo,))
        db.execute("DELETE FROM formers WHERE former_id = ? AND taken", (photo,))
    if before is None or before == photo:
        return
    follows = "INSERT OR IGNORE INTO formers (photo_id, former_id)"
    db.execute(f"{follows} VALUES (?, ?)", (photo, before))
    # What was never read, as a half-written file, has nothing to hand on but what it should have taken over itself.
    db.execute(
        f"{follows} SELECT ?1, former_id FROM formers JOIN photos ON photos.id = photo_id"
        " WHERE photo_id = ?2 AND NOT taken AND state <> 'done' AND former_id <> ?1",
        (photo, before),
    )


def remember(db: Utils, kept: Collection[FaceId]) -> None:
    """Take out of the temporary table `going`, photos about to be forgotten, those of which something is to stay.

    They lose their files, and are known when their bytes return. Of `kept` something was said. Photos that are
    remembered already, and need not be any more, are added to `going`.
    """
    connection = db.conn
    connection.execute("INSERT OR IGNORE INTO going SELECT photo_id FROM remembered")
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS staying (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM staying")
    connection.executemany(
        "INSERT OR IGNORE INTO staying SELECT photo_id FROM faces WHERE id = ? AND photo_id IN (SELECT id FROM going)",
        ((face,) for face in sorted(kept)),
    )
    # Somebody who has faces enough in photos that stay is known by those.
    connection.execute(
        """
        INSERT OR IGNORE INTO staying SELECT photo_id FROM (
            SELECT photo_id, row_number() OVER (
                PARTITION BY person_id ORDER BY photo_id IN (SELECT id FROM going), quality DESC, faces.id) AS place
            FROM faces WHERE person_id IN (
                SELECT person_id FROM faces JOIN people ON people.id = person_id
                WHERE photo_id IN (SELECT id FROM going) AND (name IS NOT NULL OR hidden)))
        WHERE place <= ? AND photo_id IN (SELECT id FROM going)
        """,
        (REMEMBERED_FACES,),
    )
    connection.execute("DELETE FROM files WHERE photo_id IN (SELECT id FROM staying)")
    connection.execute("INSERT OR IGNORE INTO remembered SELECT id FROM staying")
    connection.execute("DELETE FROM going WHERE id IN (SELECT id FROM staying)")
