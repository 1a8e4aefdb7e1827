"""dlib's two networks in onnxruntime: the same vectors and boxes, some fifteen times sooner.

dlib itself still finds the five points, cuts the chips and runs the HOG detector. Sessions use one thread each, because
there is one worker for each core, and are made at the first call that needs them.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from guyverd.errors import EngineError
from guyverd.faces import models, reference
from guyverd.faces.dlib_engine import DlibEngine, resize
from guyverd.faces.engine import CHIP_SIZE, Detection, Points
from guyverd.faces.mmod import Detector
from guyverd.faces.weights import Weights, find, fingerprint
from guyverd.model import EMBEDDING_SIZE, Box

if TYPE_CHECKING:
    from guyverd.model import FloatArray, Pixels

log = logging.getLogger(__name__)
_Made = TypeVar("_Made")

DEVICES = ("cpu", "gpu")
_GPU_PROVIDERS = (
    "CUDAExecutionProvider",
    "MIGraphXExecutionProvider",
    "ROCMExecutionProvider",
    "OpenVINOExecutionProvider",
    "CoreMLExecutionProvider",
    "DmlExecutionProvider",
)
"""In the order in which they are preferred. (TensorRT is left out: it would build its plan anew for every size.)"""
_CPU = "CPUExecutionProvider"
_BATCH = 16
"""Chips that go through the network at once: more gain nothing and hold memory."""
_SHORTEST = 40
"""Pixels; less holds no face that the detectors know."""


class OnnxEngine:
    """The Engine that onnxruntime is. `detector` is "cnn" or "hog"; `device` "gpu" uses one where there is one.

    With `step` the CNN looks at fewer sizes than dlib does (`mmod.Detector.search`); without, at dlib's own. `cache` is
    the folder that models are kept in; `models.folder()` unless told.
    """

    def __init__(
        self,
        detector: str = "cnn",
        device: str = "cpu",
        cache: str | None = None,
        step: float | None = None,
    ) -> None:
        if device not in DEVICES:
            raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {device!r}")
        if step is not None and not 0.1 <= step <= 0.95:
            raise ValueError(f"step must be from 0.1 to 0.95, not {step:g}")
        self._step = step
        self._dlib = DlibEngine(detector)
        self._device = device
        self._cache = models.folder() if cache is None else cache

    @property
    def detector(self) -> str:
        """Which detector: its name is the scale of the confidences."""
        return self._dlib.detector

    @functools.cached_property
    def name(self) -> str:
        """Such as `onnxruntime 1.31.1 cpu cnn 3c4d5e6f, dlib 20.0.1 5-point 1a2b3c4d, resnet 5e6f7a8b`."""
        detector = "hog"
        if self.detector == "cnn":
            detector = f"cnn {fingerprint(find(Weights.CNN_DETECTOR))}"
            detector += "" if self._step is None else f" step {self._step:.3g}"
        points, network = fingerprint(find(Weights.LANDMARKS)), fingerprint(find(Weights.EMBEDDING))
        version = self._dlib.version
        return f"{self.runtime} {detector}, dlib {version} 5-point {points}, resnet {network}"

    @functools.cached_property
    def runtime(self) -> str:
        """Onnxruntime's version and where the networks run, such as `onnxruntime 1.31.1 cpu`."""
        return f"onnxruntime {_onnxruntime().__version__} {_called(self._providers[0])}"

    def load(self) -> None:
        """Load, and where need be make and verify, the networks now rather than when they are first used."""
        if self.detector == "cnn":
            _ = self._network_detector
        _ = self._embedding

    def detect(self, pixels: Pixels) -> list[Detection]:
        """The faces in `pixels`. Both detectors find faces from 80 px on; enlarge the picture for smaller ones."""
        if min(pixels.shape[:2]) < _SHORTEST:
            return []
        if self.detector == "hog":
            return self._dlib.detect(pixels)
        network = self._network_detector
        found = network.detect(pixels) if self._step is None else network.search(pixels, self._step)
        return [Detection(Box(one.left, one.top, one.right + 1, one.bottom + 1), one.score) for one in found]

    def landmarks(self, pixels: Pixels, box: Box) -> Points:
        """The five points of the face in `box`; whole pixels, and they may lie outside the picture."""
        return self._dlib.landmarks(pixels, box)

    def chips(self, pixels: Pixels, landmarks: Sequence[Points]) -> Pixels:
        """uint8[n, 150, 150, 3]: the faces turned upright and scaled; black where a face reaches past the picture."""
        return self._dlib.chips(pixels, landmarks)

    def embed(self, chips: Pixels) -> FloatArray:
        """float32[n, 128]: the vector of each chip, as it is."""
        if not len(chips):
            return np.zeros((0, EMBEDDING_SIZE), np.float32)
        return self._embedding(chips)

    @functools.cached_property
    def _embedding(self) -> Callable[[Pixels], FloatArray]:
        def embedding(sessions: Sequence[Any]) -> Callable[[Pixels], FloatArray]:
            def embed(chips: Pixels) -> FloatArray:
                parts = []
                for first in range(0, len(chips), _BATCH):
                    values = chips[first : first + _BATCH].transpose(0, 3, 1, 2).astype(np.float32, order="C")
                    assert values.shape[2:] == (CHIP_SIZE, CHIP_SIZE)
                    parts.append(_run(sessions[0], values))
                return np.concatenate(parts)

            return embed

        def verify(embed: Callable[[Pixels], FloatArray]) -> str:
            apart = float(np.abs(embed(reference.chips()) - reference.vectors()).max())
            return "" if apart <= reference.CLOSE else f"vectors differ from dlib's by {apart:.1g}"

        return self._verified(Weights.EMBEDDING, lambda _, sessions: embedding(sessions), verify)

    @functools.cached_property
    def _network_detector(self) -> Detector:
        def detector(model: models.Model, sessions: Sequence[Any]) -> Detector:
            assert model.window is not None
            reduce, score, *bytes_ = (functools.partial(_run, session) for session in sessions)
            # Whole numbers are for processors: on a GPU they are no faster, or not there.
            fast = (bytes_[0], bytes_[1]) if self._providers == [_CPU] else None
            return Detector(reduce, score, resize, model.means, model.window, fast=fast)

        def verify(made: Detector) -> str:
            found = made.detect(reference.picture())
            boxes = [(one.left, one.top, one.right, one.bottom) for one in found]
            if boxes != [reference.BOX] or abs(found[0].score - reference.SCORE) > reference.CLOSE_SCORE:
                return f"the detector finds {found} where dlib's finds a face at {reference.BOX}"
            found = made.search(reference.picture(), 5 / 6)
            if len(found) != 1 or abs(found[0].score - reference.SCORE) > reference.CLOSE_SCORE_IN_BYTES:
                return f"the fast detector finds {found} where dlib's finds a face at {reference.BOX}"
            return ""

        return self._verified(Weights.CNN_DETECTOR, detector, verify)

    def _verified(
        self,
        weights: Weights,
        make: Callable[[models.Model, Sequence[Any]], _Made],
        verify: Callable[[_Made], str],
    ) -> _Made:
        """What `make` makes of a network, once `verify` finds nothing wrong with it; on a GPU, or else on the CPU."""
        model = models.load(weights, self._cache)
        trouble = ""
        cause: Exception | None = None
        for providers in (self._providers, [_CPU]):
            runtime = f"onnxruntime {_onnxruntime().__version__} {providers[0]}"
            try:
                made = make(model, [_session(graph, providers) for graph in model.graphs])
                trouble = "" if runtime in model.verified else verify(made)
            except MemoryError:
                raise
            except Exception as problem:
                trouble, cause = f"{type(problem).__name__}: {problem}", problem
            if not trouble:
                if runtime not in model.verified:
                    models.remember_verified(weights, self._cache, model, runtime)
                return made
            log.warning("%s cannot be used on %s: %s", weights, _called(providers[0]), trouble)
            # Whatever else is made from now on is named for, and made for, what really runs.
            self._providers = [_CPU]
            self.__dict__.pop("name", None)
            self.__dict__.pop("runtime", None)
        raise EngineError(detail=f"onnxruntime does not compute what dlib does with {weights}: {trouble}") from cause

    @functools.cached_property
    def _providers(self) -> list[str]:
        if self._device == "gpu":
            there = _onnxruntime().get_available_providers()
            for provider in _GPU_PROVIDERS:
                if provider in there:
                    return [provider, _CPU]
        return [_CPU]

    def __getstate__(self) -> dict[str, object]:
        """Only the choice travels to a worker, never a loaded model."""
        return {"_dlib": self._dlib, "_device": self._device, "_cache": self._cache, "_step": self._step}


@functools.cache
def _onnxruntime() -> ModuleType:
    # Unless told not to before it loads, it keeps a record of its use and sends it to its maker.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as problem:
        raise EngineError(detail=f"onnxruntime cannot be imported: {problem}") from problem


def _session(graph: bytes, providers: Sequence[str]) -> Any:
    runtime = _onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Pictures come in all sizes, and a pattern for each would be kept.
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    session = runtime.InferenceSession(graph, options, providers=list(providers))
    # Where a provider is installed and its device is not there, onnxruntime takes another by itself.
    if session.get_providers()[0] != providers[0]:
        raise EngineError(detail=f"{_called(providers[0])} is not there")
    return session


_NO_MEMORY = ("AllocateRaw", "bad_alloc", "Failed to allocate", "out of memory")
"""How onnxruntime says it."""


def _run(session: Any, values: FloatArray) -> FloatArray:
    try:
        result: FloatArray = session.run(None, {"input": values})[0]
    except Exception as problem:
        if any(word in str(problem) for word in _NO_MEMORY):
            # One picture's trouble, not that of all.
            raise MemoryError("it takes more memory than a worker may use") from problem
        raise EngineError(detail=f"onnxruntime: {problem}") from problem
    return result


def _called(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider").lower()
