"""Somebody at work in the people folder with a file manager while a daemon runs, and what they expect to see there.

Each thing they do is done on disk and in `tree`, what they think stands there; what guyverd should make of it is said
in `people`, `log` and the like by the test. `settled` waits for the daemon and compares all of it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from guyverd import config_file
from guyverd.service.access import open_library
from guyverd.service.api import Library, Row
from tests.service.conftest import Daemon

Start = Callable[..., Daemon]
_DEADLINE = 60.0
"""Seconds, generously: nothing is measured."""

DISTURBANCES = ("", "", "", "", "", "", "stopped", "killed", "unheard", "at work")
Expected = tuple[dict[str, str], dict[str, set[str]], list[str]]
"""The tree, people and unknown of a `Hand`."""


class Hand:
    """One user, one library, one daemon at a time."""

    def __init__(self, config: Path, start: Start, chance: random.Random | None = None) -> None:
        """With `chance` the daemon is stopped or killed now and then, before, after or while things are done."""
        self._chance = chance
        self._within = False
        self._path = config
        self._start = start
        self.config = config_file.load(config)
        self.folder = self.config.people
        self.photos = self.config.photos[0]
        self.negatives = self.photos.parent / "negatives"
        """Photos that are not in the library."""
        self.negatives.mkdir()
        self.elsewhere = self.photos.parent / "elsewhere"
        """A folder of the user's that is none of the library's."""
        self.daemon: Daemon | None = None
        self.tree: dict[str, str] = {}
        """What should stand in the people folder: for each path the photo it leads to, or is, by its stem."""
        self.people: dict[str, set[str]] = {}
        """For everybody with a face, by name or number, the photos that show them, by stem."""
        self.unknown: list[str] = []
        """The photos that hold faces of nobody, once for each."""
        self.log: list[tuple[str, str | None]] = []
        """The kind and the source of every decision of the user's."""
        self.asked: list[str] = []
        """What was done there that `review` asks about."""
        self.paused = False

    # ---- the daemon --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Have a daemon run, ready."""
        if self.daemon is None:
            self.daemon = self._start(self._path)
            self.daemon.told("READY=1")

    def end(self, number: int = signal.SIGTERM) -> None:
        """Have none run."""
        if self.daemon is not None:
            self.daemon.stop(number)
            self.daemon = None

    def kill(self) -> None:
        """As the power would."""
        self.end(signal.SIGKILL)

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """What is done within may meet no daemon, or one that dies before it heard of it or while it reads."""
        how = "" if self._chance is None or self._within else self._chance.choice(DISTURBANCES)
        if how in ("stopped", "killed"):
            self.end(signal.SIGTERM if how == "stopped" else signal.SIGKILL)
        before, self._within = self._within, True
        yield
        self._within = before
        if how == "unheard":
            self.kill()
        elif how == "at work":
            self.dies_at_work(1.0)

    def shaken(self) -> None:
        """Whatever was answered is durable."""
        if self._chance is not None and self._chance.random() < 0.5:
            self.kill()

    def dies_at_work(self, longest: float) -> None:
        """At any moment."""
        assert self._chance is not None
        self.daemon = self.daemon or self._start(self._path)
        time.sleep(self._chance.uniform(0.0, longest))
        self.kill()

    def library(self) -> AbstractContextManager[Library]:
        """What the daemon answers."""
        self.begin()
        return open_library(self.config)

    # ---- the user's hand ---------------------------------------------------------------------------------------------

    def mv(self, old: str, new: str) -> None:
        """Rename, or move a file or folder into one that is there."""
        goal = self._goal(old, new)
        with self.disturbed():
            (self.folder / old).rename(self.folder / goal)
        for path in self._below(old):
            self.tree[goal + path[len(old) :]] = self.tree.pop(path)

    def rm(self, path: str) -> None:
        """Delete a link, or a folder with all in it."""
        for one in self._below(path):
            del self.tree[one]
        whole = self.folder / path
        with self.disturbed():
            if whole.is_dir() and not whole.is_symlink():
                shutil.rmtree(whole)
            else:
                whole.unlink()

    def trash(self, path: str) -> Path:
        """Move to the trash; returns where that is."""
        bin_ = self.folder.parent / "Trash" / "files"
        bin_.mkdir(parents=True, exist_ok=True)
        goal = bin_ / Path(path).name
        with self.disturbed():
            (self.folder / path).rename(goal)
        for one in self._below(path):
            del self.tree[one]
        return goal

    def mkdir(self, path: str) -> None:
        """Make a folder."""
        (self.folder / path).mkdir()

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        (self.folder / path).rmdir()

    def cp(self, old: str, new: str, *, hard: bool = False) -> None:
        """Copy a link as a link, as `cp -a` does, or give it a second name, as `cp -l`."""
        goal = self._goal(old, new)
        with self.disturbed():
            if hard:
                os.link(self.folder / old, self.folder / goal, follow_symlinks=False)
            else:
                shutil.copy2(self.folder / old, self.folder / goal, follow_symlinks=False)
        self.tree[goal] = self.tree[old]

    def put(self, photo: Path, path: str) -> None:
        """Drop a copy of a photo into the people folder."""
        goal = self.folder / path
        with self.disturbed():
            shutil.copy2(photo, goal)
        self.tree[path] = photo.stem

    def link(self, photo: Path, path: str) -> None:
        """Make a link of one's own to a photo."""
        with self.disturbed():
            (self.folder / path).symlink_to(photo)
        self.tree[path] = photo.stem

    # ---- the user's words --------------------------------------------------------------------------------------------

    def undo(self, decision: int | None = None) -> None:
        """On the command line."""
        with self.library() as library:
            library.undo(decision)
        self.shaken()
        self.said("undo")

    def redo(self, decision: int | None = None) -> None:
        """On the command line."""
        with self.library() as library:
            library.redo(decision)
        self.shaken()
        self.said("undo")

    def answer(self, answer: str, but: Sequence[int] = ()) -> None:
        """What is asked first."""
        with self.library() as library:
            row = next(iter(library.review(1)))
            assert row["because"] == self.asked.pop(0)
            library.answer(row["question"], answer, but)

    def resume(self, *, accept: bool) -> None:
        """Go on after a pause."""
        with self.library() as library:
            library.folders_resume(accept)
        self.shaken()
        self.paused = False

    def _goal(self, old: str, new: str) -> str:
        return f"{new}/{Path(old).name}" if (self.folder / new).is_dir() else new

    def _below(self, path: str) -> list[str]:
        return [one for one in self.tree if one == path or one.startswith(path + "/")]

    # ---- what should come of it --------------------------------------------------------------------------------------

    def said(self, kind: str, source: str | None = None) -> None:
        """A decision more in the log."""
        self.log.append((kind, source))

    def shows(self, folder: str, photos: Iterable[str]) -> None:
        """Links that guyverd makes."""
        self.tree.update({f"{folder}/undated_{photo}.jpg": photo for photo in photos})

    def looks_on(self) -> None:
        """When the daemon rests, what is there is what is expected from now on."""
        self.begin()
        deadline = time.monotonic() + _DEADLINE
        busy = True
        while busy and time.monotonic() < deadline:
            time.sleep(0.05)
            with self.library() as library:
                busy = library.progress()["busy"]
                if busy:
                    continue
                self.people, self.unknown = _whose(library)
                self.log = [(one["kind"], one["source"]) for one in library.log() if one["author"] == "user"]
        self.tree = self._found()
        self.settled()

    def back_and_forth(self, before: Expected) -> None:
        """Undo what was done since and do it again, on the command line; links follow both ways."""
        after = self.expected()
        self.undo()
        self.tree, self.people, self.unknown = before
        self.settled()
        self.redo()
        self.tree, self.people, self.unknown = after
        self.settled()

    def expected(self) -> Expected:
        """What is expected now, for later."""
        return dict(self.tree), {who: set(shown) for who, shown in self.people.items()}, list(self.unknown)

    def goes(self, old: str, new: str) -> None:
        """A link, or all of a folder, that guyverd moves."""
        for path in self._below(old):
            self.tree[new + path[len(old) :]] = self.tree.pop(path)

    def settled(self) -> None:
        """Wait until the daemon has done all there is to do, and compare everything."""
        self.begin()
        deadline = time.monotonic() + _DEADLINE
        while (wrong := self._unlike()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not wrong, "\n".join([*wrong, *self._told()])

    def _unlike(self) -> list[str]:
        """What is not as it should be; something while the daemon is at work."""
        with self.library() as library:
            if (progress := library.progress())["busy"]:
                return [f"it does not come to rest: {progress}"]
            row = library.folders()
            state = "paused" if self.paused else "kept"
            wrong = [] if row["state"] == state else [f"the folder is {row['state']}: {row['detail']}"]
            # What is seen on disk and was not taken up is still on its way.
            wrong += [f"not taken up: {change}" for change in row["changes"] if not self.paused]
            checks = [] if self.paused else library.check()["checks"]
            wrong += [f"check: {one['name']}: {one['detail']}" for one in checks if not one["ok"]]
            people, unknown = _whose(library)
            log = [(one["kind"], one["source"]) for one in library.log() if one["author"] == "user"]
            asked = [one["because"] for one in library.review() if one["because"] is not None]
        for what, found, expected in (
            ("tree", self._found(), self.tree),
            ("people", people, self.people),
            ("unknown", unknown, sorted(self.unknown)),
            ("log", log, self.log),
            ("asked", asked, self.asked),
        ):
            if found != expected:
                wrong.append(f"{what}: {_difference(found, expected)}")
        return wrong

    def _found(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in self.folder.rglob("*"):
            if path.is_symlink():
                found[str(path.relative_to(self.folder))] = path.resolve().stem if path.exists() else "nowhere"
            elif path.is_file() and not path.name.startswith("."):
                found[str(path.relative_to(self.folder))] = path.stem
        return found

    def _told(self) -> list[str]:
        return [] if self.daemon is None else self.daemon.log.read_text().splitlines()[-30:]


def _whose(library: Library) -> tuple[dict[str, set[str]], list[str]]:
    names = {row["id"]: row["name"] or str(row["id"]) for hidden in (False, True) for row in library.people(hidden)}
    people: dict[str, set[str]] = defaultdict(set)
    unknown: list[str] = []
    for row in library.faces():
        if not row["files"]:
            continue  # it waits whether the photo comes back
        photo = _stem(row)
        if row["person"] is None:
            unknown.append(photo)
        else:
            people[names.get(row["person"], "somebody who just came")].add(photo)
    return dict(people), sorted(unknown)


def _stem(row: Row) -> str:
    return min(Path(file).stem for file in row["files"])


def _difference(found: object, expected: object) -> str:
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = sorted(key for key in {**found, **expected} if found.get(key) != expected.get(key))
        return "; ".join(f"{key}: {found.get(key)} instead of {expected.get(key)}" for key in keys)
    if isinstance(found, list) and isinstance(expected, list):
        same = next((at for at, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), None)
        same = min(len(found), len(expected)) if same is None else same
        return f"after {same} that agree: {found[same:]} instead of {expected[same:]}"
    return f"{found} instead of {expected}"
