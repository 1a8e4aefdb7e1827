"""A library's short life: photos come, people are named and merged, folders are changed by hand, a photo is deleted.

Everything is real but what is in the pictures: a photo is a line of text that says who is in it, and is read without
workers. The life can be cut short at any moment by killing its process, and taken up again by another one, which goes
on with the step that was not finished; every step may be begun twice.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from guyverd import config_file
from guyverd.config import Config
from guyverd.errors import GuyverError, PictureError, PictureUnreadable
from guyverd.media.content import read_file
from guyverd.model import Box, DetectedFace, PhotoReading, Quality
from guyverd.service.access import open_library
from guyverd.service.api import Library, Row
from guyverd.service.pipeline import coordinator
from guyverd.service.pipeline.jobs import Read, Wanted

if TYPE_CHECKING:
    from guyverd.model import FloatArray

_LONG_AGO = 1_600_000_000
RECORDED = "it was recorded all the same"
_DEADLINE = 120.0
"""Seconds for one pass; nothing is measured."""


# ---- photos that need no looking at ----------------------------------------------------------------------------------


class Eyes:
    """Reads photos that say who is in them, at once and in this process; stands in for `Reader`."""

    width = 2
    awake = False
    gentle = True

    def __init__(self, *_: object, **others: object) -> None:
        """Take what a `Reader` takes."""

    def set_gentle(self, gentle: bool) -> None:
        """Nothing to choose."""

    def submit(self, photos: Sequence[Wanted], *, urgent: bool = False) -> list[Future[Read]]:
        """As `Reader.submit`."""
        futures: list[Future[Read]] = []
        for photo in photos:
            futures.append(Future())
            futures[-1].set_result(self.one(photo))
        return futures

    def one(self, picture: Wanted) -> Read:
        """As `Reader.one`."""
        return Read(_looked_at(picture), "text", 0.001, 0)

    def engine(self) -> str:
        """As `Reader.engine`."""
        return "text"

    def rest(self) -> float | None:
        """As `Reader.rest`."""
        return None

    def stop(self) -> None:
        """As `Reader.stop`."""


def _looked_at(picture: Wanted) -> PhotoReading | PictureError:
    try:
        data, hash_ = read_file(picture.paths[0], 1 << 20)
    except PictureError as problem:
        return problem
    text = data.decode("ascii", "replace")
    if not text.startswith("photo "):
        return PictureUnreadable(path=os.fsdecode(picture.paths[0]), detail="it is no picture")
    names = text.partition(":")[2].split()
    faces = tuple(_face(place, name, data) for place, name in enumerate(names))
    return PhotoReading(hash_, 100 * max(1, len(names)), 100, "JPEG", None, faces)


def _face(place: int, name: str, data: bytes) -> DetectedFace:
    vector = 1.4 * (_direction(name.encode()) + 0.15 * _direction(name.encode() + data))
    box = Box(100 * place + 10, 10, 100 * place + 90, 90)
    quality = Quality(1.0, 0.9, 0.9, 0.9, 0.9)
    return DetectedFace(box, 1.0, ((20.0, 20.0),) * 5, quality, vector.astype(np.float32))


def _direction(seed: bytes) -> FloatArray:
    number = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest())
    vector = np.random.default_rng(number).standard_normal(128).astype(np.float32)
    found: FloatArray = vector / np.linalg.norm(vector)
    return found


@contextmanager
def eyes() -> Iterator[None]:
    """Let libraries be read so, and let what failed be tried again without waiting long."""
    with patch.object(coordinator, "Reader", Eyes), patch.object(coordinator, "_BACK_OFF", 0.05):
        yield


# ---- a life ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a library lives: photos, and beside them all that guyverd keeps."""

    base: Path
    sections: str = "{contact_sheet: true}"
    """Settings of `folders`."""

    @property
    def kept(self) -> Path:
        """Holds the state folder and the people folder, and is there from the start."""
        return self.base / "kept"

    @property
    def photos(self) -> Path:
        """The only root."""
        return self.base / "photos"

    @property
    def people(self) -> Path:
        """The people folder."""
        return self.kept / "People"

    def prepare(self) -> None:
        """Before everything."""
        self.kept.mkdir(parents=True)
        self.photos.mkdir()
        (self.base / "done").touch()
        (self.base / "config.yaml").write_text(
            f"photos: [{self.photos}]\npeople: {self.people}\nstate: {self.kept / 'state'}\n"
            f"watch: {{quiet: 10 ms, ceiling: 3 s}}\nfolders: {self.sections}\n"
        )

    def config(self) -> Config:
        """Its config."""
        return config_file.load(self.base / "config.yaml")

    def done(self) -> list[str]:
        """The steps that are finished."""
        return (self.base / "done").read_text().split()

    def finish(self, step: str) -> None:
        """Note one more."""
        with (self.base / "done").open("a") as file:
            file.write(f"{step}\n")


