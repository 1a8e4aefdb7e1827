"""Which files belong to a photo, by their names alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guyverd.media.companions import Companions, is_companion, photo_stem


def of(folder: Path, photo: str, companions: Companions | None = None) -> list[str]:
    found = (companions or Companions()).of(os.fsencode(folder / photo))
    return [os.path.basename(os.fsdecode(path)) for path in found]


@pytest.mark.parametrize(
    ("photo", "beside"),
    [
        ("IMG_1.HEIC", ["IMG_1.MOV"]),
        ("IMG_1.JPG", ["IMG_1.CR2", "IMG_1.xmp"]),
        ("IMG_1.JPG", ["IMG_1.JPG.xmp"]),
        ("a.b.jpg", ["a.b.mp4"]),
    ],
)
def test_what_belongs_to_a_photo_has_its_name(tmp_path: Path, photo: str, beside: list[str]) -> None:
    for name in (photo, *beside, "IMG_2.MOV", "IMG_12.MOV", "IMG_1 copy.MOV", "IMG_1.txt", ".IMG_1.MOV", "a.mp4"):
        (tmp_path / name).touch()
    assert of(tmp_path, photo) == beside


def test_a_sidecar_of_one_of_two_photos_is_that_ones_alone(tmp_path: Path) -> None:
    for name in ("1.HEIC", "1.JPG", "1.HEIC.xmp", "1.MOV"):
        (tmp_path / name).touch()
    assert of(tmp_path, "1.HEIC") == ["1.HEIC.xmp", "1.MOV"]
    assert of(tmp_path, "1.JPG") == ["1.MOV"]


def test_what_comes_later_is_found_with_the_next_look(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    companions = Companions()
    assert of(tmp_path, "1.jpg", companions) == []
    (tmp_path / "1.mov").touch()
    # A change within the same tick of the file system's clock would not show.
    os.utime(tmp_path, ns=(1, 1))
    assert of(tmp_path, "1.jpg", companions) == []
    companions.look_anew()
    assert of(tmp_path, "1.jpg", companions) == ["1.mov"]


def test_a_folder_that_cannot_be_seen_has_nothing(tmp_path: Path) -> None:
    assert of(tmp_path / "nowhere", "1.jpg") == []


def test_pictures_are_no_companions() -> None:
    assert not is_companion(b"1.jpg")
    assert is_companion(b"1.DNG")
    assert photo_stem(b"1.HEIC.xmp") == b"1"
