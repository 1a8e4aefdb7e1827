"""How a command reaches a library: through its daemon where one runs, else by doing the work itself under the lock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from guyverd.config import Config
from guyverd.errors import AlreadyRunning
from guyverd.service.api import Library
from guyverd.service.lock import Lock, holder

_PATIENCE = 10.0
"""Seconds to wait for a command that works by itself, or a daemon that is starting or stopping."""


@contextlib.contextmanager
def open_library(config: Config) -> Iterator[Library]:
    """The library of `config`. Raises AlreadyRunning where another command holds it too long."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = holder(config.state)
        if found is not None and found.socket is not None:
            from guyverd.service.control import RemoteLibrary  # noqa: PLC0415  and who works by itself, no sockets

            yield RemoteLibrary(found)
            return
        try:
            lock = Lock(config.state)
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
            continue
        break
    # Imported here: a command that only asks the daemon needs none of the libraries that do the work.
    from guyverd.service.pipeline.local import working_library  # noqa: PLC0415

    try:
        with working_library(config) as library:
            yield library
    finally:
        lock.release()
