"""A drawn face, and what dlib itself finds and computes on it: the proof that another engine computes the same.

The drawing is made of formulas, so it shows nobody and needs no file. `vectors()` is what
`dlib.face_recognition_model_v1` gives for `chips()`; `BOX` and `SCORE` are what `dlib.cnn_face_detection_model_v1`
gives for `picture()`. A test computes them anew.
"""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING

import numpy as np

from guyverd.faces.engine import CHIP_SIZE

if TYPE_CHECKING:
    import numpy.typing as npt

    from guyverd.model import FloatArray, Pixels

    Canvas = npt.NDArray[np.float64]

SIDE = 160
BOX = (33, 31, 128, 126)
"""Left, top, right, bottom; the last pixel counted in."""
SCORE = 1.0399
CLOSE = 1e-5
"""The largest difference of a vector's number that is no difference."""
CLOSE_SCORE = 1e-3
CLOSE_SCORE_IN_BYTES = 0.15
"""Of the detector in whole numbers, and at sizes of its own."""

_GROUND = (90.0, 110.0, 130.0)
_SKIN = (215.0, 170.0, 140.0)
# Each: middle (down, across), half axes (down, across), how hard its edge is, colour, opacity.
_Blob = tuple[float, float, float, float, float, tuple[float, float, float], float]
_HEAD: tuple[_Blob, ...] = (
    (-8, 0, 62, 48, 6, (60, 40, 30), 1),
    (6, 0, 55, 41, 8, _SKIN, 1),
    (10, 0, 30, 10, 1.2, (235, 195, 165), 0.6),
)
_EYE: tuple[_Blob, ...] = (
    (-13, 0, 2.6, 10, 3, (70, 45, 35), 1),
    (-3, 0, 4.5, 9, 4, (240, 235, 230), 1),
    (-3, 0, 4.6, 4.6, 5, (40, 30, 30), 1),
    (-3, 0, 8, 12, 1.5, (120, 80, 65), 0.35),
)
_BELOW: tuple[_Blob, ...] = (
    (15, 0, 4, 8, 2, (150, 100, 80), 0.7),
    (33, 0, 5, 15, 3, (150, 60, 60), 1),
    (33, 0, 1.2, 14, 3, (80, 30, 30), 1),
    (55, 0, 8, 20, 1.5, (160, 115, 90), 0.5),
)
_EYES_APART = 17.0


def picture() -> Pixels:
    """uint8[160, 160, 3]: one face of about 96 px."""
    return _drawn(SIDE, 1.0)


def chips() -> Pixels:
    """uint8[2, 150, 150, 3]: the face near and, mirrored and darker, farther away."""
    near, far = _drawn(CHIP_SIZE, 1.05), _drawn(CHIP_SIZE, 0.8)
    return np.ascontiguousarray(np.stack([near, far[:, ::-1] // 2]))


def vectors() -> FloatArray:
    """float32[2, 128]: dlib's own for `chips`."""
    stored = importlib.resources.files("guyverd.faces") / "reference.f4"
    return np.frombuffer(stored.read_bytes(), "<f4").reshape(2, -1)


def _drawn(side: int, scale: float) -> Pixels:
    canvas: Canvas = np.empty((side, side, 3))
    canvas[:] = _GROUND
    for blob in _HEAD:
        _put(canvas, blob, 0.0, scale)
    for across in (-_EYES_APART, _EYES_APART):
        for blob in _EYE:
            _put(canvas, blob, across, scale)
    for blob in _BELOW:
        _put(canvas, blob, 0.0, scale)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _put(canvas: Canvas, blob: _Blob, aside: float, scale: float) -> None:
    down, across, tall, wide, hardness, colour, opacity = blob
    middle = canvas.shape[0] / 2
    y, x = np.mgrid[0 : canvas.shape[0], 0 : canvas.shape[1]]
    radius = ((y - middle - down * scale) / (tall * scale)) ** 2
    radius += ((x - middle - (across + aside) * scale) / (wide * scale)) ** 2
    # Far outside the exponent would overflow; there is nothing of the blob there.
    cover = opacity / (1 + np.exp(np.minimum((radius - 1) * hardness, 50)))
    canvas += cover[:, :, None] * (np.array(colour) - canvas)
