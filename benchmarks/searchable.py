"""A library of made-up faces that can be searched: the real catalogue, the real index, and files that are there."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import hnswlib
import numpy as np

from benchmarks.common import progress
from benchmarks.libraries import STEP, add_files, config_for, made_face, write_files
from benchmarks.made_faces import made_faces
from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.model import EMBEDDING_SIZE, Assignment, FaceId, PersonId, PhotoId, PhotoReading
from guyverd.people import index_file
from guyverd.people.directions import unit
from guyverd.service.pipeline.reading import Reader

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

MOST = 0.02
"""The share of all faces that one person may have at most."""
ASKED, ADDED = 1000, 5000
"""Faces that are made beside those of the library: to be asked about, and to come."""
_IN_A_PHOTO = 4
_IDLE = 2.0
"""Seconds after which workers rest: whoever measures how they begin need not wait long."""


def vectors_of(faces: int) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """The raw vectors of a library of so many faces, those to be asked about, and those to come; and whose each is."""
    vectors, whose = made_faces(faces + ASKED + ADDED, most=MOST)
    return vectors[:faces], vectors[faces : faces + ASKED], vectors[faces + ASKED :], whose[:faces]


def make(folder: Path, faces: int) -> Config:
    """A library below `folder` with so many faces, four to a photo; one that is there already is taken as it is."""
    if (folder / "done").exists():
        return config_file.load(folder / "config.yaml")
    config = config_for([folder / "photos"], folder, workers=2)
    # Links are the business of another benchmark, so nobody gets a folder; and no backup is made meanwhile.
    config = dataclasses.replace(
        config,
        folders=dataclasses.replace(config.folders, min_photos=1_000_000),
        workers=dataclasses.replace(config.workers, idle=_IDLE),
        backup=dataclasses.replace(config.backup, every=0.0),
    )
    (folder / "config.yaml").unlink()
    config_file.write(folder / "config.yaml", config)
    photos = faces // _IN_A_PHOTO
    progress("making files")
    write_files(folder / "photos", photos)
    vectors, _, _, whose = vectors_of(faces)
    config.state.mkdir(parents=True, exist_ok=True)
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        catalogue.files.configure([os.fsencode(config.photos[0])])
        add_files(catalogue, catalogue.files.roots()[0].id, config.photos[0], photos)
        _fill(catalogue, Reader(config.workers, config.faces).engine(), vectors, whose)
        _index(catalogue, config, vectors)
    (folder / "done").touch()
    return config


def some_photos(config: Config, count: int) -> list[Path]:
    """The files of photos from all over the library, each of another."""
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        last = catalogue.photos.next_id() - 1
        numbers = np.random.default_rng(11).permutation(last)[:count] + 1
        paths = catalogue.files.paths_of(numbers.tolist())
    return [Path(os.fsdecode(found[0])) for found in paths.values()]


def _fill(catalogue: Catalogue, engine: str, vectors: FloatArray, whose: IntArray) -> None:
    """Have `engine` have read every photo: what it sees from now on can be compared with that."""
    counts = np.bincount(whose)
    founded: dict[int, PersonId] = {}
    for start in range(0, len(vectors) // _IN_A_PHOTO, STEP):
        numbers = range(start, min(start + STEP, len(vectors) // _IN_A_PHOTO))
        readings = [
            (
                PhotoId(number + 1),
                PhotoReading(
                    b"\0" * 32,
                    4000,
                    3000,
                    "JPEG",
                    f"20{number % 25:02d}-{number % 12 + 1:02d}-{number % 28 + 1:02d}T12:00:00",
                    tuple(made_face(at, vectors[_IN_A_PHOTO * number + at]) for at in range(_IN_A_PHOTO)),
                ),
            )
            for number in numbers
        ]
        catalogue.photos.read(readings, engine, catalogue.now())
        assignments = []
        for one in range(_IN_A_PHOTO * start, _IN_A_PHOTO * (numbers[-1] + 1)):
            person = int(whose[one])
            if counts[person] > 1:
                # Ids begin at 1 and are given in the order in which people are founded.
                new = person not in founded
                known = founded.setdefault(person, PersonId(len(founded) + 1))
                group = int(known) if new else None
                assignments.append(Assignment(FaceId(one + 1), None if new else known, group, 4.0))
        catalogue.people.assign(assignments, (), numbers[-1] + 1, catalogue.now())
        progress(f"{numbers[-1] + 1} photos of {len(vectors) // _IN_A_PHOTO}")


def _index(catalogue: Catalogue, config: Config, vectors: FloatArray) -> None:
    """The index as the daemon saves it, but made on all cores."""
    made = hnswlib.Index("cosine", EMBEDDING_SIZE)
    made.init_index(len(vectors) * 5 // 4, M=index_file.LINKS, ef_construction=index_file.EF_CONSTRUCTION)
    for some in _batches(len(vectors)):
        made.add_items(unit(vectors[some]), np.arange(some.start, some.stop) + 1)
        progress(f"{some.stop} faces of {len(vectors)} in the index")
    folder = config.state / "index"
    folder.mkdir(mode=0o700)

    def put(path: bytes) -> tuple[int, int]:
        made.save_index(path)
        return made.index_file_size(), len(vectors)

    catalogue.set_index_stamp(index_file.write(str(folder), 1, put))


def _batches(count: int) -> list[slice]:
    return [slice(start, min(start + 20_000, count)) for start in range(0, count, 20_000)]
