"""Made-up faces in films, for tests of tracks: nobody detects or describes anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import Box, DetectedFace, Quality

if TYPE_CHECKING:
    from guyverd.model import FloatArray


def likeness(person: int, turned: float = 0.0, seed: int = 0) -> FloatArray:
    """The vector of somebody, as far from their usual look as `turned` says: a distance of unit vectors."""
    usual = np.random.default_rng(person).normal(size=128)
    usual /= np.linalg.norm(usual)
    other = np.random.default_rng([person, abs(seed), 7]).normal(size=128)
    other -= usual * (other @ usual)
    other /= np.linalg.norm(other)
    angle = 2 * np.arcsin(turned / 2)
    vector: FloatArray = (1.4 * (np.cos(angle) * usual + np.sin(angle) * other)).astype(np.float32)
    return vector


def face(
    person: int,
    left: int,
    top: int = 100,
    *,
    wide: int = 80,
    quality: float = 0.8,
    turned: float = 0.0,
    sure: float = 1.0,
) -> DetectedFace:
    """Somebody's face at a place."""
    box = Box(left, top, left + wide, top + wide)
    points = tuple((float(left + at), float(top + at)) for at in (10, 20, 50, 60, 40))
    parts = Quality(quality, quality, quality, quality, quality)
    return DetectedFace(box, sure, points, parts, likeness(person, turned, seed=left))


def better(one: DetectedFace, quality: float) -> DetectedFace:
    """The same with another quality."""
    return replace(one, quality=replace(one.quality, score=quality))
