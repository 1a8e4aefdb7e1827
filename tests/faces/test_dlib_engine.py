"""dlib itself, against face_recognition as the reference."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from guyverd.errors import EngineError
from guyverd.faces import dlib_engine
from guyverd.faces.dlib_engine import DlibEngine
from guyverd.model import Box
from tests.faces.samples import astronaut, both, engine, hopper


@pytest.mark.parametrize("picture", [astronaut, hopper])
@pytest.mark.parametrize("shift", [(0, 0, 0, 0), (5, -7, 11, 3)])
def test_vectors_equal_face_recognition(picture, shift: tuple[int, int, int, int]) -> None:  # type: ignore[no-untyped-def]
    face_recognition = pytest.importorskip("face_recognition", reason="the reference is an optional extra")
    pixels = picture()
    found = max(engine().detect(pixels), key=lambda item: item.confidence).box
    box = Box(*(edge + by for edge, by in zip((found.left, found.top, found.right, found.bottom), shift, strict=True)))
    points = engine().landmarks(pixels, box)
    vector = engine().embed(engine().chips(pixels, [points]))[0]
    # It counts the last pixel in.
    location = (box.top, box.right - 1, box.bottom - 1, box.left)
    [reference] = face_recognition.face_encodings(pixels, known_face_locations=[location], model="small")
    assert np.abs(vector - reference).max() < 1e-6
    [shape] = face_recognition.face_landmarks(pixels, face_locations=[location], model="small")
    assert [*shape["right_eye"], *shape["left_eye"], *shape["nose_tip"]] == list(points)


def test_boxes_equal_face_recognition() -> None:
    face_recognition = pytest.importorskip("face_recognition", reason="the reference is an optional extra")
    mine = {(b.top, b.right - 1, b.bottom - 1, b.left) for b in (item.box for item in engine().detect(both()))}
    assert len(mine) >= 2
    assert mine == set(face_recognition.face_locations(both(), number_of_times_to_upsample=0))


def test_the_five_points_are_ordered_as_documented() -> None:
    best = max(engine().detect(astronaut()), key=lambda item: item.confidence)
    points = engine().landmarks(astronaut(), best.box)
    assert len(points) == 5
    outer_right, inner_right, outer_left, inner_left, nose = points
    assert outer_left[0] < inner_left[0] < nose[0] < inner_right[0] < outer_right[0]
    assert nose[1] > max(y for _, y in points[:4])
    assert all(best.box.left <= x < best.box.right and best.box.top <= y < best.box.bottom for x, y in points)


def test_many_chips_are_as_one() -> None:
    boxes = [item.box for item in engine().detect(both())]
    points = [engine().landmarks(both(), box) for box in boxes]
    chips = engine().chips(both(), points)
    assert chips.shape == (len(boxes), 150, 150, 3)
    assert chips.dtype == np.uint8
    vectors = engine().embed(np.concatenate([chips] * 6))
    assert vectors.shape == (6 * len(boxes), 128)
    assert vectors.dtype == np.float32
    for index, (chip, point) in enumerate(zip(chips, points, strict=True)):
        assert np.array_equal(chip, engine().chips(both(), [point])[0])
        assert np.abs(vectors[index :: len(boxes)] - engine().embed(chip[None])).max() < 1e-6


def test_nothing_in_nothing_out() -> None:
    assert engine().chips(astronaut(), []).shape == (0, 150, 150, 3)
    assert engine().embed(engine().chips(astronaut(), [])).shape == (0, 128)


@pytest.mark.parametrize("detector", ["hog", "cnn"])
@pytest.mark.parametrize(
    "shape", [(0, 0), (1, 1), (1, 300), (2, 2), (10, 10), (29, 3), (31, 31), (40, 40), (40, 600), (79, 79), (300, 2)]
)
def test_pictures_too_small_for_a_face(detector: str, shape: tuple[int, int]) -> None:
    assert DlibEngine(detector).detect(np.full((*shape, 3), 128, np.uint8)) == []


def test_a_face_may_reach_past_the_picture() -> None:
    cut = np.ascontiguousarray(astronaut()[:, 190:])
    points = engine().landmarks(cut, Box(-60, 70, 110, 240))
    assert np.isfinite(engine().embed(engine().chips(cut, [points]))).all()


def test_cnn_finds_the_same_face() -> None:
    cnn = DlibEngine("cnn")
    [found] = cnn.detect(np.ascontiguousarray(astronaut()[:300, 80:380]))
    [hog] = engine().detect(np.ascontiguousarray(astronaut()[:300, 80:380]))
    assert 0.5 < found.confidence < 1.2
    assert abs(found.box.left - hog.box.left) < 30
    assert abs(found.box.bottom - hog.box.bottom) < 40


def test_the_name_tells_engines_apart() -> None:
    assert DlibEngine().name == DlibEngine("hog").name != DlibEngine("cnn").name
    assert DlibEngine().detector == "hog"
    for word in ("dlib 20", "hog", "5-point", "resnet"):
        assert word in DlibEngine().name
    with pytest.raises(ValueError, match="hog, cnn"):
        DlibEngine("yolo")


def test_a_loaded_engine_travels_light() -> None:
    engine().detect(astronaut())
    assert len(pickle.dumps(engine())) < 200
    assert pickle.loads(pickle.dumps(DlibEngine("cnn"))).detector == "cnn"


def test_a_damaged_model_is_an_engine_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.dat"
    broken.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    monkeypatch.setattr(dlib_engine, "find", lambda which: str(broken))
    with pytest.raises(EngineError, match=r"broken\.dat cannot be loaded"):
        DlibEngine().landmarks(astronaut(), Box(0, 0, 100, 100))
