"""A people folder on disk with its photos and its ledger."""

from __future__ import annotations

import os
from pathlib import Path

from guyverd.folders.apply import Applied, PeopleTree
from guyverd.folders.disk import TEMPORARY
from guyverd.folders.linking import Style
from guyverd.folders.marker import MARKER
from guyverd.folders.plan import Plan, plan
from guyverd.model import Stamp
from guyverd.published import LinkKind, Shelf, ShelfPhoto

from .model import MemoryLedger, leads_to, photo, tree_of

DAY = "2024-05-17T10:00:00"


class Library:
    """Photos, a people folder and its ledger in a temporary place."""

    def __init__(self, base: Path) -> None:
        self.photos = os.fsencode(base / "photos")
        self.root = os.fsencode(base / "People")
        os.makedirs(self.photos)
        self.tree = PeopleTree(self.root)
        self.tree.prepare()
        self.ledger = MemoryLedger()

    def photo(self, name: bytes, taken_at: str | None = DAY, *companions: bytes) -> ShelfPhoto:
        for one in (name, *companions):
            path = os.path.join(self.photos, one)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if not os.path.exists(path):
                with open(path, "wb") as file:
                    file.write(one)
        return photo(self.photos + b"/" + name, taken_at, *(self.photos + b"/" + one for one in companions))

    def style(self, links: str = "relative", *, years: bool = False) -> Style:
        return Style(self.tree.real, "Unnamed", links, years)

    def plan(self, *shelves: Shelf, style: Style | None = None) -> Plan:
        return plan(shelves, self.ledger.published(), self.ledger.homes, style=style or self.style())

    def publish(self, *shelves: Shelf, style: Style | None = None) -> Applied:
        applied = self.tree.apply(self.plan(*shelves, style=style), self.ledger)
        self.assert_true(*shelves, style=style)
        return applied

    def assert_true(self, *shelves: Shelf, style: Style | None = None) -> None:
        """The ledger is what is on disk, each link leads to its photo, and nothing is left to do."""
        style = style or self.style()
        for path, row in self.ledger.rows.items():
            full = os.path.join(self.root, path)
            assert row.made
            if row.kind is LinkKind.SYMBOLIC:
                assert os.readlink(full) == row.target
                assert os.path.isfile(full)
            else:
                status = os.lstat(full)
                assert row.stamp == Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
                assert os.path.samefile(full, row.target) is (row.kind is LinkKind.HARD)
                assert read(full) == read(row.target)
        asked = [(one.owner, target) for one in shelves for shot in one.photos for target in all_of(shot)]
        assert sorted(asked) == sorted((row.owner, leads_to(row, style)) for row in self.ledger.rows.values())
        assert self.ledger.homes.keys() == {one.owner for one in shelves}
        for home in self.ledger.homes.values():
            if any(row.owner == home.owner for row in self.ledger.rows.values()):
                assert os.lstat(self.path(home.path)).st_ino == home.inode
        left = self.plan(*shelves, style=style)
        assert (bool(left), left.note, left.homes, left.gone) == (False, (), (), ())
        assert not any(name.startswith(TEMPORARY) for name in os.listdir(self.root))

    def path(self, *parts: bytes) -> bytes:
        return os.path.join(self.root, *parts)

    def write(self, *parts: bytes, text: bytes = b"mine") -> bytes:
        path = self.path(*parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text)
        return path

    def shown(self) -> dict[bytes, bytes]:
        return {path: what for path, what in tree_of(self.root).items() if path != MARKER}


def all_of(shot: ShelfPhoto) -> tuple[bytes, ...]:
    return shot.target, *shot.companions


def read(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()
