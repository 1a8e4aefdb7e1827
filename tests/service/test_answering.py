"""What becomes of answers: decisions of the user's, all of them or none, that can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import AmbiguousPerson, CannotDecide, GuyverError, NameTaken, UnknownPerson
from guyverd.model import Author, DecisionKind, FaceId, PersonId
from guyverd.people.asking.questions import Kind, Question
from guyverd.service.pipeline.review.answering import Answering, Word
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import Deciding, standing
from tests.catalogue.conftest import call, library
from tests.service.test_deciding import faces, found, whose


@pytest.fixture
def answering(catalogue: Catalogue, root: RootRow) -> Answering:
    """Photos 1 to 3 show two faces each, photos 4 to 9 one each (faces 7 to 12).

    Person 1 has 1, 3, 7 and 8, person 2 has 2 and 4, person 3 has 5; 6, 9, 10, 11 and 12 wait. Person 1 is Ada.
    """
    library(catalogue, root, [2, 2, 2, 1, 1, 1, 1, 1, 1])
    found(catalogue, {1: [1, 3, 7, 8], 2: [2, 4], 3: [5]})
    Deciding(catalogue).name(PersonId(1), "Ada")
    return Answering(catalogue)


def question(
    kind: Kind,
    person: int | None,
    others: Sequence[int] = (),
    about: Sequence[int] = (),
    shown: Sequence[int] = (),
    beside: Sequence[int] = (),
) -> Question:
    people = tuple(PersonId(one) for one in others)
    asked = tuple(faces(*about))
    who = None if person is None else PersonId(person)
    sides = tuple(faces(*shown)), tuple(faces(*beside))
    return Question("q", kind, who, people, asked, 1, 0.5, None, 1.0, *sides, ("q",))


def kinds(catalogue: Catalogue) -> list[str]:
    """What the user decided since Ada was named."""
    return [one.kind.value for one in catalogue.decisions.log(1) if one.author is Author.USER]


def test_who_gives_a_name(catalogue: Catalogue, answering: Answering) -> None:
    made = answering.answer(question(Kind.WHO, 2), Word(True, name="Bob"))
    assert standing(catalogue).names == {1: "Ada", 2: "Bob"}
    assert made == (2,)
    assert disagreements(catalogue) == []


def test_who_may_be_somebody_known(catalogue: Catalogue, answering: Answering) -> None:
    with pytest.raises(NameTaken) as raised:
        answering.answer(question(Kind.WHO, 3), Word(True, name="ada"))
    assert raised.value.fields["person"] == PersonId(1)
    assert kinds(catalogue) == []
    answering.answer(question(Kind.WHO, 3), Word(True, person=PersonId(1)))
    assert whose(catalogue)[5] == 1
    assert kinds(catalogue) == ["merge"]


def test_who_of_a_face_founds_somebody_or_tells_who_it_is(catalogue: Catalogue, answering: Answering) -> None:
    made = answering.answer(question(Kind.WHO, None, about=[9]), Word(True, name="Cy"))
    new = whose(catalogue)[9]
    assert new == 4
    assert standing(catalogue).names[PersonId(4)] == "Cy"
    assert len(made) == 2
    answering.answer(question(Kind.WHO, None, about=[10]), Word(True, person=PersonId(4)))
    assert whose(catalogue)[10] == 4
    assert standing(catalogue).pinned == {9: 4, 10: 4}
    assert disagreements(catalogue) == []


def test_who_may_leave_faces_out(catalogue: Catalogue, answering: Answering) -> None:
    asked = question(Kind.WHO, 2, about=[2, 4])
    answering.answer(asked, Word(True, [2], "Bob"))
    assert (whose(catalogue)[2], whose(catalogue)[4]) == (2, None)
    assert standing(catalogue).barred == {(4, 2)}
    assert standing(catalogue).names[PersonId(2)] == "Bob"
    answering.answer(question(Kind.WHO, 3, about=[5]), Word(True, person=PersonId(2)))
    assert whose(catalogue)[5] == 2


def test_who_is_hidden_may_leave_faces_out(catalogue: Catalogue, answering: Answering) -> None:
    answering.hide(question(Kind.WHO, 2, about=[2, 4]), [1])
    assert (whose(catalogue)[2], whose(catalogue)[4]) == (None, 2)
    assert standing(catalogue).hidden == {2}
    with pytest.raises(CannotDecide):
        answering.hide(question(Kind.WHO, 3, about=[5]), [2])


def test_two_of_one_name_have_to_be_told_apart(catalogue: Catalogue, answering: Answering) -> None:
    call(catalogue, 2, "Ada")
    with pytest.raises(AmbiguousPerson):
        answering.answer(question(Kind.WHO, 3), Word(True, name="Ada"))


@pytest.mark.parametrize(
    "word", [Word(False), Word(True), Word(True, name="x", person=PersonId(1)), Word(True, [1], "x")]
)
def test_who_takes_a_name_or_a_person(catalogue: Catalogue, answering: Answering, word: Word) -> None:
    with pytest.raises(CannotDecide):
        answering.answer(question(Kind.WHO, 2), word)
    assert kinds(catalogue) == []


def test_same_joins_people_and_faces_and_tells_the_others_apart(catalogue: Catalogue, answering: Answering) -> None:
    asked = question(Kind.SAME, 1, others=[3, 2], about=[9, 10, 11])
    answering.answer(asked, Word(True, [2, 4]))
    told = standing(catalogue)
    assert whose(catalogue) | {5: 1, 9: 1, 10: None, 11: 1} == whose(catalogue)
    assert told.apart_people == {(1, 2)}
    assert told.barred == {(10, 1)}
    assert told.pinned == {9: 1, 11: 1}
    assert disagreements(catalogue) == []


def test_a_no_to_same_may_have_exceptions_too(catalogue: Catalogue, answering: Answering) -> None:
    answering.answer(question(Kind.SAME, 1, about=[9, 10, 11]), Word(False, [2]))
    told = standing(catalogue)
    assert told.barred == {(9, 1), (11, 1)}
    assert told.pinned == {10: 1}


def test_a_face_leaves_who_it_was_with(catalogue: Catalogue, answering: Answering) -> None:
    answering.answer(question(Kind.SAME, 2, about=[8]), Word(True))
    assert whose(catalogue)[8] == 2
    answering.answer(question(Kind.SAME, 3, about=[7]), Word(False))
    assert whose(catalogue)[7] == 1, "a no leaves it where it is"
    assert standing(catalogue).barred == {(7, 3)}


def test_belong_confirms_and_rejects(catalogue: Catalogue, answering: Answering) -> None:
    answering.answer(question(Kind.BELONG, 1, about=[3, 7]), Word(False, [2]))
    assert (whose(catalogue)[3], whose(catalogue)[7]) == (None, 1)
    assert standing(catalogue).pinned == {7: 1}
    answering.answer(question(Kind.BELONG, 1, about=[8]), Word(True))
    assert standing(catalogue).pinned == {7: 1, 8: 1}


def test_one_person_or_two(catalogue: Catalogue, answering: Answering) -> None:
    asked = question(Kind.ONE, 1, about=[7, 8], shown=[1, 3], beside=[7, 8])
    before = catalogue.decisions.last()
    answering.answer(asked, Word(True))
    assert set(standing(catalogue).pinned) == {1, 3, 7, 8}, "what was looked at is settled"
    answering.take_back([one.id for one in catalogue.decisions.log(before)])
    answering.answer(asked, Word(False))
    assert {face for face, person in whose(catalogue).items() if person == 4} == {7, 8}
    assert standing(catalogue).names == {1: "Ada"}


def test_of_two_the_other_may_bear_the_name(catalogue: Catalogue, answering: Answering) -> None:
    asked = question(Kind.ONE, 1, about=[7, 8], shown=[1, 3], beside=[7, 8])
    answering.answer(asked, Word(False, [1]))
    assert {face for face, person in whose(catalogue).items() if person == 1} == {7, 8}
    assert {face for face, person in whose(catalogue).items() if person == 4} == {1, 3}


def test_hiding(catalogue: Catalogue, answering: Answering) -> None:
    answering.hide(question(Kind.WHO, 2))
    assert standing(catalogue).hidden == {2}
    for asked in (question(Kind.WHO, None, about=[9]), question(Kind.ONE, 1, about=[7])):
        with pytest.raises(CannotDecide):
            answering.hide(asked)


wrong: list[tuple[Callable[[], Question], Word, type[GuyverError]]] = [
    (lambda: question(Kind.SAME, 1, about=[9]), Word(True, name="x"), CannotDecide),
    (lambda: question(Kind.SAME, 1, about=[9]), Word(True, [2]), CannotDecide),
    (lambda: question(Kind.BELONG, 1, about=[7]), Word(True, [0]), CannotDecide),
    (lambda: question(Kind.ONE, 1, about=[7, 8]), Word(True, [1]), CannotDecide),
    (lambda: question(Kind.ONE, 1, about=[1, 3, 7, 8]), Word(False), CannotDecide),
    (lambda: question(Kind.WHO, 77), Word(True, name="x"), UnknownPerson),
    (lambda: question(Kind.SAME, 1, others=[3, 77]), Word(True), UnknownPerson),
    # The second cannot be: face 6 is in the photo of face 5, which the first made Ada's.
    (lambda: question(Kind.SAME, 1, about=[6, 5]), Word(True), CannotDecide),
]


@pytest.mark.parametrize("at", range(len(wrong)))
def test_all_or_nothing(catalogue: Catalogue, answering: Answering, at: int) -> None:
    make, word, error = wrong[at]
    before, told = whose(catalogue), standing(catalogue)
    with pytest.raises(error):
        answering.answer(make(), word)
    assert whose(catalogue) == before
    assert standing(catalogue) == told
    assert disagreements(catalogue) == []


def test_taken_back(catalogue: Catalogue, answering: Answering) -> None:
    before, told = whose(catalogue), standing(catalogue)
    made = answering.answer(question(Kind.SAME, 1, others=[3], about=[9, 10]), Word(True, [3]))
    assert [one.kind for one in catalogue.decisions.log(1)] == [
        DecisionKind.MERGE,
        DecisionKind.CONFIRM,
        DecisionKind.REJECT,
    ]
    answering.take_back(made)
    assert whose(catalogue) == before
    assert standing(catalogue) == told
    assert FaceId(9) not in standing(catalogue).pinned
