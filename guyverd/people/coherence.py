"""People who have become several: who they are is measured anew as the library grows, and then they are parted.

How alike a library's people are is learned from the library. Where they are much alike and come one photo at a time,
the first of them look like one person, because nothing tells yet that there are many of their kind; and since attached
faces are never moved, that person would draw in everybody who comes later. So people whose faces changed are looked at
again by what is known now: how much speaks for their own faces being one, on average. Few people have little of it, and
only for those it is asked whether their faces, grouped anew, are several groups of their own. Both must be so. Then
they are grouped anew together with who is near them: where people melted, faces also strayed to their neighbours, and
the parts may be people who stand already.

Somebody of whom the user said anything is left alone, as the person in question and as a neighbour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import FaceId, FaceTable, Move, PersonId, Standing
from guyverd.people.directions import unit
from guyverd.people.evidence import Measure, belonging
from guyverd.people.grouping import Grouped
from guyverd.people.identity import voters
from guyverd.people.index import Neighbours
from guyverd.people.reclustering import Plan, plan

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

SAMPLE = 48
"""Faces of a person that tell how coherent they are: over a thousand pairs, which settles a mean."""
_LEAST = 4
"""Good faces somebody must have: two groups of two."""
_DOUBT = 0.5
"""Mean evidence among somebody's own faces, above what a join asks for, below which they are looked at closely.

A join asks for its evidence between groups, and within each there is more. Looked at after each arrival, people of four
faces or more who are one had so little in 2 of 884 cases (albums and portraits), and grouped anew none fell apart;
where several look-alikes had melted into one, they had in 95 of 100.
"""
_BLOCK = 1024
_MANY, _STEPS = 256, 16
"""Somebody with so many faces is grouped anew so often while their number doubles."""


class Exact:
    """Neighbours among few faces, found by looking at all: an index for `grouping.group`."""

    def __init__(self, table: FaceTable) -> None:
        self._ids = table.ids
        self._vectors: FloatArray = unit(table.vectors)

    def neighbours(self, vectors: FloatArray, k: int) -> Neighbours:
        """The k most similar faces of each vector, float32[n, 128], most similar first; fewer where there are fewer."""
        vectors = unit(vectors)
        k = min(k, len(self._ids))
        ids = np.empty((len(vectors), k), np.int64)
        similarity = np.empty((len(vectors), k), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            some = slice(start, start + _BLOCK)
            likeness = vectors[some] @ self._vectors.T
            near = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
            near = np.take_along_axis(near, np.argsort(-np.take_along_axis(likeness, near, 1), 1, kind="stable"), 1)
            ids[some], similarity[some] = self._ids[near], np.take_along_axis(likeness, near, 1)
        return Neighbours(ids, np.clip(similarity, -1, 1))


def doubtful(table: FaceTable, measure: Measure) -> tuple[PersonId, ...]:
    """Which of the people in `table.people` have faces that are hardly one person by that measure, rising.

    0 is nobody. Poor faces are not counted, and who has few others is never doubted. The cost is that of the table.
    """
    good = voters(table, measure.settings) & (table.people > 0)
    numbers, place, counts = np.unique(table.people[good], return_inverse=True, return_counts=True)
    rows = np.flatnonzero(good)[counts[place] >= _LEAST]
    if not len(rows):
        return ()
    groups = np.searchsorted(numbers, table.people[rows])
    vectors = table.vectors[rows]
    told = belonging(vectors, measure.scales(vectors), groups)
    means = np.bincount(groups, weights=told, minlength=len(numbers)) / counts
    return tuple(PersonId(int(one)) for one in numbers[(counts >= _LEAST) & (means < measure.join + _DOUBT)])


def is_due(faces: int, came: int) -> bool:
    """Whether somebody with so many faces, of whom `came` are new, is to be grouped anew.

    To group large people at each new face would cost more the larger they are; so it follows from their number alone.
    """
    step = max(1, (1 << (max(faces, 1).bit_length() - 1)) // _STEPS) if faces > _MANY else 1
    return came > 0 and faces // step != (faces - came) // step


class Spoken:
    """The people and the faces of whom the user said anything: guyverd leaves them as they are."""

    def __init__(self, said: Standing, held: Collection[PersonId] = ()) -> None:
        """`held` are the people the user made of several."""
        pairs = said.together | said.apart
        self.people: frozenset[PersonId] = frozenset().union(
            said.names,
            said.hidden,
            said.whole,
            held,
            said.pinned.values(),
            (person for _, person in said.barred),
            (person for pair in said.apart_people for person in pair),
        )
        self.faces: frozenset[FaceId] = frozenset().union(
            said.pinned, (face for face, _ in said.barred), (face for pair in pairs for face in pair)
        )

    def of(self, person: int, faces: Iterable[int]) -> bool:
        """Whether anything was said of somebody whose faces are these, or of one of the faces."""
        return person in self.people or not self.faces.isdisjoint(faces)


def is_several(labels: IntArray) -> bool:
    """Whether one person's faces fall into several groups; the labels are those of `grouping.group`."""
    return len(np.unique(labels[labels < 0])) > 1


def parting(table: FaceTable, grouped: Grouped, person: PersonId, said: Standing) -> Plan:
    """What parts a person who is several, by a grouping of their faces and of those near them.

    The table holds all faces of everybody in it. As in any plan the largest part keeps the number; but the person's
    faces that are in no group wait, because nothing tells any more that they are this person's.
    """
    what = plan(table, grouped, said)
    moving = {move.face for move in what.moves}
    alone = table.ids[(table.people == person) & (grouped.labels == 0)].tolist()
    waiting = tuple(Move(FaceId(face), person, None) for face in alone if face not in moving)
    return replace(what, moves=(*what.moves, *waiting))
