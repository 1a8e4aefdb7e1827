"""A backup: one file that holds a catalogue of one moment, and says what is in it.

It is a gzipped tar, which any system opens without guyverd: `manifest.json`, `config.yaml` where there was one, and
`catalogue.db`. The copy is made by a connection that only reads, whatever is written meanwhile, and is checked before
it is packed; what was packed is read again before it gets its name. So a backup either is whole or is not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import io
import json
import os
import re
import sqlite3
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import IO

from guyverd.catalogue.custody import MARK, problems
from guyverd.catalogue.database import uri_path
from guyverd.catalogue.schema import KNOWN, MIGRATIONS
from guyverd.errors import (
    BackupDamaged,
    BackupError,
    BackupNewer,
    BackupStopped,
    CatalogueDamaged,
    CatalogueNewer,
    NoBackup,
    NotABackup,
)

Stopped = Callable[[], bool]
"""Whether it is to be given up; asked now and then."""

FORMAT = 1
_KIND = "guyverd backup"
_MANIFEST, _CONFIG, _DATABASE = "manifest.json", "config.yaml", "catalogue.db"
_PIECE = 1 << 20
_LEVEL = 1
"""Of compression. Vectors, which are most of it, hardly get smaller by any."""
_MOST_MANIFEST = 1 << 20
_STEPS = 200_000
"""Instructions of SQLite between two looks whether to stop: some milliseconds."""
_BUSY_SECONDS = 30.0
_UNREADABLE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError)

_COUNTS = """
    SELECT (SELECT count(*) FROM photos) AS photos, (SELECT count(*) FROM faces) AS faces,
        (SELECT count(*) FROM people WHERE merged_into IS NULL) AS people,
        (SELECT count(*) FROM people WHERE merged_into IS NULL AND name IS NOT NULL) AS named,
        (SELECT count(*) FROM decisions) AS decisions, (SELECT count(*) FROM files) AS files
"""
_MARK = (
    "SELECT count(*), max(id) FROM decisions",
    "SELECT count(*), max(id) FROM people",
    "SELECT count(*), max(id), max(person_id) FROM faces",
    "SELECT count(*), max(id), max(read_at), max(grouped_at), sum(state = 'done') FROM photos",
    "SELECT count(*), max(id), max(seen_at), sum(missing_since IS NOT NULL) FROM files",
    "SELECT count(*), max(made_at), sum(placed) FROM links",
    "SELECT count(*), max(path) FROM homes",
    "SELECT count(*), max(at), sum(state = 'done') FROM enrolments",
    "SELECT count(*), max(at), sum(answered IS NULL) FROM proposals",
    "SELECT count(*), max(at) FROM skipped",
    "SELECT count(*), max(id), sum(compared) FROM follows",
    "SELECT count(*), max(at), sum(state = 'made') FROM deliveries",
)
"""What changes when anything does that a backup is made for."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    made_at: str
    """UTC, ISO 8601."""
    guyverd: str
    """The version that made it."""
    state: str
    """The state folder it was in."""
    library: str
    """Of which library it is: see `custody` in docs/catalogue.md; empty where that was not noted yet."""
    steps: tuple[str, ...]
    """The migrations that the catalogue has had."""
    size: int
    """Bytes of the catalogue in it."""
    hash: str
    """Their BLAKE2b-256."""
    counts: dict[str, int]
    """Rows: photos, faces, people, named, decisions, files."""
    mark: str
    """Two backups with the same have the same in them."""


# ---- making one ------------------------------------------------------------------------------------------------------


def save(
    catalogue: bytes,
    target: bytes,
    room: bytes,
    *,
    made_at: str,
    version: str,
    config: bytes | None,
    stopped: Stopped = lambda: False,
) -> Manifest:
    """Write a backup of the catalogue, which may be in use, to `target`, over a backup of this library at most.

    The copy to be packed is made in the folder `room`. Raises CatalogueDamaged or CatalogueNewer where there is nothing
    to save, NotABackup where something else has that name, BackupError where it cannot be written, BackupStopped.
    Whatever is raised, nothing is left behind and what was there is as it was.
    """
    if not os.path.exists(catalogue):
        raise BackupError(path=os.fsdecode(catalogue), detail="there is no catalogue yet")
    with temporary(room) as copied:
        _copy(catalogue, copied, stopped)
        manifest = _described(copied, made_at, version, catalogue, stopped)
        _refuse_other(target, manifest.library)
        folder = os.path.dirname(target) or b"."
        with temporary(folder) as draft:
            try:
                with open(draft, "r+b") as file:
                    _pack(file, manifest, config, copied, stopped)
                    file.flush()
                    os.fsync(file.fileno())
                _verified(draft, target, stopped)
                _refuse_other(target, manifest.library)
                os.rename(draft, target)
                _sync(folder)
            except OSError as problem:
                raise failed(target, problem) from problem
    return manifest