@dataclass
class Living:
    """What steps are done with."""

    place: Place
    library: Library
    said: Callable[[str], None]
    """To be told of each word of the user's that was acknowledged."""
    patient: bool = False
    """Whether a word that is refused, as on a full disk, is said again until it is heard."""
    refused: list[str] = field(default_factory=list)
    """Why words were."""
    hand: Callable[[], AbstractContextManager[None]] = nullcontext
    """What the user does with their own hands is done within this."""

    def rest(self) -> None:
        """Wait until everything is done."""
        deadline = time.monotonic() + _DEADLINE
        while (progress := self.library.progress())["busy"]:
            assert time.monotonic() < deadline, progress
            time.sleep(0.002)

    def scan(self) -> None:
        """One whole pass."""
        self.library.scan()
        self.rest()

    def photograph(self, photos: Iterable[tuple[str, str]]) -> None:
        """Photos arrive, and are taken in."""
        for name, who in photos:
            path = self.place.photos / f"{name}.jpg"
            aside = path.with_suffix(".aside")
            with self.hand():
                path.parent.mkdir(exist_ok=True)
                aside.write_text(f"photo {name}: {who}")
                os.utime(aside, (_LONG_AGO, _LONG_AGO))
                aside.rename(path)
        self._heard(self._all_read)

    def _all_read(self) -> bool:
        with self.hand():
            there = sum(path.suffix == ".jpg" for path in self.place.photos.rglob("*"))
        counts = self.library.status()["counts"]
        return counts["files"] == there and not counts["failures"]

    def person_of(self, photo: str) -> int:
        """Who is in a photo that shows one person."""
        path = str(self.place.photos / f"{photo}.jpg")
        found = [row["person"] for row in self.library.faces() if path in row["files"]]
        assert len(found) == 1, (photo, found)
        assert found[0] is not None, photo
        return int(found[0])

    def name(self, photo: str, name: str) -> None:
        """Whoever is in that photo is called so."""
        self._word(f"name {name}", lambda: self.library.name(str(self.person_of(photo)), name))

    def merge(self, photo: str, other: str) -> None:
        """Those in two photos are one."""
        if self.person_of(photo) != self.person_of(other):
            self._word("merge", lambda: self.library.merge(str(self.person_of(photo)), str(self.person_of(other))))

    def hide(self, photo: str) -> None:
        """Whoever is in that photo is to have no folder."""
        self._word("hide", lambda: self.library.hide(str(self.person_of(photo))))

    def _word(self, what: str, say: Callable[[], object]) -> None:
        deadline, before = time.monotonic() + _DEADLINE, -1
        while True:
            try:
                count = len(list(self.library.log()))
                if 0 <= before < count:
                    self.refused.append(RECORDED)
                    self.said(what)
                    return
                before = count
                say()
            except GuyverError as problem:
                if not self.patient or time.monotonic() > deadline:
                    raise
                self.refused.append(f"{what}: {problem}")
                time.sleep(0.02)
            else:
                self.said(what)
                return

    def folder_of(self, photo: str) -> Path:
        """The folder that has a link to that photo."""
        found = self._folders_of(photo)
        assert len(found) == 1, (photo, found)
        return found.pop()

    def _folders_of(self, photo: str) -> set[Path]:
        with self.hand():
            links = list(_made(self.place.people))
        folders = {path.parent for path in links if path.name.endswith(f"{photo}.jpg")}
        return {folder.parent if folder.name == "undated" else folder for folder in folders}

    def rename_by_hand(self, photo: str, name: str) -> None:
        """The folder with that photo gets another name, and that is read."""
        self._heard(self._in_order)
        folder = self.folder_of(photo)
        with self.hand():
            if folder.name != name:
                folder.rename(folder.with_name(name))
        self._heard(lambda: name in {row["name"] for row in self.library.people()})
        self.said(f"renamed to {name}")

    def unlink_by_hand(self, photo: str, name: str) -> None:
        """A link is deleted from a folder: not this person."""
        self._heard(self._in_order)
        with self.hand():
            for link in _made(self.place.people / name):
                if link.name.endswith(f"{photo}.jpg"):
                    link.unlink()
        self._heard(lambda: any(row["kind"] == "reject" for row in self.library.log()))
        self.said(f"not {name}")

    def _in_order(self) -> bool:
        """What is changed by hand in a folder that could not be finished is not heard, but put back."""
        return not self.patient or not self.library.status()["notices"]

    def _heard(self, what: Callable[[], bool]) -> None:
        """What was done by hand is read with the next pass, or as soon as the disk lets it be."""
        deadline = time.monotonic() + _DEADLINE
        self.scan()
        while self.patient and not what():
            assert time.monotonic() < deadline, "it was not heard"
            time.sleep(0.02)
            self.scan()
        assert what()

    def delete(self, photo: str) -> None:
        """A photo is deleted."""
        with self.hand():
            (self.place.photos / f"{photo}.jpg").unlink(missing_ok=True)
        self._heard(self._all_read)


