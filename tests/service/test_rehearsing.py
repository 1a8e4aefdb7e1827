"""Libraries put together from readings: the same as those that were read, whatever the order, and the real code."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config, People
from guyverd.evaluation.metrics import agreement
from guyverd.service.pipeline.evaluation.rehearsing import Material, Rehearsal
from tests.service.conftest import scan
from tests.service.material import made_up

PHOTOS = [[1], [2], [1, 2], [3], [1], [], [2, 3], [3], [1], [2]]
TRUTH = np.array([1, 2, 1, 2, 3, 1, 2, 3, 3, 1, 2], np.int64)


def everything(material: Material) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(len(material.photos), dtype=np.int64)


def test_rows_are_faces_by_photo_and_place() -> None:
    material = made_up(PHOTOS)
    assert len(material) == 11
    assert material.photo_of.tolist() == [0, 1, 2, 2, 3, 4, 6, 6, 7, 8, 9]
    assert material.starts.tolist() == [0, 1, 2, 4, 5, 6, 6, 8, 9, 10, 11]
    assert material.faces().tolist() == list(range(1, 12))
    assert material.vectors().shape == (11, 128)
    assert Material([]).vectors().shape == (0, 128)
    assert len(Material([])) == 0


@pytest.mark.parametrize("batch", [None, 1, 3])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_people_are_told_in_rows_whatever_the_order(tmp_path: Path, batch: int | None, seed: int | None) -> None:
    material = made_up(PHOTOS)
    order = everything(material)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order).astype(np.int64)
    with Rehearsal(tmp_path / "library", material, People(), order) as library:
        assert library.people().tolist() == [0] * 11
        while library.arrived < len(order):
            library.arrive(batch)
        assert agreement(TRUTH, library.people()) == 1.0
        assert library.catalogue.contradictions() == library.catalogue.integrity() == []
        assert library.catalogue.counts().ungrouped_faces == 0


def test_only_what_came_has_people(tmp_path: Path) -> None:
    material = made_up(PHOTOS)
    order = everything(material)[::-1].astype(np.int64)
    with Rehearsal(tmp_path / "library", material, People(), order) as library:
        library.arrive(6)
        assert library.there().tolist() == [5, 6, 7, 8, 9, 10], "the last six photos, one of them without a face"
        people = library.people()
        assert (people[:5] == 0).all()
        assert agreement(TRUTH[5:], np.where(people[5:] > 0, people[5:], 0)) > 0.5
        library.arrive(100)
        assert library.arrived == len(order)
        assert len(library.there()) == 11


def test_a_copy_goes_its_own_way(tmp_path: Path) -> None:
    material = made_up(PHOTOS)
    with Rehearsal(tmp_path / "one", material, People(), everything(material)) as one:
        one.arrive(5)
        before = one.people()
    with one.copied(tmp_path / "two") as two:
        assert (two.people() == before).all()
        assert two.arrived == 5
        two.name({int(before[0]): "Ada"})
        two.arrive()
        assert agreement(TRUTH, two.people()) == 1.0
        assert {name for name in two.catalogue.people.names().values() if name} == {"Ada"}
    with one.copied(tmp_path / "three") as three:
        assert (three.people() == before).all(), "it knows nothing of the other one"
        assert not any(three.catalogue.people.names().values())


@pytest.mark.parametrize("seed", [None, 1])
def test_all_that_came_can_be_grouped_anew_and_nothing_changes(tmp_path: Path, seed: int | None) -> None:
    material = made_up(PHOTOS)
    order = everything(material)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order).astype(np.int64)
    with Rehearsal(tmp_path / "library", material, People(), order) as library:
        library.arrive(7)
        there, before = library.there(), library.people()
        found = library.regrouped()
        assert agreement(TRUTH[there], found[there]) == 1.0
        assert (found[np.setdiff1d(np.arange(11), there)] == 0).all()
        assert (library.regrouped(People(poor_quality=1.0)) == 0).all(), "where all are poor, none vouches for another"
        assert (library.people() == before).all()


def test_settings_are_those_that_were_given(tmp_path: Path) -> None:
    material = made_up([[1], [1], [1], [2], [2]])
    with Rehearsal(tmp_path / "library", material, People(neighbours=4), everything(material)) as library:
        assert library.settings.neighbours == 4
        library.arrive()
        assert agreement(np.array([1, 1, 1, 2, 2], np.int64), library.people()) == 1.0


def test_it_comes_out_as_the_pipeline_left_it(config: Config, tmp_path: Path) -> None:
    scan(config)
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        material = Material(catalogue.readings.all())
    assert len(material) == 10
    with Rehearsal(tmp_path / "again", material, config.clustering, everything(material)) as library:
        library.arrive()
        assert (library.people() == material.people()).all(), "the same people, by their numbers"
        for one, other in zip(material.photos, library.catalogue.readings.all(), strict=True):
            assert one.reading.hash == other.reading.hash
            assert [face.box for face in one.reading.faces] == [face.box for face in other.reading.faces]
