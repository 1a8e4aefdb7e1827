"""Evaluations of real photos: variations of two portraits, and one of the development sets."""

from __future__ import annotations

import contextlib
import io
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from guyverd.config import People
from guyverd.errors import LabelsWrong, LearnMissing, NothingLabelled
from guyverd.evaluation import scripting
from guyverd.evaluation.labelled import Label, Rule
from guyverd.evaluation.tuning import Tuned
from guyverd.model import Box
from guyverd.people.evidence import Measure
from guyverd.people.index import FaceIndex
from guyverd.people.recognition import Recognition
from guyverd.service import evaluation
from guyverd.service.api import Row
from guyverd.service.evaluation import Extras, Task
from guyverd.service.pipeline.evaluation import evaluating, retrieving, tuning
from guyverd.service.pipeline.evaluation.labelling import Truth, compare
from guyverd.service.pipeline.evaluation.picturing import SIDE, cut
from guyverd.service.pipeline.evaluation.rehearsing import Material, Rehearsal
from guyverd.service.pipeline.evaluation.retrieving import retrieve
from tests.service.conftest import ASTRONAUT, HOPPER, place
from tests.service.material import made_up


class Listener:
    """An audience that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.shown: dict[str, tuple[int, int]] = {}

    def follow(self, first: Row, look: Callable[[], Row]) -> Row:
        now = first
        deadline = time.monotonic() + 120
        while now["busy"]:
            assert time.monotonic() < deadline, now
            self.told.append(now["phase"])
            time.sleep(0.02)
            now = look()
        return now

    @contextlib.contextmanager
    def steps(self, what: str, total: int) -> Iterator[Callable[[], object]]:
        done = [0]

        def step() -> None:
            done[0] += 1

        yield step
        self.shown[what] = (done[0], total)


@pytest.fixture
def labelled(tmp_path: Path, negatives: Path) -> Path:
    """Folders named after the two; the photo of both lies in his, and a picture without a face in hers."""
    folder = tmp_path / "labelled"
    for name, stem in (("Eileen", ASTRONAUT), ("Grace", HOPPER)):
        (folder / name).mkdir(parents=True)
        for photo in negatives.glob(f"{stem}*.jpg"):
            place(photo, folder / name / photo.name)
    place(negatives / "both.jpg", folder / "Grace" / "both.jpg")
    Image.new("RGB", (300, 300), "gray").save(folder / "Eileen" / "gray.jpg")
    (folder / "Eileen" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (folder / "Eileen" / "notes.txt").write_text("not a picture")
    for path in (folder / "Eileen").iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return folder


def csv_of(folder: Path, rows: list[tuple[str, Box, str]]) -> Path:
    lines = [f"{file},{box.left},{box.top},{box.right},{box.bottom},{name}" for file, box, name in rows]
    path = folder / "labels.csv"
    path.write_text("\n".join(["file,left,top,right,bottom,name", *lines]) + "\n")
    return path


def test_a_whole_evaluation(labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripting, "SECONDS", (1.0, 1.5))  # of a shot: films take their time
    before = {path: path.read_bytes() for path in labelled.rglob("*") if path.is_file()}
    listener = Listener()
    page = tmp_path / "page.html"
    answer = evaluation.evaluate(Task(labelled, keep=tmp_path / "kept"), Extras(True, True, page, films=1), listener)
    documented = set(re.findall(r"`(\w+)`", evaluation.evaluate.__doc__ or ""))
    assert keys(answer) <= documented
    assert (answer["photos"], answer["faces"], answer["people"]) == (10, 10, 2)
    assert (answer["labelled"], answer["not_found"], answer["unreadable"], answer["contradicting"]) == (9, 1, 1, 0)
    scores = answer["scores"]
    assert (scores["clusters"], scores["surplus"], scores["collisions"], scores["misplaced"]) == (2, 0.0, 0, 0.0)
    assert scores["pairwise"] == scores["bcubed"] == {"precision": 1.0, "recall": 1.0, "f": 1.0}
    assert scores["ari"] == scores["fowlkes_mallows"] == pytest.approx(1.0)
    assert scores["silhouette"] > 0.5
    # Of ten photos labelled, the gray one asks in vain, and she is not found in it by the four others.
    retrieval = answer["retrieval"]
    assert (retrieval["queries"], retrieval["answered"], retrieval["precision"]) == (10, 9, 1.0)
    assert retrieval["sensitivity"] == pytest.approx((4 * 3 / 4 + 5 * 1 + 0) / 10)
    assert retrieval["hit_rate"] == pytest.approx(0.9)
    # From outside with a fifth of nine photos.
    assert (answer["search"]["inside"]["queries"], answer["search"]["outside"]["queries"]) == (9, 2)
    film = answer["films"]
    assert (film["films"], film["unread"], film["shown"], film["photos"]) == (1, 0, 4, 4)
    assert (film["queries"], film["absent"], film["precision"], film["recall"]) == (2, 0, 1.0, 1.0), film
    assert film["moments"] >= 2
    assert film["time_recall"] > 0.9
    assert film["time_precision"] > 0.7  # much of such short shots is fade
    assert film["edge"]["median"] <= 0.2
    assert 4 < film["length"] < 20
    stability = answer["stability"]
    assert [row["moved"] for row in stability["added"]] == [0.0, 0.0]
    assert [row["photos"] for row in stability["added"]] == [1, 2], "a quarter of the photos that show a face"
    assert stability["orders"] == {"bcubed_f": [1.0] * 3, "agreement": 1.0, "mean_agreement": 1.0}
    assert [(row["how"], row["bcubed_f"]) for row in stability["arrivals"]] == [
        ("all at once", 1.0),
        ("50 at a time", 1.0),
        ("one by one", 1.0),
        ("grouped anew", 1.0),
    ]
    methods = {row["method"]: row for row in answer["methods"]}
    assert len(methods) == 6
    assert methods["agglomerative"]["bcubed"]["f"] == 1.0
    assert all(set(row) == {*scores, "settings", "seconds"} for row in methods.values())
    assert "reading" in listener.told
    assert all(done == total for done, total in listener.shown.values()), listener.shown
    text = page.read_text(encoding="utf-8")
    assert answer["page"] == str(page)
    assert "No groups hold several people." in text
    assert "<td>BCubed F</td><td>1.000</td>" in text
    assert {path: path.read_bytes() for path in labelled.rglob("*") if path.is_file()} == before
    # The second time nothing is read, and all comes out the same.
    again = evaluation.evaluate(Task(labelled, keep=tmp_path / "kept"), Extras(stability=False), Listener())
    assert (again["scores"], again["retrieval"], again["faces"]) == (scores, retrieval, 10)
    assert again["stability"] is again["methods"] is again["page"] is again["films"] is None


def keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def test_labels_in_a_csv_speak_of_faces(labelled: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    task = Task(labelled, keep=kept)
    with evaluating.passed(task, Listener()) as done:
        boxes = {photo.files[0].decode(): [face.box for face in photo.reading.faces] for photo in done.material.photos}
    both = boxes[str(labelled / "Grace" / "both.jpg")]
    rows = [
        ("labelled/Grace/both.jpg", both[0], "Eileen"),
        ("labelled/Grace/both.jpg", both[1], "Grace"),
        ("labelled/Grace/both.jpg", Box(0, 550, 40, 590), "Nobody there"),
    ]
    rows += [
        (f"labelled/{name}/{stem}{at}.jpg", boxes[str(labelled / name / f"{stem}{at}.jpg")][0], name)
        for name, stem in (("Eileen", ASTRONAUT), ("Grace", HOPPER))
        for at in range(2)
    ]
    csv = csv_of(tmp_path, rows)
    answer = evaluation.evaluate(Task(labelled, csv, keep=kept), Extras(stability=False), Listener())
    assert (answer["labelled"], answer["not_found"], answer["people"], answer["faces"]) == (6, 1, 2, 10)
    assert answer["scores"]["bcubed"]["f"] == 1.0
    # Two faces of one photo under one name are a mix that no grouping makes.
    wrong = csv_of(tmp_path, [(file, box, "Grace") for file, box, _ in rows])
    crossed = evaluation.evaluate(Task(labelled, wrong, keep=kept), Extras(stability=False), Listener())
    assert crossed["scores"]["bcubed"]["recall"] < 0.7
    with pytest.raises(LabelsWrong, match="line 2"):
        evaluation.evaluate(
            Task(labelled, csv_of(tmp_path, [("no.jpg", both[0], "Grace")])), Extras(stability=False), Listener()
        )


def test_confusions_are_shown_as_faces(labelled: Path, tmp_path: Path) -> None:
    # Labelled wrongly on purpose: half of her photos bear his name.
    (labelled / "Eileen" / f"{ASTRONAUT}0.jpg").rename(labelled / "Grace" / "a0.jpg")
    page = tmp_path / "page.html"
    evaluation.evaluate(Task(labelled), Extras(False, False, page), Listener())
    text = page.read_text(encoding="utf-8")
    assert "1 groups hold several people" in text
    assert "1 people are in several groups" in text
    assert text.count("data:image/jpeg;base64,") >= 8
    assert str(labelled / "Grace" / "a0.jpg") in text


def test_a_face_is_cut_with_a_margin(astronaut: Path, tmp_path: Path) -> None:
    path = str(astronaut).encode()
    made = cut(path, Box(180, 70, 280, 170), (512, 512))
    assert made is not None
    with Image.open(io.BytesIO(made)) as face:
        assert face.size == (120, 120), "a tenth more on each side, and no larger than it is"
    large = cut(path, Box(0, 0, 512, 512), (512, 512))
    assert large is not None
    with Image.open(io.BytesIO(large)) as face:
        assert face.size == (SIDE, SIDE)
    assert cut(str(tmp_path / "absent.jpg").encode(), Box(0, 0, 9, 9), (10, 10)) is None
    assert cut(path, Box(600, 600, 700, 700), (512, 512)) is None, "it lies outside of the picture"


def test_photos_without_labels_are_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    listener = Listener()
    with pytest.raises(NothingLabelled):
        evaluation.evaluate(Task(tmp_path / "photos"), Extras(), listener)
    (tmp_path / "photos" / "Ada").mkdir()
    (tmp_path / "photos" / "Ada" / "x.jpg").write_bytes(b"no picture")
    with pytest.raises(NothingLabelled):
        evaluation.evaluate(Task(tmp_path / "photos"), Extras(), listener)


def test_without_scikit_learn_nothing_is_begun(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    listener = Listener()
    with pytest.raises(LearnMissing):
        evaluation.evaluate(Task(labelled), Extras(), listener)
    assert listener.told == []


# ---- settings --------------------------------------------------------------------------------------------------------


def test_settings_that_are_searched_exist_and_begin_with_the_default() -> None:
    units = {item.name: (item.metadata["unit"], item.default) for item in fields(People)}
    for setting in tuning.SEARCH:
        unit, default = units[setting.name]
        assert default in setting.values
        for value in setting.values:
            assert unit.read(value) == value
    assert len({setting.name for setting in tuning.SEARCH}) == len(tuning.SEARCH)


def test_a_search_over_the_portraits(labelled: Path) -> None:
    listener = Listener()
    answer = evaluation.tune(Task(labelled), listener)
    assert keys({**answer, "default": {}, "best": {}}) <= set(re.findall(r"`(\w+)`", evaluation.tune.__doc__ or ""))
    assert (answer["labelled"], answer["people"], answer["folds"]) == (9, 2, 2)
    assert answer["default_score"] == answer["best_score"] == 1.0
    assert answer["best"] == answer["default"]
    assert (answer["gain"], answer["worthwhile"], answer["yaml"]) == (0.0, False, "")
    assert answer["tried"] == listener.shown["settings"][0]
    assert answer["tried"] > 10


def test_what_is_printed_can_be_pasted() -> None:
    default = {"margin": 1.5, "poor_quality": 0.2}
    text = tuning.yaml(Tuned(default, {"margin": 2.0, "poor_quality": 0.2}, 0.9, 0.95, (0.1, 0.1), 9))
    assert yaml.safe_load(text) == {"clustering": {"margin": 2}}


# ---- retrieval through the library -----------------------------------------------------------------------------------


PHOTOS = [[1], [1], [1], [2], [3], [3], [1]]


@pytest.fixture
def grouped(tmp_path: Path) -> Iterator[tuple[Rehearsal, Material, Truth]]:
    """A library of made-up people, all of them found."""
    material = made_up(PHOTOS)
    labels = {b"/photos/%d.jpg" % at: (Label(str(each[0]), None),) for at, each in enumerate(PHOTOS)}
    truth = compare(labels, material, [], Rule.LARGEST)
    with Rehearsal(tmp_path / "library", material, People(), np.arange(len(PHOTOS), dtype=np.int64)) as library:
        library.arrive()
        yield library, Material(library.catalogue.readings.all()), truth


def asking(library: Rehearsal) -> tuple[FaceIndex, Measure]:
    """What a library is asked with."""
    return library.grouping.index, library.grouping.measuring.now()


def without(material: Material, nobodies: Sequence[int]) -> Material:
    """As if the faces of these photos were attached to nobody."""
    return Material(
        [replace(photo, people=(0,)) if at in nobodies else photo for at, photo in enumerate(material.photos)]
    )


def test_everybody_is_found_from_each_of_their_photos(grouped: tuple[Rehearsal, Material, Truth]) -> None:
    library, material, truth = grouped
    found = retrieve(material, truth, library.catalogue, *asking(library))
    assert (found.queries, found.answered) == (6, 6)
    assert (found.sensitivity, found.precision, found.hit_rate) == (1.0, 1.0, 1.0)


def test_a_face_that_is_nobodys_is_recognised(grouped: tuple[Rehearsal, Material, Truth]) -> None:
    library, material, truth = grouped
    found = retrieve(without(material, [0, 4]), truth, library.catalogue, *asking(library))
    # The two are recognised; who has a person is not given them, so the sixth photo brings up none.
    assert (found.queries, found.answered, found.precision) == (6, 5, 1.0)
    assert found.sensitivity == pytest.approx((1 + 3 * 2 / 3 + 1 + 0) / 6)


def test_where_nobody_is_recognised_links_are_the_answer(
    grouped: tuple[Rehearsal, Material, Truth], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, material, truth = grouped
    asked: list[int] = []

    def nobody(vectors: object, *_: object) -> list[Recognition]:
        asked.append(len(vectors))  # type: ignore[arg-type]
        return [Recognition(None, None)] * len(vectors)  # type: ignore[arg-type]

    monkeypatch.setattr(retrieving, "recognise", nobody)
    found = retrieve(without(material, [0, 4]), truth, library.catalogue, *asking(library))
    assert asked == [2]
    assert (found.answered, found.precision) == (5, 1.0)
    assert found.sensitivity == pytest.approx((1 + 3 * 2 / 3 + 1 + 0) / 6)


@pytest.mark.album
def test_a_development_set(album: Path) -> None:
    answer: dict[str, Any] = evaluation.evaluate(Task(album / "albums" / "friends8"), Extras(compare=True), Listener())
    assert (answer["photos"], answer["labelled"], answer["people"], answer["not_found"]) == (20, 20, 8, 0)
    assert answer["scores"]["bcubed"]["f"] > 0.9
    assert (answer["scores"]["misplaced"], answer["scores"]["collisions"]) == (0.0, 0)
    assert answer["retrieval"]["precision"] == 1.0
    assert answer["stability"]["orders"]["agreement"] > 0.9