def library_of(catalogue: bytes) -> str:
    """Which library it is, as its backups have it; empty where that cannot be read."""
    with contextlib.suppress(sqlite3.Error, UnicodeDecodeError), _reading(catalogue) as reader:
        row = reader.execute("SELECT value FROM custody WHERE key = 'library'").fetchone()
        return "" if row is None else str(row[0])
    return ""


def mark_of(catalogue: bytes) -> str:
    """What the manifest of a backup made now would have as its mark. Raises CatalogueDamaged."""
    try:
        with _reading(catalogue) as reader:
            return _mark(reader)
    except sqlite3.Error as problem:
        raise CatalogueDamaged(path=os.fsdecode(catalogue), detail=str(problem)) from problem


def sweep(folder: bytes) -> None:
    """Remove what those who died while they made a backup left in a folder; what somebody is at work on stays."""
    with contextlib.suppress(OSError):
        # A copy before what lies beside it.
        for name in sorted(os.listdir(folder)):
            path, draft = os.path.join(folder, name), _DRAFTS.match(name)
            if draft is not None and name == draft[0]:
                _sweep_one(path)
            elif draft is not None and not os.path.exists(os.path.join(folder, draft[0])):
                os.unlink(path)  # what SQLite, or we, put beside a copy


def failed(path: bytes, problem: OSError) -> BackupError:
    """The error that says so."""
    return BackupError(path=os.fsdecode(path), detail=(problem.strerror or str(problem)).lower())


_DRAFT, _PART = b".guyverd-backup-", b".part"
_DRAFTS = re.compile(re.escape(_DRAFT) + b"[0-9a-f]{16}" + re.escape(_PART))


_BESIDE = (b"-wal", b"-shm", b"-journal", MARK)


def _sweep_one(path: bytes) -> None:
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        finally:
            os.close(file)


@contextlib.contextmanager
def temporary(folder: bytes) -> Iterator[bytes]:
    """An empty file of ours in a folder, removed at the end where it still has that name."""
    path = os.path.join(folder, _DRAFT + os.urandom(8).hex().encode() + _PART)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise failed(folder, problem) from problem
    try:
        # By this lock others know that somebody is at work on it; some file systems have none.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    finally:
        with contextlib.suppress(OSError):
            here = os.fstat(file)
            if os.path.samestat(here, os.stat(path, follow_symlinks=False)):
                os.unlink(path)
        for beside in _BESIDE:
            with contextlib.suppress(OSError):
                os.unlink(path + beside)
        os.close(file)


def _copy(catalogue: bytes, target: bytes, stopped: Stopped) -> None:
    shown = os.fsdecode(catalogue)
    try:
        with _reading(catalogue) as reader:
            reader.set_progress_handler(stopped, _STEPS)
            if newer := _steps(reader) - KNOWN:
                raise CatalogueNewer(path=shown, step=", ".join(sorted(newer)))
            reader.execute("VACUUM INTO ?", (f"file:{uri_path(target)}",))
    except sqlite3.Error as problem:
        raise _told(problem, catalogue, target) from problem


def _told(problem: sqlite3.Error, catalogue: bytes, target: bytes) -> Exception:
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return BackupStopped(path=os.fsdecode(target))
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        place = catalogue if code == sqlite3.SQLITE_CANTOPEN else os.path.dirname(target)
        return BackupError(path=os.fsdecode(place), detail=str(problem))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or str(problem).startswith("no such"):
        return CatalogueDamaged(path=os.fsdecode(catalogue), detail=str(problem))
    return BackupError(path=os.fsdecode(catalogue), detail=str(problem))


