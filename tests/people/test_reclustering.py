"""Plans for any faces, any grouping and anything that was said: no word is violated, nobody who lasts is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from guyverd.model import NOTHING_SAID, FaceId, FaceTable, PersonId, Standing
from guyverd.pairs import components
from guyverd.people.evidence import Scales
from guyverd.people.grouping import Grouped
from guyverd.people.reclustering import Plan, plan
from guyverd.people.rules import rules
from tests.people.helpers import drawn, filmed, ints, seen_together

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray

VECTORS = drawn(14, seed=3)
NOWHERE = Scales(np.zeros(0, np.float32), np.ones(0, np.float32))


def table_of(
    people: Collection[int], photos: Collection[int] | None = None, twins: Collection[tuple[int, int]] = ()
) -> FaceTable:
    """Faces 1 to n of these people, 0 for nobody, each in a photo of its own; `twins` are rows that look the same."""
    n = len(people)
    vectors: FloatArray = VECTORS[:n].copy()
    for one, other in twins:
        vectors[other] = vectors[one]
    return FaceTable(
        np.arange(1, n + 1, dtype=np.int64),
        np.arange(1, n + 1, dtype=np.int64) if photos is None else ints(*photos),
        np.linspace(0.9, 0.5, n).astype(np.float32),
        ints(*people),
        vectors,
    )


def planned(
    table: FaceTable, labels: Collection[int], said: Standing = NOTHING_SAID, held: Collection[int] = ()
) -> Plan:
    grouped = Grouped(ints(*labels), rules(table, said), NOWHERE)
    return plan(table, grouped, said, held=[PersonId(one) for one in held])


def after(table: FaceTable, made: Plan) -> IntArray:
    """Whose the faces are when the plan was applied: new people have numbers above all others."""
    people = table.people.copy()
    youngest = 1 + int(people.max(initial=0)) + 100
    for move in made.moves:
        (row,) = np.flatnonzero(table.ids == move.face).tolist()
        assert people[row] == (move.was or 0), "it starts from where the face is"
        assert move.now is None or move.group is None
        people[row] = youngest + sorted(made.appearing).index(move.group) if move.group is not None else move.now or 0
    return people


def whose(table: FaceTable, made: Plan) -> list[int]:
    return [int(person) for person in after(table, made)]


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_where_labels_and_people_agree_nothing_moves() -> None:
    made = planned(table_of([5, 5, 3, 3, 0, 5]), [-1, -1, -2, -2, 0, -1])
    assert made == Plan((), {}, (), ())


def test_nobody_at_all() -> None:
    assert planned(table_of([]), []) == Plan((), {}, (), ())


def test_a_group_is_given_to_whom_it_has_most_faces_of_and_the_rest_is_somebody_new() -> None:
    table = table_of([1, 1, 1, 1, 1, 0, 2])
    made = planned(table, [-1, -1, -1, -2, -2, -1, -1])
    new = made.moves[0].group
    assert new is not None
    assert [(move.face, move.was, move.now, move.group) for move in made.moves] == [
        (4, 1, None, new),
        (5, 1, None, new),
        (6, None, 1, None),
        (7, 2, 1, None),
    ]
    assert made.appearing == {new: 2}
    assert made.vanishing == (2,)


def test_a_name_is_worth_more_than_many_faces() -> None:
    table = table_of([1, 1, 1, 1, 2, 2])
    assert whose(table, planned(table, [-1] * 6)) == [1] * 6
    assert whose(table, planned(table, [-1] * 6, Standing(names={PersonId(2): "Bo"}))) == [2] * 6
    assert whose(table, planned(table, [-1] * 6, Standing(hidden=frozenset({PersonId(2)})))) == [2] * 6


def test_two_who_last_in_one_group_stay_as_they_are_and_nobody_joins_them() -> None:
    table = table_of([1, 1, 1, 2, 2, 0, 3])
    said = Standing(names={PersonId(1): "Al", PersonId(2): "Bo"})
    assert planned(table, [-1] * 7, said).moves == ()


def test_a_face_among_anothers_comes_home_though_both_have_names() -> None:
    table = table_of([1, 1, 1, 1, 2, 2, 2])
    said = Standing(names={PersonId(1): "Al", PersonId(2): "Bo"})
    assert whose(table, planned(table, [-1, -1, -1, -2, -2, -2, -2], said)) == [1, 1, 1, 2, 2, 2, 2]


def test_a_name_on_a_few_faces_takes_none_from_another_name() -> None:
    table = table_of([1, 1, 1, 1, 1, 2])
    said = Standing(names={PersonId(1): "Al", PersonId(2): "Bo"})
    assert whose(table, planned(table, [-1, -1, -1, -2, -2, -2], said)) == [1, 1, 1, 1, 1, 2], "most of group 2 is Al's"
    table = table_of([1, 1, 1, 1, 1, 0])
    assert len(set(whose(table, planned(table, [-1, -1, -1, -2, -2, -2], said)))) == 2, "alone, Al is one of the two"


def test_whom_the_user_made_of_several_keeps_several_groups() -> None:
    table = table_of([1, 1, 1, 1, 1, 0])
    labels = [-1, -1, -1, -2, -2, -2]
    assert len(planned(table, labels).appearing) == 1
    assert whose(table, planned(table, labels, held=[1])) == [1] * 6
    assert whose(table, planned(table, labels, Standing(whole=frozenset({PersonId(1)})))) == [1] * 6


def test_a_pinned_face_stays_and_draws_its_group() -> None:
    table = table_of([1, 2, 2, 0])
    said = Standing(pinned={FaceId(1): PersonId(1)})
    assert whose(table, planned(table, [1, 1, 1, 1], said)) == [1, 1, 1, 1]
    named = replace(said, names={PersonId(2): "Bo"})
    assert whose(table, planned(table, [1, 1, 1, 1], named)) == [1, 2, 2, 0], "Bo is there too: nobody moves"


def test_a_barred_face_stays_out() -> None:
    table = table_of([1, 1, 1, 0, 2])
    said = Standing(barred=frozenset({(FaceId(4), PersonId(1)), (FaceId(5), PersonId(1))}))
    assert whose(table, planned(table, [-1] * 5, said)) == [1, 1, 1, 0, 2]


def test_people_who_are_two_do_not_exchange_faces() -> None:
    table = table_of([1, 1, 1, 2, 2])
    assert whose(table, planned(table, [-1] * 5, Standing(apart_people=frozenset({(PersonId(1), PersonId(2))})))) == [
        1, 1, 1, 2, 2,
    ]  # fmt: skip
    assert whose(table, planned(table, [-1] * 5)) == [1] * 5


def test_of_two_faces_in_one_photo_the_one_that_the_grouping_found_stays() -> None:
    table = table_of([1, 1, 1, 0], photos=[1, 2, 3, 3])
    assert whose(table, planned(table, [-1, -1, 0, -1])) == [1, 1, 0, 1]
    assert whose(table, planned(table, [-1, -1, -1, -1])) == [1, 1, 1, 0], "and of equals the one that is there"


def test_a_mirror_in_one_photo_is_one_person_and_is_told() -> None:
    table = table_of([1, 1, 1, 0], photos=[1, 2, 3, 3], twins=[(2, 3)])
    made = planned(table, [-1, -1, -1, -1])
    assert whose(table, made) == [1, 1, 1, 1]
    assert made.alike == ((3, 4),)
    known = Standing(alike=frozenset({(FaceId(3), FaceId(4))}))
    assert planned(table, [-1, -1, -1, -1], known).alike == ()
    assert planned(table, [-1, -1, -1, 0]).alike == (), "nothing has to be known of faces that are not one person"
    apart = Standing(apart=frozenset({(FaceId(3), FaceId(4))}))
    assert whose(table, planned(table, [-1, -1, -1, -1], apart)) == [1, 1, 1, 0]


def test_faces_that_are_one_person_go_together() -> None:
    table = table_of([1, 1, 0, 0, 2, 2])
    said = Standing(together=frozenset({(FaceId(3), FaceId(4))}))
    assert whose(table, planned(table, [-1, -1, -1, 0, -2, -2], said)) == [1, 1, 1, 1, 2, 2]
    both = replace(said, barred=frozenset({(FaceId(3), PersonId(1)), (FaceId(4), PersonId(1))}))
    assert whose(table, planned(table, [-1, -1, -1, 0, -2, -2], both)) == [1, 1, 0, 0, 2, 2]


def test_faces_that_are_one_person_count_as_one_group() -> None:
    table = table_of([0, 0, 0, 1, 1])
    said = Standing(together=frozenset({(FaceId(1), FaceId(2))}))
    made = planned(table, [-1, -2, -2, -3, -3], said)
    assert list(made.appearing.values()) == [2], "the better one leads, and the other's group has too few faces left"
    people = after(table, made)
    assert people[0] == people[1] != 0
    assert planned(replace(table, people=people), [-1, -2, -2, -3, -3], said).moves == ()


def test_what_a_move_sets_free_is_used_at_once() -> None:
    # When face 1 has come, most of person 1 is in another group than before: 2 and 4, who are one, found somebody.
    table = table_of([0, 0, 1, 0, 1], photos=[1, 1, 1, 1, 2], twins=[(0, 2)])
    said = Standing(pinned={FaceId(5): PersonId(1)}, together=frozenset({(FaceId(2), FaceId(4))}))
    made = planned(table, [1, 0, -1, -1, 1], said)
    assert planned(replace(table, people=after(table, made)), [1, 0, -1, -1, 1], said).moves == ()


def test_a_single_face_that_is_left_of_somebody_waits() -> None:
    table = table_of([1, 1, 1, 2, 2, 3])
    made = planned(table, [-1, -1, -1, -1, 0, 0])
    assert whose(table, made) == [1, 1, 1, 1, 0, 3], "who had one face before keeps it"
    assert made.vanishing == (2,)
    named = planned(table, [-1, -1, -1, 0, 0, 0], Standing(names={PersonId(2): "Bo"}))
    assert named.moves == ()


def test_the_table_is_brought_to_what_was_said() -> None:
    table = table_of([1, 1, 2, 2], photos=[1, 1, 2, 3])
    said = Standing(pinned={FaceId(4): PersonId(7)}, barred=frozenset({(FaceId(3), PersonId(2))}))
    assert whose(table, planned(table, [0, 0, 0, 7], said)) == [1, 0, 0, 7]


# ---- whatever comes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    table: FaceTable
    labels: tuple[int, ...]
    said: Standing
    held: frozenset[int]

    def __repr__(self) -> str:
        rows = zip(self.table.ids, self.table.photos, self.table.people, self.labels, strict=True)
        told = [f"face {face}: photo {photo}, person {who}, group {label}" for face, photo, who, label in rows]
        twins = [(int(one) + 1, int(other) + 1) for one, other in rules(self.table, NOTHING_SAID).waived]
        return f"Case({told}, twins {twins}, {self.said}, held {sorted(self.held)})"

    def grouped(self) -> Grouped:
        return Grouped(ints(*self.labels), rules(self.table, self.said), NOWHERE)

    def plan(self) -> Plan:
        return plan(self.table, self.grouped(), self.said, held=[PersonId(one) for one in self.held])

    def applied(self, made: Plan) -> Case:
        people = after(self.table, made)
        return Case(replace(self.table, people=people), self.labels, self.said, self.held)


PEOPLE = st.integers(1, 5)
TWO = st.tuples(PEOPLE, PEOPLE).filter(lambda pair: pair[0] != pair[1])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A table that goes against nothing that was said, and a grouping that respects pins, as `group` promises."""
    n = draw(st.integers(0, 14))
    rows = st.integers(0, max(0, n - 1))
    pairs = st.lists(st.tuples(rows, rows).filter(lambda pair: pair[0] != pair[1]), max_size=3 if n > 1 else 0)
    words = st.sets(st.tuples(rows, PEOPLE), max_size=4)
    people = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    photos = sorted(draw(st.lists(st.integers(1, max(1, n)), min_size=n, max_size=n)))
    twins = [(one, other) for one, other in draw(pairs) if photos[one] == photos[other]]
    table = replace(table_of(people, photos, twins), spans=filmed(ints(*photos), draw(st.integers(0, 9))))
    said = Standing(
        names={PersonId(one): f"P{one}" for one in draw(st.sets(PEOPLE, max_size=3))},
        hidden=frozenset(map(PersonId, draw(st.sets(PEOPLE, max_size=1)))),
        pinned={FaceId(row + 1): PersonId(people[row]) for row in draw(st.sets(rows, max_size=4)) if n and people[row]},
        barred=frozenset((FaceId(row + 1), PersonId(who)) for row, who in draw(words) if n),
        together=frozenset(_ids(pair) for pair in draw(pairs)),
        apart=frozenset(_ids(pair) for pair in draw(pairs)),
        apart_people=frozenset(_pair(*two) for two in draw(st.sets(TWO, max_size=2))),
        alike=frozenset(_ids(pair) for pair in draw(pairs) if photos[pair[0]] == photos[pair[1]]),
    )  # fmt: skip
    said = _consistent(table, said)
    labels = [int(label) for label in draw(st.lists(st.integers(-4, 0), min_size=n, max_size=n))]
    for row, label in enumerate(labels):
        pin = said.pinned.get(FaceId(row + 1))
        labels[row] = pin if pin is not None else label
    anchors = sorted(set(said.pinned.values()))
    if anchors:
        for row in draw(st.lists(rows, max_size=4)) if n else []:
            if FaceId(row + 1) not in said.pinned:
                labels[row] = draw(st.sampled_from(anchors))
    return Case(table, tuple(labels), said, frozenset(draw(st.sets(PEOPLE, max_size=2))))


