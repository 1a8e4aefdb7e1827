"""Labels meet what was found."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from guyverd.errors import GuyverError, LabelsWrong, NothingLabelled
from guyverd.evaluation.labelled import Label, Rule
from guyverd.model import Box
from guyverd.service.pipeline.evaluation.labelling import compare, read_labels
from guyverd.service.pipeline.evaluation.rehearsing import Material
from tests.service.material import made_up


def test_what_became_of_each_label() -> None:
    material = made_up([[1], [1, 2], [3], [], [1]])
    labels = {
        b"/photos/0.jpg": (Label("Bo", None),),
        b"/photos/1.jpg": (
            Label("Ada", Box(112, 8, 188, 92)),
            Label("Bo", Box(8, 8, 92, 92)),
            Label("Cy", Box(300, 0, 390, 90)),
        ),
        b"/photos/3.jpg": (Label("Dee", None),),
        b"/photos/broken.jpg": (Label("Eve", None),),
        b"/photos/notes.txt": (Label("Eve", None),),
    }
    truth = compare(labels, material, [b"/photos/broken.jpg", b"/photos/other.jpg"], Rule.LARGEST)
    assert truth.names == ("Ada", "Bo", "Cy", "Dee", "Eve")
    assert truth.people.tolist() == [2, 1, 2, 3, 4]
    assert truth.photos.tolist() == [0, 1, 1, 1, 3]
    assert truth.rows.tolist() == [0, 2, 1, -1, -1]
    assert truth.found.tolist() == [0, 1, 2]
    assert truth.of_rows(len(material)).tolist() == [2, 2, 1, 0, 0]
    assert (truth.unreadable, truth.contradicting) == (1, 0)


def test_copies_under_several_names_are_left_out(tmp_path: Path) -> None:
    photos = made_up([[1], [2]]).photos
    material = Material([replace(photos[0], files=(b"/p/Ada/1.jpg", b"/p/Bo/1.jpg")), photos[1]])
    labels = {
        b"/p/Ada/1.jpg": (Label("Ada", None),),
        b"/p/Bo/1.jpg": (Label("Bo", None),),
        b"/photos/1.jpg": (Label("Bo", None),),
    }
    truth = compare(labels, material, [], Rule.LARGEST)
    assert (truth.contradicting, truth.people.tolist(), truth.rows.tolist()) == (1, [2], [1])
    same = {**labels, b"/p/Bo/1.jpg": (Label("Ada", None),)}
    assert compare(same, material, [], Rule.LARGEST).rows.tolist() == [0, 1], "a copy counts once"


def test_files_are_the_same_by_whatever_path_they_are_reached(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.jpg").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    photo = replace(made_up([[1]]).photos[0], files=(os.fsencode(tmp_path / "link" / "1.jpg"),))
    labels = {os.fsencode(tmp_path / "real" / "1.jpg"): (Label("Ada", None),)}
    assert compare(labels, Material([photo]), [], Rule.LARGEST).rows.tolist() == [0]


def test_labels_that_are_of_no_use(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "loose.jpg").touch()
    with pytest.raises(NothingLabelled, match=str(photos)):
        read_labels(photos, None)
    with pytest.raises(GuyverError, match="cannot be listed"):
        read_labels(tmp_path / "absent", None)
    (tmp_path / "photos2").mkdir()
    (tmp_path / "photos2" / "a.jpg").touch()
    csv = tmp_path / "labels.csv"
    csv.write_text("file,left,top,right,bottom,name\nphotos2/a.jpg,0,0,9,9,Ada\n")
    with pytest.raises(LabelsWrong, match=r"photos2/a.jpg does not lie in"):
        read_labels(photos, csv)
    csv.write_text("file,left,top,right,bottom,name\n")
    with pytest.raises(NothingLabelled):
        read_labels(photos, csv)
    csv.write_text("file,left,top,right,bottom,name\nphotos/loose.jpg,0,0,9,9,Ada\n")
    assert list(read_labels(photos, csv)) == [os.fsencode(photos / "loose.jpg")]
