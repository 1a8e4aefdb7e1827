"""Who is this? Any face, also one outside the library, against the people in it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from guyverd.config import People
from guyverd.model import FaceTable, PersonId
from guyverd.people.graph import distance_at, weigh

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray
    from guyverd.people.index import FaceIndex

WIDEST = 1024
"""Most neighbours looked at to find a runner-up."""


class Faces(Protocol):
    """Where faces are looked up."""

    def table(self, ids: IntArray) -> FaceTable:
        """These faces, without those that do not exist (any more)."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """Who a face is. Distances are of unit vectors, 0 to 2, to the nearest face of the person."""

    person: PersonId | None
    """None where nobody is near enough, or two people are equally likely."""
    distance: float | None
    """To `person`."""
    runner_up: PersonId | None
    """The nearest other person, however far; None only where no other is among the nearest faces."""
    runner_up_distance: float | None


def recognise(vectors: FloatArray, gallery: Faces, index: FaceIndex, settings: People) -> list[Recognition]:
    """For each vector, float32[n, 128], the person it shows.

    A person is named when their nearest face is within `settings.link_distance` and the evidence for them is
    `settings.margin` times that for the runner-up, as when a face joins a person. Where nobody is named the nearest
    person is the runner-up. Raises ValueError for a vector that is zero or not finite.
    """
    return [_one(vectors[row : row + 1], gallery, index, settings) for row in range(len(vectors))]


def _one(vector: FloatArray, gallery: Faces, index: FaceIndex, settings: People) -> Recognition:
    wanted = settings.neighbours
    while True:
        found = index.neighbours(vector, wanted)
        table = gallery.table(found.ids[0][found.ids[0] >= 0])
        people = dict(zip(table.ids.tolist(), table.people.tolist(), strict=True))
        if len(set(people.values()) - {0}) >= 2 or wanted >= min(WIDEST, len(index)):
            break
        wanted *= 4
    nearest: dict[int, float] = {}
    evidence: dict[int, float] = defaultdict(float)
    weights = weigh(found.similarity[0], settings.link_distance)
    for face, similarity, weight in zip(found.ids[0].tolist(), found.similarity[0].tolist(), weights, strict=True):
        person = people.get(face, 0)
        if person:
            nearest.setdefault(person, distance_at(similarity))
            evidence[person] += float(weight)
    ranked = sorted(nearest, key=lambda person: (-evidence[person], nearest[person], person))
    best = ranked[0] if ranked else None
    second = max((evidence[person] for person in ranked[1:]), default=0.0)
    if best is None or evidence[best] <= 0 or evidence[best] < settings.margin * second:
        best = None
    others = [person for person in nearest if person != best]
    runner_up = min(others, key=lambda person: (nearest[person], person), default=None)
    return Recognition(
        None if best is None else PersonId(best),
        None if best is None else nearest[best],
        None if runner_up is None else PersonId(runner_up),
        None if runner_up is None else nearest[runner_up],
    )
