from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.evaluation.oracle import Effort, Oracle, baseline, counting, least, needed

if TYPE_CHECKING:
    from guyverd.model import IntArray

labellings = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=25).map(
    lambda pairs: (np.array([t for t, _ in pairs], np.int64), np.array([f for _, f in pairs], np.int64))
)


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


def test_only_faces_of_people_with_two_or_more_count() -> None:
    assert counting(ints(1, 2, 2, 0, 0, 3, 3)).tolist() == [False, True, True, False, False, True, True]


def test_the_baseline_by_hand() -> None:
    # Five of one, three of another with a stranger among them, two on their own.
    truth = ints(1, 1, 1, 1, 1, 2, 2, 2, 1, 2, 3)
    found = ints(7, 7, 7, 7, 7, 8, 8, 8, 8, 0, 0)
    # 7: one answer. 8: one answer, and one for the stranger. The ninth of ten: 0.9. The first of those alone: 1.0.
    assert baseline(truth, found, 0.5) == Effort(1, True, 0.5)
    assert baseline(truth, found, 0.8) == Effort(2, True, 0.8)
    assert baseline(truth, found, 0.9) == Effort(3, True, 0.9)
    assert baseline(truth, found) == Effort(4, True, 1.0)
    assert baseline(truth, ints(*[0] * 11)).answers == 10
    assert baseline(ints(), ints()) == Effort(0, True, 1.0)


def test_groups_of_one_size_are_asked_about_in_the_order_of_their_first_face() -> None:
    # The first two groups hold people of whom there is one: their answers are for nothing.
    truth, found = ints(5, 6, 1, 1), ints(9, 8, 3, 3)
    assert baseline(truth, found).answers == 1
    assert baseline(truth, ints(9, 8, 0, 0)).answers == 4


def test_the_oracle_answers_for_the_most_part_and_counts() -> None:
    oracle = Oracle(ints(1, 1, 2, 0, 0, 2))
    assert oracle.who(ints(0, 1, 2)) == 1
    assert oracle.who(ints(3, 4, 5)) == 0
    assert oracle.is_person(ints(2, 5, 0), 2)
    assert not oracle.is_person(ints(3), 0), "nobody known is no person"
    assert oracle.same(ints(0), ints(1)) is True
    assert oracle.same(ints(0), ints(2)) is False
    assert oracle.same(ints(0), ints(3)) is None
    assert oracle.answers == 7


def test_of_several_at_once_each_that_differs_from_most_takes_an_answer_more() -> None:
    truth = ints(1, 1, 2, 2, 1, 3, 0)
    for rows, told, answers in (
        ([[2, 3], [5]], [False, False], 1),
        ([[1], [4]], [True, True], 1),
        ([[1], [2], [4]], [True, False, True], 2),
        ([[2], [4], [5], [6]], [False, True, False, False], 2),
        ([[4]], [True], 1),
    ):
        oracle = Oracle(truth)
        assert oracle.which(ints(0, 1, 2), [ints(*some) for some in rows]) == told
        assert oracle.answers == answers
    assert Oracle(truth).which(ints(6), [ints(6)]) == [False], "nobody known is no person"


def test_fewer_answers_than_names_cannot_do() -> None:
    truth = ints(*[1] * 10, *[2] * 6, *[3] * 3, 4, 4, 5, 0, 0)
    assert least(truth) == 4
    assert least(truth, 0.9) == 3
    assert least(truth, 0.5) == 2
    assert least(truth, 0.4) == 1
    assert least(ints(1, 2, 0)) == 0
    assert least(ints()) == 0


@given(labellings)
def test_no_baseline_beats_the_least(labels: tuple[IntArray, IntArray]) -> None:
    truth, found = labels
    assert baseline(truth, found).answers >= least(truth)


@given(labellings)
def test_a_review_that_asks_as_the_baseline_does_takes_as_many(labels: tuple[IntArray, IntArray]) -> None:
    truth, found = labels
    names = np.zeros(len(truth), np.int64)
    groups = [np.flatnonzero(found == group) for group in np.unique(found[found > 0])]
    groups += [np.array([row]) for row in np.flatnonzero(found == 0)]
    groups.sort(key=lambda rows: (-len(rows), int(rows[0])))
    wrong: list[int] = []

    def step(oracle: Oracle) -> IntArray | None:
        if wrong:
            row = wrong.pop(0)
            names[row] = oracle.who(ints(row))
            return names
        if not groups:
            return None
        rows = groups.pop(0)
        person = oracle.who(rows)
        names[rows] = np.where(truth[rows] == person, person, 0)
        wrong.extend(rows[truth[rows] != person].tolist())
        return names

    assert needed(step, truth) == baseline(truth, found)


def test_reviews_that_come_to_an_end_early() -> None:
    truth = ints(1, 1, 2, 2)
    assert needed(lambda oracle: None, truth) == Effort(0, False, 0.0)

    def useless(oracle: Oracle) -> IntArray:
        oracle.same(ints(0), ints(1))
        return ints(0, 0, 0, 0)

    assert needed(useless, truth) == Effort(4, False, 0.0), "one answer for each face is the limit"
    assert needed(useless, truth, limit=2).answers == 2
    with pytest.raises(RuntimeError, match="without a question"):
        needed(lambda oracle: ints(1, 1, 2, 2), truth)
    assert needed(lambda oracle: None, ints(1, 2, 3)) == Effort(0, True, 1.0), "there is nothing to reach"
