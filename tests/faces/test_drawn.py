"""Boxes drawn by hand: what becomes of them, and what the face in them is worth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.faces.drawn import around, squared
from guyverd.faces.find import FaceFinder
from guyverd.faces.policy import Policy
from guyverd.model import Box
from tests.faces.samples import astronaut, both, engine, hopper

Change = Callable[[Box], Box]

FREE_HANDS: dict[str, Change] = {
    "the whole head": lambda box: grown(box, 0.1, 0.45, 0.1, 0.15),
    "narrow": lambda box: grown(box, -0.1, 0.15, -0.1, 0.15),
    "large": lambda box: grown(box, 0.25, 0.25, 0.25, 0.25),
    "small": lambda box: grown(box, -0.12, -0.12, -0.12, -0.12),
    "beside": lambda box: grown(box, -0.12, -0.12, 0.12, 0.12),
}


def grown(box: Box, left: float, top: float, right: float, bottom: float) -> Box:
    """By so many widths on each side."""
    width = box.width
    return Box(
        round(box.left - left * width),
        round(box.top - top * width),
        round(box.right + right * width),
        round(box.bottom + bottom * width),
    )


def finder() -> FaceFinder:
    return FaceFinder(engine(), Policy(1100, enlarge=2.0, step=0.64, decoded=1500))


@pytest.mark.parametrize("hand", FREE_HANDS)
@pytest.mark.parametrize("person", [astronaut, hopper])
def test_any_box_around_a_face_gives_nearly_the_vector_of_the_detectors(
    hand: str, person: Callable[[], object]
) -> None:
    pixels = astronaut() if person is astronaut else hopper()
    found = max(finder().find(pixels, 1.0), key=lambda face: face.confidence)
    drawn = FREE_HANDS[hand](found.box)
    [(face,)] = finder().describe([finder().look_at(pixels, 1.0, [drawn])])
    assert face.box == drawn, "as it was drawn, to the pixel"
    assert face.confidence == 0
    cosine = face.embedding @ found.embedding / np.linalg.norm(face.embedding) / np.linalg.norm(found.embedding)
    assert cosine > 0.99
    assert face.quality.pose == pytest.approx(found.quality.pose, abs=0.15)
    assert 0 < face.quality.score < found.quality.score


def test_boxes_are_of_the_original_and_come_in_the_order_given() -> None:
    pixels = both()
    faces = finder().find(pixels, 0.5)
    boxes = [face.box for face in faces if face.confidence > 1][::-1]
    [described] = finder().describe([finder().look_at(pixels, 0.5, boxes)])
    assert [face.box for face in described] == boxes
    assert boxes[0].left > boxes[1].left
    sure = [face for face in faces if face.confidence > 1][::-1]
    for one, other in zip(described, sure, strict=True):
        assert np.abs(np.array(one.landmarks) - np.array(other.landmarks)).max() <= 12
        assert np.linalg.norm(one.embedding - other.embedding) < 0.15


def test_nothing_asked_nothing_described() -> None:
    empty = finder().look_at(astronaut(), 1.0, [])
    assert finder().describe([empty, finder().look(astronaut(), 1.0), empty])[::2] == [(), ()]


@pytest.mark.parametrize(
    "corner", [Box(0, 0, 20, 20), Box(492, 0, 512, 20), Box(0, 0, 512, 512), Box(0, 500, 512, 512)]
)
def test_a_box_without_a_face_is_described_all_the_same(corner: Box) -> None:
    """Whoever draws it may be wrong; it must not end the process."""
    [(face,)] = finder().describe([finder().look_at(astronaut(), 1.0, [corner])])
    assert np.isfinite(face.embedding).all()
    assert np.linalg.norm(face.embedding) > 0
    assert 0 <= face.quality.score <= 1


boxes = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height),
    st.integers(-50, 5000),
    st.integers(-50, 5000),
    st.integers(1, 3000),
    st.integers(1, 3000),
)
points = st.lists(st.tuples(st.floats(-100, 6000), st.floats(-100, 6000)), min_size=5, max_size=5).map(tuple)


@given(boxes)
def test_a_square_has_the_centre_and_area_of_what_was_drawn(box: Box) -> None:
    square = squared(box)
    assert square.width == square.height >= 1
    assert square.width**2 == pytest.approx(box.width * box.height, abs=square.width + 1)
    assert abs(square.left + square.right - box.left - box.right) <= 2
    assert abs(square.top + square.bottom - box.top - box.bottom) <= 2


@given(points, boxes)
def test_points_found_wrongly_never_make_it_much_smaller_or_larger(
    found: tuple[tuple[float, float], ...], box: Box
) -> None:
    drawn = squared(box)
    square = around(found, drawn)
    assert square.width == square.height
    assert 0.6 * drawn.width - 1 <= square.width <= 1.6 * drawn.width + 1


def test_the_square_around_a_detected_faces_points_is_the_detectors() -> None:
    for pixels in (astronaut(), hopper()):
        found = max(finder().find(pixels, 1.0), key=lambda face: face.confidence)
        square = around(found.landmarks, found.box)
        for edge in ("left", "top", "right", "bottom"):
            assert abs(getattr(square, edge) - getattr(found.box, edge)) < 0.15 * found.box.width