def _described(copied: bytes, made_at: str, version: str, catalogue: bytes, stopped: Stopped) -> Manifest:
    """Check a copy, take out of it what is true of the original only, and say what is in it."""
    try:
        with contextlib.closing(sqlite3.connect(copied, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.set_progress_handler(stopped, _STEPS)
            connection.execute("PRAGMA journal_mode = MEMORY")
            if found := problems(connection):
                raise CatalogueDamaged(path=os.fsdecode(catalogue), detail=found[0])
            library = ""
            if _has(connection, "custody"):
                connection.execute("DELETE FROM custody WHERE key IN ('open', 'place')")
                row = connection.execute("SELECT value FROM custody WHERE key = 'library'").fetchone()
                library = "" if row is None else row[0]
            counts = dict(connection.execute(_COUNTS).fetchone())
            steps, mark = tuple(sorted(_steps(connection))), _mark(connection)
    except sqlite3.Error as problem:
        raise _told(problem, catalogue, copied) from problem
    digest = blake2b(digest_size=32)
    with open(copied, "rb") as file:
        size = sum(_digested(digest.update, file, stopped, copied))
    state = os.fsdecode(os.path.dirname(catalogue))
    return Manifest(made_at, version, state, library, steps, size, digest.hexdigest(), counts, mark)


def _digested(update: Callable[[bytes], object], file: IO[bytes], stopped: Stopped, path: bytes) -> Iterator[int]:
    while piece := file.read(_PIECE):
        if stopped():
            raise BackupStopped(path=os.fsdecode(path))
        update(piece)
        yield len(piece)


def _pack(file: IO[bytes], manifest: Manifest, config: bytes | None, copied: bytes, stopped: Stopped) -> None:
    head = json.dumps({"kind": _KIND, "format": FORMAT, **asdict(manifest)}, indent=2).encode("ascii") + b"\n"
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as packed,
        tarfile.open(mode="w|", fileobj=packed, format=tarfile.USTAR_FORMAT, bufsize=_PIECE) as tar,
        open(copied, "rb") as database,
    ):
        for name, text in ((_MANIFEST, head), (_CONFIG, config)):
            if text is not None:
                tar.addfile(_member(name, len(text)), io.BytesIO(text))
        tar.addfile(_member(_DATABASE, manifest.size), _Stoppable(database, stopped, copied))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


class _Stoppable(io.RawIOBase):
    """A file that is read until it is to be given up."""

    def __init__(self, file: IO[bytes], stopped: Stopped, path: bytes) -> None:
        self._file, self._stopped, self._path = file, stopped, path

    def read(self, size: int = -1) -> bytes:
        if self._stopped():
            raise BackupStopped(path=os.fsdecode(self._path))
        return self._file.read(size)


def _refuse_other(target: bytes, library: str) -> None:
    """Only a backup of the same library may be written over. Raises NotABackup."""
    if not os.path.lexists(target):
        return
    if not os.path.isfile(target) or os.path.islink(target):
        raise NotABackup(path=os.fsdecode(target), detail="something else has that name")
    if manifest_of(target).library != library:
        raise NotABackup(path=os.fsdecode(target), detail="it is one of another library")


# ---- reading one -----------------------------------------------------------------------------------------------------


def manifest_of(path: bytes) -> Manifest:
    """What a backup says of itself, read from its beginning. Raises NoBackup, NotABackup or BackupError."""
    with _opened(path) as (_, manifest, _):
        return manifest


def verify(path: bytes, stopped: Stopped = lambda: False) -> Manifest:
    """Read a backup whole, and compare it with what it says of itself.

    Raises the errors of `manifest_of`, and BackupDamaged.
    """
    return _verified(path, path, stopped)


def unpack(path: bytes, target: bytes, stopped: Stopped = lambda: False) -> Manifest:
    """Write the catalogue in a backup to an empty file, verified as by `verify`.

    Raises what that raises, and BackupError where it cannot be written.
    """
    try:
        with open(target, "r+b") as copy:
            manifest = _read_whole(path, path, copy.write, stopped)
            copy.flush()
            os.fsync(copy.fileno())
    except OSError as problem:
        raise failed(target, problem) from problem
    return manifest


def examine(path: bytes, shown: bytes, manifest: Manifest) -> None:
    """See that an unpacked catalogue is sound and has in it what the manifest says; `shown` is the backup's own path.

    Raises BackupDamaged or BackupNewer.
    """
    told = os.fsdecode(shown)
    if newer := frozenset(manifest.steps) - KNOWN:
        raise BackupNewer(path=told, version=manifest.guyverd, step=", ".join(sorted(newer)))
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            if found := problems(connection):
                raise BackupDamaged(path=told, detail=found[0])
            counts = dict(connection.execute(_COUNTS).fetchone())
    except sqlite3.Error as problem:
        raise BackupDamaged(path=told, detail=str(problem)) from problem
    for what, count in manifest.counts.items():
        if counts.get(what, count) != count:
            raise BackupDamaged(path=told, detail=f"it has {counts[what]} {what}, not {count}")


def _verified(path: bytes, shown: bytes, stopped: Stopped) -> Manifest:
    return _read_whole(path, shown, lambda _: None, stopped)


def _read_whole(path: bytes, shown: bytes, write: Callable[[bytes], object], stopped: Stopped) -> Manifest:
    told = os.fsdecode(shown)
    digest, size, found = blake2b(digest_size=32), 0, False
    with _opened(path) as (tar, manifest, packed):
        while (member := tar.next()) is not None:
            content = tar.extractfile(member) if member.name == _DATABASE and member.isreg() else None
            if content is None or found:
                continue
            found = True
            if member.size != manifest.size:
                raise BackupDamaged(path=told, detail="the catalogue in it is not as long as it should be")
            while piece := content.read(_PIECE):
                if stopped():
                    raise BackupStopped(path=told)
                digest.update(piece)
                size += len(piece)
                write(piece)
        # To its end, where gzip keeps what it is checked by.
        while packed.read(_PIECE):
            pass
    if not found or size != manifest.size or digest.hexdigest() != manifest.hash:
        raise BackupDamaged(path=told, detail="what is in it is not what was saved")
    return manifest


@contextlib.contextmanager
def _opened(path: bytes) -> Iterator[tuple[tarfile.TarFile, Manifest, gzip.GzipFile]]:
    told = os.fsdecode(path)
    known = False
    try:
        # Not followed by a thread's wait: what has that name may be a pipe.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with (
            open(file, "rb") as raw,
            gzip.GzipFile(fileobj=raw, mode="rb") as packed,
            # In small blocks: what it says of itself is read though its end is lost.
            tarfile.open(mode="r|", fileobj=packed, bufsize=tarfile.RECORDSIZE) as tar,
        ):
            manifest = _manifest(tar, told)
            known = True
            yield tar, manifest, packed
    except FileNotFoundError:
        raise NoBackup(path=told) from None
    except _UNREADABLE as problem:
        if known:
            raise BackupDamaged(path=told, detail=f"it cannot be read to its end ({problem})") from None
        raise NotABackup(path=told, detail="it is something else, or its beginning is damaged") from None
    except OSError as problem:
        raise failed(path, problem) from problem


