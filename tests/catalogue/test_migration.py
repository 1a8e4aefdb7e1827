"""A catalogue as the first version wrote it: everything that was said is still said, and can be undone."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database as Utils

from guyverd.catalogue.migrations import migrations
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueError
from guyverd.folders.linking import Style
from guyverd.folders.plan import plan
from guyverd.model import Author, Decision, DecisionId, DecisionKind, FaceId, Move, PersonId, PhotoId
from guyverd.published import Home, LinkKind, OwnerId, Shelf, ShelfPhoto
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.undoing import undo
from tests.catalogue.conftest import NOW, merge

SAID = [
    # 2 was named, 1 absorbed 2 and took the name, guyverd put 3 into 4, and then 5 absorbed 1 with all that was 2's.
    (1, "name", "user", 2, None, "Ada", "[]"),
    (2, "merge", "user", 1, 2, "Ada", "[3, 4]"),
    (3, "merge", "guyverd", 4, 3, None, "[5]"),
    (7, "merge", "user", 5, 1, "Ada", "[1, 3, 4]"),
    (9, "name", "user", 4, None, "Bo", "[]"),
]
"""Numbers have gaps: a decision that failed took one along."""
WHOSE = {1: 5, 2: None, 3: 5, 4: 5, 5: 4, 6: 4, 7: 5}


@pytest.fixture
def old(path: bytes) -> bytes:
    """The file that version 0.1.0 would have left."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    migrations.apply(Utils(connection), stop_before="decisions_with_moves")
    connection.execute("INSERT INTO roots (id, path, display) VALUES (1, X'2F70686F746F73', '/photos')")
    for face in WHOSE:
        connection.execute(
            "INSERT INTO photos (id, hash, size, state, grouped_at) VALUES (?, ?, 10, 'done', ?)",
            (face, b"%032d" % face, NOW),
        )
        connection.execute(
            "INSERT INTO files (root_id, path, display, size, mtime_ns, inode, state, photo_id, seen_at)"
            " VALUES (1, ?, '', 10, 1, 7, 'identified', ?, ?)",
            (b"%d.jpg" % face, face, NOW),
        )
    people = [(1, None, 5), (2, None, 1), (3, None, 4), (4, "Bo", None), (5, "Ada", None)]
    for person, name, _ in people:
        connection.execute("INSERT INTO people (id, name, created_at) VALUES (?, ?, ?)", (person, name, NOW))
    for person, _, into in people:
        connection.execute("UPDATE people SET merged_into = ? WHERE id = ?", (into, person))
    for face, owner in WHOSE.items():
        connection.execute(
            'INSERT INTO faces (id, photo_id, ordinal, "left", top, "right", bottom, landmarks, confidence, quality,'
            " quality_size, quality_sharpness, quality_confidence, quality_pose, embedding, person_id)"
            " VALUES (?, ?, 0, 0, 0, 9, 9, '[]', 1, 0.5, 1, 1, 1, 1, ?, ?)",
            (face, face, bytes(512), owner),
        )
    for row in SAID:
        connection.execute(
            "INSERT INTO decisions (id, at, kind, author, person_id, other_id, name, faces) VALUES (?,?,?,?,?,?,?,?)",
            (row[0], NOW, *row[1:]),
        )
    connection.close()
    return path


def whose(catalogue: Catalogue) -> dict[int, int | None]:
    return {int(face): held.person for face, held in catalogue.people.holdings([*map(FaceId, WHOSE)]).items()}


def test_everything_that_was_said_is_still_there(old: bytes) -> None:
    with Catalogue(old) as catalogue:
        assert [one.id for one in catalogue.decisions.log()] == [1, 2, 3, 7, 9]
        assert catalogue.decisions.log()[1] == Decision(
            DecisionId(2), NOW, DecisionKind.MERGE, Author.USER, PersonId(1), PersonId(2), "Ada", (FaceId(3), FaceId(4))
        )
        assert whose(catalogue) == WHOSE
        assert catalogue.people.names() == {4: "Bo", 5: "Ada"}
        assert catalogue.people.forwards() == {1: 5, 2: 1, 3: 4}
        assert catalogue.people.hidden() == frozenset()
        assert catalogue.integrity() == catalogue.contradictions() == disagreements(catalogue) == []
    with Catalogue(old) as again:
        assert len(again.decisions.log()) == 5, "and is not done twice"


def test_what_a_merge_moved_is_known(old: bytes) -> None:
    with Catalogue(old) as catalogue:
        assert list(catalogue.decisions.moves(DecisionId(7))) == [
            Move(FaceId(face), PersonId(1), PersonId(5)) for face in (1, 3, 4)
        ]
        assert catalogue.decisions.moved() == {2: 2, 3: 1, 7: 3}


def test_old_decisions_can_be_undone_and_new_ones_go_on_from_there(old: bytes) -> None:
    with Catalogue(old, clock=lambda: NOW) as catalogue:
        done = undo(catalogue, DecisionId(2))
        assert done.decision is not None
        assert done.decision.id == 10
        assert whose(catalogue) == {**WHOSE, 3: 2, 4: 2}
        assert catalogue.people.names() == {2: "Ada", 4: "Bo", 5: None}, "the name was the other one's"
        undo(catalogue, DecisionId(3))
        assert whose(catalogue)[5] == 3
        assert merge(catalogue, 4, 3) == 0
        assert whose(catalogue)[5] == 4
        assert catalogue.decisions.last() == 12
        assert disagreements(catalogue) == catalogue.integrity() == []


