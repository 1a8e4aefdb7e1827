"""A library at work in this process, for one command: it starts to work only when it is asked to scan."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from guyverd.config import Config
from guyverd.service.api import Row
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.queries import LocalLibrary


class WorkingLibrary(LocalLibrary):
    """A `LocalLibrary` whose coordinator starts with the first scan and does not follow events."""

    def __init__(self, coordinator: Coordinator) -> None:
        super().__init__(coordinator, daemon=False)
        self._started = False

    def scan(self) -> Row:
        """See `Library.scan`."""
        if not self._started:
            self._started = True
            self._at_work.start(watch=False)
        return super().scan()


@contextlib.contextmanager
def working_library(config: Config) -> Iterator[LocalLibrary]:
    """The library, for a process that holds its lock."""
    coordinator = Coordinator(config)
    try:
        yield WorkingLibrary(coordinator)
    finally:
        coordinator.stop()
