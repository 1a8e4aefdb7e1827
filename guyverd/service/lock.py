"""One process owns a library: a locked file in its state folder, which also says who holds it and where it listens."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guyverd.errors import AlreadyRunning, StateError
from guyverd.service.ownership import claim


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a library."""

    pid: int
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
        self._path = state / "lock"
        claim(state)
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as problem:
            raise StateError(path=state, detail=problem.strerror or str(problem)) from problem
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            found = holder(state)
            raise AlreadyRunning(pid=found.pid if found else "unknown", state=state) from None
        self.tell(None)

    def tell(self, socket: str | None) -> None:
        """Write who we are and where we listen."""
        text = json.dumps({"pid": os.getpid(), "socket": socket}).encode()
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text, 0)
        except OSError as problem:
            raise StateError(path=self._path, detail=problem.strerror or str(problem)) from problem

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files of one name."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)


def holder(state: Path) -> Holder | None:
    """Who holds the library now; None where nobody does."""
    try:
        file = os.open(state / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        told = json.loads(os.pread(file, 4096, 0) or b"{}")
        return Holder(int(told.get("pid", 0)), told.get("socket"))
    except ValueError:
        return Holder(0, None)
    finally:
        os.close(file)


@contextlib.contextmanager
def held(state: Path) -> Iterator[Lock]:
    """The lock for as long as the block runs."""
    lock = Lock(state)
    try:
        yield lock
    finally:
        lock.release()
