from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guyverd.errors import EngineError
from guyverd.faces import weights
from guyverd.faces.weights import Weights, find, fingerprint


@pytest.mark.parametrize("which", Weights)
def test_every_model_is_there(which: Weights) -> None:
    path = find(which)
    assert os.path.basename(path) == which
    assert len(fingerprint(path)) == 8


def test_the_model_with_the_unfree_data_set_is_never_named() -> None:
    assert not any("68" in name for name in Weights)
    for source in Path(weights.__file__).parent.glob("*.py"):
        assert "shape_predictor_68" not in source.read_text(encoding="utf-8")


def test_the_package_is_found_without_being_imported() -> None:
    code = (
        "import sys; from guyverd.faces.dlib_engine import DlibEngine; DlibEngine('cnn').name;"
        "sys.exit(any(name in sys.modules for name in ('face_recognition_models', 'pkg_resources', 'dlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    spec = None
    if folder is not None:
        spec = importlib.machinery.ModuleSpec("face_recognition_models", None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, None)
    with pytest.raises(EngineError, match="face_recognition_models is not installed"):
        find(Weights.LANDMARKS)
    pretend(monkeypatch, tmp_path)
    with pytest.raises(EngineError, match=r"shape_predictor_5_face_landmarks\.dat is missing from"):
        find(Weights.LANDMARKS)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / Weights.LANDMARKS).touch()
    with pytest.raises(EngineError, match="is missing"):
        find(Weights.LANDMARKS)


def test_a_changed_file_has_another_fingerprint(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"x" * 1000)
    second.write_bytes(b"x" * 999 + b"y")
    assert fingerprint(str(first)) != fingerprint(str(second))
    with pytest.raises(EngineError, match="cannot be read"):
        fingerprint(str(tmp_path / "none"))
