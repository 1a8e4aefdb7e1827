"""A people folder on disk that is published and read back: photos, a toy catalogue, and a ledger in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from guyverd.folders import acts as said
from guyverd.folders.apply import PeopleTree
from guyverd.folders.disk import is_ours
from guyverd.folders.feedback import Published, Reading, read_back
from guyverd.folders.ledger import Applied
from guyverd.folders.linking import Style
from guyverd.folders.names import usual_path
from guyverd.folders.plan import FolderRename, Plan, plan
from guyverd.folders.snapshot import Snapshot, take
from guyverd.folders.spare import parents
from guyverd.model import FaceId, PersonId, PhotoId, Stamp
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink, Shelf, ShelfPhoto, person_of

DAY = "2024-05-17T10:00:00"
UNNAMED = "Unnamed"


class MemoryLedger:
    """Rows by path and homes by owner, kept as the catalogue keeps them."""

    def __init__(self) -> None:
        self.rows: dict[bytes, PublishedLink] = {}
        self.homes: dict[OwnerId, Home] = {}

    def intend(self, links: Sequence[PublishedLink]) -> None:
        self.rows.update({link.path: link for link in links})

    def forget(self, paths: Sequence[bytes]) -> None:
        for path in paths:
            self.rows.pop(path, None)

    def renamed(self, renames: Sequence[FolderRename]) -> None:
        for rename in renames:
            for path in [path for path in self.rows if path.startswith(rename.old + b"/")]:
                row = self.rows.pop(path)
                new = rename.new + path[len(rename.old) :]
                self.rows[new] = replace(row, path=new, made=True)

    def settle(self, homes: Sequence[Home], gone: Collection[OwnerId] = ()) -> None:
        for owner in gone:
            self.homes.pop(owner, None)
        theirs = {home.path for home in homes}
        self.homes = {owner: home for owner, home in self.homes.items() if home.path not in theirs}
        self.homes.update({home.owner: home for home in homes})


@dataclass
class Face:
    photo: PhotoId
    person: PersonId | None
    barred: set[PersonId] = field(default_factory=set)


@dataclass
class Album:
    title: str
    people: frozenset[PersonId]
    without: set[PhotoId] = field(default_factory=set)


class Catalogue:
    """Who is in which photo, what they are called, and who is hidden; and what acts do to it, the plain way."""

    def __init__(self) -> None:
        self.photos: dict[PhotoId, ShelfPhoto] = {}
        self.faces: dict[FaceId, Face] = {}
        self.names: dict[PersonId, str | None] = {}
        self.hidden: set[PersonId] = set()
        self.albums: dict[OwnerId, Album] = {}
        self._numbers = count(1)

    def show(self, photo: ShelfPhoto, *people: PersonId | None) -> None:
        """A photo with a face of each."""
        self.photos[photo.photo] = photo
        for person in people:
            self.faces[FaceId(next(self._numbers))] = Face(photo.photo, person)
            if person is not None:
                self.names.setdefault(person, None)

    def new_person(self, name: str | None) -> PersonId:
        person = PersonId(max(self.names, default=0) + 1)
        self.names[person] = name
        return person

    def seen(self, person: PersonId, photo: PhotoId | None) -> list[FaceId]:
        """A person's faces in a photo."""
        return [one for one, face in self.faces.items() if face.person == person and face.photo == photo]

    def photos_of(self, person: PersonId) -> set[PhotoId]:
        return {face.photo for face in self.faces.values() if face.person == person}

    def shelves(self) -> list[Shelf]:
        found = []
        for person, name in sorted(self.names.items()):
            photos = self.photos_of(person)
            if photos and person not in self.hidden:
                found.append(Shelf(OwnerId(person), name, tuple(self.photos[photo] for photo in sorted(photos))))
        for owner, album in sorted(self.albums.items()):
            shown = set(self.photos) - album.without
            for person in album.people:
                shown &= self.photos_of(person)
            found.append(Shelf(owner, album.title, tuple(self.photos[photo] for photo in sorted(shown))))
        return found

    def called(self, owner: OwnerId) -> str | None:
        person = person_of(owner)
        return self.names[person] if person is not None else self.albums[owner].title

    def knows(self, owner: OwnerId) -> bool:
        return owner in self.albums or person_of(owner) in self.names

    # ---- what acts mean to it ----------------------------------------------------------------------------------------

    def give(self, face: FaceId, to: PersonId) -> bool:
        """Tells whether it could be: nobody is twice in a photo."""
        known = self.faces[face]
        if self.seen(to, known.photo) or to in known.barred:
            return False
        if known.person is not None:
            known.barred.add(known.person)
        known.person = to
        return True

    def refuse(self, face: FaceId) -> None:
        known = self.faces[face]
        assert known.person is not None
        known.barred.add(known.person)
        known.person = None

    def merge(self, person: PersonId, into: PersonId) -> bool:
        """Tells whether nothing contradicted."""
        theirs = [face for face in self.faces.values() if face.person == person]
        if any(self.seen(into, face.photo) or into in face.barred for face in theirs):
            return False
        for face in theirs:
            face.person = into
        return True


