from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.model import NOTHING_SAID, FaceId, FaceTable, PersonId, Standing
from guyverd.people.asking.questions import AT_ONCE, LEAST, PREPARES, Kind, Question, prospect
from guyverd.people.asking.suggestions import suggest
from guyverd.people.directions import unit

from .helpers import directions, faces_of, ints, measure_of, table_of, told_between

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray


def asked(
    table: FaceTable, said: Standing = NOTHING_SAID, skipped: Collection[str] = (), limit: int | None = None
) -> tuple[Question, ...]:
    measure = measure_of(table)
    return suggest(table, measure.scales(table.vectors), measure, said, skipped=skipped, limit=limit)


def library(
    who: IntArray, people: IntArray, photos: IntArray | None = None, quality: FloatArray | None = None
) -> FaceTable:
    return table_of(unit(faces_of(who)), people=people, photos=photos, quality=quality)


def named(*people: int) -> Standing:
    return Standing(names={PersonId(person): f"P{person}" for person in people})


def of(kind: Kind, questions: tuple[Question, ...]) -> list[Question]:
    return [question for question in questions if question.kind is kind]


THEM = unit(faces_of(ints(*[0] * 8, 1, 1, 1, 2)))
"""Eight faces of one person, three of another."""


def nearly(count: int, short: float = 0.3) -> FloatArray:
    """Faces like one another, and like the first eight of those but for so much of the evidence that a join takes."""
    them = THEM[:8]
    here, there = directions(3)[0], directions(3)[2]
    near, far = 0.0, 1.0
    for _ in range(30):
        share = (near + far) / 2
        face = unit((here * (1 - share) + there * share)[None].astype(np.float32))
        every = np.concatenate([them, face])
        measure = measure_of(table_of(every))
        enough = told_between(every, measure)[8, :8].mean() > measure.join - short
        near, far = (share, far) if enough else (near, share)
    noise = np.random.default_rng(7).normal(size=(count, 128)) / np.sqrt(128)
    return unit((face + 0.02 * noise).astype(np.float32))


def test_whoever_has_no_name_is_asked_about_the_largest_first() -> None:
    who = ints(*[0] * 9, *[1] * 5, *[2] * 7)
    questions = asked(library(who, who + 1), named(3))
    assert [(question.id, question.settles) for question in questions] == [("who-1", 9), ("who-2", 5)]
    first = questions[0]
    assert (first.kind, first.person, first.likely) == (Kind.WHO, 1, 1.0)
    assert set(first.shown) <= set(range(1, 10))
    assert len(first.shown) == 9
    assert first.faces == first.beside == tuple(range(1, 10)), "all of few can be told apart"
    (large,) = asked(library(ints(*[0] * 10), ints(*[1] * 10)))
    assert large.faces == large.beside == ()


def test_poor_pictures_and_single_faces_are_less_urgent_and_never_forgotten() -> None:
    who = ints(0, 0, 0, 0, 1, 1, 1, 1, 2, 3)
    quality = np.array([0.2] * 4 + [0.9] * 4 + [0.9, 0.3], np.float32)
    table = library(who, ints(1, 1, 1, 1, 2, 2, 2, 2, 0, 0), quality=quality)
    assert [question.id for question in asked(table)] == ["who-2", "who-1", "who-f9", "who-f10"]
    (face,) = [question for question in asked(table) if question.id == "who-f9"]
    assert (face.person, face.faces, face.shown, face.evidence) == (None, (9,), (9,), None)


def test_hidden_people_are_not_asked_about_and_neither_are_their_faces() -> None:
    who = ints(0, 0, 0, 1, 1, 1)
    questions = asked(library(who, who + 1), Standing(hidden=frozenset({PersonId(1)})))
    assert [question.id for question in questions] == ["who-2"]


def test_a_piece_of_somebody_is_asked_about_with_them() -> None:
    vectors = np.concatenate([THEM[:11], nearly(4)])
    table = table_of(vectors, people=ints(*[1] * 8, 2, 2, 2, *[3] * 4))
    (question,) = of(Kind.SAME, asked(table, named(1, 2)))
    assert (question.id, question.person, question.others, question.faces) == ("same-1-p3", 1, (3,), ())
    assert question.settles == 4
    assert set(question.shown) == set(range(1, 9))
    assert set(question.beside) == set(range(12, 16)), "somebody who is asked about alone is shown by several faces"
    # With no name there is less to gain; the smaller is asked about with the larger.
    (unnamed,) = of(Kind.SAME, asked(table))
    assert (unnamed.person, unnamed.others) == (1, (3,))
    assert unnamed.worth == pytest.approx(PREPARES * question.worth)


