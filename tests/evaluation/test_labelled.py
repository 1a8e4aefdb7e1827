from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.errors import LabelsWrong
from guyverd.evaluation.labelled import (
    Label,
    Rule,
    contradicting,
    from_folders,
    label_faces,
    labelled_files,
    matched,
    read_csv,
    same_face,
)
from guyverd.model import Box

TITLES = "file,left,top,right,bottom,name\n"
boxes = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30)).map(
    lambda it: Box(it[0], it[1], it[0] + it[2], it[1] + it[3])
)


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


def test_a_folder_labels_photos_without_boxes(tmp_path: Path) -> None:
    (tmp_path / "Ada").mkdir()
    (tmp_path / "Ada" / "1.jpg").touch()
    assert from_folders(str(tmp_path)) == {os.fsencode(tmp_path / "Ada" / "1.jpg"): (Label("Ada", None),)}


# ---- a CSV -----------------------------------------------------------------------------------------------------------


def written(folder: Path, text: str, *, titles: str = TITLES) -> Path:
    for name in ("a.jpg", "b.jpg"):
        (folder / name).touch()
    path = folder / "labels.csv"
    path.write_text(titles + text, encoding="utf-8", errors="surrogateescape", newline="")
    return path


def test_boxes_with_names(tmp_path: Path) -> None:
    path = written(tmp_path, 'a.jpg,1,2,30.4,40.6,Ada\n\n./a.jpg, 50 ,2,70,40,"Bo, the other"\r\nb.jpg,1,2,30,41,Ada\n')
    base = os.fsencode(tmp_path)
    assert read_csv(str(path)) == {
        base + b"/a.jpg": (Label("Ada", Box(1, 2, 30, 41)), Label("Bo, the other", Box(50, 2, 70, 40))),
        base + b"/b.jpg": (Label("Ada", Box(1, 2, 30, 41)),),
    }


def test_columns_in_any_order_and_others_besides(tmp_path: Path) -> None:
    titles = "\ufeffshare,Name,bottom,right,top,left,file\n"
    path = written(tmp_path, f"0.5,Ada,4,3,2,1,{tmp_path}/a.jpg\n", titles=titles)
    assert read_csv(str(path)) == {os.fsencode(tmp_path / "a.jpg"): (Label("Ada", Box(1, 2, 3, 4)),)}


