"""Where the model files lie.

They come with the package `face_recognition_models`, which is found but never imported: importing it needs
`pkg_resources`, gone from newer setuptools. Only models whose author released them to the public domain are named
here; the package's 68-point landmark model is trained on data that excludes commercial use, so it is never loaded.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from enum import StrEnum

from guyverd.errors import EngineError

_PACKAGE = "face_recognition_models"


class Weights(StrEnum):
    """A model by its file name."""

    LANDMARKS = "shape_predictor_5_face_landmarks.dat"
    EMBEDDING = "dlib_face_recognition_resnet_model_v1.dat"
    CNN_DETECTOR = "mmod_human_face_detector.dat"


def find(weights: Weights) -> str:
    """The path of a model file. Raises EngineError where it is missing or empty."""
    try:
        spec = importlib.util.find_spec(_PACKAGE)
    except (ImportError, ValueError):
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise EngineError(detail=f"the package {_PACKAGE} is not installed")
    for folder in folders:
        path = os.path.join(folder, "models", weights)
        if os.path.isfile(path) and os.path.getsize(path) > 0:
            return path
    raise EngineError(detail=f"{weights} is missing from {folders[0]}")


@functools.cache
def fingerprint(path: str) -> str:
    """Eight hexadecimal digits that change when the file does."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=4)).hexdigest()
    except OSError as problem:
        raise EngineError(detail=f"{path} cannot be read: {problem.strerror}") from problem
