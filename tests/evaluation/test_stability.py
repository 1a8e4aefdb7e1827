from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.evaluation.metrics import agreement
from guyverd.evaluation.stability import Churn, affected, churn

if TYPE_CHECKING:
    from guyverd.model import IntArray

changes = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20).map(
    lambda pairs: (np.array([t for t, _ in pairs], np.int64), np.array([f for _, f in pairs], np.int64))
)


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


def test_what_can_become_of_a_face() -> None:
    #      stays, stays, moved, lost, settled, waits
    before = ints(1, 1, 1, 2, 0, 0)
    after = ints(1, 1, 3, 0, 3, 0)
    told = churn(before, after)
    assert (told.faces, told.moved, told.settled) == (6, 2, 1)
    # The three of person 1 were together, and the third is now with the fifth. The fourth was alone and is.
    assert told.company == 4
    assert told.share == pytest.approx(2 / 6)
    assert told.company_share == pytest.approx(4 / 6)


def test_two_who_become_one_move_the_absorbed_and_change_the_company_of_both() -> None:
    told = churn(ints(1, 1, 1, 2, 2), ints(1, 1, 1, 1, 1))
    assert (told.moved, told.company) == (2, 5)


def test_sums() -> None:
    assert churn(ints(1), ints(2)) + Churn(3, 0, 1, 1) == Churn(4, 1, 1, 1)
    assert Churn(0, 0, 0, 0).share == Churn(0, 0, 0, 0).company_share == 0.0
    with pytest.raises(ValueError, match="1 faces before, 2 after"):
        churn(ints(1), ints(1, 1))


def test_named_people_who_are_hit() -> None:
    before, after = ints(1, 1, 2, 2, 3, 0), ints(1, 1, 2, 3, 4, 5)
    assert affected(before, after, [1, 2, 3, 9]) == 2
    assert affected(before, after, [1]) == affected(before, before, [1, 2, 3]) == 0


@given(changes)
def test_company_is_who_one_is_with(labels: tuple[IntArray, IntArray]) -> None:
    before, after = labels
    n = len(before)

    def company(people: IntArray, face: int) -> set[int]:
        return {other for other in range(n) if other == face or people[other] == people[face] != 0}

    expected = sum(company(before, face) != company(after, face) for face in range(n))
    told = churn(before, after)
    assert told.company == expected
    assert (churn(before, before).moved, churn(before, before).company) == (0, 0)
    if told.moved == told.settled == 0:
        assert told.company == 0


@given(changes)
def test_agreement_is_the_same_both_ways(labels: tuple[IntArray, IntArray]) -> None:
    one, other = labels
    assert agreement(one, other) == pytest.approx(agreement(other, one))
    assert agreement(one, one) == pytest.approx(1.0)
    # What people are called does not matter.
    assert agreement(one, np.where(one > 0, one * 7 + 1, 0)) == pytest.approx(1.0)