class Household:
    """All of it in a temporary folder. Photos are files that say what they are called."""

    def __init__(self, base: Path | bytes, *, links: str = "relative", years: bool = False) -> None:
        place = os.fsencode(base)
        self.photos = os.path.join(place, b"photos")
        self.root = os.path.join(place, b"People")
        self.outside = os.path.join(place, b"outside")
        os.makedirs(self.photos)
        os.makedirs(self.outside)
        self.tree = PeopleTree(self.root)
        self.tree.prepare()
        self.ledger = MemoryLedger()
        self.catalogue = Catalogue()
        self.style = Style(self.tree.real, UNNAMED, links, years=years)
        self.strays: frozenset[bytes] = frozenset()
        self.heard: set[tuple[OwnerId, bytes | Stamp]] = set()
        """What was dropped or copied into whose folder, and heeded: it stays there, and moves along."""

    # ---- what there is -----------------------------------------------------------------------------------------------

    def photo(
        self, name: str | bytes, *people: int | None, companions: Iterable[str] = (), day: str | None = DAY
    ) -> PhotoId:
        """A new photo that shows these people; with files that belong to it."""
        target = os.path.join(self.photos, os.fsencode(name))
        beside = tuple(os.path.join(self.photos, os.fsencode(one)) for one in companions)
        for path in (target, *beside):
            with open(path, "wb") as file:
                file.write(os.path.basename(path))
        number = PhotoId(len(self.catalogue.photos) + 1)
        shown = [None if person is None else PersonId(person) for person in people]
        self.catalogue.show(ShelfPhoto(number, target, day, beside), *shown)
        return number

    def person(self, number: int, name: str | None, *photos: str) -> PersonId:
        """Somebody with a photo of each name of their own."""
        person = PersonId(number)
        self.catalogue.names[person] = name
        for photo in photos:
            self.photo(photo, number)
        return person

    def path(self, *parts: str | bytes) -> bytes:
        return os.path.join(self.root, *map(os.fsencode, parts))

    def write(self, *parts: str | bytes, text: bytes = b"mine") -> bytes:
        path = self.path(*parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text)
        return path

    def move(self, old: str | bytes, new: str | bytes) -> None:
        """Like `mv -T`, with the folders above made."""
        os.makedirs(os.path.dirname(self.path(new)), exist_ok=True)
        os.rename(self.path(old), self.path(new))

    def homes(self) -> dict[int, str]:
        return {int(owner): os.fsdecode(home.path) for owner, home in sorted(self.ledger.homes.items())}

    # ---- publishing and reading back ---------------------------------------------------------------------------------

    def plan(self) -> Plan:
        rows = sorted(self.ledger.rows.values(), key=lambda link: link.path)
        return plan(self.catalogue.shelves(), rows, self.ledger.homes, style=self.style)

    def publish(self) -> Applied:
        before = self._outside(take(self.root))
        applied = self.tree.apply(self.plan(), self.ledger)
        after = self._outside(take(self.root))
        # What was in a folder that is nobody's any more was not put there just now.
        self.strays |= after - before
        return applied

    def snapshot(self, scopes: Iterable[bytes] = (b"",)) -> Snapshot:
        return take(self.root, scopes)

    def published(self, actual: Snapshot) -> Published:
        # The names of people, also of those who are hidden, are theirs; albums may be called like anybody.
        known = {owner: self.catalogue.called(owner) for owner in self.ledger.homes if self.catalogue.knows(owner)}
        names: dict[str, OwnerId] = {}
        for person, name in sorted(self.catalogue.names.items()):
            if name is not None and self.catalogue.photos_of(person):
                names.setdefault(name.casefold(), OwnerId(person))
        hidden = sorted(self.catalogue.hidden)
        return Published(
            links=[link for path, link in sorted(self.ledger.rows.items()) if actual.covers(path)],
            homes=dict(self.ledger.homes),
            usual={owner: usual_path(owner, name, UNNAMED) for owner, name in known.items()},
            names=names,
            hidden={usual_path(OwnerId(one), self.catalogue.names[one], UNNAMED): OwnerId(one) for one in hidden},
            strays=self.strays,
            total=len(self.ledger.rows),
            unnamed=UNNAMED.encode(),
        )

    def read(self, scopes: Iterable[bytes] = (b"",), *, limit: float = 0.25) -> Reading:
        """What is understood that was not heeded yet."""
        actual = self.snapshot(scopes)
        reading = read_back(self.published(actual), actual, limit=limit)
        return replace(reading, acts=tuple(act for act in reading.acts if not self._known(act, actual)), strange=())

    def _known(self, act: said.Act, actual: Snapshot) -> bool:
        return isinstance(act, said.Dropped | said.Shared) and (act.to, actual.entries[act.path]) in self.heard

    def heed(self, reading: Reading) -> None:
        """Carry out what was understood, in the catalogue and in the ledger."""
        actual = self.snapshot()
        for act in reading.acts:
            _HEED[type(act)](self, act)
        self.strays = self._outside(actual) | (self.strays & (actual.entries.keys() - self.ledger.rows.keys()))

    def _outside(self, actual: Snapshot) -> frozenset[bytes]:
        homes = {home.path for home in self.ledger.homes.values()}
        return frozenset(
            path for path in actual.entries if path not in self.ledger.rows and homes.isdisjoint(parents(path))
        )

    # ---- what acts mean ----------------------------------------------------------------------------------------------

    def _note(self, shifts: Iterable[said.Shift], owner: OwnerId | None = None, *, placed: bool = True) -> None:
        shifts = tuple(shifts)
        self._forget(shifts)
        self.ledger.intend(
            [
                replace(
                    shift.link, path=shift.path, owner=owner or shift.link.owner, placed=placed or shift.link.placed
                )
                for shift in shifts
                if shift.path is not None
            ]
        )

    def _forget(self, shifts: Iterable[said.Shift]) -> None:
        """What an earlier act put in a link's place stays known."""
        self.ledger.forget([shift.link.path for shift in shifts if self.ledger.rows.get(shift.link.path) == shift.link])

    def _rearranged(self, act: said.Rearranged) -> None:
        self._note(act.shifts)

    def _moved(self, act: said.Moved) -> None:
        person, inode = person_of(act.owner), os.stat(self.path(act.new)).st_ino
        if act.name is not None:
            if person is not None:
                self.catalogue.names[person] = act.name
            else:
                self.catalogue.albums[act.owner].title = act.name
        name = self.catalogue.called(act.owner)
        if name is not None and act.new.startswith(UNNAMED.encode() + b"/"):
            name = None  # somebody with a name does not stay there
        # A link that is called as it was moved with its folder; any other was put where it is.
        along = [one for one in act.shifts if one.path == act.new + one.link.path[len(act.old) :]]
        self._note(along, placed=False)
        self._note(one for one in act.shifts if one not in along)
        self.ledger.settle([Home(act.owner, act.new, name, inode)])

    def _merged(self, act: said.Merged) -> None:
        person, into = person_of(act.owner), person_of(act.into)
        assert person is not None
        assert into is not None
        if into not in self.catalogue.hidden and self.catalogue.merge(person, into):
            self.ledger.settle([], [act.owner])
            self._note(act.shifts, act.into)
        else:
            self._note(act.shifts, placed=False)

    def _given(self, act: said.Given) -> None:
        self._transfer(act.shifts, act.to)

    def _transfer(self, shifts: Iterable[said.Shift], to: OwnerId) -> None:
        person = person_of(to)
        assert person is not None
        for shift in shifts:
            owner = person_of(shift.link.owner)
            assert owner is not None
            for face in self.catalogue.seen(owner, shift.link.photo):
                if not self.catalogue.give(face, person):
                    self.catalogue.refuse(face)
        self._note(shifts, to)

    def _refused(self, act: said.Refused) -> None:
        person = person_of(act.owner)
        for shift in act.shifts:
            if person is None:
                assert shift.link.photo is not None
                self.catalogue.albums[act.owner].without.add(shift.link.photo)
            else:
                for face in self.catalogue.seen(person, shift.link.photo):
                    self.catalogue.refuse(face)
        self._forget(act.shifts)

    def _parted(self, act: said.Parted) -> None:
        person = OwnerId(self.catalogue.new_person(act.name))
        self._transfer(act.shifts, person)
        self.ledger.settle([Home(person, act.folder, act.name, os.stat(self.path(act.folder)).st_ino)])

    def _hidden(self, act: said.Hidden) -> None:
        person = person_of(act.owner)
        if person is None:
            del self.catalogue.albums[act.owner]
        else:
            self.catalogue.hidden.add(person)
        self._forget(act.shifts)
        self.ledger.settle([], [act.owner])

    def _returned(self, act: said.Returned) -> None:
        person = person_of(act.owner)
        assert person is not None
        self.catalogue.hidden.discard(person)
        name = self.catalogue.names[person]
        self.ledger.settle([Home(act.owner, act.folder, name, os.stat(self.path(act.folder)).st_ino)])

    def _shared(self, act: said.Shared) -> None:
        self.heard.add((act.to, self.snapshot().entries[act.path]))
        person = person_of(act.to)
        assert person is not None
        owners = [one for owner in act.owners if (one := person_of(owner)) is not None]
        theirs = [face for owner in owners for face in self.catalogue.seen(owner, act.photo)]
        # Also one that is nobody's may be meant.
        theirs += [one for one, face in self.catalogue.faces.items() if face.photo == act.photo and face.person is None]
        if len(theirs) == 1 and self.catalogue.give(theirs[0], person):
            self._adopt(act.path, act.to, act.photo)

    def _dropped(self, act: said.Dropped) -> None:
        self.heard.add((act.to, act.seen))
        person = person_of(act.to)
        assert person is not None
        if isinstance(act.seen, bytes):
            whole = os.path.realpath(self.path(act.path))
            photo = next((one for one, known in self.catalogue.photos.items() if known.target == whole), None)
            free = [one for one, face in self.catalogue.faces.items() if face.photo == photo and face.person is None]
            if photo is not None and len(free) == 1 and self.catalogue.give(free[0], person):
                self._adopt(act.path, act.to, photo)

    def _adopt(self, path: bytes, owner: OwnerId, photo: PhotoId) -> None:
        seen = self.snapshot().entries[path]
        target = self.catalogue.photos[photo].target
        if isinstance(seen, bytes):
            link = PublishedLink(path, seen, owner, photo, placed=True)
        else:
            kind = LinkKind.HARD if self.style.links == "hard" else LinkKind.COPY
            link = PublishedLink(path, target, owner, photo, kind, placed=True, stamp=seen)
        self.ledger.intend([link])

    # ---- what must hold ----------------------------------------------------------------------------------------------

    def assert_settled(self) -> None:
        """Ledger, disk and plan are one, and there is nothing more to hear."""
        entries: dict[bytes, bytes | Stamp] = self.snapshot().entries
        for path, row in self.ledger.rows.items():
            assert row.made
            assert path in entries
            assert is_ours(row, entries[path]), path
            target = self.catalogue.photos[row.photo or PhotoId(0)].target
            if not row.companion and row.kind is LinkKind.SYMBOLIC:
                assert os.path.realpath(self.path(path)) == target
        shown = sorted((row.owner, row.photo) for row in self.ledger.rows.values() if not row.companion)
        assert shown == sorted((shelf.owner, one.photo) for shelf in self.catalogue.shelves() for one in shelf.photos)
        assert not self.plan()
        assert self.read() == Reading(())


_HEED: dict[type[said.Act], Callable[..., None]] = {
    said.Rearranged: Household._rearranged,
    said.Moved: Household._moved,
    said.Merged: Household._merged,
    said.Given: Household._given,
    said.Refused: Household._refused,
    said.Parted: Household._parted,
    said.Hidden: Household._hidden,
    said.Returned: Household._returned,
    said.Shared: Household._shared,
    said.Dropped: Household._dropped,
}
