"""A small world for one coordinator: photos, a people folder, a clock, and a disk that fails when it is told to.

The coordinator is the real one, with the real catalogue, index and disk, and takes its steps when the world says so.
The world makes the events itself, from what changed on disk, and hands them on in any order, doubled or never. Faces
are what the bytes of a photo say.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import hashlib
import logging
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest

from guyverd import config_file
from guyverd.catalogue.custody import Custody
from guyverd.catalogue.passing import Moment
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import GuyverError, PeopleFolderPaused
from guyverd.folders.apply import DANGLING
from guyverd.media.kinds import is_picture
from guyverd.model import Decision, RootState
from guyverd.published import LinkKind, person_of
from guyverd.service.api import Row
from guyverd.service.pipeline import coordinator, grouping, identifying
from guyverd.service.pipeline.checking import check
from guyverd.service.pipeline.clocks import Clocks
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.queries import LocalLibrary
from guyverd.service.pipeline.words.deciding import log_of
from guyverd.watch.events import EventKind, PathEvent, Watching
from guyverd.watch.mounts import identify
from tests.service.faults import Crash, Disk, Fault, installed
from tests.service.lens import Inline, Lens, people_in, shot, spoilt, vectors

T = TypeVar("T")
_BEGINNING = 1_700_000_000.0
_QUIET, _POLL, _RESCAN = 2.0, 30.0, 6 * 3600.0
_MOST_STEPS = 300


@dataclass(frozen=True, slots=True)
class _Stands:
    """What stands at a path."""

    folder: bool
    inode: int
    size: int
    mtime: int
    link: bytes | None


class Ears:
    """Stands in for `Observer`: a root is followed as long as the folder that was there stands there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.followed: dict[bytes, tuple[object, dict[bytes, _Stands]]] = {}
        """With which folder it is, None where it can be followed no more, and what was last seen in it."""

    def start(self) -> None:
        """See `Observer.start`."""

    def stop(self) -> None:
        """See `Observer.stop`."""
        self.followed.clear()

    def watch(self, root: bytes, skip: object = None) -> Watching:
        """See `Observer.watch`. A fault of the disk is none of it: what inotify does is shown elsewhere."""
        with self._world.disk.aside():
            self.followed[root] = identify(root), _listing(root)
        return self.watching(root)

    def watching(self, root: bytes) -> Watching:
        """See `Observer.watching`."""
        if root not in self.followed:
            raise KeyError(root)
        return Watching(self.unbroken(root), "")

    def renew(self, root: bytes) -> tuple[bytes, ...]:
        """See `Observer.renew`."""
        if self.watching(root).events:
            return ()
        self.watch(root)
        return (b"",)

    def unbroken(self, root: bytes) -> bool:
        """See `Observer.unbroken`."""
        return self.followed.get(root, (None, {}))[0] is not None

    def unwatch(self, root: bytes) -> None:
        """See `Observer.unwatch`."""
        self.followed.pop(root, None)

    def lose(self, root: bytes) -> None:
        """The folder was moved away or deleted, and what is done to it is not told any more."""
        if root in self.followed:
            self.followed[root] = None, {}
            self._world.events.append(PathEvent(EventKind.GONE, root, b""))

    def listen(self) -> None:
        """Have everything told that was done since this was last asked."""
        for root, (identity, before) in list(self.followed.items()):
            if identity is None:
                continue
            after = _listing(root)
            self.followed[root] = identity, after
            self._world.events += [PathEvent(kind, root, path) for kind, path in _differences(before, after)]


class _Killed(Custody):
    """Of a catalogue that nobody closes."""

    def end(self, connection: sqlite3.Connection) -> bool:
        """See `Custody.end`."""
        raise sqlite3.OperationalError("the process was killed")


