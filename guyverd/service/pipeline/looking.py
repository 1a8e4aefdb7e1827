"""Photos become faces: keeps the workers fed, and makes what they found, or why they failed, durable."""

from __future__ import annotations

import itertools
import logging
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

from guyverd.catalogue.rows import PendingPhoto
from guyverd.catalogue.store import Catalogue
from guyverd.errors import (
    DeadlineExceeded,
    EngineError,
    FileUnreadable,
    GuyverError,
    PictureError,
    PictureMissing,
    WorkerDied,
    WorkerNotStarted,
)
from guyverd.media.content import ContentChanged
from guyverd.model import Box, FaceId, PhotoId, PhotoReading, PhotoState
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.meter import Cost
from guyverd.service.pipeline.reading import Read, Reader, Wanted

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
"""A photo that killed or hung a worker this many times is quarantined."""
_AGAIN = 60.0
"""Seconds after which a photo is tried again where none could be read."""
MOST_AT_ONCE = 8
"""Photos that one worker gets together."""
MOST_BYTES_AT_ONCE = 24_000_000
"""And how large together: a few seconds' work, whatever is in them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How much was read."""

    photos: int = 0
    """Failed ones among them."""
    faces: int = 0
    failed: int = 0
    seconds: float = 0.0
    """Of the workers' time."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.photos + other.photos,
            self.faces + other.faces,
            self.failed + other.failed,
            self.seconds + other.seconds,
        )

    def __sub__(self, other: Tally) -> Tally:
        return self + Tally(-other.photos, -other.faces, -other.failed, -other.seconds)


def batch(line: Sequence[PendingPhoto], workers: int, *, single: bool) -> int:
    """How many photos from the head of the line one of so many workers gets next; at least one of a line of some.

    The fewer are left, the smaller the share, so that all workers finish together; `single` where the first results
    are awaited. A photo that harmed a worker before is read alone, so that it takes no others along.
    """
    if single:
        return min(1, len(line))
    most = max(1, min(MOST_AT_ONCE, len(line) // (2 * workers)))
    harmless = itertools.takewhile(lambda photo: not photo.attempts, itertools.islice(line, most))
    sizes = itertools.accumulate(photo.size for photo in harmless)
    return min(len(line), max(1, sum(size <= MOST_BYTES_AT_ONCE for size in sizes)))


class Looking:
    """Feeds pending photos to the workers: twice as many batches as there are workers, so that none waits."""

    def __init__(
        self,
        catalogue: Catalogue,
        reader: Reader,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        kept: Callable[[], Collection[FaceId]] = frozenset,
        *,
        metrics: Metrics | None = None,
        lost: Callable[[], bool] = lambda: False,
    ) -> None:
        """`kept` tells of which faces something was said: they stay, whatever is found when a photo is read again.

        While a root is `lost`, as when its disk was pulled out a moment ago, no photo that is not found is gone.
        """
        self._lost = lost
        self._clock = clock
        self._kept = kept
        self._metrics = metrics or Metrics()
        self._catalogue = catalogue
        self._reader = reader
        self._wake = wake
        self._under_way: dict[PhotoId, int] = {}
        """With the number of its batch."""
        self._batches = itertools.count()
        self._singles = 0
        self._line: deque[PendingPhoto] = deque()
        """Photos that come next, taken from the catalogue many at a time."""
        self._early: set[PhotoId] = set()
        """Those at its head that are read before their turn."""
        self._costs: list[Cost] = []
        self._gone: list[int] = []
        self._ready: queue.SimpleQueue[tuple[PendingPhoto, Future[Read]]] = queue.SimpleQueue()
        self.tally = Tally()
        """Since the start."""
        self.memory = 0
        """The most bytes that any worker ever held."""
        self.engine = ""
        """What read the last photo."""
        self.broken: GuyverError | None = None
        """Why no photo can be read at all, such as missing models; one is tried every minute."""
        self._next_try = 0.0

    @property
    def busy(self) -> bool:
        """Whether photos are with the workers."""
        return bool(self._under_way)

    def lowest(self) -> PhotoId | None:
        """The lowest number of a photo that is with the workers."""
        return min(self._under_way, default=None)

    def advance(self, *, quiet: bool = False) -> bool:
        """Record what the workers found and hand them more, unless it is to be `quiet`. Tells of anything recorded."""
        recorded = self._record()
        workers = self._reader.width
        if not self._under_way:
            self._singles = 2 * workers
        room = 2 * workers - len(set(self._under_way.values()))
        if self.broken is not None:
            self._try_one(quiet)
        elif room > 0 and not quiet:
            self._line_up((room + 2 * workers) * MOST_AT_ONCE)
            for _ in range(room):
                if not self._hand_out(batch(self._line, workers, single=self._singles > 0)):
                    break
        return recorded

    def retry(self) -> float | None:
        """Seconds until a photo is tried again; None where nothing hinders."""
        return None if self.broken is None else max(0.0, self._next_try - self._clock())

    def _try_one(self, quiet: bool) -> None:
        now = self._clock()
        if now < self._next_try:
            return
        self._next_try = now + _AGAIN
        if not self._under_way and not quiet:
            self._line_up(MOST_AT_ONCE)
            self._hand_out(min(1, len(self._line)))

    def _hinder(self, problem: GuyverError) -> None:
        if self.broken is None:
            log.error("%s %s", problem.message, problem.advice)
            self._next_try = self._clock() + _AGAIN
        self.broken = problem

    def take_costs(self) -> list[Cost]:
        """What the photos cost that were done since this was last asked."""
        taken, self._costs = self._costs, []
        return taken

    def take_gone(self) -> list[int]:
        """The faces that are compared with no others any more since this was last asked."""
        taken, self._gone = self._gone, []
        return taken

    def sample(self, sizes: tuple[int, int], count: int) -> None:
        """Read some photos of at least and below so many bytes next, from all over the library."""
        found = self._catalogue.photos.some_pending(sizes, count)
        early = [photo for photo in found if photo.id not in self._under_way and photo.id not in self._early]
        self._early.update(photo.id for photo in early)
        self._line = deque(sorted(self._line, key=lambda photo: photo.id not in self._early))
        standing = {photo.id for photo in self._line}
        self._line.extendleft(photo for photo in reversed(early) if photo.id not in standing)

    def _hand_out(self, count: int) -> bool:
        photos = [self._line.popleft() for _ in range(count)]
        number = next(self._batches)
        self._singles = max(0, self._singles - 1)
        self._under_way.update((photo.id, number) for photo in photos)
        self._early.difference_update(photo.id for photo in photos)
        boxes = self._boxes(photos)
        wanted = [Wanted(photo.paths, photo.hash, boxes.get(photo.id, ())) for photo in photos]
        futures = self._reader.submit(wanted) if photos else []
        for photo, future in zip(photos, futures, strict=True):
            future.add_done_callback(lambda done, photo=photo: self._arrived(photo, done))  # type: ignore[misc]
        return bool(photos)

    def _boxes(self, photos: Sequence[PendingPhoto]) -> dict[PhotoId, tuple[Box, ...]]:
        again = [photo.id for photo in photos if photo.again]
        return self._catalogue.renewal.boxes(again, self._kept()) if again else {}

    def _line_up(self, least: int) -> None:
        """Have at least so many in line, if there are as many."""
        if len(self._line) >= least:
            return
        # Twice as many, so as not to ask for each batch; those under way are still pending, so look past them.
        found = self._catalogue.photos.pending(2 * least + len(self._under_way))
        early = [photo for photo in self._line if photo.id in self._early]
        self._line = deque(early)
        self._line.extend(photo for photo in found if photo.id not in self._under_way and photo.id not in self._early)

    def _arrived(self, photo: PendingPhoto, future: Future[Read]) -> None:
        self._ready.put((photo, future))
        self._wake()

    def _record(self) -> bool:
        read: dict[str, list[tuple[PhotoId, PhotoReading]]] = {}
        again = False
        count = 0
        while not self._ready.empty():
            photo, future = self._ready.get()
            count += 1
            self._under_way.pop(photo.id, None)
            cost = Cost(photo.size, None)
            try:
                result = future.result()
                cost = Cost(photo.size, result.seconds, result.warm)
                self.tally += Tally(seconds=result.seconds)
                self._metrics.took("read", result.seconds)
                self.memory = max(self.memory, result.memory)
                self.engine = result.engine
                reading = result.reading
            except CancelledError:
                continue
            except (EngineError, WorkerNotStarted) as problem:
                self._hinder(problem)
                continue
            except (WorkerDied, DeadlineExceeded) as problem:
                self._died(photo, str(problem))
            except ContentChanged:
                self._catalogue.files.again(photo.id)
            except PictureMissing:
                self._missed(photo)
            except (PictureError, MemoryError) as problem:
                self._refuse(photo, problem)
            except Exception as problem:
                # A fault of ours must not stop the rest; the log keeps its traceback.
                log.exception("%s could not be read", os.fsdecode(photo.paths[0]), extra=_about(photo))
                self._fail(photo, PhotoState.FAILED, f"{type(problem).__name__}: {problem}", photo.attempts)
            else:
                # A worker whose device failed goes on with another, under another name.
                read.setdefault(result.engine, []).append((photo.id, reading))
                again = again or photo.again
                self.tally += Tally(1, len(reading.faces), 0)
                self._metrics.count("faces_found", len(reading.faces))
                log.debug("%s: %d faces", os.fsdecode(photo.paths[0]), len(reading.faces), extra=_about(photo))
            self._costs.append(cost)
            if self.broken is not None:
                log.info("Photos can be read again.")
                self.broken = None
        kept = self._kept() if again else frozenset()
        for engine, readings in read.items():
            self._gone += self._catalogue.photos.read(readings, engine, self._catalogue.now(), kept)
        return count > 0

    def _missed(self, photo: PendingPhoto) -> None:
        if any(map(os.path.lexists, photo.paths)):
            # Another was put in its place, or it was brought back, a moment after.
            self._catalogue.files.again(photo.id)
        elif not self._lost() and self._catalogue.files.paths_of([photo.id])[photo.id] == photo.paths:
            # Else it was moved, and found again, while it stood in line.
            self._catalogue.files.gone(photo.id, self._catalogue.now())

    def _died(self, photo: PendingPhoto, reason: str) -> None:
        attempts = photo.attempts + 1
        state = PhotoState.QUARANTINED if attempts >= MOST_ATTEMPTS else PhotoState.PENDING
        self._fail(photo, state, reason, attempts)

    def _refuse(self, photo: PendingPhoto, problem: PictureError | MemoryError) -> None:
        reason = _in_words(problem)
        if not isinstance(problem, FileUnreadable):
            self._fail(photo, PhotoState.FAILED, reason, photo.attempts)
            return
        # The disk does not give it now: it is read when its files were tried again with success.
        self._catalogue.files.unread(photo.id, reason)
        log.warning("%s cannot be read: %s", os.fsdecode(photo.paths[0]), reason, extra=_about(photo))
        self.tally += Tally(1, 0, 1)
        self._metrics.count("read_failures")

    def _fail(self, photo: PendingPhoto, state: PhotoState, reason: str, attempts: int) -> None:
        self._gone += self._catalogue.photos.failed(photo.id, state, reason, attempts, self._catalogue.now())
        again = " It will be tried again." if state is PhotoState.PENDING else ""
        log.warning("%s: %s.%s", os.fsdecode(photo.paths[0]), reason.rstrip("."), again, extra=_about(photo))
        if state is not PhotoState.PENDING:
            self.tally += Tally(1, 0, 1)
            self._metrics.count("read_failures")
        if state is PhotoState.QUARANTINED:
            self._metrics.count("quarantined")


def _about(photo: PendingPhoto) -> dict[str, object]:
    """What a line in the log is about, for machines."""
    return {"file": os.fsdecode(photo.paths[0]), "photo": photo.id}


def _in_words(problem: PictureError | MemoryError) -> str:
    """Why a photo is not read, without its name, which stands beside it."""
    if isinstance(problem, MemoryError):
        return str(problem) or "it takes more memory than a worker may use"
    return str(problem.fields.get("detail", problem))
