"""Libraries of any size, put together through the catalogue's own methods, without one picture being read."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from benchmarks.common import progress
from benchmarks.made_faces import made_faces
from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.media.content import hash_file
from guyverd.model import (
    Assignment,
    Box,
    Changes,
    DetectedFace,
    FaceId,
    PersonId,
    PhotoId,
    PhotoReading,
    Quality,
    RootId,
    RootState,
    SeenFile,
    Stamp,
)
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.keeping.publishing import Publishing
from guyverd.service.pipeline.words.deciding import Deciding
from guyverd.watch.mounts import identify

if TYPE_CHECKING:
    from guyverd.model import FloatArray

T = TypeVar("T")

_IN_FOLDER = 1000
STEP = 5000
MADE_UP = "none: made up for a benchmark"
_OLD = 1_600_000_000
"""Seconds since 1970: files of that age are read at once, younger ones may still be written."""


def build(scratch: Path, *, photos: int, faces: int, people: int) -> Config:
    """A library below `scratch` in which everything is done: files, catalogue, and a link for each person's photo."""
    config = config_for([scratch / "photos"], scratch)
    write_files(scratch / "photos", photos)
    fill(config, photos=photos, faces=faces, people=people)
    publish(config)
    return config


def config_for(folders: list[Path], scratch: Path, *, workers: int = 1, level: str | None = None) -> Config:
    """A config for photos in `folders`, its state and people below `scratch`, which is written there as config.yaml.

    Workers run at the priority of every other program, as the contenders do. `level` is how hard faces are looked for,
    where it is not the usual one.
    """
    path = scratch / "config.yaml"
    made = config_file.make(folders, scratch / "People", scratch / "state", path)
    made = dataclasses.replace(made, workers=dataclasses.replace(made.workers, count=workers, speed="full"))
    if level is not None:
        made = dataclasses.replace(made, faces=dataclasses.replace(made.faces, level=level))
    config_file.write(path, made)
    return made


def write_files(root: Path, count: int) -> None:
    """`count` small files with contents of their own, named as photos, a thousand in each folder."""
    for number in range(count):
        path = _name(root, number)
        if number % _IN_FOLDER == 0:
            path.parent.mkdir(parents=True)
        with open(path, "xb") as file:
            file.write(b"not a picture: %d" % number)
        os.utime(path, (_OLD, _OLD))


def _name(root: Path, number: int) -> Path:
    return root / f"{number // _IN_FOLDER:03d}" / f"IMG_{number:06d}.jpg"


def fill(config: Config, *, photos: int, faces: int, people: int) -> None:
    """Make the catalogue of `config` say that the first `photos` files of `write_files` were read, and who is in them.

    The first people have by far the most photos, as in a real library; every tenth has a name.
    """
    config.state.mkdir(parents=True, exist_ok=True)
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        catalogue.files.configure([os.fsencode(config.photos[0])])
        root = catalogue.files.roots()[0].id
        add_files(catalogue, root, config.photos[0], photos)
        _add_faces(catalogue, photos, faces, people)


@contextlib.contextmanager
def arriving(scratch: Path, *, faces: int, photos: int) -> Iterator[Callable[[], object]]:
    """A library of so many faces, two in each photo; each call of what it gives has one of `photos` more arrive.

    Everybody with two faces and more is a person already, and everybody else waits.
    """
    config = Config(photos=(scratch / "photos",), people=scratch / "People", state=scratch)
    vectors, whose = made_faces(faces + 2 * photos)
    numbers, counts = np.unique(whose[:faces], return_counts=True)
    often = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    with Catalogue(os.fsencode(scratch / "catalogue.db")) as catalogue:
        readings = _readings(catalogue, vectors)
        held = faces // 2
        for some in _steps(range(held)):
            catalogue.photos.read(list(itertools.islice(readings, len(some))), MADE_UP, catalogue.now())
        founded: dict[int, PersonId] = {}
        for through in (*range(STEP, held, STEP), held):
            assignments = []
            for face in catalogue.photos.ungrouped(through).tolist():
                person = int(whose[face - 1])
                if often[person] > 1:
                    # Ids begin at 1 and are given in the order in which people are founded.
                    group = None if person in founded else len(founded)
                    known = founded.setdefault(person, PersonId(len(founded) + 1))
                    assignments.append(Assignment(FaceId(face), None if group is not None else known, group, 4.0))
            catalogue.people.assign(assignments, (), through, catalogue.now())
            progress(f"{through} photos of {held}")
        grouping = Grouping(config, catalogue)
        assert len(grouping.index) == faces

        def arrive() -> None:
            catalogue.photos.read([next(readings)], MADE_UP, catalogue.now())
            grouping.advance(first_unread=None)

        yield arrive


