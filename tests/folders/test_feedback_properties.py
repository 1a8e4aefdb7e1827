"""Whatever is done to the people folder, in whatever order: reading back and publishing come to rest."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guyverd.folders import disk
from guyverd.folders.acts import Act, Dropped, Given, Merged, Moved, Parted, Rearranged, Shared, Shift
from guyverd.folders.comparison import key_of, key_of_seen
from guyverd.folders.disk import is_ours
from guyverd.folders.feedback import Published, Reading, read_back
from guyverd.folders.linking import Style
from guyverd.folders.plan import Plan, plan
from guyverd.folders.snapshot import Snapshot, take
from guyverd.folders.spare import parents
from guyverd.model import FaceId, PersonId, PhotoId, Stamp
from guyverd.published import Home, LinkKind, OwnerId, PublishedLink, Shelf, ShelfPhoto
from tests.promises import scaled

from .household import DAY, UNNAMED, Album, Household

# The folders are real, so an example takes some hundredths of a second, and some seconds on a busy machine.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

# ---- publishing and reading back -------------------------------------------------------------------------------------

TITLES = st.one_of(
    st.none(),
    st.sampled_from(["Alice", "alice", "ALICE", "Alice (2)", "Alice~2", UNNAMED, "0007", "...", "CON", "Bob (moving)"]),
    st.text(min_size=1, max_size=8),
    st.text("aA\u0301\u00e1\u200d", min_size=1, max_size=300),
)
TARGETS = st.sampled_from(
    [
        b"/p/a.jpg",
        b"/p/b.jpg",
        b"/p/x/a.jpg",
        b"/p/x/A.JPG",
        b"/q/\xff.png",
        b"/h/People2/c",
        b"/p/" + b"n" * 250 + b".jpg",
    ]
)


@st.composite
def libraries(draw: st.DrawFn) -> list[Shelf]:
    photos: dict[bytes, ShelfPhoto] = {}
    shelves = []
    for owner in draw(st.lists(st.integers(-4, 9).filter(bool), unique=True, max_size=6)):
        shown = []
        for target in draw(st.lists(TARGETS, min_size=1, max_size=5, unique=True)):
            day = draw(st.sampled_from([None, DAY, "2023-01-01"]))
            beside = draw(st.sampled_from([(), (os.path.splitext(target)[0] + b".MOV",)]))
            shown.append(photos.setdefault(target, ShelfPhoto(PhotoId(len(photos) + 1), target, day, beside)))
        name = draw(TITLES) if owner > 0 else draw(TITLES.filter(lambda title: title is not None))
        shelves.append(Shelf(OwnerId(owner), name, tuple(shown)))
    return shelves


STYLES = st.builds(
    Style,
    st.just(b"/h/People"),
    st.sampled_from([UNNAMED, "Who?"]),
    st.sampled_from(["relative", "absolute", "hard", "copy"]),
    years=st.booleans(),
)


def carried_out(wanted: Plan) -> tuple[list[PublishedLink], dict[OwnerId, Home], Snapshot]:
    """The ledger and the folder after a first publishing, all in memory."""
    links, found = [], Snapshot((b"",))
    for number, link in enumerate(wanted.make):
        if link.kind is LinkKind.SYMBOLIC:
            found.entries[link.path] = link.target
            links.append(link)
            continue
        # A second name is the photo's own file, a copy one of its own.
        inode = hash(link.target) if link.kind is LinkKind.HARD else number
        stamp = Stamp(1, 1, inode)
        found.entries[link.path] = stamp
        links.append(
            PublishedLink(link.path, link.target, link.owner, link.photo, link.kind, link.companion, stamp=stamp)
        )
    for link in links:
        for folder in parents(os.path.dirname(link.path)):
            found.folders.setdefault(folder, 1000 + len(found.folders))
    homes = {home.owner: Home(home.owner, home.path, home.name, found.folders[home.path]) for home in wanted.homes}
    return links, homes, found


@settings(CALM, max_examples=scaled(80, 500))
@given(libraries(), STYLES)
def test_what_was_published_says_nothing(library: list[Shelf], style: Style) -> None:
    links, homes, actual = carried_out(plan(library, [], {}, style=style))
    names = {shelf.name.casefold(): shelf.owner for shelf in library if shelf.name is not None}
    unnamed = style.unnamed.encode()
    published = Published(links, homes, names=names, total=len(links), unnamed=unnamed)
    assert read_back(published, actual, limit=0) == Reading(())
    # Nor where inodes are not kept, or folders are looked at one by one.
    again = Snapshot((b"",), {path: inode + 7 for path, inode in actual.folders.items()}, actual.entries)
    assert read_back(published, again, limit=0) == Reading(())
    for folder in actual.folders:
        inside = [link for link in links if link.path.startswith(folder + b"/")]
        scope = Snapshot(
            (folder,),
            {path: inode for path, inode in actual.folders.items() if (path + b"/").startswith(folder + b"/")},
            {path: seen for path, seen in actual.entries.items() if path.startswith(folder + b"/")},
        )
        part = Published(inside, homes, names=names, total=len(links), unnamed=unnamed)
        assert read_back(part, scope, limit=0) == Reading(())


# ---- any tree, any ledger --------------------------------------------------------------------------------------------

STEPS = st.sampled_from([b"a", b"b", b"Alice", b"Unnamed", b"0007", b"\xff"])
PATHS = st.lists(STEPS, min_size=1, max_size=4).map(b"/".join)
STAMPS = st.builds(Stamp, st.integers(0, 1), st.integers(0, 1), st.integers(1, 4))
SAID = st.sampled_from([b"/p/a", b"../../p/a", b"", b"/p/b"])
LINKS = st.builds(
    PublishedLink,
    PATHS,
    SAID,
    st.integers(-2, 4).filter(bool).map(OwnerId),
    st.one_of(st.none(), st.integers(1, 3).map(PhotoId)),
    st.sampled_from(LinkKind),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), STAMPS),
    st.booleans(),
)
SCOPES = st.one_of(st.just((b"",)), STEPS.map(lambda step: (step,)), st.just(()))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Also such as no disk has."""
    return Snapshot(
        draw(SCOPES),
        draw(st.dictionaries(PATHS, st.integers(1, 4), max_size=6)),
        draw(st.dictionaries(PATHS, st.one_of(SAID, STAMPS), max_size=8)),
        draw(st.sets(PATHS, max_size=2)),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> Published:
    homes = {}
    for owner in draw(st.sets(st.integers(-2, 4).filter(bool), max_size=4)):
        name = draw(st.sampled_from([None, "Alice", "b"]))
        inode = draw(st.one_of(st.none(), st.integers(1, 4)))
        homes[OwnerId(owner)] = Home(OwnerId(owner), draw(PATHS), name, inode)
    links = draw(st.lists(LINKS, max_size=8, unique_by=lambda link: link.path))
    return Published(
        links,
        homes,
        draw(st.dictionaries(st.sampled_from(list(homes)), PATHS)) if homes else {},
        draw(st.dictionaries(st.sampled_from(["alice", "b", "a"]), st.integers(1, 4).map(OwnerId))),
        draw(st.dictionaries(PATHS, st.integers(1, 4).map(OwnerId), max_size=2)),
        draw(st.frozensets(PATHS, max_size=3)),
        draw(st.integers(0, 10)),
    )


@settings(CALM, max_examples=scaled(200, 1000))
@given(ledgers(), snapshots(), st.sampled_from([0.0, 0.25, float("inf")]))
def test_anything_can_be_read(published: Published, actual: Snapshot, limit: float) -> None:
    reading = read_back(published, actual, limit=limit)
    rows = {link.path: link for link in published.links}
    shifts = [shift for act in reading.acts for shift in act.shifts]
    # Each link is told of at most once, and only one that is made and was looked for.
    assert len({shift.link.path for shift in shifts}) == len(shifts)
    for shift in shifts:
        assert rows[shift.link.path] == shift.link
        assert shift.link.made
        assert actual.covers(shift.link.path)
        if shift.path is not None:
            assert is_ours(shift.link, actual.entries[shift.path])
    # And no two went to one place.
    places = [shift.path for shift in shifts if shift.path is not None]
    assert len(set(places)) == len(places)
    assert all(act.source for act in reading.acts)
    assert set(reading.strange) <= set(actual.entries)
    assert read_back(published, actual, limit=limit) == reading


# ---- somebody at work in the folder, and guyverd ---------------------------------------------------------------------

WORDS = ["Alice", "Alma", "Carol", "Family", "Best", "0001", UNNAMED, "alice", "New folder", "Zo\xeb"]


class Life:
    """A household, somebody who does things to its people folder, and what they may expect."""

    def __init__(self, base: bytes, links: str, *, years: bool) -> None:
        self.home = Household(base, links=links, years=years)
        self.touched: set[int] = set()
        """Whose folder or links somebody moved, deleted or copied since the last reading."""
        self.unread = False
        """Whether something was done since the last reading."""
        self.blurred = False
        """Whether links were taken out of folders before anybody looked where those are: then some may be left behind
        in a folder that was moved meanwhile, and seem to have been put there."""
        self._number = 0
        for number, (name, shown) in enumerate([("Alice", 3), ("Bob", 2), (None, 2), (None, 1), ("Alice", 1)], start=1):
            self.home.person(number, name, *(f"{number}-{photo}.jpg" for photo in range(shown)))
        self.home.photo("both.jpg", 1, 2)
        self.home.photo("live.HEIC", 1, 3, None, companions=["live.MOV"])
        self.home.catalogue.albums[OwnerId(-1)] = Album("Us", frozenset((PersonId(1), PersonId(2))))
        self.home.publish()

    # ---- what there is to choose from --------------------------------------------------------------------------------

    def entries(self) -> list[bytes]:
        return sorted(take(self.home.root).entries)

    def folders(self) -> list[bytes]:
        return sorted(take(self.home.root).folders)

    def path(self, relative: bytes) -> bytes:
        return os.path.join(self.home.root, relative)

    def free(self, wanted: bytes) -> bytes:
        """As file managers do where the name is taken."""
        while os.path.lexists(self.path(wanted)):
            self._number += 1
            stem, extension = os.path.splitext(wanted)
            wanted = stem + b" (copy %d)" % self._number + extension
        return wanted

    def touch(self, path: bytes) -> None:
        rows = self.home.ledger.rows.values()
        self.touched |= {row.owner for row in rows if (row.path + b"/").startswith(path + b"/")}
        self.touched |= {home.owner for home in self.home.ledger.homes.values() if home.path == path}
        # A copy that was made long ago says as much as what it is a copy of.
        there = take(self.home.root, (os.path.dirname(path),)).entries.items()
        keys = {key_of_seen(seen) for one, seen in there if (one + b"/").startswith(path + b"/")}
        self.touched |= {row.owner for row in rows if key_of(row) in keys}

    # ---- what somebody does ------------------------------------------------------------------------------------------

    def move(self, old: bytes, new: bytes) -> None:
        if (new + b"/").startswith(old + b"/"):
            return
        self.touch(old)
        os.makedirs(os.path.dirname(self.path(new)), exist_ok=True)
        os.rename(self.path(old), self.path(self.free(new)))

    def copy(self, old: bytes, new: bytes) -> None:
        self.touch(old)
        new = self.free(new)
        if os.path.isdir(self.path(old)) and not os.path.islink(self.path(old)):
            if not (new + b"/").startswith(old + b"/"):
                shutil.copytree(os.fsdecode(self.path(old)), os.fsdecode(self.path(new)), symlinks=True)
        elif self.home.style.links == "hard" and not os.path.islink(self.path(old)):
            os.link(self.path(old), self.path(new))
        else:
            shutil.copy2(self.path(old), self.path(new), follow_symlinks=False)

    def delete(self, path: bytes) -> None:
        self.touch(path)
        if os.path.isdir(self.path(path)) and not os.path.islink(self.path(path)):
            shutil.rmtree(self.path(path))
        else:
            os.unlink(self.path(path))

    def trash(self, path: bytes) -> None:
        self.touch(path)
        os.makedirs(self.path(b".trash"), exist_ok=True)
        shutil.rmtree(self.path(b".trash/" + os.path.basename(path)), ignore_errors=True)
        os.rename(self.path(path), self.path(b".trash/" + os.path.basename(path)))

    def restore(self) -> None:
        with suppress(FileNotFoundError):
            for name in os.listdir(self.path(b".trash")):
                os.rename(self.path(b".trash/" + name), self.path(self.free(name)))

    def pour(self, old: bytes, new: bytes) -> None:
        """All of one folder into another, which may be made for it."""
        if old != new and not (new + b"/").startswith(old + b"/"):
            for name in sorted(os.listdir(self.path(old))):
                self.move(old + b"/" + name, new + b"/" + name)

    def write(self, path: bytes) -> None:
        self._number += 1
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(self.free(path)), "wb") as file:
            file.write(b"mine, number %d" % self._number)

    def save_over(self, path: bytes) -> None:
        self.touch(path)
        self._number += 1
        os.unlink(self.path(path))
        with open(self.path(path), "wb") as file:
            file.write(b"saved over, number %d" % self._number)

    def link(self, path: bytes, photo: bytes) -> None:
        # It may say the very same as the links of those who are in that photo.
        catalogue = self.home.catalogue
        numbers = {number for number, one in catalogue.photos.items() if one.target == photo}
        self.touched |= {face.person for face in catalogue.faces.values() if face.photo in numbers and face.person}
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        os.symlink(photo, self.path(self.free(path)))

    # ---- what guyverd does -------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Read back, decide and publish, till there is no more to hear."""
        self.read_once()
        for _ in range(4):
            # What stands in a folder is heard when it is known whose that is, and may look strange when that was moved.
            acts = self.read_once()
            assert all(isinstance(act, Dropped | Shared) for act in acts)
            if not acts:
                break
        assert not acts
        self.touched.clear()
        self.unread = self.blurred = False

    def read_once(self) -> tuple[Act, ...]:
        """Nothing is decided of anybody who was not touched."""
        before = {face: known.person for face, known in self.home.catalogue.faces.items()}
        names = dict(self.home.catalogue.names)
        hidden = set(self.home.catalogue.hidden)
        reading = self.home.read(limit=float("inf"))
        self.home.heed(reading)
        for face, known in self.home.catalogue.faces.items():
            was = before[face]
            assert self.blurred or was in (None, known.person) or was in self.touched, reading.acts
        for person, name in self.home.catalogue.names.items():
            assert names.get(person, name) == name or person in self.touched, reading.acts
        assert {one for one in self.home.catalogue.hidden - hidden if one not in self.touched} == set(), reading.acts
        self.touched |= set(self.home.catalogue.names) - set(names)
        self.touched |= {act.to for act in reading.acts if isinstance(act, Given | Shared | Dropped)}
        self.publish(_put(reading.acts))
        return reading.acts

    def publish(self, put: Iterable[Shift] = ()) -> None:
        """Publish; nothing that is not ours is touched, and what somebody put somewhere stays."""
        wanted = self.home.plan()
        foreign = self._foreign()
        self.home.publish()
        after = take(self.home.root).entries
        for path, seen in foreign.items():
            moved = path
            for rename in wanted.renames:
                if moved.startswith(rename.old + b"/"):
                    moved = rename.new + moved[len(rename.old) :]
            assert seen in (after.get(path), after.get(moved)), path
        shown = {(shelf.owner, photo.photo) for shelf in self.home.catalogue.shelves() for photo in shelf.photos}
        for shift in put:
            row = self.home.ledger.rows.get(shift.path or b"")
            if row is None or row.companion or (row.owner, row.photo) not in shown:
                continue
            home = self.home.ledger.homes[row.owner].path
            if row.placed and row.path.startswith(home + b"/"):
                assert row.path in after

    def _foreign(self) -> dict[bytes, bytes | Stamp]:
        """What the ledger does not know as ours."""
        rows = self.home.ledger.rows
        return {
            path: seen
            for path, seen in take(self.home.root).entries.items()
            if path not in rows or not is_ours(rows[path], seen)
        }


