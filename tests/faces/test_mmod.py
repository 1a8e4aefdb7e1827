"""Our CNN detector against dlib's: the same rectangles, the same scores."""

from __future__ import annotations

from collections.abc import Callable

import dlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.faces import mmod
from guyverd.faces.mmod import Found
from guyverd.faces.onnx_engine import OnnxEngine
from tests.faces import oracle
from tests.faces.samples import astronaut, both, onnx_engine

CLOSE = 1e-3


def found(pixels: np.ndarray) -> dict[oracle.Rectangle, float]:
    detector = onnx_engine()._network_detector
    return {(one.left, one.top, one.right, one.bottom): one.score for one in detector.detect(pixels)}


def assert_same(mine: dict[oracle.Rectangle, float], theirs: dict[oracle.Rectangle, float]) -> None:
    assert mine.keys() == theirs.keys()
    assert all(abs(mine[box] - theirs[box]) < CLOSE for box in mine)


def test_rectangles_and_scores_are_dlibs_on_many_pictures() -> None:
    pictures = list(oracle.varied(15, 420))
    faces = 0
    for pixels in pictures:
        theirs = oracle.boxes(pixels)
        assert_same(found(pixels), theirs)
        faces += len(theirs)
    assert len({pixels.shape for pixels in pictures}) > 10
    assert faces >= 10


def test_and_on_pictures_that_are_enlarged_for_small_faces() -> None:
    faces = 0
    for pixels in oracle.varied(9, 230):
        theirs = oracle.boxes(pixels, upsample=1)
        detector = onnx_engine()._network_detector
        mine = {(f.left, f.top, f.right, f.bottom): f.score for f in detector.detect_enlarged(pixels, 1)}
        assert_same(mine, theirs)
        faces += len(theirs)
    assert faces >= 6


@pytest.mark.parametrize("strip", [1, 3, 1000])
def test_strips_change_nothing(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.ascontiguousarray(both()[40:400])
    whole, searched = found(pixels), onnx_engine()._network_detector.search(pixels, 0.667)
    assert len(whole) == len(searched) == 2
    monkeypatch.setattr(mmod, "STRIP", strip)
    assert_same(found(pixels), whole)
    assert onnx_engine()._network_detector.search(pixels, 0.667) == searched


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (4, 300), (300, 4), (7, 7), (8, 9), (29, 29), (40, 2000)])
def test_canvases_of_a_few_pixels(shape: tuple[int, int]) -> None:
    assert found(np.full((*shape, 3), 128, np.uint8)) == {}


@given(st.integers(29, 20_000))
def test_strips_cover_every_row_once(height: int) -> None:
    rows = 0
    for top, bottom in mmod.strips(height):
        assert top == rows * mmod.STRIDE
        assert bottom <= height
        rows += mmod.scores_along(bottom - top)
    assert rows == mmod.scores_along(height)


def test_half_pixels_are_rounded_away_from_nought() -> None:
    assert [mmod._rounded(value) for value in (-2.5, -0.5, -0.4, 0.4, 0.5, 1.5, 2.5)] == [-3, -1, 0, 0, 1, 2, 3]


edges = st.integers(-50, 200)
sizes = st.integers(1, 120)


@settings(max_examples=200)
@given(edges, edges, sizes, sizes, edges, edges, sizes, sizes)
def test_what_overlaps_is_what_dlib_says_overlaps(
    left: int, top: int, width: int, height: int, left2: int, top2: int, width2: int, height2: int
) -> None:
    """dlib's rectangles reckon the areas."""
    detector = onnx_engine()._network_detector
    a, b = (
        Found(x, y, x + w - 1, y + h - 1, 1.0)
        for x, y, w, h in ((left, top, width, height), (left2, top2, width2, height2))
    )
    one, other = (dlib.rectangle(f.left, f.top, f.right, f.bottom) for f in (a, b))
    inner = one.intersect(other).area()
    # dlib.rectangle + dlib.rectangle, the smallest around both, is not in its Python module.
    around = (min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))
    outer = dlib.rectangle(*around).area()
    limits = detector._window.suppression
    expected = inner > 0 and (inner / outer > limits.union or inner / min(one.area(), other.area()) > limits.covered)
    assert detector._same(a, b) is expected


def test_surest_first_and_nothing_below_the_threshold() -> None:
    detector = OnnxEngine()._network_detector
    scores = [one.score for one in detector.detect(both(), threshold=-0.5)]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0.9 for score in (one.score for one in detector.detect(both(), threshold=0.9)))
    assert len(detector.detect(astronaut(), threshold=5.0)) == 0


# ---- the search in steps of our own ----------------------------------------------------------------------------------


def overlap(a: Found, b: Found) -> float:
    """Intersection over union."""
    across = min(a.right, b.right) - max(a.left, b.left) + 1
    down = min(a.bottom, b.bottom) - max(a.top, b.top) + 1
    if across <= 0 or down <= 0:
        return 0.0
    areas = [(one.right - one.left + 1) * (one.bottom - one.top + 1) for one in (a, b)]
    return across * down / (sum(areas) - across * down)


def in_floats() -> mmod.Detector:
    """The same detector without the networks in whole numbers."""
    whole = onnx_engine()._network_detector
    return mmod.Detector(whole._reduce, whole._score, whole._resize, whole._means, whole._window)


@pytest.mark.parametrize("detector", [lambda: onnx_engine()._network_detector, in_floats], ids=["bytes", "floats"])
def test_the_search_finds_the_faces_that_dlib_finds(detector: Callable[[], mmod.Detector]) -> None:
    faces = 0
    for pixels in oracle.varied(30, 500):
        theirs = [one for one in onnx_engine()._network_detector.detect(pixels) if one.score > 0.3]
        mine = detector().search(pixels, 0.667)
        faces += len(theirs)
        for one in theirs:
            best = max(mine, key=lambda other: overlap(one, other), default=None)
            assert best is not None
            # A face between two sizes is seen at neither as surely as at its own.
            assert overlap(one, best) > 0.4
            assert best.score > one.score - 0.7
    assert faces >= 20


def test_whole_numbers_change_scores_by_little() -> None:
    faces = 0
    for pixels in oracle.varied(12, 400):
        fast, exact = onnx_engine()._network_detector.search(pixels, 0.8), in_floats().search(pixels, 0.8)
        sure = [one for one in exact if one.score > 0.15]
        assert all(
            any(overlap(one, other) > 0.6 and abs(one.score - other.score) < 0.15 for other in fast) for one in sure
        )
        assert len(sure) <= len(fast) <= len(in_floats().search(pixels, 0.8, threshold=-0.15))
        faces += len(sure)
    assert faces >= 6


@pytest.mark.parametrize("shape", [(1, 1), (47, 300), (48, 48), (60, 900)])
def test_the_search_takes_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    assert onnx_engine()._network_detector.search(np.full((*shape, 3), 90, np.uint8), 0.64) == []


def test_a_face_at_the_edge_keeps_its_place() -> None:
    pixels = np.ascontiguousarray(astronaut()[60:260, 150:330])
    [found] = onnx_engine()._network_detector.search(pixels, 0.667)
    [dlibs] = oracle.boxes(astronaut())
    moved = Found(dlibs[0] - 150, dlibs[1] - 60, dlibs[2] - 150, dlibs[3] - 60, 1.0)
    assert overlap(found, moved) > 0.5
