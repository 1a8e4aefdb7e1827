"""The development set of odd, broken and hostile files, each read in a worker process."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from guyverd.faces.pool import WorkerPool
from guyverd.media.kinds import is_picture
from guyverd.media.still import read_picture
from tests.media.reading import outcome

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"
pytestmark = [
    pytest.mark.album,
    pytest.mark.skipif(not (PHOTOS / "formats").is_dir(), reason="the development photos are not here"),
]

READABLE = {"exif_orientation": 1.0, "heif": 0.9, "hostile": 0.8, "xmp": 1.0}
"""The least share of the picture files in each folder that must be read; the rest is broken on purpose."""


def files(folder: str) -> list[Path]:
    base = PHOTOS / folder if folder == "xmp" else PHOTOS / "formats" / folder
    # The 200-megapixel picture takes half the deadline on an idle machine; it has its own test.
    return sorted(path for path in base.rglob("*") if path.is_file() and path.name != "200MP.heic")


@pytest.mark.timeout(280)
@pytest.mark.parametrize("folder", READABLE)
def test_every_file_is_read_or_has_a_reason(folder: str) -> None:
    pool: WorkerPool[str, tuple[str, str]] = WorkerPool(outcome, count=2, deadline=30, memory=4e9, gentle=True)
    try:
        asked = {path: pool.submit(str(path)) for path in files(folder)}
        answers = {path: future.result(250) for path, future in asked.items()}
    finally:
        pool.stop_now()
    assert all(detail for _, detail in answers.values())
    pictures = [path for path in answers if is_picture(os.fsencode(path))]
    read = [path for path in pictures if answers[path][0] == "read"]
    assert len(pictures) > 10
    assert len(read) >= READABLE[folder] * len(pictures)


@pytest.mark.parametrize("kind", ["Landscape", "Portrait"])
def test_all_orientations_come_out_alike(kind: str) -> None:
    def pixels(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        path = PHOTOS / "formats" / "exif_orientation" / f"{kind}_{number}.jpg"
        return read_picture(path.read_bytes(), path=os.fsencode(path)).pixels.astype(np.int64)

    upright = pixels(1)
    # Each file has its own number painted in, and was compressed by itself; a turned one differs by 60 and more.
    assert np.abs(upright - upright[::-1]).mean() > 30
    for number in (0, 2, 3, 4, 5, 6, 7, 8):
        assert np.abs(pixels(number) - upright).mean() < 6, number


def test_two_hundred_megapixels() -> None:
    path = PHOTOS / "formats" / "heif" / "heif_special" / "200MP.heic"
    pool: WorkerPool[str, tuple[str, str]] = WorkerPool(outcome, count=1, deadline=120, memory=4e9, gentle=False)
    try:
        assert pool.submit(str(path)).result(150) == ("read", "HEIF")
    finally:
        pool.stop_now()
