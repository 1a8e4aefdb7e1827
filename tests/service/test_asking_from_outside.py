"""What a search returns for photos that are not in the library, judged by labels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from guyverd.config import Config, People
from guyverd.evaluation.labelled import Label, Rule
from guyverd.service.api import SURE, Row
from guyverd.service.pipeline.evaluation.labelling import Truth, compare
from guyverd.service.pipeline.evaluation.rehearsing import Material, Rehearsal
from guyverd.service.pipeline.evaluation.searching import search
from tests.service.material import made_up
from tests.service.test_evaluating import Listener

PHOTOS = [[person] for person in range(1, 9) for _ in range(5)]


@contextlib.contextmanager
def library(folder: Path, names: list[str]) -> Iterator[tuple[Rehearsal, Material, Truth]]:
    """Made-up people, all of them found, in photos that are labelled with these names."""
    material = made_up(PHOTOS)
    labels = {b"/photos/%d.jpg" % at: (Label(name, None),) for at, name in enumerate(names)}
    truth = compare(labels, material, [], Rule.LARGEST)
    order = np.arange(len(PHOTOS), dtype=np.int64)
    with Rehearsal(folder / "library", material, People(), order) as made:
        made.arrive()
        yield made, Material(made.catalogue.readings.all()), truth


def asked(folder: Path, names: list[str], count: int, listener: Listener) -> Row:
    config = Config(photos=(folder,), people=folder / "People", state=folder / "state")
    with library(folder, names) as (made, material, truth):
        return search(
            material,
            truth,
            made.catalogue,
            made.grouping,
            config=config,
            folder=folder / "outside",
            count=count,
            audience=listener,
        )


def test_everybody_is_found_from_inside_and_outside(tmp_path: Path) -> None:
    listener = Listener()
    told = asked(tmp_path, [str(each[0]) for each in PHOTOS], 12, listener)
    assert told["sure"] == SURE
    for where, queries in (("inside", 12), ("outside", 8)):
        found = told[where]
        assert (found["queries"], found["precision"], found["hit_rate"]) == (queries, 1.0, 1.0), where
        assert found["sensitivity"] > 0.9, where
    assert listener.shown["photos to ask with"] == (20, 20)
    calibration = told["calibration"]
    assert calibration["answers"] >= 8 * 3
    assert sum(row["count"] for row in calibration["bins"]) == calibration["answers"]
    assert calibration["bins"][-1]["right"] == 1.0
    assert calibration["level"] is not None


def test_labels_that_are_wrong_spoil_the_confidence(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    wrong = [str(name) for name in chance.integers(1, 9, len(PHOTOS))]
    told = asked(tmp_path, wrong, 40, Listener())
    assert told["outside"]["precision"] < 0.5
    assert told["calibration"]["brier"] > 0.4
    assert told["calibration"]["level"] is None or told["calibration"]["level"] > SURE
    assert any(row["off"] for row in told["calibration"]["bins"])


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_are_asked_than_were_wanted(tmp_path: Path, count: int) -> None:
    told = asked(tmp_path, [str(each[0]) for each in PHOTOS], count, Listener())
    assert told["inside"]["queries"] == told["outside"]["queries"] == count
