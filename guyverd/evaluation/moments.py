"""How well moments of films are found, against a truth that is exact to the frame; pure.

Times are seconds from the beginning of a film. Spans hold their start and not their end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Span = tuple[float, float]
"""Start and end, the end above the start."""
ENOUGH = 0.5
"""An answered moment is right where the person is seen for such a share of it; a moment of a film is found where such
a share of it was answered."""
NEAR = 3.0
"""Seconds that may lie between two moments of one person which are looked at as one where edges are compared."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for one person in all films."""

    true: Mapping[str, Sequence[Span]]
    """By film: when the person is seen, in order, no two of them touching."""
    found: Mapping[str, Sequence[Span]]
    """By film: the moments that were answered; they may overlap."""


@dataclass(frozen=True, slots=True)
class Moments:
    """What came of all queries."""

    queries: int
    absent: int
    """Of these, for people who are in no film: whatever is found for them is wrong."""
    moments: int
    """To be found, query by query."""
    found: int
    """Of these, those that were."""
    answered: int
    """Moments in all answers."""
    right: int
    """Of these, those that do show the person."""
    time_precision: float | None
    """Share, 0..1, of all time in the answers in which the person is seen. None where nothing was answered."""
    time_recall: float | None
    """Share, 0..1, of all time in which people are seen that was answered. None where nobody is."""
    edges: tuple[float, float] | None
    """By how many seconds starts and ends of moments that were met are off: the median, and what nineteen of twenty
    stay below. None where none was met."""

    @property
    def precision(self) -> float | None:
        """Share, 0..1, of answered moments that are right; None where nothing was answered."""
        return self.right / self.answered if self.answered else None

    @property
    def recall(self) -> float | None:
        """Share, 0..1, of moments to be found that were; None where there are none."""
        return self.found / self.moments if self.moments else None


def score(answers: Sequence[Asked]) -> Moments:
    """What the answers are worth, all queries together."""
    moments = found = answered = right = 0
    seen = told = common = 0.0
    off: list[float] = []
    for asked in answers:
        for film in sorted({*asked.true, *asked.found}):
            true, given = asked.true.get(film, ()), asked.found.get(film, ())
            every = joined(given)
            shares = [overlap(span, every) / _length(span) for span in true]
            moments, found = moments + len(true), found + sum(share >= ENOUGH for share in shares)
            answered += len(given)
            right += sum(overlap(span, true) >= ENOUGH * _length(span) for span in given)
            seen += sum(map(_length, true))
            told += sum(map(_length, every))
            common += sum(overlap(span, every) for span in true)
            off += _off(true, every)
    return Moments(
        len(answers),
        sum(not any(asked.true.values()) for asked in answers),
        moments,
        found,
        answered,
        right,
        common / told if told else None,
        common / seen if seen else None,
        (float(np.median(off)), float(np.quantile(off, 0.95))) if off else None,
    )


def joined(spans: Iterable[Span], gap: float = 0.0) -> tuple[Span, ...]:
    """The same time in spans that do not overlap, in order; those that lie `gap` seconds apart or less become one."""
    made: list[Span] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1] + gap:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return tuple(made)


def overlap(span: Span, others: Iterable[Span]) -> float:
    """Seconds of a span that lie in others, which do not overlap one another."""
    return sum(max(0.0, min(span[1], end) - max(span[0], start)) for start, end in others)


def _length(span: Span) -> float:
    return span[1] - span[0]


def _off(true: Iterable[Span], found: Iterable[Span]) -> list[float]:
    """By how much the edges of moments are off, two for each that was found.

    What nearly touches is taken for one, on both sides: whether two shots of one person are one moment is not asked.
    """
    distances: list[float] = []
    given = joined(found, NEAR)
    for span in joined(true, NEAR):
        meeting = [each for each in given if overlap(span, [each]) > 0]
        if meeting:
            distances += [abs(meeting[0][0] - span[0]), abs(meeting[-1][1] - span[1])]
    return distances
