"""The people of a whole library and who is like whom, from sums over each: what questions to the user are made from.

Nothing here looks at pairs of faces. The mean evidence between two people, or a person and a face, is one product of
two vectors, so a library's largest people are compared with everybody in a few multiplications of matrices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.people.evidence import sums

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FaceTable, FloatArray, IntArray
    from guyverd.people.evidence import Scales

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Pairs:
    """Things and groups that are somewhat alike, column by column."""

    one: IntArray
    """int64[m]: a row of the table, or the place of a group."""
    group: IntArray
    """int64[m]: the place of the group it is like."""
    told: FloatArray
    """float32[m]: mean evidence."""

    def __len__(self) -> int:
        return len(self.one)

    def of(self, kept: BoolArray | IntArray) -> Pairs:
        """Some of them."""
        return Pairs(self.one[kept], self.group[kept], self.told[kept])


class Groups:
    """The people of a table by place, 0 to g − 1, in the order of their numbers; those in `hidden` are left out.

    The table's vectors have unit length. Faces that are not `good`, bool[n], do not speak for a person who has others.
    """

    def __init__(self, table: FaceTable, scales: Scales, good: BoolArray, hidden: Collection[int] = ()) -> None:
        self.table = table
        self.scales = scales
        shown = (table.people > 0) & ~np.isin(table.people, np.array([*hidden], dtype=np.int64))
        self.numbers: IntArray = np.unique(table.people[shown])
        """int64[g]."""
        self.place: IntArray = np.where(shown, np.searchsorted(self.numbers, table.people), -1)
        """int64[n]: for each row its group, −1 for none."""
        self.waiting: IntArray = np.flatnonzero(table.people == 0)
        g = len(self.numbers)
        self.sizes: IntArray = np.bincount(self.place[shown], minlength=g).astype(np.int64)
        heard = np.bincount(self.place[shown & good], minlength=g)
        self.speaks: BoolArray = shown & (good | (heard[np.minimum(self.place, g - 1)] == 0) if g else shown)
        """bool[n]: rows that count among their group's."""
        told = sums(table.vectors, scales, np.where(self.speaks, self.place, -1), g)
        self._counts = np.maximum(told.counts, 1)
        self._vectors, self._scaled, self._offsets = told.means()
        self._rows = np.argsort(self.place, kind="stable")
        self._starts = np.searchsorted(self.place[self._rows], np.arange(g + 1))

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, place: int) -> IntArray:
        """The rows of one group, rising."""
        return self._rows[self._starts[place] : self._starts[place + 1]]

    def inner(self) -> FloatArray:
        """Mean evidence between each group's own faces, float32[g]; NaN for a face on its own."""
        rows = np.flatnonzero(self.speaks)
        widths = np.bincount(self.place[rows], weights=1 / self.scales.width[rows], minlength=len(self))
        n = self._counts
        whole = n * n * np.einsum("ij,ij->i", self._vectors, self._scaled) - widths - (n - 1) * n * self._offsets
        with np.errstate(divide="ignore", invalid="ignore"):
            found: FloatArray = np.where(n > 1, whole / (n * (n - 1)), np.nan).astype(np.float32)
        return found

    def clear(self) -> FloatArray:
        """Mean quality of each group's faces, float32[g]."""
        rows = np.flatnonzero(self.place >= 0)
        whole = np.bincount(self.place[rows], weights=self.table.quality[rows], minlength=len(self))
        return (whole / np.maximum(self.sizes, 1)).astype(np.float32)

    def own(self) -> FloatArray:
        """Mean evidence of each row for being one with the others of its group, float32[n]; NaN where it has none."""
        found = np.full(len(self.table), np.nan, np.float32)
        every = np.flatnonzero(self.place >= 0)
        for start in range(0, len(every), _BLOCK):
            rows = every[start : start + _BLOCK]
            at, vectors, width = self.place[rows], self.table.vectors[rows], self.scales.width[rows]
            offset, n, among = self.scales.centre[rows] / width, self._counts[at], self.speaks[rows]
            there = np.einsum("ij,ij->i", vectors, self._scaled[at]) * n - self._offsets[at] * n
            back = np.einsum("ij,ij->i", vectors, self._vectors[at]) * n / width - offset * n
            # A face that counts among them is compared with the others only.
            twice = there + back - among * 2 * (1 / width - offset)
            others = n - among
            with np.errstate(divide="ignore", invalid="ignore"):
                found[rows] = np.where(others > 0, twice / (2 * others), np.nan)
        return found

    # ---- who is like whom --------------------------------------------------------------------------------------------

    def alike(self, focus: IntArray, least: float) -> Pairs:
        """Groups that are like one of the groups in `focus`, with mean evidence above `least`; each pair both ways."""
        ones = np.arange(len(self), dtype=np.int64)
        found = _joined(self._compared(ones, _long(self._vectors, self._scaled), self._offsets, focus, least))
        return found.of(found.one != found.group)

    def like(self, rows: IntArray, focus: IntArray, least: float) -> Pairs:
        """Those of the faces in `rows` that are like one of those groups: rows, and groups."""

        def parts() -> Iterator[Pairs]:
            for start in range(0, len(rows), _BLOCK):
                some = rows[start : start + _BLOCK]
                vectors, width = self.table.vectors[some], self.scales.width[some]
                near = _long(vectors, vectors / width[:, None])
                yield from self._compared(some, near, self.scales.centre[some] / width, focus, least)

        return _joined(parts())

    def _compared(
        self, ones: IntArray, near: FloatArray, offsets: FloatArray, focus: IntArray, least: float
    ) -> Iterator[Pairs]:
        # Evidence is linear in each side's sums, and so in long vectors that hold all of a side: one product tells it.
        far = np.concatenate([self._scaled[focus], self._vectors[focus], self._offsets[focus, None]], axis=1).T
        far = (far / 2).astype(np.float32)
        half = (offsets / 2).astype(np.float32)
        for start in range(0, len(ones), _BLOCK):
            some = slice(start, start + _BLOCK)
            told = near[some] @ far
            # What is the same for all of a row can be taken off at the end.
            flat = np.flatnonzero(told > np.float32(least) + half[some, None])
            at, column = np.divmod(flat, len(focus))
            yield Pairs(ones[some][at], focus[column], told[at, column] - half[some][at])


def _long(vectors: FloatArray, scaled: FloatArray) -> FloatArray:
    return np.concatenate([vectors, scaled, np.full((len(vectors), 1), -1, np.float32)], axis=1)


def _joined(parts: Iterator[Pairs]) -> Pairs:
    every = list(parts)
    nothing = np.empty(0, np.int64)
    return Pairs(
        np.concatenate([nothing, *(part.one for part in every)]),
        np.concatenate([nothing, *(part.group for part in every)]),
        np.concatenate([np.empty(0, np.float32), *(part.told for part in every)]),
    )
