"""Folders that are not where they were, told by themselves and by the links that were in them. Pure."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from guyverd.folders.acts import Act, Merged, Moved, Rearranged, Shift
from guyverd.folders.comparison import Comparison, as_name, key_of, text
from guyverd.folders.spare import is_spare_of, parents
from guyverd.published import Home, OwnerId, PublishedLink, person_of


class Folders:
    """Follows folders in a comparison."""

    def __init__(self, compared: Comparison) -> None:
        self._all = compared
        self._names = dict(compared.published.names)
        self._inside: dict[bytes, list[PublishedLink]] = defaultdict(list)
        """Links that are not where they were, by the home they were in."""
        for link in compared.lost.values():
            home = next((above for above in reversed(parents(link.path)) if above in compared.homes), None)
            if home is not None:
                self._inside[home].append(link)

    def acts(self) -> Iterator[Act]:
        """What became of folders that were moved, renamed, or put into others."""
        moving = self._moving()
        for owner, (home, new) in moving.items():
            del self._all.homes[home.path]
            old_name = None if home.name is None else home.name.casefold()
            if old_name is not None and self._names.get(old_name) == owner and self._new_name(owner, home, new):
                del self._names[old_name]
        for owner, (home, new) in _in_order(moving):
            shifts = self._follow(home, new)
            host = self._all.homes.get(new)
            within = self._all.owner_at(new) if host is None else host
            source = "" if within is None else f"moved the folder {text(home.path)} into {self._all.shown(within)}"
            if within is not None and person_of(within) and person_of(owner):
                yield Merged(shifts, source, owner, within)
            elif host is None:
                # Also an album within a person's folder, or the other way round: only its place changed.
                yield self.renamed(owner, home, new, shifts)
            else:
                yield Rearranged(tuple(self._all.put_back(shift) for shift in shifts), source)
        self._all.settle()

    def renamed(self, owner: OwnerId, home: Home, new: bytes, shifts: tuple[Shift, ...]) -> Act:
        """All that was in a folder is in `new`, which is nobody's."""
        name = self._new_name(owner, home, new)
        source = f"renamed {text(home.path)} to {text(new)}"
        self._all.homes.pop(home.path, None)
        bearer = self.bearer(owner, home, name)
        if bearer is not None and person_of(owner):
            return Merged(shifts, source, owner, bearer)
        self._all.homes[new] = owner
        if name is not None:
            self._names[name.casefold()] = owner
        return Moved(shifts, source, owner, home.path, new, name)

    def bearer(self, owner: OwnerId | None, home: Home | None, name: str | None) -> OwnerId | None:
        """The other person who bears a name already; None where the owner is called like that, but for case."""
        found = None if name is None else self._names.get(name.casefold())
        if found is None or found == owner or person_of(found) is None:
            return None
        if home is not None and home.name is not None and name is not None and home.name.casefold() == name.casefold():
            return None
        return found

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _moving(self) -> dict[OwnerId, tuple[Home, bytes]]:
        """Who has another folder now. One that took the place of another moves only if that one moved too."""
        found: dict[OwnerId, tuple[Home, bytes]] = {}
        for owner, home in sorted(self._all.published.homes.items(), key=lambda item: item[1].path):
            if self._all.actual.covers(home.path) and not self._all.actual.hides(home.path):
                new = self._moved_to(home)
                if new is not None and new != home.path:
                    found[owner] = home, new
        while True:
            left = {home.path for home, _ in found.values()}
            stuck = [owner for owner, (_, new) in found.items() if new in self._all.homes and new not in left]
            if not stuck:
                return found
            for owner in stuck:
                del found[owner]

    def _moved_to(self, home: Home) -> bytes | None:
        """Where most of what was in a folder now stands together, just as it stood there."""
        theirs = self._inside.get(home.path, ())
        tally: Counter[bytes] = Counter()
        for link in theirs:
            key, tail = key_of(link), link.path[len(home.path) :]
            places = self._all.where.get(key, ()) if key is not None else ()
            tally.update(path[: -len(tail)] for path in places if path.endswith(tail) and self._all.is_at(link, path))
        del tally[b""]
        # The folder itself is surer than its contents; an inode alone proves nothing, for it may be another's by now.
        folders = self._all.actual.folders
        itself = [path for path in tally if home.inode is not None and folders.get(path) == home.inode]
        if itself:
            return itself[0]
        if not tally or home.path in folders:
            return None
        path, count = min(tally.items(), key=lambda item: (-item[1], item[0]))
        return path if 2 * count > len(theirs) else None

    def _follow(self, home: Home, new: bytes) -> tuple[Shift, ...]:
        shifts = []
        self._all.moved.append((home.path, new))
        for link in self._inside[home.path]:
            path = new + link.path[len(home.path) :]
            if self._all.is_at(link, path):
                shifts.append(Shift(link, path))
                del self._all.strange[path]
                del self._all.lost[link.path]
        self._all.here += [replace(shift.link, path=shift.path or b"") for shift in shifts]
        return tuple(shifts)

    def _new_name(self, owner: OwnerId, home: Home, new: bytes) -> str | None:
        last = os.path.basename(new)
        if last == os.path.basename(home.path):
            return None
        usual = self._all.published.usual.get(owner)
        if usual is not None and (
            is_spare_of(last, os.path.basename(usual), folder=True)
            or last == os.path.basename(usual) + b" (%d)" % abs(owner)
        ):
            return None  # what it would be called anyway
        return as_name(last)


def _in_order(moving: Mapping[OwnerId, tuple[Home, bytes]]) -> Iterator[tuple[OwnerId, tuple[Home, bytes]]]:
    """Who left a place before who took it, so that each act finds what the one before left; of a ring, any first."""
    waiting = dict(moving)
    while waiting:
        left = {home.path for home, _ in waiting.values()}
        free = [owner for owner, (home, new) in waiting.items() if new == home.path or new not in left]
        for owner in free or list(waiting)[:1]:
            yield owner, waiting.pop(owner)