class World:
    """Two photo folders, a people folder and what keeps it. To be closed."""

    def __init__(self, place: Path, disk: Disk, *, links: str = "relative") -> None:
        self.place = place
        self.disk = disk
        self.roots = [place / "photos", place / "archive"]
        self.people = place / "People"
        self.state = place / "state"
        self.trash = place / "trash"
        self.elsewhere = place / "elsewhere"
        for folder in (*self.roots, self.state, self.trash, self.elsewhere):
            folder.mkdir()
        made = config_file.make(self.roots, self.people, self.state, place / "config.yaml")
        self.config: Config = dataclasses.replace(
            made,
            watch=dataclasses.replace(made.watch, quiet=_QUIET, ceiling=20.0, poll=_POLL, rescan=_RESCAN),
            workers=dataclasses.replace(made.workers, count=2),
            folders=dataclasses.replace(made.folders, min_photos=2, links=links),
        )
        self.now = 1000.0
        self.shift = _BEGINNING
        """What the clock on the wall says more than the other."""
        self.events: list[PathEvent] = []
        """What was done on disk and not told yet."""
        self.untold = False
        """Whether something was lost since the last full comparison, so that only the next one will find it."""
        self.own: set[bytes] = set()
        """Files of the user's own in the people folder, as the user left it: the hashes of their bytes."""
        self._ever_own: set[bytes] = set()
        self.away: dict[Path, tuple[Path, frozenset[bytes]]] = {}
        """Photo folders that are elsewhere: where, and what the catalogue knew in them."""
        self.log: tuple[Decision, ...] = ()
        """All decisions that were ever acknowledged."""
        self.born = 0
        self.crashes = 0
        self._salt = 0
        self._witness: sqlite3.Connection | None = None
        self._known: list[Catalogue] = []
        self._patch = pytest.MonkeyPatch()
        self._pretend()
        self.work: Coordinator
        self.library: LocalLibrary
        self.lens: Lens
        self.ears: Ears
        self.begin()

    def _pretend(self) -> None:
        """Threads, processes and clocks are the world's."""

        def text() -> str:
            return datetime.fromtimestamp(self.wall(), UTC).isoformat(timespec="seconds")

        def opened(path: bytes) -> Catalogue:
            self._known.append(Catalogue(path, text))
            return self._known[-1]

        def looked_at(catalogue: Catalogue, grace: float) -> Clocks:
            return Clocks(catalogue, grace, lambda: Moment(self.wall(), self.now, "the same"))

        clock = SimpleNamespace(**{**vars(time), "time": self.wall, "monotonic": lambda: self.now})
        for module in (coordinator, grouping):
            self._patch.setattr(module, "time", clock)
        self._patch.setattr(coordinator, "Catalogue", opened)
        self._patch.setattr(coordinator, "Reader", Lens)
        self._patch.setattr(coordinator, "Clocks", looked_at)
        self._patch.setattr(identifying, "_threads", lambda _: Inline())

    def wall(self) -> float:
        """The time of day, in seconds since 1970."""
        return self.shift + self.now

    def close(self) -> None:
        """Leave nothing open."""
        self._let_go()
        self._patch.undo()

    # ---- the program -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the program, again and again where it cannot, as its supervisor does."""
        for attempt in range(60):
            if attempt == 50:
                self.disk.set(None)
            try:
                with self.disk.watched():
                    self.work = Coordinator(self.config, clock=lambda: self.now, day=lambda: 0.0)
                break
            except Crash:
                self._survive()
            except (GuyverError, OSError) as problem:
                hindered = problem
                self._survive()
                self.now += 5.0
        else:
            raise TimeoutError(f"it does not start: {hindered}")
        self.born += 1
        if self._witness is not None:
            gc.collect()
            self._witness.close()
            self._witness = None
        reader: Any = self.work.reader
        self.lens = reader
        self.ears = Ears(self)
        self.work.watcher._observer = self.ears  # type: ignore[assignment]
        self.library = LocalLibrary(self.work, daemon=True)
        # What happened while nobody listened is not told; a program that starts looks at everything.
        self.events.clear()
        self.untold = False

    def act(self, job: Callable[[], T]) -> T | None:
        """Have the program do something, which may kill it; None then. What it does to photos would be seen here."""
        before, struck = self._photos(), len(self.disk.struck)
        result: T | None = None
        try:
            with self.disk.watched():
                result = job()
        except Crash:
            self.kill()
        finally:
            self.untold |= len(self.disk.struck) > struck
            assert self._photos() == before, "photos are never changed"
            self.ears.listen()
        if self.work.fault is not None:
            self.restart()
        return result

    def restart(self) -> None:
        """Stop the program, and start it again."""
        try:
            with self.disk.watched():
                self.work.stop()
        except Crash:
            self._survive()
        except (GuyverError, OSError):
            pass
        self._let_go()
        self.begin()

    def kill(self) -> None:
        """End the program at once, and start it again."""
        self._survive()
        self.begin()

    def _survive(self) -> None:
        """What a killed program leaves is what is on disk: the log of the catalogue stays, and nothing is tidied."""
        self.crashes += 1
        for catalogue in self._known:
            # An open cursor in a traceback keeps its connection open, and whoever closes last takes the log along.
            self._witness = sqlite3.connect(catalogue.path)
            self._witness.execute("SELECT 1 FROM sqlite_schema").fetchall()
            catalogue._db._custody = _Killed(catalogue.path)
        self._let_go()

    def _let_go(self) -> None:
        for catalogue in self._known:
            catalogue.close()
        self._known.clear()

    def step(self) -> None:
        """One step of the coordinator."""
        self.act(lambda: self.work.step(0.0))

    def develop(self, which: int = 0) -> None:
        """Have a worker finish a photo."""
        self.act(lambda: self.lens.develop(which))

    def say(self, job: Callable[[LocalLibrary], object]) -> bool:
        """Say something, as a command does; tells whether it was acknowledged."""
        try:
            done = self.act(lambda: (job(self.library), log_of(self.work.catalogue)))
        except (GuyverError, OSError):
            return False
        if done is None:
            return False
        self._recorded(done[1])
        return True

    def _recorded(self, log: tuple[Decision, ...]) -> None:
        assert log[: len(self.log)] == self.log, "a decision that was acknowledged is not in the log any more"
        self.log = log

    # ---- events and time ---------------------------------------------------------------------------------------------

    def tell(self, which: int = 0, *, twice: bool = False) -> None:
        """Hand on one of the events that wait."""
        if self.events:
            at = which % len(self.events)
            self.work._notice(self.events[at] if twice else self.events.pop(at))

    def tell_all(self) -> None:
        """Hand on all of them."""
        for event in self.events:
            self.work._notice(event)
        self.events.clear()

    def drop(self, which: int) -> None:
        """Lose one for good."""
        if self.events:
            self.events.pop(which % len(self.events))
            self.untold = True

    def overflow(self, which: int) -> None:
        """Lose all of one root, and tell that."""
        root = sorted(self.ears.followed)[which % len(self.ears.followed)] if self.ears.followed else None
        if root is not None:
            self.events = [event for event in self.events if event.root != root]
            self.events.append(PathEvent(EventKind.OVERFLOW, root, b""))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with nothing done."""
        self.now += seconds

    # ---- rest --------------------------------------------------------------------------------------------------------

    def settle(self, until: float = 0.0) -> None:
        """Have everything told and done, at least until that time by its clock."""
        for _ in range(_MOST_STEPS):
            self.tell_all()
            while self.lens.waiting:
                self.develop()
            self.step()
            if not (self.work.idle and not self.events and not self.lens.waiting and self.work.trouble is None):
                self.now += max(0.01, min(self.work._patience() or 0.0, _POLL))
            elif self.now < until:
                self.now = until
            else:
                return
        work = self.work
        raise TimeoutError(
            f"it does not come to rest: {work.phase}, {work.trouble}, {work.publishing.problem}, {self.events[-3:]},"
            f" {work.publishing.applied}"
        )

    def rest(self, *, mend: bool = True) -> None:
        """Everything is told and done, and mended if it is to be; then all must agree."""
        if mend:
            self.disk.set(None)
        # What was lost may be in the way, such as a photo that is to be copied and is not there any more.
        with contextlib.suppress(*[TimeoutError] if self.untold else []):
            self.settle()
            # Whether roots came or went is only seen by looking at them.
            self.settle(self.now + _POLL + 2 * _QUIET)
        if self.work.publishing.prepared and self.work.publishing.problem is None:
            # A link to a photo that was not known yet when it was read is heard with the next full look.
            self.untold |= bool(self.work.publishing.heeding.outlook())
        while self.untold:
            # Of what hindered that, or was done meanwhile, it takes another.
            self.untold = False
            self.pass_time(_RESCAN)
            self.settle(self.now + _POLL)
        if isinstance(self.work.publishing.problem, PeopleFolderPaused):
            self.say(lambda library: library.folders_resume(accept=False))
            self.settle(self.now + _POLL)
        self.assert_agreed()

    def assert_agreed(self) -> None:
        """The catalogue is the tree, the links are the plan, and every word is kept."""
        work = self.work
        assert work.publishing.problem is None, work.publishing.problem
        assert work.trouble is None, work.trouble
        assert work.looking.broken is None
        self._files_agree()
        self._faces_agree()
        self._links_agree()
        self._recorded(log_of(work.catalogue))
        wrong = [row for row in check(work, repair=False)["checks"] if not row["ok"] and not self._is_away(row)]
        assert not wrong, wrong
        outlook = work.publishing.heeding.outlook()
        assert outlook == [], outlook
        assert self.own <= self._own_files(), "a file of the user's own is lost"

    def _is_away(self, row: Row) -> bool:
        """Whether nothing is wrong but that links lead into a root that is away: they stay."""
        if not self.away or row["name"] != "people folder":
            return False
        assert not self.work.publishing.planned()
        return all(
            problem == DANGLING
            and os.path.realpath(self.people / os.fsdecode(path)).startswith(tuple(f"{root}/" for root in self.away))
            for path, problem in self.work.publishing.wrong()
        )

    def _files_agree(self) -> None:
        files = self.work.catalogue.files
        for root in files.roots():
            known = {one.path: one.stamp for one in files.known(root.id) if not one.missing}
            folder = Path(os.fsdecode(root.path))
            if folder in self.away:
                # Where nothing was known of a root, an empty folder in its place may well be it.
                assert root.state is RootState.OFFLINE or not self.away[folder][1]
                assert known.keys() == self.away[folder][1], "what is in a root that is away is not gone"
                continue
            assert root.state is RootState.ONLINE, root
            seen = {
                path: (one.size, one.mtime, one.inode)
                for path, one in _listing(root.path).items()
                if not one.folder and one.link is None and is_picture(path)
            }
            assert {path: (one.size, one.mtime_ns, one.inode) for path, one in known.items()} == seen

    def _faces_agree(self) -> None:
        catalogue = self.work.catalogue
        rows = catalogue._db.rows(
            "SELECT root_path, files.path, files.photo_id, files.state AS found, photos.state, hash, grouped_at"
            " FROM present_files JOIN files ON files.id = file_id LEFT JOIN photos ON photos.id = files.photo_id"
        )
        offline = {os.fsencode(folder) for folder in self.away}
        for row in rows:
            whole = os.path.join(row["root_path"], row["path"])
            if row["root_path"] in offline:
                continue
            data = Path(os.fsdecode(whole)).read_bytes()
            assert row["found"] == "identified", whole
            assert row["hash"] == hashlib.blake2b(data, digest_size=32).digest(), whole
            assert row["state"] == ("failed" if people_in(data) is None else "done"), (whole, row["state"])
            assert row["grouped_at"] is not None
            vectors_of = "SELECT embedding FROM faces WHERE photo_id = ? ORDER BY ordinal"
            faces = catalogue._db.rows(vectors_of, (row["photo_id"],))
            found = [np.frombuffer(face["embedding"], "<f4") for face in faces]
            wanted = vectors(data)
            assert len(found) == len(wanted), whole
            assert all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True)), whole

    def _links_agree(self) -> None:
        """Besides being as planned: each link leads to a photo of whom it stands for, and nobody lacks one."""
        catalogue = self.work.catalogue
        shown: dict[int, set[int]] = {}
        for link in catalogue.links.published():
            person = person_of(link.owner)
            if link.photo is None or person is None or link.companion:
                continue
            shown.setdefault(person, set()).add(link.photo)
            if link.kind is LinkKind.SYMBOLIC and not self.away:
                assert (self.people / os.fsdecode(link.path)).exists(), link
        own = catalogue.shelves.own()
        for owner in catalogue.links.homes():
            person = person_of(owner)
            if person is None:
                continue
            theirs = {
                int(row[0])
                for row in catalogue._db.rows(
                    "SELECT DISTINCT faces.photo_id FROM faces JOIN present_files USING (photo_id) WHERE person_id = ?",
                    (person,),
                )
            }
            there = shown.get(person, set())
            assert there <= theirs, f"links of person {person} to photos of others"
            assert theirs - there <= {photo for _, photo in own}, f"photos of person {person} without a link"

    # ---- what is there -----------------------------------------------------------------------------------------------

    def files(self) -> list[Path]:
        """All photos in the roots that are there, in order."""
        return sorted(path for root in self.present_roots() for path in root.rglob("*") if path.is_file())

    def folders(self) -> list[Path]:
        """All folders in the roots that are there, these among them."""
        return sorted(path for root in self.present_roots() for path in (root, *root.rglob("*")) if path.is_dir())

    def present_roots(self) -> list[Path]:
        """The roots that are there."""
        return [root for root in self.roots if root not in self.away]

    def links(self) -> list[Path]:
        """All links in the people folder."""
        return sorted(path for path in self.people.rglob("*") if path.is_symlink())

    def homes(self) -> list[Path]:
        """The folders in it that hold something, and what holds them."""
        return sorted(path for path in self.people.rglob("*") if path.is_dir() and not path.is_symlink())

    def _photos(self) -> dict[str, tuple[int, int, bytes]]:
        found = {}
        for top in (*self.roots, *(aside for aside, _ in self.away.values()), self.elsewhere):
            for folder, _, names in os.walk(top):
                for name in names:
                    path = os.path.join(folder, name)
                    status = os.stat(path)
                    found[path] = (status.st_ino, status.st_mtime_ns, Path(path).read_bytes())
        return found

    # ---- what people do to photos ------------------------------------------------------------------------------------

    def fresh(self, *people: int) -> bytes:
        """The bytes of a photo that was never there before."""
        self._salt += 1
        return shot(*people, salt=self._salt)

    def fresh_spoilt(self) -> bytes:
        """The same of what is no photo."""
        self._salt += 1
        return spoilt(self._salt)

    def write(self, path: Path, data: bytes, *, instead: bool = False) -> None:
        """Write a file in place, or beside and then rename it over."""
        path.parent.mkdir(parents=True, exist_ok=True)
        first = path.parent / f".{path.name}.part" if instead else path
        first.write_bytes(data)
        self.touch(first)
        if instead:
            first.rename(path)
        self.ears.listen()

    def touch(self, path: Path) -> None:
        """It was written now."""
        self._salt += 1
        moment = int(self.wall() * 1e9) + self._salt
        os.utime(path, ns=(moment, moment))
        self.ears.listen()

    def copy(self, path: Path, to: Path) -> None:
        """Copy a file with its times."""
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, to)
        self.ears.listen()

    def move(self, path: Path, to: Path) -> None:
        """Rename a file or folder, over a file that may be there."""
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)
        self._by_hand()

    def delete(self, path: Path) -> None:
        """Delete a file, a link, or a folder with all in it."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        self._by_hand()

    def make(self, folder: Path) -> None:
        """Make a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.ears.listen()

    def take_away(self, root: Path, *, replaced: bool) -> None:
        """Have a root elsewhere; `replaced` leaves an empty folder in its place."""
        (number,) = (one.id for one in self.work.catalogue.files.roots() if one.path == os.fsencode(root))
        known = frozenset(one.path for one in self.work.catalogue.files.known(number) if not one.missing)
        aside = self.place / f"{root.name} aside"
        root.rename(aside)
        if replaced:
            root.mkdir()
        self.away[root] = aside, known
        self.ears.lose(os.fsencode(root))

    def bring_back(self, root: Path) -> None:
        """The other way round."""
        aside, _ = self.away.pop(root)
        if root.exists():
            root.rmdir()
            self.ears.lose(os.fsencode(root))
        aside.rename(root)

    def _own_files(self) -> set[bytes]:
        files = (path for path in self.people.rglob("*") if path.is_file() and not path.is_symlink())
        return self._ever_own & {_digest(path.read_bytes()) for path in files}

    def _by_hand(self) -> None:
        self.own = self._own_files()
        self.ears.listen()

    def put_own(self, path: Path, data: bytes) -> None:
        """Put a file of the user's own into the people folder."""
        self._ever_own.add(_digest(data))
        self.write(path, data)
        self._by_hand()


