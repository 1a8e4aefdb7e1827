from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from guyverd.evaluation.calibration import EDGES, Bin, Calibration, calibration, level

if TYPE_CHECKING:
    from guyverd.model import BoolArray, DoubleArray


def apart(said: DoubleArray, right: BoolArray) -> Calibration:
    """Each answer by a query of its own."""
    return calibration(said, right, np.arange(len(said), dtype=np.int64))


def test_the_table_by_hand() -> None:
    said = np.array([0.05, 0.05, 0.92, 0.94, 0.94, 0.94, 1.0])
    right = np.array([False, True, True, True, True, False, True])
    told = apart(said, right)
    assert told.answers == 7
    assert [(each.low, each.high, each.count, each.right) for each in told.bins] == [
        (0.0, 0.1, 2, 0.5),
        (0.9, 0.95, 4, 0.75),
        (0.999, 1.0, 1, 1.0),
    ]
    assert [each.said for each in told.bins] == pytest.approx([0.05, 0.935, 1.0])
    assert told.brier == pytest.approx(np.mean((said - right) ** 2))
    assert told.error == pytest.approx((2 * 0.45 + 4 * 0.185 + 0) / 7)


def test_a_confidence_on_an_edge_is_in_the_row_that_begins_there() -> None:
    told = apart(np.array(EDGES), np.ones(len(EDGES), bool))
    assert [each.low for each in told.bins] == list(EDGES[:-1])
    assert [each.count for each in told.bins] == [1] * (len(EDGES) - 2) + [2]


def test_nothing_answered_and_what_is_no_confidence() -> None:
    nothing = apart(np.zeros(0), np.zeros(0, bool))
    assert (nothing.answers, nothing.bins, nothing.brier, nothing.error) == (0, (), None, None)
    for wrong in (1.01, -0.01, float("nan")):
        with pytest.raises(ValueError, match="outside"):
            apart(np.array([wrong]), np.array([True]))
    with pytest.raises(ValueError, match="1 confidences for 2 answers to 1 quer"):
        apart(np.array([0.5]), np.array([True, True]))


def test_an_honest_confidence_is_not_off_and_a_boast_is() -> None:
    chance = np.random.default_rng(3)
    said = chance.uniform(0.0, 1.0, 20_000)
    honest = chance.uniform(0.0, 1.0, len(said)) < said
    told = apart(said, honest)
    assert not any(each.off for each in told.bins)
    assert told.error is not None
    assert told.error < 0.02
    boast = apart(said, chance.uniform(0.0, 1.0, len(said)) < said**2)
    assert any(each.off for each in boast.bins)
    assert not Bin(0.9, 0.95, 3, 3, 0.93, 1.0).off, "three that are all right prove nothing"
    assert Bin(0.9, 0.95, 3000, 3000, 0.93, 1.0).off
    assert not Bin(0.9, 0.95, 3000, 3, 0.93, 1.0).off, "and no more do three thousand of three queries"


def test_answers_to_one_query_count_once_where_chance_is_judged() -> None:
    said, right = np.full(100, 0.9), np.arange(100) >= 50
    assert calibration(said, right, np.arange(100) // 50).bins[0].queries == 2
    assert not calibration(said, right, np.arange(100) // 50).bins[0].off
    assert apart(said, right).bins[0].off


def test_the_level_from_which_on_answers_are_right() -> None:
    said = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, True, True, False, True])
    assert level(said, right, 1.0) == 0.7
    assert level(said, right, 0.8) == 0.5, "four of five at .6, five of six at .5"
    assert level(said, right, 0.9) == 0.7
    assert level(said, ~right, 0.9) is None
    assert level(np.zeros(0), np.zeros(0, bool), 0.9) is None
    # One that is wrong among equals spoils all of them.
    assert level(np.array([0.9, 0.8, 0.8]), np.array([True, True, False]), 0.9) == 0.9
