"""What is done to a real people folder becomes decisions in a real catalogue; whose faces there are is made up."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import PeopleFolderPaused
from guyverd.folders import feedback
from guyverd.folders.pages import as_cover
from guyverd.model import DecisionKind, FaceId, PersonId
from guyverd.service.pipeline.keeping.publishing import Publishing
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.albums import Albums
from guyverd.service.pipeline.words.deciding import Deciding, standing
from guyverd.service.pipeline.words.undoing import undo
from guyverd.watch.events import EventKind, PathEvent
from tests.catalogue.conftest import library
from tests.service.test_deciding import found, whose

ADA, BOB, CY = PersonId(1), PersonId(2), PersonId(3)


class Household:
    """Photos 1 to 9 show a face each (1 to 9), photo 10 two (10 and 11): Ada has 1 to 4 and 10, Bob 5 to 7 and 11, and
    somebody without a name 8 and 9."""

    def __init__(self, catalogue: Catalogue, config: Config) -> None:
        self.catalogue = catalogue
        self.config = config
        self.people = config.people
        self.publishing = Publishing(config, catalogue)
        self.publish()

    def publish(self) -> None:
        self.publishing.heeding.touch(b"", 0.0)
        assert self.publishing.publish(), self.publishing.problem

    def rest(self) -> None:
        """Everything is understood and published, and nothing more comes of looking again."""
        self.publish()
        self.publish()
        self.publishing.heeding.touch(b"", 0.0)
        before = self.catalogue.decisions.last()
        assert not self.publishing.heed()
        assert self.catalogue.decisions.last() == before
        assert not self.publishing.planned()
        assert self.publishing.wrong() == []
        assert disagreements(self.catalogue) == []

    def take_up(self) -> None:
        """The same with photos of one's own, of which each look tells."""
        self.publish()
        self.publishing.heeding.advance()
        self.publish()
        assert not self.publishing.heeding.advance()
        assert not self.publishing.planned()
        assert self.publishing.heeding.outlook() == []
        assert disagreements(self.catalogue) == []

    def tree(self) -> dict[str, set[str]]:
        """The photos that each folder's links lead to, by their number."""
        found: dict[str, set[str]] = {}
        for path in sorted(self.people.rglob("*")):
            if path.is_symlink():
                folder = str(path.parent.relative_to(self.people))
                number = str(int(os.path.basename(os.readlink(path)).partition(".")[0]) + 1)
                found.setdefault(folder, set()).add(number)
        return found

    def link(self, folder: str, photo: int) -> Path:
        return next(path for path in (self.people / folder).iterdir() if f"{photo - 1:03d}.jpg" in os.readlink(path))

    def said(self) -> list[tuple[str, str | None]]:
        """The kind and source of every decision after the names."""
        return [(one.kind.value, one.source) for one in self.catalogue.decisions.log(2)]

    def name_of(self, person: PersonId) -> str | None:
        return self.catalogue.people.names().get(person)


@pytest.fixture
def home(catalogue: Catalogue, tmp_path: Path) -> Household:
    (tmp_path / "photos").mkdir()
    for number in range(10):
        (tmp_path / "photos" / f"{number:03d}.jpg").touch()
    made = config_file.make([tmp_path / "photos"], tmp_path / "People", tmp_path / "state", tmp_path / "config.yaml")
    config = dataclasses.replace(made, folders=dataclasses.replace(made.folders, min_photos=2))
    catalogue.files.configure([os.fsencode(tmp_path / "photos")], [os.fsencode(config.people), b"/"])
    library(catalogue, catalogue.files.roots()[0], [1] * 9 + [2])
    found(catalogue, {1: [1, 2, 3, 4, 10], 2: [5, 6, 7, 11], 3: [8, 9]})
    for person, name in ((ADA, "Ada"), (BOB, "Bob")):
        Deciding(catalogue).name(person, name)
    return Household(catalogue, config)


START = {"Ada": {"1", "2", "3", "4", "10"}, "Bob": {"5", "6", "7", "10"}, "Unnamed/0003": {"8", "9"}}


