"""What is asked often is answered from an index. No stopwatch: SQLite is asked how it would go about it.

With 200,000 files, 100,000 photos and 200,000 faces a list of all photos that are there, gone through for every person,
took 108 seconds, and looking each photo up takes 0.3.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from guyverd.catalogue.database import Database
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Assignment, Changes, DecisionId, FaceId, FileId, PersonId, PhotoId, RootId
from guyverd.service.pipeline.words.deciding import Deciding
from guyverd.service.pipeline.words.undoing import redo, undo
from tests.catalogue.conftest import NOW, library

FACES = np.arange(1, 9)
ASSIGNMENT = Assignment(FaceId(1), PersonId(2), None, 0.9)

ASKED_OFTEN: dict[str, Callable[[Catalogue], Any]] = {
    "backlog": lambda catalogue: catalogue.backlog(),
    "files.roots": lambda catalogue: catalogue.files.roots(),
    "files.known of one path": lambda catalogue: catalogue.files.known(RootId(1), b"a/b"),
    "files.known_between": lambda catalogue: catalogue.files.known_between(RootId(1), b"a", b"a/b", b"a/c", 9),
    "files.known_between of all": lambda catalogue: catalogue.files.known_between(RootId(1), b"", b"b", None, 9),
    "files.known_of": lambda catalogue: catalogue.files.known_of([1, 2]),
    "files.pending": lambda catalogue: catalogue.files.pending(64),
    "files.paths_of": lambda catalogue: catalogue.files.paths_of([1, 2]),
    "photos.pending": lambda catalogue: catalogue.photos.pending(16),
    "photos.first_unread": lambda catalogue: catalogue.photos.first_unread(),
    "photos.ungrouped_range": lambda catalogue: catalogue.photos.ungrouped_range(),
    "photos.ungrouped": lambda catalogue: catalogue.photos.ungrouped(9),
    "renewal.networks": lambda catalogue: catalogue.renewal.networks(),
    "renewal.compared": lambda catalogue: catalogue.renewal.compared(),
    "renewal.boxes": lambda catalogue: catalogue.renewal.boxes([1, 2], ()),
    "renewal.revised": lambda catalogue: catalogue.renewal.revised(),
    "boxes.photo": lambda catalogue: catalogue.boxes.photo(b"h" * 32),
    "photos.next_id": lambda catalogue: catalogue.photos.next_id(),
    "photos.table": lambda catalogue: catalogue.photos.table(FACES),
    "photos.members": lambda catalogue: catalogue.photos.members(FACES),
    "photos.companions": lambda catalogue: catalogue.photos.companions(FACES),
    "photos.faces_by_id": lambda catalogue: catalogue.photos.faces_by_id([1, 2]),
    "photos.faces of one": lambda catalogue: list(catalogue.photos.faces(PersonId(1))),
    "photos.pictures_of": lambda catalogue: catalogue.photos.pictures_of(PersonId(1)),
    "photos.failures": lambda catalogue: list(catalogue.photos.failures()),
    "people.members": lambda catalogue: catalogue.people.members(PersonId(1)),
    "people.in_photo": lambda catalogue: catalogue.people.in_photo(PhotoId(1)),
    "people.holdings": lambda catalogue: catalogue.people.holdings([FaceId(1), FaceId(2)]),
    "people.assign": lambda catalogue: catalogue.people.assign([ASSIGNMENT], [], 0, NOW),
    "decisions.log": lambda catalogue: catalogue.decisions.log(2),
    "decisions.last": lambda catalogue: catalogue.decisions.last(),
    "decisions.next_person": lambda catalogue: catalogue.decisions.next_person(),
    "decisions.moves": lambda catalogue: list(catalogue.decisions.moves(DecisionId(1))),
    "decisions.moves_now": lambda catalogue: list(catalogue.decisions.moves_now(DecisionId(1))),
    "decisions.moves_of_face": lambda catalogue: catalogue.decisions.moves_of_face(FaceId(1)),
    "files.photo_of": lambda catalogue: catalogue.files.photo_of(RootId(1), b"a"),
    "files.apply": lambda catalogue: catalogue.files.apply(RootId(1), Changes(gone=(FileId(1),)), NOW),
    "files.identified": lambda catalogue: catalogue.files.identified([]),
    "files.vanished": lambda catalogue: catalogue.files.vanished(FileId(1), NOW),
    "files.gone": lambda catalogue: catalogue.files.gone(PhotoId(1), NOW),
    "files.again": lambda catalogue: catalogue.files.again(PhotoId(1)),
    "beat": lambda catalogue: catalogue.beat(),
}
LOOKED_UP: dict[str, Callable[[Catalogue], Any]] = {
    "people.get": lambda catalogue: catalogue.people.get(PersonId(1)),
    "shelves.of_people": lambda catalogue: catalogue.shelves.of_people(3),
    "photos.faces": lambda catalogue: list(catalogue.photos.faces()),
    "files.overdue": lambda catalogue: catalogue.files.overdue(NOW),
}
WORDS: dict[str, Callable[[Deciding], Any]] = {
    "merge": lambda deciding: deciding.merge(PersonId(1), PersonId(2)),
    "confirm": lambda deciding: deciding.confirm(PersonId(1), [FaceId(3)]),
    "reject": lambda deciding: deciding.reject(PersonId(1), [FaceId(1)]),
    "split": lambda deciding: deciding.split(PersonId(1), [FaceId(1)]),
    "same": lambda deciding: deciding.same(FaceId(1), FaceId(3)),
    "different": lambda deciding: deciding.different(FaceId(1), FaceId(2)),
    "hide": lambda deciding: deciding.hide(PersonId(1)),
}
_SMALL = r"(files|photos)_(pending|ungrouped|to_group|failed|partly|new|apart)(_kind)?\b"
LARGE = re.compile(rf"SCAN (files|photos|faces|moves)(?! USING (COVERING )?INDEX {_SMALL})")
"""A table gone through from end to end, other than by an index that holds only what is left to do."""


class Listener:
    """Notes every statement, with its parameters as SQLite puts them in."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def watch(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        connection.set_trace_callback(self.statements.append)
        return connection


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    listener = Listener()
    plain, opening = Database._new_reader, Database._open
    monkeypatch.setattr(Database, "_new_reader", lambda self: listener.watch(plain(self)))

    monkeypatch.setattr(Database, "_open", lambda self: listener.watch(opening(self)))
    return listener