def test_two_people_who_were_given_two_names_are_only_asked_about_when_they_are_as_like_as_one() -> None:
    vectors = np.concatenate([THEM[:8], nearly(4)])
    table = table_of(vectors, people=ints(*[1] * 8, *[3] * 4))
    assert not of(Kind.SAME, asked(table, named(1, 3)))
    who = ints(0, 0, 0, 0, 0, 0)
    (question,) = of(Kind.SAME, asked(library(who, ints(1, 1, 1, 1, 2, 2)), named(1, 2)))
    assert (question.person, question.others) == (1, (2,))


def test_waiting_faces_are_asked_about_at_once_one_of_a_photo() -> None:
    vectors = np.concatenate([THEM[:8], nearly(11)])
    photos = np.arange(1, 20)
    photos[9] = photos[8]
    table = table_of(vectors, people=ints(*[1] * 8, *[0] * 11), photos=photos)
    (question,) = of(Kind.SAME, asked(table, named(1)))
    assert len(question.faces) == AT_ONCE
    assert not {9, 10} <= set(question.faces)
    assert question.beside == question.faces
    assert question.id.startswith("same-1-")
    assert question.keys == tuple(f"same-1-{face}" for face in question.faces)


def test_a_face_that_is_more_like_somebody_else_is_asked_about_with_them() -> None:
    who = ints(*[0] * 6, *[1] * 6, 1)
    people = ints(*[1] * 6, *[2] * 6, 1)
    (question,) = of(Kind.SAME, asked(library(who, people), named(1, 2)))
    assert (question.person, question.faces) == (2, (13,))
    said = Standing(names=named(1, 2).names, pinned={FaceId(13): PersonId(1)})
    assert not of(Kind.SAME, asked(library(who, people), said)), "you said who it is"


def test_odd_faces_are_asked_about() -> None:
    who = ints(*[0] * 8, 1, 2)
    people = ints(*[1] * 10)
    (question,) = of(Kind.BELONG, asked(library(who, people), named(1)))
    assert (question.person, set(question.faces)) == (1, {9, 10})
    assert not {9, 10} & set(question.shown)
    assert question.likely < 0.5
    said = Standing(names=named(1).names, pinned={FaceId(9): PersonId(1)})
    (question,) = of(Kind.BELONG, asked(library(who, people), said))
    assert (question.faces, question.id) == ((10,), "belong-1-10")


def test_two_people_in_one_are_asked_about() -> None:
    who = ints(*[0] * 8, *[1] * 5)
    table = library(who, ints(*[1] * 13))
    (question,) = of(Kind.ONE, asked(table))
    assert (question.person, set(question.faces), question.settles) == (1, set(range(9, 14)), 5)
    assert question.likely < 0.5
    assert question.keys == ("one-1",)
    one_side = Standing(pinned={FaceId(1): PersonId(1)})
    assert of(Kind.ONE, asked(table, one_side))
    both = Standing(pinned={FaceId(1): PersonId(1), FaceId(9): PersonId(1)})
    assert not of(Kind.ONE, asked(table, both)), "you said that both are them"


def test_a_person_of_one_look_is_not_asked_about() -> None:
    questions = asked(library(ints(*[0] * 12), ints(*[1] * 12)), named(1))
    assert questions == ()


def test_limits_and_empty_libraries() -> None:
    assert asked(table_of(unit(faces_of(ints(0, 1))), people=ints(1, 0)), named(1)) != ()
    who = np.repeat(np.arange(6), 4)
    table = library(who, who + 1)
    assert len(asked(table, limit=2)) == 2
    assert asked(table, limit=2) == asked(table)[:2]
    assert asked(table, limit=0) == ()


def test_what_a_key_is_likely_to_settle() -> None:
    assert prospect([(0.4, 5.0)]) == pytest.approx(2.0)
    assert prospect([(0.9, 1.0)] * 4) == pytest.approx(3.6 / 1.4)
    assert prospect([(0.1, 1.0)] * 4) == pytest.approx(0.4 / 1.4), "a no to all is as short as a yes"


people_and_truth = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 12), st.sampled_from([0.1, 0.5, 0.9])),
    min_size=1,
    max_size=24,
)


