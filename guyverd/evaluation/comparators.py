"""Other ways to group the same faces, each with the settings that its textbook or its makers give, and no more.

What each gets is the vectors; what it gives is int64[n], groups from 1, and 0 for a face it leaves out. None knows of
photos, quality or people. Their settings are fixed: they are what a program would be built with that has no labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.evaluation.standard import require

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

LINK = 0.31
"""Distance of unit vectors, 0 to 2, below which faces are linked: the best one on all of LFW."""
NEIGHBOURS = 40
"""Nearest faces that plain whispers link each face with, at most."""
DLIB = 0.5
"""Distance of raw vectors in the example of dlib's own clustering, and what is usual for DBSCAN on them."""
ROUNDS = 20
SEED = 0
MOST = 20_000
"""Faces up to which methods that compare each with each are run: they hold all distances at once."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to group faces."""

    name: str
    settings: str
    """What it was told, for people."""
    run: Callable[[FloatArray, int], IntArray]
    """Takes float32[n, 128], raw, and the true number of people, which only k-means asks for."""
    most: int | None = None
    """Faces that it can take, where that is not any number."""


def methods() -> tuple[Method, ...]:
    """All of them. Raises LearnMissing."""
    require()
    return (
        Method("plain Chinese Whispers", f"{NEIGHBOURS} neighbours by cosine, linked below {LINK}", plain_whispers),
        Method("dlib's Chinese Whispers", f"raw distance below {DLIB}", _dlib),
        Method("HDBSCAN", "unit vectors, groups of 2 or more", _hdbscan, MOST),
        Method("k-means", "unit vectors, k = the true number of people", _k_means, MOST),
        Method("agglomerative", f"unit vectors, average link below {LINK}", _agglomerative, MOST),
        Method("DBSCAN", f"raw distance below {DLIB}, 5 faces make a core", _dbscan, MOST),
    )


def plain_whispers(vectors: FloatArray, _: int = 0) -> IntArray:
    """Chinese Whispers as Biemann (2006) has it, on the nearest neighbours by cosine, which is each edge's weight."""
    hears: list[list[tuple[int, float]]] = [[] for _ in range(len(vectors))]
    for row, near, likeness in _linked(_unit(vectors)):
        for other, weight in zip(near.tolist(), likeness.tolist(), strict=True):
            # Both ways, also where only one of the two counts the other among its nearest; twice is no more than once.
            hears[row].append((other, weight))
            hears[other].append((row, weight))
    known = [dict(each) for each in hears]
    labels = list(range(len(vectors)))
    order_of = np.random.default_rng(SEED)
    for _round in range(ROUNDS):
        changed = False
        for row in order_of.permutation(len(vectors)).tolist():
            claims: dict[int, float] = {}
            for other, weight in known[row].items():
                claims[labels[other]] = claims.get(labels[other], 0.0) + weight
            if claims:
                best = min(claims, key=lambda label: (-claims[label], label))
                changed |= best != labels[row]
                labels[row] = best
        if not changed:
            break
    return _numbered(np.array(labels, dtype=np.int64))


def _linked(unit: FloatArray) -> Iterator[tuple[int, IntArray, FloatArray]]:
    """Each row with those of its nearest that are near enough, and their cosines; block by block."""
    floor, wanted = 1 - LINK * LINK / 2, min(NEIGHBOURS, len(unit) - 1)
    for start in range(0, len(unit), 1024):
        block = unit[start : start + 1024] @ unit.T
        block[np.arange(len(block)), start + np.arange(len(block))] = -2.0
        nearest = np.argpartition(-block, max(0, wanted - 1), axis=1)[:, :wanted]
        for at, near in enumerate(nearest.astype(np.int64)):
            near = near[block[at, near] > floor]  # noqa: PLW2901  those that are near enough
            yield start + at, near, block[at, near]


def _dlib(vectors: FloatArray, _: int) -> IntArray:
    import dlib  # noqa: PLC0415  heavy, and asked for only here

    labels = dlib.chinese_whispers_clustering([dlib.vector(row) for row in vectors.astype(float).tolist()], DLIB)
    return _numbered(np.array(labels, dtype=np.int64))


def _hdbscan(vectors: FloatArray, _: int) -> IntArray:
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415

    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    return _without_noise(HDBSCAN(min_cluster_size=2, copy=True).fit_predict(_unit(vectors)))


def _k_means(vectors: FloatArray, people: int) -> IntArray:
    from sklearn.cluster import KMeans  # noqa: PLC0415

    k = max(1, min(people, len(vectors)))
    return _numbered(KMeans(k, n_init=1, random_state=SEED).fit_predict(_unit(vectors)).astype(np.int64))


def _agglomerative(vectors: FloatArray, _: int) -> IntArray:
    from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415

    if len(vectors) < 2:
        return np.ones(len(vectors), dtype=np.int64)
    how = AgglomerativeClustering(n_clusters=None, linkage="average", distance_threshold=LINK)
    return _numbered(how.fit_predict(_unit(vectors)).astype(np.int64))


def _dbscan(vectors: FloatArray, _: int) -> IntArray:
    from sklearn.cluster import DBSCAN  # noqa: PLC0415

    return _without_noise(DBSCAN(eps=DLIB, min_samples=5).fit_predict(vectors))


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = (vectors / lengths).astype(np.float32)
    return unit


def _numbered(labels: IntArray) -> IntArray:
    found: IntArray = np.unique(labels, return_inverse=True)[1].astype(np.int64) + 1
    return found


def _without_noise(labels: IntArray) -> IntArray:
    """scikit-learn's labels from 0, and −1 for noise, as groups from 1, and 0."""
    found: IntArray = labels.astype(np.int64) + 1
    return found
