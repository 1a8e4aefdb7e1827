from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guyverd.model import FaceTable, Merge
from guyverd.people.rules import NO_RULES, Pair, Rules
from guyverd.people.union import Ranks, merges

from .helpers import (
    SETTINGS,
    beside,
    directions,
    drawn,
    faces_of,
    filmed,
    ints,
    measure_of,
    seen_together,
    table_of,
    told_between,
)

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray


def found_in(
    table: FaceTable,
    named: Collection[int] = (),
    sampled: Collection[int] = (),
    apart: Collection[Pair] = (),
    *,
    owners: dict[int, int] | None = None,
    rules: Rules = NO_RULES,
    candidates: IntArray | None = None,
    least: float | None = None,
) -> tuple[Merge, ...]:
    measure = measure_of(table)
    return merges(
        table,
        measure.scales(table.vectors),
        least=measure.join if least is None else least,
        good=table.quality >= SETTINGS.poor_quality,
        ranks=Ranks(named, sampled, owners),
        rules=rules,
        apart=apart,
        candidates=candidates,
    )


def pairs(
    table: FaceTable,
    named: Collection[int] = (),
    sampled: Collection[int] = (),
    apart: Collection[Pair] = (),
    *,
    owners: dict[int, int] | None = None,
    rules: Rules = NO_RULES,
) -> list[Pair]:
    found = found_in(table, named, sampled, apart, owners=owners, rules=rules)
    return [(item.absorbed, item.into) for item in found]


ONE_PERSON = faces_of(ints(0, 0, 0, 0))


def test_pieces_of_one_person_become_one_and_the_older_survives() -> None:
    table = table_of(ONE_PERSON, people=ints(9, 9, 4, 4))
    found = found_in(table)
    assert [(item.absorbed, item.into) for item in found] == [(9, 4)]
    told = told_between(ONE_PERSON, measure_of(table))[:2, 2:]
    assert found[0].score == pytest.approx(float(told.mean()), abs=1e-3)


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
    assert pairs(table, rules=Rules(apart_people=frozenset({(4, 9)}))) == []
    assert pairs(table, rules=Rules(apart=frozenset({(1, 2)}))) == [], "two of their faces are apart"
    assert pairs(table, rules=Rules(barred=frozenset({(0, 4)}))) == [], "a face of 9 is not 4"
    assert pairs(table, rules=Rules(barred=frozenset({(3, 9)}))) == [], "nor a face of 4 9"
    assert pairs(table, rules=Rules(barred=frozenset({(0, 5)}))) == [(9, 4)]
    assert pairs(table_of(ONE_PERSON, people=ints(9, 9, 4, 4), photos=ints(1, 2, 2, 3))) == []
    assert pairs(table_of(ONE_PERSON, people=ints(9, 9, 0, 0))) == []
    strangers = table_of(faces_of(ints(0, 0, 1, 1)), people=ints(9, 9, 4, 4))
    assert pairs(strangers) == []


def test_a_photo_that_shows_a_face_twice_is_no_obstacle() -> None:
    table = table_of(ONE_PERSON, people=ints(9, 9, 4, 4), photos=ints(1, 2, 2, 3))
    assert pairs(table, rules=Rules(waived=frozenset({(1, 2)}))) == [(9, 4)]
    assert pairs(table, rules=Rules(waived=frozenset({(0, 1)}))) == []
    twice = table_of(ONE_PERSON, people=ints(9, 9, 4, 4), photos=ints(1, 2, 2, 1))
    assert pairs(twice, rules=Rules(waived=frozenset({(1, 2)}))) == [], "the other photo shows two"
    assert pairs(twice, rules=Rules(waived=frozenset({(1, 2), (0, 3)}))) == [(9, 4)]
    # Three of one photo, of which only two are one face.
    three = table_of(ONE_PERSON, people=ints(9, 9, 4, 4), photos=ints(1, 2, 2, 2))
    assert pairs(three, rules=Rules(waived=frozenset({(1, 2)}))) == []


