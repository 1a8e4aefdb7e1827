"""Which links stand in one folder: what is to be made, what stays where it is, and what is called how. Pure."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from guyverd.folders.names import link_names
from guyverd.folders.spare import is_spare_of, spare_name
from guyverd.model import PhotoId
from guyverd.published import LinkKind, PublishedLink, Shelf, ShelfPhoto

FILES_OF_OURS = frozenset((LinkKind.PAGE, LinkKind.COVER))
"""What is made beside the links: `pages` looks after it."""


@dataclass(frozen=True, slots=True)
class Style:
    """How the people folder looks."""

    people_folder: bytes
    """Absolute and real: no symbolic link in it, for a relative link is resolved by the kernel from the real folder."""
    unnamed: str
    """The folder that holds people without a name."""
    links: str = "relative"
    """"relative" or "absolute" symbolic links, "hard" links, or a "copy" (sharing blocks where it can)."""
    years: bool = False
    """Each folder has one for each year in it."""


class Linking:
    """The links of one folder: what is to be made, what stays."""

    def __init__(
        self, shelf: Shelf, home: bytes, standing: Mapping[bytes, tuple[bytes, PublishedLink]], style: Style
    ) -> None:
        self.wanted: dict[bytes, PublishedLink] = {}
        """To be made, or made anew, by path."""
        self.kept: set[bytes] = set()
        """Paths of now at which a link stays."""
        self.rooms: set[bytes] = set()
        """Folders in which one does."""
        self.notes: list[PublishedLink] = []
        self._owner = shelf.owner
        self._home = home
        self._standing = standing
        self._style = style
        self._ways: dict[tuple[bytes, bytes], bytes] = {}
        self._of_photo: dict[tuple[PhotoId | None, bool], list[bytes]] = defaultdict(list)
        for path, (now, link) in standing.items():
            if link.kind in FILES_OF_OURS:
                self.kept.add(now)
            else:
                self._of_photo[link.photo, link.companion].append(path)
        self._taken: set[bytes] = set()
        placed = {photo.photo: self._placed(photo) for photo in shelf.photos}
        rooms: dict[bytes, list[ShelfPhoto]] = defaultdict(list)
        for photo in shelf.photos:
            rooms[_year(photo) if style.years else b""].append(photo)
        companions: list[tuple[bytes, ShelfPhoto]] = []
        for room, photos in sorted(rooms.items()):
            # A name is kept by none that needs no link, or has another name.
            loose = {one.photo: one for one in photos if placed[one.photo] is None and self._needs_link(one)}
            names = link_names(loose.values())
            for photo in photos:
                at = placed[photo.photo]
                if photo.photo in loose:
                    at = self._place(home + (b"/" + room if room else b""), names[photo.target], photo)
                companions += [(at, photo)] if photo.companions and at is not None else []
        for path, photo in companions:
            self._beside(path, photo)

    def _placed(self, photo: ShelfPhoto) -> bytes | None:
        """Where somebody put the link of a photo, or how they called it, within the folder."""
        for path in sorted(self._of_photo.get((photo.photo, False), ())):
            if self._standing[path][1].placed and path.startswith(self._home + b"/") and path not in self._taken:
                self._settle(path, photo.target, photo.photo, companion=False)
                return path
        return None

    def _needs_link(self, photo: ShelfPhoto) -> bool:
        """Not where it stands beside another, nor where somebody put the photo itself there: then one stays."""
        if photo.beside:
            return False
        standing = (self._standing[path][1] for path in self._of_photo.get((photo.photo, False), ()))
        return not photo.own or any(link.made for link in standing)

    def _place(self, folder: bytes, name: bytes, photo: ShelfPhoto) -> bytes:
        """Where the link of any other photo is, or is to be made."""
        wanted, number = folder + b"/" + name, 2
        while wanted in self._taken:
            wanted, number = folder + b"/" + spare_name(name, number, folder=False), number + 1
        wanted = self._found(wanted, photo.photo, companion=False)
        self._settle(wanted, photo.target, photo.photo, companion=False)
        return wanted

    def _found(self, wanted: bytes, photo: PhotoId, *, companion: bool) -> bytes:
        """Where a link that should stand there does: under its own name, or under a spare one."""
        there = [one for one in self._of_photo.get((photo, companion), ()) if one not in self._taken]
        if wanted in there:
            return wanted
        folder, name = os.path.split(wanted)
        spares = (
            one
            for one in sorted(there)
            if os.path.dirname(one) == folder and is_spare_of(os.path.basename(one), name, folder=False)
        )
        return next(spares, wanted)

    def _beside(self, path: bytes, photo: ShelfPhoto) -> None:
        """What belongs to a photo has its link's name, with an extension of its own."""
        stem = os.path.splitext(path)[0]
        own = os.path.splitext(os.path.basename(photo.target))[0]
        for companion in photo.companions:
            tail = os.path.basename(companion)[len(own) :]
            if stem + tail not in self._taken:
                place = self._found(stem + tail, photo.photo, companion=True)
                self._settle(place, companion, photo.photo, companion=True)

    def _settle(self, path: bytes, target: bytes, photo: PhotoId, *, companion: bool) -> None:
        self._taken.add(path)
        now, there = self._standing.get(path, (path, None))
        kind, text = self._text(os.path.dirname(path), target)
        # One that is not `made` is about to go, and may be gone: it is made again.
        stays = there is not None and there.made and there.kind is kind and there.photo in (photo, None)
        if there is not None and stays and (there.target == text if kind is LinkKind.SYMBOLIC else there.stamp):
            self.kept.add(now)
            self.rooms.add(os.path.dirname(path))
            if (there.target, there.photo, there.companion) != (text, photo, companion):
                self.notes.append(replace(there, target=text, photo=photo, companion=companion))
            return
        placed = there is not None and there.placed
        self.wanted[path] = PublishedLink(path, text, self._owner, photo, kind, companion, placed)

    def _text(self, folder: bytes, target: bytes) -> tuple[LinkKind, bytes]:
        style = self._style
        if style.links == "hard":
            return LinkKind.HARD, target
        if style.links == "copy":
            return LinkKind.COPY, target
        if style.links == "absolute":
            return LinkKind.SYMBOLIC, target
        above, _, file = target.rpartition(b"/")
        if (folder, above) not in self._ways:
            self._ways[folder, above] = _relative(above, _parts(style.people_folder) + _parts(folder))
        return LinkKind.SYMBOLIC, self._ways[folder, above] + file


def _year(photo: ShelfPhoto) -> bytes:
    year = (photo.taken_at or "")[:4]
    return year.encode() if len(year) == 4 and year.isascii() and year.isdigit() else b"undated"


def _parts(path: bytes) -> list[bytes]:
    return [part for part in path.split(b"/") if part not in (b"", b".")]


def way(target: bytes, people_folder: bytes, folder: bytes) -> bytes:
    """What a relative link to an absolute path says in a folder of the people folder, which is absolute and real."""
    above, _, file = target.rpartition(b"/")
    return _relative(above, _parts(people_folder) + _parts(folder)) + file


def _relative(folder: bytes, start: Sequence[bytes]) -> bytes:
    """The way to `folder` from the folder `start`, with a slash at its end; empty from itself."""
    goal = _parts(folder)
    same = 0
    for here, there in zip(start, goal, strict=False):
        if here != there:
            break
        same += 1
    return b"".join(step + b"/" for step in [b".."] * (len(start) - same) + goal[same:])
