"""What would be forgotten for good: the photos that have been away for long, and whose they are."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd.catalogue.presence import OVERDUE
from guyverd.model import FaceId, PersonId

if TYPE_CHECKING:
    import sqlite3

    from guyverd.catalogue.database import Database

_GOING = f"WITH going AS MATERIALIZED ({OVERDUE}) "


@dataclass(frozen=True, slots=True)
class Loss:
    """What forgetting would cost somebody with a name."""

    person: PersonId
    name: str
    photos: int
    """That show them and would be forgotten."""
    left: int
    """That show them and would not."""


@dataclass(frozen=True, slots=True)
class Going:
    """What would be forgotten; of one moment."""

    digest: str
    """Of which photos these are: of others it is another."""
    photos: int
    total: int
    """All photos of the catalogue."""
    replaced: int
    """Of those that would be forgotten: contents that no path holds any more, as others took their place."""
    faces: frozenset[FaceId]
    losses: tuple[Loss, ...]
    """Of everybody with a name who loses any, most first."""
    nameless: int
    """How many people without a name lose any."""


class Removal:
    """What is asked before photos are forgotten; they are forgotten by `Files.forget`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def going(self, before: str) -> Going:
        """What has been missing since before that time, and would be forgotten."""
        with _moment(self._db) as reader:
            photos = [row[0] for row in reader.execute(f"{OVERDUE} ORDER BY photo_id", (before,))]
            total: int = reader.execute("SELECT count(*) FROM photos").fetchone()[0]
            replaced: int = reader.execute(
                f"{_GOING} SELECT count(*) FROM going WHERE NOT EXISTS (SELECT 1 FROM files WHERE photo_id = going.id)",
                (before,),
            ).fetchone()[0]
            faces = reader.execute(f"{_GOING} SELECT faces.id FROM going JOIN faces ON photo_id = going.id", (before,))
            found = frozenset(FaceId(row[0]) for row in faces)
            losing = reader.execute(
                f"{_GOING} SELECT people.id, name, count(DISTINCT photo_id) AS photos,"
                " (SELECT count(DISTINCT photo_id) FROM faces AS held WHERE held.person_id = people.id) AS held"
                " FROM going CROSS JOIN faces ON photo_id = going.id JOIN people ON people.id = person_id"
                " GROUP BY people.id ORDER BY photos DESC, people.id",
                (before,),
            ).fetchall()
        losses = tuple(
            Loss(PersonId(row["id"]), row["name"], row["photos"], row["held"] - row["photos"])
            for row in losing
            if row["name"] is not None
        )
        return Going(digest(photos), len(photos), total, replaced, found, losses, len(losing) - len(losses))

    def matter(self, before: str) -> int:
        """How many of them somebody could miss: a file of theirs is gone, or they have a face.

        The others are contents without a face that no path holds any more, such as what a file was while it was being
        written.
        """
        row = self._db.row(
            f"{_GOING} SELECT count(*) FROM going WHERE EXISTS (SELECT 1 FROM files WHERE photo_id = going.id)"
            " OR EXISTS (SELECT 1 FROM faces WHERE photo_id = going.id)",
            (before,),
        )
        assert row is not None
        found: int = row[0]
        return found

    def files(self, before: str) -> Iterator[tuple[bytes, bytes, bool, str]]:
        """The files that held what would be forgotten: root, path in it, whether the root is guyverd's own, since when.

        By root and path.
        """
        rows = self._db.stream(
            f"{_GOING} SELECT roots.path AS root, files.path, own, missing_since"
            " FROM going CROSS JOIN files ON photo_id = going.id JOIN roots ON roots.id = root_id"
            " ORDER BY roots.path, files.path",
            (before,),
        )
        return ((row["root"], row["path"], bool(row["own"]), row["missing_since"]) for row in rows)


def digest(photos: list[int]) -> str:
    """Tells one set of photos, given by rising number, from another."""
    return hashlib.blake2b(b",".join(b"%d" % photo for photo in photos), digest_size=5).hexdigest()


@contextlib.contextmanager
def _moment(database: Database) -> Iterator[sqlite3.Connection]:
    """A reader to whom nothing changes between two questions."""
    with database.reading() as reader:
        reader.execute("BEGIN")
        try:
            yield reader
        finally:
            reader.execute("COMMIT")
