"""All faces of one picture: where they are, how good they are, and the vector that tells who they are.

Detection runs on a canvas, the picture at the size that `policy` chose; everything after it runs on the picture as
decoded, which may have more detail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from guyverd.faces import quality
from guyverd.faces.dlib_engine import resize
from guyverd.faces.drawn import around, squared
from guyverd.faces.engine import Detection, Engine, Points
from guyverd.faces.policy import Policy
from guyverd.model import Box, DetectedFace

if TYPE_CHECKING:
    from guyverd.model import Pixels

_SAME_OVERLAP = 0.35
"""Boxes whose overlap is this share of their union are one face; neighbours in a crowd stay well below."""
_NEARBY = 110
"""Pixels that a face has on the canvas where it is looked for again: enough for the detector, and quick."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The faces of one picture before they have vectors."""

    found: tuple[Detection, ...]
    """From left to right, then from top to bottom; in pixels of the picture as decoded."""
    landmarks: tuple[Points, ...]
    chips: Pixels
    """uint8[n, 150, 150, 3]"""
    scale: float
    """Of the picture as decoded, to the original."""
    boxes: tuple[Box, ...]
    """The same places in pixels of the original."""


class FaceFinder:
    """Finds faces with `engine` in pictures at the size that `policy` says."""

    def __init__(self, engine: Engine, policy: Policy, hashed: Callable[[Pixels], int] | None = None) -> None:
        """`hashed` gives the `look` of a face from its chip; without it faces have none."""
        self._engine = engine
        self._policy = policy
        self._hashed = hashed

    @property
    def decoded(self) -> int:
        """Pixels on the longer side that a picture needs; more are of no use."""
        return self._policy.decoded

    def find(self, pixels: Pixels, scale: float) -> tuple[DetectedFace, ...]:
        """The faces in `pixels`, uint8[h, w, 3], which shows the original at `scale`.

        Ordered from left to right, then from top to bottom. Boxes and landmarks are in pixels of the original.
        Raises EngineError.
        """
        return self.describe([self.look(pixels, scale)])[0]

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Where the faces in `pixels` are, from left to right, then from top to bottom. Raises EngineError."""
        factor = min(self._policy.canvas / max(pixels.shape[:2]), self._policy.enlarge)
        found = [
            Detection(item.box.scaled(1 / factor), item.confidence)
            for item in self._engine.detect(resized(pixels, factor))
        ]
        return sorted(distinct(found), key=lambda item: _corners(item.box))

    def look(self, pixels: Pixels, scale: float) -> Sighting:
        """Where the faces in `pixels` are, and their chips; all but the vectors. Raises EngineError."""
        return self._sighting(pixels, scale, self.detect(pixels))

    def look_near(self, pixels: Pixels, scale: float, box: Box) -> Sighting:
        """The same in the neighbourhood of a face that was in `box`, in pixels of the original, on another frame.

        Faces of about its size, no farther away than it is wide. Raises EngineError.
        """
        near = box.scaled(scale)
        across, down = max(near.width, 1), max(near.height, 1)
        left, top = max(0, near.left - across), max(0, near.top - down)
        window = np.ascontiguousarray(pixels[top : max(top, near.bottom + down), left : max(left, near.right + across)])
        if not window.size:
            return Sighting((), (), self._engine.chips(pixels, ()), scale, ())
        factor = min(_NEARBY / across, self._policy.enlarge)
        found = []
        for item in self._engine.detect(resized(window, factor)):
            there = item.box.scaled(1 / factor)
            moved = Box(there.left + left, there.top + top, there.right + left, there.bottom + top)
            found.append(Detection(moved, item.confidence))
        return self._sighting(pixels, scale, sorted(distinct(found), key=lambda item: _corners(item.box)))

    def look_at(self, pixels: Pixels, scale: float, boxes: Sequence[Box]) -> Sighting:
        """The same for faces that somebody else found, in `boxes` of the original, in that order.

        Their confidence is 0: as little as a detector is sure of a face that it just misses. Raises EngineError.
        """
        points = tuple(self._points_in(pixels, squared(box.scaled(scale))) for box in boxes)
        found = tuple(Detection(box.scaled(scale), 0.0) for box in boxes)
        return Sighting(found, points, self._engine.chips(pixels, points), scale, tuple(boxes))

    def _sighting(self, pixels: Pixels, scale: float, found: Sequence[Detection]) -> Sighting:
        points = tuple(self._engine.landmarks(pixels, item.box) for item in found)
        boxes = tuple(item.box.scaled(1 / scale) for item in found)
        return Sighting(tuple(found), points, self._engine.chips(pixels, points), scale, boxes)

    def _points_in(self, pixels: Pixels, drawn: Box) -> Points:
        first = self._engine.landmarks(pixels, drawn)
        return self._engine.landmarks(pixels, around(first, drawn))

    def describe(self, sightings: Sequence[Sighting]) -> list[tuple[DetectedFace, ...]]:
        """The faces of several pictures, whose chips go through the network together. Raises EngineError."""
        chips = np.concatenate([seen.chips for seen in sightings])
        if not len(chips):
            return [() for _ in sightings]
        # The mirror image is the same person, and the mean is the better likeness of the two.
        vectors = self._engine.embed(np.concatenate([chips, chips[:, :, ::-1]]))
        means = iter((vectors[: len(chips)] + vectors[len(chips) :]) / 2)
        return [tuple(self._face(seen, place, next(means)) for place in range(len(seen.found))) for seen in sightings]

    def _face(self, seen: Sighting, place: int, vector: np.ndarray[tuple[int], np.dtype[np.float32]]) -> DetectedFace:
        item, box, points = seen.found[place], seen.boxes[place], seen.landmarks[place]
        return DetectedFace(
            box=box,
            confidence=item.confidence,
            landmarks=tuple((x / seen.scale, y / seen.scale) for x, y in points),
            quality=quality.assess(box, item.confidence, points, seen.chips[place], self._engine.detector),
            embedding=vector.astype(np.float32),
            look=None if self._hashed is None else self._hashed(seen.chips[place]),
        )


def resized(pixels: Pixels, factor: float) -> Pixels:
    """`pixels` at `factor` times the size, at least one pixel each way; the same array where nothing changes."""
    height, width = pixels.shape[:2]
    rows, columns = max(1, round(height * factor)), max(1, round(width * factor))
    if (rows, columns) == (height, width):
        return pixels
    halves = max(1, int(min(height / rows, width / columns)))
    if halves > 1:
        # By more than a half, bilinear alone would pass over pixels.
        pixels = np.array(Image.fromarray(pixels).reduce(halves), dtype=np.uint8, order="C")
    return pixels if pixels.shape[:2] == (rows, columns) else resize(pixels, rows, columns)


def distinct(found: Iterable[Detection]) -> list[Detection]:
    """`found` without faces that were found twice; of two boxes for one face the surer stays.

    Two boxes are one face when they overlap by enough, or when each holds the other's centre. A small face within a
    large box (a child held before a chest, a badge) is another face.
    """
    kept: list[Detection] = []
    for item in sorted(found, key=lambda item: (-item.confidence, _corners(item.box))):
        if not any(_same(item.box, other.box) for other in kept):
            kept.append(item)
    return kept


def _same(a: Box, b: Box) -> bool:
    across = min(a.right, b.right) - max(a.left, b.left)
    down = min(a.bottom, b.bottom) - max(a.top, b.top)
    if across <= 0 or down <= 0:
        return False
    common = across * down
    union = a.width * a.height + b.width * b.height - common
    return common >= _SAME_OVERLAP * union or (_holds_centre(a, b) and _holds_centre(b, a))


def _holds_centre(a: Box, b: Box) -> bool:
    return 2 * a.left <= b.left + b.right < 2 * a.right and 2 * a.top <= b.top + b.bottom < 2 * a.bottom


def _corners(box: Box) -> tuple[int, int, int, int]:
    return (box.left, box.top, box.right, box.bottom)
