"""People who have become several, in a real catalogue with the real grouping: parted by guyverd unless spoken of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Assignment, Author, Box, DecisionKind, DetectedFace, FaceId, PersonId, PhotoId, PhotoReading
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import Deciding, log_of, standing
from guyverd.service.pipeline.words.undoing import redo, undo
from tests.catalogue.conftest import NOW, add, face
from tests.people.helpers import faces_of, ints

ONE, TWO = PersonId(1), PersonId(2)
ADA, BO, CY, DI = 0, 1, 2, 3
MELTED = [ADA] * 5 + [BO] * 4 + [DI]
"""Who is on photos 1 to 10, all attached to person 1."""
MORE = [BO] * 3 + [CY] * 3
"""And on photos 11 to 16, attached to persons 2 and 3."""
TO_COME = [ADA, ADA, BO, CY, ADA, BO]
WHO = [*MELTED, *MORE, *TO_COME]
VECTORS = faces_of(ints(*WHO))


class Shelf:
    """A library of one face in each photo, of which those to come are read one by one."""

    def __init__(self, catalogue: Catalogue, root: RootRow, grouping: Grouping) -> None:
        self.catalogue, self.grouping = catalogue, grouping
        self.deciding = Deciding(catalogue)
        add(catalogue, root, {b"%02d.jpg" % n: f"photo {n}" for n in range(len(WHO))})
        self._there = 0
        for _ in (*MELTED, *MORE):
            self._read()
        people = [1] * len(MELTED) + [2] * 3 + [3] * 3
        places = [Assignment(FaceId(face), None, person, 3.0) for face, person in enumerate(people, 1)]
        catalogue.people.assign(places, (), self._there, NOW)

    def _read(self, who: int | None = None) -> None:
        vector = VECTORS[self._there if who is None else WHO.index(who, len(MELTED) + len(MORE))]
        shown = face(1)
        found = DetectedFace(Box(0, 0, 50, 60), shown.confidence, shown.landmarks, shown.quality, vector)
        self._there += 1
        reading = PhotoReading(b"h" * 32, 640, 480, "JPEG", None, (found,))
        self.catalogue.photos.read([(PhotoId(self._there), reading)], "engine 1", NOW)

    def arrive(self, count: int = 1, *, who: int | None = None) -> None:
        """The next photos come, one by one; or another one of that person."""
        for _ in range(count):
            self._read(who)
            while self.grouping.advance(first_unread=None):
                pass
            assert disagreements(self.catalogue) == []

    def whose(self) -> dict[int, int | None]:
        return {row.id: row.person for row in self.catalogue.photos.faces()}

    def partings(self) -> list[PersonId | None]:
        """Whom guyverd parted."""
        return [one.person for one in log_of(self.catalogue) if (one.kind, one.author) == _OWN]


_OWN = (DecisionKind.APPLY, Author.GUYVERD)


@pytest.fixture
def shelf(catalogue: Catalogue, root: RootRow, tmp_path: Path, write_config: Callable[..., Path]) -> Shelf:
    (tmp_path / "photos").mkdir()
    return Shelf(catalogue, root, Grouping(config_file.load(write_config(tmp_path / "photos")), catalogue))


def test_who_has_become_several_is_parted_when_a_face_joins_them(shelf: Shelf) -> None:
    shelf.arrive()
    whose = shelf.whose()
    assert [whose[face] for face in (1, 2, 3, 4, 5, 17)] == [1] * 6, "most faces keep the number"
    assert [whose[face] for face in (6, 7, 8, 9)] == [2] * 4, "who is somebody that stands joins them"
    assert whose[10] is None, "who is nobody else either waits"
    assert [whose[face] for face in (11, 12, 13, 14, 15, 16)] == [2] * 3 + [3] * 3
    assert shelf.partings() == [1]
    (decision,) = [one for one in log_of(shelf.catalogue) if one.kind is DecisionKind.APPLY]
    assert [(move.face, move.was, move.now) for move in shelf.catalogue.decisions.moves(decision.id)] == [
        *((face, 1, 2) for face in (6, 7, 8, 9)),
        (10, 1, None),
    ]
    shelf.arrive(5)
    assert shelf.partings() == [1], "and that settles it"
    people: dict[int | None, set[int]] = {}
    for found, person in shelf.whose().items():
        people.setdefault(person, set()).add(WHO[found - 1])
    assert people == {1: {ADA}, 2: {BO}, 3: {CY}, None: {DI}}


def test_who_is_not_touched_is_not_looked_at(shelf: Shelf) -> None:
    before = shelf.whose()
    shelf.arrive(who=CY)
    assert shelf.whose() == {**before, 17: 3}
    assert shelf.partings() == []


def test_parts_that_are_nobody_else_found_people(shelf: Shelf) -> None:
    for known in (11, 12, 13):
        shelf.deciding.reject(TWO, [FaceId(known)])
    Deciding(shelf.catalogue).name(TWO, "Bo")
    shelf.arrive()
    whose = shelf.whose()
    assert len({whose[face] for face in (6, 7, 8, 9)}) == 1
    assert whose[6] not in (None, 1, 2, 3)
    assert [whose[face] for face in (1, 17)] == [1, 1]


WORDS: dict[str, Callable[[Shelf], object]] = {
    "named": lambda shelf: Deciding(shelf.catalogue).name(ONE, "Ada"),
    "hidden": lambda shelf: shelf.deciding.hide(ONE),
    "a face confirmed": lambda shelf: shelf.deciding.confirm(ONE, [FaceId(2)]),
    "a face rejected": lambda shelf: shelf.deciding.reject(ONE, [FaceId(10)]),
    "merged": lambda shelf: shelf.deciding.merge(ONE, PersonId(3)),
    "two faces the same": lambda shelf: shelf.deciding.same(FaceId(1), FaceId(6)),
    "two faces different": lambda shelf: shelf.deciding.different(FaceId(1), FaceId(10)),
    "split": lambda shelf: shelf.deciding.split(ONE, [FaceId(10)]),
    "two people": lambda shelf: shelf.deciding.different_people(ONE, TWO),
}


@pytest.mark.parametrize("word", WORDS)
def test_who_was_spoken_of_is_left_alone(shelf: Shelf, word: str) -> None:
    WORDS[word](shelf)
    theirs = {face for face, person in shelf.whose().items() if person == ONE}
    shelf.arrive(3)
    assert shelf.partings() == []
    assert theirs <= {face for face, person in shelf.whose().items() if person == ONE}


@pytest.mark.parametrize("word", ["named", "hidden", "a face confirmed"])
def test_neighbours_who_were_spoken_of_are_left_alone(shelf: Shelf, word: str) -> None:
    if word == "named":
        Deciding(shelf.catalogue).name(TWO, "Bo")
    elif word == "hidden":
        shelf.deciding.hide(TWO)
    else:
        shelf.deciding.confirm(TWO, [FaceId(12)])
    shelf.arrive()
    assert shelf.partings() == [1]
    whose = shelf.whose()
    assert {face for face, person in whose.items() if person == 2} == {11, 12, 13}
    assert {whose[face] for face in (6, 7, 8, 9)}.isdisjoint({None, 1, 2})


def test_it_can_be_undone_and_is_not_done_again(shelf: Shelf) -> None:
    before = shelf.whose()
    shelf.arrive()
    parted = shelf.whose()
    (decision,) = [one.id for one in log_of(shelf.catalogue) if one.kind is DecisionKind.APPLY]
    undo(shelf.catalogue, decision)
    assert shelf.whose() == {**before, 17: 1}
    assert standing(shelf.catalogue).whole == {1}
    shelf.arrive(2)
    assert {face: shelf.whose()[face] for face in before} == before, "the user's word stands"
    assert shelf.partings() == [1]
    redo(shelf.catalogue, decision)
    assert {face: shelf.whose()[face] for face in parted} == parted
    assert standing(shelf.catalogue).whole == frozenset()


def test_an_undo_without_a_number_takes_back_what_the_user_said(shelf: Shelf) -> None:
    Deciding(shelf.catalogue).name(PersonId(3), "Cy")
    shelf.arrive()
    parted = shelf.whose()
    undo(shelf.catalogue)
    assert shelf.whose() == parted
    assert standing(shelf.catalogue).names == {}