FIRST = [
    *((f"a{number}", "ada") for number in range(4)),
    *((f"b{number}", "ben") for number in range(4)),
    *((f"c{number}", "cleo") for number in range(3)),
    ("both", "ada ben"),
    ("nobody", ""),
]
SECOND = [
    *((f"sub/d{number}", "dora") for number in range(3)),
    ("sub/a5", "ada"),
    ("sub/c5", "cleo ben"),
    ("sub/e0", "eve"),
]
THIRD = [("b7", "ben"), ("both2", "ada cleo")]

Step = Callable[[Living], None]
STEPS: tuple[dict[str, Step], ...] = (
    {
        "first": lambda living: living.photograph(FIRST),
        "name": lambda living: living.name("a0", "Ada"),
        "names": lambda living: living.name("b0", "Ben"),
        "second": lambda living: living.photograph(SECOND),
        "merge": lambda living: living.merge("c0", "sub/d0"),
        "by-hand": lambda living: living.rename_by_hand("a1", "Ada L"),
        "not-ben": lambda living: living.unlink_by_hand("both", "Ben"),
    },
    {
        "deleted": lambda living: living.delete("a2"),
        "renamed": lambda living: living.name("b0", "Benjamin"),
        "third": lambda living: living.photograph(THIRD),
        "hidden": lambda living: living.hide("c0"),
    },
)
"""What is done while the library is open, and again after it was closed and opened; closing saves the index."""


def live(
    place: Place,
    said: Callable[[str], None] = lambda _: None,
    *,
    patient: bool = False,
    hand: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[str]:
    """Go on with a life from where it was left to its end. Returns why words were refused, where it is `patient`."""
    refused: list[str] = []
    with eyes():
        for steps in STEPS:
            left = [step for step in steps if step not in place.done()]
            if not left:
                continue
            with open_library(place.config()) as library:
                living = Living(place, library, said, patient, refused, hand)
                living.scan()
                for step in left:
                    steps[step](living)
                    place.finish(step)
    return refused


# ---- how it stands ---------------------------------------------------------------------------------------------------


def words(library: Library) -> list[list[object]]:
    """The log of decisions, as far as it does not depend on the time."""
    return [
        [
            row["kind"],
            row["author"],
            None if row["person"] is None else row["person"]["id"],
            None if row["other"] is None else row["other"]["id"],
            row["name"],
            row["source"],
            row["moved"],
        ]
        for row in library.log()
    ]


def stand(place: Place) -> Row:
    """Everything that must be the same however the life was interrupted; problems that `check` finds are in it."""
    with eyes(), open_library(place.config()) as library:
        living = Living(place, library, lambda _: None)
        living.scan()
        return seen(place, library)


def seen(place: Place, library: Library) -> Row:
    """The same of a library that is open and at rest."""
    tree = {str(link.relative_to(place.people)): _says(link) for link in _made(place.people)}
    names = {row["id"]: row["name"] or str(row["id"]) for row in library.people()}
    status = library.status()
    return {
        "tree": tree,
        "others": sorted(_others(place.people)),
        "people": {name: sorted(_shown(library, name)) for name in names.values()},
        "log": words(library),
        "faces": sorted(
            [*sorted(os.path.relpath(file, place.photos) for file in row["files"]), row["box"], str(row["person"])]
            for row in library.faces()
        ),
        "counts": {key: status["counts"][key] for key in ("files", "photos", "faces", "people", "named", "failures")},
        "notices": status["notices"],
        "problems": [f"{row['name']}: {row['detail']}" for row in library.check()["checks"] if not row["ok"]],
    }


def _shown(library: Library, person: str) -> Iterator[str]:
    for picture in library.person(person)["pictures"]:
        yield from (Path(file).name for file in picture["files"])


def _made(folder: Path) -> Iterator[Path]:
    """Links, or what stands for them."""
    return (path for path in folder.rglob("*.jpg") if path.is_symlink() or path.is_file())


def _says(link: Path) -> str:
    return os.readlink(link) if link.is_symlink() else link.read_text()


def _others(folder: Path) -> Iterator[str]:
    """What is no link."""
    return (str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".jpg")
