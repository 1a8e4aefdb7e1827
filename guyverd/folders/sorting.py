"""Links that are not where they were, one by one: where each went, and what that means. Pure."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from guyverd.folders.acts import Act, Given, Hidden, Merged, Parted, Rearranged, Refused, Shift
from guyverd.folders.comparison import Comparison, Key, as_name, is_word, key_of, key_of_seen, links_in_words, text
from guyverd.folders.following import Folders
from guyverd.folders.spare import parents
from guyverd.published import OwnerId, PublishedLink, person_of


class Links:
    """Sorts them in a comparison whose folders are followed."""

    def __init__(self, compared: Comparison, folders: Folders) -> None:
        self._all = compared
        self._folders = folders
        self.moved = {key_of(link) for link in compared.lost.values()}
        """What is missing somewhere: another of the same may have come from there as well as from anywhere else."""
        self._places: dict[bytes, bytes] = {}
        """For each link that is elsewhere: where."""
        self._rearranged: list[Shift] = []
        self._replaced: list[Shift] = []
        """Something else stands in their place."""
        self._of_albums: list[Shift] = []
        """Into or out of an album."""
        self._given: dict[OwnerId, dict[OwnerId, list[Shift]]] = defaultdict(dict)
        self._refused: dict[OwnerId, list[Shift]] = defaultdict(list)
        self._parted: dict[bytes, list[Shift]] = defaultdict(list)
        self.away: Counter[OwnerId] = Counter()
        """Links that left each owner's folder, but for those that went as a whole."""
        self._find()
        for _, link in sorted(compared.lost.items()):
            self._sort(Shift(link, self._places.get(link.path)))

    @property
    def all_gone(self) -> bool:
        """Whether nothing at all of what was published is seen anywhere."""
        return bool(self._all.lost) and not self._all.here and not self._places

    def acts(self) -> Iterator[Act]:
        """In an order in which they can be carried out."""
        whole = list(self._whole_folders())
        if self._rearranged:
            yield Rearranged(tuple(self._rearranged), "moved links within their folder")
        if self._replaced:
            source = f"put something else in the place of {links_in_words(self._replaced)}"
            yield Rearranged(tuple(self._replaced), source)
        if self._of_albums:
            source = f"moved {links_in_words(self._of_albums)} into or out of an album, which says nothing of anybody"
            yield Rearranged(tuple(self._of_albums), source)
        yield from whole
        for owner, to, shifts in sorted(
            (one, to, found) for one, by in self._given.items() for to, found in by.items()
        ):
            source = f"moved {links_in_words(shifts)} from {self._all.shown(owner)} to {self._all.shown(to)}"
            self.away[owner] += len(shifts)
            yield Given(tuple(shifts), source, owner, to)
        yield from self._new_people()
        for owner, shifts in sorted(self._refused.items()):
            self.away[owner] += len(shifts)
            verb, out = ("deleted", "from") if any(shift.path is None for shift in shifts) else ("moved", "out of")
            source = f"{verb} {links_in_words(shifts)} {out} {self._all.shown(owner)}"
            yield Refused(tuple(shifts), source, owner)

    # ---- where each went ---------------------------------------------------------------------------------------------

    def _find(self) -> None:
        groups: dict[Key, list[PublishedLink]] = defaultdict(list)
        for _, link in sorted(self._all.lost.items()):
            key = key_of(link)
            if key is not None and key in self._all.where:
                groups[key].append(link)
        unsure = []
        for key, links in groups.items():
            left = self._match(links, [path for path in self._all.where[key] if path in self._all.strange])
            if all(left):
                unsure.append(left)
        ways = self._ways() if unsure else {}
        for links, places in unsure:
            self._match(*self._matched(links, places, lambda link, path: ways.get(_folder(link)) == _above(path)))

    def _match(self, links: list[PublishedLink], places: list[bytes]) -> tuple[list[PublishedLink], list[bytes]]:
        """Within its own folder before elsewhere, by the same name before another; returns what is left."""
        for at_home in (True, False):
            for same_name in (True, False):

                def fits(link: PublishedLink, path: bytes, home: bool = at_home, name: bool = same_name) -> bool:
                    return (not home or self._all.owner_at(path) == link.owner) and (
                        not name or os.path.basename(path) == os.path.basename(link.path)
                    )

                links, places = self._matched(links, places, fits, at_home=at_home)
        return links, places

    def _matched(
        self,
        links: list[PublishedLink],
        places: list[bytes],
        fits: Callable[[PublishedLink, bytes], bool],
        *,
        at_home: bool = False,
    ) -> tuple[list[PublishedLink], list[bytes]]:
        """One after the other, where it is clear which went where."""
        fitting = {
            link.path: [path for path in places if self._all.is_at(link, path) and fits(link, path)] for link in links
        }
        if not at_home and self._is_unclear([link for link in links if fitting[link.path]], fitting):
            return links, places
        taken: set[bytes] = set()
        left = []
        for link in links:
            path = next((path for path in fitting[link.path] if path not in taken), None)
            if path is None:
                left.append(link)
                continue
            taken.add(path)
            self._places[link.path] = path
            del self._all.strange[path]
        return left, [path for path in places if path not in taken]

    def _is_unclear(self, links: Sequence[PublishedLink], fitting: Mapping[bytes, Sequence[bytes]]) -> bool:
        """Whether links of several owners went to fewer places, or to different people's, and any may be any."""
        if len({link.owner for link in links}) < 2:
            return False
        each = [set(fitting[link.path]) for link in links]
        places = set().union(*each)
        goals = {self._all.owner_at(path) or self._all.room(path) for path in places}
        alone = all(len(one) == 1 for one in each) and len(places) == len(links)
        return not alone and (len(places) < len(links) or len(goals) > 1)

    def _ways(self) -> dict[tuple[OwnerId, bytes], bytes]:
        """Where most of the links of a folder went that went anywhere for sure."""
        tally: dict[tuple[OwnerId, bytes], Counter[bytes]] = defaultdict(Counter)
        for old, new in sorted(self._places.items()):
            tally[_folder(self._all.lost[old])][_above(new)] += 1
        return {folder: goals.most_common(1)[0][0] for folder, goals in tally.items()}

    # ---- what that means ---------------------------------------------------------------------------------------------

    def _sort(self, shift: Shift) -> None:
        link, path = shift.link, shift.path
        replaced = path is None and any(above in self._all.actual.entries for above in parents(link.path))
        if not is_word(link) or replaced:
            # What belongs to a link says nothing by itself; nor does a link in whose place something else stands,
            # or in the place of whose folder.
            (self._replaced if replaced and is_word(link) else self._rearranged).append(shift)
            return
        to = None if path is None else self._all.owner_at(path)
        room = None if path is None or to is not None else self._all.room(path)
        if room is not None:
            self._parted[room].append(shift)
        elif to is None:
            self._refused[link.owner].append(shift)
        elif to == link.owner:
            self._rearranged.append(shift)
        elif person_of(to) is None or person_of(link.owner) is None:
            # Into or out of an album: nobody is said to be no longer who they were. What came out of one is put back
            # there, and was copied.
            self._of_albums.append(self._all.put_back(shift))
        else:
            self._given[link.owner].setdefault(to, []).append(shift)

    # ---- whole folders -----------------------------------------------------------------------------------------------

    def _whole_folders(self) -> Iterator[Act]:
        """Folders of which nothing is left where it was."""
        standing = {link.owner for link in self._all.here if is_word(link)}
        counts = Counter(link.owner for link in self._all.published.links if is_word(link))
        rooms: dict[OwnerId, list[bytes]] = defaultdict(list)
        for room, shifts in self._parted.items():
            for owner in {shift.link.owner for shift in shifts}:
                rooms[owner].append(room)
        exchanged = {one for one, by in self._given.items() for to in by if one in self._given.get(to, ())}
        for owner, home in sorted(self._all.published.homes.items()):
            count = counts[owner]
            seen = self._all.actual.covers(home.path) and not self._all.actual.hides(home.path)
            if home.path not in self._all.homes or owner in standing or not count or not seen:
                continue
            there = home.path in self._all.actual.folders
            deleted, given = self._refused.get(owner), self._given.get(owner, {})
            to = next(iter(given), None)
            # One link out of a folder that is still there is a link, and not a folder.
            whole = not deleted and (count > 1 or not there)
            if not there and deleted:
                del self._refused[owner]
                self.away[owner] += len(deleted)
                yield Hidden(tuple(deleted), f"deleted the folder {text(home.path)}", owner)
            elif whole and not rooms[owner] and to is not None and len(given[to]) == count and owner not in exchanged:
                source = f"moved all of {text(home.path)} into {self._all.shown(to)}"
                yield Merged(tuple(self._given.pop(owner)[to]), source, owner, to)
            elif not deleted and not given and len(rooms[owner]) == 1:
                (room,) = rooms[owner]
                if len(self._parted[room]) == count and not self._is_collection(room):
                    yield self._folders.renamed(owner, home, room, tuple(self._parted.pop(room)))

    # ---- new folders -------------------------------------------------------------------------------------------------

    def _new_people(self) -> Iterator[Act]:
        for room, shifts in sorted(self._parted.items()):
            people = [shift for shift in shifts if person_of(shift.link.owner)]
            if not people or self._is_collection(room):
                source = f"moved {links_in_words(shifts)} into {text(room)}, which is nobody's"
                yield Rearranged(tuple(self._all.put_back(shift) for shift in shifts), source)
                continue
            source = f"moved {links_in_words(people)} into the new folder {text(room)}"
            rest = [self._all.put_back(shift) for shift in shifts if not person_of(shift.link.owner)]
            if rest:
                yield Rearranged(tuple(rest), source)
            by_owner: dict[OwnerId, list[Shift]] = defaultdict(list)
            for shift in people:
                by_owner[shift.link.owner].append(shift)
            self.away.update({owner: len(theirs) for owner, theirs in by_owner.items()})
            name = as_name(os.path.basename(room))
            bearer = self._folders.bearer(None, None, name)
            if bearer is None:
                yield Parted(tuple(people), source, room, name)
                continue
            for owner, theirs in sorted(by_owner.items()):
                if owner == bearer:
                    yield Rearranged(tuple(theirs), source)
                else:
                    yield Given(tuple(theirs), source, owner, bearer)

    def _is_collection(self, room: bytes) -> bool:
        """Whether copies were in a folder before, or more was copied there than moved: a collection, and no person."""
        copies = self._copies.get(room, [])
        moved = sum(person_of(shift.link.owner) is not None for shift in self._parted[room])
        return len(copies) > moved or not self._all.published.strays.isdisjoint(copies)

    @cached_property
    def _copies(self) -> dict[bytes, list[bytes]]:
        """What else says the same as links that are where they were, by each folder it lies in."""
        ours = {key_of(link) for link in self._all.here}
        found: dict[bytes, list[bytes]] = defaultdict(list)
        for path, seen in self._all.strange.items():
            if key_of_seen(seen) in ours:
                for folder in parents(_above(path)):
                    found[folder].append(path)
        return found


def _folder(link: PublishedLink) -> tuple[OwnerId, bytes]:
    return link.owner, _above(link.path)


def _above(path: bytes) -> bytes:
    return os.path.dirname(path)
