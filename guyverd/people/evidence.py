"""How much a likeness tells: one measure of evidence for grouping, identity, `who` and `search`.

The cosine of two faces says little by itself: .95 is rare between two men with beards and common between two small
children. So it is told as a distance from what strangers reach: evidence is the number of `width`s by which the cosine
lies above `centre`, the mean of that for both faces. The two numbers of a face come from a model of strangers
(`strangers`), and, where the library is crowded with people alike, from the library itself. Evidence is linear in the
cosine for each pair, so the mean over all pairs of two groups follows from sums over each.

How much is asked for grows with the library, because chance hits do: each face meets ten times as many strangers in a
library ten times as large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.people.directions import unit
from guyverd.people.strangers import Strangers, shipped

if TYPE_CHECKING:
    import numpy.typing as npt

    from guyverd.config import People
    from guyverd.model import BoolArray, FloatArray, IntArray

    Doubles = npt.NDArray[np.float64]

CROWD = 1000
"""Most faces of the library that are looked at to learn how alike its people are."""

_FIRST, _PER_DECADE, _SMALLEST = 2.4, 0.5, 400
"""Evidence asked of a link: so much, and so much more for each factor of ten in the number of faces, from 400 on: what
is joined in a small library stays joined when it has grown."""

# A library is crowded around a face when the faces that resemble it at all resemble it evenly: neither mostly strangers
# who just come near (the usual case: below the first pair) nor one and the same person (above the second).
_LIKE = -2.0
"""Evidence from which a face of the library counts as of the same kind."""
_LEAST = 20
"""So many of the kind must be known."""
_RISES, _FALLS = (1.2, 2.0), (3.4, 4.2)
_SPREAD = 0.7
"""By so much the lower quartile may lie below the median."""
_AGREED = (0.3, 0.7)
"""Share of the kind that must find itself in a crowd, for the first and for the full effect."""
_RANKS = (0.02, 0.3)
"""Which of the kind, nearest first, tell what strangers of this kind reach; those before may be the same person."""
_ASKED, _SLOPE = 1.0, 0.8
"""Where the evidence by the crowd meets that by the model at the link's threshold, and how steeply it rises there."""
_SAME = 0.9999
"""Cosine from which a face in the crowd is taken for the very same picture."""
_BLOCK = 4096
_BEGINNING = 4
"""Numbers of a vector by which it is known again."""
_REMEMBERED = 100_000
"""Faces whose scales are remembered; each takes 250 bytes."""
_ALL = slice(None)
_STEP = 50_000
"""Faces whose sums are taken together."""


@dataclass(frozen=True, slots=True)
class Scales:
    """What the likenesses of n faces are measured by, in cosine."""

    centre: FloatArray
    """float32[n]: where evidence is 0."""
    width: FloatArray
    """float32[n]: what counts as 1."""

    def __len__(self) -> int:
        return len(self.centre)

    @property
    def column(self) -> Scales:
        """The same, one below the other: for cosines of each of these faces, by rows, with each of some others."""
        return Scales(self.centre[:, None], self.width[:, None])

    def of(self, rows: IntArray | BoolArray | slice) -> Scales:
        """Those of some of the faces."""
        return Scales(self.centre[rows], self.width[rows])

    def alone(self, similarity: FloatArray) -> FloatArray:
        """What cosines tell by each face's own scale, the other face being unknown."""
        found: FloatArray = ((similarity - self.centre) / self.width).astype(np.float32, copy=False)
        return found


def evidence(similarity: FloatArray, one: Scales, other: Scales) -> FloatArray:
    """How much cosines tell, pair by pair; all arguments of one length, or such as numpy stretches to it."""
    found: FloatArray = (one.alone(similarity) + other.alone(similarity)) / np.float32(2)
    return found


