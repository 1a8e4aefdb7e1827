"""Faces cut from a photo, or from a frame of a video, as large as they are in it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from guyverd import config
from guyverd.evaluation.page import enlarged
from guyverd.faces.pool import WorkerPool
from guyverd.media.content import read_file
from guyverd.media.still import Picture, read_picture
from guyverd.model import Box
from guyverd.service.pipeline.jobs import MOST_BYTES

_QUALITY = 95
"""Of JPEG; with more, files grow and nobody sees it."""
_WHOLE = 1 << 31
"""Pixels; a picture that is to have so many is not reduced."""


def cut_out(
    path: bytes, boxes: Sequence[Box], longest: int | None = None, at: float | None = None
) -> list[bytes | str]:
    """For each box, in pixels of the upright photo, a JPEG of it with a tenth added all around; or why there is none.

    `at` is the time of the frame, in seconds, where it is a video. No side is longer than `longest` pixels, where that
    is given. Raises PictureError where the photo cannot be read. It is decoded in this process: a worker did it before
    and came to no harm. For videos, whose frames were not all decoded before, there is `Cutters`.
    """
    picture = _read(path, at)
    whole = Image.fromarray(picture.pixels)
    found: list[bytes | str] = []
    for box in boxes:
        wanted = enlarged(box, picture.width, picture.height)
        if wanted.width <= 0 or wanted.height <= 0:
            found.append("the photo is smaller than it was when the face was found")
            continue
        face = whole.crop((wanted.left, wanted.top, wanted.right, wanted.bottom))
        if longest is not None:
            face.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        made = io.BytesIO()
        face.save(made, "JPEG", quality=_QUALITY, subsampling=0)
        found.append(made.getvalue())
    return found


def _read(path: bytes, at: float | None) -> Picture:
    if at is not None:
        # FFmpeg is loaded in the worker only.
        from guyverd.media.video import read_frame  # noqa: PLC0415

        return read_frame(path, at, enough=_WHOLE)
    return read_picture(read_file(path, MOST_BYTES)[0], path=path, enough=_WHOLE)


@dataclass(frozen=True, slots=True)
class CutWanted:
    """Faces to be cut from one frame of a video."""

    path: bytes
    boxes: tuple[Box, ...]
    longest: int | None
    at: float | None


def cut_wanted(job: CutWanted) -> list[bytes | str]:
    """What `cut_out` gives, in a worker."""
    return cut_out(job.path, job.boxes, job.longest, job.at)


class Cutters:
    """Cuts faces from videos in an expendable process, started with the first; to be closed."""

    def __init__(self, workers: config.Workers) -> None:
        self._pool = WorkerPool(
            cut_wanted, count=1, deadline=workers.deadline, memory=workers.memory, gentle=workers.speed == "gentle"
        )

    def cut_out(self, path: bytes, boxes: Sequence[Box], longest: int | None, at: float | None) -> list[bytes | str]:
        """As the function of this name. Raises WorkerError, and MemoryError, too."""
        return self._pool.submit(CutWanted(path, tuple(boxes), longest, at)).result()

    def close(self) -> None:
        """End the process."""
        self._pool.stop_now()
