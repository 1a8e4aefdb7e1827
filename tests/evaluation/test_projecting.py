from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from guyverd.evaluation.films import RATE, SIZE, Appearance, Place, Script
from guyverd.evaluation.projecting import Drawer, write
from tests.evaluation.test_films import FACE, MIDDLE, still

if TYPE_CHECKING:
    from guyverd.model import Pixels


def painted(number: int) -> Pixels:
    """A photo of one colour, told by its number, with a white face."""
    pixels = np.full((240, 300, 3), (40 + 20 * number, 200 - 20 * number, 120), np.uint8)
    pixels[FACE.top : FACE.bottom, FACE.left : FACE.right] = 255
    return pixels


def test_photos_are_drawn_where_the_script_has_them() -> None:
    one = Appearance(still(0), 0, 10, Place(0.25, 0.5, 0.1), Place(0.25, 0.5, 0.1), half=-1)
    other = Appearance(still(1, 2), 5, 15, Place(0.75, 0.5, 0.1), Place(0.75, 0.5, 0.1), half=1)
    drawer = Drawer(Script((one, other), 20), painted)
    first, both, second, nobody = (drawer.frame(frame) for frame in (0, 7, 12, 19))
    left, right = (slice(160, 200), slice(140, 180)), (slice(160, 200), slice(460, 500))
    assert (first[left] == 255).all(), "the face"
    assert (both[left] == 255).all()
    assert (both[right] == 255).all()
    assert (second[right] == 255).all()
    assert (first[right] == nobody[right]).all()
    assert (second[left] == nobody[left]).all()
    assert first[180, 110].tolist() == [40, 200, 120], "the photo beside its face"
    assert first.shape == (SIZE[1], SIZE[0], 3)


def test_a_fade_mixes_the_two_and_nothing_of_the_wall() -> None:
    before = Appearance(still(0), 0, 60, MIDDLE, MIDDLE, fade_out=9)
    after = Appearance(still(1, 2), 51, 100, MIDDLE, MIDDLE, fade_in=9)
    drawer = Drawer(Script((before, after), 100), painted)
    at = (180, 400)
    assert drawer.frame(50)[at].tolist() == [40, 200, 120]
    assert drawer.frame(55)[at].tolist() == [50, 190, 120]
    assert drawer.frame(60)[at].tolist() == [60, 180, 120]


def test_what_is_written_is_what_was_drawn(tmp_path: Path) -> None:
    one, other = still(0), still(3, 2)
    script = Script((Appearance(one, 0, 7, MIDDLE, MIDDLE), Appearance(other, 7, 12, MIDDLE, MIDDLE)), frames=15)
    path = tmp_path / "film.mp4"
    write(path, script, painted)
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert [time for time, _ in frames] == pytest.approx([at / RATE for at in range(15)])
    drawer = Drawer(script, painted)
    for at, (_, pixels) in enumerate(frames):
        far = np.abs(pixels.astype(int) - drawer.frame(at).astype(int))
        assert far.mean() < 6, at
    again = tmp_path / "again.mp4"
    write(again, script, painted)
    assert again.read_bytes() == path.read_bytes()
