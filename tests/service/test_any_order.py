"""Anything that can happen to a library, in any order, beside a program that is hindered and killed.

Photos come, change, move and go; folders too, and whole disks; somebody says who is who, by word and by hand; events
come late, in another order, twice, or never; the clock jumps; the program dies at any call it makes of the system, or
is given an error there. When everything was mended, told and done, the catalogue is the tree, the links are the plan,
and every word is kept: `World.assert_agreed` says what that means.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.promises import scaled, torture
from tests.service.faults import Fault
from tests.service.world import World, a_world

RAM = Path("/dev/shm")
PICK = st.integers(0, 30)
PEOPLE = st.lists(st.integers(0, 4), max_size=3, unique=True)
NAMES = ("Ada", "Bea", "Cy", "ada b")
FOLDERS = ("", "a", "a/b", "c")
FILES = ("1.jpg", "2.jpg", "3.JPG", "4.png", "5.jpg", "notes.txt")
ERRORS = (0, 0, errno.EIO, errno.ENOSPC, errno.ESTALE)
LASTS = (1, 1, 2, 10, 10**6)


class AnyOrder(RuleBasedStateMachine):
    """One world."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir=RAM if os.access(RAM, os.W_OK) else None))
        self.open = contextlib.ExitStack()
        self.world: World

    @initialize(links=st.sampled_from(["relative", "relative", "absolute", "hard", "copy"]))
    def begin(self, links: str) -> None:
        (self.place / "world").mkdir()
        self.world = self.open.enter_context(a_world(self.place / "world", links=links))
        for at, people in enumerate(([0], [0], [1], [1], [0, 1])):
            self.world.write(self.world.roots[0] / f"{at}.jpg", self.world.fresh(*people))

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.world.rest()
        finally:
            self.open.close()
            shutil.rmtree(self.place)

    # ---- photos ------------------------------------------------------------------------------------------------------

    def place_for(self, which: int) -> Path:
        roots = self.world.present_roots() or [self.world.elsewhere]
        root, which = roots[which % len(roots)], which // len(roots)
        return root / FOLDERS[which % len(FOLDERS)] / FILES[which // len(FOLDERS) % len(FILES)]

    def photo(self, which: int) -> Path | None:
        files = self.world.files()
        return files[which % len(files)] if files else None

    @rule(people=PEOPLE, where=PICK, instead=st.booleans())
    def comes(self, people: list[int], where: int, instead: bool) -> None:
        path = self.place_for(where)
        if not path.is_dir():
            self.world.write(path, self.world.fresh(*people), instead=instead)

    @rule(where=PICK)
    def comes_spoilt(self, where: int) -> None:
        path = self.place_for(where)
        if not path.is_dir():
            self.world.write(path, self.world.fresh_spoilt())

    @rule(which=PICK, people=PEOPLE, instead=st.booleans())
    def is_edited(self, which: int, people: list[int], instead: bool) -> None:
        path = self.photo(which)
        if path is not None:
            self.world.write(path, self.world.fresh(*people), instead=instead)

    @rule(which=PICK)
    def is_touched(self, which: int) -> None:
        path = self.photo(which)
        if path is not None:
            self.world.touch(path)

    @rule(which=PICK, where=PICK, copied=st.booleans())
    def goes_elsewhere(self, which: int, where: int, copied: bool) -> None:
        path, to = self.photo(which), self.place_for(where)
        if path is not None and path != to and not to.is_dir():
            (self.world.copy if copied else self.world.move)(path, to)

    @rule(which=PICK)
    def is_deleted(self, which: int) -> None:
        path = self.photo(which)
        if path is not None:
            self.world.delete(path)

    @rule(which=PICK, where=PICK, name=st.sampled_from(["a", "b", "d"]))
    def folder_moves(self, which: int, where: int, name: str) -> None:
        folders = [folder for folder in self.world.folders() if folder not in self.world.roots]
        if folders:
            folder = folders[which % len(folders)]
            to = self.place_for(where).parent / name
            if not to.exists() and folder not in to.parents:
                self.world.move(folder, to)

    @rule(which=PICK)
    def folder_is_deleted(self, which: int) -> None:
        folders = [folder for folder in self.world.folders() if folder not in self.world.roots]
        if folders:
            self.world.delete(folders[which % len(folders)])

    # A copy, or a hard link, of a photo whose disk is away cannot be made, and is tried until it is back.
    @precondition(lambda self: self.world.config.folders.links in ("relative", "absolute"))
    @rule(which=st.integers(0, 1), replaced=st.booleans())
    def disk_goes(self, which: int, replaced: bool) -> None:
        if self.world.roots[which] not in self.world.away:
            self.world.take_away(self.world.roots[which], replaced=replaced)

    @precondition(lambda self: bool(self.world.away))
    @rule()
    def disk_comes_back(self) -> None:
        self.world.bring_back(min(self.world.away))

    # ---- words -------------------------------------------------------------------------------------------------------

    def person(self, which: int) -> str:
        rows = self.world.work.catalogue._db.rows(
            "SELECT DISTINCT person_id FROM faces WHERE person_id IS NOT NULL ORDER BY person_id"
        )
        return str(rows[which % len(rows)][0]) if rows else "1"

    def face(self, which: int) -> str:
        rows = self.world.work.catalogue._db.rows("SELECT id FROM faces ORDER BY id")
        return str(rows[which % len(rows)][0]) if rows else "1"

    @rule(who=PICK, name=st.sampled_from(NAMES))
    def is_named(self, who: int, name: str) -> None:
        self.world.say(lambda library: library.name(self.person(who), name))

    @rule(who=PICK, other=PICK)
    def are_one(self, who: int, other: int) -> None:
        self.world.say(lambda library: library.merge(self.person(who), self.person(other)))

    @rule(who=PICK, face=PICK, yes=st.booleans())
    def is_or_is_not(self, who: int, face: int, yes: bool) -> None:
        self.world.say(
            lambda library: (library.confirm if yes else library.reject)(self.person(who), [self.face(face)])
        )

    @rule(who=PICK, face=PICK)
    def is_split(self, who: int, face: int) -> None:
        self.world.say(lambda library: library.split(self.person(who), [self.face(face)]))

    @rule(who=PICK, hidden=st.booleans())
    def is_hidden(self, who: int, hidden: bool) -> None:
        self.world.say(lambda library: (library.hide if hidden else library.unhide)(self.person(who)))

    @rule(one=PICK, other=PICK, same=st.booleans())
    def are_compared(self, one: int, other: int, same: bool) -> None:
        self.world.say(lambda library: (library.same if same else library.different)(self.face(one), self.face(other)))

    @rule(again=st.booleans())
    def takes_it_back(self, again: bool) -> None:
        self.world.say(lambda library: library.redo() if again else library.undo())

    @rule(who=PICK, other=PICK)
    def has_an_album(self, who: int, other: int) -> None:
        self.world.say(lambda library: library.album([self.person(who), self.person(other)]))

    # ---- hands in the people folder ----------------------------------------------------------------------------------

    def home(self, which: int) -> Path | None:
        homes = self.world.homes()
        return homes[which % len(homes)] if homes else None

    def link(self, which: int) -> Path | None:
        links = self.world.links()
        return links[which % len(links)] if links else None

    @rule(which=PICK, name=st.sampled_from((*NAMES, "Family/x", "Unnamed/y")))
    def home_is_renamed(self, which: int, name: str) -> None:
        home, to = self.home(which), self.world.people / name
        if home is not None and not os.path.lexists(to) and home not in to.parents:
            self.world.move(home, to)

    @rule(which=PICK, where=PICK, name=st.sampled_from(["", "x.jpg", "best/y.jpg"]), copied=st.booleans())
    def link_goes_elsewhere(self, which: int, where: int, name: str, copied: bool) -> None:
        link, home = self.link(which), self.home(where)
        if link is not None and home is not None:
            to = home / (name or link.name)
            if not os.path.lexists(to) and not to.parent.is_symlink():
                if copied:
                    to.parent.mkdir(exist_ok=True)
                    os.symlink(os.readlink(link), to)
                    self.world.ears.listen()
                else:
                    self.world.move(link, to)

    @rule(which=PICK)
    def link_is_deleted(self, which: int) -> None:
        link = self.link(which)
        if link is not None:
            self.world.delete(link)

    @rule(which=PICK)
    def home_is_deleted(self, which: int) -> None:
        home, trash = self.home(which), self.world.trash / "home"
        if home is not None and not trash.exists():
            self.world.move(home, trash)
            (trash / ".from").write_text(str(home))

    @precondition(lambda self: (self.world.trash / "home").exists())
    @rule()
    def home_is_brought_back(self) -> None:
        trash = self.world.trash / "home"
        home = Path((trash / ".from").read_text())
        (trash / ".from").unlink()
        if home.exists():
            shutil.rmtree(trash)
        else:
            self.world.move(trash, home)

    @rule(which=PICK, people=PEOPLE, name=st.sampled_from(["own.jpg", "deep/own.jpg", "notes.txt"]))
    def is_dropped(self, which: int, people: list[int], name: str) -> None:
        home = self.home(which)
        if home is not None and not os.path.lexists(home / name):
            self.world.put_own(home / name, self.world.fresh(*people))

    @rule(which=PICK, where=PICK)
    def is_linked(self, which: int, where: int) -> None:
        photo, home = self.photo(which), self.home(where)
        if photo is not None and home is not None and not os.path.lexists(home / "linked.jpg"):
            os.symlink(photo, home / "linked.jpg")
            self.world.ears.listen()

    # ---- events and time ---------------------------------------------------------------------------------------------

    @rule(which=PICK, twice=st.booleans())
    def event_is_told(self, which: int, twice: bool) -> None:
        self.world.tell(which, twice=twice)

    @rule()
    def events_are_told(self) -> None:
        self.world.tell_all()

    @rule(which=PICK)
    def event_is_lost(self, which: int) -> None:
        self.world.drop(which)

    @rule(which=PICK)
    def events_overflow(self, which: int) -> None:
        self.world.overflow(which)

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5, 10.0, 40.0, 3600.0, 7 * 3600.0, 50 * 86400.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(seconds=st.sampled_from([-86400.0, -60.0, 60.0, 86400.0, 60 * 86400.0]))
    def clock_is_set(self, seconds: float) -> None:
        self.world.shift += seconds

    # ---- the program -------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 4))
    def works(self, count: int) -> None:
        for _ in range(count):
            self.world.step()

    @rule(which=PICK)
    def reads(self, which: int) -> None:
        self.world.develop(which)

    @rule()
    def works_for_long(self) -> None:
        with contextlib.suppress(TimeoutError):
            self.world.settle()

    @rule(at=st.integers(1, 120), error=st.sampled_from(ERRORS), calls=st.sampled_from(LASTS))
    def will_be_hindered(self, at: int, error: int, calls: int) -> None:
        self.world.disk.set(Fault(at, error, calls if error else 1))

    @rule()
    def is_mended(self) -> None:
        self.world.disk.set(None)

    @rule(killed=st.booleans())
    def starts_anew(self, killed: bool) -> None:
        (self.world.kill if killed else self.world.restart)()

    @rule()
    def rests(self) -> None:
        self.world.rest()


AnyOrder.TestCase.settings = settings(
    max_examples=scaled(12, 600),
    stateful_step_count=scaled(30, 60),
    # In the suite always the same ones: what is found there shall be found again.
    derandomize=not torture(),
    # To make an example shorter takes longer than to read it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = pytest.mark.promise("any-order")(pytest.mark.timeout(3000)(AnyOrder.TestCase))
