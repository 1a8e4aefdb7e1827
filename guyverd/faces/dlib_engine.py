"""dlib as face engine: its HOG or CNN detector, 5-point predictor and 128-d ResNet.

The vector of a chip equals what `face_recognition.face_encodings(..., model="small")` gives for the same box. dlib and
each model are loaded at the first call that needs them: naming the engine, or constructing one in a process that only
hands it to workers, costs nothing.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from guyverd.errors import EngineError
from guyverd.faces.engine import CHIP_SIZE, Detection, Points
from guyverd.faces.weights import Weights, find, fingerprint
from guyverd.model import EMBEDDING_SIZE, Box

if TYPE_CHECKING:
    import dlib

    from guyverd.model import FloatArray, Pixels

_Picture = TypeVar("_Picture", "Pixels", "FloatArray")
DETECTORS = ("hog", "cnn")
_PADDING = 0.25
"""Share of the face that a chip shows on each side; what the network was trained with."""
_SHORTEST = 40
"""Pixels; less holds no face that the detectors know (80 px), and dlib's CNN writes past its memory from 31 px down."""


class DlibEngine:
    """The Engine that dlib is. `detector` is "hog" or "cnn"."""

    def __init__(self, detector: str = "hog") -> None:
        if detector not in DETECTORS:
            raise ValueError(f"detector must be one of {', '.join(DETECTORS)}, not {detector!r}")
        self._detector = detector

    @property
    def detector(self) -> str:
        """Which detector: its name is the scale of the confidences."""
        return self._detector

    @property
    def version(self) -> str:
        """Dlib's own."""
        return _version()

    @functools.cached_property
    def name(self) -> str:
        """Such as `dlib 20.0.1 hog, 5-point 1a2b3c4d, resnet 5e6f7a8b`; models by a hash of their files."""
        detector = "hog"
        if self._detector == "cnn":
            detector = f"cnn {fingerprint(find(Weights.CNN_DETECTOR))}"
        points, network = fingerprint(find(Weights.LANDMARKS)), fingerprint(find(Weights.EMBEDDING))
        return f"dlib {_version()} {detector}, 5-point {points}, resnet {network}"

    def detect(self, pixels: Pixels) -> list[Detection]:
        """The faces in `pixels`. HOG and CNN find faces from 80 px on; enlarge the picture for smaller ones."""
        if min(pixels.shape[:2]) < _SHORTEST:
            return []
        if self._detector == "cnn":
            return [Detection(_box(found.rect), float(found.confidence)) for found in self._cnn(pixels, 0)]
        rectangles, scores, _ = self._hog.run(pixels, 0, 0.0)
        return [Detection(_box(rect), float(score)) for rect, score in zip(rectangles, scores, strict=True)]

    def landmarks(self, pixels: Pixels, box: Box) -> Points:
        """The five points of the face in `box`; whole pixels, and they may lie outside the picture."""
        return tuple((float(p.x), float(p.y)) for p in self._predictor(pixels, _rectangle(box)).parts())

    def chips(self, pixels: Pixels, landmarks: Sequence[Points]) -> Pixels:
        """uint8[n, 150, 150, 3]: the faces turned upright and scaled; black where a face reaches past the picture."""
        if not landmarks:
            return np.zeros((0, CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
        dlib = _dlib()
        shapes = dlib.full_object_detections()
        for points in landmarks:
            # Only the points are used; dlib's are whole numbers, so nothing is lost by rounding its own.
            parts = [dlib.point(round(x), round(y)) for x, y in points]
            shapes.append(dlib.full_object_detection(dlib.rectangle(0, 0, 0, 0), parts))
        return np.stack(dlib.get_face_chips(pixels, shapes, size=CHIP_SIZE, padding=_PADDING))

    def embed(self, chips: Pixels) -> FloatArray:
        """float32[n, 128]: the vector of each chip, as it is."""
        if not len(chips):
            return np.zeros((0, EMBEDDING_SIZE), np.float32)
        vectors = self._network.compute_face_descriptor([np.ascontiguousarray(chip) for chip in chips], 0)
        return np.array([np.array(vector) for vector in vectors], np.float32)

    @functools.cached_property
    def _hog(self) -> dlib.fhog_object_detector:
        return cast("dlib.fhog_object_detector", _dlib().get_frontal_face_detector())

    @functools.cached_property
    def _cnn(self) -> dlib.cnn_face_detection_model_v1:
        return cast("dlib.cnn_face_detection_model_v1", _load("cnn_face_detection_model_v1", Weights.CNN_DETECTOR))

    @functools.cached_property
    def _predictor(self) -> dlib.shape_predictor:
        return cast("dlib.shape_predictor", _load("shape_predictor", Weights.LANDMARKS))

    @functools.cached_property
    def _network(self) -> dlib.face_recognition_model_v1:
        return cast("dlib.face_recognition_model_v1", _load("face_recognition_model_v1", Weights.EMBEDDING))

    def __getstate__(self) -> dict[str, object]:
        """Only the choice travels to a worker, never a loaded model."""
        return {"_detector": self._detector}


def resize(picture: _Picture, rows: int, columns: int) -> _Picture:
    """`picture`, uint8[h, w, 3] or one channel of it, as dlib resizes for its own networks.

    Bilinear, without smoothing. Raises EngineError where dlib is missing.
    """
    return cast("_Picture", _dlib().resize_image(picture, rows, columns))


@functools.cache
def _dlib() -> ModuleType:
    try:
        return importlib.import_module("dlib")
    except ImportError as problem:
        raise EngineError(detail=f"dlib cannot be imported: {problem}") from problem


def _load(kind: str, weights: Weights) -> object:
    path = find(weights)
    try:
        return getattr(_dlib(), kind)(path)
    except RuntimeError as problem:
        raise EngineError(detail=f"{path} cannot be loaded: {problem}") from problem


def _version() -> str:
    """The version of dlib; `dlib-bin` is the same library, its `.post` only tells the packing apart."""
    for name in ("dlib-bin", "dlib"):
        try:
            return importlib.metadata.version(name).partition(".post")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    raise EngineError(detail="dlib is not installed")


def _box(rect: dlib.rectangle) -> Box:
    """As a Box, which does not count the last pixel in; dlib does."""
    return Box(rect.left(), rect.top(), rect.right() + 1, rect.bottom() + 1)


def _rectangle(box: Box) -> dlib.rectangle:
    return cast("dlib.rectangle", _dlib().rectangle(box.left, box.top, box.right - 1, box.bottom - 1))