@contextlib.contextmanager
def a_world(place: Path, fault: Fault | None = None, **how: Any) -> Iterator[World]:
    """A world in an empty folder, which is deleted afterwards; the first start of its program may go wrong already."""
    logging.getLogger("guyverd").setLevel(logging.CRITICAL)
    with installed(Disk(str(place))) as disk:
        disk.set(fault)
        world = World(place, disk, **how)
        try:
            yield world
        finally:
            world.close()
            shutil.rmtree(place)


def _listing(root: bytes) -> dict[bytes, _Stands]:
    found: dict[bytes, _Stands] = {}
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        try:
            names = sorted(os.listdir(os.path.join(root, folder) if folder else root))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            if name.startswith(b"."):
                continue
            path = os.path.join(folder, name)
            status = os.lstat(os.path.join(root, path))
            mode = status.st_mode
            link = os.readlink(os.path.join(root, path)) if stat.S_ISLNK(mode) else None
            size, mtime = (0, 0) if stat.S_ISDIR(mode) else (status.st_size, status.st_mtime_ns)
            found[path] = _Stands(stat.S_ISDIR(mode), status.st_ino, size, mtime, link)
            if stat.S_ISDIR(mode):
                waiting.append(path)
    return found


def _differences(before: dict[bytes, _Stands], after: dict[bytes, _Stands]) -> Iterator[tuple[EventKind, bytes]]:
    """What inotify would tell: of a folder that came or went only that, not what is in it."""
    anew = {
        path for path, one in after.items() if one.folder and (path not in before or before[path].inode != one.inode)
    }
    gone = {
        path for path, one in before.items() if path not in after or (one.folder and after[path].inode != one.inode)
    }
    for path in sorted(gone):
        if gone.isdisjoint(_above(path)):
            yield EventKind.GONE, path
    for path, one in sorted(after.items()):
        if not anew.isdisjoint(_above(path)):
            continue
        if path in anew:
            yield EventKind.SUBTREE, path
        elif not one.folder and before.get(path) != one:
            yield EventKind.TOUCHED, path


def _above(path: bytes) -> Iterator[bytes]:
    while path := os.path.dirname(path):
        yield path


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
