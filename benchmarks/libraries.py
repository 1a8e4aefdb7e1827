"""Libraries of any size, put together through the catalogue's own methods, without one picture being read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from benchmarks.common import progress
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
from guyverd.service.pipeline.publishing import Publishing
from guyverd.watch.mounts import identify

if TYPE_CHECKING:
    from guyverd.model import FloatArray

T = TypeVar("T")

_IN_FOLDER = 1000
_STEP = 5000
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
        _add_files(catalogue, root, config.photos[0], photos)
        _add_faces(catalogue, photos, faces, people)


def publish(config: Config) -> int:
    """Make the people folder that the catalogue asks for; returns how many links are in it."""
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        if not Publishing(config, catalogue).publish():
            raise RuntimeError("the people folder could not be made")
        return len(catalogue.links.published())


def _add_files(catalogue: Catalogue, root: RootId, folder: Path, photos: int) -> None:
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
            found = tuple(_face(at, chance.standard_normal(128).astype(np.float32)) for at in range(counts[number]))
            readings.append((PhotoId(number + 1), PhotoReading(b"\0" * 32, 4000, 3000, "JPEG", _date(number), found)))
        catalogue.photos.read(readings, "none: made up for a benchmark", catalogue.now())
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
    for number in range(0, people, 10):
        catalogue.decisions.name(PersonId(number + 1), f"Somebody Number {number + 1}", catalogue.now())


def _date(number: int) -> str:
    return f"20{number // 12 % 25:02d}-{number % 12 + 1:02d}-{number // 7 % 28 + 1:02d}T12:00:00"


def _face(ordinal: int, vector: FloatArray) -> DetectedFace:
    left = 300 + 700 * ordinal
    box = Box(left, 800, left + 400, 1200)
    points = tuple((left + 50.0 * at, 900.0 + 20 * at) for at in range(5))
    return DetectedFace(box, 0.9, points, Quality(1.0, 0.9, 0.9, 0.9, 0.9), vector)


def _steps(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _STEP):
        yield items[start : start + _STEP]
