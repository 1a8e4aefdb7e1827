"""What was said, in terms of rows."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.model import FaceId, FaceTable, PersonId, Standing
from guyverd.people.directions import unit
from guyverd.people.rules import EVIDENT, NO_RULES, evident, faces_of, rules

from .helpers import drawn, filmed, ints, seen_together, table_of, times

Pairs = set[tuple[int, int]]


def faces(*pairs: tuple[int, int]) -> frozenset[tuple[FaceId, FaceId]]:
    return frozenset((FaceId(one), FaceId(other)) for one, other in pairs)


def reordered(table: FaceTable, *ids: int) -> FaceTable:
    return table.of(np.array([table.ids.tolist().index(face) for face in ids]))


def test_words_of_faces_become_words_of_rows() -> None:
    table = reordered(table_of(drawn(5), people=ints(0, 7, 7, 8, 0)), 3, 5, 1, 4)
    said = Standing(
        together=faces((1, 3), (2, 3)),
        apart=faces((3, 5), (4, 99)),
        barred=frozenset({(FaceId(5), PersonId(8)), (FaceId(1), PersonId(55)), (FaceId(2), PersonId(7))}),
        apart_people=frozenset({(PersonId(7), PersonId(8)), (PersonId(8), PersonId(9))}),
        alike=faces((4, 5), (2, 4)),
    )
    found = rules(table, said)
    assert found.together == {(0, 2)}, "face 2 is not in the table"
    assert found.waived == {(0, 2), (1, 3)}
    assert found.apart == {(0, 1)}
    assert found.barred == {(1, 8), (2, 55)}, "people who are not in the table may be met later"
    assert found.apart_people == {(7, 8)}
    assert found.enemies == {0: {1}, 1: {0}}
    assert rules(table, Standing()) == NO_RULES


def test_pairs_of_rows_are_pairs_of_faces() -> None:
    table = reordered(table_of(drawn(5)), 3, 5, 1, 4)
    assert faces_of(table, [(0, 1), (0, 2), (1, 3)]) == {(3, 5), (1, 3), (4, 5)}
    said = faces((1, 3), (4, 5))
    assert faces_of(table, rules(table, Standing(together=said)).together) == said
    assert faces_of(table, ()) == frozenset()


def test_who_was_said_to_be_one_with_another_by_way_of_a_third() -> None:
    table = reordered(table_of(drawn(6)), 6, 2, 4, 1)
    found = rules(table, Standing(together=faces((1, 3), (3, 4), (4, 9), (2, 5))))
    assert found.together == frozenset(), "1 and 4 are one by way of 3, which is not here"
    assert found.kin == {2: 1, 3: 1, 1: 2}


def test_the_user_s_word_that_two_are_apart_is_above_what_seems_evident() -> None:
    vectors = np.repeat(drawn(1), 3, axis=0)
    table = table_of(vectors, photos=ints(4, 4, 5))
    assert rules(table, Standing()).waived == {(0, 1)}
    found = rules(table, Standing(apart=faces((1, 2)), alike=faces((1, 2))))
    assert found.waived == frozenset()
    assert not found.welcome(0, [1], table)


def test_who_may_stand_beside_whom() -> None:
    table = table_of(drawn(6), photos=ints(1, 1, 1, 2, 2, 3))
    found = rules(table, Standing(together=faces((1, 2)), apart=faces((1, 6))))
    welcome = {pair for pair in combinations(range(6), 2) if found.welcome(pair[0], [pair[1]], table)}
    other_way = {pair for pair in combinations(range(6), 2) if found.welcome(pair[1], [pair[0]], table)}
    every = set(combinations(range(6), 2))
    assert welcome == other_way == every - {(0, 2), (1, 2), (3, 4), (0, 5)}
    assert found.welcome(0, [], table)
    assert found.welcome(0, [1, 3], table)
    assert not found.welcome(0, [1, 3, 5], table), "one against it is enough"
    assert NO_RULES.welcome(0, [3, 5], table)
    assert not NO_RULES.welcome(0, [1], table)


def test_who_may_stand_beside_whom_in_a_video() -> None:
    spans = times((0, 5), (4, 9), (5, 6), (7, 8), (-np.inf, np.inf))
    table = table_of(drawn(5), photos=ints(1, 1, 1, 1, 2), spans=spans)
    found = rules(table, Standing(alike=faces((2, 3))))
    assert not found.welcome(0, [1], table)
    assert found.welcome(0, [2, 3, 4], table), "an end is exclusive"
    assert found.welcome(1, [2, 4], table), "said to be alike"
    assert not found.welcome(3, [0, 1], table)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_evident_are_the_pairs_of_one_photo_that_are_nearly_the_same(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 14))
    photos = ints(*data.draw(st.lists(st.integers(1, 4), min_size=n, max_size=n)))
    who = ints(*data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    # Cosines of about .998 and .98 within a person.
    spread = rng.choice([0.04, 0.15], (n, 1)) / 11.3
    vectors = (drawn(3, 1)[who] + spread * rng.normal(size=(n, 128))).astype(np.float32) * np.float32(1.5)
    table = table_of(vectors, photos=photos, spans=filmed(photos, data.draw(st.integers(0, 9))))
    directions = unit(vectors) if n else vectors
    brute: Pairs = {
        (i, j)
        for i, j in combinations(range(n), 2)
        if seen_together(table, i, j) and float(directions[i] @ directions[j]) >= EVIDENT
    }
    assert evident(table) == brute


def test_where_evident_begins() -> None:
    basis = np.eye(128, dtype=np.float32)
    for cosine, seen in ((EVIDENT + 1e-4, {(0, 1)}), (EVIDENT - 1e-4, set())):
        other = np.float32(cosine) * basis[0] + np.float32(np.sqrt(1 - cosine**2)) * basis[1]
        assert evident(table_of(np.stack([basis[0], other]), photos=ints(1, 1))) == seen
        assert evident(table_of(np.stack([basis[0], other]), photos=ints(1, 2))) == set()
