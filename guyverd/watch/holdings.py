"""What one tree watches and what it had to leave out: the folders, and the count of their watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watchdog.observers.inotify_c import CallbackId, InotifyEvent, WatchDescriptor

from guyverd.watch.coverage import Budget

if TYPE_CHECKING:
    from guyverd.watch.inotify_tree import InotifyTree


class Folder:
    """One watched directory. It knows its path through its parents, so a moved tree needs no renaming."""

    __slots__ = ("children", "id", "left_out", "live", "name", "parent", "tree", "wd")

    def __init__(self, tree: InotifyTree, parent: Folder | None, name: bytes, number: int) -> None:
        self.tree = tree
        self.parent = parent
        self.name = name
        self.id = CallbackId(number)
        self.wd = WatchDescriptor(-1)
        self.live = False
        self.children: dict[bytes, Folder] = {}
        self.left_out: set[bytes] | None = None
        """Names of directories in it that no watch was left for."""

    def path_of(self, name: bytes = b"") -> bytes:
        """The path of this directory, or of what is called `name` in it, relative to the root."""
        parts = [name] if name else []
        folder: Folder | None = self
        while folder is not None and folder.parent is not None:
            parts.append(folder.name)
            folder = folder.parent
        return b"/".join(reversed(parts))

    # What InotifyFD calls, in its own thread.

    def on_event(self, event: InotifyEvent) -> None:
        """Something happened in it."""
        self.tree.translate(self, event)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:  # noqa: ARG002  a folder knows its own
        """The directory is no more."""
        self.tree.forget(self)

    def on_queue_overflow(self) -> None:
        """Events were lost; the root speaks for all."""
        if self.parent is None:
            self.tree.recover(self)


class Holdings:
    """The live folders of one tree. The tree's lock is held by whoever calls."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._holders: dict[WatchDescriptor, int] = {}
        """How many folders stand on each watch: two, while a tree is planted anew."""
        self._young: dict[CallbackId, Folder] = {}
        """All but the root, in the order in which they came: none comes before one that it lies in."""
        self._partial: dict[CallbackId, Folder] = {}
        """Those in which some were left out."""

    def __len__(self) -> int:
        """Watches, each counted once."""
        return len(self._holders)

    def hold(self, folder: Folder) -> None:
        """Its watch stands."""
        folder.live = True
        if folder.parent is not None:
            self._young[folder.id] = folder
        self._holders[folder.wd] = self._holders.get(folder.wd, 0) + 1
        if self._holders[folder.wd] == 1:
            self._budget.took()

    def let_go(self, folder: Folder) -> None:
        """Its watch is given back, or gone with the directory."""
        folder.live = False
        self._young.pop(folder.id, None)
        self._partial.pop(folder.id, None)
        if folder.wd in self._holders:  # nothing is after `close`
            self._holders[folder.wd] -= 1
            if not self._holders[folder.wd]:
                del self._holders[folder.wd]
                self._budget.took(-1)

    def close(self) -> None:
        """All watches are given back at once."""
        self._budget.took(-len(self._holders))
        self._holders.clear()

    def newest(self) -> Folder | None:
        """The folder that came last, if there is any but the root."""
        return self._young[next(reversed(self._young))] if self._young else None

    def leave_out(self, parent: Folder, name: bytes) -> None:
        """No watch was left for the directory `name` in `parent`, which is live."""
        if parent.left_out is None:
            parent.left_out = set()
        parent.left_out.add(name)
        self._partial[parent.id] = parent

    def put_in(self, parent: Folder, name: bytes) -> None:
        """That directory is watched now, or is there no more."""
        if parent.left_out is not None:
            parent.left_out.discard(name)
            if not parent.left_out:
                parent.left_out = None
                self._partial.pop(parent.id, None)

    def left_out(self) -> list[tuple[Folder, bytes]]:
        """What was left out: the name of each, and the folder that it lies in."""
        return [(folder, name) for folder in self._partial.values() for name in sorted(folder.left_out or ())]
