"""What must change on disk so that the people folder shows the albums. Pure: it knows only what was published.

A folder whose person is called otherwise now is renamed as a whole, so that files the user put there move along.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from guyverd.folders.names import folder_names, link_names
from guyverd.folders.spare import is_spare_of, parents
from guyverd.model import Album, PersonId, PublishedLink

_Folders = Mapping[bytes, Sequence[PublishedLink]]
"""Published links by their folder."""


@dataclass(frozen=True, slots=True)
class FolderRename:
    """A person's folder gets another path, and everything in it moves along."""

    person: PersonId
    old: bytes
    """Relative to the people folder, like `new`."""
    new: bytes
    links: tuple[PublishedLink, ...]
    """Every link of ours in it, as it stands before this rename."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes, to be made in this order: `remove`, `renames` one after another, `make`.

    A path that is in `make` and in `remove` is a link to be replaced.
    """

    renames: tuple[FolderRename, ...]
    make: tuple[PublishedLink, ...]
    """Paths after the renames."""
    remove: tuple[PublishedLink, ...]
    """As they were published: paths before the renames."""
    keep: int
    """Links that stay as they are, but for the name of their folder."""

    def __bool__(self) -> bool:
        return bool(self.renames or self.make or self.remove)


@dataclass(frozen=True, slots=True)
class _Move:
    person: PersonId
    old: bytes
    new: bytes


def plan(
    albums: Sequence[Album],
    published: Sequence[PublishedLink],
    *,
    people_folder: bytes,
    unnamed: str,
    style: str,
) -> Plan:
    """The difference between the links that `albums` ask for and `published`.

    `people_folder` is the absolute, real path (no symbolic link in it: a relative link is resolved by the kernel from
    the real folder); `style` is "relative" or "absolute". A link found under a spare name is left there.
    """
    homes = folder_names(((album.person, album.name) for album in albums), unnamed)
    wanted = {
        link.path: link
        for album in albums
        for link in _links(album, homes[album.person], people_folder if style == "relative" else None)
    }
    taken = frozenset(above for home in homes.values() for above in parents(home))
    folders = _by_folder(published)
    moves = _moves(homes, folders, taken)
    standing = _after(folders, moves)
    kept = _kept(wanted, standing, homes, taken)
    satisfied = set(kept.values())
    return Plan(
        renames=tuple(_in_order(moves, folders, taken)),
        make=tuple(link for path, link in sorted(wanted.items()) if path not in satisfied),
        remove=tuple(sorted((link for link in published if link.path not in kept), key=lambda link: link.path)),
        keep=len(kept),
    )


# ---- what is wanted --------------------------------------------------------------------------------------------------


def _links(album: Album, home: bytes, people_folder: bytes | None) -> Iterator[PublishedLink]:
    start = None if people_folder is None else _parts(people_folder) + _parts(home)
    ways: dict[bytes, bytes] = {}
    for target, name in link_names(album.photos).items():
        text = target
        if start is not None:
            above, _, file = target.rpartition(b"/")
            if above not in ways:
                ways[above] = _relative(above, start)
            text = ways[above] + file
        yield PublishedLink(home + b"/" + name, text, album.person)


def _parts(path: bytes) -> list[bytes]:
    return [part for part in path.split(b"/") if part not in (b"", b".")]


def _relative(folder: bytes, start: Sequence[bytes]) -> bytes:
    """The way to `folder` from the folder `start`, with a slash at its end; empty from itself."""
    goal = _parts(folder)
    same = 0
    for here, there in zip(start, goal, strict=False):
        if here != there:
            break
        same += 1
    return b"".join(step + b"/" for step in [b".."] * (len(start) - same) + goal[same:])


# ---- which folders move ----------------------------------------------------------------------------------------------


def _moves(homes: Mapping[PersonId, bytes], published: _Folders, taken: frozenset[bytes]) -> list[_Move]:
    links_in: dict[PersonId, Counter[bytes]] = defaultdict(Counter)
    owners: dict[bytes, set[PersonId]] = defaultdict(set)
    for folder, links in published.items():
        if folder:
            for link in links:
                links_in[link.person][folder] += 1
    for person, folders in links_in.items():
        for folder in folders:
            for above in parents(folder):
                owners[above].add(person)
    moves = []
    for person, home in sorted(homes.items()):
        folders = links_in[person]
        if any(_is_home(folder, home, taken) for folder in folders):
            continue
        movable = [
            folder
            for folder in folders
            # A folder shared with somebody cannot move, nor can one move into itself.
            if owners[folder] == {person} and home not in parents(folder) and folder not in parents(home)
        ]
        if movable:
            moves.append(_Move(person, min(movable, key=lambda folder: (-folders[folder], folder)), home))
    return moves


