"""Which groups of faces are one person: average linkage over whole groups, nearest pair first.

Whispering links single faces, so a person whose faces arrive over years, or in several moods, ends in pieces. Two
pieces belong together when the mean cosine between all their faces is high (the dot product of their mean unit
vectors). Averages are judged, not single links: one look-alike picture does not join two people.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from guyverd.config import People
from guyverd.model import Merge, PersonId
from guyverd.people.graph import similarity_at, unit

if TYPE_CHECKING:
    from guyverd.model import FaceTable, FloatArray


@dataclass(slots=True)
class _Group:
    person: int
    named: bool
    sampled: bool
    total: FloatArray
    """Sum of the unit vectors that speak; the mean of all where none does."""
    weight: int
    """How many speak: those of faces that are not poor."""
    photos: set[int]
    enemies: set[int] = field(default_factory=set)
    version: int = 0

    @property
    def mean(self) -> FloatArray:
        return self.total / np.float32(max(1, self.weight))


def merges(
    table: FaceTable,
    settings: People,
    *,
    named: Collection[int],
    sampled: Collection[int] = (),
    apart: Collection[tuple[int, int]] = (),
) -> tuple[Merge, ...]:
    """Which of the people in `table.people` are one, each absorbed one once, with the survivor as `into`.

    Numbers above 0 are people that stand, numbers below 0 groups that are not people yet; rows with 0 are passed over.
    The survivor has the name, or else stands, or else is `sampled` (so large that not all their photos are known here),
    or else has the number nearest to 0 (the older). Two named people never become one, nor two who share a photo or
    stand `apart` (pairs of numbers), nor is somebody sampled absorbed. Somebody without a name joins a named person
    only if no other named person is as near as `settings.merge_distance`. Poor faces are not counted, and groups of
    nothing else only join others.
    """
    groups = _groups(table, settings, named, sampled, apart)
    floor = similarity_at(settings.merge_distance)
    into: dict[int, tuple[int, float]] = {}
    queue: list[tuple[float, int, int, int, int]] = []
    for a, b, similarity in _near(groups, floor):
        queue.append((-similarity, a, b, 0, 0))
    heapq.heapify(queue)
    while queue:
        negative, a, b, version_a, version_b = heapq.heappop(queue)
        one, other = groups.get(a), groups.get(b)
        if one is None or other is None or (one.version, other.version) != (version_a, version_b):
            continue
        survivor, absorbed = (one, other) if _rank(one) < _rank(other) else (other, one)
        if not _may(survivor, absorbed) or _ambiguous(survivor, absorbed, groups, floor):
            continue
        into[absorbed.person] = (survivor.person, -negative)
        _absorb(survivor, absorbed, groups)
        for c, similarity in _near_to(survivor, groups, floor):
            a, b = sorted((survivor.person, c))
            heapq.heappush(queue, (-similarity, a, b, groups[a].version, groups[b].version))
    return tuple(
        Merge(PersonId(person), PersonId(_end(person, into)), score) for person, (_, score) in sorted(into.items())
    )


def _groups(
    table: FaceTable,
    settings: People,
    named: Collection[int],
    sampled: Collection[int],
    apart: Collection[tuple[int, int]],
) -> dict[int, _Group]:
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row, person in enumerate(table.people.tolist()):
        if person:
            rows_of[person].append(row)
    vectors, good = unit(table.vectors), table.quality >= settings.poor_quality
    groups = {}
    for person, rows in sorted(rows_of.items()):
        speaking = [row for row in rows if good[row]]
        total: FloatArray = vectors[speaking or rows].sum(axis=0, dtype=np.float32)
        groups[person] = _Group(
            person,
            person in named,
            person in sampled,
            total if speaking else total / np.float32(len(rows)),
            len(speaking),
            set(table.photos[rows].tolist()),
        )
    for one, other in apart:
        if one != other and one in groups and other in groups:
            groups[one].enemies.add(other)
            groups[other].enemies.add(one)
    return groups


def _rank(group: _Group) -> tuple[bool, bool, bool, int]:
    """Smallest survives."""
    return (not group.named, group.person < 0, not group.sampled, abs(group.person))


def _may(survivor: _Group, absorbed: _Group) -> bool:
    return not (
        absorbed.named
        or absorbed.sampled
        or (survivor.weight == 0 and absorbed.weight == 0)
        or survivor.person in absorbed.enemies
        or survivor.photos & absorbed.photos
    )


def _ambiguous(survivor: _Group, absorbed: _Group, groups: dict[int, _Group], floor: float) -> bool:
    """Whether there is a second name that the absorbed group could bear."""
    return survivor.named and any(
        other.named and other is not survivor and float(other.mean @ absorbed.mean) > floor for other in groups.values()
    )


def _absorb(survivor: _Group, absorbed: _Group, groups: dict[int, _Group]) -> None:
    if survivor.weight == 0 or absorbed.weight == 0:
        survivor.total = survivor.total if survivor.weight else absorbed.total
    else:
        survivor.total = survivor.total + absorbed.total
    survivor.weight += absorbed.weight
    survivor.photos |= absorbed.photos
    survivor.version += 1
    for enemy in absorbed.enemies:
        if enemy in groups:
            groups[enemy].enemies.add(survivor.person)
    survivor.enemies |= absorbed.enemies
    del groups[absorbed.person]


def _near(groups: dict[int, _Group], floor: float) -> list[tuple[int, int, float]]:
    """Pairs of groups whose mean cosine is above the floor; compared block by block to bound the memory."""
    if not groups:
        return []
    people = list(groups)
    means = np.stack([groups[person].mean for person in people])
    found = []
    for start in range(0, len(people), 512):
        similar = means[start : start + 512] @ means.T
        for row, column in np.argwhere(similar > floor).tolist():
            if start + row < column:
                found.append((people[start + row], people[column], float(similar[row, column])))
    return found


def _near_to(group: _Group, groups: dict[int, _Group], floor: float) -> list[tuple[int, float]]:
    others = [other for other in groups.values() if other is not group]
    if not others:
        return []
    similar = np.stack([other.mean for other in others]) @ group.mean
    return [(others[place].person, float(similar[place])) for place in np.flatnonzero(similar > floor).tolist()]


def _end(person: int, into: dict[int, tuple[int, float]]) -> int:
    while person in into:
        person = into[person][0]
    return person
