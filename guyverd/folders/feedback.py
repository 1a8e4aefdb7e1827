"""What the user meant: the difference between what was published and what now stands in the people folder. Pure.

Links are known by what they are and not by where: by their text, or, where they are files, by inode or stamp. So a
folder that was renamed, merged or deleted is told by what became of the links that were in it. Where the evidence does
not say which of several things was meant, nothing is concluded and publishing restores what was there.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from guyverd.folders.acts import (
    Act,
    Dropped,
    Given,
    Hidden,
    Merged,
    Moved,
    Parted,
    Rearranged,
    Refused,
    Returned,
    Shared,
    Shift,
)
from guyverd.folders.disk import is_ours
from guyverd.folders.plan import FILES_OF_OURS
from guyverd.folders.snapshot import Snapshot
from guyverd.folders.spare import is_spare_of, parents
from guyverd.model import Stamp
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink, person_of

FEW_LINKS = 20
"""So many may always be missing at once."""
FEW_FOLDERS = 5
"""And so many folders may always change at once."""

Seen = bytes | Stamp


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
    """Links and files outside of everybody's folder that were there when this was last looked at."""
    total: int = 0
    """Links in the whole people folder."""
    unnamed: bytes = b"Unnamed"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood."""

    acts: tuple[Act, ...]
    strange: tuple[bytes, ...] = ()
    """Links and files that are not ours, or are not where we made them; those of the acts among them."""
    excess: str = ""
    """Why this is more than anybody means to say at once; empty where it is not."""


def read_back(published: Published, actual: Snapshot, *, limit: float) -> Reading:
    """What was done since the last publishing.

    `limit` is the share of links, or of folders, beyond which a change is not taken for anybody's word.
    """
    found = _Comparison(published, actual)
    strange = tuple(sorted(found.strange))
    acts = tuple(found.acts())
    return Reading(acts, strange, found.excess(limit, acts))


class _Comparison:
    """One snapshot against what was published."""

    def __init__(self, published: Published, actual: Snapshot) -> None:
        self._published = published
        self._actual = actual
        self._homes = {home.path: owner for owner, home in published.homes.items()}
        """Whose each folder is; folders that moved are followed."""
        self._here: list[PublishedLink] = []
        self._lost: dict[bytes, PublishedLink] = {}
        self._shifted: dict[bytes, bytes] = {}
        """For each link that is elsewhere: where."""
        self._strange = dict(actual.entries)
        for link in published.links:
            seen = actual.entries.get(link.path)
            if seen is not None and is_ours(link, seen):
                self._here.append(link)
                del self._strange[link.path]
            elif link.made and actual.covers(link.path) and not actual.hides(link.path):
                self._lost[link.path] = link
        self._where: dict[object, list[bytes]] = defaultdict(list)
        for path, seen in sorted(self._strange.items()):
            # What was copied somewhere long ago does not tell where a link went today.
            if path not in published.strays:
                self._where[_key(seen)].append(path)
        self._of_owner: dict[OwnerId, list[PublishedLink]] = defaultdict(list)
        for link in published.links:
            if link.kind not in FILES_OF_OURS and not link.companion:
                self._of_owner[link.owner].append(link)
        self._vanished: Counter[OwnerId] = Counter()

    @property
    def strange(self) -> frozenset[bytes]:
        """What is not ours, or not where we made it, as far as no act has explained it yet."""
        return frozenset(self._strange)

    # ---- the acts, in an order in which they can be carried out ------------------------------------------------------

    def acts(self) -> Iterator[Act]:
        """Everything that was done."""
        yield from self._folders()
        self._find_links()
        rearranged: list[Shift] = []
        given: dict[tuple[OwnerId, OwnerId], list[Shift]] = defaultdict(list)
        refused: dict[OwnerId, list[Shift]] = defaultdict(list)
        parted: dict[bytes, list[Shift]] = defaultdict(list)
        for link in self._lost.values():
            self._sort(link, rearranged, given, refused, parted)
        whole = list(self._whole_folders(given, refused, parted))
        if rearranged:
            yield Rearranged(tuple(rearranged), "moved links within their folder")
        yield from whole
        for (owner, to), shifts in sorted(given.items()):
            source = f"moved {_links(shifts)} from {self._shown(owner)} to {self._shown(to)}"
            yield Given(tuple(shifts), source, owner, to)
        yield from self._new_people(parted)
        for owner, shifts in sorted(refused.items()):
            yield Refused(tuple(shifts), f"deleted {_links(shifts)} from {self._shown(owner)}", owner)
        yield from self._strangers()

    def excess(self, limit: float, acts: Sequence[Act]) -> str:
        """What is more than anybody means to say at once, in words; empty where it is not."""
        total = self._published.total
        missing = sum(self._vanished.values())
        if missing and missing == total:
            return f"all {total} links are missing" if total > 1 else "the only link is missing"
        moved = Counter(act.owner for act in acts if isinstance(act, Given) for _ in act.shifts)
        away = self._vanished + moved
        # One folder is deleted or emptied by one move of the hand, however many links were in it.
        if len(away) > 1 and away.total() > max(FEW_LINKS, limit * total):
            return f"{away.total()} of {total} links are missing or in other folders"
        folders = sum(
            isinstance(act, Hidden | Merged) or (isinstance(act, Moved) and act.name is not None) for act in acts
        )
        if folders > max(FEW_FOLDERS, limit * len(self._published.homes)):
            return f"{folders} of {len(self._published.homes)} folders are missing or called otherwise"
        return ""

    # ---- folders -----------------------------------------------------------------------------------------------------

    def _folders(self) -> Iterator[Act]:
        """Folders that are not where they were, told by the links that were in them."""
        for owner, home in sorted(self._published.homes.items(), key=lambda item: item[1].path):
            gone = self._actual.covers(home.path) and home.path not in self._actual.folders
            if not gone or self._actual.hides(home.path):
                continue
            new = self._moved_to(home)
            if new is None or new in self._homes:
                continue
            host = self._owner_at(new)
            shifts = self._follow(home, new)
            if host is not None:
                if person_of(host) and person_of(owner):
                    source = f"moved the folder {_text(home.path)} into {self._shown(host)}"
                    yield Merged(shifts, source, owner, host)
                else:
                    yield Rearranged(shifts, f"moved the folder {_text(home.path)} into {self._shown(host)}")
                del self._homes[home.path]
                continue
            yield self._renamed(owner, home, new, shifts)

    def _renamed(self, owner: OwnerId, home: Home, new: bytes, shifts: tuple[Shift, ...]) -> Act:
        name = self._new_name(owner, home, new)
        source = f"renamed {_text(home.path)} to {_text(new)}"
        bearer = None if name is None else self._published.names.get(name.casefold())
        del self._homes[home.path]
        if bearer is not None and bearer != owner and person_of(bearer) and person_of(owner):
            return Merged(shifts, source, owner, bearer)
        self._homes[new] = owner
        return Moved(shifts, source, owner, home.path, new, name)

    def _moved_to(self, home: Home) -> bytes | None:
        """Where most of what was in a folder now stands together, just as it stood there."""
        theirs = [link for link in self._lost.values() if link.path.startswith(home.path + b"/")]
        tally: Counter[bytes] = Counter()
        for link in theirs:
            tail = link.path[len(home.path) :]
            tally.update(path[: -len(tail)] for path in self._where[_key_of(link)] if path.endswith(tail))
        if not tally:
            return None
        # The folder itself is surer than its contents; an inode alone proves nothing, for it may be another's by now.
        itself = [path for path in tally if home.inode is not None and self._actual.folders.get(path) == home.inode]
        if itself:
            return itself[0]
        path, count = min(tally.items(), key=lambda item: (-item[1], item[0]))
        return path if 2 * count > len(theirs) and path else None

    def _follow(self, home: Home, new: bytes) -> tuple[Shift, ...]:
        shifts = []
        for link in [link for link in self._lost.values() if link.path.startswith(home.path + b"/")]:
            path = new + link.path[len(home.path) :]
            if path in self._strange and is_ours(link, self._strange[path]):
                shifts.append(Shift(link, path))
                del self._strange[path]
                del self._lost[link.path]
        self._here += [replace(shift.link, path=shift.path or b"") for shift in shifts]
        return tuple(shifts)

    def _new_name(self, owner: OwnerId, home: Home, new: bytes) -> str | None:
        last = os.path.basename(new)
        if last == os.path.basename(home.path):
            return None
        usual = self._published.usual.get(owner)
        if usual is not None and (
            is_spare_of(last, os.path.basename(usual), folder=True)
            or last == os.path.basename(usual) + b" (%d)" % abs(owner)
        ):
            return None  # what it would be called anyway
        return _as_name(last)

    # ---- links -------------------------------------------------------------------------------------------------------

    def _find_links(self) -> None:
        """Where each link that is missing stands now, if anywhere; one by the same name first."""
        for same_name in (True, False):
            for path, link in sorted(self._lost.items()):
                if path in self._shifted:
                    continue
                places = [place for place in self._where[_key_of(link)] if place in self._strange]
                if same_name:
                    places = [place for place in places if os.path.basename(place) == os.path.basename(path)]
                if places:
                    at_home = [place for place in places if self._owner_at(place) == link.owner]
                    self._shifted[path] = (at_home or places)[0]
                    del self._strange[self._shifted[path]]

    def _sort(
        self,
        link: PublishedLink,
        rearranged: list[Shift],
        given: dict[tuple[OwnerId, OwnerId], list[Shift]],
        refused: dict[OwnerId, list[Shift]],
        parted: dict[bytes, list[Shift]],
    ) -> None:
        path = self._shifted.get(link.path)
        shift = Shift(link, path)
        replaced = path is None and any(above in self._actual.entries for above in parents(link.path))
        if link.companion or link.kind in FILES_OF_OURS or replaced:
            # What belongs to a link says nothing by itself; nor does a link in whose place something else stands,
            # or in the place of whose folder.
            rearranged.append(shift)
            return
        if path is None or b"/" not in path:
            self._vanished[link.owner] += 1
            refused[link.owner].append(shift)
            return
        to = self._owner_at(path)
        if to == link.owner:
            rearranged.append(shift)
        elif to is not None:
            if person_of(to) is None or person_of(link.owner) is None:
                # Into or out of an album: nobody is said to be anybody.
                rearranged.append(Shift(link, None))
            else:
                given[link.owner, to].append(shift)
        elif (room := self._room(path)) is not None:
            parted[room].append(shift)
        else:
            rearranged.append(Shift(link, None))

    def _whole_folders(
        self,
        given: dict[tuple[OwnerId, OwnerId], list[Shift]],
        refused: dict[OwnerId, list[Shift]],
        parted: dict[bytes, list[Shift]],
    ) -> Iterator[Act]:
        """Folders of which nothing is left where it was."""
        here = {link.owner for link in self._here if link.kind not in FILES_OF_OURS and not link.companion}
        for owner, home in sorted(self._published.homes.items()):
            if home.path not in self._homes or owner in here or not self._of_owner[owner]:
                continue
            deleted = refused.get(owner, [])
            to = [(other, shifts) for (one, other), shifts in given.items() if one == owner]
            rooms = [
                (room, theirs) for room in parted if (theirs := [s for s in parted[room] if s.link.owner == owner])
            ]
            there = home.path in self._actual.folders
            count = len(self._of_owner[owner])
            if not deleted and not rooms and len(to) == 1 and len(to[0][1]) == count and (count > 1 or not there):
                ((other, shifts),) = to
                del given[owner, other]
                source = f"moved all of {_text(home.path)} into {self._shown(other)}"
                yield Merged(tuple(shifts), source, owner, other)
            elif not deleted and not to and len(rooms) == 1 and len(rooms[0][1]) == count:
                ((room, shifts),) = rooms
                if len(parted[room]) == count:
                    del parted[room]
                    yield self._renamed(owner, home, room, tuple(shifts))
            elif not there and deleted:
                del refused[owner]
                yield Hidden(tuple(deleted), f"deleted the folder {_text(home.path)}", owner)

    def _new_people(self, parted: Mapping[bytes, list[Shift]]) -> Iterator[Act]:
        ours = {_key_of(link) for link in self._here} if parted else set()
        for room, shifts in sorted(parted.items()):
            copied = sum(path.startswith(room + b"/") and _key(seen) in ours for path, seen in self._strange.items())
            name = _as_name(os.path.basename(room))
            bearer = None if name is None else self._published.names.get(name.casefold())
            source = f"moved {_links(shifts)} into the new folder {_text(room)}"
            people = [shift for shift in shifts if person_of(shift.link.owner)]
            rest = [Shift(shift.link, None) for shift in shifts if not person_of(shift.link.owner)]
            if copied > len(people) or not people:
                # A collection of somebody's own, not a person.
                yield Rearranged(tuple(Shift(shift.link, None) for shift in shifts), source)
                continue
            if rest:
                yield Rearranged(tuple(rest), source)
            if bearer is None or person_of(bearer) is None:
                yield Parted(tuple(people), source, room, name)
                continue
            by_owner: dict[OwnerId, list[Shift]] = defaultdict(list)
            for shift in people:
                by_owner[shift.link.owner].append(shift)
            for owner, theirs in sorted(by_owner.items()):
                if owner == bearer:
                    yield Rearranged(tuple(theirs), source)
                else:
                    yield Given(tuple(theirs), source, owner, bearer)

    # ---- what is not ours --------------------------------------------------------------------------------------------

    def _strangers(self) -> Iterator[Act]:
        ours: dict[object, list[PublishedLink]] = defaultdict(list)
        for link in self._here:
            if link.kind not in FILES_OF_OURS:
                ours[_key_of(link)].append(link)
        returned: dict[bytes, OwnerId] = {}
        for path, seen in sorted(self._strange.items()):
            owner = self._owner_at(path)
            if owner is None:
                for above in parents(os.path.dirname(path)):
                    if above in self._published.hidden:
                        returned[above] = self._published.hidden[above]
                continue
            if person_of(owner) is None:
                continue
            same = ours.get(_key(seen), [])
            if any(link.companion or link.owner == owner for link in same):
                continue
            if same and same[0].photo is not None:
                owners = tuple(sorted({link.owner for link in same if person_of(link.owner)}))
                where = " and ".join(self._shown(one) for one in owners) or _text(os.path.dirname(same[0].path))
                source = f"copied {_text(os.path.basename(path))} from {where} to {self._shown(owner)}"
                yield Shared((), source, owner, same[0].photo, owners, path)
            else:
                source = f"put {_text(os.path.basename(path))} into {self._shown(owner)}"
                yield Dropped((), source, owner, path, seen)
        for folder, owner in sorted(returned.items()):
            yield Returned((), f"brought back the folder {_text(folder)}", owner, folder)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _owner_at(self, path: bytes) -> OwnerId | None:
        """Whose folder a path lies in."""
        for above in reversed(parents(path)[:-1] if path else []):
            if above in self._homes:
                return self._homes[above]
        return None

    def _room(self, path: bytes) -> bytes | None:
        """The outermost folder of a path that holds no home; None where it lies among homes."""
        holding = {above for home in self._homes for above in parents(home)} | {self._published.unnamed}
        return next((above for above in parents(os.path.dirname(path)) if above not in holding), None)

    def _shown(self, owner: OwnerId) -> str:
        home = next((path for path, one in self._homes.items() if one == owner), None)
        if home is None:
            home = self._published.homes[owner].path if owner in self._published.homes else None
        return _text(home) if home is not None else f"person {owner}"


def _key(seen: Seen) -> object:
    return seen if isinstance(seen, bytes) else seen.inode


def _key_of(link: PublishedLink) -> object:
    if link.kind is LinkKind.SYMBOLIC:
        return link.target
    return None if link.stamp is None else link.stamp.inode


def _as_name(last: bytes) -> str | None:
    """What a folder of that name says its owner is called; None where it is no text."""
    try:
        text = unicodedata.normalize("NFC", last.decode("utf-8"))
    except UnicodeDecodeError:
        return None
    name = " ".join(text.split())
    return name if name and name.isprintable() else None


def _text(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _links(shifts: Iterable[Shift]) -> str:
    links = [shift.link for shift in shifts if not shift.link.companion]
    if len(links) == 1:
        return _text(os.path.basename(links[0].path))
    return f"{len(links)} links"