def test_a_chain_of_three_has_one_survivor_and_constraints_pass_on() -> None:
    table = table_of(faces_of(ints(0, 0, 0, 0, 0, 0)), people=ints(3, 3, 5, 5, 8, 8))
    assert pairs(table) == [(5, 3), (8, 3)]
    # 5 and 8 stand apart, so whichever joins 3 first keeps the other out.
    found = pairs(table, apart=((5, 8),))
    assert len(found) == 1
    shared = table_of(table.vectors, people=table.people, photos=ints(1, 2, 3, 4, 4, 5))
    assert len(pairs(shared)) == 1


def nearest_two() -> FloatArray:
    """Three faces of one person; the last two are nearest."""
    vectors = faces_of(ints(0, 0, 0))
    vectors[2] = vectors[1] + 0.01 * vectors[0]
    return vectors


def test_enemies_are_inherited() -> None:
    vectors = nearest_two()
    # 8 is nearest to 5 and joins it first; 3 must then keep away from both.
    table = table_of(vectors, people=ints(3, 5, 8))
    assert pairs(table) == [(5, 3), (8, 3)]
    assert pairs(table, apart=((3, 8),)) == [(8, 5)]
    # And where the enemy would be the one to be absorbed.
    assert pairs(table_of(vectors, people=ints(9, 5, 8)), apart=((9, 8),)) == [(8, 5)]


def test_who_is_not_somebody_is_not_whoever_absorbed_them_either() -> None:
    # 8 joins 5 first. The face of group −1 is said not to be 8, who is 5 now.
    table = table_of(nearest_two(), people=ints(-1, 5, 8))
    assert pairs(table) == [(-1, 5), (8, 5)]
    assert pairs(table, rules=Rules(barred=frozenset({(0, 8)}))) == [(8, 5)]
    assert pairs(table, rules=Rules(barred=frozenset({(0, 5)}))) == [(8, 5)]


def test_after_a_merge_the_average_counts_not_what_was_near_before() -> None:
    face = directions(1)[0]
    # Three on an arc. Once the nearer two are one, the third is too far on average.
    one = beside(face, 5.0, seed=1)
    other = beside(face, 3.0, seed=2)
    table = table_of(np.stack([face, one, other]), people=ints(5, 8, 3))
    told = told_between(table.vectors, measure_of(table))
    least = measure_of(table).join
    assert told[0, 1] > told[0, 2] > least > (told[0, 2] + told[1, 2]) / 2
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


def test_poor_faces_count_for_nothing_beside_a_good_one() -> None:
    who = ints(0, 0, 0, 1, 1)
    # The good face of −1 is like 6; its two poor ones are like 7.
    table = table_of(faces_of(who), people=ints(6, 6, -1, -1, -1), quality=np.array([1, 1, 1, 0.1, 0.1], np.float32))
    assert pairs(table) == [(-1, 6)]


def test_an_older_group_of_poor_faces_takes_over_the_good_ones_that_join_it() -> None:
    vectors = faces_of(ints(0, 0, 0, 0, 1))
    # What is left of 2 afterwards is what the good faces say; 7 is like the poor one alone.
    table = table_of(vectors, people=ints(2, 5, 5, 9, 7), quality=np.array([0.1, 1, 1, 1, 1], np.float32))
    assert pairs(table) == [(5, 2), (9, 2)]


def test_nobody() -> None:
    assert pairs(table_of(ONE_PERSON[:0])) == []
    assert pairs(table_of(ONE_PERSON[:1], people=ints(3))) == []
    none = np.empty((0, 2), np.int64)
    assert found_in(table_of(ONE_PERSON, people=ints(9, 9, 4, 4)), candidates=none) == ()


def test_only_candidates_are_compared() -> None:
    table = table_of(faces_of(ints(0, 0, 0)), people=ints(3, 4, 5))
    found = found_in(table, candidates=np.array([[5, 4], [4, 5], [4, 4]]))
    assert [(item.absorbed, item.into) for item in found] == [(5, 4)]


# ---- a person's appearances ------------------------------------------------------------------------------------------

CHILD, ADULT = 7, 900
# Person 7 is a child in the first two faces and an adult in the next two; then a group like the child, one like the
# adult.
LOOKS = table_of(faces_of(ints(0, 0, 1, 1, 0, 1)), people=ints(CHILD, CHILD, ADULT, ADULT, -1, -2))
OWNERS = {ADULT: 7}


