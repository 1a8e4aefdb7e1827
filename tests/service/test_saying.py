"""The words of the user as the library takes them: people and faces named as people name them, and told in rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import (
    CannotDecide,
    FaceChoice,
    NameTaken,
    NoFaceKnown,
    NoSuchFace,
    PictureError,
    UnknownAlbum,
    UnknownPerson,
    Unread,
    WhichFace,
    WhichPeople,
)
from guyverd.model import PersonId
from guyverd.service.pipeline import checking
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.words.deciding import Deciding
from guyverd.service.pipeline.words.pointing import face_at
from guyverd.service.pipeline.words.saying import Saying
from guyverd.service.pipeline.words.telling import MOST_MOVES
from tests.catalogue.conftest import NOW, add, read
from tests.service.test_any_decisions import everything
from tests.service.test_deciding import deciding, found

__all__ = ["deciding"]


@pytest.fixture
def library(catalogue: Catalogue, tmp_path: Path, deciding: Deciding) -> Saying:
    """The words of `test_deciding`'s people, said without a thread: its photos are /photos/000.jpg and so on."""

    def decide(job: Callable[[], Any], *, dry: bool = False) -> Any:
        return job()

    work = SimpleNamespace(catalogue=catalogue, config=SimpleNamespace(people=tmp_path / "People"), decide=decide)
    return Saying(cast(Coordinator, work))


# ---- which face is meant ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "face"),
    [
        ("4", 4),
        ("/photos/003.jpg", 7),
        ("/photos/000.jpg#2", 2),
        ("/photos/003.jpg#1", 7),
        ("/photos/x/../001.jpg#1", 3),
    ],
)
def test_a_face_is_a_number_or_a_place_in_a_file(
    catalogue: Catalogue, deciding: Deciding, text: str, face: int
) -> None:
    assert face_at(catalogue, text) == face


def test_of_several_faces_the_one_of_the_person_is_meant(catalogue: Catalogue, deciding: Deciding) -> None:
    assert face_at(catalogue, "/photos/000.jpg", PersonId(2)) == 2
    for nobody in (None, PersonId(3)):
        with pytest.raises(WhichFace, match="shows 2 faces") as caught:
            face_at(catalogue, "/photos/000.jpg", nobody)
        assert "/photos/000.jpg#1" in caught.value.advice


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("99", NoSuchFace),
        ("9" * 30, NoSuchFace),
        ("/photos/none.jpg", Unread),
        ("/elsewhere/000.jpg", Unread),
        ("/photos/none.jpg#1", Unread),
        ("/photos/000.jpg#x", Unread),
        ("/photos", Unread),
        ("000.jpg", Unread),
        ("", Unread),
        ("/photos/000.jpg#0", FaceChoice),
        ("/photos/000.jpg#3", FaceChoice),
        ("/photos/empty.jpg", NoFaceKnown),
        ("/photos/empty.jpg#1", NoFaceKnown),
    ],
)
def test_what_is_no_face_is_told(
    catalogue: Catalogue, root: RootRow, deciding: Deciding, text: str, problem: type[PictureError]
) -> None:
    add(catalogue, root, {b"empty.jpg": "empty"})
    read(catalogue, 8, 0)
    with pytest.raises(problem) as caught:
        face_at(catalogue, text)
    assert caught.value.exit_code == 6
    assert caught.value.advice


def test_a_file_whose_name_looks_like_a_place_in_another(
    catalogue: Catalogue, root: RootRow, deciding: Deciding
) -> None:
    add(catalogue, root, {b"000.jpg#2": "odd", b"caf\xe9.jpg": "odder"})
    read(catalogue, 8, 1)
    read(catalogue, 9, 1)
    assert face_at(catalogue, "/photos/000.jpg#2") == 11, "the file comes first"
    assert face_at(catalogue, os.fsdecode(b"/photos/caf\xe9.jpg#1")) == 12


