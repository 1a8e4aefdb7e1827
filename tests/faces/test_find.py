from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from guyverd.faces.engine import Detection, Engine, Points
from guyverd.faces.find import FaceFinder, distinct, resized
from guyverd.faces.policy import Policy
from guyverd.model import Box, DetectedFace
from tests.faces.samples import astronaut, both, engine, hopper

if TYPE_CHECKING:
    from guyverd.model import FloatArray, Pixels


class Fake:
    """An engine that finds what it is told to; its vectors tell a chip from its mirror image."""

    name = "fake"
    detector = "hog"

    def __init__(self, *found: Detection) -> None:
        self.found = list(found)
        self.searched: list[tuple[int, int]] = []

    def detect(self, pixels: Pixels) -> list[Detection]:
        self.searched.append((pixels.shape[1], pixels.shape[0]))
        return self.found

    def landmarks(self, pixels: Pixels, box: Box) -> Points:
        x, y, w, h = box.left, box.top, box.width, box.height
        return tuple((x + w * a, y + h * b) for a, b in ((0.8, 0.3), (0.6, 0.3), (0.2, 0.3), (0.4, 0.3), (0.5, 0.6)))

    def chips(self, pixels: Pixels, landmarks: Sequence[Points]) -> Pixels:
        chips = np.zeros((len(landmarks), 150, 150, 3), np.uint8)
        chips[:, :, :75] = 200
        return chips

    def embed(self, chips: Pixels) -> FloatArray:
        return np.stack([np.full(128, chip[:, :75].mean() * 3 + chip[:, 75:].mean(), np.float32) for chip in chips])


def face(left: int, top: int, size: int = 100, confidence: float = 1.0) -> Detection:
    return Detection(Box(left, top, left + size, top + size), confidence)


def at(canvas: int) -> Policy:
    return Policy(canvas, enlarge=2.0, step=0.64, decoded=1500)


def blank(width: int, height: int) -> Pixels:
    return np.zeros((height, width, 3), np.uint8)


def test_both_people_are_found_left_to_right() -> None:
    faces = FaceFinder(engine(), at(1100)).find(both(), 1.0)
    assert [face.box.left < 540 for face in faces] == sorted((face.box.left < 540 for face in faces), reverse=True)
    good = [face for face in faces if face.confidence > 1]
    assert len(good) == 2
    for item in good:
        assert item.embedding.shape == (128,)
        assert item.embedding.dtype == np.float32
        assert item.quality.score > 0.6
    assert np.linalg.norm(good[0].embedding - good[1].embedding) > 0.6


def test_the_vector_is_the_mean_with_the_mirror_image() -> None:
    [found] = FaceFinder(engine(), at(512)).find(np.ascontiguousarray(astronaut()[:300, 80:380]), 1.0)
    pixels = np.ascontiguousarray(astronaut()[:300, 80:380])
    chips = engine().chips(pixels, [found.landmarks])
    mirrored = np.ascontiguousarray(chips[:, :, ::-1])
    expected = (engine().embed(chips)[0] + engine().embed(mirrored)[0]) / 2
    assert np.abs(found.embedding - expected).max() < 1e-6
    assert not np.array_equal(chips, mirrored)


def test_who_someone_is_does_not_depend_on_the_pictures_size() -> None:
    def vector(pixels: Pixels, scale: float) -> DetectedFace:
        return max(FaceFinder(engine(), at(1000)).find(pixels, scale), key=lambda item: item.confidence)

    whole = vector(hopper(), 1.0)
    half = vector(resized(hopper(), 0.5), 0.5)
    assert np.linalg.norm(whole.embedding - half.embedding) < 0.3
    for edge in ("left", "top", "right", "bottom"):
        assert abs(getattr(whole.box, edge) - getattr(half.box, edge)) < 30
    assert np.abs(np.array(whole.landmarks) - np.array(half.landmarks)).max() < 15


