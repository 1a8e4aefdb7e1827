"""Undo and redo: what comes back, what stays because of what was said since, and what cannot be."""

from __future__ import annotations

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CannotDecide, UnknownDecision
from guyverd.model import Assignment, DecisionId, FaceId, Merge, Move, PersonId
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import Deciding, standing
from guyverd.service.pipeline.words.undoing import redo, undo
from tests.catalogue.conftest import NOW, library
from tests.service.test_deciding import deciding, faces, whose

__all__ = ["deciding"]


def name(catalogue: Catalogue, person: int, called: str) -> None:
    Deciding(catalogue).name(PersonId(person), called)


def arrive(catalogue: Catalogue, face: int, person: int) -> None:
    item = Assignment(FaceId(face), PersonId(person), None, 0.9)
    assert catalogue.people.assign([item], [], 99, NOW, said=standing(catalogue)) == [person]


def test_a_merge_that_was_undone_gives_everybody_back_what_was_theirs(catalogue: Catalogue, deciding: Deciding) -> None:
    name(catalogue, 1, "Al")
    name(catalogue, 2, "Bo")
    deciding.hide(PersonId(2))
    before = whose(catalogue)
    deciding.merge(PersonId(1), PersonId(2))
    assert catalogue.people.names()[PersonId(1)] == "Al"
    done = undo(catalogue)
    assert whose(catalogue) == before
    assert catalogue.people.names() == {1: "Al", 2: "Bo", 3: None}
    assert catalogue.people.hidden() == {2}
    assert catalogue.people.forwards() == {}
    assert (done.kept, {move.face for move in done.moves}) == (0, {2, 4})
    redo(catalogue)
    assert catalogue.people.forwards() == {2: 1}


