"""Confidences are probabilities that rise with what speaks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from guyverd.config import People
from guyverd.people import confidence
from guyverd.people.confidence import Curve, Membership
from guyverd.people.evidence import Measure
from tests.people.helpers import drawn

if TYPE_CHECKING:
    from guyverd.model import FloatArray

MEASURE = Measure(People(), 1000, drawn(50))
RISING = np.linspace(-12, 12, 200).astype(np.float32)


def like(values: FloatArray, value: float) -> FloatArray:
    return np.full(len(values), value, np.float32)


def members(mean: FloatArray, other: float = -9, crowd: float = 0, count: int = 5, *, said: bool = False) -> FloatArray:
    rows = len(mean)
    known = Membership(mean, like(mean, other), like(mean, crowd), count, np.full(rows, said))
    return confidence.member(known, MEASURE)


def test_a_curve_is_a_probability_that_rises() -> None:
    told = Curve(-1, (2.0, 0.0)).at(RISING, RISING)
    assert told.dtype == np.float32
    assert 0 < told[0] < 1e-6
    assert (np.diff(told) >= 0).all()
    assert told[-1] < 1, "nothing is certain"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_more_evidence_is_surer(elsewhere: bool) -> None:
    told = confidence.direct(RISING, np.full(200, elsewhere), MEASURE)
    assert (np.diff(told) >= 0).all()
    assert (np.diff(confidence.likeness(RISING, MEASURE)) >= 0).all()
    assert (np.diff(confidence.person(RISING, RISING, RISING, MEASURE)) >= 0).all()
    assert (np.diff(members(RISING)) >= 0).all()


def test_who_was_found_to_be_somebody_else_is_less_likely() -> None:
    link = like(RISING, MEASURE.link)
    alone, other = (confidence.direct(link, np.full(200, one), MEASURE)[0] for one in (False, True))
    assert other < 0.2 < alone < 0.9


def test_rightly_theirs_is_who_nobody_else_claims() -> None:
    mean = like(RISING[:1], MEASURE.join + 1)
    assert members(mean) > members(mean, other=MEASURE.join + 1)
    assert members(mean) > members(mean, crowd=1), "among people alike less is sure"
    assert members(mean, count=30) > members(mean, count=2)
    assert members(mean, count=40) == members(mean, count=3000), "more faces than some make nobody surer"
    assert members(like(mean, -9), said=True) == np.float32(confidence.SAID), "what somebody said counts"


def test_the_only_face_of_a_person_is_theirs() -> None:
    assert members(np.array([np.inf], np.float32), other=-np.inf, count=1) > 0.9
