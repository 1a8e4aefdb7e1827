"""Photos of made-up people who were never read: vectors drawn around a centre for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guyverd.catalogue.rows import ReadPhoto
from guyverd.model import Box, DetectedFace, PhotoId, PhotoReading, Quality
from guyverd.service.pipeline.evaluation.rehearsing import Material


def made_up(photos: Sequence[Sequence[int]], *, spread: float = 0.15, seed: int = 0) -> Material:
    """A photo for each entry, with a face of each person it lists; the same person is always near one vector.

    The faces stand side by side, 100 pixels each.
    """
    chance = np.random.default_rng(seed)
    people = {person for each in photos for person in each}
    centres = {person: _direction(np.random.default_rng(1000 + person)) for person in people}
    made, number = [], 0
    for at, each in enumerate(photos):
        faces = []
        for place, person in enumerate(each):
            vector = 1.4 * (centres[person] + spread * _direction(chance))
            box = Box(100 * place + 10, 10, 100 * place + 90, 90)
            quality = Quality(1.0, 0.9, 0.9, 0.9, 0.9)
            faces.append(DetectedFace(box, 1.0, ((20.0, 20.0),) * 5, quality, vector.astype(np.float32)))
        reading = PhotoReading(b"%032d" % at, 100 * max(1, len(each)), 100, "JPEG", None, tuple(faces))
        ids = tuple(range(number + 1, number + 1 + len(each)))
        number += len(each)
        made.append(
            ReadPhoto(PhotoId(at + 1), (b"/photos/%d.jpg" % at,), 10, "made up", reading, ids, (0,) * len(each))
        )
    return Material(made)


def _direction(chance: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    vector = chance.standard_normal(128)
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = vector / np.linalg.norm(vector)
    return found