def test_nothing_done_is_nothing_said(home: Household) -> None:
    assert home.tree() == START
    home.rest()
    assert home.said() == []


def test_two_who_swap_folders_swap_names(home: Household) -> None:
    os.rename(home.people / "Ada", home.people / "aside")
    os.rename(home.people / "Bob", home.people / "Ada")
    os.rename(home.people / "aside", home.people / "Bob")
    home.publish()
    assert {kind for kind, _ in home.said()} <= {"name"}
    home.rest()
    assert whose(home.catalogue)[1] == ADA
    shown = {frozenset(photos) for photos in home.tree().values()}
    assert shown == {frozenset(photos) for photos in START.values()}


def test_who_is_hidden_by_a_command_stays_hidden_though_a_link_of_ones_own_is_left(home: Household) -> None:
    os.symlink("/nowhere/else.jpg", home.people / "Ada" / "mine.jpg")
    home.publish()
    Deciding(home.catalogue).hide(ADA)
    home.rest()
    assert os.listdir(home.people / "Ada") == ["mine.jpg"]
    assert ADA in standing(home.catalogue).hidden


@pytest.mark.parametrize("photo", [1, 10])
def test_a_link_deleted_and_brought_back_from_the_trash_is_hers_again(
    home: Household, photo: int, tmp_path: Path
) -> None:
    """Also where the photo shows somebody else."""
    link = home.link("Ada", photo)
    shutil.move(link, tmp_path / "trash")
    home.rest()
    assert whose(home.catalogue)[photo] is None
    shutil.move(tmp_path / "trash", link)
    home.take_up()
    assert [kind for kind, _ in home.said()] == ["reject", "confirm"]
    assert (whose(home.catalogue)[photo], whose(home.catalogue)[11]) == (ADA, BOB)
    assert home.tree() == START


def test_a_link_of_ones_own_that_was_taken_back_says_nothing_when_it_is_moved(home: Household) -> None:
    (home.people / "Ada" / "mine.jpg").symlink_to(home.config.photos[0] / "007.jpg")
    home.take_up()
    assert home.said() == [("confirm", "put mine.jpg into Ada")]
    undo(home.catalogue)
    home.take_up()
    (home.people / "Ada" / "best").mkdir()
    os.rename(home.people / "Ada" / "mine.jpg", home.people / "Ada" / "best" / "yours.jpg")
    home.take_up()
    assert whose(home.catalogue)[8] != ADA
    assert [kind for kind, _ in home.said()] == ["confirm", "undo"]
    os.unlink(home.people / "Ada" / "best" / "yours.jpg")
    home.take_up()
    (home.people / "Ada" / "mine.jpg").symlink_to(home.config.photos[0] / "007.jpg")
    home.take_up()
    assert whose(home.catalogue)[8] == ADA, "it was put there again"


@pytest.mark.promise("any-order", "offline")
def test_a_link_of_ones_own_to_a_disk_that_is_away_stands_for_its_photo(home: Household) -> None:
    (home.people / "Ada" / "mine.jpg").symlink_to(home.config.photos[0] / "007.jpg")
    home.take_up()
    before = home.tree()
    home.config.photos[0].rename(home.config.photos[0].with_name("unplugged"))
    assert not home.publishing.planned()
    home.config.photos[0].with_name("unplugged").rename(home.config.photos[0])
    assert home.tree() == before


