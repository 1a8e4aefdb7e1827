"""The canvas of the pyramid: where its levels lie."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from guyverd.faces.pyramid import Layout, Tile, layout, to_picture

sides = st.integers(5, 3000)


def apart(a: Tile, b: Tile) -> bool:
    """Whether at least ten pixels are between them, one way or the other."""
    return (
        a.left + a.width + 10 <= b.left
        or b.left + b.width + 10 <= a.left
        or a.top + a.height + 10 <= b.top
        or b.top + b.height + 10 <= a.top
    )


def inside(tile: Tile, plan: Layout) -> bool:
    return (
        tile.left >= 11
        and tile.top >= 11
        and tile.left + tile.width <= plan.width - 11
        and tile.top + tile.height <= plan.height - 11
    )


def test_a_known_canvas() -> None:
    """Computed by hand: levels of 100, 83, 69, 57 … rows; the first column ends after the third."""
    plan = layout(100, 100)
    assert plan.tiles[0] == Tile(11, 11, 100, 100)
    assert plan.tiles[1] == Tile(11, 121, 83, 83)
    assert [tile.width for tile in plan.tiles][:5] == [100, 83, 69, 57, 47]
    assert plan.width == 122


@given(sides, sides)
def test_levels_stay_on_the_canvas_and_shrink(width: int, height: int) -> None:
    plan = layout(width, height)
    assert plan.tiles[0] == Tile(11, 11, width, height)
    assert all(inside(tile, plan) for tile in plan.tiles)
    for before, after in itertools.pairwise(plan.tiles):
        assert (after.width, after.height) == (5 * before.width // 6, 5 * before.height // 6)


@given(sides, sides)
def test_no_level_touches_the_picture_at_full_size(width: int, height: int) -> None:
    first, *rest = layout(width, height).tiles
    assert all(apart(first, tile) or tile.top >= first.top + first.height for tile in rest)


@given(sides, sides, st.data())
def test_a_box_in_a_tile_belongs_to_its_level(width: int, height: int, chance: st.DataObject) -> None:
    plan = layout(width, height)
    level = chance.draw(st.integers(0, min(3, len(plan.tiles) - 1)))
    tile = plan.tiles[level]
    x = tile.left + chance.draw(st.integers(0, tile.width - 1))
    y = tile.top + chance.draw(st.integers(0, tile.height - 1))
    box = to_picture(plan, (x - 2, y - 2, x + 2, y + 2))
    # Half a pixel of the level is allowed for the shift that dlib adds.
    for side, inner, whole in ((box[0] + box[2], tile.width, width), (box[1] + box[3], tile.height, height)):
        middle = side / 2
        assert -3 * 1.2**level <= middle <= whole * 1.05 + 3 * 1.2**level, (middle, inner, whole)
    assert abs((box[2] - box[0]) - 4 * 1.2**level) < 1e-6


def test_points_between_tiles_belong_to_the_nearest() -> None:
    plan = layout(400, 300)
    below = plan.tiles[1]
    near_first = to_picture(plan, (100, 311, 102, 313))
    near_second = to_picture(plan, (100, below.top - 3, 102, below.top - 1))
    assert near_first[2] - near_first[0] == 2
    assert abs(near_second[2] - near_second[0] - 2.4) < 1e-9
