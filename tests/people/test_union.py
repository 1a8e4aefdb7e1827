from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.config import People
from guyverd.model import FaceTable
from guyverd.people.graph import similarity_at, unit
from guyverd.people.union import merges

from .helpers import faces_of, table_of

if TYPE_CHECKING:
    from guyverd.model import IntArray

SETTINGS = People()


def ints(*values: int) -> IntArray:
    return np.array(values, np.int64)


def pairs(
    table: FaceTable,
    named: tuple[int, ...] = (),
    sampled: tuple[int, ...] = (),
    apart: tuple[tuple[int, int], ...] = (),
) -> list[tuple[int, int]]:
    found = merges(table, SETTINGS, named=named, sampled=sampled, apart=apart)
    return [(item.absorbed, item.into) for item in found]


ONE_PERSON = faces_of(ints(0, 0, 0, 0))


def test_pieces_of_one_person_become_one_and_the_older_survives() -> None:
    table = table_of(ONE_PERSON, people=ints(9, 9, 4, 4))
    found = merges(table, SETTINGS, named=())
    assert [(item.absorbed, item.into) for item in found] == [(9, 4)]
    cosines = unit(ONE_PERSON)[:2] @ unit(ONE_PERSON)[2:].T
    assert found[0].score == pytest.approx(float(cosines.mean()), abs=1e-5)


def test_who_survives() -> None:
    table = table_of(ONE_PERSON, people=ints(9, 9, 4, 4))
    assert pairs(table, named=(9,)) == [(4, 9)]
    assert pairs(table, sampled=(9,)) == [(4, 9)]
    assert pairs(table_of(ONE_PERSON, people=ints(-1, -1, 4, 4))) == [(-1, 4)]
    assert pairs(table_of(ONE_PERSON, people=ints(-1, -2, -3, -3))) == [(-3, -1), (-2, -1)]


def test_what_is_never_one() -> None:
    table = table_of(ONE_PERSON, people=ints(9, 9, 4, 4))
    assert pairs(table, named=(4, 9)) == []
    assert pairs(table, sampled=(4, 9)) == []
    assert pairs(table, named=(4,), sampled=(9,)) == []
    assert pairs(table, apart=((4, 9),)) == []
    assert pairs(table_of(ONE_PERSON, people=ints(9, 9, 4, 4), photos=ints(1, 2, 2, 3))) == []
    assert pairs(table_of(ONE_PERSON, people=ints(9, 9, 0, 0))) == []
    strangers = table_of(faces_of(ints(0, 0, 1, 1)), people=ints(9, 9, 4, 4))
    assert pairs(strangers) == []


def test_a_chain_of_three_has_one_survivor_and_constraints_pass_on() -> None:
    table = table_of(faces_of(ints(0, 0, 0, 0, 0, 0)), people=ints(3, 3, 5, 5, 8, 8))
    assert pairs(table) == [(5, 3), (8, 3)]
    # 5 and 8 stand apart, so whichever joins 3 first keeps the other out.
    found = pairs(table, apart=((5, 8),))
    assert len(found) == 1
    shared = table_of(table.vectors, people=table.people, photos=ints(1, 2, 3, 4, 4, 5))
    assert len(pairs(shared)) == 1


def test_enemies_are_inherited() -> None:
    vectors = faces_of(ints(0, 0, 0))
    # 8 is nearest to 5 and joins it first; 3 must then keep away from both.
    vectors[2] = vectors[1] + 0.01 * vectors[0]
    table = table_of(vectors, people=ints(3, 5, 8))
    assert pairs(table) == [(5, 3), (8, 3)]
    assert pairs(table, apart=((3, 8),)) == [(8, 5)]
    # And where the enemy would be the one to be absorbed.
    assert pairs(table_of(vectors, people=ints(9, 5, 8)), apart=((9, 8),)) == [(8, 5)]


def test_after_a_merge_the_average_counts_not_what_was_near_before() -> None:
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 128)))[0].astype(np.float32)
    # Three on an arc, 0.3 and 0.28 apart, the ends 0.58: once the nearer two are one, the third is too far on average.
    angles = np.array([[0], [0.3], [0.58]], np.float32)
    table = table_of(np.cos(angles) * basis[0] + np.sin(angles) * basis[1], people=ints(3, 5, 8))
    assert pairs(table) == [(8, 5)]


def test_with_two_names_near_nobody_is_chosen() -> None:
    table = table_of(faces_of(ints(0, 0, 0)), people=ints(3, 4, -1))
    assert pairs(table, named=(3, 4)) == []
    assert pairs(table, named=(3,)) == [(-1, 3), (4, 3)]


def test_poor_faces_join_and_connect_nothing() -> None:
    table = table_of(ONE_PERSON, people=ints(-1, -2, -3, 6), quality=np.array([0.1, 0.1, 0.1, 0.1], np.float32))
    assert pairs(table) == []
    table = table_of(ONE_PERSON, people=ints(-1, -2, -3, 6), quality=np.array([0.1, 0.1, 0.1, 0.9], np.float32))
    assert pairs(table) == [(-3, 6), (-2, 6), (-1, 6)]


def test_nobody() -> None:
    assert pairs(table_of(ONE_PERSON[:0])) == []
    assert pairs(table_of(ONE_PERSON[:1], people=ints(3))) == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_always_holds(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 14))
    people = ints(*data.draw(st.lists(st.sampled_from([-2, -1, 1, 2, 3, 4, 5]), min_size=n, max_size=n)))
    photos = np.sort(ints(*data.draw(st.lists(st.integers(1, 40), min_size=n, max_size=n))))
    quality = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.9, 0.9]), min_size=n, max_size=n)), np.float32)
    who = ints(*data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    spread = data.draw(st.sampled_from([0.1, 0.22, 0.25]))
    some = st.sets(st.integers(1, 5), max_size=2)
    named, sampled = data.draw(some), data.draw(some)
    apart = data.draw(st.lists(st.tuples(st.integers(-2, 5), st.integers(-2, 5)), max_size=2))
    table = table_of(faces_of(who, spread=spread), photos=photos, people=people, quality=quality)
    found = merges(table, SETTINGS, named=named, sampled=sampled, apart=apart)
    assert found == merges(table, SETTINGS, named=named, sampled=sampled, apart=apart)

    absorbed = [item.absorbed for item in found]
    assert len(set(absorbed)) == len(absorbed)
    assert not set(absorbed) & {item.into for item in found}, "survivors survive"
    assert not set(absorbed) & (named | sampled)
    whole: dict[int, set[int]] = {}
    for item in found:
        assert item.absorbed < 0 or item.into > 0
        assert item.score > similarity_at(SETTINGS.merge_distance)
        whole.setdefault(item.into, {item.into}).add(item.absorbed)
    for members in whole.values():
        seen: set[int] = set()
        for person in members:
            theirs = set(photos[people == person].tolist())
            assert not seen & theirs
            seen |= theirs
        assert not any(one in members and other in members for one, other in apart if one != other)
        assert len(members & named) <= 1
