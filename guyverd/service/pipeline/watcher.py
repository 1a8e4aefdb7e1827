"""What is followed on disk by events, where events are followed at all: a command that works by itself does not."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable

from guyverd.watch.events import Observer, PathEvent, Watching
from guyverd.watch.scanner import hidden

log = logging.getLogger(__name__)
_FIGURES = re.compile("[0-9]+")
"""They may change with every look, which is no news."""


class Watcher:
    """Follows nothing until it is started."""

    def __init__(self, sink: Callable[[PathEvent], None], skip: Callable[[bytes], bool] = hidden) -> None:
        """`sink` is called by other threads and must only enqueue; `skip` tells names that do not matter in roots."""
        self._sink = sink
        self._skip = skip
        self._observer: Observer | None = None
        self._told: dict[bytes, str] = {}

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

    def watch(self, root: bytes, *, everything: bool = False) -> None:
        """Follow a folder from now on; with `everything`, also what has a name that would not matter in a root."""
        if self._observer is not None:
            self._observer.watch(root, hidden if everything else self._skip)
            self._tell(root)

    def renew(self, root: bytes) -> tuple[bytes, ...]:
        """Follow what could not be followed so far; returns the folders in it that are to be compared with the disk."""
        try:
            return () if self._observer is None else self._observer.renew(root)
        except KeyError:
            return ()
        finally:
            self._tell(root)

    def unbroken(self, root: bytes) -> bool:
        """Whether a folder was followed all the time, and is the one that was followed first."""
        return self._observer is not None and self._observer.unbroken(root)

    def _tell(self, root: bytes) -> None:
        """What is not followed, and why, is told once, and again when it changes."""
        watching = self.at(root)
        detail = "" if watching is None or watching.events else watching.detail
        if _FIGURES.sub("", detail) != self._told.get(root, ""):
            self._told[root] = _FIGURES.sub("", detail)
            shown = os.fsdecode(root)
            log.warning("%s: %s", shown, detail or "all of it is followed by events again", extra={"root": shown})

    def unwatch(self, root: bytes) -> None:
        """Follow a folder no more."""
        self._told.pop(root, None)
        if self._observer is not None:
            self._observer.unwatch(root)

    def at(self, root: bytes) -> Watching | None:
        """How a folder is followed; None where it is not."""
        try:
            return None if self._observer is None else self._observer.watching(root)
        except KeyError:
            return None
