"""The engine: dlib's own vectors, on the CPU or wherever onnxruntime can."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guyverd.faces import onnx_engine as module
from guyverd.faces import reference
from guyverd.faces.dlib_engine import DlibEngine
from guyverd.faces.find import FaceFinder
from guyverd.faces.onnx_engine import OnnxEngine
from guyverd.faces.policy import Policy
from tests.faces import oracle
from tests.faces.samples import astronaut, both, engine, hopper, onnx_engine


def chips_of_all_kinds() -> np.ndarray:
    """uint8[56, 150, 150, 3]: two faces cut too wide, too narrow, aside, turned, dark; their mirrors; and noise."""
    random = np.random.default_rng(3)
    chips = []
    for picture in (astronaut, hopper):
        best = max(engine().detect(picture()), key=lambda item: item.confidence).box
        for _ in range(12):
            points = [
                (x + random.normal(0, 6), y + random.normal(0, 6)) for x, y in engine().landmarks(picture(), best)
            ]
            [chip] = engine().chips(picture(), [tuple(points)])
            chips += [(chip * random.uniform(0.3, 1)).astype(np.uint8), chip[:, ::-1]]
    chips += [random.integers(0, 256, (150, 150, 3), np.uint8) for _ in range(6)]
    chips += [np.full((150, 150, 3), value, np.uint8) for value in (0, 255)]
    return np.stack(chips)


def test_vectors_are_dlibs() -> None:
    chips = chips_of_all_kinds()
    assert len(chips) >= 50
    mine, theirs = onnx_engine().embed(chips), oracle.vectors(chips)
    assert mine.dtype == np.float32
    assert mine.shape == theirs.shape == (len(chips), 128)
    assert np.abs(mine - theirs).max() <= 1e-5
    assert len({row.tobytes() for row in np.round(theirs, 3)}) > 50


def test_the_mean_with_the_mirror_image_is_kept() -> None:
    policy = Policy(canvas=1100, enlarge=1.0, step=0.64, decoded=1500)
    finder, reference_finder = FaceFinder(onnx_engine(), policy), FaceFinder(DlibEngine("cnn"), policy)
    mine, theirs = finder.find(both(), 1.0), reference_finder.find(both(), 1.0)
    assert [face.box for face in mine] == [face.box for face in theirs]
    assert len(mine) == 2
    for a, b in zip(mine, theirs, strict=True):
        assert np.abs(a.embedding - b.embedding).max() <= 1e-5
        assert a.landmarks == b.landmarks
        assert abs(a.quality.score - b.quality.score) < 1e-4


def test_many_chips_are_as_one() -> None:
    chips = chips_of_all_kinds()[:40]
    whole = onnx_engine().embed(chips)
    single = np.concatenate([onnx_engine().embed(chip[None]) for chip in chips])
    assert np.abs(whole - single).max() < 1e-6


def test_nothing_in_nothing_out() -> None:
    assert onnx_engine().embed(np.zeros((0, 150, 150, 3), np.uint8)).shape == (0, 128)
    assert onnx_engine().chips(astronaut(), []).shape == (0, 150, 150, 3)


def test_the_hog_detector_is_dlibs() -> None:
    assert OnnxEngine("hog").detect(both()) == DlibEngine("hog").detect(both())


def test_what_the_drawing_must_give_is_what_dlib_gives() -> None:
    assert np.abs(oracle.vectors(reference.chips()) - reference.vectors()).max() <= 1e-6
    [(box, score)] = oracle.boxes(reference.picture()).items()
    assert box == reference.BOX
    assert abs(score - reference.SCORE) < 1e-3
    # The two chips tell wrong weights apart from right ones only if they differ themselves.
    assert np.linalg.norm(reference.vectors()[0] - reference.vectors()[1]) > 0.2


def test_the_name_tells_engines_apart() -> None:
    assert onnx_engine().name != OnnxEngine("hog").name
    for word in ("onnxruntime 1.", "cpu", "cnn", "5-point", "resnet"):
        assert word in onnx_engine().name
    with pytest.raises(ValueError, match="cpu, gpu"):
        OnnxEngine(device="tpu")
    with pytest.raises(ValueError, match="hog, cnn"):
        OnnxEngine("yolo")


def test_a_loaded_engine_travels_light() -> None:
    onnx_engine().detect(astronaut())
    assert len(pickle.dumps(onnx_engine())) < 600
    assert pickle.loads(pickle.dumps(OnnxEngine("hog", cache="/c"))).detector == "hog"


_QUIET = """
import os, sys, time
from guyverd.faces import reference
from guyverd.faces.onnx_engine import OnnxEngine
engine = OnnxEngine(cache=sys.argv[1])
engine.embed(reference.chips()), engine.detect(reference.picture())
time.sleep(1)
print(len(os.listdir("/proc/self/task")))
for number in os.listdir("/proc/self/fd"):
    try:
        print(os.readlink(f"/proc/self/fd/{number}"))
    except FileNotFoundError:
        pass