def test_who_came_since_stays_with_who_stays(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.merge(PersonId(3), PersonId(2))
    arrive(catalogue, 9, 3)
    deciding.confirm(PersonId(3), faces(4))
    deciding.reject(PersonId(3), faces(2))
    done = undo(catalogue, DecisionId(1))
    assert done.kept == 2, "one was confirmed since, one taken away"
    assert {face: person for face, person in whose(catalogue).items() if face in (2, 4, 9)} == {2: None, 4: 3, 9: 3}
    done = undo(catalogue, DecisionId(3))
    assert whose(catalogue)[2] == 3, "where it was when it was rejected"
    assert disagreements(catalogue) == []


def test_somebody_absorbed_in_between_gets_faces_back_from_the_last_survivor(
    catalogue: Catalogue, deciding: Deciding
) -> None:
    deciding.merge(PersonId(2), PersonId(3))
    deciding.merge(PersonId(1), PersonId(2))
    assert whose(catalogue)[5] == 1
    undo(catalogue, DecisionId(1))
    assert whose(catalogue)[5] == 3
    assert catalogue.people.forwards() == {2: 1}
    redo(catalogue, DecisionId(1))
    assert catalogue.people.forwards() == {2: 1, 3: 2}
    assert whose(catalogue)[5] == 1


def test_the_place_in_a_photo_may_be_taken_by_now(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.confirm(PersonId(2), faces(6))
    deciding.reject(PersonId(3), faces(5))
    arrive_first = deciding.confirm(PersonId(3), faces(6))
    assert arrive_first.moves == (Move(FaceId(6), PersonId(2), PersonId(3)),)
    done = undo(catalogue, DecisionId(2))
    assert done.kept == 1
    assert whose(catalogue)[5] is None, "person 3 is the other face of that photo now"
    assert catalogue.contradictions() == []


def test_a_pinned_face_returns_and_who_only_came_by_itself_leaves(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.confirm(PersonId(3), faces(5))
    deciding.reject(PersonId(3), faces(5))
    arrive(catalogue, 6, 3)
    done = undo(catalogue)
    assert {move.face: move.now for move in done.moves} == {5: 3, 6: None}


def test_a_name_that_somebody_else_has_by_now_is_not_taken_from_them(catalogue: Catalogue, deciding: Deciding) -> None:
    name(catalogue, 1, "Al")
    name(catalogue, 1, "Alan")
    name(catalogue, 2, "AL")
    before = catalogue.decisions.log()
    with pytest.raises(CannotDecide, match="person 1 would be Al again, as person 2 is by now") as caught:
        undo(catalogue, DecisionId(2))
    assert "guyverd merge 1 2" in caught.value.advice
    assert catalogue.decisions.log() == before
    undo(catalogue, DecisionId(3))
    undo(catalogue, DecisionId(2))
    assert catalogue.people.names()[PersonId(1)] == "Al"


def test_a_merge_back_the_other_way_stands_in_the_way_of_a_redo(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.merge(PersonId(1), PersonId(2))
    undo(catalogue)
    deciding.merge(PersonId(2), PersonId(1))
    with pytest.raises(CannotDecide, match="decision 3 could not be then") as caught:
        redo(catalogue, DecisionId(1))
    assert "guyverd undo 3" in caught.value.advice
    undo(catalogue)
    redo(catalogue, DecisionId(1))
    assert catalogue.people.forwards() == {2: 1}


def test_what_guyverd_merged_and_was_undone_is_not_merged_again(catalogue: Catalogue, deciding: Deciding) -> None:
    merge = Merge(PersonId(3), PersonId(1), 0.9)
    assert catalogue.people.assign([], [merge], 99, NOW, said=standing(catalogue)) == [1, 3]
    with pytest.raises(CannotDecide, match="nothing that could be undone"):
        undo(catalogue)
    undo(catalogue, DecisionId(1))
    assert whose(catalogue)[5] == 3
    assert catalogue.people.assign([], [merge], 99, NOW, said=standing(catalogue)) == []
    redo(catalogue, DecisionId(1))
    assert whose(catalogue)[5] == 1


def test_without_a_number_it_goes_back_step_by_step_and_forth_again(catalogue: Catalogue, deciding: Deciding) -> None:
    for called in ("Al", "Bo", "Cy"):
        name(catalogue, 1, called)
    told = []
    for _ in range(3):
        undo(catalogue)
        told.append(catalogue.people.names()[PersonId(1)])
    assert told == ["Bo", "Al", None]
    with pytest.raises(CannotDecide, match="nothing that could be undone"):
        undo(catalogue)
    told = []
    for _ in range(3):
        redo(catalogue)
        told.append(catalogue.people.names()[PersonId(1)])
    assert told == ["Al", "Bo", "Cy"]
    with pytest.raises(CannotDecide, match="nothing is undone"):
        redo(catalogue)
    undo(catalogue)
    assert catalogue.people.names()[PersonId(1)] == "Bo"


def test_what_is_not_there_or_not_so_is_told(catalogue: Catalogue, deciding: Deciding) -> None:
    name(catalogue, 1, "Al")
    for act in (undo, redo):
        with pytest.raises(UnknownDecision, match="9"):
            act(catalogue, DecisionId(9))
    with pytest.raises(CannotDecide, match="decision 1 is not undone"):
        redo(catalogue, DecisionId(1))
    undo(catalogue, DecisionId(1))
    with pytest.raises(CannotDecide, match="undone already, by decision 2"):
        undo(catalogue, DecisionId(1))
    undo(catalogue, DecisionId(2))
    assert catalogue.people.names()[PersonId(1)] == "Al", "an undo can be undone by its number"
    with pytest.raises(CannotDecide, match="decision 3 is not undone"):
        redo(catalogue, DecisionId(3))


def test_two_undos_never_take_back_the_same(catalogue: Catalogue, deciding: Deciding) -> None:
    name(catalogue, 1, "Al")
    undo(catalogue)
    redo(catalogue)
    undo(catalogue, DecisionId(1))
    with pytest.raises(CannotDecide, match="decision 1 is undone already, by decision 4"):
        redo(catalogue, DecisionId(2))
    redo(catalogue, DecisionId(1))
    assert catalogue.people.names()[PersonId(1)] == "Al"


def test_a_split_that_is_undone_and_done_again_is_the_same_person(catalogue: Catalogue, deciding: Deciding) -> None:
    deciding.split(PersonId(1), faces(7, 8))
    arrive(catalogue, 9, 4)
    undo(catalogue, DecisionId(1))
    assert {face: whose(catalogue)[face] for face in (7, 8, 9)} == {7: 1, 8: 1, 9: 4}
    redo(catalogue)
    assert {face: whose(catalogue)[face] for face in (7, 8, 9)} == {7: 4, 8: 4, 9: 4}
    assert catalogue.decisions.next_person() == 5


def test_faces_that_were_forgotten_meanwhile_are_passed_over(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 1, 1])
    items = [Assignment(face, None, group, 0.9) for group, face in enumerate(faces(1, 2, 3))]
    catalogue.people.assign(items, [], 99, NOW)
    Deciding(catalogue).merge(PersonId(1), PersonId(2))
    Deciding(catalogue).confirm(PersonId(1), faces(2))
    catalogue._db.write(lambda db: db.execute("DELETE FROM faces WHERE id = 2"))
    assert disagreements(catalogue) == []
    done = undo(catalogue, DecisionId(1))
    assert (done.moves, done.kept) == ((), 0)
    assert catalogue.people.forwards() == {}