def _pair(one: int, other: int) -> tuple[PersonId, PersonId]:
    return PersonId(min(one, other)), PersonId(max(one, other))


def _ids(rows: tuple[int, int]) -> tuple[FaceId, FaceId]:
    return FaceId(min(rows) + 1), FaceId(max(rows) + 1)


def _consistent(table: FaceTable, said: Standing) -> Standing:
    """Without words that contradict one another, as `words` promises, or the table, as the catalogue does.

    Faces go to nobody instead where a word or a photo asks for it; the table is changed in place.
    """
    kin = components([(one, other) for one, other in said.together])
    apart = frozenset(pair for pair in said.apart if kin.get(pair[0], -1) != kin.get(pair[1], -2))
    units: dict[FaceId, list[FaceId]] = {}
    for face in map(FaceId, table.ids.tolist()):
        units.setdefault(FaceId(kin.get(face, face)), []).append(face)
    pinned: dict[FaceId, PersonId] = {}
    for faces in units.values():
        pins = {said.pinned[face] for face in faces if face in said.pinned}
        if len(pins) == 1:
            pinned |= dict.fromkeys(faces, pins.pop())
    barred = frozenset(
        (face, who) for faces in units.values() for face in faces for who in EVERYBODY
        if any((one, who) in said.barred for one in faces) and pinned.get(face) != who
    )  # fmt: skip
    apart = frozenset(pair for pair in apart if pair[0] not in pinned or pinned[pair[0]] != pinned.get(pair[1]))
    alike = said.alike - apart
    said = replace(said, pinned=pinned, barred=barred, apart=apart, alike=alike)
    # Pins that photos speak against are no decisions that could have been made.
    rule = rules(table, said)
    doubles = components(rule.waived)
    rows = {face: row for row, face in enumerate(map(FaceId, table.ids.tolist()))}
    dropped: set[FaceId] = set()
    for one, who in pinned.items():
        for other, whose_ in pinned.items():
            a, b = rows[one], rows[other]
            rivals = one < other and who == whose_ and seen_together(table, a, b)
            if rivals and doubles.get(a, -1) != doubles.get(b, -2):
                dropped |= {face for faces in units.values() if other in faces for face in faces}
    pinned = {face: who for face, who in pinned.items() if face not in dropped}
    said = replace(said, pinned=pinned)
    made = plan(table, Grouped(np.zeros(len(table), np.int64), rule, NOWHERE), said)
    table.people[:] = after(table, made)
    return said