@pytest.fixture
def listened(listener: Listener, catalogue: Catalogue) -> tuple[Listener, Catalogue]:
    return listener, catalogue


def plans(path: bytes, statements: list[str]) -> dict[str, list[str]]:
    """How SQLite would go about each statement."""
    raw = sqlite3.connect(path)
    found = {}
    for statement in statements:
        if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", statement):
            found[statement] = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")]
    raw.close()
    return found


def test_one_path_is_found_by_its_path(listened: tuple[Listener, Catalogue], path: bytes) -> None:
    """Every settled path asks so, and its root may hold 100,000 others."""
    listener, catalogue = listened
    listener.statements.clear()
    catalogue.files.known(RootId(1), b"a/b")
    asked = plans(path, listener.statements)
    assert len(asked) == 2, "the path, and what lies below it"
    steps = [step for one in asked.values() for step in one]
    searches = [step for step in steps if "files" in step]
    assert len(searches) == 2
    assert all("path" in step for step in searches), steps


@pytest.mark.parametrize("what", ASKED_OFTEN)
def test_what_is_asked_often_goes_through_no_large_table(
    listened: tuple[Listener, Catalogue], path: bytes, what: str
) -> None:
    listener, catalogue = listened
    listener.statements.clear()
    ASKED_OFTEN[what](catalogue)
    assert listener.statements
    for statement, steps in plans(path, listener.statements).items():
        assert not [step for step in steps if LARGE.search(step)], (statement, steps)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_and_its_undo_go_through_no_large_table(
    listened: tuple[Listener, Catalogue], root: RootRow, path: bytes, word: str
) -> None:
    listener, catalogue = listened
    library(catalogue, root, [1] * 4)
    founding = [Assignment(FaceId(face), None, group, 0.9) for face, group in ((1, 0), (2, 0), (3, 1), (4, 1))]
    catalogue.people.assign(founding, [], 4, NOW)
    listener.statements.clear()
    WORDS[word](Deciding(catalogue))
    undo(catalogue)
    redo(catalogue)
    assert sum(statement.startswith("INSERT INTO decisions") for statement in listener.statements) == 3
    for statement, steps in plans(path, listener.statements).items():
        assert not [step for step in steps if LARGE.search(step)], (statement, steps)


@pytest.mark.parametrize("what", LOOKED_UP)
def test_whether_a_photo_is_there_is_looked_up_and_not_listed_first(
    listened: tuple[Listener, Catalogue], path: bytes, what: str
) -> None:
    listener, catalogue = listened
    catalogue._db.write(lambda db: db.execute("INSERT INTO people (created_at) VALUES ('')"))
    listener.statements.clear()
    LOOKED_UP[what](catalogue)
    found = plans(path, listener.statements)
    assert found
    for statement, steps in found.items():
        lookups = [step for step in steps if "files" in step and "(photo_id=?" in step]
        assert all("COVERING INDEX files_photo" in step for step in lookups), (statement, steps)
        assert not [step for step in steps if "SCAN files" in step or "LIST SUBQUERY" in step], (statement, steps)


def test_a_list_of_people_reads_indexes_only_and_each_once(listened: tuple[Listener, Catalogue], path: bytes) -> None:
    """The one question that must go through all faces; what is not there is known, and that is little."""
    listener, catalogue = listened
    listener.statements.clear()
    catalogue.people.all()
    ((_, steps),) = plans(path, listener.statements).items()
    reads = [step for step in steps if re.match(r"(SCAN|SEARCH) (files|photos|faces)\b", step)]
    assert len(reads) == 1, steps
    assert "COVERING INDEX faces_person" in reads[0], steps
    # Each face is then looked up by its photo's number among those that are away.
    assert any(step.startswith("USING ROWID SEARCH ON TABLE absent") for step in steps), steps
