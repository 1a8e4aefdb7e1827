"""What was done in the people folder and has to be asked about: which face is meant, and merges that cannot be."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guyverd.catalogue.heard import Proposal
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import CannotDecide, NoSuchQuestion
from guyverd.model import DecisionId, DecisionKind, PersonId
from guyverd.people.asking.questions import AT_ONCE, Kind, Question
from guyverd.service.access import open_library
from guyverd.service.api import Library, Row
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.keeping.enrolling import Enrolling
from guyverd.service.pipeline.review.answering import Answering, Word
from guyverd.service.pipeline.review.hearing import Hearing
from guyverd.service.pipeline.review.reviewing import WAITS, Reviewing
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import Deciding, standing
from guyverd.service.pipeline.words.undoing import redo, undo
from tests.catalogue.conftest import NOW, call, ids, library
from tests.service.conftest import place, scan, tree
from tests.service.test_deciding import faces, found, whose

ADA, BOB, CY = PersonId(1), PersonId(2), PersonId(3)
DROPPED = b"Ada/party.jpg"


@pytest.fixture
def hearing(catalogue: Catalogue, root: RootRow) -> Hearing:
    """Photo 1 shows three faces (1 to 3), photo 2 two (4, 5), photo 3 eleven (6 to 16), photos 4 to 7 one (17 to 20).

    Person 1, who is Ada, has 4, 17 and 18; person 2 has 5 and 19, person 3 has 2; the others wait.
    """
    library(catalogue, root, [3, 2, 11, 1, 1, 1, 1])
    found(catalogue, {1: [4, 17, 18], 2: [5, 19], 3: [2]})
    Deciding(catalogue).name(ADA, "Ada")
    return Hearing(catalogue)


def put(catalogue: Catalogue, root: RootRow, photo: int, path: bytes = DROPPED, state: str = "asked") -> None:
    """Somebody put that photo into Ada's folder."""
    file = ids(catalogue, root)[b"%03d.jpg" % (photo - 1)]
    catalogue.heard.enrol(path, file, ADA, f"put {os.path.basename(path).decode()} into Ada", NOW)
    catalogue.heard.settle(path, state)


def state(catalogue: Catalogue, path: bytes = DROPPED) -> str:
    row = catalogue._db.row("SELECT state FROM enrolments WHERE path = ?", (path,))
    assert row is not None
    return str(row["state"])


def propose(catalogue: Catalogue, reason: str = "there are photos that show both") -> None:
    catalogue.heard.propose(Proposal(ADA, BOB, "moved all of Bob into Ada", reason), NOW)


def only(hearing: Hearing) -> Question:
    (asked,) = hearing.questions()
    return asked


# ---- which face is meant ---------------------------------------------------------------------------------------------


def test_the_faces_that_may_be_meant_are_asked_about(catalogue: Catalogue, root: RootRow, hearing: Hearing) -> None:
    put(catalogue, root, 1)
    asked = only(hearing)
    assert (asked.kind, asked.person, asked.faces, asked.beside) == (Kind.BELONG, ADA, (1, 2, 3), (1, 2, 3))
    assert asked.because == "you put party.jpg into Ada"
    assert set(asked.shown) == {4, 17, 18}
    put(catalogue, root, 1, b"Ada/again.jpg")
    assert only(hearing) == asked, "two paths of one photo are one question"
    call(catalogue, CY, "Cy")
    assert only(hearing).faces == (1, 3), "whoever has a name is somebody else"
    assert only(hearing).id != asked.id, "the numbers mean other faces then"


def test_the_face_of_that_number_is_the_person(catalogue: Catalogue, root: RootRow, hearing: Hearing) -> None:
    put(catalogue, root, 1)
    put(catalogue, root, 1, b"Ada/again.jpg")
    made = Answering(catalogue).answer(only(hearing), Word(False, [2]))
    assert [whose(catalogue)[face] for face in (1, 2, 3)] == [None, ADA, None]
    assert standing(catalogue).pinned == {2: ADA}
    assert standing(catalogue).barred == {(1, ADA), (3, ADA)}
    assert {state(catalogue), state(catalogue, b"Ada/again.jpg")} == {"done"}
    assert hearing.questions() == []
    assert disagreements(catalogue) == []
    assert all(one.source is None for one in catalogue.decisions.log(1)), "it was said in words"

    Answering(catalogue).take_back(made)
    assert whose(catalogue)[2] == CY
    assert {state(catalogue), state(catalogue, b"Ada/again.jpg")} == {"asked"}
    assert only(hearing).faces == (1, 2, 3)


