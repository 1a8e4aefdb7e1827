"""Roots and files: which paths there are, and which photo each holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from guyverd.catalogue.database import Database, Row
from guyverd.catalogue.presence import OVERDUE
from guyverd.catalogue.removal import digest
from guyverd.catalogue.rows import PendingFile, RootRow, display, within
from guyverd.catalogue.succession import note_change, remember
from guyverd.errors import CannotDecide
from guyverd.model import (
    Changes,
    FileId,
    KnownFile,
    PhotoId,
    PhotoKind,
    PhotoState,
    RootId,
    RootIdentity,
    RootState,
    SeenFile,
    Stamp,
)

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from guyverd.model import FaceId


NOTHING_TAKEN: Mapping[FileId, Stamp] = MappingProxyType({})
"""No stamps: what is told of a file counts whatever became of it."""


class Files:
    """Queries and writes about roots and files."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- roots -------------------------------------------------------------------------------------------------------

    def configure(self, paths: Sequence[bytes], own: Sequence[bytes] = ()) -> None:
        """Make `paths` the roots that count; others keep their rows but their files are not there.

        `own` are roots that nobody watches: they hold what people put, or link to, in the people folder.
        """

        def job(db: Utils) -> None:
            # What stays as it is is not written: each root that changes has everybody's folder looked at.
            for row in db.execute("SELECT id, path FROM roots WHERE configured").fetchall():
                if row["path"] not in paths and row["path"] not in own:
                    db.execute("UPDATE roots SET configured = 0 WHERE id = ?", (row["id"],))
            for path, ours in [*((path, False) for path in paths), *((path, True) for path in own)]:
                db.execute(
                    "INSERT INTO roots (path, display, own) VALUES (?, ?, ?)"
                    " ON CONFLICT (path) DO UPDATE SET configured = 1, own = excluded.own",
                    (path, display(path).rstrip("/"), ours),
                )

        self._db.write(job)

    def roots(self) -> list[RootRow]:
        """Every configured root that is watched, in the order they were first configured."""
        return [_root(row) for row in self._db.rows(f"{_ROOT} WHERE configured AND NOT own ORDER BY id")]

    def own(self) -> dict[bytes, RootId]:
        """The roots that hold what people put, or link to, in the people folder, by their path."""
        rows = self._db.rows("SELECT id, path FROM roots WHERE configured AND own")
        return {row["path"]: RootId(row["id"]) for row in rows}

    def count_by_root(self) -> dict[RootId, int]:
        """How many files are there in each root that has any."""
        rows = self._db.rows("SELECT root_id, files FROM tallies WHERE files > 0")
        return {RootId(row[0]): row[1] for row in rows}

    def set_root(self, root: RootId, identity: RootIdentity | None, state: RootState, detail: str) -> None:
        """Note how a root was found; an identity of None leaves the last one known."""
        seen = identity or RootIdentity(0, 0)
        self._db.write(
            lambda db: db.execute(
                "UPDATE roots SET device = CASE WHEN ?1 THEN ?2 ELSE device END,"
                " inode = CASE WHEN ?1 THEN ?3 ELSE inode END, state = ?4, detail = ?5 WHERE id = ?6",
                (identity is not None, seen.device, seen.inode, state.value, detail, root),
            )
        )

    def scanned(self, root: RootId, at: str) -> None:
        """Note that a full pass over a root ended."""
        self._db.write(lambda db: db.execute("UPDATE roots SET scanned_at = ? WHERE id = ?", (at, root)))

    # ---- files -------------------------------------------------------------------------------------------------------

    def known(self, root: RootId, scope: bytes = b"") -> list[KnownFile]:
        """The files known at or below `scope` (relative; empty for the whole root), ordered by path."""
        return self.known_between(root, scope)

    def known_between(
        self, root: RootId, scope: bytes, after: bytes | None = None, through: bytes | None = None, most: int = -1
    ) -> list[KnownFile]:
        """The first `most` of the files known at or below `scope` whose path comes after one and not after another.

        Ordered by path, as bytes; the scope itself, should it be a file, comes first. However many there are, this
        takes no longer than what it gives: a comparison of a whole root asks for one piece after the other.
        """
        # '0' is the byte after '/', so the range holds exactly the paths below `scope`. Each end has one bound: of two
        # the index would use one, and go through all up to there.
        low = max(after or b"", scope + b"/" if scope else b"")
        below = " AND path <= :through" if through is not None else " AND path < :high" if scope else ""
        where = ["path > :low" + below]
        if scope and after is None and (through is None or scope <= through):
            # With OR instead of a query of its own the whole root would be gone through.
            where.insert(0, "path = :scope")
        given = {"root": root, "scope": scope, "low": low, "high": scope + b"0", "through": through, "most": most}
        rows: list[Row] = []
        for one in where:
            rows += self._db.rows(f"{_KNOWN} WHERE root_id = :root AND {one} ORDER BY path LIMIT :most", given)
        return [_known(row) for row in (rows if most < 0 else rows[:most])]

    def known_of(self, files: Sequence[int]) -> list[KnownFile]:
        """What is known of those files, of those that are still known."""
        rows: list[Row] = []
        for some in slices(files):
            rows += self._db.rows(f"{_KNOWN} WHERE id IN ({','.join('?' * len(some))}) ORDER BY id", tuple(some))
        return [_known(row) for row in rows]

    def apply(self, root: RootId, changes: Changes, at: str) -> None:
        """Make what was observed durable, in one transaction: new and changed files become pending."""

        def job(db: Utils) -> None:
            connection = db.conn
            connection.executemany(
                "INSERT INTO files (root_id, path, display, size, mtime_ns, inode, seen_at) VALUES (?,?,?,?,?,?,?)"
                " ON CONFLICT (root_id, path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,"
                " inode = excluded.inode, seen_at = excluded.seen_at, state = 'pending', reason = NULL,"
                " missing_since = NULL",
                (_new(root, seen, at) for seen in changes.new),
            )
            connection.executemany(
                "UPDATE files SET size = ?, mtime_ns = ?, inode = ?, seen_at = ?, state = 'pending', reason = NULL,"
                " missing_since = NULL WHERE id = ?",
                ((seen.stamp.size, seen.stamp.mtime_ns, seen.stamp.inode, at, file) for file, seen in changes.changed),
            )
            connection.executemany(
                "UPDATE files SET missing_since = NULL, seen_at = ? WHERE id = ?",
                ((at, file) for file in changes.returned),
            )
            connection.executemany(
                "UPDATE files SET missing_since = ? WHERE id = ? AND missing_since IS NULL",
                ((at, file) for file in changes.gone),
            )
            # A path that is gone while its content lives on elsewhere was moved: nothing is left to remember.
            connection.executemany(
                "DELETE FROM files WHERE id = ? AND missing_since IS NOT NULL AND EXISTS (SELECT 1 FROM files AS other"
                " WHERE other.photo_id = files.photo_id AND other.missing_since IS NULL AND other.id <> files.id"
                " AND other.state = 'identified')",
                ((file,) for file in changes.gone),
            )

        if changes:
            self._db.write(job)

    def pending(self, limit: int, after: int = 0) -> list[PendingFile]:
        """Files to identify, by id, in online roots."""
        rows = self._db.rows(
            "SELECT files.id, roots.path AS root_path, files.path, size, mtime_ns, files.inode"
            " FROM files JOIN roots ON roots.id = files.root_id"
            " WHERE files.state = 'pending' AND missing_since IS NULL AND configured AND roots.state = 'online'"
            " AND files.id > ? ORDER BY files.id LIMIT ?",
            (after, limit),
        )
        return [
            PendingFile(
                FileId(row["id"]),
                row["root_path"],
                row["path"],
                Stamp(row["size"], row["mtime_ns"], row["inode"]),
            )
            for row in rows
        ]

    def identified(
        self,
        found: Iterable[tuple[FileId, Stamp, bytes]],
        taken: Mapping[FileId, Stamp] = NOTHING_TAKEN,
        videos: Collection[FileId] = frozenset(),
    ) -> int:
        """Files, the stamp they had and the hash of their bytes, in the order given; returns how many photos are new.

        A known hash is a known photo: nothing of it is computed again. Missing files of the same photo are forgotten,
        for their content has moved. `taken` are the stamps with which files were taken up: one that has got another
        since stays pending, for what was read of it is not what it holds now. `videos` are those named as such.
        """

        def job(db: Utils) -> int:
            connection, new = db.conn, 0
            for file, stamp, hash_ in found:
                kind = PhotoKind.VIDEO if file in videos else PhotoKind.PHOTO
                if (
                    connection.execute(f"SELECT 1 FROM files WHERE {_AS_TAKEN}", _as_taken(file, taken)).fetchone()
                    is None
                ):
                    continue  # its row went or changed while it was read: nothing may be concluded for other files
                row = connection.execute("SELECT id, kind, state FROM photos WHERE hash = ?", (hash_,)).fetchone()
                if row is None:
                    inserted = connection.execute(
                        "INSERT INTO photos (hash, size, kind) VALUES (?, ?, ?) RETURNING id",
                        (hash_, stamp.size, kind.value),
                    )
                    row = inserted.fetchone()
                    new += 1
                elif row["kind"] != kind and row["state"] != PhotoState.DONE:
                    # Only a name told what it is, and that name did not lead far.
                    connection.execute(
                        "UPDATE photos SET kind = ?, state = 'pending', reason = NULL, attempts = 0 WHERE id = ?",
                        (kind.value, row["id"]),
                    )
                note_change(db, file, row["id"])
                connection.execute(
                    "UPDATE files SET state = 'identified', reason = NULL, photo_id = ?, size = ?, mtime_ns = ?,"
                    " inode = ? WHERE id = ?",
                    (row["id"], stamp.size, stamp.mtime_ns, stamp.inode, file),
                )
                connection.execute(
                    "DELETE FROM files WHERE photo_id = ? AND missing_since IS NOT NULL AND id <> ?", (row["id"], file)
                )
            return new

        return self._db.write(job)

    def failed(self, failures: Iterable[tuple[FileId, str]], taken: Mapping[FileId, Stamp] = NOTHING_TAKEN) -> None:
        """Note why files could not be read at all; "cannot read" is not "deleted": they keep their photo.

        `taken` as in `identified`.
        """

        def job(db: Utils) -> None:
            db.conn.executemany(
                f"UPDATE files SET state = 'failed', reason = :reason WHERE {_AS_TAKEN}",
                (_as_taken(file, taken) | {"reason": reason} for file, reason in failures),
            )

        self._db.write(job)

    def retry_at(self, root: RootId, path: bytes) -> bool:
        """Try a file that could not be read, or changed while it was, once more; tells whether there is such a one."""
        row = self._db.row("SELECT id FROM files WHERE root_id = ? AND path = ? AND state = 'failed'", (root, path))
        if row is not None:
            self._db.write(lambda db: db.execute("UPDATE files SET state = 'pending' WHERE id = ?", (row["id"],)))
        return row is not None

    def retry_failed(self, root: RootId) -> None:
        """Try the files of a root that could not be read once more: permissions and disks get mended."""
        self._db.write(
            lambda db: db.execute("UPDATE files SET state = 'pending' WHERE root_id = ? AND state = 'failed'", (root,))
        )

    def vanished(self, file: FileId, at: str, taken: Mapping[FileId, Stamp] = NOTHING_TAKEN) -> None:
        """A file that was gone when it was to be read; in a root that is offline it may well be there.

        `taken` as in `identified`.
        """
        self._db.write(
            lambda db: db.execute(
                f"UPDATE files SET missing_since = :at WHERE {_AS_TAKEN} AND missing_since IS NULL AND {_IN_REACH}",
                _as_taken(file, taken) | {"at": at},
            )
        )

    def gone(self, photo: PhotoId, at: str) -> None:
        """None of a photo's files was there when it was to be read; those in roots that are offline may well be.

        Nor is one gone that has changed since, and waits to be identified.
        """
        self._db.write(
            lambda db: db.execute(
                "UPDATE files SET missing_since = ? WHERE photo_id = ? AND missing_since IS NULL AND state <> 'pending'"
                f" AND {_IN_REACH}",
                (at, photo),
            )
        )

    def again(self, photo: PhotoId) -> None:
        """Identify the files of a photo again: their bytes were no longer its bytes."""
        self._db.write(lambda db: db.execute("UPDATE files SET state = 'pending' WHERE photo_id = ?", (photo,)))

    def unread(self, photo: PhotoId, reason: str) -> None:
        """Note that a photo's files gave nothing when it was to be read; nothing is known against the photo."""
        self._db.write(
            lambda db: db.execute(
                "UPDATE files SET state = 'failed', reason = ? WHERE photo_id = ? AND missing_since IS NULL",
                (reason, photo),
            )
        )

    def paths_of(self, photos: Sequence[int]) -> dict[int, tuple[bytes, ...]]:
        """The present files of each photo, absolute, the one known longest first."""
        found: dict[int, list[bytes]] = {photo: [] for photo in photos}
        for some in slices(photos):
            marks = ",".join("?" * len(some))
            rows = self._db.rows(
                f"SELECT photo_id, root_path, path FROM present_files WHERE photo_id IN ({marks}) ORDER BY file_id",
                tuple(some),
            )
            for row in rows:
                found[row["photo_id"]].append(within(row["root_path"], row["path"]))
        return {photo: tuple(paths) for photo, paths in found.items()}

    def at(self, root: RootId, path: bytes) -> FileId | None:
        """The file at a path, relative to its root, if it is known."""
        row = self._db.row("SELECT id FROM files WHERE root_id = ? AND path = ?", (root, path))
        return None if row is None else FileId(row["id"])

    def of_photo(self, photo: PhotoId) -> FileId | None:
        """A file of a photo that is there."""
        row = self._db.row("SELECT min(id) FROM files WHERE photo_id = ? AND missing_since IS NULL", (photo,))
        return None if row is None or row[0] is None else FileId(row[0])

    def photo_of(self, root: RootId, path: bytes) -> PhotoId | None:
        """What a path, relative to its root, holds as far as that is known."""
        row = self._db.row("SELECT photo_id FROM files WHERE root_id = ? AND path = ?", (root, path))
        return None if row is None or row["photo_id"] is None else PhotoId(row["photo_id"])

    # ---- removal -----------------------------------------------------------------------------------------------------

    def overdue(self, before: str) -> tuple[int, int]:
        """How many photos have been missing since before that time, and how many there are in all.

        Photos in roots that are offline or no longer configured are never overdue.
        """
        row = self._db.row(
            f"SELECT (SELECT count(*) FROM ({OVERDUE})), (SELECT sum(photos) FROM photo_tallies)", (before,)
        )
        assert row is not None
        return row[0], row[1]

    def forget(self, before: str, expected: str | None = None, kept: Collection[FaceId] = frozenset()) -> list[int]:
        """Forget the overdue photos, their files and faces; returns the ids of the faces that went.

        Photos with faces of `kept`, of whom something was said, and some of everybody with a name lose their files
        only: they are known when they return.
        With `expected` only where the photos are those of that `removal.digest`; raises CannotDecide for others.
        """

        def job(db: Utils) -> list[int]:
            connection = db.conn
            connection.execute("CREATE TEMP TABLE IF NOT EXISTS going (id INTEGER PRIMARY KEY)")
            connection.execute("DELETE FROM going")
            connection.execute(f"INSERT INTO going {OVERDUE}", (before,))
            if expected is not None:
                going = [row[0] for row in connection.execute("SELECT id FROM going ORDER BY id")]
                if digest(going) != expected:
                    raise CannotDecide(
                        detail="what would be forgotten is not what was shown any more",
                        hint="Look again: `guyverd forget`.",
                    )
            remember(db, kept)
            faces = [
                row[0] for row in connection.execute("SELECT id FROM faces WHERE photo_id IN (SELECT id FROM going)")
            ]
            connection.execute("DELETE FROM files WHERE photo_id IN (SELECT id FROM going)")
            connection.execute("DELETE FROM photos WHERE id IN (SELECT id FROM going)")
            connection.execute(
                f"DELETE FROM files WHERE photo_id IS NULL AND missing_since < ? AND {_IN_REACH}", (before,)
            )
            return faces

        return self._db.write(job)