def test_nothing_of_it_is_ever_changed(old: bytes) -> None:
    with Catalogue(old) as catalogue:
        before = catalogue.decisions.log(), catalogue.decisions.moved()
        for statement, told in (
            ("UPDATE decisions SET name = 'Cy'", "a decision is never"),
            ("DELETE FROM decisions", "a decision is never"),
            ("UPDATE moves SET now = 1", "a move is never"),
            ("DELETE FROM moves", "a move is never"),
            ("REPLACE INTO moves (decision_id, face_id) VALUES (2, 3)", "a move is never"),
        ):
            with pytest.raises(CatalogueError, match=told):
                catalogue._db.write(lambda db, statement=statement: db.execute(statement))  # type: ignore[misc]
        assert (catalogue.decisions.log(), catalogue.decisions.moved()) == before


@pytest.fixture
def linked(path: bytes) -> bytes:
    """The file of a version that told a folder by the links in it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    migrations.apply(Utils(connection), stop_before="people_folder_read")
    for name in ("Ada", None, "AC/DC", None, "Eve", "Named since", None):
        connection.execute("INSERT INTO people (name, created_at) VALUES (?, ?)", (name, NOW))
    connection.execute(
        "INSERT INTO decisions (at, kind, author, person_id, name) VALUES (?, 'name', 'user', 1, 'Ada')", (NOW,)
    )
    links = [
        (b".guyverd-tmp-0123", 2),
        *((b"Ada/%d.jpg" % number, 1) for number in range(2)),
        *((b"Ada (old)/%d.jpg" % number, 1) for number in range(3)),
        *((b"Unnamed/0002/%d.jpg" % number, 2) for number in range(2)),
        (b"AC_DC/1.jpg", 3),
        *((b"Bo\xff/%d.jpg" % number, 4) for number in range(2)),
        # Whoever has most links in a folder has it; the other gets another with the next publishing.
        (b"Bo\xff/eve.jpg", 5),
        (b"Unnamed/0006/1.jpg", 6),
    ]
    connection.executemany(
        "INSERT INTO links (path, display, target, person_id, made_at) VALUES (?, '', X'78', ?, ?)",
        [(*link, NOW) for link in links],
    )
    connection.close()
    return path


def test_folders_are_known_from_their_links(linked: bytes) -> None:
    with Catalogue(linked) as catalogue:
        assert catalogue.links.homes() == {
            owner: Home(OwnerId(owner), folder, name)
            for owner, folder, name in (
                (1, b"Ada (old)", "Ada (old)"),
                (2, b"Unnamed/0002", None),
                (3, b"AC_DC", "AC_DC"),
                (4, b"Bo\xff", "Bo\ufffd"),
                (6, b"Unnamed/0006", None),
            )
        }
        links = catalogue.links.published()
        assert len(links) == 13
        assert {(one.kind, one.photo, one.stamp, one.made, one.placed, one.target) for one in links} == {
            (LinkKind.SYMBOLIC, None, None, True, False, b"x")
        }
        assert [one.owner for one in links if one.path.startswith(b"Bo")] == [4, 4, 5]
        (said,) = catalogue.decisions.log()
        assert (said.source, said.album, said.saved) == (None, None, None)
        assert catalogue.integrity() == []


def test_the_first_publishing_after_it_renames_who_was_named_since_and_nobody_else(linked: bytes) -> None:
    with Catalogue(linked) as catalogue:
        published = [one for one in catalogue.links.published() if not one.path.startswith(b".")]
        names = {1: "Ada", 2: None, 3: "AC/DC", 6: "Named since"}
        shelves = [
            Shelf(OwnerId(owner), name, tuple(ShelfPhoto(PhotoId(n), b"/p/%d.jpg" % n, None) for n in (1, 2)))
            for owner, name in names.items()
        ]
        found = plan(shelves, published, catalogue.links.homes(), style=Style(b"/People", "Unnamed"))
    moves = [(rename.old, rename.new) for rename in found.renames]
    assert moves == [(b"Ada (old)", b"Ada"), (b"Unnamed/0006", b"Named since")]
    homes = {home.owner: home.path for home in found.homes}
    assert homes == {1: b"Ada", 2: b"Unnamed/0002", 3: b"AC_DC", 6: b"Named since"}, "each is looked at once"


def test_a_migration_that_is_cut_short_leaves_the_old_file(old: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from guyverd.catalogue import schema

    monkeypatch.setattr(schema, "DECISIONS", schema.DECISIONS + "INSERT INTO nothing VALUES (1);\n")
    with pytest.raises(CatalogueError):
        Catalogue(old)
    raw = sqlite3.connect(f"file:{Path(os.fsdecode(old))}?mode=ro", uri=True)
    assert raw.execute("SELECT count(*) FROM decisions").fetchone() == (5,)
    assert "hidden" not in {row[1] for row in raw.execute("PRAGMA table_info(people)")}
    raw.close()
    monkeypatch.undo()
    with Catalogue(old) as catalogue:
        assert whose(catalogue) == WHOSE
