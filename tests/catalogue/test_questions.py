"""All faces at a glance, and questions that were skipped."""

from __future__ import annotations

import numpy as np
import pytest

from guyverd.catalogue import questions
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Assignment, FaceId, PhotoId
from tests.catalogue.conftest import NOW, library, read


def grouped(catalogue: Catalogue, root: RootRow, faces: list[int]) -> None:
    """Such photos; the first two faces become a person."""
    library(catalogue, root, faces)
    catalogue.people.assign([Assignment(FaceId(face), None, 0, 0.9) for face in (1, 3)], [], 99, NOW)


def test_a_glance_tells_what_the_table_tells(
    catalogue: Catalogue, root: RootRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouped(catalogue, root, [2, 1, 3])
    glance = catalogue.questions.glance()
    table = catalogue.photos.table(catalogue.photos.grouped_ids())
    assert glance.ids.tolist() == table.ids.tolist() != []
    assert glance.photos.tolist() == table.photos.tolist()
    assert glance.people.tolist() == table.people.tolist()
    assert glance.quality.tolist() == pytest.approx(table.quality.tolist())
    assert glance.people.tolist() == [1, 0, 1, 0, 0, 0]
    assert (glance.read > 0).all()
    mixed = glance.ids[::-1]
    for few in (questions._FEW, 2):
        monkeypatch.setattr(questions, "_FEW", few)
        assert np.array_equal(catalogue.questions.vectors(mixed), table.vectors[::-1])
        assert np.array_equal(catalogue.questions.vectors(mixed[1:4]), table.vectors[::-1][1:4])
    assert catalogue.questions.vectors(mixed[:0]).shape == (0, 128)


def test_an_empty_library_at_a_glance(catalogue: Catalogue) -> None:
    glance = catalogue.questions.glance()
    assert (len(glance.ids), len(glance.people), len(glance.read)) == (0, 0, 0)


def test_faces_that_were_not_grouped_cannot_be_asked_about(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [2, 1])
    assert not len(catalogue.questions.glance().ids)
    catalogue.people.assign([], [], 1, NOW)
    assert catalogue.questions.glance().ids.tolist() == [1, 2]
    read(catalogue, 1, 2)
    assert not len(catalogue.questions.glance().ids), "it was read again and is not grouped yet"


def test_the_sizes_of_photos(catalogue: Catalogue, root: RootRow) -> None:
    grouped(catalogue, root, [1, 1, 1])
    photo = PhotoId(int(catalogue.questions.glance().photos[0]))
    ((width, height),) = catalogue.questions.sizes([photo]).values()
    assert (width, height) == (640, 480)
    assert catalogue.questions.sizes([]) == {}


def test_what_is_skipped_is_remembered_and_forgotten(catalogue: Catalogue) -> None:
    asked = catalogue.questions
    asked.skip("same-1-abc", ["same-1-2", "same-1-3"], "2024-05-01T00:00:00+00:00")
    asked.skip("who-9", ["who-9"], "2024-05-03T00:00:00+00:00")
    assert asked.skipped("2024-05-01T00:00:00+00:00") == {"same-1-2", "same-1-3", "who-9"}
    assert asked.skipped("2024-05-02T00:00:00+00:00") == {"who-9"}
    asked.skip("same-1-2", ["same-1-2"], "2024-05-04T00:00:00+00:00")
    assert asked.skipped("2024-05-04T00:00:00+00:00") == {"same-1-2"}
    asked.unskip("same-1-abc")
    assert asked.skipped("") == {"same-1-2", "who-9"}, "the last question about it counts"
    asked.unskip("never-asked")
    asked.unskip("who-9")
    assert asked.skipped("") == {"same-1-2"}
