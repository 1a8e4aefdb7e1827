"""The catalogue as one thing: open it, and ask or tell its parts."""

from __future__ import annotations

import functools
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database, Written
from guyverd.catalogue.decisions import Decisions
from guyverd.catalogue.files import Files
from guyverd.catalogue.following import Follows
from guyverd.catalogue.heard import Heard
from guyverd.catalogue.links import Links
from guyverd.catalogue.passing import Passing
from guyverd.catalogue.people import People
from guyverd.catalogue.places import Places
from guyverd.catalogue.presence import COUNTS
from guyverd.catalogue.removal import Removal
from guyverd.catalogue.renewal import Renewal
from guyverd.catalogue.restored import Restored
from guyverd.catalogue.rows import Counts
from guyverd.catalogue.schema import seen_together
from guyverd.catalogue.searching import Searching
from guyverd.catalogue.shelves import Shelves
from guyverd.model import FaceId, IndexStamp
from guyverd.pairs import components

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from guyverd.catalogue.boxes import Boxes
    from guyverd.catalogue.films import Films
    from guyverd.catalogue.photos import Photos
    from guyverd.catalogue.questions import Questions
    from guyverd.catalogue.readings import Readings

_INDEX = "index"


def now() -> str:
    """This moment as the catalogue writes it: UTC, ISO 8601, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Catalogue:
    """The truth of one library, in one SQLite file."""

    def __init__(self, path: bytes, clock: Callable[[], str] = now) -> None:
        self._db = Database(path)
        self.path = path
        self.now = clock
        self.files = Files(self._db)
        self.places = Places(self._db)
        self.people = People(self._db)
        self.decisions = Decisions(self._db)
        self.links = Links(self._db, clock)
        self.shelves = Shelves(self._db)
        self.searching = Searching(self._db)
        self.heard = Heard(self._db)
        self.renewal = Renewal(self._db)
        self.removal = Removal(self._db)
        self.restored = Restored(self._db, clock)
        self.passing = Passing(self._db)
        self.follows = Follows(self._db, clock)

    @functools.cached_property
    def photos(self) -> Photos:
        """Photos and faces; it alone needs numpy, which takes longer to load than a list of people to make."""
        from guyverd.catalogue.photos import Photos  # noqa: PLC0415

        return Photos(self._db, self.files)

    @functools.cached_property
    def boxes(self) -> Boxes:
        """Faces drawn by hand."""
        from guyverd.catalogue.boxes import Boxes  # noqa: PLC0415  see above

        return Boxes(self._db)

    @functools.cached_property
    def films(self) -> Films:
        """Videos on their way to being read."""
        from guyverd.catalogue.films import Films  # noqa: PLC0415  see above

        return Films(self._db)

    @functools.cached_property
    def questions(self) -> Questions:
        """What questions to the user are made from, and which were skipped."""
        from guyverd.catalogue.questions import Questions  # noqa: PLC0415  see above

        return Questions(self._db)

    @functools.cached_property
    def readings(self) -> Readings:
        """Photos with all that was found in them."""
        from guyverd.catalogue.readings import Readings  # noqa: PLC0415  see above

        return Readings(self._db, self.files)

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is being written and close the file."""
        self._db.close()

    @property
    def written(self) -> Written:
        """What was written since it was opened."""
        return self._db.written

    @property
    def writes_waiting(self) -> int:
        """Transactions that nobody has begun."""
        return self._db.waiting

    def counts(self) -> Counts:
        """How much there is, of what is there."""
        row = self._db.row(COUNTS)
        assert row is not None
        return Counts(**dict(row))

    def backlog(self) -> tuple[int, int]:
        """Files to identify and photos to read, there or not: quick, for those who ask often."""
        row = self._db.row(
            "SELECT (SELECT coalesce(sum(pending), 0) FROM tallies),"
            " (SELECT photos FROM photo_tallies WHERE state = 'pending')"
        )
        assert row is not None
        return row[0], row[1]

    def index_stamp(self) -> IndexStamp | None:
        """The index file that was saved last, or None; also where what is noted of it says nothing to this program."""
        row = self._db.row("SELECT value FROM meta WHERE key = ?", (_INDEX,))
        try:
            return None if row is None else IndexStamp(**json.loads(row["value"]))
        except (TypeError, ValueError):
            return None

    def set_index_stamp(self, stamp: IndexStamp) -> None:
        """Remember the index file that counts from now on; it has the newest vector of every face that was grouped."""
        value = json.dumps(asdict(stamp))

        def job(db: Utils) -> None:
            db.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (_INDEX, value),
            )
            db.execute(
                "DELETE FROM revised WHERE NOT EXISTS (SELECT 1 FROM faces JOIN photos ON photos.id = photo_id"
                " WHERE faces.id = revised.face_id AND grouped_at IS NULL)"
            )

        self._db.write(job)

    def beat(self) -> None:
        """Write something small and durable: what the watchdog counts as being alive."""
        self._db.write(
            lambda db: db.execute(
                "INSERT INTO meta (key, value) VALUES ('beat', ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (self.now(),),
            )
        )

    def integrity(self) -> list[str]:
        """What SQLite finds wrong with the file and its references; empty when all is well."""
        problems = [row[0] for row in self._db.rows("PRAGMA integrity_check") if row[0] != "ok"]
        problems += [
            f"{row[0]} row {row[1]} refers to a missing {row[2]}" for row in self._db.rows("PRAGMA foreign_key_check")
        ]
        return problems

    def contradictions(self, alike: Iterable[tuple[FaceId, FaceId]] = ()) -> list[str]:
        """What must never be, stated in the catalogue itself; empty when all is well.

        `alike` are the pairs of faces that may be one person though in one photo.
        """
        found = []
        kin = components(alike)
        twice: dict[tuple[int, int], set[int]] = defaultdict(set)
        for row in self._db.rows(
            "SELECT one.photo_id, one.person_id, one.id AS first, other.id AS second FROM faces AS one"
            " JOIN faces AS other INDEXED BY faces_person ON other.person_id = one.person_id"
            " AND other.photo_id = one.photo_id AND other.ordinal > one.ordinal"
            f" WHERE one.person_id IS NOT NULL AND {seen_together('one', 'other')} ORDER BY one.photo_id, one.person_id"
        ):
            pair = FaceId(row["first"]), FaceId(row["second"])
            if kin.get(pair[0], pair[0]) != kin.get(pair[1], pair[1]):
                twice[row["photo_id"], row["person_id"]].update(pair)
        for (photo, person), faces in twice.items():
            found.append(f"photo {photo} shows person {person} {len(faces)} times")
        for row in self._db.rows(
            "SELECT faces.id, person_id FROM faces JOIN people ON people.id = person_id WHERE merged_into IS NOT NULL"
        ):
            found.append(f"face {row['id']} belongs to person {row['person_id']}, who was merged into another")
        return found

    def size(self) -> int:
        """Bytes on disk, with the write-ahead log."""
        return sum(
            os.path.getsize(path)
            for path in (self.path, self.path + b"-wal", self.path + b"-shm")
            if os.path.exists(path)
        )
