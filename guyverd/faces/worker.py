"""A worker process from within: prepared once, it does one job after another until it is let go or has grown.

Its parent is a thread of `faces.pool`. They speak over one socket pair, in messages whose first byte tells what they
are; the parent learns of each part of a job when it begins, so that it knows what takes too long.
"""
# ruff: noqa: S301  what is unpickled was pickled by the pool that started this process

from __future__ import annotations

import os
import pickle
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guyverd.errors import GuyverError, WorkerDied
from guyverd.faces import limits

BEGINS, STAYS, LEAVES = b"b", b"s", b"l"
"""A part of the job begins; an answer, from a process that stays; an answer, from one that ends itself."""
HEAD = struct.Struct("!Q")
"""Goes before each message: how many bytes it has."""
MOST_BYTES = 256_000_000
"""Of a message that a parent takes. Thousands of faces are a few million; whose memory is damaged may announce any."""

_SLACK = 64_000_000
"""Bytes a process may rest above its last low before it gives back what it can; that takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a process is told when it starts."""

    parent: int
    """The pid of the process whose death ends it."""
    memory: int
    """Bytes of address space it may take."""
    growth: int
    """Bytes it may hold between two jobs beyond what it held after the first; with more it ends itself."""
    gentle: bool
    recipe: bytes
    """The pickled task and what prepares for it."""


class Line:
    """The worker's end of the socket pair."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def send(self, message: bytes) -> None:
        """Send it whole. Raises OSError when the parent is gone."""
        self._socket.sendall(HEAD.pack(len(message)) + message)

    def receive(self) -> bytes:
        """The next message. Raises EOFError when the parent let go."""
        (size,) = HEAD.unpack(self._read(HEAD.size))
        return self._read(size)

    def _read(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            piece = self._socket.recv(min(1 << 20, size - len(found)))
            if not piece:
                raise EOFError
            found += piece
        return bytes(found)


_line: Line | None = None


def another_part() -> None:
    """Tell the pool that another part of the job begins, which has the whole deadline for itself.

    For tasks that do several things in one job. Does nothing outside of a worker.
    """
    if _line is not None:
        _line.send(BEGINS)


def main() -> None:
    """Serve the pool at the other end of the socket whose descriptor is the first argument, then end the process."""
    global _line  # noqa: PLW0603  a process has one parent
    _line = Line(socket.socket(fileno=int(sys.argv[1])))
    try:
        terms: Terms = pickle.loads(_line.receive())
        limits.restrain(terms.parent, terms.memory, terms.gentle)
        _serve(_line, terms)
    except (EOFError, OSError):
        pass  # it was let go
    # Libraries full of threads and pools have nothing left to tidy up.
    os._exit(0)


def _serve(line: Line, terms: Terms) -> None:
    task: Callable[[Any], Any] | None = None
    size: _Size | None = None
    leaving = False
    while not leaving:
        payload = line.receive()
        try:
            if task is None:
                task = _prepared(terms.recipe)
            another_part()
            answer = pickle.dumps((True, task(pickle.loads(payload))))
        except BaseException as problem:
            answer = pickle.dumps((False, portable(problem)))
        del payload
        if size is None:
            # Models may be loaded by the first job that needs them.
            size = _Size(terms.growth)
        leaving = size.is_too_large()
        line.send((LEAVES if leaving else STAYS) + answer)


def _prepared(recipe: bytes) -> Callable[[Any], Any]:
    task, initializer = pickle.loads(recipe)
    if initializer is not None:
        initializer()
    found: Callable[[Any], Any] = task
    return found


class _Size:
    """What this process holds between two jobs."""

    def __init__(self, growth: int) -> None:
        limits.give_back()
        self._low = limits.resting()
        self._most = self._low + growth

    def is_too_large(self) -> bool:
        """Give back what is no longer needed, if that may be much; tells whether too much is left all the same."""
        if limits.resting() <= min(self._low + _SLACK, self._most):
            return False
        limits.give_back()
        self._low = limits.resting()
        return self._low > self._most


def portable(problem: BaseException) -> BaseException:
    """`problem` as it can travel to the parent. What is pickled here may not be unpickled there: then it is its text.

    An exit is no answer but a death.
    """
    if isinstance(problem, MemoryError):
        return MemoryError("it takes more memory than a worker may use")
    if not isinstance(problem, Exception):
        return WorkerDied(detail=f"{type(problem).__name__}: {problem}")
    if isinstance(problem, GuyverError):
        return problem
    try:
        pickle.loads(pickle.dumps(problem))
    except Exception:
        return RuntimeError(f"{type(problem).__name__}: {problem}")
    return problem
