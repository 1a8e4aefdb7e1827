"""Real photos that are edited, brought back as they were, or forgotten and found again: what was said of them holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from guyverd import config_file
from guyverd.config import Config
from guyverd.service.access import open_library
from guyverd.service.api import Row
from tests.service.conftest import ASTRONAUT, HOPPER, copy, eventually, place, scan, tree

pytestmark = pytest.mark.promise("edited")

ONLY, OTHER = f"{HOPPER}1.jpg", f"{HOPPER}2.jpg"


@pytest.fixture
def told(tmp_path: Path, negatives: Path, write_config: Callable[..., Path]) -> Config:
    """A library that shows the admiral in two photos, and somebody has said who she is in one of them."""
    photos = copy(negatives, tmp_path / "photos", f"{ASTRONAUT}*.jpg")
    for name in (ONLY, OTHER):
        place(negatives / name, photos / name)
    config = config_file.load(
        write_config(photos, watch="{quiet: 300 ms, ceiling: 3 s, poll: 1 s, removal_grace: 0 s}")
    )
    scan(config)
    with open_library(config) as library:
        (face,) = (row for row in library.faces() if row["files"][0].endswith(ONLY))
        library.name(str(face["person"]), "Grace")
        library.confirm("Grace", [str(face["face"])])
    # Now that is all that tells who she is.
    (photos / OTHER).unlink()
    scan(config)
    assert tree(config.people)["Grace"] == {ONLY}
    return config


def hers(config: Config) -> Row:
    """Her one face that is there."""
    with open_library(config) as library:
        assert all(row["ok"] for row in library.check()["checks"])
        (face,) = library.faces("Grace")
        return face


def edited(photo: Path) -> bytes:
    """The photo brighter, cropped and saved again, at once in its place; gives the bytes that were there."""
    before = photo.read_bytes()
    aside = photo.parent / ".edited.jpg"
    with Image.open(photo) as opened:
        brighter = ImageEnhance.Brightness(opened.convert("RGB")).enhance(1.15)
        brighter.crop((12, 9, opened.width - 5, opened.height - 11)).save(aside, quality=80)
    os.utime(aside, (1_600_000_100, 1_600_000_100))
    aside.rename(photo)
    return before


def test_an_edited_photo_is_still_hers_and_so_it_is_as_it_was(told: Config) -> None:
    photo = told.photos[0] / ONLY
    first = hers(told)
    before = edited(photo)
    scan(told)
    second = hers(told)
    assert (second["face"], second["person"]) == (first["face"], first["person"])
    assert second["photo"] != first["photo"]
    assert tree(told.people)["Grace"] == {ONLY}

    photo.write_bytes(before)
    os.utime(photo, (1_600_000_000, 1_600_000_000))
    scan(told)
    third = hers(told)
    assert (third["face"], third["person"]) == (first["face"], first["person"])
    assert third["box"] == first["box"]


def test_a_photo_that_was_forgotten_is_hers_when_it_returns(told: Config, negatives: Path) -> None:
    photo = told.photos[0] / ONLY
    first = hers(told)
    photo.unlink()

    def forgotten() -> bool:
        scan(told)
        with open_library(told) as library:
            return int(library.forget()["in_grace"] + library.forget()["photos"]) == 0

    eventually(forgotten)
    with open_library(told) as library:
        assert library.status()["counts"]["photos"] == 4
        assert {row["name"]: row["photos"] for row in library.people()}["Grace"] == 0
    assert "Grace" not in tree(told.people)
    place(negatives / ONLY, told.photos[0] / "found on an old disk.jpg")
    assert scan(told)["photos_done"] == 0
    assert hers(told)["face"] == first["face"]
    assert tree(told.people)["Grace"] == {"found on an old disk.jpg"}
