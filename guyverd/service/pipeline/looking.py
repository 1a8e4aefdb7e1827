"""Photos become faces: keeps the workers fed, and makes what they found, or why they failed, durable."""

from __future__ import annotations

import logging
import os
import queue
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

from guyverd.catalogue.rows import PendingPhoto
from guyverd.catalogue.store import Catalogue
from guyverd.errors import DeadlineExceeded, EngineError, PictureError, PictureMissing, WorkerDied
from guyverd.media.content import ContentChanged
from guyverd.model import PhotoId, PhotoReading, PhotoState
from guyverd.service.pipeline.reading import Read, Reader

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
"""A photo that killed or hung a worker this many times is quarantined."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How much was read."""

    photos: int = 0
    """Failed ones among them."""
    faces: int = 0
    failed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.photos + other.photos, self.faces + other.faces, self.failed + other.failed)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.photos - other.photos, self.faces - other.faces, self.failed - other.failed)


class Looking:
    """Feeds pending photos to the workers, twice as many as there are so that none waits for the catalogue."""

    def __init__(self, catalogue: Catalogue, reader: Reader, wake: Callable[[], None]) -> None:
        self._catalogue = catalogue
        self._reader = reader
        self._wake = wake
        self._under_way: dict[PhotoId, PendingPhoto] = {}
        self._ready: queue.SimpleQueue[tuple[PendingPhoto, Future[Read]]] = queue.SimpleQueue()
        self.tally = Tally()
        """Since the start."""
        self.broken: EngineError | None = None
        """Set when no photo can be read at all, for want of the models."""

    @property
    def busy(self) -> bool:
        """Whether photos are with the workers."""
        return bool(self._under_way)

    def lowest(self) -> PhotoId | None:
        """The lowest number of a photo that is with the workers."""
        return min(self._under_way, default=None)

    def advance(self) -> bool:
        """Record what the workers found and hand them more. Tells whether anything was recorded."""
        recorded = self._record()
        room = 2 * self._reader.width - len(self._under_way)
        if room > 0 and self.broken is None:
            for photo in self._next(room):
                self._under_way[photo.id] = photo
                future = self._reader.submit(photo.paths, photo.hash)
                future.add_done_callback(lambda done, photo=photo: self._arrived(photo, done))  # type: ignore[misc]
        return recorded

    def _next(self, room: int) -> list[PendingPhoto]:
        # Those under way are still pending in the catalogue, so look past them.
        found = self._catalogue.photos.pending(room + len(self._under_way))
        return [photo for photo in found if photo.id not in self._under_way][:room]

    def _arrived(self, photo: PendingPhoto, future: Future[Read]) -> None:
        self._ready.put((photo, future))
        self._wake()

    def _record(self) -> bool:
        read: list[tuple[PhotoId, PhotoReading]] = []
        engine = ""
        count = 0
        while not self._ready.empty():
            photo, future = self._ready.get()
            count += 1
            self._under_way.pop(photo.id, None)
            try:
                result = future.result()
            except CancelledError:
                continue
            except (WorkerDied, DeadlineExceeded) as problem:
                self._died(photo, str(problem))
            except ContentChanged:
                self._catalogue.files.again(photo.id)
            except PictureMissing:
                self._catalogue.files.gone(photo.id, self._catalogue.now())
            except EngineError as problem:
                self.broken = problem
                log.error("%s %s", problem.message, problem.advice)
            except PictureError as problem:
                self._fail(photo, PhotoState.FAILED, str(problem.fields.get("detail", problem)), photo.attempts)
            except Exception as problem:
                # A fault of ours must not stop the rest; the log keeps its traceback.
                log.exception("%s could not be read", os.fsdecode(photo.paths[0]))
                self._fail(photo, PhotoState.FAILED, f"{type(problem).__name__}: {problem}", photo.attempts)
            else:
                read.append((photo.id, result.reading))
                engine = result.engine
                self.tally += Tally(1, len(result.reading.faces), 0)
                log.debug("%s: %d faces", os.fsdecode(photo.paths[0]), len(result.reading.faces))
        if read:
            self._catalogue.photos.read(read, engine, self._catalogue.now())
        return count > 0

    def _died(self, photo: PendingPhoto, reason: str) -> None:
        attempts = photo.attempts + 1
        state = PhotoState.QUARANTINED if attempts >= MOST_ATTEMPTS else PhotoState.PENDING
        self._fail(photo, state, reason, attempts)

    def _fail(self, photo: PendingPhoto, state: PhotoState, reason: str, attempts: int) -> None:
        self._catalogue.photos.failed(photo.id, state, reason, attempts, self._catalogue.now())
        again = " It will be tried again." if state is PhotoState.PENDING else ""
        log.warning("%s: %s.%s", os.fsdecode(photo.paths[0]), reason.rstrip("."), again)
        if state is not PhotoState.PENDING:
            self.tally += Tally(1, 0, 1)
