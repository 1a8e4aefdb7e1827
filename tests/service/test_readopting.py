"""A catalogue older than the people folder: what was done there since the backup counts for nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.catalogue.store import Catalogue
from guyverd.model import FaceId
from guyverd.service.pipeline.words.agreeing import disagreements
from guyverd.service.pipeline.words.deciding import Deciding
from tests.promises import scaled
from tests.service.test_heeding import ADA, BOB, CY, START, Household, home

pytestmark = pytest.mark.promise("backup")


def restored(home: Household, then: Path) -> Household:
    """The household with the catalogue as it was when `then` was saved."""
    path = home.catalogue.path
    home.catalogue.close()
    shutil.copy2(then, os.fsdecode(path))
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO custody VALUES ('restored', '{}')")
        raw.commit()
    return Household(Catalogue(path), home.config)


def saved(home: Household) -> Path:
    """The catalogue as it is, in another file."""
    then = Path(os.fsdecode(home.catalogue.path) + ".then")
    with contextlib.closing(sqlite3.connect(f"file:{os.fsdecode(home.catalogue.path)}?mode=ro", uri=True)) as raw:
        raw.execute("VACUUM INTO ?", (str(then),))
    with contextlib.closing(sqlite3.connect(then)) as raw:
        raw.execute("DELETE FROM custody WHERE key IN ('open', 'place')")
        raw.commit()
    return then


def calm(home: Household) -> None:
    """Everything is published, and nothing more comes of looking again, also where there are files of the user's."""
    home.publish()
    home.publish()
    before = home.catalogue.decisions.last()
    home.publish()
    assert home.catalogue.decisions.last() == before
    assert not home.publishing.planned()
    assert home.publishing.wrong() == []
    assert disagreements(home.catalogue) == []


def as_it_was(home: Household, decisions: int) -> None:
    calm(home)
    assert home.catalogue.decisions.last() == decisions
    assert home.tree() == START
    assert not home.catalogue.restored.pending()


def test_links_deleted_since_are_no_word_and_come_back(home: Household) -> None:
    then, last = saved(home), home.catalogue.decisions.last()
    home.link("Ada", 1).unlink()
    shutil.rmtree(home.people / "Bob")
    calm(home)
    assert home.catalogue.decisions.last() > last
    again = restored(home, then)
    as_it_was(again, last)


def test_a_folder_renamed_since_has_its_name_back_with_what_is_in_it(home: Household) -> None:
    (home.people / "Unnamed" / "0003" / "mine.txt").write_text("mine")
    calm(home)
    then, last = saved(home), home.catalogue.decisions.last()
    (home.people / "Unnamed" / "0003").rename(home.people / "Cy")
    (home.people / "Ada").rename(home.people / "Ada B.")
    calm(home)
    assert home.name_of(CY) == "Cy"
    assert (home.people / "Cy" / "mine.txt").exists()
    again = restored(home, then)
    assert again.name_of(CY) is None
    as_it_was(again, last)
    assert (home.people / "Unnamed" / "0003" / "mine.txt").read_text() == "mine"
    assert not (home.people / "Cy").exists()
    assert not (home.people / "Ada B.").exists()


def test_a_merge_since_is_parted_again(home: Household) -> None:
    then, last = saved(home), home.catalogue.decisions.last()
    Deciding(home.catalogue).merge(ADA, CY)
    calm(home)
    assert home.tree()["Ada"] == START["Ada"] | START["Unnamed/0003"]
    as_it_was(restored(home, then), last)


def test_somebody_new_since_is_not_known(home: Household) -> None:
    """The folder of a person with a name might be the user's own, and stays; that of a number is ours and goes."""
    then, last = saved(home), home.catalogue.decisions.last()
    Deciding(home.catalogue).split(BOB, [FaceId(5), FaceId(6)])
    calm(home)
    assert home.tree()["Unnamed/0004"] == {"5", "6"}
    again = restored(home, then)
    as_it_was(again, last)


