"""The observer: tells, for any number of roots, which paths may have changed.

It reports hints and promises no more: where inotify cannot serve, `Watching` says so and why, and the root has to be
compared with the disk from time to time. What inotify never tells, anywhere: that a directory *above* the root was
renamed, that something was mounted, and what happens on a file system mounted below the root after `watch`.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass

from guyverd.watch.inotify_tree import WATCH_LIMIT, InotifyTree
from guyverd.watch.mounts import silent, silent_below
from guyverd.watch.path_event import EventKind, PathEvent

__all__ = ["EventKind", "Observer", "PathEvent", "Watching"]

INSTANCE_LIMIT = (
    "the system's limit of watching programs is reached; `sudo sysctl fs.inotify.max_user_instances=1024` raises it"
)


@dataclass(frozen=True, slots=True)
class Watching:
    """How a root is watched."""

    events: bool
    """Whether events tell of every change. If not, poll: single events may still come, and are true."""
    detail: str
    """For people: why not, or what is missing. Empty where all is well."""


class Observer:
    """Watches roots and hands every event to `sink`.

    `sink` is called in the threads of the observer, one per root, and must only enqueue: while it runs, no event of
    that root is read. What it raises is logged and the event is lost. Roots may be watched before `start` or after;
    events since `watch` are kept. After `stop` the observer holds nothing, and may be started again for new roots.
    """

    def __init__(self, sink: Callable[[PathEvent], None]) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self._running = False
        self._trees: dict[bytes, InotifyTree] = {}
        self._refused: dict[bytes, Watching] = {}

    def start(self) -> None:
        """Begin to report; nothing happens where that has begun already."""
        with self._lock:
            self._running = True
            for tree in self._trees.values():
                tree.start()

    def stop(self) -> None:
        """End reporting, give every watch back and wait for the threads to end."""
        with self._lock:
            self._running = False
            trees = list(self._trees.values())
            self._trees.clear()
            self._refused.clear()
        for tree in trees:
            tree.close()

    def watch(self, root: bytes) -> Watching:
        """Watch the directory `root`, an absolute path, and all below it; returns once every watch stands.

        Called again for a root, it begins afresh: that is how to resume after the root was away or a limit was raised.
        A root that is itself a link is watched where the link leads.
        """
        self.unwatch(root)
        quiet_type = silent(root)
        if quiet_type is not None:
            return self._refuse(root, f"its file system ({quiet_type}) does not tell what other machines change")
        tree: InotifyTree | None = None
        try:
            tree = InotifyTree(root, self._sink)
            with self._lock:
                self._trees[root] = tree
                if self._running:
                    tree.start()
            tree.plant()
        except OSError as problem:
            if tree is not None:
                self.unwatch(root)
            return self._refuse(root, _reason(problem))
        if tree.problem == WATCH_LIMIT:
            # Half a tree is no help, and the watches it holds are missing to every other program of this user.
            self.unwatch(root)
            return self._refuse(root, WATCH_LIMIT)
        below = silent_below(root)
        if below and not tree.problem:
            place, kind = below[0]
            tree.problem = f"the file system at {place} ({kind}) does not tell what other machines change"
        return _told_by(tree)

    def watching(self, root: bytes) -> Watching:
        """How `root` is watched now. Ask again after OVERFLOW, and after GONE of the root itself: it may have changed.

        KeyError for a root that was never given to `watch`.
        """
        with self._lock:
            if root in self._refused:
                return self._refused[root]
            tree = self._trees[root]
        return _told_by(tree)

    def unwatch(self, root: bytes) -> None:
        """Give back all watches of `root`; no event of it follows. Nothing happens where it is not watched."""
        with self._lock:
            tree = self._trees.pop(root, None)
            self._refused.pop(root, None)
        if tree is not None:
            tree.close()

    def _refuse(self, root: bytes, detail: str) -> Watching:
        watching = Watching(False, detail)
        with self._lock:
            self._refused[root] = watching
        return watching


def _told_by(tree: InotifyTree) -> Watching:
    if tree.problem:
        return Watching(False, tree.problem)
    if not tree.alive():
        return Watching(False, "the watch has ended")
    unread = tree.unwatched
    return Watching(True, f"folders in it that cannot be read: {unread}" if unread else "")


def _reason(problem: OSError) -> str:
    if problem.errno == errno.ENOSPC:
        return WATCH_LIMIT
    if problem.errno in (errno.EMFILE, errno.ENFILE):
        return INSTANCE_LIMIT
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        return "there is no such folder"
    return f"it cannot be watched: {problem.strerror}"
