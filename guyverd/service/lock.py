"""One process owns a library: a lock on its state folder, and a file there that says who holds it and where it listens.

Two things are locked, the folder and the file in it. Somebody who takes the file for a left-over and removes it must
not get a second owner; and where a file system locks no folders, there is the file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guyverd.errors import AlreadyRunning, StateError
from guyverd.service.ownership import claim

_NAME = "lock"
_RECORD = 1024
"""Bytes of what is written there, filled up with spaces: it is replaced in one write, and never shorter than before."""
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_GLANCES, _GLANCE = 50, 0.01
"""How often a lock that nobody holds is tried for, and seconds between."""
_NO_LOCKS = "its file system keeps no locks, so two could write at once; name a folder on another disk as `state`"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a library."""

    pid: int
    """0 where that cannot be told."""
    socket: str | None
    """Where it answers, or None for a command that works by itself for a moment."""


class Lock:
    """The lock of one library, held from the time it is made until `release` or the end of the process.

    The kernel gives it up when the process dies, however it dies, so a lock is never stale.
    """

    def __init__(self, state: Path) -> None:
        """Take the lock. Raises AlreadyRunning with the holder's pid, StateError where the folder cannot be used.

        The folder is made where it is not there; StateExposed is raised where somebody else could change what is in it.
        """
        self._path = state / _NAME
        claim(state)
        with contextlib.ExitStack() as undo:
            try:
                self._folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                undo.callback(os.close, self._folder)
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
                undo.callback(os.close, self._file)
            except OSError as problem:
                raise StateError(path=self._path, detail=problem.strerror or str(problem)) from problem
            try:
                self._take_both(state)
            except _Unlockable:
                raise StateError(path=self._path, detail=_NO_LOCKS) from None
            self.tell(None)
            undo.pop_all()

    def _take_both(self, state: Path) -> None:
        # Some network file systems lock nothing that is only read, and a folder is; then the file must do.
        with contextlib.suppress(_Unlockable):
            self._take_one(self._folder, state)
        self._take_one(self._file, state)

    def _take_one(self, file: int, state: Path) -> None:
        for _ in range(_GLANCES):
            try:
                return _take(file)
            except BlockingIOError:
                # What both say is asked for where one is held: the file may tell more than the kernel.
                if _locked_by(file) or not os.path.exists("/proc/locks"):
                    found = holder(state)
                    raise AlreadyRunning(pid=(found and found.pid) or "unknown", state=state) from None
            # Somebody who looked for a holder had it for that moment.
            time.sleep(_GLANCE)
        raise AlreadyRunning(pid="unknown", state=state)

    def tell(self, socket: str | None) -> None:
        """Write who we are and where we listen."""
        text = json.dumps({"pid": os.getpid(), "socket": socket}).encode().ljust(_RECORD)
        try:
            os.pwrite(self._file, text, 0)
            os.ftruncate(self._file, len(text))
        except OSError as problem:
            raise StateError(path=self._path, detail=problem.strerror or str(problem)) from problem

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files of one name."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)
        os.close(self._folder)


def holder(state: Path) -> Holder | None:
    """Who holds the library now; None where nobody does."""
    for path in (state / _NAME, state):
        try:
            file = os.open(path, os.O_RDONLY | _FLAGS)
        except OSError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            told = _told(file) if path != state else Holder(0, None)
            return told if told.pid else Holder(_locked_by(file), told.socket)
        except OSError:
            continue
        finally:
            os.close(file)
    return None


@contextlib.contextmanager
def held(state: Path) -> Iterator[Lock]:
    """The lock for as long as the block runs."""
    lock = Lock(state)
    try:
        yield lock
    finally:
        lock.release()


class _Unlockable(Exception):
    """The file system does not lock that."""


def _take(file: int) -> None:
    """Lock it. Raises BlockingIOError where somebody else has, and _Unlockable."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as problem:
        # NFS says EBADF of what is only read, and answers for other processes with EACCES.
        if problem.errno == errno.EACCES:
            raise BlockingIOError from problem
        raise _Unlockable from problem


def _told(file: int) -> Holder:
    """What stands in the file; whatever else is in there tells nothing."""
    try:
        told = json.loads(os.pread(file, 2 * _RECORD, 0))
        pid, socket = told["pid"], told["socket"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return Holder(0, None)
    known = isinstance(pid, int) and not isinstance(pid, bool) and 0 < pid < 1 << 31
    return Holder(pid if known else 0, socket if isinstance(socket, str) else None)


def _locked_by(file: int) -> int:
    """Who holds a lock on it, as the kernel tells; 0 where it does not."""
    found = 0
    try:
        status = os.fstat(file)
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        with open("/proc/locks", encoding="ascii", errors="replace") as locks:
            for line in locks:
                fields = line.split()
                if "->" in fields or len(fields) < 6 or fields[1] != "FLOCK" or fields[3] != "WRITE":
                    continue
                where, _, inode = fields[5].rpartition(":")
                if inode == str(status.st_ino) and fields[4].isdecimal():
                    found = int(fields[4])
                    if where == device:
                        break
    except OSError:
        return 0
    return found