def test_nothing_of_the_users_own_is_touched(home: Household, tmp_path: Path) -> None:
    then, last = saved(home), home.catalogue.decisions.last()
    mine = {
        home.people / "Ada" / "mine.jpg": b"a photo of mine",
        home.people / "Ada" / "2020-01-01_other.jpg": b"another",
        home.people / "Best" / "letter.txt": b"a letter",
        home.people / "Bob" / "index.html": b"<html>my page",
    }
    for path, data in mine.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    link = home.people / "Best" / "two.jpg"
    link.symlink_to("../../photos/001.jpg")
    named = home.people / "Ada" / "holiday.jpg"
    named.symlink_to("../../photos/006.jpg")
    home.publish()
    again = restored(home, then)
    calm(again)
    assert again.catalogue.decisions.last() == last
    assert {path: path.read_bytes() for path in mine} == mine
    assert link.is_symlink()
    assert named.is_symlink()


def test_the_first_look_waits_for_the_disk(home: Household) -> None:
    then, last = saved(home), home.catalogue.decisions.last()
    path = home.catalogue.path
    home.people.rename(home.people.with_name("away"))
    home.catalogue.close()
    shutil.copy2(then, os.fsdecode(path))
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO custody VALUES ('restored', '{}')")
        raw.commit()
    home.catalogue = Catalogue(path)
    home.publishing = type(home.publishing)(home.config, home.catalogue)
    assert not home.publishing.publish()
    assert home.catalogue.restored.pending()
    home.people.with_name("away").rename(home.people)
    as_it_was(home, last)


MOVES = ("delete a link", "delete a folder", "rename a folder", "move a link", "copy a link", "swap", "a word", "mine")


@given(
    acts=st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 9), st.integers(0, 9)), max_size=6),
    taken_up=st.booleans(),
)
@settings(max_examples=scaled(6, 400), deadline=None)
def test_whatever_was_done_since_counts_for_nothing(
    acts: list[tuple[str, int, int]], taken_up: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made: Household = home.__wrapped__(*_parts(tmp_path_factory.mktemp("home")))  # type: ignore[attr-defined]
    then, last = saved(made), made.catalogue.decisions.last()
    own: dict[Path, bytes] = {}
    for act, one, other in acts:
        _do(made, act, one, other, own)
        if taken_up:
            # It may also pause, for so much was done at once.
            made.publishing.heeding.touch(b"", 0.0)
            made.publishing.publish()
    again = restored(made, then)
    calm(again)
    assert again.catalogue.decisions.last() == last
    for folder, photos in START.items():
        assert photos <= again.tree().get(folder, set()), folder
    assert sorted(data for path in again.people.rglob("mine*") for data in [path.read_bytes()]) == sorted(own.values())
    again.catalogue.close()


def _parts(folder: Path) -> tuple[Catalogue, Path]:
    return Catalogue(os.fsencode(folder / "catalogue.db")), folder


def _do(home: Household, act: str, one: int, other: int, own: dict[Path, bytes]) -> None:
    links = sorted(path for path in home.people.rglob("*") if path.is_symlink())
    folders = sorted({path.parent for path in links})
    if not links:
        return
    link, folder, goal = links[one % len(links)], folders[one % len(folders)], folders[other % len(folders)]
    if act == "delete a link":
        link.unlink()
    elif act == "delete a folder":
        shutil.rmtree(folder)
        for path in [path for path in own if not path.exists()]:
            del own[path]
    elif act == "rename a folder":
        _move(folder, home.people / f"New {other}", own)
    elif act == "swap" and folder != goal and goal not in folder.parents and folder not in goal.parents:
        _move(folder, home.people / "aside", own)
        _move(goal, folder, own)
        _move(home.people / "aside", goal, own)
    elif act == "move a link":
        link.rename(goal / link.name)
    elif act == "copy a link":
        with contextlib.suppress(FileExistsError, shutil.SameFileError):
            shutil.copy2(link, goal / link.name, follow_symlinks=False)
    elif act == "a word":
        Deciding(home.catalogue).confirm(ADA if other % 2 else BOB, [home.catalogue.people.members(CY)[0].face]) if (
            home.catalogue.people.members(CY)
        ) else None
    elif act == "mine":
        path = folder / f"mine{len(own)}.txt"
        path.write_bytes(b"%d" % len(own))
        own[path] = path.read_bytes()


def _move(old: Path, new: Path, own: dict[Path, bytes]) -> None:
    if new.exists():
        return
    old.rename(new)
    for path in list(own):
        if path.is_relative_to(old):
            own[new / path.relative_to(old)] = own.pop(path)
