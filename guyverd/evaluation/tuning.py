"""Which settings group a set of labelled faces best, and whether that is more than luck; pure.

Settings are tried one after the other: of each all its candidates, while the others stay as they are, until a round
changes nothing. How good the result is, is told by people who had no say in it: the people are dealt into folds, and
for each fold the settings are chosen by all the others and measured on it. All faces are grouped together each time,
since how many there are is part of the task; only what is scored is divided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.evaluation.metrics import bcubed_of_each, mean_scores

if TYPE_CHECKING:
    from guyverd.evaluation.metrics import Shares
    from guyverd.model import BoolArray, IntArray

FOLDS = 10
"""Fewer where there are not as many people."""
LUCK = 2.0
"""A gain counts when it is more than so many times its standard error."""
WORTH = 0.001
"""And at least so much: less is nobody's concern."""
_ROUNDS = 3

Settings = Mapping[str, float]
"""A value for each setting that is searched."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """One setting, and the values to try."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the search found. Scores are BCubed F."""

    default: Settings
    best: Settings
    """The best for all people together."""
    default_score: float
    best_score: float
    """On the people that chose it: it flatters."""
    gains: tuple[float, ...]
    """For each fold: what the settings that the others chose score on it above the default."""
    tried: int
    """Different settings that were tried."""

    @property
    def gain(self) -> float:
        """The mean gain over folds: what to expect of other people's photos of this kind."""
        return float(np.mean(self.gains)) if self.gains else 0.0

    @property
    def error(self) -> float:
        """The standard error of that mean; 0 with fewer than two folds."""
        return float(np.std(self.gains, ddof=1) / np.sqrt(len(self.gains))) if len(self.gains) > 1 else 0.0

    @property
    def worthwhile(self) -> bool:
        """Whether the gain is beyond luck; if not, the default is as good."""
        return len(self.gains) > 1 and self.gain >= WORTH and self.gain > LUCK * self.error


def tune(
    truth: IntArray,
    group: Callable[[Settings], IntArray],
    default: Settings,
    search: Sequence[Candidates],
    *,
    seed: int,
) -> Tuned:
    """Search for settings that suit the labelled faces.

    `truth`, int64[n], is the person of each of them, and `group` gives their groups, int64[n], for any settings; it is
    called once for each. `default` has a value for each setting of `search`. Raises ValueError without faces.
    """
    if not len(truth):
        raise ValueError("there are no faces to tune for")
    judge = _Judge(truth, group)
    folds = deal(truth, FOLDS, seed)
    best = judge.search(default, search, np.ones(len(truth), dtype=bool))
    gains = []
    for fold in np.unique(folds) if len(np.unique(folds)) > 1 else ():
        chosen = judge.search(default, search, folds != fold)
        gains.append(judge.score(chosen, folds == fold) - judge.score(default, folds == fold))
    every = np.ones(len(truth), dtype=bool)
    return Tuned(dict(default), best, judge.score(default, every), judge.score(best, every), tuple(gains), judge.tried)


def deal(truth: IntArray, folds: int, seed: int) -> IntArray:
    """The fold of each face, int64[n] from 0: every person is in one, and each has its share of the large ones."""
    people, rows, sizes = np.unique(truth, return_inverse=True, return_counts=True)
    folds = max(1, min(folds, len(people)))
    shuffled = np.random.default_rng(seed).permutation(len(people))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    of_person = np.empty(len(people), dtype=np.int64)
    # There and back again, so that the first fold does not have the larger one of every round.
    turn = np.concatenate([np.arange(folds), np.arange(folds)[::-1]])
    of_person[order] = turn[np.arange(len(people)) % (2 * folds)]
    found: IntArray = of_person[rows]
    return found


class _Judge:
    """Groups once for each settings, and scores any part of the faces."""

    def __init__(self, truth: IntArray, group: Callable[[Settings], IntArray]) -> None:
        self._truth = truth
        self._group = group
        self._known: dict[tuple[tuple[str, float], ...], tuple[Shares, Shares]] = {}

    @property
    def tried(self) -> int:
        return len(self._known)

    def score(self, settings: Settings, chosen: BoolArray) -> float:
        key = tuple(sorted(settings.items()))
        if key not in self._known:
            self._known[key] = bcubed_of_each(self._truth, self._group(settings))
        precision, recall = self._known[key]
        return mean_scores(precision[chosen], recall[chosen]).f

    def search(self, default: Settings, search: Sequence[Candidates], chosen: BoolArray) -> dict[str, float]:
        """The best settings for the chosen faces; of equals the ones nearer to where the search began."""
        best = dict(default)
        score = self.score(best, chosen)
        for _ in range(_ROUNDS):
            before = dict(best)
            for setting in search:
                for value in setting.values:
                    other = {**best, setting.name: value}
                    if (found := self.score(other, chosen)) > score + 1e-9:
                        best, score = other, found
            if best == before:
                break
        return best
