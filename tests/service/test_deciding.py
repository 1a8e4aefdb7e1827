"""What each word of the user does to faces and people, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotDecide, CannotMerge, CatalogueError, NameTaken, NoSuchFace, PersonError, UnknownPerson
from guyverd.model import Assignment, Author, DecisionKind, FaceId, Merge, Move, PersonId, Standing
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import Decided, Deciding, standing
from guyverd.service.pipeline.words.undoing import undo
from tests.catalogue.conftest import NOW, library


def faces(*numbers: int) -> list[FaceId]:
    return [FaceId(number) for number in numbers]


def found(catalogue: Catalogue, groups: dict[int, Sequence[int]], said: Standing | None = None) -> None:
    """Grouping founds people 1, 2… with these faces."""
    assert list(groups) == list(
        range(catalogue.decisions.next_person(), catalogue.decisions.next_person() + len(groups))
    )
    items = [Assignment(face, None, group, 0.9) for group, some in groups.items() for face in faces(*some)]
    catalogue.people.assign(items, [], 99, NOW, said=said or standing(catalogue))


def whose(catalogue: Catalogue) -> dict[int, int | None]:
    every = catalogue.people.holdings(faces(*range(1, 40)))
    return {int(face): held.person for face, held in every.items()}


@pytest.fixture
def deciding(catalogue: Catalogue, root: RootRow) -> Deciding:
    """Photos 1 to 3 show two faces each (1 and 2, 3 and 4, 5 and 6), photos 4 to 7 one each (7 to 10).

    Person 1 has 1, 3, 7 and 8, person 2 has 2 and 4, person 3 has 5; 6, 9 and 10 wait.
    """
    library(catalogue, root, [2, 2, 2, 1, 1, 1, 1])
    found(catalogue, {1: [1, 3, 7, 8], 2: [2, 4], 3: [5]})
    return Deciding(catalogue)


# ---- confirm and reject ----------------------------------------------------------------------------------------------


def test_a_confirmed_face_joins_and_stays_whatever_grouping_says(catalogue: Catalogue, deciding: Deciding) -> None:
    done = deciding.confirm(PersonId(1), faces(9, 5))
    assert done.moves == (Move(FaceId(5), PersonId(3), PersonId(1)), Move(FaceId(9), None, PersonId(1)))
    assert standing(catalogue).pinned == {5: 1, 9: 1}
    assert catalogue.people.holdings(faces(5))[FaceId(5)].score is None, "no likeness put it there"
    again = deciding.confirm(PersonId(1), faces(9))
    assert (again.decision, again.moves) == (None, ())
    assert catalogue.decisions.last() == 1, "what is known already is no decision"


def test_all_faces_of_a_person_are_confirmed(catalogue: Catalogue, deciding: Deciding) -> None:
    assert deciding.confirm(PersonId(2)).moves == ()
    assert standing(catalogue).pinned == {2: 2, 4: 2}
    catalogue.people.assign([Assignment(FaceId(6), PersonId(2), None, 0.5)], [], 99, NOW, said=standing(catalogue))
    assert standing(catalogue).pinned == {2: 2, 4: 2}, "what comes later is not"


def test_who_was_taken_for_the_confirmed_person_in_that_photo_leaves(catalogue: Catalogue, deciding: Deciding) -> None:
    done = deciding.confirm(PersonId(1), faces(2))
    assert done.moves == (Move(FaceId(1), PersonId(1), None), Move(FaceId(2), PersonId(2), PersonId(1)))
    with pytest.raises(CannotDecide, match="faces 2 and 1 would both be person 1") as caught:
        deciding.confirm(PersonId(1), faces(1))
    assert "guyverd same 2 1" in caught.value.advice
    with pytest.raises(CannotDecide, match="both"):
        deciding.confirm(PersonId(3), faces(3, 4))
    assert whose(catalogue)[1] is None


def test_a_rejected_face_waits_and_is_never_that_person_again(catalogue: Catalogue, deciding: Deciding) -> None:
    assert deciding.reject(PersonId(1), faces(8, 9)).moves == (Move(FaceId(8), PersonId(1), None),)
    said = standing(catalogue)
    assert said.barred == {(8, 1), (9, 1)}
    for face in (8, 9):
        item = Assignment(FaceId(face), PersonId(1), None, 0.99)
        assert catalogue.people.assign([item], [], 99, NOW, said=said) == []
    item = Assignment(FaceId(8), PersonId(2), None, 0.99)
    assert catalogue.people.assign([item], [], 99, NOW, said=said) == [2], "but anybody else"
    deciding.merge(PersonId(1), PersonId(2))
    assert whose(catalogue)[8] is None, "who turns out to be that person does not bring it back"
    deciding.confirm(PersonId(1), faces(8))
    assert whose(catalogue)[8] == 1, "only the user does"


# ---- split, same, different ------------------------------------------------------------------------------------------


def test_split_off_faces_are_a_new_person_who_is_not_merged_back(catalogue: Catalogue, deciding: Deciding) -> None:
    done = deciding.split(PersonId(1), faces(7, 8))
    assert done.decision is not None
    assert done.decision.other == 4
    assert (whose(catalogue)[7], whose(catalogue)[8], whose(catalogue)[1]) == (4, 4, 1)
    said = standing(catalogue)
    assert catalogue.people.assign([], [Merge(PersonId(4), PersonId(1), 1.0)], 99, NOW, said=said) == []
    assert catalogue.people.forwards() == {}
    for wrong, told in (([9], "does not belong"), ([1, 3], "all faces")):
        with pytest.raises(CannotDecide, match=told):
            deciding.split(PersonId(1), faces(*wrong))
    assert catalogue.decisions.next_person() == 5, "what is refused founds nobody"


def test_two_faces_that_are_the_same_bring_their_people_together(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.same(FaceId(9), FaceId(10))
    assert (whose(catalogue)[9], whose(catalogue)[10]) == (4, 4), "nobody's faces found a person"
    deciding.same(FaceId(6), FaceId(5))
    assert whose(catalogue)[6] == 3, "though both are in one photo"
    assert catalogue.contradictions(standing(catalogue).together) == []
    deciding.same(FaceId(9), FaceId(5))
    assert catalogue.people.forwards() == {4: 3}, "the lower number of two with as many faces"
    deciding.name(PersonId(3), "Cy")
    deciding.same(FaceId(7), FaceId(6))
    assert catalogue.people.forwards() == {4: 3, 1: 3}, "who has a name stays"
    deciding.name(PersonId(2), "Bo")
    with pytest.raises(CannotDecide, match="face 6 is Cy and face 4 is Bo") as caught:
        deciding.same(FaceId(6), FaceId(4))
    assert "guyverd merge 2 3" in caught.value.advice
    with pytest.raises(CannotDecide, match="one face"):
        deciding.same(FaceId(6), FaceId(6))
    assert disagreements(catalogue) == []


def test_what_is_said_of_one_of_them_is_said_of_both(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.same(FaceId(9), FaceId(10))
    assert {move.face for move in deciding.confirm(PersonId(2), faces(9)).moves} == {9, 10}
    assert {move.face for move in deciding.reject(PersonId(2), faces(10)).moves} == {9, 10}
    said = standing(catalogue)
    one, other = (
        Assignment(face, PersonId(person), None, 0.9) for face, person in zip(faces(9, 10), (1, 3), strict=True)
    )
    assert catalogue.people.assign([one, other], [], 99, NOW, said=said) == [1], "not two people by themselves either"


def test_of_two_that_differ_the_confirmed_one_stays_else_the_better(catalogue: Catalogue, deciding: Deciding) -> None:
    catalogue._db.write(lambda db: db.execute("UPDATE faces SET quality = 0.1 WHERE id = 7"))
    assert deciding.different(FaceId(7), FaceId(8)).moves == (Move(FaceId(7), PersonId(1), None),)
    deciding.confirm(PersonId(1), faces(3))
    assert deciding.different(FaceId(1), FaceId(3)).moves == (Move(FaceId(1), PersonId(1), None),)
    assert deciding.different(FaceId(9), FaceId(10)).moves == (), "they were nobody's"
    said = standing(catalogue)
    for face in (7, 1):
        item = Assignment(FaceId(face), PersonId(1), None, 0.99)
        assert catalogue.people.assign([item], [], 99, NOW, said=said) == []
    items = [Assignment(face, None, 0, 0.9) for face in faces(9, 10)]
    assert catalogue.people.assign(items, [], 99, NOW, said=said) == [4]
    assert (whose(catalogue)[9], whose(catalogue)[10]) == (4, None), "nor do they found somebody together"


def test_who_belongs_to_the_one_that_leaves_goes_along(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.same(FaceId(7), FaceId(9))
    assert {move.face for move in deciding.different(FaceId(8), FaceId(7)).moves} == {8}, "7 was said to be person 1"
    deciding.same(FaceId(8), FaceId(10))
    deciding.merge(PersonId(1), PersonId(whose(catalogue)[8] or 0))
    assert whose(catalogue)[8] == whose(catalogue)[7] == 1, "a later merge is a later word"


# ---- people ----------------------------------------------------------------------------------------------------------


def test_a_merge_leaves_out_who_is_in_one_photo_unless_they_are_the_same(
    catalogue: Catalogue, deciding: Deciding
) -> None:
    deciding.same(FaceId(9), FaceId(2))
    done = deciding.merge(PersonId(1), PersonId(2))
    assert done.decision is not None
    assert Move(FaceId(4), PersonId(2), None) in done.moves
    assert Move(FaceId(1), PersonId(1), None) in done.moves, "the pinned one of the two stays"
    assert catalogue.decisions.log()[-1].faces == (2, 9)
    with pytest.raises(CannotMerge):
        deciding.merge(PersonId(1), PersonId(1))


def test_two_who_were_confirmed_in_one_photo_are_not_merged(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.confirm(PersonId(1), faces(1))
    deciding.confirm(PersonId(2), faces(2))
    with pytest.raises(CannotDecide, match="faces 1 and 2 would both be person 1"):
        deciding.merge(PersonId(1), PersonId(2))
    said = standing(catalogue)
    assert catalogue.people.assign([], [Merge(PersonId(2), PersonId(1), 1.0)], 99, NOW, said=said) == []
    deciding.name(PersonId(3), "Cy")
    assert catalogue.people.forwards() == {}
    deciding.different(FaceId(1), FaceId(5))
    with pytest.raises(CatalogueError):
        catalogue.people.assign([], [Merge(PersonId(2), PersonId(1), 1.0)], 99, NOW, said=said)


def test_hidden_people_have_no_folder_and_keep_their_faces(catalogue: Catalogue, deciding: Deciding) -> None:
    assert [shelf.owner for shelf in catalogue.shelves.of_people(1)] == [1, 2, 3]
    deciding.hide(PersonId(1))
    assert [shelf.owner for shelf in catalogue.shelves.of_people(1)] == [2, 3]
    assert [person.id for person in catalogue.people.all()] == [2, 3]
    assert [(person.id, person.hidden) for person in catalogue.people.all(hidden=True)] == [(1, True)]
    assert deciding.hide(PersonId(1)).decision is None
    item = Assignment(FaceId(9), PersonId(1), None, 0.9)
    assert catalogue.people.assign([item], [], 99, NOW, said=standing(catalogue)) == [1], "new photos are quiet too"
    merge = Merge(PersonId(1), PersonId(3), 0.99)
    assert catalogue.people.assign([], [merge], 99, NOW, said=standing(catalogue)) == []
    deciding.hide(PersonId(1), hidden=False)
    assert [shelf.owner for shelf in catalogue.shelves.of_people(1)] == [1, 2, 3]


def test_different_people_are_never_merged_by_themselves(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.different_people(PersonId(3), PersonId(1))
    merge = Merge(PersonId(3), PersonId(1), 0.99)
    assert catalogue.people.assign([], [merge], 99, NOW, said=standing(catalogue)) == []
    with pytest.raises(CannotDecide, match="one person"):
        deciding.different_people(PersonId(1), PersonId(1))
    deciding.merge(PersonId(1), PersonId(3))
    assert standing(catalogue).apart_people == frozenset(), "the user may change their mind"


@pytest.mark.parametrize("person", [2, 77])
def test_who_does_not_stand_is_unknown_and_so_is_a_face_that_is_not_there(
    catalogue: Catalogue, deciding: Deciding, person: int
) -> None:
    deciding.merge(PersonId(1), PersonId(2))
    log = catalogue.decisions.log()
    gone = PersonId(person)
    acts: list[Callable[[], object]] = [
        lambda: deciding.confirm(gone, faces(9)),
        lambda: deciding.reject(gone, faces(9)),
        lambda: deciding.hide(gone),
        lambda: deciding.different_people(gone, PersonId(1)),
        lambda: deciding.merge(PersonId(3), gone),
    ]
    for act in acts:
        with pytest.raises(UnknownPerson, match=str(person)):
            act()
    with pytest.raises(PersonError):
        deciding.split(gone, faces(9))
    looks: list[Callable[[], object]] = [
        lambda: deciding.confirm(PersonId(1), faces(9, 99)),
        lambda: deciding.same(FaceId(99), FaceId(1)),
        lambda: deciding.different(FaceId(1), FaceId(99)),
    ]
    for look in looks:
        with pytest.raises(NoSuchFace, match="99"):
            look()
    assert catalogue.decisions.log() == log
    deciding.reject(PersonId(3), faces(5))
    with pytest.raises(CannotDecide, match="no face"):
        deciding.confirm(PersonId(3))


@pytest.mark.parametrize(("name", "problem"), [("AL", NameTaken), ("Caf\udce9", PersonError), ("", CatalogueError)])
def test_a_name_must_be_text_and_nobody_elses(
    catalogue: Catalogue, deciding: Deciding, name: str, problem: type[Exception]
) -> None:
    assert deciding.name(PersonId(1), "Al").decision is not None
    assert deciding.name(PersonId(1), "Al").decision is None
    assert deciding.name(PersonId(1), "al").decision is not None, "the same name, written otherwise"
    with pytest.raises(problem):
        deciding.name(PersonId(2), name)
    if name:
        with pytest.raises(PersonError):
            deciding.split(PersonId(1), faces(7), name)
    assert catalogue.decisions.next_person() == 4
    assert standing(catalogue).names == {1: "al"}


def test_who_is_split_off_may_be_named_at_once(catalogue: Catalogue, deciding: Deciding) -> None:
    done = deciding.split(PersonId(1), faces(7, 8), "New")
    assert done.decision is not None
    assert (done.decision.name, catalogue.people.names()[PersonId(4)]) == ("New", "New")
    undo(catalogue)
    assert catalogue.people.names()[PersonId(4)] is None
    assert whose(catalogue)[7] == 1
    assert disagreements(catalogue) == []


# ---- what comes with a word ------------------------------------------------------------------------------------------

WORDS: dict[str, Callable[..., Decided]] = {
    "name": lambda deciding, **how: deciding.name(PersonId(1), "Al", **how),
    "merge": lambda deciding, **how: deciding.merge(PersonId(1), PersonId(2), **how),
    "hide": lambda deciding, **how: deciding.hide(PersonId(1), **how),
    "different people": lambda deciding, **how: deciding.different_people(PersonId(1), PersonId(2), **how),
    "confirm": lambda deciding, **how: deciding.confirm(PersonId(1), faces(9), **how),
    "reject": lambda deciding, **how: deciding.reject(PersonId(1), faces(7), **how),
    "split": lambda deciding, **how: deciding.split(PersonId(1), faces(7), "New", **how),
    "same": lambda deciding, **how: deciding.same(FaceId(9), FaceId(10), **how),
    "different": lambda deciding, **how: deciding.different(FaceId(7), FaceId(8), **how),
}


def mark(db: Any) -> None:
    """Something to do beside a decision: it leaves a mark on person 3."""
    db.execute("UPDATE people SET created_at = 'marked' WHERE id = 3")


def marked(catalogue: Catalogue) -> bool:
    row = catalogue._db.row("SELECT created_at FROM people WHERE id = 3")
    assert row is not None
    return bool(row[0] == "marked")


@pytest.mark.parametrize("word", WORDS)
def test_every_word_takes_its_source_and_what_is_to_be_done_first(
    catalogue: Catalogue, deciding: Deciding, word: str
) -> None:
    done = WORDS[word](deciding, source="did something", first=mark)
    assert done.decision is not None
    (logged,) = catalogue.decisions.log()
    assert (logged, logged.source) == (done.decision, "did something")
    assert marked(catalogue)


@pytest.mark.parametrize("word", WORDS)
def test_what_is_tried_leaves_undone_what_was_to_be_done_first(
    catalogue: Catalogue, deciding: Deciding, word: str
) -> None:
    assert WORDS[word](deciding, first=mark, dry=True).decision is not None
    assert (marked(catalogue), catalogue.decisions.log()) == (False, [])


def test_what_is_to_be_done_first_is_done_where_nothing_new_is_said(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.confirm(PersonId(1), faces(9))
    assert deciding.confirm(PersonId(1), faces(9), first=mark, dry=True).decision is None
    assert not marked(catalogue)
    assert deciding.confirm(PersonId(1), faces(9), first=mark).decision is None
    assert marked(catalogue)
    assert catalogue.decisions.last() == 1


def test_what_is_to_be_done_first_is_not_done_where_the_word_cannot_be(
    catalogue: Catalogue, deciding: Deciding
) -> None:
    with pytest.raises(CannotDecide):
        deciding.confirm(PersonId(3), faces(3, 4), first=mark)
    assert not marked(catalogue)

    def fail(db: Any) -> None:
        mark(db)
        raise NoSuchFace(face=1)

    with pytest.raises(NoSuchFace):
        deciding.confirm(PersonId(1), faces(9), first=fail)
    assert (marked(catalogue), catalogue.decisions.log(), whose(catalogue)[9]) == (False, [], None)


# ---- what grouping may not -------------------------------------------------------------------------------------------


def test_grouping_that_knows_less_than_was_decided_is_refused_whole(catalogue: Catalogue, deciding: Deciding) -> None:
    before = standing(catalogue)
    deciding.reject(PersonId(1), faces(9))
    item = Assignment(FaceId(9), PersonId(1), None, 0.9)
    for said in (before, Standing()):
        with pytest.raises(CatalogueError, match="without a decision"):
            catalogue.people.assign([item], [], 99, NOW, said=said)
        with pytest.raises(CatalogueError, match="without a decision"):
            catalogue.people.apply([], NOW, said=said)
    assert whose(catalogue)[9] is None


def test_faces_found_alike_may_be_one_person_in_one_photo(catalogue: Catalogue, deciding: Deciding) -> None:
    item = Assignment(FaceId(6), PersonId(3), None, 0.9)
    said = standing(catalogue)
    assert catalogue.people.assign([item], [], 99, NOW, said=said) == []
    assert catalogue.people.assign([item], [], 99, NOW, said=said, alike=[(FaceId(6), FaceId(5))]) == [3]
    (decision,) = catalogue.decisions.log()
    assert (decision.kind, decision.author, decision.faces) == (DecisionKind.SAME, Author.GUYVERD, (5, 6))
    assert catalogue.contradictions() == ["photo 3 shows person 3 2 times"]
    assert catalogue.contradictions(standing(catalogue).alike) == []
    undo(catalogue, decision.id)
    assert {whose(catalogue)[5], whose(catalogue)[6]} == {3, None}
    assert standing(catalogue).apart == {(5, 6)}, "and it is not found again"
    alike = [(FaceId(6), FaceId(5))]
    last = catalogue.decisions.last()
    free = next(face for face in faces(5, 6) if whose(catalogue)[face] is None)
    item = Assignment(free, PersonId(3), None, 0.9)
    assert catalogue.people.assign([item], [], 99, NOW, said=standing(catalogue), alike=alike) == []
    assert catalogue.decisions.last() == last


def test_a_plan_is_applied_whole_or_not_at_all(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.confirm(PersonId(1), faces(1))
    deciding.reject(PersonId(2), faces(9))
    deciding.different(FaceId(9), FaceId(10))
    deciding.same(FaceId(7), FaceId(8))
    before = whose(catalogue)

    def move(face: int, now: int | None, group: int | None = None) -> Move:
        was = before[face]
        return Move(FaceId(face), None if was is None else PersonId(was), None if now is None else PersonId(now), group)

    wrong = [
        ([move(1, 2)], "face 1 is person 1 by your word"),
        ([move(1, None)], "face 1 is person 1 by your word"),
        ([move(9, 2)], "face 9 is not person 2 by your word"),
        ([move(9, 3), move(10, 3)], "beside the others"),
        ([move(9, None, 0), move(10, None, 0)], "beside the others"),
        ([move(2, 1)], "beside the others"),
        ([move(5, 2), Move(FaceId(9), PersonId(1), PersonId(3))], "no longer where"),
        ([Move(FaceId(99), None, PersonId(1))], "no longer where"),
    ]
    log = catalogue.decisions.log()
    for moves, told in wrong:
        with pytest.raises(CannotDecide, match=told):
            deciding.apply([move(3, None), *moves])
        assert (whose(catalogue), catalogue.decisions.log()) == (before, log)
    with pytest.raises(UnknownPerson):
        deciding.apply([move(9, 77)])
    done = deciding.apply([move(3, None, 5), move(4, None), move(5, None, 5), move(9, None, 7), move(10, 1)])
    assert done.decision is not None
    assert done.decision.kind is DecisionKind.APPLY
    after = whose(catalogue)
    assert (after[3], after[5], after[9], after[4], after[10]) == (4, 4, 5, None, 1)
    assert {person.id for person in catalogue.people.all()} == {1, 2, 4, 5}, (
        "who has neither name nor face is not listed"
    )
    undo(catalogue)
    assert whose(catalogue) == before
    assert disagreements(catalogue) == []


def test_a_plan_may_put_faces_of_one_photo_together_that_are_alike(catalogue: Catalogue, deciding: Deciding) -> None:
    plan = [Move(FaceId(6), None, PersonId(3))]
    with pytest.raises(CannotDecide, match="beside"):
        deciding.apply(plan)
    deciding.apply(plan, alike=[(FaceId(5), FaceId(6))])
    assert whose(catalogue)[6] == 3
    assert [one.kind for one in catalogue.decisions.log()] == [DecisionKind.SAME, DecisionKind.APPLY]


def test_what_is_one_person_by_word_is_not_torn_by_a_plan(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.same(FaceId(9), FaceId(10))
    deciding.reject(PersonId(4), faces(9))
    plan = [Move(FaceId(9), None, PersonId(1)), Move(FaceId(10), None, PersonId(2))]
    with pytest.raises(CannotDecide, match="faces 9 and 10 are one person"):
        deciding.apply(plan)
