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

from guyverd.catalogue.rows import PendingPhoto
from guyverd.catalogue.store import Catalogue
from guyverd.errors import EngineError, GuyverError, WorkerNotStarted
from guyverd.model import Box, FaceId, PhotoId, PhotoReading
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.jobs import Read, Wanted
from guyverd.service.pipeline.meter import Cost
from guyverd.service.pipeline.reading import Reader
from guyverd.service.pipeline.verdicts import Tally, Verdicts, about

log = logging.getLogger(__name__)

MOST_AT_ONCE = 8
"""Photos that one worker gets together."""
MOST_BYTES_AT_ONCE = 24_000_000
"""And how large together: a few seconds' work, whatever is in them."""


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
        self._ready: queue.SimpleQueue[tuple[PendingPhoto, Future[Read]]] = queue.SimpleQueue()
        self.verdicts = Verdicts(catalogue, self._metrics, clock, lost)
        """What became of those that gave nothing, and how much was read."""

    @property
    def tally(self) -> Tally:
        """How much was read since the start."""
        return self.verdicts.tally

    @property
    def memory(self) -> int:
        """The most bytes that any worker ever held."""
        return self.verdicts.memory

    @property
    def engine(self) -> str:
        """What read the last photo."""
        return self.verdicts.engine

    @property
    def broken(self) -> GuyverError | None:
        """Why no photo can be read at all, such as missing models; one is tried every minute."""
        return self.verdicts.hindrance.problem

    @property
    def plenty(self) -> bool:
        """Whether there are photos enough for all workers."""
        return bool(self._line) or len(set(self._under_way.values())) >= self._reader.width

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
        return self.verdicts.hindrance.left()

    def _try_one(self, quiet: bool) -> None:
        if not self.verdicts.hindrance.due:
            return
        self.verdicts.hindrance.tried()
        if not self._under_way and not quiet:
            self._line_up(MOST_AT_ONCE)
            self._hand_out(min(1, len(self._line)))

    def take_costs(self) -> list[Cost]:
        """What the photos cost that were done since this was last asked."""
        taken, self._costs = self._costs, []
        return taken

    def take_gone(self) -> list[int]:
        """The faces that are compared with no others any more since this was last asked."""
        return self.verdicts.take_gone()

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
                self.verdicts.worked(result.engine, result.seconds, result.memory)
                self._metrics.took("read", result.seconds)
                reading = result.reading
            except CancelledError:
                continue
            except (EngineError, WorkerNotStarted) as problem:
                self.verdicts.hindrance.note(problem)
                continue
            except Exception as problem:
                self.verdicts.note(photo, problem)
            else:
                # A worker whose device failed goes on with another, under another name.
                read.setdefault(result.engine, []).append((photo.id, reading))
                again = again or photo.again
                self.verdicts.tally += Tally(1, len(reading.faces), 0)
                self._metrics.count("faces_found", len(reading.faces))
                log.debug("%s: %d faces", os.fsdecode(photo.paths[0]), len(reading.faces), extra=about(photo))
            self._costs.append(cost)
            self.verdicts.hindrance.over()
        kept = self._kept() if again else frozenset()
        for engine, readings in read.items():
            gone = self._catalogue.photos.read(readings, engine, self._catalogue.now(), kept)
            self.verdicts.compared_no_more(gone)
        return count > 0
