"""What a disk may hold after the power failed: a record of `shim.c` replayed with what was not synced lost or torn.

The disk is as bad as a disk may be. What a file was given is safe from the file's next sync on; before that, any of its
sectors may have been written and any other not. What was done to names in a folder is safe when one of the folders that
it touches was synced, and not by syncing the file; before that, each such change may be lost or kept, whatever became
of those before it. A rename is done or not done. (Linux's file systems are kinder in several of these.)
"""

from __future__ import annotations

import os
import random
import shutil
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.service.crash.shim import Kind

_HEAD = struct.Struct("=8Q")
_LONG_AGO = 1_600_000_000


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done."""

    kind: Kind
    parent: int = 0
    """Numbers here are the disk's own: a number that the file system gives out again is another's."""
    number: int = 0
    other: int = 0
    """The folder that something was renamed into."""
    at: int = 0
    name: str = ""
    into: str = ""
    """The other name; of what is made, whether it is a (f)ile, a (d)ir or a (l)ink."""
    data: bytes = b""


@dataclass
class _Node:
    kind: str
    text: bytes = b""
    names: dict[str, int] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)


class Record:
    """All that was done, in order."""

    def __init__(self, path: Path, top: Path) -> None:
        """Read a record of what was done below `top`, which still stands where it stood."""
        self.real: dict[int, int] = {}
        """The file system's number of each of ours that was used last."""
        self._known: dict[int, int] = {}
        self._next = 1
        self.top = self._number(top.stat().st_ino)
        self.deeds = list(self._read(path.read_bytes()))

    def _number(self, inode: int, *, new: bool = False) -> int:
        if inode == 0:
            return 0
        if new or inode not in self._known:
            self._known[inode] = self._next
            self.real[self._next] = inode
            self._next += 1
        return self._known[inode]

    def _read(self, data: bytes) -> Iterator[Deed]:
        at = 0
        while at < len(data):
            kind, a, b, c, number, names, others, size = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            name = os.fsdecode(data[at : at + names])
            into = os.fsdecode(data[at + names : at + names + others])
            content = data[at + names + others : at + names + others + size]
            at += names + others + size
            found = self._number(b, new=Kind(kind) is Kind.CREATE)
            yield Deed(Kind(kind), self._number(a), found, self._number(c), number, name, into, content)
        assert at == len(data), "the record is cut short"

    def points(self, kinds: Collection[Kind]) -> list[int]:
        """The changes of these kinds by their number among all changes, the first being 1."""
        changes = [deed.kind for deed in self.deeds if deed.kind < Kind.READ]
        return [at for at, kind in enumerate(changes, 1) if kind in kinds]

    def marks(self, cut: int) -> list[str]:
        """The marks before that deed."""
        return [deed.name for deed in self.deeds[:cut] if deed.kind is Kind.MARK]


@dataclass(frozen=True)
class Outage:
    """How the power failed."""

    cut: int
    """So many deeds were done."""
    manner: str
    """What becomes of what is not safe: "nothing" is kept, "everything", "any" part, or of names a "first" part."""
    sector: int = 512
    seed: int = 0
    lying: bool = False
    """Whether syncing did nothing."""