def test_a_link_stands_for_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a")
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "a.jpg").symlink_to("../photos/a.jpg")
    (tmp_path / "way").symlink_to("photos")
    for root in ("photos", "way"):
        with Catalogue(os.fsencode(tmp_path / f"{root}.db"), clock=lambda: NOW) as catalogue:
            catalogue.files.configure([os.fsencode(tmp_path / root)])
            add(catalogue, catalogue.files.roots()[0], {b"a.jpg": "a"})
            read(catalogue, 1, 1)
            for path in ("photos/a.jpg", "people/a.jpg", "way/a.jpg"):
                assert face_at(catalogue, str(tmp_path / path)) == 1


# ---- words and answers -----------------------------------------------------------------------------------------------


def test_every_word_is_answered_with_what_it_did(library: Saying) -> None:
    assert library.name("1", " Al  Bert ")["name"] == "Al Bert"
    al, nobody = {"id": 1, "name": "Al Bert"}, {"id": 4, "name": None}
    row = library.confirm("Al Bert", ["/photos/002.jpg#2", "9"])
    assert row == {
        "decision": 2,
        "at": row["at"],
        "kind": "confirm",
        "author": "user",
        "person": al,
        "other": None,
        "name": None,
        "faces": [6, 9],
        "album": None,
        "undoes": None,
        "subject": None,
        "source": None,
        "moved": 2,
        "moves": [{"face": 6, "was": None, "now": 1}, {"face": 9, "was": None, "now": 1}],
        "kept": 0,
        "dry_run": False,
    }
    assert library.reject("al bert", ["/photos/000.jpg"])["faces"] == [1], "the one that is theirs"
    row = library.split("1", ["/photos/001.jpg", "7"])
    assert (row["person"], row["other"], row["faces"], row["moved"]) == (al, nobody, [3, 7], 2)
    assert library.same("10", "5")["person"] == {"id": 3, "name": None}
    assert library.different("10", "/photos/003.jpg")["person"] is None
    row = library.different("2", "3", people=True)
    assert (row["person"], row["other"]) == ({"id": 2, "name": None}, {"id": 3, "name": None})
    assert library.hide("2")["kind"] == "hide"
    assert [row["id"] for row in library.people(hidden=True)] == [2]
    assert library.unhide("2")["kind"] == "unhide"
    row = library.unhide("2")
    assert (row["decision"], row["kind"], row["person"], row["moved"], row["kept"]) == (None, "unhide", None, 0, 0)
    row = library.undo(4)
    told = {
        "decision": 4,
        "kind": "split",
        "person": al,
        "other": nobody,
        "name": None,
        "faces": [3, 7],
        "album": None,
        "again": False,
    }
    assert (row["kind"], row["undoes"], row["subject"], row["moved"]) == ("undo", 4, told, 2)
    row = library.redo(4)
    assert (row["subject"], row["moved"]) == ({**told, "again": True}, 2)
    assert row["undoes"] == row["decision"] - 1
    assert library.merge("Al Bert", "2") == {
        "id": 1,
        "name": "Al Bert",
        "faces": 5,
        "photos": 5,
        "folder": None,
        "hidden": False,
        "absorbed": 2,
        "left_out": 0,
        "decision": 12,
        "dry_run": False,
    }
    with pytest.raises(NameTaken):
        library.name("3", "AL BERT")
    with pytest.raises(CannotDecide, match="no face was named"):
        library.reject("1", [])


TRIED: list[tuple[str, tuple[object, ...]]] = [
    ("name", ("1", "Al")),
    ("merge", ("1", "2")),
    ("merge", ("2", "1")),
    ("confirm", ("1", ["5", "9"])),
    ("confirm", ("2",)),
    ("reject", ("1", ["/photos/000.jpg"])),
    ("split", ("1", ["7", "8"], " New  One ")),
    ("split", ("1", ["7", "8"])),
    ("same", ("9", "10")),
    ("same", ("10", "5")),
    ("different", ("7", "8")),
    ("different", ("2", "3", True)),
    ("hide", ("2",)),
    ("unhide", ("3",)),
    ("undo", ()),
    ("undo", (2,)),
    ("redo", ()),
]


