"""What the benchmarks rest on: pictures whose faces are where they are said to be, meters, tables, counted work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import common, network, passes
from benchmarks.common import Meter, Target
from benchmarks.libraries import build
from benchmarks.pictures import Photo, again, make
from guyverd.catalogue.store import Catalogue
from guyverd.faces.dlib_engine import DlibEngine
from guyverd.faces.weights import Weights
from guyverd.model import Box
from guyverd.service.access import open_library


def test_made_pictures_hold_the_faces_they_are_said_to(tmp_path: Path) -> None:
    photo = make(tmp_path / "a.jpg", 3.0, seed=5)
    with Image.open(photo.path) as image:
        assert image.width * image.height == pytest.approx(3e6, rel=0.01)
        pixels = np.array(image)
    assert len(photo.faces) == 8
    assert all(0 <= face.left < face.right <= pixels.shape[1] for face in photo.faces)
    widths = sorted(face.width / pixels.shape[1] for face in photo.faces)
    assert widths[0] == pytest.approx(1 / 30, rel=0.05)
    assert widths[-1] == pytest.approx(1 / 8, rel=0.05)
    found = [item.box for item in DlibEngine("hog").detect(pixels)]
    assert photo.of_at_least(0.05).found(found) == 5, "HOG knows faces from 80 px on"
    assert photo.found([]) == 0
    assert photo.found(photo.faces) == 8
    assert len(photo.of_at_least(0.05).faces) == 5


def test_a_face_counts_once_and_only_where_and_as_large_as_it_is() -> None:
    photo = Photo(Path("x"), 500, (Box(100, 100, 200, 200), Box(300, 100, 400, 200)))
    assert photo.found([Box(110, 90, 210, 190), Box(105, 105, 195, 195)]) == 1
    assert photo.found([Box(0, 0, 100, 100)]) == 0
    assert photo.found([Box(140, 140, 160, 160)]) == 0
    assert photo.found([Box(-150, -150, 450, 450)]) == 0
    assert photo.found([Box(290, 110, 390, 210), Box(110, 90, 210, 190)]) == 2


def test_the_same_picture_under_another_name_has_other_bytes(tmp_path: Path) -> None:
    photo = make(tmp_path / "a.jpg", 0.2, seed=1)
    copy = again(photo, tmp_path / "b.jpg")
    assert copy.path.read_bytes() != photo.path.read_bytes()
    with Image.open(photo.path) as one, Image.open(copy.path) as other:
        assert np.array_equal(np.array(one), np.array(other))
    assert make(tmp_path / "c.jpg", 0.2, seed=1).path.read_bytes() == photo.path.read_bytes()


def test_targets() -> None:
    assert Target(12).show(14.94) == ("14.9 x", ">= 12 x", "met")
    assert Target(12).show(11.99) == ("12.0 x", ">= 12 x", "not met")
    assert Target(0.25, "s", at_most=True, digits=3).show(0.25) == ("0.250 s", "<= 0.25 s", "met")
    assert Target(0, "", at_most=True, digits=0).show(1)[2] == "not met"


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    common.table(["what", "ms"], [["one", 5], ["two and a half", "12.5"]])
    assert capsys.readouterr().out == "what              ms\none                5\ntwo and a half  12.5\n\n"


def test_contenders_take_turns() -> None:
    order: list[str] = []
    taken = common.interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 3
    assert [len(seconds) for seconds in taken.values()] == [3, 3]


def test_a_meter_counts_children_too() -> None:
    code = """
import time
block = b"x" * 150_000_000
while time.process_time() < 0.6:
    pass
"""
    with Meter() as meter:
        subprocess.run([sys.executable, "-c", code], check=True)
    assert 0.3 < meter.usage.cpu < 2.0
    assert meter.usage.seconds >= 0.5
    assert 150e6 < meter.worker_peak < 250e6
    assert meter.usage.peak >= meter.worker_peak
    with Meter() as later:
        time.sleep(0.01)
    assert later.worker_peak == 0
    assert later.usage.cpu < 0.2


def test_work_in_a_process_of_its_own() -> None:
    assert common.alone(os.path.basename, "/a/b") == "b"
    with pytest.raises(RuntimeError, match="FileNotFoundError"):
        common.alone(os.listdir, "/nowhere/at/all")
    with pytest.raises(RuntimeError, match="exit code 3"):
        common.alone(os._exit, 3)


def test_the_work_of_the_embedding_network() -> None:
    # By hand from dlib's definition: convolutions of 32, 64, 128 and 256 filters at 35, 17, 8 and 3 pixels. Where 8 are
    # halved, the way round the convolutions has 4, and the sum of the two has as many.
    def residual(count: int, channels: int, side: int) -> float:
        return count * 2.0 * side**2 * channels**2 * 9

    def down(before: int, channels: int, side: int) -> float:
        return 2.0 * side**2 * 9 * (before * channels + channels**2)

    expected = 2.0 * 72**2 * 32 * 3 * 49 + residual(6, 32, 35)
    expected += down(32, 64, 17) + residual(6, 64, 17)
    expected += down(64, 128, 8) + residual(4, 128, 8)
    expected += down(128, 256, 3) + residual(4, 256, 4) + down(256, 256, 1) + 2 * 256 * 128
    counted = network.gigaflop(Weights.EMBEDDING, np.zeros((1, 3, 150, 150), np.float32))
    assert counted == pytest.approx(expected / 1e9, rel=1e-6)


def test_a_made_up_library_is_whole(tmp_path: Path) -> None:
    config = build(tmp_path, photos=60, faces=114, people=7)
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        counts = catalogue.counts()
        assert (counts.photos, counts.faces, counts.people) == (60, 114, 7)
        assert counts.pending_files == counts.pending_photos == counts.ungrouped_faces == 0
        assert catalogue.integrity() == catalogue.contradictions() == []
        links = catalogue.links.published()
    on_disk = [path for path in config.people.rglob("*") if path.is_symlink()]
    assert len(on_disk) == len(links) > 60
    assert all(path.exists() for path in on_disk)
    with open_library(config) as library:
        assert passes.scan(library)["photos_done"] == 0, "nothing is left to do"


def test_a_pass_tells_what_was_found_in_which_photo(tmp_path: Path) -> None:
    photos = [make(tmp_path / f"{number}.jpg", 1.0, seed=number) for number in range(2)]
    with passes.ours(tmp_path / "library", workers=1) as library:
        one = library.run([photos[0].path])
        two = library.run([photos[1].path])
    assert list(one.faces) == [str(photos[0].path)]
    assert list(two.faces) == [str(photos[1].path)]
    assert photos[0].found(one.faces[str(photos[0].path)]) >= 4
    assert one.usage.cpu > 0.1
    assert one.worker_peak > 50e6
