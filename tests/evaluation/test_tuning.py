from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.evaluation.metrics import bcubed
from guyverd.evaluation.tuning import Candidates, Settings, Tuned, deal, tune

if TYPE_CHECKING:
    from guyverd.model import IntArray

SEARCH = (Candidates("a", (0.0, 1.0, 2.0)), Candidates("b", (0.0, 1.0)))
DEFAULT = {"a": 0.0, "b": 0.0}


def people(count: int, each: int) -> IntArray:
    return np.repeat(np.arange(1, count + 1), each).astype(np.int64)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40), st.integers(0, 3))
def test_a_person_is_in_one_fold_and_folds_are_alike(sizes: list[int], seed: int) -> None:
    truth = np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)
    folds = deal(truth, 5, seed)
    assert len(folds) == len(truth)
    for person in range(len(sizes)):
        assert len(set(folds[truth == person].tolist())) == 1
    counts = [len(set(truth[folds == fold].tolist())) for fold in range(min(5, len(sizes)))]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == len(sizes)


def test_large_people_are_spread_over_the_folds() -> None:
    truth = np.repeat(np.arange(20), [50] * 5 + [1] * 15).astype(np.int64)
    folds = deal(truth, 5, seed=1)
    assert sorted(len(set(truth[folds == fold].tolist()) & set(range(5))) for fold in range(5)) == [1] * 5


def test_settings_that_are_better_for_everybody_are_found() -> None:
    truth = people(20, 4)
    asked: list[Settings] = []

    def group(settings: Settings) -> IntArray:
        asked.append(dict(settings))
        # Each person is torn in two unless a is 1 and b is 1; in four unless a is 1.
        parts = 1 if settings == {"a": 1.0, "b": 1.0} else 2 if settings["a"] == 1.0 else 4
        return truth * 10 + np.arange(len(truth)) % parts

    told = tune(truth, group, DEFAULT, SEARCH, seed=0)
    assert told.best == {"a": 1.0, "b": 1.0}
    assert told.best_score == 1.0
    assert told.default_score == pytest.approx(bcubed(truth, group(DEFAULT)).f)
    assert len(told.gains) == 10
    assert told.gain == pytest.approx(1 - told.default_score)
    assert told.worthwhile
    del asked[-1]
    assert len(asked) == told.tried == len({tuple(sorted(each.items())) for each in asked}), "none is tried twice"


def test_what_is_luck_is_said_to_be() -> None:
    truth = people(30, 3)
    chance = np.random.default_rng(4)
    noise: dict[float, IntArray] = {}

    def group(settings: Settings) -> IntArray:
        # Every value tears other people apart, as many of them: none is better but for those it was chosen by.
        value = settings["a"] + 10 * settings["b"]
        if value not in noise:
            torn = np.isin(truth, chance.permutation(np.arange(1, 31))[:10])
            noise[value] = np.where(torn & (np.arange(len(truth)) % 3 == 0), truth + 100, truth)
        return noise[value]

    told = tune(truth, group, DEFAULT, SEARCH, seed=0)
    assert not told.worthwhile
    assert told.best_score >= told.default_score


def test_a_default_that_is_best_stays() -> None:
    truth = people(6, 2)
    told = tune(truth, lambda settings: truth if settings == DEFAULT else np.zeros_like(truth), DEFAULT, SEARCH, seed=0)
    assert (dict(told.best), told.gain, told.error, told.worthwhile) == (DEFAULT, 0.0, 0.0, False)
    assert len(told.gains) == 6, "no more folds than people"
    # Of equals the default is taken.
    equal = tune(truth, lambda settings: truth, DEFAULT, SEARCH, seed=0)
    assert dict(equal.best) == DEFAULT


def test_too_few_to_tell() -> None:
    truth = people(1, 5)
    told = tune(truth, lambda settings: truth if settings["a"] else np.zeros_like(truth), DEFAULT, SEARCH, seed=0)
    assert told.best["a"] == 1.0
    assert (told.gains, told.gain, told.error, told.worthwhile) == ((), 0.0, 0.0, False)
    with pytest.raises(ValueError, match="no faces"):
        tune(truth[:0], lambda settings: truth[:0], DEFAULT, SEARCH, seed=0)


def test_a_gain_must_be_more_than_its_error() -> None:
    def told(*gains: float) -> Tuned:
        return Tuned(DEFAULT, DEFAULT, 0.9, 0.95, gains, 5)

    assert told(0.01, 0.012, 0.011).worthwhile
    assert not told(0.05, -0.04, 0.02).worthwhile
    assert not told(0.0004, 0.0005).worthwhile, "too little to matter"
    assert not told(-0.01, -0.01).worthwhile