class Disk:
    """What is left after an outage."""

    def __init__(self, record: Record, outage: Outage, unsafe: str) -> None:
        """At the top, all but what is in the folder of that name is kept as it was done: it is not what is tried."""
        self._chance = random.Random(outage.seed)
        self._outage = outage
        self._record = record
        self._safe = {record.top}
        self._nodes: dict[int, _Node] = {record.top: _Node("d")}
        done = record.deeds[: outage.cut]
        # From the last to the first: what was synced later.
        synced: set[int] = set()
        kept: list[tuple[Deed, bool]] = []
        for deed in done:
            if deed.kind is Kind.CREATE and deed.parent in self._safe and deed.name != unsafe:
                self._safe.add(deed.number)
        for deed in reversed(done):
            if deed.kind is Kind.SYNC and not outage.lying:
                synced.add(deed.number)
            touched = {deed.number} if deed.kind in (Kind.WRITE, Kind.TRUNCATE) else {deed.parent, deed.other}
            kept.append((deed, not touched.isdisjoint(synced | self._safe)))
        self.lost = 0
        """Changes that were lost, in part or whole."""
        self._replay(list(reversed(kept)))

    def _replay(self, deeds: list[tuple[Deed, bool]]) -> None:
        unsafe = sum(not safe for deed, safe in deeds if deed.kind in _NAMING)
        first = self._chance.randint(0, unsafe)
        for deed, safe in deeds:
            if deed.kind is Kind.CREATE:
                self._nodes[deed.number] = _Node(deed.into, deed.data)
            if deed.kind in _NAMING:
                first -= not safe
                if safe or self._lucky(first >= 0):
                    self._call(deed)
                else:
                    self.lost += 1
            elif deed.kind is Kind.WRITE:
                self._write(deed, safe=safe)
            elif deed.kind is Kind.TRUNCATE and (safe or self._lucky(self._chance.random() < 0.5)):
                content = self._content(deed.number)
                del content[deed.at :]
                content.extend(bytes(deed.at - len(content)))

    def _lucky(self, early: bool) -> bool:
        manner = self._outage.manner
        if manner == "any":
            return self._chance.random() < 0.5
        return manner == "everything" or (manner == "first" and early)

    def _call(self, deed: Deed) -> None:
        """Names change; where an earlier change was lost, this one holds for the very file or folder it was done to."""
        if deed.kind in (Kind.CREATE, Kind.LINK):
            self._node(deed.parent, "d").names[deed.name] = deed.number
        else:
            self._node(deed.parent, "d").names.pop(deed.name, None)
        if deed.kind is Kind.RENAME:
            if self._nodes[deed.number].kind == "d":
                self._leave(deed.number)
            self._node(deed.other, "d").names[deed.into] = deed.number

    def _leave(self, folder: int) -> None:
        """A folder is in one place only, also if it was not noted that it went to where it is renamed from."""
        for node in self._nodes.values():
            for name in [name for name, number in node.names.items() if number == folder]:
                del node.names[name]

    def _write(self, deed: Deed, *, safe: bool) -> None:
        content = self._content(deed.number)
        size, start = self._outage.sector, deed.at
        whole, manner = True, self._outage.manner
        stop = self._chance.random() * len(deed.data) if manner == "first" else 0
        while start < deed.at + len(deed.data):
            end = min((start // size + 1) * size, deed.at + len(deed.data))
            if safe or self._lucky(start - deed.at < stop):
                if len(content) < start:
                    content.extend(bytes(start - len(content)))
                content[start:end] = deed.data[start - deed.at : end - deed.at]
            else:
                whole = False
            start = end
        self.lost += not whole

    def _node(self, number: int, kind: str) -> _Node:
        return self._nodes.setdefault(number, _Node(kind))

    def _content(self, number: int) -> bytearray:
        return self._node(number, "f").content

    def write(self, top: Path) -> dict[int, os.stat_result]:
        """Make `top` what is on the disk. Returns what became of each number the old file system knew.

        SQLite's shared memory is never on a disk.
        """
        shutil.rmtree(top, ignore_errors=True)
        made: dict[int, os.stat_result] = {}
        self._make(self._record.top, top, made, {})
        return made

    def _make(self, number: int, path: Path, made: dict[int, os.stat_result], first: dict[int, Path]) -> None:
        node = self._nodes[number]
        if number in first and node.kind != "d":
            os.link(first[number], path, follow_symlinks=False)
        elif node.kind == "d":
            path.mkdir(mode=0o700)
            for name, inner in sorted(node.names.items()):
                if not name.endswith("-shm"):
                    self._make(inner, path / name, made, first)
        elif node.kind == "l":
            path.symlink_to(os.fsdecode(node.text))
        else:
            path.write_bytes(node.content)
            # As guyverd makes what is its own; nothing is to be mended in it.
            path.chmod(0o600)
            os.utime(path, (_LONG_AGO, _LONG_AGO))
        first[number] = path
        made[self._record.real[number]] = path.lstat()


_NAMING = (Kind.CREATE, Kind.LINK, Kind.UNLINK, Kind.RENAME)
