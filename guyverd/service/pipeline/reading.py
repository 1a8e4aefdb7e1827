"""What a worker process does with one photo, and the pool of workers that rests when there is nothing to do.

`read_photo` runs in an expendable process: whatever a broken file does to a decoder, it does it there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from guyverd import config
from guyverd.errors import PictureError, PictureMissing
from guyverd.faces.pool import WorkerPool, cores
from guyverd.media.content import ContentChanged, read_file
from guyverd.media.still import read_picture
from guyverd.model import PhotoReading

if TYPE_CHECKING:
    from guyverd.faces.find import FaceFinder

MOST_BYTES = 2_000_000_000
"""Files larger than this are no photos; a worker holds a file's bytes while it decodes them."""
LONGEST = 4096
"""Pictures are reduced to this many pixels on the longer side before chips are cut: a face that fills a chip's
150 pixels there is 1/27 of the picture."""


CNN_CANVAS = 1600
"""The most that dlib's CNN detector gets: it takes 1.2 GB for a megapixel, and workers have 4 GB by default."""


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One photo to read, with what a worker must know of the settings."""

    paths: tuple[bytes, ...]
    """Absolute paths that should all hold the photo; the first that can be read is taken."""
    hash: bytes | None
    """The hash its bytes must have; None for a picture outside the library."""
    faces: config.Faces


@dataclass(frozen=True, slots=True)
class Read:
    """What a worker found, and with which models."""

    reading: PhotoReading
    engine: str


def read_photo(job: ReadJob) -> Read:
    """Decode a photo and find its faces.

    Raises PictureMissing when none of its paths exists, ContentChanged when the bytes are not the expected ones,
    PictureUnreadable when they cannot be read or are no picture.
    """
    problem: PictureError | None = None
    for path in job.paths:
        try:
            data, hash_ = read_file(path, MOST_BYTES)
        except PictureMissing:
            continue
        except PictureError as error:
            problem = error
            continue
        if job.hash is not None and hash_ != job.hash:
            problem = ContentChanged(path=os.fsdecode(path))
            continue
        picture = read_picture(data, path=path, longest=LONGEST)
        del data
        finder, engine = _finder(job.faces)
        faces = finder.find(picture.pixels, picture.scale)
        reading = PhotoReading(hash_, picture.width, picture.height, picture.format, picture.taken_at, faces)
        return Read(reading, engine)
    raise problem or PictureMissing(path=os.fsdecode(job.paths[0]))


@cache
def _finder(settings: config.Faces) -> tuple[FaceFinder, str]:
    # dlib is loaded here, in the worker, and never in the daemon.
    from guyverd.faces.dlib_engine import DlibEngine  # noqa: PLC0415
    from guyverd.faces.find import FaceFinder  # noqa: PLC0415

    engine = DlibEngine(settings.detector)
    canvas = min(settings.canvas, CNN_CANVAS) if settings.detector == "cnn" else settings.canvas
    return FaceFinder(engine, settings.smallest, canvas), engine.name


class Reader:
    """Workers on demand: processes start with the first job and end when there was none for a while.

    Safe to use from several threads.
    """

    def __init__(
        self,
        workers: config.Workers,
        faces: config.Faces,
        clock: Callable[[], float] = time.monotonic,
        task: Callable[[ReadJob], Read] = read_photo,
    ) -> None:
        self._workers = workers
        self._faces = faces
        self._clock = clock
        self._task = task
        self._guard = threading.Lock()
        self._pool: WorkerPool[ReadJob, Read] | None = None
        self._stopped = False
        self._under_way = 0
        self._last_used = clock()

    @property
    def width(self) -> int:
        """How many photos can be read at once."""
        return self._workers.count or cores()

    @property
    def awake(self) -> bool:
        """Whether worker processes exist."""
        return self._pool is not None

    def submit(self, paths: tuple[bytes, ...], hash_: bytes | None = None) -> Future[Read]:
        """Read one photo in a worker. The future raises what `read_photo` raises, or what the pool says of a death."""
        with self._guard:
            if self._stopped:
                cancelled: Future[Read] = Future()
                cancelled.cancel()
                return cancelled
            if self._pool is None:
                self._pool = WorkerPool(
                    self._task,
                    count=self.width,
                    deadline=self._workers.deadline,
                    memory=self._workers.memory,
                    gentle=self._workers.gentle,
                )
            self._under_way += 1
            future = self._pool.submit(ReadJob(paths, hash_, self._faces))
        future.add_done_callback(self._finished)
        return future

    def _finished(self, _: Future[Read]) -> None:
        with self._guard:
            self._under_way -= 1
            self._last_used = self._clock()

    def rest(self) -> float | None:
        """End the workers if they were idle long enough; else how many seconds until then, None when there are none."""
        with self._guard:
            if self._pool is None:
                return None
            left = self._last_used + self._workers.idle - self._clock()
            if self._under_way or left > 0:
                return max(left, 1.0)
            pool, self._pool = self._pool, None
        pool.close(wait=True)
        return None

    def stop(self) -> None:
        """End the workers now; what they had in hand is cancelled and will be read again another time."""
        with self._guard:
            self._stopped = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop_now()
