"""Faces become people: new faces arrive in batches, and find others by the index.

Batches end at fixed numbers of photos, or where nothing is left to read. So which faces are grouped together depends
on the photos and not on timing or on how often the program was stopped.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from guyverd.model import PhotoKind
from guyverd.people.arrival import Outcome, arrive
from guyverd.service.pipeline.indexing import Indexing
from guyverd.service.pipeline.parting import Parting, freed
from guyverd.service.pipeline.words.deciding import standing

if TYPE_CHECKING:
    from guyverd.model import IntArray, PersonId
    from guyverd.people.evidence import Measure
    from guyverd.people.index import FaceIndex

log = logging.getLogger(__name__)

BATCH = 512
"""Photos whose faces are grouped together while more are being read."""
FILMS = 32
"""The same for videos, which take long to read; nobody waits for the last of many."""
SEED = 20
"""Of the order in which faces are visited. Any number will do; changing it changes groupings to come."""


class Grouping(Indexing):
    """Gives faces their people. One thread groups; any may ask for the index."""

    waits = False
    """Whether faces could be grouped were the index open."""
    batches = 0
    """How many were grouped since the start."""

    def advance(self, *, first_unread: int | None, kind: PhotoKind | None = None) -> bool:
        """Group the next batch if it is complete. Tells whether people changed.

        `first_unread` is the lowest number of a photo that may still get faces; None means nothing is left to read.
        Where a `kind` is given, only photos, or only videos, are meant; and videos wait until all photos are grouped.
        """
        photos = self._catalogue.photos
        if kind is PhotoKind.VIDEO and photos.ungrouped_range(PhotoKind.PHOTO)[0] is not None:
            return False
        self.waits = False
        first, last = photos.ungrouped_range(kind)
        if first is None or last is None:
            return False
        batch = FILMS if kind is PhotoKind.VIDEO else BATCH
        through = -(-first // batch) * batch
        if first_unread is None:
            through = min(through, last)
        elif through >= first_unread:
            return False
        if len(self._catalogue.renewal.networks()) > 1:
            return False  # what they would be compared with is of another face model: they wait
        if self.is_opening:
            self.waits = True
            return False
        began = time.monotonic()
        index = self.index
        table = photos.table(photos.ungrouped(through, kind))
        index.add(table.ids, table.vectors)
        self._unsaved()
        # In a photo that was read again, most faces have their person already.
        new = table.ids[table.people == 0]
        measure = self.measuring.of_films(through) if kind is PhotoKind.VIDEO else self.measuring.at(through)
        outcome, touched = self._arrive(new, index, measure, through, kind)
        if touched:
            alone = freed(Parting(self._catalogue, index, measure, seed=SEED).part(outcome, touched))
            if len(alone):
                self._arrive(alone, index, measure, through, kind)
        self.batches += 1
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
        self, new: IntArray, index: FaceIndex, measure: Measure, through: int, kind: PhotoKind | None
    ) -> tuple[Outcome, list[PersonId]]:
        """Let faces find their people; with that, the photos, or those of a kind, up to that number are grouped."""
        said = standing(self._catalogue)
        outcome = arrive(new, self._catalogue.photos, index, measure, seed=SEED, said=said)
        touched = self._catalogue.people.assign(
            outcome.assignments,
            outcome.merges,
            through,
            self._catalogue.now(),
            said=said,
            alike=outcome.alike,
            kind=kind,
        )
        return outcome, touched
