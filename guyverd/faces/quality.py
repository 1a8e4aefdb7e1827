"""How much a face tells about who it is: size, sharpness, the detector's confidence, pose.

Pure. Each part goes from 0 to 1 and the score is their geometric mean, so it rises with every part and is 0 when
one of them is: a perfectly sharp profile is still a poor face.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import Box, Quality

if TYPE_CHECKING:
    import numpy.typing as npt

    from guyverd.model import Pixels

_FULL_SIZE = 150
"""Width in pixels from which a face gains nothing: the network sees 150 pixels."""

_EYES_IN_CHIP = 73.9
"""Pixels between the outer corners of the eyes in a chip of 150 px with padding 0.25."""
_SMALLEST_GREY = 24
"""A face is not shrunk below this for measuring: a Laplacian needs some pixels to have a variance."""
_CENTRE = 0.6
"""Share of the chip's width and height that is looked at: the face without its surroundings."""
_BLURRED, _SHARP = 0.004, 0.25
"""Variance of the Laplacian over that of the grey values, as 0 and as 1. Measured on 112 faces: half lie above 0.13,
faces crisp at 40 px above 0.6, the same enlarged at 0.03, any face blurred over 2 % of its width at 0.008."""

_CONFIDENCES = {"hog": (0.0, 1.5), "cnn": (0.0, 1.05)}
"""Detector scores that count as barely a face and as surely one; CNN's stay below about 1.1."""
_LEAST_CONFIDENCE = 0.1
"""A detection at the detector's own threshold is still a detection."""


def assess(
    box: Box, confidence: float, landmarks: Sequence[tuple[float, float]], chip: Pixels, detector: str
) -> Quality:
    """The quality of one face.

    `box` is in pixels of the original, the five `landmarks` in those of the picture that the `chip`,
    uint8[150, 150, 3], was cut from; `confidence` is on the scale of `detector`.
    """
    parts = (size(box), sharpness(chip, landmarks), certainty(confidence, detector), pose(landmarks))
    return Quality(*parts, score=combine(*parts))


def combine(*parts: float) -> float:
    """The geometric mean."""
    return math.prod(parts) ** (1 / len(parts))


def size(box: Box) -> float:
    """Linear in the width of the face, 1 from 150 px on."""
    return min(1.0, max(0, min(box.width, box.height)) / _FULL_SIZE)


def sharpness(chip: Pixels, landmarks: Sequence[tuple[float, float]]) -> float:
    """How much detail the face has at the resolution it really had.

    A chip made from a small face is enlarged; it is shrunk back first, so that a small crisp face is sharp (its size
    tells the rest) and a picture that somebody enlarged is not. The Laplacian's variance is taken relative to the
    picture's own, so that a dark or flat picture is not called blurred.
    """
    side = chip.shape[0]
    eyes = math.dist(landmarks[0], landmarks[2])
    real = round(side * min(1.0, eyes / _EYES_IN_CHIP))
    grey = _shrunk(chip.astype(np.float64) @ np.array([0.299, 0.587, 0.114]), max(_SMALLEST_GREY, real))
    edge = round(grey.shape[0] * (1 - _CENTRE) / 2)
    face = grey[edge : grey.shape[0] - edge, edge : grey.shape[1] - edge]
    laplacian = face[:-2, 1:-1] + face[2:, 1:-1] + face[1:-1, :-2] + face[1:-1, 2:] - 4 * face[1:-1, 1:-1]
    # One grey level of noise is no detail, and a chip of one colour has none.
    ratio = float(laplacian.var()) / (float(face.var()) + 1.0)
    if ratio <= _BLURRED:
        return 0.0
    return min(1.0, math.log(ratio / _BLURRED) / math.log(_SHARP / _BLURRED))


def certainty(confidence: float, detector: str) -> float:
    """The detector's score from 0.1 (its threshold) to 1; an unknown detector's is taken as 0 to 1."""
    low, high = _CONFIDENCES.get(detector, (0.0, 1.0))
    share = min(1.0, max(0.0, (confidence - low) / (high - low)))
    return _LEAST_CONFIDENCE + (1 - _LEAST_CONFIDENCE) * share


def pose(landmarks: Sequence[tuple[float, float]]) -> float:
    """1 looks straight ahead, 0 is a full profile, an upside-down face or no face at all.

    From the nose's place along the line between the eyes (in the middle: straight; below an eye: profile) and from
    how far that line is turned from level, which costs at most half.
    """
    points = np.asarray(landmarks, np.float64)
    right, left = (points[0] + points[1]) / 2, (points[2] + points[3]) / 2
    line = right - left
    distance = float(np.hypot(*line))
    if not math.isfinite(distance) or distance < 1e-6:
        return 0.0
    along = line / distance
    to_nose = points[4] - (left + right) / 2
    asymmetry = abs(float(to_nose @ along)) / distance
    below = float(to_nose @ np.array([-along[1], along[0]]))
    if below <= 0:
        return 0.0
    roll = abs(math.atan2(float(line[1]), float(line[0])))
    return max(0.0, 1 - (2 * asymmetry) ** 2) * (1 - roll / math.tau)


def _shrunk(grey: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """A square picture at `side` pixels or its own size, each new pixel the average of the area it covers."""
    old = grey.shape[0]
    if side >= old:
        return grey
    edges = np.linspace(0, old, side + 1)
    pixel = np.arange(old)
    cover = np.clip(np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel), 0, None)
    cover /= cover.sum(axis=1, keepdims=True)
    return np.asarray(cover @ grey @ cover.T)
