"""Who is hardly one person by their own faces, who is left alone, and what parts somebody."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.model import NOTHING_SAID, FaceId, FaceTable, PersonId, Standing
from guyverd.people.coherence import Exact, Spoken, doubtful, is_due, is_several, parting
from guyverd.people.directions import unit
from guyverd.people.evidence import Measure
from guyverd.people.grouping import Grouped, group
from tests.people.helpers import NO_FACES, NO_IDS, SETTINGS, faces_of, ints, measure_of, table_of

SEED = 20


def people_of(who: list[int], people: list[int] | None = None) -> FaceTable:
    """A face for each entry of `who`, the real person; attached to `people`, by default all to person 1."""
    return table_of(faces_of(ints(*who)), people=ints(*(people or [1] * len(who))))


def grouped(table: FaceTable, said: Standing = NOTHING_SAID) -> Grouped:
    return group(table, Exact(table), measure_of(table), seed=SEED, said=said)


# ---- neighbours ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 5))
def test_exact_neighbours_are_the_nearest(count: int, k: int, seed: int) -> None:
    table = table_of(faces_of(ints(*(n % 3 for n in range(count))), seed))
    asked = faces_of(ints(0, 1, 2), seed + 1)
    found = Exact(table).neighbours(asked, k)
    likeness = unit(asked) @ unit(table.vectors).T
    expected = -np.sort(-likeness, axis=1)[:, :k]
    assert found.ids.shape == (3, min(k, count))
    np.testing.assert_allclose(found.similarity, expected, atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(likeness, found.ids - 1, axis=1), expected, atol=1e-6)


def test_many_faces_are_looked_at_block_by_block() -> None:
    table = table_of(np.random.default_rng(1).normal(size=(2500, 128)).astype(np.float32))
    found = Exact(table).neighbours(table.vectors, 4)
    assert (found.ids[:, 0] == table.ids).all(), "each finds itself first"
    likeness = unit(table.vectors[2400:]) @ unit(table.vectors).T
    assert (found.ids[2400:] == 1 + np.argsort(-likeness, axis=1)[:, :4]).all()


# ---- who is doubted --------------------------------------------------------------------------------------------------


def test_who_has_the_faces_of_two_is_doubted_and_who_is_one_is_not() -> None:
    table = people_of([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4], [5] * 6 + [2] * 4 + [0] * 3)
    assert doubtful(table, measure_of(table)) == (5,), "and nobody's faces are not a person's"


def test_many_faces_of_one_hide_a_single_stranger() -> None:
    table = people_of([0] * 12 + [1])
    assert doubtful(table, measure_of(table)) == (), "one face out of place is no reason to part somebody"


def test_few_and_poor_faces_tell_nothing() -> None:
    table = people_of([0, 0, 1, 1])
    measure = measure_of(table)
    assert doubtful(table, measure) == (1,)
    assert doubtful(table.of(ints(0, 1, 2)), measure) == ()
    poor = dataclasses.replace(table, quality=np.array([1, 1, 1, 0], np.float32))
    assert doubtful(poor, measure) == ()
    nobody = FaceTable(NO_IDS, NO_IDS, np.empty(0, np.float32), NO_IDS, NO_FACES)
    assert doubtful(nobody, Measure(SETTINGS, 0, NO_FACES)) == ()


@given(st.integers(1, 5000), st.integers(1, 40))
def test_large_people_are_not_grouped_at_each_new_face_but_never_forgotten(faces: int, came: int) -> None:
    grown = range(faces, faces + faces // 8 + 2)
    assert any(is_due(one, 1) for one in grown), "asked again before they have grown by an eighth"
    assert is_due(faces, faces), "who is new is asked at once"
    assert not is_due(faces, 0)
    if faces > 1000:
        assert sum(is_due(one, 1) for one in grown) <= 6
    if is_due(faces, 1):
        assert is_due(faces, min(came, faces)), "in a batch it is not missed"


# ---- of whom something was said --------------------------------------------------------------------------------------

NAMED = {PersonId(1): "Ada"}
FIVE, SIX, ONE, TWO = FaceId(5), FaceId(6), PersonId(1), PersonId(2)


@pytest.mark.parametrize(
    "said",
    [
        Standing(names=NAMED),
        Standing(hidden=frozenset({ONE})),
        Standing(whole=frozenset({ONE})),
        Standing(pinned={FIVE: ONE}),
        Standing(pinned={FaceId(99): ONE}),
        Standing(pinned={FIVE: TWO}),
        Standing(barred=frozenset({(FIVE, TWO)})),
        Standing(barred=frozenset({(FaceId(99), ONE)})),
        Standing(together=frozenset({(FIVE, FaceId(99))})),
        Standing(apart=frozenset({(FaceId(3), FIVE)})),
        Standing(apart_people=frozenset({(ONE, TWO)})),
    ],
)
def test_every_word_counts(said: Standing) -> None:
    assert Spoken(said).of(ONE, [FIVE, SIX])
    assert not Spoken(said).of(PersonId(3), [FaceId(7)])


def test_who_was_made_of_several_counts_and_what_guyverd_found_does_not() -> None:
    assert Spoken(NOTHING_SAID, {ONE}).of(ONE, [FIVE])
    own = Standing(forwards={TWO: ONE}, alike=frozenset({(FIVE, SIX)}))
    assert not Spoken(own).of(ONE, [FIVE, SIX])


# ---- what parts somebody ---------------------------------------------------------------------------------------------


def test_the_largest_part_keeps_the_number_and_who_is_alone_waits() -> None:
    table = people_of([0, 0, 0, 1, 1, 1, 1, 2])
    found = grouped(table)
    assert is_several(found.labels)
    what = parting(table, found, ONE, NOTHING_SAID)
    assert [(move.face, move.was, move.now, move.group) for move in what.moves] == [
        (1, 1, None, 0),
        (2, 1, None, 0),
        (3, 1, None, 0),
        (8, 1, None, None),
    ]
    assert what.vanishing == ()


def test_a_part_joins_whom_it_is_and_others_faces_that_are_alone_stay() -> None:
    table = people_of([0, 0, 0, 0, 1, 1, 1, 1, 1, 2], [1] * 7 + [9] * 3)
    what = parting(table, grouped(table), ONE, NOTHING_SAID)
    assert [(move.face, move.now, move.group) for move in what.moves] == [(5, 9, None), (6, 9, None), (7, 9, None)]


@given(st.lists(st.integers(0, 4), min_size=2, max_size=25))
def test_what_comes_out_is_the_grouping(who: list[int]) -> None:
    table = people_of(who)
    found = grouped(table)
    what = parting(table, found, ONE, NOTHING_SAID)
    place = {int(face): "1" for face in table.ids}
    for move in what.moves:
        assert move.was == ONE
        place[move.face] = "waits" if move.group is None else f"new {move.group}"
    for one, label in zip(table.ids.tolist(), found.labels.tolist(), strict=True):
        for other, another in zip(table.ids.tolist(), found.labels.tolist(), strict=True):
            if label < 0 or another < 0:
                assert (label == another) == (place[one] == place[other])
    sizes = {where: list(place.values()).count(where) for where in set(place.values())}
    if is_several(found.labels):
        assert sizes["1"] == max(size for where, size in sizes.items() if where != "waits")
