"""Faces become people: keeps the index equal to the catalogue, and lets new faces arrive in batches.

Batches end at fixed numbers of photos, or where nothing is left to read. So which faces are grouped together depends
on the photos and not on timing or on how often the program was stopped.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import StateError
from guyverd.people.arrival import Outcome, arrive
from guyverd.people.index import FaceIndex, IndexRefused
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.measuring import Measuring
from guyverd.service.pipeline.parting import Parting, freed
from guyverd.service.pipeline.words.deciding import standing

if TYPE_CHECKING:
    from guyverd.model import IntArray, PersonId
    from guyverd.people.evidence import Measure

log = logging.getLogger(__name__)

BATCH = 512
"""Photos whose faces are grouped together while more are being read."""
SEED = 20
"""Of the order in which faces are visited. Any number will do; changing it changes groupings to come."""
_SAVE_AFTER = 10.0
"""Seconds after which a changed index is saved."""
_SAVE_AFTER_PER_FACE = 0.001
"""And as many more for each face in it: a large index takes long to write, and a lost one is caught up with."""


class Grouping:
    """The index and what it is asked for. One thread groups; any may ask."""

    def __init__(self, config: Config, catalogue: Catalogue, metrics: Metrics | None = None) -> None:
        self._config = config
        self._catalogue = catalogue
        self._metrics = metrics or Metrics()
        self._folder = os.fsencode(config.state / "index")
        self.measuring = Measuring(config.clustering, catalogue)
        self._index: FaceIndex | None = None
        self._unsaved_since: float | None = None

    # ---- the index ---------------------------------------------------------------------------------------------------

    @property
    def index(self) -> FaceIndex:
        """The index, loaded or rebuilt at first use."""
        if self._index is None:
            self._index = self._opened()
        return self._index

    def _opened(self) -> FaceIndex:
        stamp = self._catalogue.index_stamp()
        if stamp is None:
            return self._rebuilt("none was saved")
        try:
            index = FaceIndex.load(self._folder, stamp)
        except IndexRefused as problem:
            return self._rebuilt(str(problem))
        wanted, held = self._catalogue.photos.grouped_ids(), index.ids()
        revised = np.intersect1d(self._catalogue.renewal.revised(), wanted)
        stale = np.setdiff1d(held, wanted)
        if len(stale):
            index.remove(stale)
            self._unsaved()
        self._add(index, np.union1d(np.setdiff1d(wanted, held), revised))
        return index

    def _rebuilt(self, why: str) -> FaceIndex:
        index = FaceIndex.build(np.empty(0, np.int64), np.empty((0, 128), np.float32))
        for ids, vectors in self._catalogue.photos.grouped():
            index.add(ids, vectors)
        if len(index):
            self._metrics.count("index_rebuilds")
            log.info("The index was rebuilt with %d faces: %s.", len(index), why)
            self._unsaved()
        return index

    def _add(self, index: FaceIndex, faces: IntArray) -> None:
        for start in range(0, len(faces), 20_000):
            table = self._catalogue.photos.table(faces[start : start + 20_000])
            index.add(table.ids, table.vectors)
            self._unsaved()

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
        due = self.save_due()
        if self._index is None or due is None or (due > 0 and not now):
            return
        before = self._catalogue.index_stamp()
        generation = 1 + (_generation(before.file) if before else 0)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            with self._metrics.timing("index_save"):
                stamp = self._index.save(self._folder, generation)
            self._catalogue.set_index_stamp(stamp)
            FaceIndex.prune(self._folder, stamp.file)
        except (OSError, StateError) as problem:
            about = {"file": os.fsdecode(self._folder)}
            log.warning("The index could not be saved and will be rebuilt if need be: %s", problem, extra=about)
        self._unsaved_since = None

    def replace(self) -> None:
        """Build the index anew from the catalogue and save it."""
        self._index = self._rebuilt("it was asked for")
        self._unsaved()
        self.save(now=True)

    def doubt(self) -> None:
        """Compare the index with the catalogue before it is used again: it may not have heard of all that changed."""
        self._index = None
        self._unsaved_since = None

    def drop(self, faces: list[int]) -> None:
        """Take faces out that the catalogue has forgotten."""
        if faces:
            # An index that is only now loaded leaves them out by itself.
            index = self.index
            index.remove(np.intersect1d(np.array(faces, dtype=np.int64), index.ids()))
            self._unsaved()

    # ---- people ------------------------------------------------------------------------------------------------------

    def advance(self, *, first_unread: int | None) -> bool:
        """Group the next batch if it is complete. Tells whether people changed.

        `first_unread` is the lowest number of a photo that may still get faces; None means nothing is left to read.
        """
        photos = self._catalogue.photos
        first, last = photos.ungrouped_range()
        if first is None or last is None:
            return False
        through = -(-first // BATCH) * BATCH
        if first_unread is None:
            through = min(through, last)
        elif through >= first_unread:
            return False
        if len(self._catalogue.renewal.networks()) > 1:
            return False  # what they would be compared with is of another face model: they wait
        began = time.monotonic()
        index = self.index
        table = photos.table(photos.ungrouped(through))
        index.add(table.ids, table.vectors)
        self._unsaved()
        # In a photo that was read again, most faces have their person already.
        new = table.ids[table.people == 0]
        measure = self.measuring.at(through)
        outcome, touched = self._arrive(new, index, measure, through)
        if touched:
            alone = freed(Parting(self._catalogue, index, measure, seed=SEED).part(outcome, touched))
            if len(alone):
                self._arrive(alone, index, measure, through)
        took = time.monotonic() - began
        self._metrics.took("group", took)
        self._metrics.count("grouped_faces", len(new))
        log.info(
            "%d new faces grouped in %.1f s: %d found their person, %d wait.",
            len(new),
            took,
            len(outcome.assignments),
            len(new) - len({item.face for item in outcome.assignments} & set(new.tolist())),
        )
        return bool(touched)

    def _arrive(
        self, new: IntArray, index: FaceIndex, measure: Measure, through: int
    ) -> tuple[Outcome, list[PersonId]]:
        """Let faces find their people; with that, the photos up to that number are grouped."""
        said = standing(self._catalogue)
        outcome = arrive(new, self._catalogue.photos, index, measure, seed=SEED, said=said)
        touched = self._catalogue.people.assign(
            outcome.assignments, outcome.merges, through, self._catalogue.now(), said=said, alike=outcome.alike
        )
        return outcome, touched


def _generation(file: str) -> int:
    digits = "".join(char for char in file if char.isdigit())
    return int(digits) if digits else 0
