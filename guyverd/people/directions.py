"""Directions of vectors: likeness is the cosine between two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from guyverd.model import FloatArray


def distance_at(similarity: float) -> float:
    """How far apart two unit vectors with this cosine lie."""
    return float(np.sqrt(max(0.0, 2 - 2 * similarity)))


def unit(vectors: FloatArray) -> FloatArray:
    """The same directions at length 1, float32[n, 128]."""
    scaled: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled.astype(np.float32, copy=False)
