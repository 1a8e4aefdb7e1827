"""Films written frame by frame, for tests of what reads them: every frame can be told by its colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

if TYPE_CHECKING:
    from guyverd.model import Pixels

RATE = 25
FORMATS = {".mts": "mpegts", ".mkv": "matroska"}
B_FRAMES = {"preset": "veryfast", "bf": "3", "g": "250", "sc_threshold": "0"}
"""Of three frames in four nothing else depends on one or two; no frame but the first depends on nothing."""


def number(at: int, width: int = 96, height: int = 64) -> Pixels:
    """Frame `at`: grey by its number, red in the upper left corner, green along the right edge."""
    made = np.full((height, width, 3), 40 + at % 150, np.uint8)
    made[: height // 4, : width // 4] = (255, 0, 0)
    made[:, -width // 8 :] = (0, 200, 0)
    return made


def number_of(pixels: Pixels) -> int:
    """Which frame that is, from 0 to 149; its middle tells, however it is turned."""
    height, width = pixels.shape[:2]
    return round(float(pixels[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4].mean())) - 40


def written(
    path: Path,
    frames: Iterable[Pixels],
    codec: str = "libx264",
    *,
    options: Mapping[str, str] | None = None,
    rate: int = RATE,
    turned: float | None = None,
    mirrored: bool = False,
    aspect: Fraction | None = None,
    metadata: Mapping[str, str] | None = None,
    form: str | None = None,
    pixels: str = "yuv420p",
    times: Iterable[int] | None = None,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write a film; `times` has the number of each frame, in steps of 1 / `rate` seconds, where it is not 0, 1, 2…"""
    told: dict[str, Any] = {"container_options": dict(container_options)} if container_options else {}
    with av.open(str(path), "w", format=form or FORMATS.get(path.suffix), **told) as container:
        container.metadata.update(metadata or {})
        stream = None
        at = iter(times) if times is not None else None
        for count, picture in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=rate, options=dict(options or {}))
                assert isinstance(stream, av.VideoStream)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pixels
                stream.thread_count = 1
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                if turned is not None or mirrored:
                    stream.set_display_rotation(turned or 0.0, hflip=mirrored)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = count if at is None else next(at)
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))
    return path
