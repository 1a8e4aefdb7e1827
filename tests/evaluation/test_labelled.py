from __future__ import annotations

import os
from pathlib import Path

import pytest

from guyverd.evaluation.labelled import Rule, label_faces, labelled_files
from guyverd.model import Box


def test_the_first_folder_is_the_person(tmp_path: Path) -> None:
    for name in ("Bo/b.jpg", "Ada/2.jpg", "Ada/1.jpg", "Ada/trip/0.jpg", "Ada/.hidden", ".trash/x.jpg", "loose.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = labelled_files(str(tmp_path))
    base = os.fsencode(tmp_path)
    assert found == [
        (base + b"/Ada/1.jpg", "Ada"),
        (base + b"/Ada/2.jpg", "Ada"),
        (base + b"/Ada/trip/0.jpg", "Ada"),
        (base + b"/Bo/b.jpg", "Bo"),
    ]
    assert labelled_files(base) == found


def test_names_that_are_not_utf8_and_folders_that_are_not_there(tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"J\xf6rg")
    os.mkdir(folder)
    with open(os.path.join(folder, b"\xff.jpg"), "wb"):
        pass
    assert labelled_files(str(tmp_path)) == [(folder + b"/\xff.jpg", "J\ufffdrg")]
    with pytest.raises(FileNotFoundError):
        labelled_files(str(tmp_path / "absent"))


def test_which_face_is_meant() -> None:
    small_centre, large_corner = Box(40, 40, 60, 60), Box(0, 0, 40, 40)
    boxes = [large_corner, small_centre]
    assert label_faces(boxes, 100, 100, Rule.CENTRE) == 1
    assert label_faces(boxes, 100, 100, Rule.LARGEST) == 0
    assert label_faces([large_corner, large_corner], 100, 100, Rule.LARGEST) == 0
    for rule in Rule:
        assert label_faces([], 100, 100, rule) is None
        assert label_faces([small_centre], 500, 10, rule) == 0


@pytest.mark.album
def test_the_labelled_sets_are_read_whole(album: Path) -> None:
    found = labelled_files(str(album / "albums" / "friends8"))
    assert len(found) == 20
    assert {person for _, person in found} >= {"Monica_Geller", "Ross_Geller"}