def test_a_link_of_ones_own_that_leads_nowhere_any_more_stands_for_nothing(home: Household) -> None:
    mine = home.people / "Ada" / "mine.jpg"
    mine.symlink_to(os.path.relpath(home.config.photos[0] / "007.jpg", home.people / "Ada"))
    home.take_up()
    assert home.tree()["Ada"] == {*START["Ada"], "8"}
    (home.people / "Family").mkdir()
    os.rename(home.people / "Ada", home.people / "Family" / "Ada")
    home.take_up()
    assert not (home.people / "Family" / "Ada" / "mine.jpg").exists()
    shown = {path.resolve().name for path in (home.people / "Family" / "Ada").iterdir() if path.exists()}
    assert "007.jpg" in shown


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_lay_in_a_folder_says_nothing_again_where_the_folder_goes(home: Household, by_hand: bool) -> None:
    """One's own photo that was taken back, and a link that was there before the folder was anybody's."""
    (home.people / "Cy").mkdir()
    (home.people / "Cy" / "early.jpg").symlink_to(home.config.photos[0] / "004.jpg")
    home.take_up()
    for photo in (8, 9):
        os.rename(home.link("Unnamed/0003", photo), home.people / "Cy" / f"{photo}.jpg")
    home.take_up()
    (home.people / "Cy" / "mine.jpg").symlink_to(home.config.photos[0] / "005.jpg")
    home.take_up()
    undo(home.catalogue)
    home.take_up()
    before, enrolled = len(home.said()), home.catalogue.heard.enrolled()
    assert os.fsencode("Cy/mine.jpg") in enrolled
    if by_hand:
        os.rename(home.people / "Cy", home.people / "Cyril")
    else:
        Deciding(home.catalogue).name(CY, "Cyril")
    home.take_up()
    assert [kind for kind, _ in home.said()[before:]] == ["name"]
    assert home.catalogue.heard.enrolled() == {b"Cyril/mine.jpg": enrolled[b"Cy/mine.jpg"]}
    assert home.catalogue.heard.strays() == {b"Cyril/early.jpg"}
    assert (whose(home.catalogue)[5], whose(home.catalogue)[6]) == (BOB, BOB)


def test_a_copied_cover_is_nobodys_photo(home: Household) -> None:
    portrait = io.BytesIO()
    Image.new("RGB", (40, 40)).save(portrait, "JPEG")
    (home.people / "Ada" / "copied").mkdir()
    (home.people / "Ada" / "copied" / "cover.jpg").write_bytes(as_cover(portrait.getvalue()))
    (home.people / "Ada" / "cover.jpg").write_bytes(portrait.getvalue())
    home.publish()
    assert list(home.catalogue.heard.enrolled()) == [b"Ada/cover.jpg"], "the other is the user's own"
    Image.open(home.people / "Ada" / "copied" / "cover.jpg").load()


def test_where_ones_own_photo_went_no_link_to_it_is_left(home: Household) -> None:
    """A photo of one's own in one folder is shown in that of somebody else who is in it."""
    catalogue, own = home.catalogue, home.people / "Ada" / "own.jpg"
    Image.new("RGB", (32, 32)).save(own, "JPEG")
    home.publish()
    # What was photo 5, of Bob, is that file from now on.
    catalogue._db.write(lambda db: db.execute("UPDATE files SET missing_since = 'x' WHERE photo_id = 5"))
    identified = "UPDATE files SET photo_id = 5, state = 'identified' WHERE path = ?"
    catalogue._db.write(lambda db: db.execute(identified, (b"Ada/own.jpg",)))
    home.publish()
    assert any(path.resolve() == own for path in (home.people / "Bob").iterdir())
    own.unlink()
    home.publishing.heeding.touch(b"Ada", 0.0)
    assert home.publishing.heed(), "there is something to publish"
    home.publish()
    assert all(path.exists() for path in (home.people / "Bob").iterdir())


@pytest.mark.promise("any-order")
def test_what_went_is_noticed_where_nobody_has_a_folder_any_more(home: Household) -> None:
    own = home.people / "Ada" / "own.jpg"
    Image.new("RGB", (32, 32)).save(own, "JPEG")
    home.publish()
    for person in (ADA, BOB, CY):
        Deciding(home.catalogue).hide(person)
    home.publish()
    assert home.catalogue.links.homes() == {}
    assert list(home.catalogue.heard.enrolled()) == [b"Ada/own.jpg"]
    own.unlink()
    home.publish()
    assert home.catalogue.heard.enrolled() == {}
    (there,) = home.catalogue._db.rows("SELECT missing_since FROM files WHERE path = ?", (b"Ada/own.jpg",))
    assert there["missing_since"] is not None


