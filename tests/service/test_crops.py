"""Faces cut out of photos into files: where each lies, how large it is, and what stands in the way."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guyverd.config import Workers
from guyverd.errors import ExportError
from guyverd.service import crops
from guyverd.service.crops import Pictures, Saved
from tests.films import film, nobody, still

RED, BLUE = (220, 20, 20), (20, 20, 220)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def photo(path: Path, size: tuple[int, int] = (400, 300), *boxes: list[int], turned: bool = False) -> Path:
    """A blue picture with red boxes; `turned` stores it on its side, with the tag that tells so."""
    made = Image.new("RGB", size, BLUE)
    for left, top, right, bottom in boxes:
        made.paste(RED, (left, top, right, bottom))
    exif = Image.Exif()
    if turned:
        made, exif[0x0112] = made.transpose(Image.Transpose.ROTATE_90), 6
    made.save(path, quality=95, subsampling=0, exif=exif)
    return path


def row(
    face: int,
    box: list[int],
    *files: Path | str,
    photo: int = 1,
    taken_at: str | None = None,
    at: float | None = None,
) -> dict[str, Any]:
    """A face as `Library.faces` gives it."""
    told = {"face": face, "photo": photo, "box": box, "files": [str(file) for file in files], "taken_at": taken_at}
    return {**told, "at": at}


def save(rows: Sequence[dict[str, Any]], folder: Path, **how: Any) -> Saved:
    return crops.save(rows, folder, workers=Workers(), **how)


def like(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 40 for one, other in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("turned", [False, True], ids=["stored upright", "stored on its side"])
def test_a_face_is_cut_upright_with_a_tenth_more_on_each_side(photos: Path, tmp_path: Path, turned: bool) -> None:
    box = [100, 50, 200, 170]
    file = photo(photos / "party.jpg", (400, 300), box, turned=turned)
    done = save([row(7, box, file, taken_at="2019-07-04T12:30:00")], tmp_path / "new" / "out", sacred=[photos])
    path = tmp_path / "new" / "out" / "2019-07-04_party_7.jpg"
    assert (done.written, done.already, done.missing) == ((str(path),), (), ())
    with Image.open(path) as face:
        assert (face.format, face.size) == ("JPEG", (120, 144))
        for inside in ((14, 16), (106, 16), (14, 128), (106, 128), (60, 70)):
            assert like(face.getpixel(inside), RED), inside
        for outside in ((5, 70), (114, 70), (60, 7), (60, 137)):
            assert like(face.getpixel(outside), BLUE), outside


def test_the_box_ends_where_the_photo_does_and_large_photos_are_not_reduced(photos: Path, tmp_path: Path) -> None:
    file = photo(photos / "large.jpg", (6000, 200), [5000, 0, 6000, 200])
    done = save([row(1, [5000, -30, 6100, 230], file)], tmp_path / "out")
    (path,) = done.written
    with Image.open(path) as face:
        assert face.size == (6000 - 4890, 200)
        assert like(face.getpixel((50, 100)), BLUE)
        assert like(face.getpixel((130, 100)), RED), "sharp, at full size"


def test_a_size_bounds_the_longer_side_and_enlarges_nothing(photos: Path, tmp_path: Path) -> None:
    file = photo(photos / "a.jpg")
    save([row(1, [100, 50, 200, 250], file), row(2, [300, 50, 320, 70], file)], tmp_path / "out", longest=60)
    sizes = {path.name: Image.open(path).size for path in (tmp_path / "out").iterdir()}
    assert sizes == {"undated_a_1.jpg": (30, 60), "undated_a_2.jpg": (24, 24)}


def test_the_same_again_adds_nothing_and_what_stands_there_is_left_alone(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = [row(1, [10, 10, 60, 60], photo(photos / "a.jpg")), row(2, [100, 10, 160, 60], photos / "a.jpg")]
    out.mkdir()
    (out / "undated_a_2.jpg").write_bytes(b"mine")
    done = save(rows, out)
    assert [Path(path).name for path in done.written] == ["undated_a_1.jpg", "undated_a_2 (2).jpg"]
    again = save(rows, out)
    assert (again.written, len(again.already)) == ((), 2)
    assert (out / "undated_a_2.jpg").read_bytes() == b"mine"
    assert sorted(path.name for path in out.iterdir()) == ["undated_a_1.jpg", "undated_a_2 (2).jpg", "undated_a_2.jpg"]


def test_what_cannot_be_cut_is_told_and_the_rest_goes_on(photos: Path, tmp_path: Path) -> None:
    broken = photos / "broken.jpg"
    broken.write_bytes(photo(photos / "good.jpg").read_bytes()[:900])
    steps: list[int] = []
    done = save(
        [
            row(1, [10, 10, 60, 60], photo=1),
            row(2, [10, 10, 60, 60], photos / "gone.jpg", photo=2),
            row(3, [10, 10, 60, 60], broken, photo=3),
            row(4, [10, 10, 60, 60], photos / "gone.jpg", photos / "good.jpg", photo=4),
            row(5, [900, 900, 960, 960], photos / "good.jpg", photo=4),
            row(6, [20, 10, 60, 60], photos / "good.jpg", photo=5),
        ],
        tmp_path / "out",
        each=lambda: steps.append(1),
    )
    assert [Path(path).name for path in done.written] == ["undated_good_4.jpg", "undated_good_6.jpg"]
    assert [(face, Path(file).name) for face, file, _ in done.missing] == [
        (1, ""),
        (2, "gone.jpg"),
        (3, "broken.jpg"),
        (5, "good.jpg"),
    ]
    assert all(why for _, _, why in done.missing)
    assert len(steps) == 6


def test_nothing_is_put_into_a_photo_folder(photos: Path, tmp_path: Path) -> None:
    file = photo(photos / "a.jpg")
    (tmp_path / "way").symlink_to(photos)
    for inside in (photos, photos / "faces", tmp_path / "way" / "faces"):
        with pytest.raises(ExportError):
            save([row(1, [10, 10, 60, 60], file)], inside, sacred=[photos])
    assert os.listdir(photos) == ["a.jpg"]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExportError):
        save([row(1, [10, 10, 60, 60], file)], tmp_path / "file")


def test_names_that_are_no_text_or_too_long(photos: Path, tmp_path: Path) -> None:
    odd, long = photos / os.fsdecode(b"caf\xe9.jpg"), photos / f"{'ä' * 124}.jpg"
    rows = [row(1, [10, 10, 60, 60], photo(photos / "x.jpg").rename(odd), photo=1)]
    rows.append(row(123456, [10, 10, 60, 60], photo(photos / "y.jpg").rename(long), photo=2))
    first, second = save(rows, tmp_path / "out").written
    assert os.fsencode(first).endswith(b"/undated_caf\xe9_1.jpg")
    name = os.path.basename(second)
    assert name.startswith("undated_ää")
    assert name.endswith("ä_123456.jpg"), "the number is what tells one from another"
    assert len(os.fsencode(name)) == 255


def test_faces_in_videos_are_cut_from_their_best_frames_in_another_process(photos: Path, tmp_path: Path) -> None:
    red = np.full((480, 640, 3), BLUE, np.uint8)
    red[100:220, 200:300] = RED
    clip = photos / "clip.mp4"
    film(clip, nobody(1), still(red, 1))
    box = [200, 100, 300, 220]
    seen = {"file": str(clip), "box": box, "width": 640, "height": 480}
    broken = photos / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:300])
    rows = [
        row(1, box, clip, at=1.5),
        row(2, box, clip, at=0.5),
        row(3, box, broken, at=0.5, photo=2),
        row(4, box, photo(photos / "a.jpg", (640, 480), box), photo=3),
    ]
    done = save(rows, tmp_path / "out")
    assert [Path(path).name for path in done.written] == ["undated_clip_1.jpg", "undated_clip_2.jpg", "undated_a_4.jpg"]
    assert [(face, file) for face, file, _ in done.missing] == [(3, str(broken))]
    with Image.open(done.written[0]) as face, Image.open(done.written[1]) as before:
        assert face.size == before.size == (120, 144)
        assert like(face.getpixel((60, 72)), RED)
        assert not like(before.getpixel((60, 72)), RED)

    with Pictures(Workers()) as pictures:
        away = {"file": None, "box": None, "width": None, "height": None, "at": None}
        found = pictures.of(
            [{**seen, "at": 1.5}, away, {**seen, "at": 0.5}, {**seen, "at": None, "file": str(photos / "a.jpg")}]
        )
        assert found[1] is None
        colours = []
        for one in (found[0], found[2], found[3]):
            assert one is not None
            with Image.open(io.BytesIO(one)) as shown:
                colours.append(like(shown.convert("RGB").getpixel((shown.width // 2, shown.height // 2)), RED))
        assert colours == [True, False, True]
