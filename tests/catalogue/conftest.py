"""Real catalogues in a temporary folder, and small builders for what goes into them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import (
    Author,
    Box,
    Changes,
    Decision,
    DecisionId,
    DecisionKind,
    DetectedFace,
    FileId,
    PersonId,
    PhotoId,
    PhotoReading,
    Quality,
    SeenFile,
    Stamp,
)
from guyverd.people.decisions import replay
from guyverd.service.pipeline.words.deciding import Deciding

ROOT, OTHER = b"/photos", b"/more"
NOW = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def path(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "catalogue.db")


@pytest.fixture
def catalogue(path: bytes) -> Iterator[Catalogue]:
    with Catalogue(path, clock=lambda: NOW) as opened:
        opened.files.configure([ROOT, OTHER])
        yield opened


@pytest.fixture
def root(catalogue: Catalogue) -> RootRow:
    return catalogue.files.roots()[0]


def content(name: str) -> bytes:
    """A hash for content of that name."""
    return name.encode().ljust(32, b".")[:32]


def seen(path: bytes, mtime: int = 1) -> SeenFile:
    return SeenFile(path, Stamp(10, mtime, 7))


def add(catalogue: Catalogue, root: RootRow, files: dict[bytes, str]) -> None:
    """Find files and identify them: path to name of content."""
    catalogue.files.apply(root.id, Changes(new=tuple(seen(path) for path in files)), NOW)
    identify(catalogue, files)


def identify(catalogue: Catalogue, files: dict[bytes, str]) -> None:
    found = [(file.id, file.stamp, content(files[file.relative])) for file in catalogue.files.pending(10_000)]
    catalogue.files.identified(found)


def ids(catalogue: Catalogue, root: RootRow) -> dict[bytes, FileId]:
    return {known.path: known.id for known in catalogue.files.known(root.id)}


def face(seed: int, left: int = 0) -> DetectedFace:
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    quality = Quality(0.9, 0.8, 0.7, 0.6, 0.75)
    return DetectedFace(Box(left, 0, left + 50, 60), 1.5, ((1.0, 2.0),) * 5, quality, vector)


def read(catalogue: Catalogue, photo: int, faces: int = 1, taken_at: str | None = None) -> None:
    """A worker's result for a photo, with so many faces."""
    found = tuple(face(photo * 100 + n, 60 * n) for n in range(faces))
    reading = PhotoReading(b"h" * 32, 640, 480, "JPEG", taken_at, found)
    catalogue.photos.read([(PhotoId(photo), reading)], "engine 1", NOW)


def library(catalogue: Catalogue, root: RootRow, faces: Sequence[int]) -> list[int]:
    """Photos 1..n with so many faces each; returns the faces' ids."""
    add(catalogue, root, {b"%03d.jpg" % n: f"photo {n}" for n in range(len(faces))})
    for photo, count in enumerate(faces, 1):
        read(catalogue, photo, count, f"2020-01-{photo:02d}")
    return [int(one) for one in catalogue.photos.ungrouped(10_000)]


def call(catalogue: Catalogue, person: int, name: str) -> None:
    """A name as the log may hold it, also one that somebody else has."""
    number = DecisionId(catalogue.decisions.last() + 1)
    said = Decision(number, NOW, DecisionKind.NAME, Author.USER, PersonId(person), None, name, ())
    catalogue.decisions.record(said, replay([*catalogue.decisions.log(), said]))


def merge(catalogue: Catalogue, into: int, absorbed: int) -> int:
    """The user's word that two are one; tells how many faces are left to nobody."""
    return sum(move.now is None for move in Deciding(catalogue).merge(PersonId(into), PersonId(absorbed)).moves)
