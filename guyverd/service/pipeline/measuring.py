"""What counts as evidence in the library as it stands, learned anew as it grows."""

from __future__ import annotations

import threading

from guyverd.catalogue.store import Catalogue
from guyverd.config import People
from guyverd.people.evidence import CROWD, Measure

_STEPS = 16
"""How often it is learned anew while the library doubles."""


class Measuring:
    """Keeps the last measure. From any thread."""

    def __init__(self, settings: People, catalogue: Catalogue) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._guard = threading.Lock()
        self._kept: tuple[tuple[int, object], Measure] | None = None

    def at(self, through: int) -> Measure:
        """The measure for grouping the photos up to that number.

        It is learned from the photos up to a round number below, so that it depends on the photos and not on timing: a
        pass that was stopped and begun again measures as one that was not. While photos are read again because another
        network made their vectors, it is learned anew each time.
        """
        compared = self._catalogue.renewal.compared()
        step = max(1, (1 << max(0, through.bit_length() - 1)) // _STEPS)
        known = through // step * step
        with self._guard:
            if self._kept is None or self._kept[0] != (known, compared):
                faces, crowd = self._catalogue.photos.crowd(known, CROWD)
                self._kept = ((known, compared), Measure(self._settings, faces, crowd))
            return self._kept[1]

    def now(self) -> Measure:
        """The measure for asking the library as it stands."""
        return self.at(self._catalogue.photos.next_id() - 1)
