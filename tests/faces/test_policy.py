"""From what a person wants to what the detector gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.faces.policy import LEVELS, WINDOW, policy


@given(st.sampled_from(LEVELS), st.floats(0.02, 0.4))
def test_the_smallest_face_fills_the_detectors_window(level: str, smallest: float) -> None:
    how = policy(level, smallest)
    narrowest = smallest * {"fast": 2, "balanced": 1, "thorough": 1 / 1.5}[level]
    assert how.canvas * narrowest == pytest.approx(WINDOW, rel=0.02)
    assert how.decoded >= how.canvas
    assert 0.6 < how.step < 1 <= how.enlarge


def test_each_level_does_more_than_the_one_before() -> None:
    chosen = [policy(level, 0.05) for level in LEVELS]
    assert [how.canvas for how in chosen] == sorted({how.canvas for how in chosen})
    assert [how.step for how in chosen] == sorted(how.step for how in chosen)
    assert [how.enlarge for how in chosen] == sorted(how.enlarge for how in chosen)


def test_the_levels_are_those_of_the_config() -> None:
    from guyverd.config import Faces

    assert Faces().level in LEVELS
    assert policy(Faces().level, Faces().smallest).canvas == 2000
