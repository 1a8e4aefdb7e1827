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


_ALONE = Curve(0.2, (1.8,))
"""That two faces of which one or none has a person are one: by evidence above the link."""
_ELSEWHERE = Curve(-2.0, (1.0,))
"""The same where the one asked about was found to be somebody, and the other to be somebody else."""
_LIKENESS = Curve(0.5, (1.8,))
"""The same where nothing is known of who they were found to be."""
_PERSON = Curve(-0.8, (0.55, 1.05, 0.6))
"""That a face is a person: by the most evidence any of theirs gives above the link, the mean above the join, and by how
much the first beats the next person's."""
_MEMBER = Curve(-1.4, (1.45, 0.85, 0.6, -1.4))
"""That a face is rightly its person's: by its mean evidence for being one with the others, above the join; the binary
logarithm of how many these are, itself among them; by how much that mean is above the one for anybody else; and how far
it is among people alike, where one that is wrong is as like the others as one that is right."""
MANY = 32
"""More faces than these make nobody surer."""


def direct(evidence: FloatArray, elsewhere: BoolArray, measure: Measure) -> FloatArray:
    """That a face is the one asked about, by the evidence for that alone, float32[n].

    `elsewhere`, bool[n]: whether it is somebody's who the one asked about, found to be somebody, is not.
    """
    above = _above(evidence, measure.link)
    found: FloatArray = np.where(elsewhere, _ELSEWHERE.at(above), _ALONE.at(above))
    return found


def likeness(evidence: FloatArray, measure: Measure) -> FloatArray:
    """The same, whoever either was found to be, float32[n]."""
    return _LIKENESS.at(_above(evidence, measure.link))


def person(most: FloatArray, mean: FloatArray, margin: FloatArray, measure: Measure) -> FloatArray:
    """That the face asked about is each of some people, float32[n].

    `most` is the most evidence any face of theirs gives, `mean` that of all their faces, `margin` by how much `most` is
    above everybody else's; each float32[n].
    """
    return _PERSON.at(
        np.clip(_above(most, measure.link), -4, 6), np.clip(_above(mean, measure.join), -6, 4), np.clip(margin, -4, 4)
    )


@dataclass(frozen=True, slots=True)
class Membership:
    """What speaks for n faces being rightly those of their person."""

    mean: FloatArray
    """float32[n]: mean evidence for being one with the others; infinite where there are none."""
    other: FloatArray
    """float32[n]: the most mean evidence for being one with anybody else's; −infinite where nobody is near."""
    crowd: FloatArray
    """float32[n]: how far each is among people alike (`Measure.crowding`)."""
    count: int
    """How many faces the person has."""
    said: BoolArray
    """bool[n]: whether somebody said whose it is."""


def member(known: Membership, measure: Measure) -> FloatArray:
    """That faces are rightly those of their person, float32[n]."""
    above = np.clip(_above(known.mean, measure.join), -6, 4)
    beyond = np.clip(above - np.clip(_above(known.other, measure.join), -6, 4), -3, 3)
    size = np.full(len(above), np.log2(min(max(known.count, 1), MANY)), np.float32)
    found: FloatArray = np.where(known.said, np.float32(SAID), _MEMBER.at(above, size, beyond, known.crowd))
    return found


def _above(evidence: FloatArray, threshold: float) -> FloatArray:
    found: FloatArray = evidence - np.float32(threshold)
    return found
