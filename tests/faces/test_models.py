"""The cache of networks: made once, trusted only while nothing differs."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from guyverd.errors import EngineError
from guyverd.faces import models
from guyverd.faces.onnx_engine import OnnxEngine
from guyverd.faces.weights import Weights, find
from tests.faces.samples import onnx_engine

SMALL = Weights.CNN_DETECTOR


class Makes:
    """Counts how often a network is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = models._made

        def made(data: bytes, source: str, made_from: str) -> models.Model:
            self.count += 1
            return real(data, source, made_from)

        monkeypatch.setattr(models, "_made", made)


@pytest.fixture
def makes(monkeypatch: pytest.MonkeyPatch) -> Makes:
    return Makes(monkeypatch)


def kept(folder: Path) -> Path:
    [file] = folder.iterdir()
    return file


def test_it_is_made_once_and_then_read(tmp_path: Path, makes: Makes) -> None:
    first = models.load(SMALL, str(tmp_path))
    assert models.load(SMALL, str(tmp_path)) == first
    assert makes.count == 1
    assert kept(tmp_path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", [0, 14, 20, 60, 400, 5000, -1])
def test_a_changed_byte_makes_it_anew(tmp_path: Path, makes: Makes, place: int) -> None:
    first = models.load(SMALL, str(tmp_path))
    data = bytearray(kept(tmp_path).read_bytes())
    data[place] ^= 0x10
    kept(tmp_path).write_bytes(data)
    assert models.load(SMALL, str(tmp_path)) == first
    assert makes.count == 2
    assert models.load(SMALL, str(tmp_path)) == first
    assert makes.count == 2


@pytest.mark.parametrize("length", [0, 5, 16, 100, 3000])
def test_so_does_a_file_cut_short(tmp_path: Path, makes: Makes, length: int) -> None:
    first = models.load(SMALL, str(tmp_path))
    kept(tmp_path).write_bytes(kept(tmp_path).read_bytes()[:length])
    assert models.load(SMALL, str(tmp_path)) == first
    assert makes.count == 2


def test_every_byte_of_the_head_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = models.load(SMALL, str(tmp_path))
    whole = kept(tmp_path).read_bytes()
    start = whole.index(b"{")
    monkeypatch.setattr(models, "_made", lambda *call: first)
    made_from = models._made_from(Path(find(SMALL)).read_bytes())
    for place in range(start + whole[start:].index(b"}") + 1):
        data = bytearray(whole)
        data[place] ^= 1
        kept(tmp_path).write_bytes(data)
        assert models._kept(str(kept(tmp_path)), made_from) is None, place


def test_what_cannot_be_made_is_no_photos_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "guyverd.faces.graphs", raising=False)
    monkeypatch.delattr(sys.modules["guyverd.faces"], "graphs", raising=False)
    with pytest.raises(EngineError, match="cannot be made ready for onnxruntime: ModuleNotFoundError"):
        models.load(SMALL, str(tmp_path))


def test_what_was_left_half_written_is_removed_in_time(tmp_path: Path) -> None:
    for name, age in (("old.part", 7200), ("new.part", 60), ("other", 7200)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    models.load(SMALL, str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"new.part", "other", "mmod_human_face_detector.model"}


def test_other_weights_make_it_anew(tmp_path: Path, makes: Makes, monkeypatch: pytest.MonkeyPatch) -> None:
    first = models.load(SMALL, str(tmp_path / "cache"))
    data = bytearray(Path(find(SMALL)).read_bytes())
    # The last bytes of a weight of the last layer.
    data[-200] ^= 1
    other = tmp_path / "other.dat"
    other.write_bytes(data)
    monkeypatch.setattr(models, "find", lambda weights: str(other))
    assert models.load(SMALL, str(tmp_path / "cache")) != first
    assert makes.count == 2


@pytest.mark.parametrize(("name", "value"), [("_FORM", models._FORM + 1), ("_makers", lambda: "other code")])
def test_another_form_or_other_code_makes_it_anew(
    name: str, value: object, tmp_path: Path, makes: Makes, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.load(SMALL, str(tmp_path))
    monkeypatch.setattr(models, name, value)
    models.load(SMALL, str(tmp_path))
    assert makes.count == 2


def test_without_a_cache_it_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = str(tmp_path / "file" / "models")
    assert models.load(SMALL, cache).graphs == models.load(SMALL, str(tmp_path / "cache")).graphs
    assert len(OnnxEngine(cache=cache).detect(np.zeros((100, 100, 3), np.uint8))) == 0


def test_nothing_is_left_beside_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert len(models.load(SMALL, str(tmp_path)).graphs) == 4
    assert list(tmp_path.iterdir()) == []


def test_systemds_cache_directory_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path))
    assert models.folder() == str(tmp_path / "models")
    monkeypatch.delenv("CACHE_DIRECTORY")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert models.folder() == str(tmp_path / "xdg" / "guyverd" / "models")


