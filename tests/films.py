"""A small film maker: shots of given pictures, written with PyAV, with the times of its cuts.

    spans = film(path, still(astronaut(), 3), fade(astronaut(), hopper(), 1), still(hopper(), 2))

`spans` tells from when to when each shot is seen, in seconds, exact to the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from guyverd.model import Pixels

RATE = 10
"""Frames a second: few, as each costs time to write."""
SIZE = (640, 480)
"""Width and height of the picture, in pixels."""
_CODECS = {".webm": "libvpx", ".3gp": "mpeg4", ".3g2": "mpeg4", ".avi": "mpeg4"}
_FORMATS = {".mts": "mpegts", ".m2ts": "mpegts", ".qt": "mov", ".m4v": "mp4", ".mkv": "matroska", ".3gp": "mp4"}


@dataclass(frozen=True)
class Shot:
    """Some time of a film without a cut."""

    seconds: float
    picture: Callable[[float], Pixels]
    """What is seen, given how much of the shot has passed, from 0 to 1: uint8[height, width, 3], of any size."""


def still(picture: Pixels, seconds: float) -> Shot:
    """One picture that does not move."""
    return Shot(seconds, lambda _: picture)


def nobody(seconds: float, level: int = 90) -> Shot:
    """A grey picture with a few bars, so that codecs have something to keep."""
    ground = np.full((SIZE[1], SIZE[0], 3), level, np.uint8)
    ground[::40, :, 1] += 20
    return still(ground, seconds)


def zoom(picture: Pixels, seconds: float, by: float = 1.5) -> Shot:
    """Closer and closer to the middle, in the end `by` times as large."""
    height, width = picture.shape[:2]

    def seen(share: float) -> Pixels:
        scale = 1 + (by - 1) * share
        across, down = round(width / scale), round(height / scale)
        left, top = (width - across) // 2, (height - down) // 2
        return picture[top : top + down, left : left + across]

    return Shot(seconds, seen)


def fade(one: Pixels, other: Pixels, seconds: float) -> Shot:
    """From one picture to another; both are fitted into the frame first."""
    before, after = fitted(one, SIZE).astype(np.float32), fitted(other, SIZE).astype(np.float32)
    return Shot(seconds, lambda share: ((1 - share) * before + share * after).astype(np.uint8))


def film(
    path: Path,
    *shots: Shot,
    size: tuple[int, int] = SIZE,
    rate: int = RATE,
    codec: str | None = None,
    taken_at: str | None = None,
) -> list[tuple[float, float]]:
    """Write a film of these shots; its kind is told by the name of `path`.

    `size` is width and height, both even; `taken_at` becomes the container's creation time. Returns start and end of
    each shot, in seconds. The same arguments give the same frames.
    """
    suffix = path.suffix.lower()
    spans: list[tuple[float, float]] = []
    number = 0
    before: Pixels | None = None
    pixels = np.zeros((1, 1, 3), np.uint8)
    with av.open(str(path), "w", format=_FORMATS.get(suffix)) as container:
        if taken_at is not None:
            container.metadata["creation_time"] = taken_at
        stream = container.add_stream(codec or _CODECS.get(suffix, "libx264"), rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        stream.thread_count = 1
        stream.time_base = Fraction(1, rate)
        if stream.codec_context.name == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "18", "g": str(2 * rate)}
        for shot in shots:
            count = max(1, round(shot.seconds * rate))
            spans.append((number / rate, (number + count) / rate))
            for at in range(count):
                picture = shot.picture(at / max(1, count - 1))
                if picture is not before:
                    before, pixels = picture, fitted(picture, size)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = number
                frame.time_base = Fraction(1, rate)
                container.mux(stream.encode(frame))
                number += 1
        container.mux(stream.encode(None))
    return spans


def fitted(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture on black, as large as it goes into a frame of that width and height."""
    width, height = size
    tall, wide = picture.shape[:2]
    if (wide, tall) == size:
        return picture
    scale = min(width / wide, height / tall)
    across, down = max(1, round(wide * scale)), max(1, round(tall * scale))
    ground = np.zeros((height, width, 3), np.uint8)
    left, top = (width - across) // 2, (height - down) // 2
    image = Image.fromarray(np.ascontiguousarray(picture)).resize((across, down), Image.Resampling.BILINEAR)
    ground[top : top + down, left : left + across] = np.asarray(image)
    return ground


def cut_off(path: Path, share: float) -> None:
    """Leave the first part of a file, as a copy that was broken off does."""
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])


def pictures(paths: Sequence[Path]) -> list[Pixels]:
    """Photos as a film takes them."""
    found = []
    for path in paths:
        with Image.open(path) as opened:
            found.append(np.array(opened.convert("RGB")))
    return found
