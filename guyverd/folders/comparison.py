"""What was published beside what stands in the people folder now: which links are there, which not, what is strange.

Links are known by what they are and not by where: by their text, or, where they are files, by inode or stamp. Pure.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from guyverd.folders.acts import Shift
from guyverd.folders.disk import is_ours
from guyverd.folders.linking import FILES_OF_OURS
from guyverd.folders.snapshot import Snapshot
from guyverd.folders.spare import parents
from guyverd.model import Stamp
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink

Seen = bytes | Stamp
Key = bytes | int
"""By which a link is found again elsewhere: its text, or its inode."""


@dataclass(frozen=True, slots=True)
class Published:
    """What was published, as far as the snapshot covers it, and who there is."""

    links: Sequence[PublishedLink]
    homes: Mapping[OwnerId, Home]
    """Everybody's."""
    usual: Mapping[OwnerId, bytes] = field(default_factory=dict)
    """The folder that publishing would give each by what they are called now."""
    names: Mapping[str, OwnerId] = field(default_factory=dict)
    """Who bears a name, by the name without regard to case."""
    hidden: Mapping[bytes, OwnerId] = field(default_factory=dict)
    """The folder that somebody would have who is hidden."""
    strays: frozenset[bytes] = frozenset()
    """Links and files that were in nobody's folder when this was last looked at, or were left over when it ceased to be
    somebody's; also where somebody's folder is by now."""
    total: int = 0
    """Links in the whole people folder."""
    unnamed: bytes = b"Unnamed"


class Comparison:
    """One snapshot against what was published; those who look at it take out of it what they have understood."""

    def __init__(self, published: Published, actual: Snapshot) -> None:
        self.published = published
        self.actual = actual
        self.homes = {home.path: owner for owner, home in published.homes.items()}
        """Whose each folder is; folders that moved are followed."""
        self.here: list[PublishedLink] = []
        """Links that are where they were, or moved along with their folder."""
        self.moved: list[tuple[bytes, bytes]] = []
        """Folders that were followed: from where, and to where."""
        self.lost: dict[bytes, PublishedLink] = {}
        """Links that are not, by the path they had."""
        self.strange = dict(actual.entries)
        """What stands where no link of ours did."""
        exchanged, unread = self._elsewhere()
        for link in published.links:
            above = parents(link.path) if exchanged or unread else []
            # Where another folder stands in the place of theirs, what looks like this link may be that other's.
            if not exchanged.isdisjoint(above) or not self._is_here(link):
                told = link.made and actual.covers(link.path) and not actual.hides(link.path)
                if told and unread.isdisjoint(above):
                    self.lost[link.path] = link
        self.where: dict[Key, list[bytes]] = defaultdict(list)
        """Where a link may have gone, by path."""
        for path, seen in sorted(self.strange.items()):
            # What was copied somewhere long ago does not tell where a link went today.
            if path not in published.strays:
                self.where[key_of_seen(seen)].append(path)

    def settle(self) -> None:
        """All folders that moved are followed: what is still where it was is here."""
        for link in list(self.lost.values()):
            if self._is_here(link):
                del self.lost[link.path]

    def is_at(self, link: PublishedLink, path: bytes) -> bool:
        """Whether that link stands there now, and nobody else claims it."""
        return path in self.strange and is_ours(link, self.strange[path])

    def put_back(self, shift: Shift) -> Shift:
        """The link is to be where it was again; what stands where it went is a copy."""
        if shift.path is not None:
            self.strange[shift.path] = self.actual.entries[shift.path]
        return Shift(shift.link, None)

    def is_stray(self, path: bytes) -> bool:
        """Whether that stood there when this was last looked at, and was nobody's; its folder may have moved."""
        strays = self.published.strays
        return path in strays or any(
            path.startswith(new + b"/") and old + path[len(new) :] in strays for old, new in self.moved
        )

    def owner_at(self, path: bytes) -> OwnerId | None:
        """Whose folder a path lies in."""
        for above in reversed(parents(os.path.dirname(path))):
            if above in self.homes:
                return self.homes[above]
        return None

    def room(self, path: bytes) -> bytes | None:
        """The outermost folder of a path that holds no home; None where it lies among homes."""
        return next((above for above in parents(os.path.dirname(path)) if above not in self._holding), None)

    def shown(self, owner: OwnerId) -> str:
        """A folder as a person would call it."""
        home = next((path for path, one in self.homes.items() if one == owner), None)
        if home is None and owner in self.published.homes:
            home = self.published.homes[owner].path
        return text(home) if home is not None else f"person {owner}"

    # ---- inside ------------------------------------------------------------------------------------------------------

    @cached_property
    def _holding(self) -> set[bytes]:
        """Folders that hold homes: asked for when all folders are settled."""
        return {above for home in self.homes for above in parents(home)} | {self.published.unnamed}

    def _elsewhere(self) -> tuple[set[bytes], set[bytes]]:
        """Homes whose folder is elsewhere: those with another folder in their place, and those that cannot be read."""
        places = {inode: path for path, inode in self.actual.folders.items()}
        exchanged, unread = set(), set()
        for home in self.published.homes.values():
            place = None if home.inode is None else places.get(home.inode)
            if place is None or place == home.path or self.actual.folders.get(home.path) == home.inode:
                continue
            if place in self.actual.unreadable:
                unread.add(home.path)
            elif home.path in self.actual.folders:
                exchanged.add(home.path)
        # Some file systems number anew at every mount: where most is as it was, nothing moved.
        balance: Counter[bytes] = Counter()
        for link in self.published.links if exchanged else ():
            balance.update(
                {home: -1 if self.is_at(link, link.path) else 1 for home in exchanged & {*parents(link.path)}}
            )
        return {home for home in exchanged if balance[home] > 0}, unread

    def _is_here(self, link: PublishedLink) -> bool:
        if not self.is_at(link, link.path):
            return False
        self.here.append(link)
        del self.strange[link.path]
        return True


# ---- words about it --------------------------------------------------------------------------------------------------


def is_word(link: PublishedLink) -> bool:
    """Whether it says something when that link is moved: what belongs to a link, or to a folder, does not."""
    return not link.companion and link.kind not in FILES_OF_OURS


def key_of_seen(seen: Seen) -> Key:
    """The key of what stands somewhere."""
    return seen if isinstance(seen, bytes) else seen.inode


def key_of(link: PublishedLink) -> Key | None:
    """The key of a link of ours; None where it was never seen."""
    if link.kind is LinkKind.SYMBOLIC:
        return link.target
    return None if link.stamp is None else link.stamp.inode


def as_name(last: bytes) -> str | None:
    """What a folder of that name says its owner is called; None where it is no text that can be seen."""
    try:
        found = unicodedata.normalize("NFC", last.decode("utf-8"))
    except UnicodeDecodeError:
        return None
    name = " ".join(found.split())
    # Some scripts and pictures need characters that are not seen between those that are.
    visible = any(char.isprintable() for char in name)
    return name if visible and not any(unicodedata.category(char) == "Cc" for char in name) else None


def text(path: bytes) -> str:
    """A path for people to read."""
    return path.decode("utf-8", "replace")


def last_of(path: bytes) -> str:
    """The last name of a path for people to read."""
    return text(os.path.basename(path))


def links_in_words(shifts: Iterable[Shift]) -> str:
    """One link by its name, several by their number; what belongs to them is not counted."""
    links = [shift.link for shift in shifts if not shift.link.companion]
    return last_of(links[0].path) if len(links) == 1 else f"{len(links)} links"
