"""That the catalogue came from a backup, until the people folder, which is newer, was looked at in that light."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.links import changing
from guyverd.catalogue.rows import within
from guyverd.published import Home, OwnerId, PublishedLink

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

RESTORED = "restored"
"""The key in `custody`; its value is JSON: when and from what, and the folders that are being moved back."""


def prepare(path: bytes, at: str, source: str) -> None:
    """Make an unpacked catalogue one of today, and note in it that it was restored, when and from what.

    Its index is of another time, and is built anew. Raises CatalogueError and StateError.
    """
    database = Database(path)
    try:
        value = json.dumps({"at": at, "from": source})

        def job(db: Utils) -> None:
            db.execute("INSERT OR REPLACE INTO custody VALUES (?, ?)", (RESTORED, value))
            db.execute("DELETE FROM meta WHERE key = 'index'")

        database.write(job)
    finally:
        database.close()


class Restored:
    """What is noted of it."""

    def __init__(self, database: Database, now: Callable[[], str]) -> None:
        self._db = database
        self._now = now

    def pending(self) -> bool:
        """Whether it was restored, and the people folder was not looked at since."""
        return self._db.row("SELECT 1 FROM custody WHERE key = ?", (RESTORED,)) is not None

    def moved(self) -> dict[bytes, bytes]:
        """Folders that were moved back since: where each was, by where it is, relative to the people folder."""
        row = self._db.row("SELECT value FROM custody WHERE key = ?", (RESTORED,))
        told = {} if row is None else json.loads(row["value"]).get("moved", {})
        return {os.fsencode(new): os.fsencode(old) for new, old in told.items()}

    def note_moved(self, moved: Mapping[bytes, bytes]) -> None:
        """Note folders that are about to be moved back."""

        def job(db: Utils) -> None:
            row: Row = db.execute("SELECT value FROM custody WHERE key = ?", (RESTORED,)).fetchone()
            told = {os.fsdecode(new): os.fsdecode(old) for new, old in moved.items()}
            value = json.dumps({**json.loads(row["value"]), "moved": told})
            db.execute("UPDATE custody SET value = ? WHERE key = ?", (value, RESTORED))

        self._db.write(job)

    def settle(
        self,
        *,
        forgotten: Collection[PublishedLink],
        links: Collection[PublishedLink],
        homes: Collection[Home],
        gone: Collection[OwnerId],
        strays: Collection[bytes],
    ) -> None:
        """The people folder was looked at: the ledger says what stands there, and from now on hands are heard again."""
        ledger = changing(forgotten=forgotten, links=links, homes=homes, gone=gone, at=self._now())

        def job(db: Utils) -> None:
            ledger(db)
            # Nobody bears that number: it is no folder that could be looked at.
            db.execute("DELETE FROM stale WHERE person_id = 0")
            db.execute("DELETE FROM strays")
            db.conn.executemany("INSERT INTO strays VALUES (?)", ((path,) for path in strays))
            db.execute("DELETE FROM meta WHERE key = 'people_folder_paused'")
            db.execute("DELETE FROM custody WHERE key = ?", (RESTORED,))

        self._db.write(job)

    def files_by_stamp(self) -> dict[tuple[int, int], list[bytes]]:
        """The absolute paths of all files that are there, by size and time of modification."""
        found: dict[tuple[int, int], list[bytes]] = {}
        rows = self._db.stream(
            "SELECT roots.path AS root_path, files.path, size, mtime_ns FROM files JOIN roots ON roots.id = root_id"
            " WHERE missing_since IS NULL AND NOT own"
        )
        for row in rows:
            found.setdefault((row["size"], row["mtime_ns"]), []).append(within(row["root_path"], row["path"]))
        return found
