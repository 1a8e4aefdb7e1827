"""Each method on faces that are easy to tell apart, and on the few that there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from guyverd.evaluation.comparators import Method, methods, plain_whispers
from guyverd.evaluation.metrics import bcubed

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

every_method = pytest.mark.parametrize("method", methods(), ids=lambda method: method.name)


def crowd(people: int, each: int, spread: float, seed: int = 0) -> tuple[FloatArray, IntArray]:
    """Vectors of the length that dlib's have, about 1.4, `spread` away from each person's own."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((people, 128))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = chance.standard_normal((people * each, 128)) / np.sqrt(128)
    found = 1.4 * (np.repeat(centres, each, axis=0) + spread * noise)
    order = chance.permutation(people * each)
    return found[order].astype(np.float32), np.repeat(np.arange(1, people + 1), each)[order].astype(np.int64)


@every_method
def test_people_who_are_far_apart_are_told_apart(method: Method) -> None:
    vectors, truth = crowd(people=6, each=8, spread=0.15)
    found = method.run(vectors, 6)
    assert found.shape == truth.shape
    assert found.dtype == np.int64
    assert bcubed(truth, found).f == pytest.approx(1.0)
    assert found.min() >= 1
    assert (found == method.run(vectors, 6)).all(), "the same each time"
    assert method.settings


@every_method
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_faces(method: Method, count: int) -> None:
    vectors, _ = crowd(people=count, each=1, spread=0.0)
    found = method.run(vectors, count)
    assert len(found) == count
    assert found.min() >= 0
    alone = found[found > 0]
    if method.name == "k-means":
        assert len(set(alone.tolist())) == count
    else:
        assert len(set(alone.tolist())) == len(alone), "nobody is put together with a stranger"


def test_plain_whispers_link_no_further_than_they_say() -> None:
    vectors = np.zeros((3, 128), np.float32)
    # Unit vectors 0.30 and 0.32 away from the first.
    for row, distance in enumerate((0.0, 0.30, 0.32)):
        cosine = 1 - distance * distance / 2
        vectors[row, 0], vectors[row, row + 1] = cosine, np.sqrt(1 - cosine * cosine)
    found = plain_whispers(vectors * np.array([[1], [5], [2]], np.float32))
    assert found[0] == found[1]
    assert found[2] != found[0]


def test_plain_whispers_look_at_neighbours_in_blocks() -> None:
    vectors, truth = crowd(people=130, each=9, spread=0.1, seed=3)
    assert len(vectors) > 1024
    assert bcubed(truth, plain_whispers(vectors)).f == pytest.approx(1.0)
