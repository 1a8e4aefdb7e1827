"""Photos that are gone for good: few are forgotten by themselves, many only when somebody looked and said so."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.errors import CannotDecide
from guyverd.service.access import open_library
from guyverd.service.api import Library, Row
from guyverd.service.pipeline.coordinator import Coordinator
from tests.service.conftest import ASTRONAUT, HOPPER, Daemon, copy, eventually, scan

pytestmark = pytest.mark.promise("removal")
COUNT = 12


def many(negatives: Path, photos: Path) -> None:
    """Two people's photos, and so many of other contents, most without a face, in a folder of their own."""
    copy(negatives, photos)
    (photos / "2019").mkdir()
    for number in range(COUNT):
        file = photos / "2019" / f"{number}.jpg"
        file.write_bytes((negatives / f"{HOPPER}{number % 4}.jpg").read_bytes() + b"%d" % number)
        os.utime(file, (1_600_000_000, 1_600_000_000))


@pytest.fixture
def config(tmp_path: Path, negatives: Path, write_config: Callable[..., Path]) -> Config:
    """A library that forgets at once, but never much."""
    photos = tmp_path / "photos"
    many(negatives, photos)
    watch = "{quiet: 200 ms, ceiling: 2 s, poll: 1 s, removal_grace: 1 s, removal_limit: 10 %}"
    return config_file.load(write_config(photos, watch=watch))


def named(library: Library) -> dict[str, Row]:
    return {row["name"]: row for row in library.people() if row["name"]}


def person_of(library: Library, photo: Path) -> int:
    return int(next(row["person"] for row in library.faces() if str(photo) in row["files"]))


def baptise(library: Library, photos: Path) -> None:
    """Names for both, and a word about a face of each kind."""
    library.name(str(person_of(library, photos / f"{ASTRONAUT}0.jpg")), "Eileen")
    library.name(str(person_of(library, photos / f"{HOPPER}0.jpg")), "Grace")
    library.confirm("Grace", [str(photos / "2019" / "0.jpg")])
    library.reject("Grace", [str(photos / "2019" / "1.jpg")])
    library.different(str(photos / "2019" / "2.jpg"), str(photos / f"{ASTRONAUT}0.jpg"))


@pytest.fixture
def lost(config: Config) -> Iterator[Config]:
    """The library with names, after most of its photos went and their time of grace is over."""
    scan(config)
    with open_library(config) as library:
        baptise(library, config.photos[0])
    shutil.rmtree(config.photos[0] / "2019")
    scan(config)
    time.sleep(2.1)
    yield config
    with open_library(config) as library:
        assert all(row["ok"] for row in library.check()["checks"])


def many_are_asked_about_and_the_answer_is_kept_to(lost: Config) -> None:
    """Through whatever answers for the library."""
    with open_library(lost) as library:
        assert named(library)["Grace"]["photos"] == 5, "five of hers are there"
        shown = library.forget()
        assert (shown["photos"], shown["total"], shown["files"], shown["replaced"]) == (COUNT, COUNT + 9, COUNT, 0)
        assert shown["folders"] == [
            {"root": str(lost.photos[0]), "folder": "2019", "files": COUNT, "since": shown["folders"][0]["since"]}
        ]
        assert [(row["name"], row["photos"], row["left"]) for row in shown["people"]] == [("Grace", COUNT - 1, 5)]
        assert shown["faces"] == COUNT
        assert shown["spoken_of"] == 3
        assert not shown["forgotten"]
        assert library.forget()["stamp"].partition("-")[2] == shown["stamp"].partition("-")[2]
        log = list(library.log())
        for wrong in ("65a1b2c3-0d4e5f6a7b", "nonsense", shown["stamp"][:-1] + "x", f"ffffffff-{shown['stamp'][9:]}"):
            with pytest.raises(CannotDecide):
                library.forget(True, wrong)
        with pytest.raises(CannotDecide):
            library.forget(True)
        assert library.forget()["photos"] == COUNT, "to ask is not to answer"
        done = library.forget(True, shown["stamp"])
        assert done == {**shown, "forgotten": True}
        assert library.forget()["photos"] == 0
        assert list(library.log()) == log, "what was said stays said"
        assert {name: row["photos"] for name, row in named(library).items()} == {"Grace": 5, "Eileen": 5}
        last = library.undo()
        assert last["kind"] == "undo", "also what is about a face that is no more can be taken back"
        library.redo()


