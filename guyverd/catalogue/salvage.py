"""What can still be read of a damaged catalogue, put into a new one, row by row.

Tables are read in the order of their keys, in halves of halves around what cannot be read, so that a damaged page costs
the rows on it and no more. What refers to something that is lost is left out, or left empty where it may be. Where
anything of photos, files or faces was lost all photos are read again: faces that are found at the place of one that is
known are that face.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from guyverd.catalogue.custody import OPEN, PLACE
from guyverd.catalogue.database import Database, uri_path
from guyverd.errors import BackupError

_TABLES = (
    "people",
    "decisions",
    "moves",
    "roots",
    "photos",
    "files",
    "faces",
    "removed_faces",
    "links",
    "homes",
    "former_homes",
    "enrolments",
    "proposals",
    "strays",
    "skipped",
    "follows",
    "deliveries",
    "delivered_faces",
    "custody",
)
"""What is worth it, what is said first; caches and what is worked out anew are left."""
_READ_AGAIN = frozenset(("photos", "files", "faces"))
_ALWAYS = frozenset(("custody", "roots"))
"""Of no worth by themselves."""
_MARGIN = 100_000
"""Numbers that are passed over where nobody knows which were given."""
_BATCH = 500
_SEQUENCE = "SELECT seq FROM sqlite_sequence WHERE name = '{table}'"
_LARGEST = 10_000_000
"""The largest key that is looked for where nobody knows which there is: they count up from 1."""
_MOST_FAILURES = 200_000
"""Reads of one table that fail before the rest is given up."""


@dataclass(slots=True)
class Saved:
    """What was saved."""

    rows: dict[str, int] = field(default_factory=dict)
    """How many of each table; none at all where nothing could be read."""
    again: bool = False
    """Something of the photos was lost, so they are read again."""


def salvage(path: bytes, target: bytes) -> Saved:
    """Make a new catalogue in the empty file `target` of what can be read of the one at `path`, which is only read.

    Raises CatalogueError, StateError and BackupError where the new one cannot be written.
    """
    Database(target).close()
    try:
        return _salvaged(path, target)
    except sqlite3.Error as problem:
        raise BackupError(path=os.fsdecode(target), detail=str(problem)) from problem


def _salvaged(path: bytes, target: bytes) -> Saved:
    saved = Saved()
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as new:
        new.row_factory = sqlite3.Row
        new.execute("PRAGMA foreign_keys = OFF")
        new.execute("BEGIN IMMEDIATE")
        # Nothing is said anew, and nobody's folder changed by this.
        triggers = new.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for trigger in triggers:
            new.execute(f"DROP TRIGGER {trigger['name']}")
        for table in _TABLES:
            reading = _Reading(path, table)
            columns = {row["name"] for row in new.execute(f"PRAGMA table_info({table})")}
            count = seen = 0
            for rows in reading.batches():
                seen += len(rows)
                count += sum(_insert(new, table, columns, row) for row in rows)
            saved.rows[table] = count
            saved.again |= (reading.lost or count < seen) and table in _READ_AGAIN
        _mend(new, path, again=saved.again)
        for trigger in triggers:
            new.execute(trigger["sql"])
        new.execute("COMMIT")
    if not any(count for table, count in saved.rows.items() if table not in _ALWAYS):
        saved.rows.clear()
    return saved


class _Reading:
    """One table of a damaged file."""

    def __init__(self, path: bytes, table: str) -> None:
        self._uri = f"file:{uri_path(path)}?mode=ro"
        self._table = table
        self.lost = False
        """Something could not be read."""

    def batches(self) -> Iterator[list[dict[str, object]]]:
        try:
            connection = sqlite3.connect(self._uri, uri=True, isolation_level=None)
        except sqlite3.Error:
            self.lost = True
            return
        with contextlib.closing(connection):
            connection.row_factory = sqlite3.Row
            connection.text_factory = _text
            try:
                # What triggers, views and indexes say does not matter, and may be what is damaged.
                connection.execute("PRAGMA writable_schema = ON")
                connection.execute("PRAGMA cell_size_check = ON")
                keyed = bool(connection.execute(f"SELECT rowid FROM {self._table} LIMIT 0").description)
            except (sqlite3.Error, UnicodeDecodeError):
                keyed = False
            yield from self._by_key(connection) if keyed else self._plain(connection)

    def _by_key(self, connection: sqlite3.Connection) -> Iterator[list[dict[str, object]]]:
        """The rows in the order of their keys, in halves around what fails."""
        sql = (
            f'SELECT rowid AS "", * FROM {self._table} NOT INDEXED WHERE rowid >= ? AND rowid < ?'
            " ORDER BY rowid LIMIT ?"
        )
        # The folders of albums have keys below nought.
        waiting, failures = [(-_LARGEST, self._highest(connection) + 1)], 0
        while waiting:
            low, high = waiting.pop()
            try:
                rows = connection.execute(sql, (low, high, _BATCH)).fetchall()
            except (sqlite3.Error, UnicodeDecodeError):
                self.lost = True
                failures += 1
                if failures > _MOST_FAILURES:
                    return
                if high - low <= 1:
                    continue
                middle = (low + high) // 2
                waiting += [(middle, high), (low, middle)]
                continue
            if rows:
                yield [dict(row) for row in rows]
                if len(rows) == _BATCH:
                    waiting.append((rows[-1][0] + 1, high))

    def _highest(self, connection: sqlite3.Connection) -> int:
        for sql in (f"SELECT max(rowid) FROM {self._table}", _SEQUENCE.format(table=self._table)):
            with contextlib.suppress(sqlite3.Error):
                row = connection.execute(sql).fetchone()
                if row is not None and isinstance(row[0], int):
                    return row[0]
        return _LARGEST

    def _plain(self, connection: sqlite3.Connection) -> Iterator[list[dict[str, object]]]:
        """A table without such a key, or that nothing is known of: what comes until something cannot be read."""
        rows: list[dict[str, object]] = []
        try:
            for row in connection.execute(f"SELECT * FROM {self._table}"):
                rows.append(dict(row))
                if len(rows) == _BATCH:
                    yield rows
                    rows = []
        except (sqlite3.Error, UnicodeDecodeError):
            self.lost = True
        if rows:
            yield rows


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _insert(new: sqlite3.Connection, table: str, columns: set[str], row: dict[str, object]) -> int:
    """Insert a row if a new catalogue bears it; returns how many that were."""
    if table == "custody" and row.get("key") in (OPEN, PLACE):
        return 1
    known = [name for name in row if name in columns]
    names, marks = ", ".join(f'"{name}"' for name in known), ", ".join("?" * len(known))
    # The library's number is there already, and is that of the old one.
    verb = "REPLACE" if table == "custody" else "IGNORE"
    with contextlib.suppress(sqlite3.Error):
        return new.execute(
            f"INSERT OR {verb} INTO {table} ({names}) VALUES ({marks})", [row[name] for name in known]
        ).rowcount
    return 0


def _mend(new: sqlite3.Connection, path: bytes, *, again: bool) -> None:
    """Make what was saved fit together, and see to it that no number means two things."""
    # Who is spoken of, and whose row is lost, is somebody all the same, and called what they were called last.
    spoken_of = " UNION ".join(
        f"SELECT {column} FROM {table}"
        for table, column in (
            ("decisions", "person_id"),
            ("decisions", "other_id"),
            ("moves", "was"),
            ("moves", "now"),
            ("faces", "person_id"),
            ("people", "merged_into"),
        )
    )
    new.execute(
        "INSERT INTO people (id, name, created_at) SELECT person, (SELECT name FROM decisions AS said"
        " WHERE kind = 'name' AND person_id = person AND id NOT IN"
        " (SELECT undoes FROM decisions WHERE undoes IS NOT NULL) ORDER BY id DESC LIMIT 1),"
        " coalesce((SELECT min(at) FROM decisions), '') FROM"
        f" (SELECT DISTINCT person_id AS person FROM ({spoken_of}) WHERE person_id IS NOT NULL)"
        " WHERE person NOT IN (SELECT id FROM people)"
    )
    while new.execute("PRAGMA foreign_key_check").fetchone() is not None:
        for table in _TABLES:
            needed = {row["name"] for row in new.execute(f"PRAGMA table_info({table})") if row["notnull"] or row["pk"]}
            for key in new.execute(f"PRAGMA foreign_key_list({table})").fetchall():
                missing = (
                    f'"{key["from"]}" IS NOT NULL AND "{key["from"]}" NOT IN (SELECT "{key["to"]}" FROM {key["table"]})'
                )
                # An undo of something that is not known any more is none.
                if key["from"] in needed or key["from"] == "undoes":
                    new.execute(f"DELETE FROM {table} WHERE {missing}")
                else:
                    new.execute(f'UPDATE {table} SET "{key["from"]}" = NULL WHERE {missing}')
    new.execute("UPDATE files SET state = 'pending' WHERE state = 'identified' AND photo_id IS NULL")
    if again:
        new.execute("UPDATE photos SET state = 'pending', attempts = 0 WHERE state = 'done'")
    _count_on(new, path)
    new.execute("DELETE FROM stale")


def _count_on(new: sqlite3.Connection, path: bytes) -> None:
    """Numbers that were given once are not given again: what was said of them would be said of something else."""
    before = {str(row["name"]): row["seq"] for rows in _Reading(path, "sqlite_sequence").batches() for row in rows}
    spoken_of = {
        "faces": "SELECT max(n) FROM (SELECT max(face_id) AS n FROM moves UNION ALL SELECT max(value) FROM decisions,"
        " json_each(CASE WHEN json_valid(faces) THEN faces ELSE '[]' END))",
        "people": "SELECT max(abs(owner)) FROM homes",
    }
    for table in ("decisions", "people", "photos", "files", "faces", "roots"):
        highest = [new.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0]
        if table in spoken_of:
            highest.append(new.execute(spoken_of[table]).fetchone()[0] or 0)
        last = before.get(table)
        highest.append(last if isinstance(last, int) else max(highest) + _MARGIN)
        new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, max(highest)))
