from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.cluster import pair_confusion_matrix

from guyverd.evaluation.metrics import Scores, bcubed, clusters, collisions, evaluate, misplaced, pairwise

if TYPE_CHECKING:
    from guyverd.model import IntArray

labellings = st.lists(st.tuples(st.integers(-1, 4), st.integers(-3, 4)), max_size=25).map(
    lambda pairs: (np.array([t for t, _ in pairs], np.int64), np.array([f for _, f in pairs], np.int64))
)


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


def naive(truth: IntArray, found: IntArray) -> dict[str, float]:
    n = len(truth)
    same = [[i == j or (found[i] == found[j] != 0) for j in range(n)] for i in range(n)]
    real = [[truth[i] == truth[j] for j in range(n)] for i in range(n)]
    both = [[same[i][j] and real[i][j] for j in range(n)] for i in range(n)]

    def pairs(table: list[list[bool]]) -> int:
        return sum(table[i][j] for i in range(n) for j in range(i))

    def share(part: float, whole: float) -> float:
        return part / whole if whole else 1.0

    wrong = 0
    for i in range(n):
        company = [int(truth[j]) for j in range(n) if same[i][j]]
        wrong += max(company.count(t) for t in set(company)) > company.count(int(truth[i]))
    return {
        "pairwise precision": share(pairs(both), pairs(same)),
        "pairwise recall": share(pairs(both), pairs(real)),
        "bcubed precision": share(sum(sum(both[i]) / sum(same[i]) for i in range(n)), n),
        "bcubed recall": share(sum(sum(both[i]) / sum(real[i]) for i in range(n)), n),
        "misplaced": wrong / n if n else 0.0,
        "clusters": len({tuple(row) for row in same}),
    }


@settings(max_examples=150, deadline=None)
@given(labellings)
def test_the_contingency_table_gives_what_all_pairs_give(labels: tuple[IntArray, IntArray]) -> None:
    truth, found = labels
    expected = naive(truth, found)
    one, other = pairwise(truth, found), bcubed(truth, found)
    assert one.precision == pytest.approx(expected["pairwise precision"])
    assert one.recall == pytest.approx(expected["pairwise recall"])
    assert other.precision == pytest.approx(expected["bcubed precision"])
    assert other.recall == pytest.approx(expected["bcubed recall"])
    assert misplaced(truth, found) == pytest.approx(expected["misplaced"])
    assert clusters(found) == expected["clusters"]


def test_pairs_as_scikit_learn_counts_them() -> None:
    rng = np.random.default_rng(0)
    truth, found = rng.integers(0, 40, 2000), rng.integers(1, 30, 2000)
    (_, false_positive), (false_negative, positive) = pair_confusion_matrix(truth, found)
    scores = pairwise(truth, found)
    assert scores.precision == pytest.approx(positive / (positive + false_positive))
    assert scores.recall == pytest.approx(positive / (positive + false_negative))


def test_bcubed_by_hand() -> None:
    # Two groups: a a a b | b b. Precision (3·3/4 + 1/4 + 2·1)/6, recall (3·1 + 1/3 + 2·2/3)/6.
    scores = bcubed(ints(1, 1, 1, 2, 2, 2), ints(5, 5, 5, 5, 6, 6))
    assert scores.precision == pytest.approx((9 / 4 + 1 / 4 + 2) / 6)
    assert scores.recall == pytest.approx((3 + 1 / 3 + 4 / 3) / 6)
    # All in one group: precision is the mean share of each person, recall is whole.
    assert bcubed(ints(1, 1, 2, 2), ints(1, 1, 1, 1)) == Scores(0.5, 1.0)
    # Everybody unattached.
    assert bcubed(ints(1, 1, 2, 2), ints(0, 0, 0, 0)) == Scores(1.0, 0.5)
    assert bcubed(ints(1, 1, 2, 2), ints(0, 0, 0, 0)).f == pytest.approx(2 / 3)


def test_nothing_to_get_wrong() -> None:
    assert pairwise(ints(), ints()) == bcubed(ints(), ints()) == Scores(1.0, 1.0)
    assert pairwise(ints(1, 2), ints(0, 0)) == Scores(1.0, 1.0)
    assert (clusters(ints()), misplaced(ints(), ints()), collisions(ints(), ints())) == (0, 0.0, 0)
    assert Scores(0.0, 0.0).f == 0.0
    with pytest.raises(ValueError, match="2 true labels for 1 found"):
        pairwise(ints(1, 2), ints(1))


def test_collisions_are_pairs_in_one_photo_and_one_group() -> None:
    photos = ints(1, 1, 1, 2, 2, 3)
    assert collisions(photos, ints(4, 4, 4, 4, 5, 4)) == 3
    assert collisions(photos, ints(0, 0, 0, 0, 0, 0)) == 0


def test_misplaced_is_being_among_others() -> None:
    assert misplaced(ints(1, 1, 2, 2, 3), ints(9, 9, 9, 8, 8)) == pytest.approx(1 / 5)


def test_the_report_is_the_sum_of_its_parts() -> None:
    truth, found, photos = ints(1, 1, 2, 2), ints(5, 5, 5, 0), ints(1, 2, 2, 3)
    report = evaluate(truth, found, photos)
    assert (report.faces, report.people, report.clusters, report.unattached) == (4, 2, 2, 1)
    assert report.pairwise == pairwise(truth, found)
    assert report.bcubed == bcubed(truth, found)
    assert report.collisions == 1
    assert report.misplaced == pytest.approx(1 / 4)
