"""What a worker process does with photos, and with parts of films.

`read_photos` runs in an expendable process: whatever a broken file does to a decoder, it does it there. It gets a few
photos at a time: they are decoded and looked at one after the other, so that only one is in memory, and then the faces
of all of them go through the network together.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from guyverd import config
from guyverd.errors import BoxRefused, PictureError, PictureMissing
from guyverd.faces import limits
from guyverd.faces.engine import CHIP_SIZE
from guyverd.faces.worker import another_part, portable
from guyverd.media.content import ContentChanged, read_file
from guyverd.media.look import look
from guyverd.media.still import Picture, read_picture
from guyverd.model import Box, PhotoReading
from guyverd.service.pipeline.jobs import MOST_BYTES, PartJob, PartRead, Read, ReadJob, Wanted

if TYPE_CHECKING:
    from guyverd.faces.find import FaceFinder, Sighting
    from guyverd.faces.onnx_engine import OnnxEngine
    from guyverd.faces.tracks import VideoPart

_WHOLE = 8192
"""Pixels on the longer side of a frame that is not reduced."""
MOST_CHIPS = 64
"""Faces that wait to be described together; each holds 68 kB."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """A photo that was looked at; its faces are not described yet."""

    seen: tuple[Sighting, Sighting] | BaseException
    """What was found, and what is in the boxes that were asked for."""
    facts: PhotoReading | None
    """All but the faces; None where there was a problem."""
    seconds: float

    @property
    def chips(self) -> int:
        return 0 if isinstance(self.seen, BaseException) else sum(len(one.chips) for one in self.seen)


def read_photos(job: ReadJob) -> list[Read]:
    """Decode photos and find their faces. One that cannot be read does not touch its neighbours.

    What hinders one is PictureMissing when none of its paths exists, ContentChanged when the bytes are not the expected
    ones, PictureUnreadable when they cannot be read or are no picture, MemoryError, or EngineError.
    """
    finder, engine = _finder(job.faces)
    done: list[Read] = []
    waiting: list[_Looked] = []
    for photo in job.photos:
        another_part()
        waiting.append(_looked(finder, photo))
        if sum(looked.chips for looked in waiting) >= MOST_CHIPS:
            done += _described(finder, engine, waiting)
            waiting = []
    return done + _described(finder, engine, waiting)


def _looked(finder: FaceFinder, photo: Wanted) -> _Looked:
    began = time.perf_counter()
    if photo.at is not None:
        return _looked_at_frame(finder, photo, photo.at)
    try:
        data, hash_, path = _bytes(photo)
        picture = read_picture(data, path=path, enough=finder.decoded)
        _check_inside(photo.boxes, picture, path)
        found = finder.look(picture.pixels, picture.scale) if photo.search else finder.look_at(picture.pixels, 1.0, ())
        told = hash_, picture.width, picture.height, picture.format, picture.taken_at
        facts = PhotoReading(*told, (), look=look(picture.pixels))
        enough = _enough(photo.boxes, picture)
        if enough > max(picture.pixels.shape):
            picture = read_picture(data, path=path, enough=enough)
        del data
        seen = found, finder.look_at(picture.pixels, picture.scale, photo.boxes)
    except Exception as problem:
        return _Looked(portable(problem), None, time.perf_counter() - began)
    return _Looked(seen, facts, time.perf_counter() - began)


def _looked_at_frame(finder: FaceFinder, photo: Wanted, at: float) -> _Looked:
    """The same for one frame of a video."""
    began = time.perf_counter()
    try:
        picture, path = _frame(photo, at, _most(finder, photo))
        _check_inside(photo.boxes, picture, path)
        found = finder.look(picture.pixels, picture.scale) if photo.search else finder.look_at(picture.pixels, 1.0, ())
        told = photo.hash or b"", picture.width, picture.height, picture.format, picture.taken_at
        facts = PhotoReading(*told, (), duration=picture.duration)
        seen = found, finder.look_at(picture.pixels, picture.scale, photo.boxes)
    except Exception as problem:
        return _Looked(portable(problem), None, time.perf_counter() - began)
    return _Looked(seen, facts, time.perf_counter() - began)


def _most(finder: FaceFinder, photo: Wanted) -> int:
    """Pixels on the longer side of a frame: all of them where faces are to be described that may be small."""
    return _WHOLE if photo.boxes else finder.decoded


def _frame(photo: Wanted, at: float, enough: int) -> tuple[Picture, bytes]:
    problem: PictureError | None = None
    # FFmpeg is loaded here, in the worker, and never in the daemon.
    from guyverd.media.video import read_frame  # noqa: PLC0415

    for path in photo.paths:
        try:
            return read_frame(path, at, enough=enough), path
        except PictureMissing:
            continue
        except PictureError as error:
            problem = error
    raise problem or PictureMissing(path=os.fsdecode(photo.paths[0]))


def _check_inside(boxes: Sequence[Box], picture: Picture, path: bytes) -> None:
    for box in boxes:
        if min(box.left, box.top) < 0 or box.right > picture.width or box.bottom > picture.height:
            size = f"{picture.width} × {picture.height} pixels"
            raise BoxRefused(path=os.fsdecode(path), detail=f"the picture has {size}, and the box reaches past them")


def _enough(boxes: Sequence[Box], picture: Picture) -> int:
    """Pixels on the longer side with which the smallest box is as large as a chip, or as large as it ever was.

    Where a face is not found it is small, mostly.
    """
    smallest = min((min(box.width, box.height) for box in boxes), default=CHIP_SIZE)
    return math.ceil(max(picture.width, picture.height) * min(1.0, CHIP_SIZE / max(1, smallest)))


def _bytes(photo: Wanted) -> tuple[bytes, bytes, bytes]:
    """A photo's bytes, their hash, and the path they are from."""
    problem: PictureError | None = None
    for path in photo.paths:
        try:
            data, hash_ = read_file(path, MOST_BYTES)
        except PictureMissing:
            continue
        except PictureError as error:
            problem = error
            continue
        if photo.hash is None or hash_ == photo.hash:
            return data, hash_, path
        problem = ContentChanged(path=os.fsdecode(path))
    raise problem or PictureMissing(path=os.fsdecode(photo.paths[0]))


