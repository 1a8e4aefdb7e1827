"""Models the tests check against: a ledger in memory, the tree as a dict, shelves made by Hypothesis."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from zlib import crc32

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from guyverd.folders.linking import Style
from guyverd.folders.names import link_names
from guyverd.folders.plan import FolderRename, Plan, plan
from guyverd.folders.spare import byte_key, is_spare_of
from guyverd.model import PhotoId, Stamp
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink, Shelf, ShelfPhoto

# On a busy machine the first text Hypothesis draws takes seconds, for it reads all of Unicode; that says nothing of us.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class MemoryLedger:
    """Rows by path; what a crash leaves is what was written before it."""

    def __init__(self, links: Iterable[PublishedLink] = ()) -> None:
        self.rows = {link.path: link for link in links}
        self.homes: dict[OwnerId, Home] = {}
        self.calls = 0

    def published(self, owners: Collection[OwnerId] | None = None) -> list[PublishedLink]:
        found = (link for link in self.rows.values() if owners is None or link.owner in owners)
        return sorted(found, key=lambda link: link.path)

    def intend(self, links: Sequence[PublishedLink]) -> None:
        self.calls += 1
        self.rows.update({link.path: link for link in links})

    def forget(self, paths: Sequence[bytes]) -> None:
        self.calls += 1
        for path in paths:
            self.rows.pop(path, None)

    def renamed(self, renames: Sequence[FolderRename]) -> None:
        self.calls += 1
        for rename in renames:
            inside = [self.rows.pop(path) for path in list(self.rows) if path.startswith(rename.old + b"/")]
            for row in inside:
                new = rename.new + row.path[len(rename.old) :]
                self.rows[new] = replace(row, path=new, made=True)
            moved = [
                replace(home, path=rename.new + home.path[len(rename.old) :])
                for home in self.homes.values()
                if (home.path + b"/").startswith(rename.old + b"/")
            ]
            self.homes = settled(self.homes, moved)

    def settle(self, homes: Sequence[Home], gone: Collection[OwnerId] = ()) -> None:
        self.homes = settled(self.homes, homes, gone)


def settled(homes: Mapping[OwnerId, Home], new: Sequence[Home], gone: Collection[OwnerId] = ()) -> dict[OwnerId, Home]:
    """Homes after some were noted: a path is one owner's."""
    paths, owners = {home.path for home in new}, {home.owner for home in new}
    left = {
        owner: home
        for owner, home in homes.items()
        if owner not in gone and owner not in owners and home.path not in paths
    }
    return left | {home.owner: home for home in new}


@dataclass
class Tree:
    """What a plan says is there: links and whose folders they are."""

    links: list[PublishedLink] = field(default_factory=list)
    homes: dict[OwnerId, Home] = field(default_factory=dict)

    def planned(
        self,
        shelves: Sequence[Shelf],
        style: Style,
        owners: Collection[OwnerId] | None = None,
        former: Mapping[OwnerId, bytes] = MappingProxyType({}),
    ) -> Plan:
        published = [link for link in self.links if owners is None or link.owner in owners]
        return plan(shelves, published, self.homes, style=style, owners=owners, former=former)

    def after(self, changes: Plan) -> Tree:
        """The tree after a plan, by its definition; asserts that each step finds what it relies on."""
        tree = {link.path: link for link in self.links}
        for link in changes.remove:
            assert tree.pop(link.path) == link
        for rename in changes.renames:
            inside = [path for path in tree if path.startswith(rename.old + b"/")]
            assert {tree[path] for path in inside} <= set(rename.links)
            assert {link.owner for link in rename.links} <= {rename.owner}
            assert not any((path + b"/").startswith(rename.new + b"/") for path in tree), "the new path is free"
            assert not any(rename.new.startswith(path + b"/") for path in tree)
            for path in inside:
                link = tree.pop(path)
                new = rename.new + path[len(rename.old) :]
                tree[new] = replace(link, path=new)
        kept = len(tree)
        for link in changes.note:
            assert link.path in tree
            # A hard link or a copy goes on showing its photo wherever that was moved.
            assert tree[link.path].kind is link.kind
            assert link.kind is not LinkKind.SYMBOLIC or tree[link.path].target == link.target
            tree[link.path] = link
        for link in changes.make:
            assert link.path not in tree
            stamp = None if link.kind is LinkKind.SYMBOLIC else STAMP
            tree[link.path] = replace(link, made=True, stamp=stamp)
        assert changes.keep <= kept
        links = sorted(tree.values(), key=lambda link: link.path)
        shown = {link.owner for link in links}
        homes = [replace(home, inode=crc32(home.path)) if home.owner in shown else home for home in changes.homes]
        return Tree(links, settled(self.homes, homes, changes.gone))

    def assert_shows(self, shelves: Sequence[Shelf], style: Style) -> None:
        """Each photo has its link, in its owner's own folder, under its name, and what belongs to it is beside it."""
        assert self.homes.keys() == {shelf.owner for shelf in shelves}
        assert len({byte_key(home.path) for home in self.homes.values()}) == len(self.homes)
        links = {link.path: link for link in self.links if link.kind not in (LinkKind.PAGE, LinkKind.COVER)}
        assert len({byte_key(path) for path in links}) == len(links)
        for shelf in shelves:
            home = self.homes[shelf.owner]
            assert home.name == shelf.name
            theirs = {path: link for path, link in links.items() if link.owner == shelf.owner}
            for path, link in theirs.items():
                assert path.startswith(home.path + b"/")
                assert link.made
                assert link.kind is {"hard": LinkKind.HARD, "copy": LinkKind.COPY}.get(style.links, LinkKind.SYMBOLIC)
            photos = {link.photo: link for link in theirs.values() if not link.companion}
            assert photos.keys() == {photo.photo for photo in shelf.photos}
            assert len(photos) == len([link for link in theirs.values() if not link.companion])
            rooms: dict[bytes, list[ShelfPhoto]] = {}
            for photo in shelf.photos:
                rooms.setdefault(room_of(photo, style), []).append(photo)
            for room, inside in rooms.items():
                names = link_names(inside)
                for photo in inside:
                    link = photos[photo.photo]
                    assert leads_to(link, style) == photo.target
                    folder, name = os.path.split(link.path)
                    assert link.placed or folder == home.path + room
                    assert link.placed or is_spare_of(name, names[photo.target], folder=False)
                    self._assert_companions(photo, link, theirs, style)

    @staticmethod
    def _assert_companions(
        photo: ShelfPhoto, link: PublishedLink, theirs: Mapping[bytes, PublishedLink], style: Style
    ) -> None:
        beside = [one for one in theirs.values() if one.companion and one.photo == photo.photo]
        assert {leads_to(one, style) for one in beside} <= set(photo.companions)
        stem, own = os.path.splitext(link.path)[0], os.path.splitext(os.path.basename(photo.target))[0]
        for companion in photo.companions:
            path = stem + os.path.basename(companion)[len(own) :]
            # Where another link has the name that it must have, there is no room for it.
            folder, name = os.path.split(path)
            there = [one for one in theirs.values() if os.path.dirname(one.path) == folder]
            there = [one for one in there if is_spare_of(os.path.basename(one.path), name, folder=False)]
            assert path in theirs or any(leads_to(one, style) == companion for one in there)


