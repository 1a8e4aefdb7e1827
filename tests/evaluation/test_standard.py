"""What scikit-learn measures, against the formulas by hand and against our own table."""

from __future__ import annotations

import sys
from collections import Counter
from math import log, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.errors import LearnMissing
from guyverd.evaluation import standard as module
from guyverd.evaluation.metrics import alone, pairwise
from guyverd.evaluation.standard import require, standard

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

labellings = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=25).map(
    lambda pairs: (np.array([t for t, _ in pairs], np.int64), np.array([f for _, f in pairs], np.int64))
)


def vectors(count: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((count, 128)).astype(np.float32)


def entropy(labels: list[object]) -> float:
    return -sum(count / len(labels) * log(count / len(labels)) for count in Counter(labels).values())


@given(labellings)
def test_the_measures_are_what_their_formulas_say(labels: tuple[IntArray, IntArray]) -> None:
    truth, found = labels
    told = standard(truth, found, vectors(len(truth)))
    groups = alone(found)
    # Homogeneity is the share of the entropy of people that the groups explain; completeness the other way round.
    people, both = list(truth), list(zip(truth.tolist(), groups.tolist(), strict=True))
    mutual = entropy(people) + entropy(list(groups)) - entropy(both)  # type: ignore[arg-type]
    homogeneity = mutual / entropy(people) if entropy(people) else 1.0
    completeness = mutual / entropy(list(groups)) if entropy(list(groups)) else 1.0
    assert told.homogeneity == pytest.approx(homogeneity, abs=1e-9)
    assert told.completeness == pytest.approx(completeness, abs=1e-9)
    if homogeneity + completeness > 1e-9:
        expected = 2 * homogeneity * completeness / (homogeneity + completeness)
        assert told.v_measure == pytest.approx(expected, abs=1e-9)
    scores = pairwise(truth, found)
    together = sum(groups[i] == groups[j] and truth[i] == truth[j] for i in range(len(truth)) for j in range(i))
    expected = sqrt(scores.precision * scores.recall) if together else 0.0
    assert told.fowlkes_mallows == pytest.approx(expected, abs=1e-9)


def test_perfect_and_useless() -> None:
    truth = np.repeat(np.arange(1, 5), 3).astype(np.int64)
    perfect = standard(truth, truth * 7, vectors(12))
    assert (perfect.ari, perfect.ami, perfect.v_measure, perfect.fowlkes_mallows) == pytest.approx((1, 1, 1, 1))
    nobody = standard(truth, np.zeros(12, np.int64), vectors(12))
    assert nobody.ari == 0.0
    assert nobody.homogeneity == pytest.approx(1.0)
    assert nobody.completeness < 0.6
    assert nobody.silhouette is None


def test_faces_near_their_own_group_have_a_silhouette() -> None:
    one, other = np.eye(2, 128, dtype=np.float32)
    near = np.stack([one, one + 0.01 * other, other, other + 0.01 * one])
    found = np.array([1, 1, 2, 2], np.int64)
    close = standard(found, found, near).silhouette
    crossed = standard(found, np.array([1, 2, 1, 2], np.int64), near).silhouette
    assert close is not None
    assert crossed is not None
    assert close > 0.99
    assert crossed < 0
    # Length does not matter: it is by cosine.
    assert standard(found, found, near * np.array([[1], [9], [4], [2]], np.float32)).silhouette == pytest.approx(close)
    assert standard(found, np.ones(4, np.int64), near).silhouette is None


def test_many_faces_are_looked_at_by_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 30)
    found = np.repeat(np.arange(1, 21), 4).astype(np.int64)
    centres = vectors(20)
    near = np.repeat(centres, 4, axis=0) + 0.01 * vectors(80, seed=1)
    rows = module._whole_groups(found, seed=0)
    assert 4 <= len(rows) <= 30
    assert all((found[rows] == group).sum() == 4 for group in np.unique(found[rows]))
    told = standard(found, found, near)
    assert told.silhouette is not None
    assert told.silhouette > 0.9
    assert told == standard(found, found, near), "the choice is the same each time"
    large = np.ones(80, np.int64)
    assert len(module._whole_groups(large, seed=0)) == 80


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LearnMissing) as caught:
        require()
    assert caught.value.advice == f"Install it with: {sys.executable} -m pip install 'scikit-learn>=1.5'"
    with pytest.raises(LearnMissing):
        standard(np.ones(1, np.int64), np.ones(1, np.int64), vectors(1))