def test_a_folder_deleted_and_brought_back_is_whole_again(home: Household, tmp_path: Path) -> None:
    shutil.move(home.people / "Ada", tmp_path / "trash")
    home.publish()
    assert home.said() == [("hide", "deleted the folder Ada")]
    assert "Ada" not in home.tree()
    shutil.move(tmp_path / "trash", home.people / "Ada")
    home.rest()
    assert home.said()[1:] == [("unhide", "brought back the folder Ada")]
    assert home.tree() == START
    assert home.catalogue.heard.enrolled() == {}, "the links are ours, and not put there by somebody"


@pytest.mark.parametrize("place", ["Ada B.", "Family/Ada"])
def test_a_folder_that_the_user_named_or_moved_is_brought_back_to_its_place(
    home: Household, place: str, tmp_path: Path
) -> None:
    (home.people / "Family").mkdir()
    os.rename(home.people / "Ada", home.people / place)
    home.rest()
    shown, before = home.tree(), len(home.said())
    shutil.move(home.people / place, tmp_path / "trash")
    home.publish()
    shutil.move(tmp_path / "trash", home.people / place)
    home.rest()
    assert home.said()[before:] == [
        ("hide", f"deleted the folder {place}"),
        ("unhide", f"brought back the folder {place}"),
    ]
    assert home.tree() == shown
    shutil.move(home.people / place, tmp_path / "trash")
    home.publish()
    undo(home.catalogue)
    home.rest()
    assert home.tree() == shown, "by a word as well"


def test_a_renaming_taken_back_gives_back_the_very_folder(home: Household) -> None:
    os.rename(home.people / "Ada", home.people / "Ada B.")
    home.rest()
    shown = home.tree()
    os.rename(home.people / "Ada B.", home.people / "Ann")
    home.rest()
    undo(home.catalogue)
    home.rest()
    assert home.tree() == shown


def test_an_albums_folder_deleted_and_brought_back_is_an_album_again(home: Household, tmp_path: Path) -> None:
    Albums(home.catalogue).save([ADA, BOB])
    home.rest()
    assert home.tree()["Ada & Bob"] == {"10"}
    shutil.move(home.people / "Ada & Bob", tmp_path / "trash")
    home.rest()
    assert standing(home.catalogue).albums == {}
    shutil.move(tmp_path / "trash", home.people / "Ada & Bob")
    home.rest()
    assert [one.title for one in standing(home.catalogue).albums.values()] == ["Ada & Bob"]
    assert home.tree()["Ada & Bob"] == {"10"}


def test_an_album_is_called_like_its_folder_and_shows_what_is_left_in_it(home: Household) -> None:
    Albums(home.catalogue).save([ADA], "All of her")
    home.rest()
    home.link("All of her", 1).unlink()
    os.rename(home.people / "All of her", home.people / "Her")
    home.rest()
    (saved,) = standing(home.catalogue).albums.values()
    assert (saved.title, sorted(saved.without)) == ("Her", [1])
    assert home.tree() == {**START, "Her": START["Ada"] - {"1"}}
    for _ in range(2):
        undo(home.catalogue)
    home.rest()
    assert home.tree() == {**START, "All of her": START["Ada"]}


def test_a_photo_of_ones_own_in_a_new_folder_is_heard_with_the_links(home: Household) -> None:
    (home.people / "Zoe").mkdir()
    home.link("Ada", 1).rename(home.people / "Zoe" / "1.jpg")
    Image.new("RGB", (32, 32)).save(home.people / "Zoe" / "own.jpg")
    home.publish()
    (zoe,) = home.catalogue.people.named("Zoe")
    assert whose(home.catalogue)[1] == zoe
    assert [(path, person) for path, (_, person) in home.catalogue.heard.enrolled().items()] == [(b"Zoe/own.jpg", zoe)]
    assert (home.people / "Zoe" / "own.jpg").is_file()