def _put(acts: Iterable[Act]) -> list[Shift]:
    """Links that somebody put somewhere on purpose."""
    return [
        shift for act in acts if isinstance(act, Given | Merged | Moved | Parted | Rearranged) for shift in act.shifts
    ]


@contextmanager
def life(links: str, *, years: bool) -> Iterator[Life]:
    with tempfile.TemporaryDirectory() as base:
        yield Life(os.fsencode(base), links, years=years)


def goal(life: Life, data: st.DataObject, last: bytes) -> bytes:
    """Into some folder that is there, or a new one."""
    folders = [*life.folders(), *(word.encode() for word in WORDS), b""]
    folder = data.draw(st.sampled_from(folders), "into")
    return folder + b"/" + last if folder else last


def do_something(life: Life, data: st.DataObject) -> None:
    """One of the things that people do with files."""
    entries, folders = life.entries(), life.folders()
    deeds = ["write", "link", "restore"]
    deeds += ["move", "move", "copy", "rename", "delete", "save over"] if entries else []
    deeds += ["move folder", "rename folder", "copy folder", "delete folder", "trash", "pour"] if folders else []
    deed = data.draw(st.sampled_from(deeds), "deed")
    if deed in ("write", "link"):
        path = goal(life, data, b"mine.jpg")
        if any(os.path.lexists(life.path(above)) and above not in folders for above in parents(path)[:-1]):
            return
        photo = data.draw(st.sampled_from(sorted(one.target for one in life.home.catalogue.photos.values())))
        life.write(path) if deed == "write" else life.link(path, photo)
    elif deed == "restore":
        life.restore()
    elif deed in ("move", "copy", "rename", "delete", "save over"):
        path = data.draw(st.sampled_from(entries), "which")
        if deed == "delete":
            life.delete(path)
        elif deed == "save over":
            life.save_over(path)
        else:
            at = (
                os.path.dirname(path) + b"/renamed.jpg"
                if deed == "rename"
                else goal(life, data, os.path.basename(path))
            )
            _carry(life, deed, path, at)
    else:
        folder = data.draw(st.sampled_from(folders), "folder")
        if deed == "delete folder":
            life.delete(folder)
        elif deed == "trash":
            life.trash(folder)
        elif deed == "pour":
            _carry(life, deed, folder, goal(life, data, b"")[:-1] or b"All")
        else:
            word = data.draw(st.sampled_from(WORDS), "word").encode()
            above = os.path.dirname(folder)
            at = goal(life, data, os.path.basename(folder)) if deed == "move folder" else os.path.join(above, word)
            _carry(life, "copy" if deed == "copy folder" else "move", folder, at)


