"""How likely it is that something found is right: evidence turned into a probability.

Each of the curves is logistic, over what is known of the case; their figures come from labelled sets (docs/search.md).
They are told in evidence above `Measure.link`, which grows with the library as chance hits do, so that one curve serves
small libraries and large ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray
    from guyverd.people.evidence import Measure

SAID = 0.999
"""Of a face of which somebody said who it is."""
_MOST = 0.999
"""Nothing that was measured is surer: labels have errors too."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A logistic curve over some features."""

    start: float
    slopes: tuple[float, ...]

    def at(self, *features: FloatArray) -> FloatArray:
        """The probability, float32[n], of features float32[n] each."""
        total = np.full(np.shape(features[0]), self.start, np.float64)
        for slope, feature in zip(self.slopes, features, strict=True):
            total += slope * np.asarray(feature, np.float64)
        found: FloatArray = np.minimum(1 / (1 + np.exp(-np.clip(total, -30, 30))), _MOST).astype(np.float32)
        return found


_ALONE = Curve(0.0, (2.0,))
"""That two faces of which one or none has a person are one: by evidence above the link."""
_ELSEWHERE = Curve(-2.0, (1.6,))
"""The same where the other face was found to be somebody else."""
_PERSON = Curve(-0.5, (0.8, 0.8, 0.3))
"""That a face is a person: by the most evidence any of theirs gives above the link, the mean above the join, and by how
much the first beats the next person's."""
_MEMBER = Curve(4.0, (1.0,))
"""That a face is rightly its person's: by its mean evidence for being one with the others, above the join."""


def direct(evidence: FloatArray, elsewhere: BoolArray, measure: Measure) -> FloatArray:
    """That a face is the one asked about, by the evidence for that alone, float32[n].

    `elsewhere`, bool[n]: whether it has a person who the one asked about was not found to be.
    """
    above = evidence - np.float32(measure.link)
    found: FloatArray = np.where(elsewhere, _ELSEWHERE.at(above), _ALONE.at(above))
    return found


def person(most: FloatArray, mean: FloatArray, margin: FloatArray, measure: Measure) -> FloatArray:
    """That the face asked about is each of some people, float32[n].

    `most` is the most evidence any face of theirs gives, `mean` that of all their faces, `margin` by how much `most` is
    above everybody else's; each float32[n].
    """
    return _PERSON.at(most - np.float32(measure.link), mean - np.float32(measure.join), np.clip(margin, -4, 4))


def member(mean: FloatArray, said: BoolArray, measure: Measure) -> FloatArray:
    """That faces are rightly those of their people, float32[n].

    `mean` is the mean evidence for being one with the others of the same person, infinite where there are none;
    `said`, bool[n], whether somebody said so.
    """
    above = np.minimum(mean - np.float32(measure.join), 8.0).astype(np.float32)
    found: FloatArray = np.where(said, np.float32(SAID), _MEMBER.at(above))
    return found
