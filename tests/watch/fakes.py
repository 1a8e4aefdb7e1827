"""A file system made of a dictionary, which can be told to fail."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from guyverd.watch.scanner import Entry

ROOT = b"/photos"
DEVICE = 7


@dataclass
class FakeEntry:
    fs: FakeDisk
    path: bytes

    @property
    def name(self) -> bytes:
        return self.path.rpartition(b"/")[2]

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        assert not follow_symlinks
        return stat.S_ISDIR(self.fs.modes.get(self.path, 0))

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        assert not follow_symlinks
        return stat.S_ISREG(self.fs.modes.get(self.path, 0))

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        assert not follow_symlinks
        return self.fs.lstat(self.path)


@dataclass
class FakeDisk:
    """`files` maps paths below ROOT to sizes; their directories come by themselves."""

    files: Mapping[bytes, int]
    folders: Iterable[bytes] = ()
    links: Iterable[bytes] = ()
    broken: dict[bytes, int] = field(default_factory=dict)
    """errno of paths, relative to ROOT, that cannot be listed or looked at."""
    vanishing: set[bytes] = field(default_factory=set)
    """Listed in their directory, gone when looked at."""
    modes: dict[bytes, int] = field(default_factory=dict)
    listed: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.modes[ROOT] = stat.S_IFDIR
        for kind, paths in ((stat.S_IFREG, self.files), (stat.S_IFDIR, self.folders), (stat.S_IFLNK, self.links)):
            for path in paths:
                self.modes[ROOT + b"/" + path] = kind
                for end in (i for i, byte in enumerate(path) if byte == ord("/")):
                    self.modes[ROOT + b"/" + path[:end]] = stat.S_IFDIR

    def inode(self, path: bytes) -> int:
        return 1 + sorted(self.modes).index(path)

    def lstat(self, path: bytes) -> os.stat_result:
        path = path.removesuffix(b"/.")
        self._fail(path, listing=False)
        size = self.files.get(path.removeprefix(ROOT + b"/"), 0)
        told = (self.modes[path], self.inode(path), DEVICE, 1, 0, 0, size, 0, 5, 0)
        return os.stat_result(told, {"st_mtime_ns": 5_000_000_000})

    @contextmanager
    def scandir(self, path: bytes) -> Iterator[Iterator[Entry]]:
        self._fail(path, listing=True)
        if not stat.S_ISDIR(self.modes[path]):
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
        self.listed.append(path.removeprefix(ROOT).removeprefix(b"/"))
        inside = [p for p in self.modes if p.rpartition(b"/")[0] == path and p != ROOT]
        yield iter([FakeEntry(self, p) for p in inside])

    def _fail(self, path: bytes, *, listing: bool) -> None:
        relative = path.removeprefix(ROOT).removeprefix(b"/")
        if relative in self.vanishing or path not in self.modes:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        is_file = stat.S_ISREG(self.modes[path])
        if relative in self.broken and (listing or is_file):
            raise OSError(self.broken[relative], os.strerror(self.broken[relative]))