def test_none_of_them_may_be_meant(catalogue: Catalogue, root: RootRow, hearing: Hearing) -> None:
    put(catalogue, root, 1)
    made = Answering(catalogue).answer(only(hearing), Word(False))
    assert state(catalogue) == "vain"
    assert hearing.questions() == []
    assert standing(catalogue).barred == {(face, ADA) for face in (1, 2, 3)}
    assert whose(catalogue)[2] == CY, "who it is else stays"
    Answering(catalogue).take_back(made)
    assert only(hearing).faces == (1, 2, 3)


def test_one_photo_shows_a_person_once(catalogue: Catalogue, root: RootRow, hearing: Hearing) -> None:
    put(catalogue, root, 1)
    before = standing(catalogue)
    for word in (Word(True), Word(False, [1, 2]), Word(False, [4])):
        with pytest.raises(CannotDecide):
            Answering(catalogue).answer(only(hearing), word)
    assert standing(catalogue).pinned == before.pinned
    assert standing(catalogue).barred == before.barred
    assert state(catalogue) == "asked"
    Answering(catalogue).answer(only(hearing), Word(True, [1, 3]))
    assert standing(catalogue).pinned == {2: ADA}
    assert state(catalogue) == "done"


def test_of_a_crowd_those_most_alike_are_asked_about_first(
    catalogue: Catalogue, root: RootRow, hearing: Hearing
) -> None:
    put(catalogue, root, 3)
    crowd = list(range(6, 17))
    every = catalogue.questions.vectors(np.array([*crowd, 4, 17, 18], dtype=np.int64))
    every = every / np.linalg.norm(every, axis=1, keepdims=True)
    likeness = dict(zip(crowd, (every[:11] @ every[11:].T).mean(axis=1).tolist(), strict=True))
    farthest = sorted(crowd, key=lambda face: likeness[face])[:2]
    first = only(hearing)
    assert list(first.faces) == [face for face in crowd if face not in farthest]
    assert len(first.faces) == AT_ONCE

    made = Answering(catalogue).answer(first, Word(False))
    assert state(catalogue) == "asked", "others are left"
    assert set(only(hearing).faces) == set(farthest)
    rest = only(hearing)
    made = (*made, *Answering(catalogue).answer(rest, Word(False, [1])))
    assert standing(catalogue).pinned == {rest.faces[0]: ADA}
    assert state(catalogue) == "done"
    Answering(catalogue).take_back(made)
    assert only(hearing) == first


def test_a_question_goes_when_it_is_settled_otherwise(
    catalogue: Catalogue, root: RootRow, hearing: Hearing, config: Config
) -> None:
    put(catalogue, root, 1)
    deciding, enrolling = Deciding(catalogue), Enrolling(config, catalogue)
    deciding.hide(ADA)
    assert hearing.questions() == []
    deciding.hide(ADA, hidden=False)
    deciding.merge(BOB, ADA)
    assert only(hearing).person == BOB, "whoever they became is meant"
    deciding.confirm(BOB, faces(3))
    assert hearing.questions() == []
    assert not enrolling.advance()
    assert state(catalogue) == "done"
    undo(catalogue)
    assert only(hearing).person == BOB, "it was no reading of the folder that said so"

    catalogue.heard.vanished([DROPPED], NOW)
    assert hearing.questions() == []
    put(catalogue, root, 1)
    catalogue._db.write(lambda db: db.execute("UPDATE files SET photo_id = NULL, state = 'pending'"))
    assert hearing.questions() == [], "the photo is forgotten"


def test_what_waits_is_not_asked_and_what_was_asked_is_not_guessed(
    catalogue: Catalogue, root: RootRow, hearing: Hearing, config: Config
) -> None:
    enrolling = Enrolling(config, catalogue)
    put(catalogue, root, 1, state="waiting")
    assert hearing.questions() == []
    assert not enrolling.advance()
    asked = only(hearing)
    made = Answering(catalogue).answer(asked, Word(False, [2]))
    # Only the first word is taken back: two faces are out, and still nobody said that it is the third.
    undo(catalogue, made[0])
    assert not enrolling.advance()
    assert standing(catalogue).pinned == {}
    assert only(hearing).faces == (2,)
    Answering(catalogue).answer(only(hearing), Word(True))
    assert whose(catalogue)[2] == ADA
    assert state(catalogue) == "done"


