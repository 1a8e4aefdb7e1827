"""What must change on disk so that the people folder shows what it should. Pure: it knows only what was published.

A folder keeps its path as long as its owner keeps their name, wherever somebody moved it; when the name changes it is
renamed as a whole, so that files the user put there move along. A link stays where somebody put it within the folder.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from guyverd.folders.linking import Linking, Style
from guyverd.folders.names import folder_names, usual_path
from guyverd.folders.spare import byte_key, case_key, parents
from guyverd.published import Home, OwnerId, PublishedLink, Shelf


@dataclass(frozen=True, slots=True)
class FolderRename:
    """An owner's folder gets another path, and everything in it moves along."""

    owner: OwnerId
    old: bytes
    """Relative to the people folder, like `new`."""
    new: bytes
    links: tuple[PublishedLink, ...]
    """Every link of theirs in it, as it stands before this rename."""


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
    note: tuple[PublishedLink, ...]
    """Links that stay as they are while more, or something else, is known of them; paths after the renames."""
    keep: int
    """Links that stay as they are, but for the name of their folder."""
    homes: tuple[Home, ...]
    """Where folders will be: those that change, those in which something is made, those whose inode is not known."""
    gone: tuple[OwnerId, ...]
    """Owners who have no folder any more."""
    standing: frozenset[bytes] = frozenset()
    """Folders in which links stay, after the renames: one that is not there was moved or deleted a moment ago."""

    def __bool__(self) -> bool:
        return bool(self.renames or self.make or self.remove)


@dataclass(frozen=True, slots=True)
class _Move:
    owner: OwnerId
    old: bytes
    new: bytes


def plan(
    shelves: Sequence[Shelf],
    published: Sequence[PublishedLink],
    homes: Mapping[OwnerId, Home],
    *,
    style: Style,
    owners: Collection[OwnerId] | None = None,
    former: Mapping[OwnerId, bytes] = MappingProxyType({}),
) -> Plan:
    """The difference between what `shelves` ask for and what was `published`.

    `homes` are the folders of everybody. Where only some `owners` are looked at, `shelves` and `published` are theirs,
    and who of them has no shelf has no folder. A link found under a spare name is left there. `former` are folders that
    some had before when they were called as they are now: they have them again where nobody else has.
    """
    looked_at = {shelf.owner for shelf in shelves} | {link.owner for link in published}
    looked_at |= set(homes) if owners is None else set(owners)
    gone = tuple(sorted((looked_at & set(homes)) - {shelf.owner for shelf in shelves}))
    staying = {owner: home for owner, home in homes.items() if owner not in gone}
    new_homes = _homes(shelves, staying, style.unnamed, former)
    moves = _moves(new_homes, staying, published)
    standing = _after(published, moves)
    by_owner: dict[OwnerId, dict[bytes, tuple[bytes, PublishedLink]]] = defaultdict(dict)
    for path, (now, link) in standing.items():
        by_owner[link.owner][path] = (now, link)
    wanted: dict[bytes, PublishedLink] = {}
    kept: set[bytes] = set()
    standing_in: set[bytes] = set()
    notes: list[PublishedLink] = []
    for shelf in shelves:
        links = Linking(shelf, new_homes[shelf.owner].path, by_owner.get(shelf.owner, {}), style)
        wanted |= links.wanted
        kept |= links.kept
        standing_in |= links.rooms
        notes += links.notes
    # Where something is made, the folder may be another one under the same name: it is looked at again.
    seen_anew = {link.owner for link in wanted.values()}
    unseen = {link.owner for link in published if link.owner in new_homes and new_homes[link.owner].inode is None}
    changed = {owner for owner, home in new_homes.items() if homes.get(owner) != home} | unseen
    return Plan(
        renames=tuple(_in_order(moves, published, homes, new_homes)),
        make=tuple(link for _, link in sorted(wanted.items())),
        remove=tuple(sorted((link for link in published if link.path not in kept), key=lambda link: link.path)),
        note=tuple(sorted(notes, key=lambda link: link.path)),
        keep=len(kept),
        homes=tuple(new_homes[owner] for owner in sorted(changed | seen_anew)),
        gone=gone,
        standing=frozenset(standing_in),
    )


# ---- where folders are -----------------------------------------------------------------------------------------------


