"""The people folder seen again by a catalogue that is older than it: what is whose, without a word heard. Pure.

After a restore the ledger tells what was published at the time of the backup. What stands there otherwise by now was
done by hands or by publishing since, and nobody can tell which. So nothing of it means anything: rows whose link is
gone are forgotten, links that are surely of our making are taken into the ledger, so that publishing keeps or removes
them, and everything else is left as it is, for good.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from guyverd.folders.disk import is_ours
from guyverd.folders.linking import way
from guyverd.folders.names import shown_name
from guyverd.folders.snapshot import Snapshot
from guyverd.folders.spare import parents
from guyverd.model import Stamp
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink

NOBODY = OwnerId(0)
"""The owner of links that were made for somebody whom the catalogue does not know: they go with the next publishing."""

_DATED = re.compile(rb"([0-9]{4}-[0-9]{2}-[0-9]{2}|undated)_")
_NUMBER = re.compile(rb"[0-9]{4,}")
_LIKE = 80
"""Bytes of a file's name that a link's name must have; longer ones are cut."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the people folder is, and what links in it may lead to."""

    real: bytes
    """Its path, absolute and without symbolic links in it."""
    roots: tuple[bytes, ...]
    """Photo folders, absolute."""
    unnamed: bytes


@dataclass(frozen=True, slots=True)
class Readopted:
    """What the ledger is to say from now on."""

    forgotten: tuple[PublishedLink, ...]
    links: tuple[PublishedLink, ...]
    """Of ours, and not in the ledger, or not like that."""
    homes: tuple[Home, ...]
    gone: tuple[OwnerId, ...]
    """Whose folder is not there."""
    strays: frozenset[bytes]
    """What is nobody's word, whatever it is."""


def moved_since(
    published: Sequence[PublishedLink],
    homes: Mapping[OwnerId, Home],
    enrolled: Collection[bytes],
    seen: Snapshot,
    place: Place,
) -> list[tuple[bytes, bytes]]:
    """Folders that were moved since: from where to where they are to be moved back.

    A folder is known by its inode, and by something that is in it as it was then.
    """
    where = {inode: path for path, inode in seen.folders.items()}
    found = []
    for _, home in sorted(homes.items()):
        now = None if home.inode is None else where.get(home.inode)
        free = home.path not in seen.folders and seen.entries.keys().isdisjoint(parents(home.path))
        if now is None or now == home.path or not free or not _readable(seen, home.path):
            continue
        hosting = any(other.path != home.path and now in parents(other.path) for other in homes.values())
        if hosting or now in parents(home.path):
            continue
        same = any(
            _goal(link.target, link.path, place) == _goal(text, now + link.path[len(home.path) :], place)
            for link in published
            if home.path in parents(link.path)
            and isinstance(text := seen.entries.get(now + link.path[len(home.path) :]), bytes)
        )
        if same or any(
            home.path in parents(path) and now + path[len(home.path) :] in seen.entries for path in enrolled
        ):
            found.append((now, home.path))
    return found


def readopt(
    published: Sequence[PublishedLink],
    homes: Mapping[OwnerId, Home],
    enrolled: Collection[bytes],
    seen: Snapshot,
    place: Place,
    *,
    moved: Mapping[bytes, bytes],
    made_of: Callable[[bytes, Stamp], PublishedLink | None],
) -> Readopted:
    """What stands there, by what was published once.

    `moved` are folders that were moved back: where each was, by where it is. `made_of` tells of a file whether it is of
    our making: a copy or second name of a photo, a sheet or a cover; its owner does not matter.
    """
    rows = {link.path: link for link in published}
    living = {home.path: owner for owner, home in homes.items() if home.path in seen.folders}
    kept: set[bytes] = set()
    links: dict[bytes, PublishedLink] = {}
    strays: set[bytes] = set()
    for path, what in seen.entries.items():
        row = rows.get(path)
        if row is not None and is_ours(row, what):
            kept.add(path)
        elif path not in enrolled:
            link = _ours(path, what, row, living=living, place=place, moved=moved, made_of=made_of)
            if link is None:
                strays.add(path)
            else:
                links[path] = link
    forgotten = [
        link for link in published if link.path not in kept and link.path not in links and _readable(seen, link.path)
    ]
    return Readopted(
        forgotten=tuple(forgotten),
        links=tuple(link for _, link in sorted(links.items())),
        homes=tuple(
            replace(home, inode=seen.folders[home.path]) for _, home in sorted(homes.items()) if home.path in living
        ),
        gone=tuple(
            owner for owner, home in sorted(homes.items()) if home.path not in living and _readable(seen, home.path)
        ),
        strays=frozenset(strays),
    )


def is_named_after(name: bytes, goal: bytes) -> bool:
    """Whether a link to that photo, or to what belongs to one, may have had that name from us."""
    dated = _DATED.match(name)
    if dated is None:
        return False
    stem = os.path.splitext(shown_name(os.path.basename(goal)))[0]
    return name[dated.end() :].startswith(stem[:_LIKE])


# ---- inside ----------------------------------------------------------------------------------------------------------


def _ours(
    path: bytes,
    what: bytes | Stamp,
    row: PublishedLink | None,
    *,
    living: Mapping[bytes, OwnerId],
    place: Place,
    moved: Mapping[bytes, bytes],
    made_of: Callable[[bytes, Stamp], PublishedLink | None],
) -> PublishedLink | None:
    """What stands there as a link of ours, if it surely is one."""
    above = parents(os.path.dirname(path))
    owner = next((living[folder] for folder in reversed(above) if folder in living), None)
    if owner is None and len(above) > 1 and above[0] == place.unnamed:
        # The folder of somebody without a name is called by a number, and by nobody else.
        owner = NOBODY if _NUMBER.fullmatch(os.path.basename(above[1])) else None
    if owner is None:
        return None
    if isinstance(what, Stamp):
        made = made_of(path, what)
        return None if made is None else replace(made, owner=owner)
    # It says what is right where it was made.
    origin = next((moved[folder] + path[len(folder) :] for folder in above if folder in moved), path)
    goal = _goal(what, origin, place)
    if row is not None and row.kind is LinkKind.SYMBOLIC and _goal(row.target, path, place) == goal:
        return replace(row, target=what, owner=owner, made=True)
    if not _in_our_format(what, origin, goal, place) or not is_named_after(os.path.basename(path), goal):
        return None
    return PublishedLink(path, what, owner)


def _goal(text: bytes, path: bytes, place: Place) -> bytes:
    """Where a link at that path of the people folder leads, by its text alone."""
    return os.path.normpath(os.path.join(place.real, os.path.dirname(path), text))


def _in_our_format(text: bytes, path: bytes, goal: bytes, place: Place) -> bool:
    """Whether a link there to that photo would have had that text, had we made it."""
    within = any(goal.startswith(root.rstrip(b"/") + b"/") for root in (*place.roots, place.real))
    return within and text in (goal, way(goal, place.real, os.path.dirname(path)))


def _readable(seen: Snapshot, path: bytes) -> bool:
    return not seen.hides(path) and path not in seen.unreadable
