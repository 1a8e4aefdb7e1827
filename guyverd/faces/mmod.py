"""dlib's CNN face detector around its network: what goes in and what the scores that come out mean.

Gives the boxes of `dlib.cnn_face_detection_model_v1`. The half of the network that reduces the picture, where nearly
all memory goes, sees little of it at a time: it gets the canvas in strips of rows that overlap by 21, with the values
that the whole canvas would have. The other half, at an eighth of the size, gets everything.

Source: dlib's dnn/input.h (`input_rgb_image_pyramid`), dnn/loss.h (`loss_mmod_`), and image_processing's
`box_overlap_testing.h`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from guyverd.faces.dat import Window
from guyverd.faces.pyramid import Layout, layout, to_picture

if TYPE_CHECKING:
    from guyverd.model import FloatArray, Pixels

STRIDE = 8
"""Pixels of the canvas between two scores."""
FIRST = 14
"""Pixels from the canvas's edge to the middle of the first score's window."""
SEES = 5 + 4 * 2 + 4 * 4
"""Pixels of the canvas that a value of the reduced picture sees, each way."""
STRIP = 32
"""Rows of the reduced picture in a strip: 256 rows of the canvas, small enough for a processor's cache to be of use."""

_EDGE = 12
"""Empty pixels around a level that is looked at alone: faces cut by the edge need them. dlib has 11; this is even."""
_SMALLEST_LEVEL = 48
"""Pixels; smaller levels hold no whole window with what is around it."""
_TWO_PIXELS = np.dtype("V6")
_ACROSS, _DOWN = 1.25, 0.75
"""dlib's pyramid of twofold steps maps p to p / 2 less this."""