def test_groups_join_the_look_they_are_like() -> None:
    assert pairs(LOOKS, owners=OWNERS) == [(-2, ADULT), (-1, CHILD)]
    assert pairs(table_of(LOOKS.vectors, people=ints(7, 7, 7, 7, -1, -2))) == [], "the mean of both is like neither"


def test_what_speaks_against_one_look_speaks_against_all() -> None:
    photos = ints(1, 2, 3, 4, 5, 6)

    def with_photos(*changed: Pair) -> FaceTable:
        of = photos.copy()
        for row, photo in changed:
            of[row] = photo
        return table_of(LOOKS.vectors, people=LOOKS.people, photos=of)

    assert pairs(with_photos((4, 3)), owners=OWNERS) == [(-2, ADULT)], "the person is in that photo, as an adult"
    assert len(pairs(with_photos((4, 6)), owners=OWNERS)) == 1, "the two would both be one person in one photo"
    for word in (
        Rules(apart=frozenset({(2, 4)})),
        Rules(barred=frozenset({(4, 7)})),
        Rules(apart_people=frozenset({(-1, 7)})),
    ):
        assert pairs(LOOKS, owners=OWNERS, rules=word) == [(-2, ADULT)]
    assert pairs(LOOKS, owners=OWNERS, apart=[(7, -2)]) == [(-1, CHILD)]
    assert len(pairs(LOOKS, owners=OWNERS, rules=Rules(apart=frozenset({(4, 5)})))) == 1


def test_who_has_several_looks_is_never_absorbed() -> None:
    table = table_of(faces_of(ints(0, 0, 1, 1, 0, 1)), people=ints(CHILD, CHILD, ADULT, ADULT, 2, 3))
    assert pairs(table, owners=OWNERS) == [(2, CHILD), (3, ADULT)], "though they are older"
    assert pairs(table, named=(2, 3), owners=OWNERS) == []
    # Nor do two looks of one person become one.
    assert pairs(table_of(ONE_PERSON, people=ints(7, 7, ADULT, ADULT)), owners=OWNERS) == []


# ---- against a slow and plain way ------------------------------------------------------------------------------------

CLOSE = 0.01
"""Two pairs with evidence as close as this may come in either order."""


@dataclass
class Party:
    """One number and what it has absorbed, for `slowly`."""

    number: int
    owner: int
    rows: list[int]
    was: set[int] = field(default_factory=set)
    size: int = 0


class Unclear(Exception):
    """Rounding decides."""


