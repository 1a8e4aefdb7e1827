"""Small pictures of photos and of frames of videos, and of faces in them, made in expendable processes."""

from __future__ import annotations

import io
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guyverd import config
from guyverd.errors import PictureError, PictureMissing, WorkerError
from guyverd.faces.limits import workers as room
from guyverd.faces.pool import WorkerPool
from guyverd.model import Box

if TYPE_CHECKING:
    from PIL.Image import Image

    from guyverd.media.still import Picture

_QUALITY = 78
"""Of JPEG."""
_WHOLE = 1 << 31
"""Pixels; a picture that is to have so many is not reduced."""


@dataclass(frozen=True, slots=True)
class ThumbWanted:
    """A picture to be shown small."""

    paths: tuple[bytes, ...]
    """Absolute paths that should all hold it; the first that can be read is taken. At least one."""
    at: float | None
    """Seconds from the beginning of the video; None for a photo."""
    faces: tuple[Box, ...]
    """Faces to be shown by themselves, in pixels of the upright picture."""
    whole: int
    """Pixels on the longer side of the whole picture; 0 if it is not wanted."""
    side: int
    """Pixels on the longer side of a face's picture."""


@dataclass(frozen=True, slots=True)
class Thumb:
    """What is shown of it: JPEGs."""

    whole: bytes | None
    """None where it was not wanted."""
    faces: tuple[bytes | None, ...]
    """None for one that does not lie in the picture."""
    width: int
    """Pixels of the upright original."""
    height: int


def make(wanted: ThumbWanted) -> Thumb:
    """Decode a picture and make it small, in a worker. Raises PictureError and MemoryError."""
    problem: PictureError | None = None
    for path in wanted.paths:
        try:
            return _small(path, wanted)
        except PictureMissing:
            continue
        except PictureError as error:
            problem = error
    raise problem or PictureMissing(path=wanted.paths[0])


def _small(path: bytes, wanted: ThumbWanted) -> Thumb:
    # Decoders and Pillow are loaded in the worker.
    from PIL import Image  # noqa: PLC0415

    from guyverd.evaluation.page import enlarged  # noqa: PLC0415

    # To come to a frame of a video takes far longer than to unpack it whole.
    enough = max(wanted.whole, wanted.side, 256) if wanted.at is None else _WHOLE
    picture = _read(path, wanted.at, enough)
    cut = [enlarged(box, picture.width, picture.height) for box in wanted.faces]
    inside = [box for box in cut if box.width > 0 and box.height > 0]
    if inside:
        # A small face in a large photo takes more of it.
        smallest = min(max(box.width, box.height) for box in inside)
        longer = max(picture.width, picture.height)
        needed = min(longer, math.ceil(wanted.side * longer / smallest))
        if needed > max(picture.pixels.shape[:2]):
            picture = _read(path, wanted.at, needed)
    shown = Image.fromarray(picture.pixels)
    faces = tuple(_jpeg(_cut(shown, box, picture.scale), wanted.side) if box in inside else None for box in cut)
    return Thumb(_jpeg(shown, wanted.whole) if wanted.whole else None, faces, picture.width, picture.height)


def _read(path: bytes, at: float | None, enough: int) -> Picture:
    if at is not None:
        from guyverd.media.video import read_frame  # noqa: PLC0415  as above

        return read_frame(path, at, enough=enough)
    from guyverd.media.content import read_file  # noqa: PLC0415
    from guyverd.media.still import read_picture  # noqa: PLC0415
    from guyverd.service.pipeline.jobs import MOST_BYTES  # noqa: PLC0415

    return read_picture(read_file(path, MOST_BYTES)[0], path=path, enough=enough)


def _cut(shown: Image, box: Box, scale: float) -> Image:
    at = box.scaled(scale)
    return shown.crop((at.left, at.top, max(at.right, at.left + 1), max(at.bottom, at.top + 1)))


def _jpeg(shown: Image, longest: int) -> bytes:
    small = shown.copy()
    small.thumbnail((longest, longest))
    made = io.BytesIO()
    small.save(made, "JPEG", quality=_QUALITY)
    return made.getvalue()


class Thumbnails:
    """Processes that make them, started with the first; to be closed."""

    def __init__(self, workers: config.Workers) -> None:
        count = workers.count or room()
        self._pool: WorkerPool[ThumbWanted, Thumb] = WorkerPool(
            make, count=count, deadline=workers.deadline, memory=workers.memory, gentle=False
        )
        self._ahead = 4 * count

    def __enter__(self) -> Thumbnails:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop_now()

    def of(self, wanted: Iterable[ThumbWanted]) -> Iterator[Thumb | str]:
        """What is shown of each, in their order, or in words why it cannot be; few are held at a time."""
        waiting: deque[Future[Thumb]] = deque()
        for one in wanted:
            waiting.append(self._pool.submit(one))
            if len(waiting) > self._ahead:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def _result(future: Future[Thumb]) -> Thumb | str:
    try:
        return future.result()
    except (PictureError, WorkerError) as problem:
        return str(problem.fields.get("detail") or problem.message)
    except MemoryError as problem:
        return str(problem)


def wanted_of(
    files: Sequence[bytes], at: float | None, box: Sequence[int] | None, *, whole: int, side: int
) -> ThumbWanted:
    """What is shown of a photo, or of a video at some time, with the face in a box [left, top, right, bottom]."""
    return ThumbWanted(tuple(files), at, () if box is None else (Box(*box),), whole, side)
