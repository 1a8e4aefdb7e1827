"""A disk that fails on purpose: the calls that guyverd's rooms make of the system, counted, and one of them hindered.

Only calls that concern a sandbox count: those with an absolute path in it, or relative to an open folder. Nothing is
counted but while `Disk.watched` says so, so that a test does what it likes beside it.
"""

from __future__ import annotations

import builtins
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from guyverd.catalogue import database

CHANGES = ("symlink", "link", "rename", "replace", "unlink", "mkdir", "rmdir", "write", "fsync", "utime")
"""Calls of `os` that change something on disk."""
LOOKS = ("scandir", "listdir", "lstat", "stat", "readlink", "open", "read", "fstat")
COMMIT = "commit"
"""A transaction of the catalogue, before it is done; COMMITTED is the moment after it."""
COMMITTED = "committed"


class Crash(BaseException):
    """The process was killed there."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to happen at a call."""

    at: int
    """The number of the first call it concerns, from 1 on, counted from when it was set."""
    error: int = 0
    """An errno; 0 kills the process."""
    calls: int = 1
    """How many calls it concerns."""


class Disk:
    """Counts calls and hinders some of them."""

    def __init__(self, sandbox: str) -> None:
        """`sandbox` is the absolute path of a folder: calls elsewhere are not counted."""
        self._sandbox = os.fsencode(sandbox)
        self._on = False
        self._dead = False
        self._fault: Fault | None = None
        self.count = 0
        """Calls since a fault was set, or since the beginning."""
        self.struck: list[str] = []
        """The calls that were hindered."""
        self.kept: list[str] | None = None
        """The names of all calls, where somebody set a list."""

    def set(self, fault: Fault | None) -> None:
        """From now on count anew, and have that happen."""
        self._fault, self.count = fault, 0

    @property
    def faulty(self) -> bool:
        """Whether something is still to happen, or goes on."""
        fault = self._fault
        return fault is not None and self.count < fault.at + fault.calls - 1

    @contextmanager
    def watched(self) -> Iterator[None]:
        """What is done within counts."""
        self._on = True
        try:
            yield
        finally:
            self._on = False
            self._dead = False

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done within does not count."""
        before, self._on = self._on, False
        try:
            yield
        finally:
            self._on = before

    # ---- what the calls ask ------------------------------------------------------------------------------------------

    def concerns(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
        """Whether a call is within the sandbox."""
        if not self._on:
            return False
        if any(key.endswith("dir_fd") and one is not None for key, one in named.items()):
            return True
        first = arguments[0] if arguments else None
        if isinstance(first, int):
            return True
        if isinstance(first, str | bytes | os.PathLike):
            path = os.fsencode(first)
            return path == self._sandbox or path.startswith(self._sandbox + b"/")
        return False

    def strike(self, call: str, path: object) -> None:
        """Count a call, and raise where it is the one."""
        if self._dead:
            # Whatever would still be done by a process that was killed is not done.
            raise Crash(call)
        self.count += 1
        if self.kept is not None:
            self.kept.append(f"{call} {path!r}")
        fault = self._fault
        if fault is None or not fault.at <= self.count < fault.at + fault.calls:
            return
        self.struck.append(f"{call} {path!r}")
        if not fault.error:
            self._dead = True
            raise Crash(call)
        # No disk is too full to be read.
        number = errno.EIO if fault.error == errno.ENOSPC and call in LOOKS else fault.error
        if call in (COMMIT, COMMITTED):
            raise _of_sqlite(number)
        raise OSError(number, os.strerror(number))


def _of_sqlite(number: int) -> sqlite3.OperationalError:
    full = number == errno.ENOSPC
    problem = sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")
    problem.sqlite_errorcode = sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_IOERR
    return problem


@contextmanager
def installed(disk: Disk) -> Iterator[Disk]:
    """Put the disk before the calls of this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*CHANGES, *LOOKS):
            patch.setattr(os, name, _counted(disk, name, getattr(os, name)))
        patch.setattr(builtins, "open", _counted(disk, "open", open))
        patch.setattr(database, "_in_transaction", _transaction(disk, database._in_transaction))
        yield disk


def _counted(disk: Disk, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        if disk.concerns(arguments, named):
            disk.strike(name, arguments[0])
        return real(*arguments, **named)

    return call


def _transaction(disk: Disk, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(connection: object, db: object, job: Callable[..., Any]) -> Any:
        if not disk._on:
            return real(connection, db, job)

        def last(inside: object) -> Any:
            result = job(inside)
            disk.strike(COMMIT, "")
            return result

        result = real(connection, db, last)
        if disk._fault is None or disk._fault.error == 0:
            # Durable, and nobody was told yet.
            disk.strike(COMMITTED, "")
        return result

    return call