def slowly(
    table: FaceTable,
    told: FloatArray,
    *,
    least: float,
    good: BoolArray,
    ranks: Ranks,
    rules: Rules,
    apart: Collection[Pair],
) -> dict[int, tuple[int, float]]:
    """Average linkage, a pair at a time, everything counted anew each time: into whom, with which evidence."""
    owners = ranks.owners or {}
    numbers = sorted({*table.people.tolist()} - {0})
    parties = [
        Party(number, owners.get(number, number), np.flatnonzero(table.people == number).tolist(), {number})
        for number in numbers
    ]
    looks = [owners.get(number, number) for number in numbers]
    against = {frozenset(pair) for pair in (*apart, *rules.apart_people)}
    into: dict[int, tuple[int, float]] = {}
    passed: set[tuple[int, int, int, int]] = set()

    def mute(party: Party) -> bool:
        return not good[party.rows].any()

    def mean(one: Party, other: Party) -> float:
        a = [row for row in one.rows if good[row]] or one.rows
        b = [row for row in other.rows if good[row]] or other.rows
        return float(told[np.ix_(a, b)].mean(dtype=np.float64))

    def whole(party: Party) -> list[Party]:
        return [other for other in parties if other.owner == party.owner]

    def stands(party: Party) -> bool:
        return party.number in ranks.sampled or looks.count(party.owner) > 1

    def rank(party: Party) -> tuple[bool, bool, bool, int]:
        return (party.number not in ranks.named, party.number < 0, not stands(party), abs(party.number))

    def speaks_against(one: Party, other: Party) -> bool:
        ours, theirs = whole(one), whole(other)
        were, they_were = set().union(*(p.was for p in ours)), set().union(*(p.was for p in theirs))
        we, they = {owners.get(n, n) for n in were}, {owners.get(n, n) for n in they_were}
        rows, their_rows = [r for p in ours for r in p.rows], [r for p in theirs for r in p.rows]
        if any(frozenset((a, b)) in against for a in were | we for b in they_were | they):
            return True
        if any((row, person) in rules.barred for row in rows for person in they):
            return True
        if any((row, person) in rules.barred for row in their_rows for person in we):
            return True
        for a in rows:
            for b in their_rows:
                pair = (min(a, b), max(a, b))
                if pair in rules.apart or (seen_together(table, a, b) and pair not in rules.waived):
                    return True
        return False

    while True:
        open_ = []
        for one, other in combinations(parties, 2):
            value = mean(one, other)
            if abs(value - least) < CLOSE:
                raise Unclear
            if value > least and (one.number, other.number, one.size, other.size) not in passed:
                open_.append((value, one, other))
        if not open_:
            return {number: (_last(number, into), value) for number, (_, value) in into.items()}
        open_.sort(key=lambda item: -item[0])
        if len(open_) > 1 and open_[0][0] - open_[1][0] < CLOSE:
            raise Unclear
        value, one, other = open_[0]
        passed.add((one.number, other.number, one.size, other.size))
        survivor, absorbed = sorted((one, other), key=rank)
        if absorbed.number in ranks.named or stands(absorbed) or (mute(one) and mute(other)):
            continue
        if speaks_against(survivor, absorbed):
            continue
        rivals = [p for p in parties if p.number in ranks.named and p.owner != survivor.owner]
        if survivor.number in ranks.named and any(mean(absorbed, rival) > least for rival in rivals):
            continue
        into[absorbed.number] = (survivor.number, value)
        survivor.rows += absorbed.rows
        survivor.was |= absorbed.was
        survivor.size += 1
        parties.remove(absorbed)


def _last(number: int, into: dict[int, tuple[int, float]]) -> int:
    while number in into:
        number = into[number][0]
    return number


