"""Who is this? Any face, also one outside the library, against the people in it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from guyverd.model import FaceTable, PersonId
from guyverd.people.directions import distance_at, unit
from guyverd.people.evidence import Measure, Scales, evidence, sums
from guyverd.people.graph import rows_of
from guyverd.people.identity import voters

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray
    from guyverd.people.index import FaceIndex

WIDEST = 1024
"""Most neighbours looked at to find a runner-up."""
_CONSIDERED = 8
"""Most people whose faces are compared as a whole."""


class Faces(Protocol):
    """Where faces are looked up."""

    def table(self, ids: IntArray) -> FaceTable:
        """These faces, without those that do not exist (any more)."""

    def members(self, people: IntArray) -> FaceTable:
        """All faces of each of these people, or many of them spread evenly."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near a face is to a person."""

    person: PersonId
    evidence: float
    """The most that any face of the person gives (`people.evidence`)."""
    distance: float
    """To the nearest of their faces: of unit vectors, 0 to 2."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """Who a face is."""

    best: Likeness | None
    """None where too little speaks for anybody, or as much for two people."""
    runner_up: Likeness | None
    """The other person for whom most speaks, however little; None where no other is among the nearest faces."""


def recognise(vectors: FloatArray, gallery: Faces, index: FaceIndex, measure: Measure) -> list[Recognition]:
    """For each vector, float32[n, 128], the person it shows.

    A person is named when a face of theirs gives enough evidence for a link and all links to them weigh
    `margin` times those to the runner-up, as when a face joins a person; or else when all their faces together
    give enough for a group, and nobody else's do. Where nobody is named the most likely person is the runner-up. Raises
    ValueError for a vector that is zero or not finite.
    """
    return [_one(vectors[row : row + 1], gallery, index, measure) for row in range(len(vectors))]


def _one(vector: FloatArray, gallery: Faces, index: FaceIndex, measure: Measure) -> Recognition:
    settings = measure.settings
    wanted = settings.neighbours
    while True:
        found = index.neighbours(vector, wanted)
        table = gallery.table(found.ids[0][found.ids[0] >= 0])
        if len(set(table.people.tolist()) - {0}) >= 2 or wanted >= min(WIDEST, len(index)):
            break
        wanted *= 4
    scale = measure.scales(vector)
    rows = rows_of(table.ids, found.ids[0])
    cosine, rows = found.similarity[0][rows >= 0], rows[rows >= 0]
    told = evidence(cosine, measure.scales(table.vectors).of(rows), scale) if len(rows) else cosine
    good = voters(table, settings)
    near: dict[int, Likeness] = {}
    weight: dict[int, float] = defaultdict(float)
    for row, similarity, value in zip(rows.tolist(), cosine.tolist(), told.tolist(), strict=True):
        person = int(table.people[row])
        if person:
            before = near.get(person)
            nearest = distance_at(similarity)
            near[person] = Likeness(
                PersonId(person),
                value if before is None else max(value, before.evidence),
                nearest if before is None else min(nearest, before.distance),
            )
            # A poor face may be recognised and vouches for nobody, as in grouping.
            weight[person] += max(0.0, value - measure.link) * bool(good[row])
    ranked = sorted(near, key=lambda person: (-weight[person], -near[person].evidence, person))
    best = ranked[0] if ranked else None
    if best is not None and weight[best] <= 0:
        best = _as_a_whole(vector, scale, ranked[:_CONSIDERED], gallery, measure)
    elif best is not None and weight[best] < settings.margin * max((weight[other] for other in ranked[1:]), default=0):
        best = None
    others = [near[person] for person in ranked if person != best]
    runner_up = max(others, key=lambda one: (one.evidence, -one.person), default=None)
    return Recognition(None if best is None else near[best], runner_up)


def _as_a_whole(vector: FloatArray, scale: Scales, people: list[int], gallery: Faces, measure: Measure) -> int | None:
    """The one of these people whose faces together are near enough, if it is one."""
    table = gallery.members(np.array(people, dtype=np.int64))
    numbers = np.unique(table.people)
    place = np.where(voters(table, measure.settings), np.searchsorted(numbers, table.people), -1)
    every = sums(table.vectors, measure.scales(table.vectors), place, len(numbers))
    told = every.to(unit(vector)[0], scale, np.arange(len(numbers)))
    enough = numbers[(told > measure.join) & (every.counts > 0)]
    return int(enough[0]) if len(enough) == 1 else None
