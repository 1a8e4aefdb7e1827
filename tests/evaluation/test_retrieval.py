from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.evaluation.retrieval import outsiders, queries, score

if TYPE_CHECKING:
    from guyverd.model import IntArray


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


def test_who_is_in_one_photo_only_is_not_asked_for() -> None:
    assert queries(ints(1, 1, 2, 3, 3), ints(10, 11, 12, 13, 13)).tolist() == [0, 1]
    assert queries(ints(), ints()).tolist() == []


def test_shares_by_hand() -> None:
    truth, photos = ints(1, 1, 1, 2, 2), ints(10, 11, 12, 12, 13)
    # The first finds one of two others and a wrong one; the second nothing; the third both; the others one another,
    # once with a photo of somebody else.
    answers = [ints(0, 1, 4), ints(1), ints(0, 1, 2), ints(4), ints(3, 0)]
    near = [ints(3, 1), ints(3), ints(), ints(3), ints(3)]
    told = score(truth, photos, ints(0, 1, 2, 3, 4), answers, near)
    assert (told.queries, told.answered) == (5, 4)
    assert told.sensitivity == pytest.approx((1 / 2 + 0 + 1 + 1 + 1) / 5)
    assert told.precision == pytest.approx((1 / 2 + 1 + 1 + 1 / 2) / 4)
    assert told.pooled_sensitivity == pytest.approx(5 / (2 + 2 + 2 + 1 + 1))
    assert told.pooled_precision == pytest.approx(5 / (2 + 0 + 2 + 1 + 2))
    assert told.hit_rate == pytest.approx(2 / 5), "one's own photo is no hit, nor is who else is in a photo"


def test_nothing_asked_and_nothing_answered() -> None:
    nothing = score(ints(1), ints(1), ints(), [], [])
    assert (nothing.queries, nothing.sensitivity, nothing.precision, nothing.hit_rate) == (0, None, None, None)
    assert (nothing.pooled_sensitivity, nothing.pooled_precision) == (None, None)
    silent = score(ints(1, 1), ints(1, 2), ints(0, 1), [ints(), ints()], [ints(), ints()])
    assert (silent.answered, silent.sensitivity, silent.precision, silent.hit_rate) == (0, 0.0, None, 0.0)
    assert (silent.pooled_sensitivity, silent.pooled_precision) == (0.0, None)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=20))
def test_answering_with_groups_is_pairs_where_each_face_has_its_photo(pairs: list[tuple[int, int]]) -> None:
    truth, found = ints(*(t for t, _ in pairs)), ints(*(f for _, f in pairs))
    photos = np.arange(len(truth), dtype=np.int64)
    asked = queries(truth, photos)
    answers = [np.flatnonzero(found == found[row]).astype(np.int64) for row in asked]
    told = score(truth, photos, asked, answers, answers)
    shares, precisions, hits = [], [], []
    counts = np.zeros(3)
    for row in asked.tolist():
        others = [i for i in range(len(truth)) if i != row]
        same = [i for i in others if truth[i] == truth[row]]
        given_ = [i for i in others if found[i] == found[row]]
        right = len(set(same) & set(given_))
        counts += right, len(same), len(given_)
        shares.append(right / len(same))
        precisions += [right / len(given_)] if given_ else []
        hits.append(right > 0)
    assert told.sensitivity == (pytest.approx(float(np.mean(shares))) if shares else None)
    assert told.precision == (pytest.approx(float(np.mean(precisions))) if precisions else None)
    assert told.hit_rate == (pytest.approx(float(np.mean(hits))) if hits else None)
    assert told.pooled_sensitivity == (pytest.approx(counts[0] / counts[1]) if shares else None)
    assert told.pooled_precision == (pytest.approx(counts[0] / counts[2]) if precisions else None)


# ---- asked from outside ----------------------------------------------------------------------------------------------


def test_whoever_is_asked_for_from_outside_stays_in_the_library() -> None:
    truth, photos = ints(1, 1, 1, 2, 2, 3, 4, 4), ints(10, 11, 12, 12, 13, 14, 15, 15)
    chosen = outsiders(truth, photos, 9, seed=3)
    assert 5 not in chosen, "the third is in one photo"
    assert not {6, 7} & set(chosen.tolist()), "so is the fourth, twice"
    assert len(chosen) >= 2
    assert outsiders(truth, photos, 1, seed=3).tolist() in [[row] for row in range(5)]
    assert outsiders(ints(), ints(), 5, seed=1).tolist() == []


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9)), max_size=25), st.integers(0, 9), st.integers(0, 2**32))
def test_outsiders_are_in_photos_of_their_own(pairs: list[tuple[int, int]], count: int, seed: int) -> None:
    truth, photos = ints(*(p for p, _ in pairs)), ints(*(f for _, f in pairs))
    chosen = outsiders(truth, photos, count, seed)
    assert chosen.tolist() == outsiders(truth, photos, count, seed).tolist()
    assert len(chosen) <= count
    away = photos[chosen].tolist()
    assert len(set(away)) == len(away)
    there = {(person, photo) for person, photo in pairs if photo not in away}
    for row in chosen.tolist():
        assert any(person == truth[row] for person, _ in there)
    if count == 9 and not len(chosen):
        assert all(len({photo for other, photo in pairs if other == person}) < 2 for person, _ in pairs)


def test_nobody_is_expected_to_find_what_is_away() -> None:
    truth, photos = ints(1, 1, 1, 2), ints(10, 11, 12, 13)
    asked, answers = ints(0), [ints(1)]
    assert score(truth, photos, asked, answers, answers).sensitivity == 0.5
    assert score(truth, photos, asked, answers, answers, away=ints(10, 12)).sensitivity == 1.0