@pytest.mark.parametrize(("method", "arguments"), TRIED, ids=lambda value: str(value).replace("/photos/", ""))
def test_what_is_tried_is_told_as_it_comes_and_changes_nothing(
    library: Saying, catalogue: Catalogue, method: str, arguments: tuple[object, ...]
) -> None:
    library.name("3", "Cy")
    library.confirm("3", ["9"])
    library.hide("3")
    library.reject("3", ["6"])
    library.undo()
    before = everything(catalogue)
    told = getattr(library, method)(*arguments, dry=True)
    assert everything(catalogue) == before
    assert told["dry_run"] is True
    assert told["decision"] == 6
    done = getattr(library, method)(*arguments)
    assert done == {**told, "dry_run": False}
    assert catalogue.decisions.last() == 6
    assert everything(catalogue) != before


def test_what_cannot_be_cannot_be_tried_either(library: Saying, catalogue: Catalogue) -> None:
    library.name("1", "Al")
    before = everything(catalogue)
    with pytest.raises(NameTaken):
        library.name("2", "al", dry=True)
    with pytest.raises(CannotDecide, match="is person 1 already"):
        library.split("1", ["7"], "AL", dry=True)
    with pytest.raises(CannotDecide, match="both"):
        library.confirm("3", ["3", "4"], dry=True)
    row = library.name("1", "Al", dry=True)
    assert (row["decision"], row["dry_run"], row["previous"]) == (None, True, "Al")
    assert everything(catalogue) == before


def test_the_log_tells_from_what_a_decision_was_inferred(library: Saying, catalogue: Catalogue) -> None:
    library.hide("1")
    Deciding(catalogue).hide(PersonId(1), hidden=False, source="brought back the folder Al")
    assert [row["source"] for row in library.log()] == [None, "brought back the folder Al"]


def test_the_log_tells_the_story_of_all_of_a_person_and_of_a_face(library: Saying, catalogue: Catalogue) -> None:
    library.name("1", "Al")
    library.confirm("2", ["9"])
    library.merge("1", "2")
    library.hide("3")
    library.undo()
    library.undo()
    rows = list(library.log())
    assert [(row["decision"], row["kind"], row["undone_by"], row["moved"]) for row in rows] == [
        (1, "name", None, 0),
        (2, "confirm", None, 1),
        (3, "merge", 6, 3),
        (4, "hide", 5, 0),
        (5, "undo", None, 0),
        (6, "undo", None, 3),
    ]
    assert [row["decision"] for row in library.log("Al")] == [1, 3, 6]
    assert [row["decision"] for row in library.log("2")] == [2, 3, 6]
    assert [row["decision"] for row in library.log("3")] == [4, 5]
    library.redo(3)
    assert [row["decision"] for row in library.log("Al")] == [1, 2, 3, 6, 7], "who was absorbed is told of too"
    assert [(row["decision"], row["moves"]) for row in library.log(face="9")] == [
        (2, [{"face": 9, "was": None, "now": 2}]),
        (3, [{"face": 9, "was": 2, "now": 1}]),
        (6, [{"face": 9, "was": 1, "now": 2}]),
        (7, [{"face": 9, "was": 2, "now": 1}]),
    ]
    assert [row["decision"] for row in library.log(face="/photos/002.jpg#1")] == []


def test_a_row_lists_a_hundred_moves_at_most(catalogue: Catalogue, root: RootRow, library: Saying) -> None:
    add(catalogue, root, {b"many/%d.jpg" % n: f"many {n}" for n in range(MOST_MOVES + 5)})
    for photo in range(8, 8 + MOST_MOVES + 5):
        read(catalogue, photo, 1)
    found(catalogue, {4: range(11, 11 + MOST_MOVES + 5)})
    library.merge("1", "4")
    (row,) = library.log()
    assert (row["moved"], len(row["moves"])) == (MOST_MOVES + 5, MOST_MOVES)
    (row,) = library.log(face="115")
    assert row["moves"] == [{"face": 115, "was": 4, "now": 1}]
    row = library.undo()
    assert (row["moved"], len(row["moves"])) == (MOST_MOVES + 5, MOST_MOVES)


