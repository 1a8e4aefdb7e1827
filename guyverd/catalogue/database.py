"""One SQLite file, one thread that writes it, any number that read it.

All writes go through one connection owned by one thread, each as a transaction that begins IMMEDIATE, so that no
write ever fails half-way for want of a lock and no second connection ever checkpoints (SQLite before 3.51.3 can lose
committed pages when two connections write or checkpoint a WAL at once). Each query borrows a read-only connection, so
that threads that come and go, such as those that answer requests, leave none behind. (The writer thread fed by a queue
is Datasette's idea.)
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from guyverd.catalogue import replacing
from guyverd.catalogue.custody import Custody
from guyverd.catalogue.lasting import anchor
from guyverd.catalogue.schema import KNOWN, MIGRATIONS
from guyverd.errors import CatalogueDamaged, CatalogueError, CatalogueNewer, GuyverError, StateError

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

T = TypeVar("T")
Row = sqlite3.Row
Parameters = Sequence[object] | dict[str, object]

_BUSY_MS = 30_000
_MOST_IDLE = 2
"""Readers kept for the next query; each may hold 64 MB of pages."""
_ALIEN = ("no such table", "no such column", "Could not decode to UTF-8", "unsupported file", "foreign key mismatch")
"""What SQLite says where our own statements meet a schema or a text that is not ours any more."""
_PROBLEMS = (sqlite3.Error, UnicodeDecodeError)
"""What the sqlite3 module raises; the latter where a message or a name it passes on is no text."""
_PROBLEMS_OPENING = (*_PROBLEMS, LookupError)
"""And what sqlite-utils raises where its table of migrations has other columns."""


class Written(NamedTuple):
    """What was written since the file was opened."""

    transactions: int = 0
    """Also those that were taken back."""
    seconds: float = 0.0
    """That they took in all, until they were durable."""
    longest: float = 0.0
    """Seconds of the longest."""


class Database:
    """The open catalogue file. Opening migrates it; close() ends the writer thread and checkpoints."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._display = os.fsdecode(path)
        self._jobs: queue.SimpleQueue[tuple[Callable[[Utils], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._idle: list[sqlite3.Connection] = []
        # Reentrant: a stream that is dropped gives its reader back whenever memory is collected, in any thread.
        self._guard = threading.RLock()
        self._closed = False
        self._custody = Custody(path)
        self.written = Written()
        ready: Future[None] = Future()
        self._writer = threading.Thread(target=self._write_loop, args=(ready,), name="catalogue-writer", daemon=True)
        self._writer.start()
        ready.result()

    @property
    def path(self) -> bytes:
        """Where the file lies."""
        return self._path

    @property
    def waiting(self) -> int:
        """Transactions that nobody has begun."""
        return self._jobs.qsize()

    def write(self, job: Callable[[Utils], T]) -> T:
        """Run `job` in one transaction on the writer thread and wait until it is durable.

        An exception rolls back and is raised here. Raises StateError when the disk is full or cannot be written,
        CatalogueDamaged when the file is broken, CatalogueError after `close`.
        """
        assert threading.current_thread() is not self._writer, "a job that waits for another job waits for ever"
        done: Future[T] = Future()
        with self._guard:
            self._check_open()
            self._jobs.put((job, done))
        return done.result()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query."""
        with self.reading() as reader:
            return reader.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None."""
        with self.reading() as reader, contextlib.closing(reader.execute(sql, parameters)) as cursor:
            found: Row | None = cursor.fetchone()
            return found

    def stream(self, sql: str, parameters: Parameters = (), batch: int = 1000) -> Iterator[Row]:
        """The rows of a query, fetched `batch` at a time; for results that should not be held whole.

        All are of one moment, whatever is written meanwhile.
        """
        with self.reading() as reader, contextlib.closing(reader.execute(sql, parameters)) as cursor:
            while some := cursor.fetchmany(batch):
                yield from some

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection, for a row of short queries; what SQLite raises meanwhile becomes an error of ours."""
        with self._guard:
            self._check_open()
            reader = self._idle.pop() if self._idle else None
        try:
            if reader is None:
                reader = self._new_reader()
            yield reader
        except _PROBLEMS as problem:
            raise self._translated(problem) from problem
        finally:
            if reader is not None:
                self._give_back(reader)

    def close(self) -> None:
        """Finish what is queued, then close every connection; a query under way is finished. May be called twice."""
        with self._guard:
            # Readers first: the last connection to go takes the WAL along, and a reader may not.
            while self._idle:
                self._idle.pop().close()
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._writer.join()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise CatalogueError(path=self._display, detail="it is closed")

    def _new_reader(self) -> sqlite3.Connection:
        uri = f"file:{uri_path(self._path)}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA cache_size = -65536")
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, reader: sqlite3.Connection) -> None:
        with self._guard:
            if not self._closed and len(self._idle) < _MOST_IDLE:
                self._idle.append(reader)
                return
        reader.close()

    def _write_loop(self, ready: Future[None]) -> None:
        try:
            connection = self._open()
        except BaseException as problem:
            ready.set_exception(problem)
            return
        ready.set_result(None)
        db: Utils | None = None
        while (item := self._jobs.get()) is not None:
            job, done = item
            began = time.perf_counter()
            try:
                db = db or _utils(connection)
                self._begin(connection)
                done.set_result(_in_transaction(connection, db, job))
            except _PROBLEMS as problem:
                done.set_exception(self._translated(problem))
            except BaseException as problem:
                done.set_exception(problem)
            took, before = time.perf_counter() - began, self.written
            self.written = Written(before.transactions + 1, before.seconds + took, max(before.longest, took))
        self._close(connection)

    def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            self._custody.begin(connection)
        except OSError as problem:
            raise StateError(path=self._display, detail=problem.strerror or str(problem)) from problem

    def _close(self, connection: sqlite3.Connection) -> None:
        whole = False
        with contextlib.suppress(sqlite3.Error):
            whole = self._custody.end(connection)
        if whole:
            connection.close()
            self._custody.ended()
        else:
            self._leave(connection)

    def _leave(self, connection: sqlite3.Connection) -> None:
        """Close the connection, but not the catalogue: it is as after a kill.

        The log must stay, by which the next who opens the file has all of it: only the last to close takes it along,
        and a reader may not.
        """
        with contextlib.ExitStack() as last:
            with contextlib.suppress(sqlite3.Error):
                reader = last.enter_context(contextlib.closing(self._new_reader()))
                reader.execute("SELECT 1 FROM sqlite_schema").fetchone()
            connection.close()

    def _open(self) -> sqlite3.Connection:
        with contextlib.ExitStack() as undo:
            try:
                self._finish_replacing()
                applied = self._applied()
                self._anchor()
                _closed_to_others(self._path)
                connection = sqlite3.connect(self._path, isolation_level=None)
                # Where it cannot be opened whole, what a kill may have left of it must not be tidied either.
                undo.callback(self._leave, connection)
                connection.row_factory = sqlite3.Row
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                if applied != KNOWN:
                    from guyverd.catalogue.migrations import migrations  # noqa: PLC0415  as sqlite-utils below

                    migrations.apply(_utils(connection))
                self._custody.settle(connection)
            except _PROBLEMS_OPENING as problem:
                raise self._translated(problem) from problem
            except OSError as problem:
                raise StateError(path=self._display, detail=problem.strerror or str(problem)) from problem
            undo.pop_all()
        return connection

    def _finish_replacing(self) -> None:
        try:
            replacing.finish(self._path)
        except (OSError, ValueError, LookupError) as problem:
            raise StateError(path=self._display, detail=f"a restore could not be finished: {problem}") from problem

    def _anchor(self) -> None:
        """A new catalogue is in a folder that is there after a power cut; its own name SQLite sees to."""
        if not os.path.exists(self._path):
            try:
                anchor(os.path.dirname(self._path) or b".")
            except OSError as problem:
                raise StateError(path=self._display, detail=problem.strerror or str(problem)) from problem

    def _applied(self) -> frozenset[str]:
        """The migrations that the file has, without a byte of it or of its WAL being changed.

        Raises CatalogueNewer where a newer program wrote it.
        """
        if not os.path.exists(self._path):
            return frozenset()
        self._take_back()
        with contextlib.closing(self._new_reader()) as reader:
            if reader.execute("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'").fetchone() is None:
                return frozenset()
            rows = reader.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (MIGRATIONS,))
            applied = frozenset(row["name"] for row in rows)
            if newer := applied - KNOWN:
                raise CatalogueNewer(path=self._display, step=", ".join(sorted(newer)))
            self._custody.examine(reader)
        return applied

    def _take_back(self) -> None:
        """Where the process that made the file died before it had a log, only who may write can read what there is."""
        if os.path.exists(self._path + b"-journal"):
            with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as writer:
                writer.execute("SELECT 1 FROM sqlite_schema").fetchone()

    def _translated(self, problem: Exception) -> GuyverError:
        text = str(problem)
        code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
        alien = not isinstance(problem, sqlite3.Error) or text.startswith(_ALIEN)
        if alien or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return CatalogueDamaged(path=self._display, detail=text)
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return StateError(path=self._display, detail=text)
        return CatalogueError(path=self._display, detail=text)


def _closed_to_others(path: bytes) -> None:
    """Make the file, where it is not there, so that only we read it; SQLite gives those beside it the same rights."""
    with contextlib.suppress(OSError):  # there is one, or SQLite will tell
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _utils(connection: sqlite3.Connection) -> Utils:
    # Loaded with the first thing that is written: it takes longer than most of what is only read.
    from sqlite_utils import Database  # noqa: PLC0415

    return Database(connection)


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


def uri_path(path: bytes) -> str:
    """A path as it stands in a `file:` URI."""
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte in b"/._-" else f"%{byte:02X}" for byte in path
    )