def _manifest(tar: tarfile.TarFile, told: str) -> Manifest:
    member = tar.next()
    content = None
    if member is not None and member.name == _MANIFEST and member.isreg() and member.size <= _MOST_MANIFEST:
        content = tar.extractfile(member)
    if content is None:
        raise NotABackup(path=told, detail="it is an archive of something else")
    try:
        fields = json.loads(content.read())
        if fields.pop("kind") != _KIND:
            raise NotABackup(path=told, detail="it is an archive of something else")
        format_ = fields.pop("format")
        if not isinstance(format_, int) or format_ > FORMAT:
            raise BackupNewer(path=told, version=str(fields.get("guyverd")), step=f"format {format_}")
        manifest = Manifest(**{**fields, "steps": tuple(fields["steps"])})
        _check_kinds(manifest)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
        raise NotABackup(path=told, detail="what it says of itself makes no sense") from problem
    return manifest


def _check_kinds(manifest: Manifest) -> None:
    """Raises ValueError where a field is of another kind than it should be."""
    texts = (
        manifest.made_at,
        manifest.guyverd,
        manifest.state,
        manifest.library,
        manifest.hash,
        manifest.mark,
        *manifest.steps,
    )
    numbers = (manifest.size, *manifest.counts.values())
    if not all(isinstance(one, str) for one in texts) or not all(type(one) is int and one >= 0 for one in numbers):
        raise ValueError("a field is of another kind")


# ---- within a catalogue ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _reading(path: bytes) -> Iterator[sqlite3.Connection]:
    """A connection of its own that only reads; it never checkpoints."""
    uri = f"file:{uri_path(path)}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone() is not None


def _steps(connection: sqlite3.Connection) -> frozenset[str]:
    if not _has(connection, "_sqlite_migrations"):
        return frozenset()
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (MIGRATIONS,))
    return frozenset(row[0] for row in rows)


def _mark(connection: sqlite3.Connection) -> str:
    rows = [connection.execute(sql).fetchone() for sql in _MARK if _has(connection, sql.rpartition(" ")[2])]
    return blake2b(repr([tuple(row) for row in rows]).encode(), digest_size=16).hexdigest()


def _sync(folder: bytes) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
