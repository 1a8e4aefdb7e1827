"""Near-identical pictures: which of somebody's are one shot, saved again, cut, or taken in a burst. Pure.

Two things are looked at. The face itself: its vector, and how its cut-out looks; and how the whole picture looks. A
picture that was saved again is alike in all; one that was cropped, in the face alone; of a burst both are nearly alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
_BLOCK = 1024


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
    found: dict[int, list[int]] = {}
    taken = np.zeros(len(looks), dtype=bool)
    whole, chip = _columns([look.whole for look in looks]), _columns([look.chip for look in looks])
    apart = np.array([look.apart for look in looks], np.int64)
    for start in range(0, len(looks), _BLOCK):
        cosine = vectors[start : start + _BLOCK] @ vectors.T
        alone = ((cosine >= ALIKE).sum(axis=1) < 2).tolist()
        for at in range(len(cosine)):
            row = start + at
            if taken[row]:
                continue
            taken[row] = True
            if alone[at]:
                found[row] = [row]
                continue
            near = np.flatnonzero((cosine[at] >= ALIKE) & ~taken & (apart == apart[row]))
            found[row] = [row]
            if len(near):
                alike = near[_same(cosine[at], whole, chip, row, near)]
                taken[alike] = True
                found[row] += alike.tolist()
    return list(found.values())


def differing(one: int, others: IntArray) -> IntArray:
    """How many bits of hashes, int64[n], differ from those of another, int64[n]."""
    found: IntArray = np.bitwise_count((others ^ np.int64(one)).view(np.uint64)).astype(np.int64)
    return found


def _columns(hashes: Sequence[int | None]) -> tuple[IntArray, IntArray]:
    """Hashes, 0 where there is none, and whether there is one."""
    return (
        np.array([one or 0 for one in hashes], np.int64),
        np.array([one is not None for one in hashes], np.int64),
    )


def _same(
    cosine: FloatArray, whole: tuple[IntArray, IntArray], chip: tuple[IntArray, IntArray], row: int, near: IntArray
) -> IntArray:
    """Which of the rows `near` are near-identical to `row`, as places in `near`."""
    by_whole = (differing(int(whole[0][row]), whole[0][near]) <= WHOLE) & (whole[1][near] & whole[1][row] > 0)
    by_chip = (differing(int(chip[0][row]), chip[0][near]) <= CHIP) & (chip[1][near] & chip[1][row] > 0)
    found: IntArray = np.flatnonzero(by_whole | by_chip | (cosine[near] >= SAME)).astype(np.int64)
    return found
