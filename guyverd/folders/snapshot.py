"""What stands in the people folder now. Names that begin with a dot are nobody's word: trash, marker, sync tools."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from guyverd.folders import disk
from guyverd.folders.spare import parents
from guyverd.model import Stamp, storable


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The folders, links and files at and below some folders; paths are relative to the people folder."""

    scopes: tuple[bytes, ...]
    """What was looked at, with all below; b"" is everything. None lies in another."""
    folders: dict[bytes, int] = field(default_factory=dict)
    """Each folder's inode."""
    entries: dict[bytes, bytes | Stamp] = field(default_factory=dict)
    """What a link says, or the stamp of a file."""
    unreadable: set[bytes] = field(default_factory=set)
    """Folders that could not be listed: nothing is concluded from what is not seen in them."""

    def covers(self, path: bytes) -> bool:
        """Whether what stands at that path would have been seen."""
        return any(not scope or path == scope or path.startswith(scope + b"/") for scope in self.scopes)

    def hides(self, path: bytes) -> bool:
        """Whether it lies in a folder that could not be read."""
        return any(not folder or path.startswith(folder + b"/") for folder in self.unreadable)


def widened(paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """Folders of which none lies in another, that hold all of these."""
    wanted = set(paths)
    if b"" in wanted:
        return (b"",)
    return tuple(sorted(path for path in wanted if wanted.isdisjoint(parents(path)[:-1])))


def take(people_folder: bytes, scopes: Iterable[bytes] = (b"",)) -> Snapshot:
    """Look at the people folder, or at some folders in it.

    Raises OSError where the people folder cannot be listed, or where its disk fails: nobody could tell then whether
    what is not seen in one folder stands in another, by its new name or with a link that was moved.
    """
    found = Snapshot(widened(scopes))
    waiting = []
    for scope in found.scopes:
        if any(name.startswith(b".") for name in scope.split(b"/")):
            continue
        try:
            status = _status(people_folder, scope)
        except (FileNotFoundError, NotADirectoryError):
            if not scope:
                raise
            continue
        except OSError as problem:
            _refused(problem, scope)
            found.unreadable.add(scope)
            continue
        if stat.S_ISDIR(status.st_mode):
            if scope:
                found.folders[scope] = storable(status.st_ino)
            waiting.append(scope)
    while waiting:
        folder = waiting.pop()
        try:
            _list(people_folder, folder, found, waiting)
        except FileNotFoundError:
            found.folders.pop(folder, None)
        except OSError as problem:
            _refused(problem, folder)
            found.unreadable.add(folder)
    return found


def _refused(problem: OSError, folder: bytes) -> None:
    """Raises the problem unless it is the folder alone that is not to be read: rights, or a link in its place."""
    of_the_folder = isinstance(problem, PermissionError | NotADirectoryError) or problem.errno == errno.ELOOP
    if not folder or not of_the_folder:
        raise problem


def _status(people_folder: bytes, scope: bytes) -> os.stat_result:
    """Of a folder; a link on the way to it leads elsewhere. Only the people folder itself may be a link."""
    if not scope:
        status = os.stat(people_folder)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), people_folder)
        return status
    *above, last = (os.path.join(people_folder, path) for path in parents(scope))
    for folder in above:
        if not stat.S_ISDIR(os.stat(folder, follow_symlinks=False).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    return os.stat(last, follow_symlinks=False)


def _list(people_folder: bytes, folder: bytes, found: Snapshot, waiting: list[bytes]) -> None:
    whole = os.path.join(people_folder, folder) if folder else people_folder
    prefix = folder + b"/" if folder else b""
    with os.scandir(whole) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(b"."):
                continue
            path = prefix + name
            try:
                if entry.is_symlink():
                    found.entries[path] = os.readlink(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    found.folders[path] = storable(entry.inode())
                    waiting.append(path)
                elif entry.is_file(follow_symlinks=False):
                    found.entries[path] = disk.stamp_of(entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue  # it went while we looked; its event is on the way