_ROOT = "SELECT id, path, device, inode, state, detail, scanned_at FROM roots"

_KNOWN = "SELECT id, path, size, mtime_ns, inode, missing_since FROM files"

_AS_TAKEN = "id = :file AND (NOT :taken OR (size = :size AND mtime_ns = :mtime AND inode = :inode))"
"""A file that still has the stamp with which it was taken up; one of which that is not said."""


def _as_taken(file: FileId, taken: Mapping[FileId, Stamp]) -> dict[str, object]:
    stamp = taken.get(file)
    known = stamp or Stamp(0, 0, 0)
    return {
        "file": file,
        "taken": stamp is not None,
        "size": known.size,
        "mtime": known.mtime_ns,
        "inode": known.inode,
    }


_IN_REACH = "root_id IN (SELECT id FROM roots WHERE configured AND state = 'online')"
"""Only there does "not found" mean "gone"."""


def move_own(db: Utils, old: bytes, new: bytes) -> None:
    """Files in the people folder below `old` are below `new` now: for use within a transaction."""
    below = (old + b"/", old + b"0")
    root = "root_id IN (SELECT id FROM roots WHERE own AND configured)"
    rows = db.execute(f"SELECT id, path FROM files WHERE {root} AND path > ? AND path < ?", below).fetchall()
    for row in rows:
        path = new + row["path"][len(old) :]
        db.execute(f"DELETE FROM files WHERE {root} AND path = ? AND id <> ?", (path, row["id"]))
        db.execute("UPDATE files SET path = ?, display = ? WHERE id = ?", (path, display(path), row["id"]))


def _new(root: RootId, seen: SeenFile, at: str) -> tuple[object, ...]:
    stamp = seen.stamp
    return root, seen.path, display(seen.path), stamp.size, stamp.mtime_ns, stamp.inode, at


def _known(row: Row) -> KnownFile:
    stamp = Stamp(row["size"], row["mtime_ns"], row["inode"])
    return KnownFile(FileId(row["id"]), row["path"], stamp, row["missing_since"] is not None)


def _root(row: Row) -> RootRow:
    known = row["inode"] is not None
    return RootRow(
        RootId(row["id"]),
        row["path"],
        RootIdentity(row["device"], row["inode"]) if known else None,
        RootState(row["state"]),
        row["detail"],
        row["scanned_at"],
    )


def slices(items: Sequence[int], size: int = 500) -> Iterator[Sequence[int]]:
    """Pieces short enough to be one statement's parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