def test_a_merge_that_cannot_be_is_put_back_and_asked_about(home: Household) -> None:
    for path in list((home.people / "Bob").iterdir()):
        path.rename(home.people / "Ada" / f"bob {path.name}")
    (home.people / "Bob").rmdir()
    home.rest()
    assert home.said() == []
    assert home.tree() == START
    (asked,) = home.catalogue.heard.proposals()
    assert (asked.person, asked.other, asked.reason) == (ADA, BOB, "there are photos that show both")
    assert asked.source == "moved all of Bob into Ada"


def test_two_without_photos_in_common_become_one(home: Household) -> None:
    for path in list((home.people / "Unnamed" / "0003").iterdir()):
        path.rename(home.people / "Bob" / path.name)
    home.rest()
    assert home.said() == [("merge", "moved all of Unnamed/0003 into Bob")]
    assert home.tree() == {"Ada": START["Ada"], "Bob": START["Bob"] | {"8", "9"}}
    undo(home.catalogue)
    home.rest()
    assert home.tree() == START


def test_who_is_in_a_photo_already_is_not_in_it_twice(home: Household) -> None:
    home.link("Bob", 10).rename(home.people / "Ada" / "twice.jpg")
    home.rest()
    assert [kind for kind, _ in home.said()] == ["reject"]
    assert (whose(home.catalogue)[10], whose(home.catalogue)[11]) == (ADA, None)
    assert home.tree()["Ada"] == START["Ada"]


def test_what_was_copied_long_ago_does_not_tell_where_a_link_went(home: Household) -> None:
    """A collection of one's own is no person, neither when it is made nor when a link that was copied goes."""
    (home.people / "Best").mkdir()
    for photo in (1, 2):
        shutil.copy(home.link("Ada", photo), home.people / "Best" / f"{photo}.jpg", follow_symlinks=False)
    home.rest()
    assert home.said() == []
    home.link("Ada", 1).unlink()
    home.rest()
    assert home.said() == [("reject", "deleted 2020-01-01_000.jpg from Ada")]
    assert whose(home.catalogue)[1] is None
    assert sorted(os.listdir(home.people / "Best")) == ["1.jpg", "2.jpg"]


def test_a_copy_says_that_it_is_somebody_else_where_there_is_one_face(home: Household) -> None:
    shutil.copy(home.link("Ada", 1), home.people / "Bob", follow_symlinks=False)
    home.rest()
    assert home.said() == [("confirm", "copied 2020-01-01_000.jpg from Ada to Bob")]
    assert whose(home.catalogue)[1] == BOB
    assert home.tree()["Ada"] == START["Ada"] - {"1"}