STAMP = Stamp(1, 2, 3)
"""Of files that a plan had made: here they are all alike."""


def leads_to(link: PublishedLink, style: Style) -> bytes:
    """The absolute path that a link shows."""
    if link.kind is not LinkKind.SYMBOLIC or style.links == "absolute":
        return link.target
    return os.path.normpath(os.path.join(style.people_folder, os.path.dirname(link.path), link.target))


def room_of(photo: ShelfPhoto, style: Style) -> bytes:
    """The part of a link's folder that its photo's date decides."""
    if not style.years:
        return b""
    return b"/" + (photo.taken_at[:4].encode() if photo.taken_at else b"undated")


def photo(target: bytes, taken_at: str | None = None, *companions: bytes, number: int | None = None) -> ShelfPhoto:
    """A photo whose number is that of its file's name, so that it has the same one wherever it is moved."""
    identity = crc32(os.path.basename(target)) if number is None else number
    return ShelfPhoto(PhotoId(identity), target, taken_at, companions)


def shelf(owner: int, name: str | None, *photos: ShelfPhoto) -> Shelf:
    return Shelf(OwnerId(owner), name, photos)


# Few and alike, so that people clash, swap and share.
NAMES = st.sampled_from(
    [None, "Alice", "alice", "Bob", "Unnamed", "Faceless", "Alice (2)", "Alice~2", "Unnamed~2", "...", "Bob (moving)"]
)
TARGETS = st.sampled_from(
    [b"/p/a.jpg", b"/p/b.jpg", b"/p/x/a.jpg", b"/p/x/A.JPG", b"/q/\xff.png", b"/home/u/People2/c"]
)
COMPANIONS = st.sampled_from([(), (), (".mov",), (".MOV", ".mov.xmp"), (".cr2", ".jpg.xmp")])


@st.composite
def photos(draw: st.DrawFn) -> ShelfPhoto:
    target = draw(TARGETS)
    stem = os.path.splitext(target)[0]
    return ShelfPhoto(
        PhotoId(draw(st.integers(1, 6))),
        target,
        draw(st.sampled_from([None, "2024-05-17T10:00:00", "2023-01-01"])),
        tuple(stem + tail.encode() for tail in draw(COMPANIONS)),
    )


@st.composite
def shelf_lists(draw: st.DrawFn) -> list[Shelf]:
    """People, and albums with negative numbers, who have names and photos in common."""
    owners = draw(st.lists(st.integers(-3, 7).filter(bool), unique=True, max_size=5))
    found = []
    for owner in owners:
        name = draw(NAMES) if owner > 0 else draw(NAMES.filter(bool))
        own = st.lists(photos(), max_size=4, unique_by=(lambda one: one.photo, lambda one: one.target))
        found.append(Shelf(OwnerId(owner), name, tuple(draw(own))))
    return found


STYLES = st.builds(
    Style, st.just(b"/home/u/People"), st.just("Unnamed"), st.sampled_from(["relative", "absolute", "hard", "copy"]),
    st.booleans(),
)  # fmt: skip


def tree_of(root: bytes) -> dict[bytes, bytes]:
    """Everything below a folder: links with what they say, files with their content, folders with b""."""
    found: dict[bytes, bytes] = {}
    for here, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(here, name)
            relative = os.path.relpath(path, root)
            if os.path.islink(path):
                found[relative] = b"-> " + os.readlink(path)
            elif os.path.isdir(path):
                found[relative] = b""
            else:
                with open(path, "rb") as file:
                    found[relative] = b"file " + file.read()
    return found
