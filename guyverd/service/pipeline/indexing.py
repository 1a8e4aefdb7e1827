"""The index: opened, kept equal to the catalogue, and saved now and then.

In a daemon a thread of its own opens it at the start, so that neither the first question nor anything else waits for
that. Until it is there, grouping waits.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import ControlError, GuyverError, StateError
from guyverd.people.index import FaceIndex
from guyverd.people.index_file import IndexRefused, prune
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.measuring import Measuring

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray

log = logging.getLogger(__name__)

_SAVE_AFTER = 10.0
"""Seconds after which a changed index is saved."""
_SAVE_AFTER_PER_FACE = 0.001
"""And as many more for each face in it: a large index takes long to write, and a lost one is caught up with."""
_AT_ONCE = 20_000
"""Faces that are taken from the catalogue at a time."""
_STEP = 1000
"""Faces after which it is looked whether all is to end: adding so many takes a second in a large index."""


class Indexing:
    """Keeps the index. One thread changes it; any may ask for it."""

    def __init__(self, config: Config, catalogue: Catalogue, metrics: Metrics | None = None) -> None:
        self._catalogue = catalogue
        self._metrics = metrics or Metrics()
        self._folder = os.fsencode(config.state / "index")
        self.measuring = Measuring(config.clustering, catalogue)
        self._index: FaceIndex | None = None
        self._unsaved_since: float | None = None
        self._opening = threading.Lock()
        """Held by whoever opens it."""
        self._guard = threading.Lock()
        """For `_index`, `_dropped` and `_doubts`."""
        self._dropped: list[int] = []
        """What was forgotten while it was being opened."""
        self._doubts = 0
        self._thread: threading.Thread | None = None
        self._stopping = False

    # ---- opening -----------------------------------------------------------------------------------------------------

    def open_early(self, then: Callable[[], None]) -> None:
        """Open it, and learn what counts as evidence, in a thread of its own; call `then` when that is done."""
        self._thread = threading.Thread(target=self._open_early, args=(then,), name="index", daemon=True)
        self._thread.start()

    def _open_early(self, then: Callable[[], None]) -> None:
        try:
            _ = self.index
            self.measuring.now()
        except GuyverError as problem:
            # Whoever needs it next tells it in full.
            log.debug("The index is not open: %s", problem)
        finally:
            self._thread = None
            then()

    def give_up_opening(self) -> None:
        """Do not go on opening it."""
        self._stopping = True
        if (thread := self._thread) is not None:
            thread.join()

    @property
    def is_opening(self) -> bool:
        """Whether a thread opens it, so that others need not wait for it."""
        return self._thread is not None and self._index is None

    @property
    def index(self) -> FaceIndex:
        """The index, loaded or rebuilt where nobody did so before."""
        while (index := self._index) is None:
            with self._opening:
                if self._index is None:
                    self._open()
        return index

    def _open(self) -> None:
        with self._guard:
            doubts, self._dropped = self._doubts, []
        found = self._opened()
        with self._guard:
            if doubts == self._doubts:
                found.remove(np.array(self._dropped, dtype=np.int64))
                self._index = found

    def _opened(self) -> FaceIndex:
        stamp = self._catalogue.index_stamp()
        if stamp is None:
            return self._rebuilt("none was saved")
        try:
            with self._metrics.timing("index_load"):
                index = FaceIndex.load(self._folder, stamp)
        except IndexRefused as problem:
            return self._rebuilt(str(problem))
        wanted, held = self._catalogue.photos.grouped_ids(), index.ids()
        revised = _among(self._catalogue.renewal.revised(), wanted)
        stale = _not_among(held, wanted)
        if len(stale):
            index.remove(stale)
            self._unsaved()
        faces = np.union1d(_not_among(wanted, held), revised)
        for start in range(0, len(faces), _AT_ONCE):
            table = self._catalogue.photos.table(faces[start : start + _AT_ONCE])
            self._add(index, table.ids, table.vectors)
        return index

    def _rebuilt(self, why: str) -> FaceIndex:
        index = FaceIndex()
        for ids, vectors in self._catalogue.photos.grouped(_AT_ONCE):
            self._add(index, ids, vectors)
        if len(index):
            self._metrics.count("index_rebuilds")
            log.info("The index was rebuilt with %d faces: %s.", len(index), why)
        return index

    def _add(self, index: FaceIndex, ids: IntArray, vectors: FloatArray) -> None:
        for start in range(0, len(ids), _STEP):
            if self._stopping:
                raise ControlError(detail="it is stopping")
            index.add(ids[start : start + _STEP], vectors[start : start + _STEP])
            self._unsaved()

    # ---- keeping -----------------------------------------------------------------------------------------------------

    def replace(self) -> None:
        """Build the index anew from the catalogue and save it."""
        with self._opening:
            rebuilt = self._rebuilt("it was asked for")
            with self._guard:
                self._index = rebuilt
        self._unsaved()
        self.save(now=True)

    def doubt(self) -> None:
        """Compare the index with the catalogue before it is used again: it may not have heard of all that changed."""
        with self._guard:
            self._index = None
            self._doubts += 1
            self._unsaved_since = None

    def drop(self, faces: list[int]) -> None:
        """Take faces out that the catalogue has forgotten."""
        if not faces:
            return
        with self._guard:
            if self._index is None:
                # One that is opened later leaves them out by itself.
                self._dropped += faces
                return
            index = self._index
        index.remove(np.array(faces, dtype=np.int64))
        self._unsaved()

    # ---- saving ------------------------------------------------------------------------------------------------------

    def _unsaved(self) -> None:
        if self._unsaved_since is None:
            self._unsaved_since = time.monotonic()

    def save_due(self) -> float | None:
        """Seconds until the index should be saved; None where it is."""
        if self._index is None or self._unsaved_since is None:
            return None
        wait = _SAVE_AFTER + _SAVE_AFTER_PER_FACE * len(self._index)
        return max(0.0, self._unsaved_since + wait - time.monotonic())

    def save(self, *, now: bool = False) -> None:
        """Save the index if that is due, or if it changed at all and it must be `now`.

        A full disk is told and no more: the index can be rebuilt from the catalogue.
        """
        due, index = self.save_due(), self._index
        if index is None or due is None or (due > 0 and not now):
            return
        before = self._catalogue.index_stamp()
        generation = 1 + (_generation(before.file) if before else 0)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            with self._metrics.timing("index_save"):
                stamp = index.save(self._folder, generation)
            self._catalogue.set_index_stamp(stamp)
            prune(self._folder, stamp.file)
        except (OSError, StateError) as problem:
            about = {"file": os.fsdecode(self._folder)}
            log.warning("The index could not be saved and will be rebuilt if need be: %s", problem, extra=about)
        self._unsaved_since = None


def _among(some: IntArray, others: IntArray) -> IntArray:
    """Those of some numbers that are among others; both rising. numpy's own sort both, or hash them, for a second."""
    return some[_found(some, others)]


def _not_among(some: IntArray, others: IntArray) -> IntArray:
    """The rest of them."""
    return some[~_found(some, others)]


def _found(some: IntArray, others: IntArray) -> BoolArray:
    if not len(others):
        return np.zeros(len(some), dtype=bool)
    found: BoolArray = others[np.minimum(np.searchsorted(others, some), len(others) - 1)] == some
    return found


def _generation(file: str) -> int:
    digits = "".join(char for char in file if char.isdigit())
    return int(digits) if digits else 0
