"""A look at the catalogue's file for whoever wants to know how it is: nothing is opened for good, migrated or changed.

The file may be damaged, of a newer program, or in use. Each question is asked for itself and may fail for itself, and
none takes longer than it may.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from guyverd.catalogue.database import uri_path
from guyverd.catalogue.schema import FAILED_FILES, KNOWN, MIGRATIONS
from guyverd.model import IndexStamp

_PATIENCE = 2.0
"""Seconds to wait for whoever holds the file."""
_STEPS = 20_000
"""Steps of SQLite's machine between two looks at the clock: some milliseconds."""
_MOST_PROBLEMS = 20
_SOME = 200


@dataclass(frozen=True, slots=True)
class RootSeen:
    """A photo folder as the catalogue knows it."""

    path: bytes
    state: str
    detail: str
    scanned_at: str | None
    """When it was last compared in full."""
    files: int


@dataclass(frozen=True, slots=True)
class FollowSeen:
    """A saved search."""

    number: int
    folder: bytes
    mounted: bool
    """Whether a disk must be mounted at that very folder."""
    waiting: int
    """Files that are to be put there."""


@dataclass(slots=True)
class Inspection:
    """What was found; None or empty where it could not be told, and then `problems` says why."""

    exists: bool = False
    size: int = 0
    """Bytes of the file, ..."""
    log_size: int = 0
    """... and of its write-ahead log."""
    problems: dict[str, str] = field(default_factory=dict)
    """By question, what SQLite said."""
    missing: frozenset[str] = frozenset()
    """Migrations that are to be applied still."""
    newer: frozenset[str] = frozenset()
    """Migrations that only a newer program knows."""
    damage: tuple[str, ...] | None = None
    """What SQLite finds wrong with the file: empty when it is whole."""
    took_too_long: bool = False
    """Whether that look was given up."""
    counts: dict[str, int] = field(default_factory=dict)
    """Rows by table."""
    states: dict[str, int] = field(default_factory=dict)
    """Photos by state."""
    roots: tuple[RootSeen, ...] = ()
    reasons: tuple[tuple[str, str, str, int], ...] = ()
    """Of what could not be read: state, reason, extension in lower case, how many; most frequent first."""
    extensions: dict[str, int] = field(default_factory=dict)
    """Files that are there, by extension in lower case."""
    future: int = 0
    """Files whose time of change is more than a day ahead."""
    latest: str | None = None
    """The latest moment at which anything was noted: UTC, ISO 8601."""
    index: IndexStamp | None = None
    paused: bool = False
    """Whether the people folder waits for a word."""
    links: int | None = None
    follows: tuple[FollowSeen, ...] = ()
    some_photos: tuple[bytes, ...] = ()
    """Absolute paths of some files, from all over the library."""
    pragmas: dict[str, Any] = field(default_factory=dict)
    objects: tuple[tuple[str, str, bool], ...] = ()
    """Tables, views, indexes and triggers: kind, name, whether it is as this program makes it."""

    def ok(self, question: str) -> bool:
        """Whether that question was answered."""
        return question not in self.problems


def sqlite_version() -> str:
    """Of the library that is in use."""
    return sqlite3.sqlite_version


def inspect(path: bytes, *, seconds: float, now: float) -> Inspection:
    """Look at the catalogue at `path` for at most so many seconds for each question; `now` is the time of day."""
    found = Inspection(exists=os.path.exists(path))
    if not found.exists:
        return found
    found.size, found.log_size = _size(path), _size(path + b"-wal")
    try:
        connection = sqlite3.connect(
            f"file:{uri_path(path)}?mode=ro", uri=True, timeout=_PATIENCE, isolation_level=None
        )
    except sqlite3.Error as problem:
        found.problems["open"] = str(problem)
        return found
    with contextlib.closing(connection):
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for question, ask in _QUESTIONS.items():
            with _within(connection, seconds) as late:
                try:
                    ask(connection, found, now)
                except (sqlite3.Error, ValueError, TypeError, KeyError, LookupError) as problem:
                    found.problems[question] = "it took too long" if late() else str(problem)
    found.took_too_long = found.problems.get("damage") == "it took too long"
    return found


def _size(path: bytes) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


@contextlib.contextmanager
def _within(connection: sqlite3.Connection, seconds: float) -> Iterator[Callable[[], bool]]:
    """Have what is asked in the block end after so many seconds; gives whether it did."""
    until = time.monotonic() + seconds

    def late() -> bool:
        return time.monotonic() > until

    connection.set_progress_handler(late, _STEPS)
    try:
        yield late
    finally:
        connection.set_progress_handler(None, 0)


# ---- questions -------------------------------------------------------------------------------------------------------


def _migrations(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'").fetchone():
        found.missing = KNOWN
        return
    applied = frozenset(
        row[0] for row in db.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (MIGRATIONS,))
    )
    found.missing, found.newer = KNOWN - applied, applied - KNOWN


