"""The neighbourhood of some faces: whoever may have to do with where they belong, found in a library of any size.

It is the faces themselves, the unattached faces linked with them (and with those), and the attached faces nearest to
all of these. Its size follows from the number of faces asked about and of neighbours asked for, not from the library's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from guyverd.model import FaceTable, Spans, Standing
from guyverd.pairs import components
from guyverd.people.crowding import SLACK, beyond, speakers
from guyverd.people.evidence import Measure, Scales, evidence
from guyverd.people.graph import Edges, link, rows_of, with_certain
from guyverd.people.index import FaceIndex, Neighbours
from guyverd.people.rules import Rules, rules

if TYPE_CHECKING:
    from guyverd.model import DoubleArray, IntArray

SAMPLE = 200
"""Most faces of one person that `Gallery.members` gives."""
HOPS = 2
"""How far from a new face unattached faces are asked again."""


class Gallery(Protocol):
    """The faces of the library, as far as they are asked for. Every table is ordered by (photo, ordinal)."""

    def table(self, ids: IntArray) -> FaceTable:
        """These faces, without those that do not exist (any more)."""

    def members(self, people: IntArray) -> FaceTable:
        """All faces of each of these people, or `SAMPLE` of them spread evenly."""

    def companions(self, ids: IntArray) -> FaceTable:
        """The other faces in the photos of these faces."""


class Book:
    """A measure that remembers the scales of the faces it was asked about: most are met several times."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self._ids: IntArray = np.empty(0, dtype=np.int64)
        self._scales = Scales(np.empty(0, np.float32), np.empty(0, np.float32))

    def scales(self, table: FaceTable) -> Scales:
        """The scales of these faces."""
        new = np.flatnonzero(rows_of(self._ids, table.ids) < 0)
        if len(new):
            found = self.measure.scales(table.vectors[new])
            self._ids = np.concatenate([self._ids, table.ids[new]])
            self._scales = Scales(
                np.concatenate([self._scales.centre, found.centre]), np.concatenate([self._scales.width, found.width])
            )
        return self._scales.of(rows_of(self._ids, table.ids))


class Neighbourhood:
    """The faces that matter to some new ones, and the neighbours of those among them that are free."""

    def __init__(
        self,
        new: IntArray,
        gallery: Gallery,
        index: FaceIndex,
        book: Book,
        said: Standing,
    ) -> None:
        self._gallery, self._index = gallery, index
        self.book, self._measure = book, book.measure
        asked, attached = self._reached(new)
        self.table = gallery.table(np.empty(0, dtype=np.int64))
        if len(asked):
            attached.append(attached_ids(gallery.companions(asked)))
            ends = np.array([*said.apart], dtype=np.int64).reshape(-1, 2)
            same = np.array([*components(said.together).items()], dtype=np.int64).reshape(-1, 2)
            of_asked = np.isin(same[:, 1], same[np.isin(same[:, 0], asked), 1])
            partners = [ends[np.isin(ends, asked).any(axis=1)].ravel(), same[of_asked, 0]]
            attached.append(attached_ids(gallery.table(np.unique(np.concatenate(partners)))))
            self.table = gallery.table(np.unique(np.concatenate([asked, *attached])))
        self._asked = asked
        self.scales: Scales = book.scales(self.table)
        self.rules: Rules = rules(self.table, said)

    def _reached(self, new: IntArray) -> tuple[IntArray, list[IntArray]]:
        """The free faces that are asked, whose neighbours are kept; and the attached ones near them."""
        measure, gallery = self._measure, self._gallery
        free = gallery.table(np.unique(new))
        attached = [free.ids[free.people > 0]]
        free = free.of(free.people <= 0)
        asked, self._ids, self._similarity = [free.ids], [], []
        for hop in range(HOPS + 1):
            found = self._index.neighbours(free.vectors, self._measure.settings.neighbours + 1)
            self._ids.append(found.ids)
            self._similarity.append(found.similarity)
            column = self.book.scales(free).column
            near = np.unique(found.ids[(column.alone(found.similarity) > measure.join - SLACK) & (found.ids >= 0)])
            if not hop:
                near = np.union1d(near, self._beyond(free, found))
            around = gallery.table(np.setdiff1d(near, np.concatenate(asked)))
            attached.append(around.ids[around.people > 0])
            if hop == HOPS:
                break
            rows = rows_of(around.ids, found.ids)
            told = evidence(found.similarity, column, self.book.scales(around).of(rows)) if len(around) else None
            linked = np.unique(rows[(rows >= 0) & (told > measure.link)]) if told is not None else rows.ravel()[:0]
            free = around.of(linked)
            free = free.of(free.people <= 0)
            asked.append(free.ids)
        return np.concatenate(asked), attached

    def _beyond(self, free: FaceTable, found: Neighbours) -> IntArray:
        """Who else is near new tracks all of whose neighbours are new, too: the ids."""
        if free.spans is None:
            return found.ids.ravel()[:0]
        measure, scales = self._measure, self.book.scales(free)
        place = rows_of(free.ids, found.ids)
        told = evidence(found.similarity, scales.column, scales.of(np.maximum(place, 0)))
        full = ~np.isneginf(free.spans.starts) & (place >= 0).all(axis=1) & (told[:, -1] > measure.join - SLACK)
        rows = speakers(np.flatnonzero(full), place, (place >= 0) & (told > measure.link), free.quality)
        others = beyond(
            rows,
            free,
            self._index,
            usual=measure.settings.neighbours + 1,
            is_own=lambda _, ids: np.isin(ids, free.ids),
            told=lambda some, cosine: scales.of(some).column.alone(cosine),
            near=measure.join - SLACK,
            linked=measure.link,
        )
        return others.ids

    def edges(self) -> Edges:
        """The links between the faces of the table, with those that the user made."""
        rows = rows_of(self._asked, self.table.ids)
        ids = np.where(rows[:, None] >= 0, np.concatenate(self._ids)[rows], -1)
        similarity = np.where(rows[:, None] >= 0, np.concatenate(self._similarity)[rows], np.float32(-1))
        near = Neighbours(ids, similarity)
        edges = link(self.table, near, self.scales, self._measure.link, self.rules.waived)
        return with_certain(edges, self.rules.together)


def attached_ids(table: FaceTable) -> IntArray:
    """Those of the faces that have a person."""
    return table.ids[table.people > 0]


def joined(first: FaceTable, second: FaceTable) -> FaceTable:
    """Both tables' faces, each once, as the first has it where both do; ordered by photo."""
    second = second.of(~np.isin(second.ids, first.ids))
    columns = [
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("ids", "photos", "quality", "people", "vectors")
    ]
    ids, photos, quality, people, vectors = columns
    spans = None
    if first.spans is not None or second.spans is not None:
        spans = Spans(*(np.concatenate(times) for times in zip(seen(first), seen(second), strict=True)))
    return FaceTable(ids, photos, quality, people, vectors, spans).of(np.argsort(photos, kind="stable"))


def seen(table: FaceTable) -> tuple[DoubleArray, DoubleArray]:
    """From when and until when each face is seen, float64[n] each; faces of photos always are."""
    if table.spans is not None:
        return table.spans.starts, table.spans.ends
    return np.full(len(table), -np.inf), np.full(len(table), np.inf)
