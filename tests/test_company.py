"""Who is seen together: every pair that is, once, and no other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.company import companions
from guyverd.model import Spans
from tests.people.helpers import filmed, ints, seen_together, table_of, times

NOTHING = np.empty(0, np.int64)


def pairs(photos: np.ndarray[tuple[int], np.dtype[np.int64]], spans: Spans | None = None) -> list[tuple[int, int]]:
    return list(zip(*(ends.tolist() for ends in companions(photos, spans)), strict=True))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 4), max_size=14), st.integers(0, 50))
def test_it_is_every_pair_of_one_photo_or_of_one_moment(given_photos: list[int], seed: int) -> None:
    photos = np.array(given_photos, np.int64)
    table = table_of(np.zeros((len(photos), 128), np.float32), photos=photos, spans=filmed(photos, seed))
    found = pairs(photos, table.spans)
    assert len(set(found)) == len(found)
    assert set(found) == {pair for pair in combinations(range(len(photos)), 2) if seen_together(table, *pair)}
    every = np.array([*combinations(range(len(photos)), 2)], np.int64).reshape(-1, 2)
    beside = table.beside(every[:, 0], every[:, 1])
    assert {(one, other) for one, other in every[beside].tolist()} == set(found), "asked pair by pair it is the same"


def test_ends_are_exclusive_and_what_is_drawn_by_hand_is_always_seen() -> None:
    always = (-np.inf, np.inf)
    spans = times((0, 1), (1, 2), (0.5, 1.5), always, always)
    assert set(pairs(ints(1, 1, 1, 1, 2), spans)) == {(0, 2), (1, 2), (0, 3), (1, 3), (2, 3)}
    assert pairs(ints(1, 2, 3), times((0, 9), (0, 9), (0, 9))) == []


def test_nobody_is_in_company_with_nobody() -> None:
    assert pairs(NOTHING) == []
    assert pairs(NOTHING, Spans(np.empty(0), np.empty(0))) == []


def test_a_film_of_many_shots_has_few_pairs() -> None:
    """Ten films of 20,000 tracks: two billion pairs, of which none overlaps, and none is ever made."""
    n = 200_000
    starts = np.tile(np.arange(n // 10, dtype=np.float64), 10)
    photos = np.repeat(np.arange(10), n // 10)
    assert pairs(photos, Spans(starts, starts + 1)) == []
    assert len(pairs(photos, Spans(starts, starts + 1.5))) == n - 10
