"""The measures of a grouping that scikit-learn has, so that they are reckoned as everybody reckons them.

scikit-learn is not among what guyverd needs: it is loaded here and in `comparators`, and only when it is asked for.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from guyverd.errors import LearnMissing
from guyverd.evaluation.metrics import alone

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

MOST = 10_000
"""Faces up to which the silhouette looks at all of them; it compares each with each."""


@dataclass(frozen=True, slots=True)
class Standard:
    """What each of them says; 1 is perfect, and 0 is what chance gives or the worst there is."""

    ari: float
    """Adjusted Rand index, -0.5..1."""
    ami: float
    """Adjusted mutual information, about 0..1."""
    homogeneity: float
    """Each group holds one person only, 0..1."""
    completeness: float
    """Each person is in one group only, 0..1."""
    v_measure: float
    """The harmonic mean of the two before."""
    fowlkes_mallows: float
    """The geometric mean of pairwise precision and recall, 0..1; 0 where no pair was put together."""
    silhouette: float | None
    """How much nearer faces are to their own group than to the next one, by cosine, -1..1; it asks no labels. None
    where there are not at least two groups and one of two faces."""


def require() -> None:
    """Raise LearnMissing where scikit-learn is not installed; it takes seconds to load, so it is not."""
    if importlib.util.find_spec("sklearn") is None:
        raise LearnMissing(python=sys.executable)


def standard(truth: IntArray, found: IntArray, vectors: FloatArray, *, seed: int = 0) -> Standard:
    """The measures of at least one face; the arguments are as in `metrics`, and vectors float32[n, 128].

    A face that is attached to nobody is a group of its own. Raises LearnMissing; ValueError where arrays do not fit.
    """
    require()
    from sklearn import metrics  # noqa: PLC0415  see above

    groups = alone(found)
    homogeneity, completeness, v_measure = metrics.homogeneity_completeness_v_measure(truth, groups)
    return Standard(
        float(metrics.adjusted_rand_score(truth, groups)),
        float(metrics.adjusted_mutual_info_score(truth, groups)),
        float(homogeneity),
        float(completeness),
        float(v_measure),
        float(metrics.fowlkes_mallows_score(truth, groups)),
        _silhouette(metrics, groups, vectors, seed),
    )


def _silhouette(metrics: Any, groups: IntArray, vectors: FloatArray, seed: int) -> float | None:
    chosen = _whole_groups(groups, seed)
    groups, vectors = groups[chosen], vectors[chosen]
    if not 2 <= len(np.unique(groups)) < len(groups):
        return None
    return float(metrics.silhouette_score(vectors, groups, metric="cosine"))


def _whole_groups(groups: IntArray, seed: int) -> IntArray:
    """Rows of at most `MOST` faces, or of one group that is larger.

    Groups are taken whole, for a part of one looks better or worse than it is.
    """
    if len(groups) <= MOST:
        return np.arange(len(groups), dtype=np.int64)
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(sizes))
    taken = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), MOST, side="right")))]
    rows: IntArray = np.flatnonzero(np.isin(numbers, taken)).astype(np.int64)
    return rows