# ---- the check -------------------------------------------------------------------------------------------------------

TAMPERED = {
    "UPDATE people SET name = 'Eve' WHERE id = 1": "person 1 is 'Eve', but was last named 'Al'",
    "UPDATE people SET hidden = 0 WHERE id = 3": "person 3 is not hidden, against the log",
    "UPDATE people SET hidden = 1 WHERE id = 1": "person 1 is hidden, against the log",
    "UPDATE people SET merged_into = 1 WHERE id = 2": "people were merged otherwise than the log says",
    "UPDATE faces SET person_id = NULL WHERE id = 7": "face 7 is person None, but person 1 by a decision",
    "UPDATE faces SET person_id = 2 WHERE id = 9": "face 9 is person 2, against a decision",
    "UPDATE faces SET person_id = 3 WHERE id = 10": "faces 8 and 10 are one person, but two by a decision",
    "UPDATE faces SET person_id = 2 WHERE id = 5": "faces 5 and 6 are two people, but one by a decision",
}


@pytest.mark.parametrize("tampering", TAMPERED)
def test_the_check_finds_whatever_is_otherwise_than_the_log_says(
    catalogue: Catalogue, library: Saying, tampering: str
) -> None:
    library.name("1", "Al")
    library.confirm("1", ["7"])
    library.reject("2", ["9"])
    library.same("5", "6")
    library.reject("3", ["5"])
    library.confirm("3", ["8"])
    library.different("10", "8")
    library.hide("3")
    catalogue._db.write(lambda db: db.execute("UPDATE faces SET person_id = 1 WHERE id = 6"))
    work = cast(Coordinator, SimpleNamespace(catalogue=catalogue))

    def told() -> dict[str, str]:
        """By the two checks that need nothing but the catalogue."""
        wanted = [item for item in checking._CHECKS if item.name in ("people in it", "decisions")]
        return {item.name: "; ".join(item.problems(work)) for item in wanted}

    assert told() == {"people in it": "", "decisions": ""}
    catalogue._db.write(lambda db: db.execute(tampering))
    assert TAMPERED[tampering] in told()["decisions"]


def test_albums_are_told_with_their_photos(library: Saying) -> None:
    library.name("1", "Tom & Jerry")
    library.name("2", "Al")
    row = library.album(["tom & jerry&AL", "2"], "  The \n three ")
    assert (row["decision"], row["kind"], row["photos"], row["folder"]) == (3, "album", 2, None)
    told = {"title": "The three", "people": [{"id": 1, "name": "Tom & Jerry"}, {"id": 2, "name": "Al"}]}
    assert row["album"] == {"id": 3, "before": None, "now": {**told, "since": None, "until": None, "without": []}}
    assert library.album(["1 & 2"], "the three")["decision"] is None
    assert library.album(["1", "3"])["album"]["now"]["title"] == "Tom & Jerry & person 3"
    assert [(row["id"], row["title"], row["photos"]) for row in library.albums()] == [
        (3, "The three", 2),
        (4, "Tom & Jerry & person 3", 0),
    ]
    row = library.album_rename("the  THREE", " We  two ")
    assert (row["album"]["now"]["title"], row["photos"]) == ("We two", 2)
    library.name("3", "Tom")
    library.split("1", ["7"], "Jerry")
    with pytest.raises(WhichPeople, match="'Tom & Jerry' and 'Al'; 'Tom' and 'Jerry' and 'Al'"):
        library.album(["Tom & Jerry & Al"])
    with pytest.raises(UnknownPerson, match="'Zoe'"):
        library.album(["Al & Zoe"])
    row = library.album_remove("3")
    assert (row["album"]["now"], row["photos"], row["folder"]) == (None, 0, None)
    with pytest.raises(UnknownAlbum):
        library.album_rename("We two", "We")
