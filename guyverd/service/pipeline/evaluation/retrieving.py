"""One photo of somebody is shown to the library, and all their photos are asked for: what it answers.

The query is a face of the library. Whoever it is attached to has their photos; a face that is attached to nobody is
recognised like one from outside, and where that names nobody, the answer is the faces that are evidence for a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.evaluation.retrieval import Retrieval, queries, score
from guyverd.people.evidence import Measure, evidence
from guyverd.people.graph import rows_of
from guyverd.people.index import FaceIndex, Neighbours
from guyverd.people.recognition import recognise
from guyverd.service.pipeline.evaluation.labelling import Truth
from guyverd.service.pipeline.evaluation.rehearsing import Material

if TYPE_CHECKING:
    from guyverd.model import IntArray

MOST_ALIKE = 20
"""Faces of other photos among which the person should be."""
_STEP = 512


def retrieve(material: Material, truth: Truth, catalogue: Catalogue, index: FaceIndex, measure: Measure) -> Retrieval:
    """How well every labelled face of a person with two photos or more brings up the others."""
    asked = queries(truth.people, truth.photos)
    library = _Library(material, truth, catalogue, index, measure)
    answers: list[IntArray] = []
    near: list[IntArray] = []
    for start in range(0, len(asked), _STEP):
        rows = truth.rows[asked[start : start + _STEP]]
        answers += library.answers(rows)
        near += library.most_alike(rows)
    return score(truth.people, truth.photos, asked, answers, near)


class _Library:
    """Answers in entries of `truth`, from rows of the material."""

    def __init__(
        self, material: Material, truth: Truth, catalogue: Catalogue, index: FaceIndex, measure: Measure
    ) -> None:
        self._catalogue = catalogue
        self._index = index
        self._measure = measure
        self._material = material
        self._ids = material.faces()
        self._people = material.people()
        self._vectors = material.vectors()
        self._scales = measure.scales(self._vectors)
        self._entry: IntArray = np.full(len(material), -1, dtype=np.int64)
        self._entry[truth.rows[truth.found]] = truth.found
        order = np.argsort(self._people, kind="stable").astype(np.int64)
        starts = np.flatnonzero(np.diff(self._people[order], prepend=-1))
        groups = np.split(order, starts[1:]) if len(order) else []
        self._rows_of = {int(self._people[rows[0]]): rows for rows in groups}

    def answers(self, rows: IntArray) -> list[IntArray]:
        """For each row, −1 where the face was not found, the labelled faces that the library gives."""
        alone = rows[(rows >= 0) & (self._people[rows] == 0)]
        given = dict(zip(alone.tolist(), self._for_nobodies(alone), strict=True))
        return [self._entries(self._answer(row, given)) for row in rows.tolist()]

    def _answer(self, row: int, given: dict[int, IntArray]) -> IntArray:
        if row < 0:
            return np.empty(0, dtype=np.int64)
        return given[row] if row in given else self._rows_of[int(self._people[row])]

    def _for_nobodies(self, rows: IntArray) -> list[IntArray]:
        if not len(rows):
            return []
        measure = self._measure
        known = recognise(self._vectors[rows], self._catalogue.photos, self._index, measure)
        near = self._index.neighbours(self._vectors[rows], measure.settings.neighbours + 1)
        own, places = self._scales.of(rows), rows_of(self._ids, near.ids)
        told = evidence(near.similarity, own.column, self._scales.of(places))
        links = (told > measure.link) & (places >= 0)
        return [
            self._rows_of.get(int(who.best.person), rows[:0]) if who.best is not None else place[linked]
            for who, place, linked in zip(known, places, links, strict=True)
        ]

    def most_alike(self, rows: IntArray) -> list[IntArray]:
        """For each row the labelled ones among the `MOST_ALIKE` faces most like it that are in other photos."""
        own = np.bincount(self._material.photo_of, minlength=1)
        spare = int(own.max()) if len(own) else 0
        asked = np.flatnonzero(rows >= 0)
        found: list[IntArray] = [np.empty(0, dtype=np.int64) for _ in rows]
        near = self._nearest(rows[asked], MOST_ALIKE + spare)
        for at, ids in zip(asked.tolist(), near.ids, strict=True):
            places = self._places(ids)
            elsewhere = places[self._material.photo_of[places] != self._material.photo_of[rows[at]]]
            found[at] = self._entries(elsewhere[:MOST_ALIKE])
        return found

    def _nearest(self, rows: IntArray, count: int) -> Neighbours:
        return self._index.neighbours(self._vectors[rows], count)

    def _places(self, ids: IntArray) -> IntArray:
        """The rows of faces by their numbers, in that order."""
        rows = rows_of(self._ids, ids)
        found: IntArray = rows[rows >= 0]
        return found

    def _entries(self, rows: Sequence[int] | IntArray) -> IntArray:
        entries = self._entry[rows]
        found: IntArray = entries[entries >= 0]
        return found
