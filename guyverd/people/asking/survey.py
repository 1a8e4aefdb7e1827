"""A whole library as questions are made from it: its people, what was said of them, and the faces that show them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import FaceId, FaceTable, PersonId, Standing
from guyverd.people.asking.likening import Groups
from guyverd.people.asking.obstacles import Obstacles
from guyverd.people.identity import voters

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray
    from guyverd.people.evidence import Measure, Scales

SHOWN = 12
"""Faces that are named to show a person, where so many are there; some may be of photos that are away."""


class Survey:
    """Faces are meant by their rows in the table, people by their places in `groups`."""

    def __init__(
        self, table: FaceTable, scales: Scales, measure: Measure, *, said: Standing, skipped: Collection[str]
    ) -> None:
        self.table, self.scales, self.said = table, scales, said
        self.join, self.link = measure.join, measure.link
        self.skipped = frozenset(skipped)
        self.groups = Groups(table, scales, voters(table, measure.settings), said.hidden)
        self.obstacles = Obstacles(self.groups, said)
        self.named: BoolArray = np.isin(self.groups.numbers, np.array([*said.names], dtype=np.int64))
        """bool[g]."""
        self.inner: FloatArray = self.groups.inner()
        self.own: FloatArray = self.groups.own()
        self.clear: FloatArray = self.groups.clear()
        self.pinned: BoolArray = np.isin(table.ids, np.array([*said.pinned], dtype=np.int64))
        """bool[n]: of whom the user said who they are."""

    def person(self, place: int) -> PersonId:
        """Who stands at that place."""
        return PersonId(int(self.groups.numbers[place]))

    def faces(self, rows: Sequence[int]) -> tuple[FaceId, ...]:
        """The faces in those rows."""
        return tuple(FaceId(int(self.table.ids[row])) for row in rows)

    def typical(self, place: int, without: Collection[int] = ()) -> tuple[FaceId, ...]:
        """Faces that show somebody, the most telling first."""
        rows = np.setdiff1d(self.groups.rows(place), np.array([*without], dtype=np.int64))
        return self.telling(rows[np.argsort(-np.nan_to_num(self.own[rows], nan=-np.inf), kind="stable")])

    def telling(self, rows: IntArray) -> tuple[FaceId, ...]:
        """Of rows that are ordered by how typical they are: the best pictures among the more typical half."""
        half = rows[: max(SHOWN, len(rows) // 2)]
        order = np.argsort(-self.table.quality[half], kind="stable")[:SHOWN]
        return self.faces(half[order].tolist())
