"""How a picture looks, in 64 bits: pictures that look alike have hashes that differ in few of them.

The hash tells which of the slowest waves of brightness across the picture are strong, after Zauner's pHash: it hardly
changes when a picture is saved again, made smaller, lighter or darker. What is cut off a picture changes all of them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from guyverd.model import DoubleArray, IntArray, Pixels

_SIDE = 32
"""Pixels that are looked at, each way."""
_BITS = 64


def look(pixels: Pixels) -> int:
    """The hash of a picture, uint8[h, w, 3], as a number of 64 bits with a sign."""
    # Each of the small picture's pixels is the mean of what it stands for: nothing is passed over.
    small = Image.fromarray(pixels).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=3.0)
    waves, picture = _waves(), np.asarray(small, dtype=np.float64)
    rows, columns = _slowest()
    strength = (waves @ picture @ waves.T)[rows, columns]
    bits = strength > np.median(strength)
    return int(np.packbits(bits).view(">i8")[0])


@cache
def _waves() -> DoubleArray:
    """The cosines of the discrete transform, float64[32, 32], one wave a row."""
    at = np.arange(_SIDE, dtype=np.float64)
    found: DoubleArray = np.cos(np.pi * np.outer(at, at + 0.5) / _SIDE)
    return found


@cache
def _slowest() -> tuple[IntArray, IntArray]:
    """Which waves are compared: the 64 slowest but for the mean brightness, in rows and columns."""
    every = sorted(((u + v, u, v) for u in range(_SIDE) for v in range(_SIDE)), key=lambda one: one)[1 : 1 + _BITS]
    return np.array([u for _, u, _ in every], np.int64), np.array([v for _, _, v in every], np.int64)
