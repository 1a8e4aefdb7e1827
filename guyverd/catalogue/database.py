"""One SQLite file, one thread that writes it, any number that read it.

All writes go through one connection owned by one thread, each as a transaction that begins IMMEDIATE, so that no
write ever fails half-way for want of a lock and no second connection ever checkpoints (SQLite before 3.51.3 can lose
committed pages when two connections write or checkpoint a WAL at once). Readers are read-only connections, one per
thread. (The writer thread fed by a queue is Datasette's idea.)
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlite_utils import Database as Utils

from guyverd.catalogue.schema import KNOWN, migrations
from guyverd.errors import CatalogueDamaged, CatalogueError, CatalogueNewer, GuyverError, StateError

T = TypeVar("T")
Row = sqlite3.Row
Parameters = Sequence[object] | dict[str, object]

_BUSY_MS = 30_000


class Database:
    """The open catalogue file. Opening migrates it; close() ends the writer thread and checkpoints."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._display = os.fsdecode(path)
        self._jobs: queue.SimpleQueue[tuple[Callable[[Utils], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._readers = threading.local()
        self._open_readers: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        ready: Future[None] = Future()
        self._writer = threading.Thread(target=self._write_loop, args=(ready,), name="catalogue-writer", daemon=True)
        self._writer.start()
        ready.result()

    @property
    def path(self) -> bytes:
        """Where the file lies."""
        return self._path

    def write(self, job: Callable[[Utils], T]) -> T:
        """Run `job` in one transaction on the writer thread and wait until it is durable.

        An exception rolls back and is raised here. Raises StateError when the disk is full or cannot be written,
        CatalogueDamaged when the file is broken.
        """
        if self._closed:
            raise CatalogueError(path=self._display, detail="it is closed")
        done: Future[T] = Future()
        self._jobs.put((job, done))
        return done.result()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query."""
        with self._reading():
            return self._reader().execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None."""
        with self._reading():
            found: Row | None = self._reader().execute(sql, parameters).fetchone()
            return found

    def stream(self, sql: str, parameters: Parameters = (), batch: int = 1000) -> Iterator[Row]:
        """The rows of a query, fetched `batch` at a time; for results that should not be held whole."""
        with self._reading():
            cursor = self._reader().execute(sql, parameters)
        while True:
            with self._reading():
                some = cursor.fetchmany(batch)
            if not some:
                return
            yield from some

    def close(self) -> None:
        """Finish what is queued, then close every connection. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._writer.join()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            uri = f"file:{_uri_path(self._path)}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA cache_size = -65536")
            self._readers.connection = connection
            with self._guard:
                self._open_readers.append(connection)
        return connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            raise self._translated(problem) from problem

    def _write_loop(self, ready: Future[None]) -> None:
        try:
            connection = self._open()
        except BaseException as problem:
            ready.set_exception(problem)
            return
        db = Utils(connection)
        ready.set_result(None)
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                done.set_result(_in_transaction(connection, db, job))
            except sqlite3.Error as problem:
                done.set_exception(self._translated(problem))
            except BaseException as problem:
                done.set_exception(problem)
        with self._guard:
            for reader in self._open_readers:
                reader.close()
        connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._display, isolation_level=None)
            # A name that is not UTF-8 cannot reach sqlite3 as text, and so is refused by the caller's config check.
            connection.row_factory = sqlite3.Row
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            db = Utils(connection)
            newer = {item.name for item in migrations.applied(db)} - KNOWN
            if newer:
                connection.close()
                raise CatalogueNewer(path=self._display, step=", ".join(sorted(newer)))
            migrations.apply(db)
        except sqlite3.Error as problem:
            raise self._translated(problem) from problem
        return connection

    def _translated(self, problem: sqlite3.Error) -> GuyverError:
        text = str(problem)
        code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return CatalogueDamaged(path=self._display, detail=text)
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return StateError(path=self._display, detail=text)
        return CatalogueError(path=self._display, detail=text)


def _in_transaction(connection: sqlite3.Connection, db: Utils, job: Callable[[Utils], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = job(db)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _uri_path(path: bytes) -> str:
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte in b"/._-" else f"%{byte:02X}" for byte in path
    )