def test_names_of_files_that_are_not_utf8_and_folders_above(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    odd = os.path.join(os.fsencode(tmp_path), b"\xff.jpg")
    with open(odd, "wb"):
        pass
    path = written(tmp_path / "labels", "../\udcff.jpg,1,2,3,4,Ada\n")
    assert read_csv(str(path)) == {odd: (Label("Ada", Box(1, 2, 3, 4)),)}


@pytest.mark.parametrize(
    ("text", "line", "detail"),
    [
        ("a.jpg,1,2,3,4,Ada\na.jpg,1,2,x,4,Ada\n", 3, "right is 'x', and no number"),
        ("a.jpg,1,2,nan,4,Ada\n", 2, "right is 'nan', and no number"),
        ("a.jpg,1,2,inf,4,Ada\n", 2, "right is 'inf', and no number"),
        ("\na.jpg,1,2,1,4,Ada\n", 3, "the box is 0 x 2 pixels"),
        ("a.jpg,1,2,3,4, \n", 2, "the name is empty"),
        (",1,2,3,4,Ada\n", 2, "the file is empty"),
        ("a.jpg,1,2,3,4\n", 2, "5 values for 6 columns"),
        ("c.jpg,1,2,3,4,Ada\n", 2, "there is no file"),
        ("a.jpg,1,2,3,4,Ada\na.jpg,1,2,3,4,Bo\n", 3, "labelled before"),
        ('a.jpg,1,2,3,4,"Ada\n', 2, "not CSV"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(tmp_path: Path, text: str, line: int, detail: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(LabelsWrong) as caught:
        read_csv(str(path))
    assert f"{path}, line {line}: " in caught.value.message
    assert detail in caught.value.message


def test_missing_columns_and_files(tmp_path: Path) -> None:
    with pytest.raises(LabelsWrong, match=r"line 1: there is no column top, name"):
        read_csv(str(written(tmp_path, "", titles="file,left,right,bottom\n")))
    with pytest.raises(LabelsWrong, match=r"there is no column file"):
        read_csv(str(written(tmp_path, "", titles="")))
    with pytest.raises(LabelsWrong, match=r"cannot be read: No such file"):
        read_csv(str(tmp_path / "absent.csv"))
    assert read_csv(str(written(tmp_path, ""))) == {}


# ---- which face is meant ---------------------------------------------------------------------------------------------


def test_marks_are_given_to_the_faces_they_overlap_most() -> None:
    left, right = Box(0, 0, 40, 40), Box(60, 0, 100, 40)
    labels = [Label("Ada", Box(62, 2, 98, 44)), Label("Bo", Box(2, 2, 44, 38)), Label("Cy", Box(200, 0, 240, 40))]
    assert matched(labels, [left, right], 300, 100, Rule.LARGEST) == [1, 0, None]
    # Two marks for one face: the nearer has it.
    near, far = Label("Ada", Box(1, 1, 41, 41)), Label("Bo", Box(8, 8, 48, 48))
    assert matched([far, near], [left], 300, 100, Rule.LARGEST) == [None, 0]
    assert matched([near], [], 300, 100, Rule.LARGEST) == [None]
    assert matched([Label("Ada", None)], [left, Box(0, 0, 50, 50)], 300, 100, Rule.LARGEST) == [1]


def test_a_tight_box_and_a_wide_one_are_the_same_face_but_a_badge_is_none() -> None:
    head, tight = Box(0, 0, 100, 120), Box(22, 30, 78, 90)
    assert head.overlap(tight) < 0.35
    assert same_face(head, tight)
    assert same_face(tight, head)
    assert not same_face(head, Box(40, 50, 60, 70)), "too small to be it"
    assert not same_face(Box(0, 0, 40, 40), Box(30, 0, 70, 40)), "neighbours"
    assert not same_face(Box(0, 0, 10, 10), Box(20, 0, 30, 10))


@given(boxes, boxes)
def test_overlap_is_the_share_of_pixels(one: Box, other: Box) -> None:
    def pixels(box: Box) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box.left, box.right) for y in range(box.top, box.bottom)}

    common, union = pixels(one) & pixels(other), pixels(one) | pixels(other)
    assert one.overlap(other) == pytest.approx(len(common) / len(union))
    assert same_face(one, other) == same_face(other, one)
    assert same_face(one, one)


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5))
def test_no_face_is_given_twice_and_only_to_what_marks_it(marks: list[Box], found: list[Box]) -> None:
    given_ = matched([Label("Ada", box) for box in marks], found, 100, 100, Rule.CENTRE)
    places = [place for place in given_ if place is not None]
    assert len(set(places)) == len(places)
    for mark, place in zip(marks, given_, strict=True):
        if place is not None:
            assert same_face(mark, found[place])
        else:
            assert all(at in places for at, box in enumerate(found) if same_face(mark, box)), "its faces are all taken"


def test_copies_that_say_different_things() -> None:
    ada, bo, boxed = Label("Ada", None), Label("Bo", None), Label("Ada", Box(0, 0, 1, 1))
    assert not contradicting([])
    assert not contradicting([[ada], [ada]])
    assert contradicting([[ada], [bo]])
    assert contradicting([[ada], [boxed]])
    assert not contradicting([[boxed, bo], [bo, boxed]])


@pytest.mark.album
def test_the_labelled_sets_are_read_whole(album: Path) -> None:
    found = labelled_files(str(album / "albums" / "friends8"))
    assert len(found) == 20
    assert {person for _, person in found} >= {"Monica_Geller", "Ross_Geller"}