def _homes(
    shelves: Sequence[Shelf], homes: Mapping[OwnerId, Home], unnamed: str, former: Mapping[OwnerId, bytes]
) -> dict[OwnerId, Home]:
    """Whoever is called as when they got their folder keeps it; the others get one that nobody else has."""
    asking = {shelf.owner: shelf.name for shelf in shelves}
    found = {owner: homes[owner] for owner, name in asking.items() if owner in homes and homes[owner].name == name}
    others = [home for owner, home in homes.items() if owner in found or owner not in asking]
    new = [(owner, name) for owner, name in asking.items() if owner not in found]
    taken = {byte_key(home.path) for home in others}
    paths: dict[OwnerId, bytes] = {}
    back = [(owner, name) for owner, name in new if owner in former]
    for owner, name in sorted(back, key=lambda one: (one[0] < 0, abs(one[0]))):
        path, above = former[owner], {byte_key(one) for one in parents(former[owner])}
        # Below somebody's folder it would be a part of theirs; and nobody without a name is shown under one.
        shows_them = name is not None or os.path.basename(path) == os.path.basename(usual_path(owner, None, unnamed))
        if shows_them and taken.isdisjoint(above) and byte_key(path) != case_key(unnamed):
            paths[owner] = path
            taken.add(byte_key(path))
    paths |= folder_names([(owner, name) for owner, name in new if owner not in paths], unnamed, taken)
    for owner, name in new:
        inode = homes[owner].inode if owner in homes else None
        found[owner] = Home(owner, paths[owner], name, inode)
    return found


def _moves(
    new: Mapping[OwnerId, Home], homes: Mapping[OwnerId, Home], published: Iterable[PublishedLink]
) -> list[_Move]:
    if all(owner not in homes or homes[owner].path == home.path for owner, home in new.items()):
        return []
    lived_in = {above for link in published for above in parents(os.path.dirname(link.path))}
    guests: Counter[bytes] = Counter(above for home in homes.values() for above in parents(home.path))
    hosts = {above for home in homes.values() for above in parents(os.path.dirname(home.path))}
    return [
        _Move(owner, homes[owner].path, home.path)
        for owner, home in sorted(new.items())
        if owner in homes
        and homes[owner].path != home.path
        and (homes[owner].path in lived_in or homes[owner].inode is not None)
        # A folder in which somebody else's lies cannot move, nor can one move to where another lies within, or into
        # itself.
        and home.path not in hosts
        and guests[homes[owner].path] == 1
        and homes[owner].path not in parents(home.path)
        and home.path not in parents(homes[owner].path)
    ]


def _in_order(
    moves: Sequence[_Move],
    published: Iterable[PublishedLink],
    homes: Mapping[OwnerId, Home],
    new: Mapping[OwnerId, Home],
) -> Iterator[FolderRename]:
    """The moves so that each finds its place free; where they form a ring, one goes by way of another folder."""
    inside: dict[bytes, list[PublishedLink]] = {move.old: [] for move in moves}
    movers = {move.old: move.owner for move in moves}
    in_use = {above for home in (*homes.values(), *new.values()) for above in parents(home.path)}
    for link in published if moves else ():
        above = parents(os.path.dirname(link.path))
        in_use.update(above)
        for old in inside.keys() & set(above):
            # What others have in it goes before it moves.
            if movers[old] == link.owner:
                inside[old].append(link)
    pending = list(moves)
    while pending:
        olds = {move.old for move in pending}
        occupied = Counter(above for old in olds for above in parents(old))
        waiting = []
        for move in pending:
            if occupied[move.new] or any(above in olds for above in parents(move.new)):
                waiting.append(move)
                continue
            yield FolderRename(move.owner, move.old, move.new, tuple(inside.pop(move.old)))
            olds.discard(move.old)
            occupied.subtract(parents(move.old))
        if len(waiting) == len(pending):
            first = waiting[0]
            aside = _free(os.path.basename(first.new), in_use)
            in_use.add(aside)
            moving = inside.pop(first.old)
            yield FolderRename(first.owner, first.old, aside, tuple(moving))
            inside[aside] = [replace(link, path=aside + link.path[len(first.old) :]) for link in moving]
            waiting[0] = replace(first, old=aside)
        pending = waiting


def _free(name: bytes, in_use: set[bytes]) -> bytes:
    """A name at the top of the people folder that nobody has or wants."""
    aside, number = name + b" (moving)", 1
    while aside in in_use:
        aside, number = name + b" (moving %d)" % number, number + 1
    return aside


def _after(published: Iterable[PublishedLink], moves: Sequence[_Move]) -> dict[bytes, tuple[bytes, PublishedLink]]:
    """Where each link stands after the moves: {path then: (path now, link then)}.

    What lies where a folder moves to is left out: it must go first.
    """
    moved = {move.old: move.new for move in moves}
    arriving = set(moved.values())
    standing = {}
    for link in published:
        above = parents(os.path.dirname(link.path)) if moves else []
        old = next((place for place in above if place in moved), None)
        if old is None and any(place in arriving for place in above):
            continue
        path = link.path if old is None else moved[old] + link.path[len(old) :]
        standing[path] = (link.path, link if old is None else replace(link, path=path))
    return standing
