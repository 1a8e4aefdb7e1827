"""Photos read again by another engine, with real faces: who people are, what they are called and where they stand."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import OtherModel
from guyverd.model import FaceId, PersonId
from guyverd.service.access import open_library
from guyverd.service.api import Row
from guyverd.service.pipeline.words.deciding import Deciding
from tests.service.conftest import ASTRONAUT, HOPPER, Daemon, eventually, groups, scan, tree

PORTRAITS = {f"{stem}{number}.jpg" for stem in (ASTRONAUT, HOPPER) for number in range(4)}


def scan_again(config: Config, *, every: bool = False) -> Row:
    """A whole pass that reads anew what another engine read, or everything."""
    with open_library(config) as library:
        library.scan(again=True, every=every)
        deadline = time.monotonic() + 120
        while (progress := library.progress())["busy"]:
            assert time.monotonic() < deadline, progress
            time.sleep(0.05)
        assert [row for row in library.check()["checks"] if not row["ok"]] == []
    return progress


def people_of(config: Config) -> dict[tuple[str, int], tuple[int, str | None]]:
    """Whose each surely found face is, with the person's name: by file name and place in the picture."""
    with open_library(config) as library:
        names = {row["id"]: row["name"] for row in library.people()}
        return {
            (Path(row["files"][0]).name, row["face"]): (row["person"], names[row["person"]])
            for row in library.faces()
            if row["person"] is not None
        }


def vectors(config: Config) -> dict[int, bytes]:
    with sqlite3.connect(f"file:{config.state}/catalogue.db?mode=ro", uri=True) as raw:
        return dict(raw.execute("SELECT id, embedding FROM faces"))


def pretend(config: Config, engine: str) -> None:
    """As if another engine had read all photos."""
    with sqlite3.connect(config.state / "catalogue.db") as raw:
        raw.execute("UPDATE photos SET engine = ?", (engine,))


@pytest.fixture
def named(config: Config) -> Config:
    """A library in which both people have a name, and one face of Ada's was said not to be hers."""
    scan(config)
    with open_library(config) as library:
        for row in list(library.people()):
            pictures = library.person(str(row["id"]))["pictures"]
            stem = "Ada" if any(ASTRONAUT in picture["files"][0] for picture in pictures) else "Grace"
            library.name(str(row["id"]), stem)
    return config


def test_another_engine_reads_all_photos_anew_and_nobody_loses_anything(
    named: Config, photos: Path, write_config: Callable[..., Path]
) -> None:
    people, folders, old = people_of(named), tree(named.people), vectors(named)
    assert set(folders) == {"Ada", "Grace"}
    assert scan_again(named)["photos_done"] == 0, "the same engine would find the same"
    thorough = config_file.load(write_config(photos, faces="{level: thorough}"))
    assert scan_again(thorough)["photos_done"] == 9
    assert people_of(thorough).items() >= people.items()
    assert tree(thorough.people) == folders
    new = vectors(thorough)
    assert any(new[face] != old[face] for _, face in people), "it did look for itself"
    assert scan_again(thorough)["photos_done"] == 0
    assert scan_again(thorough, every=True)["photos_done"] == 9
    assert people_of(thorough).items() >= people.items()
    assert tree(thorough.people) == folders


def test_a_new_face_model_describes_everybody_anew_under_the_same_names(named: Config, photos: Path) -> None:
    people, folders = people_of(named), tree(named.people)
    pretend(named, "an engine of last year, resnet 00000000")
    with open_library(named) as library, pytest.raises(OtherModel):
        library.who(str(photos / "both.jpg"))
    assert scan_again(named)["photos_done"] == 9
    assert people_of(named) == people
    assert tree(named.people) == folders
    with open_library(named) as library:
        known = library.who(str(photos / f"{ASTRONAUT}1.jpg"))["faces"]
        assert "Ada" in {row["person"]["name"] for row in known if row["person"]}


def test_new_photos_wait_for_their_people_until_the_others_are_read_by_the_same_model(
    named: Config, photos: Path, negatives: Path
) -> None:
    pretend(named, "an engine of last year, resnet 00000000")
    late = photos / "late.jpg"
    late.write_bytes((photos / f"{ASTRONAUT}2.jpg").read_bytes() + b"one more byte")
    os.utime(late, (1_600_000_000, 1_600_000_000))
    folders = tree(named.people)
    scan(named)
    assert tree(named.people) == folders
    assert scan_again(named)["photos_done"] == 9, "the new one was read by this engine"
    assert tree(named.people) == {**folders, "Ada": folders["Ada"] | {"late.jpg"}}


def test_what_was_said_of_a_face_outlasts_a_detector_that_does_not_find_it(
    named: Config, photos: Path, write_config: Callable[..., Path]
) -> None:
    """Small faces are not looked for any more: of those found before only the confirmed one stays."""
    before = people_of(named)
    ((file, face), (person, _)) = next(item for item in before.items() if item[0][0] in PORTRAITS)
    with Catalogue(os.fsencode(named.state / "catalogue.db")) as catalogue:
        Deciding(catalogue).confirm(PersonId(person), [FaceId(face)])
    blind = config_file.load(write_config(photos, faces="{smallest: 40 %, level: fast}"))
    assert scan_again(blind, every=True)["photos_done"] == 9
    assert people_of(blind) == {(file, face): before[file, face]}
    assert {name for names in tree(blind.people).values() for name in names} == {file}
    seeing = config_file.load(write_config(photos))
    scan_again(seeing, every=True)
    assert people_of(seeing)[file, face] == before[file, face]
    assert tree(seeing.people).keys() >= {before[file, face][1]}


def test_the_daemon_says_that_an_older_engine_read_photos_and_reads_them_when_asked(
    named: Config, tmp_path: Path, start: Callable[..., Daemon]
) -> None:
    folders = groups(named.people)
    pretend(named, "an engine of last year, resnet 00000000")
    daemon = start(tmp_path / "config.yaml")
    daemon.told("READY=1")
    with open_library(named) as library:

        def told() -> list[str]:
            return [text for text in library.status()["notices"] if "guyverd scan --again" in text]

        eventually(lambda: bool(told()))
        assert told()[0].startswith("9 photos were read by an older engine")
        library.scan(again=True)
        eventually(lambda: not library.progress()["busy"], 120)
        assert told() == []
        assert library.status()["backlog"] == {"files": 0, "photos": 0, "videos": 0, "faces": 0}
        assert [row for row in library.check()["checks"] if not row["ok"]] == []
    assert groups(named.people) == folders
    assert daemon.stop() == 0
