"""How a command reaches a library: through its daemon where one runs, else by doing the work itself under the lock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from guyverd.config import Config
from guyverd.errors import AlreadyRunning
from guyverd.service.api import Library
from guyverd.service.lock import Holder, Lock, holder

_PATIENCE = 10.0
"""Seconds to wait for a command that works by itself, or a daemon that is starting or stopping."""
_PAUSE = 0.1


def _never(seconds: float) -> bool:
    time.sleep(seconds)
    return False


@contextlib.contextmanager
def open_library(config: Config) -> Iterator[Library]:
    """The library of `config`. Raises AlreadyRunning where another command holds it too long."""
    lock = _wait_for(config.state)
    if isinstance(lock, Holder):
        from guyverd.service.control import RemoteLibrary  # noqa: PLC0415  and who works by itself, no sockets

        yield RemoteLibrary(lock)
        return
    assert lock is not None
    # Imported here: a command that only asks the daemon needs none of the libraries that do the work.
    from guyverd.service.pipeline.local import working_library  # noqa: PLC0415

    try:
        with working_library(config) as library:
            yield library
    finally:
        lock.release()


@contextlib.contextmanager
def owned(state: Path, stop: Callable[[float], bool] = _never) -> Iterator[Lock | None]:
    """The lock for a daemon. A command that works by itself for a moment is waited for.

    `stop(seconds)` waits that long, and tells whether to wait no more: then it is None. Raises AlreadyRunning at once
    where another daemon answers, and where a command holds the library too long.
    """
    lock = _wait_for(state, stop)
    if isinstance(lock, Holder):
        raise AlreadyRunning(pid=lock.pid or "unknown", state=state)
    try:
        yield lock
    finally:
        if lock is not None:
            lock.release()


def _wait_for(state: Path, stop: Callable[[float], bool] = _never) -> Lock | Holder | None:
    """The lock, or the daemon that has it and answers."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = holder(state)
        if found is not None and found.socket is not None and _answers(found.socket):
            return found
        try:
            return Lock(state)
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
        if stop(_PAUSE):
            return None


def _answers(address: str) -> bool:
    """Whether somebody listens there: a daemon that is about to stop, or reads its config again, does not."""
    from socket import AF_UNIX, socket  # noqa: PLC0415  who works by itself needs none

    with socket(AF_UNIX) as tried:
        try:
            tried.settimeout(_PATIENCE)
            tried.connect(address)
        except OSError:
            return False
    return True