def _carry(life: Life, deed: str, old: bytes, new: bytes) -> None:
    new = new.lstrip(b"/")
    if any(above in life.entries() for above in parents(new)[:-1]) or (deed == "pour" and new in life.entries()):
        return  # a file is no folder
    if deed == "copy":
        os.makedirs(os.path.dirname(life.path(new)), exist_ok=True)
        life.copy(old, new)
    elif deed == "pour":
        life.pour(old, new)
    else:
        life.move(old, new)


def something_happens(life: Life, data: st.DataObject) -> None:
    """In the catalogue: a photo comes, goes, or is somebody else's; somebody is named."""
    catalogue = life.home.catalogue
    people = sorted(catalogue.names)
    deed = data.draw(st.sampled_from(["photo", "name", "face", "hide", "unhide"]), "happens")
    person = data.draw(st.sampled_from(people), "who")
    if deed == "photo":
        others = data.draw(st.sets(st.sampled_from(people), max_size=2), "with")
        life.home.photo(f"new-{len(catalogue.photos)}.jpg", *sorted({person, *others}))
    elif deed == "name":
        catalogue.names[person] = data.draw(st.sampled_from([None, *WORDS]), "name")
    elif deed == "hide":
        catalogue.hidden.add(person)
    elif deed == "unhide":
        catalogue.hidden.discard(person)
    else:
        face = FaceId(data.draw(st.sampled_from(sorted(catalogue.faces)), "face"))
        if not catalogue.seen(person, catalogue.faces[face].photo):
            catalogue.faces[face].person = person


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power cut comes here, and the disk need not be waited for."""
    monkeypatch.setattr(disk, "settle", lambda parent: None)
    monkeypatch.setattr(os, "fsync", lambda file: None)


KINDS = st.sampled_from(["relative", "relative", "absolute", "hard", "copy"])


@settings(CALM, max_examples=scaled(50, 500))
@given(st.data(), KINDS, st.booleans())
def test_whatever_somebody_does_once_read_and_published_there_is_no_more_to_hear(
    data: st.DataObject, links: str, years: bool
) -> None:
    with life(links, years=years) as found:
        found.home.assert_settled()
        for _ in range(data.draw(st.integers(1, 6), "deeds")):
            do_something(found, data)
        found.read()
        found.home.assert_settled()


@settings(CALM, max_examples=scaled(50, 500))
@given(st.data(), KINDS, st.booleans())
def test_whatever_comes_between_it_comes_to_rest(data: st.DataObject, links: str, years: bool) -> None:
    with life(links, years=years) as found:
        for step in data.draw(st.lists(st.sampled_from(["do", "do", "happen", "publish", "read"]), max_size=12)):
            if step == "do":
                do_something(found, data)
                found.unread = True
            elif step == "happen":
                something_happens(found, data)
            elif step == "publish":
                found.blurred |= found.unread
                found.publish()
            else:
                found.read()
        found.read()
        found.home.assert_settled()