EVERYBODY = tuple(PersonId(one) for one in range(1, 6))


def against_a_word(case: Case, people: IntArray, before: IntArray) -> list[str]:
    """What these places violate."""
    said, table = case.said, case.table
    now = dict(zip(table.ids.tolist(), people.tolist(), strict=True))
    rule = rules(table, said)
    kin = components(rule.waived)
    found = [f"face {face} is not {who}" for face, who in said.pinned.items() if now[face] != who]
    found += [f"face {face} is {who}" for face, who in said.barred if now.get(face) == who]
    found += [f"{one} and {other} are torn" for one, other in said.together if len({now[one], now[other]} - {0}) > 1]
    found += [f"{one} and {other} are one" for one, other in said.apart if now[one] and now[one] == now[other]]
    for row, (was, is_) in enumerate(zip(before.tolist(), people.tolist(), strict=True)):
        if was != is_ and _pair(was, is_) in said.apart_people and table.ids[row] not in said.pinned:
            found.append(f"face {table.ids[row]} went over from {was} to {is_}")
        for other in range(row):
            beside = is_ and people[other] == is_ and seen_together(table, row, other)
            if beside and kin.get(row, -1) != kin.get(other, -2):
                found.append(f"rows {other} and {row} share a photo")
    return found


@given(cases())
def test_no_word_is_violated_and_no_photo_shows_somebody_twice(case: Case) -> None:
    assert against_a_word(case, case.table.people, case.table.people) == [], "the case is one that can be"
    made = case.plan()
    assert against_a_word(case, after(case.table, made), case.table.people) == []
    kin = components([(one - 1, other - 1) for one, other in {*made.alike, *case.said.alike, *case.said.together}])
    people = after(case.table, made)
    for row in range(len(people)):
        for other in range(row):
            if people[row] and people[row] == people[other] and seen_together(case.table, row, other):
                assert kin.get(row, -1) == kin.get(other, -2), "what is alike is told"