@pytest.mark.parametrize("known", [True, False])
def test_a_copied_folder_of_links_is_taken_up_once(
    home: Household, known: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """One folder deeper its relative links lead nowhere; that nobody, or who, is meant is noted all the same."""
    nameless = home.people / "Unnamed" / "0003"
    if known:
        for face, person in ((10, ADA), (11, BOB)):
            Deciding(home.catalogue).confirm(person, [FaceId(face)])
    (nameless / "copies").mkdir()
    shutil.copy2(home.link("Ada", 10), nameless / "copies", follow_symlinks=False)
    before = len(home.said())
    with caplog.at_level("INFO"):
        home.take_up()
        home.take_up()
    assert sum("you copied" in record.getMessage() for record in caplog.records) == 1
    assert home.said()[before:] == []
    assert [one.state for one in home.catalogue.heard.open()] == ([] if known else ["asked"])


def test_a_link_that_is_out_of_date_says_nothing(home: Household) -> None:
    """Between publishing and the deletion somebody said by command that the face is another's."""
    link = home.link("Ada", 1)
    Deciding(home.catalogue).confirm(BOB, [FaceId(1)])
    link.unlink()
    home.rest()
    assert [kind for kind, _ in home.said()] == ["confirm"]
    assert whose(home.catalogue)[1] == BOB


def test_links_stay_where_they_are_put_within_their_folder(home: Household) -> None:
    (home.people / "Ada" / "beach").mkdir()
    home.link("Ada", 1).rename(home.people / "Ada" / "beach" / "one.jpg")
    (home.people / "Family").mkdir()
    os.rename(home.people / "Ada", home.people / "Family" / "Ada")
    home.rest()
    assert home.said() == []
    expected = {"Family/Ada": START["Ada"] - {"1"}, "Family/Ada/beach": {"1"}}
    assert home.tree() == {**{name: START[name] for name in START if name != "Ada"}, **expected}
    Deciding(home.catalogue).name(ADA, "Ada Lovelace")
    home.rest()
    assert home.tree()["Ada Lovelace/beach"] == {"1"}, "another name is another folder, with all in it"


def test_a_name_that_is_there_already_is_a_merge(home: Household) -> None:
    os.rename(home.people / "Unnamed" / "0003", home.people / "Unnamed" / "bob")
    home.rest()
    assert home.said() == [("merge", "renamed Unnamed/0003 to Unnamed/bob")]
    assert home.tree()["Bob"] == START["Bob"] | {"8", "9"}


def test_too_much_at_once_waits_for_a_word(home: Household) -> None:
    for folder in ("Ada", "Bob", "Unnamed"):
        shutil.rmtree(home.people / folder)
    home.publishing.heeding.touch(b"", 0.0)
    assert not home.publishing.publish()
    assert isinstance(home.publishing.problem, PeopleFolderPaused)
    assert home.said() == []
    again = Publishing(home.config, home.catalogue)
    assert not again.publish(), "it waits after a restart too"
    assert sorted(home.publishing.resume(accept=False)) == [
        "deleted the folder Ada",
        "deleted the folder Bob",
        "deleted the folder Unnamed/0003",
    ]
    home.rest()
    assert (home.said(), home.tree()) == ([], START)


def test_too_much_at_once_that_is_put_back_is_forgotten(home: Household, tmp_path: Path) -> None:
    folders = ("Ada", "Bob", "Unnamed")
    for folder in folders:
        shutil.move(home.people / folder, tmp_path / folder)
    home.publishing.heeding.touch(b"", 0.0)
    assert not home.publishing.publish()
    shutil.move(tmp_path / "Ada", home.people / "Ada")
    home.publishing.heeding.touch(b"", 0.0)
    assert not home.publishing.publish(), "some of it does not tell what the rest was"
    for folder in folders[1:]:
        shutil.move(tmp_path / folder, home.people / folder)
    assert not home.publishing.publish(), "nobody told of it"
    home.rest()
    assert home.publishing.heeding.paused is None
    assert (home.said(), home.tree()) == ([], START)


def test_too_much_at_once_may_be_meant(home: Household) -> None:
    for folder in ("Ada", "Bob", "Unnamed"):
        shutil.rmtree(home.people / folder)
    home.publishing.heeding.touch(b"", 0.0)
    home.publishing.publish()
    home.publishing.resume(accept=True)
    home.rest()
    assert home.tree() == {}
    assert standing(home.catalogue).hidden == {ADA, BOB, CY}


def test_moved_links_that_are_put_back_leave_nothing_behind(home: Household) -> None:
    """A pause is resumed with everything as it was, whatever was moved meanwhile."""
    (home.people / "Zoe").mkdir()
    home.link("Ada", 1).rename(home.people / "Zoe" / "1.jpg")
    home.link("Ada", 2).rename(home.people / "Bob" / "2.jpg")
    os.rename(home.people / "Unnamed" / "0003", home.people / "Cy")
    home.publishing.resume(accept=False)
    home.rest()
    assert (home.said(), home.tree()) == ([], START)
    assert home.name_of(CY) is None


@pytest.mark.parametrize("act", ["name", "give", "refuse", "part", "hide"])
def test_every_inferred_decision_is_taken_back_with_its_links(home: Household, act: str, tmp_path: Path) -> None:
    if act == "name":
        os.rename(home.people / "Unnamed" / "0003", home.people / "Cy")
    elif act == "give":
        home.link("Ada", 1).rename(home.people / "Bob" / "x.jpg")
    elif act == "refuse":
        home.link("Ada", 1).unlink()
    elif act == "part":
        (home.people / "Zoe").mkdir()
        home.link("Ada", 1).rename(home.people / "Zoe" / "x.jpg")
    else:
        shutil.rmtree(home.people / "Ada")
    home.rest()
    (said,) = home.said()
    assert said[1] is not None
    assert home.tree() != START
    undo(home.catalogue)
    home.rest()
    assert home.tree() == START
    assert {one.kind for one in home.catalogue.decisions.log(3)} == {DecisionKind.UNDO}


def test_a_photo_of_ones_own_that_is_taken_away_is_noticed_though_all_links_stand(home: Household) -> None:
    Image.new("RGB", (32, 32)).save(home.people / "Ada" / "own.jpg")
    home.publish()
    assert set(home.catalogue.heard.enrolled()) == {b"Ada/own.jpg"}
    (home.people / "Ada" / "own.jpg").unlink()
    home.publish()
    assert home.catalogue.heard.enrolled() == {}


@pytest.mark.parametrize("folders", [["Ada"], ["Ada", "Unnamed/0003"]])
def test_a_few_folders_may_be_deleted_at_once(
    home: Household, folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback, "FEW_LINKS", 3)
    Albums(home.catalogue).save([BOB], "All of him")
    Albums(home.catalogue).save([ADA, BOB])
    home.rest()
    for folder in folders:
        shutil.rmtree(home.people / folder)
    home.rest()
    assert [kind for kind, _ in home.said() if kind == "hide"] == ["hide"] * len(folders)


def test_more_than_a_few_wait_for_a_word(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "FEW_LINKS", 3)
    for folder in ("Ada", "Bob"):
        shutil.rmtree(home.people / folder)
    home.publishing.heeding.touch(b"", 0.0)
    assert not home.publishing.publish()
    assert home.publishing.problem is not None
    assert "9 of 11 links are missing" in home.publishing.problem.message


def test_a_whole_folder_copied_into_anothers_is_one_decision(home: Household) -> None:
    """And so one undo."""
    shutil.copytree(home.people / "Unnamed" / "0003", home.people / "Ada" / "0003", symlinks=True)
    home.rest()
    assert home.said() == [("confirm", "copied 2 links from Unnamed/0003 to Ada")]
    assert (whose(home.catalogue)[8], whose(home.catalogue)[9]) == (ADA, ADA)
    undo(home.catalogue)
    home.rest()
    assert home.tree() == START


def test_an_event_asks_the_catalogue_nothing(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be one for each of a hundred thousand links that guyverd itself makes."""
    heeding = home.publishing.heeding
    os.rename(home.people / "Unnamed" / "0003", home.people / "Cy")
    home.link("Ada", 1).unlink()
    with monkeypatch.context() as patched:
        patched.setattr(home.catalogue, "_db", None)
        for part in (home.catalogue.links, home.catalogue.heard, home.catalogue.people, home.catalogue.decisions):
            patched.setattr(part, "_db", None)
        root = os.fsencode(home.people)
        for kind, path in (
            (EventKind.GONE, b"Unnamed/0003"),
            (EventKind.SUBTREE, b"Cy"),
            (EventKind.GONE, b"Ada/2020-01-01_000.jpg"),
            (EventKind.TOUCHED, b"Bob/x.jpg"),
        ):
            heeding.notice(PathEvent(kind, root, path), 0.0)
    assert heeding.pending
    assert home.publishing.publish()
    assert {kind for kind, _ in home.said()} == {"name", "reject"}
    assert home.name_of(CY) == "Cy"


def test_of_several_copies_the_one_that_is_clear_is_told(home: Household) -> None:
    """Of photo 10 it is not clear who is meant: it shows Ada and Bob."""
    for photo in (10, 1):
        shutil.copy(home.link("Ada", photo), home.people / "Unnamed" / "0003", follow_symlinks=False)
    home.publish()
    told = [source for kind, source in home.said() if kind == "confirm"]
    assert told == ["copied 2020-01-01_000.jpg from Ada to Unnamed/0003"]
