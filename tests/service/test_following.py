"""Saved searches at work: what enters the library is put into their folders, once, by a daemon or without."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from guyverd import config_file
from guyverd.catalogue.following import Asked, Place
from guyverd.errors import DeliveryStopped, UnknownFollow, WhomToFollow
from guyverd.followed import Form
from guyverd.model import PersonId
from guyverd.service.access import open_library
from guyverd.service.api import Row
from tests.promises import scaled
from tests.service.conftest import ASTRONAUT, HOPPER, Daemon, copy, eventually, place
from tests.service.faults import Fault
from tests.service.world import World, a_world

RAM = Path("/dev/shm")


@pytest.fixture
def world() -> Iterator[World]:
    with a_world(Path(tempfile.mkdtemp(dir=RAM if RAM.is_dir() else None))) as made:
        yield made


class Kid:
    """Somebody who is followed in a world, and the folder."""

    def __init__(self, world: World, query: str, *, person: bool = False, past: bool = False) -> None:
        self.world = world
        self.folder = world.place / "kid"
        self.row: Row = world.library.follow(query, "kid", str(self.folder), person=person, past=past)

    def has(self) -> set[str]:
        """What is in the folder when all is done, without the suffix."""
        self.world.settle()
        self.world.act(self.world.work.following.run)
        return {path.stem for path in self.folder.iterdir()}

    def told(self) -> Row:
        (row,) = self.world.library.follows()
        return dict(row)


def enter(world: World, **photos: tuple[int, ...]) -> None:
    """Photos of these people enter the library."""
    for name, people in photos.items():
        world.write(world.roots[0] / f"{name}.jpg", world.fresh(*people))
    world.settle()


def path(world: World, name: str) -> str:
    return str(world.roots[0] / f"{name}.jpg")


def whose(world: World, name: str) -> str:
    """The number of the first person in a photo."""
    photo = os.path.realpath(path(world, name))
    (row,) = [row for row in world.library.faces() if photo in row["files"]][:1]
    return str(row["person"])


def test_only_what_enters_from_now_on_counts(world: World) -> None:
    enter(world, old=(0,), older=(0, 1), other=(1,))
    kid = Kid(world, path(world, "old"))
    assert kid.has() == set()
    enter(world, new=(0,), both=(2, 0), another=(1,))
    assert kid.has() == {"new", "both"}
    world.restart()
    (kid.folder / "new.jpg").unlink()
    enter(world, newer=(0,))
    assert kid.has() == {"both", "newer"}
    assert (kid.told()["delivered"], kid.told()["waiting"], kid.told()["problem"]) == (3, 0, None)


def test_with_the_past_all_counts(world: World) -> None:
    enter(world, old=(0,), older=(0, 1), other=(1,))
    kid = Kid(world, path(world, "old"), past=True)
    assert kid.has() == {"old", "older"}
    found = world.library.search(path(world, "old"), every=True, duplicates=True)["results"]
    assert {os.fsdecode(one.readlink()) for one in kid.folder.iterdir()} == {row["file"] for row in found}


def test_whoever_is_followed_needs_no_name_and_not_even_another_photo(world: World) -> None:
    enter(world, first=(3,))
    kid = Kid(world, path(world, "first"))
    enter(world, second=(3,))
    assert kid.has() == {"second"}


def test_every_face_is_compared_once_and_photos_do_not_wait_for_films(world: World) -> None:
    enter(world, first=(3,), film=(4,), second=(3,), third=(5,))
    catalogue, judging = world.work.catalogue, world.work.following.judging
    face = {name: row["face"] for row in world.library.faces() for name in ("first", "film") if name in row["files"][0]}
    vector = catalogue.photos.table(np.array([face["first"]])).vectors[0]
    asked, where = Asked("x", None, vector, "made up"), Place(b"/kid", False, Form.LINK, False)
    follow = catalogue.follows.add("kid", asked, where, past=True)
    faces = catalogue.photos.all_ids().tolist()
    film = face["film"]
    catalogue._db.write(
        lambda db: db.execute(
            "UPDATE photos SET grouped_at = NULL, kind = 'video' WHERE id = (SELECT photo_id FROM faces WHERE id = ?)",
            (film,),
        )
    )
    found = judging.look(follow)
    assert found.new == tuple(face for face in faces if face != film)
    assert (found.compared, found.whole) == (film - 1, True)
    assert len(found.shown) == 2
    judging.noted(follow, found)
    assert judging.look(follow).new == ()
    catalogue._db.write(lambda db: db.execute("UPDATE photos SET grouped_at = '2026'"))
    found = judging.look(follow)
    assert (found.new, found.compared) == ((film,), faces[-1])


def test_a_person_is_followed_through_merges_and_words(world: World) -> None:
    enter(world, a=(0,), b=(0,), c=(1,), d=(1,))
    kid = Kid(world, whose(world, "a"), person=True)
    enter(world, e=(0,), f=(1,), g=(2,))
    assert kid.has() == {"e"}
    world.say(lambda library: library.confirm(whose(world, "a"), [path(world, "g")]))
    assert kid.has() == {"e", "g"}
    world.say(lambda library: library.merge(whose(world, "c"), whose(world, "a")))
    enter(world, h=(1,), i=(0,))
    assert kid.has() >= {"e", "g", "h", "i", "f"}, "the two are one now, and what entered since shows them"
    assert not kid.has() & {"a", "b", "c", "d"}


def test_what_is_not_them_by_your_word_is_not_delivered(world: World) -> None:
    enter(world, a=(0,), b=(0,))
    kid = Kid(world, whose(world, "a"), person=True)
    kid.folder.rename(world.place / "away")
    enter(world, c=(0,))
    world.act(world.work.following.run)
    world.say(lambda library: library.reject(whose(world, "a"), [path(world, "c")]))
    enter(world, d=(0,))
    world.say(lambda library: library.reject(whose(world, "a"), [path(world, "d")]))
    (world.place / "away").rename(kid.folder)
    assert "d" not in kid.has()


def test_what_is_read_again_edited_or_moved_is_not_delivered_again(world: World) -> None:
    enter(world, old=(0,), older=(0,))
    kid = Kid(world, path(world, "old"))
    enter(world, new=(0,))
    assert kid.has() == {"new"}
    world.say(lambda library: library.scan(every=True))
    assert kid.has() == {"new"}
    for name in ("older", "new"):
        (world.roots[0] / f"{name}.jpg").rename(world.roots[1] / f"moved {name}.jpg")
    world.ears.listen()
    assert kid.has() == {"new"}
    assert (kid.folder / "new.jpg").resolve() == (world.roots[1] / "moved new.jpg").resolve()


def test_what_waits_to_be_read_counts(world: World) -> None:
    enter(world, old=(0,))
    query = path(world, "old")
    world.write(world.roots[0] / "waits.jpg", world.fresh(0))
    for _ in range(20):
        world.tell_all()
        world.step()
        world.pass_time(1.0)
    assert world.lens.waiting
    kid = Kid(world, query)
    assert kid.has() == {"waits"}


def test_a_folder_that_is_away_is_told_and_waited_for(world: World) -> None:
    enter(world, old=(0,))
    kid = Kid(world, path(world, "old"))
    kid.folder.rename(world.place / "away")
    enter(world, new=(0,))
    world.act(world.work.following.run)
    assert not kid.folder.exists(), "it may be on a disk that is not mounted"
    assert "not there" in kid.told()["problem"]
    assert kid.told()["waiting"] == 1
    (notice,) = [text for text in world.library.status()["notices"] if "kid" in text]
    assert "not there" in notice
    (world.place / "away").rename(kid.folder)
    assert kid.has() == {"new"}
    assert kid.told()["problem"] is None
    assert not [text for text in world.library.status()["notices"] if "kid" in text]


def test_no_folder_that_guyverd_keeps_or_reads_is_filled(world: World) -> None:
    enter(world, old=(0,))
    for folder in (world.roots[0] / "new", world.people, world.people / "x", world.state / "x"):
        before = folder.exists()
        with pytest.raises(DeliveryStopped, match="lies in"):
            world.library.follow(path(world, "old"), "kid", str(folder))
        assert folder.exists() is before
    with pytest.raises(DeliveryStopped, match="not there"):
        world.library.follow(path(world, "old"), "kid", str(world.place / "no" / "such"))
    assert list(world.library.follows()) == []


def test_of_several_faces_one_is_chosen(world: World) -> None:
    enter(world, both=(0, 1))
    with pytest.raises(WhomToFollow):
        world.library.follow(path(world, "both"), "kid", str(world.place / "kid"))
    world.library.follow(path(world, "both"), "kid", str(world.place / "kid"), 2)
    enter(world, one=(0,), other=(1,))
    world.act(world.work.following.run)
    assert [one.name for one in (world.place / "kid").iterdir()] == ["other.jpg"]


def test_what_ended_is_left_as_it_is(world: World) -> None:
    enter(world, old=(0,))
    kid = Kid(world, path(world, "old"))
    enter(world, new=(0,))
    assert kid.has() == {"new"}
    assert world.library.unfollow("KID")["delivered"] == 1
    with pytest.raises(UnknownFollow):
        world.library.unfollow("kid")
    enter(world, newer=(0,))
    assert kid.has() == {"new"}


def test_without_a_comparable_vector_it_goes_by_the_person(world: World) -> None:
    enter(world, old=(0,), older=(0,), other=(1,))
    kid = Kid(world, path(world, "old"))
    enter(world, new=(0,))
    assert kid.has() == {"new"}
    world.work.catalogue._db.write(lambda db: db.execute("UPDATE follows SET network = 'another'"))
    enter(world, newer=(0,), another=(1,))
    assert kid.has() == {"new", "newer"}
    assert kid.told()["person"]["id"] == PersonId(int(whose(world, "old")))


@pytest.mark.promise("kill")
def test_killed_at_any_call_of_a_look_it_goes_on(world: World) -> None:
    enter(world, old=(0,))
    new: list[str] = []
    crashes, at = -1, 1
    while crashes < world.crashes:
        crashes = world.crashes
        folder = world.place / f"kid {at}"
        world.library.follow(path(world, "old"), folder.name, str(folder))
        new.append(f"new{at}")
        enter(world, **{new[-1]: (0,)})
        world.disk.set(Fault(at))
        world.act(world.work.following.run)
        world.disk.set(None)
        world.act(world.work.following.run)
        assert [one.stem for one in folder.iterdir()] == new[-1:], at
        world.library.unfollow(folder.name)
        at += scaled(11, 1)
    assert at > 30


@pytest.mark.promise("kill")
def test_a_daemon_delivers_what_comes_and_goes_on_after_a_kill(
    tmp_path: Path, negatives: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    photos, kid = copy(negatives, tmp_path / "photos", "*[01].jpg"), tmp_path / "kid"
    path_ = write_config(photos)
    config = config_file.load(path_)
    daemon = start(path_)
    daemon.told("READY=1")

    def held() -> dict[str, bytes]:
        return {one.name: one.read_bytes() for one in kid.iterdir()}

    with open_library(config) as library:
        eventually(lambda: not library.progress()["busy"])
        # It lies outside of the library, so it is handed over.
        row = library.follow(str(negatives / f"{ASTRONAUT}3.jpg"), "Our kid", str(kid), copy=True)
        assert (row["delivered"], held()) == (0, {})
        for name in (f"{HOPPER}2.jpg", f"{ASTRONAUT}2.jpg"):
            place(negatives / name, photos / name)
        eventually(lambda: [one["delivered"] for one in library.follows()] == [1], 60)
        assert held() == {f"{ASTRONAUT}2.jpg": (photos / f"{ASTRONAUT}2.jpg").read_bytes()}
        kid.rename(tmp_path / "away")
        place(negatives / "both.jpg", photos / "both.jpg")
        eventually(lambda: any("Our kid" in notice for notice in library.status()["notices"]), 60)
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    (tmp_path / "away").rename(kid)
    (kid / f"{ASTRONAUT}2.jpg").unlink()
    again = start(path_)
    again.told("READY=1")
    with open_library(config) as library:
        eventually(lambda: [one["delivered"] for one in library.follows()] == [2], 60)
        assert set(held()) == {"both.jpg"}
        assert not [notice for notice in library.status()["notices"] if "Our kid" in notice]
        library.unfollow("Our kid")
    assert again.stop() == 0
