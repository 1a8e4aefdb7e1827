"""All directories below one root, each with its inotify watch, and what their events mean.

Only the lowest layer of watchdog is used: `InotifyFD`, the thread that reads an inotify instance and calls back. Its
observers above that layer pair moves, replay directories file by file and keep quiet about what they could not do:
a directory moved out of the root stays watched under its old name, one that no watch was left for is passed over in
silence, an overflow of the queue is not told. Here each root has an instance of its own, so that an overflow concerns
one root and unwatching takes no time, and every such case ends in an event or in `problem`.

Rules that keep the hints complete:

- A directory is watched *before* it is listed, so what appears in between is seen twice rather than never.
- A directory that appears, by whatever way, is reported as a subtree *after* its watches stand. Whoever looks through
  it then finds what came before them.
- Links are never followed, and names that begin with a dot are neither watched nor reported.
- Watches are replaced by adding first and removing after. Removing makes the kernel queue one event for each, so that
  the other order would turn one overflow of a large root into an endless row of them.
- Where watches run out, the folders next to the root have theirs, those further down are left out and named. The parent
  of a folder left out is watched, so that what is left out is always known by its present path.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import threading
from collections import deque
from collections.abc import Callable

from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, Mask

from guyverd.watch.coverage import Budget
from guyverd.watch.holdings import Folder, Holdings
from guyverd.watch.path_event import EventKind, PathEvent
from guyverd.watch.scanner import hidden

log = logging.getLogger(__name__)

# Reading, opening and changed attributes are left out: our own reading of a photo must not wake us.
_MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
    | InotifyConstants.IN_EXCL_UNLINK
)
_ROOT_MASK = Mask(_MASK | InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF)
_ARRIVED = InotifyConstants.IN_CREATE | InotifyConstants.IN_MOVED_TO
_WRITTEN = _ARRIVED | InotifyConstants.IN_MODIFY | InotifyConstants.IN_CLOSE_WRITE
_LEFT = InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM
_ROOT_LEFT = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF

JOIN_SECONDS = 5.0


class InotifyTree:
    """The watches of one root. `sink` is called in the reading thread and must only enqueue."""

    def __init__(
        self,
        root: bytes,
        sink: Callable[[PathEvent], None],
        budget: Budget | None = None,
        skip: Callable[[bytes], bool] = hidden,
    ) -> None:
        """Opens an inotify instance. OSError EMFILE or ENFILE where the system has none left.

        Names that `skip` accepts are neither watched nor reported. The root itself is watched whatever `budget` says.
        """
        self.problem = ""
        """Why events tell nothing reliable any more; empty while they do."""
        self.unwatched = 0
        """Directories that could not be watched since they cannot be read."""
        self._root = root
        self._base = os.path.realpath(root)
        self._sink = sink
        self._skip = skip
        self._budget = Budget() if budget is None else budget
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._top: Folder | None = None
        self._holdings = Holdings(self._budget)
        self._replanting = False
        self._closed = False
        self._started = False
        self._reader = InotifyFD()
        self._reader.name = "inotify"
        # It counts as reading from birth, and then nobody closes its descriptors if it ends before its first read.
        self._reader._is_reading = False

    # ---- life, called from outside -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to report. What happened since `plant` comes first."""
        with self._lock:
            if not self._started and not self._closed:
                self._started = True
                self._reader.start()

    def alive(self) -> bool:
        """Whether events are being read, or will be once started."""
        return not self._closed and (not self._started or self._reader.is_alive())

    @property
    def watched(self) -> int:
        """How many directories are watched."""
        return len(self._holdings)

    def left_out(self) -> frozenset[bytes]:
        """The directories that no watch was left for, relative to the root; what lies in them is not watched either."""
        with self._lock:
            return frozenset(folder.path_of(name) for folder, name in self._holdings.left_out())

    def extend(self) -> None:
        """Try again to watch what was left out. What could be watched now may have changed before."""
        with self._lock:
            left_out = self._holdings.left_out()
        given: list[bytes] = []
        found = []
        for folder, name in left_out:
            if not self._budget.free:
                break
            child = self._attach(folder, name, given)
            if child is not None:
                found.append(child)
        for child in found:
            self._fill(child, given)

    def plant(self) -> None:
        """Watch the root and every directory below it. OSError where the root cannot be watched.

        What is left out, for watches run out, has to be looked through, as everything, after this returns.
        """
        with self._lock:
            if self._closed:
                return
            top = Folder(self, None, b"", next(self._numbers))
            top.wd = self._reader.add_callback(self._base, _ROOT_MASK, top, top.id)
            if top.wd == -1:  # watchdog lets EACCES pass as descriptor -1
                self._reader.remove_callbacks([(top.wd, top.id)])
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            self._holdings.hold(top)
            former, self._top = self._top, top
            # Where all are there already, the system is asked for nothing, and nothing is counted twice.
            self._replanting = former is not None
        given: list[bytes] = []
        self._fill(top, given)
        if former is not None:
            with self._lock:
                self._replanting = False
                self._detach(former)
                self._give_back(self._budget.excess, given)

    def close(self) -> None:
        """Stop reporting and give every watch back. No event follows once this has returned."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._top is not None:
                self._top.live = False
            self._holdings.close()
        self._reader.stop()
        if not self._started:
            return
        self._reader.join(JOIN_SECONDS)
        if self._reader.is_alive():
            root = os.fsdecode(self._root)
            log.warning("the watch on %s hangs in the file system and was left behind", root, extra={"root": root})

    # ---- events, in the reading thread -------------------------------------------------------------------------------

    def translate(self, folder: Folder, event: InotifyEvent) -> None:
        """Turn one inotify event into at most one of ours."""
        if not folder.live:
            return
        if event.mask & InotifyConstants.IN_UNMOUNT:
            self._lose("a file system in it was unmounted", EventKind.OVERFLOW)
        elif not event.name:
            if folder.parent is None and event.mask & _ROOT_LEFT:
                self._lose("the folder was deleted or moved away", EventKind.GONE)
                self._detach(folder)
        elif self._skip(event.name):
            return
        elif event.mask & _LEFT:
            child = folder.children.get(event.name) if event.mask & InotifyConstants.IN_ISDIR else None
            if child is not None:
                self._detach(child)
            with self._lock:
                self._holdings.put_in(folder, event.name)
            self._emit(EventKind.GONE, folder.path_of(event.name))
        elif event.mask & InotifyConstants.IN_ISDIR:
            if event.mask & _ARRIVED:
                self._grow(folder, event.name)
        elif event.mask & _WRITTEN:
            self._emit(EventKind.TOUCHED, folder.path_of(event.name))

    def forget(self, folder: Folder) -> None:
        """The kernel has dropped this directory's watch: it is no more."""
        with self._lock:
            if folder.live:
                self._holdings.let_go(folder)
            if folder.parent is not None and folder.parent.children.get(folder.name) is folder:
                del folder.parent.children[folder.name]

    def recover(self, folder: Folder) -> None:
        """The kernel's queue ran over: watch what was missed, then say that a look at everything is due."""
        if not folder.live:
            return
        try:
            self.plant()
        except OSError as problem:
            self._lose(f"it cannot be watched any more: {problem.strerror}", EventKind.OVERFLOW)
        else:
            self._emit(EventKind.OVERFLOW, b"")

    def _grow(self, parent: Folder, name: bytes) -> None:
        given: list[bytes] = []
        folder = self._attach(parent, name, given)
        if folder is not None:
            self._fill(folder, given)
        self._emit(EventKind.SUBTREE, parent.path_of(name))
        for path in given:  # what was queued of them is lost
            self._emit(EventKind.SUBTREE, path)

    def _lose(self, problem: str, kind: EventKind) -> None:
        """Events no longer tell everything. Told once: an unmounted tree reports each of its directories."""
        if not self.problem:
            self.problem = problem
            self._emit(kind, b"")

    def _emit(self, kind: EventKind, path: bytes) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                self._sink(PathEvent(kind, self._root, path))
            except Exception:
                # It would end the reading thread, and with it every later event.
                whole = os.fsdecode(os.path.join(self._root, path))
                root = os.fsdecode(self._root)
                log.exception("an event at %s was lost", whole, extra={"file": whole, "root": root})

    # ---- watches -----------------------------------------------------------------------------------------------------

    def _fill(self, top: Folder, given: list[bytes]) -> None:
        """Watch everything below `top`, level by level; adds to `given` what had to give up its watch.

        Locked for one directory at a time, so that `close` never waits for a disk.
        """
        waiting = deque((top,))
        while waiting and not self._closed:
            folder = waiting.popleft()
            if not folder.live:
                continue
            try:
                with os.scandir(os.path.join(self._base, folder.path_of())) as entries:
                    names = [item.name for item in entries if not self._skip(item.name) and _is_directory(item)]
            except OSError:
                continue  # gone meanwhile, or unreadable, which the scanner tells
            for name in names:
                child = self._attach(folder, name, given)
                if child is not None:
                    waiting.append(child)

    def _attach(self, parent: Folder, name: bytes, given: list[bytes]) -> Folder | None:
        """Watch the directory `name` in `parent`; None where that cannot be."""
        path = os.path.join(self._base, parent.path_of(name))
        with self._lock:
            if self._closed or not parent.live:
                return None
            known = parent.children.get(name)
            if known is None and not self._replanting and not self._budget.free:
                self._holdings.leave_out(parent, name)
                return None
            folder = Folder(self, parent, name, next(self._numbers))
            try:
                folder.wd = self._reader.add_callback(path, _MASK, folder, folder.id)
            except OSError as problem:
                if problem.errno in (errno.ENOSPC, errno.ENOMEM):
                    if known is not None:
                        self._detach(known)
                    self._holdings.leave_out(parent, name)
                    self._give_back(self._budget.spent(), given)
                return None  # else it vanished or became something else, and its own event is on the way
            self._holdings.put_in(parent, name)
            if folder.wd == -1 or (known is not None and known.wd == folder.wd):
                self._reader.remove_callbacks([(folder.wd, folder.id)])
                self.unwatched += folder.wd == -1
                return known if folder.wd != -1 else None
            if known is not None:
                self._detach(known)  # another directory has taken the name
            self._holdings.hold(folder)
            parent.children[name] = folder
            return folder

    def _detach(self, top: Folder) -> None:
        """Give back the watches of `top` and all below it.

        A directory found under a second name meanwhile keeps its watch: each holder has a callback of its own on it.
        """
        with self._lock:
            if self._closed:
                return
            if top.parent is not None and top.parent.children.get(top.name) is top:
                del top.parent.children[top.name]
            callbacks = []
            waiting = [top]
            while waiting:
                folder = waiting.pop()
                waiting.extend(folder.children.values())
                if folder.live:
                    self._holdings.let_go(folder)
                    callbacks.append((folder.wd, folder.id))
            self._reader.remove_callbacks(callbacks)

    def _give_back(self, count: int, given: list[bytes]) -> None:
        """Leave out the folders that came last, until so many watches are free again."""
        enough = len(self._holdings) - count
        while len(self._holdings) > enough and (folder := self._holdings.newest()) is not None:
            parent = folder.parent
            assert parent is not None
            given.append(folder.path_of())
            self._detach(folder)
            if parent.live:
                self._holdings.leave_out(parent, folder.name)


def _is_directory(item: os.DirEntry[bytes]) -> bool:
    try:
        return item.is_dir(follow_symlinks=False)
    except OSError:
        return False