def test_what_was_read_in_the_folder_and_taken_back_is_not_asked(
    catalogue: Catalogue, root: RootRow, hearing: Hearing, config: Config
) -> None:
    call(catalogue, CY, "Cy")
    Deciding(catalogue).reject(ADA, faces(1))
    put(catalogue, root, 1, state="waiting")
    enrolling = Enrolling(config, catalogue)
    assert enrolling.advance()
    assert whose(catalogue)[3] == ADA
    undo(catalogue)
    assert (whose(catalogue)[3], state(catalogue)) == (None, "done")
    assert not enrolling.advance()
    assert hearing.questions() == []


# ---- merges that cannot be -------------------------------------------------------------------------------------------


def test_a_merge_that_something_speaks_against_is_asked_about(catalogue: Catalogue, hearing: Hearing) -> None:
    propose(catalogue)
    asked = only(hearing)
    assert (asked.kind, asked.person, asked.others, asked.faces) == (Kind.SAME, ADA, (BOB,), ())
    assert asked.because == "you moved all of Bob into Ada, but there are photos that show both"
    assert (set(asked.shown), set(asked.beside), asked.settles) == ({4, 17, 18}, {5, 19}, 2)


@pytest.mark.parametrize("apart", [False, True])
def test_yes_makes_them_one_whatever_was_said(catalogue: Catalogue, hearing: Hearing, *, apart: bool) -> None:
    deciding = Deciding(catalogue)
    if apart:
        deciding.different_people(BOB, ADA)
    propose(catalogue)
    made = Answering(catalogue).answer(only(hearing), Word(True))
    assert whose(catalogue)[19] == ADA
    assert whose(catalogue)[4] == ADA
    assert whose(catalogue)[5] is None, "their photo shows both: one of the faces is somebody else's"
    assert standing(catalogue).apart_people == frozenset()
    assert hearing.questions() == []
    assert disagreements(catalogue) == []
    Answering(catalogue).take_back(made)
    assert (whose(catalogue)[5], whose(catalogue)[19]) == (BOB, BOB)
    assert len(hearing.questions()) == 1
    assert disagreements(catalogue) == []


@pytest.mark.parametrize("apart", [False, True])
def test_no_says_that_they_are_two_and_can_be_taken_back(
    catalogue: Catalogue, hearing: Hearing, *, apart: bool
) -> None:
    if apart:
        Deciding(catalogue).different_people(ADA, BOB)
    propose(catalogue)
    (made,) = Answering(catalogue).answer(only(hearing), Word(False))
    assert catalogue.decisions.log()[-1].kind is DecisionKind.DIFFERENT
    assert standing(catalogue).apart_people == {(ADA, BOB)}
    assert hearing.questions() == []
    undo(catalogue, made)
    assert len(hearing.questions()) == 1
    assert standing(catalogue).apart_people == (frozenset({(ADA, BOB)}) if apart else frozenset())
    redo(catalogue, made)
    assert hearing.questions() == []
    undo(catalogue, made)
    assert len(hearing.questions()) == 1
    redo(catalogue, made)
    propose(catalogue)
    assert len(hearing.questions()) == 1, "somebody did it again"


def test_a_merge_is_not_asked_about_when_it_was_decided_otherwise(catalogue: Catalogue, hearing: Hearing) -> None:
    deciding = Deciding(catalogue)
    propose(catalogue)
    deciding.different_people(BOB, ADA, dry=True)
    assert len(hearing.questions()) == 1
    assert deciding.different_people(BOB, ADA).decision is not None
    assert hearing.questions() == []
    undo(catalogue)
    deciding.merge(CY, BOB)
    assert hearing.questions() == []
    undo(catalogue)
    deciding.hide(BOB)
    assert hearing.questions() == []


def test_who_was_hidden_is_shown_when_somebody_joins_them(catalogue: Catalogue, hearing: Hearing) -> None:
    Deciding(catalogue).hide(ADA)
    propose(catalogue, "the one of that name is hidden")
    made = Answering(catalogue).answer(only(hearing), Word(True))
    assert whose(catalogue)[19] == ADA
    assert standing(catalogue).hidden == frozenset()
    Answering(catalogue).take_back(made)
    assert standing(catalogue).hidden == {ADA}
    assert len(hearing.questions()) == 1


def test_two_words_of_faces_are_no_answer(catalogue: Catalogue, hearing: Hearing) -> None:
    propose(catalogue)
    done = Deciding(catalogue).different(*faces(17, 19))
    assert done.decision is not None
    assert len(hearing.questions()) == 1
    undo(catalogue, DecisionId(done.decision.id))
    assert len(hearing.questions()) == 1


# ---- among the other questions ---------------------------------------------------------------------------------------