@given(cases())
def test_a_plan_that_was_applied_leaves_nothing_to_do(case: Case) -> None:
    assert case.applied(case.plan()).plan().moves == ()


@given(cases())
def test_each_face_moves_once_and_groups_found_people(case: Case) -> None:
    made = case.plan()
    assert all(count == 1 for count in Counter(move.face for move in made.moves).values())
    people = after(case.table, made)
    assert all((move.was or 0) == case.table.people[move.face - 1] for move in made.moves)
    assert all(move.group is not None or move.now != move.was for move in made.moves)
    assert Counter(move.group for move in made.moves if move.group is not None) == Counter(made.appearing)
    assert all(count >= 2 for count in made.appearing.values())
    assert set(made.vanishing) == set(case.table.people.tolist()) - set(people.tolist()) - {0}


@given(cases())
def test_nobody_who_lasts_vanishes(case: Case) -> None:
    lasting = {*case.said.names, *case.said.hidden, *case.held, *case.said.pinned.values()}
    assert not lasting & set(case.plan().vanishing)


@given(cases(), st.randoms(use_true_random=False))
def test_how_groups_are_numbered_does_not_matter(case: Case, random: object) -> None:
    numbers = {label: label * 7 - 3 for label in set(case.labels) if label < 0}
    renamed = replace(case, labels=tuple(numbers.get(label, label) for label in case.labels))
    assert after(case.table, renamed.plan()).tolist() == after(case.table, case.plan()).tolist()


@given(cases())
def test_where_labels_are_people_nothing_moves(case: Case) -> None:
    """A word may still bring a face to those it is one with."""
    numbers = {who: -1 - at for at, who in enumerate(sorted(set(case.table.people.tolist()) - {0}))}
    numbers |= {who: who for who in case.said.pinned.values()}
    labels = [numbers.get(who, 0) for who in case.table.people.tolist()]
    together = {face for pair in case.said.together for face in pair}
    made = replace(case, labels=tuple(labels)).plan()
    assert {move.face for move in made.moves} <= together
    assert made.vanishing == ()
