"""The walk through a root: which photo files are there. The truth that events only hint at.

It never follows a link, never recurses, and always gives the same order. What it cannot look into it names, so that
nobody takes unreadable for empty. The file system is handed in; tests give it one that fails on purpose.
"""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from guyverd.model import SeenFile, Stamp

MARKER = b".guyverd-people"


class Entry(Protocol):
    """The part of os.DirEntry that is used."""

    @property
    def name(self) -> bytes:
        """Without its directory."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a directory."""

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a regular file."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Raises OSError."""


class FileSystem(Protocol):
    """What the scanner asks of a disk. Both raise OSError."""

    def scandir(self, path: bytes) -> AbstractContextManager[Iterator[Entry]]:
        """What is in a directory, in any order."""

    def lstat(self, path: bytes) -> os.stat_result:
        """What a path is, without following a link at its end."""


class _Disk:
    def scandir(self, path: bytes) -> AbstractContextManager[Iterator[Entry]]:
        return os.scandir(path)

    def lstat(self, path: bytes) -> os.stat_result:
        return os.lstat(path)


DISK: FileSystem = _Disk()


def hidden(name: bytes) -> bool:
    """Whether a file or folder is passed over for its name alone."""
    return name.startswith(b".")


@dataclass(frozen=True, slots=True)
class Rules:
    """What is passed over."""

    ignore: tuple[str, ...] = ()
    """Patterns for names of files and folders: *, ? and [], upper and lower case differ."""
    excluded: frozenset[tuple[int, int]] = frozenset()
    """Directories not to enter, as (device, inode): the people folder, wherever it lies."""
    marker: bytes = MARKER
    """A directory that holds a file of this name is a people folder and is not entered either."""

    def pass_over(self, name: bytes) -> bool:
        """Whether files and folders of this name are left out."""
        return hidden(name) or _pattern(self.ignore).match(os.fsdecode(name)) is not None


@functools.lru_cache(maxsize=16)
def _pattern(ignore: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, ignore)) or r"(?!)")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something is there, or may be, and cannot be looked at."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory stands there; scan it to see what it holds."""

    path: bytes


class Scan:
    """The files of one scope of one root, one pass per iteration.

    Yields a `SeenFile` for every regular file whose name `wanted` accepts, also if it is empty, each once, in the order
    of their whole paths as bytes: that in which an index of paths has them, so that the two can be compared without
    either being held. `scope` is a path relative to `root`: a directory, a file, or b"" for everything.
    """

    def __init__(
        self, root: bytes, scope: bytes, rules: Rules, wanted: Callable[[bytes], bool], fs: FileSystem = DISK
    ) -> None:
        self.unreadable: list[tuple[bytes, str]] = []
        """Relative path and reason of what could not be looked into, filled while iterating. b"" is the root."""
        self._root = root
        self._scope = scope
        self._rules = rules
        self._wanted = wanted
        self._fs = fs

    def __iter__(self) -> Iterator[SeenFile]:
        self.unreadable.clear()
        match look(self._root, self._scope, self._rules, self._wanted, self._fs):
            case SeenFile() as file:
                yield file
            case Unreadable(path, reason):
                self.unreadable.append((path, reason))
            case Directory():
                yield from self._walk()

    def _walk(self) -> Iterator[SeenFile]:
        waiting: list[tuple[bytes, Entry | None]] = [(self._scope, None)]
        while waiting:
            path, entry = waiting.pop()
            try:
                if entry is not None and not entry.is_dir(follow_symlinks=False):
                    yield SeenFile(path, _stamp(entry.stat(follow_symlinks=False)))
                    continue
                if entry is not None and self._excluded(entry):
                    continue
                inside = self._list(path)
            except (FileNotFoundError, NotADirectoryError) as problem:
                if entry is None:  # the scope itself was there a moment ago: conclude nothing from this
                    self.unreadable.append((path, _reason(problem)))
            except OSError as problem:
                self.unreadable.append((path, _reason(problem)))
            else:
                prefix = path + b"/" if path else b""
                waiting.extend((prefix + item.name, item) for item in inside)

    def _list(self, path: bytes) -> list[Entry]:
        """What is of interest in a directory, in the order of the paths at and below each, last first."""
        found: dict[bytes, Entry] = {}
        with self._fs.scandir(_join(self._root, path)) as entries:
            for item in entries:
                name = item.name
                if name == self._rules.marker:
                    return []
                if self._rules.pass_over(name):
                    continue
                # Links are neither files nor directories here.
                if item.is_dir(follow_symlinks=False):
                    # What is below it comes after "name.jpg" and before "name0.jpg", as its paths go on with a slash.
                    found[name + b"/"] = item
                elif self._wanted(name) and item.is_file(follow_symlinks=False):
                    found[name] = item
        return [found[key] for key in sorted(found, reverse=True)]

    def _excluded(self, entry: Entry) -> bool:
        if not self._rules.excluded:
            return False
        status = entry.stat(follow_symlinks=False)
        return (status.st_dev, status.st_ino) in self._rules.excluded


def scan(root: bytes, scope: bytes, rules: Rules, wanted: Callable[[bytes], bool], fs: FileSystem = DISK) -> Scan:
    """The files of `scope` in `root`; see `Scan`."""
    return Scan(root, scope, rules, wanted, fs)


def look(
    root: bytes, path: bytes, rules: Rules, wanted: Callable[[bytes], bool], fs: FileSystem = DISK
) -> SeenFile | Directory | Unreadable | None:
    """What stands at one path, by the same rules as a scan, which apply to every directory above it too.

    A `SeenFile`; a `Directory` that a scan would enter; `Unreadable` where the disk does not say, or where the root
    itself is away or holds the marker, so that nothing may be concluded; None where there is nothing for us: gone, a
    link, passed over, not wanted.
    """
    problem = _obstacle(root, rules, fs)
    if problem is not None:
        return Unreadable(b"", problem)
    names = path.split(b"/") if path else []
    if any(map(rules.pass_over, names)):
        return None
    try:
        return _descend(root, names, rules, wanted, fs)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Unreadable(path, _reason(error))


def _obstacle(root: bytes, rules: Rules, fs: FileSystem) -> str | None:
    """Why nothing may be concluded from what the root holds, if so."""
    try:
        status = fs.lstat(_join(root, b"."))  # with the dot a root that is itself a link is followed
        if _closed(root, status, rules, fs):
            return "it is, or claims to be, a people folder"
    except OSError as problem:
        return _reason(problem)
    return None


def _descend(
    root: bytes, names: list[bytes], rules: Rules, wanted: Callable[[bytes], bool], fs: FileSystem
) -> SeenFile | Directory | None:
    here = b""
    for depth, name in enumerate(names, 1):
        here = _join(here, name)
        status = fs.lstat(_join(root, here))
        if not stat.S_ISDIR(status.st_mode):
            is_ours = depth == len(names) and stat.S_ISREG(status.st_mode) and wanted(name)
            return SeenFile(here, _stamp(status)) if is_ours else None
        if _closed(_join(root, here), status, rules, fs):
            return None
    return Directory(here)


def _closed(folder: bytes, status: os.stat_result, rules: Rules, fs: FileSystem) -> bool:
    """Whether a directory is not to be entered."""
    return (status.st_dev, status.st_ino) in rules.excluded or _exists(_join(folder, rules.marker), fs)


def _exists(path: bytes, fs: FileSystem) -> bool:
    try:
        fs.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _join(*parts: bytes) -> bytes:
    return b"/".join(part for part in parts if part)


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def _reason(problem: OSError) -> str:
    return problem.strerror or str(problem)