def _pragmas(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    for name in ("page_size", "page_count", "freelist_count", "journal_mode", "user_version", "application_id"):
        found.pragmas[name] = db.execute(f"PRAGMA {name}").fetchone()[0]


def _objects(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    ours = _our_objects()
    rows = db.execute("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
    found.objects = tuple((kind, name, ours.get((kind, name)) == sql) for kind, name, sql in rows)


def _our_objects() -> dict[tuple[str, str], str | None]:
    """What this program makes, by kind and name."""
    from sqlite_utils import Database  # noqa: PLC0415  only whoever asks this needs it

    from guyverd.catalogue.migrations import migrations  # noqa: PLC0415

    made = Database(memory=True)
    migrations.apply(made)
    rows = made.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    made.close()
    return {(kind, name): sql for kind, name, sql in rows}


def _counts(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    tables = [name for kind, name in _our_objects() if kind == "table" and not name.startswith(("sqlite_", "_"))]
    there = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for name in sorted(there.intersection(tables)):
        found.counts[name] = db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
    found.links = found.counts.get("links")


def _states(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    found.states = dict(db.execute("SELECT state, count(*) FROM photos GROUP BY state").fetchall())


def _roots(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    rows = db.execute(
        "SELECT path, state, detail, scanned_at, (SELECT count(*) FROM files WHERE root_id = roots.id"
        " AND missing_since IS NULL) FROM roots WHERE configured ORDER BY id"
    )
    found.roots = tuple(RootSeen(*row) for row in rows)


def _failures(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    rows = db.execute(
        "SELECT iif(files.state = 'failed', files.state, photos.state),"
        " coalesce(iif(files.state = 'failed', files.reason, photos.reason), ''), files.path"
        " FROM files LEFT JOIN photos ON photos.id = files.photo_id"
        f" WHERE missing_since IS NULL AND files.id IN ({FAILED_FILES})"
    )
    grouped: dict[tuple[str, str, str], int] = {}
    for state, reason, path in rows:
        key = (state or "failed", reason, _extension(path))
        grouped[key] = grouped.get(key, 0) + 1
    order = sorted(grouped.items(), key=lambda item: (-item[1], item[0]))
    found.reasons = tuple((*key, count) for key, count in order)


def _extensions(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    for (path,) in db.execute("SELECT path FROM files WHERE missing_since IS NULL"):
        kind = _extension(path)
        found.extensions[kind] = found.extensions.get(kind, 0) + 1


def _times(db: sqlite3.Connection, found: Inspection, now: float) -> None:
    ahead = int((now + 86400) * 1e9)
    found.future = db.execute(
        "SELECT count(*) FROM files WHERE missing_since IS NULL AND mtime_ns > ?", (ahead,)
    ).fetchone()[0]
    found.latest = db.execute(
        "SELECT max(at) FROM (SELECT max(scanned_at) AS at FROM roots UNION ALL SELECT max(read_at) FROM photos"
        " UNION ALL SELECT max(at) FROM decisions UNION ALL SELECT value FROM meta WHERE key = 'beat')"
    ).fetchone()[0]


def _index(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    found.index = stamp_in(db)


def _follows(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'follows'").fetchone() is None:
        return  # it is of an older program
    rows = db.execute(
        "SELECT id, folder, mounted, (SELECT count(*) FROM deliveries WHERE follow_id = follows.id"
        " AND state <> 'made' AND EXISTS (SELECT 1 FROM photos WHERE photos.hash = deliveries.hash))"
        " FROM follows ORDER BY id"
    )
    found.follows = tuple(FollowSeen(row[0], row[1], bool(row[2]), row[3]) for row in rows)


def _paused(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    found.paused = db.execute("SELECT 1 FROM meta WHERE key = 'people_folder_paused'").fetchone() is not None


def _some_photos(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    last = db.execute("SELECT coalesce(max(id), 0) FROM files").fetchone()[0]
    step = max(1, last // _SOME)
    rows = db.execute(
        "SELECT roots.path, files.path FROM files JOIN roots ON roots.id = root_id"
        " WHERE files.id % ? = 0 AND missing_since IS NULL AND configured AND roots.state = 'online' LIMIT ?",
        (step, _SOME),
    )
    found.some_photos = tuple(os.path.join(root, path) for root, path in rows)


def _damage(db: sqlite3.Connection, found: Inspection, _: float) -> None:
    rows = db.execute(f"PRAGMA quick_check({_MOST_PROBLEMS})").fetchall()
    found.damage = tuple(row[0] for row in rows if row[0] != "ok")


_QUESTIONS: dict[str, Callable[[sqlite3.Connection, Inspection, float], None]] = {
    "migrations": _migrations,
    "pragmas": _pragmas,
    "objects": _objects,
    "counts": _counts,
    "states": _states,
    "roots": _roots,
    "failures": _failures,
    "extensions": _extensions,
    "times": _times,
    "index": _index,
    "paused": _paused,
    "follows": _follows,
    "some photos": _some_photos,
    "damage": _damage,
}


def stamp_in(db: sqlite3.Connection) -> IndexStamp | None:
    """The index file that counts, as the catalogue has it."""
    row = db.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
    return None if row is None else IndexStamp(**json.loads(row[0]))


def _extension(path: bytes) -> str:
    stem, dot, extension = path.rpartition(b"/")[2].rpartition(b".")
    plain = bool(stem and dot) and len(extension) <= 8 and extension.isalnum()
    return extension.lower().decode("ascii", "replace") if plain else ""
