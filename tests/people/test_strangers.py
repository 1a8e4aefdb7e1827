"""The model of strangers against strangers drawn from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.people import strangers
from guyverd.people.directions import unit
from guyverd.people.strangers import CENTRE, NARROW, SHIPPED, WIDE, Strangers, shipped

from .helpers import drawn, faces_of

MANY = 20_000


def only(part: int) -> Strangers:
    """A model of one part of the shipped one."""
    model, some = shipped(), slice(part, part + 1)
    return Strangers(model.axes, np.ones(1, np.float32), model.means[some], model.variances[some])


# The answer follows from a normal curve for each part and not from drawing, and is as exact as that: a centre lies
# about .0014, a fifth of a width, below what is drawn.


@pytest.mark.parametrize("seed", range(2))
def test_the_centre_is_exceeded_by_the_share_of_drawn_strangers_that_is_promised(seed: int) -> None:
    faces = drawn(300, seed)
    similarity = faces @ drawn(MANY, seed + 100).T
    centre, width = shipped().likeness(faces)
    share = (similarity > centre[:, None]).mean(axis=1)
    assert 0.85 * CENTRE < share.mean() < 1.4 * CENTRE
    assert share.min() > 0.5 * CENTRE
    assert share.max() < 2.2 * CENTRE
    of_drawn = np.quantile(similarity, 1 - CENTRE, axis=1)
    assert (np.abs(centre - of_drawn) < width).all()
    assert np.corrcoef(centre, of_drawn)[0, 1] > 0.95, "who resembles more strangers than another is told"


def test_the_width_follows_the_spread_of_the_most_alike() -> None:
    faces = drawn(300, 5)
    similarity = faces @ drawn(MANY, 105).T
    wide, narrow = np.quantile(similarity, [1 - WIDE, 1 - NARROW], axis=1)
    width = shipped().likeness(faces)[1]
    assert 0.9 < (width / ((narrow - wide) / 2.77)).mean() < 1.25
    most = np.sort(similarity, axis=1)[:, -MANY // 100 :]
    assert 0.9 < (width / most.std(axis=1)).mean() < 1.5


@pytest.mark.parametrize("part", [0, 7, 47])
def test_a_model_of_a_single_part(part: int) -> None:
    model = only(part)
    faces = drawn(200, 3, model)
    centre, width = model.likeness(faces)
    share = (faces @ drawn(MANY, 4, model).T > centre[:, None]).mean(axis=1)
    assert 0.7 * CENTRE < share.mean() < 1.6 * CENTRE
    assert (width > 0.003).all()


def test_the_farther_from_everybody_the_fewer_are_alike() -> None:
    model = shipped()
    middles = unit(model.means @ model.axes)
    rng = np.random.default_rng(0)
    for middle in middles:
        somewhere = rng.normal(size=128)
        away = unit((somewhere - (somewhere @ middle) * middle)[None].astype(np.float32))
        centre, _ = model.likeness(unit(middle + np.linspace(0, 1.5, 20, dtype=np.float32)[:, None] * away))
        assert (np.diff(centre) < 0).all()
        assert centre[0] > 0.94


def test_a_smaller_share_is_reached_farther_out() -> None:
    faces = drawn(100, 8)
    tail = strangers._Tail(*shipped()._distances(faces), shipped().weights)
    shares = [0.05, WIDE, CENTRE, NARROW, 0.0001]
    reached = np.stack([tail.exceeded(share, tail.beginning()) for share in shares])
    assert (np.diff(reached, axis=0) > 0.002).all()


def test_equal_faces_get_equal_answers_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = drawn(40, 9)
    centre, width = shipped().likeness(faces)
    assert centre.shape == width.shape == (40,)
    assert centre.dtype == width.dtype == np.float32
    again = shipped().likeness(faces.copy())
    assert (again[0] == centre).all()
    assert (again[1] == width).all()
    order = np.random.default_rng(1).permutation(40)
    for block in (1, 7, 39, 40):
        monkeypatch.setattr(strangers, "_BLOCK", block)
        found = shipped().likeness(faces[order])
        np.testing.assert_allclose(found[0], centre[order], atol=2e-5)
        np.testing.assert_allclose(found[1], width[order], atol=2e-5)


def test_no_faces() -> None:
    centre, width = shipped().likeness(np.empty((0, 128), np.float32))
    assert len(centre) == len(width) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 1.0, 100.0]))
def test_what_is_no_face_has_a_scale_too(seed: int, strangeness: float) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(20, 128)).astype(np.float32) * np.float32(strangeness / 11)
    for vectors in (drawn(20, seed) + noise, noise + np.eye(128, dtype=np.float32)[:20], -drawn(20, seed)):
        centre, width = shipped().likeness(unit(vectors))
        assert np.isfinite(centre).all()
        assert (centre > 0).all()
        assert (centre < 1).all()
        assert np.isfinite(width).all()
        assert (width >= 0.001).all()


def test_no_width_is_nothing_even_where_strangers_hardly_differ() -> None:
    model = shipped()
    narrow = Strangers(model.axes, model.weights, model.means, model.variances * np.float32(1e-6))
    _, width = narrow.likeness(drawn(50, 2))
    assert (width >= 0.001).all()


def test_one_person_is_far_beyond_strangers() -> None:
    """The unit of it all: faces of one person are several widths above the centre, strangers nearly all below it."""
    faces = unit(faces_of(np.repeat(np.arange(20), 5), spread=0.15))
    centre, width = shipped().likeness(faces)
    told = (faces @ faces.T - centre[:, None]) / width[:, None]
    same = np.repeat(np.arange(20), 5)[:, None] == np.repeat(np.arange(20), 5)
    assert told[same].min() > 5
    assert told[~same].max() < 1


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    only(3).save(path)
    again = Strangers.load(path)
    for name in ("axes", "weights", "means", "variances"):
        np.testing.assert_array_equal(getattr(again, name), getattr(only(3), name))
    with pytest.raises(OSError, match="none"):
        Strangers.load(tmp_path / "none.npz")


def test_the_shipped_model_is_sound_and_small() -> None:
    model = shipped()
    assert model is shipped(), "read once"
    assert model.weights.sum() == pytest.approx(1, abs=1e-5)
    assert (model.weights > 0.005).all(), "no part that only a few people made"
    assert (model.variances > 0).all()
    np.testing.assert_allclose(model.axes @ model.axes.T, np.eye(128), atol=1e-5)
    for name in ("axes", "weights", "means", "variances"):
        assert getattr(model, name).dtype == np.float32
    # As many numbers as a few hundred faces: it cannot hold the faces it was made from.
    assert SHIPPED.stat().st_size < 200_000
