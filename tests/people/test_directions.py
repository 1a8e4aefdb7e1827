from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.people.directions import distance_at, unit


def test_directions_have_length_one_and_keep_their_way() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 128)).astype(np.float32) * np.float32(7)
    found = unit(vectors)
    assert found.dtype == np.float32
    assert found.shape == (50, 128)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found * np.linalg.norm(vectors, axis=1)[:, None], vectors, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(unit(found), found, atol=1e-6)
    assert unit(vectors[:0]).shape == (0, 128)
    assert vectors[0] @ vectors[0] > 40, "what was given is left as it was"


def test_known_distances() -> None:
    assert distance_at(1) == 0
    assert distance_at(1.0000001) == 0, "rounding must not end in a root of less than nothing"
    assert distance_at(0) == pytest.approx(2**0.5)
    assert distance_at(-1) == 2
    assert distance_at(0.95195) == pytest.approx(0.31)


@given(st.integers(0, 10_000))
def test_a_distance_is_that_of_the_two_points(seed: int) -> None:
    one, other = unit(np.random.default_rng(seed).normal(size=(2, 128)).astype(np.float32)).astype(np.float64)
    assert distance_at(float(one @ other)) == pytest.approx(float(np.linalg.norm(one - other)), abs=1e-5)
