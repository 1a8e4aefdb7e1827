"""What finding and describing faces needs from a face engine, whichever library runs the networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from guyverd.model import Box, FloatArray, Pixels

Points = tuple[tuple[float, float], ...]
"""Five points (x, y), in the order of dlib's 5-point predictor: outer and inner corner of the eye on the right of the
picture, outer and inner corner of the eye on its left, the nose."""

CHIP_SIZE = 150
"""Pixels; the width and height of an aligned face as the embedding wants it."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face as found, in pixels of the picture that was searched."""

    box: Box
    confidence: float
    """On the detector's own scale; higher is surer."""


class Engine(Protocol):
    """A face engine. Pixels are always uint8[h, w, 3], RGB, C-contiguous. Every method may raise EngineError."""

    @property
    def name(self) -> str:
        """Detector, models and library version: two engines of one name give the same faces."""

    @property
    def detector(self) -> str:
        """Which detector's scale `Detection.confidence` is on."""

    def detect(self, pixels: Pixels) -> list[Detection]:
        """The faces in `pixels`, in no particular order."""

    def landmarks(self, pixels: Pixels, box: Box) -> Points:
        """The five points of the face in `box`, in pixels of `pixels`."""

    def chips(self, pixels: Pixels, landmarks: Sequence[Points]) -> Pixels:
        """uint8[n, 150, 150, 3]: the faces turned upright and scaled."""

    def embed(self, chips: Pixels) -> FloatArray:
        """float32[n, 128]: the vector of each chip as it is, neither mirrored nor normalised."""