@dataclass(frozen=True)
class Case:
    table: FaceTable
    good: BoolArray
    ranks: Ranks
    rules: Rules
    apart: list[Pair]
    least: float


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n = draw(st.integers(2, 14))
    numbers = [-3, -2, -1, 1, 2, 3, 4]
    owners = draw(st.sampled_from([{}, {901: 1}, {901: 1, 902: 1, 903: 2}]))
    people = ints(*draw(st.lists(st.sampled_from([0, *numbers, *owners]), min_size=n, max_size=n)))
    for look, owner in owners.items():
        if owner not in people:
            people[people == look] = owner
    owners = {look: owner for look, owner in owners.items() if look in people}
    photos = np.sort(ints(*draw(st.lists(st.integers(1, 3 * n), min_size=n, max_size=n))))
    quality = np.array(draw(st.lists(st.sampled_from([0.1, 0.9, 0.9]), min_size=n, max_size=n)), np.float32)
    who = ints(*draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    spread = draw(st.sampled_from([0.15, 0.25, 0.3]))
    row = st.integers(0, n - 1)
    pair = st.tuples(row, row).filter(lambda p: p[0] != p[1]).map(lambda p: (min(p), max(p)))
    few = st.sets(st.integers(1, 4), max_size=2)
    waived = draw(st.sets(pair, max_size=6))
    said = st.sets(pair, max_size=2)
    apart = draw(said)
    two = st.tuples(st.sampled_from(numbers), st.sampled_from(numbers)).filter(lambda p: p[0] != p[1])
    rules = Rules(
        waived=frozenset(waived - apart),
        apart=frozenset(apart),
        barred=frozenset(draw(st.sets(st.tuples(row, st.integers(1, 4)), max_size=3))),
        apart_people=frozenset(draw(st.sets(two.filter(lambda p: min(p) > 0), max_size=2))),
    )
    table = table_of(
        faces_of(who, seed=draw(st.integers(0, 30)), spread=spread),
        photos=photos,
        people=people,
        quality=quality,
        spans=filmed(photos, draw(st.integers(0, 9))),
    )
    named, sampled = draw(few), draw(few)
    both = (numbers_of for numbers_of in (named, sampled))
    named, sampled = ({*one, *(look for look, owner in owners.items() if owner in one)} for one in both)
    good = quality >= SETTINGS.poor_quality
    # In the middle of what there is, so that some join and some do not.
    least = draw(st.sampled_from([1.0, 2.75, 5.0, 7.0]))
    return Case(table, good, Ranks(named, sampled, owners), rules, draw(st.lists(two, max_size=2)), least)


def merged(case: Case, candidates: IntArray | None = None) -> tuple[Merge, ...]:
    measure = measure_of(case.table)
    return merges(
        case.table,
        measure.scales(case.table.vectors),
        least=case.least,
        good=case.good,
        ranks=case.ranks,
        rules=case.rules,
        apart=case.apart,
        candidates=candidates,
    )


def every_pair(table: FaceTable) -> IntArray:
    numbers = np.unique(table.people[table.people != 0]).tolist()
    return np.array([*combinations(numbers, 2)], np.int64).reshape(-1, 2)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_it_is_average_linkage(case: Case) -> None:
    told = told_between(case.table.vectors, measure_of(case.table))
    try:
        expected = slowly(
            case.table,
            told,
            least=case.least,
            good=case.good,
            ranks=case.ranks,
            rules=case.rules,
            apart=case.apart,
        )
    except Unclear:
        assume(False)
    found = {int(item.absorbed): (int(item.into), item.score) for item in merged(case)}
    assert {gone: into for gone, (into, _) in found.items()} == {gone: into for gone, (into, _) in expected.items()}
    for gone, (_, score) in expected.items():
        assert found[gone][1] == pytest.approx(score, abs=CLOSE)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_with_all_pairs_as_candidates_it_is_the_same(case: Case) -> None:
    found, again = merged(case), merged(case, every_pair(case.table))
    assert [(item.absorbed, item.into) for item in found] == [(item.absorbed, item.into) for item in again]
    assert [item.score for item in found] == pytest.approx([item.score for item in again], abs=1e-3)
    # Given twice and the other way round, too.
    twice = np.concatenate([every_pair(case.table)[:, ::-1], every_pair(case.table)])
    assert merged(case, twice) == again


def test_candidates_lead_on_from_those_that_became_one() -> None:
    """1 and 2 are compared, and 2 and 3; once 1 and 2 are one, that one is compared with 3."""
    vectors = np.concatenate([nearest_two(), drawn(1, 99)])
    table = table_of(vectors, people=ints(3, 1, 2, 4))
    assert [(m.absorbed, m.into) for m in found_in(table, candidates=np.array([[1, 2], [2, 3]]))] == [(2, 1), (3, 1)]
    assert [(m.absorbed, m.into) for m in found_in(table, candidates=np.array([[1, 2], [3, 4]]))] == [(2, 1)]


@settings(max_examples=150, deadline=None)
@given(cases())
def test_what_always_holds(case: Case) -> None:
    found = merged(case)
    assert found == merged(case)
    absorbed = [int(item.absorbed) for item in found]
    assert len(set(absorbed)) == len(absorbed)
    assert not set(absorbed) & {int(item.into) for item in found}, "survivors survive"
    assert not set(absorbed) & {*case.ranks.named, *case.ranks.sampled, *(case.ranks.owners or {})}
    into = {int(item.absorbed): int(item.into) for item in found}
    owners = case.ranks.owners or {}
    owner = {number: owners.get(number, number) for number in np.unique(case.table.people).tolist()}
    ends = {number: owner[into.get(number, number)] for number in owner}
    for item in found:
        assert item.absorbed < 0 or item.into > 0
        assert item.score > case.least
    here = [(row, owner[number], ends[number]) for row, number in enumerate(case.table.people.tolist()) if number]
    for (one, was, now), (other, was_other, now_other) in combinations(here, 2):
        if was == was_other or now != now_other:
            continue
        assert (one, other) not in case.rules.apart
        assert not seen_together(case.table, one, other) or (one, other) in case.rules.waived
        for word in (*case.apart, *case.rules.apart_people):
            assert {was, was_other} != set(word)
        assert (one, was_other) not in case.rules.barred
        assert (other, was) not in case.rules.barred
        assert len({was, was_other} & set(case.ranks.named)) <= 1