def test_what_was_begun_is_asked_first_and_can_be_skipped(
    catalogue: Catalogue, root: RootRow, hearing: Hearing, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(catalogue, root, 1)
    propose(catalogue)
    which, whether = hearing.questions()
    asked = Reviewing(catalogue, Grouping(config, catalogue).measuring.now)
    every = asked.questions()
    assert every[:2] == [which, whether]
    assert len(every) > 2
    assert asked.questions(1) == [which]
    assert asked.questions(3) == every[:3]
    assert asked.question(whether.id) == whether

    asked.skip(which)
    assert asked.begun() == [whether]
    assert asked.questions(3)[0] == whether
    with pytest.raises(NoSuchQuestion):
        asked.question(which.id)
    asked.unskip(which.id)
    assert asked.begun() == [which, whether]
    asked.skip(which)
    later = (datetime.fromisoformat(catalogue.now()) + WAITS + timedelta(seconds=1)).isoformat(timespec="seconds")
    monkeypatch.setattr(catalogue, "now", lambda: later)
    assert asked.begun() == [which, whether]
    asked.let_go()


# ---- with real photos ------------------------------------------------------------------------------------------------


def begun(library: Library) -> list[Row]:
    return [row for row in library.review() if row["because"] is not None]


def test_folders_moved_into_one_another_are_asked_about(config: Config) -> None:
    scan(config)
    with open_library(config) as library:
        one, other = [row for row in library.people() if row["folder"]]
        library.name(str(one["id"]), "Ada")
        library.name(str(other["id"]), "Grace")
        shown = tree(config.people)
        assert begun(library) == []
    for link in (config.people / "Grace").iterdir():
        link.rename(config.people / "Ada" / f"moved {link.name}")
    (config.people / "Grace").rmdir()
    scan(config)
    with open_library(config) as library:
        assert tree(config.people) == shown, "they are in one photo, so they stay two"
        (row,) = begun(library)
        assert next(iter(library.review(1))) == row
        assert (row["kind"], row["person"]["name"], row["others"][0]["name"]) == ("same", "Ada", "Grace")
        assert row["because"].startswith("you moved all of ")
        assert row["because"].endswith(", but there are photos that show both")
        assert any("1 question waits" in notice for notice in library.status()["notices"])

        no = library.answer(row["question"], "no")
        assert begun(library) == []
        assert not any("1 question waits" in notice for notice in library.status()["notices"])
        library.answer(row["question"], "undo", decisions=no["decisions"])
        assert [one["question"] for one in begun(library)] == [row["question"]]

        yes = library.answer(row["question"], "yes")
        assert tree(config.people) == {"Ada": shown["Ada"] | shown["Grace"]}
        assert begun(library) == []
        library.answer(row["question"], "undo", decisions=yes["decisions"])
        assert tree(config.people) == shown
        assert len(begun(library)) == 1
        assert all(row["ok"] for row in library.check()["checks"])


def test_a_photo_of_several_that_was_put_into_a_folder_is_asked_about(config: Config, photos: Path) -> None:
    scan(config)
    with open_library(config) as library:
        ada = next(row for row in library.people() if row["folder"] and _shows(row, "astronaut"))
        library.name(str(ada["id"]), "Ada")
    with Image.open(photos / "hopper1.jpg") as left, Image.open(photos / "hopper3.jpg") as right:
        twice = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
        twice.paste(left, (0, 0))
        twice.paste(right, (left.width, 0))
        twice.save(photos.parent / "party.jpg", quality=92)
    os.utime(photos.parent / "party.jpg", (1_600_000_000, 1_600_000_000))
    place(photos.parent / "party.jpg", config.people / "Ada" / "party.jpg")
    scan(config)
    with open_library(config) as library:
        (row,) = begun(library)
        assert (row["kind"], row["person"]["name"], len(row["faces"])) == ("belong", "Ada", 2)
        assert row["because"].startswith("you put ")
        lefts = [face["box"][0] for face in row["beside"]]
        assert lefts == sorted(lefts)
        assert {face["file"] for face in row["beside"]} == {str(config.people / "Ada" / "party.jpg")}
        done = library.answer(row["question"], "no", [2])
        assert [one["face"] for one in library.faces("Ada") if "party" in str(one["files"])] == [row["faces"][1]]
        assert begun(library) == []
        library.answer(row["question"], "undo", decisions=done["decisions"])
        assert [one["question"] for one in begun(library)] == [row["question"]]
        library.answer(row["question"], "no")
        assert begun(library) == []
        assert (config.people / "Ada" / "party.jpg").is_file(), "it is the user's own"


def _shows(row: Row, who: str) -> bool:
    return any(who in link.resolve().name for link in Path(row["folder"]).iterdir())
