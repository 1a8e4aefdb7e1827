"""What becomes of a photo or video that gave nothing: a row with the reason, another try, or a wait for all of them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from guyverd.catalogue.rows import PendingPhoto
from guyverd.catalogue.store import Catalogue
from guyverd.errors import DeadlineExceeded, FileUnreadable, GuyverError, PictureError, PictureMissing, WorkerDied
from guyverd.media.content import ContentChanged
from guyverd.model import PhotoState
from guyverd.service.metrics import Metrics

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
"""A photo that killed or hung a worker this many times is quarantined."""
_AGAIN = 60.0
"""Seconds after which a photo is tried again where none could be read."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How much was read."""

    photos: int = 0
    """Failed ones among them, as everywhere here."""
    faces: int = 0
    """In photos and videos."""
    failed: int = 0
    """Photos and videos that gave nothing, or not all."""
    seconds: float = 0.0
    """Of the workers' time."""
    videos: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.photos + other.photos,
            self.faces + other.faces,
            self.failed + other.failed,
            self.seconds + other.seconds,
            self.videos + other.videos,
        )

    def __sub__(self, other: Tally) -> Tally:
        return self + Tally(-other.photos, -other.faces, -other.failed, -other.seconds, -other.videos)


class Hindrance:
    """What keeps everything from being read, such as missing models; one photo or video is tried every minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_try = 0.0
        self.problem: GuyverError | None = None
        """None where nothing hinders."""

    def note(self, problem: GuyverError) -> None:
        """Nothing could be read."""
        if self.problem is None:
            log.error("%s %s", problem.message, problem.advice)
            self._next_try = self._clock() + _AGAIN
        self.problem = problem

    def over(self) -> None:
        """Something was read, or it was its own fault that it was not."""
        if self.problem is not None:
            log.info("Photos can be read again.")
            self.problem = None

    def left(self) -> float | None:
        """Seconds until the next try; None where nothing hinders."""
        return None if self.problem is None else max(0.0, self._next_try - self._clock())

    @property
    def due(self) -> bool:
        """Whether it is time for a try."""
        return self.problem is not None and self._clock() >= self._next_try

    def tried(self) -> None:
        """Note a try, or that there is nothing to try."""
        self._next_try = self._clock() + _AGAIN


class Verdicts:
    """Makes durable why photos and videos gave nothing, and counts what was read. On one thread."""

    def __init__(
        self,
        catalogue: Catalogue,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        lost: Callable[[], bool] = lambda: False,
    ) -> None:
        """While a root is `lost`, as when its disk was pulled out a moment ago, nothing that is not found is gone."""
        self._catalogue = catalogue
        self._metrics = metrics
        self._lost = lost
        self._gone: list[int] = []
        self.hindrance = Hindrance(clock)
        self.tally = Tally()
        """Since the start."""
        self.memory = 0
        """The most bytes that any worker ever held."""
        self.engine = ""
        """What read the last photo or part of a video."""

    def worked(self, engine: str, seconds: float, memory: int) -> None:
        """Note what a worker used for a photo or a part of a video."""
        self.tally += Tally(seconds=seconds)
        self.memory = max(self.memory, memory)
        self.engine = engine

    def compared_no_more(self, faces: list[int]) -> None:
        """Note faces that are compared with no others any more."""
        self._gone += faces

    def take_gone(self) -> list[int]:
        """Those that were noted since this was last asked."""
        taken, self._gone = self._gone, []
        return taken

    def note(self, photo: PendingPhoto, problem: Exception, *, video: bool = False) -> None:
        """What kept a photo, or a `video`, from being read: it is tried again, or fails, or waits for its file."""
        if isinstance(problem, WorkerDied | DeadlineExceeded):
            attempts = photo.attempts + 1
            state = PhotoState.QUARANTINED if attempts >= MOST_ATTEMPTS else PhotoState.PENDING
            self._fail(photo, state, str(problem), attempts, video=video)
        elif isinstance(problem, ContentChanged):
            self._catalogue.files.again(photo.id)
        elif isinstance(problem, PictureMissing):
            self._missed(photo)
        elif isinstance(problem, FileUnreadable):
            self._unread(photo, in_words(problem), video=video)
        elif isinstance(problem, PictureError | MemoryError):
            self._fail(photo, PhotoState.FAILED, in_words(problem), photo.attempts, video=video)
        else:
            # A fault of ours must not stop the rest; the log keeps its traceback.
            path = os.fsdecode(photo.paths[0])
            log.error("%s could not be read", path, exc_info=problem, extra=about(photo))
            reason = f"{type(problem).__name__}: {problem}"
            self._fail(photo, PhotoState.FAILED, reason, photo.attempts, video=video)

    def _missed(self, photo: PendingPhoto) -> None:
        if any(map(os.path.lexists, photo.paths)):
            # Another was put in its place, or it was brought back, a moment after.
            self._catalogue.files.again(photo.id)
        elif not self._lost() and self._catalogue.files.paths_of([photo.id])[photo.id] == photo.paths:
            # Else it was moved, and found again, while it stood in line.
            self._catalogue.files.gone(photo.id, self._catalogue.now())

    def _unread(self, photo: PendingPhoto, reason: str, *, video: bool) -> None:
        # The disk does not give it now: it is read when its files were tried again with success.
        self._catalogue.files.unread(photo.id, reason)
        log.warning("%s cannot be read: %s", os.fsdecode(photo.paths[0]), reason, extra=about(photo))
        self._failed(video=video)

    def _fail(self, photo: PendingPhoto, state: PhotoState, reason: str, attempts: int, *, video: bool) -> None:
        self._gone += self._catalogue.photos.failed(photo.id, state, reason, attempts, self._catalogue.now())
        again = " It will be tried again." if state is PhotoState.PENDING else ""
        log.warning("%s: %s.%s", os.fsdecode(photo.paths[0]), reason.rstrip("."), again, extra=about(photo))
        if state is not PhotoState.PENDING:
            self._failed(video=video)
        if state is PhotoState.QUARANTINED:
            self._metrics.count("quarantined")

    def _failed(self, *, video: bool) -> None:
        self.tally += Tally(0, 0, 1, 0.0, 1) if video else Tally(1, 0, 1)
        self._metrics.count("read_failures")


def about(photo: PendingPhoto) -> dict[str, object]:
    """What a line in the log is about, for machines."""
    return {"file": os.fsdecode(photo.paths[0]), "photo": photo.id}


def in_words(problem: PictureError | MemoryError) -> str:
    """Why a photo is not read, without its name, which stands beside it."""
    if isinstance(problem, MemoryError):
        return str(problem) or "it takes more memory than a worker may use"
    return str(problem.fields.get("detail", problem))