def test_nothing_is_forgotten_of_a_folder_that_is_away_nor_what_came_back(lost: Config, negatives: Path) -> None:
    """Also where that was not noticed yet, because no daemon runs."""
    photos = lost.photos[0]
    with open_library(lost) as library:
        stamp = library.forget()["stamp"]
    photos.rename(photos.with_name("unplugged"))
    with open_library(lost) as library:
        assert library.forget()["photos"] == 0
        with pytest.raises(CannotDecide):
            library.forget(True, stamp)
    scan(lost)
    time.sleep(2.1)
    scan(lost)
    photos.with_name("unplugged").rename(photos)
    scan(lost)
    with open_library(lost) as library:
        assert library.forget()["photos"] == COUNT
        assert named(library)["Grace"]["photos"] == 5
        stamp = library.forget()["stamp"]
    (lost.photos[0] / "2019").mkdir()
    again = lost.photos[0] / "2019" / "3.jpg"
    again.write_bytes((negatives / f"{HOPPER}3.jpg").read_bytes() + b"3")
    with open_library(lost) as library:
        with pytest.raises(CannotDecide, match="there again"):
            library.forget(True, stamp)
        assert library.forget()["photos"] == COUNT
    scan(lost)
    with open_library(lost) as library:
        with pytest.raises(CannotDecide, match="not what was shown"):
            library.forget(True, stamp)
        shown = library.forget()
        assert shown["photos"] == COUNT - 1
        library.forget(True, shown["stamp"])
        assert any(str(again) in row["files"] for row in library.faces())


@pytest.mark.torture
def test_few_go_by_themselves_but_not_what_is_there_after_all(config: Config, negatives: Path) -> None:
    """The last look at the disk counts, also where nothing had told that a file came back."""
    scan(config)
    photos = config.photos[0]
    away = photos / "2019" / "0.jpg"
    away.rename(photos / "aside.txt")
    gone = photos / "2019" / "1.jpg"
    gone.unlink()
    scan(config)
    time.sleep(2.1)
    coordinator = Coordinator(config)
    try:
        coordinator.observing.inspect_roots()
        (photos / "aside.txt").rename(away)
        assert not coordinator.forgetting.settle(), "one of them is there"
        assert coordinator.catalogue.counts().missing_files == 2
    finally:
        coordinator.stop()
    scan(config)
    with open_library(config) as library:
        assert library.forget()["photos"] == 0
        files = {file for row in library.faces() for file in row["files"]}
        assert str(away) in files
        assert str(gone) not in files
    coordinator = Coordinator(config)
    try:
        assert coordinator.catalogue.counts().missing_files == 0, "the other was forgotten"
    finally:
        coordinator.stop()


def test_a_daemon_says_once_what_to_type(lost: Config, tmp_path: Path, start: Callable[..., Daemon]) -> None:
    daemon = start(tmp_path / "config.yaml")
    daemon.told("READY=1")

    def notices() -> str:
        with open_library(lost) as library:
            return " ".join(library.status()["notices"])

    eventually(lambda: f"{COUNT} of {COUNT + 9} photos are gone" in notices())
    assert "`guyverd forget`" in notices()
    many_are_asked_about_and_the_answer_is_kept_to(lost)
    assert "forget" not in notices()
    assert daemon.log.read_text().count("photos are gone") == 1
    assert daemon.stop() == 0
