"""Whether a catalogue file is the very one that was open last, or a copy that was made while it was.

A file that is copied while it is written to is torn: pages of several moments, with a write-ahead log of yet another
one, or with none. SQLite opens it all the same, and its newest rows are gone without a word. So whoever begins to write
first puts a small file beside the catalogue, the *mark*, and notes in the catalogue itself by what it is known: its
inode, and the second of its last change (ctime), which no program can copy. That note is checkpointed before anything
else is written, and goes when the catalogue is closed. A catalogue that has the note and not that mark beside it was
copied while it was open. One without the note was closed, so a copy of it is whole; where it stands on another file
system, or under another inode, it is checked once all the same before it is trusted.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3

from guyverd.errors import CatalogueCopied, CatalogueDamaged

OPEN = "open"
"""The key in `custody` of the note; its value is what the mark is known by."""
PLACE = "place"
"""The key of where the file was last: a file system and an inode."""
MARK = b"-open"
"""What is put to the catalogue's name for the mark's."""

_TEXT = b"guyverd has the catalogue beside this file open, or was killed while it had. It goes when guyverd stops.\n"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Custody:
    """Looks after the mark of one catalogue; on the writer's thread."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._display = os.fsdecode(path)
        self._noted = False
        """The catalogue says that it is open, and what it says is in the file itself."""
        self._known_place: str | None = None

    def examine(self, reader: sqlite3.Connection) -> None:
        """Look whether the file may be trusted, before a byte of it is changed.

        Raises CatalogueCopied or CatalogueDamaged where it may not.
        """
        if reader.execute("SELECT 1 FROM sqlite_schema WHERE name = 'custody'").fetchone() is None:
            return
        notes = dict(map(tuple, reader.execute("SELECT key, value FROM custody WHERE key IN (?, ?)", (OPEN, PLACE))))
        self._known_place = notes.get(PLACE)
        if OPEN in notes:
            if notes[OPEN] != _known_by(self._path + MARK):
                raise CatalogueCopied(path=self._display, detail="it is not the file that was open then")
            if not _has_content(self._path + b"-wal"):
                detail = "its write-ahead log is gone, and with it what was written last"
                raise CatalogueCopied(path=self._display, detail=detail)
            self._noted = True
        elif self._known_place is not None and self._known_place != place_of(self._path):
            found = problems(reader)
            if found:
                raise CatalogueDamaged(path=self._display, detail=found[0])

    def settle(self, connection: sqlite3.Connection) -> None:
        """Note where a file that was moved is by now, so that it is checked once; needs the tables to be there."""
        if self._known_place is not None and self._known_place != (place := place_of(self._path)):
            # On a disk that is full, or may not be written, it is checked again the next time.
            with contextlib.suppress(sqlite3.Error):
                connection.execute("UPDATE custody SET value = ? WHERE key = ?", (place, PLACE))

    def begin(self, connection: sqlite3.Connection) -> None:
        """See to it that the file says that it is open, before anything is written to it. Raises OSError.

        Where an old reader keeps the note from reaching the file, it is tried again with what is written next.
        """
        if self._noted:
            return
        mark = self._path + MARK
        with contextlib.suppress(FileNotFoundError):
            os.unlink(mark)
        _make(mark)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "INSERT INTO custody (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                ((OPEN, _known_by(mark)), (PLACE, place_of(self._path))),
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._noted = _checkpointed(connection)

    def end(self, connection: sqlite3.Connection) -> bool:
        """All is written: take the note back. Tells whether the log may go now, and `ended` may be called after it."""
        try:
            os.lstat(self._path + MARK)
        except FileNotFoundError:
            return True
        except OSError:
            pass  # the disk does not say, and the note may be there
        # Whoever still reads is not waited for.
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("DELETE FROM custody WHERE key = ?", (OPEN,))
        return _checkpointed(connection)

    def ended(self) -> None:
        """The file is closed."""
        with contextlib.suppress(OSError):
            os.unlink(self._path + MARK)


def accept(path: bytes) -> list[str]:
    """Take a copy that was made while it was open for what it is, if it is sound. Tells what is wrong if it is not.

    Nobody else may have it open. Raises sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        found = problems(connection)
        if not found:
            connection.execute("DELETE FROM custody WHERE key IN (?, ?)", (OPEN, PLACE))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if not found:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + MARK)
    return found


def accepted(path: bytes) -> list[str]:
    """The same; what is no database any more is a problem as others are."""
    try:
        return accept(path)
    except (sqlite3.Error, UnicodeDecodeError) as problem:
        return [str(problem)]


def problems(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with a file and its references; empty when all is well."""
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    return found or [
        f"{row[0]} row {row[1]} refers to a missing {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")
    ]


def place_of(path: bytes) -> str:
    """Where a file is, as far as that stays the same over mounts and restarts."""
    return json.dumps({"disk": os.statvfs(path).f_fsid, "inode": os.stat(path).st_ino})


def _has_content(log: bytes) -> bool:
    """A log is never emptied while the catalogue is open; who only looks makes an empty one where there is none."""
    try:
        return os.path.getsize(log) > 0
    except OSError:
        return False


def _known_by(mark: bytes) -> str:
    """What a copy of the mark has not in common with it; empty where there is none."""
    try:
        status = os.stat(mark, follow_symlinks=False)
    except OSError:
        return ""
    # Some file systems keep whole seconds only.
    return json.dumps({"inode": status.st_ino, "second": status.st_ctime_ns // 1_000_000_000})


def _make(mark: bytes) -> None:
    file = os.open(mark, _NEW, 0o600)
    try:
        os.write(file, _TEXT)
        os.fsync(file)
    finally:
        os.close(file)
    folder = os.open(os.path.dirname(mark) or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _checkpointed(connection: sqlite3.Connection) -> bool:
    """Whether all that was written is in the file itself now."""
    _, logged, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return bool(logged == moved)
