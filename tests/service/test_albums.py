"""Saved albums: what is said of them, what they show, and which folders they have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guyverd import config_file
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import (
    CannotDecide,
    DaysContradict,
    NoDay,
    PeopleFolderError,
    PersonError,
    TitleTaken,
    UnknownAlbum,
    UnknownPerson,
)
from guyverd.model import AlbumId, Changes, DecisionId, PersonId, PhotoId, SavedAlbum
from guyverd.service.pipeline.keeping.publishing import Publishing
from guyverd.service.pipeline.words.albums import Albums, album_named
from guyverd.service.pipeline.words.deciding import Deciding, standing
from guyverd.service.pipeline.words.telling import answer, story
from guyverd.service.pipeline.words.undoing import redo, undo
from tests.catalogue.conftest import NOW, ids, library
from tests.service.test_deciding import faces, found

ALICE, BOB, CAROL = PersonId(1), PersonId(2), PersonId(3)


@pytest.fixture
def deciding(catalogue: Catalogue, root: RootRow) -> Deciding:
    """Photos 1 to 4, of 1 to 4 January 2020, show Alice and Bob; 3 shows Carol too, 5 Alice and Carol, 6 Bob alone."""
    library(catalogue, root, [2, 2, 3, 2, 2, 1])
    found(catalogue, {1: [1, 3, 5, 8, 10], 2: [2, 4, 6, 9, 12], 3: [7, 11]})
    deciding = Deciding(catalogue)
    for person, name in ((ALICE, "Alice"), (BOB, "Bob"), (CAROL, "Carol")):
        deciding.name(person, name)
    return deciding


@pytest.fixture
def albums(catalogue: Catalogue, deciding: Deciding) -> Albums:
    return Albums(catalogue)


@pytest.fixture
def publishing(tmp_path: Path, catalogue: Catalogue, albums: Albums, write_config: Callable[..., Path]) -> Publishing:
    """Publishes the folders of these people; the photos their links lead to are not there."""
    (tmp_path / "photos").mkdir()
    return Publishing(config_file.load(write_config(tmp_path / "photos")), catalogue)


def shown(publishing: Publishing) -> dict[str, list[str]]:
    """The names of the links in every folder, after publishing."""
    assert publishing.publish()
    people = Path(publishing.tree.root.decode())
    links = sorted(link for link in people.rglob("*") if link.is_symlink())
    folders: dict[str, list[str]] = {}
    for link in links:
        folders.setdefault(str(link.parent.relative_to(people)), []).append(link.name[-7:-4])
    assert publishing.planned().make == publishing.planned().remove == ()
    return folders


# ---- what is said ----------------------------------------------------------------------------------------------------


def test_an_album_is_a_decision_with_a_number_and_a_title(catalogue: Catalogue, albums: Albums) -> None:
    album, done = albums.save([ALICE, BOB, ALICE], since="2020-01-02", source="mkdir")
    assert done.decision is not None
    assert (album, done.decision.id, done.decision.source) == (4, 4, "mkdir")
    saved = SavedAlbum("Alice & Bob since 2020-01-02", (ALICE, BOB), "2020-01-02")
    assert standing(catalogue).albums == done.said.albums == {4: saved}
    assert catalogue.decisions.log()[-1] == done.decision
    assert albums.save([BOB, CAROL], until="2021")[1].said.albums[AlbumId(5)].title == "Bob & Carol until 2021"
    assert albums.save([CAROL], "Aunt  Carol ")[1].said.albums[AlbumId(6)].title == "Aunt  Carol ", "to the letter"
    assert album_named(standing(catalogue), "aunt carol") == 6
    assert albums.save([CAROL], "Bob")[0] == 7, "a title may be somebody's name"


def test_somebody_without_a_name_is_in_the_title_by_number(
    catalogue: Catalogue, deciding: Deciding, albums: Albums
) -> None:
    deciding.split(ALICE, faces(10))
    assert albums.save([ALICE, PersonId(4)])[1].said.albums[AlbumId(5)].title == "Alice & person 4"


def test_the_same_album_is_saved_once_and_another_of_its_title_is_refused(catalogue: Catalogue, albums: Albums) -> None:
    done: list[str] = []
    album, _ = albums.save([ALICE, BOB], "Us")
    again, nothing = albums.save([BOB, ALICE], "US", first=lambda db: done.append("first"))
    assert (again, nothing.decision, done) == (album, None, ["first"])
    for since, until in (("2020", None), (None, "2020")):
        with pytest.raises(TitleTaken):
            albums.save([ALICE, BOB], "uS", since, until)
    with pytest.raises(TitleTaken) as caught:
        albums.save([ALICE], "us", first=lambda db: done.append("second"))
    assert caught.value.advice
    other, _ = albums.save([ALICE, BOB], "We")
    with pytest.raises(TitleTaken):
        albums.rename(other, "us")
    assert albums.rename(album, "US")[1].said.albums[album].title == "US", "its own in another case"
    assert done == ["first"]
    assert len(catalogue.decisions.log()) == 6


def test_what_is_done_first_shares_the_transaction(catalogue: Catalogue, albums: Albums) -> None:
    album, _ = albums.save([ALICE, BOB])

    def failing(db: object) -> None:
        raise UnknownPerson(person="nobody")

    acts: list[Callable[[], object]] = [
        lambda: albums.rename(album, "Us", first=failing),
        lambda: albums.remove(album, first=failing),
        lambda: albums.leave_out(album, [PhotoId(1)], first=failing),
    ]
    for act in acts:
        before = standing(catalogue)
        with pytest.raises(UnknownPerson):
            act()
        assert standing(catalogue) == before


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"people": []}, CannotDecide),
        ({"people": [PersonId(9)]}, UnknownPerson),
        ({"title": " "}, PersonError),
        ({"title": "\u202e"}, PersonError),
        ({"title": "caf\udce9"}, PersonError),
        ({"since": "May"}, NoDay),
        ({"until": "2020-02-30"}, NoDay),
        ({"since": "2021", "until": "2020"}, DaysContradict),
    ],
)
def test_what_cannot_be_saved_is_told(
    catalogue: Catalogue, albums: Albums, given: dict[str, Any], problem: type[PersonError]
) -> None:
    with pytest.raises(problem) as caught:
        albums.save(**{"people": [ALICE, BOB], **given})
    assert caught.value.exit_code == 5
    assert len(catalogue.decisions.log()) == 3


def test_an_album_that_is_not_there(albums: Albums, catalogue: Catalogue) -> None:
    album, _ = albums.save([ALICE, BOB], "7")
    for text in ("4", " 7 "):
        assert album_named(standing(catalogue), text) == album
    albums.remove(album)
    acts: list[Callable[[], object]] = [
        lambda: albums.rename(album, "Us"),
        lambda: albums.remove(album),
        lambda: albums.leave_out(album, []),
        lambda: albums.take_back(album, []),
        lambda: album_named(standing(catalogue), "7"),
        lambda: album_named(standing(catalogue), "9" * 30),
    ]
    for act in acts:
        with pytest.raises(UnknownAlbum):
            act()


def test_a_title_comes_before_a_number(albums: Albums, catalogue: Catalogue) -> None:
    albums.save([ALICE, BOB], "5")
    albums.save([ALICE], "4")
    assert [album_named(standing(catalogue), text) for text in ("4", "5")] == [5, 4]


def test_what_is_only_tried_changes_nothing(catalogue: Catalogue, albums: Albums) -> None:
    album, done = albums.save([ALICE, BOB], dry=True)
    assert (album, done.said.albums[album].title) == (4, "Alice & Bob")
    assert answer(catalogue, done, "album")["album"]["now"]["title"] == "Alice & Bob"
    assert standing(catalogue).albums == {}
    assert len(catalogue.decisions.log()) == 3


# ---- taking back -----------------------------------------------------------------------------------------------------


def test_undo_takes_back_what_was_said_last_and_redo_makes_it_again(catalogue: Catalogue, albums: Albums) -> None:
    album, _ = albums.save([ALICE, BOB], "Us")
    albums.rename(album, "We")
    albums.leave_out(album, [PhotoId(1), PhotoId(2)])
    albums.take_back(album, [PhotoId(2)])
    albums.remove(album)

    def states() -> list[object]:
        found: list[object] = []
        for act in (undo, undo, undo, undo, undo):
            act(catalogue)
            saved = standing(catalogue).albums.get(album)
            found.append(None if saved is None else (saved.title, sorted(saved.without)))
        return found

    assert states() == [("We", [1]), ("We", [1, 2]), ("We", []), ("Us", []), None]
    for _ in range(5):
        redo(catalogue)
    assert standing(catalogue).albums == {}
    undo(catalogue, DecisionId(8))
    assert standing(catalogue).albums == {album: SavedAlbum("We", (ALICE, BOB), without=frozenset({PhotoId(1)}))}


def test_a_title_that_is_another_albums_by_now_is_not_given_back(catalogue: Catalogue, albums: Albums) -> None:
    album, _ = albums.save([ALICE, BOB], "Us")
    albums.remove(album)
    other, _ = albums.save([BOB], "us")
    with pytest.raises(TitleTaken):
        undo(catalogue, DecisionId(5))
    albums.rename(other, "Bob alone")
    assert undo(catalogue, DecisionId(5)).said.albums[album].title == "Us"


def test_the_log_tells_what_became_of_an_album(catalogue: Catalogue, deciding: Deciding, albums: Albums) -> None:
    album, done = albums.save([ALICE, BOB], "Us", "2020")
    us = {
        "title": "Us",
        "people": [{"id": 1, "name": "Alice"}, {"id": 2, "name": "Bob"}],
        "since": "2020",
        "until": None,
        "without": [],
    }
    assert answer(catalogue, done, "album")["album"] == {"id": 4, "before": None, "now": us}
    albums.leave_out(album, [PhotoId(2)])
    albums.remove(album)
    undo(catalogue, DecisionId(5))
    rows = list(story(catalogue))[3:]
    assert [row["kind"] for row in rows] == ["album", "album", "album", "undo"]
    without = {**us, "without": [2]}
    assert [(row["album"]["before"], row["album"]["now"]) for row in rows[:3]] == [
        (None, us),
        (us, without),
        (us, None),
    ]
    assert rows[3]["album"] is None
    assert rows[3]["subject"]["album"] == {"id": 4, "before": us, "now": without}
    assert [row["decision"] for row in story(catalogue, BOB)] == [2, 4, 5, 6, 7]
    assert [row["decision"] for row in story(catalogue, CAROL)] == [3], "who is in no album"
    deciding.merge(CAROL, BOB)
    assert {4, 5, 6, 7} <= {row["decision"] for row in story(catalogue, CAROL)}, "who was absorbed was in one"


# ---- folders ---------------------------------------------------------------------------------------------------------

EACH = {
    "Alice": ["000", "001", "002", "003", "004"],
    "Bob": ["000", "001", "002", "003", "005"],
    "Carol": ["002", "004"],
}


def test_an_album_has_a_folder_that_follows_it(publishing: Publishing, catalogue: Catalogue, albums: Albums) -> None:
    assert shown(publishing) == EACH
    album, _ = albums.save([ALICE, BOB])
    assert shown(publishing) == {**EACH, "Alice & Bob": ["000", "001", "002", "003"]}
    albums.rename(album, "Us")
    assert shown(publishing) == {**EACH, "Us": ["000", "001", "002", "003"]}
    albums.leave_out(album, [PhotoId(1), PhotoId(3)])
    assert shown(publishing) == {**EACH, "Us": ["001", "003"]}
    albums.take_back(album, [PhotoId(3)])
    assert shown(publishing) == {**EACH, "Us": ["001", "002", "003"]}
    undo(catalogue)
    undo(catalogue)
    assert shown(publishing) == {**EACH, "Us": ["000", "001", "002", "003"]}
    albums.remove(album)
    assert shown(publishing) == EACH
    assert not (Path(publishing.tree.root.decode()) / "Us").exists()
    assert set(catalogue.links.homes()) == {1, 2, 3}
    undo(catalogue)
    assert shown(publishing) == {**EACH, "Us": ["000", "001", "002", "003"]}
    assert set(catalogue.links.folders()) == {1, 2, 3}, "an album is nobody"


@pytest.mark.parametrize(
    ("since", "until", "photos"),
    [
        ("2020-01-02", None, ["001", "002", "003"]),
        (None, "2020-01-02", ["000", "001"]),
        ("2020-01-02", "2020-01-03", ["001", "002"]),
        ("2020", "2020", ["000", "001", "002", "003"]),
        ("2020-01", "2020-01", ["000", "001", "002", "003"]),
        ("2021", None, []),
        (None, "2019-12", []),
    ],
)
def test_days_bound_an_album(
    publishing: Publishing, albums: Albums, since: str | None, until: str | None, photos: list[str]
) -> None:
    albums.save([ALICE, BOB], "Us", since, until)
    assert shown(publishing) == {**EACH, **({"Us": photos} if photos else {})}


def test_a_photo_without_a_date_is_in_albums_without_days_only(
    publishing: Publishing, catalogue: Catalogue, albums: Albums
) -> None:
    catalogue._db.write(lambda db: db.execute("UPDATE photos SET taken_at = NULL WHERE id IN (1, 2)"))
    albums.save([ALICE, BOB], "All")
    albums.save([ALICE, BOB], "Dated", since="1900")
    albums.save([ALICE, BOB], "Until", until="2999")
    folders = shown(publishing)
    assert (len(folders["All"]), len(folders["Dated"]), len(folders["Until"])) == (4, 2, 2)


def test_an_album_without_photos_has_a_folder_when_there_is_one(
    publishing: Publishing, catalogue: Catalogue, deciding: Deciding, albums: Albums
) -> None:
    album, _ = albums.save([BOB, CAROL], since="2020-01-05")
    assert shown(publishing) == EACH
    assert -album not in catalogue.links.homes()
    deciding.confirm(BOB, faces(10))
    assert shown(publishing)["Bob & Carol since 2020-01-05"] == ["004"]
    undo(catalogue)
    assert shown(publishing) == EACH
    assert not (Path(publishing.tree.root.decode()) / "Bob & Carol since 2020-01-05").exists()


def test_an_album_follows_its_people(
    publishing: Publishing, catalogue: Catalogue, deciding: Deciding, albums: Albums
) -> None:
    albums.save([ALICE, CAROL], "Two")
    assert shown(publishing)["Two"] == ["002", "004"]
    deciding.hide(CAROL)
    folders = shown(publishing)
    assert "Carol" not in folders
    assert folders["Two"] == ["002", "004"], "the user asked for it"
    deciding.reject(CAROL, faces(7))
    assert shown(publishing)["Two"] == ["004"]
    deciding.merge(BOB, CAROL)
    assert shown(publishing)["Two"] == ["000", "001", "002", "003", "004"], "whoever she is by now"
    undo(catalogue)
    assert shown(publishing)["Two"] == ["004"]
    deciding.merge(ALICE, CAROL)
    assert shown(publishing)["Two"] == shown(publishing)["Alice"], "both are one"


def test_files_that_come_and_go(
    publishing: Publishing, catalogue: Catalogue, root: RootRow, deciding: Deciding, albums: Albums
) -> None:
    albums.save([ALICE, CAROL], "Two")
    assert shown(publishing)["Two"] == ["002", "004"]
    catalogue.files.apply(root.id, Changes(gone=(ids(catalogue, root)[b"002.jpg"],)), NOW)
    assert shown(publishing)["Two"] == ["004"]
    catalogue.files.apply(root.id, Changes(returned=(ids(catalogue, root)[b"002.jpg"],)), NOW)
    assert shown(publishing)["Two"] == ["002", "004"]


def test_an_album_of_somebodys_name_gets_a_number(
    publishing: Publishing, catalogue: Catalogue, deciding: Deciding, albums: Albums
) -> None:
    album, _ = albums.save([ALICE], since="2020-01-04", title="Bob")
    assert shown(publishing) == {**EACH, f"Bob ({album})": ["003", "004"]}
    deciding.name(BOB, "Robert")
    assert set(shown(publishing)) == {"Alice", "Robert", "Carol", f"Bob ({album})"}, "a folder keeps its name"
    albums.save([ALICE, CAROL])
    assert "Alice & Carol" in shown(publishing)
    deciding.name(BOB, "Alice & Carol")
    assert set(shown(publishing)) == {"Alice", "Alice & Carol (2)", "Alice & Carol", "Carol", f"Bob ({album})"}


def test_what_could_not_be_published_is_published_later(
    publishing: Publishing, albums: Albums, monkeypatch: pytest.MonkeyPatch
) -> None:
    album, _ = albums.save([ALICE, BOB], "Us")
    gone, _ = albums.save([ALICE, CAROL], "Two")
    assert shown(publishing)["Us"] == ["000", "001", "002", "003"]
    albums.leave_out(album, [PhotoId(1)])
    albums.remove(gone)

    def full(plan: object, ledger: object) -> None:
        raise PeopleFolderError(path="People", detail="the disk is full", hint="Free some space.")

    with monkeypatch.context() as patched:
        patched.setattr(publishing.tree, "apply", full)
        assert not publishing.publish()
        assert not publishing.publish()
    assert shown(publishing) == {**EACH, "Us": ["001", "002", "003"]}


def test_a_restart_forgets_no_album(
    publishing: Publishing, catalogue: Catalogue, albums: Albums, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    album, _ = albums.save([ALICE, BOB], "Us")
    gone, _ = albums.save([ALICE, CAROL], "Two")
    assert set(shown(publishing)) == {*EACH, "Us", "Two"}
    albums.leave_out(album, [PhotoId(1)])
    albums.remove(gone)
    again = Publishing(config_file.load(write_config(tmp_path / "photos")), catalogue)
    folders = shown(again)
    assert folders == {**EACH, "Us": ["001", "002", "003"]}
