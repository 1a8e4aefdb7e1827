"""Evidence: linear, symmetrical, told by the model of strangers, and by the library's own crowd where there is one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.people import evidence as evidence_
from guyverd.people.directions import unit
from guyverd.people.evidence import Measure, Scales, evidence, sums
from guyverd.people.strangers import shipped

from .helpers import NO_FACES, SETTINGS, drawn, faces_of, told_between

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray


def scales_of(n: int, seed: int) -> Scales:
    rng = np.random.default_rng(seed)
    return Scales(rng.uniform(0.85, 0.95, n).astype(np.float32), rng.uniform(0.005, 0.012, n).astype(np.float32))


# ---- the measure itself ----------------------------------------------------------------------------------------------


def test_known_values() -> None:
    one = Scales(np.array([0.9], np.float32), np.array([0.01], np.float32))
    other = Scales(np.array([0.92], np.float32), np.array([0.02], np.float32))
    cosine = np.array([0.96], np.float32)
    assert one.alone(cosine)[0] == pytest.approx(6, abs=1e-4)
    assert other.alone(cosine)[0] == pytest.approx(2, abs=1e-4)
    assert evidence(cosine, one, other)[0] == pytest.approx(4, abs=1e-4)
    assert one.alone(one.centre)[0] == 0
    assert evidence(cosine, one, other).dtype == np.float32


@given(st.integers(0, 10_000), st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=20))
def test_linear_in_the_cosine_and_the_same_from_both_sides(seed: int, cosines: list[float]) -> None:
    n = len(cosines)
    similarity, one, other = np.array(cosines, np.float32), scales_of(n, seed), scales_of(n, seed + 1)
    told = evidence(similarity, one, other)
    np.testing.assert_array_equal(told, evidence(similarity, other, one))
    slope = (1 / one.width.astype(np.float64) + 1 / other.width.astype(np.float64)) / 2
    at_zero = evidence(np.zeros(n, np.float32), one, other)
    np.testing.assert_allclose(told, at_zero + slope * similarity, atol=2e-3)
    rising = evidence(np.sort(similarity), one.of(np.zeros(n, np.int64)), other.of(np.zeros(n, np.int64)))
    assert (np.diff(rising) >= 0).all()


def test_a_column_measures_each_with_each() -> None:
    one, other = scales_of(3, 0), scales_of(4, 1)
    similarity = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    every = evidence(similarity, one.column, other)
    for row in range(3):
        alone = one.of(np.array([row] * 4))
        np.testing.assert_array_equal(every[row], evidence(similarity[row], alone, other))


def test_scales_of_some() -> None:
    scales = scales_of(5, 0)
    assert len(scales) == 5
    some = scales.of(np.array([3, 1]))
    assert some.centre.tolist() == scales.centre[[3, 1]].tolist()
    assert some.width.tolist() == scales.width[[3, 1]].tolist()
    assert len(scales.of(np.array([True, False, True, False, False]))) == 2
    assert len(scales.of(slice(1, 4))) == 3


# ---- how much is asked -----------------------------------------------------------------------------------------------


def asked(faces: int, strictness: float = 0.0, group_bonus: float = 1.0) -> tuple[float, float]:
    wanted = dataclasses.replace(SETTINGS, strictness=strictness, group_bonus=group_bonus)
    measure = Measure(wanted, faces, NO_FACES)
    return measure.link, measure.join


def test_more_is_asked_in_a_larger_library_and_by_a_stricter_user() -> None:
    links = [asked(faces)[0] for faces in (400, 401, 1000, 10_000, 100_000)]
    assert links == sorted(set(links))
    assert links[4] - links[3] == pytest.approx(links[3] - links[2]), "as much for each factor of ten"
    assert asked(0) == asked(1) == asked(400), "a few faces tell nothing of how many there will be"
    for strictness in (-2.0, -0.5, 0.5, 3.0):
        assert asked(900, strictness)[0] == pytest.approx(asked(900)[0] + strictness)
        assert asked(900, strictness)[1] == pytest.approx(asked(900)[1] + strictness)
    for bonus in (0.0, 1.0, 3.0):
        link, join = asked(500, group_bonus=bonus)
        assert link - join == pytest.approx(bonus)


# ---- the crowd -------------------------------------------------------------------------------------------------------

MIDDLES = (0, 20, 33)
"""Parts of the mixture whose middles many resemble."""


def look_alikes(people: int, each: int, middle: int = 0, spread: float = 0.2, seed: int = 0) -> FloatArray:
    """Faces of people who all look like one middle; `each` of each, one after another."""
    model, rng = shipped(), np.random.default_rng(seed)
    towards = unit(model.means @ model.axes)[middle]
    own = unit((towards + spread / 11.3 * rng.normal(size=(people, 128))).astype(np.float32))
    faces = np.repeat(own, each, axis=0) + 0.1 / 11.3 * rng.normal(size=(people * each, 128))
    return unit(faces.astype(np.float32))


def whose(people: int, each: int) -> tuple[BoolArray, BoolArray]:
    """Pairs of one person, and of two."""
    who = np.repeat(np.arange(people), each)
    same = who[:, None] == who
    return same & ~np.eye(len(who), dtype=bool), ~same


@pytest.mark.parametrize("middle", MIDDLES)
def test_among_look_alikes_more_is_asked(middle: int) -> None:
    faces = look_alikes(60, 3, middle)
    same, different = whose(60, 3)
    plain, crowded = Measure(SETTINGS, len(faces), NO_FACES), Measure(SETTINGS, len(faces), faces)
    assert crowded.link == plain.link
    by_model, by_crowd = told_between(faces, plain), told_between(faces, crowded)
    assert (by_model[different] > plain.link).mean() > 0.15, "by the model alone they melt"
    assert (by_crowd[different] > plain.link).mean() < 0.06
    assert np.median(by_crowd[different]) < np.median(by_model[different]) - 1
    assert by_crowd[same].min() > plain.link, "and each is still one person"


@pytest.mark.parametrize("middle", MIDDLES)
def test_somebody_who_comes_into_a_crowd_is_measured_by_it_and_a_stranger_is_not(middle: int) -> None:
    faces = look_alikes(80, 3, middle)
    crowd, late = faces[:180], faces[180:]
    plain, crowded = Measure(SETTINGS, 180, NO_FACES), Measure(SETTINGS, 180, crowd)
    different = whose(20, 3)[1]
    assert np.median(told_between(late, crowded)[different]) < np.median(told_between(late, plain)[different]) - 1
    strangers = drawn(3000, 77)
    strangers = strangers[(strangers @ crowd.T).max(axis=1) < 0.85]
    assert len(strangers) > 10
    for by_model, by_crowd in zip(_told(plain, strangers), _told(crowded, strangers), strict=True):
        np.testing.assert_array_equal(by_model, by_crowd)


def _told(measure: Measure, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    scales = measure.scales(vectors)
    return scales.centre, scales.width


@pytest.mark.parametrize(
    "faces",
    [
        pytest.param(look_alikes(1, 300, spread=0.0), id="one and the same person"),
        pytest.param(look_alikes(3, 100, spread=0.3), id="three people with many photos each"),
        pytest.param(look_alikes(19, 1), id="fewer than twenty look-alikes"),
        pytest.param(drawn(600, 3), id="strangers"),
        pytest.param(faces_of(np.arange(400) % 100, spread=0.2), id="a hundred people of all kinds"),
        pytest.param(NO_FACES, id="nobody yet"),
    ],
)
def test_where_there_is_no_crowd_the_model_is_all_that_counts(faces: FloatArray) -> None:
    measure = Measure(SETTINGS, len(faces), faces)
    asked_about = np.concatenate([faces, look_alikes(5, 2, seed=9), drawn(50, 8)])
    scales = measure.scales(asked_about)
    centre, width = shipped().likeness(unit(asked_about))
    np.testing.assert_array_equal(scales.centre, centre)
    np.testing.assert_array_equal(scales.width, width)


def test_a_scale_does_not_depend_on_the_company_a_face_is_asked_about_in(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = look_alikes(60, 3)
    together = Measure(SETTINGS, 180, faces).scales(faces)
    alone = [Measure(SETTINGS, 180, faces).scales(faces[row : row + 1]) for row in range(0, 180, 30)]
    np.testing.assert_allclose(np.concatenate([one.centre for one in alone]), together.centre[::30], atol=1e-4)
    monkeypatch.setattr(evidence_, "_BLOCK", 7)
    in_blocks = Measure(SETTINGS, 180, faces).scales(faces)
    np.testing.assert_allclose(in_blocks.centre, together.centre, atol=1e-4)
    np.testing.assert_allclose(in_blocks.width, together.width, atol=1e-4)
    # Vectors may have any length.
    longer = Measure(SETTINGS, 180, faces * np.float32(3)).scales(faces * np.float32(1.5))
    np.testing.assert_allclose(longer.centre, together.centre, atol=1e-4)


# ---- sums ------------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_sums_tell_the_mean_over_all_pairs(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 20))
    count = data.draw(st.integers(1, 5))
    groups: IntArray = np.array(data.draw(st.lists(st.integers(-1, count - 1), min_size=n, max_size=n)), np.int64)
    seed = data.draw(st.integers(0, 1000))
    vectors, scales = drawn(n, seed), scales_of(n, seed)
    found = sums(vectors, scales, groups, count)
    told = evidence(vectors @ vectors.T, scales.column, scales).astype(np.float64)
    assert found.counts.tolist() == [float((groups == group).sum()) for group in range(count)]
    for one in range(count):
        if not found.counts[one]:
            for part in (found.vectors[one], found.scaled[one], found.offsets[one]):
                assert not np.any(part)
            assert not any(np.any(part[one]) for part in found.means())
            continue
        for other in range(count):
            if one == other or not found.counts[other]:
                continue
            mine, theirs = found.counts[one], found.counts[other]
            mean = (found.vectors[one] @ found.scaled[other] + found.scaled[one] @ found.vectors[other]) / mine / theirs
            mean = (mean - found.offsets[one] / mine - found.offsets[other] / theirs) / 2
            brute = told[np.ix_(groups == one, groups == other)].mean()
            assert mean == pytest.approx(brute, abs=2e-3)
            near, scaled, offset = found.means()
            mean = (near[one] @ scaled[other] + scaled[one] @ near[other] - offset[one] - offset[other]) / 2
            assert mean == pytest.approx(brute, abs=2e-3)