_cold_photos = 8
"""This many more photos are read before this process is warm, unless a face ends it: the last model is loaded then."""


def _is_warm(photos: int, chips: int) -> bool:
    """Whether the process was warm before it read so many photos with so many faces."""
    global _cold_photos  # noqa: PLW0603  a process warms up once
    before = _cold_photos
    _cold_photos = 0 if chips else max(0, before - photos)
    return before == 0


def _described(finder: FaceFinder, engine: OnnxEngine, looked: Sequence[_Looked]) -> list[Read]:
    """The photos with their faces' vectors, which are made together; the time for it is shared by faces."""
    another_part()
    if _loading is not None:
        _loading.join()
    began = time.perf_counter()
    seen = [one for item in looked if not isinstance(item.seen, BaseException) for one in item.seen]
    try:
        faces = iter(finder.describe(seen) if seen else [])
    except Exception as problem:
        if len(looked) > 1:
            # It may be too much at once, or one of them.
            return [read for item in looked for read in _described(finder, engine, [item])]
        return [Read(portable(problem), engine.name, looked[0].seconds, limits.peak())]
    chips = sum(item.chips for item in looked)
    a_chip = (time.perf_counter() - began) / max(1, chips)
    peak = limits.peak()
    warm = _is_warm(len(looked), chips)
    done = []
    for item in looked:
        if isinstance(item.seen, BaseException):
            done.append(Read(item.seen, engine.name, item.seconds, peak, warm))
        else:
            assert item.facts is not None
            reading = replace(item.facts, faces=next(faces), asked=next(faces))
            done.append(Read(reading, engine.name, item.seconds + a_chip * item.chips, peak, warm))
    return done


def read_part(job: PartJob) -> PartRead:
    """Look at a part of a film. What hinders it is as for `read_photos`; the pool hears that it goes on."""
    # dlib and FFmpeg are loaded here, in the worker, and never in the daemon.
    from guyverd.faces.find import FaceFinder  # noqa: PLC0415
    from guyverd.faces.policy import policy  # noqa: PLC0415
    from guyverd.service.pipeline.viewing import view  # noqa: PLC0415

    began = time.perf_counter()
    _, engine = _finder(job.faces)
    found: VideoPart | BaseException
    try:
        found = view(
            job.wanted, FaceFinder(engine, policy(job.faces.level, job.wanted.videos.smallest), look), another_part
        )
    except Exception as problem:
        found = portable(problem)
    return PartRead(found, engine.name, time.perf_counter() - began, limits.peak())


def do(task: Callable[[ReadJob], list[Read]], job: ReadJob | PartJob) -> list[Read] | PartRead:
    """What a worker does with a job of either kind."""
    return read_part(job) if isinstance(job, PartJob) else task(job)


@cache
def _finder(settings: config.Faces) -> tuple[FaceFinder, OnnxEngine]:
    # dlib and onnxruntime are loaded here, in the worker, and never in the daemon.
    from guyverd.faces.find import FaceFinder  # noqa: PLC0415
    from guyverd.faces.onnx_engine import OnnxEngine  # noqa: PLC0415
    from guyverd.faces.policy import policy  # noqa: PLC0415

    how = policy(settings.level, settings.smallest)
    engine = OnnxEngine(device=settings.device, step=how.step)
    return FaceFinder(engine, how, look), engine


def prepare(settings: config.Faces) -> None:
    """Load the models, in a worker, before its first job. Raises EngineError."""
    _, engine = _finder(settings)
    engine.load()


def prepare_soon(settings: config.Faces) -> None:
    """The same for a worker whose first picture somebody waits for: it is decoded and looked at meanwhile.

    What goes wrong here goes wrong again, and is told, when the models are needed.
    """
    global _loading  # noqa: PLW0603  a process loads its models once
    _, engine = _finder(settings)

    def load() -> None:
        with suppress(Exception):
            engine.load()
            _ = engine.name

    _loading = threading.Thread(target=load, name="models", daemon=True)
    _loading.start()


_loading: threading.Thread | None = None
"""What loads this process's models, where they were not all loaded before its first job."""


def engine_name(settings: config.Faces) -> str:
    """The name of the engine that `read_photos` uses, in a worker. Raises EngineError."""
    _, engine = _finder(settings)
    if settings.device != "cpu":
        engine.load()  # only then it is known whether the device can be used
    return engine.name
