"""Where one shot of a film ends and another begins, told by small grey pictures of its frames. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Thumb = np.ndarray[Any, np.dtype[np.float32]]

_LEAST = 6.0
"""Grey levels (of 255) that a cut changes on average, at least."""
_UNLIKE = 0.65
"""Two frames of one shot are more alike than this (correlation), unless it moves fast."""
_TIMES = 3.0
"""A cut changes so many times as much as the frames before it changed from one to the next."""
_RECENT, _KNOWN = 8, 2
"""Frames whose changes are compared with, and how many of them must be known for that."""
_ANOTHER = 0.6
"""Likeness to the frame looked at last, below which another look is worth while."""
_PART = 8
_NOTHING = 6.0
"""Grey levels by which no place may differ where nothing changed. A face that matters is some ten places large."""


class Shots:
    """Tells of each frame, in the order of time, whether a shot begins with it."""

    def __init__(self) -> None:
        self._last: Thumb | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def begins(self, thumb: Thumb) -> bool:
        """Whether the frame with this small picture, float32[h, w] in 0..255, is the first of a shot."""
        last, self._last = self._last, thumb
        if last is None:
            return False
        change = difference(last, thumb)
        usual = float(np.median(self._recent)) if self._recent else 0.0
        # What follows a cut at once is another only if it has nothing in common: it may as well be a shot that moves.
        limit = _UNLIKE if len(self._recent) >= _KNOWN else _UNLIKE / 2
        cut = change >= max(_LEAST, _TIMES * usual) and likeness(last, thumb) < limit
        if cut:
            self._recent.clear()
        else:
            self._recent.append(change)
        return cut


def difference(one: Thumb, other: Thumb) -> float:
    """By how many grey levels two small pictures differ, on average; 255 where their sizes do."""
    return float(np.abs(one - other).mean()) if one.shape == other.shape else 255.0


def likeness(one: Thumb, other: Thumb) -> float:
    """How alike two small pictures are but for brightness and contrast: 1 is the same, 0 nothing in common."""
    if one.shape != other.shape:
        return 0.0
    a, b = one - one.mean(), other - other.mean()
    # A picture of one colour has noise alone, which is like nothing.
    scale = float(np.sqrt((a * a).mean() * (b * b).mean()))
    return float((a * b).mean()) / scale if scale > 1.0 else 1.0 if difference(one, other) < _LEAST else 0.0


def changed(one: Thumb, other: Thumb) -> bool:
    """Whether so much is another that something else may be seen: a fade, a fast turn of the camera.

    It is asked of the picture's large parts: a slow turn moves all small ones, and shows nobody else.
    """
    if one.shape != other.shape:
        return True
    a, b = _large(one), _large(other)
    return difference(a, b) >= _LEAST and likeness(a, b) < _ANOTHER


def _large(thumb: Thumb) -> Thumb:
    """A small picture made smaller still: each place the mean of 8 × 8."""
    high, wide = thumb.shape[0] // _PART, thumb.shape[1] // _PART
    if not high or not wide:
        return thumb
    parts: Thumb = (
        thumb[: high * _PART, : wide * _PART].reshape(high, _PART, wide, _PART).mean((1, 3), dtype=np.float32)
    )
    return parts


def unchanged(one: Thumb, other: Thumb) -> bool:
    """Whether nothing as large as a face can have changed: a still picture, an empty room."""
    return one.shape == other.shape and float(np.abs(one - other).max()) < _NOTHING