class Measure:
    """What counts as evidence in one library."""

    def __init__(self, settings: People, faces: int, crowd: FloatArray, strangers: Strangers | None = None) -> None:
        """`faces` is how many there are; `crowd`, float32[m, 128], are up to `CROWD` of them, from all over it."""
        self.link = _FIRST + _PER_DECADE * math.log10(max(_SMALLEST, faces)) + settings.strictness
        """Evidence from which two faces may be one person."""
        self.join = self.link - settings.group_bonus
        """Mean evidence from which two groups of faces are one person: chance evens out over many pairs."""
        self.pair = (self.link + self.join) / 2
        """Evidence from which two single faces that whispers left alone are one person: there chance evens out nothing,
        but neither has anybody else."""
        self.settings = settings
        self._strangers = shipped() if strangers is None else strangers
        self._crowd = unit(crowd) if len(crowd) else crowd
        self._crowd_scales = Scales(*self._strangers.likeness(self._crowd))
        self._crowd_side = self._side_of_crowd()
        self._seen: dict[bytes, tuple[float, float, float]] = {}
        self._crowded = np.zeros(len(crowd), np.float32)
        for start in range(0, len(crowd), _BLOCK):
            some = slice(start, start + _BLOCK)
            self._crowded[some] = self._evenly_alike(self._kind(self._crowd[some], self._crowd_scales.of(some)))

    def scales(self, vectors: FloatArray) -> Scales:
        """The scales of faces, float32[n, 128] of any length but zero."""
        return self._looked_at(vectors)[0]

    def crowding(self, vectors: FloatArray) -> FloatArray:
        """How far faces, float32[n, 128] of any length but zero, are among people alike here: 0 to 1, float32[n]."""
        return self._looked_at(vectors)[1]

    def seen(self, vectors: FloatArray) -> tuple[Scales, FloatArray]:
        """`scales` and `crowding` of faces that are asked about again and again: the last ones are remembered."""
        # No two faces have the same beginning and another end.
        keys = [row.tobytes() for row in vectors[:, :_BEGINNING]]
        told = [self._seen.get(key) for key in keys]
        new = [row for row, known in enumerate(told) if known is None]
        if new:
            scales, crowding = self._looked_at(vectors[new])
            found = zip(scales.centre.tolist(), scales.width.tolist(), crowding.tolist(), strict=True)
            if len(self._seen) > _REMEMBERED:
                self._seen = {}
            for row, known in zip(new, found, strict=True):
                told[row] = self._seen[keys[row]] = known
        columns = np.array(told, np.float32).reshape(len(vectors), 3)
        return Scales(columns[:, 0], columns[:, 1]), columns[:, 2]

    def _looked_at(self, vectors: FloatArray) -> tuple[Scales, FloatArray]:
        """The scales of faces, and how far they are in a crowd."""
        centre, width = np.empty(len(vectors), np.float32), np.empty(len(vectors), np.float32)
        share = np.zeros(len(vectors), np.float32)
        crowded = self._crowded.any()
        for start in range(0, len(vectors), _BLOCK):
            some = slice(start, start + _BLOCK)
            directions = unit(vectors[some])
            general = Scales(*self._strangers.likeness(directions))
            centre[some], width[some] = general.centre, general.width
            if crowded:
                share[some] = self._adapt(directions, general, centre[some], width[some])
        return Scales(centre, width), share

    def _kind(self, vectors: FloatArray, scales: Scales) -> FloatArray:
        """The evidence for being one with each of the crowd that is of the face's kind, else −inf, [n, m]."""
        told = self._told(vectors, scales)
        told[(told <= _LIKE) | (vectors @ self._crowd.T > _SAME)] = -np.inf
        return told

    def _told(self, vectors: FloatArray, scales: Scales, some: IntArray | slice = _ALL) -> FloatArray:
        """The evidence for being one with each of the crowd, [n, m], or with `some` of it.

        One product of matrices instead of four passes.
        """
        by = 0.5 / scales.width[:, None]
        mine = np.concatenate([vectors * by, vectors, scales.centre[:, None] * by, np.ones_like(by)], axis=1)
        found: FloatArray = mine @ self._crowd_side[:, some]
        return found

    def _side_of_crowd(self) -> FloatArray:
        """What `_told` multiplies with, float32[258, m]."""
        by = 0.5 / self._crowd_scales.width[:, None]
        offset = self._crowd_scales.centre[:, None] * by
        theirs = np.concatenate([self._crowd, self._crowd * by, -np.ones_like(by), -offset], axis=1)
        return np.ascontiguousarray(theirs.T)

    @staticmethod
    def _evenly_alike(told: FloatArray) -> FloatArray:
        """How far a face's kind is a crowd, 0 to 1, [n], judged by that face alone."""
        counts = (told > -np.inf).sum(axis=1)
        rows, last = np.arange(len(told)), np.maximum(counts, 1) - 1
        ranked = -np.sort(-told, axis=1)
        # Rank r of k: the kind comes first, so a share of k is a place.
        half = ranked[rows, np.minimum(last, counts // 2)]
        lower = ranked[rows, np.minimum(last, counts * 3 // 4)]
        level = np.where(counts >= _LEAST, np.minimum(half, lower + _SPREAD), -np.inf)
        rises = np.clip((level - _RISES[0]) / (_RISES[1] - _RISES[0]), 0, 1)
        falls = np.clip((_FALLS[1] - level) / (_FALLS[1] - _FALLS[0]), 0, 1)
        found: FloatArray = (rises * falls).astype(np.float32)
        return found

    def _share(self, told: FloatArray) -> FloatArray:
        """How far faces find themselves in a crowd, 0 to 1, [n], from what `_told` gives of them."""
        kind = (told > _LIKE).astype(np.float32)
        counted = kind @ np.stack([self._crowded, np.ones_like(self._crowded)], axis=1)
        counts = counted[:, 1]
        # The kind decides together: what each face of it finds varies, and two faces measured differently do not link.
        agreed = counted[:, 0] / np.maximum(counts, 1)
        found = np.clip((agreed - _AGREED[0]) / (_AGREED[1] - _AGREED[0]), 0, 1) * (counts >= _LEAST)
        return found.astype(np.float32, copy=False)

    def _may_be_crowded(self, vectors: FloatArray, scales: Scales) -> IntArray:
        """The rows of which enough of the kind find themselves in a crowd: mostly few of all faces do, and no row."""
        some = np.flatnonzero(self._crowded)
        kind = (self._told(vectors, scales, some) > _LIKE).astype(np.float32)
        # Less is no large enough share of the fewest that must be known; a hair less, for products round as they like.
        found: IntArray = np.flatnonzero(kind @ self._crowded[some] > 0.99 * _AGREED[0] * _LEAST)
        return found

    def _adapt(self, vectors: FloatArray, general: Scales, centre: FloatArray, width: FloatArray) -> FloatArray:
        """Put the scales of faces in a crowd into `centre` and `width`; tells how far each is in one."""
        share = np.zeros(len(vectors), np.float32)
        rows = self._may_be_crowded(vectors, general)
        if not len(rows):
            return share
        told = self._told(vectors[rows], general.of(rows))
        share[rows] = self._share(told)
        for place, row in enumerate(rows.tolist()):
            if share[row] <= 0:
                continue
            cosine = self._crowd @ vectors[row]
            ranked = np.argsort(-told[place], kind="stable")
            nearest = cosine[ranked[(told[place, ranked] > _LIKE) & (cosine[ranked] <= _SAME)]]
            first = int(_RANKS[0] * len(nearest))
            strangers = nearest[first : max(first + 2, int(_RANKS[1] * len(nearest)))]
            middle, deviation = float(strangers.mean()), max(float(strangers.std()), 1e-4)
            by_model, by_crowd = 1 / float(general.width[row]), _SLOPE / deviation
            weight = float(share[row])
            steepness = (1 - weight) * by_model + weight * by_crowd
            nothing = (1 - weight) * float(general.centre[row]) * by_model
            nothing += weight * (middle * by_crowd + _SLOPE * _ASKED - self.link)
            centre[row], width[row] = nothing / steepness, 1 / steepness
        return share


DOUBT, FEW = 2.0, 0.25
"""A face whose mean evidence for its group is so much less than a join asks for, and which has links to a smaller share
of it than that, does not belong there."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What the mean evidence between groups of faces follows from, one row for each of g groups."""

    vectors: Doubles
    """float64[g, 128]: sum of unit vectors."""
    scaled: Doubles
    """float64[g, 128]: the same, each divided by its face's width."""
    offsets: Doubles
    """float64[g]: sum of each face's centre over its width."""
    counts: Doubles
    """float64[g]: how many faces."""

    def to(self, vector: FloatArray, scale: Scales, groups: IntArray) -> Doubles:
        """The mean evidence of one face, a unit vector and its scale, for being one with each of these groups."""
        x, counts = vector.astype(np.float64), np.maximum(self.counts[groups], 1)
        mine = (self.vectors[groups] @ x / counts - float(scale.centre[0])) / float(scale.width[0])
        theirs = (self.scaled[groups] @ x - self.offsets[groups]) / counts
        told: Doubles = (mine + theirs) / 2
        return told

    def means(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """`vectors`, `scaled` and `offsets` for each face, as float32; 0 for a group without faces."""
        counts = np.maximum(self.counts, 1)
        return (
            (self.vectors / counts[:, None]).astype(np.float32),
            (self.scaled / counts[:, None]).astype(np.float32),
            (self.offsets / counts).astype(np.float32),
        )


def sums(vectors: FloatArray, scales: Scales, groups: IntArray, count: int) -> Sums:
    """The sums of `count` groups over faces, float32[n, 128] of any length; `groups`, int64[n], below 0 for none."""
    rows = np.flatnonzero(groups >= 0)
    rows = rows[np.argsort(groups[rows], kind="stable")]
    found = Sums(
        np.zeros((count, vectors.shape[1])),
        np.zeros((count, vectors.shape[1])),
        np.zeros(count),
        np.bincount(groups[rows], minlength=count).astype(np.float64),
    )
    for start in range(0, len(rows), _STEP):
        some = rows[start : start + _STEP]
        present, first = np.unique(groups[some], return_index=True)
        directions, of = unit(vectors[some]).astype(np.float64), scales.of(some)
        width = of.width.astype(np.float64)
        # A group may go on in the next step.
        found.vectors[present] += np.add.reduceat(directions, first, axis=0)
        found.scaled[present] += np.add.reduceat(directions / width[:, None], first, axis=0)
        found.offsets[present] += np.add.reduceat(of.centre / width, first)
    return found


def belonging(vectors: FloatArray, scales: Scales, groups: IntArray) -> FloatArray:
    """The mean evidence of each face for being one with the others of its group, float32[n]; alone, infinite.

    `vectors`, float32[n, 128], have any length; `groups`, int64[n], is each face's, from 0 on, below 0 for none.
    """
    found: FloatArray = np.full(len(groups), np.inf, dtype=np.float32)
    # Most groups of a large library are single faces: they take no room.
    sizes = np.bincount(groups[groups >= 0]) if (groups >= 0).any() else np.zeros(0, dtype=np.int64)
    number = np.cumsum(sizes > 1) - 1
    rows = np.flatnonzero(groups >= 0)
    rows = rows[sizes[groups[rows]] > 1]
    mine: IntArray = np.full(len(groups), -1, dtype=np.int64)
    mine[rows] = number[groups[rows]]
    every = sums(vectors, scales, mine, int(mine.max(initial=-1)) + 1)
    for start in range(0, len(rows), _STEP):
        some = rows[start : start + _STEP]
        group, of = mine[some], scales.of(some)
        x = unit(vectors[some]).astype(np.float64)
        width, centre = of.width.astype(np.float64), of.centre.astype(np.float64)
        others = every.counts[group] - 1
        # What the face itself adds to the sums of its group is taken off again.
        cosine = (np.einsum("ij,ij->i", x, every.vectors[group]) - 1) / others
        theirs = np.einsum("ij,ij->i", x, every.scaled[group]) - 1 / width - every.offsets[group] + centre / width
        found[some] = ((cosine - centre) / width + theirs / others) / 2
    return found