class User:
    """Answers truly, or skips; keeps what was said as decisions would."""

    def __init__(self, table: FaceTable, who: IntArray) -> None:
        self.table, self.who = table, who
        self.people = table.people.copy()
        self.names: dict[PersonId, str] = {}
        self.hidden: set[PersonId] = set()
        self.pinned: dict[FaceId, PersonId] = {}
        self.barred: set[tuple[FaceId, PersonId]] = set()
        self.apart: set[tuple[PersonId, PersonId]] = set()
        self.skipped: set[str] = set()

    def standing(self) -> Standing:
        return Standing(
            names=self.names,
            hidden=frozenset(self.hidden),
            pinned=self.pinned,
            barred=frozenset(self.barred),
            apart_people=frozenset(self.apart),
        )

    def view(self) -> FaceTable:
        table = self.table
        return FaceTable(table.ids, table.photos, table.quality, self.people, table.vectors)

    def answer(self, question: Question, honest: bool) -> None:
        if not honest:
            self.skipped |= set(question.keys)
            return
        if question.kind is Kind.WHO:
            if question.person is None:
                self.pin(question.faces, self.fresh())
                self.names[PersonId(int(self.people.max()))] = "new"
            else:
                self.names[question.person] = "x"
            return
        person = question.person
        assert person is not None
        mine = self.of(person)
        for other in question.others:
            if self.of(other) == mine:
                self.people[self.people == other] = person
                self.names.pop(other, None)
                self.pinned = {face: person if at == other else at for face, at in self.pinned.items()}
                self.apart = {(person if a == other else a, person if b == other else b) for a, b in self.apart}
                self.barred = {(face, person if at == other else at) for face, at in self.barred}
            else:
                self.apart.add((min(person, other), max(person, other)))
        if question.kind is Kind.ONE:
            rows = [face - 1 for face in question.faces]
            if self.majority(rows) == mine:
                self.pin((*question.shown, *question.beside), person)
            else:
                new = self.fresh()
                self.people[rows] = new
                self.apart.add((person, new))
            return
        for face in question.faces:
            if int(self.who[face - 1]) == mine:
                self.pin([face], person)
            else:
                if self.people[face - 1] == person:
                    self.people[face - 1] = 0
                self.barred.add((face, person))

    def pin(self, faces: Collection[FaceId], person: PersonId) -> None:
        for face in faces:
            self.people[face - 1] = person
            self.pinned[face] = person
            self.barred.discard((face, person))

    def fresh(self) -> PersonId:
        return PersonId(1 + max(int(self.people.max()), 100))

    def of(self, person: PersonId) -> int:
        return self.majority(np.flatnonzero(self.people == person).tolist())

    def majority(self, rows: list[int]) -> int:
        return int(np.bincount(self.who[rows]).argmax())


@settings(deadline=None, max_examples=60)
@given(people_and_truth, st.lists(st.booleans(), min_size=1, max_size=7))
def test_every_question_is_sound_and_none_is_asked_twice(
    faces: list[tuple[int, int, int, float]], manner: list[bool]
) -> None:
    who = ints(*(truth for truth, _, _, _ in faces))
    photos = ints(*(photo for _, _, photo, _ in faces))
    quality = np.array([good for _, _, _, good in faces], np.float32)
    user = User(library(who, ints(*(person for _, person, _, _ in faces)), photos, quality), who)
    before: set[str] = set()
    for turn in range(200):
        questions = asked(user.view(), user.standing(), user.skipped)
        assert list(questions) == sorted(questions, key=lambda one: -one.worth)
        assert len({question.id for question in questions}) == len(questions)
        for question in questions:
            sound(question, user)
        if not questions:
            return
        question = questions[0]
        assert question.id not in before or question.kind is Kind.WHO, question
        before.add(question.id)
        user.answer(question, manner[turn % len(manner)])
    raise AssertionError("the questions do not end")


def sound(question: Question, user: User) -> None:
    assert question.worth >= LEAST
    assert 0 <= question.likely <= 1
    assert question.settles >= 1
    assert not set(question.keys) & user.skipped
    assert len(question.others) + len(question.faces) <= AT_ONCE or question.kind is Kind.ONE
    assert question.shown or question.kind is Kind.BELONG
    assert not {question.person, *question.others} & user.hidden
    rows = [face - 1 for face in question.faces]
    if question.kind is Kind.WHO:
        assert question.person not in user.names
    if question.kind in (Kind.BELONG, Kind.ONE):
        assert set(user.people[rows].tolist()) == {question.person}
    if question.kind is not Kind.SAME:
        return
    person = question.person
    assert person is not None
    assert not set(user.people[rows].tolist()) & {person}
    assert not any(face in user.pinned or (face, person) in user.barred for face in question.faces)
    theirs = set(user.table.photos[user.people == person].tolist())
    assert not theirs & set(user.table.photos[rows].tolist())
    for other in question.others:
        assert (min(person, other), max(person, other)) not in user.apart
        assert not theirs & set(user.table.photos[user.people == other].tolist())