def _readings(catalogue: Catalogue, vectors: FloatArray) -> Iterator[tuple[PhotoId, PhotoReading]]:
    """Readings of photos with two faces each, in turn; the first one that is taken makes all their files known."""
    catalogue.files.configure([b"/made-up"])
    root = catalogue.files.roots()[0].id
    for numbers in _steps(range(len(vectors) // 2)):
        seen = tuple(SeenFile(b"%d.jpg" % number, Stamp(number + 1, 0, number + 1)) for number in numbers)
        catalogue.files.apply(root, Changes(new=seen), catalogue.now())
        waiting = catalogue.files.pending(len(seen))
        catalogue.files.identified([(file.id, file.stamp, b"%032d" % file.id) for file in waiting])
        progress(f"{numbers[-1] + 1} files of {len(vectors) // 2}")
    for number in range(len(vectors) // 2):
        faces = tuple(made_face(at, vectors[2 * number + at]) for at in range(2))
        yield PhotoId(number + 1), PhotoReading(b"%032d" % (number + 1), 4000, 3000, "JPEG", None, faces)


def publish(config: Config) -> int:
    """Make the people folder that the catalogue asks for; returns how many links are in it."""
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        if not Publishing(config, catalogue).publish():
            raise RuntimeError("the people folder could not be made")
        return len(catalogue.links.published())


def add_files(catalogue: Catalogue, root: RootId, folder: Path, photos: int) -> None:
    """The first `photos` files of `write_files`, known by their content."""
    catalogue.files.set_root(root, identify(os.fsencode(folder)), RootState.ONLINE, "")
    for numbers in _steps(range(photos)):
        seen = []
        for number in numbers:
            path = _name(folder, number)
            status = path.stat()
            stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
            seen.append(SeenFile(os.fsencode(path.relative_to(folder)), stamp))
        catalogue.files.apply(root, Changes(new=tuple(seen)), catalogue.now())
        waiting = catalogue.files.pending(len(seen))
        catalogue.files.identified([(file.id, file.stamp, hash_file(file.path)[0]) for file in waiting])
        progress(f"{numbers[-1] + 1} files of {photos}")
    catalogue.files.scanned(root, catalogue.now())


def add_photo(catalogue: Catalogue, folder: Path, number: int, people: Sequence[PersonId]) -> None:
    """One more of the files of `write_files`, read and grouped: it shows these people."""
    root = catalogue.files.roots()[0].id
    path = _name(folder, number)
    status = path.stat()
    stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
    seen = SeenFile(os.fsencode(path.relative_to(folder)), stamp)
    catalogue.files.apply(root, Changes(new=(seen,)), catalogue.now())
    (file,) = catalogue.files.pending(1)
    catalogue.files.identified([(file.id, file.stamp, hash_file(file.path)[0])])
    photo = PhotoId(number + 1)
    chance = np.random.default_rng(number)
    found = tuple(made_face(at, chance.standard_normal(128).astype(np.float32)) for at in range(len(people)))
    reading = PhotoReading(b"\0" * 32, 4000, 3000, "JPEG", _date(number), found)
    catalogue.photos.read([(photo, reading)], MADE_UP, catalogue.now())
    new = [FaceId(int(face)) for face in catalogue.photos.ungrouped(photo)]
    assignments = [Assignment(face, person, None, 0.9) for face, person in zip(new, people, strict=True)]
    catalogue.people.assign(assignments, (), photo, catalogue.now())


def _add_faces(catalogue: Catalogue, photos: int, faces: int, people: int) -> None:
    chance = np.random.default_rng(3)
    # Every photo has some faces; how many is spread evenly so that their sum is exactly `faces`.
    counts = np.diff(np.floor(np.linspace(0, faces, photos + 1)).astype(int))
    likely = 1.0 / (np.arange(people) + 10.0)
    whose = chance.choice(people, size=faces + people, p=likely / likely.sum())
    done = 0
    for numbers in _steps(range(photos)):
        readings = []
        for number in numbers:
            found = tuple(made_face(at, chance.standard_normal(128).astype(np.float32)) for at in range(counts[number]))
            readings.append((PhotoId(number + 1), PhotoReading(b"\0" * 32, 4000, 3000, "JPEG", _date(number), found)))
        catalogue.photos.read(readings, MADE_UP, catalogue.now())
        new = [int(face) for face in catalogue.photos.ungrouped(numbers[-1] + 1)]
        assignments = [
            # Ids begin at 1 and are given in the order in which people are founded: here, by their number.
            Assignment(FaceId(face), None, face - 1, 0.9)
            if face <= people
            else Assignment(FaceId(face), PersonId(int(whose[face]) + 1), None, 0.9)
            for face in new
        ]
        catalogue.people.assign(assignments, (), numbers[-1] + 1, catalogue.now())
        done += len(new)
        progress(f"{numbers[-1] + 1} photos of {photos}, {done} faces")
    deciding = Deciding(catalogue)
    for number in range(0, people, 10):
        deciding.name(PersonId(number + 1), f"Somebody Number {number + 1}")


def _date(number: int) -> str:
    return f"20{number // 12 % 25:02d}-{number % 12 + 1:02d}-{number // 7 % 28 + 1:02d}T12:00:00"


def made_face(ordinal: int, vector: FloatArray) -> DetectedFace:
    """One of a photo's faces, beside the others."""
    left = 300 + 700 * ordinal
    box = Box(left, 800, left + 400, 1200)
    points = tuple((left + 50.0 * at, 900.0 + 20 * at) for at in range(5))
    return DetectedFace(box, 0.9, points, Quality(1.0, 0.9, 0.9, 0.9, 0.9), vector)


def _steps(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), STEP):
        yield items[start : start + STEP]
