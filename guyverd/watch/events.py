"""The observer: tells, for any number of roots, which paths may have changed.

It reports hints and promises no more: where inotify cannot serve, `Watching` says so, why, and which folders have to
be compared with the disk from time to time. What inotify never tells, anywhere: that a directory *above* the root was
renamed, and that something was mounted. So `renew` is to be called now and then.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from guyverd.watch.coverage import Budget, gather
from guyverd.watch.inotify_tree import InotifyTree
from guyverd.watch.mounts import Mount, mounted_in, silent, silent_below
from guyverd.watch.path_event import EventKind, PathEvent
from guyverd.watch.scanner import hidden

__all__ = ["EventKind", "Observer", "PathEvent", "Watching"]

WATCH_LIMIT = (
    "the system's limit of watched folders is reached; `sudo sysctl fs.inotify.max_user_watches=524288` raises it"
)
INSTANCE_LIMIT = (
    "the system's limit of watching programs is reached; `sudo sysctl fs.inotify.max_user_instances=1024` raises it"
)
_WHOLE = (b"",)
MOST_POLLED = 256
"""Folders of one root that are compared one by one; more are taken together with their neighbours."""


@dataclass(frozen=True, slots=True)
class Watching:
    """How a root is watched."""

    events: bool
    """Whether events tell of every change."""
    detail: str
    """For people: why not, or what is missing. Empty where all is well."""
    polled: tuple[bytes, ...] = ()
    """What events do not tell of: folders relative to the root, each with all that is in it; b"" is the root. Single
    events may come from there all the same, and are true."""
    folders: int = field(default=0, compare=False)
    """How many folders are watched."""
    unwatched: int = field(default=0, compare=False)
    """How many are not, with all that is in them; a file system that tells too little is one."""

    @property
    def word(self) -> str:
        """In one word: events, partly (the rest is polled) or polled."""
        return "events" if self.events else "polled" if self.polled == _WHOLE else "partly"


@dataclass(slots=True)
class _Root:
    skip: Callable[[bytes], bool]
    tree: InotifyTree | None = None
    refused: str = ""
    mounts: frozenset[Mount] = frozenset()
    silent: tuple[tuple[bytes, str], ...] = ()


class Observer:
    """Watches roots and hands every event to `sink`.

    `sink` is called in the threads of the observer, one per root, and must only enqueue: while it runs, no event of
    that root is read. What it raises is logged and the event is lost. Roots may be watched before `start` or after;
    events since `watch` are kept. After `stop` the observer holds nothing, and may be started again for new roots.
    """

    def __init__(self, sink: Callable[[PathEvent], None], budget: Budget | None = None) -> None:
        self._sink = sink
        self._budget = Budget() if budget is None else budget
        self._lock = threading.Lock()
        self._running = False
        self._roots: dict[bytes, _Root] = {}

    def start(self) -> None:
        """Begin to report; nothing happens where that has begun already."""
        with self._lock:
            self._running = True
            for root in self._roots.values():
                if root.tree is not None:
                    root.tree.start()

    def stop(self) -> None:
        """End reporting, give every watch back and wait for the threads to end."""
        with self._lock:
            self._running = False
            roots = list(self._roots.values())
            self._roots.clear()
        for root in roots:
            if root.tree is not None:
                root.tree.close()

    def watch(self, root: bytes, skip: Callable[[bytes], bool] = hidden) -> Watching:
        """Watch the directory `root`, an absolute path, and all below it; returns once every watch stands.

        Called again for a root, it begins afresh: that is how to resume after the root was away. A root that is itself
        a link is watched where the link leads. Files and folders whose name `skip` accepts are passed over.
        """
        self.unwatch(root)
        entry = _Root(skip)
        with self._lock:
            self._roots[root] = entry
        try:
            tree = InotifyTree(root, self._sink, self._budget, skip)
            with self._lock:
                entry.tree = tree
                if self._running:
                    tree.start()
            # Known first: what is mounted meanwhile is a difference the next time.
            self._look_at_mounts(root, entry)
            tree.plant()
        except OSError as problem:
            with self._lock:
                failed, entry.tree, entry.refused = entry.tree, None, _reason(problem)
            if failed is not None:
                failed.close()
        return _told_by(entry)

    def watching(self, root: bytes) -> Watching:
        """How `root` is watched now. Ask again after OVERFLOW, and after GONE of the root itself: it may have changed.

        KeyError for a root that was never given to `watch`.
        """
        with self._lock:
            return _told_by(self._roots[root])

    def renew(self, root: bytes) -> tuple[bytes, ...]:
        """Watch what was not watched so far, where that can be now; returns what is to be compared with the disk now.

        To be called from time to time for each root: a limit may have been raised, watches become free, a disk be
        mounted. KeyError for a root that was never given to `watch`.
        """
        with self._lock:
            entry = self._roots[root]
            tree = entry.tree
        if tree is None or tree.problem or not tree.alive():
            self.watch(root, entry.skip)
            return _WHOLE
        due = {place for place, _ in entry.silent}
        moved = entry.mounts ^ mounted_in(root)
        if moved:
            base = os.path.realpath(root)
            due.update(_relative(mount.point, base) for mount in moved)
            self._look_at_mounts(root, entry)
            due.update(place for place, _ in entry.silent)
            try:
                tree.plant()
            except OSError as problem:
                tree.problem = _reason(problem)
                return _WHOLE
        left_out = tree.left_out()
        if left_out:
            due |= left_out
            self._budget.ask_again()
            tree.extend()
            due |= tree.left_out()
        return gather(due, MOST_POLLED)

    def unbroken(self, root: bytes) -> bool:
        """Whether what is watched as `root` is what was watched as such before: nothing was unmounted or mounted."""
        with self._lock:
            entry = self._roots.get(root)
        if entry is None or entry.tree is None or entry.tree.problem or not entry.tree.alive():
            return False
        return entry.mounts == mounted_in(root)

    def unwatch(self, root: bytes) -> None:
        """Give back all watches of `root`; no event of it follows. Nothing happens where it is not watched."""
        with self._lock:
            entry = self._roots.pop(root, None)
        if entry is not None and entry.tree is not None:
            entry.tree.close()

    def _look_at_mounts(self, root: bytes, entry: _Root) -> None:
        entry.mounts = mounted_in(root)
        whole = silent(root)
        below = [] if whole else silent_below(root)
        seen = [(place, kind) for place, kind in below if not any(map(entry.skip, place.split(b"/")))]
        entry.silent = ((b"", whole),) if whole else tuple(seen)


def _told_by(entry: _Root) -> Watching:
    tree = entry.tree
    if tree is None:
        return Watching(False, entry.refused, _WHOLE, unwatched=1)
    if tree.problem or not tree.alive():
        return Watching(False, tree.problem or "the watch has ended", _WHOLE, unwatched=1)
    told = []
    if left_out := tree.left_out():
        told.append(
            f"{WATCH_LIMIT}. Folders watched: {tree.watched}; not watched, and compared from time to time with all that"
            f" is in them: {len(left_out)}"
        )
    for place, kind in entry.silent[:1]:
        where = f"the file system at {os.fsdecode(place)} ({kind})" if place else f"its file system ({kind})"
        told.append(f"{where} does not tell all that is changed, and is compared from time to time")
    if tree.unwatched:
        told.append(f"folders in it that cannot be read: {tree.unwatched}")
    unwatched = left_out | {place for place, _ in entry.silent}
    polled = gather(unwatched, MOST_POLLED)
    return Watching(not polled, "; ".join(told), polled, tree.watched, len(unwatched))


def _relative(point: bytes, base: bytes) -> bytes:
    return b"" if point == base else os.path.relpath(point, base)


def _reason(problem: OSError) -> str:
    if problem.errno == errno.ENOSPC:
        return WATCH_LIMIT
    if problem.errno in (errno.EMFILE, errno.ENFILE):
        return INSTANCE_LIMIT
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        return "there is no such folder"
    return f"it cannot be watched: {problem.strerror}"
