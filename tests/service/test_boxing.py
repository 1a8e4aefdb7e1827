"""Faces drawn by hand in real photos: added, grouped, kept through readings, undone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import (
    BoxRefused,
    CannotDecide,
    GuyverError,
    PersonError,
    PictureMissing,
    PictureUnreadable,
    UnknownPerson,
    Unread,
)
from guyverd.model import DecisionKind, PersonId
from guyverd.service.access import open_library
from guyverd.service.api import Library
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.words.undoing import redo, undo
from tests.service.conftest import HOPPER, Daemon, eventually, scan, tree
from tests.service.test_again import pretend, scan_again


@pytest.fixture
def dark(config: Config, photos: Path, write_config: Callable[..., Path]) -> Config:
    """The library with one more photo: the admiral in the corner of a hall, too small to be looked for."""
    with Image.open(photos / f"{HOPPER}1.jpg") as portrait:
        hall = Image.new("RGB", (1600, 1200), "grey")
        hall.paste(portrait.resize((portrait.width // 3, portrait.height // 3)), (900, 600))
        hall.save(photos / "hall.jpg", quality=95)
    os.utime(photos / "hall.jpg", (1_600_000_000, 1_600_000_000))
    found = config_file.load(write_config(photos, faces="{smallest: 14 %}"))
    scan(found)
    with open_library(found) as library:
        assert [row for row in library.faces() if row["files"][0].endswith("hall.jpg")] == []
        (admiral,) = (row for row in library.people() if _shows(library, row["id"], HOPPER))
        library.name(str(admiral["id"]), "Grace")
    return found


@pytest.fixture
def place(photos: Path, config: Config) -> list[int]:
    """Where her head is in the hall, drawn with a free hand; from where it is in the portrait."""
    with open_library(config) as library:
        found = library.who(str(photos / f"{HOPPER}1.jpg"))["faces"]
    left, top, right, bottom = max(found, key=lambda row: row["confidence"])["box"]
    width, height = right - left, bottom - top
    head = (left - 0.1 * width, top - 0.4 * height, right + 0.1 * width, bottom + 0.1 * height)
    return [round(edge / 3) + offset for edge, offset in zip(head, (900, 600, 900, 600), strict=True)]


def _shows(library: Library, person: int, stem: str) -> bool:
    pictures = library.person(str(person))["pictures"]
    return any(f"{stem}0" in picture["files"][0] for picture in pictures)


def hall_of(config: Config) -> list[tuple[int, str | None, bool, list[int]]]:
    """The faces in the hall: number, name, whether drawn, box."""
    with open_library(config) as library:
        names = {row["id"]: row["name"] for row in library.people()}
        return [
            (row["face"], names.get(row["person"]), row["manual"], row["box"])
            for row in library.faces()
            if row["files"][0].endswith("hall.jpg")
        ]


def checks(config: Config) -> list[str]:
    with open_library(config) as library:
        return [f"{row['name']}: {row['detail']}" for row in library.check()["checks"] if not row["ok"]]


def decided(config: Config, act: Callable[[Catalogue], object]) -> None:
    work = Coordinator(config)
    try:
        work.decide(lambda: act(work.catalogue))
    finally:
        work.stop()


def test_a_face_that_was_missed_is_added_to_whom_it_belongs_and_stays(
    dark: Config, photos: Path, place: list[int]
) -> None:
    with open_library(dark) as library:
        added = library.box(str(photos / "hall.jpg"), place, person="grace")
        assert (added["name"], added["box"], added["folder"]) == ("Grace", place, str(dark.people / "Grace"))
        assert "hall.jpg" in tree(dark.people)["Grace"]
    assert hall_of(dark) == [(added["face"], "Grace", True, place)]
    assert checks(dark) == []
    scan_again(dark, every=True)
    assert hall_of(dark) == [(added["face"], "Grace", True, place)]
    pretend(dark, "an engine of last year, resnet 00000000")
    scan_again(dark)
    assert hall_of(dark) == [(added["face"], "Grace", True, place)]
    assert "hall.jpg" in tree(dark.people)["Grace"]


def test_with_nobody_named_it_finds_its_person_like_any_other(dark: Config, photos: Path, place: list[int]) -> None:
    with open_library(dark) as library:
        added = library.box(str(photos / "hall.jpg"), place)
        assert added["name"] == "Grace", "her face is small, and still hers"
        found = library.search(str(photos / f"{HOPPER}1.jpg"), k=20, face=1, duplicates=True)["results"]
        assert added["face"] in {row["face"] for row in found}, "it can be found from now on"
    assert "hall.jpg" in tree(dark.people)["Grace"]


def test_somebody_new_gets_a_number_a_name_and_a_folder(dark: Config, photos: Path, place: list[int]) -> None:
    with open_library(dark) as library:
        added = library.box(str(photos / "hall.jpg"), place, name=" Rear  Admiral ")
        assert added["name"] == "Rear Admiral"
        assert library.person("Rear Admiral")["faces"] == 1
        assert tree(dark.people)["Rear Admiral"] == {"hall.jpg"}
        (decision,) = [row for row in library.log() if row["decision"] == added["decision"]]
        assert (decision["kind"], decision["name"]) == ("box", "Rear Admiral"), "all of it is one decision"
        assert library.undo()["undoes"] == added["decision"]
        assert "Rear Admiral" not in {row["name"] for row in library.people()} | set(tree(dark.people))
        library.redo()
    assert checks(dark) == []
    scan(dark)
    assert tree(dark.people)["Rear Admiral"] == {"hall.jpg"}, "the user's word stands against all likeness"


def test_a_box_that_is_only_tried_leaves_no_face_and_no_folder(dark: Config, photos: Path, place: list[int]) -> None:
    with open_library(dark) as library:
        log, before = list(library.log()), tree(dark.people)
        for given in ({"person": "Grace"}, {"name": "Rear Admiral"}, {}):
            tried = library.box(str(photos / "hall.jpg"), place, given.get("person"), given.get("name"), dry=True)
            assert (tried["dry_run"], tried["decision"]) == (True, log[-1]["decision"] + 1)
            assert (tried["name"], tried["box"]) == (next(iter(given.values()), None), place)
            assert (list(library.log()), tree(dark.people)) == (log, before)
        with pytest.raises(CannotDecide):
            library.box(str(photos / "hall.jpg"), place, name="grace", dry=True)
        added = library.box(str(photos / "hall.jpg"), place, name="Rear Admiral")
        assert (added["face"], added["decision"]) == (tried["face"], tried["decision"]), "as was told"
    assert checks(dark) == []


def test_a_detector_that_finds_it_later_finds_no_second_face(
    dark: Config, photos: Path, place: list[int], write_config: Callable[..., Path]
) -> None:
    with open_library(dark) as library:
        added = library.box(str(photos / "hall.jpg"), place, person="Grace")
    keen = config_file.load(write_config(photos, faces="{smallest: 4 %, level: thorough}"))
    scan_again(keen)
    assert hall_of(keen) == [(added["face"], "Grace", True, place)]


def test_what_was_drawn_can_be_undone_and_redone(dark: Config, photos: Path, place: list[int]) -> None:
    before = tree(dark.people)
    with open_library(dark) as library:
        added = library.box(str(photos / "hall.jpg"), place, person="Grace")
    decided(dark, undo)
    assert hall_of(dark) == []
    assert tree(dark.people) == before
    assert checks(dark) == []
    scan_again(dark, every=True)
    decided(dark, redo)
    assert hall_of(dark) == [(added["face"], "Grace", True, place)]
    assert "hall.jpg" in tree(dark.people)["Grace"]
    assert checks(dark) == []


def test_where_a_face_is_known_none_is_added(dark: Config, photos: Path) -> None:
    with open_library(dark) as library:
        known = next(row for row in library.faces("Grace") if row["files"][0].endswith(f"{HOPPER}0.jpg"))
        count = len(list(library.faces()))
        left, top, right, bottom = known["box"]
        with pytest.raises(BoxRefused, match=rf"face {known['face']} is there already, and it is Grace"):
            library.box(known["files"][0], [left - 9, max(0, top - 20), right + 5, bottom + 5], name="Somebody")
        assert len(list(library.faces())) == count
        assert "Somebody" not in {row["name"] for row in library.people()}


def test_boxes_that_cannot_be_are_told_why_and_change_nothing(dark: Config, photos: Path, tmp_path: Path) -> None:
    hall, elsewhere = photos / "hall.jpg", tmp_path / "elsewhere.png"
    Image.new("RGB", (400, 300), "red").save(elsewhere)
    (tmp_path / "text.txt").write_text("no picture")
    good = [10, 10, 110, 110]
    with open_library(dark) as library:
        log = len(list(library.faces()))
        wrong: list[tuple[Path, list[int], dict[str, str], type[GuyverError], str]] = [
            (hall, [10, 10, 10, 110], {}, BoxRefused, "right edge"),
            (hall, [110, 10, 10, 110], {}, BoxRefused, "right edge"),
            (hall, [10, 10, 29, 110], {}, BoxRefused, "19 × 100 pixels"),
            (hall, [1550, 10, 1601, 110], {}, BoxRefused, "1600 × 1200"),
            (hall, [10, 1150, 110, 1201], {}, BoxRefused, "1600 × 1200"),
            (hall, [-1, 10, 110, 110], {}, BoxRefused, "1600 × 1200"),
            (hall, [2000, 2000, 2100, 2100], {}, BoxRefused, "1600 × 1200"),
            (hall, [0, 0, 10**18, 10**18], {}, BoxRefused, "no picture"),
            (elsewhere, good, {}, Unread, "elsewhere"),
            (tmp_path / "nothing.jpg", good, {}, PictureMissing, "nothing"),
            (tmp_path, good, {}, PictureUnreadable, "folder"),
            (tmp_path / "text.txt", good, {}, PictureUnreadable, "text"),
            (hall, good, {"person": "Nobody"}, UnknownPerson, "Nobody"),
            (hall, good, {"name": "grace"}, CannotDecide, "already"),
            (hall, good, {"name": "a\tb\x1b"}, PersonError, "no name"),
            (hall, good, {"name": "Caf\udce9"}, PersonError, "no name"),
        ]
        for path, box, who, problem, told in wrong:
            with pytest.raises(problem, match=told):
                library.box(str(path), box, who.get("person"), who.get("name"))
        assert len(list(library.faces())) == log
    with Catalogue(os.fsencode(dark.state / "catalogue.db")) as catalogue:
        assert [one.kind for one in catalogue.decisions.log() if one.kind is DecisionKind.BOX] == []


def test_any_copy_of_a_photo_or_link_to_it_will_do(
    dark: Config, photos: Path, tmp_path: Path, place: list[int]
) -> None:
    shutil.copy(photos / "hall.jpg", tmp_path / "copy.jpg")
    with open_library(dark) as library:
        added = library.box(str(tmp_path / "copy.jpg"), place, person="Grace")
        link = next(path for path in (dark.people / "Grace").iterdir() if path.resolve().name == "hall.jpg")
        with pytest.raises(BoxRefused, match=f"face {added['face']}"):
            library.box(str(link), place)


@pytest.fixture
def running(dark: Config, tmp_path: Path, start: Callable[..., Daemon]) -> Iterator[Daemon]:
    daemon = start(tmp_path / "config.yaml")
    daemon.told("READY=1")
    yield daemon
    assert daemon.stop() == 0


def test_a_daemon_adds_it_while_it_runs(running: Daemon, dark: Config, photos: Path, place: list[int]) -> None:
    with open_library(dark) as library:
        added = library.box(str(photos / "hall.jpg"), place, name="Rear Admiral")
        assert tree(dark.people)["Rear Admiral"] == {"hall.jpg"}
        assert library.person(str(PersonId(added["person"])))["name"] == "Rear Admiral"
        eventually(lambda: library.status()["backlog"]["faces"] == 0)
        assert [row for row in library.check()["checks"] if not row["ok"]] == []
        with pytest.raises(BoxRefused):
            library.box(str(photos / "hall.jpg"), place)
