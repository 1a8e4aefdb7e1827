"""Pages, faces and clips made by real processes, of photos and films as they lie on a disk."""

from __future__ import annotations

import base64
import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guyverd.config import Config, Workers
from guyverd.errors import ExportError
from guyverd.service import clips, showing
from tests.films import film, still
from tests.service.test_crops import like, photo

RED = (220, 20, 20)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "photos").mkdir()
    return Config(
        photos=(tmp_path / "photos",),
        people=tmp_path / "People",
        state=tmp_path / "state",
        workers=Workers(count=1, speed="full"),
    )


def red_and_blue() -> tuple[Any, Any]:
    pictures = []
    for colour in (RED, (20, 20, 220)):
        pictures.append(np.full((480, 640, 3), colour, np.uint8))
    return pictures[0], pictures[1]


def row(file: Path | None, **told: object) -> dict[str, Any]:
    files = [] if file is None else [str(file)]
    given = {"file": files[0] if files else None, "files": files, "kind": "photo", "box": None, "taken_at": None}
    return {**given, "start": None, "end": None, "at": None, **told}


def pictures(page: str) -> list[Image.Image]:
    found = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


def test_a_page_of_photos_and_moments(config: Config, tmp_path: Path) -> None:
    (folder,) = config.photos
    box = [2000, 1000, 2100, 1120]
    party = photo(folder / "party.jpg", (4000, 2000), box, turned=True)
    (folder / "broken.jpg").write_bytes(party.read_bytes()[:900])
    red, blue = red_and_blue()
    film(folder / "clip.mp4", still(red, 1), still(blue, 1))
    moment = {"kind": "video", "start": 1.0, "end": 2.0}
    rows = [
        row(party, box=box),
        row(folder / "broken.jpg"),
        row(folder / "gone.jpg"),
        row(None),
        row(folder / "clip.mp4", **moment, box=[10, 10, 60, 60], at=1.5),
        row(folder / "clip.mp4", **{**moment, "start": 0.0, "end": 1.0}),
        row(folder / "clip.mp4", **{**moment, "start": 60.0, "end": 70.0}),
    ]
    path, steps = tmp_path / "page.html", list[int]()
    showing.write_page(config, path, rows, title="T", each=lambda: steps.append(1))
    text = path.read_text("utf-8")
    assert text.count("<figure>") == len(steps) == len(rows)
    whole, face, later, blue_face, first = pictures(text)
    assert (whole.size, face.size) == ((400, 200), (107, 128)), "upright, the face cut from the large picture"
    assert like(face.getpixel((53, 64)), RED)
    assert like(later.getpixel((200, 150)), (20, 20, 220))
    assert blue_face.size == (60, 60), "no larger than it is there"
    assert like(first.getpixel((200, 150)), RED), "in the middle of the moment"
    for why in ("it is damaged|it is cut short", "There is no file", "no file of it is there now", "it ends at 0:00:0"):
        assert re.search(why, text), why
    # A page is replaced, nothing else is.
    showing.write_page(config, path, rows[:1], title="Another")
    assert path.read_text("utf-8").count("<figure>") == 1
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    (tmp_path / "pipe").mkdir()
    for place in (mine, tmp_path / "pipe", folder / "page.html", tmp_path / "nowhere" / "page.html"):
        with pytest.raises(ExportError):
            showing.write_page(config, place, rows[:1], title="T")
    assert mine.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["mine.html", "page.html", "photos", "pipe"], "no part is left"


def test_faces_of_a_picture_that_is_asked_about(config: Config, tmp_path: Path) -> None:
    box = [100, 50, 200, 170]
    file = photo(tmp_path / "asked.jpg", (400, 300), box)
    one, none = showing.faces(config, str(file), None, [box, [900, 900, 950, 950]], 80)
    assert none is None
    assert one is not None
    assert Image.open(io.BytesIO(one)).size == (67, 80)
    assert showing.faces(config, str(tmp_path / "gone.jpg"), None, [box], 80) == [None]


def test_clips_into_a_folder(config: Config, tmp_path: Path) -> None:
    (folder,) = config.photos
    red, blue = red_and_blue()
    film(folder / "clip.mp4", still(red, 2), still(blue, 2))
    (folder / "broken.mkv").write_bytes(b"\x1a\x45\xdf\xa3 and nothing else")
    clip = [str(folder / "gone.mp4"), str(folder / "clip.mp4")]
    moments = [
        {"files": clip, "start": 2.0, "end": 3.5},
        {"files": [str(folder / "broken.mkv")], "start": 0.0, "end": 1.0},
        {"files": [], "start": 0.0, "end": 1.0},
        {"files": clip, "start": 90.0, "end": 95.0},
    ]
    out = tmp_path / "out"
    done = clips.cut(config, moments, out)
    assert done.written == (str(out / "clip 00.02-00.03.mp4"),)
    assert [os.path.basename(file) for file, _ in done.missing] == ["broken.mkv", "", "gone.mp4"]
    assert all(why for _, why in done.missing)
    assert os.listdir(out) == ["clip 00.02-00.03.mp4"], "no part is left"
    (out / "clip 00.02-00.03.mp4").write_bytes(b"mine")
    done = clips.cut(config, moments[:1], out)
    assert done.written == (str(out / "clip 00.02-00.03 (2).mp4"),)
    again = clips.cut(config, moments[:1], out)
    assert (again.written, again.already) == ((), done.written)
    assert (out / "clip 00.02-00.03.mp4").read_bytes() == b"mine"
    with pytest.raises(ExportError):
        clips.cut(config, moments[:1], folder / "out")
    assert sorted(os.listdir(folder)) == ["broken.mkv", "clip.mp4"]


def test_names_of_clips() -> None:
    assert clips.name("/a/film.mkv", 3723.9, 7199.0, ".mkv") == "film 1.02.03-1.59.59.mkv"
    assert len(os.fsencode(clips.name("ä" * 200, 0, 1, ".mp4"))) <= 255
