"""Who a face is, decided from the labels that whispering gave: join a person, found one, or wait.

A face joins a person that stands only when its evidence for them clearly beats that for anybody else; otherwise it
stays among the unknown and is asked again when more faces arrive. Nothing here moves a face that is attached.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from guyverd.config import People
from guyverd.model import Assignment, FaceId, PersonId
from guyverd.people.directions import unit
from guyverd.people.evidence import Measure, Scales, evidence
from guyverd.people.graph import local
from guyverd.people.rules import NO_RULES, Rules

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
    *,
    scales: Scales,
    measure: Measure,
    rules: Rules = NO_RULES,
) -> tuple[Assignment, ...]:
    """The new places of faces that have none, in the order of the table's rows.

    `labels` are those of `whisper` with this module's `anchors` and `voters`; `edges` weigh what is above
    `measure.link`. A face whose label is a person joins them if its evidence for them (the weight of its links to them)
    is `margin` times that for the runner-up. Faces with a label of their own become a new person when they are
    two or more, and one of them is not poor. Groups are numbered from 0 in the order of their first face.
    """
    good = voters(table, measure.settings)
    members: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(table.people > 0).tolist():
        members[int(table.people[row])].append(row)
    told = _Told(table, edges, labels, good, measure.link)
    found: dict[int, Assignment] = {}

    free = [row for row in range(len(table)) if table.people[row] <= 0]
    joining = [row for row in free if labels[row] >= 0]
    # Where two claim the same place in a photo, the one with more evidence is asked first.
    joining.sort(key=lambda row: (-told.of(row, int(labels[row])), row))
    for row in joining:
        person = int(labels[row])
        if not told.clear(row, person, measure.settings.margin) or (row, person) in rules.barred:
            continue
        if not rules.welcome(row, members[person], table):
            continue
        members[person].append(row)
        found[row] = Assignment(FaceId(int(table.ids[row])), PersonId(person), None, told.mean(row, person))

    groups: dict[int, list[int]] = defaultdict(list)
    for row in free:
        if labels[row] < 0 and rules.welcome(row, groups[int(labels[row])], table):
            groups[int(labels[row])].append(row)
    founded = [rows for rows in groups.values() if len(rows) >= 2 and good[rows].any()]
    for number, rows in enumerate(sorted(founded)):
        for row, score in zip(rows, _to_the_others(table, scales, rows), strict=True):
            found[row] = Assignment(FaceId(int(table.ids[row])), None, number, score)
    return tuple(found[row] for row in sorted(found))


def _to_the_others(table: FaceTable, scales: Scales, rows: list[int]) -> list[float]:
    """Mean evidence of each of these rows for being one with all the others."""
    vectors, some = unit(table.vectors[rows]), scales.of(np.array(rows))
    told: FloatArray = evidence(vectors @ vectors.T, some.column, some)
    np.fill_diagonal(told, 0)
    return [float(value) for value in told.sum(axis=1) / max(1, len(rows) - 1)]


class _Told:
    """How much speaks for each person in the case of each free face."""

    def __init__(self, table: FaceTable, edges: Edges, labels: IntArray, good: BoolArray, least: float) -> None:
        self._least = least
        self._weights: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        graph = local(edges, len(table))
        for row in np.flatnonzero(table.people <= 0).tolist():
            for neighbour, link in graph[row].items():
                label = int(labels[neighbour])
                if good[neighbour] and label >= 0:
                    self._weights[row][label].append(link["weight"])

    def of(self, row: int, person: int) -> float:
        """The weight of a face's links to a person."""
        return float(sum(self._weights[row].get(person, ()))) if row in self._weights else 0.0

    def clear(self, row: int, person: int, margin: float) -> bool:
        """Whether it beats the evidence for everybody else by the margin."""
        mine = self.of(row, person)
        others = (self.of(row, other) for other in self._weights.get(row, {}) if other != person)
        return mine > 0 and mine >= margin * max(others, default=0.0)

    def mean(self, row: int, person: int) -> float:
        """Mean evidence of its links."""
        return float(np.mean(self._weights[row][person])) + self._least
