"""Files become photos: each file's bytes are hashed by a thread or two, and a known hash is a known photo.

Results are recorded in the order of file ids, whatever the order in which they are ready. So the numbers of photos,
and with them the batches in which faces are grouped, do not depend on timing: a pass that was killed and started
again ends as one that was not.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from guyverd.catalogue.rows import PendingFile
from guyverd.catalogue.store import Catalogue
from guyverd.errors import PictureError, PictureMissing
from guyverd.faces.limits import go_last
from guyverd.media.content import ContentChanged, hash_file
from guyverd.media.kinds import is_video
from guyverd.model import FileId, Stamp
from guyverd.service.metrics import Metrics

log = logging.getLogger(__name__)

_THREADS = 2
_WINDOW = 64


class Identifying:
    """Keeps a window of files being hashed; call `advance` when one is ready (`wake` is called then)."""

    def __init__(
        self,
        catalogue: Catalogue,
        wake: Callable[[], None],
        unsettled: Callable[[PendingFile], None],
        metrics: Metrics | None = None,
        lost: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin with nothing in hand; `unsettled` is told of files that changed while they were hashed.

        While a root is `lost`, as when its disk was pulled out a moment ago, nothing that is not found is gone.
        """
        self._lost = lost
        self._metrics = metrics or Metrics()
        self._unsettled = unsettled
        self._catalogue = catalogue
        self._wake = wake
        self._stopped = threading.Event()
        self._gentle = True
        self._threads = _threads(self._gentle)
        self._window: deque[tuple[PendingFile, Future[tuple[bytes, Stamp]]]] = deque()

    def set_gentle(self, gentle: bool) -> None:
        """Choose whether every other program goes first; a thread cannot raise its priority, so there are new ones."""
        if gentle != self._gentle:
            self._gentle = gentle
            self._threads.shutdown(wait=False)
            self._threads = _threads(gentle)

    @property
    def busy(self) -> bool:
        """Whether files are being hashed."""
        return bool(self._window)

    def advance(self) -> bool:
        """Record what is ready and take up more. Tells whether anything was recorded."""
        recorded = self._record()
        after = self._window[-1][0].id if self._window else 0
        if len(self._window) <= _WINDOW // 2:
            for file in self._catalogue.files.pending(_WINDOW - len(self._window), after):
                future = self._threads.submit(self._hash, file.path)
                self._window.append((file, future))
                future.add_done_callback(lambda _: self._wake())
        return recorded

    def _hash(self, path: bytes) -> tuple[bytes, Stamp]:
        # On a thread of its own, so this is the disk's time and not that spent in line.
        with self._metrics.timing("hash"):
            hash_, stamp = hash_file(path, self._stopped.is_set)
        self._metrics.count("hashed_bytes", stamp.size)
        return hash_, stamp

    def _record(self) -> bool:
        found: list[tuple[FileId, Stamp, bytes]] = []
        failed: list[tuple[FileId, str]] = []
        taken: dict[FileId, Stamp] = {}
        videos: set[FileId] = set()
        count = 0
        while self._window and self._window[0][1].done():
            file, future = self._window.popleft()
            taken[file.id] = file.stamp
            count += 1
            try:
                hash_, stamp = future.result()
            except PictureMissing:
                if os.path.lexists(file.path):
                    # Another was put in its place, or it was brought back, a moment after.
                    self._unsettled(file)
                elif not self._lost():
                    self._catalogue.files.vanished(file.id, self._catalogue.now(), taken)
            except ContentChanged:
                path = os.fsdecode(file.path)
                log.debug("%s changed while it was read", path, extra={"file": path})
                failed.append((file.id, "it is still being written"))
                self._unsettled(file)
            except PictureError as problem:
                reason = str(problem.fields.get("detail", problem))
                failed.append((file.id, reason))
                self._metrics.count("hash_failures")
                path = os.fsdecode(file.path)
                log.warning("%s cannot be read: %s", path, reason, extra={"file": path})
            else:
                found.append((file.id, stamp, hash_))
                if is_video(file.relative):
                    videos.add(file.id)
        if found:
            self._catalogue.files.identified(found, taken, videos)
        if failed:
            self._catalogue.files.failed(failed, taken)
        return count > 0

    def stop(self) -> None:
        """Leave what is not begun, and what is not read to its end."""
        self._stopped.set()
        for _, future in self._window:
            future.cancel()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._window.clear()


def _threads(gentle: bool) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="hash", initializer=go_last if gentle else None)