def test_it_is_verified_once_for_each_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chips = np.zeros((1, 150, 150, 3), np.uint8)
    looks = []
    real = models.remember_verified

    def remember(weights: Weights, cache: str, model: models.Model, runtime: str) -> None:
        looks.append(runtime)
        real(weights, cache, model, runtime)

    monkeypatch.setattr(models, "remember_verified", remember)
    for _ in range(3):
        OnnxEngine(cache=str(tmp_path)).embed(chips)
    [runtime] = looks
    assert runtime.startswith("onnxruntime ")
    assert models.load(Weights.EMBEDDING, str(tmp_path)).verified == (runtime,)


def test_a_network_that_computes_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(Path(find(Weights.EMBEDDING)).read_bytes())
    # Another number among the weights of the first convolution.
    place = data.index(b"con_4") + 600
    data[place : place + 4] = np.float32(0.5).tobytes()
    other = tmp_path / "other.dat"
    other.write_bytes(data)
    monkeypatch.setattr(models, "find", lambda weights: str(other))
    with pytest.raises(EngineError, match=r"does not compute what dlib does .* vectors differ"):
        OnnxEngine(cache=str(tmp_path / "cache")).embed(np.zeros((1, 150, 150, 3), np.uint8))
    assert "resnet" in onnx_engine().name


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "find", lambda weights: str(tmp_path / "none.dat"))
    with pytest.raises(EngineError, match=r"none\.dat: No such file"):
        models.load(SMALL, str(tmp_path))


# ---- a cache that is not ours alone ----------------------------------------------------------------------------------


def planted(cache: Path) -> models.Model:
    """Put another network into a cache, as somebody would who can write it: whole, with its hash, called verified."""
    true = models.load(SMALL, str(cache))
    false = replace(true, graphs=tuple(b"a graph of theirs" for _ in true.graphs), verified=("onnxruntime 1",))
    models._keep(str(kept(cache)), false)
    assert models.load(SMALL, str(cache)) == false, "it would be believed"
    return true


@pytest.mark.promise("state")
@pytest.mark.parametrize("what", ["the cache", "above", "the file", "another's", "a link"])
def test_what_somebody_else_could_have_put_there_is_not_used(
    what: str, tmp_path: Path, makes: Makes, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache" / "models"
    true = planted(cache)
    file = kept(cache)
    if what == "the cache":
        cache.chmod(0o777)
    elif what == "above":
        cache.parent.chmod(0o777)
    elif what == "the file":
        file.chmod(0o666)
    elif what == "another's":
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        os.chown(cache, 4_000_003, -1)
    else:
        file.rename(tmp_path / "theirs")
        file.symlink_to(tmp_path / "theirs")
    before = (tmp_path / "theirs" if what == "a link" else file).read_bytes()
    assert models.load(SMALL, str(cache)) == true
    assert makes.count == 2
    if what in ("the cache", "above", "another's"):
        assert "Cure: " in caplog.text
        assert file.read_bytes() == before, "and nothing is put where others can change it"
        models.remember_verified(SMALL, str(cache), true, "onnxruntime 1")
        assert file.read_bytes() == before
    else:
        # The folder is ours: what is in it can be made good.
        assert models.load(SMALL, str(cache)) == true
        assert makes.count == 2
        assert not file.is_symlink()
