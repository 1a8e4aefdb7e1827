"""From many events to few looks: a path is looked at once it has been quiet, or has been restless for too long. Pure.

A camera import writes each file in hundreds of steps, an editor saves through three names, a folder of ten thousand
photos arrives as thirty thousand events. Each waiting path has a quiet delay, started anew by every event, and a hard
ceiling counted from its first one. Events below a directory that has to be looked through anyway are taken up by it,
and so many waiting paths in one root that looking at each costs more than one walk become a walk through the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from guyverd.watch.path_event import EventKind, PathEvent


@dataclass(frozen=True, slots=True)
class Settled:
    """Something to look at now."""

    root: bytes
    path: bytes
    """Relative to the root."""
    subtree: bool
    """True: look through this directory (b"" is the whole root). False: look at this one path. It may be a file, or
    gone, and what is gone may have been a directory with files below it."""


@dataclass(slots=True)
class _Waiting:
    first: float
    last: float
    subtree: bool


class Debouncer:
    """Events in, settled paths out. The clock is the caller's: any that never runs backwards, in seconds.

    Give the events of one batch the same `now`; then the two halves of a move settle together.
    """

    def __init__(self, quiet: float, ceiling: float, most: int = 2000) -> None:
        """`quiet` and `ceiling` in seconds; `most` is the number of paths that may wait in one root."""
        if not 0 <= quiet <= ceiling or most < 1:
            raise ValueError("expected 0 <= quiet <= ceiling and most >= 1")
        self._quiet = quiet
        self._ceiling = ceiling
        self._most = most
        self._roots: dict[bytes, dict[bytes, _Waiting]] = {}
        self._soonest: float | None = None

    def __len__(self) -> int:
        return sum(map(len, self._roots.values()))

    def add(self, event: PathEvent, now: float) -> None:
        """Take note of an event that came at `now`."""
        waiting = self._roots.setdefault(event.root, {})
        # Whatever concerns the root itself concerns all of it.
        path = b"" if event.kind is EventKind.OVERFLOW else event.path
        subtree = path == b"" or event.kind is EventKind.SUBTREE
        above = next(
            (waiting[folder] for folder in _upwards(path) if folder in waiting and waiting[folder].subtree), None
        )
        if above is not None:
            above.last = now
            return
        if subtree:
            self._gather(waiting, path, now)
        elif path in waiting:
            waiting[path].last = now
        else:
            waiting[path] = _Waiting(now, now, subtree=False)
            if len(waiting) > self._most:
                path = b""
                self._gather(waiting, path, now)
        due = self._due(waiting[path])
        self._soonest = due if self._soonest is None else min(self._soonest, due)

    def due(self, now: float) -> tuple[Settled, ...]:
        """Take out what has settled by `now`, in the order of first events within each root."""
        if self._soonest is None or now < self._soonest:
            return ()
        settled: list[Settled] = []
        for root, waiting in list(self._roots.items()):
            ripe = [path for path, entry in waiting.items() if self._due(entry) <= now]
            settled.extend(Settled(root, path, waiting.pop(path).subtree) for path in ripe)
            if not waiting:
                del self._roots[root]
        left = (self._due(entry) for waiting in self._roots.values() for entry in waiting.values())
        self._soonest = min(left, default=None)
        return tuple(settled)

    def deadline(self) -> float | None:
        """When to call `due` next; None while nothing waits.

        Never too late. It may be too early where events came since `due` was last called: each of them only moves its
        path to later, and finding the new earliest at every event would cost more than waking once in vain.
        """
        return self._soonest

    def _due(self, entry: _Waiting) -> float:
        return min(entry.last + self._quiet, entry.first + self._ceiling)

    def _gather(self, waiting: dict[bytes, _Waiting], path: bytes, now: float) -> None:
        """Let the subtree `path` take the place of all that waits at it or below it, from the oldest on."""
        prefix = path + b"/" if path else b""
        taken = [waiting.pop(other) for other in list(waiting) if other == path or other.startswith(prefix)]
        first = min((entry.first for entry in taken), default=now)
        waiting[path] = _Waiting(first, now, subtree=True)


def _upwards(path: bytes) -> Iterator[bytes]:
    """`path`, then every directory above it, the root (b"") last."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]
    yield b""