"""


def test_nothing_is_recorded_or_sent(tmp_path: Path) -> None:
    """onnxruntime has a client for its maker's servers built in, which keeps a database and a thread."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_", "OMP_"))}
    environment = {**kept, "HOME": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _QUIET, str(tmp_path / "cache")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    threads, *open_files = done.stdout.splitlines()
    assert not [name for name in open_files if "socket:" in name or ".db" in name]
    assert list(home.rglob("*")) == []
    # Our own, and one that onnxruntime keeps for nothing.
    assert int(threads) <= 2


_WALLED = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("no such wall")
from guyverd.faces import reference
from guyverd.faces.onnx_engine import OnnxEngine
engine = OnnxEngine(cache=sys.argv[1])
print(len(engine.embed(reference.chips())), len(engine.detect(reference.picture())))
"""


def test_it_runs_where_memory_is_never_both_written_and_executed(tmp_path: Path) -> None:
    """The wall that systemd's MemoryDenyWriteExecute= is; PR_SET_MDWE, since Linux 6.3."""
    call = [sys.executable, "-c", _WALLED, str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    if "no such wall" in done.stderr:
        pytest.skip("this kernel cannot forbid it")
    assert done.stdout.split() == ["2", "1"]


@pytest.mark.parametrize("text", ["BFCArena::AllocateRawInternal Failed to allocate memory", "std::bad_alloc"])
def test_a_picture_that_takes_too_much_is_alone_in_that(text: str) -> None:
    class Session:
        def run(self, *_: Any) -> Any:
            raise RuntimeError(text)

    with pytest.raises(MemoryError, match="more memory than a worker may use"):
        module._run(Session(), np.zeros((1, 3, 9, 9), np.float32))


def test_everything_is_loaded_on_demand(tmp_path: Path) -> None:
    engine = OnnxEngine(cache=str(tmp_path))
    engine.load()
    assert len(list(tmp_path.iterdir())) == 2
    assert {"_network_detector", "_embedding"} <= vars(engine).keys()
    hog = OnnxEngine("hog", cache=str(tmp_path))
    hog.load()
    assert "_network_detector" not in vars(hog)


# ---- GPU -------------------------------------------------------------------------------------------------------------


class Runtime(types.ModuleType):
    """onnxruntime, as if it had a GPU provider whose sessions are made by `session`."""

    def __init__(self, session: Any, real: types.ModuleType) -> None:
        super().__init__("onnxruntime")
        self.real = real
        self.asked: list[list[str]] = []
        self.session = session

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def InferenceSession(self, graph: bytes, options: Any, providers: list[str]) -> Any:  # noqa: N802
        self.asked.append(providers)
        cpu = self.real.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return cpu if providers == ["CPUExecutionProvider"] else self.session(cpu)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class Session:
    """A session on a pretended GPU, which is `wrong` by that much."""

    def __init__(self, cpu: Any, wrong: float = 0.0, provider: str = "CUDAExecutionProvider") -> None:
        self.cpu = cpu
        self.wrong = wrong
        self.provider = provider

    def get_providers(self) -> list[str]:
        return [self.provider, "CPUExecutionProvider"]

    def run(self, *call: Any) -> Any:
        return [value + np.float32(self.wrong) for value in self.cpu.run(*call)]


def broken(_: Any) -> Any:
    raise RuntimeError("CUDA driver version is insufficient for CUDA runtime version")


def pretend(monkeypatch: pytest.MonkeyPatch, session: Any) -> Runtime:
    runtime = Runtime(session, module._onnxruntime())
    monkeypatch.setattr(module, "_onnxruntime", lambda: runtime)
    return runtime


def test_without_a_gpu_the_cpu_is_used(tmp_path: Path) -> None:
    gpu = OnnxEngine(device="gpu", cache=str(tmp_path))
    if any(provider in module._onnxruntime().get_available_providers() for provider in module._GPU_PROVIDERS):
        pytest.skip("onnxruntime has a GPU provider here")
    assert np.array_equal(gpu.embed(reference.chips()), onnx_engine().embed(reference.chips()))
    assert " cpu " in gpu.name


def test_a_gpu_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pretend(monkeypatch, Session)
    gpu = OnnxEngine(device="gpu", cache=str(tmp_path))
    assert np.abs(gpu.embed(reference.chips()) - reference.vectors()).max() <= 1e-5
    assert len(gpu.detect(both())) == 2
    assert " cuda " in gpu.name
    assert all(providers[0] == "CUDAExecutionProvider" for providers in runtime.asked)
    asked = len(runtime.asked)
    OnnxEngine(cache=str(tmp_path)).embed(reference.chips())
    assert runtime.asked[asked:] == [["CPUExecutionProvider"]], "the CPU stays the default"


@pytest.mark.parametrize(
    "session",
    [
        broken,
        lambda cpu: Session(cpu, wrong=0.01),
        lambda cpu: Session(cpu, wrong=float("nan")),
        lambda cpu: Session(cpu, provider="CPUExecutionProvider"),
    ],
    ids=["no driver", "other vectors", "no numbers", "its device is missing"],
)
def test_a_gpu_that_fails_or_computes_something_else_is_left_alone(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretend(monkeypatch, session)
    gpu = OnnxEngine(device="gpu", cache=str(tmp_path))
    assert " cuda " in gpu.name
    assert np.abs(gpu.embed(reference.chips()) - reference.vectors()).max() <= 1e-5
    assert len(gpu.detect(both())) == 2
    assert " cpu " in gpu.name
    assert "cannot be used on cuda" in caplog.text
