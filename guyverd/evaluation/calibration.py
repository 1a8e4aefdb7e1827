"""Whether a confidence means what it says: of all answers given with .9, nine of ten must be right; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guyverd.model import BoolArray, DoubleArray, IntArray

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.999, 1.0)
"""Where the rows of the table begin and end; finer where people decide."""
FAR = 3.0
"""Standard deviations by which the share that is right may differ from what was said before it is more than luck."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same confidence."""

    low: float
    high: float
    """Confidences from `low` on and below `high`, the last bin with it."""
    count: int
    queries: int
    """How many queries they answer: what is wrong of one of its answers is mostly wrong of the others too."""
    said: float
    """The mean of their confidences."""
    right: float
    """The share of them that is right, 0..1."""

    @property
    def off(self) -> bool:
        """Whether said and right differ by more than chance makes of so many queries."""
        deviation = float(np.sqrt(self.said * (1 - self.said) / self.queries))
        return abs(self.right - self.said) > FAR * deviation


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came of all answers that were given with a confidence."""

    answers: int
    bins: tuple[Bin, ...]
    """Those that hold anything, from the least confidence up."""
    brier: float | None
    """Mean square of confidence less truth, 0..1: 0 for an oracle, .25 for a coin. None without answers."""
    error: float | None
    """Mean distance of said from right, each bin by its answers, 0..1 (the expected calibration error)."""


def calibration(
    confidence: DoubleArray, right: BoolArray, queries: IntArray, edges: Sequence[float] = EDGES
) -> Calibration:
    """Compare confidences, float64[n] in 0..1, with whether each answer was right, bool[n].

    `queries`, int64[n], tells which answers are of one query. Raises ValueError for confidences that are none.
    """
    if not len(confidence) == len(right) == len(queries):
        raise ValueError(f"{len(confidence)} confidences for {len(right)} answers to {len(queries)} queries")
    said = confidence
    if not ((said >= 0) & (said <= 1)).all():
        raise ValueError("a confidence lies outside of 0..1")
    if not len(said):
        return Calibration(0, (), None, None)
    places = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, len(edges) - 2)
    bins = []
    for place in np.unique(places).tolist():
        some = places == place
        mean, share = float(said[some].mean()), float(right[some].mean())
        asked = len(np.unique(queries[some]))
        bins.append(Bin(edges[place], edges[place + 1], int(some.sum()), asked, mean, share))
    error = sum(each.count * abs(each.said - each.right) for each in bins) / len(said)
    return Calibration(len(said), tuple(bins), float(np.mean((said - right) ** 2)), error)


def level(confidence: DoubleArray, right: BoolArray, precision: float) -> float | None:
    """The least confidence from which on the share of right answers is `precision` (0..1) at every level above it too.

    None where not even the surest answers are that often right. Ties are taken together.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked, hits = confidence[order], np.cumsum(right[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.zeros(0, np.int64)
    enough = hits[last] / (last + 1) >= precision if len(last) else np.zeros(0, bool)
    if not len(enough) or not enough[0]:
        return None
    until = len(enough) if enough.all() else int(np.argmin(enough))
    return float(ranked[last[until - 1]])
