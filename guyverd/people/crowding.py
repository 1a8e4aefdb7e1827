"""Who else is near a track, where all its neighbours are tracks of the same person in the same film.

A film shows somebody hundreds of times, and each of these is like the others: so many that whoever else is near, as the
same person in a photo, is not among the neighbours that are asked for. So some of them, each of which stands for those
that are linked with it, are asked once more, farther away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from guyverd.people.index import Neighbours

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FaceTable, FloatArray, IntArray

SLACK = 2.0
"""A neighbour is looked at when its evidence, by the asking face's own scale, is at most so much short of a join."""
_WIDER = 4
"""By how much farther each time."""
_MOST = 8192
"""Neighbours asked for at last."""
_ENOUGH = 0.25
"""Share of the neighbours that are asked for usually: when so many are others, that is all that is to be known."""
_AT_ONCE = 1 << 20
"""Neighbours looked at together."""


class Index(Protocol):
    """Where neighbours are looked up."""

    def neighbours(self, vectors: FloatArray, k: int) -> Neighbours:
        """The k most similar faces of each vector."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """Who is near beyond a crowd, one row for each pair."""

    rows: IntArray
    """int64[m]: who asked, by the numbers they were given with."""
    ids: IntArray
    """int64[m]: who is near."""
    similarity: FloatArray
    """float32[m]: cosine."""


def speakers(crowded: IntArray, neighbours: IntArray, linked: BoolArray, quality: FloatArray) -> IntArray:
    """Which of the `crowded` rows speak for all of them: each is one, or linked with one that was chosen before it.

    `neighbours`, int64[n, k], are rows too, −1 for none; `linked`, bool[n, k], tells with which of them each has enough
    evidence for a link. The best by `quality`, float32[n], are chosen first.
    """
    spoken_for: set[int] = set()
    chosen = []
    for row in crowded[np.lexsort((crowded, -quality[crowded]))].tolist():
        if row not in spoken_for:
            chosen.append(row)
            spoken_for.update(neighbours[row][linked[row]].tolist())
    return np.array(sorted(chosen), dtype=np.int64)


def beyond(
    rows: IntArray,
    asking: FaceTable,
    index: Index,
    *,
    usual: int,
    is_own: Callable[[IntArray, IntArray], BoolArray],
    told: Callable[[IntArray, FloatArray], FloatArray],
    near: float,
    linked: float,
) -> Beyond:
    """The nearest others of the faces in these rows of `asking`, `usual` for each at most, with evidence above `near`.

    `is_own` tells of rows, int64[r], and ids, int64[r, k], which are of the crowd; `told` of rows and cosines,
    float32[r, k], the evidence. Whoever is as near as `linked` to one who has to look farther leaves it to that one.
    """
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    k, left = usual * _WIDER, rows
    while len(left):
        unsure: list[tuple[int, IntArray]] = []
        step = max(1, _AT_ONCE // k)
        for start in range(0, len(left), step):
            some = left[start : start + step]
            around = index.neighbours(asking.vectors[some], k)
            evidence = told(some, around.similarity)
            there = around.ids >= 0
            others = there & ~is_own(some, around.ids)
            # Where the farthest does not matter, no other one does; and where there are no more, there are no more.
            more = (others.sum(axis=1) < _ENOUGH * usual) & there.all(axis=1) & (evidence[:, -1] > near) & (k < _MOST)
            wanted = others & (np.cumsum(others, axis=1) <= usual) & (evidence > near)
            at, column = np.nonzero(wanted)
            found.append((some[at], around.ids[at, column], around.similarity[at, column]))
            unsure += [(int(some[at]), around.ids[at][evidence[at] > linked]) for at in np.flatnonzero(more).tolist()]
        left, k = _without_company(unsure, asking.ids), min(_MOST, k * _WIDER)
    nothing = np.empty(0, dtype=np.int64)
    every = [(nothing, nothing, np.empty(0, dtype=np.float32)), *found]
    return Beyond(*(np.concatenate([part[column] for part in every]) for column in range(3)))


def _without_company(unsure: Iterable[tuple[int, IntArray]], ids: IntArray) -> IntArray:
    """The rows of those who are not among the neighbours of one before them."""
    spoken_for: set[int] = set()
    kept = []
    for row, around in unsure:
        if int(ids[row]) not in spoken_for:
            kept.append(row)
            spoken_for.update(around.tolist())
    return np.array(kept, dtype=np.int64)