def test_the_same_picture_gives_the_same_faces() -> None:
    first, second = (FaceFinder(engine(), at(1100)).find(both(), 1.0) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert (a.box, a.confidence, a.landmarks, a.quality) == (b.box, b.confidence, b.landmarks, b.quality)
        assert np.array_equal(a.embedding, b.embedding)


def test_pictures_without_faces() -> None:
    for size in ((2, 2), (3, 400), (200, 200)):
        assert FaceFinder(engine(), at(2000)).find(blank(*size), 1.0) == ()


def test_boxes_are_in_pixels_of_the_original() -> None:
    # The original has 4000 px, what was decoded 2000, the canvas 1000.
    fake = Fake(face(100, 50))
    [found] = FaceFinder(fake, at(1000)).find(blank(2000, 1500), 0.5)
    assert fake.searched == [(1000, 750)]
    assert found.box == Box(400, 200, 800, 600)
    assert found.landmarks[4] == (600, 440)


def test_small_pictures_are_enlarged_at_most_twice() -> None:
    for size, expected in (((300, 200), (600, 400)), ((800, 600), (1000, 750)), ((1000, 10), (1000, 10))):
        fake = Fake()
        FaceFinder(fake, at(1000)).find(blank(*size), 1.0)
        assert fake.searched == [expected]


def test_vectors_of_chip_and_mirror_are_averaged() -> None:
    [found] = FaceFinder(Fake(face(0, 0)), at(1000)).find(blank(1000, 1000), 1.0)
    assert found.embedding.tolist() == [400.0] * 128


def test_a_face_found_twice_is_one() -> None:
    shifted = face(110, 95, confidence=0.5)
    assert distinct([shifted, face(100, 100)]) == [face(100, 100)]
    inner = face(120, 120, size=55, confidence=2.0)
    assert distinct([face(100, 100), inner]) == [inner], "each holds the other's centre"


def test_neighbours_and_a_child_before_a_chest_are_others() -> None:
    crowd = [face(0, 0), face(80, 0), face(0, 80)]
    assert len(distinct(crowd)) == 3
    assert len(distinct([face(0, 0, size=300), face(20, 190, size=90)])) == 2


boxes = st.builds(
    face, st.integers(-50, 200), st.integers(-50, 200), st.integers(20, 150), st.sampled_from([0.1, 1.0, 2.0])
)


@given(st.lists(boxes, max_size=12), st.randoms())
def test_what_is_kept_does_not_depend_on_the_order_found(found: list[Detection], random: object) -> None:
    kept = distinct(found)
    shuffled = found[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert distinct(shuffled) == kept
    assert distinct(kept) == kept
    assert bool(kept) == bool(found)
    if found:
        assert max(item.confidence for item in kept) == max(item.confidence for item in found)


@settings(deadline=None, max_examples=30)
@given(st.lists(boxes, max_size=5), st.randoms())
def test_faces_are_ordered_whatever_the_engine_does(found: list[Detection], random: object) -> None:
    def run(order: list[Detection]) -> list[Box]:
        return [item.box for item in FaceFinder(Fake(*order), at(400)).find(blank(400, 300), 1.0)]

    shuffled = found[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    result = run(found)
    assert result == run(shuffled)
    assert result == sorted(result, key=lambda box: (box.left, box.top, box.right, box.bottom))


@given(st.integers(1, 900), st.integers(1, 900), st.integers(100, 500))
def test_the_canvas_is_never_exceeded(width: int, height: int, canvas: int) -> None:
    fake = Fake()
    FaceFinder(fake, at(canvas)).find(blank(width, height), 1.0)
    [(across, down)] = fake.searched
    longest = max(width, height)
    assert max(across, down) == round(min(canvas, 2 * longest))
    assert abs(across * height - down * width) <= longest, "the shape is kept"


@pytest.mark.parametrize("factor", [2.0, 0.9, 0.5, 0.31, 0.12])
def test_a_resized_picture_shows_the_same(factor: float) -> None:
    pixels = resized(hopper(), factor)
    height, width = hopper().shape[:2]
    assert pixels.shape == (round(height * factor), round(width * factor), 3)
    assert pixels.flags.c_contiguous
    reference = Image.fromarray(hopper()).resize(pixels.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(pixels.astype(int) - np.asarray(reference)).mean() < 5
    assert resized(pixels, 1.0) is pixels


def test_dlib_is_an_engine() -> None:
    one: Engine = engine()
    assert one.detector == "hog"
