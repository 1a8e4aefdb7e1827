"""The tiled image pyramid that dlib's CNN detector looks at: a picture at many sizes, side by side on one canvas.

Each level has 5/6 of the size of the one before and is made from it. Where the levels lie on the canvas is part of what
the detector was trained with: a level's neighbours reach into what the network sees of it, and looking at every level
alone moves boxes by up to 50 px. Pure: lengths are in pixels, and a tile's right and bottom are not counted in.

Source: dlib's image_transforms/image_pyramid.h, `compute_tiled_image_pyramid_details` and `pyramid_down<6>`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_SHORTEST_LEVEL = 5
"""Rows; smaller levels are left out."""
_BETWEEN, _AROUND = 10, 11
"""Empty pixels between two levels, and around all of them."""
_UP = 6 / 5
_SHIFT = 0.3


@dataclass(frozen=True, slots=True)
class Tile:
    """Where a level of the pyramid lies on the canvas."""

    left: int
    top: int
    width: int
    height: int

    def distance(self, x: float, y: float) -> float:
        """Pixels from a point to the nearest pixel of the tile."""
        across = max(self.left - x, 0.0, x - (self.left + self.width - 1))
        down = max(self.top - y, 0.0, y - (self.top + self.height - 1))
        return math.hypot(across, down)


@dataclass(frozen=True, slots=True)
class Layout:
    """The canvas for a picture, and its tiles from the full size down."""

    width: int
    height: int
    tiles: tuple[Tile, ...]


def layout(width: int, height: int) -> Layout:
    """The canvas for a picture of `width` × `height` pixels, neither of which is 0."""
    sizes = [(width, height)]
    while True:
        smaller = (5 * sizes[-1][0] // 6, 5 * sizes[-1][1] // 6)
        if 0 in smaller or smaller[1] < _SHORTEST_LEVEL:
            break
        sizes.append(smaller)
    column = _column(sizes)
    tiles = []
    top = _AROUND
    for across, down in sizes:
        if top >= column + _AROUND:
            break
        tiles.append(Tile(_AROUND, top, across, down))
        top += down + _BETWEEN
    # The rest goes up again on the right, from the bottom, until it would touch the picture at full size.
    bottom = top - _BETWEEN
    for across, down in sizes[len(tiles) :]:
        tile = Tile(_AROUND + width - across, bottom - down, across, down)
        if tile.top < _AROUND + height:
            break
        tiles.append(tile)
        bottom = tile.top - _BETWEEN
    return Layout(width + 2 * _AROUND, column + 2 * _AROUND, tuple(tiles))


def _column(sizes: Sequence[tuple[int, int]]) -> int:
    """Rows of the first column, which ends where the next level fits beside the one before and half is done."""
    first_width, first_height = sizes[0]
    total = sum(height + _BETWEEN for _, height in sizes) - 2 * _BETWEEN
    rows = before = 0
    for width, height in sizes:
        fits = width <= first_width - before - _BETWEEN
        if fits and 2 * (rows - first_height) >= total - first_height:
            break
        rows += height + _BETWEEN
        before = width
    return rows - _BETWEEN


def to_picture(plan: Layout, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box on the canvas (left, top, right, bottom) as a box in the picture; it belongs to the nearest tile."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    distances = [tile.distance(x, y) for tile in plan.tiles]
    level = distances.index(min(distances))
    tile = plan.tiles[level]
    left, top, right, bottom = box[0] - tile.left, box[1] - tile.top, box[2] - tile.left, box[3] - tile.top
    for _ in range(level):
        left, top, right, bottom = (edge * _UP + _SHIFT for edge in (left, top, right, bottom))
    return left, top, right, bottom
