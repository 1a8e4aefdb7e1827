"""Where shots end, told by small pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from guyverd.media.cuts import Shots, changed, difference, likeness, unchanged

if TYPE_CHECKING:
    from guyverd.media.cuts import Thumb


def scene(seed: int) -> Thumb:
    """Something with light and dark places."""
    coarse = np.random.default_rng(seed).uniform(20, 220, (5, 8))
    return coarse.repeat(8, 0).repeat(8, 1).astype(np.float32)


def cuts(thumbs: list[Thumb]) -> list[int]:
    shots = Shots()
    return [number for number, thumb in enumerate(thumbs) if shots.begins(thumb)]


def test_a_cut_is_the_first_frame_of_another_scene() -> None:
    grain = np.random.default_rng(0)
    film = [scene(1) for _ in range(9)] + [scene(2) for _ in range(7)] + [scene(3)]
    noisy = [thumb + np.asarray(grain.normal(0, 3, thumb.shape), np.float32) for thumb in film]
    assert cuts(film) == cuts(noisy) == [9, 16]


def test_what_moves_or_fades_is_no_cut() -> None:
    wide = np.concatenate([scene(1), scene(2)], axis=1)
    moving = [np.ascontiguousarray(wide[:, at : at + 64]) for at in range(0, 64, 2)]
    fading = [scene(1) * np.float32(1 - share) + scene(2) * np.float32(share) for share in np.linspace(0, 1, 20)]
    darker = [scene(1) * np.float32(share) for share in np.linspace(1, 0.1, 20)]
    for film in (moving, fading, darker):
        assert cuts(film) == []


def test_a_shot_that_begins_with_much_motion_is_one_shot() -> None:
    wide = np.concatenate([scene(2), scene(4)], axis=1)
    moving = [np.ascontiguousarray(wide[:, at : at + 64]) for at in range(0, 64, 3)]
    assert cuts([scene(1)] * 5 + moving) == [5]


@pytest.mark.parametrize("level", [0.0, 128.0, 255.0])
def test_a_picture_of_one_colour_is_like_itself_and_nothing_else(level: float) -> None:
    flat = np.full((40, 64), level, np.float32)
    assert likeness(flat, flat) == 1.0
    assert likeness(flat, scene(1)) == 0.0
    assert unchanged(flat, flat)
    assert cuts([flat, flat, flat, scene(1), scene(1)]) == [3]


def test_pictures_of_two_sizes_have_nothing_in_common() -> None:
    small = scene(1)[:20]
    assert difference(scene(1), small) == 255.0
    assert likeness(scene(1), small) == 0.0
    assert not unchanged(scene(1), small)


def test_brightness_alone_is_no_other_picture_and_a_face_is_a_change() -> None:
    assert not changed(scene(1), scene(1) * np.float32(0.7))
    assert changed(scene(1), scene(2))
    with_face = scene(1).copy()
    with_face[10:14, 20:24] += 30
    assert unchanged(scene(1), scene(1) + np.float32(2))
    assert not unchanged(scene(1), with_face)
