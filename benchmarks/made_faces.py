"""Faces made up from the shipped model of strangers: as alike as real ones, and nobody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from guyverd.people.directions import unit
from guyverd.people.strangers import shipped

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

_VARIED = 0.75
"""How much one person's faces differ, as a share of how much people of one kind do. With it, pairs of one person are as
alike as in press photos: their cosines' quartiles are .943, .956, .967 (of real ones .946, .957, .966)."""


def made_faces(count: int, seed: int = 0, each: float = 4.0, most: float = 1.0) -> tuple[FloatArray, IntArray]:
    """`count` raw vectors, float32[count, 128], and whose each is, int64[count]; people have `each` faces in the mean.

    A few people have very many and most have one or two, as in real libraries; nobody is likely to have more than the
    share `most` of all. (Of a million faces one person would have a third else.)
    """
    model, chance = shipped(), np.random.default_rng(seed)
    people = max(1, round(count / each))
    part = chance.choice(len(model.weights), people, p=model.weights / model.weights.sum())
    noise = chance.standard_normal((people, 128), dtype=np.float32)
    middles = unit(model.means[part] + noise * np.sqrt(model.variances[part]))
    often = chance.pareto(1.2, people) + 0.3
    while most < 1 and often.max() > 1.001 * most * often.sum():
        often = np.minimum(often, most * often.sum())
    whose = chance.choice(people, count, p=often / often.sum())
    spread = _VARIED * np.sqrt(model.variances.mean(axis=0))
    vectors = np.empty((count, 128), dtype=np.float32)
    for start in range(0, count, 50_000):
        some = whose[start : start + 50_000]
        noise = chance.standard_normal((len(some), 128), dtype=np.float32)
        unlike = chance.uniform(0.5, 1.2, (len(some), 1)).astype(np.float32)
        vectors[start : start + 50_000] = (middles[some] + noise * spread * unlike) @ model.axes
    return vectors, whose.astype(np.int64)
