"""The index beside a catalogue whose photos are read again: what is in it, and when faces of two models meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from guyverd import config_file
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.model import DetectedFace, PhotoId, PhotoReading
from guyverd.service.pipeline.grouping import Grouping
from tests.catalogue.conftest import NOW, add, face

OLD, NEW, OTHER = "cnn 1, resnet aa", "cnn 2, resnet aa", "cnn 2, resnet bb"


@pytest.fixture
def config(tmp_path: Path, write_config: Callable[..., Path]) -> Config:
    (tmp_path / "photos").mkdir()
    return config_file.load(write_config(tmp_path / "photos"))


def of(person: int, shade: int) -> DetectedFace:
    """One of the person's faces, all much alike."""
    noise = np.random.default_rng(1000 * person + shade).normal(size=128).astype(np.float32)
    base = face(person)
    return dataclasses.replace(base, embedding=(base.embedding + 0.1 * noise).astype(np.float32))


def read(catalogue: Catalogue, photo: int, found: DetectedFace, engine: str) -> list[int]:
    reading = PhotoReading(b"h" * 32, 640, 480, "JPEG", None, (found,))
    return catalogue.photos.read([(PhotoId(photo), reading)], engine, NOW)


def group(grouping: Grouping) -> None:
    while grouping.advance(first_unread=None):
        pass


@pytest.fixture
def library(catalogue: Catalogue, root: RootRow, config: Config) -> Grouping:
    """Photos 1 to 4 of person 1, 5 to 8 of person 2, a face each, grouped and saved."""
    add(catalogue, root, {b"%d.jpg" % n: f"photo {n}" for n in range(9)})
    for photo in range(1, 9):
        read(catalogue, photo, of((photo + 3) // 4, photo), OLD)
    grouping = Grouping(config, catalogue)
    group(grouping)
    grouping.save(now=True)
    assert whose(catalogue) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 7: 2, 8: 2}
    return grouping


def whose(catalogue: Catalogue) -> dict[int, int | None]:
    return {row.id: row.person for row in catalogue.photos.faces()}


def likeness(grouping: Grouping, found: DetectedFace) -> dict[int, float]:
    """How alike each face in the index is to that one."""
    near = grouping.index.neighbours(found.embedding[None], 20)
    return {int(one): float(like) for one, like in zip(near.ids[0], near.similarity[0], strict=True) if one >= 0}


def test_a_new_vector_replaces_the_old_one_and_nobody_moves(catalogue: Catalogue, library: Grouping) -> None:
    before = whose(catalogue)
    catalogue.renewal.begin(NEW, every=True)
    assert likeness(library, of(1, 3))[3] == pytest.approx(1, abs=1e-5), "it is evidence until it is read"
    read(catalogue, 3, of(1, 33), NEW)
    group(library)
    assert likeness(library, of(1, 33))[3] == pytest.approx(1, abs=1e-5)
    assert likeness(library, of(1, 3))[3] < 0.999
    assert whose(catalogue) == before


@pytest.mark.parametrize("saved_before_it_was_grouped", [False, True])
def test_a_daemon_that_died_before_it_saved_does_not_come_back_with_old_vectors(
    catalogue: Catalogue, library: Grouping, config: Config, saved_before_it_was_grouped: bool
) -> None:
    catalogue.renewal.begin(NEW, every=True)
    read(catalogue, 3, of(1, 33), NEW)
    read(catalogue, 4, of(1, 4), NEW)
    if saved_before_it_was_grouped:
        library.drop([8])
        library.save(now=True)
    group(library)
    # It dies here. What is on disk has all faces, and one of them as it was.
    again = Grouping(config, catalogue)
    assert likeness(again, of(1, 33))[3] == pytest.approx(1, abs=1e-5)
    assert likeness(again, of(1, 4))[4] == pytest.approx(1, abs=1e-5)
    again.save(now=True)
    assert catalogue.renewal.revised().tolist() == []
    assert likeness(Grouping(config, catalogue), of(1, 33))[3] == pytest.approx(1, abs=1e-5)


def test_faces_of_another_model_wait_and_are_compared_with_their_own_kind_only(
    catalogue: Catalogue, library: Grouping
) -> None:
    read(catalogue, 9, of(2, 9), OTHER)
    group(library)
    assert whose(catalogue)[9] is None
    assert 9 not in library.index
    count, parted = catalogue.renewal.begin(OTHER)
    assert (count, parted) == (8, True)
    library.replace()
    assert len(library.index) == 0
    measure = library.measuring.now()
    for photo in range(1, 9):
        assert catalogue.photos.first_unread() == 0
        # This model sees persons 1 and 2 where the old one saw them, in vectors of its own.
        read(catalogue, photo, of(10 * ((photo + 3) // 4), photo), OTHER)
    read(catalogue, 9, of(20, 9), OTHER)
    assert catalogue.photos.first_unread() is None
    group(library)
    assert whose(catalogue) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 7: 2, 8: 2, 9: 2}
    assert library.index.ids().tolist() == list(range(1, 10))
    assert library.measuring.now() is not measure, "what is usual among vectors is learned anew"
