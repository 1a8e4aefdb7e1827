"""What is followed on disk by events, where events are followed at all: a command that works by itself does not."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from guyverd.watch.events import Observer, PathEvent, Watching

log = logging.getLogger(__name__)


class Watcher:
    """Follows nothing until it is started."""

    def __init__(self, sink: Callable[[PathEvent], None]) -> None:
        """`sink` is called by other threads and must only enqueue."""
        self._sink = sink
        self._observer: Observer | None = None

    @property
    def started(self) -> bool:
        """Whether anything is followed."""
        return self._observer is not None

    def start(self) -> None:
        """Begin to follow what `watch` names."""
        self._observer = Observer(self._sink)
        self._observer.start()

    def stop(self) -> None:
        """Follow nothing more; no event comes after this."""
        if self._observer is not None:
            self._observer.stop()

    def watch(self, root: bytes) -> None:
        """Follow a folder, or try anew; why it cannot be is told once."""
        if self._observer is None:
            return
        before = self.at(root)
        watched = self._observer.watch(root)
        if not watched.events and watched != before:
            log.warning("%s: %s", os.fsdecode(root), watched.detail)

    def unwatch(self, root: bytes) -> None:
        """Follow a folder no more."""
        if self._observer is not None:
            self._observer.unwatch(root)

    def at(self, root: bytes) -> Watching | None:
        """How a folder is followed; None where it is not."""
        try:
            return None if self._observer is None else self._observer.watching(root)
        except KeyError:
            return None
