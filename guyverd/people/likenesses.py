"""Near-identical pictures: which of somebody's are one shot, saved again, cut, or taken in a burst. Pure.

Two things are looked at. The face itself: its vector, and how its cut-out looks; and how the whole picture looks. A
picture that was saved again is alike in all; one that was cropped, in the face alone; of a burst both are nearly alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

ALIKE = 0.97
"""Cosine that two near-identical faces have at least."""
WHOLE, CHIP = 14, 12
"""Bits of 64 by which two whole pictures, or two cut-out faces, may differ in that case."""
SAME = 0.998
"""Cosine that does alone."""
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture looks."""

    whole: int | None
    """Perceptual hash of the picture, 64 bits with a sign; None where there is none."""
    chip: int | None
    """Of the face in it, likewise."""
    apart: int = 0
    """Pictures of different numbers are never near-identical, such as videos."""


def groups(vectors: FloatArray, looks: Sequence[Look]) -> list[list[int]]:
    """Rows of near-identical pictures, in the order of the first row of each.

    `vectors`, float32[n, 128], are of length 1. Each row of a group is near-identical to its first.
    """
    found: list[list[int]] = []
    taken = bytearray(len(looks))
    known = _Columns(looks)
    for start in range(0, len(looks), _BLOCK):
        rows, columns = known.alike(vectors[start : start + _BLOCK] @ vectors.T, start)
        first = np.searchsorted(rows, np.arange(start, min(start + _BLOCK, len(looks)) + 1)).tolist()
        others = columns.tolist()
        for at, (begin, end) in enumerate(pairwise(first)):
            row = start + at
            if not taken[row]:
                taken[row] = 1
                group = [row, *(other for other in others[begin:end] if not taken[other])]
                for other in group:
                    taken[other] = 1
                found.append(group)
    return found


class _Columns:
    """How pictures look, as columns."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._hashes = [np.array([one or 0 for one in of], np.int64) for of in self._both(looks)]
        self._there = [np.array([one is not None for one in of]) for of in self._both(looks)]
        self._apart = np.array([look.apart for look in looks], np.int64)

    @staticmethod
    def _both(looks: Sequence[Look]) -> tuple[list[int | None], list[int | None]]:
        return [look.whole for look in looks], [look.chip for look in looks]

    def alike(self, cosine: FloatArray, start: int) -> tuple[IntArray, IntArray]:
        """Pairs of different rows that are near-identical, by row: of those from `start` on, by their cosine to all."""
        near, columns = np.nonzero(cosine >= ALIKE)
        rows = near + start
        likely = (rows != columns) & (self._apart[rows] == self._apart[columns])
        near, rows, columns = near[likely], rows[likely], columns[likely]
        same = cosine[near, columns] >= SAME
        for hashes, there, most in zip(self._hashes, self._there, (WHOLE, CHIP), strict=True):
            same |= there[rows] & there[columns] & (differing(hashes[rows], hashes[columns]) <= most)
        return rows[same], columns[same]


def differing(one: IntArray, other: IntArray) -> IntArray:
    """In how many bits hashes, int64[n] each, differ."""
    found: IntArray = np.bitwise_count((one ^ other).view(np.uint64)).astype(np.int64)
    return found
