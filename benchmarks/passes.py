"""Whole passes over photos: ours, from file to catalogue, and that of a program that calls `face_recognition`."""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import Meter, Usage, progress
from benchmarks.libraries import config_for
from guyverd.model import Box
from guyverd.service.access import open_library
from guyverd.service.api import Library, Row

_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass took and found."""

    usage: Usage
    photos: int
    faces: dict[str, list[Box]]
    """By path."""
    worker_peak: int = 0
    """Bytes: the most that one worker process held; 0 where there are none."""

    @property
    def count(self) -> int:
        """All faces."""
        return sum(len(boxes) for boxes in self.faces.values())


def scan(library: Library, what: str = "") -> Row:
    """Have the library compare its folders with the disk and do everything there is to do; returns the last state."""
    library.scan()
    while (now := library.progress())["busy"]:
        if what:
            progress(f"{what}: {now['photos_done']} of {now['photos_total']} photos")
        time.sleep(_LOOK)
    return now


def faces_in(library: Library) -> dict[str, list[Box]]:
    """The boxes of all faces that are known, by path."""
    found: dict[str, list[Box]] = defaultdict(list)
    for face in library.faces():
        for path in face["files"]:
            found[path].append(Box(*face["box"]))
    return found


class Ours:
    """A library of its own at work, with warm workers: what it costs to start is paid once and not counted."""

    def __init__(self, scratch: Path, library: Library) -> None:
        self._scratch = scratch
        self._library = library
        self._rounds = 0

    def warm(self, photos: Sequence[Path]) -> None:
        """Give every worker something to do, so that it has started and loaded its models."""
        self.run(photos)

    def run(self, photos: Sequence[Path]) -> Pass:
        """Put photos into the library's folder, which no pass before has seen, and let it work until all is done."""
        self._rounds += 1
        folder = self._scratch / "photos" / f"{self._rounds:03d}"
        folder.mkdir(parents=True)
        names = {}
        for path in photos:
            os.link(path, folder / path.name)
            names[str(folder / path.name)] = str(path)
        with Meter() as meter:
            now = scan(self._library)
        if now["failures"] or now["photos_done"] != len(photos):
            raise RuntimeError(f"not all of {len(photos)} photos were read: {now}")
        faces = {names[path]: boxes for path, boxes in faces_in(self._library).items() if path in names}
        return Pass(meter.usage, len(photos), faces, meter.worker_peak)


@contextlib.contextmanager
def ours(scratch: Path, workers: int, level: str | None = None) -> Iterator[Ours]:
    """A library with so many workers, and everything else as it is without a config, below `scratch`, which is new.

    Photos given to it must lie on the same file system.
    """
    (scratch / "photos").mkdir(parents=True)
    with open_library(config_for([scratch / "photos"], scratch, workers=workers, level=level)) as library:
        yield Ours(scratch, library)


def peer(paths: Sequence[str], model: str) -> Pass:
    """`face_recognition` as its users call it; to be run in a process of its own (`common.alone`).

    Importing it, which loads its models, is not counted. With model "cnn" photos are not enlarged, which it would do
    unless told otherwise: four times the pixels are more than most machines have memory for.
    """
    import face_recognition

    faces: dict[str, list[Box]] = {}
    with Meter() as meter:
        for path in paths:
            image = face_recognition.load_image_file(path)
            if model == "cnn":
                locations = face_recognition.face_locations(image, number_of_times_to_upsample=0, model=model)
            else:
                locations = face_recognition.face_locations(image)
            face_recognition.face_encodings(image, locations)
            faces[path] = [Box(left, top, right, bottom) for top, right, bottom, left in locations]
    return Pass(meter.usage, len(paths), faces)
