"""What a root is known by when another directory stands in its place, and which disks are mounted in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database
from guyverd.model import RootId, RootIdentity

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils


class Places:
    """Queries and writes about where roots stand."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def count(self, root: RootId) -> int:
        """How many files of a root are there, as far as is known."""
        row = self._db.row("SELECT count(*) FROM files WHERE root_id = ? AND missing_since IS NULL", (root,))
        assert row is not None
        return int(row[0])

    def sample(self, root: RootId, most: int) -> list[tuple[bytes, int]]:
        """Path and size of at most `most` of these files, from first to last in even steps."""
        step = max(1, -(-self.count(root) // most))
        rows = self._db.rows(
            "SELECT path, size FROM files WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n"
            " FROM files WHERE root_id = ? AND missing_since IS NULL) WHERE (n - 1) % ? = 0) ORDER BY id",
            (root, step),
        )
        return [(row["path"], row["size"]) for row in rows]

    def recognised(self, root: RootId, stamps: Sequence[tuple[int, int]]) -> int:
        """How many of these sizes and times of change, at most 400, are those of files known in a root."""
        distinct = sorted(set(stamps))
        if not distinct:
            return 0
        marks = ",".join(["(?, ?)"] * len(distinct))
        rows = self._db.rows(
            "SELECT DISTINCT size, mtime_ns FROM files WHERE root_id = ? AND missing_since IS NULL"
            f" AND (size, mtime_ns) IN (VALUES {marks})",
            (root, *(number for stamp in distinct for number in stamp)),
        )
        return len(rows)

    # ---- disks mounted in it -----------------------------------------------------------------------------------------

    def mounts(self, root: RootId) -> dict[bytes, RootIdentity]:
        """Where disks are mounted below a root, relative to it, and what stood there when they were last seen."""
        rows = self._db.rows("SELECT path, device, inode FROM mounts WHERE root_id = ? ORDER BY path", (root,))
        return {row["path"]: RootIdentity(row["device"], row["inode"]) for row in rows}

    def mounted(self, root: RootId, path: bytes, identity: RootIdentity) -> None:
        """A disk is mounted there."""
        given = (root, path, identity.device, identity.inode)
        self._db.write(lambda db: db.execute("INSERT OR REPLACE INTO mounts VALUES (?, ?, ?, ?)", given))

    def unmounted(self, root: RootId, path: bytes) -> None:
        """None is, and none is expected any more."""
        self._db.write(lambda db: db.execute("DELETE FROM mounts WHERE root_id = ? AND path = ?", (root, path)))

    def below(self, root: RootId, path: bytes, most: int) -> list[tuple[bytes, int]]:
        """Path and size of at most `most` of the files below a folder, as far as is known, by path."""
        rows = self._db.rows(
            "SELECT path, size FROM files WHERE root_id = ? AND path > ? AND path < ? ORDER BY path LIMIT ?",
            (root, path + b"/", path + b"0", most),
        )
        return [(row["path"], row["size"]) for row in rows]

    def put_back(self, root: RootId, path: bytes) -> int:
        """Files below a folder whose disk is away are not missing, whatever was thought; tells how many were."""
        below = (root, path + b"/", path + b"0")
        missing = "missing_since IS NOT NULL AND root_id = ? AND path > ? AND path < ?"
        if self._db.row(f"SELECT 1 FROM files WHERE {missing} LIMIT 1", below) is None:
            return 0
        return self._db.write(
            lambda db: db.conn.execute(f"UPDATE files SET missing_since = NULL WHERE {missing}", below).rowcount
        )

    def begin_below(self, root: RootId, path: bytes, at: str) -> int:
        """What is known below a folder is missing until it is seen; tells how many files that are."""
        return self._db.write(
            lambda db: (
                db.conn.execute(
                    "UPDATE files SET missing_since = ?"
                    " WHERE missing_since IS NULL AND root_id = ? AND path > ? AND path < ?",
                    (at, root, path + b"/", path + b"0"),
                ).rowcount
            )
        )

    # ---- another in its place ----------------------------------------------------------------------------------------

    def begin_anew(self, root: RootId, at: str) -> int:
        """Whatever stands at the root's path from now on is the root; what is known in it is missing until it is seen.

        Returns how many files that are.
        """

        def job(db: Utils) -> int:
            db.conn.execute("UPDATE roots SET device = NULL, inode = NULL WHERE id = ?", (root,))
            missing = db.conn.execute(
                "UPDATE files SET missing_since = ? WHERE root_id = ? AND missing_since IS NULL", (at, root)
            )
            return missing.rowcount

        return self._db.write(job)