Planes = npt.NDArray[Any]
"""float32[1, channels, h, w], or uint8[1, h, w, channels]."""
Network = Callable[[Planes], Planes]
Resize = Callable[[Any, int, int], Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A face: edges in pixels, the last one counted in as dlib does, and the score."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


class Detector:
    """Finds faces from 80 px on.

    `reduce` maps float32[1, 3, h, w] to float32[1, channels, h', w'], and `score` that to float32[1, 1, h', w'];
    `resize` is dlib's bilinear resizing to some rows and columns, of uint8[h, w, 3] or of one channel. `fast` is the
    same two halves in whole numbers (`graphs.fast_detector_graphs`).
    """

    def __init__(
        self,
        reduce: Network,
        score: Network,
        resize: Resize,
        means: Sequence[float],
        window: Window,
        *,
        fast: tuple[Network, Network] | None = None,
    ) -> None:
        self._fast = fast
        self._reduce = reduce
        self._score = score
        self._resize = resize
        self._means = means
        self._window = window

    def detect(self, pixels: Pixels, threshold: float = 0.0) -> list[Found]:
        """The faces in `pixels`, uint8[h, w, 3], that score above `threshold`; the surest first."""
        height, width = pixels.shape[:2]
        plan = layout(width, height)
        if scores_along(plan.height) < 1 or scores_along(plan.width) < 1:
            return []
        scores = self._scores(self._canvas(pixels, plan))
        rows, columns = np.nonzero(scores > threshold)
        values = scores[rows, columns]
        candidates = [
            Found(*self._box(plan, int(rows[i]), int(columns[i])), float(values[i]))
            for i in np.argsort(-values, kind="stable")
        ]
        return self._suppressed(candidates)

    def search(self, pixels: Pixels, step: float, threshold: float = 0.0) -> list[Found]:
        """The faces in `pixels`, level by level of a pyramid whose levels have `step` times the size of the one before.

        dlib's own steps of 5/6 look at a face at three sizes where one will do, and each level is looked at alone, with
        nothing but a narrow edge around it. With the fast network scores differ from dlib's by 0.02 or so.
        """
        # Whole pairs of rows and columns.
        pixels = np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])
        height, width = pixels.shape[:2]
        level: Any = pixels if self._fast else self._channels(pixels)
        found = []
        rows, columns = height, width
        while min(rows, columns) >= _SMALLEST_LEVEL:
            if (rows, columns) != (height, width):
                level = self._smaller(level, rows, columns)
            scores = self._level_scores(level, rows, columns)
            for row, column in zip(*np.nonzero(scores > threshold), strict=True):
                box = self._enlarged_box(int(row), int(column), width / columns, height / rows)
                found.append(Found(*box, float(scores[row, column])))
            rows, columns = 2 * round(rows * step / 2), 2 * round(columns * step / 2)
        found.sort(key=lambda one: -one.score)
        return self._suppressed(found)

    def detect_enlarged(self, pixels: Pixels, times: int, threshold: float = 0.0) -> list[Found]:
        """The same in `pixels` enlarged twofold so many times; dlib calls it upsampling. Boxes are in `pixels`."""
        for _ in range(times):
            height, width = pixels.shape[:2]
            rows, columns = _rounded(2 * (height - 1 + _DOWN)) + 1, _rounded(2 * (width - 1 + _ACROSS)) + 1
            pixels = self._resize(pixels, rows, columns)
        reduced = []
        for one in self.detect(pixels, threshold):
            left, top, right, bottom = float(one.left), float(one.top), float(one.right), float(one.bottom)
            for _ in range(times):
                left, right = left / 2 - _ACROSS, right / 2 - _ACROSS
                top, bottom = top / 2 - _DOWN, bottom / 2 - _DOWN
            reduced.append(Found(_rounded(left), _rounded(top), _rounded(right), _rounded(bottom), one.score))
        return reduced

    def _canvas(self, pixels: Pixels, plan: Layout) -> FloatArray:
        """float32[1, 3, h, w]: every level of the picture on noughts."""
        canvas = np.zeros((1, 3, plan.height, plan.width), np.float32)
        for number, level in enumerate(self._channels(pixels)):
            for tile in plan.tiles:
                if level.shape != (tile.height, tile.width):
                    level = self._resize(level, tile.height, tile.width)  # noqa: PLW2901  each is made from the last
                canvas[0, number, tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = level
        return canvas

    def _channels(self, pixels: Pixels) -> list[FloatArray]:
        """Red, green and blue, each float32[h, w]: (value - mean) / 256."""
        channels = []
        for number, mean in enumerate(self._means):
            channel = pixels[:, :, number].astype(np.float32)
            channel -= np.float32(mean)
            channel *= np.float32(1 / 256)
            channels.append(channel)
        return channels

    def _scores(self, canvas: FloatArray) -> FloatArray:
        """One score for each 8 × 8 pixels of float32[1, 3, h, w], as float32[rows, columns]."""
        parts = [self._reduce(canvas[:, :, top:bottom]) for top, bottom in strips(canvas.shape[2])]
        scores: FloatArray = self._score(np.concatenate(parts, axis=2))[0, 0]
        return scores

    def _box(self, plan: Layout, row: int, column: int) -> tuple[int, int, int, int]:
        x, y = STRIDE * column + FIRST, STRIDE * row + FIRST
        across, down = (self._window.width - 1) / 2, (self._window.height - 1) / 2
        left, top, right, bottom = to_picture(plan, (x - across, y - down, x + across, y + down))
        return _rounded(left), _rounded(top), _rounded(right), _rounded(bottom)

    def _smaller(self, level: Any, rows: int, columns: int) -> Any:
        if self._fast:
            return self._resize(level, rows, columns)
        return [self._resize(channel, rows, columns) for channel in level]

    def _level_scores(self, level: Any, rows: int, columns: int) -> FloatArray:
        """The scores of one level, with an edge of nothing around it; in bytes nothing has the colour of the means."""
        high, wide = rows + 2 * _EDGE, columns + 2 * _EDGE
        if self._fast:
            # Two rows and two columns at a time, as the network takes them.
            canvas: Planes = np.empty((high // 2, wide // 2, 2, 2, 3), np.uint8)
            edge = _EDGE // 2
            # Only the edge: to fill it all first would take as long as a tenth of what follows.
            for part in (canvas[:edge], canvas[-edge:], canvas[:, :edge], canvas[:, -edge:]):
                part[:] = np.round(self._means)
            # Two pixels beside one another are moved as one thing.
            target = canvas.reshape(high // 2, wide // 2, 12).view(_TWO_PIXELS)[edge:-edge, edge:-edge]
            source = level.reshape(rows // 2, 2, columns * 3).view(_TWO_PIXELS)
            target[:, :, 0], target[:, :, 1] = source[:, 0], source[:, 1]
            reduce, score = self._fast
            fours = canvas.reshape(1, high // 2, wide // 2, 12)
            parts = [reduce(fours[:, top // 2 : (bottom + 1) // 2]) for top, bottom in strips(high)]
            scores: FloatArray = score(np.concatenate(parts, axis=1))[0, 0]
            return scores
        canvas = np.zeros((1, 3, high, wide), np.float32)
        canvas[0, :, _EDGE:-_EDGE, _EDGE:-_EDGE] = level
        return self._scores(canvas)

    def _enlarged_box(self, row: int, column: int, across: float, down: float) -> tuple[int, int, int, int]:
        """The window of a score of a level that was reduced by `across` and `down`."""
        x, y = STRIDE * column + FIRST - _EDGE, STRIDE * row + FIRST - _EDGE
        wide, tall = self._window.width / 2, self._window.height / 2
        edges = ((x - wide) * across, (y - tall) * down, (x + wide) * across - 1, (y + tall) * down - 1)
        left, top, right, bottom = (_rounded(edge) for edge in edges)
        return left, top, right, bottom

    def _suppressed(self, candidates: Sequence[Found]) -> list[Found]:
        kept: list[Found] = []
        for one in candidates:
            if not any(self._same(other, one) for other in kept):
                kept.append(one)
        return kept

    def _same(self, a: Found, b: Found) -> bool:
        inner = _area(max(a.left, b.left), max(a.top, b.top), min(a.right, b.right), min(a.bottom, b.bottom))
        if not inner:
            return False
        outer = _area(min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))
        limits = self._window.suppression
        areas = (_area(one.left, one.top, one.right, one.bottom) for one in (a, b))
        return inner / outer > limits.union or any(inner / area > limits.covered for area in areas)


def scores_along(pixels: int) -> int:
    """How many scores a canvas of so many pixels has, one way."""
    return max(0, (pixels - SEES) // STRIDE + 1)


def strips(height: int) -> Iterator[tuple[int, int]]:
    """First row, and the one after the last, of strips that together are reduced to what the whole canvas would be."""
    rows = scores_along(height)
    for first in range(0, rows, STRIP):
        last = min(first + STRIP, rows)
        yield first * STRIDE, (last - 1) * STRIDE + SEES


def _rounded(value: float) -> int:
    """Half away from nought, as C does."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def _area(left: int, top: int, right: int, bottom: int) -> int:
    return max(0, right - left + 1) * max(0, bottom - top + 1)
