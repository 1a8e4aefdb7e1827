"""Films of labelled photos drawn frame by frame and written with PyAV; the same script gives the same frames."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

from guyverd.evaluation.films import RATE, SIZE, Appearance, Script

if TYPE_CHECKING:
    from guyverd.model import Pixels

Pictures = Callable[[int], "Pixels"]
"""The photo of a `Still`, by its number: upright, uint8[height, width, 3]."""
_CODECS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"preset": "ultrafast", "crf": "20", "g": str(2 * RATE)}),
    ("mpeg4", {}),
)
"""The first that this build of FFmpeg has is taken."""


def write(path: Path, script: Script, pictures: Pictures) -> None:
    """Write a film to `path`, whose name tells the container. Raises OSError and what `pictures` raises."""
    codec, options = next(each for each in _CODECS if each[0] in av.codecs_available)
    drawer = Drawer(script, pictures)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        stream.thread_count = 1  # more of them would not give the same bytes each time
        for number in range(script.frames):
            frame = av.VideoFrame.from_ndarray(drawer.frame(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


class Drawer:
    """Draws the frames of one film, in order or not; photos are kept as long as they are in the picture."""

    def __init__(self, script: Script, pictures: Pictures) -> None:
        self._script = script
        self._pictures = pictures
        self._photos: dict[int, Image.Image] = {}
        self._last: tuple[tuple[Appearance, ...], Pixels] | None = None
        self._ground = _ground()

    def frame(self, number: int) -> Pixels:
        """Frame `number`, uint8[height, width, 3]."""
        layers = self._script.at(number)
        needed = {each.still.number for each in layers}
        self._photos = {key: photo for key, photo in self._photos.items() if key in needed}
        resting = all(each.begin == each.end and each.opacity(number) == 1 for each in layers)
        if resting and self._last is not None and self._last[0] == layers:
            return self._last[1]
        made = self._ground.copy()
        for each in layers:
            self._put(made, each, number)
        pixels: Pixels = np.clip(made + 0.5, 0, 255).astype(np.uint8)
        self._last = (layers, pixels) if resting else None
        return pixels

    def _put(self, made: np.ndarray[tuple[int, ...], np.dtype[np.float32]], each: Appearance, number: int) -> None:
        """Add what a layer changes of the ground, in the share that it has."""
        photo = self._photo(each)
        left, top, scale = each.rectangle(number)
        begin, end = each.window()
        # Whole pixels of the film that the photo covers.
        x0, x1 = max(begin, math.ceil(left)), min(end, math.floor(left + scale * each.still.width))
        y0, y1 = max(0, math.ceil(top)), min(SIZE[1], math.floor(top + scale * each.still.height))
        if x1 <= x0 or y1 <= y0:
            return
        across, down = photo.width / (scale * each.still.width), photo.height / (scale * each.still.height)
        box = (
            max(0.0, (x0 - left) * across),
            max(0.0, (y0 - top) * down),
            min(float(photo.width), (x1 - left) * across),
            min(float(photo.height), (y1 - top) * down),
        )
        shown = photo.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=box)
        place = (slice(y0, y1), slice(x0, x1))
        made[place] += each.opacity(number) * (np.asarray(shown, dtype=np.float32) - self._ground[place])

    def _photo(self, each: Appearance) -> Image.Image:
        """The photo, no larger than it is ever shown."""
        if each.still.number not in self._photos:
            photo = Image.fromarray(np.ascontiguousarray(self._pictures(each.still.number)))
            scale = max(each.begin.wide, each.end.wide) * SIZE[0] / each.still.face.width
            if scale * each.still.width < photo.width:
                size = (max(1, round(scale * each.still.width)), max(1, round(scale * each.still.height)))
                photo = photo.resize(size, Image.Resampling.LANCZOS)
            self._photos[each.still.number] = photo
        return self._photos[each.still.number]


def _ground() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """What is seen where nobody is: a dim wall with a few stripes, float32[height, width, 3]."""
    down, across = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].astype(np.float32)
    light = 50 + 40 * down / SIZE[1] + 8 * np.sign(np.sin(across / 23))
    return np.stack([light, light * 0.95, light * 0.85], axis=2)