def _is_home(folder: bytes, home: bytes, taken: frozenset[bytes]) -> bool:
    """Whether `folder` is `home`, or stands in for it under a spare name that nobody else has a right to."""
    if folder == home:
        return True
    here, there = parents(folder), parents(home)
    return len(here) == len(there) and all(
        ours == wanted
        or (ours not in taken and is_spare_of(os.path.basename(ours), os.path.basename(wanted), folder=True))
        for ours, wanted in zip(here, there, strict=True)
    )


def _in_order(moves: Sequence[_Move], published: _Folders, taken: Iterable[bytes]) -> Iterator[FolderRename]:
    """The moves so that each finds its place free; where they form a ring, one goes by way of another folder."""
    inside: dict[bytes, list[PublishedLink]] = {move.old: [] for move in moves}
    in_use = set(taken)
    for folder, links in published.items():
        above = parents(folder)
        in_use.update(above)
        for old in inside.keys() & set(above):
            inside[old] += links
    pending = list(moves)
    while pending:
        olds = {move.old for move in pending}
        occupied = Counter(above for old in olds for above in parents(old))
        waiting = []
        for move in pending:
            if occupied[move.new] or any(above in olds for above in parents(move.new)):
                waiting.append(move)
                continue
            yield FolderRename(move.person, move.old, move.new, tuple(inside.pop(move.old)))
            olds.discard(move.old)
            occupied.subtract(parents(move.old))
        if len(waiting) == len(pending):
            first = waiting[0]
            aside = _free(os.path.basename(first.new), in_use)
            in_use.add(aside)
            moving = inside.pop(first.old)
            yield FolderRename(first.person, first.old, aside, tuple(moving))
            inside[aside] = [replace(link, path=aside + link.path[len(first.old) :]) for link in moving]
            waiting[0] = replace(first, old=aside)
        pending = waiting


def _by_folder(links: Iterable[PublishedLink]) -> dict[bytes, list[PublishedLink]]:
    found: dict[bytes, list[PublishedLink]] = defaultdict(list)
    for link in links:
        found[link.path.rpartition(b"/")[0]].append(link)
    return found


def _free(name: bytes, in_use: set[bytes]) -> bytes:
    """A name at the top of the people folder that nobody has or wants."""
    aside, number = name + b" (moving)", 1
    while aside in in_use:
        aside, number = name + b" (moving %d)" % number, number + 1
    return aside


# ---- which links stay ------------------------------------------------------------------------------------------------


def _after(published: _Folders, moves: Sequence[_Move]) -> dict[bytes, tuple[bytes, PublishedLink]]:
    """Where each link stands after the moves: {path then: (path now, link then)}.

    What lies where a folder moves to is left out: it must go first.
    """
    moved = {move.old: move.new for move in moves}
    arriving = set(moved.values())
    standing = {}
    for folder, links in published.items():
        above = parents(folder)
        old = next((place for place in above if place in moved), None)
        if old is None and any(place in arriving for place in above):
            continue
        for link in links:
            path = link.path if old is None else moved[old] + link.path[len(old) :]
            standing[path] = (link.path, link if old is None else replace(link, path=path))
    return standing


def _kept(
    wanted: Mapping[bytes, PublishedLink],
    standing: Mapping[bytes, tuple[bytes, PublishedLink]],
    homes: Mapping[PersonId, bytes],
    taken: frozenset[bytes],
) -> dict[bytes, bytes]:
    """Links that stay: {path now: the wanted path they serve}."""
    kept = {}
    open_: dict[tuple[PersonId, bytes], list[PublishedLink]] = defaultdict(list)
    for path, link in wanted.items():
        now, there = standing.get(path, (path, None))
        if there == link:
            kept[now] = path
        else:
            open_[link.person, link.target].append(link)
    for path, (now, link) in sorted(standing.items()) if open_ else ():
        candidates = open_.get((link.person, link.target))
        if not candidates or path in wanted or not _is_home(os.path.dirname(path), homes[link.person], taken):
            continue
        name = os.path.basename(path)
        served = next((c for c in candidates if is_spare_of(name, os.path.basename(c.path), folder=False)), None)
        if served is not None:
            candidates.remove(served)
            kept[now] = served.path
    return kept
