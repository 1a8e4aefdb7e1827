"""Who a face is, decided from the labels that whispering gave: join a person, found one, or wait.

A face joins a person that stands only when its evidence for them clearly beats that for anybody else; otherwise it
stays among the unknown and is asked again when more faces arrive. Nothing here moves a face that is attached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from guyverd.config import People
from guyverd.model import Assignment, FaceId, PersonId
from guyverd.people.graph import local, unit

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FaceTable, FloatArray, IntArray
    from guyverd.people.graph import Edges


def anchors(table: FaceTable) -> IntArray:
    """What `whisper` takes as anchors: the person of each attached face, −1 for the others."""
    found: IntArray = np.where(table.people > 0, table.people, -1)
    return found


def voters(table: FaceTable, settings: People) -> BoolArray:
    """Which faces are good enough to connect others."""
    good: BoolArray = table.quality >= settings.poor_quality
    return good


def decide(
    table: FaceTable,
    edges: Edges,
    labels: IntArray,
    settings: People,
    apart: Collection[tuple[int, int]] = (),
) -> tuple[Assignment, ...]:
    """The new places of faces that have none, in the order of the table's rows.

    `labels` are those of `whisper` with this module's `anchors` and `voters`; `apart` are pairs of rows that must not
    share a person. A face whose label is a person joins them if its evidence for them (the weight of its links to
    them) is `settings.margin` times that for the runner-up. Faces with a label of their own become a new person when
    they are two or more, of as many photos, and one of them is not poor. Groups are numbered from 0 in the order of
    their first face.
    """
    vectors, good = unit(table.vectors), voters(table, settings)
    enemies = _both_ways(apart)
    members: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(table.people > 0).tolist():
        members[int(table.people[row])].append(row)
    evidence = _Evidence(table, edges, labels, good)
    found: dict[int, Assignment] = {}

    free = [row for row in range(len(table)) if table.people[row] <= 0]
    joining = [row for row in free if labels[row] >= 0]
    # Where two claim the same place in a photo, the one with more evidence is asked first.
    joining.sort(key=lambda row: (-evidence.of(row, int(labels[row])), row))
    for row in joining:
        person = int(labels[row])
        if not evidence.clear(row, person, settings.margin):
            continue
        if not _welcome(row, members[person], table, enemies):
            continue
        members[person].append(row)
        found[row] = Assignment(FaceId(int(table.ids[row])), PersonId(person), None, evidence.likeness(row, person))

    groups: dict[int, list[int]] = defaultdict(list)
    for row in free:
        if labels[row] < 0 and _welcome(row, groups[int(labels[row])], table, enemies):
            groups[int(labels[row])].append(row)
    founded = [rows for rows in groups.values() if len(rows) >= 2 and good[rows].any()]
    for number, rows in enumerate(sorted(founded)):
        for row, score in zip(rows, _to_the_others(vectors[rows]), strict=True):
            found[row] = Assignment(FaceId(int(table.ids[row])), None, number, score)
    return tuple(found[row] for row in sorted(found))


def _both_ways(apart: Collection[tuple[int, int]]) -> dict[int, set[int]]:
    enemies: dict[int, set[int]] = defaultdict(set)
    for one, other in apart:
        enemies[one].add(other)
        enemies[other].add(one)
    return enemies


def _welcome(row: int, members: list[int], table: FaceTable, enemies: dict[int, set[int]]) -> bool:
    """Whether a face may stand beside these: another photo than each of theirs, and no word against it."""
    return not any(table.photos[row] == table.photos[other] for other in members) and not (
        enemies.get(row, set()) & set(members)
    )


def _to_the_others(vectors: FloatArray) -> list[float]:
    """Mean cosine of each unit vector to all the others."""
    sums = vectors @ vectors.sum(axis=0) - 1
    return [float(value) for value in sums / max(1, len(vectors) - 1)]


class _Evidence:
    """How much speaks for each person in the case of each free face."""

    def __init__(self, table: FaceTable, edges: Edges, labels: IntArray, good: BoolArray) -> None:
        self._weights: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self._cosines: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        vectors, graph = unit(table.vectors), local(edges, len(table))
        for row in np.flatnonzero(table.people <= 0).tolist():
            for neighbour, link in graph[row].items():
                label = int(labels[neighbour])
                if good[neighbour] and label >= 0:
                    self._weights[row][label] += link["weight"]
                    self._cosines[row][label].append(float(vectors[row] @ vectors[neighbour]))

    def of(self, row: int, person: int) -> float:
        """The weight of a face's links to a person."""
        return self._weights[row].get(person, 0.0) if row in self._weights else 0.0

    def clear(self, row: int, person: int, margin: float) -> bool:
        """Whether it beats the evidence for everybody else by the margin."""
        mine = self.of(row, person)
        others = (weight for other, weight in self._weights.get(row, {}).items() if other != person)
        return mine > 0 and mine >= margin * max(others, default=0.0)

    def likeness(self, row: int, person: int) -> float:
        """Mean cosine to the evidence."""
        return float(np.mean(self._cosines[row][person]))
