"""Films made of labelled photos, read by the pipeline and searched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guyverd.evaluation.labelled import Label, Rule
from guyverd.service import evaluation
from guyverd.service.evaluation import Extras, Task
from guyverd.service.pipeline.evaluation.labelling import compare
from guyverd.service.pipeline.evaluation.rehearsing import Material
from guyverd.service.pipeline.evaluation.screening import NARROWEST, stills
from tests.service.material import made_up
from tests.service.test_evaluating import Listener


def test_films_show_photos_of_one_labelled_face() -> None:
    material = made_up([[1], [1, 2], [2], [3], [], [4]])
    narrow = material.photos[5].reading.faces[0]
    box = replace(narrow.box, right=narrow.box.left + NARROWEST - 1)
    reading = replace(material.photos[5].reading, faces=(replace(narrow, box=box),))
    material = Material([*material.photos[:5], replace(material.photos[5], reading=reading)])
    labels = {b"/photos/%d.jpg" % at: (Label(name, None),) for at, name in ((0, "A"), (1, "A"), (2, "B"), (5, "C"))}
    found = stills(material, compare(labels, material, [], Rule.LARGEST))
    assert [(each.number, each.person) for each in found] == [(0, 1), (2, 2)]
    assert (found[0].width, found[0].height, found[0].face) == (100, 100, material.photos[0].reading.faces[0].box)


@pytest.mark.album
def test_actors_are_found_in_films(album: Path) -> None:
    extras = Extras(stability=False, review=False, films=2)
    answer = evaluation.evaluate(Task(album / "albums" / "friends8"), extras, Listener())
    told = answer["films"]
    assert told["unread"] == 0
    assert told["precision"] >= 0.99
    assert told["recall"] >= 0.95
    assert answer["search"]["outside"]["precision"] >= 0.99
