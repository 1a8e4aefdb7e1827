"""How a command reaches a library: through its daemon where one runs, else by doing the work itself under the lock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from guyverd.config import Config
from guyverd.errors import AlreadyRunning
from guyverd.service.api import Library
from guyverd.service.lock import Holder, Lock, holder

_PATIENCE = 10.0
"""Seconds to wait for a command that works by itself, or a daemon that is starting or stopping."""


@contextlib.contextmanager
def open_library(config: Config) -> Iterator[Library]:
    """The library of `config`. Raises AlreadyRunning where another command holds it too long."""
    lock = _wait_for(config.state)
    if isinstance(lock, Holder):
        from guyverd.service.control import RemoteLibrary  # noqa: PLC0415  and who works by itself, no sockets

        yield RemoteLibrary(lock)
        return
    # Imported here: a command that only asks the daemon needs none of the libraries that do the work.
    from guyverd.service.pipeline.local import working_library  # noqa: PLC0415

    try:
        with working_library(config) as library:
            yield library
    finally:
        lock.release()


@contextlib.contextmanager
def owned(state: Path) -> Iterator[Lock]:
    """The lock for a daemon. A command that works by itself for a moment is waited for.

    Raises AlreadyRunning at once where another daemon answers, and where a command holds the library too long.
    """
    lock = _wait_for(state)
    if isinstance(lock, Holder):
        raise AlreadyRunning(pid=lock.pid, state=state)
    try:
        yield lock
    finally:
        lock.release()


def _wait_for(state: Path) -> Lock | Holder:
    """The lock, or the daemon that has it and answers."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = holder(state)
        if found is not None and found.socket is not None:
            return found
        try:
            return Lock(state)
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
