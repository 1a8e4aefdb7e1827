from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from guyverd.faces import quality
from guyverd.faces.engine import Points
from guyverd.faces.find import resized
from guyverd.model import Box
from tests.faces.samples import astronaut, engine, hopper

unit = st.floats(0, 1)
FRONTAL: Points = ((86, 21), (65, 23), (12, 21), (33, 23), (49, 63))


def turned(points: Points, angle: float, by: float = 0.0, scale: float = 1.0) -> Points:
    """`points` rotated by `angle` and enlarged, the nose first moved along the eyes by `by` eye distances."""
    moved = [*points[:4], (points[4][0] + by * 53, points[4][1])]
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    return tuple((x * cos - y * sin, x * sin + y * cos) for x, y in moved)


@given(st.lists(unit, min_size=4, max_size=4), st.integers(0, 3), unit)
def test_the_score_rises_with_every_part(parts: list[float], which: int, value: float) -> None:
    other = [*parts]
    other[which] = value
    low, high = sorted((parts, other), key=lambda item: item[which])
    assert 0 <= quality.combine(*low) <= quality.combine(*high) <= 1


@given(unit)
def test_the_score_of_equal_parts_is_that_part(part: float) -> None:
    assert quality.combine(part, part, part, part) == pytest.approx(part, abs=1e-12)
    assert quality.combine(1, part, 0, 1) == 0


@given(st.integers(0, 500), st.integers(0, 500))
def test_size_rises_and_saturates(small: int, more: int) -> None:
    a, b = (quality.size(Box(0, 0, side, side)) for side in (small, small + more))
    assert 0 <= a <= b <= 1
    assert (b == 1) == (small + more >= 150)


@given(st.floats(-5, 5), st.floats(0, 5), st.sampled_from(["hog", "cnn", "other"]))
def test_certainty_rises(low: float, more: float, detector: str) -> None:
    assert 0 < quality.certainty(low, detector) <= quality.certainty(low + more, detector) <= 1


@given(st.floats(0, 2), st.floats(0, 2), st.sampled_from([-1, 1]), st.floats(-1.5, 1.5), st.floats(0.1, 50))
def test_pose_falls_as_the_head_turns(by: float, more: float, side: int, angle: float, scale: float) -> None:
    less = quality.pose(turned(FRONTAL, angle, side * by, scale))
    much = quality.pose(turned(FRONTAL, angle, side * (by + more), scale))
    assert 0 <= much <= less + 1e-9 <= 1 + 1e-9


@given(st.floats(0, math.pi), st.floats(0, math.pi), st.sampled_from([-1, 1]))
def test_pose_falls_as_the_head_tilts(a: float, b: float, side: int) -> None:
    low, high = sorted((a, b))
    assert quality.pose(turned(FRONTAL, side * high)) <= quality.pose(turned(FRONTAL, side * low)) + 1e-9


def test_pose_of_extremes() -> None:
    assert quality.pose(FRONTAL) > 0.98
    assert quality.pose(turned(FRONTAL, 0, 0.5)) < 0.1
    assert quality.pose(((0, 0),) * 5) == 0
    assert quality.pose((*FRONTAL[:4], (49, 0))) == 0, "a nose above the eyes"


points = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))


@given(st.tuples(points, points, points, points, points), st.integers(-9, 999), st.floats(-9, 9), st.integers(0, 255))
def test_anything_gets_a_quality(marks: Points, width: int, confidence: float, seed: int) -> None:
    chip = np.random.default_rng(seed).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    found = quality.assess(Box(0, 0, width, width), confidence, marks, chip, "hog")
    for part in (found.size, found.sharpness, found.confidence, found.pose, found.score):
        assert 0 <= part <= 1


def chip_of(blur: float = 0.0, shrink_to: int = 0, enlarge: bool = False) -> tuple[np.ndarray, Points]:
    """The astronaut's chip and its landmarks, after the picture was blurred, or shrunk so the face has that width."""
    pixels = astronaut()
    box = max(engine().detect(pixels), key=lambda item: item.confidence).box
    marks = engine().landmarks(pixels, box)
    if blur:
        pixels = np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(blur)))
    factor = 1.0
    if shrink_to:
        factor = shrink_to / box.width
        pixels = resized(pixels, factor)
    if enlarge:
        pixels, factor = resized(pixels, 1 / factor), 1.0
    marks = tuple((x * factor, y * factor) for x, y in marks)
    return engine().chips(pixels, [marks])[0], marks


def test_sharpness_falls_with_blur() -> None:
    values = [quality.sharpness(*chip_of(blur=blur)) for blur in (0, 1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.7
    assert values[-1] < 0.1


def test_an_enlarged_small_face_is_not_sharp_but_a_small_one_is() -> None:
    small = quality.sharpness(*chip_of(shrink_to=40))
    enlarged = quality.sharpness(*chip_of(shrink_to=40, enlarge=True))
    assert small > 0.9
    assert enlarged < 0.7 * small


def test_a_dark_picture_is_not_called_blurred() -> None:
    chip, marks = chip_of()
    dark = (chip * 0.4).astype(np.uint8)
    assert abs(quality.sharpness(dark, marks) - quality.sharpness(chip, marks)) < 0.1
    assert quality.sharpness(np.full((150, 150, 3), 77, np.uint8), marks) == 0


def test_good_portraits_are_good() -> None:
    for pixels in (astronaut(), hopper()):
        best = max(engine().detect(pixels), key=lambda item: item.confidence)
        marks = engine().landmarks(pixels, best.box)
        chip = engine().chips(pixels, [marks])[0]
        assert quality.assess(best.box, best.confidence, marks, chip, "hog").score > 0.7
