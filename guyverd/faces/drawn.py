"""Boxes drawn by hand, made into what the predictor of points expects: the square that a detector draws.

Pure. People draw boxes of all shapes around a face, or around the whole head. Measured on 32 detected faces, cosine to
the vector from the detector's own box, as the lowest tenth has it: a box around the whole head .89 as drawn, .999 with
both steps below; a box moved by a seventh of its width .91 and .999; one too narrow or too small .995 and .999.
"""

from __future__ import annotations

import numpy as np

from guyverd.faces.engine import Points
from guyverd.model import Box

_SIZE, _LOWER = 2.43, 0.19
"""In distances of the eyes' centres: the side of a detector's square (the median of those 32, with a deviation of a
tenth), and how far its centre lies below that of eyes and nose."""
_LEAST, _MOST = 0.6, 1.6
"""As much smaller or larger than it was drawn a square may become: points found wrongly must not lead away."""


def squared(box: Box) -> Box:
    """A square of the same centre and area."""
    return _square((box.left + box.right) / 2, (box.top + box.bottom) / 2, (box.width * box.height) ** 0.5)


def around(points: Points, drawn: Box) -> Box:
    """The square that a detector would draw around these five points, found in a square drawn by hand."""
    found = np.asarray(points, np.float64)
    eyes = (found[0] + found[1]) / 2, (found[2] + found[3]) / 2
    distance = float(np.hypot(*(eyes[0] - eyes[1])))
    x, y = (eyes[0] + eyes[1] + found[4]) / 3
    side = min(max(_SIZE * distance, _LEAST * drawn.width), _MOST * drawn.width)
    return _square(float(x), float(y) + _LOWER * distance, side)


def _square(x: float, y: float, side: float) -> Box:
    side = max(1, round(side))
    left, top = round(x - side / 2), round(y - side / 2)
    return Box(left, top, left + side, top + side)
